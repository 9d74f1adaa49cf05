"""Quality metrics of a clustering that do not need the truth.

A quality metric is a function `metric(sample)` that takes a `ClusteringSample` and returns a number, NaN where it is
undefined.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helper_functions.composite_seds import CompositeSEDs, composite_flux, residuals, similarity_summary
from helper_functions.noise import with_added_noise
from helper_functions.pixel_seds import PixelSEDs, select_complete
from helper_functions.psf import arcsec_to_pixels
from helper_functions.quality.cross_checks import cross_check, reclustered

HALF_BLOCK = 0.16  # arcsec, side of the cross-validation squares, beyond which noise is hardly correlated
REDRAWS = 2  # noise realisations for the stability


class ClusteringSample(NamedTuple):
    """A clustering of the pixels of a galaxy, with the data that its quality is measured from."""

    seds: PixelSEDs
    labels: np.ndarray  # (n_pixels,), 1..n_clusters, below 1 for unassigned pixels
    composites: CompositeSEDs  # of these labels
    # (PixelSEDs, seed=...) -> labels: clusters other fluxes, bands or pixels in the same way, into the same number.
    recluster: Callable | None  # None: labels are those of a user
    confidence: np.ndarray | None = None  # (n_pixels,), probability of the labels; None where the method gives none
    seed: int = 0


# ---- the metrics ------------------------------------------------------------


def similarity_median(sample):
    """Median similarity of the pixels to their composites."""
    return float(similarity_summary(sample.composites.similarity)[0])


def similarity_2sigma(sample):
    """2.3rd percentile of the similarity of the pixels to their composites."""
    return float(similarity_summary(sample.composites.similarity)[1])


def reduced_chi2(sample):
    """Chi2 per degree of freedom of clustered pixels about their composites, with a free amplitude for each pixel."""
    member = sample.labels > 0
    residual = residuals(sample.seds, sample.labels)[member]
    n_composite = np.isfinite(sample.composites.flux).sum(axis=1)
    taken = np.maximum(n_composite - 1, 0).sum()
    n_free = np.isfinite(sample.seds.flux[member]).sum() - member.sum() - taken
    return float(np.nansum(residual**2) / n_free) if n_free > 0 else np.nan


def held_out_error(sample):
    """Two-fold cross-validation error: 68th percentile of the absolute `band_errors`, mean over bands.

    Composites of one half of the pixels predict the other half, and vice versa. The halves are the two colours of a
    chessboard with squares of side HALF_BLOCK, as noise is correlated between neighbours.
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
    """Fraction of pairs of adjacent pixels with different labels, relative to that for shuffled labels."""
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
    """Mean adjusted Rand index with the labels that `sample.recluster` finds in the data with added noise."""
    if sample.recluster is None:
        return np.nan
    n_clusters, (seds, labels) = len(sample.composites.flux), reclustered(sample)
    again = reclustering_stability(
        seds, {n_clusters: labels}, lambda drawn: {n_clusters: sample.recluster(drawn)}, sample.seed
    )
    return float(np.mean(again[n_clusters]))


def brightness_share(sample):
    """Fraction of the variance of log brightness between clusters: 1 for a run that sorts pixels by brightness.

    Brightness is the mean flux over the bands that are used for clustering; pixels where it is not positive, or that
    lack a band, are left out.
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
    """Median probability of the labels."""
    return np.nan if sample.confidence is None else float(np.nanmedian(sample.confidence))


class QualityMetric(NamedTuple):
    """A quality metric, its description, and its format in the comparison of runs."""

    measure: Callable  # ClusteringSample -> float
    meaning: str  # for tables
    symbol: str = ""  # label in the comparison of runs; empty: not shown there
    form: str = "{:z.2f}"  # format string of its value

    def in_words(self, value):
        """A value as text; a dash where it is not finite, or None."""
        return "–" if value is None or not np.isfinite(value) else self.form.format(value)


QUALITY = {
    "similarity_median": QualityMetric(similarity_median, "median similarity 1 − b12 of the pixels to their composite"),
    "similarity_2sigma": QualityMetric(
        similarity_2sigma, "2.3rd percentile of the similarity 1 − b12 of the pixels to their composite"
    ),
    "reduced_chi2": QualityMetric(
        reduced_chi2,
        "reduced chi2 of the pixels about their composite with free amplitudes: 1 for pure noise, higher for blends",
        "χ²",
        "{:.3g}",
    ),
    "held_out_error": QualityMetric(
        held_out_error,
        "cross-validation: 68th percentile of the errors of predicting a band from the other bands of a pixel with "
        "composites of the other half of the pixels, in units of the flux errors",
        "held-out bands",
        "{:.2f}σ",
    ),
    "fragmentation": QualityMetric(
        fragmentation,
        "fraction of adjacent pixels with different labels, relative to shuffled labels: 0 compact, 1 random",
        "fragments",
    ),
    "stability": QualityMetric(
        stability, "mean adjusted Rand index with clusterings of the data with added noise", "stable"
    ),
    "brightness_share": QualityMetric(
        brightness_share,
        "fraction of the variance of log brightness explained by the labels: high for a run that sorts by brightness",
        "brightness",
        "{:.0%}",
    ),
    "confidence_median": QualityMetric(confidence_median, "median probability of the pixels' labels"),
}


def quality_metrics(sample, is_first=False):
    """All metrics of QUALITY, {name: value}; and those of CHECKS for the first run of a galaxy."""
    found = {name: figure.measure(sample) for name, figure in QUALITY.items()}
    return found | cross_check(sample) if is_first else found


# ---- parts of metrics -------------------------------------------------------


def band_errors(seds, templates):
    """Errors of predicting each band of a pixel from its other bands, in units of the flux errors.

    The prediction is the template, with a free amplitude, that has the lowest chi2 in the other bands of the pixel.

    Parameters
    ----------
    seds : PixelSEDs
        NaN where there is no data.
    templates : ndarray of shape (n_templates, n_bands)
        Templates with NaN are skipped.

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)
        NaN where there is no data, or no other band.
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
    """Adjusted Rand index of clusterings with clusterings of the same data with added noise.

    The added noise raises the noise by sqrt(2), so that the labels of the data themselves are a little more stable
    than this.

    Parameters
    ----------
    seds : PixelSEDs
    found : dict
        Number of clusters -> labels of the pixels.
    recluster : callable
        `recluster(seds)` returns such a dictionary for other fluxes of the same pixels.
    seed : int
        Random seed of the noise.

    Returns
    -------
    dict
        Number of clusters -> index for each of REDRAWS realisations, an array; NaN where `recluster` lacks the number.
    """
    from sklearn.metrics import adjusted_rand_score  # imported here for the reason given in `fit_kmeans`

    rng = np.random.default_rng(seed)
    redone = [recluster(with_added_noise(seds, rng)) for _ in range(REDRAWS)]
    return {
        k: np.array([adjusted_rand_score(labels, other[k]) if k in other else np.nan for other in redone])
        for k, labels in found.items()
    }
