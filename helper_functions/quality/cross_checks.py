"""Reproducibility of a run from other bands and with another random seed: metrics of the first run of a galaxy.

They take further clusterings, and are not computed for the other runs.
"""

from typing import NamedTuple

import numpy as np

from helper_functions.pixel_seds import select_complete
from helper_functions.psf import arcsec_to_pixels

MIN_BANDS_PER_HALF = 2  # a single band has no SED shape
# About this number is clustered in each half of the bands, to limit the time. Squares drawn from fewer lose too many
# neighbours: of 1,243 pixels, all agree to 0.87 and 600 of them to 0.63 (a realistic simulated galaxy, seed 9006).
HALVES_PIXELS = 2000
OTHER_SEEDS = 1  # number of other random seeds
RECLUSTERED_PIXELS = 4000  # at most, for another seed or with added noise: to cluster all of a large galaxy takes long
# Side of the jackknife blocks in FWHM of the PSF, within which light and noise are correlated. Errors are then 0.05,
# 0.06 and 0.09 where the scatter of the index over noise realisations is 0.03, 0.05 and 0.13 (realistic simulated
# galaxies, seeds 9006, 9009 and 9017).
SQUARE = 2.0
MIN_SQUARES = 4  # fewer give no useful error
# Adjusted Rand index below which the maps contradict each other. Realistic simulated galaxies with distinct populations
# have 0.6 to 0.9; with populations so similar that all bands are needed to separate them, 0.2 to 0.3.
HARDLY_AGREE = 0.3
REPRODUCIBLE = 0.9  # adjusted Rand index between random seeds below which users are told that labels depend on them


class Check(NamedTuple):
    """A metric of reproducibility."""

    meaning: str  # for tables


CHECKS = {
    "bands_agree": Check(
        "adjusted Rand index between clusterings of the odd and of the even bands by wavelength, at the number of "
        "clusters of the run; first run of a galaxy only"
    ),
    "bands_agree_err": Check("error of bands_agree, by jackknife over square blocks of pixels two PSF FWHM wide"),
    "seeds_agree": Check("adjusted Rand index with the clustering for another random seed; first run of a galaxy only"),
}


def cross_check(sample):
    """All metrics of CHECKS, {name: value}, for a `ClusteringSample`; NaN where undefined.

    They are undefined for one cluster, and where a half has less than MIN_BANDS_PER_HALF bands or cannot be clustered.
    """
    found = dict.fromkeys(CHECKS, np.nan)
    if len(sample.composites.flux) < 2:
        return found
    seds, squares = sample.seds, square_index(sample.seds)
    some = draw_squares(squares, HALVES_PIXELS, sample.seed)
    halves = [recluster_or_none(sample, seds.only(some, bands)) for bands in halves_of_bands(seds)]
    if len(halves) == 2 and all(labels is not None for labels in halves):
        found["bands_agree"], found["bands_agree_err"] = rand_index_and_error(*halves, squares[some])
    again, labels = reclustered(sample)
    others = [recluster_or_none(sample, again, seed=sample.seed + number) for number in range(1, OTHER_SEEDS + 1)]
    indices = [rand_index(labels, each) for each in others if each is not None]
    if indices:
        found["seeds_agree"] = float(np.mean(indices))
    return found


def recluster_or_none(sample, seds, **options):
    """Labels of these pixels in the number of clusters of the run; None where the method cannot cluster them."""
    try:
        return sample.recluster(seds, **options)
    except ValueError:  # such as bands without signal, or that cover no feature
        return None


def halves_of_bands(seds):
    """Indices of the odd and of the even bands by wavelength, of those that are clustered; empty for too few bands."""
    used = np.flatnonzero(select_complete(seds.flux)[1])
    order = used[np.lexsort([np.array(seds.bands)[used], seds.wavelengths[used]])]
    return (order[::2], order[1::2]) if len(order) >= 2 * MIN_BANDS_PER_HALF else ()


# ---- jackknife blocks -------------------------------------------------------


def square_index(seds):
    """Index of the square block, SQUARE wide, that contains each pixel; int, (n_pixels,), from 0."""
    side = max(int(np.ceil(arcsec_to_pixels(SQUARE * seds.psf_fwhm, seds.pixel))), 1)
    rows, cols = (seds.rows - seds.rows.min()) // side, (seds.cols - seds.cols.min()) // side
    return np.unique(rows * (cols.max() + 1) + cols, return_inverse=True)[1]


def draw_squares(squares, wanted, seed):
    """Random subset of about `wanted` pixels in whole squares; bool, (n_pixels,).

    Pixels keep their neighbours, which methods may use.
    """
    sizes = np.bincount(squares)
    order = np.random.default_rng(seed).permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    return np.isin(squares, order[before < wanted])


def reclustered(sample):
    """`PixelSEDs` and labels of all pixels, or of squares with about RECLUSTERED_PIXELS of a large galaxy."""
    seds, labels = sample.seds, sample.labels
    if len(labels) <= RECLUSTERED_PIXELS:
        return seds, labels
    some = draw_squares(square_index(seds), RECLUSTERED_PIXELS, sample.seed)
    return seds.only(some), labels[some]


# ---- the index --------------------------------------------------------------


def rand_index(one, other):
    """Adjusted Rand index (Hubert & Arabie 1985) of two labellings, over the pixels that both put in a cluster.

    NaN where both have a single label or one for each pixel: any two such labellings agree.

    Parameters
    ----------
    one, other : int ndarray of shape (n_pixels,)
        From 1; below for pixels in no cluster.
    """
    return float(index_of_counts(shared_counts(one, other, np.zeros(len(one), dtype=int)))[0])


def shared_counts(one, other, squares):
    """Number of pixels of each square that have each pair of labels, (n_squares with such pixels, n_one, n_other)."""
    both = (one > 0) & (other > 0)
    parts = [np.unique(each[both], return_inverse=True) for each in (squares, one, other)]
    shape = tuple(max(len(values), 1) for values, _ in parts)
    place = np.ravel_multi_index([number for _, number in parts], shape)
    return np.bincount(place, minlength=np.prod(shape)).reshape(shape)


def index_of_counts(counts):
    """Adjusted Rand index of tables of `shared_counts` (..., n_one, n_other); NaN as in `rand_index`."""

    def pairs(n_pixels):
        return n_pixels * (n_pixels - 1) / 2

    together, possible = pairs(counts).sum(axis=(-2, -1)), pairs(counts.sum(axis=(-2, -1)))
    in_one, in_other = pairs(counts.sum(axis=-1)).sum(axis=-1), pairs(counts.sum(axis=-2)).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        expected = in_one * in_other / possible
        return (together - expected) / ((in_one + in_other) / 2 - expected)


def rand_index_and_error(one, other, squares):
    """Adjusted Rand index of two labellings, and its error by jackknife over squares (Efron & Tibshirani 1993).

    Parameters
    ----------
    one, other : int ndarray of shape (n_pixels,)
        From 1; below for pixels in no cluster.
    squares : int ndarray of shape (n_pixels,)
        Block of each pixel.

    Returns
    -------
    index, error : float
        NaN where the index is undefined, and the error with less than MIN_SQUARES.
    """
    counts = shared_counts(one, other, squares)
    index, without = float(index_of_counts(counts.sum(axis=0))), index_of_counts(counts.sum(axis=0) - counts)
    if len(counts) < MIN_SQUARES or not np.isfinite(without).all():
        return index, np.nan
    return index, float(np.sqrt((len(counts) - 1) * np.var(without)))
