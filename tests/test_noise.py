import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from helper_functions.noise import area_of_residuals, area_of_sky, links_within

POSITIONS = np.column_stack(np.divmod(np.arange(3600), 60)).astype(float)


def blocks(rng, side):
    """Noise of variance 1 that is the same in all pixels of a block."""
    return np.kron(rng.standard_normal((60 // side, 60 // side)), np.ones((side, side)))


@pytest.mark.parametrize("side", [1, 2, 3])
def test_area_of_noise_that_is_the_same_in_blocks(side):
    """The sum over all pixels around a pixel holds its whole block: the area is that of the block."""
    rng = np.random.default_rng(0)
    bands = np.column_stack([blocks(rng, side).ravel() for _ in range(40)])
    areas = area_of_residuals(bands, POSITIONS)
    # The scatter of one area is about sqrt(2 x 113 pixels within reach / number of blocks).
    assert np.mean(areas) == pytest.approx(side**2, abs=4 * side**2 * np.sqrt(2 * 113 / side**2 / 3600 * side**2 / 40))


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_area_of_smoothed_sky_is_that_of_the_filter(sigma):
    """White noise after a filter with weights w has the area (sum w)^2 / sum w^2; sources do not count."""
    rng = np.random.default_rng(1)
    point = np.zeros((61, 61))
    point[30, 30] = 1
    weights = gaussian_filter(point, sigma)
    noise = np.array([gaussian_filter(rng.standard_normal((180, 180)), sigma) for _ in range(12)])
    error = np.full(noise.shape, np.sqrt(np.sum(weights**2)))
    segmap = np.zeros((180, 180), dtype=int)
    segmap[80:100, 80:100] = 5
    noise[:, 80:100, 80:100] += 50
    areas = area_of_sky(noise, error, segmap)
    # A scatter of sqrt(2 x 113 / 32,400) x area in a band, and 6% that go with the smooth background.
    assert np.mean(areas) == pytest.approx(1 / np.sum(weights**2), rel=0.15)


def smoothed_noise(sigma, n_bands=12, side=180):
    """Noise of variance 1 after a Gaussian filter, its errors, and its area."""
    rng = np.random.default_rng(1)
    point = np.zeros((61, 61))
    point[30, 30] = 1
    variance = np.sum(gaussian_filter(point, sigma) ** 2)
    noise = np.array([gaussian_filter(rng.standard_normal((side, side)), sigma) for _ in range(n_bands)])
    return noise / np.sqrt(variance), np.ones(noise.shape), 1 / variance


def test_a_smooth_background_is_no_noise():
    """A level of two sigma and a gradient: if they were not taken off, the area would be 400 pixels more."""
    noise, error, area = smoothed_noise(0.8)
    ramp = 2 + np.linspace(-0.5, 0.5, 180)
    areas = area_of_sky(noise + ramp, error, np.zeros((180, 180), dtype=int))
    assert np.mean(areas) == pytest.approx(area, rel=0.2)  # see above, and what a filter of 25 pixels leaves of a ramp


def test_light_around_sources_is_no_noise():
    """Wings that fall to a tenth in 6 pixels beyond the segment; the control: where the segment is not known."""
    noise, error, area = smoothed_noise(0.8)
    y, x = np.mgrid[:180, :180]
    radius = np.hypot(y - 90, x - 90)
    segmap = (radius < 20).astype(int)
    with_wings = noise + 5 * np.exp(-np.maximum(radius - 20, 0) / 2.6)
    assert np.mean(area_of_sky(with_wings, error, segmap)) == pytest.approx(area, rel=0.15)
    assert np.mean(area_of_sky(with_wings, error, 0 * segmap)) > 2 * area


def test_area_in_sky_with_holes_is_that_of_the_whole():
    """Where half of the pixels have no data, a pixel has half of its neighbours, which stand for the others."""
    noise, error, area = smoothed_noise(1.2)
    holes = np.where(np.random.default_rng(5).uniform(size=(180, 180)) < 0.5, np.nan, noise)
    areas = area_of_sky(holes, error, np.zeros((180, 180), dtype=int))
    assert np.mean(areas) == pytest.approx(area, rel=0.15)  # as above


def test_area_is_unknown_where_there_is_no_sky():
    noise = np.random.default_rng(2).standard_normal((2, 40, 40))
    assert np.isnan(area_of_sky(noise, np.ones_like(noise), np.ones((40, 40), dtype=int))).all()
    noise[0] = np.nan
    areas = area_of_sky(noise, np.ones_like(noise), np.zeros((40, 40), dtype=int))
    assert np.isnan(areas[0])
    assert np.isfinite(areas[1])


def test_links_by_hand():
    links = links_within(np.array([[0.0, 0], [0, 1], [1, 1], [5, 5]]), 1.5, lambda distance: 1 / distance).toarray()
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(links, [[0, 1, half, 0], [1, 0, 1, 0], [half, 1, 0, 0], [0, 0, 0, 0]])
