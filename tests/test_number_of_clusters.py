import numpy as np
import pytest
from conftest import pixel_seds
from sklearn.metrics import adjusted_rand_score

from distances import DEFAULTS
from helper_functions.clustering import Clusterer, cluster_pixels
from helper_functions.methods import METHODS
from helper_functions.methods.method import MethodResult
from helper_functions.number_of_clusters import (
    AS_RECOMMENDED,
    CRITERIA,
    MAX_CLUSTERS,
    CandidateClusterings,
    Scores,
    cluster_number_notes,
    highest,
    score,
    takeuchi,
)
from helper_functions.psf import PIXEL, psf_area_pixels


@pytest.mark.parametrize("method", ["kmeans", "agglomerative", "spectral", "blended_mixture"])
@pytest.mark.parametrize("criterion", ["silhouette", "gap", "stability"])
def test_two_planted_shapes_are_two_clusters(method, criterion, two_shapes):
    result = cluster_pixels(two_shapes.seds, method=method, criterion=criterion)
    assert (result.n_clusters, result.k_choice) == (2, criterion)


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "separable"])  # of smooth changes
def test_every_criterion_works_for_the_recommended_method(criterion, two_shapes):
    result = cluster_pixels(two_shapes.seds, method="blended_mixture", criterion=criterion)
    assert result.n_clusters == 2
    assert result.k_choice == ("tic" if criterion == AS_RECOMMENDED else criterion)


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "separable"])  # needs probabilities
def test_every_criterion_scores_every_number(criterion, two_shapes):
    scores = cluster_pixels(two_shapes.seds, method="kmeans", criterion=criterion).scores[criterion]
    assert scores.values.shape == (10,)
    assert np.isfinite(scores.values[1:]).all()
    assert 1 <= scores.chosen <= 10
    assert scores.error[scores.chosen - 1] == 0
    assert np.isfinite(scores.error[1:]).all()
    assert (np.delete(scores.error[1:], scores.chosen - 2) > 0).any()


def test_more_criteria_are_worked_out_beside_the_one_that_chooses(two_shapes):
    result = cluster_pixels(two_shapes.seds, method="kmeans", criterion="silhouette", criteria=["bic", "tic"])
    assert list(result.scores) == ["silhouette", "bic", "tic"]
    assert result.k_choice == "silhouette"


def three():
    """Scores by which a method has chosen 3, and cannot tell it from 4."""
    return Scores(np.array([0.0, 5, 9, 8, 1, 0, 0, 0, 0, 0]), 3, error=np.array([1.0, 1, 0, 2, 1, 1, 1, 1, 1, 1]))


def crash():
    raise ZeroDivisionError("out of the blue")


@pytest.mark.parametrize("method", METHODS)
def test_the_recommended_number_is_taken_by_methods_that_take_one(method, two_shapes):
    """The planted number is 2, which they find by themselves: 3 can only be what they are told."""
    result = cluster_pixels(two_shapes.seds, method=method, criterion="recommended", recommended=three)
    entry = METHODS[method]
    if method == "blended_mixture" or entry.finds_number or not entry.takes_recommended_number:
        own = cluster_pixels(two_shapes.seds, method=method)
        assert (result.n_clusters, result.k_choice) == (own.n_clusters, entry.criterion)
        return
    assert (result.n_clusters, result.k_choice, result.k_range) == (3, "recommended", (3, 4))
    taken = ["number of clusters chosen by blended_mixture", "blended_mixture cannot tell 3 to 4 clusters apart"]
    assert result.k_notes[:2] == taken
    assert (result.labels == cluster_pixels(two_shapes.seds, method=method, n_clusters=3).labels).all()


def test_without_a_recommended_run_the_number_is_found_as_it_does(two_shapes):
    seds = two_shapes.seds
    result = cluster_pixels(seds, method="kmeans", criterion="recommended")
    own = cluster_pixels(seds, method="blended_mixture").scores["tic"]
    np.testing.assert_array_equal(result.scores["recommended"].values, own.values)
    assert result.n_clusters == own.chosen == 2


def test_where_the_recommended_method_fails_the_own_criterion_chooses(two_shapes):
    noise = two_shapes.seds._replace(error=100 * two_shapes.seds.error)
    result = cluster_pixels(noise, method="kmeans", criterion="recommended")
    assert (result.k_choice, result.is_final) == ("gap", True)
    assert result.k_notes[0].startswith("blended_mixture chose no number, gap did: the pixels are noise")
    result = cluster_pixels(two_shapes.seds, method="kmeans", criterion="recommended", recommended=crash)
    assert (result.n_clusters, result.k_choice, result.is_final) == (2, "gap", False)
    assert result.k_notes[0] == "blended_mixture chose no number, gap did: out of the blue"
    # The control: where the number is given, or another criterion chooses, that method is not asked.
    for options in ({"criterion": "gap"}, {"criterion": "recommended", "n_clusters": 2}):
        assert cluster_pixels(two_shapes.seds, method="kmeans", recommended=crash, **options).is_final


