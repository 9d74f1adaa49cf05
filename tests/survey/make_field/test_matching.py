"""Sources are Gaussians, whose convolutions are known, and noise is white."""

import errno
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from small_mosaics import NOISE, SKY, point, wcs_of, write_mosaic

pytest.importorskip("photutils", reason="make_field needs photutils")
pytest.importorskip("reproject", reason="make_field needs reproject")

from data_paths import new_image_path
from helper_functions.files.saving import DiskFull
from helper_functions.simulation.simulated_galaxy import smoothed_noise
from helper_functions.survey.make_field import layout
from helper_functions.survey.make_field.inputs import BandFiles, open_images
from helper_functions.survey.make_field.kernels import matching_kernel
from helper_functions.survey.make_field.layout import fingerprint, is_made, write_band
from helper_functions.survey.make_field.matching import (
    SPLINE_HOLE,
    Grid,
    Matching,
    convolve_with_errors,
    matched_tile,
    overlaps,
)
from helper_functions.survey.make_field.noise import correlation_area_after, sky_correlation, variance_factor
from helper_functions.survey.make_field.psfs import make_band_psf, sky_matrix

SHAPE = (160, 150)
GRID = Grid(wcs_of(SHAPE), SHAPE)
SHARP, WIDE = 0.08, 0.16  # arcsec, FWHM


def rng():
    """Noise, as pixels that are all alike are taken for pixels without data."""
    return np.random.default_rng(3)


def opened(folder, band="f200w"):
    return open_images(BandFiles(band, folder / f"{band}_sci.fits", folder / f"{band}_wht.fits", None), "wht")


def gaussian_psf(fwhm, pixel=0.04):
    shape = (101, 101)
    wcs = wcs_of(shape, pixel)
    return make_band_psf(point(wcs, shape, fwhm, pixel=pixel), sky_matrix(wcs))


def kernel_for(wcs, reach=0.5):
    """From the sharp PSF to the wide one, on the pixels of a mosaic."""
    return matching_kernel(gaussian_psf(SHARP, 0.02), gaussian_psf(WIDE), sky_matrix(wcs), 1.0, reach)[0]


def whole(shape=SHAPE):
    return tuple(slice(0, size) for size in shape)


@pytest.fixture
def rotated(tmp_path):
    """A mosaic of 20 mas pixels, rotated, with a source that lies a bit off the middle, noise and a hole."""
    shape, place = (500, 480), (SKY[0] + 0.3 / 3600, SKY[1])
    wcs = wcs_of(shape, 0.02, 25.0, (0.3, 0.2))
    holes = (slice(300, 304), slice(100, 104))
    write_mosaic(tmp_path, "f200w", point(wcs, shape, SHARP, place, 0.02), wcs, 1e-5, rng(), holes=holes)
    return Matching(opened(tmp_path), GRID, kernel_for(wcs)), place


def test_tiles_are_the_same_as_the_whole(rotated):
    """To 1e-6 of the peak, far below any noise."""
    matching, _ = rotated
    flux, variance = matched_tile(matching, whole())
    parts = np.full((2, *SHAPE), np.nan)
    for top in range(0, SHAPE[0], 64):
        for left in range(0, SHAPE[1], 50):
            window = slice(top, min(top + 64, SHAPE[0])), slice(left, left + 50)
            parts[:, *window] = matched_tile(matching, window)
    np.testing.assert_array_equal(np.isfinite(parts[0]), np.isfinite(flux))
    np.testing.assert_allclose(parts[0], flux, atol=1e-6 * np.nanmax(flux))
    np.testing.assert_allclose(parts[1], variance, rtol=1e-6)


def test_a_source_keeps_its_flux_and_gets_the_target_psf_on_other_pixels(rotated):
    matching, place = rotated
    flux, _ = matched_tile(matching, whole())
    truth = point(GRID.wcs, SHAPE, WIDE, place)
    near = np.s_[60:100, 50:100]
    assert np.abs(flux - truth)[near].max() < 0.01 * truth.max()  # what the kernel cuts off
    assert flux[near].sum() == pytest.approx(1, abs=0.005)
    unmatched, _ = matched_tile(matching._replace(kernel=None), whole())
    assert np.abs(unmatched - truth)[near].max() > 0.5 * truth.max()


