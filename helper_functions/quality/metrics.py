"""How good a clustering is, judged without knowing the truth.

A figure is a function `figure(sample)` that takes a `ClusteringSample` and returns a number, NaN where it is undefined.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helper_functions.composite_seds import CompositeSEDs, composite_flux, residuals, similarity_summary
from helper_functions.noise import with_added_noise
from helper_functions.pixel_seds import PixelSEDs, select_complete
from helper_functions.psf import arcsec_to_pixels
from helper_functions.quality.cross_checks import cross_check

HALF_BLOCK = 0.16  # arcsec, side of the squares that are predicted from each other: noise is hardly shared beyond
REDRAWS = 2


class ClusteringSample(NamedTuple):
    """A clustering, and what its quality is measured from."""

    seds: PixelSEDs
    labels: np.ndarray  # (n_pixels,), 1..n_clusters, below 1 for none
    composites: CompositeSEDs  # of these labels
    # (PixelSEDs, seed=...) -> labels: clusters other fluxes, bands or pixels in the same way, into as many.
    recluster: Callable
    confidence: np.ndarray | None = None  # (n_pixels,), probability of the labels; None where the method knows none
    seed: int = 0


# ---- the figures ------------------------------------------------------------


def similarity_median(sample):
    return float(similarity_summary(sample.composites.similarity)[0])


def similarity_2sigma(sample):
    return float(similarity_summary(sample.composites.similarity)[1])


def reduced_chi2(sample):
    """Chi2 per degree of freedom of clustered pixels: each pixel's amplitude takes one, each composite all but one."""
    member = sample.labels > 0
    residual = residuals(sample.seds, sample.labels)[member]
    n_composite = np.isfinite(sample.composites.flux).sum(axis=1)
    taken = np.maximum(n_composite - 1, 0).sum()
    n_free = np.isfinite(sample.seds.flux[member]).sum() - member.sum() - taken
    return float(np.nansum(residual**2) / n_free) if n_free > 0 else np.nan


