import numpy as np
import pytest
from conftest import celestial_wcs, edit, image_path, pixel_seds

from helper_functions.pixel_seds import (
    Cutout,
    NoPixels,
    brightness_derivatives,
    extract_seds,
    fill_image,
    median_snr,
    no_pixels,
    select_complete,
    select_pixels,
)
from helper_functions.psf import PSF_FWHM
from prepare_images import cut_out, open_survey

IDS = [7]


def test_selected_pixels_are_those_above_the_threshold(survey_folder):
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    snr = median_snr(cutout)
    by_hand = np.median(cutout.sci / cutout.err, axis=0)
    np.testing.assert_allclose(snr, by_hand)
    mask = select_pixels(cutout, snr, 20.0)
    assert (mask == ((cutout.segmap == 7) & (by_hand > 20))).all()
    assert 0 < mask.sum() < (cutout.segmap == 7).sum()


def test_median_snr_counts_only_bands_with_data(survey_folder):
    def hole(pixels):
        pixels[40, 40] = 0
        return pixels

    for band in ("f606w", "f814w", "f115w", "f200w"):
        edit(image_path(survey_folder, band, "wht"), hole)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=0)
    pixel = np.s_[40 - 28, 40 - 28]
    assert np.isnan(cutout.sci[:4][:, *pixel]).all()
    assert median_snr(cutout)[pixel] == pytest.approx(np.mean((cutout.sci / cutout.err)[4:][:, *pixel]))


def test_a_band_without_data_is_dropped_for_the_galaxy(survey_folder):
    edit(image_path(survey_folder, "f814w", "wht"), lambda weight: 0 * weight)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=0)
    seds = extract_seds(cutout, select_pixels(cutout, median_snr(cutout), 3))
    assert seds.bands == ("f606w", "f115w", "f200w", "f277w", "f444w")
    assert seds.flux.shape[1] == len(seds.wavelengths) == 5


def test_complete_block_by_hand():
    flux = np.ones((10, 3))
    flux[:3, 1] = np.nan  # 30% missing: the band goes
    flux[9, 0] = np.nan  # 10% missing: the pixel goes
    pixels, bands = select_complete(flux)
    assert bands.tolist() == [True, False, True]
    assert pixels.tolist() == [True] * 9 + [False]


def test_only_slices_pixels_and_bands_of_everything():
    flux = np.arange(12.0).reshape(4, 3)
    noise = {"correlation": np.array([[1, 0], [1, 0.25], [1, 0.5]]), "derivatives": np.arange(12.0).reshape(4, 3)}
    noise |= {"registration_error": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])}
    seds = pixel_seds(flux, flux + 1, **noise, bands=("f115w", "f200w", "f444w"), redshift=2.0)
    some = seds.only([3, 1], [2, 0])
    assert some.flux.tolist() == [[11, 9], [5, 3]]
    assert (some.error == some.flux + 1).all()
    assert (some.bands, some.noise_area.tolist(), some.redshift) == (("f444w", "f115w"), [5, 1], 2.0)
    assert some.derivatives.tolist() == [[9, 10, 11], [3, 4, 5]]
    assert some.registration_error.tolist() == [[5, 6], [1, 2]]
    assert some.positions.tolist() == [[0, 3], [0, 1]]
    assert some.wavelengths.tolist() == seds.wavelengths[[2, 0]].tolist()
    assert (some.edges == seds.edges[[2, 0]]).all()
    assert (seds.edges[:, 0] < seds.edges[:, 1]).all()
    whole = seds.only()
    assert (whole.flux == seds.flux).all()


def test_no_pixels_says_how_far_from_the_threshold_they_are(survey_folder):
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=0)
    snr = median_snr(cutout)
    problem = no_pixels(cutout, snr, 1e6)
    assert isinstance(problem, NoPixels)
    said = f"0 of 441 pixels exceed a median SNR of 1e+06: the highest has {snr[snr > 0].max():.2f}"
    assert str(problem) == "; ".join([said, *cutout.notes])
    assert str(no_pixels(cutout, np.full(snr.shape, np.nan), 3)).startswith(
        "0 of 441 pixels exceed a median SNR of 3: none of them has data"
    )


