import numpy as np
import pytest

from distances import METRICS, PixelDistances, band_widths, cross_correlation

WAVELENGTHS = np.array([20000.0, 6000.0, 44000.0, 11500.0])  # not in order, on purpose


@pytest.fixture
def seds():
    """Random SEDs, larger in number than one block, some negative fluxes."""
    return np.random.default_rng(0).normal(0.5, 1, (600, 4))


def euclidean(f1, f2):
    return np.sqrt(sum((a - b) ** 2 for a, b in zip(f1, f2, strict=True)))


def crosscor(f1, f2):
    a12 = sum(f1 * f2) / sum(f2 * f2)
    return np.sqrt(sum((f1 - a12 * f2) ** 2) / sum(f1 * f1))


def weightednorm(f1, f2):
    order = np.argsort(WAVELENGTHS)
    return np.sqrt(np.trapezoid((f1 - f2)[order] ** 2, WAVELENGTHS[order]))


LOOPS = {"euclidean": euclidean, "crosscor": crosscor, "weightednorm": weightednorm}


def test_every_metric_has_a_loop_to_be_checked_against():
    assert set(LOOPS) == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_matrix_equals_the_loop_over_pairs(metric, seds):
    matrix = PixelDistances(seds, WAVELENGTHS, metric).matrix
    # Pixels on both sides of a block's edge; the loop over all pairs would take half a minute.
    some = [0, 1, 2, 250, 510, 511, 512, 513, 598, 599]
    loop = [[LOOPS[metric](seds[i], seds[j]) for j in some] for i in some]
    # 1e-9: nine digits are what the closed form keeps by construction (LOSSY); the loop's zero is up to 1e-8.
    np.testing.assert_allclose(matrix[np.ix_(some, some)], loop, rtol=1e-9, atol=2e-8 * np.max(loop))


@pytest.mark.parametrize("metric", METRICS)
def test_embedding_and_matrix_are_two_routes_to_one_distance(metric, seds):
    distances = PixelDistances(seds[:100], WAVELENGTHS, metric)
    difference = distances.coordinates[:, None] - distances.coordinates[None]
    np.testing.assert_allclose(np.sqrt((difference**2).sum(axis=2)), distances.matrix, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_matrix_is_symmetric_with_zero_diagonal_and_finite(metric, seds):
    matrix = PixelDistances(seds, WAVELENGTHS, metric).matrix
    assert (matrix == matrix.T).all()
    assert (np.diag(matrix) == 0).all()
    assert np.isfinite(matrix).all()


@pytest.mark.parametrize("metric", METRICS)
def test_identical_and_nearly_identical_seds_keep_their_digits(metric):
    near = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4 + 1e-9]])
    matrix = PixelDistances(near, WAVELENGTHS, metric).matrix
    assert matrix[0, 1] <= 1e-15
    # 1e-6: a step of 1e-9 on a flux of 4 is itself only known to 4e-16 / 1e-9.
    assert matrix[0, 2] == pytest.approx(LOOPS[metric](near[0], near[2]), rel=1e-6)


def test_crosscor_worked_out_by_hand():
    # (1, 0) and (1, 1) are 45 degrees apart; brightness and sign do not count.
    matrix = PixelDistances(np.array([[1.0, 0], [1, 1], [5, 5], [0, 2]]), [1.0, 2.0], "crosscor").matrix
    np.testing.assert_allclose(matrix[0], [0, np.sqrt(0.5), np.sqrt(0.5), 1], atol=1e-15)
    assert matrix[1, 2] == pytest.approx(0, abs=1e-15)


def test_band_widths_worked_out_by_hand():
    # In order 1, 2, 4, 8: half of (1), (1 + 2), (2 + 4), (4).
    assert band_widths(np.array([8.0, 1.0, 4.0, 2.0])).tolist() == [2.0, 0.5, 3.0, 1.5]
    assert band_widths(np.array([5.0])).tolist() == [1.0]


@pytest.mark.parametrize("metric", METRICS)
def test_band_order_does_not_matter(metric, seds):
    matrix = PixelDistances(seds[:50], WAVELENGTHS, metric).matrix
    reordered = PixelDistances(seds[:50, ::-1], WAVELENGTHS[::-1], metric).matrix
    np.testing.assert_allclose(reordered, matrix, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_one_band_has_distances(metric):
    matrix = PixelDistances(np.array([[1.0], [3.0]]), [1.0], metric).matrix
    assert matrix[0, 1] == (0 if metric == "crosscor" else 2)


def test_input_is_not_changed(seds):
    before = seds.copy()
    for metric in METRICS:
        _ = PixelDistances(seds, WAVELENGTHS, metric).matrix
    assert (seds == before).all()


def test_cross_correlation_to_a_template_uses_common_bands_only():
    seds = np.array([[2.0, 4, np.nan], [0, 0, 0], [-1, -2, 5], [1, 2, 3]])
    a12, b12 = cross_correlation(seds, np.array([1.0, 2.0, np.nan]))
    np.testing.assert_allclose(a12, [2, np.nan, -1, 1])
    np.testing.assert_allclose(b12, [0, np.nan, 0, 0], atol=1e-15)
    assert crosscor(np.array([1.0, 3.0]), np.array([2.0, 1.0])) == pytest.approx(
        cross_correlation(np.array([[1.0, 3.0]]), np.array([2.0, 1.0]))[1][0]
    )


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="unknown metric 'cosine': choose from euclidean, crosscor, weightednorm"):
        PixelDistances(np.ones((2, 2)), [1, 2], "cosine")
    with pytest.raises(ValueError, match="1 of 2 SEDs have missing or infinite values"):
        PixelDistances(np.array([[1, 2], [np.nan, 1]]), [1, 2], "euclidean")
    with pytest.raises(ValueError, match="found \\(2, 2\\) with 3 wavelengths"):
        PixelDistances(np.ones((2, 2)), [1, 2, 3], "euclidean")
    with pytest.raises(ValueError, match="1 of 2 SEDs are zero in every band"):
        _ = PixelDistances(np.array([[0, 0], [1, 1]]), [1, 2], "crosscor").matrix
