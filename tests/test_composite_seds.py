import numpy as np
import pytest
from conftest import pixel_seds

from helper_functions.composite_seds import (
    BLENDING,
    best_fit_amplitude,
    blending_error,
    composite_flux,
    composite_sed,
    composite_seds,
    interior_pixels,
    nearest_sed,
    residuals,
    shared_error,
    similarity_summary,
)

SHAPE = np.array([-0.5, 1.0, 2.0, 4.0, 3.0])  # one band is negative, and must stay so


def members(seed, n_pixels=80):
    """Pixels of one shape, amplitudes of mean 1, and a noise that differs from band to band."""
    rng = np.random.default_rng(seed)
    amplitude = rng.uniform(0.2, 3, n_pixels)
    amplitude /= amplitude.mean()
    error = np.tile([0.3, 0.2, 0.1, 0.2, 0.4], (n_pixels, 1))
    return amplitude[:, None] * SHAPE + rng.normal(0, error), error, amplitude


def test_composite_of_scaled_copies_is_exact():
    amplitude = np.array([0.5, 1.0, 1.5])
    flux = amplitude[:, None] * SHAPE
    composite, fitted = composite_sed(flux, np.ones_like(flux))
    np.testing.assert_allclose(composite, SHAPE, rtol=1e-9)
    np.testing.assert_allclose(fitted, amplitude, rtol=1e-9)


def test_composite_matches_the_truth_within_its_errors():
    """Over 300 galaxies the deviations in units of the error have mean 0 and scatter 1."""
    pulls = []
    for seed in range(300):
        flux, error, _ = members(seed)
        composites = composite_seds(pixel_seds(flux, error), np.ones(80, dtype=int))
        composite, composite_error = composites.flux[0], composites.noise[0]
        # The mean amplitude is fixed to 1, and so carries its own noise: compare shapes.
        scale = np.sum(composite * SHAPE / composite_error**2) / np.sum(SHAPE**2 / composite_error**2)
        pulls.append((composite / scale - SHAPE) / composite_error)
    pulls = np.array(pulls)
    assert np.abs(pulls.mean(axis=0)).max() < 4 / np.sqrt(300)
    # Fitting the scale takes one degree of freedom of five out of the squares.
    assert np.mean(pulls**2) == pytest.approx(4 / 5, abs=0.08)


def test_a_plain_mean_fails_where_the_composite_succeeds():
    """The control: one noisy bright pixel ruins a mean, and hardly touches the inverse-variance mean."""
    flux, error, _ = members(0)
    error[0], flux[0] = 50, flux[0] + 40 * np.array([1, -1, 1, -1, 1])
    composite, _ = composite_sed(flux, error)
    mean = flux.mean(axis=0)
    assert np.abs(composite - SHAPE).max() < 0.1
    assert np.abs(mean - SHAPE).max() > 0.3


def test_missing_data_is_missing():
    flux, error, _ = members(1)
    flux[:, 4] = error[:, 4] = np.nan
    flux[:10, 0] = error[:10, 0] = np.nan
    labels = np.ones(80, dtype=int)
    composites = composite_seds(pixel_seds(flux, error), labels)
    assert np.isnan(composites.flux[0, 4])
    assert np.isnan(composites.error[0, 4])
    for name in ("noise", "low", "high", "median", "confident", "total", "total_error"):
        assert np.isnan(getattr(composites, name)[0, 4])
        assert np.isfinite(getattr(composites, name)[0, :4]).all()
    assert composites.n_pixels[0].tolist() == [70, 80, 80, 80, 0]
    np.testing.assert_allclose(composites.flux[0, :4], SHAPE[:4], atol=5 * np.nanmax(composites.error))
    assert composites.flux[0, 0] < 0


def test_units_scale_through():
    flux, error, _ = members(2)
    small, large = (composite_seds(pixel_seds(k * flux, k * error), np.ones(80, dtype=int)) for k in (1, 1000))
    for name in ("flux", "error", "noise", "low", "high", "median", "confident", "total", "total_error"):
        np.testing.assert_allclose(getattr(large, name), 1000 * getattr(small, name), rtol=1e-9)
    np.testing.assert_allclose(large.similarity, small.similarity, atol=1e-9)


def test_unassigned_pixels_belong_to_no_composite():
    flux, error, _ = members(3)
    labels = np.repeat([1, -1, 2], [40, 30, 10])
    composites = composite_seds(pixel_seds(flux, error), labels)
    assert composites.flux.shape == (2, 5)
    assert (np.isnan(composites.similarity) == (labels < 1)).all()
    assert composite_seds(pixel_seds(flux, error), np.full(80, -1)).flux.shape == (0, 5)


