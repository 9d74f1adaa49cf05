"""Clustering of pixel SEDs: normalisation, number of clusters and incomplete pixels, common to all methods."""

from functools import partial
from typing import NamedTuple

import numpy as np

from distances import DEFAULTS, METRICS, Options
from helper_functions.composite_seds import composite_flux, nearest_sed
from helper_functions.methods import METHODS, RECOMMENDED
from helper_functions.methods.method import DENSITY, Method, MethodResult, Populations, TooFewPixels
from helper_functions.normalize import NORMS, normalize
from helper_functions.number_of_clusters import (
    AS_RECOMMENDED,
    CRITERIA,
    GROWTH,
    MAX_CLUSTERS,
    NEAR_THE_MOST,
    CandidateClusterings,
    cluster_number_notes,
    most_clusters,
    score,
)
from helper_functions.pixel_distances import MEMORY_LIMIT, PixelDistances, matrix_too_large
from helper_functions.pixel_seds import canonical_order, select_complete
from helper_functions.psf import psf_area_pixels
from helper_functions.quality.error_scale import scale_errors
from helper_functions.registry import choose

UNASSIGNED = -1


class IncompatibleMetric(ValueError):
    """A metric that the method cannot use."""


class Clustering(NamedTuple):
    """Result of clustering the pixels of a galaxy."""

    labels: np.ndarray  # (n_pixels,): 1..n_clusters by decreasing number of pixels, UNASSIGNED for none
    n_clusters: int
    k_choice: str  # "given", or the criterion that chose the number of clusters
    bands_used: np.ndarray  # bool, (n_bands,)
    n_incomplete: int  # pixels that lack data in a band used, labelled by the best-fitting composite SED
    when_large: str  # approximation made because the pixels were many; empty where there was none
    probability: np.ndarray | None  # (n_pixels, n_clusters), NaN for incomplete pixels; None: the method gives none
    scores: dict  # criterion -> Scores, of the criteria that were evaluated
    k_range: tuple | None  # lowest and highest number within one standard error of the best; None: number was given
    k_notes: list  # caveats on the number of clusters, sentences without a full stop
    populations: Populations | None = None  # of `complete` pixels in the bands used, in the order of labels
    complete: np.ndarray | None = None  # bool, (n_pixels,), with data in every band used
    names: tuple = ()  # n_clusters names of a user's own regions; empty: clusters of a method
    is_final: bool = True  # False: the recommended method crashed, and may choose the number another time

    @property
    def confidence(self):
        """Probability of each pixel's label, or of being unassigned for unassigned pixels; None if not known."""
        if self.probability is None:
            return None
        unassigned = 1 - self.probability.sum(axis=1)
        with_none = np.column_stack([self.probability, unassigned])
        return np.clip(with_none[np.arange(len(self.labels)), np.where(self.labels > 0, self.labels - 1, -1)], 0, 1)

    def is_confident(self, probability):
        """Whether the confidence of each pixel exceeds this probability, (n_pixels,); None where it is not known."""
        return None if self.confidence is None else self.confidence > probability


def cluster_pixels(
    seds,
    *,
    method,
    norm=None,
    metric=None,
    n_clusters="auto",
    criterion=None,
    criteria=(),
    recommended=None,
    seed=0,
    options=DEFAULTS,
    memory_limit=MEMORY_LIMIT,
):
    """Cluster pixels by the shape of their SEDs.

    Labels do not depend on the unit of the fluxes, nor on the order of pixels or bands.

    Parameters
    ----------
    seds : PixelSEDs
        NaN marks missing data; `select_complete` chooses the bands and pixels that are clustered. Pixels that lack a
        band used get the label of the composite SED that fits their other bands best.
    method : str
        A key of METHODS.
    norm, metric : str or None
        Flux normalisation and metric, keys of NORMS and METRICS; None: the defaults of the method.
    n_clusters : int or "auto"
        Number of clusters; "auto": chosen by the criterion. dbscan determines its own.
    criterion : str or None
        A key of CRITERIA; None, and `recommended` for the recommended method: the default of the method.
    criteria : sequence of str
        Further criteria to evaluate for comparison where the number is chosen.
    recommended : callable or None
        `recommended()` gives the `Scores` that criterion `recommended` takes over; None: `recommended_scores`.
    seed : int
        Random seed.
    options : Options
        Of the metrics.
    memory_limit : float
        Bytes; where a full distance matrix would take more, methods use the approximation `Method.when_large`.

    Returns
    -------
    Clustering

    Raises
    ------
    TooFewPixels
        Where there are fewer pixels than clusters.
    ValueError
        For unknown names, SEDs that are zero in every band, or (IncompatibleMetric) a metric that the method cannot
        use.
    """
    norm, metric = check_run(method, norm, metric)
    clusterer = Clusterer(METHODS[method], norm, metric, seed, options, memory_limit)
    if metric == "noise":
        seds = scale_errors(seds, seed=seed)
    complete, bands_used = select_complete(seds.flux)
    block = seds.only(complete, bands_used)
    recommended = recommended or partial(recommended_scores, seds, seed, memory_limit)
    names = [criterion_of(method, name) for name in (criterion, *criteria)]
    found, k_choice, scores, failure = choose_clustering(block, clusterer, n_clusters, names, recommended)
    labels = label_incomplete(seds, complete, found.labels)
    order = labels_by_size(labels)
    labels = relabel(labels, order)
    sizes = np.bincount(labels[labels > 0], minlength=len(order) + 1)[1:]
    notes = [f"{RECOMMENDED} chose no number, {k_choice} did: {failure}"] if failure else []
    notes += cluster_number_notes(sizes, n_clusters, k_choice, scores, psf_area_pixels(seds.pixel, seds.psf_fwhm))
    return Clustering(
        labels=labels,
        n_clusters=len(order),
        k_choice=k_choice,
        bands_used=bands_used,
        n_incomplete=int((~complete).sum()),
        when_large=clusterer.method.when_large if matrix_too_large(complete.sum(), memory_limit) else "",
        populations=reorder_populations(found.populations, order, clusterer.scale(block)),
        complete=complete,
        probability=probability_of_all_pixels(found.probability, complete, order),
        scores=scores,
        k_range=scores[k_choice].k_range if scores else None,
        k_notes=notes,
        is_final=failure is None or isinstance(failure, ValueError),  # a ValueError would happen again
    )


