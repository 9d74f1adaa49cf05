"""The methods: from pixel SEDs to labels.

A method is a function `method(distances, n_clusters, seed)` that takes a `PixelDistances` and returns one integer for
each pixel: any values that tell clusters apart, below 0 for pixels in none; or a `Found`, if it knows how probable each
cluster is. What is common to all methods is done once, in `cluster_pixels`.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from distances import DEFAULTS, METRICS, Options, Pixels, choose
from helper_functions.composite_seds import composite_seds, nearest_sed
from helper_functions.filters import band_edges
from helper_functions.methods.agglomerative import MICRO_CLUSTERS, agglomerative
from helper_functions.methods.blended_mixture import blended_mixture, populations
from helper_functions.methods.dbscan import LINKED_NEIGHBOURS, dbscan
from helper_functions.methods.graphs import cut_graph, neighbour_graph
from helper_functions.normalize import NORMS, normalize
from helper_functions.number_of_clusters import CRITERIA, Candidates, Found, Task
from helper_functions.pixel_distances import MEMORY_LIMIT, PixelDistances, matrix_too_large
from helper_functions.pixel_seds import complete_block

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
    """Mixture of Gaussians in the metric's space; BIC chooses the covariance type.

    The Gaussians are fitted to at most MIXTURE_PIXELS pixels, drawn at random, which is plenty for their few numbers.
    """
    points = principal_axes(distances.coordinates, most=distances.n_bands)
    sample = points[np.random.default_rng(seed).permutation(len(points))[:MIXTURE_PIXELS]]
    best, lowest = None, np.inf
    for covariance_type in COVARIANCE_TYPES:
        mixture = GaussianMixture(n_clusters, covariance_type=covariance_type, random_state=seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # BIC judges what was reached
                bic = mixture.fit(sample).bic(sample)
        except ValueError:  # a component collapsed on too few pixels: not a candidate
            continue
        if bic < lowest:
            best, lowest = mixture, bic
    if best is None:
        raise TooFewPixels(f"no mixture of {n_clusters} Gaussians can be fitted to {len(points)} pixels")
    return Found(best.predict(points), best.predict_proba(points))


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
    """A method, the norm and metric it uses if none is named, and what chooses the number of clusters."""

    label: Callable
    norm: str = "L2"
    metric: str = "euclidean"
    other_norms: bool = True  # False: it takes brightness out by itself, and its own norm is used whatever is asked for
    other_metrics: bool = True  # False: it has a meaning with its own metric only
    number_by: str = "gap"  # a key of CRITERIA; DENSITY: the method finds the number by itself
    when_large: str = ""  # what it does differently where the distance matrix would exceed the memory limit
    all_numbers: Callable | None = None  # gives the `Candidates` of several numbers at once


DENSITY = "density"

METHODS = {
    "blended_mixture": Method(
        blended_mixture,
        norm="none",
        metric="noise",
        other_norms=False,
        other_metrics=False,
        number_by="evidence",
        all_numbers=populations,
    ),
    "kmeans": Method(kmeans),
    "gaussian_mixture": Method(gaussian_mixture),
    "dbscan": Method(dbscan, number_by=DENSITY, when_large=f"links between {LINKED_NEIGHBOURS} nearest neighbours"),
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
    probability: np.ndarray | None  # (n_pixels, n_clusters), NaN for incomplete pixels; None: the method knows none
    scores: dict  # criterion -> Scores, of those that were asked for

    @property
    def confidence(self):
        """Probability of each pixel's label, or where it has none, of having none; None where it is not known."""
        if self.probability is None:
            return None
        unassigned = 1 - self.probability.sum(axis=1)
        with_none = np.column_stack([self.probability, unassigned])
        return np.clip(with_none[np.arange(len(self.labels)), np.where(self.labels > 0, self.labels - 1, -1)], 0, 1)


def check_run(method, norm, metric):
    """Names of norm and metric, where None stands for the method's own; ValueError if they do not go together.

    A method that takes brightness out by itself has its own norm, whatever is asked for.
    """
    entry = choose(METHODS, method, "method")
    norm = norm or entry.norm
    choose(NORMS, norm, "norm")
    metric = metric or entry.metric
    choose(METRICS, metric, "metric")
    if metric != entry.metric and not entry.other_metrics:
        plain = "spectral" if method == "spectral_cross_cor" else "kmeans"
        raise NoMeaning(
            f"method {method} has a meaning with metric {entry.metric} only: "
            f"for metric {metric} use method {plain}, or leave the metric out"
        )
    return norm if entry.other_norms else entry.norm, metric


