import numpy as np
import pytest

from helper_functions.simulation.flaws import draw_flaws
from helper_functions.simulation.simulated_galaxy import segment, simulate_galaxy
from helper_functions.simulation.suites import RADII, REALISTIC_KINDS, realistic_images, registered, with_truth
from helper_functions.sky_noise import sky_mask


def test_the_realistic_suite_is_what_it_says():
    galaxies = [with_truth(*realistic_images(number, 1)) for number in (0, 5, 10, 13)]
    assert [galaxy.name for galaxy in galaxies] == [
        "clumpy, distinct, 1 region, SNR 20, seed 1",
        "clumpy, similar, 2 regions, SNR 50, seed 6",
        "smooth, distinct, 2 regions, SNR 80, seed 11",
        "clumpy, similar, 1 region, SNR 60, seed 14",
    ]
    assert [len(galaxy.region_seds) for galaxy in galaxies] == [1, 2, 2, 1]
    assert [set(galaxy.region) for galaxy in galaxies] == [{1}, {1, 2}, {1, 2}, {1}]
    numbers = [kind.n_regions for kind in REALISTIC_KINDS]
    assert [numbers.count(n_regions) for n_regions in (1, 2, 3, 4)] == [4, 4, 2, 2]
    assert len(set(REALISTIC_KINDS)) == 12


def test_seds_of_the_truth_have_the_zero_points_of_the_images():
    """The pixels of a bright galaxy of one SED have the SED that the truth says, zero points and all."""
    galaxy = with_truth(*realistic_images(3, 1))  # SNR 300
    zero_point = draw_flaws(galaxy.seds.bands, np.random.default_rng([4, 1])).zero_point
    flux = galaxy.seds.flux.sum(axis=0)
    ratio = flux / flux.mean() / galaxy.region_seds[0]
    # 0.4%: the background, 0.3 of the noise of pixels whose SNR is about 100. Zero points scatter by 2%.
    assert np.std(ratio) < 0.008
    assert np.std(ratio * zero_point) > 0.012


@pytest.mark.parametrize(("recipe", "peak_snr"), [("clumpy", 300), ("smooth", 120)])
def test_frames_have_sky_enough_to_measure_the_noise(recipe, peak_snr):
    galaxy = simulate_galaxy(recipe, seed=1, radius=min(RADII), peak_snr=peak_snr, n_regions=2, contrast="distinct")
    sky = sky_mask(segment(galaxy))
    assert sky.sum() > 2000


def test_bands_of_a_field_are_moved_back():
    """Three galaxies of a field whose bands lie off: one of one population, and two of several."""
    n_bands = 27
    shift = 0.4 * np.random.default_rng(2).standard_normal((n_bands, 2))
    images = [realistic_images(number, 7, shift=shift) for number in (2, 4, 8)]
    after = registered(images)
    found = after[0].cutout.registration
    off = found.shift - (shift - np.median(shift, axis=0))
    # Three galaxies of SNR 100 to 200 say shifts to 0.05 pixels; a tenth is left to what colours pretend.
    assert np.sqrt(np.mean(off**2)) < 0.1
    assert np.sqrt(np.mean(shift**2)) > 0.3  # what was there before
    untouched = ~found.to_correct
    for before, each in zip(images, after, strict=True):
        np.testing.assert_array_equal(each.cutout.sci[untouched], before.cutout.sci[untouched])
        assert (each.cutout.sci[~untouched] != before.cutout.sci[~untouched]).any()
