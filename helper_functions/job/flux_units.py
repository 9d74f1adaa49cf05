"""The unit of the images, from their headers to that of the survey: 10 nJy per pixel."""

import warnings

import numpy as np
from astropy import units as u
from astropy.io.fits.card import Undefined
from astropy.wcs.utils import proj_plane_pixel_area

FLUX_UNIT = u.Unit(10 * u.nJy)  # the survey's: AB zero point 28.9
LARGEST_FACTOR = 1e100  # either way: the square of it still is a number
SAME = 1e-12  # closer to 1 than this is rounding, which must not change pixels


def unit_factor(bunit, wcs, path):
    """How many of the survey's units one unit of an image is.

    Parameters
    ----------
    bunit : str or None
        BUNIT of the image: a flux density, per pixel, or per solid angle. None or empty: the survey's unit.
    wcs : WCS
        Says how large a pixel is.
    path : path
        Of the image, for the message.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where the unit is none that can be converted.
    """
    text = "" if bunit is None or isinstance(bunit, Undefined) else str(bunit).strip()
    if not text:
        return 1.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # of units such as erg/s/cm2/Hz, whose meaning is clear
            factor = _convert(u.Unit(text), wcs)
        if not 1 / LARGEST_FACTOR < factor < LARGEST_FACTOR:
            raise ValueError(f"it is {factor:g} times {FLUX_UNIT}")
    except (u.UnitsError, ValueError, TypeError, ArithmeticError) as problem:
        raise ValueError(
            f"{path} has BUNIT = {text!r}, which cannot be converted to {FLUX_UNIT} per pixel: want a unit of flux "
            "density such as '10 nJy', 'uJy' or 'MJy/sr'; convert the image, or correct its header"
        ) from problem
    return 1.0 if np.isclose(factor, 1, rtol=SAME, atol=0) else float(factor)


def _convert(unit, wcs):
    pixel = u.Unit(proj_plane_pixel_area(wcs) * u.deg**2)
    per_pixel = next((whole for whole in (unit, unit * u.pix, unit * pixel) if whole.is_equivalent(FLUX_UNIT)), unit)
    return per_pixel.to(FLUX_UNIT)
