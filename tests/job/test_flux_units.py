import numpy as np
import pytest
from astropy.io.fits.card import Undefined
from conftest import celestial_wcs

from helper_functions.job.flux_units import unit_factor

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
