"""Conversion of the units of images to 10 nJy per pixel, by their headers or the description of the survey."""

import re
import warnings

import numpy as np
from astropy import units as u
from astropy.io.fits.card import Undefined
from astropy.wcs.utils import proj_plane_pixel_area

from helper_functions.sky_noise import band_list

FLUX_UNIT = u.Unit(10 * u.nJy)  # the survey's: AB zero point 28.9
LARGEST_FACTOR = 1e100  # and inverse of the smallest; its square is finite
SAME = 1e-12  # a factor closer to 1 differs by rounding, and is set to 1
MAX_DIFFERENCE = 0.01  # largest relative difference of two calibrations of an image: beyond it, one is wrong
AB_KEYWORDS = ("ABMAGZP", "ABZP", "ZPAB")  # of AB zero points
GIVEN_ZERO_POINT = "zero_point in data_paths.py"
GAIN_KEYWORDS = "GAIN", "CCDGAIN"  # electrons per count
EXPOSURE_KEYWORDS = "EXPTIME", "EXPOSURE", "TEXPTIME"  # seconds
# BUNIT of images in electrons, data numbers or counts, which may be rates per second.
COUNTS = re.compile(
    r"((?P<electron>e-?|electrons?)|(?P<number>dn|adu)|counts?|cts?)"
    r"(?P<rate> ?/ ?s(ec)?|[ .*]?s(\^|\*\*)?\(?-1\)?)?|(?P<cps>cps)"
)


def unit_factor(bunit, wcs, path, **known):
    """Factor that converts pixels of an image to 10 nJy per pixel, see `calibration`."""
    return calibration(bunit, wcs, path, **known)[0]


def calibration(bunit, wcs, path, *, header=None, unit=FLUX_UNIT, zero_point=None):
    """Factor that converts pixels of an image to 10 nJy per pixel, and whether it is assumed.

    Parameters
    ----------
    bunit : str or None
        BUNIT of the image: a flux density per pixel or per solid angle; or counts.
    wcs : WCS
        From which the area of a pixel is taken.
    path : path
        Of the image, for messages.
    header : mapping or None
        With the zero point of counts, or PHOTFLAM and PHOTPLAM, or PHOTFNU.
    unit : str or Unit
        Unit of an image without BUNIT. Empty: not known.
    zero_point : float, str or None
        AB magnitude of one count, or the header keyword for it.

    Returns
    -------
    factor : float
    assumed : str
        The unit or zero point that is given by the description of the survey only; "" if the header has one.

    Raises
    ------
    ValueError
        Where the unit cannot be converted, or two calibrations contradict each other.
    """
    header = {} if header is None else header
    text = "" if bunit is None or isinstance(bunit, Undefined) else str(bunit).strip()
    counts = COUNTS.fullmatch(text.lower())
    if text and not counts:
        return _rounded(_flux_density(text, wcs, path)), ""
    found = _zero_points(header, zero_point, path)
    if counts and (counts["rate"] or counts["cps"]):
        found |= _inverse_sensitivity(header, path)
    is_stated = bool(found.keys() - {GIVEN_ZERO_POINT})
    if not text and unit:
        found["unit in data_paths.py"] = _flux_density(unit, wcs, "data_paths.py")
    values = list(found.values())
    if not values:
        what = f"BUNIT = {text!r}, which cannot be converted to {FLUX_UNIT} per pixel: " if text else "no BUNIT: "
        raise ValueError(
            f"{path} has {what}want a unit of flux density such as '10 nJy', 'uJy' or 'MJy/sr', or an AB zero point; "
            f"correct the header, or set unit or zero_point of the survey in data_paths.py{_zero_point_hint(header)}"
        )
    if max(values) > (1 + MAX_DIFFERENCE) * min(values):
        said = ", ".join(f"{value:.4g} by {name}" for name, value in found.items())
        raise ValueError(
            f"{path} contradicts itself: one unit of its pixels is so many times {FLUX_UNIT}: {said}; "
            "correct the header, or unit or zero_point of the survey in data_paths.py"
        )
    given = f"AB zero point {zero_point:g}" if GIVEN_ZERO_POINT in found else str(unit)
    return _rounded(values[0]), "" if is_stated else given


def assumed_units_note(bands, images):
    """A sentence on the units that headers do not state, "" where all do.

    Parameters
    ----------
    bands : sequence of str
    images : sequence of Mosaic
    """
    some = np.array([bool(image.assumed_unit) for image in images])
    if not some.any():
        return ""
    units = " and ".join(dict.fromkeys(image.assumed_unit for image in images if image.assumed_unit))
    where = band_list(bands, some, np.ones(len(bands)))
    return f"unit of fluxes assumed by data_paths.py, as headers do not state it: {units} in {where}"


def electrons_in(bunit, header):
    """Number of electrons in one unit of an image, by its header; NaN where the header does not state it.

    It is unknown for images of flux density, and for data numbers without a gain. Counts without a gain are assumed to
    be electrons, as in drizzled images.

    Parameters
    ----------
    bunit : str or None
        BUNIT of the image.
    header : mapping
        With the gain of counts, and the exposure time of rates.
    """
    counts = COUNTS.fullmatch(str(bunit or "").strip().lower())
    if not counts:
        return np.nan
    gain = 1.0 if counts["electron"] else _first(header, GAIN_KEYWORDS, np.nan if counts["number"] else 1.0)
    return gain * (_first(header, EXPOSURE_KEYWORDS, np.nan) if counts["rate"] or counts["cps"] else 1.0)


def _first(header, names, otherwise):
    """The value of the first of these keywords with a positive number; `otherwise` where there is none."""
    for name in (name for name in names if name in header):
        try:
            return _number(header, name, "")
        except ValueError:
            continue  # the number of electrons is optional: an image is not refused for it
    return otherwise


def _rounded(factor):
    return 1.0 if np.isclose(factor, 1, rtol=SAME, atol=0) else float(factor)


def _zero_points(header, zero_point, path):
    """One count in units of 10 nJy for each known AB zero point, {name: value}."""
    keywords = [*AB_KEYWORDS, zero_point] if isinstance(zero_point, str) else AB_KEYWORDS
    known = {name: _number(header, name, path) for name in keywords if name in header}
    if zero_point is not None and not isinstance(zero_point, str):
        known[GIVEN_ZERO_POINT] = float(zero_point)
    return {name: (magnitude * u.ABmag).to_value(FLUX_UNIT) for name, magnitude in known.items()}


def _inverse_sensitivity(header, path):
    """One count per second in units of 10 nJy by PHOTFLAM or else PHOTFNU of a Hubble image, {name: value}, or empty.

    PHOTFNU, in Jy, is a mean of F_nu over the band, and PHOTFLAM one of F_lambda (NICMOS Data Handbook, photometric
    calibration), so that they need not agree to MAX_DIFFERENCE.
    """
    if not ("PHOTFLAM" in header and "PHOTPLAM" in header):
        jansky = _first(header, ["PHOTFNU"], None)
        return {"PHOTFNU": (jansky * u.Jy).to_value(FLUX_UNIT)} if jansky else {}
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


def _zero_point_hint(header):
    """Text on header keywords that look like a zero point, though perhaps not an AB one."""
    known = [f"{name} = {header[name]}" for name in header if re.search("ZP|ZERO|PHOTFLAM|PHOTFNU", name)]
    return f" (its header has {', '.join(known)})" if known else ""


def _flux_density(text, wcs, path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # about units such as erg/s/cm2/Hz, read correctly
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
