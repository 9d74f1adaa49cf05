"""Correlated noise: drizzling and PSF matching correlate the noise of neighbouring pixels.

The correlation of the noise of two pixels is assumed to depend on their separation only. It is tabulated at lags of 0,
1, 2, ... pixels, to which separations are rounded, and is 1 at lag 0.
"""

import numpy as np
from scipy.fft import fft2, ifft2, next_fast_len
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from helper_functions.psf import PIXEL, arcsec_to_pixels, convolve_full, convolve_same

CORRELATION_REACH = 0.6  # arcsec, largest lag: about the size of the regions for which errors of sums are needed
AREA_REACH = 0.24  # arcsec: beyond it drizzling and PSF matching do not correlate noise; the rest is sky background


def lags(reach):
    """Distances from the central pixel of a square image, rounded to int, shape (2 reach + 1, 2 reach + 1)."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.rint(np.hypot(y, x)).astype(int)


def lagged_products(image, other, reach):
    """Cross-correlation of two images, sum of image(y + dy, x + dx) other(y, x), (2 reach + 1, 2 reach + 1).

    Lags are from -reach to reach pixels along each axis; images, of shape (ny, nx), are 0 beyond their edges.
    """
    ny, nx = other.shape
    every = convolve_full(np.pad(image, reach), other[::-1, ::-1])
    return every[ny - 1 : ny + 2 * reach, nx - 1 : nx + 2 * reach]


def white_noise_correlation(n_bands):
    """Correlation function of white noise, shape (n_bands, 1)."""
    return np.ones((n_bands, 1))


def noise_correlation(seds):
    """Correlation function of the noise of each band, that of white noise where it was not measured.

    Parameters
    ----------
    seds : PixelSEDs

    Returns
    -------
    ndarray of shape (n_bands, n_lags)
    """
    if seds.correlation is None:
        return white_noise_correlation(seds.flux.shape[1])
    alone = np.arange(seds.correlation.shape[1]) == 0
    return np.where(np.isfinite(seds.correlation).all(axis=1, keepdims=True), seds.correlation, alone)


def correlation_area(correlation, pixel=PIXEL):
    """Correlation area of the noise: sum of the correlation function over all pixels within AREA_REACH.

    Parameters
    ----------
    correlation : ndarray of shape (n_bands, n_lags)
    pixel : float
        Arcsec, side.

    Returns
    -------
    ndarray of shape (n_bands,)
        Pixels: the variance of a mean over n pixels, n large, is error^2 times this over n.
    """
    reach = min(round(arcsec_to_pixels(AREA_REACH, pixel)), correlation.shape[1] - 1)
    lag = lags(reach)
    return correlation[:, : reach + 1] @ np.bincount(lag[lag <= reach])


def correlation_image(correlation):
    """Image of the correlation with the central pixel, 0 beyond the last lag; of one band."""
    reach = len(correlation) - 1
    return np.append(correlation, 0)[np.minimum(lags(reach), reach + 1)]


def error_of_sum(error, weights, positions, correlation):
    """Error of a weighted sum of fluxes over pixels with correlated noise.

    The variance is the sum over all pairs of pixels of the product of their weights, errors and correlation.

    Parameters
    ----------
    error : ndarray of shape (n_pixels, n_bands)
        Pixels with NaN are left out of the sum.
    weights : ndarray of shape (n_pixels,) or (n_pixels, n_bands)
    positions : ndarray of shape (n_pixels, 2)
        Rows and columns, whole pixels.
    correlation : ndarray of shape (n_bands, n_lags)

    Returns
    -------
    ndarray of shape (n_bands,)
        In the unit of `error`.
    """
    each = np.nan_to_num(error) * (weights[:, None] if weights.ndim == 1 else weights)
    places = (positions - positions.min(axis=0)).astype(int)
    image = np.zeros(places.max(axis=0) + 1)
    variance = np.empty(each.shape[1])
    for band, values in enumerate(each.T):
        image[tuple(places.T)] = values
        shared = convolve_same(image, correlation_image(correlation[band]))
        # A measured correlation function need not be positive definite: the variance is at least a tenth of that of
        # white noise.
        variance[band] = max(np.sum(image * shared), 0.1 * np.sum(image**2))
    return np.sqrt(variance)


def draw_noise(seds, rng):
    """A random realisation of the noise with the given errors and correlation; 0 where there is no data.

    Parameters
    ----------
    seds : PixelSEDs
        Noise is white in bands without a measured correlation.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)
        10 nJy per pixel. Independent of the order of pixels and bands.
    """
    correlation = noise_correlation(seds)
    reach = correlation.shape[1] - 1
    places = (seds.positions - seds.positions.min(axis=0)).astype(int)
    shape = [next_fast_len(max(int(extent) + 1, reach) + reach + 1) for extent in places.max(axis=0)]
    noise = np.zeros(seds.flux.shape)
    for band in np.argsort(seds.wavelengths, kind="stable"):
        white = rng.standard_normal(shape)
        if correlation[band, 1:].any():
            white = correlate_noise(white, correlation[band])
        noise[:, band] = white[tuple(places.T)]
    return np.nan_to_num(seds.error) * noise


def correlate_noise(white, correlation):
    """Filter white noise of variance 1 to this correlation function, at the same variance.

    Parameters
    ----------
    white : ndarray of shape (ny, nx)
        At least 2 n_lags - 1 pixels a side. The result is periodic: opposite edges are correlated.
    correlation : ndarray of shape (n_lags,)
    """
    reach = len(correlation) - 1
    around = np.zeros(white.shape)
    around[: 2 * reach + 1, : 2 * reach + 1] = correlation_image(correlation)
    around = np.roll(around, (-reach, -reach), axis=(0, 1))
    # The power spectrum, which may be slightly negative for a measured correlation function.
    power = np.maximum(fft2(around).real, 0)
    power /= power.mean()
    return ifft2(fft2(white) * np.sqrt(power)).real


def with_added_noise(seds, rng):
    """The same SEDs with a realisation of the noise (`draw_noise`) added to their own noise; a new object."""
    return seds._replace(flux=seds.flux + draw_noise(seds, rng))


def adjacency_within(positions, reach, weight=np.ones_like):
    """Adjacency matrix of pixels within a distance, sparse and symmetric, of shape (n_pixels, n_pixels).

    Parameters
    ----------
    positions : ndarray of shape (n_pixels, 2)
        Rows and columns.
    reach : float
        Pixels.
    weight : callable
        Function of the distances that gives the weights of the edges.
    """
    i, j = cKDTree(positions).query_pairs(reach, output_type="ndarray").T
    value = weight(np.linalg.norm(positions[i] - positions[j], axis=1).astype(float))
    shape = len(positions), len(positions)
    return coo_array((np.tile(value, 2), (np.append(i, j), np.append(j, i))), shape=shape).tocsr()


def residual_correlation_area(residual, positions, pixel=PIXEL, fraction=1.0):
    """Correlation area of residuals: mean of their products with all residuals within AREA_REACH.

    Parameters
    ----------
    residual : ndarray of shape (n_pixels, n_bands)
        In units of the errors.
    positions : ndarray of shape (n_pixels, 2)
    pixel : float
        Arcsec, side.
    fraction : float
        Where the pixels are a random subset, the fraction of all pixels that they are: so many of the neighbours are
        among them.

    Returns
    -------
    area : ndarray of shape (n_bands,)
        Pixels, as in `correlation_area`.
    """
    links = adjacency_within(positions, round(arcsec_to_pixels(AREA_REACH, pixel)))
    return np.mean(residual * (residual + links @ residual / fraction), axis=0)
