import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from helper_functions.survey.fill_values import constant_patches, zeros_in_noise


@pytest.mark.parametrize(("step", "least"), [(0.0, 20), (0.25, 200), (0.5, 200)])
def test_patches_of_a_fill_value_are_told_from_rounded_noise(step, least):
    """Noise smoothed as by PSF matching, in units of its standard deviation, with a bar of just enough zeros."""
    noise = gaussian_filter(np.random.default_rng(1).normal(size=(200, 200)), 1.5)
    noise /= noise.std()
    noise = np.round(noise / step) if step else noise
    assert not constant_patches(noise).any()
    for n_pixels in (least, least - 1):
        filled = noise.copy()
        filled[50, :n_pixels] = 99
        np.testing.assert_array_equal(constant_patches(filled), (filled == 99) & (n_pixels == least))


NOISE = gaussian_filter(np.random.default_rng(2).normal(size=(60, 60)), 1.5)
NOISE /= NOISE.std()
EVERY = np.ones(NOISE.shape, dtype=bool)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_zeros", "are_missing"), [(0, False), (1, False), (2, True), (400, True)])
def test_zeros_in_noise_are_missing_unless_there_is_one(dtype, n_zeros, are_missing):
    """Single pixels far from each other, whose weights are as good as any; and no other value, however rare."""
    image = NOISE.astype(dtype)
    places = np.unravel_index(np.arange(n_zeros) * 9, image.shape)
    image[30, 1::2] = 0.37
    image[places] = 0
    np.testing.assert_array_equal(zeros_in_noise(image, EVERY), (image == 0) & are_missing)
    assert not zeros_in_noise(image, image != 0).any()  # they are missing anyhow


@pytest.mark.parametrize("step", [1e-3, 1e-2, 0.25, 3.0])
def test_zeros_of_rounded_noise_are_true(step):
    """3,600 pixels in steps of 0.001 standard deviations have one or two zeros; without rounding they have none."""
    image = np.round(NOISE / step) * step
    if step < 0.005:
        image[:2, 0] = 0
    assert (image == 0).sum() >= 2
    assert not zeros_in_noise(image, EVERY).any()


def test_zeros_of_a_noiseless_image_are_true():
    image = np.abs(NOISE).astype(np.float32)
    image[::7, ::5] = 0
    assert not zeros_in_noise(image, EVERY).any()


@pytest.mark.parametrize(("background", "are_missing"), [(20, True), (10, True), (4.5, False)])
def test_zeros_far_below_a_background_are_missing(background, are_missing):
    """Of 3,600 pixels of noise, the lowest is 3.5 and the faintest percent 2.3 standard deviations below the mean."""
    image = NOISE + background
    assert image.min() > 0
    image[::7, ::5] = 0
    np.testing.assert_array_equal(zeros_in_noise(image, EVERY), (image == 0) & are_missing)
