"""The unit of the images, from their headers to that of the survey: 10 nJy per pixel."""

import re
import warnings

import numpy as np
from astropy import units as u
from astropy.io.fits.card import Undefined
from astropy.wcs.utils import proj_plane_pixel_area

FLUX_UNIT = u.Unit(10 * u.nJy)  # the survey's: AB zero point 28.9
LARGEST_FACTOR = 1e100  # either way: the square of it still is a number
SAME = 1e-12  # closer to 1 than this is rounding, which must not change pixels
AGREE = 0.01  # relative difference of two calibrations of one image, above which one of them must be wrong
AB_KEYWORDS = ("ABMAGZP", "ABZP", "ZPAB")  # of zero points that are AB by their name
GAINS = "GAIN", "CCDGAIN"  # keywords of electrons per count
EXPOSURES = "EXPTIME", "EXPOSURE", "TEXPTIME"  # keywords of seconds
# What instruments count, and how often a second is written.
COUNTS = re.compile(
    r"((?P<electron>e-?|electrons?)|(?P<number>dn|adu)|counts?|cts?)"
    r"(?P<rate> ?/ ?s(ec)?|[ .*]?s(\^|\*\*)?\(?-1\)?)?|(?P<cps>cps)"
)


def unit_factor(bunit, wcs, path, *, header=None, unit=FLUX_UNIT, zero_point=None):
    """How many of the survey's units one unit of an image is.

    Parameters
    ----------
    bunit : str or None
        BUNIT of the image: a flux density, per pixel, or per solid angle; or counts.
    wcs : WCS
        Says how large a pixel is.
    path : path
        Of the image, for the message.
    header : mapping or None
        Where the zero point of counts is looked up, or PHOTFLAM and PHOTPLAM.
    unit : str or Unit
        Of an image without BUNIT. Empty: there is none.
    zero_point : float, str or None
        AB magnitude of one count, or the keyword in the header that has it.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where the unit is none that can be converted, or the header contradicts itself.
    """
    header = {} if header is None else header
    text = "" if bunit is None or isinstance(bunit, Undefined) else str(bunit).strip()
    counts = COUNTS.fullmatch(text.lower())
    if text and not counts:
        return _rounded(_flux_density(text, wcs, path))
    found = _zero_points(header, zero_point, path)
    if counts and (counts["rate"] or counts["cps"]):
        found |= _inverse_sensitivity(header, path)
    if not text and unit:
        found["unit in data_paths.py"] = _flux_density(unit, wcs, "data_paths.py")
    values = list(found.values())
    if not values:
        what = f"BUNIT = {text!r}, which cannot be converted to {FLUX_UNIT} per pixel: " if text else "no BUNIT: "
        raise ValueError(
            f"{path} has {what}want a unit of flux density such as '10 nJy', 'uJy' or 'MJy/sr', or an AB zero point; "
            f"correct the header, or set unit or zero_point of the survey in data_paths.py{_hint(header)}"
        )
    if max(values) > (1 + AGREE) * min(values):
        said = ", ".join(f"{value:.4g} by {name}" for name, value in found.items())
        raise ValueError(f"{path} contradicts itself: 1 of its units is so many times {FLUX_UNIT}: {said}")
    return _rounded(values[0])


def electrons_in(bunit, header):
    """How many electrons one unit of an image is, by its header; NaN where that does not say.

    Images of flux density do not say it, nor do data numbers without a gain. Counts without a gain are electrons, as
    drizzled images have them.

    Parameters
    ----------
    bunit : str or None
        BUNIT of the image.
    header : mapping
        Where the gain of counts is looked up, and the exposure time of rates.
    """
    counts = COUNTS.fullmatch(str(bunit or "").strip().lower())
    if not counts:
        return np.nan
    gain = 1.0 if counts["electron"] else _first(header, GAINS, np.nan if counts["number"] else 1.0)
    return gain * (_first(header, EXPOSURES, np.nan) if counts["rate"] or counts["cps"] else 1.0)


def _first(header, names, otherwise):
    """The value of the first of these keywords that the header has, `otherwise` where it has none that can be."""
    for name in (name for name in names if name in header):
        try:
            return _number(header, name, "")
        except ValueError:
            continue  # what is only good to know refuses no image
    return otherwise


def _rounded(factor):
    return 1.0 if np.isclose(factor, 1, rtol=SAME, atol=0) else float(factor)


def _zero_points(header, zero_point, path):
    """What one count is by each AB zero point that is known: name -> in the survey's units."""
    keywords = [*AB_KEYWORDS, zero_point] if isinstance(zero_point, str) else AB_KEYWORDS
    known = {name: _number(header, name, path) for name in keywords if name in header}
    if zero_point is not None and not isinstance(zero_point, str):
        known["zero_point in data_paths.py"] = float(zero_point)
    return {name: (magnitude * u.ABmag).to_value(FLUX_UNIT) for name, magnitude in known.items()}


def _inverse_sensitivity(header, path):
    """What one count a second is by the header of a Hubble image: the flux per Angstrom at the pivot wavelength."""
    if not ("PHOTFLAM" in header and "PHOTPLAM" in header):
        return {}
    flux, pivot = (_number(header, name, path) for name in ("PHOTFLAM", "PHOTPLAM"))
    density = flux * u.erg / u.s / u.cm**2 / u.AA
    return {"PHOTFLAM": density.to_value(FLUX_UNIT, u.spectral_density(pivot * u.AA))}


def _number(header, name, path):
    try:
        if (value := float(header[name])) > 0:
            return value
    except (TypeError, ValueError):
        pass
    raise ValueError(f"{path} has {name} = {header[name]!r} in its header: want a positive number")


def _hint(header):
    """Keywords that look like a zero point, whose magnitudes may be AB or not."""
    known = [f"{name} = {header[name]}" for name in header if re.search("ZP|ZERO|PHOTFLAM", name)]
    return f" (its header has {', '.join(known)})" if known else ""


def _flux_density(text, wcs, path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # of units such as erg/s/cm2/Hz, whose meaning is clear
            factor = _convert(u.Unit(text), wcs)
        if not 1 / LARGEST_FACTOR < factor < LARGEST_FACTOR:
            raise ValueError(f"it is {factor:g} times {FLUX_UNIT}")
    except (u.UnitsError, ValueError, TypeError, ArithmeticError) as problem:
        raise ValueError(
            f"{path} has BUNIT = {str(text)!r}, which cannot be converted to {FLUX_UNIT} per pixel: want a unit of "
            "flux density such as '10 nJy', 'uJy' or 'MJy/sr'; convert the image, or correct its header"
        ) from problem
    return factor


def _convert(unit, wcs):
    pixel = u.Unit(proj_plane_pixel_area(wcs) * u.deg**2)
    per_pixel = next((whole for whole in (unit, unit * u.pix, unit * pixel) if whole.is_equivalent(FLUX_UNIT)), unit)
    return per_pixel.to(FLUX_UNIT)
