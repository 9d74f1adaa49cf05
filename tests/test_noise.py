import numpy as np
import pytest
from conftest import pixel_seds
from scipy.ndimage import gaussian_filter

from helper_functions.noise import (
    adjacency_within,
    correlation_area,
    draw_noise,
    error_of_sum,
    lags,
    residual_correlation_area,
    white_noise_correlation,
    with_added_noise,
)

SIDE = 60
POSITIONS = np.column_stack(np.divmod(np.arange(SIDE**2), SIDE)).astype(float)
# Correlation of white noise after a Gaussian filter of 1.2 pixels, at whole distances; its area is 4 pi 1.2^2.
SIGMA = 1.2
SMOOTHED = np.exp(-(np.arange(8.0) ** 2) / (4 * SIGMA**2))[None]
IRREGULAR = (np.hypot(POSITIONS[:, 0] - 20, POSITIONS[:, 1] - 25) < 7) & (POSITIONS[:, 0] + POSITIONS[:, 1] > 40)


def blocks(rng, side):
    """Noise of variance 1 that is the same in all pixels of a block."""
    return np.kron(rng.standard_normal((SIDE // side, SIDE // side)), np.ones((side, side)))


@pytest.mark.parametrize("side", [1, 2, 3])
def test_area_of_noise_that_is_the_same_in_blocks(side):
    """The sum over all pixels around a pixel holds its whole block: the area is that of the block."""
    rng = np.random.default_rng(0)
    bands = np.column_stack([blocks(rng, side).ravel() for _ in range(40)])
    areas = residual_correlation_area(bands, POSITIONS)
    # The scatter of one area is about sqrt(2 x 113 pixels within reach / number of blocks).
    assert np.mean(areas) == pytest.approx(side**2, abs=4 * side**2 * np.sqrt(2 * 113 / side**2 / 3600 * side**2 / 40))


def test_area_of_a_random_subset_is_that_of_all_pixels():
    """Blocks of 4 pixels, of which a third are known; without the fraction (the control), neighbours are missing."""
    rng = np.random.default_rng(1)
    bands = np.column_stack([blocks(rng, 2).ravel() for _ in range(40)])
    some = rng.permutation(SIDE**2)[: SIDE**2 // 3]
    given = bands[some], POSITIONS[some]
    # Of one area the scatter is three times that of all pixels, sqrt(2 x 113 x 4 / 3600); the mean is of 40.
    assert np.mean(residual_correlation_area(*given, fraction=1 / 3)) == pytest.approx(4, abs=4 * 3 * 0.5 / np.sqrt(40))
    assert np.mean(residual_correlation_area(*given)) < 2.5


def test_area_by_hand():
    """Eight pixels lie at a rounded distance of one pixel."""
    np.testing.assert_allclose(correlation_area(np.array([[1, 0.0], [1, 0.25]])), [1, 3])
    # The correlation at whole distances stands for all that are rounded to them, most of which are larger: 8%.
    assert correlation_area(SMOOTHED)[0] == pytest.approx(4 * np.pi * SIGMA**2, rel=0.1)


def test_error_of_a_sum_by_hand():
    """Three pixels in a row, errors 1, 2 and 3, of which the second counts twice: all nine products, written out."""
    error, weights = np.array([[1.0], [2], [3]]), np.array([1.0, 2, 1])
    positions = np.array([[0.0, 0], [0, 1], [0, 2]])
    correlation = np.array([[1, 0.5, 0.1]])
    variance = 1 + 16 + 9 + 2 * (0.5 * 4 + 0.5 * 12 + 0.1 * 3)
    assert error_of_sum(error, weights, positions, correlation)[0] == pytest.approx(np.sqrt(variance))
    assert error_of_sum(error, weights, positions, white_noise_correlation(1))[0] == pytest.approx(np.sqrt(26))
    missing = np.array([[1.0], [np.nan], [3]])
    assert error_of_sum(missing, weights, positions, correlation)[0] == pytest.approx(np.sqrt(1 + 9 + 2 * 0.1 * 3))


def test_sums_scatter_as_their_error_says():
    """Of 4,000 images of smoothed noise the sums over an aperture; the control: pixels taken for independent."""
    rng = np.random.default_rng(3)
    images = gaussian_filter(rng.standard_normal((4000, 45, 45)), (0, SIGMA, SIGMA)) * np.sqrt(4 * np.pi) * SIGMA
    aperture = IRREGULAR.reshape(SIDE, SIDE)[:45, :45]
    sums = images[:, aperture].sum(axis=1)
    rows = np.column_stack(np.nonzero(aperture)).astype(float)
    error = np.ones((len(rows), 1))
    # Sums of 4,000 images give their scatter to 1.1%; rounded distances cost up to 4%.
    assert error_of_sum(error, error[:, 0], rows, SMOOTHED)[0] == pytest.approx(sums.std(), rel=0.06)
    assert error_of_sum(error, error[:, 0], rows, white_noise_correlation(1))[0] < 0.35 * sums.std()


def drawn(order=slice(None), bands=slice(None), n=400):
    """Noise of two bands, drawn `n` times, for pixels and bands in some order."""
    error = np.column_stack([np.full(SIDE**2, 2.0), np.full(SIDE**2, 3.0)])
    correlation = np.stack([SMOOTHED[0], white_noise_correlation(1)[0].repeat(8) * (np.arange(8) == 0)])
    seds = pixel_seds(0 * error, error, rows=POSITIONS[:, 0], cols=POSITIONS[:, 1], correlation=correlation)
    seds, rng = seds.only(IRREGULAR).only(order, bands), np.random.default_rng(4)
    return np.array([draw_noise(seds, rng) for _ in range(n)])


def test_drawn_noise_has_the_errors_and_the_correlation():
    noise = drawn()
    # 400 draws of 120 pixels, of which an area of 18 is one: a scatter of 1.4% in the standard deviation.
    np.testing.assert_allclose(noise.std(axis=(0, 1)), [2, 3], rtol=0.05)
    positions = POSITIONS[IRREGULAR]
    predicted = [error_of_sum(np.full((len(positions), 1), e), np.ones(len(positions)), positions, c)[0]
                 for e, c in ((2, SMOOTHED), (3, white_noise_correlation(1)))]  # fmt: skip
    np.testing.assert_allclose(noise.sum(axis=1).std(axis=0), predicted, rtol=0.12)  # 3.5% from 400 draws


def test_drawn_noise_does_not_depend_on_the_order_of_pixels_and_bands():
    order, first = np.random.default_rng(5).permutation(IRREGULAR.sum()), drawn(n=2)
    np.testing.assert_allclose(drawn(order, n=2), first[:, order])
    np.testing.assert_allclose(drawn(bands=np.array([1, 0]), n=2), first[:, :, ::-1])


def test_noise_on_top_leaves_missing_data_missing():
    seds = pixel_seds(np.array([[1.0, np.nan], [2, 3]]), np.array([[0.1, np.nan], [0.1, 0.2]]))
    again = with_added_noise(seds, np.random.default_rng(0))
    assert np.isnan(again.flux).tolist() == [[False, True], [False, False]]
    assert (again.flux != seds.flux)[np.isfinite(seds.flux)].all()


def test_lags_by_hand():
    assert lags(1).tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    assert lags(2)[0].tolist() == [3, 2, 2, 2, 3]


def test_links_by_hand():
    links = adjacency_within(np.array([[0.0, 0], [0, 1], [1, 1], [5, 5]]), 1.5, lambda distance: 1 / distance).toarray()
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(links, [[0, 1, half, 0], [1, 0, 1, 0], [half, 1, 0, 0], [0, 0, 0, 0]])