def test_hard_labels_split_noise_and_the_gap_sees_it(two_shapes):
    """Of one SED, the likelihood of hard labels rises with their number as pixels may choose; the gap does not."""
    seds = two_shapes.seds.only(two_shapes.truth == 1)
    assert cluster_pixels(seds, method="kmeans", criterion="gap").n_clusters == 1
    assert cluster_pixels(seds, method="kmeans", criterion="tic").n_clusters > 1
    assert cluster_pixels(seds, method="kmeans", criterion="silhouette").n_clusters > 1  # it has no meaning for 1


def candidates_with(log_likelihood, noise_area):
    """Clusterings of 50 pixels in 4 bands with these log likelihoods, shared out evenly or as they are."""

    class Known:
        method = METHODS["blended_mixture"]

        def candidates(self, seds, ks, pixels):
            all_pixels = {k: x if np.ndim(x) else np.full(50, x / 50) for k, x in log_likelihood.items()}
            labels = np.zeros(len(np.arange(50)[pixels]), dtype=int)
            return {k: MethodResult(labels, log_likelihood=x[pixels]) for k, x in all_pixels.items()}

    correlation = np.column_stack([np.ones(4), (noise_area - 1) / 8])  # with the eight pixels around each
    seds = pixel_seds(np.ones((50, 4)), np.ones((50, 4)), correlation=correlation)
    return CandidateClusterings(seds, Known(), seed=0, recommended=None, most=MAX_CLUSTERS)


def test_tic_by_hand():
    """4 bands and 1, 2, 3, ... frequencies a cluster: 5, 11, 18, 26 parameters, each at 0.7 times the noise's area."""
    gains = {1: 0.0, 2: 20.0, 3: 27.0, 4: 32.0}
    scores = takeuchi(candidates_with(gains, np.ones(4)))
    np.testing.assert_allclose(scores.values[:4], [-3.5, 12.3, 14.4, 13.8])
    assert scores.chosen == 3
    assert takeuchi(candidates_with(gains, np.full(4, 3.0))).chosen == 2
    assert takeuchi(candidates_with(gains, np.full(4, 0.1))).chosen == 3  # an area below a pixel is not believed


def test_some_pixels_of_a_large_galaxy_stand_for_all(monkeypatch):
    """The likelihood of all pixels is estimated from some, with a larger error; other methods use all pixels."""
    every = takeuchi(candidates_with({1: 0.0, 2: 20.0, 3: 27.0}, np.ones(4)))
    favour = {1: np.zeros(50), 2: np.tile([3.0, -1.0], 25)}
    before = takeuchi(candidates_with(favour, np.ones(4)))
    monkeypatch.setattr("helper_functions.number_of_clusters.CRITERION_PIXELS", 20)
    candidates = candidates_with({1: 0.0, 2: 20.0, 3: 27.0}, np.ones(4))
    assert len(candidates.seds.flux) == len(candidates.by_number[1].labels) == 20
    np.testing.assert_allclose(takeuchi(candidates).values, every.values)
    after = takeuchi(candidates_with(favour, np.ones(4)))
    assert after.error[0] == pytest.approx(before.error[0] * np.sqrt(50 / 20), rel=0.2)  # the scatter is of 20 pixels
    by_labels = Clusterer(METHODS["kmeans"], "none", "euclidean", 0, DEFAULTS, 1e9)
    assert len(CandidateClusterings(candidates._every, by_labels, 0, None, 3).seds.flux) == 50


