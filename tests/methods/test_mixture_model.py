import numpy as np
import pytest
from conftest import BLUE, RED

from helper_functions.methods import mixture_model
from helper_functions.methods.fit_blends import weighted_fluxes
from helper_functions.methods.mixture_model import (
    CONVERGED,
    expectation_step,
    extrapolated,
    fit_mixture,
    initial_mixture,
)
from helper_functions.methods.systematics import Systematics

BAND_WEIGHT = np.full(6, 1 / 6)
NO_PATTERN = Systematics(np.zeros((400, 1)), np.ones((1, 6)), np.full((1, 6), np.inf))


@pytest.fixture
def blends():
    """400 pixels at an SNR of 30, mixtures of two SEDs; and no links between them."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0, 1, (400, 1))
    flux = share * RED + (1 - share) * BLUE
    return weighted_fluxes(flux + rng.normal(0, 1 / 30, flux.shape), np.full(flux.shape, 1 / 30)), np.zeros((400, 400))


def test_an_extrapolation_of_a_geometric_series_gives_its_limit():
    """Amplitudes that approach 5 by a factor of 0.8 in each iteration, 5 - 0.8^n, need a step of 1 / (1 - 0.8) = 5."""
    flux = weighted_fluxes(np.ones((4, 6)), np.ones((4, 6)))
    start = initial_mixture(np.array([RED / RED.mean(), BLUE / BLUE.mean()]), NO_PATTERN)
    three = [start._replace(amplitudes=np.full((1, 6), 5 - 0.8**n)) for n in range(3)]
    found, length = extrapolated(*three, flux, BAND_WEIGHT, longest=16.0)
    np.testing.assert_allclose(found.amplitudes, 5)
    np.testing.assert_allclose(found.templates, start.templates)
    assert length == pytest.approx(5)
    # Without a step there is no extrapolation, and no step is longer than allowed.
    for longest in (1.0, 2.0):
        found, length = extrapolated(*three, flux, BAND_WEIGHT, longest)
        assert length == longest
        assert np.all(found.amplitudes < 4.9)
    np.testing.assert_allclose(extrapolated(*three, flux, BAND_WEIGHT, 1.0)[0].amplitudes, three[2].amplitudes)


def test_an_accelerated_fit_is_better_after_as_many_iterations(blends, monkeypatch):
    """It starts from impure SEDs, which expectation maximisation makes purer slowly."""
    data, links = blends
    start = initial_mixture(np.array([0.9 * RED + 0.1 * BLUE, 0.1 * RED + 0.9 * BLUE]), NO_PATTERN)

    def after(iterations, **options):
        monkeypatch.setattr(mixture_model, "ITERATIONS", iterations)
        mixture, *_ = fit_mixture(data, NO_PATTERN, links, start, BAND_WEIGHT, -np.inf, **options)
        return expectation_step(data, NO_PATTERN, links, mixture)[3].sum()

    plain, accelerated = after(6), after(6, accelerated=True)
    assert accelerated > plain + CONVERGED * 400  # by more than what counts as a gain
    # Both end at the same place; the tolerance is a tenth of the gain.
    assert after(100, accelerated=True) == pytest.approx(after(100), abs=0.1 * (accelerated - plain))
