import numpy as np
import pytest

from helper_functions.simulation.truth_scores import composite_distance, truth_scores


def test_scores_worked_out_by_hand():
    region = np.array([1, 1, 1, 2, 2, 2])
    share = np.array([0.9, 0.9, 0.6, 0.9, 0.9, 0.6])
    assert truth_scores(np.array([2, 2, 2, 1, 1, 1]), region, share) == (1, 1, 1, 1)
    wrong_at_the_edge = truth_scores(np.array([1, 1, 2, 2, 2, 1]), region, share)
    assert wrong_at_the_edge.ari_core == 1
    # Pairs: 2 of 6 agree in each cluster beyond... the index of this table, from its definition, is -1/9.
    assert wrong_at_the_edge.ari == pytest.approx(-1 / 9)


def test_leaving_pixels_out_is_no_way_to_score():
    region, share = np.repeat([1, 2], 50), np.ones(100)
    assert truth_scores(np.full(100, -1), region, share).ari == 0


def test_one_region_is_found_or_not():
    region, share = np.ones(1000, dtype=int), np.ones(1000)
    together, two = np.ones(1000, dtype=int), np.repeat([1, 2], [999, 1])
    assert truth_scores(together, region, share) == (1, 1, 1, 1)
    assert truth_scores(two, region, share) == (0, 0, 0, 0)


@pytest.mark.parametrize(("n_unassigned", "ari"), [(9, 1), (10, 0)])  # below and at 1% of 1000 pixels
def test_a_handful_of_unassigned_pixels_does_not_split_one_region(n_unassigned, ari):
    labels = np.repeat([1, -1], [1000 - n_unassigned, n_unassigned])
    assert truth_scores(labels, np.ones(1000, dtype=int), np.ones(1000)).ari == ari


def test_chance_scores_zero():
    rng = np.random.default_rng(0)
    region = rng.integers(1, 4, 3000)
    scores = truth_scores(rng.permutation(region), region, np.ones(3000))
    np.testing.assert_allclose(scores, 0, atol=0.01)


def test_no_core_pixels_is_not_a_score():
    assert np.isnan(truth_scores(np.array([1, 2]), np.array([1, 2]), np.array([0.5, 0.5])).ari_core)


def test_composite_distance_by_hand():
    true_seds = np.array([[1.0, 0], [0, 1]])
    assert composite_distance(5 * true_seds[::-1], true_seds) == 0
    assert composite_distance(np.array([[1.0, 0]]), true_seds) == pytest.approx(0.5)  # 0 to one, 1 to the other
    assert np.isnan(composite_distance(np.empty((0, 2)), true_seds))
