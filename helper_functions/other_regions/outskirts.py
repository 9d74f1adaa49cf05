"""Bins of the pixels of a segment that are not selected; each is added to a region, so that totals include them."""

import warnings
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from helper_functions.composite_seds import SYSTEMATIC, best_fit_amplitude, summed_flux
from helper_functions.noise import error_of_sum, noise_correlation
from helper_functions.pixel_seds import PixelSEDs, extract_seds, in_segments

LEAST = 1e-3  # of the target: lower limit of the SNR of a bin, because PowerBin needs positive values


SIZES = 12  # of discs, from one pixel to all


class Outskirts(NamedTuple):
    """Bins of the pixels that are not selected, and their light by cluster."""

    bins: np.ndarray  # int, (ny, nx), 1..n_bins, 0 where a pixel is in none
    cluster: np.ndarray  # (n_bins,), label of the cluster that each bin is added to
    snr: np.ndarray  # (n_bins,), median over the bands
    flux: np.ndarray | None = None  # (n_clusters, n_bands), of the bins of each cluster, 10 nJy; 0 without bins
    error: np.ndarray | None = None  # (n_clusters, n_bands); flux and error are None if read from a label file

    @property
    def labels(self):
        """Cluster that each binned pixel is added to, (ny, nx); 0 for pixels in no bin."""
        return np.append(self.cluster, 0)[self.bins - 1]


class Binned(NamedTuple):
    """Pixels that are not selected, and their bins."""

    seds: PixelSEDs
    numbers: np.ndarray  # (n_pixels,), 1..n_bins
    snr: np.ndarray  # (n_bins,)


def import_powerbin():
    """The class PowerBin (Cappellari 2025, MNRAS 544, 1432); ValueError where it is not installed."""
    try:
        from powerbin import PowerBin
    except ImportError as problem:
        raise ValueError(
            "BIN_SNR needs powerbin, which is free for non-commercial use: pip install powerbin, or leave it out"
        ) from problem
    return PowerBin


def bin_outskirts(cutout, mask, bands, target):
    """Bin the pixels of the segments that are not selected to a signal-to-noise ratio.

    Parameters
    ----------
    cutout : Cutout
    mask : bool ndarray of shape (ny, nx)
        The selected pixels.
    bands : sequence of str
        Bands in which the selected pixels have data.
    target : float
        Least median SNR over the bands of a bin.

    Returns
    -------
    Binned or None
        None where no such pixel has data.
    """
    both = extract_seds(cutout, in_segments(cutout) | mask)
    is_outside = ~mask[both.rows, both.cols]
    seds = both.only(is_outside, np.isin(both.bands, bands))
    seds = seds.only(np.isfinite(seds.flux).any(axis=1))
    if not len(seds.flux):
        return None
    numbers = merge_faint(seds, power_bins(seds, target), target)
    return Binned(seds, numbers, np.array([snr_of_sum(seds.only(numbers == each)) for each in np.unique(numbers)]))


