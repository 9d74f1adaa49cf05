import numpy as np
import pytest
from conftest import BANDS, BLUE, RED
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, confusion_matrix

from distances import to_unit_length
from helper_functions import clustering
from helper_functions.clustering import UNASSIGNED, cluster_pixels
from helper_functions.filters import pivot_wavelength
from helper_functions.methods import blended_mixture
from helper_functions.methods.blended_mixture import NEIGHBOUR_REACH, NoSignal, fitted_pixels, initial_seds
from helper_functions.noise import adjacency_within, white_noise_correlation
from helper_functions.pixel_seds import PixelSEDs, extract_seds, median_snr, select_pixels
from helper_functions.simulation.simulated_galaxy import observe, simulate_galaxy
from helper_functions.sky_noise import with_sky_noise

SIDE = 30
GREEN = np.array([0.4, 1.4, 0.6, 1.3, 0.5, 0.6])


def field(regions, shapes, snr, smoothing=0.0, seed=0):
    """PixelSEDs of a square with regions 1, 2, ... of these SEDs, blurred; brightness falls from left to right."""
    rng = np.random.default_rng(seed)
    brightness = np.geomspace(3, 0.3, SIDE)[None, :]
    light = np.array([brightness * (regions == k + 1) for k in range(len(shapes))])
    light = np.array([gaussian_filter(each, smoothing) for each in light]) if smoothing else light
    clean = np.einsum("kyx,kb->yxb", light, np.array(shapes)).reshape(SIDE**2, -1)
    error = np.full(clean.shape, 1 / snr)
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)
    wavelengths = np.array([pivot_wavelength(band) for band in BANDS])
    pixels = clean + rng.normal(0, error), error, BANDS, wavelengths, rows, cols
    seds = PixelSEDs(*pixels, redshift=1.0, correlation=white_noise_correlation(len(BANDS)))
    return seds, np.argmax(light, axis=0).ravel() + 1


@pytest.fixture(scope="module")
def spots():
    """A disc of one SED with two spots of a second and one of a third."""
    y, x = np.mgrid[:SIDE, :SIDE]
    regions = np.ones((SIDE, SIDE), dtype=int)
    for row, col, kind in ((7, 7, 2), (22, 21, 2), (22, 7, 3)):
        regions[np.hypot(y - row, x - col) < 5] = kind
    return regions


def test_blurred_regions_are_found(spots):
    """Spots of one SED in two places are one cluster, and the blurred rims are none of their own."""
    seds, truth = field(spots, [RED, BLUE, GREEN], snr=60, smoothing=2.0)
    result = cluster_pixels(seds, method="blended_mixture", n_clusters=3)
    found = adjusted_rand_score(truth, result.labels)
    assert found > 0.9  # what is not is the pixels of about as much light from either side
    # The control: k-means, which knows nothing of blends, makes clusters of the rims though it is told the number.
    plain = cluster_pixels(seds, method="kmeans", n_clusters=3)
    assert adjusted_rand_score(truth, plain.labels) < found - 0.05


def test_more_numbers_are_tried_where_the_most_is_needed(spots, monkeypatch):
    """Of three populations, two are found where two are the most; then up to four are tried."""
    seds, _ = field(spots, [RED, BLUE, GREEN], snr=60)
    monkeypatch.setattr(clustering, "MAX_CLUSTERS", 2)
    result = cluster_pixels(seds, method="blended_mixture")
    assert result.n_clusters == 3
    assert len(result.scores["tic"].values) == 4
    # Labels of the number that a criterion chose are those of the number given.
    given = cluster_pixels(seds, method="blended_mixture", n_clusters=3)
    np.testing.assert_array_equal(result.labels, given.labels)
    monkeypatch.setattr(clustering, "NEAR_THE_MOST", 2)  # the control: more are never tried
    assert cluster_pixels(seds, method="blended_mixture").n_clusters == 2


def test_seds_of_large_galaxies_are_fitted_again_to_more_pixels(spots, monkeypatch):
    """The errors of SEDs that are fitted to a few pixels fall."""
    monkeypatch.setattr(blended_mixture, "FIT_PIXELS", 40)
    truth = to_unit_length(np.array([RED, BLUE]))

    def error(refitted, seed):
        monkeypatch.setattr(blended_mixture, "REFIT_PIXELS", refitted)
        seds, _ = field(spots, [RED, BLUE], snr=30, seed=seed)
        found = cluster_pixels(seds, method="blended_mixture", n_clusters=2).populations
        return np.mean((to_unit_length(found.seds) - truth) ** 2)

    # With 22 times as many pixels, errors would fall by 4.7 if pixels were equally bright and perfectly calibrated.
    few, many = (np.sqrt(np.mean([error(pixels, seed) for seed in range(3)])) for pixels in (40, 900))
    assert few > 1.5 * many


