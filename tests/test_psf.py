import numpy as np
import pytest
from conftest import pixel_seds
from scipy.special import ndtr

from helper_functions.psf import (
    PSF_FWHM,
    contamination_matrix,
    convolve_full,
    convolve_same,
    encircled_energy,
    make_psf,
    measure_fwhm,
    psf_area_pixels,
    resample_psf,
)


def test_area_by_hand():
    assert psf_area_pixels(0.04) == pytest.approx(np.pi / 4 * 3.5**2)
    assert psf_area_pixels(0.03) == pytest.approx(np.pi / 4 * (14 / 3) ** 2)
    assert psf_area_pixels(0.2, fwhm=0.7) == pytest.approx(psf_area_pixels(0.04))


@pytest.mark.parametrize("pixel", [0.02, 0.03, 0.06])
def test_the_psf_has_its_width_on_pixels_of_any_size(pixel):
    """Light within 0.14 arcsec of the middle: the same to what the edges of pixels are worth, and 1 in all."""

    def enclosed(side):
        psf = make_psf(pixel=side)
        y, x = (np.indices(psf.shape) - psf.shape[0] // 2) * side
        assert psf.sum() == pytest.approx(1)
        return psf[np.hypot(x, y) <= 0.14].sum()

    assert enclosed(pixel) == pytest.approx(enclosed(0.005), abs=0.1)


def test_light_is_blended_by_the_psf_of_the_survey():
    """A PSF that is twice as wide on pixels twice as wide blends the same, on the same pixels more."""
    rows, cols = np.divmod(np.arange(200), 20)
    labels = np.where(cols < 10, 1, 2)
    seds = pixel_seds(np.ones((200, 3)), np.full((200, 3), 0.1), rows=rows, cols=cols)
    plain = contamination_matrix(seds, labels)
    scaled = contamination_matrix(seds._replace(pixel=2 * seds.pixel, psf_fwhm=2 * PSF_FWHM), labels)
    np.testing.assert_allclose(scaled, plain, rtol=1e-12)
    assert contamination_matrix(seds._replace(psf_fwhm=2 * PSF_FWHM), labels)[0, 1] > 1.5 * plain[0, 1]


def halves():
    """Even light in two halves of a square side by side, and which is which."""
    rows, cols = np.divmod(np.arange(400), 20)
    return pixel_seds(np.ones((400, 3)), np.full((400, 3), 0.1), rows=rows, cols=cols), np.where(cols < 10, 1, 2)


def test_light_is_blended_by_the_image_of_the_psf():
    """A Gaussian moves light across the border as its integral says, whatever the FWHM is said to be."""
    seds, labels = halves()
    side, sigma = np.arange(-37, 38), 0.165 / 0.04 / 2.3548
    psf = np.exp(-(side[:, None] ** 2 + side**2) / (2 * sigma**2))
    found = contamination_matrix(seds._replace(psf=psf / psf.sum(), psf_fwhm=9.0), labels)
    bounds = np.arange(-20, 21) - 0.5
    share = np.diff(ndtr(bounds / sigma))  # of a column's light that gets as many columns away
    columns = np.arange(10)
    within, across = (share[(columns[:, None] - columns + 20 + away)].sum() for away in (0, 10))
    # 3%: the Gaussian at the middle of a pixel is not its mean over the pixel.
    assert found[0, 1] == pytest.approx(across / (within + across), rel=0.03)
    np.testing.assert_allclose(found, found.T, rtol=1e-9)


def test_the_image_of_the_model_blends_as_the_model():
    seds, labels = halves()
    np.testing.assert_allclose(
        contamination_matrix(seds._replace(psf=make_psf()), labels), contamination_matrix(seds, labels)
    )


@pytest.mark.parametrize("size", [1, 3, 21])
def test_a_psf_of_one_pixel_blends_nothing(size):
    seds, labels = halves()
    point = np.zeros((size, size))
    point[size // 2, size // 2] = 1
    np.testing.assert_allclose(
        contamination_matrix(seds._replace(psf=resample_psf(point, 0.04, 0.04)), labels), np.eye(2), atol=1e-12
    )
    assert measure_fwhm(point, 0.04) == pytest.approx(0.04, rel=0.3)  # splines make it as wide as 1.2 pixels


@pytest.mark.parametrize("fwhm", [0.1, 0.165, 0.7])
def test_the_width_of_a_gaussian_is_measured(fwhm):
    y = (np.arange(101) - 50) * 0.04
    psf = np.exp(-4 * np.log(2) * (y[:, None] ** 2 + y**2) / fwhm**2)
    assert measure_fwhm(psf, 0.04) == pytest.approx(fwhm, rel=0.02)  # of splines through 2.5 pixels


def test_encircled_energy_of_a_gaussian_is_the_formula():
    side, sigma, radii = (np.arange(121) - 60) * 0.03, 0.08, np.array([0.04, 0.06, 0.1, 0.2, 0.5])
    psf = np.exp(-(side[:, None] ** 2 + side**2) / (2 * sigma**2))
    expected = 1 - np.exp(-(radii**2) / (2 * sigma**2))
    # 0.003: the edges of circles are seen to a tenth of a pixel.
    np.testing.assert_allclose(encircled_energy(psf, 0.03, radii), expected, atol=0.003)


def test_the_model_encloses_what_its_comment_says():
    found = encircled_energy(make_psf(pixel=0.02), 0.02, [0.1, 0.3, 0.5])
    np.testing.assert_allclose(found, [0.55, 0.85, 0.91], atol=0.02)


def test_convolutions_are_those_of_scipy_signal():
    from scipy.signal import fftconvolve

    rng = np.random.default_rng(3)
    for shape, size in (((12, 17), (5, 5)), ((9, 8), (4, 7))):
        image, kernel = rng.normal(size=shape), rng.normal(size=size)
        np.testing.assert_allclose(convolve_full(image, kernel), fftconvolve(image, kernel), atol=1e-12)
        np.testing.assert_allclose(convolve_same(image, kernel), fftconvolve(image, kernel, mode="same"), atol=1e-12)