def test_similarity_is_one_minus_b12():
    flux = np.array([[1.0, 0], [1, 0], [1, 0], [1, 0], [0, 1e-6]])
    composites = composite_seds(pixel_seds(flux, np.ones_like(flux)), np.ones(5, dtype=int))
    np.testing.assert_allclose(composites.similarity, [1, 1, 1, 1, 0], atol=1e-5)  # 1e-5: the odd pixel pulls by 1e-6
    assert similarity_summary(np.linspace(0, 1, 1001)) == pytest.approx((0.5, 0.02275))
    assert np.isnan(similarity_summary(np.array([np.nan]))).all()


def test_amplitude_and_nearest_sed_by_hand():
    flux, error = np.array([[2.0, 4], [3, 0], [np.nan, 1]]), np.ones((3, 2))
    amplitude, chi2 = best_fit_amplitude(flux, error, np.array([1.0, 2]))
    np.testing.assert_allclose(amplitude, [2, 3 / 5, 1 / 2])
    np.testing.assert_allclose(chi2, [0, 36 / 5, 0], atol=1e-15)
    assert nearest_sed(pixel_seds(flux, error), np.array([[1.0, 0.1], [1, 2]])).tolist()[:2] == [1, 0]


def test_a_template_without_a_common_band_is_never_the_nearest():
    """The control: the fit itself says 0 of such a template, as nothing is left over where nothing is compared."""
    seds = pixel_seds([[2.0, 4], [np.nan, 1]], np.ones((2, 2)))
    empty, first_band = [np.nan, np.nan], [1.0, np.nan]
    assert best_fit_amplitude(seds.flux, seds.error, np.array(empty))[1].tolist() == [0, 0]
    assert nearest_sed(seds, np.array([empty, first_band, [1.0, 1]])).tolist() == [1, 2]
    assert nearest_sed(seds, np.array([empty, first_band])).tolist() == [1, -1]
    assert nearest_sed(seds, np.empty((0, 2))).tolist() == [-1, -1]


def test_residuals_are_about_composites_and_the_nearest_where_there_is_none(two_shapes):
    seds, labels = two_shapes.seds, two_shapes.truth.copy()
    labels[:3] = -1
    residual = residuals(seds, labels)
    # One amplitude a pixel of six bands, two SEDs of six bands: 100 x 5 - 10 of 100 x 6 are free.
    assert np.sum(residual**2) == pytest.approx(490, abs=4 * np.sqrt(2 * 490))
    assert (residuals(seds, np.full(100, -1)) == seds.flux / seds.error).all()
    # A label that no pixel has, beside pixels in none: finite residuals all the same.
    np.testing.assert_array_equal(residuals(seds, np.where(labels == 2, 3, labels)), residual)


def spread_over(side, flux, error, **others):
    """Pixels side by side in a square."""
    rows, cols = np.divmod(np.arange(side**2), side)
    return pixel_seds(flux, error, rows=rows, cols=cols, **others)


def test_shared_noise_makes_a_composite_less_certain():
    """Of pixels of one brightness whose noise is the same in all, by hand: that of one pixel."""
    flux, error = np.tile(SHAPE, (25, 1)), np.full((25, 5), 0.1)
    ones = np.ones(25, dtype=int)
    alone = composite_seds(spread_over(5, flux, error), ones)
    shared = composite_seds(spread_over(5, flux, error, correlation=np.ones((5, 8))), ones)
    np.testing.assert_allclose(alone.noise, 0.1 / 5)
    np.testing.assert_allclose(shared.noise, 0.1)
    np.testing.assert_allclose(alone.total_error, 0.1 * 5)
    np.testing.assert_allclose(shared.total_error, 0.1 * 25)
    np.testing.assert_allclose(alone.total, [25 * SHAPE])
    background = composite_seds(spread_over(5, flux, error, background_error=np.full(5, 0.2)), ones)
    np.testing.assert_allclose(background.noise, np.hypot(0.02, 0.2))
    np.testing.assert_allclose(background.total_error, np.hypot(0.5, 25 * 0.2))


