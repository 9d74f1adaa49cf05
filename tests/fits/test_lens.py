"""Magnification by an isothermal sphere, whose answers are formulas, and by maps that do not give it."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy.integrate import quad

from data_paths import output_path
from helper_functions.files.records import load_record
from helper_functions.fits.lens import NotLensed, inverse_magnification, lens_strength, open_lens
from helper_functions.fits.magnification import RECORD, lensing_table, read_lensing, save_lensing

EINSTEIN = 0.7  # arcsec, radius of the sphere: mu = 1 / (1 - EINSTEIN / theta), kappa = gamma = EINSTEIN / (2 theta)
SHAPE, PIXEL = (130, 130), 0.04


def sky(shape, pixel, angle=0.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], (3.6, -30.4)
    wcs.wcs.crpix = (np.array(shape)[::-1] + 1) / 2
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = pixel / 3600 * np.array([[-cos, sin], [sin, cos]])
    return wcs


def radius(shape, pixel):
    """Arcsec from the middle, which is a corner of four pixels."""
    y, x = np.indices(shape)
    return pixel * np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2)


THETA, GALAXY = radius(SHAPE, PIXEL), sky(SHAPE, PIXEL)
COARSE = radius((80, 80), 0.1)


@pytest.fixture
def lens(tmp_path):
    """`Lens` of maps (ny, nx) with pixels of 0.1 arcsec, turned by 25 degrees."""

    def write(*maps, redshift=None):
        paths = [str(tmp_path / f"map{number}.fits") for number in range(len(maps))]
        for path, values in zip(paths, maps, strict=True):
            fits.PrimaryHDU(values, sky(values.shape, 0.1, 25).to_header()).writeto(path, overwrite=True)
        open_lens.cache_clear()
        return open_lens(tuple(paths), redshift, tmp_path)

    return write


# ---- pixels -----------------------------------------------------------------


def test_a_constant_map_is_that_number(lens):
    found = inverse_magnification(lens(np.full((80, 80), 2.1)), GALAXY, SHAPE, 2.0)
    np.testing.assert_allclose(1 / found, 2.1, rtol=1e-12)


def test_both_kinds_of_maps_give_the_isothermal_sphere_across_its_critical_curve(lens):
    """Bilinear interpolation is off by pixel^2 / 8 times the second derivative in each axis, 2 EINSTEIN / theta^3."""
    truth, far = 1 - EINSTEIN / THETA, THETA > 0.3
    allowed = 0.0025 * 2 * EINSTEIN / THETA[far] ** 3 + 1e-6  # and the gnomonic projection of two images
    kappa = EINSTEIN / (2 * COARSE)
    for maps in ([1 / (1 - EINSTEIN / COARSE)], [kappa, kappa]):
        found = inverse_magnification(lens(*maps), GALAXY, SHAPE, 2.0)
        assert (np.abs(found - truth)[far] < allowed).all()
        assert found[far].min() < 0 < found[far].max()


def test_convergence_and_shear_are_scaled_to_the_redshift_of_the_source(lens):
    def distance(z):  # comoving, in Hubble radii, matter 0.3
        return quad(lambda each: (0.3 * (1 + each) ** 3 + 0.7) ** -0.5, 0, z)[0]

    strength = 1 - distance(0.308) / distance(4.1)
    assert lens_strength(0.308, 4.1) == pytest.approx(strength, rel=1e-3)  # with neutrinos and radiation at 1e-4
    assert (lens_strength(None, 4.1), lens_strength(0.308, 0.3)) == (1, 0)
    kappa, gamma = np.full((80, 80), 0.4), np.full((80, 80), 0.2)
    found = inverse_magnification(lens(kappa, gamma, redshift=0.308), GALAXY, SHAPE, 4.1)
    np.testing.assert_allclose(found, (1 - 0.4 * strength) ** 2 - (0.2 * strength) ** 2, rtol=1e-3)
    with pytest.raises(NotLensed, match="its redshift is not known"):
        inverse_magnification(lens(kappa, gamma, redshift=0.308), GALAXY, SHAPE, np.nan)
    with pytest.raises(ValueError, match="LENS_REDSHIFT scales convergence and shear"):
        lens(kappa, redshift=0.308)


def test_what_a_map_does_not_know_is_nan(lens):
    values = np.full((80, 80), 2.0)
    values[:, :30] = np.nan
    values[40, 60] = 0  # no magnification is 0
    found = inverse_magnification(lens(values), GALAXY, SHAPE, 2.0)
    assert 0.1 < np.isnan(found).mean() < 0.5
    assert found[np.isfinite(found)] == pytest.approx(0.5)
    away = sky(SHAPE, PIXEL)
    for place in ((3.7, -30.4), (183.6, 30.4)):
        away.wcs.crval = place
        assert np.isnan(inverse_magnification(lens(values), away, SHAPE, 2.0)).all()


# ---- regions ----------------------------------------------------------------


def test_areas_and_means_of_regions_are_those_of_the_formula():
    """An annulus from a to b is one from a - EINSTEIN to b - EINSTEIN in the source plane, pixels or not to 1%."""
    inverse, a, b = 1 - EINSTEIN / THETA, 1.2, 2.4
    labels = np.where((a < THETA) & (b > THETA), 1, 0)
    source = np.pi * ((b - EINSTEIN) ** 2 - (a - EINSTEIN) ** 2)
    row = lensing_table({"composite": (labels == 1)[None] * 3.0}, labels, inverse, PIXEL)[0]
    assert row["area_source"] == pytest.approx(source, rel=0.01)
    assert row["mu"] == pytest.approx(np.pi * (b**2 - a**2) / source, rel=0.01)  # of even light
    assert row["mu_low"] == pytest.approx(1 / (1 - EINSTEIN / b), rel=0.02)
    assert row["mu_high"] == pytest.approx(1 / (1 - EINSTEIN / a), rel=0.1)
    assert row["flag"] == ""
    row = lensing_table({"population": np.where(labels == 1, 1 / THETA, np.nan)[None]}, labels, inverse, PIXEL)[0]
    assert row["mu"] == pytest.approx((b - a) / (b - a - EINSTEIN * np.log(b / a)), rel=0.01)  # of light as 1 / theta


def test_flags_say_what_makes_a_magnification_uncertain():
    labels = np.select([THETA < 0.6, THETA < 0.8, THETA < 0.9], [1, 2, 3])
    light = np.array([labels == number for number in (1, 2, 3, 4)]) * 1.0
    light[3] = np.where(THETA > 2, 1.0, np.nan)  # a population that is the brightest nowhere
    found = lensing_table({"population": light}, labels, 1 - EINSTEIN / THETA, PIXEL)
    assert found["flag"][0] == "negative parity"
    assert found["flag"][1].startswith("magnification up to ")
    assert found["flag"][1].endswith(", critical curve")
    assert [found["flag"][number] for number in (2, 3)] == ["", ""]
    assert 1 < found["mu"][3] < 1.6
    assert (found["mu"] > 0).all()


# ---- files ------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Output folder with the label file of run `own` of galaxy 7, with two regions."""
    path = output_path(tmp_path, "labels", run="own", id=7)
    path.parent.mkdir(parents=True)
    labels = np.where(THETA < 1.5, 1 + (THETA < 1.0), 0) * (THETA > 0.8)
    hdus = [fits.PrimaryHDU(labels.astype(np.int16), GALAXY.to_header())]
    hdus += [fits.ImageHDU(np.where(labels > 0, 1.0, np.nan), name=name) for name in ("SIMILARITY", "AMPLITUDE")]
    table = fits.table_to_hdu(Table({"cluster": [1, 2], "region": [1, 2], "n_pixels": [1, 1]}))
    table.name = "REGIONS"
    fits.HDUList([*hdus, table]).writeto(path)
    return tmp_path


