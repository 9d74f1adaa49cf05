import numpy as np
import pytest

from helper_functions.psf import PIXEL, PSF_FWHM, make_psf
from helper_functions.registration.resampling import MOST_MISSING, kernel_reach, shift_image, shift_kernel

HALF = 25
Y, X = np.mgrid[-HALF : HALF + 1, -HALF : HALF + 1].astype(float)


def gaussian(row, col, fwhm):
    """A round Gaussian source of sum 1 about that place."""
    sigma = fwhm / 2.3548
    return np.exp(-((Y - row) ** 2 + (X - col) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)


ONE = np.ones((2 * HALF + 1, 2 * HALF + 1))


@pytest.mark.parametrize("shift", [(0.3, -0.2), (0.5, 0.5), (-1.7, 0.05), (0.0, 2.0)])
def test_a_source_is_where_it_should_be_with_all_its_light(shift):
    flux, error = shift_image(gaussian(0, 0, PSF_FWHM / PIXEL), ONE, shift)
    truth = gaussian(*shift, PSF_FWHM / PIXEL)
    known = np.isfinite(flux)
    # 0.1% of the peak: what a spline of fifth order loses of a Gaussian of 3.5 pixels at half a pixel is 0.05%.
    assert np.abs(flux - truth)[known].max() < 1e-3 * truth.max()
    assert np.nansum(flux) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(error[known], 1)


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.5])
def test_a_psf_gets_no_wider(shift):
    """Variances add up: that of the kernel is what the PSF is wider by. Of linear interpolation it is s (1 - s)."""
    place = np.arange(-kernel_reach(shift), kernel_reach(shift) + 1)
    cured = shift**2 / 4  # by which two images that lie a shift apart make their sum wider than either
    assert (
        abs(shift_kernel(shift) @ (place - shift) ** 2) < 0.02 * cured
    )  # what is left is beyond the end of the kernel
    linear = (1 - shift) * shift**2 + shift * (1 - shift) ** 2
    assert linear > cured  # the control: it would do more harm than good
    image = np.pad(make_psf(), 15)
    there, one = shift_image(image, np.ones_like(image), (shift, shift))[0], np.ones_like(image)
    back, _ = shift_image(np.nan_to_num(there), one, (-shift, -shift))
    assert np.nanmax(back) == pytest.approx(image.max(), rel=2e-3)  # twice moved, the peak is lower by 0.14% at most


def test_forth_and_back_is_where_it_was():
    image = gaussian(2, -3, 4.0)
    there = shift_image(image, ONE, (0.37, -0.81))
    back, _ = shift_image(
        *(np.nan_to_num(each, nan=fill) for each, fill in zip(there, (0, 1), strict=True)), (-0.37, 0.81)
    )
    inner = np.s_[12:-12, 12:-12]
    assert np.abs(back - image)[inner].max() < 1e-3 * image.max()


def test_whole_pixels_are_moved_as_they_are():
    image = np.random.default_rng(0).normal(size=ONE.shape)
    flux, error = shift_image(image, 2 * ONE, (2, -1))
    np.testing.assert_allclose(flux[2:, :-1], image[:-2, 1:], atol=1e-10)
    assert np.isnan(flux[:2]).all()
    assert np.isnan(flux[:, -1:]).all()
    assert (np.isnan(flux) == np.isnan(error)).all()


def test_what_is_missing_moves_along():
    image, error = gaussian(0, 0, 6.0), ONE.copy()
    image[HALF + 4, HALF + 4] = np.nan
    whole, _ = shift_image(gaussian(0, 0, 6.0), ONE, (0.5, 0.0))
    flux, moved_error = shift_image(image, error, (0.5, 0.0))
    inner = np.s_[12:-12, 12:-12]
    missing = np.argwhere(np.isnan(flux[inner])) + 12 - HALF
    # By half a pixel along rows: the pixels on both sides of where the missing one went, and no others.
    assert missing.tolist() == [[4, 4], [5, 4]]
    assert (np.isnan(flux) == np.isnan(moved_error)).all()
    near = np.isfinite(flux) & np.isfinite(whole)
    # Next to it the rest stands for at most MOST_MISSING of the weights, of fluxes that differ little from each other.
    assert np.abs(flux - whole)[near].max() < MOST_MISSING * 0.3 * np.nanmax(whole)
    assert np.isnan(image[HALF + 4, HALF + 4])  # the caller's arrays stay


def test_errors_keep_their_level_and_follow_the_depth():
    error = np.where(X < 0, 1.0, 3.0)
    _, moved_error = shift_image(np.zeros_like(error), error, (0.0, 3.5))
    row = moved_error[HALF]
    assert row[HALF] == pytest.approx(1)
    assert row[HALF + 8] == pytest.approx(3)
    assert row[HALF + 3] == pytest.approx(np.sqrt((1 + 9) / 2))  # half of either variance


@pytest.mark.parametrize("shift", [0.0, 0.2, -0.5, 1.3])
def test_kernel_has_sum_and_mean(shift):
    kernel = shift_kernel(shift)
    place = np.arange(-kernel_reach(shift), kernel_reach(shift) + 1)
    assert kernel.sum() == pytest.approx(1)
    assert kernel @ place == pytest.approx(shift, abs=1e-3)