def test_populations_of_a_simulated_galaxy_are_counted():
    """27 bands, the survey's PSF and correlated noise, which is measured in the sky around the galaxy."""
    galaxy = simulate_galaxy("clumpy", seed=4, peak_snr=100, radius=10, n_regions=3, contrast="distinct")
    cutout = observe(galaxy, 4)
    cutout = with_sky_noise(cutout)
    mask = select_pixels(cutout, median_snr(cutout), 3.0)
    result = cluster_pixels(extract_seds(cutout, mask), method="blended_mixture")
    assert (result.n_clusters, result.k_choice) == (3, "tic")
    core = galaxy.share[mask] > 0.8
    assert adjusted_rand_score(galaxy.region[mask][core], result.labels[core]) > 0.9


@pytest.mark.parametrize("snr", [3, 10, 100, 1000])
@pytest.mark.parametrize("n_pixels", [12, 100, 900])
def test_a_galaxy_of_one_sed_is_one_cluster(snr, n_pixels):
    seds, _ = field(np.ones((SIDE, SIDE), dtype=int), [RED], snr, seed=snr)
    result = cluster_pixels(seds.only(slice(n_pixels)), method="blended_mixture")
    assert result.n_clusters == 1
    assert (result.labels == UNASSIGNED).sum() <= 1  # one pixel in a million is to be called strange


def test_one_sed_without_any_measure_of_the_noise():
    seds, _ = field(np.ones((SIDE, SIDE), dtype=int), [RED], 30)
    assert cluster_pixels(seds._replace(correlation=None), method="blended_mixture").n_clusters == 1


def test_neighbours_help_where_noise_is_strong(spots):
    """At SNR 0.6 to 6 a pixel says little: with shuffled positions and the same fluxes, less is found."""
    seds, truth = field(spots, [RED, BLUE, GREEN], snr=2)
    order = np.random.default_rng(0).permutation(len(truth))
    shuffled = seds._replace(rows=seds.rows[order], cols=seds.cols[order])
    with_positions, without = (
        adjusted_rand_score(truth, cluster_pixels(each, method="blended_mixture", n_clusters=3).labels)
        for each in (seds, shuffled)
    )
    assert with_positions > without + 0.1


def test_probabilities(spots):
    seds, truth = field(spots, [RED, BLUE, GREEN], snr=20, smoothing=2.0)
    result = cluster_pixels(seds, method="blended_mixture", n_clusters=3)
    assert result.probability.shape == (SIDE**2, 3)
    assert (result.probability >= 0).all()
    assert (result.probability.sum(axis=1) <= 1 + 1e-9).all()
    assert (np.argmax(result.probability, axis=1) + 1 == result.labels)[result.labels > 0].all()
    # Where labels are sure they are more often right than where they are not.
    names = {k: np.bincount(truth[result.labels == k]).argmax() for k in (1, 2, 3)}
    right = np.array([names[k] for k in result.labels]) == truth
    sure = result.confidence > np.median(result.confidence)
    assert right[sure].mean() > right[~sure].mean()


def test_probabilities_are_how_often_labels_are_right():
    """Of pixels with a probability of p, a share of p is right, in simulated galaxies with correlated noise."""
    right, confidence = [], []
    for seed in (4, 5, 6):
        galaxy = simulate_galaxy("clumpy", seed=seed, peak_snr=30, radius=12, n_regions=3, contrast="similar")
        cutout = with_sky_noise(observe(galaxy, seed))
        mask = select_pixels(cutout, median_snr(cutout), 3.0)
        result = cluster_pixels(extract_seds(cutout, mask), method="blended_mixture", n_clusters=3)
        pairs = confusion_matrix(galaxy.region[mask], result.labels, labels=[1, 2, 3])
        region_of = linear_sum_assignment(-pairs.T)[1] + 1  # the region that each cluster stands for
        right.append(region_of[result.labels - 1] == galaxy.region[mask])
        confidence.append(result.confidence)
    right, confidence = np.concatenate(right), np.concatenate(confidence)
    sure = confidence > 0.8
    # 1,800 sure pixels in patches of some 30 that are right or wrong together: 3 to 4%.
    assert right[sure].mean() == pytest.approx(confidence[sure].mean(), abs=0.06)
    assert right.mean() == pytest.approx(confidence.mean(), abs=0.06)


