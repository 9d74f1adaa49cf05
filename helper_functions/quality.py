"""How good a clustering is: against the truth of a simulated galaxy, and without any truth."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from distances import cross_correlation
from helper_functions.composite_seds import best_fit_amplitude, composite_seds
from helper_functions.pixel_seds import complete_block

HALF_BLOCK = 4  # pixels
REDRAWS = 2
CORE_SHARE = 0.8  # a core pixel gets at least this share of its light from one region


class Agreement(NamedTuple):
    """How a clustering agrees with the truth. 1 is perfect, 0 chance; NaN where there is nothing to judge."""

    ari: float  # adjusted Rand index (Hubert & Arabie 1985), all selected pixels
    ami: float  # adjusted mutual information (Vinh et al. 2010), all selected pixels
    ari_core: float  # the same, over core pixels
    ami_core: float


def agreement(labels, region, share):
    """Compare labels with the known regions of a simulated galaxy.

    Parameters
    ----------
    labels : int ndarray of shape (n_pixels,)
        Unassigned pixels count as one cluster of their own: leaving pixels out is no way to score.
    region : int ndarray of shape (n_pixels,)
        The truth.
    share : ndarray of shape (n_pixels,)
        Share of each pixel's light that its region gives.

    Returns
    -------
    Agreement
    """
    core = share >= CORE_SHARE
    scores = []
    for which in (np.ones(len(labels), dtype=bool), core):
        if not which.any():
            scores += [np.nan, np.nan]
            continue
        scores.append(adjusted_rand_score(region[which], labels[which]))
        scores.append(adjusted_mutual_info_score(region[which], labels[which]))
    return Agreement(*map(float, scores))


def composite_distance(composites, true_seds):
    """How far the true SEDs are from the nearest composite: b12, mean over the true SEDs; NaN without composites.

    Parameters
    ----------
    composites : ndarray of shape (n_clusters, n_bands)
    true_seds : ndarray of shape (n_regions, n_bands)

    Returns
    -------
    float
    """
    if not len(composites):
        return np.nan
    b12 = np.array([cross_correlation(composites, sed)[1] for sed in true_seds])
    return float(np.nanmin(b12, axis=1).mean())


# ---- without truth ----------------------------------------------------------


class Quality(NamedTuple):
    """Figures of a run that need no truth; NaN where there is nothing to judge."""

    reduced_chi2: float  # of pixels about their composite, each scaled freely; 1 if noise is all
    held_out_error: float  # 68% of bands are predicted this well from the other bands, in units of the errors
    fragmentation: float  # 0: neighbours share a label; 1: as if labels were shuffled
    stability: float  # ARI with what is found when noise is drawn anew on top
    brightness_share: float  # of the variance of log brightness that labels explain


def quality(seds, labels, again, seed=0):
    """Judge a clustering without truth.

    Parameters
    ----------
    seds : PixelSEDs
    labels : int ndarray of shape (n_pixels,)
        1..n_clusters, below 1 for none.
    again : callable
        `again(seds)` clusters other fluxes of the same pixels in the same way into as many clusters, and gives labels.
    seed : int
        Of the noise that is drawn.

    Returns
    -------
    Quality
    """
    flux, error, rows, cols = seds.flux, seds.error, seds.rows, seds.cols
    return Quality(
        reduced_chi2(flux, error, labels),
        held_out_error(flux, error, labels, rows, cols),
        fragmentation(labels, rows, cols),
        stability(flux, error, labels, lambda drawn: again(seds._replace(flux=drawn)), seed),
        brightness_share(flux[:, complete_block(flux)[1]], labels),
    )


def reduced_chi2(flux, error, labels):
    """Chi2 per degree of freedom of pixels about their composites; each pixel's amplitude takes one, each SED all."""
    composites = composite_seds(flux, error, labels).flux
    total, n_free = 0.0, 0
    for number, composite in enumerate(composites, start=1):
        members = labels == number
        total += best_fit_amplitude(flux[members], error[members], composite)[1].sum()
        n_free += np.isfinite(flux[members]).sum() - members.sum() - (np.isfinite(composite).sum() - 1)
    return float(total / n_free) if n_free > 0 else np.nan


def band_errors(flux, error, templates):
    """What is left of each band when it is predicted from the others, in units of the errors.

    The template and its amplitude are those that fit the other bands of the pixel best in chi2.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
        NaN where there is no data.
    templates : ndarray of shape (n_templates, n_bands)
        Those with NaN are passed over.

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)
        NaN where there is no data, or nothing to predict from.
    """
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


def held_out_error(flux, error, labels, rows, cols):
    """How well composites predict what they have not seen: the 68th percentile of `band_errors`, mean over the bands.

    Composites of one half of the pixels are tried on the other half, and the other way round. The halves are blocks of
    HALF_BLOCK pixels a side like the fields of a chessboard, as noise is correlated between neighbours.
    """
    half = (rows // HALF_BLOCK + cols // HALF_BLOCK) % 2
    errors = [np.empty((0, flux.shape[1]))]
    for seen, unseen in ((half == 0, half == 1), (half == 1, half == 0)):
        if seen.any() and unseen.any():
            composites = composite_seds(flux[seen], error[seen], labels[seen]).flux
            errors.append(band_errors(flux[unseen], error[unseen], composites))
    errors = np.abs(np.concatenate(errors))
    known = np.isfinite(errors).any(axis=0)
    return float(np.nanpercentile(errors[:, known], 68.27, axis=0).mean()) if known.any() else np.nan


def fragmentation(labels, rows, cols):
    """Share of pixels side by side that differ in label, relative to the share if labels were shuffled."""
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


def brightness_share(flux, labels):
    """Share of the variance of log brightness that is between clusters: 1 for a run that sorts by brightness.

    Brightness is the mean flux over the bands; pixels where it is not positive, or lacks a band, do not count.
    """
    brightness = flux.mean(axis=1)
    usable = (brightness > 0) & (labels > 0)
    if not usable.any():
        return np.nan
    logarithm, labels = np.log(brightness[usable]), labels[usable]
    _, number = np.unique(labels, return_inverse=True)
    means = np.bincount(number, logarithm) / np.bincount(number)
    total = np.var(logarithm)
    return float(np.var(means[number]) / total) if total > 0 else np.nan


def stability(flux, error, labels, again, seed):
    """Mean adjusted Rand index of labels with those that are found when noise is drawn anew on top.

    Noise on top of that in the data makes a rise of it by sqrt(2): labels may be a little more stable than this.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
        NaN where there is no data.
    labels : int ndarray of shape (n_pixels,)
    again : callable
        `again(flux)` gives the labels of other fluxes of the same pixels.
    seed : int

    Returns
    -------
    float
    """
    rng = np.random.default_rng(seed)
    drawn = [flux + np.nan_to_num(error) * rng.standard_normal(flux.shape) for _ in range(REDRAWS)]
    return float(np.mean([adjusted_rand_score(labels, again(each)) for each in drawn]))
