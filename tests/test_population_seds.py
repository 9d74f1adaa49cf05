import numpy as np
import pytest
from conftest import BLUE, RED
from methods.test_blended_mixture import GREEN, SIDE, field
from scipy.ndimage import gaussian_filter

from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import composite_seds
from helper_functions.population_seds import flux_budget, population_seds


@pytest.fixture(scope="module")
def blurred():
    """Two halves and a spot of three SEDs, blurred by two pixels, and which SED each region has."""
    y, x = np.mgrid[:SIDE, :SIDE]
    regions = np.where(x < 15, 1, 2)
    regions[np.hypot(y - 15, x - 15) < 6] = 3
    seds, truth = field(regions, [RED, BLUE, GREEN], snr=60, smoothing=2.0)
    return seds._replace(psf=gaussian_psf(2.0)), truth


def gaussian_psf(sigma):
    point = np.zeros((25, 25))
    point[12, 12] = 1
    return gaussian_filter(point, sigma)


@pytest.fixture(scope="module")
def unmixed(blurred):
    seds, truth = blurred
    clustering = cluster_pixels(seds, method="blended_mixture", n_clusters=3)
    return seds, truth, clustering, population_seds(seds, clustering)


def same_brightness(sed, other):
    return sed * other.sum() / sed.sum()


def test_seds_are_the_planted_ones_and_nearer_than_composites(unmixed):
    seds, truth, clustering, found = unmixed
    composites = composite_seds(seds, clustering.labels)
    for k in range(3):
        planted = [RED, BLUE, GREEN][np.bincount(truth[clustering.labels == k + 1]).argmax() - 1]
        off = np.abs(same_brightness(found.flux[k], planted) - planted)
        assert off.max() < 0.05
        assert off.max() < np.abs(same_brightness(composites.flux[k], planted) - planted).max()


def test_light_is_where_the_population_is(unmixed):
    _, _, clustering, found = unmixed
    assert (found.light >= 0).all()
    share = found.light * found.flux.sum(axis=1)
    share /= share.sum(axis=1, keepdims=True)
    dominant = np.argmax(share, axis=1) + 1
    assert (dominant == clustering.labels).mean() > 0.95
    # The mean light of a population in its own cluster is what `flux` is as bright as.
    for k in range(3):
        assert found.light[clustering.labels == k + 1, k].mean() == pytest.approx(1)


def test_every_pixel_of_a_cluster_has_light(blurred):
    """Pixels with one flux that is off by 5 to 40 errors: those that their neighbours hold in a cluster have light."""
    seds, _ = blurred
    flux, off = seds.flux.copy(), np.linspace(5, 40, 36) / 60
    flux[14 + 25 * np.arange(36), 2] += off
    changed = seds._replace(flux=flux)
    clustering = cluster_pixels(changed, method="blended_mixture", n_clusters=3)
    found = population_seds(changed, clustering)
    total = found.light @ found.flux.sum(axis=1)
    member = clustering.labels > 0
    assert (total[member] > 0.5 * seds.flux.sum(axis=1)[member]).all()
    assert (total[~member] == 0).all()
    assert 0 < (~member).sum() < 36  # the control: some are so far off that they are in no cluster


def test_populations_unassigned_and_residual_are_all_there_is(unmixed):
    seds, _, clustering, found = unmixed
    budget = flux_budget(seds, clustering, found)
    parts = found.total.sum(axis=0) + budget["unassigned"] + budget["residual"]
    np.testing.assert_allclose(parts, seds.flux.sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.total, found.light.sum(axis=0)[:, None] * found.flux, rtol=1e-6)
    # Besides noise (0.5) it is a background of up to a pixel's error that is fitted, though there is none here.
    assert np.abs(budget["residual"]).max() < 0.03 * seds.flux.sum(axis=0).mean()
    without = flux_budget(seds, clustering, None)
    assert np.abs(without["residual"]).max() < 1e-9


def test_errors_are_the_scatter_over_galaxies(monkeypatch):
    """Of 12 galaxies that differ in their noise, SEDs scatter by more than their noise, and less than their errors.

    How much light of the other population is left differs from galaxy to galaxy, too, which is part of the errors.
    """
    monkeypatch.setattr("helper_functions.population_seds.REDRAWS", 8)
    x = np.arange(SIDE) * np.ones((SIDE, 1))
    regions, seds, noise, errors = np.where(x < 15, 1, 2), [], [], []
    for seed in range(12):
        pixels = field(regions, [RED, BLUE], snr=10, smoothing=1.0, seed=seed)[0].only(slice(SIDE**2 // 2))
        pixels = pixels._replace(psf=gaussian_psf(1.0))
        clustering = cluster_pixels(pixels, method="blended_mixture", n_clusters=2)
        found = population_seds(pixels, clustering)
        red = np.argmax(found.flux @ RED / np.linalg.norm(found.flux, axis=1))
        scale = RED.sum() / found.flux[red].sum()
        seds.append(found.flux[red] * scale)
        noise.append(found.noise[red] * scale)
        errors.append(found.error[red] * scale)
    # 12 galaxies give a scatter to 21%, six bands of them to 10%; 8 redraws an error to 25%, of 12 galaxies to 8%.
    scatter = np.std(seds, axis=0, ddof=1)
    assert 0.65 < np.mean(scatter / np.mean(noise, axis=0)) < 1.7
    assert 0.5 < np.mean(scatter / np.mean(errors, axis=0)) < 1.35


def test_unit_and_missing_data(unmixed):
    """Fluxes in another unit scale through; a pixel and a band that were not clustered with have SED and light too."""
    seds, _, _, found = unmixed
    for unit in (1000, 1e-30):  # the second as of erg / s / cm2 / Hz
        scaled = seds._replace(flux=unit * seds.flux, error=unit * seds.error)
        again = population_seds(scaled, cluster_pixels(scaled, method="blended_mixture", n_clusters=3))
        np.testing.assert_allclose(again.flux, unit * found.flux, rtol=1e-6)
        np.testing.assert_allclose(again.noise, unit * found.noise, rtol=1e-4)

    flux, error = seds.flux.copy(), seds.error.copy()
    flux[:300, 5] = error[:300, 5] = np.nan  # a third lacks the last band, which is not clustered with
    flux[400, 2] = error[400, 2] = np.nan
    some = seds._replace(flux=flux, error=error)
    clustering = cluster_pixels(some, method="blended_mixture", n_clusters=3)
    assert clustering.bands_used.tolist() == [True] * 5 + [False]
    missing = population_seds(some, clustering)
    assert np.isfinite(missing.flux).all()
    assert np.isfinite(missing.error).all()
    assert missing.light[400].sum() > 0
    shapes = [each / each[:, :5].sum(axis=1, keepdims=True) for each in (missing.flux, found.flux)]
    order = np.argmax(shapes[0][:, :5] @ shapes[1][:, :5].T, axis=1)
    np.testing.assert_allclose(shapes[0][:, 5], shapes[1][order, 5], rtol=0.1)  # two thirds of the pixels


def test_no_populations_where_the_method_knows_none(blurred):
    seds, _ = blurred
    clustering = cluster_pixels(seds, method="kmeans", n_clusters=3)
    assert population_seds(seds, clustering) is None
    assert set(flux_budget(seds, clustering, None)) == {"selected", "clusters", "unassigned", "residual"}