def cluster_pixels(
    seds,
    *,
    method,
    norm=None,
    metric=None,
    n_clusters="auto",
    criterion=None,
    criteria=(),
    seed=0,
    options=DEFAULTS,
    memory_limit=MEMORY_LIMIT,
):
    """Cluster pixels by the shape of their SEDs.

    Labels do not depend on the unit of the fluxes, nor on the order of pixels or bands.

    Parameters
    ----------
    seds : PixelSEDs
        NaN marks missing data; see `complete_block` for the bands and pixels that are clustered. Pixels that lack a
        band used get the label of the composite SED that fits the bands they have best.
    method : str
        A key of METHODS.
    norm, metric : str or None
        Keys of NORMS and METRICS; None: the method's own.
    n_clusters : int or "auto"
        Wanted number of clusters; "auto" leaves it to a criterion. dbscan finds its own.
    criterion : str or None
        A key of CRITERIA; None: the method's own.
    criteria : sequence of str
        More of them, to be worked out beside it where it chooses.
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
    norm, metric = check_run(method, norm, metric)
    entry = METHODS[method]
    criterion = criterion or entry.number_by
    for name in (criterion, *criteria):
        if name != DENSITY:
            choose(CRITERIA, name, "criterion")
    complete, bands_used = complete_block(seds.flux)
    n_complete = int(complete.sum())
    asked = 1 if n_clusters == "auto" or entry.number_by == DENSITY else n_clusters
    if n_complete < asked:
        raise TooFewPixels(f"{n_complete} pixels are fewer than the {asked} clusters asked for")

    wavelengths, edges = seds.wavelengths[bands_used], band_edges(np.array(seds.bands)[bands_used])
    prepare = Preparation(norm, metric, wavelengths, edges, seds.redshift, options, memory_limit)
    flux, error = seds.flux[complete][:, bands_used], seds.error[complete][:, bands_used]
    places = np.column_stack([seds.rows, seds.cols])[complete].astype(float)
    scores = {}
    if entry.number_by == DENSITY or n_clusters != "auto":
        number_by = DENSITY if entry.number_by == DENSITY else "given"
        found = prepare.in_order(partial(one_number, entry, n_clusters, seed), flux, error, places)
    else:
        number_by = criterion
        search = partial(several_numbers, entry, prepare, seed)
        noise_area = None if seds.noise_area is None else seds.noise_area[bands_used]
        task = Task(flux, error, places, search, prepare.distances, seed, noise_area)
        scores = {name: CRITERIA[name].score(task) for name in dict.fromkeys((criterion, *criteria))}
        found = task.candidates.found[scores[criterion].chosen]

    labels = np.full(len(seds.flux), UNASSIGNED)
    labels[complete] = found.labels
    names = by_falling_size(labels)
    labels, probability = numbered(labels, names), None
    if found.probability is not None:
        probability = np.full((len(labels), len(names)), np.nan)
        probability[complete] = found.probability[:, names]
    if not complete.all() and len(names):
        composites = composite_seds(seds.flux, seds.error, labels)
        labels[~complete] = 1 + nearest_sed(seds.flux[~complete], seds.error[~complete], composites.flux)
        order = by_falling_size(labels)
        labels, probability = numbered(labels, order), None if probability is None else probability[:, order - 1]
    when_large = entry.when_large if matrix_too_large(n_complete, memory_limit) else ""
    n_incomplete = len(complete) - n_complete
    return Clustering(labels, len(names), number_by, bands_used, n_incomplete, when_large, probability, scores)


class Preparation(NamedTuple):
    """From fluxes to what a method takes."""

    norm: str
    metric: str
    wavelengths: np.ndarray
    edges: np.ndarray
    redshift: float
    options: Options
    memory_limit: float

    def distances(self, flux, error, places):
        """Distances between the pixels in the order they come."""
        shapes, errors = normalize(flux, error, self.norm)
        scale = rms(shapes)
        return self._between(shapes / scale, errors / scale, places)

    def in_order(self, method, flux, error, places):
        """Do `method(distances)` with the pixels in an order of their own; its result is in that of the fluxes."""
        shapes, errors = normalize(flux, error, self.norm)
        order, scale = canonical_order(shapes), rms(shapes)
        back = np.argsort(order)
        found = method(self._between(shapes[order] / scale, errors[order] / scale, places[order]))
        if isinstance(found, Found):
            return reordered(found, back)
        labelled = {number: reordered(each, back) for number, each in found.found.items()}
        residual = {number: each[back] for number, each in found.residual.items()}
        return found._replace(found=labelled, residual=residual)

    def _between(self, shapes, errors, places):
        pixels = Pixels(shapes, errors, self.wavelengths, self.edges, self.redshift, self.options, places)
        return PixelDistances(pixels, self.metric, self.memory_limit)


def reordered(found, order):
    """The same with the pixels in another order."""
    return Found(found.labels[order], None if found.probability is None else found.probability[order])


def one_number(entry, n_clusters, seed, distances):
    """`Found` of a method for a number of clusters."""
    if entry.number_by != DENSITY and entry.all_numbers is None:
        if n_clusters == 1:
            return Found(np.zeros(len(distances), dtype=int))
        if n_clusters == len(distances):  # nothing to choose, and some methods cannot
            return Found(np.arange(n_clusters))
    found = entry.label(distances, n_clusters, seed)
    return found if isinstance(found, Found) else Found(found)


def several_numbers(entry, prepare, seed, flux, error, places, most):
    """`Candidates` of a method, with 1..most clusters."""
    if entry.all_numbers is not None:
        return prepare.in_order(
            lambda distances: entry.all_numbers(distances, range(1, most + 1), seed), flux, error, places
        )

    def each(distances):
        found = {number: one_number(entry, number, seed, distances) for number in range(1, most + 1)}
        return Candidates(found, {}, {})

    return prepare.in_order(each, flux, error, places)


def rms(shapes):
    """Root mean square of all values, so that tolerances mean the same in every unit; 1 where all are zero."""
    return np.sqrt(np.mean(shapes**2)) or 1.0


def canonical_order(shapes):
    """Order of pixels that does not depend on the order in which they came, nor on that of the bands.

    Random starts pick pixels by their number: to give the same answer, the same pixels must have the same numbers.
    """
    return np.lexsort([np.sum(shapes**3, axis=1), np.sum(shapes, axis=1)])


def by_falling_size(labels):
    """The values of labels from 0 up, by falling number of pixels."""
    names, sizes = np.unique(labels[labels >= 0], return_counts=True)
    return names[np.argsort(-sizes, kind="stable")]


def numbered(labels, names):
    """Number clusters from 1 in the order of `names`; pixels in none of these become UNASSIGNED."""
    result = np.full(len(labels), UNASSIGNED)
    for number, name in enumerate(names, start=1):
        result[labels == name] = number
    return result
