"""Magnification of each pixel of a galaxy, from lens maps of any pixel scale."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates

from helper_functions.files.code import digest
from helper_functions.fitting.bagpipes_setup import cosmology
from helper_functions.survey.mosaics import open_mosaic, pixels_at, read_window


class NotLensed(ValueError):
    """The lens maps do not give the magnification of the galaxy."""


class Lens(NamedTuple):
    """Lens maps on disk."""

    maps: tuple  # of Mosaic: magnification at the redshift of the galaxies, or convergence and shear
    redshift: float | None  # of the lens; None: convergence and shear are for the redshift of the galaxies
    digest: str  # of redshift, paths, sizes and modification times


@lru_cache(maxsize=1)  # the same lens for all galaxies
def open_lens(paths, redshift, cache_folder):
    """`Lens` of one or two FITS files, whose pixels are not read yet.

    Parameters
    ----------
    paths : tuple of str
        File of the magnification, or of convergence and shear.
    redshift : float or None
        Of the lens, to scale convergence and shear from D_ls / D_s = 1 to each galaxy.
    cache_folder : Path
        Folder of decompressed files.

    Raises
    ------
    OSError
        If a file cannot be read as an image with a celestial WCS.
    ValueError
        If the redshift of the lens is given with a magnification map, which is for one source redshift.
    """
    if redshift is not None and len(paths) == 1:
        raise ValueError("LENS_REDSHIFT scales convergence and shear: leave it out with a map of the magnification")
    stats = [Path(path).stat() for path in paths]
    content = digest(redshift, paths, [(stat.st_size, stat.st_mtime_ns) for stat in stats])
    return Lens(tuple(open_mosaic(Path(path), cache_folder) for path in paths), redshift, content)


def inverse_magnification(lens, wcs, shape, redshift):
    """Inverse magnification at the pixel centres: the determinant of the Jacobian of the lens equation.

    The inverse is interpolated because it is smooth where the magnification diverges. From convergence and shear
    it is (1 - kappa)^2 - gamma^2 (Schneider, Ehlers & Falco 1992).

    Parameters
    ----------
    lens : Lens
    wcs : WCS
        Celestial WCS of the galaxy's pixels.
    shape : tuple
        (ny, nx).
    redshift : float
        Of the galaxy.

    Returns
    -------
    ndarray of shape (ny, nx)
        Negative for negative parity, 0 on a critical curve, NaN without data.

    Raises
    ------
    NotLensed
        If the redshift is needed but not known.
    """
    y, x = np.indices(shape)
    sky = wcs.pixel_to_world(x, y)
    if len(lens.maps) == 1:
        with np.errstate(divide="ignore"):
            return interpolated(lens.maps[0], sky, lambda mu: np.where(mu == 0, np.nan, 1 / mu))
    strength = lens_strength(lens.redshift, redshift)
    kappa, gamma = (strength * interpolated(each, sky) for each in lens.maps)
    return (1 - kappa) ** 2 - gamma**2


def lens_strength(lens_redshift, redshift):
    """D_ls / D_s in a flat universe, 0 for a galaxy in front of the lens; 1 if `lens_redshift` is None."""
    if lens_redshift is None:
        return 1.0
    if not np.isfinite(redshift):
        raise NotLensed("its redshift is not known")
    if redshift <= lens_redshift:
        return 0.0
    lens, source = (cosmology().comoving_distance(z).value for z in (lens_redshift, redshift))
    return (source - lens) / source


def interpolated(image, sky, change=lambda values: values):
    """Bilinear interpolation of `change(values)` of a `Mosaic` at positions on the sky; NaN outside of it."""
    found = np.full(sky.shape, np.nan)
    at = pixels_at(image, sky)[::-1]  # row and column
    if np.isfinite(at).any():
        low = np.maximum(np.floor(np.nanmin(at, axis=(1, 2))).astype(int), 0)
        high = np.minimum(np.ceil(np.nanmax(at, axis=(1, 2))).astype(int) + 1, image.shape)
        if (low < high).all():
            window = tuple(map(slice, low.tolist(), high.tolist()))
            values = change(read_window(image, window).astype(float))
            found = map_coordinates(values, at - low[:, None, None], order=1, cval=np.nan)
    return found
