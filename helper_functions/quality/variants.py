"""Clusterings of a galaxy with other options: more or fewer clusters, or another norm or metric.

A comparison is a function `variants(method, n_clusters)` that returns {(row, column): options of `cluster_pixels`}, in
the order in which they are drawn, and the cell of the reference: the others are compared to it.
"""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np

from distances import METRICS
from helper_functions.composite_seds import composite_seds
from helper_functions.methods import METHODS, RECOMMENDED
from helper_functions.normalize import NORMS
from helper_functions.quality.compare_runs import match_regions, region_map
from helper_functions.quality.cross_checks import rand_index
from helper_functions.quality.metrics import ClusteringSample, reduced_chi2

STEPS = 2  # clusters more and fewer


class Comparison(NamedTuple):
    """A comparison, its description, and its default method."""

    variants: Callable  # (method, n_clusters) -> variants, cell of the reference
    meaning: str  # for tables
    title: str  # of the picture, with {method} and {n_clusters}
    method: str


class Variant(NamedTuple):
    """A clustering of the pixels with other options."""

    labels: np.ndarray  # (n_pixels,), as in `Clustering`
    regions: np.ndarray  # (n_clusters,), region number of each cluster, see `compare_runs`
    flux: np.ndarray  # (n_clusters, n_bands), composite SEDs, 10 nJy
    error: np.ndarray  # (n_clusters, n_bands), of these
    chi2: float  # reduced, see `reduced_chi2`
    rand_index: float = np.nan  # adjusted Rand index with the reference; NaN where undefined, and of the reference


def more_and_fewer(method, n_clusters):
    """From STEPS clusters fewer to STEPS more, at least 1."""
    numbers = range(max(n_clusters - STEPS, 1), n_clusters + STEPS + 1)
    return {("", named(number)): {"n_clusters": number} for number in numbers}, ("", named(n_clusters))


def norms_and_metrics(method, n_clusters):
    """Every norm with every metric that the method takes, at the same number of clusters; its own is the reference.

    There are at least 2 clusters, as one is the same for all.
    """
    entry, n_clusters = METHODS[method], max(n_clusters, 2)
    norms = NORMS if entry.takes_any_norm else [entry.norm]
    metrics = METRICS if entry.takes_any_metric else [entry.metric]
    cells = product(norms, metrics)
    variants = {(norm, metric): {"norm": norm, "metric": metric, "n_clusters": n_clusters} for norm, metric in cells}
    return variants, (entry.norm, entry.metric)


def named(n_clusters):
    """A number of clusters in words."""
    return f"{n_clusters} cluster{'s' * (n_clusters != 1)}"


COMPARISONS = {
    "number": Comparison(
        more_and_fewer,
        "maps and composite SEDs with up to two clusters more or fewer",
        "{method} with more and fewer clusters",
        RECOMMENDED,
    ),
    "norms": Comparison(
        norms_and_metrics,
        "maps with every norm and metric at the same number of clusters",
        "{method} into {n_clusters}, with each norm (row) and metric (column)",
        "kmeans",
    ),
}


def planned_comparisons(kinds, method=None):
    """The comparisons asked for as [(kind, method)]; ValueError for a method that has nothing to compare.

    Parameters
    ----------
    kinds : sequence of str
        Keys of COMPARISONS.
    method : str or None
        None: the default of each.
    """
    planned = [(kind, method or COMPARISONS[kind].method) for kind in kinds]
    for kind, name in planned:
        if METHODS[name].finds_number:
            raise ValueError(f"{name} determines the number of clusters itself: choose another COMPARE_METHOD")
        if len(COMPARISONS[kind].variants(name, 1)[0]) < 2:
            raise ValueError(f"{name} always uses its own norm and metric: choose another COMPARE_METHOD for {kind}")
    return planned


def cluster_variants(cluster, seds, variants, reference, known=(), seed=0):
    """Cluster with each of the options, and match the clusters to common regions.

    Parameters
    ----------
    cluster : callable
        `cluster_pixels` with the method and common options bound.
    seds : PixelSEDs
    variants : dict
        Cell -> options of `cluster`.
    reference : tuple
        A cell of `variants`.
    known : sequence of int ndarrays of shape (n_pixels,)
        Regions of runs of the galaxy, which the regions of the reference are matched to.
    seed : int
        Random seed.

    Returns
    -------
    dict
        Cell -> `Variant`, or the ValueError that ended it.

    Raises
    ------
    ValueError
        Where the reference cannot be clustered.
    """
    found = {reference: _variant(cluster(seds, **variants[reference], seed=seed).labels, seds, known, seed)}
    first = region_map(found[reference].labels, found[reference].regions)
    maps = [first]
    for cell in (cell for cell in variants if cell != reference):
        try:
            labels = cluster(seds, **variants[cell], seed=seed).labels
        except ValueError as problem:  # such as no band that covers a feature
            found[cell] = problem
            continue
        index = rand_index(labels, found[reference].labels)
        found[cell] = _variant(labels, seds, maps, seed)._replace(rand_index=index)
        here = region_map(labels, found[cell].regions)
        # Regions of the reference are matched to the reference only; others to those of earlier variants.
        maps.append(np.where(np.isin(here, first), -1, here))
    return {cell: found[cell] for cell in variants}


def _variant(labels, seds, maps, seed):
    composites = composite_seds(seds, labels, seed=seed)
    chi2 = reduced_chi2(ClusteringSample(seds, labels, composites, recluster=None))
    return Variant(labels, match_regions(labels, maps), composites.flux, composites.error, chi2)
