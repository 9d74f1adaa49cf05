import numpy as np
import pytest
from scipy.ndimage import shift
from scipy.signal import fftconvolve

from helper_functions.psf import PIXEL, make_psf
from helper_functions.simulation.simulated_galaxy import (
    DEPTHS,
    RECIPES,
    check_recipe,
    observe,
    pixel_noise,
    simulate_galaxy,
    simulate_noise,
)
from helper_functions.simulation.stellar_populations import make_spectrum, photometry

BANDS = ("f606w", "f115w", "f200w", "f277w", "f444w")


def test_psf_encloses_light_as_the_comment_says():
    psf = make_psf()
    y, x = (np.indices(psf.shape) - psf.shape[0] // 2) * PIXEL
    radius = np.hypot(y, x)
    assert psf.sum() == pytest.approx(1)
    enclosed = [psf[radius <= limit].sum() for limit in (0.1, 0.3, 0.5)]
    # 0.04: a circle on square pixels, and the profile ends at 1.5 arcsec.
    np.testing.assert_allclose(enclosed, [0.55, 0.85, 0.91], atol=0.04)
    half = psf[psf.shape[0] // 2] > psf.max() / 2
    assert half.sum() * PIXEL == pytest.approx(0.14, abs=0.04)  # a whole number of pixels


@pytest.mark.parametrize("recipe", RECIPES)
def test_truth_is_what_the_images_are_made_of(recipe):
    galaxy = simulate_galaxy(recipe, seed=3, radius=10, bands=BANDS)
    n_regions = len(galaxy.populations)
    assert set(np.unique(galaxy.region)) == set(range(1, n_regions + 1))
    lit = galaxy.flux.mean(axis=0) > 1e-3 * galaxy.flux.mean(axis=0).max()
    assert (galaxy.share[lit] >= 1 / n_regions).all()
    assert (galaxy.share <= 1 + 1e-12).all()
    np.testing.assert_allclose(galaxy.region_seds.mean(axis=1), 1)
    # A pixel that gets all but 2% from one region has its SED to a few percent.
    row, col = np.unravel_index(np.argmax(np.where(lit, galaxy.share, 0)), lit.shape)
    sed = galaxy.flux[:, row, col] / galaxy.flux[:, row, col].mean()
    allowed = 5 * (1 - galaxy.share[row, col]) + 1e-6
    assert np.abs(sed - galaxy.region_seds[galaxy.region[row, col] - 1]).max() < allowed


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_galaxy_of_one_population_has_one_sed_and_all_the_light_of_the_recipe(recipe):
    one = simulate_galaxy(recipe, seed=3, radius=10, n_regions=1, bands=BANDS)
    several = simulate_galaxy(recipe, seed=3, radius=10, bands=BANDS)
    brightness = one.flux.mean(axis=0)
    np.testing.assert_allclose(one.flux, one.region_seds[0][:, None, None] * brightness, rtol=1e-9)
    assert (one.region == 1).all()
    np.testing.assert_allclose(one.share[brightness > 0], 1)
    light = several.light.sum(axis=0)
    np.testing.assert_allclose(one.light[0] / one.light.sum(), light / light.sum(), rtol=1e-9)


def test_light_through_the_psf_is_the_flux():
    galaxy = simulate_galaxy("merger", seed=3, radius=10, bands=BANDS)
    sharp = np.einsum("kb,kyx->byx", galaxy.region_seds, galaxy.light)
    seen = [fftconvolve(image, make_psf(), mode="same") for image in sharp]
    np.testing.assert_allclose(seen, galaxy.flux, atol=1e-9 * galaxy.flux.max())


def test_seds_are_those_of_the_populations():
    galaxy = simulate_galaxy("merger", redshift=2.0, bands=BANDS)
    for population, sed in zip(galaxy.populations, galaxy.region_seds, strict=True):
        flux = photometry(make_spectrum(population, 2.0), galaxy.bands)
        np.testing.assert_allclose(sed, flux / flux.mean())


def test_brightness_varies_inside_regions_and_does_not_tell_them_apart():
    galaxy = simulate_galaxy("clumpy", seed=1, peak_snr=50)
    snr = np.median(galaxy.flux / pixel_noise(galaxy.bands)[:, None, None], axis=0)
    selected = snr > 3
    brightness, region = np.log10(snr[selected]), galaxy.region[selected]
    means = np.array([brightness[region == k].mean() for k in range(1, 5)])
    between = sum((region == k).sum() * (means[k - 1] - brightness.mean()) ** 2 for k in range(1, 5))
    assert between / np.sum((brightness - brightness.mean()) ** 2) < 0.3
    assert all(np.ptp(brightness[region == k]) > 0.3 for k in range(1, 5))


def test_brightest_pixel_has_the_snr_asked_for():
    galaxy = simulate_galaxy("smooth", peak_snr=30.0, bands=BANDS)
    snr = np.median(galaxy.flux / pixel_noise(galaxy.bands)[:, None, None], axis=0)
    assert snr.max() == pytest.approx(30)


def test_noise_has_its_variance_and_is_correlated_as_matched_images_are():
    noise = simulate_noise(("f606w", "f444w"), (300, 300), np.random.default_rng(0))
    # 90,000 pixels, a few of them in each patch of correlated noise: 2%.
    np.testing.assert_allclose(noise.std(axis=(1, 2)), pixel_noise(("f606w", "f444w")), rtol=0.02)
    correlation = [np.mean(image * shift(image, (0, 1), mode="wrap")) / np.var(image) for image in noise]
    assert correlation[0] > 0.8  # much smoothed to match F444W
    assert 0.2 < correlation[1] < 0.6  # the drizzling alone
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05  # bands are independent


def test_depths_are_the_surveys_order():
    sigma = dict(zip(DEPTHS, pixel_noise(DEPTHS), strict=True))
    assert sigma["f480m"] > sigma["f444w"]
    assert sigma["f160w"] > sigma["f150w"]


def test_seed_fixes_everything():
    same = [simulate_galaxy("clumpy", seed=4, bands=BANDS).flux for _ in range(2)]
    assert (same[0] == same[1]).all()
    assert (same[0] != simulate_galaxy("clumpy", seed=5, bands=BANDS).flux).any()
    galaxy = simulate_galaxy("smooth", seed=4, bands=BANDS, radius=6)
    assert (observe(galaxy, 1).sci == observe(galaxy, 1).sci).all()
    assert (observe(galaxy, 1).sci != observe(galaxy, 2).sci).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "spiral"}, "unknown recipe 'spiral': choose from clumpy, smooth, dusty_lane, merger"),
        ({"contrast": "loud"}, "unknown contrast 'loud': choose from distinct, similar, dusty"),
        ({"n_regions": 9}, "contrast distinct has populations for 1 to 5 regions, found 9"),
        ({"bands": ("f606w", "f444w")}, "a galaxy needs at least 3 bands, found 2: f606w, f444w"),
        ({"bands": ("f606w", "f444w", "f999w")}, "unknown bands f999w: choose from f435w"),
        ({"redshift": 5.0}, "age of a population must be"),
        ({"peak_snr": 0.0}, "want a peak_snr above 0"),
    ],
)
def test_what_cannot_be_made_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_galaxy(**{"recipe": "clumpy", **options})


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_gives_a_map_for_every_number_of_regions(recipe):
    for n_regions in (1, 2, 3, 4, 5):
        entry, populations = check_recipe(recipe, n_regions, "distinct", BANDS)
        maps = entry.maps(8.0, len(populations), np.random.default_rng(0))
        assert maps.shape[0] == n_regions
        assert (maps >= 0).all()
        assert (maps.max(axis=(1, 2)) > 0).all()
