import numpy as np
import pytest
from conftest import pixel_seds

from helper_functions.clustering import cluster_pixels
from helper_functions.quality.misfit import BAD_FIT, Misfit, degrees_of_freedom, misfit, misfit_note
from helper_functions.simulation.suites import realistic_images, selected_seds

SIDE, N_BANDS = 24, 8


def galaxy(flaw=0.0, noise=0.02):
    """Left half of one SED, right half of another; a stripe of band 5 is `flaw` of its flux too bright."""
    rng = np.random.default_rng(0)
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)
    shapes = np.where((cols < SIDE // 2)[:, None], np.linspace(1, 3, N_BANDS), np.linspace(3, 1, N_BANDS))
    flux = np.geomspace(1, 3, SIDE)[rows, None] * shapes
    flux[:, 5] *= 1 + flaw * np.sin(rows)
    error = np.full(flux.shape, noise)
    return pixel_seds(flux + rng.normal(0, error), error, rows=rows, cols=cols)


def fit_of(seds, method, n_clusters=2):
    return misfit(seds, cluster_pixels(seds, method=method, n_clusters=n_clusters))


@pytest.mark.parametrize("method", ["kmeans", "blended_mixture"])
def test_noise_alone_is_no_misfit(method):
    # 4,000 degrees of freedom: 2%; up to 10% below 1 for background and calibration that are allowed and not there.
    found = fit_of(galaxy(noise=0.3), method)
    assert found.chi2 == pytest.approx(0.95, abs=0.09)
    assert found.bands == []


@pytest.mark.parametrize("method", ["kmeans", "blended_mixture"])
def test_the_band_with_a_pattern_that_nothing_explains_is_named(method):
    found = fit_of(galaxy(flaw=0.4), method)
    assert found.chi2 > BAD_FIT
    assert found.bands[0] == "band5"


def test_too_few_clusters_are_a_misfit_in_many_bands():
    found = fit_of(galaxy(), "kmeans", n_clusters=1)
    assert found.chi2 > 10
    assert len(found.bands) > 4


@pytest.mark.parametrize("method", ["kmeans", "blended_mixture"])
def test_unit_and_order_do_not_matter(method):
    seds, rng = galaxy(flaw=0.4), np.random.default_rng(1)
    found = fit_of(seds, method)
    other = fit_of(seds._replace(flux=1000 * seds.flux, error=1000 * seds.error), method)
    turned = fit_of(seds.only(rng.permutation(SIDE**2), rng.permutation(N_BANDS)), method)
    for each in (other, turned):
        assert each.chi2 == pytest.approx(found.chi2, rel=1e-6)
        assert each.by_band == pytest.approx(found.by_band, rel=1e-6)
        assert each.bands == found.bands


def test_shift_within_the_prior_is_allowed_where_no_pattern_is_fitted():
    """One SED, band 5 of which lies 0.2 pixels off along the rows: composites cannot know of it."""
    rows, cols = np.divmod(np.arange(SIDE**2), SIDE)

    def light(shift=0.0):
        return np.exp(-np.hypot(rows - shift - 11.5, cols - 11.5) / 5)

    flux = light()[:, None] * np.ones(N_BANDS)
    flux[:, 5] = light(0.2)
    changes = np.column_stack([(light(-0.5) - light(0.5)), *np.zeros((5, SIDE**2))])
    error = np.full(flux.shape, 0.005)
    flux += np.random.default_rng(0).normal(0, error)
    known = pixel_seds(flux, error, rows=rows, cols=cols, derivatives=changes / flux.mean())
    unknown = known._replace(derivatives=None)
    assert fit_of(known, "kmeans", 1).by_band["band5"] < BAD_FIT
    assert fit_of(unknown, "kmeans", 1).by_band["band5"] > BAD_FIT  # the control: no slope, no shift


def test_pixels_in_no_cluster_do_not_count():
    seds = galaxy(noise=0.1)
    clustering = cluster_pixels(seds, method="kmeans", n_clusters=2)
    odd = np.arange(SIDE**2) < 20
    wild = seds._replace(flux=np.where(odd[:, None], 50.0 * np.arange(N_BANDS), seds.flux))
    without = clustering._replace(labels=np.where(odd, -1, clustering.labels))
    assert misfit(wild, without).chi2 < BAD_FIT < misfit(wild, clustering).chi2
    assert np.isnan(misfit(seds, clustering._replace(labels=np.full(SIDE**2, -1))).chi2)
    assert misfit(seds, clustering._replace(labels=np.full(SIDE**2, -1))).bands == []


def test_bands_without_data_and_incomplete_pixels_are_left_out():
    seds = galaxy(noise=0.3)
    seds.flux[:300, 2] = seds.error[:300, 2] = seds.flux[5, 3] = seds.error[5, 3] = np.nan
    found = fit_of(seds, "kmeans")
    assert set(found.by_band) == set(seds.bands) - {"band2"}
    assert found.chi2 == pytest.approx(0.95, abs=0.09)


def test_light_takes_degrees_of_freedom_where_it_is_measured():
    """Two bands of SNR 3 and 4: they take 9/25 and 16/25 of the one amplitude."""
    assert degrees_of_freedom(np.array([[3.0, 4.0]]), np.ones(1)) == pytest.approx(np.array([[16 / 25, 9 / 25]]))


@pytest.mark.parametrize("number", [0, 3, 9])
def test_what_the_recommended_method_finds_in_realistic_galaxies_is_no_misfit(number):
    seds = selected_seds(realistic_images(number, 60000).cutout)[0]
    found = misfit(seds, cluster_pixels(seds, method="blended_mixture"))
    assert 0.5 < found.chi2 < 1.1  # 0.6 to 0.93 in 36 galaxies
    assert found.bands == []


def test_bands_that_lie_off_are_named_though_the_method_fits_them():
    """A galaxy of three populations with two bands 3 pixels off, which more populations and fitted shifts explain."""
    images = realistic_images(6, 60000)
    sci = images.cutout.sci.copy()
    for band in ("f300m", "f356w"):
        number = images.cutout.bands.index(band)
        sci[number] = np.roll(sci[number], 3, axis=0)
    seds, _ = selected_seds(images.cutout._replace(sci=sci))
    found = misfit(seds, cluster_pixels(seds, method="blended_mixture", n_clusters=3))
    assert set(found.bands[:2]) == {"f300m", "f356w"}


def test_words_name_the_worst_bands():
    bands = {"f115w": 1.0, "f300m": 30.0, "f356w": 20.0, "f410m": 10.0, "f444w": 9.0, "f200w": 8.0}
    found = Misfit(6.1, bands)
    assert found.bands == ["f300m", "f356w", "f410m", "f444w", "f200w"]
    assert misfit_note(6.1, found.bands) == (
        "residuals are 2.5 times the expected errors (chi2 6.1), most in F300M, F356W, F410M, F444W and 1 more: "
        "bands not registered, a PSF not matched, or more populations"
    )
    assert "F300M: bands" in misfit_note(6.1, ["f300m"])