def test_images_are_filled_where_the_pixels_are():
    seds = pixel_seds(np.ones((2, 1)), np.ones((2, 1)), rows=np.array([0, 1]), cols=np.array([2, 0]))
    assert fill_image((2, 3), seds, np.array([5, 6]), 0).tolist() == [[0, 0, 5], [6, 0, 0]]


@pytest.mark.parametrize("pixel", [0.02, 0.04])
def test_changes_are_those_of_the_sky_whatever_the_pixels(pixel):
    """A Gaussian galaxy of one shape; smoothed, it is a wider Gaussian, whose derivatives are known."""
    width, wcs = 0.3, celestial_wcs()
    wcs.wcs.cdelt = [-pixel / 3600, pixel / 3600]
    half = round(2.5 / pixel)
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * pixel
    light = np.exp(-(x**2 + y**2) / (2 * width**2))
    sci = np.array([1.0, 2.0])[:, None, None] * light
    bands, segmap = ("f200w", "f444w"), np.ones(light.shape, dtype=int)
    cutout = Cutout(1, 1.0, bands, np.array([2e4, 4e4]), sci, np.ones_like(sci), segmap, (1,), wcs)
    mask = light > 0.5
    found = brightness_derivatives(cutout, mask)
    wide = width**2 + 0.04**2  # after smoothing
    truth = -2 / wide * (width**2 / wide) / light[mask].mean() * 0.04**2
    assert found[half, half, 2] == pytest.approx(truth, rel=0.02)  # of pixels that sample the Gaussian
    steep, wide = round(width / pixel), width**2 + 0.024**2
    y = steep * pixel
    slope = -y / wide * (width**2 / wide) * np.exp(-(y**2) / (2 * wide)) / light[mask].mean() * pixel
    # 4%: pixels of 0.04 arcsec hardly sample the derivative of a Gaussian of 0.024.
    assert found[half + steep, half, 0] == pytest.approx(slope, rel=0.04)
    assert found[half, half - steep, 1] == pytest.approx(-slope, rel=0.04)
    assert abs(found[half + steep, half, 1]) < 1e-6 * abs(slope)
    # Wings of 0.32 arcsec: the Gaussian gets as much wider; at the edge of the frame nothing is left of it.
    wide = width**2 + 0.32**2
    wings = width**2 / wide / light[mask].mean()
    assert found[half, half, 3] == pytest.approx(wings - 1 / light[mask].mean(), rel=0.02)
    slope = -y / wide * wings * np.exp(-(y**2) / (2 * wide)) * pixel
    assert found[half + steep, half, 4] == pytest.approx(slope, rel=0.02)
    assert found[half, half - steep, 5] == pytest.approx(-slope, rel=0.02)


def test_changes_are_the_same_for_pixels_and_a_psf_five_times_as_wide():
    """Then the image has the same pixels: only its scale on the sky differs."""
    light = np.random.default_rng(0).uniform(1, 2, (15, 15))
    mask, found = np.ones(light.shape, dtype=bool), {}
    for pixel, psf_fwhm in ((0.04, PSF_FWHM), (0.2, 5 * PSF_FWHM), (0.2, PSF_FWHM)):
        wcs = celestial_wcs()
        wcs.wcs.cdelt = [-pixel / 3600, pixel / 3600]
        planes = light[None], np.ones((1, 15, 15)), mask.astype(int)
        cutout = Cutout(1, 1.0, ("f200w",), np.array([2e4]), *planes, (1,), wcs, psf_fwhm=psf_fwhm)
        found[pixel, psf_fwhm] = brightness_derivatives(cutout, mask)
    narrow, wide, undersampled = found.values()
    np.testing.assert_allclose(wide, narrow, rtol=1e-9, atol=1e-9)
    assert np.abs(undersampled[..., :2]).max() < 0.1 * np.abs(narrow[..., :2]).max()  # a PSF of a fifth of the width
