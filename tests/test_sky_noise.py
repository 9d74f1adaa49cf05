import numpy as np
import pytest
from conftest import celestial_wcs
from scipy.ndimage import gaussian_filter

from helper_functions.noise import error_of_sum
from helper_functions.pixel_seds import Cutout
from helper_functions.sky_noise import in_words, measure_sky, noise_notes, sky_of, with_sky_noise

SIDE, SIGMA = 180, 1.2
AREA = 4 * np.pi * SIGMA**2  # of white noise after a Gaussian filter
NO_SOURCES = np.zeros((SIDE, SIDE), dtype=int)


def smoothed(n_bands=8, seed=1):
    """Noise of variance 1 that is correlated over AREA."""
    white = np.random.default_rng(seed).standard_normal((n_bands, SIDE, SIDE))
    return gaussian_filter(white, (0, SIGMA, SIGMA), mode="wrap") * np.sqrt(AREA)


def a_cutout(sci, err, segmap=NO_SOURCES):
    bands = tuple(f"band{n}" for n in range(len(sci)))
    return Cutout(
        1, 1.0, bands, np.arange(len(sci)) + 1.0, np.float32(sci), np.float32(err), segmap, (1,), celestial_wcs()
    )


def test_scale_background_and_correlation_are_those_planted():
    factor, level = np.array([0.02, 0.3, 1, 1.4, 0.5, 0.8, 1.1, 3]), np.linspace(-2, 2, 8)
    noise = smoothed() + level[:, None, None]
    found = measure_sky(noise, np.ones_like(noise) / factor[:, None, None], NO_SOURCES)
    # 32,400 pixels, of which an area of 18 (9 for squares) is one: 1.2% in a scatter, 3% of it in a background.
    np.testing.assert_allclose(found.scale, factor, rtol=0.05)
    np.testing.assert_allclose(found.scatter, 1, rtol=0.05)
    np.testing.assert_allclose(found.background, level, atol=0.1)
    # A scatter of sqrt(2 x 137 / 32,400) of the area in a band, and two errors of 2% from rounded distances.
    assert found.area.mean() == pytest.approx(AREA, rel=0.12)
    lag = np.arange(5)
    np.testing.assert_allclose(
        found.correlation.mean(axis=0)[:5],
        np.exp(-(lag**2) / (4 * SIGMA**2)),
        atol=0.07,  # of rounding distances to pixels
    )
    assert found.misstated.tolist() == [True, True, False, False, True, False, False, True]


def test_the_error_of_the_background_is_its_scatter():
    """Over 60 skies of 30 x 30 pixels."""
    noise = smoothed(n_bands=24, seed=7)
    parts = noise.reshape(24, 6, 30, 6, 30).swapaxes(2, 3).reshape(-1, 30, 30)
    padded = np.full((len(parts), 40, 40), np.nan)
    padded[:, 5:35, 5:35] = parts
    wide = np.concatenate([parts[0::2], parts[1::2]], axis=2)  # 30 x 60: as much sky as is asked for
    found = measure_sky(wide, np.ones_like(wide), np.zeros((30, 60), dtype=int))
    # A standard deviation of four quarters is 8% low in the mean, and quarters that touch are not independent.
    assert np.sqrt(np.mean(found.background_err**2)) == pytest.approx(found.background.std(), rel=0.25)


def test_light_of_sources_is_no_sky():
    """Wings that fall to a tenth in 6 pixels beyond the segment; the control: where the segment is not known."""
    y, x = np.mgrid[:SIDE, :SIDE]
    radius = np.hypot(y - 90, x - 90)
    wings = smoothed() + 50 * np.exp(-np.maximum(radius - 20, 0) / 2.6)
    found = measure_sky(wings, np.ones_like(wings), (radius < 20).astype(int))
    np.testing.assert_allclose(found.scale, 1, rtol=0.05)
    assert found.area.mean() == pytest.approx(AREA, rel=0.15)
    assert np.abs(found.background).max() < 0.1
    assert measure_sky(wings, np.ones_like(wings), NO_SOURCES).scale.mean() > 1.05


def test_bad_pixels_do_not_count():
    noise = smoothed()
    noise[:, 50:53, 50:53] = 1e4
    found = measure_sky(noise, np.ones_like(noise), NO_SOURCES)
    assert found.area.mean() == pytest.approx(AREA, rel=0.15)


