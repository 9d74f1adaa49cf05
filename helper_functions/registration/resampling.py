"""Subpixel shifts of images with their errors and missing pixels."""

import numpy as np
from scipy.ndimage import convolve1d
from scipy.ndimage import shift as spline_shift

# Order of the interpolating spline: at the sampling of the PSF in JWST mosaics the fifth order loses no resolution.
ORDER = 5
REACH = 10  # pixels beyond which its weights are below 1e-4
MOST_MISSING = 0.1  # largest fraction of the kernel's absolute weight on missing pixels


def shift_kernel(shift):
    """Kernel that shifts an image along one axis: impulse response of the interpolating spline.

    Parameters
    ----------
    shift : float
        Pixels.

    Returns
    -------
    ndarray of shape (2 reach + 1,)
        Sum 1, to conserve the flux of a source; for `scipy.ndimage.convolve1d`.
    """
    point = np.zeros(2 * kernel_reach(shift) + 1)
    point[len(point) // 2] = 1
    kernel = spline_shift(point, shift, order=ORDER, mode="constant")
    return kernel / kernel.sum()


def kernel_reach(shift):
    """Pixels beyond the edge of an image that are needed to shift it."""
    return REACH + int(np.ceil(np.max(np.abs(shift))))


def shift_image(flux, error, shift):
    """Shift an image and its errors.

    Variances are interpolated linearly, which keeps the level of the errors: interpolation lowers the variance of a
    pixel and correlates neighbours, but the variance of sums over many pixels stays the same.

    Parameters
    ----------
    flux, error : ndarray of shape (ny, nx)
        NaN where there is no data.
    shift : sequence of 2 float
        Pixels along rows and along columns: a source at (row, column) moves to (row + shift[0], column + shift[1]).

    Returns
    -------
    flux, error : ndarray of shape (ny, nx)
        New arrays of the same types. NaN where more than MOST_MISSING of the kernel's weight is on missing pixels or
        beyond the edge; where less is, the remaining weights are renormalised.
    """
    data = np.isfinite(flux) & np.isfinite(error)
    kernels = [shift_kernel(each) for each in shift]
    total, of_data = (
        convolve_separable(np.where(data, flux, 0.0), kernels),
        convolve_separable(data.astype(float), kernels),
    )
    absolute = [np.abs(kernel) / np.abs(kernel).sum() for kernel in kernels]
    enough = convolve_separable(data.astype(float), absolute) >= 1 - MOST_MISSING
    linear = [
        np.maximum(1 - np.abs(np.arange(-kernel_reach(each), kernel_reach(each) + 1) - each), 0) for each in shift
    ]
    # Normalised interpolation: missing pixels have no weight.
    variance = np.where(data, error.astype(float), 0.0) ** 2
    of_variance = convolve_separable(data.astype(float), linear)
    with np.errstate(invalid="ignore", divide="ignore"):
        flux_moved = np.where(enough, total / of_data, np.nan)
        error_moved = np.where(enough, np.sqrt(convolve_separable(variance, linear) / of_variance), np.nan)
    known = np.isfinite(flux_moved) & np.isfinite(error_moved)
    return tuple(
        np.where(known, each, np.nan).astype(kind.dtype) for each, kind in ((flux_moved, flux), (error_moved, error))
    )


def convolve_separable(image, kernels):
    """Convolve an image with one kernel along rows and another along columns; 0 beyond its edges."""
    for axis, kernel in enumerate(kernels):
        image = convolve1d(image, kernel, axis=axis, mode="constant")
    return image
