"""Comparison of the runs of a galaxy: matching of their clusters to common regions, and agreement."""

from itertools import count, islice
from typing import NamedTuple

import numpy as np
from astropy.table import Table
from scipy.optimize import linear_sum_assignment

# Jaccard index: intersection over union. Two clusters of equal size with 1/3 have half of their pixels in common; below
# it the larger part of at least one is elsewhere, and the same colour for both would be misleading.
MIN_OVERLAP = 1 / 3


def region_map(labels, regions):
    """Convert labels to the region number of each pixel.

    Parameters
    ----------
    labels : int ndarray of any shape
        0 not selected, 1..n_clusters, -1 unassigned.
    regions : int ndarray of shape (n_clusters,)
        Region number of each cluster.

    Returns
    -------
    int ndarray of the shape of `labels`
        0 and -1 are unchanged.
    """
    return np.concatenate([[-1, 0], regions]).astype(int)[labels + 1]


def match_regions(labels, others):
    """Match the clusters of a run to the regions of other runs that they overlap with.

    A region is a set of matching clusters, at most one of each run. The overlap of a cluster with a region is the
    intersection over union of their pixels, averaged over the runs that have this region. Clusters are assigned to
    regions such that the sum of the overlaps is largest (Hungarian algorithm), and only where the overlap is at least
    MIN_OVERLAP. The others get the lowest unused numbers, the largest cluster first.

    Parameters
    ----------
    labels : int ndarray of any shape
        0 not selected, 1..n_clusters, -1 unassigned.
    others : sequence of int ndarrays of the same shape
        The regions of other runs, from `region_map`; their order has no effect.

    Returns
    -------
    regions : int ndarray of shape (n_clusters,)
        From 1.
    """
    n_clusters = max(labels.max(initial=0), 0)
    n_regions = max((other.max(initial=0) for other in others), default=0)
    overlap, runs = np.zeros((n_clusters, n_regions)), np.zeros(n_regions)
    for other in others:
        pixels = _pixels_in_common(labels, other, n_clusters, n_regions)
        either = pixels.sum(axis=1, keepdims=True) + pixels.sum(axis=0) - pixels
        overlap += (pixels / np.maximum(either, 1))[1:, 1:]
        runs += pixels.sum(axis=0)[1:] > 0
    overlap /= np.maximum(runs, 1)
    overlap[overlap < MIN_OVERLAP] = 0
    clusters, matched = linear_sum_assignment(overlap, maximize=True)
    clusters, matched = clusters[overlap[clusters, matched] > 0], matched[overlap[clusters, matched] > 0]
    regions = np.zeros(n_clusters, dtype=int)
    regions[clusters] = matched + 1
    new = (number for number in count(1) if number > n_regions or not runs[number - 1])
    regions[regions == 0] = list(islice(new, n_clusters - len(clusters)))
    return regions


def _pixels_in_common(labels, regions, n_clusters, n_regions):
    """Contingency table of clusters and regions, (n_clusters + 1, n_regions + 1); unassigned pixels: row, column 0."""
    selected, shape = labels != 0, (n_clusters + 1, n_regions + 1)
    cells = np.ravel_multi_index((np.maximum(labels[selected], 0), np.maximum(regions[selected], 0)), shape)
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


class Agreement(NamedTuple):
    """Agreement between the runs of a galaxy."""

    runs: tuple  # n_runs names
    rand_index: np.ndarray  # (n_runs, n_runs), adjusted Rand index of each pair: 1 identical, about 0 by chance
    region: np.ndarray  # (ny, nx), the most frequent region of the pixel; 0 not selected, -1 unassigned
    share: np.ndarray  # (ny, nx), fraction of the runs with this region; NaN where not selected


def agreement(runs, maps):
    """Measure the agreement between runs.

    The unassigned pixels of a run are treated as one more cluster: if they were left out, a run would seem to agree
    better the fewer pixels it labels.

    Parameters
    ----------
    runs : sequence of str
        Names, at least one.
    maps : sequence of int ndarrays of shape (ny, nx)
        The regions of each run, from `region_map`, of the same selected pixels.

    Returns
    -------
    Agreement
    """
    from sklearn.metrics import adjusted_rand_score  # imported here for the reason given in `fit_kmeans`

    selected = maps[0] != 0
    groups = [each[selected] for each in maps]
    rand_index = np.eye(len(maps))
    for row, column in zip(*np.tril_indices(len(maps), -1), strict=True):
        rand_index[row, column] = rand_index[column, row] = adjusted_rand_score(groups[row], groups[column])
    return Agreement(tuple(runs), rand_index, *consensus(maps))


def consensus(maps):
    """Majority vote: the most frequent region of each pixel among the runs, and the fraction of the runs with it.

    Ties go to the lowest region number, and to any region before unassigned.

    Parameters
    ----------
    maps : sequence of int ndarrays of shape (ny, nx)
        The regions of each run, from `region_map`, of the same selected pixels.

    Returns
    -------
    region : int ndarray of shape (ny, nx)
        0 where not selected, -1 where most runs leave the pixel unassigned.
    share : ndarray of shape (ny, nx)
        Above 0 to 1; NaN where not selected.
    """
    maps = np.array(maps)
    numbers = np.unique(maps)
    numbers = np.roll(numbers, -np.sum(numbers < 0))  # -1 is last: argmax takes the first of ties
    votes = np.array([(maps == number).sum(axis=0) for number in numbers])
    return numbers[votes.argmax(axis=0)], np.where(maps[0] != 0, votes.max(axis=0) / len(maps), np.nan)


def agreement_table(found):
    """The adjusted Rand indices of an `Agreement` as a `Table`: a row and a column for each run."""
    table = Table({"run": list(found.runs)} | dict(zip(found.runs, found.rand_index, strict=True)))
    table["run"].description = "method, norm and metric as in folder names"
    for run in found.runs:
        meaning = "1 identical, about 0 by chance; unassigned pixels count as one cluster"
        table[run].description = f"adjusted Rand index with {run}: {meaning}"
    return table
