"""Criteria for the number of clusters: each scores the clusterings of a galaxy into 1, 2, 3, ... clusters.

A criterion is a function `criterion(candidates)` that takes `CandidateClusterings` and returns `Scores`. The noise of
neighbouring pixels is correlated: the penalty of `tic` and `bic` for each cluster grows with the correlation area of
the noise (see `noise`).
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from helper_functions.composite_seds import best_fit_amplitude, composite_flux, residuals
from helper_functions.methods import RECOMMENDED
from helper_functions.noise import draw_noise, residual_correlation_area
from helper_functions.pixel_seds import canonical_order
from helper_functions.psf import psf_area_pixels
from helper_functions.quality.metrics import REDRAWS, band_errors, reclustering_stability

AS_RECOMMENDED = "recommended"  # the criterion that takes over the number of the recommended method
MAX_CLUSTERS = 10
# If a model of the fluxes needs at least NEAR_THE_MOST of the tried clusters, GROWTH times as many are tried, up to
# MOST_CLUSTERS. The time grows as the square of their number.
NEAR_THE_MOST, GROWTH, MOST_CLUSTERS = 0.8, 1.5, 20
SILHOUETTE_PIXELS = 3000  # a random subset of this size gives the mean silhouette to about 0.01
RECLUSTER_PIXELS = 500  # random subset of the pixels for criteria that cluster several times
REFERENCES = 4  # simulated galaxies of one SED that the gap statistic compares to
# Factor of Takeuchi's penalty. With 1, too few clusters are found more often than too many; from 0.6 to 0.8, 96
# galaxies of the recovery suites are recovered about equally well (seeds 5000 to 7011 of clean images, 43000 to 43035
# and 44000 to 44023 of realistic ones); and below 0.6, too many clusters are found.
PENALTY_FACTOR = 0.7
PIXELS_PER_SED = 100  # with fewer pixels per cluster, composites overfit and residuals underestimate the noise
SEPARABLE = 0.9  # mean probability of the labels, weighted by light
# Methods that model the fluxes of a larger galaxy choose the number with a random subset of its pixels, as they fit all
# pixels only once that is known.
CRITERION_PIXELS = 16000
# Number of PSF areas that a cluster should cover. A round cluster of 5 has a diameter of 2.2 FWHM: two thirds of its
# pixels are within half a FWHM of its edge, and contaminated by light of its neighbours.
PSFS_PER_CLUSTER = 5


class Scores(NamedTuple):
    """Scores of the numbers of clusters by one criterion, and the number that it chooses."""

    values: np.ndarray  # (n,), for 1..n clusters, higher is better; NaN where undefined
    chosen: int  # number of clusters
    meaning: str = ""  # label of the values
    error: np.ndarray | None = None  # (n,), standard error of the difference of each value from that of `chosen`

    @property
    def k_range(self):
        """Lowest and highest number of clusters whose score is within a standard error of that of `chosen`."""
        if self.error is None:
            return self.chosen, self.chosen
        alike = np.flatnonzero(np.abs(self.values - self.values[self.chosen - 1]) <= self.error) + 1
        return int(min([self.chosen, *alike])), int(max([self.chosen, *alike]))


def most_clusters(seds):
    """Highest number of clusters that these pixels may have, as far as each covers PSFS_PER_CLUSTER PSF areas."""
    return int(min(len(seds.flux) / psf_area_pixels(seds.pixel, seds.psf_fwhm) / PSFS_PER_CLUSTER, MOST_CLUSTERS))


class CandidateClusterings:
    """The pixels of a galaxy with their clusterings into 1, 2, 3, ... clusters, computed when first needed.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data. An unknown `noise_area` is measured in the residuals of the clusterings.
    clusterer : Clusterer
        `clusterer.candidates(seds, ks, pixels)` gives {number of clusters: MethodResult} of some or all pixels;
        `clusterer.distances(seds)` gives `PixelDistances`.
    seed : int
    recommended : Scores or None
        By which the recommended method chose the number for the same pixels.
    most : int
        Highest number of clusters.
    """

    def __init__(self, seds, clusterer, seed, recommended, most):
        self.clusterer, self.seed, self.recommended = clusterer, seed, recommended
        self.most = max(1, min(most, len(seds.flux) - 1))
        self._every, self._pixels = seds, slice(None)
        if clusterer.method.refine is not None and len(seds.flux) > CRITERION_PIXELS:
            drawn = np.random.default_rng(seed).permutation(len(seds.flux))[:CRITERION_PIXELS]
            self._pixels = np.sort(canonical_order(seds.flux)[drawn])
        self.seds = seds.only(self._pixels)

    @property
    def n_pixels(self):
        """Number of pixels of the galaxy, of which `seds` may be a subset."""
        return len(self._every.flux)

    @cached_property
    def by_number(self):
        """The clusterings of the pixels of `seds`, {number of clusters: MethodResult}."""
        return self.clusterer.candidates(self._every, range(1, self.most + 1), self._pixels)

    @cached_property
    def residual(self):
        """Residuals of the clusterings in units of the errors, {number of clusters: (n_pixels, n_bands)}.

        From the method's model of the fluxes, or for a method without one, from the scaled composite SEDs.
        """
        return {
            k: residuals(self.seds, found.labels + 1) if found.residual is None else found.residual
            for k, found in self.by_number.items()
        }

    @cached_property
    def log_likelihood(self):
        """Log likelihood of each pixel's fluxes, up to a constant, {number of clusters: (n_pixels,)}."""
        return {
            k: -0.5 * np.sum(self.residual[k] ** 2, axis=1) if found.log_likelihood is None else found.log_likelihood
            for k, found in self.by_number.items()
        }

    @cached_property
    def noise_area(self):
        """Correlation area of the noise in pixels, (n_bands,); at least 1, the value of white noise."""
        known = self.seds.noise_area
        known = np.full(self.seds.flux.shape[1], np.nan) if known is None else np.array(known)
        if not np.isfinite(known).all():
            rich = max(2, len(self.seds.flux) // PIXELS_PER_SED)
            residual = self.residual[min(max(self.residual), rich)]
            fraction = len(self.seds.flux) / self.n_pixels
            measured = residual_correlation_area(residual, self.seds.positions, self.seds.pixel, fraction)
            known = np.where(np.isfinite(known), known, measured)
        return np.maximum(known, 1)

    def effective_parameters(self, k):
        """Effective number of parameters of `k` populations in correlated noise.

        A population has one parameter for each band: its SED, without the amplitude, and its mixing weight. Each pair
        of populations has one more, the mixing weight of its blends. Where noise is correlated over an area of n
        pixels, a parameter fits as much noise as n parameters do in white noise, and so counts n times.
        """
        frequencies = k * (k + 1) / 2
        return k * self.noise_area.sum() + frequencies * self.noise_area.mean()

    def recluster(self, seds):
        """Cluster other fluxes of some of the pixels in the same way, {number of clusters: labels}."""
        most = min(self.most, max(1, len(seds.flux) - 1))
        return {k: found.labels for k, found in self.clusterer.candidates(seds, range(1, most + 1)).items()}

    @cached_property
    def sampled(self):
        """A random subset of at most RECLUSTER_PIXELS pixels, and the labels when only these are clustered."""
        seds = self.seds.only(self.sample(RECLUSTER_PIXELS))
        return seds, self.recluster(seds)

    def sample(self, most):
        """Indices of a random subset of at most `most` pixels, in increasing order."""
        return np.sort(np.random.default_rng(self.seed).permutation(len(self.seds.flux))[:most])

    def table(self, scores):
        """Scores {number of clusters: value} as an array over 1..most, NaN where missing."""
        return np.array([scores.get(k, np.nan) for k in range(1, self.most + 1)], dtype=float)

    def with_error(self, scores, samples, independent):
        """Add standard errors to scores that are means of samples.

        Parameters
        ----------
        scores : Scores
        samples : dict
            Number of clusters -> array of the values of which its score is the mean; NaN where missing. Samples are
            paired between numbers, as their differences vary less than the scores.
        independent : float
            Effective number of independent samples.

        Returns
        -------
        Scores
        """
        chosen = samples.get(scores.chosen, np.nan)
        error = {k: standard_deviation(each - chosen) / np.sqrt(independent) for k, each in samples.items()}
        return scores._replace(error=self.table(error))

    @property
    def independent_pixels(self):
        """Effective number of pixels with independent noise."""
        return max(len(self.seds.flux) / self.noise_area.mean(), 2)


def standard_deviation(values):
    """Sample standard deviation of the values that are not NaN; NaN of fewer than two."""
    known = values[np.isfinite(values)]
    return known.std(ddof=1) if len(known) > 1 else np.nan


# ---- the criteria -----------------------------------------------------------


def recommended(candidates):
    """Scores by which the recommended method chose the number of clusters, so that methods are compared at equal K.

    Criteria that see only labels count blends of two regions as further clusters; the recommended method models them.
    """
    return candidates.recommended


def takeuchi(candidates):
    """Takeuchi's information criterion (TIC; Takeuchi 1976), times -1/2: log likelihood less a penalty.

    A parameter that only fits white noise raises the log likelihood by 1/2 on average, and lowers that of new data by
    1/2: Akaike's criterion subtracts 1. In noise with a correlation area of n pixels both are n times as large, and
    Takeuchi's criterion subtracts n. Here PENALTY_FACTOR times n is subtracted.
    """
    return penalised_likelihood(PENALTY_FACTOR, candidates)


def bic(candidates):
    """Bayesian information criterion (Schwarz 1978), times -1/2, with the effective number of independent pixels."""
    independent = max(candidates.n_pixels / candidates.noise_area.mean(), 2)  # of all pixels, not only of a subset
    return penalised_likelihood(0.5 * np.log(independent), candidates)


def penalised_likelihood(penalty, candidates):
    """Log likelihood less a penalty for each effective parameter.

    The error of the difference between two numbers of clusters is that of the sum over pixels of their log likelihood
    ratios (Vuong 1989).
    """
    each = {k: candidates.n_pixels * x for k, x in candidates.log_likelihood.items()}
    scores = highest(
        candidates.table({k: x.mean() - penalty * candidates.effective_parameters(k) for k, x in each.items()})
    )
    return candidates.with_error(scores, each, candidates.independent_pixels)


def silhouette(candidates):
    """Mean silhouette coefficient (Rousseeuw 1987) in the run's metric; undefined for 1 cluster."""
    from sklearn.metrics import silhouette_samples  # imported here for the reason given in `fit_kmeans`

    chosen = candidates.sample(SILHOUETTE_PIXELS)
    matrix, each = None, {}
    for k, found in candidates.by_number.items():
        labels = found.labels[chosen]
        member = np.flatnonzero(labels >= 0)
        if 1 < len(np.unique(labels[member])) < len(member):
            matrix = candidates.clusterer.distances(candidates.seds.only(chosen)).matrix() if matrix is None else matrix
            each[k] = np.full(len(labels), np.nan)
            each[k][member] = silhouette_samples(matrix[np.ix_(member, member)], labels[member], metric="precomputed")
    scores = highest(candidates.table({k: np.nanmean(x) for k, x in each.items()}))
    return candidates.with_error(scores, each, min(candidates.independent_pixels, len(chosen)))


def gap(candidates):
    """Gap statistic (Tibshirani et al. 2001) of the log chi2 of the pixels about their composites.

    The reference is a galaxy of one SED: the galaxy's composite scaled to each pixel, with a new noise realisation. The
    smallest number is chosen whose gap is within a standard error of that of the next number.
    """
    (seds, labels), rng = candidates.sampled, np.random.default_rng(candidates.seed)
    composite = composite_flux(seds, np.ones(len(seds.flux), dtype=int))[0][0]
    noiseless = best_fit_amplitude(seds.flux, seds.error, composite)[0][:, None] * composite
    misfit = log_chi2(seds, labels, candidates)
    references = []
    for _ in range(REFERENCES):
        drawn = seds._replace(flux=noiseless + draw_noise(seds, rng))
        references.append(log_chi2(drawn, candidates.recluster(drawn), candidates))
    values = np.mean(references, axis=0) - misfit
    more = np.sqrt(1 + 1 / REFERENCES)  # adds the error of the mean over few references
    enough = np.flatnonzero(values[:-1] >= values[1:] - more * np.std(references, axis=0)[1:])
    chosen = int(enough[0]) + 1 if len(enough) else highest(values).chosen
    to_chosen = np.transpose(references) - np.array(references)[:, chosen - 1]
    return Scores(values, chosen, error=more * np.std(to_chosen, axis=1))


def log_chi2(seds, labels, candidates):
    """Logarithm of the chi2 of the pixels about their composites, for each number of clusters."""
    chi2 = {k: np.sum(residuals(seds, each + 1) ** 2) for k, each in labels.items()}
    return candidates.table({k: np.log(max(each, np.finfo(float).tiny)) for k, each in chi2.items()})


def stability(candidates):
    """Mean adjusted Rand index with clusterings of the same pixels with added noise; undefined for 1 cluster."""
    seds, labels = candidates.sampled
    several = {k: each for k, each in labels.items() if k > 1}
    each = reclustering_stability(seds, several, candidates.recluster, candidates.seed)
    scores = highest(candidates.table({k: np.nanmean(x) for k, x in each.items() if np.isfinite(x).any()}))
    return candidates.with_error(scores, each, REDRAWS)


def prediction(candidates):
    """Cross-validation: minus the log error with which held-out photometry is predicted (cf. Fu & Perry 2020).

    Half of the pixels are clustered. In each of the other pixels, every band is predicted from the other bands by the
    composite that fits these best. The smallest number of clusters is chosen whose score is within one standard error
    of the highest.
    """
    rng, chosen = np.random.default_rng(candidates.seed), candidates.sample(2 * RECLUSTER_PIXELS)
    half = rng.permutation(len(chosen))
    seen, unseen = (
        candidates.seds.only(chosen[np.sort(part)]) for part in (half[: len(half) // 2 or 1], half[len(half) // 2 :])
    )
    each = {}
    for k, labels in candidates.recluster(seen).items():
        errors = band_errors(unseen, composite_flux(seen, labels + 1)[0])
        each[k] = -np.log1p(errors**2).mean(axis=1)  # a logarithm is robust to a few outliers
    best = highest(candidates.table({k: x.mean() for k, x in each.items()}))
    n_unseen = max(len(unseen.flux), 1)
    spread = each[best.chosen].std() / np.sqrt(n_unseen)
    good = np.flatnonzero(best.values >= best.values[best.chosen - 1] - spread)
    scores = best._replace(chosen=int(good[0]) + 1 if len(good) else best.chosen)
    return candidates.with_error(scores, each, min(candidates.independent_pixels, n_unseen))


def separable(candidates):
    """Mean probability of the labels, weighted by light; the highest number with at least SEPARABLE is chosen.

    Pixels are weighted by brightness, so that many faint ones do not limit the number of classes of the bright ones.
    Raises ValueError for a method that gives no probabilities.
    """
    found, brightness = candidates.by_number, np.maximum(candidates.seds.flux.mean(axis=1), 0)
    weight = brightness / brightness.mean() if brightness.any() else np.ones(len(brightness))
    each = {k: result.probability.max(axis=1) * weight for k, result in found.items() if result.probability is not None}
    if not each and candidates.most > 1:
        raise ValueError("criterion separable needs probabilities of the labels, which this method does not give")
    each[1] = weight
    mean = {k: float(np.mean(values)) for k, values in each.items()}
    scores = Scores(candidates.table(mean), max(k for k, value in mean.items() if value >= SEPARABLE))
    return candidates.with_error(scores, each, candidates.independent_pixels)


def highest(values):
    """Scores of which the highest is chosen; 1 cluster where all are NaN."""
    return Scores(values, int(np.nanargmax(values)) + 1 if np.isfinite(values).any() else 1)


class Criterion(NamedTuple):
    """A criterion with its description and the axis label of its scores."""

    score: Callable  # CandidateClusterings -> Scores
    meaning: str  # for tables
    axis: str  # axis label in figures


CRITERIA = {
    AS_RECOMMENDED: Criterion(
        recommended,
        f"the number that {RECOMMENDED} finds by its own criterion, so that maps of all methods can be compared; if it "
        "fails, each method's own criterion is used, and noted in the summary",
        f"log likelihood of {RECOMMENDED}\nless penalty",
    ),
    "tic": Criterion(
        takeuchi,
        "Takeuchi's information criterion: log likelihood less 0.7 times the number of parameters times the "
        "correlation area of the noise in pixels, as measured in the sky around the galaxy (Takeuchi's factor is 1)",
        "log likelihood less penalty",
    ),
    "bic": Criterion(
        bic,
        "Bayesian information criterion, for the effective number of pixels with independent noise",
        "log likelihood less penalty",
    ),
    "silhouette": Criterion(
        silhouette, "mean silhouette coefficient in the run's metric; never chooses 1", "mean silhouette"
    ),
    "gap": Criterion(
        gap,
        "gap statistic: log chi2 of pixels about their composites, relative to a galaxy of one SED with the same noise",
        "gap to a galaxy of one SED",
    ),
    "stability": Criterion(
        stability,
        "mean adjusted Rand index between clusterings of the data and of the data with added noise; never chooses 1",
        "ARI with added noise",
    ),
    "separable": Criterion(
        separable,
        f"the highest number with a mean probability of the labels, weighted by light, of at least {SEPARABLE:g}",
        "mean probability of labels",
    ),
    "prediction": Criterion(
        prediction,
        "cross-validation: half of the pixels are clustered, in the rest each band is predicted from the other bands",
        "minus log error of held-out bands",
    ),
}


def score(names, candidates):
    """Evaluate these criteria, {name: Scores}."""
    return {name: CRITERIA[name].score(candidates)._replace(meaning=CRITERIA[name].axis) for name in names}


def cluster_number_notes(sizes, n_asked, k_choice, scores, psf_area):
    """Caveats on the number of clusters for a user, a list of sentences without a full stop.

    Parameters
    ----------
    sizes : ndarray of shape (n_clusters,)
        Pixels in each cluster.
    n_asked : int or "auto"
    k_choice : str
        "given", or the criterion that chose the number.
    scores : dict
        Criterion -> Scores, of all that were evaluated.
    psf_area : float
        Pixels.

    Returns
    -------
    list of str
    """
    notes, n_clusters = [], len(sizes)
    wanted = scores[k_choice].chosen if k_choice == AS_RECOMMENDED else n_asked
    if k_choice in ("given", AS_RECOMMENDED) and n_clusters != wanted:
        notes.append(f"{n_clusters} of the {wanted} clusters asked for: the pixels are too alike")
    if k_choice in scores:
        chosen, most = scores[k_choice].chosen, len(scores[k_choice].values)
        lowest, highest_alike = scores[k_choice].k_range
        by = RECOMMENDED if k_choice == AS_RECOMMENDED else k_choice
        if by != k_choice:
            notes.append(f"number of clusters chosen by {by}")
        if lowest < highest_alike:
            notes.append(f"{by} cannot tell {lowest} to {highest_alike} clusters apart")
        if chosen == most > 1:
            notes.append(f"{most} clusters are the most that were tried: there may be more")
        others = {name: each.chosen for name, each in scores.items() if name != k_choice}
        far = {name: k for name, k in others.items() if max(k, chosen) > 2 * min(k, chosen)}
        if len(far) > len(others) / 2:
            listed = ", ".join(f"{name} {k}" for name, k in far.items())
            notes.append(f"most other criteria choose less than half or more than twice as many clusters: {listed}")
    if n_clusters > 1:
        small = np.flatnonzero(sizes < psf_area) + 1
        if small.size:
            which = f"cluster{'s' * (small.size > 1)} {', '.join(map(str, small))}"
            notes.append(f"smaller than the PSF of {psf_area:.0f} pixels: {which}")
        held = sizes.sum() / psf_area / n_clusters
        if held < PSFS_PER_CLUSTER:
            notes.append(
                f"a cluster holds {held:.1f} PSFs on average: below {PSFS_PER_CLUSTER}, most pixels are blended"
            )
    return notes
