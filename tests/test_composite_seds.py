import numpy as np
import pytest
from astropy import units as u
from conftest import pixel_seds

from helper_functions.composite_seds import (
    best_fit_amplitude,
    composite_sed,
    composite_seds,
    composite_table,
    nearest_sed,
    residuals,
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
    composite, _, scatter, fitted = composite_sed(flux, np.ones_like(flux))
    np.testing.assert_allclose(composite, SHAPE, rtol=1e-9)
    np.testing.assert_allclose(fitted, amplitude, rtol=1e-9)
    np.testing.assert_allclose(scatter, 0, atol=1e-9)


def test_composite_matches_the_truth_within_its_errors():
    """Over 300 galaxies the deviations in units of the error have mean 0 and scatter 1."""
    pulls = []
    for seed in range(300):
        flux, error, _ = members(seed)
        composite, composite_error, _, _ = composite_sed(flux, error)
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
    composite, _, _, _ = composite_sed(flux, error)
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
    assert np.isnan(composites.scatter[0, 4])
    assert composites.n_pixels[0].tolist() == [70, 80, 80, 80, 0]
    np.testing.assert_allclose(composites.flux[0, :4], SHAPE[:4], atol=5 * np.nanmax(composites.error))
    assert composites.flux[0, 0] < 0


def test_units_scale_through():
    flux, error, _ = members(2)
    small, large = (composite_seds(pixel_seds(k * flux, k * error), np.ones(80, dtype=int)) for k in (1, 1000))
    for name in ("flux", "error", "scatter"):
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


def test_table_has_units_and_rest_frame_wavelengths():
    flux, error, _ = members(4)
    seds = pixel_seds(flux, error, np.arange(1, 6) * 1e4, bands=tuple("abcde"), redshift=1.0)
    composites = composite_seds(seds, np.repeat([1, 2], 40))
    table = composite_table(composites, seds)
    assert len(table) == 10
    assert table["wave_rest"].quantity[0] == 5000 * u.AA
    assert table["flux"].unit == 10 * u.nJy
    assert table["flux"][7] == composites.flux[1, 2]
    assert np.isnan(composite_table(composites, seds._replace(redshift=np.nan))["wave_rest"]).all()