def test_sky_with_holes_is_as_the_whole():
    noise = smoothed()
    holes = np.where(np.random.default_rng(5).uniform(size=noise.shape) < 0.5, np.nan, noise)
    found = measure_sky(holes, np.ones_like(noise), NO_SOURCES)
    assert found.area.mean() == pytest.approx(AREA, rel=0.15)
    np.testing.assert_allclose(found.scale, 1, rtol=0.05)


def test_measured_errors_hold_for_sums_over_pixels():
    """Sums over apertures in one half of the sky against errors that were measured in the other."""
    noise = 0.3 * smoothed(n_bands=6, seed=2)
    y, x = np.mgrid[:18, :18]
    aperture = (np.hypot(y - 8, x - 9) < 8) & (x + y > 9)
    sci = np.array([noise[band] for band in range(6)])
    cutout = with_sky_noise(a_cutout(sci[:, :, :90], np.ones_like(sci[:, :, :90]), NO_SOURCES[:, :90]))
    positions = np.column_stack(np.nonzero(aperture)).astype(float)
    error = np.repeat(cutout.err[:, 0, :1], len(positions), axis=1).T
    predicted = error_of_sum(error, np.ones(len(positions)), positions, cutout.noise.correlation)
    tops, lefts = np.meshgrid(range(0, 162, 20), range(90, 162, 20))
    corners = zip(tops.ravel(), lefts.ravel(), strict=True)
    sums = np.array([sci[:, top : top + 18, left : left + 18][:, aperture].sum(axis=1) for top, left in corners])
    # 36 apertures in each of 6 bands: 5% in the mean of the scatters, and 8% in the areas measured.
    assert np.mean(sums.std(axis=0) / predicted) == pytest.approx(1, abs=0.17)
    independent_pixels = 0.3 * np.sqrt(len(positions))
    assert np.mean(sums.std(axis=0)) > 3 * independent_pixels


def test_nothing_is_measured_without_sky():
    noise = smoothed(n_bands=3)[:, :60, :60]
    full = measure_sky(noise, np.ones_like(noise), np.ones((60, 60), dtype=int))
    assert not full.known.any()
    assert full.n_sky.tolist() == [0, 0, 0]
    noise[0], noise[1] = np.nan, 7.0
    some = measure_sky(noise, np.ones_like(noise), np.zeros((60, 60), dtype=int))
    assert some.known.tolist() == [False, False, True]


def test_errors_and_background_as_asked():
    """By hand: errors twice the scatter are halved; weights that are larger on the galaxy do not count there."""
    sci = smoothed(n_bands=2) + 5
    err = np.full_like(sci, 2.0)
    err[0, 90, 90], err[1, 90, 90], err[1, 91, 91] = 0.1, 20, np.nan
    found = measure_sky(np.float32(sci), np.float32(err), NO_SOURCES)
    raw = a_cutout(sci, err)._replace(noise=found)
    both = with_sky_noise(raw)
    np.testing.assert_allclose(both.err[:, 0, 0], 2 * found.scale, rtol=1e-5)
    assert both.err[0, 90, 90] == pytest.approx(found.scatter[0], rel=1e-5)
    assert both.err[1, 90, 90] == pytest.approx(20 * found.scale[1], rel=1e-5)
    assert np.isnan(both.err[1, 91, 91])
    np.testing.assert_allclose(both.sci, raw.sci - found.background[:, None, None], rtol=1e-5)
    as_stated = with_sky_noise(raw, errors="stated", background="none")
    np.testing.assert_array_equal(as_stated.sci, raw.sci)
    np.testing.assert_array_equal(as_stated.err, raw.err)
    assert raw.sci.mean() == pytest.approx(5, abs=0.1)  # not changed
    with pytest.raises(ValueError, match="unknown errors 'true'"):
        with_sky_noise(raw, errors="true")


def test_what_was_not_measured_stays_as_stated():
    sci = smoothed(n_bands=2)
    sci[1] = 3.0  # a constant band
    cutout = with_sky_noise(a_cutout(sci, np.full_like(sci, 2.0)))
    assert cutout.err[1, 0, 0] == 2
    assert cutout.sci[1, 0, 0] == 0  # less the background, which is known


