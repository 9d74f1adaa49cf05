import numpy as np
import pytest
from conftest import EDGES, WAVELENGTHS, distances_of
from scipy.optimize import minimize_scalar

from distances import (
    METRICS,
    band_widths,
    cross_correlation,
    feature_weights,
)


def euclidean(f1, f2):
    return np.sqrt(sum((a - b) ** 2 for a, b in zip(f1, f2, strict=True)))


def crosscor(f1, f2):
    a12 = sum(f1 * f2) / sum(f2 * f2)
    return np.sqrt(sum((f1 - a12 * f2) ** 2) / sum(f1 * f1))


def weightednorm(f1, f2):
    order = np.argsort(WAVELENGTHS)
    return np.sqrt(np.trapezoid((f1 - f2)[order] ** 2, WAVELENGTHS[order]))


def features(f1, f2):
    # Halpha in band 0 only; of the Balmer break (6,800 to 8,400 observed) band 1 covers 6,800 to 7,000, band 3 none.
    return np.sqrt(1 * (f1[0] - f2[0]) ** 2 + 1 * (f1[1] - f2[1]) ** 2)


def polynomial(f1, f2):
    # Root of the mean squared difference of the fits, over the range of the bands in the logarithm of wavelength.
    x = np.log(WAVELENGTHS)
    fits = [np.polynomial.Polynomial.fit(x, f, 2) for f in (f1, f2)]
    nodes, weights = np.polynomial.legendre.leggauss(5)  # exact to degree 9
    position = x.min() + np.ptp(x) * (nodes + 1) / 2
    return np.sqrt(np.sum(weights * (fits[0](position) - fits[1](position)) ** 2) / 2)


def noise(f1, f2):
    # chi2 against the angle of the amplitude, a = tan(angle), which covers every a; the least of a grid, then refined.
    def chi2(angle):
        return np.sum((np.cos(angle) * f1 - np.sin(angle) * f2) ** 2) / 0.1**2

    grid = np.linspace(0, np.pi, 1001)
    start = grid[np.argmin([chi2(angle) for angle in grid])]
    step = grid[1]
    return np.sqrt(minimize_scalar(chi2, bounds=(start - step, start + step), options={"xatol": 1e-10}).fun)


LOOPS = {
    "euclidean": euclidean,
    "crosscor": crosscor,
    "weightednorm": weightednorm,
    "features": features,
    "polynomial": polynomial,
    "noise": noise,
}


def test_every_metric_has_a_loop_to_be_checked_against():
    assert set(LOOPS) == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_matrix_equals_the_loop_over_pairs(metric, random_seds):
    matrix = distances_of(random_seds, metric).matrix()
    # Pixels on both sides of a block's edge; the loop over all pairs would take half a minute.
    some = [0, 1, 2, 250, 510, 511, 512, 513, 598, 599]
    loop = [[LOOPS[metric](random_seds[i], random_seds[j]) for j in some] for i in some]
    # 1e-9: the closed form keeps nine digits by construction (CANCELLATION_LIMIT); the loop's zero is up to 1e-8.
    np.testing.assert_allclose(matrix[np.ix_(some, some)], loop, rtol=1e-9, atol=2e-8 * np.max(loop))


@pytest.mark.parametrize("metric", [name for name in METRICS if METRICS[name].embed])
def test_embedding_and_matrix_are_two_routes_to_one_distance(metric, random_seds):
    distances = distances_of(random_seds[:100], metric)
    difference = distances.coordinates[:, None] - distances.coordinates[None]
    np.testing.assert_allclose(np.sqrt((difference**2).sum(axis=2)), distances.matrix(), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_matrix_is_symmetric_with_zero_diagonal_and_finite(metric, random_seds):
    matrix = distances_of(random_seds, metric).matrix()
    assert (matrix == matrix.T).all()
    assert (np.diag(matrix) == 0).all()
    assert np.isfinite(matrix).all()


@pytest.mark.parametrize("metric", METRICS)
def test_identical_and_nearly_identical_seds_keep_their_digits(metric):
    near = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4 + 1e-9]])
    matrix = distances_of(near, metric).matrix()
    assert matrix[0, 1] <= 1e-13
    expected = LOOPS[metric](near[0], near[2])
    if metric == "noise":  # a minimum found by search is too flat; of equally long SEDs, half of the misfit is either's
        expected = crosscor(near[0], near[2]) * np.linalg.norm(near[0]) / 0.1 / np.sqrt(2)
    # 1e-6: a step of 1e-9 on a flux of 4 is only known to 4e-16 / 1e-9; coefficients of a fit are rounded before.
    assert matrix[0, 2] == pytest.approx(expected, rel=1e-4 if metric == "polynomial" else 1e-6, abs=1e-13)