def power_bins(seds, target):
    """Number of the bin of each pixel by PowerBin, (n_pixels,); noise is correlated as in a disc of the same area."""
    has_data = np.isfinite(seds.flux)
    flux, variance = np.where(has_data, seds.flux, 0), np.where(has_data, seds.error**2, 0)
    sizes, correlated = variance_of_discs(seds)

    def capacity(pixels):
        factor = correlated[np.searchsorted(sizes, len(pixels))]
        signal, noise = flux[pixels].sum(axis=0), np.sqrt(factor * variance[pixels].sum(axis=0))
        snr = np.median(signal[noise > 0] / noise[noise > 0]) if noise.any() else 0.0
        return float(max(snr, LEAST * target) ** 2)

    one_bin = np.zeros(len(flux), dtype=int)
    if len(flux) < 3 or capacity(np.arange(len(flux))) <= target**2:
        return one_bin
    power_bin = partial(import_powerbin(), seds.positions, capacity, float(target) ** 2, pixelsize=1.0, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # about the scatter of a single bin
        for is_regular in (True, False):
            # PowerBin fails if no bin reaches that SNR, or if a bin loses all of its pixels in the regularisation.
            with suppress(IndexError, ValueError):
                return power_bin(regul=is_regular).bin_num
    return one_bin


def variance_of_discs(seds):
    """Variance of the summed noise in discs of pixels, relative to uncorrelated noise.

    Returns
    -------
    sizes : int ndarray of shape (n_sizes,)
        Number of pixels, up to at least that of `seds`.
    factor : ndarray of shape (n_sizes, n_bands)
    """
    sizes = np.unique(np.geomspace(1, len(seds.flux), SIZES).round().astype(int))
    reach = int(np.sqrt(sizes[-1])) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    disc = np.column_stack([y, x])[np.argsort(y**2 + x**2, kind="stable")]
    correlation = noise_correlation(seds)
    alike = np.ones((sizes[-1], len(correlation)))
    factor = [error_of_sum(alike[:n], np.ones(n), disc[:n], correlation) ** 2 / n for n in sizes]
    return sizes, np.array(factor)


def snr_of_sum(seds):
    """Median over the bands of the SNR of the summed flux of all pixels, with correlated noise; NaN without data."""
    total, error = summed_flux(seds)
    return float(np.nanmedian(total / error))


def merge_faint(seds, numbers, target):
    """Merge each bin below the target with the nearest one, the faintest first; bins are numbered from 1."""
    numbers = np.unique(numbers, return_inverse=True)[1]
    snr = {each: snr_of_sum(seds.only(numbers == each)) for each in range(numbers.max() + 1)}
    while len(snr) > 1 and min(snr.values()) < target:
        faintest = min(snr, key=snr.get)
        middles = {each: seds.positions[numbers == each].mean(axis=0) for each in snr}
        middle = middles.pop(faintest)
        nearest = min(middles, key=lambda each: np.linalg.norm(middles[each] - middle))
        numbers[numbers == faintest] = nearest
        del snr[faintest]
        snr[nearest] = snr_of_sum(seds.only(numbers == nearest))
    return np.unique(numbers, return_inverse=True)[1] + 1


def join_outskirts(binned, labels, spectra):
    """Add each bin to the adjacent region, and sum their flux for each region.

    Regions are adjacent if they contain the selected pixels nearest to the bin. Among several, the one is taken
    whose SED, with a free amplitude, has the lowest chi2 for the summed fluxes of the bin.

    Parameters
    ----------
    binned : Binned
    labels : int ndarray of shape (ny, nx)
        1..n_clusters, 0 not selected, -1 in no cluster.
    spectra : ndarray of shape (n_clusters, n_bands)
        SED of each cluster, in the bands of the pixels.

    Returns
    -------
    Outskirts or None
        None without a cluster.
    """
    if not len(spectra) or not (labels > 0).any():
        return None
    seds, numbers = binned.seds, binned.numbers
    where = distance_transform_edt(labels <= 0, return_distances=False, return_indices=True)
    nearest, cluster = labels[tuple(where)][seds.rows, seds.cols], []
    for number in range(1, numbers.max() + 1):
        mine = numbers == number
        total, error = summed_flux(seds.only(mine))
        sed, beside = (total[None], np.hypot(error, SYSTEMATIC * total)[None]), np.unique(nearest[mine])
        chi2 = [best_fit_amplitude(*sed, spectra[label - 1])[1][0] for label in beside]
        cluster.append(beside[np.argmin(chi2)])
    cluster = np.array(cluster)
    flux, errors = np.zeros((2, *spectra.shape))
    for label in np.unique(cluster):
        total, error = summed_flux(seds.only(cluster[numbers - 1] == label))
        flux[label - 1], errors[label - 1] = np.nan_to_num(total), np.nan_to_num(error)
    bins = np.zeros(labels.shape, dtype=np.int32)
    bins[seds.rows, seds.cols] = numbers
    return Outskirts(bins, cluster, binned.snr, flux, errors)
