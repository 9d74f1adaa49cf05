import numpy as np
import pytest
from conftest import BLUE, RED, pixel_seds
from scipy.special import ndtr
from sklearn.metrics import adjusted_rand_score

from helper_functions.clustering import cluster_pixels
from helper_functions.methods.blended_slices import class_probability
from helper_functions.number_of_clusters import SEPARABLE

SIDE = 40


def gradient(seed, snr=30.0):
    """A square whose SEDs change smoothly from left to right, and the fraction of the red SED in each pixel."""
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)
    red = cols / (SIDE - 1)
    flux = np.outer(red, RED) + np.outer(1 - red, BLUE)
    noise = np.random.default_rng(seed).normal(0, 1 / snr, flux.shape)
    return pixel_seds(flux + noise, np.full(flux.shape, 1 / snr), rows=rows, cols=cols), red


def explained(labels, values):
    """Fraction of the variance of values that is between clusters."""
    within = [np.var(values[labels == k]) * np.mean(labels == k) for k in np.unique(labels)]
    return 1 - sum(within) / np.var(values)


def test_a_gradient_is_divided_into_slices():
    """Classes are slices of the gradient, and hold more of it than as many dominant populations do (the control)."""
    found = []
    for seed in (1, 2):
        seds, red = gradient(seed)
        result = cluster_pixels(seds, method="blended_slices")
        assert 4 <= result.n_clusters <= 7
        assert result.k_choice == "separable"
        # Slices of equal width would hold 1 - 1 / n^2; noise blurs their edges.
        assert explained(result.labels, red) > 1 - 1 / result.n_clusters**2 - 0.03
        found.append(cluster_pixels(seds, method="blended_slices", n_clusters=4).labels)
        dominant = cluster_pixels(seds, method="blended_mixture", n_clusters=4).labels
        assert explained(found[-1], red) > explained(dominant, red) + 0.01
    assert adjusted_rand_score(*found) > 0.65  # the same in other noise: 0.63 to 0.79 of three pairs


def test_more_noise_separates_fewer_classes():
    numbers = [cluster_pixels(gradient(3, snr)[0], method="blended_slices").n_clusters for snr in (6, 15)]
    assert numbers[0] < numbers[1]
    probability = cluster_pixels(gradient(3)[0], method="blended_slices").confidence
    assert probability.mean() >= SEPARABLE


def test_probability_by_hand():
    """A pixel of brightness 2 lies 1 from the middle of two classes: 2 errors; a third class is far away."""
    centres = np.array([[0.0, 0], [4, 0], [0, 50]])
    found = class_probability(np.array([[1.0, 0], [3.0, 0]]), np.array([2.0, 2.0]), centres)
    np.testing.assert_allclose(found, [[ndtr(2), ndtr(-2), 0], [ndtr(-2), ndtr(2), 0]])


def test_it_keeps_its_own_number_and_others_cannot_take_its_criterion():
    seds, _ = gradient(4)
    assert cluster_pixels(seds, method="blended_slices", criterion="recommended").k_choice == "separable"
    assert cluster_pixels(seds, method="blended_slices", n_clusters=3).n_clusters == 3
    with pytest.raises(ValueError, match="separable needs probabilities"):
        cluster_pixels(seds, method="kmeans", criterion="separable")
