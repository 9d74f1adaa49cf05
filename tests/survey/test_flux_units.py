import numpy as np
import pytest
from astropy.io.fits.card import Undefined
from conftest import celestial_wcs

from helper_functions.survey.flux_units import calibration, electrons_in, unit_factor

STERADIAN_PER_PIXEL = np.radians(0.04 / 3600) ** 2  # pixels of 40 mas


@pytest.mark.parametrize(
    ("bunit", "factor"),
    [
        ("10 nJy", 1),
        ("10.0*nanoJansky", 1),
        ("10.0*nJy", 1),
        ("1e-8 Jy", 1),
        (" nJy ", 0.1),
        ("nJy/pixel", 0.1),
        ("uJy", 100),
        ("MJy/sr", 1e14 * STERADIAN_PER_PIXEL),
        ("uJy/arcsec2", 100 * 0.04**2),
        ("W m-2 Hz-1", 1e34),  # 1 Jy is 1e-26 of it
        ("erg/s/cm2/Hz", 1e31),
        (None, 1),
        ("", 1),
        (Undefined(), 1),
    ],
)
def test_units_by_hand(bunit, factor):
    found = unit_factor(bunit, celestial_wcs(), "image.fits")
    assert found == pytest.approx(factor, rel=1e-9)
    assert factor != 1 or found == 1  # not nearly: these pixels must not change


@pytest.mark.parametrize(
    "bunit", ["electron/s", "gibberish", "mag(AB)", "1", "erg/s/cm2/AA", "Jy/beam", "-1 nJy", "0 nJy", "1e200 Jy", 5]
)
def test_what_is_no_flux_density_is_refused(bunit):
    with pytest.raises(ValueError, match=rf"image\.fits has BUNIT = '.*{str(bunit)[:2]}.*', which cannot be converted"):
        unit_factor(bunit, celestial_wcs(), "image.fits")


HST = {"PHOTFLAM": 7.862481e-20, "PHOTPLAM": 5921.0}  # of ACS F606W
# -2.5 log(PHOTFLAM) - 5 log(PHOTPLAM) - 2.408, as the ACS Data Handbook has it: 26.49.
HST_ZERO_POINT = -2.5 * np.log10(HST["PHOTFLAM"]) - 5 * np.log10(HST["PHOTPLAM"]) - 2.408

HST_JANSKY = HST["PHOTFLAM"] * HST["PHOTPLAM"] ** 2 / 2.99792458e18 * 1e23  # F_nu = F_lambda lambda^2 / c


@pytest.mark.parametrize(
    ("bunit", "known", "zero_point"),
    [
        ("electron/s", {"header": HST}, HST_ZERO_POINT),
        ("ELECTRONS/S", {"header": HST}, HST_ZERO_POINT),
        ("electron/s", {"header": {"PHOTFNU": HST_JANSKY}}, HST_ZERO_POINT),
        ("counts/s", {"header": {"PHOTFNU": 3631.0}}, 0.0),  # Jy, the flux density of magnitude 0
        ("counts/s", {"header": HST | {"PHOTFNU": 1.02 * HST_JANSKY}}, HST_ZERO_POINT),
        ("counts/s", {"header": {"PHOTFNU": 0.0, "ABZP": 27.5}}, 27.5),
        ("cps", {"header": HST | {"ABMAGZP": HST_ZERO_POINT}}, HST_ZERO_POINT),  # they agree
        ("adu", {"header": {"ZP": 25.0}, "zero_point": "ZP"}, 25.0),
        ("DN s-1", {"header": {"ZP": 25.0}, "zero_point": 26.0}, 26.0),
        ("e-/s", {"header": {"ABZP": "27.5"}}, 27.5),
        (None, {"header": {"ZPAB": 30.0}, "unit": ""}, 30.0),
        (None, {"unit": "", "zero_point": 28.9}, 28.9),
    ],
)
def test_counts_have_zero_points(bunit, known, zero_point):
    # 28.9 is that of 10 nJy to 1e-4: 8.9 + 20. The handbook's constant has four digits.
    found = unit_factor(bunit, celestial_wcs(), "image.fits", **known)
    assert found == pytest.approx(10 ** (0.4 * (28.9 - zero_point)), rel=1e-3)