def test_bands_that_match_to_a_percent_make_no_strange_pixels():
    """At SNR 300 to 3,000 each flux is off by 1%, as zero points and PSFs are: the pixels are still of one SED."""
    seds, _ = field(np.ones((SIDE, SIDE), dtype=int), [RED], 1000)
    off = 1 + 0.01 * np.random.default_rng(0).standard_normal(seds.flux.shape)
    result = cluster_pixels(seds._replace(flux=seds.flux * off), method="blended_mixture", n_clusters=1)
    assert (result.labels == UNASSIGNED).sum() <= 1


def test_understated_errors_make_no_strange_pixels(spots):
    """A pixel is strange among the pixels of its galaxy: where all fit badly, none is."""
    seds, truth = field(spots, [RED, BLUE, GREEN], snr=60)
    labels = cluster_pixels(seds._replace(error=seds.error / 3), method="blended_mixture", n_clusters=3).labels
    assert (labels == UNASSIGNED).sum() <= 1
    assert adjusted_rand_score(truth, labels) > 0.95


def test_first_seds_of_faint_pixels_are_those_of_the_regions(spots):
    """At SNR 0.6 to 6 k-means of single pixels misses a region; neighbours that count a little show it."""
    seds, _ = field(spots, [RED, BLUE, GREEN], snr=2)
    links = adjacency_within(seds.positions, NEIGHBOUR_REACH, lambda distance: 1 / np.maximum(distance, 1))
    first = to_unit_length(initial_seds(seds.flux, seds.error, links, 3, 0)[0])
    cosine = first @ to_unit_length(np.array([RED, BLUE, GREEN])).T
    assert cosine.max(axis=0).min() > 0.99


def test_a_band_that_is_all_noise_is_no_part_of_brightness(spots):
    seds, truth = field(spots, [RED, BLUE, GREEN], snr=60, smoothing=1.5)
    flux, error = seds.flux.copy(), seds.error.copy()
    error[:, 0] = 300.0
    flux[:, 0] += np.random.default_rng(0).normal(0, 300, len(flux))
    noisy = seds._replace(flux=flux, error=error)
    labels = cluster_pixels(noisy, method="blended_mixture", n_clusters=3).labels
    assert adjusted_rand_score(truth, labels) > 0.85  # what is missing is the blurred rims


def test_a_hot_pixel_is_in_no_cluster_and_makes_none(spots):
    seds, _ = field(spots, [RED, BLUE, GREEN], snr=60)
    flux = seds.flux.copy()
    flux[100, 2] += 40
    result = cluster_pixels(seds._replace(flux=flux), method="blended_mixture")
    assert result.n_clusters == 3
    assert np.flatnonzero(result.labels == UNASSIGNED).tolist() == [100]


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_a_band_with_absurd_errors_costs_no_more_than_that_band(spots, factor):
    seds, truth = field(spots, [RED, BLUE, GREEN], snr=60)
    error = seds.error.copy()
    error[:, 0] *= factor
    labels = cluster_pixels(seds._replace(error=error), method="blended_mixture", n_clusters=3).labels
    # A band that claims to know all makes the other five count for little beside the 1% that it is trusted with.
    assert adjusted_rand_score(truth, labels) > 0.8


def test_pixels_that_are_all_noise_are_a_clear_error():
    rng = np.random.default_rng(3)
    seds, _ = field(np.ones((SIDE, SIDE), dtype=int), [RED], 30)
    noise = seds._replace(flux=rng.normal(0, seds.error))
    with pytest.raises(NoSignal, match=r"the pixels are noise: the fluxes of a typical one are (0\.9|1\.0)\d times"):
        cluster_pixels(noise, method="blended_mixture")


def test_the_sed_of_a_pixel_is_not_its_brightness():
    """Two halves of one SED, one a hundred times brighter, are one cluster; of two SEDs, two."""
    regions = np.repeat([[1] * 15 + [2] * 15], SIDE, axis=0)
    same, _ = field(regions, [100 * RED, RED], 30)
    assert cluster_pixels(same, method="blended_mixture").n_clusters == 1
    other, truth = field(regions, [100 * RED, BLUE], 30)
    result = cluster_pixels(other, method="blended_mixture")
    assert result.n_clusters == 2
    assert adjusted_rand_score(truth, result.labels) > 0.95


def test_rare_shapes_are_among_the_fitted_pixels():
    """By hand: half of 1,000 pixels is 250 for each of two clusters, of which one has only 40; the rest is random."""
    labels = np.zeros(30_000, dtype=int)
    labels[::750] = 1
    drawn = fitted_pixels(labels, 1000, seed=1)
    assert len(drawn) == len(np.unique(drawn)) == 1000
    assert labels[drawn].sum() == 40
    assert np.ptp(drawn) > 29_000
    assert fitted_pixels(labels[:50], 1000, seed=1).tolist() == list(range(50))
