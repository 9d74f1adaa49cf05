"""How many clusters a galaxy has: criteria that judge the clusterings with 1, 2, 3, ... clusters.

A criterion is a function `criterion(task)` that returns a score for each number of clusters from 1 up, the higher the
better and NaN where it has no meaning, and the number that it chooses. Noise of neighbouring pixels is correlated: what
a cluster must gain to count is measured with that correlation (see `noise`).
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score, silhouette_score

from helper_functions.composite_seds import best_fit_amplitude, composite_seds, nearest_sed
from helper_functions.noise import area_of_residuals
from helper_functions.quality import band_errors

MAX_CLUSTERS = 10
SILHOUETTE_PIXELS = 3000  # a random subset of this size gives the mean silhouette to about 0.01
AGAIN_PIXELS = 500  # pixels, drawn at random, that criteria which cluster again work on
REFERENCES, REDRAWS = 4, 2
# 1 is Takeuchi's criterion, which finds too few clusters rather than too many. From 0.6 to 0.9 simulated galaxies are
# recovered about as well (60 of the recovery suite, seeds 5000 to 9011), and below 0.7 some of one SED are split.
CAUTION = 0.8
PIXELS_PER_SED = 100  # fewer, and SEDs fit so much of the noise that what is left says little about it


class Found(NamedTuple):
    """Labels of pixels: any integers, below 0 for none; and how probable each cluster is, where the method knows."""

    labels: np.ndarray  # (n_pixels,)
    probability: np.ndarray | None = None  # (n_pixels, n_clusters), columns as labels count; the rest to 1 is for none


class Candidates(NamedTuple):
    """Clusterings of the same pixels into 1, 2, 3, ... clusters."""

    found: dict  # number of clusters -> Found
    log_likelihood: dict  # number of clusters -> of the pixels' fluxes; empty where the method knows labels only
    residual: dict  # number of clusters -> (n_pixels, n_bands), in units of the errors; likewise


class Scores(NamedTuple):
    """What a criterion says."""

    values: np.ndarray  # (n,), for 1..n clusters, the higher the better; NaN where it has no meaning
    chosen: int


def residuals(flux, error, labels):
    """What is left of pixels when their composites are taken off, in units of the errors.

    Of pixels in no cluster that is the nearest composite: leaving pixels out is no way to fit the others well.
    """
    composites = composite_seds(flux, error, labels + 1).flux
    if not len(composites):
        return flux / error
    nearest = np.where(labels < 0, nearest_sed(flux, error, composites), labels)
    residual = np.zeros_like(flux)
    for number, composite in enumerate(composites):
        members = nearest == number
        amplitude, _ = best_fit_amplitude(flux[members], error[members], composite)
        residual[members] = (flux[members] - amplitude[:, None] * composite) / error[members]
    return residual


class Task:
    """The pixels of a galaxy, and a way to cluster them: what criteria look at.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
        Finite.
    places : ndarray of shape (n_pixels, 2)
    cluster : callable
        `cluster(flux, error, places, most)` gives the `Candidates` with up to so many clusters.
    distances : callable
        `distances(flux, error, places)` gives `PixelDistances`.
    seed : int
    noise_area : ndarray of shape (n_bands,) or None
        Pixels over which the noise is correlated; where it is not known, it is measured from what clusters leave over.
    """

    def __init__(self, flux, error, places, cluster, distances, seed, noise_area=None):
        self.flux, self.error, self.places, self.seed = flux, error, places, seed
        self._noise_area = noise_area
        self._cluster, self._distances = cluster, distances
        self.most = max(1, min(MAX_CLUSTERS, len(flux) - 1))

    @cached_property
    def candidates(self):
        """The clusterings of all pixels."""
        return self._cluster(self.flux, self.error, self.places, self.most)

    @cached_property
    def residual(self):
        """What the clusterings leave over, {number of clusters: (n_pixels, n_bands)}, in units of the errors.

        Where labels are all that is known, pixels are taken to have the SEDs of their composites.
        """
        found = self.candidates.found.items()
        return self.candidates.residual or {k: residuals(self.flux, self.error, each.labels) for k, each in found}

    @cached_property
    def log_likelihood(self):
        """Of the clusterings of all pixels, {number of clusters: value}."""
        known = self.candidates.log_likelihood
        return known or {k: -0.5 * float(np.sum(each**2)) for k, each in self.residual.items()}

    @cached_property
    def noise_area(self):
        """Pixels over which noise is correlated, (n_bands,), and at least the 1 of independent noise."""
        known = np.full(self.flux.shape[1], np.nan) if self._noise_area is None else np.array(self._noise_area)
        if not np.isfinite(known).all():
            rich = max(2, len(self.flux) // PIXELS_PER_SED)
            residual = self.residual[min(max(self.residual), rich)]
            known = np.where(np.isfinite(known), known, area_of_residuals(residual, self.places))
        return np.maximum(known, 1)

    def noise_numbers(self, n_clusters):
        """Numbers that are fitted for so many clusters, each counted as often as noise is correlated.

        A cluster has as many as there are bands, which are its SED but for the scale, and how frequent it is; and each
        two clusters have one more, for how frequent their blends are.
        """
        frequencies = n_clusters * (n_clusters + 1) / 2
        return n_clusters * self.noise_area.sum() + frequencies * self.noise_area.mean()

    def again(self, flux, error, chosen):
        """Labels of other fluxes in some of the pixels, {number of clusters: labels}."""
        found = self._cluster(flux, error, self.places[chosen], min(self.most, max(1, len(flux) - 1))).found
        return {number: result.labels for number, result in found.items()}

    @cached_property
    def sampled(self):
        """At most AGAIN_PIXELS pixels drawn at random, and their labels if they are all there is."""
        chosen = self.sample(AGAIN_PIXELS)
        return chosen, self.again(self.flux[chosen], self.error[chosen], chosen)

    def distances(self, chosen):
        """Distances between some of the pixels."""
        return self._distances(self.flux[chosen], self.error[chosen], self.places[chosen])

    def sample(self, most):
        """Numbers of at most so many pixels, drawn at random, in rising order."""
        return np.sort(np.random.default_rng(self.seed).permutation(len(self.flux))[:most])

    def table(self, scores):
        """Scores {number of clusters: value} as an array over 1..most, NaN where there is none."""
        return np.array([scores.get(number, np.nan) for number in range(1, self.most + 1)], dtype=float)


# ---- the criteria -----------------------------------------------------------


def evidence(task):
    """Log likelihood less what it owes to fitting noise: the criterion of Takeuchi (1976).

    A number that is fitted to independent noise raises the log likelihood by 1/2 and spoils that of other data as much:
    Akaike's criterion takes off 1. With noise that is correlated over an area, it is that area in pixels, of which
    CAUTION is taken off.
    """
    return likelihood_less(CAUTION, task)


def bic(task):
    """Bayesian information criterion (Schwarz 1978), times -1/2, with the number of pixels that are independent."""
    independent = max(len(task.flux) / task.noise_area.mean(), 2)
    return likelihood_less(0.5 * np.log(independent), task)


def likelihood_less(price, task):
    """Log likelihood less a price for each number that is fitted."""
    return highest(task.table({k: value - price * task.noise_numbers(k) for k, value in task.log_likelihood.items()}))


def silhouette(task):
    """Mean silhouette (Rousseeuw 1987) in the run's metric, which has no meaning for 1 cluster."""
    chosen = task.sample(SILHOUETTE_PIXELS)
    matrix, scores = None, {}
    for number, found in task.candidates.found.items():
        labels = found.labels[chosen]
        member = np.flatnonzero(labels >= 0)
        if 1 < len(np.unique(labels[member])) < len(member):
            matrix = task.distances(chosen).matrix() if matrix is None else matrix
            scores[number] = silhouette_score(matrix[np.ix_(member, member)], labels[member], metric="precomputed")
    return highest(task.table(scores))