def held_out_error(sample):
    """How well composites predict pixels that they are not made of: 68th percentile of `band_errors`, mean over bands.

    Composites of one half of the pixels are tried on the other half, and the other way round. The halves are squares of
    HALF_BLOCK a side like the fields of a chessboard, as noise is correlated between neighbours.
    """
    seds, labels = sample.seds, sample.labels
    side = max(round(arcsec_to_pixels(HALF_BLOCK, seds.pixel)), 1)
    half = (seds.rows // side + seds.cols // side) % 2
    errors = [np.empty((0, seds.flux.shape[1]))]
    for seen, unseen in ((half == 0, half == 1), (half == 1, half == 0)):
        if seen.any() and unseen.any():
            errors.append(band_errors(seds.only(unseen), composite_flux(seds.only(seen), labels[seen])[0]))
    errors = np.abs(np.concatenate(errors))
    known = np.isfinite(errors).any(axis=0)
    return float(np.nanpercentile(errors[:, known], 68.27, axis=0).mean()) if known.any() else np.nan


def fragmentation(sample):
    """Share of pixels side by side that differ in label, relative to the share if labels were shuffled."""
    rows, cols, labels = sample.seds.rows, sample.seds.cols, sample.labels
    image = np.zeros((rows.max() + 2, cols.max() + 2), dtype=int)
    image[rows, cols] = labels
    pairs = [(image[:-1], image[1:]), (image[:, :-1], image[:, 1:])]
    one, other = (np.concatenate([pair[which].ravel() for pair in pairs]) for which in (0, 1))
    both = (one > 0) & (other > 0)
    counts = np.unique(labels[labels > 0], return_counts=True)[1]
    shuffled = 1 - np.sum((counts / max(counts.sum(), 1)) ** 2)
    if not both.any() or len(counts) < 2:
        return np.nan
    return float(np.mean(one[both] != other[both]) / shuffled)


def stability(sample):
    """Agreement with the labels that `sample.again` finds when noise is drawn anew on top."""
    n_clusters = len(sample.composites.flux)
    found = {n_clusters: sample.labels}
    indices = reclustering_stability(
        sample.seds, found, lambda drawn: {n_clusters: sample.recluster(drawn)}, sample.seed
    )
    return float(np.mean(indices[n_clusters]))


def brightness_share(sample):
    """Share of the variance of log brightness that is between clusters: 1 for a run that sorts by brightness.

    Brightness is the mean flux over the bands that are used for clustering; pixels where it is not positive, or lacks a
    band, do not count.
    """
    flux = sample.seds.flux[:, select_complete(sample.seds.flux)[1]]
    brightness = flux.mean(axis=1)
    usable = (brightness > 0) & (sample.labels > 0)
    if not usable.any():
        return np.nan
    logarithm = np.log(brightness[usable])
    _, cluster = np.unique(sample.labels[usable], return_inverse=True)
    means = np.bincount(cluster, logarithm) / np.bincount(cluster)
    total = np.var(logarithm)
    return float(np.var(means[cluster]) / total) if total > 0 else np.nan


def confidence_median(sample):
    return np.nan if sample.confidence is None else float(np.nanmedian(sample.confidence))


class QualityMetric(NamedTuple):
    """A figure, what it means, and how the comparison page writes it."""

    measure: Callable  # ClusteringSample -> float
    meaning: str  # in a line of a table
    symbol: str = ""  # on the comparison page; empty: it is not there
    form: str = "{:z.2f}"  # how its value is written there

    def in_words(self, value):
        """A value as it is written; a dash where it is no finite number, or None."""
        return "–" if value is None or not np.isfinite(value) else self.form.format(value)


QUALITY = {
    "similarity_median": QualityMetric(similarity_median, "1 − b12 of pixels to their composite, median"),
    "similarity_2sigma": QualityMetric(
        similarity_2sigma, "1 − b12 of pixels to their composite, exceeded by all but 2.3%"
    ),
    "reduced_chi2": QualityMetric(
        reduced_chi2,
        "of pixels about their composite, each scaled freely: 1 if noise is all that is left; blends raise it",
        "χ²",
        "{:.3g}",
    ),
    "held_out_error": QualityMetric(
        held_out_error,
        "68% of bands are predicted this well from the other bands by composites of the other half of the pixels, in "
        "units of the errors",
        "unseen bands",
        "{:.2f}σ",
    ),
    "fragmentation": QualityMetric(
        fragmentation, "how often neighbours differ in label, relative to shuffled labels", "fragments"
    ),
    "stability": QualityMetric(
        stability, "agreement (adjusted Rand index) with what is found when noise is drawn anew on top", "stable"
    ),
    "brightness_share": QualityMetric(
        brightness_share,
        "of the variance of log brightness that labels explain: high for a run that just sorts by brightness",
        "brightness",
        "{:.0%}",
    ),
    "confidence_median": QualityMetric(confidence_median, "probability of the pixels' labels, median"),
}


def quality_metrics(sample, is_first=False):
    """All figures of QUALITY, {name: value}; and those of CHECKS for the first run of a galaxy."""
    found = {name: figure.measure(sample) for name, figure in QUALITY.items()}
    return found | cross_check(sample) if is_first else found


# ---- parts of figures -------------------------------------------------------


def band_errors(seds, templates):
    """Errors of predicting each band of a pixel from its other bands, in units of the flux errors.

    The prediction is the template, with the amplitude, that fits the other bands of the pixel best in chi2.

    Parameters
    ----------
    seds : PixelSEDs
        NaN where there is no data.
    templates : ndarray of shape (n_templates, n_bands)
        Those with NaN are passed over.

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)
        NaN where there is no data, or nothing to predict from.
    """
    flux, error = seds.flux, seds.error
    gain, predicted = np.full(flux.shape, -np.inf), np.full(flux.shape, np.nan)
    has_data = np.isfinite(flux)
    weight = np.where(has_data, 1 / error**2, 0)
    weighted = np.where(has_data, flux, 0) * weight
    for template in templates:
        if not np.isfinite(template).all():
            continue
        match, size = weighted * template, weight * template**2
        match = match.sum(axis=1, keepdims=True) - match
        size = size.sum(axis=1, keepdims=True) - size
        amplitude = np.divide(match, size, out=np.zeros_like(match), where=size > 0)
        better = (amplitude * match > gain) & (size > 0)
        gain[better], predicted[better] = (amplitude * match)[better], (amplitude * template)[better]
    return (flux - predicted) / error


def reclustering_stability(seds, found, recluster, seed):
    """Adjusted Rand index of clusterings with those that are found when noise is drawn anew on top.

    Data with noise on top has sqrt(2) times the noise of the data, so that the labels of the data themselves are a
    little more stable than this.

    Parameters
    ----------
    seds : PixelSEDs
    found : dict
        Number of clusters -> labels of the pixels.
    again : callable
        `recluster(seds)` gives such a dictionary for other fluxes of the same pixels.
    seed : int
        Of the noise.

    Returns
    -------
    dict
        Number of clusters -> index with each of REDRAWS draws, an array; NaN where `recluster` found no such number.
    """
    from sklearn.metrics import adjusted_rand_score  # loaded late, as by `fit_kmeans`

    rng = np.random.default_rng(seed)
    redone = [recluster(with_added_noise(seds, rng)) for _ in range(REDRAWS)]
    return {
        k: np.array([adjusted_rand_score(labels, other[k]) if k in other else np.nan for other in redone])
        for k, labels in found.items()
    }