def test_tables_and_map_are_saved_once_and_removed_where_the_map_ends(folder, lens):
    table, image = output_path(folder, "lensing", run="own", id=7), output_path(folder, "lensing_map", id=7)
    known = lens(1 / (1 - EINSTEIN / COARSE))
    assert save_lensing(folder, 7, ["own"], known, 2.0) == ""
    inner = read_lensing(folder, "own", 7)[2]
    assert inner[0] == pytest.approx((1.0 - 0.64) / ((1.0 - EINSTEIN) ** 2 - 0.01), rel=0.05)
    with fits.open(image) as hdus:
        shown = hdus["MAGNIFICATION"].data
        assert WCS(hdus["MAGNIFICATION"].header).wcs.crval == pytest.approx((3.6, -30.4))
    assert shown[65, 65 + 10] < -1  # within the critical curve
    before = table.stat().st_mtime_ns
    assert save_lensing(folder, 7, ["own"], known, 2.0) == ""
    assert table.stat().st_mtime_ns == before
    values = 1 / (1 - EINSTEIN / COARSE)
    values[:, :25] = np.nan
    problem = save_lensing(folder, 7, ["own"], lens(values), 2.0)
    assert problem.startswith("the maps have no value in ")
    assert problem.endswith(" selected pixels")
    assert load_record(folder, 7, RECORD)["problem"] == problem
    assert not table.exists()
    assert not image.exists()
    assert read_lensing(folder, "own", 7) is None