def test_the_notes_say_what_is_wrong_and_where():
    noise = smoothed(n_bands=8)
    err = np.ones_like(noise)
    err[0] = 100  # a mistake of units
    err[1] = 2
    noise[2] = 1.0
    noise[3] += 3 * np.random.default_rng(3).standard_normal((SIDE, 1))  # stripes along rows
    noise[4] += np.where(np.arange(SIDE) > 90, 2, -2)  # a step
    err[5, :, 20:] = np.nan
    err[5, 30:] = np.nan
    found = measure_sky(noise, err, NO_SOURCES)
    bands, wanted = [f"f{n}" for n in range(8)], np.arange(8) < 7
    assert noise_notes(found, bands, wanted) == (
        "stated errors are off by more than a factor of 1.5 in f1, f3, f4",
        "stated errors are off by more than a factor of 30, as by a mistake of units, in f0",
        "noise is striped in f3",
        "the sky has structure larger than 15 pixels in f4: sums are less certain",
        "the sky does not vary in f2: stated errors are kept",
        "too little sky in f5: stated errors are kept",
    )
    assert noise_notes(measure_sky(noise[6:7], err[6:7], NO_SOURCES), ["f6"], np.ones(1, dtype=bool)) == ()


def test_many_bands_are_counted():
    wanted = np.array([True] * 8 + [False])
    names = [f"f{n}" for n in range(9)]
    assert in_words(names, np.arange(9) < 3, wanted) == "f0, f1, f2"
    assert in_words(names, np.arange(9) < 6, wanted) == "6 of 8 bands"
    assert in_words(names, wanted, wanted) == "all bands"


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_the_unit_of_the_fluxes_does_not_matter(factor):
    noise = smoothed(n_bands=2)
    one, other = (measure_sky(noise * f, np.full_like(noise, 0.7 * f), NO_SOURCES) for f in (1, factor))
    np.testing.assert_allclose(other.scale, one.scale, rtol=1e-9)
    np.testing.assert_allclose(other.correlation, one.correlation, atol=1e-9)
    np.testing.assert_allclose(other.background, factor * one.background, rtol=1e-9)


# ---- pixels of another size -------------------------------------------------


def test_the_same_sky_in_pixels_of_half_the_size_is_measured_as_far_in_arcsec():
    """Noise correlated over the same area on the sky, and a source of the same size."""
    fine, coarse = 0.02, 0.04
    white = np.random.default_rng(2).standard_normal((6, 2 * SIDE, 2 * SIDE))
    width = 2 * SIGMA  # of the correlation, in the small pixels
    small = gaussian_filter(white, (0, width, width), mode="wrap") * np.sqrt(4 * np.pi) * width
    large = small[:, ::2, ::2]
    source = np.zeros((2 * SIDE, 2 * SIDE), dtype=int)
    source[100:140, 100:140] = 1
    found = {
        pixel: measure_sky(sci, np.ones_like(sci), segmap, pixel)
        for pixel, sci, segmap in ((fine, small, source), (coarse, large, source[::2, ::2]))
    }
    assert {pixel: noise.reach * pixel for pixel, noise in found.items()} == {fine: 0.6, coarse: 0.6}
    # Distances are rounded to pixels, the large ones by more: the areas of 4 pi SIGMA^2 hold to 15% and to 5%.
    areas = [noise.area.mean() * pixel**2 for pixel, noise in found.items()]
    assert areas[0] == pytest.approx(AREA * coarse**2, rel=0.15)
    assert areas[0] == pytest.approx(areas[1], rel=0.15)
    # The control: with a reach in pixels, the area would be cut off.
    assert measure_sky(small, np.ones_like(small), source, coarse).area.mean() * fine**2 < 0.9 * areas[0]
    # Every second of the small pixels has the middle of a large one: a few at just that distance are told apart.
    differ, without = (
        (sky_of(source, pixel)[::2, ::2] != sky_of(source[::2, ::2], coarse)).sum() for pixel in (fine, coarse)
    )
    assert differ < 0.1 * without


def test_what_is_enough_sky_is_an_area_on_the_sky():
    noise = smoothed(1)[:, :50, :50]
    for pixel, known in ((0.04, True), (0.02, False)):
        assert measure_sky(noise, np.ones_like(noise), NO_SOURCES[:50, :50], pixel).known[0] == known
