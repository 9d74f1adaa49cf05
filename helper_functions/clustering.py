"""The methods: from pixel SEDs to labels.

A method is a function `method(distances, n_clusters, seed)` that takes a `PixelDistances` and returns one integer for
each pixel: any values that tell clusters apart, below 0 for pixels in none. What is common to all methods is done once,
in `cluster_pixels`.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from distances import DEFAULTS, METRICS, Pixels, choose
from helper_functions.composite_seds import composite_seds, nearest_sed
from helper_functions.density import LINKED_NEIGHBOURS, dbscan
from helper_functions.filters import band_edges
from helper_functions.graphs import cut_graph, neighbour_graph
from helper_functions.normalize import NORMS, normalize
from helper_functions.number_of_clusters import choose_by_silhouette
from helper_functions.pixel_distances import MEMORY_LIMIT, PixelDistances
from helper_functions.pixel_seds import complete_block
from helper_functions.ward import MICRO_CLUSTERS, agglomerative

MAX_CLUSTERS = 10
KMEANS_STARTS = 10
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
GRAPH_NEIGHBOURS = 20  # pixels, itself included, that each pixel is tied to in the graph of spectral
MIXTURE_PIXELS = 20_000
UNASSIGNED = -1


class TooFewPixels(ValueError):
    """The galaxy has fewer pixels than clusters were asked for."""

    status = "too few pixels"


class NoMeaning(ValueError):
    """A method and a metric that do not go together."""


# ---- the methods ------------------------------------------------------------


def kmeans(distances, n_clusters, seed):
    """k-means in the metric's space, best of KMEANS_STARTS k-means++ starts."""
    with warnings.catch_warnings():
        # Fewer distinct pixels than clusters is a result: fewer clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_clusters, n_init=KMEANS_STARTS, random_state=seed).fit_predict(distances.coordinates)


def gaussian_mixture(distances, n_clusters, seed):
    """Mixture of Gaussians in the metric's space; BIC chooses the covariance type, and the number where it is None.

    The Gaussians are fitted to at most MIXTURE_PIXELS pixels, drawn at random, which is plenty for their few numbers.
    """
    points = principal_axes(distances.coordinates, most=distances.n_bands)
    sample = points[np.random.default_rng(seed).permutation(len(points))[:MIXTURE_PIXELS]]
    numbers = range(1, min(MAX_CLUSTERS, len(points) - 1) + 1) if n_clusters is None else [n_clusters]
    best, lowest = None, np.inf
    for number in numbers:
        for covariance_type in COVARIANCE_TYPES:
            mixture = GaussianMixture(number, covariance_type=covariance_type, random_state=seed)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)  # BIC judges what was reached
                    bic = mixture.fit(sample).bic(sample)
            except ValueError:  # a component collapsed on too few pixels: not a candidate
                continue
            if bic < lowest:
                best, lowest = mixture, bic
    if best is None:
        raise TooFewPixels(f"no mixture of {list(numbers)} Gaussians can be fitted to {len(points)} pixels")
    return best.predict(points)


def spectral(distances, n_clusters, seed):
    """Spectral clustering of the graph that ties each pixel to its nearest neighbours."""
    _, numbers = distances.neighbours(GRAPH_NEIGHBOURS)
    return cut_graph(neighbour_graph(numbers, np.ones(numbers.shape)), n_clusters, seed)


def spectral_cross_cor(distances, n_clusters, seed):
    """Spectral clustering with the similarity 1 - b12 (Kriek et al. 2011) between every two pixels.

    Where the pixels are too many for that, between each and its nearest neighbours.
    """
    if distances.too_large:
        near, numbers = distances.neighbours(GRAPH_NEIGHBOURS)
        return cut_graph(neighbour_graph(numbers, 1 - near), n_clusters, seed)
    similarity = distances.matrix(np.float32)
    np.subtract(1, similarity, out=similarity)
    return cut_graph(similarity, n_clusters, seed)


class Method(NamedTuple):
    """A method, the metric it uses if none is named, and how it finds the number of clusters if that is "auto"."""

    label: Callable
    metric: str = "euclidean"
    other_metrics: bool = True  # False: it has a meaning with its own metric only
    number_by: str = "silhouette"  # "bic": by itself where n_clusters is None; "density": always by itself
    when_large: str = ""  # what it does differently where the distance matrix would exceed the memory limit


METHODS = {
    "kmeans": Method(kmeans),
    "gaussian_mixture": Method(gaussian_mixture, number_by="bic"),
    "dbscan": Method(dbscan, number_by="density", when_large=f"links between {LINKED_NEIGHBOURS} nearest neighbours"),
    "agglomerative": Method(agglomerative, when_large=f"Ward on {MICRO_CLUSTERS} k-means clusters"),
    "spectral": Method(spectral),
    "spectral_cross_cor": Method(
        spectral_cross_cor,
        metric="crosscor",
        other_metrics=False,
        when_large=f"similarities between {GRAPH_NEIGHBOURS} nearest neighbours",
    ),
}


# ---- parts of methods -------------------------------------------------------


def principal_axes(points, most):
    """Rotate points to their principal axes, at most that many, and none along which nothing varies.

    A covariance along an axis without variance cannot be inverted. Pixels vary along as many axes as they have bands:
    where an embedding has more, these hold what is left in second order, and a covariance of hundreds of axes cannot be
    told from so few pixels.
    """
    centred = points - points.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    kept = np.argsort(variance)[::-1][:most]
    kept = kept[variance[kept] > 1e-10 * variance.max()]
    return centred @ (axes[:, kept] if kept.size else axes[:, -1:])


# ---- one door for all methods -----------------------------------------------


