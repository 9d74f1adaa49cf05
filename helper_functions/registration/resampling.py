"""Moving an image by a fraction of a pixel, with its errors and what is missing in it."""

import numpy as np
from scipy.ndimage import convolve1d
from scipy.ndimage import shift as spline_shift

# The interpolating spline of fifth order: of a PSF that pixels sample as those of JWST mosaics do, nothing is lost.
ORDER = 5
REACH = 10  # pixels beyond which its weights are below 1e-4
MOST_MISSING = 0.1  # share of the kernel's absolute weights that may lie on missing pixels


def shift_kernel(shift):
    """Kernel that moves an image along one axis: what the interpolating spline makes of a single bright pixel.

    Parameters
    ----------
    shift : float
        Pixels.

    Returns
    -------
    ndarray of shape (2 reach + 1,)
        Sum 1, so that sums over a source stay; for `scipy.ndimage.convolve1d`.
    """
    point = np.zeros(2 * kernel_reach(shift) + 1)
    point[len(point) // 2] = 1
    kernel = spline_shift(point, shift, order=ORDER, mode="constant")
    return kernel / kernel.sum()


def kernel_reach(shift):
    """Pixels beyond the edge of an image that are needed to move it by a shift."""
    return REACH + int(np.ceil(np.max(np.abs(shift))))


def shift_image(flux, error, shift):
    """An image and its errors, moved.

    Errors keep their level: their squares are interpolated linearly. Interpolation averages noise that neighbours do
    not share, and makes them share it; to sums over many pixels, such noise adds as much as before.

    Parameters
    ----------
    flux, error : ndarray of shape (ny, nx)
        NaN where there is no data.
    shift : sequence of 2 float
        Pixels along rows and along columns: what was at (row, column) is at (row + shift[0], column + shift[1]).

    Returns
    -------
    flux, error : ndarray of shape (ny, nx)
        New arrays of the same types. NaN where more than MOST_MISSING of what a pixel is made of is missing, or lies
        beyond the edge; where less is, the rest stands for it.
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
    # The largest variance stands in for a missing one, with what little weight it has.
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
    """An image convolved with one kernel along rows and another along columns; beyond its edge there is nothing."""
    for axis, kernel in enumerate(kernels):
        image = convolve1d(image, kernel, axis=axis, mode="constant")
    return image