def gap(task):
    """Gap statistic (Tibshirani et al. 2001) of the misfit to the composites.

    The reference is what the galaxy would look like if it had one SED: each pixel's best fit of the galaxy's composite,
    with noise drawn anew. The smallest number is chosen whose gap is within a standard error of the next one's.
    """
    (chosen, labels), rng = task.sampled, np.random.default_rng(task.seed)
    flux, error = task.flux[chosen], task.error[chosen]
    composite = composite_seds(flux, error, np.ones(len(flux), dtype=int)).flux[0]
    clean = best_fit_amplitude(flux, error, composite)[0][:, None] * composite
    real = log_misfit(flux, error, labels, task)
    references = []
    for _ in range(REFERENCES):
        drawn = clean + rng.normal(0, error)
        references.append(log_misfit(drawn, error, task.again(drawn, error, chosen), task))
    values = np.mean(references, axis=0) - real
    spread = np.std(references, axis=0) * np.sqrt(1 + 1 / REFERENCES)
    enough = np.flatnonzero(values[:-1] >= values[1:] - spread[1:])
    best = highest(values)
    return Scores(values, int(enough[0]) + 1 if len(enough) else best.chosen)


def log_misfit(flux, error, labels, task):
    """Logarithm of the chi2 of pixels about their composites for each number of clusters."""
    misfit = {k: np.log(max(np.sum(residuals(flux, error, each) ** 2), 1e-300)) for k, each in labels.items()}
    return task.table(misfit)


