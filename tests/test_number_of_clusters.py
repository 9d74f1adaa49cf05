import numpy as np
import pytest
from conftest import pixel_seds

from helper_functions.clustering import cluster_pixels
from helper_functions.methods.method import Found
from helper_functions.number_of_clusters import CRITERIA, Task, highest, score, takeuchi


@pytest.mark.parametrize("method", ["kmeans", "agglomerative", "spectral", "blended_mixture"])
@pytest.mark.parametrize("criterion", ["silhouette", "gap", "stability"])
def test_two_planted_shapes_are_two_clusters(method, criterion, two_shapes):
    result = cluster_pixels(two_shapes.seds, method=method, criterion=criterion)
    assert (result.n_clusters, result.k_choice) == (2, criterion)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_works_for_the_recommended_method(criterion, two_shapes):
    result = cluster_pixels(two_shapes.seds, method="blended_mixture", criterion=criterion)
    assert result.scores[criterion].chosen == 2


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_scores_every_number(criterion, two_shapes):
    scores = cluster_pixels(two_shapes.seds, method="kmeans", criterion=criterion).scores[criterion]
    assert scores.values.shape == (10,)
    assert np.isfinite(scores.values[1:]).all()
    assert 1 <= scores.chosen <= 10


def test_more_criteria_are_worked_out_beside_the_one_that_chooses(two_shapes):
    result = cluster_pixels(two_shapes.seds, method="kmeans", criterion="silhouette", criteria=["bic", "tic"])
    assert list(result.scores) == ["silhouette", "bic", "tic"]
    assert result.k_choice == "silhouette"


def test_hard_labels_split_noise_and_the_gap_sees_it(two_shapes):
    """Of one SED, the likelihood of hard labels rises with their number as pixels may choose; the gap does not."""
    seds = two_shapes.seds.only(two_shapes.truth == 1)
    assert cluster_pixels(seds, method="kmeans", criterion="gap").n_clusters == 1
    assert cluster_pixels(seds, method="kmeans", criterion="tic").n_clusters > 1
    assert cluster_pixels(seds, method="kmeans", criterion="silhouette").n_clusters > 1  # it has no meaning for 1


def task_with(log_likelihood, noise_area):
    """A task of 50 pixels in 4 bands whose clusterings have these log likelihoods."""

    class Known:
        def candidates(self, seds, ks):
            return {k: Found(np.zeros(50, dtype=int), log_likelihood=x) for k, x in log_likelihood.items()}

    return Task(pixel_seds(np.ones((50, 4)), np.ones((50, 4)), noise_area=noise_area), Known(), seed=0)


def test_tic_by_hand():
    """4 bands and 1, 2, 3, ... frequencies a cluster: 5, 11, 18, 26 parameters, each at 0.8 times the noise's area."""
    gains = {1: 0.0, 2: 20.0, 3: 27.0, 4: 33.0}
    scores = takeuchi(task_with(gains, np.ones(4)))
    np.testing.assert_allclose(scores.values[:4], [-4, 11.2, 12.6, 12.2])
    assert scores.chosen == 3
    assert takeuchi(task_with(gains, np.full(4, 3.0))).chosen == 2
    assert takeuchi(task_with(gains, np.full(4, 0.1))).chosen == 3  # an area below a pixel is not believed


def test_bic_by_hand():
    """50 pixels of which 5 share their noise are 10: 5, 11 and 18 parameters cost 5 x log(10) / 2 = 5.76 each."""
    gains = {1: 0.0, 2: 35.0, 3: 75.0}
    assert CRITERIA["bic"].score(task_with(gains, np.full(4, 5.0))).chosen == 2


def test_highest_of_nothing_is_one():
    assert highest(np.full(3, np.nan)).chosen == 1


def test_scores_carry_what_their_axis_is_called():
    scores = score(["tic", "bic"], task_with({1: 0.0, 2: 20.0}, np.ones(4)))
    assert {name: each.meaning for name, each in scores.items()} == {k: CRITERIA[k].axis for k in ("tic", "bic")}
