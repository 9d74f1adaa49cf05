import numpy as np
import pytest

from helper_functions.composite_seds import best_fit_amplitude
from helper_functions.methods import fit_blends as room
from helper_functions.methods.fit_blends import fit_blends, weighted_fluxes

TEMPLATES = np.array([[1.0, 2, 3, 4, 2], [4.0, 3, 2, 1, 2], [1.0, 4, 1, 4, 1]])


@pytest.fixture
def no_calibration(monkeypatch):
    monkeypatch.setattr(room, "CALIBRATION", 0.0)


def blended(shares, brightness=50.0, noise=0.1, n_pixels=40, seed=0):
    rng = np.random.default_rng(seed)
    error = np.full((n_pixels, 5), noise) * rng.uniform(0.5, 2, 5)
    return brightness * np.array(shares) @ TEMPLATES + rng.normal(0, error), error


def test_populations_alone_are_best_fit_amplitudes(no_calibration):
    """Two routes: the likelihood is half of what the fitted SED takes off chi2, times the error of the amplitude."""
    flux, error = blended([0.2, 0.5, 0.3])
    data = weighted_fluxes(flux, error)
    found = fit_blends(data, TEMPLATES)
    for number, sed in enumerate(TEMPLATES):
        amplitude, chi2 = best_fit_amplitude(flux, error, sed)
        np.testing.assert_allclose(found.brightness[:, number], amplitude)
        range_of_amplitude = -0.5 * np.log(np.sum(sed**2 / error**2, axis=1))
        np.testing.assert_allclose(
            found.log_likelihood[:, number], 0.5 * (data.chi2_of_zero - chi2) + range_of_amplitude
        )


def test_best_share_of_a_pair_is_that_of_a_search(no_calibration):
    flux, error = blended([0.7, 0.3, 0.0], noise=2.0)
    found = fit_blends(weighted_fluxes(flux, error), TEMPLATES[:2])
    shares = np.linspace(0.5, 1, 20001)
    for pixel in range(5):
        chi2 = [
            best_fit_amplitude(
                flux[pixel : pixel + 1], error[pixel : pixel + 1], f * TEMPLATES[0] + (1 - f) * TEMPLATES[1]
            )[1][0]
            for f in shares[::10]
        ]
        assert found.share[pixel, 0] == pytest.approx(shares[::10][np.argmin(chi2)], abs=3e-4)


def test_likelihood_of_a_pair_is_the_integral_over_its_shares(no_calibration):
    """Laplace's approximation against a sum over 20,000 shares: exact to a few percent where noise is small."""
    flux, error = blended([0.7, 0.3, 0.0], noise=1.0, n_pixels=6)
    data = weighted_fluxes(flux, error)
    found = fit_blends(data, TEMPLATES[:2]).log_likelihood[:, 2]
    shares = np.linspace(0.5, 1, 20001)
    gains = []
    for share in shares:
        sed = share * TEMPLATES[0] + (1 - share) * TEMPLATES[1]
        fit = 0.5 * (data.chi2_of_zero - best_fit_amplitude(flux, error, sed)[1])
        gains.append(fit - 0.5 * np.log(np.sum(sed**2 / error**2, axis=1)))
    gains = np.array(gains)
    top = gains.max(axis=0)
    integral = np.log(np.trapezoid(np.exp(gains - top), shares, axis=0)) + top
    np.testing.assert_allclose(found, integral, atol=0.03)


def test_a_blend_of_three_is_found_with_its_shares():
    flux, error = blended([0.5, 0.3, 0.2])
    found = fit_blends(weighted_fluxes(flux, error), TEMPLATES)
    order = np.argsort(found.members, axis=1)
    shares = np.take_along_axis(found.shares, order, axis=1)
    np.testing.assert_allclose(shares.mean(axis=0), [0.5, 0.3, 0.2], atol=0.01)
    best = np.argmax(found.log_likelihood, axis=1)
    assert (best == found.log_likelihood.shape[1] - 2).all()  # the column of the triple


def test_a_pure_pixel_is_more_likely_pure_than_blended():
    flux, error = blended([1.0, 0.0, 0.0])
    log_likelihood = fit_blends(weighted_fluxes(flux, error), TEMPLATES).log_likelihood
    assert (np.argmax(log_likelihood, axis=1) == 0).mean() > 0.9


def test_what_no_blend_explains_is_something_else():
    flux, error = blended([0.5, 0.5, 0.0])
    flux[3, 2] += 1e3  # a hot pixel
    log_likelihood = fit_blends(weighted_fluxes(flux, error), TEMPLATES[:2]).log_likelihood
    assert np.flatnonzero(np.argmax(log_likelihood, axis=1) == log_likelihood.shape[1] - 1).tolist() == [3]