def test_a_large_galaxy_has_the_same_populations_if_some_pixels_choose_the_number(two_shapes, monkeypatch):
    labels = cluster_pixels(two_shapes.seds, method="blended_mixture").labels
    monkeypatch.setattr("helper_functions.number_of_clusters.CRITERION_PIXELS", len(labels) // 2)
    again = cluster_pixels(two_shapes.seds, method="blended_mixture")
    assert again.n_clusters == 2
    assert adjusted_rand_score(again.labels, labels) > 0.99


def test_bic_by_hand():
    """50 pixels of which 5 share their noise are 10: 5, 11 and 18 parameters cost 5 x log(10) / 2 = 5.76 each."""
    gains = {1: 0.0, 2: 35.0, 3: 75.0}
    assert CRITERIA["bic"].score(candidates_with(gains, np.full(4, 5.0))).chosen == 2


def test_highest_of_nothing_is_one():
    assert highest(np.full(3, np.nan)).chosen == 1


def test_scores_carry_what_their_axis_is_called():
    scores = score(["tic", "bic"], candidates_with({1: 0.0, 2: 20.0}, np.ones(4)))
    assert {name: each.meaning for name, each in scores.items()} == {k: CRITERIA[k].axis for k in ("tic", "bic")}


def test_error_of_a_log_likelihood_by_hand():
    """Half of 50 pixels favour 2 by 3, half favour 1 by 1: a sum of 50, its error sqrt(50) times their scatter of 2."""
    favour = np.tile([3.0, -1.0], 25)
    scatter = 2 * np.sqrt(50 / 49)  # that of a sample
    scores = takeuchi(candidates_with({1: np.zeros(50), 2: favour}, np.ones(4)))
    assert scores.chosen == 2
    np.testing.assert_allclose(scores.error[:3], [np.sqrt(50) * scatter, 0, np.nan])
    # Where 4 pixels share their noise there are a quarter as many chances for it to average out.
    shared = takeuchi(candidates_with({1: np.zeros(50), 2: 3 + favour}, np.full(4, 4.0)))
    np.testing.assert_allclose(shared.error[0], 2 * np.sqrt(50) * scatter)


def test_error_of_a_log_likelihood_is_how_much_it_scatters():
    """Two routes: the error from one set of 50 pixels, and the scatter of the difference over 2,000 such sets."""
    rng = np.random.default_rng(0)
    draws = rng.normal(1.0, 2.0, (2000, 50))
    errors = [takeuchi(candidates_with({1: np.zeros(50), 2: draw}, np.ones(4))).error[:2].max() for draw in draws[:100]]
    assert np.mean(errors) == pytest.approx(draws.sum(axis=1).std(), rel=0.05)  # each is good to 10%, their mean to 1%


def test_numbers_that_cannot_be_told_apart():
    values, error = np.array([np.nan, 1.0, 3.5, 4.0, 2.0, 3.0]), np.array([np.nan, 1, 1, 0, 1, 1])
    assert Scores(values, 4, error=error).k_range == (3, 6)  # 5 can be, but lies between
    assert Scores(values, 4).k_range == (4, 4)
    assert highest(np.full(3, np.nan))._replace(error=np.full(3, np.nan)).k_range == (1, 1)


def test_a_split_that_noise_decides_is_said_to_be_one(two_shapes):
    """Two shapes far apart are 2 and nothing else; where the second is as close as noise, 1 and 2 are alike."""
    assert cluster_pixels(two_shapes.seds, method="blended_mixture").k_range == (2, 2)
    assert cluster_pixels(two_shapes.seds, method="blended_mixture", n_clusters=2).k_range is None
    apart = {1: np.zeros(50), 2: np.random.default_rng(1).normal(0.2, 1, 50)}  # 10 with an error of 7; tic subtracts 5
    assert takeuchi(candidates_with(apart, np.ones(4))).k_range == (1, 2)


def notes(sizes=(500, 500), n_asked="auto", k_choice="tic", **chosen):
    scores = {name: Scores(np.zeros(MAX_CLUSTERS), k) for name, k in chosen.items()}
    return cluster_number_notes(np.array(sizes), n_asked, k_choice, scores, psf_area_pixels(PIXEL))


def test_notes_on_the_number_of_clusters():
    assert notes(tic=2, bic=1, gap=4) == []  # a factor of two is no disagreement
    assert notes(tic=2, bic=1, gap=5, silhouette=2) == []  # and neither is one criterion of three
    (note,) = notes(tic=2, bic=6, gap=5, silhouette=2)
    assert note == "most other criteria choose less than half or more than twice as many clusters: bic 6, gap 5"
    (note,) = notes([200] * MAX_CLUSTERS, tic=MAX_CLUSTERS)
    assert note == "10 clusters are the most that were tried: there may be more"
    (note,) = notes([700, 10, 9, 3], tic=4)  # the PSF covers 9.6 pixels
    assert note == "smaller than the PSF of 10 pixels: clusters 3, 4"
    (note,) = notes(np.full(3, 4 * psf_area_pixels(PIXEL)), tic=3)
    assert note == "a cluster holds 4.0 PSFs on average: below 5, most pixels are blended"
    alike = Scores(np.array([0.0, 9, 9.5, 8]), 3, error=np.array([1.0, 1, 0, 2]))
    (note,) = cluster_number_notes(np.array([500, 500, 500]), "auto", "tic", {"tic": alike}, psf_area_pixels(PIXEL))
    assert note == "tic cannot tell 2 to 4 clusters apart"
    assert notes([5], tic=1) == []  # one cluster is the galaxy, however small
    assert notes([500], 2, "given") == ["1 of the 2 clusters asked for: the pixels are too alike"]
    assert notes([500], k_choice="recommended", recommended=2) == [
        "1 of the 2 clusters asked for: the pixels are too alike",
        "number of clusters chosen by blended_mixture",
    ]
    assert notes([500], 2, "density") == []
    assert notes([], 2, "density") == []
