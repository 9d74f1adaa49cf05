import numpy as np
import pytest
from conftest import pixel_seds
from sklearn.metrics import adjusted_rand_score

from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import composite_seds
from helper_functions.noise import adjacency_within
from helper_functions.quality.cross_checks import (
    CHECKS,
    cross_check,
    halves_of_bands,
    rand_index,
    rand_index_and_error,
    square_index,
)
from helper_functions.quality.metrics import QUALITY, ClusteringSample

SIDE, N_BANDS = 24, 8
LEFT, RIGHT = np.linspace(1, 3, N_BANDS), np.linspace(3, 1, N_BANDS)
NOISE = 0.05


def galaxy(shapes, seed=0):
    """Square of pixels, brightness growing downwards; `shapes` is an SED for each pixel, or one for all."""
    rng = np.random.default_rng(seed)
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)
    error = np.full((SIDE**2, N_BANDS), NOISE)
    flux = np.geomspace(1, 3, SIDE)[rows, None] * shapes + rng.normal(0, error)
    return pixel_seds(flux, error, rows=rows, cols=cols)


def two_halves():
    """Left and right half of two SEDs that all bands tell apart."""
    return galaxy(np.where(np.arange(SIDE**2)[:, None] % SIDE < SIDE // 2, LEFT, RIGHT))


def one_odd_band():
    """One SED, but for one band, which is brighter in the left half."""
    odd = np.where((np.arange(SIDE**2) % SIDE < SIDE // 2)[:, None] & (np.arange(N_BANDS) == 3), 1.5, 1)
    return galaxy(np.ones(N_BANDS) * odd)


def checked(seds, method="kmeans", n_clusters=2, seed=0):
    def recluster(drawn, seed=seed):
        return cluster_pixels(drawn, method=method, n_clusters=n_clusters, seed=seed).labels

    labels = recluster(seds)
    return cross_check(ClusteringSample(seds, labels, composite_seds(seds, labels), recluster, seed=seed))


def test_a_large_galaxy_is_clustered_again_in_part(monkeypatch):
    """Whole squares with about 100 of the 576 pixels, and their labels; a small galaxy as a whole."""
    seds, sizes = two_halves(), []
    labels = np.where(np.arange(SIDE**2) % SIDE < SIDE // 2, 1, 2)

    def recluster(drawn, seed=0):
        sizes.append(len(drawn.flux))
        return np.where(drawn.cols < SIDE // 2, 1, 2)

    sample = ClusteringSample(seds, labels, composite_seds(seds, labels), recluster)
    for limit in (SIDE**2, 100):
        monkeypatch.setattr("helper_functions.quality.cross_checks.RECLUSTERED_PIXELS", limit)
        assert QUALITY["stability"].measure(sample) == 1
        assert cross_check(sample)["seeds_agree"] == 1
    assert sizes[:2] == [SIDE**2] * 2
    # The last are of two noise realisations, the two halves of the bands, and another seed.
    assert sizes[-1] == sizes[-4] == sizes[-5]
    assert 100 <= sizes[-1] < 150


@pytest.mark.parametrize("method", ["kmeans", "blended_mixture"])
def test_shapes_that_all_bands_see_are_found_in_both_halves(method):
    found = checked(two_halves(), method)
    assert set(found) == set(CHECKS)
    assert found["bands_agree"] > 0.95  # colours of 4 bands are 20 sigma apart in the faintest pixels
    assert found["bands_agree_err"] < 0.05
    assert found["seeds_agree"] > 0.95


@pytest.mark.parametrize("method", ["kmeans", "blended_mixture"])
def test_what_a_single_band_shows_is_not_agreed_on(method):
    """The control: with all bands the map is clear, and the half without that band knows nothing of it."""
    seds = one_odd_band()
    labels = cluster_pixels(seds, method=method, n_clusters=2).labels
    assert adjusted_rand_score(seds.cols < SIDE // 2, labels) > 0.9
    found = checked(seds, method)
    assert abs(found["bands_agree"]) < 0.1
    assert found["bands_agree_err"] < 0.1


def test_one_cluster_has_nothing_to_agree_on():
    assert np.isnan(list(checked(two_halves(), n_clusters=1).values())).all()


def test_few_bands_have_no_halves():
    found = checked(two_halves().only(bands=slice(3)))
    assert np.isnan(found["bands_agree"])
    assert found["seeds_agree"] > 0.9


def test_a_half_that_cannot_be_clustered_says_nothing():
    seds = two_halves()
    labels = np.where(seds.cols < SIDE // 2, 1, 2)

    def recluster(drawn, seed=0):
        if len(drawn.bands) < N_BANDS:
            raise ValueError("no feature lies in these bands")
        return labels

    found = cross_check(ClusteringSample(seds, labels, composite_seds(seds, labels), recluster))
    assert np.isnan(found["bands_agree"])
    assert found["seeds_agree"] == 1


def test_halves_are_every_other_band_by_wavelength_of_those_that_are_clustered():
    seds = two_halves()
    seds.flux[:200, 2] = np.nan  # a band that covers two thirds of the pixels is not clustered
    first, second = halves_of_bands(seds.only(bands=slice(None, None, -1)))
    assert first.tolist() == [7, 4, 2, 0]  # bands 0, 3, 5, 7
    assert second.tolist() == [6, 3, 1]


def test_order_of_bands_and_pixels_and_unit_do_not_matter():
    seds, rng = two_halves(), np.random.default_rng(1)
    seds = seds._replace(flux=seds.flux + rng.normal(0, 1.0, seds.flux.shape), error=np.full(seds.flux.shape, 1.0))
    found = checked(seds)
    assert 0.1 < found["bands_agree"] < 0.9  # neither of the ends, where anything would be the same
    assert checked(seds.only(bands=rng.permutation(N_BANDS))) == found
    assert checked(seds._replace(flux=1000 * seds.flux, error=1000 * seds.error)) == found
    shuffled = checked(seds.only(rng.permutation(SIDE**2)))
    assert shuffled == pytest.approx(found, abs=1e-12)


def test_rand_index_is_that_of_pixels_in_clusters():
    rng = np.random.default_rng(0)
    one = rng.integers(1, 4, 300)
    other = np.where(rng.random(300) < 0.6, one, rng.integers(1, 6, 300))
    assert rand_index(one, other) == pytest.approx(adjusted_rand_score(one, other))
    gone = rng.random(300) < 0.2
    assert rand_index(np.where(gone, -1, one), other) == pytest.approx(adjusted_rand_score(one[~gone], other[~gone]))
    assert np.isnan(rand_index(np.ones(9, int), np.ones(9, int)))


def test_error_of_the_index_knows_that_pixels_of_a_patch_are_not_independent():
    """Maps that differ in patches of 4 pixels a side: the error is the scatter over maps drawn anew, to 1.5 times."""
    side = 40
    rows, cols = np.divmod(np.arange(side**2), side)
    one = np.where(cols < side // 2, 1, 2)
    seds = pixel_seds(np.ones((side**2, 1)), np.ones((side**2, 1)), rows=rows, cols=cols)
    found, naive = [], []
    for seed in range(60):
        differs = (np.random.default_rng(seed).random((10, 10)) < 0.2)[rows // 4, cols // 4]
        other = np.where(differs, 3 - one, one)
        found.append(rand_index_and_error(one, other, square_index(seds)))
        naive.append(rand_index_and_error(one, other, np.arange(side**2))[1])
    index, error = np.array(found).T
    assert 1 / 1.5 < error.mean() / index.std() < 1.5
    assert np.mean(naive) / index.std() < 0.5  # the control: each pixel for itself
    assert np.isnan(rand_index_and_error(one, one, np.zeros(side**2, int))[1])


def test_pixels_of_a_large_galaxy_are_drawn_with_their_neighbours(monkeypatch):
    monkeypatch.setattr("helper_functions.quality.cross_checks.HALVES_PIXELS", 300)
    drawn, seds = [], two_halves()
    labels = np.where(seds.cols < SIDE // 2, 1, 2)

    def recluster(some, seed=0):
        drawn.append(some)
        return np.where(some.cols < SIDE // 2, 1, 2)

    found = cross_check(ClusteringSample(seds, labels, composite_seds(seds, labels), recluster))
    assert found["bands_agree"] == 1
    assert [len(each.bands) for each in drawn] == [4, 4, 8]
    assert 300 <= len(drawn[0].flux) < 349  # less than a square of 7 x 7 more
    assert (drawn[0].positions == drawn[1].positions).all()
    assert len(drawn[2].flux) == SIDE**2
    assert adjacency_within(drawn[0].positions, 1).sum(axis=1).mean() > 3  # of 4 neighbours
