"""The methods: from pixel SEDs to labels.

A method is a function `method(distances, n_clusters, seed)` that takes a `PixelDistances` and returns one integer for
each pixel: any values that tell clusters apart, below 0 for pixels in none. What is common to all methods is done once,
in `cluster_pixels`.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import fcluster, ward
from scipy.spatial.distance import squareform
from sklearn.cluster import DBSCAN, KMeans, spectral_clustering
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import kneighbors_graph

from distances import METRICS, PixelDistances, choose
from helper_functions.composite_seds import composite_seds, nearest_sed
from helper_functions.normalize import NORMS, normalize
from helper_functions.number_of_clusters import choose_by_silhouette
from helper_functions.pixel_seds import complete_block

MAX_CLUSTERS = 10
KMEANS_STARTS = 10
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
DENSITY_NEIGHBOURS = 10  # pixels, itself included, that make a pixel dense for dbscan
GRAPH_NEIGHBOURS = 20  # pixels that each pixel is tied to in the graph of spectral
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
    """Mixture of Gaussians in the metric's space; BIC chooses the covariance type, and the number where it is None."""
    points = principal_axes(distances.coordinates, most=distances.n_bands)
    most = min(MAX_CLUSTERS, len(points) - 1)
    numbers = range(1, most + 1) if n_clusters is None else [n_clusters]
    best, lowest = None, np.inf
    for number in numbers:
        for covariance_type in COVARIANCE_TYPES:
            mixture = GaussianMixture(number, covariance_type=covariance_type, random_state=seed)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)  # BIC judges what was reached
                    bic = mixture.fit(points).bic(points)
            except ValueError:  # a component collapsed on too few pixels: not a candidate
                continue
            if bic < lowest:
                best, lowest = mixture, bic
    if best is None:
        raise TooFewPixels(f"no mixture of {list(numbers)} Gaussians can be fitted to {len(points)} pixels")
    return best.predict(points)


def dbscan(distances, n_clusters, seed):
    """Density-based clusters; eps at the knee of the sorted k-distance curve, so that `n_clusters` has no part."""
    neighbours = min(DENSITY_NEIGHBOURS, len(distances))
    k_distance = np.sort(np.partition(distances.matrix, neighbours - 1, axis=1)[:, neighbours - 1])
    eps = k_distance[knee(k_distance)]
    # eps = 0, where most pixels are identical, is not allowed: the smallest number above it means the same.
    return DBSCAN(eps=max(eps, np.finfo(float).tiny), min_samples=neighbours, metric="precomputed").fit_predict(
        distances.matrix
    )


def agglomerative(distances, n_clusters, seed):
    """Ward's hierarchical clustering.

    Ward's criterion needs Euclidean distances, which those of every metric are, in the space of its embedding.
    """
    tree = ward(squareform(distances.matrix, checks=False))
    return fcluster(tree, n_clusters, criterion="maxclust")


def spectral(distances, n_clusters, seed):
    """Spectral clustering of the graph that ties each pixel to its nearest neighbours."""
    neighbours = min(GRAPH_NEIGHBOURS, len(distances))
    tied = kneighbors_graph(distances.matrix, neighbours, metric="precomputed", include_self=True)
    return _spectral(0.5 * (tied + tied.T), n_clusters, seed)


def spectral_cross_cor(distances, n_clusters, seed):
    """Spectral clustering with the similarity 1 - b12 between every two pixels (Kriek et al. 2011)."""
    return _spectral(1 - distances.matrix, n_clusters, seed)


def _spectral(affinity, n_clusters, seed):
    with warnings.catch_warnings():
        # A graph in several pieces is good news: the pieces are clusters.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        return spectral_clustering(affinity, n_clusters=n_clusters, random_state=seed, assign_labels="cluster_qr")


class Method(NamedTuple):
    """A method, the metric it uses if none is named, and how it finds the number of clusters if that is "auto"."""

    label: Callable
    metric: str = "euclidean"
    other_metrics: bool = True  # False: it has a meaning with its own metric only
    number_by: str = "silhouette"  # "bic": by itself where n_clusters is None; "density": always by itself


METHODS = {
    "kmeans": Method(kmeans),
    "gaussian_mixture": Method(gaussian_mixture, number_by="bic"),
    "dbscan": Method(dbscan, number_by="density"),
    "agglomerative": Method(agglomerative),
    "spectral": Method(spectral),
    "spectral_cross_cor": Method(spectral_cross_cor, metric="crosscor", other_metrics=False),
}


# ---- parts of methods -------------------------------------------------------


def principal_axes(points, most):
    """Rotate points to their principal axes, at most that many, and none along which nothing varies.

    A covariance along an axis without variance cannot be inverted. Pixels vary along as many axes as they have bands:
    where an embedding has more, these hold what is left in second order, and a covariance of hundreds of axes cannot be
    told from so few pixels.
    """
    centred = points - points.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    varying = singular > 1e-6 * max(singular[0], np.finfo(float).tiny)
    varying[0], varying[most:] = True, False
    return (left * singular)[:, varying]


def knee(curve):
    """Index where a rising curve bends most: farthest below the chord between its ends (Satopaa et al. 2011)."""
    if len(curve) < 3 or curve[-1] == curve[0]:
        return len(curve) - 1
    along = np.linspace(0, 1, len(curve))
    return int(np.argmax(along - (curve - curve[0]) / (curve[-1] - curve[0])))


# ---- one door for all methods -----------------------------------------------


class Clustering(NamedTuple):
    """What a run found."""

    labels: np.ndarray  # (n_pixels,): 1..n_clusters by falling number of pixels, UNASSIGNED for none
    n_clusters: int
    number_by: str  # "given", or what chose the number of clusters
    bands_used: np.ndarray  # bool, (n_bands,)
    n_incomplete: int  # pixels that lack data in a band used, labelled by the nearest composite


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


def cluster_pixels(seds, *, method, norm="none", metric=None, n_clusters=4, seed=0):
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
    shapes, _ = normalize(flux, error, norm)
    order = canonical_order(shapes)
    shapes = shapes[order] / rms(shapes)
    distances = PixelDistances(shapes, seds.wavelengths[bands_used], metric)
    found, number_by = _label(entry, distances, n_clusters, seed)

    labels = np.full(len(seds.flux), UNASSIGNED)
    labels[np.flatnonzero(complete)[order]] = found
    labels = by_falling_size(labels)
    if not complete.all() and (labels > 0).any():
        composites = composite_seds(seds.flux, seds.error, labels)
        labels[~complete] = 1 + nearest_sed(seds.flux[~complete], seds.error[~complete], composites.flux)
        labels = by_falling_size(labels)
    return Clustering(labels, max(int(labels.max(initial=0)), 0), number_by, bands_used, len(complete) - n_complete)


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
