"""Convolve the images of a band to the target PSF, and resample them to the grid of the field, tile by tile.

Variances are convolved with the square of the kernel. The result is the variance of a pixel of the matched image, for
the correlation of the noise measured in the sky of the mosaic.
"""

from typing import NamedTuple

import numpy as np
from astropy.wcs import WCS, Sip
from astropy.wcs.utils import proj_plane_pixel_area
from scipy.ndimage import distance_transform_edt
from scipy.signal import oaconvolve

from helper_functions.survey.images import mask_missing, read_pixels
from helper_functions.survey.make_field.inputs import BandImages
from helper_functions.survey.mosaics import check_aligned

TILE = 1024  # pixels, side
# Order of the interpolating splines with which images are resampled. The fifth leaves a PSF like that of F444W as it is
# to 0.03% of the peak on rotated pixels of 20 to 40 mas, the third to 0.25%. `reproject_exact` lowers the peak by 2 to
# 7%, `reproject_adaptive` by 5 to 14%, by different amounts for each grid. Fluxes are conserved to 1e-5 by splines, and
# to 1e-4 and 2e-3 by these.
ORDER = 5
MARGIN = 24  # pixels around a tile that is resampled: beyond them the weights of the splines are below 1e-8
SPLINE_HOLE = 6  # pixels by which holes grow where an image is resampled that was not convolved: weights below 1%


class Grid(NamedTuple):
    """The pixels of the field."""

    wcs: WCS
    shape: tuple  # (ny, nx)


def part_of(wcs, window, shift=(0.0, 0.0)):
    """WCS of a window, which may extend beyond the image, for a band whose sources are shifted by `shift` pixels."""
    part, move = wcs.deepcopy(), np.array([window[1].start + shift[1], window[0].start + shift[0]])
    part.wcs.crpix = part.wcs.crpix - move
    if part.sip is not None:
        part.sip = Sip(part.sip.a, part.sip.b, part.sip.ap, part.sip.bp, part.sip.crpix - move)
    part.pixel_shape = tuple(each.stop - each.start for each in window[::-1])
    return part


class Matching(NamedTuple):
    """Parameters of the PSF matching of a band."""

    images: BandImages
    grid: Grid
    kernel: np.ndarray | None  # (size, size), on the pixels of the mosaic; None: nothing is convolved
    noise: float = 1.0  # factor of variances, for misstated errors and correlated noise
    shift: tuple = (0.0, 0.0)  # pixels of the grid, (rows, columns), by which sources are shifted in this band

    @property
    def is_aligned(self):
        """Whether the mosaic is on the pixels of the grid, and needs no resampling."""
        if any(self.shift):
            return False
        try:
            check_aligned(self.images.sci, self.images.sci._replace(wcs=self.grid.wcs, shape=self.grid.shape))
        except ValueError:
            return False
        return True

    @property
    def reach(self):
        """Pixels of the mosaic by which holes grow."""
        if self.kernel is None:
            return 0 if self.is_aligned else SPLINE_HOLE
        return len(self.kernel) // 2


def overlaps(images, grid):
    """Whether a mosaic covers part of the grid, tested at 33 x 33 positions."""
    y, x = np.meshgrid(*(np.linspace(0, size - 1, 33) for size in grid.shape), indexing="ij")
    x, y = images.sci.wcs.world_to_pixel(grid.wcs.pixel_to_world(x, y))
    with np.errstate(invalid="ignore"):
        return bool(np.any((x > -0.5) & (y > -0.5) & (x < images.sci.shape[1] - 0.5) & (y < images.sci.shape[0] - 0.5)))