def test_crosscor_worked_out_by_hand():
    # (1, 0) and (1, 1) are 45 degrees apart; brightness and sign do not count.
    matrix = distances_of(np.array([[1.0, 0], [1, 1], [5, 5], [0, 2]]), "crosscor", wavelengths=[1.0, 2.0]).matrix()
    np.testing.assert_allclose(matrix[0], [0, np.sqrt(0.5), np.sqrt(0.5), 1], atol=1e-15)
    assert matrix[1, 2] == pytest.approx(0, abs=1e-15)


def test_band_widths_worked_out_by_hand():
    # In order 1, 2, 4, 8: half of (1), (1 + 2), (2 + 4), (4).
    assert band_widths(np.array([8.0, 1.0, 4.0, 2.0])).tolist() == [2.0, 0.5, 3.0, 1.5]
    assert band_widths(np.array([5.0])).tolist() == [1.0]


@pytest.mark.parametrize("metric", METRICS)
def test_band_order_does_not_matter(metric, random_seds):
    matrix = distances_of(random_seds[:50], metric).matrix()
    reordered = distances_of(random_seds[:50, ::-1], metric, wavelengths=WAVELENGTHS[::-1], edges=EDGES[::-1]).matrix()
    np.testing.assert_allclose(reordered, matrix, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("metric", METRICS)
def test_one_band_has_distances(metric):
    one = distances_of(np.array([[1.0], [3.0]]), metric, wavelengths=[13000.0], edges=np.array([[6500.0, 14000.0]]))
    matrix = one.matrix()
    # Scaled freely, one band always fits; else the difference counts, twice where two features are in the band.
    expected = {"crosscor": 0, "noise": 0, "features": 2 * np.sqrt(2)}.get(metric, 2)
    assert matrix[0, 1] == pytest.approx(expected)
    assert np.isfinite(one.coordinates).all()


@pytest.mark.parametrize("metric", METRICS)
def test_input_is_not_changed(metric, random_seds):
    before = random_seds.copy()
    distances = distances_of(random_seds, metric)
    _ = distances.matrix(), distances.coordinates, distances.neighbours(5)
    assert (random_seds == before).all()


def test_noise_distance_of_equal_shapes_is_what_noise_gives():
    """Redrawn noise on one shape: chi2 of n_bands - 1 degrees of freedom, at every brightness."""
    rng = np.random.default_rng(2)
    shape, errors = np.array([1.0, 2, 3, 4, 3, 2]), np.tile([0.05, 0.1, 0.1, 0.2, 0.1, 0.1], (400, 1))
    errors = errors * rng.uniform(0.5, 2, (400, 1))
    flux = rng.uniform(2, 20, (400, 1)) * shape + rng.normal(0, errors)
    chi2 = distances_of(flux, "noise", errors=errors, wavelengths=np.arange(1.0, 7), edges=None).matrix() ** 2
    pairs = chi2[np.triu_indices(400, 1)]
    # 80,000 pairs, but of 400 pixels only: 2%.
    assert pairs.mean() == pytest.approx(5, rel=0.04)
    assert pairs.var() == pytest.approx(10, rel=0.1)


def test_noise_distance_counts_a_faint_pixel_less():
    """The same two shapes: a faint pixel is less far from a bright one than a bright pixel is."""
    shapes = np.array([[1.0, 1, 1, 1], [1, 2, 1, 1]])
    bright = distances_of(np.array([100 * shapes[0], 100 * shapes[1]]), "noise").matrix()[0, 1]
    faint = distances_of(np.array([100 * shapes[0], shapes[1]]), "noise").matrix()[0, 1]
    assert faint < bright / 10


def test_feature_weights_by_hand():
    edges = np.array([[12000.0, 14000], [13100, 15000], [6000, 9000]])
    # Halpha at z = 1: 13,070 to 13,200, all in band 0, 100 of 130 in band 1; the Balmer break is all in band 2.
    weights = feature_weights(edges, 1.0, ["halpha", "balmer_break"])
    np.testing.assert_allclose(weights, [1 / (1 + 100 / 130), 100 / 130 / (1 + 100 / 130), 1])


def test_features_that_no_band_covers_say_so():
    edges = np.array([[12000.0, 14000]])
    with pytest.raises(ValueError, match=r"no band covers uv_slope at redshift 1\.000: .* choose from halpha"):
        feature_weights(edges, 1.0, ["uv_slope", "halpha"])
    with pytest.raises(ValueError, match=r"no band covers .* choose from \(none\)"):
        feature_weights(np.array([[1.0, 2]]), 1.0)
    with pytest.raises(ValueError, match="unknown feature 'lyman': choose from uv_slope"):
        feature_weights(edges, 1.0, ["lyman"])
    with pytest.raises(ValueError, match="needs the galaxy's redshift"):
        feature_weights(edges, np.nan)


def test_polynomial_trusts_the_better_bands():
    """A wild value with a large error does not bend the curve; the control: with a small one it does."""
    line = np.array([1.0, 1, 1, 1, 1])
    wild = np.array([1.0, 1, 6, 1, 1])
    errors = np.full((2, 5), 0.1)
    bent = distances_of(np.array([line, wild]), "polynomial", wavelengths=np.arange(1.0, 6), errors=errors).matrix()
    errors[1, 2] = 1e4
    kept = distances_of(np.array([line, wild]), "polynomial", wavelengths=np.arange(1.0, 6), errors=errors).matrix()
    assert bent[0, 1] > 0.5
    assert kept[0, 1] < 1e-3


def test_cross_correlation_to_a_template_uses_common_bands_only():
    seds = np.array([[2.0, 4, np.nan], [0, 0, 0], [-1, -2, 5], [1, 2, 3]])
    a12, b12 = cross_correlation(seds, np.array([1.0, 2.0, np.nan]))
    np.testing.assert_allclose(a12, [2, np.nan, -1, 1])
    np.testing.assert_allclose(b12, [0, np.nan, 0, 0], atol=1e-15)
    assert crosscor(np.array([1.0, 3.0]), np.array([2.0, 1.0])) == pytest.approx(
        cross_correlation(np.array([[1.0, 3.0]]), np.array([2.0, 1.0]))[1][0]
    )


@pytest.mark.parametrize("metric", METRICS)
def test_constant_and_zero_bands_give_indices(metric):
    seds = np.random.default_rng(0).uniform(0.5, 1, (5, 4))
    seds[:, 0], seds[:, 2] = 1.0, 0.0
    distances = distances_of(seds, metric)
    assert np.isfinite(distances.matrix()).all()
    assert np.isfinite(distances.coordinates).all()


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="unknown metric 'cosine': choose from euclidean, crosscor, weightednorm"):
        distances_of(np.ones((2, 4)), "cosine")
    with pytest.raises(ValueError, match="1 of 2 SEDs have missing values or errors"):
        distances_of(np.array([[1, 2, 3, 4], [np.nan, 1, 1, 1]]), "euclidean")
    with pytest.raises(ValueError, match="2 of 2 SEDs have missing values or errors"):
        distances_of(np.ones((2, 4)), "noise", errors=np.full((2, 4), np.nan))
    for metric in ("noise", "polynomial"):
        with pytest.raises(ValueError, match="2 of 2 SEDs have errors of 0 after normalisation"):
            _ = distances_of(np.ones((2, 4)), metric, errors=np.zeros((2, 4))).matrix()
    with pytest.raises(ValueError, match=r"found \(2, 2\) and \(2, 2\) with 4 wavelengths"):
        distances_of(np.ones((2, 2)), "euclidean")
    with pytest.raises(ValueError, match="1 of 2 SEDs are zero in every band"):
        _ = distances_of(np.array([[0, 0, 0, 0], [1, 1, 1, 1]]), "crosscor").matrix()
