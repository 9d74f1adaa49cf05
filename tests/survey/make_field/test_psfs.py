"""PSFs are Gaussians, whose widths add in quadrature."""

import os
import re

import numpy as np
import pytest
from astropy.table import Table
from small_mosaics import point, wcs_of, write_mosaic, write_psf

pytest.importorskip("photutils", reason="make_field needs photutils")

from helper_functions.simulation.star_psfs import STAR_PIXEL, read_star_psfs
from helper_functions.survey.make_field.inputs import BandFiles, open_images
from helper_functions.survey.make_field.kernels import (
    MOST_RESIDUAL,
    check_verdicts,
    choose_target,
    common_radius,
    matching_kernel,
)
from helper_functions.survey.make_field.psfs import make_band_psf, on_pixels, read_band_psf, sky_matrix
from helper_functions.survey.make_field.stars import psf_from_stars
from plots.psf_matching import psf_matching_page

REAL_STARS = os.environ.get("STAR_PSFS", "")  # before the tests take it out of their environment
SHAPE = (81, 81)
WCS = wcs_of(SHAPE)


def gaussian(fwhm):
    return make_band_psf(point(WCS, SHAPE, fwhm), sky_matrix(WCS))


@pytest.mark.parametrize(
    ("how", "note"),
    [
        ({}, ""),
        ({"norm": 7.3}, "sum 7.3 set to 1"),
        ({"size": 80}, "even number of pixels 80 x 80"),
        ({"shift": (1.4, -0.7)}, r"1\.5\d pixels off centre, recentred"),
        ({"pixel": 0.02, "half": 90}, ""),
        ({"pixel": 0.055}, ""),
    ],
)
def test_psfs_of_any_norm_size_centre_and_sampling_are_the_same(tmp_path, how, note):
    """To 1% of the peak; 4 pixels to the FWHM, of which the coarsest has three."""
    psf = read_band_psf(write_psf(tmp_path, "f444w", 0.16, **how), WCS)
    assert re.fullmatch(note, psf.note)
    truth = on_pixels(gaussian(0.16), sky_matrix(WCS), 1.0)
    found = on_pixels(psf, sky_matrix(WCS), 1.0)
    assert found.sum() == pytest.approx(1)
    assert np.abs(found - truth).max() < 0.01 * truth.max()
    assert psf.fwhm == pytest.approx(0.16, rel=0.02)


def test_a_psf_turns_with_the_pixels():
    """A PSF that is long along the rows of its mosaic is so along the columns of one that is turned by 90 degrees."""
    y, x = np.indices(SHAPE) - 40
    psf = make_band_psf(np.exp(-(y**2) / 8 - x**2 / 32), sky_matrix(WCS))
    turned = on_pixels(psf, sky_matrix(wcs_of(SHAPE, angle=90.0)), 1.0)
    middle = len(turned) // 2
    assert turned[middle + 4, middle] / turned[middle, middle] == pytest.approx(np.exp(-16 / 32), rel=1e-3)
    assert turned[middle, middle + 4] / turned[middle, middle] == pytest.approx(np.exp(-16 / 8), rel=1e-3)


def test_a_kernel_makes_the_psf_that_of_the_target():
    psf, target = gaussian(0.10), gaussian(0.16)
    kernel, verdict = matching_kernel(psf, target, sky_matrix(WCS), common_radius({"a": psf, "b": target}))
    assert kernel.sum() == pytest.approx(1)
    assert verdict.residual < 0.5
    assert verdict.matched_fwhm == pytest.approx(0.16, rel=0.01)
    np.testing.assert_allclose(verdict.energies, 1, atol=0.003)
    for other in (target, gaussian(0.16)):  # what is matched already is not smoothed again
        none, same = matching_kernel(other, target, sky_matrix(WCS), 1.0)
        assert none is None
        assert (same.residual, same.noise) == (0, 1)


def test_what_cannot_be_matched_is_refused():
    psf, target = gaussian(0.20), gaussian(0.12)  # deconvolved, which a kernel can only do in part
    _, verdict = matching_kernel(psf, target, sky_matrix(WCS), 1.0)
    assert verdict.residual > MOST_RESIDUAL
    with pytest.raises(ValueError, match=r"more than 10% of the peak from that of f200w: f444w \d+%"):
        check_verdicts({"f444w": verdict}, "f200w", MOST_RESIDUAL)
    check_verdicts({"f444w": verdict}, "f200w", verdict.residual + 1)
    with pytest.raises(ValueError, match="nan%"):
        check_verdicts({"f444w": verdict._replace(residual=np.nan)}, "f200w", MOST_RESIDUAL)


