import numpy as np
import pytest
from conftest import pixel_seds
from scipy.optimize import nnls

from helper_functions.clustering import cluster_pixels
from helper_functions.methods import deconvolution
from helper_functions.methods.deconvolution import (
    Deconvolution,
    Deconvolver,
    deconvolve,
    distinctness,
    least_purity,
    light_alone,
)
from helper_functions.methods.method import Populations
from helper_functions.population_seds import population_seds
from helper_functions.products.summary import SMOOTH
from helper_functions.psf import convolve_same, make_psf

RED, BLUE = np.array([0.4, 0.7, 1.0, 1.4, 1.7, 1.9]), np.array([1.6, 1.4, 1.1, 0.8, 0.6, -0.02])
SIDE = 44


@pytest.fixture(scope="module")
def spot():
    """A blue spot in a red disc, 3 pixels in radius, with the PSF of F444W; the blue SED is negative in one band."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    distance = np.hypot(y, x)
    inside = np.hypot(y - 4, x) < 3
    light = np.array([np.exp(-distance / 8) * ~inside, 2.0 * inside])
    return light, [RED, BLUE]


def observed(light, spectra, psf, seed=0, sigma=0.01):
    """Pixels within 16 of the centre, in six bands, and the light of each SED in them."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    selected = np.hypot(y, x) < 16
    blurred = np.array([convolve_same(each, psf) for each in light])[:, selected].T
    flux = blurred @ np.array(spectra)
    flux = flux + np.random.default_rng(seed).normal(0, sigma, flux.shape)
    rows, cols = np.nonzero(selected)
    return pixel_seds(flux, np.full(flux.shape, sigma), np.linspace(1e4, 4e4, 6), rows=rows, cols=cols), blurred


def unmixed(seds, spectra):
    """`Populations` of these SEDs, as of an unmixing pixel by pixel."""
    spectra = np.array(spectra)
    light = np.array([nnls(spectra.T, flux)[0] for flux in seds.flux])
    return Populations(spectra, light, np.zeros(seds.flux.shape), np.zeros((1, len(seds.bands))))


def fraction_of(sed, own, other):
    """Fraction of `own` in an SED that is a sum of two."""
    (a, b), _ = nnls(np.array([own, other]).T, sed)
    return a * own.mean() / (a * own.mean() + b * other.mean())


def everywhere(seds):
    return np.ones(len(seds.flux), dtype=bool)


def test_correlation_is_the_transpose_of_the_convolution(spot):
    seds, _ = observed(*spot, make_psf())
    fits, rng = Deconvolver(seds, everywhere(seds), 2), np.random.default_rng(1)
    light, values = rng.random((2, *fits.shape)), rng.random((len(seds.flux), 2))
    for k in range(2):
        left, right = np.sum(fits.convolve(light)[:, k] * values[:, k]), np.sum(light[k] * fits.correlate(values)[k])
        assert left == pytest.approx(right, rel=1e-10)
    point = np.zeros((1, *fits.shape))
    point[0, fits.rows[300], fits.cols[300]] = 1
    near = np.hypot(fits.rows - fits.rows[300], fits.cols - fits.cols[300]) < 1
    assert fits.convolve(point)[near, 0] == pytest.approx(make_psf().max())


def test_single_precision_of_large_galaxies_is_precise(spot, monkeypatch):
    """SEDs and light differ by less than a hundredth of their errors, which are about 1%."""
    seds, blurred = observed(*spot, make_psf())
    found = []
    for limit in (len(seds.flux), 10):
        monkeypatch.setattr(deconvolution, "BLOCK", limit)
        fits = Deconvolver(seds, everywhere(seds), 2)
        found.append(fits.converge(seds.flux, fits.start(np.array([RED, BLUE]), blurred, np.zeros((1, 6)))))
    np.testing.assert_allclose(found[1].seds, found[0].seds, atol=1e-4)
    np.testing.assert_allclose(found[1].convolved, found[0].convolved, atol=1e-4)
    assert np.abs(found[1].seds - found[0].seds).max() > 0  # it is another precision


def test_an_impure_sed_becomes_pure(spot):
    """A blue SED that starts with a fifth of red light; without a PSF (the control), it stays as it is."""
    light, spectra = spot
    seds, _ = observed(light, spectra, make_psf())
    start = [RED, 0.8 * BLUE + 0.2 * RED]
    before = fraction_of(start[1], BLUE, RED)
    found, fits, width = deconvolve(seds, unmixed(seds, start), everywhere(seds))
    assert width == 1
    assert before < 0.83
    assert fraction_of(found.seds[1], BLUE, RED) > 0.92
    assert found.seds[1, 5] / found.seds[1].mean() == pytest.approx(BLUE[5] / BLUE.mean(), abs=0.1)  # 0.36 at the start
    assert (found.light >= 0).all()
    none = Deconvolver(seds, everywhere(seds), 2, width=0)
    first = none.start(*unmixed(seds, start)[:2], np.zeros((1, 6)))
    alone = none.fit(seds.flux, first, 30, 40)
    assert fraction_of(alone.seds[1], BLUE, RED) < 0.9
    # The light before the PSF is in the spot: of the light in the image three quarters, from 40% at the start.
    inside = light[1, seds.rows, seds.cols] > 0
    of_spot = found.light[1, fits.rows, fits.cols]
    assert of_spot[inside].sum() > 0.75 * of_spot.sum()


