import numpy as np
import pytest

from helper_functions.composite_seds import best_fit_amplitude
from helper_functions.methods import blends as blends_module
from helper_functions.methods.blends import Blends, photometry

SEDS = np.array([[1.0, 2, 3, 4, 2], [4.0, 3, 2, 1, 2], [1.0, 4, 1, 4, 1]])


@pytest.fixture
def no_calibration(monkeypatch):
    monkeypatch.setattr(blends_module, "CALIBRATION", 0.0)


def blended(shares, brightness=50.0, noise=0.1, n_pixels=40, seed=0):
    rng = np.random.default_rng(seed)
    error = np.full((n_pixels, 5), noise) * rng.uniform(0.5, 2, 5)
    return brightness * np.array(shares) @ SEDS + rng.normal(0, error), error


def test_populations_alone_are_best_fit_amplitudes(no_calibration):
    """Two routes: the likelihood is half of what the fitted SED takes off chi2, times the error of the amplitude."""
    flux, error = blended([0.2, 0.5, 0.3])
    data = photometry(flux, error)
    found = Blends(data, SEDS)
    for number, sed in enumerate(SEDS):
        amplitude, chi2 = best_fit_amplitude(flux, error, sed)
        np.testing.assert_allclose(found.brightness[:, number], amplitude)
        range_of_amplitude = -0.5 * np.log(np.sum(sed**2 / error**2, axis=1))
        np.testing.assert_allclose(found.likelihood[:, number], 0.5 * (data.power - chi2) + range_of_amplitude)


def test_best_share_of_a_pair_is_that_of_a_search(no_calibration):
    flux, error = blended([0.7, 0.3, 0.0], noise=2.0)
    found = Blends(photometry(flux, error), SEDS[:2])
    shares = np.linspace(0.5, 1, 20001)
    for pixel in range(5):
        chi2 = [
            best_fit_amplitude(flux[pixel : pixel + 1], error[pixel : pixel + 1], f * SEDS[0] + (1 - f) * SEDS[1])[1][0]
            for f in shares[::10]
        ]
        assert found.share[pixel, 0] == pytest.approx(shares[::10][np.argmin(chi2)], abs=3e-4)


def test_likelihood_of_a_pair_is_the_integral_over_its_shares(no_calibration):
    """Laplace's approximation against a sum over 20,000 shares: exact to a few percent where noise is small."""
    flux, error = blended([0.7, 0.3, 0.0], noise=1.0, n_pixels=6)
    data = photometry(flux, error)
    found = Blends(data, SEDS[:2]).likelihood[:, 2]
    shares = np.linspace(0.5, 1, 20001)
    gains = []
    for share in shares:
        sed = share * SEDS[0] + (1 - share) * SEDS[1]
        fit = 0.5 * (data.power - best_fit_amplitude(flux, error, sed)[1])
        gains.append(fit - 0.5 * np.log(np.sum(sed**2 / error**2, axis=1)))
    gains = np.array(gains)
    top = gains.max(axis=0)
    integral = np.log(np.trapezoid(np.exp(gains - top), shares, axis=0)) + top
    np.testing.assert_allclose(found, integral, atol=0.03)


def test_a_blend_of_three_is_found_with_its_shares():
    flux, error = blended([0.5, 0.3, 0.2])
    found = Blends(photometry(flux, error), SEDS)
    order = np.argsort(found.members, axis=1)
    shares = np.take_along_axis(found.shares, order, axis=1)
    np.testing.assert_allclose(shares.mean(axis=0), [0.5, 0.3, 0.2], atol=0.01)
    best = np.argmax(found.likelihood, axis=1)
    assert (best == found.likelihood.shape[1] - 2).all()  # the column of the triple


def test_a_pure_pixel_is_more_likely_pure_than_blended():
    flux, error = blended([1.0, 0.0, 0.0])
    likelihood = Blends(photometry(flux, error), SEDS).likelihood
    assert (np.argmax(likelihood, axis=1) == 0).mean() > 0.9


def test_what_no_blend_explains_is_something_else():
    flux, error = blended([0.5, 0.5, 0.0])
    flux[3, 2] += 1e3  # a hot pixel
    likelihood = Blends(photometry(flux, error), SEDS[:2]).likelihood
    assert np.flatnonzero(np.argmax(likelihood, axis=1) == likelihood.shape[1] - 1).tolist() == [3]


def test_sums_over_populations_keep_the_total():
    flux, error = blended([0.4, 0.4, 0.2])
    found = Blends(photometry(flux, error), SEDS)
    weights = np.random.default_rng(0).dirichlet(np.ones(found.likelihood.shape[1]), len(flux))
    inside = weights[:, :-1].sum(axis=1)
    np.testing.assert_allclose(found.by_population(weights).sum(axis=1), inside)
    np.testing.assert_allclose(found.by_two_populations(weights).sum(axis=1), inside)
    np.testing.assert_allclose(found.dominated(weights).sum(axis=1), inside)
    # Without the first population: the two others, their pair in two columns, something else, and no triple.
    np.testing.assert_allclose(found.without(weights)[:, 0], weights[:, [1, 2, 5, 8, 10]].sum(axis=1))
    even = np.full((len(flux), 3), 1 / 3)
    np.testing.assert_allclose(found.agreement(even), 1 / 3)  # every blend's shares sum to 1
