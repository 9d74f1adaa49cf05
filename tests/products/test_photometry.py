import numpy as np
import pytest

from helper_functions.products.photometry import RegionPhotometry

FLUX = np.array([[1.0, 2.0, np.nan, 4.0], [0.5, 0.5, 0.5, 0.5]])


def photometry(total_error):
    """Two regions that are as bright as 10 and 20 of their mean pixels, with relative errors of 5%, 3% of it shared."""
    total = FLUX * [[10], [20]]
    values = FLUX, 0.05 * FLUX, 0.03 * FLUX, total, total_error * total
    return RegionPhotometry(7, "run", "populations", 1.0, np.array([1, 2]), ("a", "b", "c", "d"), *values)


@pytest.mark.parametrize(("total_error", "scale_error"), [(0.13, 0.12), (0.05, 0.0), (0.04, 0.0)])
def test_seds_are_as_bright_as_totals_and_errors_are_told_apart(total_error, scale_error):
    flux, error, shared = photometry(total_error).scaled_to_totals()
    np.testing.assert_allclose(flux, FLUX * [[10], [20]])
    np.testing.assert_allclose(error, 0.04 * flux)
    np.testing.assert_allclose(shared[:, 0], 0.03 * flux)
    np.testing.assert_allclose(shared[:, 1], scale_error * flux)  # 0.13^2 = 0.05^2 + 0.12^2


def test_without_regions_there_is_nothing():
    empty = photometry(0.1)
    empty = empty._replace(clusters=empty.clusters[:0], **{name: FLUX[:0] for name in ("flux", "error", "shared")})
    flux, error, shared = empty.scaled_to_totals()
    assert (flux.shape, error.shape, shared.shape) == ((0, 4), (0, 4), (0, 2, 4))


def test_integrated_light_is_the_sum_and_bands_keep_their_zero_points():
    """Errors of 4% in each region, of which 3% are zero points, common to both; the rest is independent noise."""
    noise = np.sqrt(0.04**2 - 0.03**2)
    flux, error, shared = photometry(0.13)._replace(zero_point=0.03).integrated()
    total = np.array([20.0, 30, np.nan, 50])
    np.testing.assert_allclose(flux, total)
    one, two = FLUX * [[10], [20]]
    np.testing.assert_allclose(error, np.hypot(noise * np.hypot(one, two), 0.03 * total))
    np.testing.assert_allclose(shared, [np.zeros(4), 0.12 * np.hypot(one, two)])