def test_a_band_that_lies_off_is_moved_back(tmp_path):
    """It is sampled where its sources are: by a shift along rows and columns, in pixels of the grid."""
    write_mosaic(tmp_path, "f200w", point(wcs_of(SHAPE, off=(0.4, -0.3)), SHAPE, WIDE), GRID.wcs, 1e-6, rng())
    moved, _ = matched_tile(Matching(opened(tmp_path), GRID, None, shift=(-0.3, 0.4)), whole())
    truth = point(GRID.wcs, SHAPE, WIDE)
    assert np.abs(moved - truth)[60:100, 50:100].max() < 1e-3 * truth.max()
    left, _ = matched_tile(Matching(opened(tmp_path), GRID, None), whole())
    assert np.abs(left - truth)[60:100, 50:100].max() > 0.1 * truth.max()


def test_holes_grow_by_the_kernel_and_are_never_filled():
    flux, variance = np.full((2, 31, 31), 2.0)
    flux[15, 15] = np.nan
    y, x = np.mgrid[-4:5, -4:5]
    kernel = np.where(np.hypot(y, x) <= 4, 1.0, 0)
    kernel /= kernel.sum()
    _, found = convolve_with_errors(flux, variance, kernel, 4)
    y, x = np.mgrid[-15:16, -15:16]
    inside = (np.abs(y) < 11) & (np.abs(x) < 11)  # farther out the image itself ends
    np.testing.assert_array_equal(np.isnan(found)[inside], (np.hypot(y, x) <= 4)[inside])
    np.testing.assert_allclose(found[inside & (np.hypot(y, x) > 4)], 2 * np.sum(kernel**2))


def test_pixels_beyond_the_mosaic_have_no_data(tmp_path):
    small = (80, 70)
    write_mosaic(tmp_path, "f200w", np.ones(small), wcs_of(small), rng=rng())
    flux, variance = matched_tile(Matching(opened(tmp_path), GRID, None), whole())
    edge = SPLINE_HOLE + 1  # pixels of the grid and the mosaic lie on each other but for rounding
    assert np.isfinite(flux[40 + edge : 120 - edge, 40 + edge : 110 - edge]).all()
    np.testing.assert_array_equal(np.isfinite(flux), np.isfinite(variance))
    flux[40 + SPLINE_HOLE : 120 - SPLINE_HOLE, 40 + SPLINE_HOLE : 110 - SPLINE_HOLE] = np.nan
    assert np.isnan(flux).all()


@pytest.mark.parametrize("unit", ["nJy", "uJy", "MJy/sr"])
def test_units_differ_and_fluxes_do_not(tmp_path, unit):
    factor = {"nJy": 10, "uJy": 0.01, "MJy/sr": 1e-14 / np.radians(0.04 / 3600) ** 2}[unit]
    light = point(GRID.wcs, SHAPE, WIDE)
    light = light + rng().normal(0, 1e-3, SHAPE)
    write_mosaic(tmp_path, "f200w", factor * light, GRID.wcs, NOISE * factor, unit=unit)
    flux, variance = matched_tile(Matching(opened(tmp_path), GRID, None), whole())
    here = np.abs(light) > 1e-4
    np.testing.assert_allclose(flux[here], light[here], rtol=1e-5)
    np.testing.assert_allclose(variance[here], NOISE**2, rtol=1e-5)


def test_another_part_of_the_sky_does_not_overlap(tmp_path):
    write_mosaic(tmp_path, "f200w", np.zeros(SHAPE), wcs_of(SHAPE, off=(140, 0)))
    write_mosaic(tmp_path, "f277w", np.zeros(SHAPE), wcs_of(SHAPE, off=(200, 0)))
    assert overlaps(opened(tmp_path), GRID)
    assert not overlaps(opened(tmp_path, "f277w"), GRID)


