import warnings

import numpy as np
import pytest

from helper_functions.registration.shifts import (
    UNMEASURED_ERROR,
    Registration,
    SourceShifts,
    combine_sources,
    effective_number,
    neighbourhood,
    registration_at,
    registration_notes,
    remove_prior,
    unmeasured_registration,
    weighted_median,
)

WAVELENGTHS = np.array([0.6, 0.9, 1.5, 2.8, 4.4]) * 1e4
TRUTH = np.array([[0.0, 0.0], [0.5, -0.2], [0.0, 0.1], [-0.3, 0.0], [0.0, 0.0]])  # of median 0 in either direction


def measured(n_sources, error, seed=0, truth=TRUTH, zero=0.5):
    """Sources all over a mosaic of 1,000 pixels, whose shifts were measured with these errors about zero points."""
    rng = np.random.default_rng(seed)
    error = np.broadcast_to(error, (n_sources, *TRUTH.shape))
    shift = truth + rng.normal(0, error) + zero * rng.standard_normal((n_sources, 1, 2))
    return SourceShifts(*rng.uniform(0, 1000, (2, n_sources)), shift, error, WAVELENGTHS)


def test_weighted_median_by_eye():
    values = np.array([[1.0, 5.0], [2.0, 4.0], [9.0, 0.0]])
    assert weighted_median(values, np.ones((3, 2))).tolist() == [2, 4]
    assert weighted_median(values, np.array([[1, 0], [1, 0], [8, 0]])).tolist() == [9, 0]
    assert weighted_median(values[:2], np.ones((2, 2))).tolist() == [1.5, 4.5]
    assert weighted_median(np.array([[3.0]]), np.array([[0.2]])).tolist() == [3]


def test_only_large_and_significant_shifts_are_corrected():
    shift = np.array([[0.2, 0.0], [0.05, 0.0], [0.0, 0.6], [0.3, 0.4]])
    found = Registration(shift, np.array([[0.01, 0.01], [0.01, 0.01], [0.01, 0.6], [0.1, 0.01]]))
    # The third lies off by its error only; that of the last, 0.06 along its direction, is an eighth of its shift.
    assert found.to_correct.tolist() == [True, False, False, True]
    assert found.correction.tolist() == [[0.2, 0], [0, 0], [0, 0], [0.3, 0.4]]
    np.testing.assert_allclose(found.residual_error[1], [np.hypot(0.05, 0.01), 0.01])  # what is not corrected is left
    assert found.residual_error[0].tolist() == [0.01, 0.01]
    assert found.largest == 0.5
    assert unmeasured_registration(3).largest == 0
    assert registration_notes(found, ("a", "b", "c", "d")) == (
        "shifts of 2 of 4 bands were corrected, by up to 0.50 pixels (d)",
    )
    assert registration_notes(unmeasured_registration(3), "abc") == ()


def test_precision_of_a_prior_is_taken_out():
    prior, error = np.full((1, 2), 0.3), np.array([[0.1, 0.4]])
    both = (prior**-2 + error**-2) ** -0.5
    posterior = Registration(np.array([[0.6, 0.6]]) * both**2 / error**2, both)
    found = remove_prior(posterior, prior)
    np.testing.assert_allclose(found.shift, 0.6)
    np.testing.assert_allclose(found.error, error)


@pytest.mark.parametrize("seed", range(3))
def test_sources_together_know_more_than_each(seed):
    error = np.array([0.05, 0.1, 0.05, 0.2, 0.05])[:, None]
    pulls = []
    for draw in range(40):
        found = combine_sources(measured(20, error, seed=100 * seed + draw))
        pulls.append((found.shift - TRUTH) / found.error)
    # 400 numbers, in fives with a common zero point: a spread is known to 5% or so. Errors hold colours of a tenth of a
    # pixel, of which these sources have none.
    assert 0.6 < np.std(pulls) < 1.2
    assert np.median(found.error) < 0.05


def test_a_few_sources_that_are_wrong_do_no_harm():
    sources = measured(15, 0.05)
    sources.shift[:3, 1] += 3.0
    found = combine_sources(sources)
    np.testing.assert_allclose(found.shift, TRUTH, atol=0.12)


def test_bands_that_nothing_shows_keep_zero_with_a_wide_error():
    sources = measured(10, np.array([0.05, 0.05, 0.05, 0.05, 40.0])[:, None])
    sources.shift[:, 4, 1] = np.nan
    found = combine_sources(sources)
    assert found.error[4] == pytest.approx(UNMEASURED_ERROR, rel=0.1)  # of the difference to the mean of the others
    assert not found.to_correct[4]
    sources.shift[:, 4] = np.nan
    there = registration_at(sources, 500, 500)
    assert (there.error[4] > 0.9).all()
    np.testing.assert_allclose(there.shift[:4], TRUTH[:4], atol=0.15)
    assert abs(found.shift[4, 1]) < 0.1


