"""Noise that neighbouring pixels share: drizzling and PSF matching spread it over an area.

The correlation of two pixels' noise is taken to depend on their distance only. It is given by its values at distances
of 0, 1, 2, ... pixels, to which distances are rounded, and is 1 at 0.
"""

import numpy as np
from scipy.fft import fft2, ifft2, next_fast_len
from scipy.signal import fftconvolve
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from helper_functions.psf import PIXEL, in_pixels

CORRELATION_REACH = 0.6  # arcsec: about the size of the regions of a galaxy, whose summed errors are wanted
AREA_REACH = 0.24  # arcsec: beyond it neither drizzling nor PSF matching correlates noise, what remains is background


def lags(reach):
    """Distances from the middle of a square image, rounded to pixels, int of shape (2 reach + 1, 2 reach + 1)."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.rint(np.hypot(y, x)).astype(int)


def lagged_products(image, other, reach):
    """Cross-correlation of two images: the sum of image(y + dy, x + dx) other(y, x) for every lag (dy, dx).

    Parameters
    ----------
    image, other : ndarray of shape (ny, nx)
        Taken as 0 beyond their edges.
    reach : int
        Largest lag along each axis, pixels.

    Returns
    -------
    ndarray of shape (2 reach + 1, 2 reach + 1)
        Lags from -reach to reach.
    """
    return fftconvolve(np.pad(image, reach), other[::-1, ::-1], mode="valid")


def independent(n_bands):
    """The correlation of noise that pixels do not share, shape (n_bands, 1)."""
    return np.ones((n_bands, 1))


def known_correlation(seds):
    """Correlation of the noise of each band, that of independent noise where it was not measured.

    Parameters
    ----------
    seds : PixelSEDs

    Returns
    -------
    ndarray of shape (n_bands, n_lags)
    """
    if seds.correlation is None:
        return independent(seds.flux.shape[1])
    alone = np.arange(seds.correlation.shape[1]) == 0
    return np.where(np.isfinite(seds.correlation).all(axis=1, keepdims=True), seds.correlation, alone)


def correlated_area(correlation, pixel=PIXEL):
    """Area over which noise is correlated: the sum of its correlation with all pixels within AREA_REACH.

    Parameters
    ----------
    correlation : ndarray of shape (n_bands, n_lags)
    pixel : float
        Arcsec, side.

    Returns
    -------
    ndarray of shape (n_bands,)
        Pixels: the variance of a mean over many pixels is their error^2 times this over their number.
    """
    reach = min(round(in_pixels(AREA_REACH, pixel)), correlation.shape[1] - 1)
    lag = lags(reach)
    return correlation[:, : reach + 1] @ np.bincount(lag[lag <= reach])


def correlation_image(correlation):
    """The correlation with a pixel in the middle of a square image, 0 beyond the last lag; of one band."""
    reach = len(correlation) - 1
    return np.append(correlation, 0)[np.minimum(lags(reach), reach + 1)]


def error_of_sum(error, weights, positions, correlation):
    """Error of a weighted sum of fluxes over pixels, with what their noise has in common.

    The variance is the sum over all pairs of pixels of the product of their weights, errors and correlation.

    Parameters
    ----------
    error : ndarray of shape (n_pixels, n_bands)
        NaN counts as no part of the sum.
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
        shared = fftconvolve(image, correlation_image(correlation[band]), mode="same")
        # Measured correlations need not be those of any noise: no less than a tenth of independent noise is left.
        variance[band] = max(np.sum(image * shared), 0.1 * np.sum(image**2))
    return np.sqrt(variance)


def draw_noise(seds, rng):
    """Noise as errors and correlation say, drawn anew, shape (n_pixels, n_bands); 0 where there is no data.

    Parameters
    ----------
    seds : PixelSEDs
        Where the correlation of a band is not known, its noise is independent.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)
        10 nJy per pixel. It does not depend on the order of pixels and bands.
    """
    correlation = known_correlation(seds)
    reach = correlation.shape[1] - 1
    places = (seds.positions - seds.positions.min(axis=0)).astype(int)
    shape = [next_fast_len(max(int(extent) + 1, reach) + reach + 1) for extent in places.max(axis=0)]
    noise = np.zeros(seds.flux.shape)
    for band in np.argsort(seds.wavelengths, kind="stable"):
        white = rng.standard_normal(shape)
        if correlation[band, 1:].any():
            white = correlated(white, correlation[band])
        noise[:, band] = white[tuple(places.T)]
    return np.nan_to_num(seds.error) * noise


def correlated(white, correlation):
    """White noise of variance 1, filtered such that it has this correlation and the same variance.

    Parameters
    ----------
    white : ndarray of shape (ny, nx)
        At least 2 n_lags - 1 pixels a side. Opposite edges of the result are correlated, too.
    correlation : ndarray of shape (n_lags,)
    """
    reach = len(correlation) - 1
    around = np.zeros(white.shape)
    around[: 2 * reach + 1, : 2 * reach + 1] = correlation_image(correlation)
    around = np.roll(around, (-reach, -reach), axis=(0, 1))
    # The transform of a correlation is a power, which is not negative; that of a measured one may be, a little.
    power = np.maximum(fft2(around).real, 0)
    power /= power.mean()
    return ifft2(fft2(white) * np.sqrt(power)).real


def with_noise_on_top(seds, rng):
    """The same SEDs with noise drawn anew (see `draw_noise`) on top of that which they have; not in place."""
    return seds._replace(flux=seds.flux + draw_noise(seds, rng))


def links_within(positions, reach, weight=np.ones_like):
    """Links between pixels not farther apart than `reach`, sparse and symmetric, of shape (n_pixels, n_pixels).

    Parameters
    ----------
    positions : ndarray of shape (n_pixels, 2)
        Rows and columns.
    reach : float
        Pixels.
    weight : callable
        Of the distances, gives the weights of the links.
    """
    i, j = cKDTree(positions).query_pairs(reach, output_type="ndarray").T
    value = weight(np.linalg.norm(positions[i] - positions[j], axis=1).astype(float))
    shape = len(positions), len(positions)
    return coo_array((np.tile(value, 2), (np.append(i, j), np.append(j, i))), shape=shape).tocsr()


def area_of_residuals(residual, positions, pixel=PIXEL):
    """Area over which residuals are correlated: mean of their products with those of all pixels around.

    Parameters
    ----------
    residual : ndarray of shape (n_pixels, n_bands)
        In units of the errors.
    positions : ndarray of shape (n_pixels, 2)
    pixel : float
        Arcsec, side.

    Returns
    -------
    area : ndarray of shape (n_bands,)
        Pixels, as `correlated_area`.
    """
    links = links_within(positions, round(in_pixels(AREA_REACH, pixel)))
    return np.mean(residual * (residual + links @ residual), axis=0)
