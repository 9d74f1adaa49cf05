import numpy as np
import pytest

from helper_functions.fitting.maps import paint, shares

RNG = np.random.default_rng(3)


@pytest.fixture
def light():
    """Three regions in 6 x 5 pixels, blended but for a corner that is the first one's alone; the rest is sky."""
    cube = RNG.uniform(0.1, 1, (3, 6, 5))
    cube[1:, :2, :2] = 0
    cube[:, 5] = np.nan
    return cube


def test_a_sum_adds_up_to_the_total_and_a_mean_stays_between_its_regions(light):
    values, errors = np.array([1e10, 3e8, 2e9]), np.array([1e9, 1e8, 1e8])
    image, error = paint(light, values, errors, True)
    assert np.nansum(image) == pytest.approx(values.sum(), rel=1e-10)  # rounding of 25 pixels
    assert (np.isnan(image) == np.isnan(light[0])).all()
    assert (np.isnan(error) == np.isnan(light[0])).all()
    mean, _ = paint(light, values, errors, False)
    assert values.min() <= np.nanmin(mean) < np.nanmax(mean) == pytest.approx(1e10)
    assert mean[0, 0] == pytest.approx(1e10)


def test_shares_do_not_depend_on_the_unit_of_a_region(light):
    assert shares(light * np.array([1, 1e5, 1e-9])[:, None, None]) == pytest.approx(shares(light))
    assert shares(light).sum(axis=(1, 2)) == pytest.approx(1)


def test_where_one_region_is_alone_the_error_is_in_proportion(light):
    image, error = paint(light, np.array([8.0, 1, 1]), np.array([2.0, 0, 0]), True)
    assert error[:2, :2] == pytest.approx(image[:2, :2] / 4)
    _, error = paint(light, np.array([8.0, 1, 1]), np.array([2.0, 0, 0]), False)
    assert error[:2, :2] == pytest.approx(2)


def test_a_mean_by_mass_is_that_of_the_masses_in_the_pixel(light):
    mass, age = np.array([1e9, 5e9, 2e9]), np.array([0.1, 1.0, 3.0])
    by_hand = np.sum([share * m * t for share, m, t in zip(shares(light), mass, age, strict=True)], axis=0)
    in_pixel = np.sum([share * m for share, m in zip(shares(light), mass, strict=True)], axis=0)
    image, _ = paint(light, age, 0 * age, False, mass)
    assert image[:5] == pytest.approx(by_hand[:5] / in_pixel[:5])
    # With it, the mean of the specific rate is the map of the rate over the map of the mass.
    sfr = np.array([3.0, 0.1, 20.0])
    of_maps = paint(light, sfr, 0 * sfr, True)[0] / paint(light, mass, 0 * mass, True)[0]
    assert paint(light, sfr / mass, 0 * sfr, False, mass)[0][:5] == pytest.approx(of_maps[:5])


def test_errors_of_regions_are_independent():
    light = np.ones((2, 1, 4))
    _, error = paint(light, np.array([4.0, 4.0]), np.array([3.0, 4.0]), True)
    assert error == pytest.approx(np.full((1, 4), 5 / 4))  # a quarter of hypot(3, 4)


def test_a_region_that_is_not_known_adds_nothing_and_is_nan_where_it_is_alone(light):
    values, errors = np.array([np.nan, 3.0, 2.0]), np.ones(3)
    image, error = paint(light, values, errors, True)
    assert np.isnan(image[:2, :2]).all()
    assert np.nansum(image) == pytest.approx(5)
    assert paint(light, values, errors, False)[0][2, 2] <= 3
    image, error = paint(light, np.ones(3), np.array([np.nan, 1, 1]), True)  # nor is its error
    assert np.isfinite(image[:2, :2]).all()
    assert np.isnan(error[:2, :2]).all()


def test_a_region_without_light_is_nowhere(light):
    light[2] = 0
    image, _ = paint(light, np.array([1.0, 1, 50]), np.ones(3), True)
    assert np.nansum(image) == pytest.approx(2)
