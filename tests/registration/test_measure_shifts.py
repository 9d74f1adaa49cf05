import numpy as np
import pytest
from scipy.ndimage import fourier_shift

from helper_functions.psf import make_psf
from helper_functions.registration.measure_shifts import (
    STEP,
    aligned,
    bright_pixels,
    measure_shifts,
    measure_sources,
    whole_pixel_lags,
)
from helper_functions.registration.shifts import Registration, combine_sources
from helper_functions.simulation.simulated_galaxy import make_cutout, pixel_noise, simulate_galaxy, smoothed_noise
from helper_functions.sky_noise import with_sky_noise

BANDS = ("f606w", "f115w", "f150w", "f200w", "f277w", "f356w", "f410m", "f444w")
SHIFT = np.array([[0.0, 0.0], [0.3, -0.2], [0.0, 0.0], [0.0, 0.5], [0.0, 0.0], [-0.4, 0.0], [0.0, 0.0], [0.0, 0.0]])


def observed(galaxy, shift, seed):
    """Cutout of a galaxy whose bands lie off by these shifts, with measured errors."""
    rng, sigma = np.random.default_rng(seed), pixel_noise(galaxy.bands)
    flux = [
        np.fft.ifftn(fourier_shift(np.fft.fftn(image), each)).real
        for image, each in zip(galaxy.flux, shift, strict=True)
    ]
    noise = [smoothed_noise(each, 1.0, galaxy.region.shape, rng) for each in sigma]
    return with_sky_noise(make_cutout(galaxy, np.array(flux) + noise, sigma))


@pytest.fixture(scope="module")
def galaxies():
    """Four galaxies whose populations have very different colours, in places of their own."""
    kinds = [("clumpy", 3, 60), ("clumpy", 2, 80), ("merger", 3, 50), ("dusty_lane", 3, 60)]
    return [
        simulate_galaxy(recipe, seed=seed, radius=12, peak_snr=snr, n_regions=n, contrast="distinct", bands=BANDS)
        for seed, (recipe, n, snr) in enumerate(kinds)
    ]


def off(found, truth):
    """Shifts that were found less the truth, each about the median of its bands."""
    return (found.shift - np.median(found.shift, axis=0)) - (truth - np.median(truth, axis=0))


def test_shifts_of_a_field_are_found_whatever_the_colours(galaxies):
    cutouts = [observed(galaxy, SHIFT, seed) for seed, galaxy in enumerate(galaxies)]
    sources = measure_sources(cutouts, 100 * np.eye(4)[:, :2])
    found = combine_sources(sources)
    # Four small galaxies with populations side by side: colours pretend a tenth of a pixel, most of all in the blue.
    assert np.sqrt(np.mean(off(found, SHIFT) ** 2)) < 0.12
    assert np.sqrt(np.mean((off(found, SHIFT) / found.error) ** 2)) < 2.5  # which four galaxies hardly tell
    assert found.to_correct[[1, 3, 5]].all()


def test_cross_correlation_is_fooled_where_this_is_not(galaxies):
    """The control: a galaxy registered by centroids of its bands, which colours move."""
    cutout = observed(galaxies[2], 0 * SHIFT, 5)
    y, x = np.indices(cutout.segmap.shape)
    light = np.where(bright_pixels(cutout), cutout.sci, 0)
    centroid = np.array([[np.sum(each * y), np.sum(each * x)] / each.sum() for each in light])
    assert np.abs(centroid - np.median(centroid, axis=0)).max() > 0.5
    found = combine_sources(measure_sources([cutout], np.zeros((1, 2))))
    assert not found.to_correct.any()


def test_a_galaxy_refines_what_is_known_of_its_place(galaxies):
    cutout, rough = observed(galaxies[0], SHIFT, 7), SHIFT + 0.1 * np.array([[1, -1], [-1, 1]] * 4)
    known = Registration(rough, np.full(SHIFT.shape, 0.15))
    own = measure_sources([cutout], np.zeros((1, 2)), known)
    found = combine_sources(own, known)
    before, after = (np.std(off(each, SHIFT)[1:]) for each in (known, found))
    assert after < 0.7 * before
    assert (found.error < known.error).all()