def matched_tile(matching, window):
    """Matched flux and variance in a window of the grid.

    Parameters
    ----------
    matching : Matching
    window : pair of slice
        Rows and columns.

    Returns
    -------
    flux, variance : ndarray of shape (ny, nx)
        10 nJy per pixel of the grid, and its square; both NaN where there is no data, or where the kernel touches a
        pixel without.
    """
    shape = tuple(each.stop - each.start for each in window)
    aligned, reach = matching.is_aligned, matching.reach
    inner = window if aligned else _window_below(matching, window)
    if inner is None:
        return np.full((2, *shape), np.nan)
    wide = tuple(slice(each.start - reach, each.stop + reach) for each in inner)
    flux, variance = _read(matching.images, wide)
    if not np.isfinite(flux).any():
        return np.full((2, *shape), np.nan)
    flux, variance = convolve_with_errors(flux, variance, matching.kernel, reach)
    core = tuple(slice(reach, size - reach) for size in flux.shape)
    flux, variance = flux[core], matching.noise * variance[core]
    if aligned:
        return np.where(np.isfinite(variance), flux, np.nan), variance
    return _resampled(
        flux,
        variance,
        part_of(matching.images.sci.wcs, inner),
        part_of(matching.grid.wcs, window, matching.shift),
        shape,
    )


def convolve_with_errors(flux, variance, kernel, reach):
    """Convolve an image with a kernel, and its variance with the square of it.

    Parameters
    ----------
    flux, variance : ndarray of shape (ny, nx)
        NaN where there is no data.
    kernel : ndarray of shape (size, size) or None
        None: nothing is convolved.
    reach : int
        Pixels, radius of the kernel: pixels within this distance of a pixel without data have no data.

    Returns
    -------
    flux, variance : ndarray of shape (ny, nx)
        Without data, the variance is NaN; the flux is finite, as splines need it.
    """
    data = np.isfinite(flux) & np.isfinite(variance)
    flux, known = np.where(data, flux, 0.0), np.where(data, variance, 0.0)
    if kernel is not None:
        flux, known = oaconvolve(flux, kernel, mode="same"), oaconvolve(known, kernel**2, mode="same")
    if not data.all():
        data = distance_transform_edt(data) > reach
    return flux, np.where(data, known, np.nan)


def _window_below(matching, window):
    """Window of the mosaic that covers a window of the grid, with a margin for splines; None if there is none."""
    part = part_of(matching.grid.wcs, window, matching.shift)
    sides = [np.linspace(-1, each.stop - each.start, 9) for each in window]
    y, x = np.meshgrid(*sides, indexing="ij")
    cols, rows = matching.images.sci.wcs.world_to_pixel(part.pixel_to_world(x, y))
    if not np.isfinite(rows).all():
        return None
    found = [slice(int(each.min()) - MARGIN, int(each.max()) + MARGIN + 2) for each in (rows, cols)]
    beside = any(
        each.stop <= 0 or each.start >= size for each, size in zip(found, matching.images.sci.shape, strict=True)
    )
    return None if beside else tuple(found)


def _read(images, window):
    """Flux and variance in a window; NaN beyond the mosaic."""
    inside = tuple(
        slice(max(each.start, 0), min(each.stop, size)) for each, size in zip(window, images.sci.shape, strict=True)
    )
    result = np.full((2, *(each.stop - each.start for each in window)), np.nan)
    if any(each.stop <= each.start for each in inside):
        return result
    flux, error = mask_missing(*read_pixels(images.sci, images.wht, inside), images.error_map)
    place = tuple(
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(inside, window, strict=True)
    )
    result[:, *place] = flux, error.astype(float) ** 2
    return result


def _resampled(flux, variance, wcs, part, shape):
    """Flux and variance of a window of a mosaic on pixels of the grid: fluxes by splines, variances linearly."""
    from reproject import reproject_interp

    area = proj_plane_pixel_area(part) / proj_plane_pixel_area(wcs)
    options = {"shape_out": shape, "return_footprint": False, "roundtrip_coords": False}
    flux = reproject_interp((flux, wcs), part, order=ORDER, **options) * area
    variance = reproject_interp((variance, wcs), part, order="bilinear", **options) * area**2
    data = np.isfinite(flux) & np.isfinite(variance)
    return np.where(data, flux, np.nan), np.where(data, variance, np.nan)