def recommended_scores(seds, seed=0, memory_limit=MEMORY_LIMIT):
    """`Scores` by which the recommended method chooses the number of clusters; its errors where it cannot cluster."""
    found = cluster_pixels(seds, method=RECOMMENDED, seed=seed, memory_limit=memory_limit)
    return found.scores[found.k_choice]


def criterion_of(method, name):
    """The criterion that this name stands for: the method's own for None.

    `recommended` is the method's own criterion for the recommended method, and for methods that do not take its number.
    """
    entry = METHODS[method]
    has_own = method == RECOMMENDED or entry.finds_number or not entry.takes_recommended_number
    return entry.criterion if name is None or (name == AS_RECOMMENDED and has_own) else name


def recluster_with(cluster, n_clusters, seed):
    """Function that clusters other SEDs in the same way, into the same number of clusters, and returns their labels.

    Parameters
    ----------
    cluster : callable
        `cluster_pixels` with the options of a run bound.
    n_clusters : int
    seed : int
        Default random seed of the returned function.
    """

    def recluster(seds, seed=seed):
        return cluster(seds, n_clusters=max(n_clusters, 1), seed=seed).labels

    return recluster


def check_run(method, norm, metric):
    """Names of norm and metric, the method's defaults for None; ValueError for a metric that the method cannot use.

    A method that fits the amplitude of each pixel always keeps its own norm.
    """
    entry = choose(METHODS, method, "method")
    norm = norm or entry.norm
    choose(NORMS, norm, "norm")
    metric = metric or entry.metric
    choose(METRICS, metric, "metric")
    if metric != entry.metric and not entry.takes_any_metric:
        raise IncompatibleMetric(
            f"method {method} works with metric {entry.metric} only: "
            f"for metric {metric} use method {entry.alternative}, or leave the metric out"
        )
    return norm if entry.takes_any_norm else entry.norm, metric


class Clusterer(NamedTuple):
    """Method, norm, metric and options of a run, applied to pixels without missing data."""

    method: Method
    norm: str
    metric: str
    seed: int
    options: Options
    memory_limit: float

    def distances(self, seds):
        """`PixelDistances` between the normalised SEDs, in units of the root mean square of all values.

        Tolerances of the methods then do not depend on the unit of flux.
        """
        flux, error = normalize(seds.flux, seds.error, self.norm)
        scale = np.sqrt(np.mean(flux**2)) or 1.0
        normed = seds._replace(flux=flux / scale, error=error / scale)
        return PixelDistances(normed, self.metric, self.options, self.memory_limit)

    def candidates(self, seds, ks, pixels=slice(None)):
        """Clusterings of some pixels into each of these numbers of clusters, {number: MethodResult}.

        Pixels are in the order of `seds`. Numbers larger than the number of distinct SEDs may be missing.
        """
        distances, order = self._sorted_distances(seds, pixels)
        found, back = self._label(distances, ks), np.argsort(order)
        return {k: each.only(back) for k, each in found.items()}

    def refined(self, seds, found):
        """A result of `candidates` for some or all of these pixels, by methods that refine the final number."""
        if self.method.refine is None:
            return found
        distances, order = self._sorted_distances(seds)
        return self.method.refine(distances, found.model, self.seed).only(np.argsort(order))

    def _sorted_distances(self, seds, pixels=slice(None)):
        """`distances` of some pixels in an order that does not depend on that of `seds`, and the indices of it."""
        distances, chosen = self.distances(seds), np.zeros(len(seds.flux), dtype=bool)
        chosen[pixels] = True
        order = canonical_order(distances.seds.flux)
        order = order[chosen[order]]
        return distances.only(order), order

    def scale(self, seds):
        """Root mean square of the normalised SEDs, the unit of those in `distances`."""
        return np.sqrt(np.mean(normalize(seds.flux, seds.error, self.norm)[0] ** 2)) or 1.0

    def _label(self, distances, ks):
        method, found = self.method, {}
        if not (method.finds_number or method.models_fluxes):
            # One cluster, and one for each pixel, are trivial, and some methods fail for them.
            nothing_to_find = {1: np.zeros(len(distances), dtype=int), len(distances): np.arange(len(distances))}
            found = {k: MethodResult(nothing_to_find[k]) for k in ks if k in nothing_to_find}
        rest = [k for k in ks if k not in found]
        if rest and method.label_several is not None:
            return found | method.label_several(distances, rest, self.seed)
        return found | {k: method.label(distances, k, self.seed) for k in rest}


