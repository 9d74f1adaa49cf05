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
