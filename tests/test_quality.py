import numpy as np
import pytest

from helper_functions.pixel_seds import PixelSEDs
from helper_functions.quality import (
    agreement,
    band_errors,
    brightness_share,
    composite_distance,
    fragmentation,
    held_out_error,
    quality,
    reduced_chi2,
    stability,
)


def test_agreement_worked_out_by_hand():
    region = np.array([1, 1, 1, 2, 2, 2])
    share = np.array([0.9, 0.9, 0.6, 0.9, 0.9, 0.6])
    assert agreement(np.array([2, 2, 2, 1, 1, 1]), region, share) == (1, 1, 1, 1)
    wrong_at_the_edge = agreement(np.array([1, 1, 2, 2, 2, 1]), region, share)
    assert wrong_at_the_edge.ari_core == 1
    # Pairs: 2 of 6 agree in each cluster beyond... the index of this table, from its definition, is -1/9.
    assert wrong_at_the_edge.ari == pytest.approx(-1 / 9)


def test_leaving_pixels_out_is_no_way_to_score():
    region, share = np.repeat([1, 2], 50), np.ones(100)
    assert agreement(np.full(100, -1), region, share).ari == 0


def test_chance_scores_zero():
    rng = np.random.default_rng(0)
    region = rng.integers(1, 4, 3000)
    scores = agreement(rng.permutation(region), region, np.ones(3000))
    np.testing.assert_allclose(scores, 0, atol=0.01)


def test_no_core_pixels_is_not_a_score():
    assert np.isnan(agreement(np.array([1, 2]), np.array([1, 2]), np.array([0.5, 0.5])).ari_core)


def test_composite_distance_by_hand():
    true_seds = np.array([[1.0, 0], [0, 1]])
    assert composite_distance(5 * true_seds[::-1], true_seds) == 0
    assert composite_distance(np.array([[1.0, 0]]), true_seds) == pytest.approx(0.5)  # 0 to one, 1 to the other
    assert np.isnan(composite_distance(np.empty((0, 2)), true_seds))


# ---- without truth ----------------------------------------------------------


def square(side=20, seed=0, noise=0.05):
    """Left half of one SED, right half of another, brightness growing downwards; noise as the errors say."""
    rng = np.random.default_rng(seed)
    rows, cols = np.divmod(np.arange(side**2), side)
    labels = np.where(cols < side // 2, 1, 2)
    shapes = np.array([[1.0, 2, 3, 4, 5, 6], [6.0, 5, 4, 3, 2, 1]])
    error = np.full((side**2, 6), noise)
    flux = np.geomspace(1, 5, side)[rows, None] * shapes[labels - 1] + rng.normal(0, error)
    return flux, error, labels, rows, cols


def test_reduced_chi2_is_one_where_noise_is_all():
    flux, error, labels, _, _ = square()
    assert reduced_chi2(flux, error, labels) == pytest.approx(1, abs=0.1)  # 2,000 degrees of freedom: 3%
    assert reduced_chi2(flux, error / 2, labels) == pytest.approx(4, abs=0.4)
    assert reduced_chi2(flux, error, np.ones_like(labels)) > 100  # the control: one composite for two shapes
    assert np.isnan(reduced_chi2(flux[:1, :1], error[:1, :1], np.array([1])))


def test_band_errors_by_hand():
    """From bands 2 and 3 the amplitude is 2: band 1 is predicted as 2, and is 5 errors away."""
    errors = band_errors(np.array([[3.0, 4, 6]]), np.full((1, 3), 0.2), np.array([[1.0, 2, 3], [np.nan, 1, 1]]))
    assert errors[0, 0] == pytest.approx((3 - 2) / 0.2)
    missing = band_errors(np.array([[np.nan, 4, 6]]), np.full((1, 3), 0.2), np.array([[1.0, 2, 3]]))
    assert np.isnan(missing[0, 0])
    assert missing[0, 1] == pytest.approx(0)
    assert np.isnan(band_errors(np.array([[3.0]]), np.array([[1.0]]), np.array([[1.0]]))).all()


def test_held_out_error_is_one_for_the_truth_and_more_for_less():
    flux, error, labels, rows, cols = square()
    # 68% of Gaussian errors are below 1; amplitudes and composites are noisy too, which is a tenth in six bands.
    assert held_out_error(flux, error, labels, rows, cols) == pytest.approx(1.1, abs=0.12)
    assert held_out_error(flux, error, np.ones_like(labels), rows, cols) > 5


def test_fragmentation():
    _, _, labels, rows, cols = square()
    # 20 of 760 pairs of neighbours differ, where half would.
    assert fragmentation(labels, rows, cols) == pytest.approx(20 / 760 / 0.5)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert fragmentation(shuffled, rows, cols) == pytest.approx(1, abs=0.1)  # 760 pairs: 4%
    assert np.isnan(fragmentation(np.ones_like(labels), rows, cols))


def test_brightness_share():
    flux, _, labels, rows, _ = square(noise=0.001)
    assert brightness_share(flux, labels) < 0.05
    assert brightness_share(flux, 1 + rows) > 0.95  # labels that are nothing but brightness
    assert brightness_share(flux, np.ones_like(labels)) == pytest.approx(0, abs=1e-12)


def test_stability():
    flux, error, labels, _, _ = square()
    assert stability(flux, error, labels, lambda drawn: labels, 0) == 1
    rng = np.random.default_rng(0)
    assert abs(stability(flux, error, labels, lambda drawn: rng.permutation(labels), 0)) < 0.05


def test_quality_with_missing_data():
    flux, error, labels, rows, cols = square()
    flux[5, 2] = error[5, 2] = np.nan
    seds = PixelSEDs(flux, error, tuple("abcdef"), np.arange(6.0), rows, cols)
    found = quality(seds, labels, lambda drawn: labels)
    assert np.isfinite(found).all()
    assert found.stability == 1