@pytest.mark.parametrize("drizzled", [0.0, 0.6])
def test_stated_noise_is_that_of_the_pixels(tmp_path, drizzled):
    """To 8%: the scatter of 100 independent patches; the correlation of the mosaic's noise is worth a factor of 1.5."""
    shape = 400, 400
    noise = smoothed_noise(1.5 * NOISE, drizzled, shape, rng()) if drizzled else rng().normal(0, 1.5 * NOISE, shape)
    wcs = wcs_of(shape)
    write_mosaic(tmp_path, "f200w", noise, wcs, NOISE)
    images, kernel = opened(tmp_path), kernel_for(wcs)
    scale, correlation = sky_correlation(images)
    assert scale == pytest.approx(1.5, rel=0.05)
    factor = variance_factor(scale, correlation, kernel)
    flux, variance = matched_tile(Matching(images, Grid(wcs, shape), kernel, factor), whole(shape))
    data = np.isfinite(flux)
    assert np.std(flux[data] / np.sqrt(variance[data])) == pytest.approx(1, abs=0.08)
    if drizzled:
        assert factor > 2 * scale**2  # what white noise would not need
    area = correlation_area_after(correlation, kernel, 1.0)
    own = correlation_area_after(correlation, None, 1.0)
    assert own == pytest.approx(1.0 if not drizzled else 4 * np.pi * drizzled**2, rel=0.3)
    assert area > 3 * own


def test_the_header_says_if_the_unit_was_assumed(tmp_path):
    write_mosaic(tmp_path, "f200w", point(GRID.wcs, SHAPE, WIDE), GRID.wcs, rng=rng())
    images = opened(tmp_path, "f200w")
    for assumed, comment in (("", ""), ("uJy", "of an image assumed to be in uJy")):
        field = tmp_path / f"field {assumed}"
        write_band(field, Matching(images._replace(sci=images.sci._replace(assumed_unit=assumed)), GRID, None), [])
        assert fits.getheader(new_image_path(field, "f200w", "sci")).comments["BUNIT"] == comment


def test_a_disk_that_fills_up_leaves_nothing_half_and_what_was_made(tmp_path, monkeypatch):
    write_mosaic(tmp_path, "f200w", point(GRID.wcs, SHAPE, WIDE), GRID.wcs, rng=rng())
    write_mosaic(tmp_path, "f277w", point(GRID.wcs, SHAPE, WIDE), GRID.wcs, rng=rng())
    first, second = (Matching(opened(tmp_path, band), GRID, None) for band in ("f200w", "f277w"))
    field = tmp_path / "field"
    assert write_band(field, first, [("PSFTARG", "f444w", "")])
    assert fits.getheader(new_image_path(field, "f200w", "sci"))["PSFTARG"] == "f444w"
    with monkeypatch.context() as patch:

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(layout, "matched_tile", full)
        with pytest.raises(DiskFull, match="free some space, and run the same command again"):
            write_band(field, second, [])
        assert not write_band(field, first, [])  # nothing is made again
    assert sorted(path.name for path in field.rglob("*") if "f277w" in path.name) == []
    assert write_band(field, second, [])
    flux, variance = matched_tile(second, whole())
    np.testing.assert_allclose(fits.getdata(new_image_path(field, "f277w", "sci")), flux, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        fits.getdata(new_image_path(field, "f277w", "wht")), np.nan_to_num(1 / variance), rtol=1e-5
    )


def test_images_are_made_again_where_something_changed(tmp_path):
    write_mosaic(tmp_path, "f200w", point(GRID.wcs, SHAPE, WIDE), GRID.wcs, rng=rng())
    matching, field = Matching(opened(tmp_path), GRID, None), tmp_path / "field"
    write_band(field, matching, [])
    made_of = fingerprint(matching)
    assert is_made(field, "f200w", made_of)
    changed = [matching._replace(shift=(0.1, 0.0)), matching._replace(noise=2.0), matching._replace(kernel=np.eye(3))]
    assert len({made_of, *map(fingerprint, changed)}) == 4
    write_mosaic(tmp_path, "f200w", point(GRID.wcs, SHAPE, SHARP), GRID.wcs, rng=rng())
    assert fingerprint(matching) != made_of
    path = Path(new_image_path(field, "f200w", "wht"))
    path.write_bytes(path.read_bytes()[:-3000])
    assert not is_made(field, "f200w", made_of)