def choose_clustering(seds, clusterer, n_clusters, names, recommended):
    """Cluster into the number of clusters that is given, or that a criterion chooses.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data.
    clusterer : Clusterer
    n_clusters : int or "auto"
    names : sequence of str
        The criterion that chooses, and others to evaluate.
    recommended : callable
        See `cluster_pixels`.

    Returns
    -------
    found : MethodResult
    k_choice : str
    scores : dict
        Criterion -> Scores; empty where none chose.
    failure : Exception or None
        Of the recommended method, where the method's own criterion chose in its place.

    Raises
    ------
    TooFewPixels
    """
    method, failure = clusterer.method, None
    for name in names:
        if name != DENSITY:
            choose(CRITERIA, name, "criterion")
    asked = 1 if n_clusters == "auto" or method.finds_number else n_clusters
    if len(seds.flux) < asked:
        raise TooFewPixels(f"{len(seds.flux)} pixels are fewer than the {asked} clusters asked for")
    if n_clusters == "auto" and not method.finds_number:
        known = None
        if AS_RECOMMENDED in names:
            try:
                known = recommended()
            except Exception as problem:  # a failure of that method does not affect this one
                failure, names = problem, [method.criterion if name == AS_RECOMMENDED else name for name in names]
        k_choice, most, allowed = names[0], MAX_CLUSTERS, most_clusters(seds) if method.models_fluxes else 0
        while True:
            candidates = CandidateClusterings(seds, clusterer, clusterer.seed, known, most)
            scores = score(dict.fromkeys(names), candidates)
            most, before = min(int(GROWTH * most), allowed), most
            if most <= before or scores[k_choice].chosen < NEAR_THE_MOST * before:
                break
        if k_choice != AS_RECOMMENDED:
            found = candidates.by_number[scores[k_choice].chosen]
            return clusterer.refined(seds, found), k_choice, scores, failure
        asked = scores[k_choice].chosen  # other numbers are clustered only if other criteria need them
    else:
        scores, k_choice = {}, DENSITY if method.finds_number else "given"
    found = clusterer.candidates(seds, [asked])
    return clusterer.refined(seds, found[max(found)]), k_choice, scores, failure


def label_incomplete(seds, complete, labels):
    """Labels of all pixels: those that lack a band used get that of the best-fitting composite of the others.

    Parameters
    ----------
    seds : PixelSEDs
        All pixels and bands.
    complete : bool ndarray of shape (n_pixels,)
        Which pixels have labels.
    labels : int ndarray of shape (number of complete pixels,)
        Below 0 for none.

    Returns
    -------
    int ndarray of shape (n_pixels,)
    """
    every = np.full(len(complete), UNASSIGNED)
    every[complete] = labels
    if not complete.all():
        every[~complete] = nearest_sed(seds.only(~complete), composite_flux(seds, every + 1)[0])
    return every


def labels_by_size(labels):
    """The distinct labels from 0 up, by decreasing number of pixels."""
    values, sizes = np.unique(labels[labels >= 0], return_counts=True)
    return values[np.argsort(-sizes, kind="stable")]


def relabel(labels, order):
    """Relabel pixels 1, 2, ... in the order of these old labels; pixels with none of them become UNASSIGNED."""
    result = np.full(len(labels), UNASSIGNED)
    for k, value in enumerate(order, start=1):
        result[labels == value] = k
    return result


def reorder_populations(populations, order, scale):
    """Populations in the order of the labels, those without a label last, in flux units; None stays None."""
    if populations is None:
        return None
    others = np.setdiff1d(np.arange(len(populations.seds)), order)
    order = np.append(order, others).astype(int)
    return populations._replace(seds=populations.seds[order], light=populations.light[:, order]).times(scale)


def probability_of_all_pixels(probability, complete, order):
    """Probabilities of all pixels, clusters in this order, NaN for incomplete pixels; None stays None."""
    if probability is None:
        return None
    every = np.full((len(complete), len(order)), np.nan)
    every[complete] = probability[:, order]
    return every
