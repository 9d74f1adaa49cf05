"""Noise of a mosaic, measured in its sky, and the factor of its variances after a convolution."""

import numpy as np
from astropy.stats import mad_std
from scipy.ndimage import binary_dilation, uniform_filter

from helper_functions.noise import AREA_REACH, lagged_products, lags
from helper_functions.sky_noise import min_sky_pixels, noise_autocorrelation
from helper_functions.survey.images import mask_missing, read_pixels
from helper_functions.survey.make_field.psfs import pixel_side, sky_matrix

WINDOW, N_WINDOWS = 400, 3  # pixels, side of a window in which noise is measured, and their largest number along a side
SOURCE = 3.0  # sigma: brighter pixels, and GROWTH pixels around them, are not sky
GROWTH = 5


def sky_correlation(images):
    """Scatter of the sky of a mosaic divided by its stated errors, and the correlation of its noise.

    Parameters
    ----------
    images : BandImages

    Returns
    -------
    scale : float
        1 where there is too little sky to measure it.
    correlation : ndarray of shape (n_lags,)
        At 0, 1, 2, ... pixels.
    """
    side, found = pixel_side(sky_matrix(images.sci.wcs)), []
    starts = [
        np.linspace(0, max(size - WINDOW, 0), min(N_WINDOWS, max(size // WINDOW, 1))).astype(int)
        for size in images.sci.shape
    ]
    for window in ((slice(row, row + WINDOW), slice(col, col + WINDOW)) for row in starts[0] for col in starts[1]):
        window = tuple(
            slice(each.start, min(each.stop, size)) for each, size in zip(window, images.sci.shape, strict=True)
        )
        flux, error = mask_missing(*read_pixels(images.sci, images.wht, window), images.error_map)
        noise, data = flux / error, np.isfinite(flux)
        if data.sum() < min_sky_pixels(side):
            continue
        noise = noise - np.median(noise[data])
        scatter = mad_std(noise[data])
        smooth = uniform_filter(np.where(data, noise, 0), 3)  # faint sources stand out
        bright = (np.abs(noise) > SOURCE * scatter) | (smooth > SOURCE * mad_std(smooth[data]))
        sky = data & ~binary_dilation(bright, iterations=GROWTH)
        if sky.sum() >= min_sky_pixels(side):
            found.append((mad_std(noise[sky]), noise_autocorrelation(np.where(sky, noise, 0), sky, side)[0]))
    if not found:
        return 1.0, np.ones(1)
    scale, correlation = zip(*found, strict=True)
    near = max(round(AREA_REACH / side), 1) + 1  # beyond it, only the background is correlated
    return float(np.median(scale)), np.median(correlation, axis=0)[:near]


def variance_factor(scale, correlation, kernel):
    """Factor of variances convolved with the square of a kernel, for noise of this scale and correlation.

    The variance of a pixel is the sum over lags of the kernel's autocorrelation times that of the noise; the square of
    the kernel accounts for lag 0 only.
    """
    if kernel is None:
        return scale**2
    return scale**2 * _correlated(kernel, correlation) / np.sum(kernel**2)


def correlation_area_after(correlation, kernel, area):
    """Correlation area in pixels of the grid, each `area` pixels of the mosaic, after a kernel of sum 1."""
    reach = len(correlation) - 1
    lag = lags(reach)
    total = np.sum(correlation[np.minimum(lag, reach)] * (lag <= reach))
    after = 1.0 if kernel is None else _correlated(kernel, correlation)
    return max(float(total / after / area), 1.0)


def _correlated(kernel, correlation):
    """Variance of noise of variance 1 and of this correlation after a kernel."""
    reach = len(correlation) - 1
    lag = lags(reach)
    return float(
        np.sum(lagged_products(kernel, kernel, reach) * np.where(lag <= reach, correlation[np.minimum(lag, reach)], 0))
    )