def test_a_psf_that_is_too_wide_is_not_used(spot):
    """An image without any PSF keeps its SEDs; one with a PSF of a third of the width is fitted with a narrower one."""
    light, spectra = spot
    seds, _ = observed(light, spectra, np.ones((1, 1)))
    start = unmixed(seds, [RED, 0.8 * BLUE + 0.2 * RED])
    found, _, width = deconvolve(seds, start, everywhere(seds))
    assert width == 0
    np.testing.assert_allclose(found.seds, start.seds)
    seds, _ = observed(light, spectra, make_psf(0.3), sigma=0.02)
    assert 0 < deconvolve(seds, unmixed(seds, start.seds), everywhere(seds))[2] < 1


def test_an_sed_that_is_seen_nowhere_is_kept(monkeypatch):
    """Blue light only where there is as much red light: its SED stays as unmixed, unless any SED may change."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    disc, inside = np.exp(-np.hypot(y, x) / 8), np.hypot(y - 4, x) < 5
    seds, _ = observed([disc, disc * inside], [RED, BLUE], make_psf())
    start = unmixed(seds, [RED, 0.8 * BLUE + 0.2 * RED])
    found, fits, width = deconvolve(seds, start, everywhere(seds))
    shape = start.seds / start.seds.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.seds[1] / found.seds[1].mean(), shape[1], atol=1e-4)
    assert width == 1
    assert not fits.held.any()  # for fits to other fluxes
    monkeypatch.setattr(deconvolution, "LEAST_SEEN", 0)
    free = deconvolve(seds, start, everywhere(seds))[0].seds[1]
    assert np.abs(free / free.mean() - shape[1]).max() > 5e-3  # 50 times the tolerance above


def test_pixels_without_weight_have_no_effect(spot):
    light, spectra = spot
    seds, _ = observed(light, spectra, make_psf())
    bad = np.arange(len(seds.flux)) % 50 == 7
    spoilt = seds._replace(flux=np.where(bad[:, None], 100 * seds.flux[::-1], seds.flux))
    start = unmixed(seds, [RED, 0.8 * BLUE + 0.2 * RED])
    good, spoilt_but_unused = (deconvolve(each, start, ~bad)[0].seds for each in (seds, spoilt))
    # Only the brightness that the calibration error scales with is of all pixels.
    np.testing.assert_allclose(spoilt_but_unused, good, atol=0.02)
    assert np.abs(deconvolve(spoilt, start, everywhere(seds))[0].seds - good).max() > 0.1


def test_least_purity_by_hand():
    """By hand: [4, 1] holds at most [1, 1], of mean 1 in 2.5, and [2, 2] at most half of [4, 1], of mean 1.25 in 2."""
    low = least_purity(np.array([[4.0, 1.0], [2.0, 2.0]]))
    np.testing.assert_allclose(low, [1 - 1 / 2.5, 1 - 1.25 / 2])
    np.testing.assert_allclose(least_purity(np.array([[1.0, 0.0], [0.0, 3.0]])), 1)
    assert least_purity(np.array([[1.0, 2.0]])).tolist() == [1]


def test_where_light_is_alone():
    """Two populations side by side and a third all over the second one."""
    light = np.zeros((3, 8, 30))
    light[0, :, :10], light[1, :, 20:], light[2, :, 20:] = 1, 1, 0.5
    found = Deconvolution(np.ones((3, 2)), np.zeros((1, 2)), light, np.zeros((0, 3)))
    np.testing.assert_allclose(light_alone(found, 0.5), [1, 0, 0], atol=0.05)


def test_distinctness_by_hand():
    """Light 3 and 1 of populations 1 and 3 in one pixel, 4 of population 2 in another: (2 + 4) / 8."""
    found = Deconvolution(np.ones((3, 2)), None, np.array([[[3.0, 0.0]], [[0.0, 4.0]], [[1.0, 0.0]]]), None)
    assert distinctness(found) == (0.75, (0, 2))
    # The same light with another split between SED and light map.
    other = found._replace(seds=found.seds * [[2], [4], [8]], light=found.light / np.array([2, 4, 8])[:, None, None])
    assert distinctness(other) == distinctness(found)
    assert np.isnan(distinctness(found._replace(seds=found.seds[:1], light=found.light[:1]))[0])


@pytest.mark.parametrize("is_smooth", [True, False])
def test_a_gradient_is_told_from_two_halves_that_the_psf_blurs(is_smooth):
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    share = np.clip(0.5 + x / 32, 0, 1) if is_smooth else (x > 0).astype(float)
    disc = np.exp(-np.hypot(y, x) / 8)
    seds, _ = observed([disc * (1 - share), disc * share], [RED, BLUE], make_psf())
    found = population_seds(seds, cluster_pixels(seds, method="blended_mixture", n_clusters=2))
    truth = np.average(np.abs(1 - 2 * share), weights=disc)  # 0.42, and 1
    # Deconvolved light is noisy, and the purest SEDs of a gradient are those of its ends, which hardly have any light.
    assert found.distinct == pytest.approx(truth, abs=0.2)
    assert (found.distinct < SMOOTH) == is_smooth
    assert found.most_mixed == (1, 2)


@pytest.mark.parametrize("n_pixels", [5, 60])
def test_few_pixels_and_one_population(n_pixels):
    rng = np.random.default_rng(3)
    flux = np.outer(rng.uniform(1, 2, n_pixels), RED) + rng.normal(0, 0.02, (n_pixels, 6))
    seds = pixel_seds(flux, np.full(flux.shape, 0.02), np.linspace(1e4, 4e4, 6))
    found = population_seds(seds, cluster_pixels(seds, method="blended_mixture", n_clusters=1))
    assert found.purity_low.tolist() == [1]
    np.testing.assert_allclose(found.flux[0] / found.flux[0].mean(), RED / RED.mean(), rtol=0.03)