def test_members_that_differ_make_a_composite_less_certain():
    """Blocks of 4 x 4 pixels with SEDs of their own: the error of a mean of 64 blocks is their scatter over 8."""
    rng, side, scatter = np.random.default_rng(0), 32, 0.05
    each = np.kron(rng.normal(0, scatter, (8, 8)), np.ones((4, 4))).ravel()
    flux = np.ones((side**2, 12))
    flux[:, 3] += each
    seds = spread_over(side, flux, np.full(flux.shape, 1e-3))
    error = composite_seds(seds, np.ones(side**2, dtype=int)).error[0]
    assert error[3] == pytest.approx(each.std() / 8, rel=0.25)  # 200 draws: 5%; and the scale is fitted with it
    assert error[4] < 0.2 * error[3]
    assert composite_seds(seds, np.ones(side**2, dtype=int)).noise[0, 3] == pytest.approx(1e-3 / side, rel=1e-4)


def test_quantiles_and_median_of_members():
    """Of 10,000 members with a Gaussian scatter of 0.1; outliers move the mean and not the median."""
    rng = np.random.default_rng(1)
    flux = np.ones((10000, 6))
    flux[:, 2] += rng.normal(0, 0.1, 10000)
    ones = np.ones(10000, dtype=int)
    found = composite_seds(spread_over(100, flux, np.full(flux.shape, 0.1)), ones)
    # A scatter of 0.1 in one band of six is part of the brightness, too: 5/6 of it is left after the scaling.
    assert (found.high - found.low)[0, 2] == pytest.approx(0.2 * 5 / 6, rel=0.06)
    flux[:100, 3] = 5
    found = composite_seds(spread_over(100, flux, np.full(flux.shape, 0.1)), ones)
    assert found.median[0, 3] / found.median[0, 4] == pytest.approx(1, abs=0.01)
    assert found.flux[0, 3] / found.flux[0, 4] > 1.04


def test_light_of_other_clusters_by_hand():
    """A share of 0.1 of light of an SED that is twice as red: the error is what this would change, times the factor."""
    flux, light = np.array([[1.0, 1], [0.5, 1.5]]), np.array([[0.9, 0.1], [0.2, 0.8]])
    factor = np.array([2.0 / 2.5, 2.0 / 2])  # that bring one as bright as the other
    expected = 0.1 * BLENDING * np.abs(factor[0] * flux[1] - flux[0])
    changes = blending_error(flux, light, BLENDING)
    np.testing.assert_allclose(np.sqrt(np.sum(changes[0] ** 2, axis=0)), expected)
    assert (blending_error(flux[:1], light[:1, :1], BLENDING) == 0).all()


def test_what_bands_share_is_the_direction_in_which_they_change_together():
    """Nine changes of one direction, and one of another that is weaker: the first is found, with its signs."""
    together, other, error = np.array([0.3, -0.6, 0.9]), np.array([0.1, 0.1, 0.0]), np.array([0.4, 0.7, 1.0])
    found = shared_error(np.vstack([together / 3] * 9 + [other]), error)
    np.testing.assert_allclose(np.sign(found[0]) * found, together, rtol=0.1)  # which the other changes a little
    np.testing.assert_allclose(
        shared_error(1e3 * together[None], 1e3 * error), 1e3 * shared_error(together[None], error)
    )
    assert (np.abs(shared_error(together[None], np.abs(together))) < np.abs(together)).all()
    assert (shared_error(np.full((2, 3), np.nan), error) == 0).all()
    assert shared_error(together[None], np.array([0.4, np.nan, 1.0]))[1] == 0


def test_confident_members():
    """Those whose neighbours are all of their cluster, unless a method knows better."""
    labels = np.repeat([1, 2], [15, 10])
    seds = spread_over(5, np.ones((25, 3)), np.ones((25, 3)))
    assert np.flatnonzero(interior_pixels(seds, labels)).tolist() == [6, 7, 8]
    assert composite_seds(seds, labels).n_confident.tolist() == [3, 0]
    known = np.arange(25) > 12
    assert composite_seds(seds, labels, known).n_confident.tolist() == [2, 10]


def test_a_cluster_of_one_pixel_has_a_composite():
    flux, error, _ = members(5)
    found = composite_seds(pixel_seds(flux, error), np.where(np.arange(80) == 7, 2, 1))
    np.testing.assert_allclose(found.flux[1], flux[7])
    np.testing.assert_allclose(found.noise[1], error[7])
    assert np.isfinite(found.error[1]).all()
    assert found.centroid[1].tolist() == [0, 7]


def test_composite_flux_is_that_of_the_composites():
    flux, error, _ = members(6)
    seds, labels = pixel_seds(flux, error), np.repeat([1, -1, 3], [40, 10, 30])
    quick, amplitude = composite_flux(seds, labels)
    whole = composite_seds(seds, labels)
    np.testing.assert_array_equal(quick, whole.flux)
    np.testing.assert_array_equal(amplitude, whole.amplitude)
    assert np.isnan(quick[1]).all()