def test_nothing_depends_on_the_order_of_bands_and_sources():
    sources, bands, others = measured(9, 0.05), [3, 0, 4, 1, 2], np.random.default_rng(1).permutation(9)
    found = combine_sources(sources)
    again = combine_sources(sources.only(others))
    np.testing.assert_allclose(again.shift, found.shift, atol=1e-12)
    same = {name: getattr(sources, name)[:, bands] for name in ("shift", "error")}
    turned = combine_sources(sources._replace(**same, wavelengths=WAVELENGTHS[bands]))
    np.testing.assert_allclose(turned.shift, found.shift[bands], atol=1e-12)


def test_the_nearest_sources_decide_where_halves_of_a_mosaic_differ():
    rng = np.random.default_rng(3)
    sources = measured(40, 0.04, truth=0)
    right = sources.cols > 500
    other = 0.6 * rng.standard_normal(TRUTH.shape)
    sources.shift[:] += np.where(right[:, None, None], TRUTH, other)
    for col, truth in ((150, other), (850, TRUTH)):
        found = registration_at(sources, 500, col)
        truth = truth - np.median(truth, axis=0)
        np.testing.assert_allclose(found.shift, truth, atol=0.15)
    assert neighbourhood(sources).number < 40
    assert neighbourhood(measured(40, 0.04)).number == 40  # the control: shifts are the same everywhere


def test_differences_between_sources_make_the_error_of_a_place_large():
    alike = measured(3, 0.05)
    place = 500, 500
    assert np.median(registration_at(alike, *place).error) > 0.3  # three sources do not tell
    many = measured(12, 0.05)
    different = many._replace(shift=many.shift + np.random.default_rng(5).normal(0, 0.5, many.shift.shape))
    assert np.median(registration_at(many, *place).error) < 0.1
    assert np.median(registration_at(different, *place).error) > 0.2  # a part of the differences may be colours
    none = alike.only([])
    assert (registration_at(none, *place).error == UNMEASURED_ERROR).all()


def test_what_a_galaxy_says_itself_counts_by_its_error():
    known = Registration(np.zeros_like(TRUTH), np.full(TRUTH.shape, 0.5))
    own = measured(1, 0.01)
    assert np.abs(combine_sources(own, known).shift - TRUTH).max() < 0.5 * np.abs(TRUTH).max()
    sure = known._replace(error=np.full(TRUTH.shape, 0.001))
    np.testing.assert_allclose(combine_sources(own, sure).shift, 0, atol=0.01)
    own.shift[0, 1] = np.nan
    assert combine_sources(own, known).error[1, 0] > 0.4


def test_what_changes_smoothly_with_wavelength_in_one_source_is_colour():
    """A source that is bluer on one side: its blue bands lie off all together, by nothing but their colour."""
    wave = np.log(np.array([0.45, 0.6, 0.8, 0.9, 1.15, 1.5, 2.0, 2.8, 3.6, 4.4]) * 1e4)
    colour = np.zeros((10, 2))
    colour[:, 0] = -0.8 * (wave.max() - wave) / np.ptp(wave)
    own = SourceShifts(np.zeros(1), np.zeros(1), colour[None], np.full((1, 10, 2), 0.03), np.exp(wave))
    found = combine_sources(own)
    assert not found.to_correct.any()
    assert found.error[0, 0] > 0.2  # it may be a shift all the same
    # One band by itself, and all bands in many sources, which cannot all be blue on one side: these lie off.
    colour[4, 0] += 0.5
    found = combine_sources(own._replace(shift=colour[None]))
    assert found.to_correct.tolist() == [False] * 4 + [True] + [False] * 5
    many = SourceShifts(*np.zeros((2, 20)), np.tile(colour, (20, 1, 1)), np.full((20, 10, 2), 0.03), np.exp(wave))
    assert combine_sources(many).to_correct[:3].all()


@pytest.mark.parametrize("error", [np.nan, 100.0])
def test_sources_without_any_measurement_count_as_none(error):
    nothing = measured(8, 0.1)._replace(
        shift=np.full((8, *TRUTH.shape), np.nan), error=np.full((8, *TRUTH.shape), error)
    )
    assert effective_number(measured(8, 0.1)) == pytest.approx(8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert effective_number(nothing) == 0
    for sources in (nothing, nothing.only([0])):
        found = combine_sources(sources)
        np.testing.assert_allclose(found.shift, 0, atol=1e-6)
        assert (found.error > 0.8).all()  # that of the prior, but for the mean of the bands
