import numpy as np
import pytest
from conftest import BLUE, RED, pixel_seds
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr
from sklearn.metrics import adjusted_rand_score

from distances import DEFAULTS
from helper_functions.clustering import Clusterer, cluster_pixels
from helper_functions.methods import METHODS, blended_slices
from helper_functions.methods.blended_mixture import neighbour_links
from helper_functions.methods.blended_slices import class_probability, flatness, noise_after_smoothing, smoothed
from helper_functions.noise import draw_noise
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
        assert 6 <= result.n_clusters <= 10
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


def test_noise_after_smoothing_is_that_of_smoothed_noise():
    """White noise, and that of white noise smoothed by a Gaussian of 0.8 pixels."""
    lag = np.arange(6)
    correlation = np.array([lag == 0, np.exp(-(lag**2) / (4 * 0.8**2))])
    rows, cols = np.divmod(np.arange(60**2), 60)
    flux = np.ones((len(rows), 2))
    seds = pixel_seds(flux, flux, rows=rows, cols=cols, correlation=correlation)
    noise = smoothed(draw_noise(seds, np.random.default_rng(0)), seds, 1.2)
    inner = (np.abs(rows - 29.5) < 24) & (np.abs(cols - 29.5) < 24)
    # About 48^2 / (4 pi 1.2^2) = 127 independent places: the rms is known to 6%.
    np.testing.assert_allclose(noise_after_smoothing(seds, 1.2), noise[inner].std(axis=0), rtol=0.12)


def test_white_noise_after_smoothing_is_known():
    """A Gaussian of s pixels averages over 4 pi s^2 pixels; without smoothing, nothing changes."""
    seds, _ = gradient(0)
    np.testing.assert_allclose(noise_after_smoothing(seds, 2.0), 1 / np.sqrt(16 * np.pi), rtol=0.01)
    np.testing.assert_allclose(noise_after_smoothing(seds, 1e-3), 1)


def test_flatness_by_hand():
    """It is 1 where all neighbours are equal, 1/2 on a ramp, and near 0 at a step."""
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)
    seds = pixel_seds(np.ones((len(rows), 1)), np.ones((len(rows), 1)), rows=rows, cols=cols)
    links, bright = neighbour_links(seds), np.ones(len(rows))
    np.testing.assert_array_equal(flatness(np.ones((len(rows), 1)), bright, links), 1)
    inner = (cols > 0) & (cols < SIDE - 1)
    np.testing.assert_allclose(flatness(cols[:, None] * 1.0, bright, links)[inner], 0.5, atol=0.03)  # edges differ
    step = flatness((cols[:, None] > 19) * 1.0, bright, links)
    at = (cols == 19) | (cols == 20)
    assert step[at].max() < 0.1
    assert (step[~at] == 1).all()


def three_regions():
    """Two regions of different SEDs side by side, one of which has two similar halves, seen through a PSF."""
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)
    truth = np.where(cols < SIDE // 2, 0, np.where(rows < SIDE // 2, 1, 2))
    spectra = np.array([BLUE, RED, RED + 0.08 * (BLUE - RED)])
    image = gaussian_filter(spectra[truth].reshape(SIDE, SIDE, -1), (1.5, 1.5, 0), mode="nearest")
    flux = image.reshape(SIDE**2, -1)
    noise = np.random.default_rng(5).normal(0, 0.02, flux.shape)
    return pixel_seds(flux + noise, np.full(flux.shape, 0.02), rows=rows, cols=cols), truth


def test_a_border_is_no_class(monkeypatch):
    """Three classes are the three regions; with equal weights, one is the border of the two different ones."""
    seds, truth = three_regions()
    found = cluster_pixels(seds, method="blended_slices", n_clusters=3).labels
    assert adjusted_rand_score(truth, found) > 0.85
    monkeypatch.setattr(blended_slices, "flatness", lambda shapes, precision, links: np.ones(len(shapes)))
    found = cluster_pixels(seds, method="blended_slices", n_clusters=3).labels
    assert adjusted_rand_score(truth, found) < 0.75


def test_no_more_classes_than_differ_by_their_noise():
    """One SED needs one class, however many are tried; a number that is asked for is made."""
    flux = np.tile(BLUE, (SIDE**2, 1))
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)
    noise = np.random.default_rng(6).normal(0, 0.05, flux.shape)
    seds = pixel_seds(flux + noise, np.full(flux.shape, 0.05), rows=rows, cols=cols)
    clusterer = Clusterer(METHODS["blended_slices"], "none", "noise", 0, DEFAULTS, 1e9)
    assert max(clusterer.candidates(seds, range(1, 6))) <= 2
    assert list(clusterer.candidates(seds, [3])) == [3]
    assert cluster_pixels(seds, method="blended_slices").n_clusters == 1