def stability(task):
    """Mean agreement (ARI) with what is found when the noise is drawn anew on top, as a rise of it by sqrt(2)."""
    (chosen, first), rng = task.sampled, np.random.default_rng(task.seed)
    flux, error = task.flux[chosen], task.error[chosen]
    redrawn = [task.again(flux + rng.normal(0, error), error, chosen) for _ in range(REDRAWS)]
    scores = {}
    for number in first:
        if number > 1:
            found = [adjusted_rand_score(first[number], labels[number]) for labels in redrawn if number in labels]
            scores[number] = np.mean(found) if found else np.nan
    return highest(task.table(scores))


def prediction(task):
    """How well unseen photometry is predicted (cf. Fu & Perry 2020): minus the logarithm of the error.

    Half of the pixels are clustered; in the others each band is predicted from the rest by the composites. The smallest
    number is chosen that is as good as the best but for one standard error.
    """
    rng, chosen = np.random.default_rng(task.seed), task.sample(2 * AGAIN_PIXELS)
    half = rng.permutation(len(chosen))
    seen, unseen = np.sort(half[: len(half) // 2 or 1]), np.sort(half[len(half) // 2 :])
    flux, error = task.flux[chosen], task.error[chosen]
    scores, spread = {}, {}
    for number, labels in task.again(flux[seen], error[seen], chosen[seen]).items():
        composites = composite_seds(flux[seen], error[seen], labels + 1).flux
        errors = band_errors(flux[unseen], error[unseen], composites)
        loss = np.log1p(errors**2).mean(axis=1)  # a few strange pixels must not decide
        scores[number], spread[number] = -loss.mean(), loss.std() / np.sqrt(max(len(loss), 1))
    values, spreads = task.table(scores), task.table(spread)
    best = highest(values)
    good = np.flatnonzero(values >= values[best.chosen - 1] - spreads[best.chosen - 1])
    return Scores(values, int(good[0]) + 1 if len(good) else best.chosen)


def highest(values):
    """Scores of which the highest is chosen; 1 where there is none."""
    return Scores(values, int(np.nanargmax(values)) + 1 if np.isfinite(values).any() else 1)


class Criterion(NamedTuple):
    """A criterion, and what to call its scores."""

    score: Callable
    meaning: str


CRITERIA = {
    "evidence": Criterion(evidence, "log likelihood less gain from noise"),
    "bic": Criterion(bic, "log likelihood less penalty of BIC"),
    "silhouette": Criterion(silhouette, "mean silhouette"),
    "gap": Criterion(gap, "gap to a galaxy of one SED"),
    "stability": Criterion(stability, "ARI with noise redrawn"),
    "prediction": Criterion(prediction, "minus log error of unseen bands"),
}