def test_whole_pixels_are_found_at_any_rate(galaxies):
    far = np.zeros_like(SHIFT)
    far[3], far[6] = (5, -2), (0, 3)
    cutouts = [observed(galaxy, far, seed) for seed, galaxy in enumerate(galaxies[:2])]
    assert whole_pixel_lags(cutouts).tolist() == far.tolist()
    found = combine_sources(measure_sources(cutouts, np.eye(2)))
    assert np.abs(off(found, far)[1:]).max() < 0.3
    assert not whole_pixel_lags([observed(galaxy, SHIFT, 3) for galaxy in galaxies]).any()


def test_alignment_undoes_the_shift(galaxies):
    galaxy = galaxies[1]
    straight, bent = (observed(galaxy, shift, 4) for shift in (0 * SHIFT, SHIFT))
    back = aligned(bent, SHIFT)
    inner = np.s_[:, 15:-15, 15:-15]
    # Without the noise, which moves along.
    for band in (1, 3, 5):
        flux = np.fft.ifftn(fourier_shift(np.fft.fftn(galaxy.flux[band]), SHIFT[band])).real
        alone = aligned(bent._replace(sci=bent.sci * 0 + flux), np.tile(SHIFT[band], (8, 1))).sci[band]
        np.testing.assert_allclose(alone[inner[1:]], galaxy.flux[band][inner[1:]], atol=2e-3 * galaxy.flux[band].max())
    assert (back.sci[0] == bent.sci[0]).all()  # a band that stays is not touched
    member = straight.segmap > 0
    for band in (1, 3, 5):
        sums = [np.nansum(each.sci[band][member]) for each in (straight, back)]
        assert sums[1] == pytest.approx(sums[0], rel=2e-3)  # of a segment, whose rim holds noise
    assert (bent.sci == observed(galaxy, SHIFT, 4).sci).all()


def test_what_cannot_be_measured_says_so(galaxies):
    cutout = observed(galaxies[1], SHIFT, 1)
    prior = np.full(SHIFT.shape, STEP)
    assert measure_shifts(cutout._replace(segmap=0 * cutout.segmap), prior) is None
    faint = cutout._replace(sci=cutout.sci / 1000)
    assert measure_shifts(faint, prior) is None
    assert len(measure_sources([faint], np.zeros((1, 2))).rows) == 0
    noisy = cutout.sci.copy()
    noisy[4] = np.random.default_rng(1).normal(0, cutout.err[4])
    noisy[5, :, :] = np.nan
    holes = cutout._replace(sci=noisy, err=np.where(np.isnan(noisy), np.nan, cutout.err))
    found = measure_sources([holes], np.zeros((1, 2)))
    assert np.isnan(found.shift[0, 5]).all()
    both = combine_sources(found)
    assert not both.to_correct[[4, 5]].any()
    assert (both.error[[4, 5]] > 0.5).all()  # of a band of noise, and of one without data, nothing is known
    assert np.abs(off(both, SHIFT)[[1, 2, 3, 6, 7]]).max() < 0.3


def test_a_star_by_itself_tells_shifts(galaxies):
    star, middle = np.zeros_like(galaxies[0].flux), galaxies[0].flux.shape[1] // 2
    half = len(make_psf()) // 2
    around = np.s_[:, middle - half : middle + half + 1, middle - half : middle + half + 1]
    star[around] = make_psf() / make_psf().max() * 50 * pixel_noise(BANDS)[:, None, None]
    found = combine_sources(measure_sources([observed(galaxies[0]._replace(flux=star), SHIFT, 3)], np.zeros((1, 2))))
    # SNR 50 in each band: 0.03 pixels, and what is left to colours of which a star has none.
    assert np.sqrt(np.mean(off(found, SHIFT) ** 2)) < 0.1
    assert found.to_correct[[3, 5]].all()


def test_nothing_depends_on_the_unit(galaxies):
    cutout, prior = observed(galaxies[0], SHIFT, 2), np.full(SHIFT.shape, STEP)
    one, other = (
        measure_shifts(each, prior) for each in (cutout, cutout._replace(sci=cutout.sci * 1e3, err=cutout.err * 1e3))
    )
    np.testing.assert_allclose(one.shift, other.shift, atol=1e-6)
