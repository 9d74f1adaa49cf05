import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from helper_functions.simulation.flaws import (
    Flaws,
    draw_flaws,
    observe_with_flaws,
    observed_flux,
    observed_seds,
    smoothing_for,
)
from helper_functions.simulation.simulated_galaxy import pixel_noise, simulate_galaxy

BANDS = ("f606w", "f200w", "f444w")
NO_FLAWS = Flaws(
    psf_width=np.ones(3),
    zero_point=np.ones(3),
    background=np.zeros(3),
    gradient=np.zeros((3, 2)),
    noise_area=np.full(3, 4.0),
    scatter_over_error=np.ones(3),
)


@pytest.fixture(scope="module")
def galaxy():
    return simulate_galaxy("smooth", seed=3, radius=6, bands=BANDS)


def with_light(galaxy, light):
    """The same galaxy with this light of its first population, shape (ny, nx), and none of the others."""
    others = np.zeros((len(galaxy.region_seds) - 1, *light.shape))
    flux = np.zeros((len(galaxy.bands), *light.shape))
    return galaxy._replace(light=np.concatenate([[light], others]), flux=flux, region=np.ones(light.shape, dtype=int))


@pytest.fixture(scope="module")
def blank(galaxy):
    """A large frame without light."""
    return with_light(galaxy, np.zeros((400, 400)))


def area_of_correlation(noise, reach=10):
    """Sum of the correlation function out to `reach` pixels, for noise in a frame whose edges meet."""
    correlation = np.fft.ifft2(np.abs(np.fft.fft2(noise)) ** 2).real
    y, x = (np.minimum(axis, size - axis) for axis, size in zip(np.indices(noise.shape), noise.shape, strict=True))
    return correlation[np.hypot(y, x) <= reach].sum() / correlation[0, 0]


def test_noise_has_its_area_variance_and_stated_error(blank):
    factor = np.array([0.3, 0.8, 1.4])
    flaws = NO_FLAWS._replace(noise_area=np.array([4.0, 12.0, 40.0]), scatter_over_error=factor)
    cutout = observe_with_flaws(blank, flaws, seed=2)
    scatter = cutout.sci.std(axis=(1, 2))
    # 160,000 pixels are 4,000 patches of 40: their variance is known to 2%, and a sum over 300 pixels around to 5%.
    np.testing.assert_allclose(scatter, pixel_noise(blank.bands), rtol=0.04)
    np.testing.assert_allclose(scatter / cutout.err[:, 0, 0], factor, rtol=0.04)
    assert (cutout.err == cutout.err[:, :1, :1]).all()
    np.testing.assert_allclose([area_of_correlation(image) for image in cutout.sci], flaws.noise_area, rtol=0.15)
    correlation = np.corrcoef(cutout.sci.reshape(3, -1))
    assert np.abs(correlation - np.eye(3)).max() < 0.1  # bands are independent


@pytest.mark.parametrize("area", [12.0, 40.0])
def test_area_of_a_wide_gaussian_is_the_formula(area):
    assert 4 * np.pi * smoothing_for(area) ** 2 == pytest.approx(area, rel=0.01)  # pixels matter for narrow ones


def test_images_without_flaws_are_those_of_the_galaxy(galaxy):
    np.testing.assert_allclose(observed_flux(galaxy, NO_FLAWS), galaxy.flux, atol=1e-9 * galaxy.flux.max())
    np.testing.assert_allclose(observed_seds(galaxy, NO_FLAWS), galaxy.region_seds)


def test_zero_points_multiply_images_and_seds(galaxy):
    factor = np.array([0.97, 1.0, 1.04])
    flaws = NO_FLAWS._replace(zero_point=factor)
    expected = galaxy.flux * factor[:, None, None]
    np.testing.assert_allclose(observed_flux(galaxy, flaws), expected, atol=1e-9 * galaxy.flux.max())
    seds = observed_seds(galaxy, flaws)
    np.testing.assert_allclose(seds.mean(axis=1), 1)
    ratio = seds / galaxy.region_seds
    np.testing.assert_allclose(ratio / ratio[:, 1:2], [factor, factor])


def test_psf_of_each_band_has_its_width_and_keeps_the_light(galaxy):
    light = np.zeros((101, 101))
    light[50, 50] = 1
    width = np.array([0.94, 1.0, 1.03])
    images = observed_flux(with_light(galaxy, light), NO_FLAWS._replace(psf_width=width))
    np.testing.assert_allclose(images.sum(axis=(1, 2)), galaxy.region_seds[0])

    def full_width_at_half_maximum(image):
        left, right = CubicSpline(np.arange(101), image[50] - image.max() / 2).roots(extrapolate=False)
        return right - left

    measured = np.array([full_width_at_half_maximum(image) for image in images])
    # 0.2%: the interpolation between pixels, and the wings' light beyond the end of the PSF.
    np.testing.assert_allclose(measured / measured[1], width, rtol=0.002)


def test_background_is_a_plane_through_its_constant(blank):
    constant, gradient = np.array([0.5, -0.3, 0.0]), np.array([[0.0, 0.4], [-0.6, 0.0], [0.2, 0.2]])
    cutout = observe_with_flaws(blank, NO_FLAWS._replace(background=constant, gradient=gradient), seed=2)
    sky = cutout.sci / pixel_noise(blank.bands)[:, None, None]
    rows, cols = np.meshgrid(np.linspace(-1, 1, 400), np.linspace(-1, 1, 400), indexing="ij")
    plane = np.column_stack([np.ones(rows.size), rows.ravel(), cols.ravel()])
    fitted = np.linalg.lstsq(plane, sky.reshape(3, -1).T, rcond=None)[0].T
    # Noise over areas of 4 pixels: sqrt(4 / 160,000) = 0.005 for the constant, sqrt(3) times this for the slopes.
    np.testing.assert_allclose(fitted, np.column_stack([constant, gradient]), atol=0.035)


def test_flaws_are_drawn_as_they_are_described():
    flaws = draw_flaws(range(4000), np.random.default_rng(0))
    # The standard deviation of 4,000 numbers is known to 1.1%, the mean of their logarithms to 1.6% of its own.
    assert flaws.psf_width.std() == pytest.approx(0.03, rel=0.05)
    assert flaws.zero_point.std() == pytest.approx(0.02, rel=0.05)
    assert flaws.background.std() == pytest.approx(0.3, rel=0.05)
    np.testing.assert_allclose(flaws.gradient.std(axis=0), 0.3, rtol=0.05)
    assert flaws.psf_width.mean() == pytest.approx(1, abs=0.003)
    assert flaws.zero_point.mean() == pytest.approx(1, abs=0.002)
    for drawn, low, high in [(flaws.noise_area, 4, 40), (flaws.scatter_over_error, 0.3, 1.4)]:
        assert low <= drawn.min() < 1.05 * low
        assert 0.95 * high < drawn.max() <= high
        middle = np.sqrt(low * high)  # half of the numbers are below it if they are log-uniform
        assert np.mean(drawn < middle) == pytest.approx(0.5, abs=0.04)


def test_seed_fixes_the_noise_and_flaws_do_not(galaxy):
    first, again, other = (observe_with_flaws(galaxy, NO_FLAWS, seed).sci for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
