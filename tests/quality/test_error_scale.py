import numpy as np
import pytest
from conftest import pixel_seds
from sklearn.metrics import adjusted_rand_score

from helper_functions.clustering import cluster_pixels
from helper_functions.noise import white_noise_correlation
from helper_functions.quality.error_scale import MIN_PIXELS, scale_errors

SIDE, NOISE = 30, 0.05
BANDS = np.arange(8)
# Three SEDs, side by side; the third has a line.
SHAPES = np.array([1 + 0.05 * BANDS, 1.4 - 0.08 * BANDS, 1 + 0.5 * (BANDS == 4)])
ROWS, COLS = np.divmod(np.arange(SIDE**2), SIDE)


@pytest.fixture
def cube():
    """Pixel SEDs with these factors of the right errors, and the column of each pixel's SED."""
    rng = np.random.default_rng(3)
    column = COLS // (SIDE // 3)
    flux = rng.uniform(1, 3, SIDE**2)[:, None] * SHAPES[column] + NOISE * rng.standard_normal((SIDE**2, 8))

    def with_errors(factor=1.0, **others):
        errors = np.broadcast_to(NOISE * np.asarray(factor), flux.shape)
        return pixel_seds(flux, errors, **({"rows": ROWS, "cols": COLS, "noise_scale": None} | others))

    return with_errors, column


@pytest.mark.parametrize("factor", [0.2, 0.5, 2.0])
def test_errors_that_are_off_are_scaled_to_the_noise(cube, factor):
    """900 pixels give the noise of a band to 2.4%; simulated noise, too, and the fit is not perfect."""
    scaled = scale_errors(cube[0](factor))
    np.testing.assert_allclose(scaled.error, NOISE, rtol=0.15)
    np.testing.assert_allclose(np.median(scaled.error), NOISE, rtol=0.06)
    np.testing.assert_allclose(scaled.noise_scale, scaled.error[0] / (factor * NOISE))
    assert scale_errors(scaled) is scaled


def test_right_errors_and_those_that_the_sky_or_the_user_has_told_stay(cube):
    with_errors, _ = cube
    known = white_noise_correlation(8)
    for seds, how in ((with_errors(), "measured"), (with_errors(0.5), "stated")):
        assert (scale_errors(seds, how).noise_scale == 1).all()
    assert (scale_errors(with_errors(0.5, correlation=known)).noise_scale == 1).all()
    known[5:] = np.nan
    factor = np.where(BANDS < 5, 1.0, 0.5)
    some = scale_errors(with_errors(factor, correlation=known)).noise_scale
    assert (some[:5] == 1).all()
    np.testing.assert_allclose(some[5:], 2, rtol=0.15)
    one = scale_errors(with_errors(np.where(BANDS == 2, 0.3, 1.0))).noise_scale  # of which the others tell nothing
    assert one[2] == pytest.approx(1 / 0.3, rel=0.15)
    assert (np.delete(one, 2) == 1).all()


def test_the_order_of_pixels_and_bands_and_the_unit_do_not_matter(cube):
    seds, rng = cube[0](0.4), np.random.default_rng(1)
    pixels, bands = rng.permutation(SIDE**2), rng.permutation(len(BANDS))
    scale = scale_errors(seds).noise_scale
    np.testing.assert_allclose(scale_errors(seds.only(pixels, bands)).noise_scale, scale[bands], rtol=1e-6)
    other = seds._replace(flux=1e-3 * seds.flux, error=1e-3 * seds.error)
    np.testing.assert_allclose(scale_errors(other).noise_scale, scale, rtol=1e-6)


def test_too_little_to_tell_leaves_errors_as_they_are(cube):
    seds = cube[0](0.5)
    noise = seds._replace(flux=np.random.default_rng(1).normal(0, NOISE, seds.flux.shape), error=seds.error * 2)
    for some in (seds.only(np.arange(MIN_PIXELS - 1)), seds.only(bands=np.arange(4)), noise):
        assert (scale_errors(some).noise_scale == 1).all()


def test_populations_are_found_whatever_errors_are_stated_where_there_is_no_sky(cube):
    with_errors, column = cube
    found = cluster_pixels(with_errors(0.3), method="blended_mixture")
    assert found.n_clusters == 3
    assert adjusted_rand_score(column, found.labels) > 0.99
    taken = with_errors(0.3, noise_scale=np.ones(8))  # the control: errors are taken as they are
    assert cluster_pixels(taken, method="blended_mixture").n_clusters > 3