@pytest.mark.parametrize(
    ("bunit", "known", "message"),
    [
        (None, {"unit": ""}, r"image\.fits has no BUNIT: want a unit of flux density"),
        (
            "electron",
            {"header": HST},
            r"BUNIT = 'electron', which cannot .* \(its header has PHOTFLAM",
        ),
        ("electron", {"header": {"PHOTFNU": 3.6e-8}}, r"which cannot .* \(its header has PHOTFNU = 3.6e-08"),
        ("electron/s", {"header": {"PHOTFNU": 0.0}}, r"which cannot .* \(its header has PHOTFNU = 0.0"),
        ("counts/s", {"header": {"PHOTFNU": 3631.0, "ABZP": 25.0}}, "contradicts itself: .* by PHOTFNU"),
        ("electron/s", {"header": {"MAGZPT": 25.0}}, r"its header has MAGZPT = 25.0"),  # AB or Vega?
        ("electron/s", {"header": {"ABZP": 0.0}}, r"image\.fits has ABZP = 0.0 in its header: want a positive number"),
        (
            "electron/s",
            {"header": HST, "zero_point": 26.0},
            "image.fits contradicts itself: .* by zero_point in data",
        ),
        (None, {"header": {"ABZP": 25.0}}, "image.fits contradicts itself: .* 1 by unit in data_paths.py"),
        ("mag", {"header": {"ABZP": 25.0}}, "BUNIT = 'mag', which cannot be converted"),
        (None, {"unit": "electron/s"}, r"data_paths\.py has BUNIT = 'electron/s', which cannot be converted"),
    ],
)
def test_what_is_not_calibrated_or_contradicts_itself_is_refused(bunit, known, message):
    with pytest.raises(ValueError, match=message):
        unit_factor(bunit, celestial_wcs(), "image.fits", **known)


@pytest.mark.parametrize(
    ("bunit", "known", "assumed"),
    [
        ("nJy", {"unit": "uJy"}, ""),
        (None, {"unit": "uJy"}, "uJy"),
        (None, {"unit": "uJy", "header": {"ABZP": 23.9}}, ""),  # that of uJy
        ("counts/s", {"zero_point": 28.9}, "AB zero point 28.9"),
        ("counts/s", {"zero_point": "ZP", "header": {"ZP": 25.0}}, ""),
        ("electron/s", {"zero_point": HST_ZERO_POINT, "header": HST}, ""),
    ],
)
def test_what_no_header_states_is_assumed(bunit, known, assumed):
    assert calibration(bunit, celestial_wcs(), "image.fits", **known)[1] == assumed


# ---- electrons --------------------------------------------------------------


@pytest.mark.parametrize(
    ("bunit", "header", "electrons"),
    [
        ("electrons", {}, 1),
        ("ELECTRONS/S", {"EXPTIME": 500.0, "CCDGAIN": 2.0}, 500),  # these are electrons already
        ("e-/s", {}, np.nan),  # for how long nobody says
        ("e-/s", {"EXPTIME": 0.0}, np.nan),
        ("e-/s", {"EXPTIME": "unknown", "EXPOSURE": 20.0}, 20),
        ("cps", {"EXPTIME": 500.0}, 500),
        ("counts/s", {"EXPTIME": "500", "CCDGAIN": 2.0}, 1000),
        ("counts", {"GAIN": 1.5, "CCDGAIN": 2.0, "EXPTIME": 500.0}, 1.5),
        ("DN/s", {"EXPTIME": 500.0}, np.nan),  # how many electrons a number is nobody says
        ("DN/s", {"EXPTIME": 500.0, "GAIN": 4.0}, 2000),
        ("adu", {"GAIN": 4.0}, 4),
        ("MJy/sr", {"EXPTIME": 500.0, "GAIN": 4.0}, np.nan),  # the gain is of counts that are no more
        ("10 nJy", {}, np.nan),
        (None, {"EXPTIME": 500.0}, np.nan),
        (Undefined(), {"EXPTIME": 500.0}, np.nan),
    ],
)
def test_electrons_by_hand(bunit, header, electrons):
    assert electrons_in(bunit, header) == pytest.approx(electrons, nan_ok=True)