def test_a_psf_that_is_wider_than_the_target_becomes_it_with_a_word():
    psfs = {"f200w": gaussian(0.08), "f444w": gaussian(0.15), "f480m": gaussian(0.17)}
    assert choose_target(psfs) == ("f480m", "")
    target, note = choose_target(psfs, "f444w")
    assert target == "f480m"
    assert "f480m, 0.170 arcsec, is wider than that of f444w, 0.151: all bands are matched to f480m" in note
    with pytest.raises(ValueError, match="no band f356w to match the others to: there are f200w, f444w, f480m"):
        choose_target(psfs, "f356w")


@pytest.mark.skipif(not REAL_STARS, reason="STAR_PSFS names no file of PSFs of stars")
def test_psfs_of_real_stars_are_matched_to_a_percent():
    """At most 0.5% of the peak with a band's own kernel; with one of another place it would be 2 to 10%."""
    stars = read_star_psfs(REAL_STARS)
    place = min(place for _, place in stars)
    psfs = {
        name: make_band_psf(stars[name, place], np.diag([-STAR_PIXEL, STAR_PIXEL]))
        for name in {band for band, _ in stars}
    }
    for band in ("F115W", "F277W", "F356W"):
        assert matching_kernel(psfs[band], psfs["F444W"], psfs[band].pixel_to_sky, 1.5)[1].residual < 0.5, band


# ---- stars ------------------------------------------------------------------


def star_mosaic(folder, n_stars, seed=0):
    """Stars of FWHM 0.15 among three wide galaxies, a flat-topped star, one with a near neighbour, and noise."""
    shape, rng = (400, 400), np.random.default_rng(seed)
    wcs = wcs_of(shape)
    image = np.zeros(shape)

    def add(row, col, flux, fwhm=0.15, top=np.inf):
        sky = wcs.pixel_to_world_values(col, row)
        image[:] += np.minimum(flux * point(wcs, shape, fwhm, sky), top)

    places = [(60 + 85 * (n // 4) + rng.uniform(), 60 + 85 * (n % 4) + rng.uniform()) for n in range(16)]
    for row, col in places[:n_stars]:
        add(row, col, rng.uniform(200, 400))
    for row, col in places[10:13]:
        add(row, col, 600, fwhm=0.4)
    add(*places[13], 3000, top=60.0)
    add(*places[14], 300)
    add(places[14][0] + 12, places[14][1], 200)
    write_mosaic(folder, "f444w", image, wcs, 0.02, rng)
    files = BandFiles("f444w", folder / "f444w_sci.fits", folder / "f444w_wht.fits", None)
    return open_images(files, "wht")


def test_the_psf_is_that_of_the_stars_and_of_nothing_else(tmp_path):
    psf = psf_from_stars(star_mosaic(tmp_path, 8))
    assert psf.n_stars == 8
    truth = on_pixels(gaussian(0.15), sky_matrix(WCS), 1.0)
    assert np.abs(on_pixels(psf, sky_matrix(WCS), 1.0) - truth).max() < 0.01 * truth.max()
    assert psf.fwhm == pytest.approx(0.15, rel=0.01)


def test_a_band_without_stars_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"f444w has \d stars from which its PSF can be measured, want 4"):
        psf_from_stars(star_mosaic(tmp_path, 2))


def test_the_picture_shows_widths_energies_and_residuals():
    energies = {f"ee_{radius:g}": [1.0, 1.01] for radius in (0.1, 0.2)}
    columns = {"band": ["f200w", "f444w"], "psf": ["7 stars", "file"], "fwhm": [0.07, 0.15]}
    columns |= {"matched_fwhm": [0.149, 0.15], "residual": [12.0, 0.0]} | energies
    figure = psf_matching_page(Table(columns, meta={"target": "f444w"}), (0.1, 0.2), 10.0)
    widths, shares, residuals = figure.axes
    assert [line.get_ydata().tolist() for line in widths.lines] == [[0.15], [0.07], [0.149, 0.15]]
    np.testing.assert_allclose(shares.lines[0].get_ydata(), [0, 1])
    assert [bar.get_height() for bar in residuals.patches] == [12, 0]
    assert residuals.lines[0].get_ydata()[0] == 10