class Clustering(NamedTuple):
    """What a run found."""

    labels: np.ndarray  # (n_pixels,): 1..n_clusters by falling number of pixels, UNASSIGNED for none
    n_clusters: int
    number_by: str  # "given", or what chose the number of clusters
    bands_used: np.ndarray  # bool, (n_bands,)
    n_incomplete: int  # pixels that lack data in a band used, labelled by the nearest composite
    when_large: str  # what was done differently as the pixels were many; empty where nothing was


def check_run(method, norm, metric):
    """Return the metric's name (None stands for the method's own), or raise ValueError if they do not go together."""
    entry = choose(METHODS, method, "method")
    choose(NORMS, norm, "norm")
    metric = metric or entry.metric
    choose(METRICS, metric, "metric")
    if metric != entry.metric and not entry.other_metrics:
        plain = method.removesuffix("_cross_cor")
        raise NoMeaning(
            f"method {method} has a meaning with metric {entry.metric} only: "
            f"for metric {metric} use method {plain}, or leave the metric out"
        )
    return metric


def cluster_pixels(
    seds, *, method, norm="none", metric=None, n_clusters=4, seed=0, options=DEFAULTS, memory_limit=MEMORY_LIMIT
):
    """Cluster pixels by the shape of their SEDs.

    Labels do not depend on the unit of the fluxes, nor on the order of pixels or bands.

    Parameters
    ----------
    seds : PixelSEDs
        NaN marks missing data; see `complete_block` for the bands and pixels that are clustered. Pixels that lack a
        band used get the label of the composite SED that fits the bands they have best.
    method, norm : str
        Keys of METHODS and NORMS.
    metric : str or None
        A key of METRICS; None: the method's own.
    n_clusters : int or "auto"
        Wanted number of clusters; "auto" leaves it to the method's criterion. dbscan finds its own.
    seed : int
        Seed of everything random.
    options : Options
        Of the metrics.
    memory_limit : float
        Bytes; where a full distance matrix would take more, methods do without, as `Method.when_large` says.

    Returns
    -------
    Clustering

    Raises
    ------
    TooFewPixels
        Where there are fewer pixels than clusters.
    ValueError
        For unknown names, SEDs without a shape, or (NoMeaning) a method and metric that do not go together.
    """
    metric = check_run(method, norm, metric)
    entry = METHODS[method]
    complete, bands_used = complete_block(seds.flux)
    n_complete = int(complete.sum())
    asked = 1 if n_clusters == "auto" or entry.number_by == "density" else n_clusters
    if n_complete < asked:
        raise TooFewPixels(f"{n_complete} pixels are fewer than the {asked} clusters asked for")

    flux, error = seds.flux[complete][:, bands_used], seds.error[complete][:, bands_used]
    shapes, errors = normalize(flux, error, norm)
    order, scale = canonical_order(shapes), rms(shapes)
    pixels = Pixels(
        seds=shapes[order] / scale,
        errors=errors[order] / scale,
        wavelengths=seds.wavelengths[bands_used],
        edges=band_edges(np.array(seds.bands)[bands_used]),
        redshift=seds.redshift,
        options=options,
    )
    distances = PixelDistances(pixels, metric, memory_limit)
    found, number_by = _label(entry, distances, n_clusters, seed)

    labels = np.full(len(seds.flux), UNASSIGNED)
    labels[np.flatnonzero(complete)[order]] = found
    labels = by_falling_size(labels)
    if not complete.all() and (labels > 0).any():
        composites = composite_seds(seds.flux, seds.error, labels)
        labels[~complete] = 1 + nearest_sed(seds.flux[~complete], seds.error[~complete], composites.flux)
        labels = by_falling_size(labels)
    when_large = entry.when_large if distances.too_large else ""
    n_found = max(int(labels.max(initial=0)), 0)
    return Clustering(labels, n_found, number_by, bands_used, len(complete) - n_complete, when_large)


def _label(entry, distances, n_clusters, seed):
    """Run a method for the number of clusters given or chosen; return its labels and what chose the number."""
    if entry.number_by == "density":
        return entry.label(distances, None, seed), "density"
    if n_clusters == "auto" and entry.number_by == "bic" and len(distances) > 1:
        return entry.label(distances, None, seed), "bic"
    if n_clusters == "auto" and entry.number_by == "silhouette":
        return choose_by_silhouette(entry.label, distances, MAX_CLUSTERS, seed), "silhouette"
    number_by = "given" if n_clusters != "auto" else entry.number_by
    if n_clusters in (1, "auto"):
        return np.zeros(len(distances), dtype=int), number_by
    if n_clusters == len(distances):  # nothing to choose, and some methods cannot
        return np.arange(n_clusters), number_by
    return entry.label(distances, n_clusters, seed), number_by


def rms(shapes):
    """Root mean square of all values, so that tolerances mean the same in every unit; 1 where all are zero."""
    return np.sqrt(np.mean(shapes**2)) or 1.0


def canonical_order(shapes):
    """Order of pixels that does not depend on the order in which they came, nor on that of the bands.

    Random starts pick pixels by their number: to give the same answer, the same pixels must have the same numbers.
    """
    return np.lexsort([np.sum(shapes**3, axis=1), np.sum(shapes, axis=1)])


def by_falling_size(labels):
    """Number clusters from 1 by falling number of pixels; labels below 0 become UNASSIGNED."""
    labels = np.asarray(labels)
    names, sizes = np.unique(labels[labels >= 0], return_counts=True)
    numbered = np.full(len(labels), UNASSIGNED)
    for number, name in enumerate(names[np.argsort(-sizes, kind="stable")], start=1):
        numbered[labels == name] = number
    return numbered
