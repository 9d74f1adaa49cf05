import numpy as np
import pytest
from conftest import celestial_wcs
from scipy.ndimage import gaussian_filter

from helper_functions.composite_seds import sum_error
from helper_functions.noise import error_of_sum
from helper_functions.pixel_seds import Cutout, extract_seds
from helper_functions.sky_noise import (
    BRIGHT,
    band_list,
    measure_sky,
    noise_notes,
    photon_note,
    sky_mask,
    smoothed_light,
    with_sky_noise,
)

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


def test_errors_of_sums_hold_where_the_sky_has_structure_larger_than_the_psf():
    """Sums over a source and over half of it, in the middle of the sky that the noise is measured in.

    A fifth of the variance is correlated over tens of pixels. The controls: noise without such structure, and a
    correlation that ends where that of the fine noise does.
    """
    rng, (y, x) = np.random.default_rng(8), np.mgrid[:96, :96] - 48

    def noise_of(sigma):
        white = rng.standard_normal((48, 144, 144))
        return gaussian_filter(white, (0, sigma, sigma), mode="wrap")[:, :96, :96] * np.sqrt(4 * np.pi) * sigma

    source = np.hypot(y, x) < 12
    fine = noise_of(SIGMA)
    for sci, has_structure in ((fine, False), (fine + 0.5 * noise_of(8.0), True)):
        cutout = with_sky_noise(a_cutout(sci, np.ones_like(sci), (np.hypot(y, x) < 13).astype(int)))
        seds = extract_seds(cutout, source)
        near = np.arange(seds.correlation.shape[1]) <= 4  # pixels: beyond, 6% of the fine noise is correlated
        for half in (np.ones(source.sum(), dtype=bool), seds.cols > 48):
            sums = seds.flux[half].sum(axis=0)
            weights = np.repeat(half[:, None].astype(float), 48, axis=1)
            # 48 sums give their scatter to 10%, and 8,000 pixels of sky the errors to 10%.
            assert np.sqrt(np.mean(sums**2 / sum_error(seds, weights) ** 2)) == pytest.approx(1, abs=0.25)
            short = seds._replace(correlation=seds.correlation * near, background_error=None)
            too_small = np.sqrt(np.mean(sums**2 / sum_error(short, weights) ** 2)) > 1.25
            assert too_small == has_structure


def test_nothing_is_measured_without_sky():
    noise = smoothed(n_bands=3)[:, :60, :60]
    full = measure_sky(noise, np.ones_like(noise), np.ones((60, 60), dtype=int))
    assert not full.known.any()
    assert full.n_sky.tolist() == [0, 0, 0]
    noise[0], noise[1] = np.nan, 7.0
    some = measure_sky(noise, np.ones_like(noise), np.zeros((60, 60), dtype=int))
    assert some.known.tolist() == [False, False, True]


def test_errors_and_background_as_asked():
    """By hand: errors twice the scatter are halved, and a pixel of another depth keeps its own."""
    sci = smoothed(n_bands=2) + 5
    err = np.full_like(sci, 2.0)
    err[0, 90, 90], err[1, 90, 90], err[1, 91, 91] = 0.1, 20, np.nan
    found = measure_sky(np.float32(sci), np.float32(err), NO_SOURCES)
    raw = a_cutout(sci, err)._replace(noise=found)
    both = with_sky_noise(raw)
    np.testing.assert_allclose(both.err[:, 0, 0], 2 * found.scale, rtol=1e-5)
    assert both.err[0, 90, 90] == pytest.approx(0.1 * found.scale[0], rel=1e-5)
    assert both.err[1, 90, 90] == pytest.approx(20 * found.scale[1], rel=1e-5)
    assert np.isnan(both.err[1, 91, 91])
    np.testing.assert_allclose(both.sci, raw.sci - found.background[:, None, None], rtol=1e-5)
    as_stated = with_sky_noise(raw, errors="stated", background="none")
    np.testing.assert_array_equal(as_stated.sci, raw.sci)
    np.testing.assert_array_equal(as_stated.err, raw.err)
    assert raw.sci.mean() == pytest.approx(5, abs=0.1)  # not changed
    with pytest.raises(ValueError, match="unknown errors 'true'"):
        with_sky_noise(raw, errors="true")


def test_a_plane_takes_slopes_away_and_leaves_the_level_to_the_median():
    slopes, levels, (y, x) = np.array([0.01, -0.02]), np.array([3.0, -1.0]), np.indices((SIDE, SIDE))
    segmap = np.where(np.hypot(y - 60, x - 120) < 15, 1, 0)
    noise = smoothed(n_bands=2)
    planes = [one * (y - 60) + other * (x - 120) for one, other in zip(slopes, slopes[::-1], strict=True)]
    sci = noise + levels[:, None, None] + planes
    sci[:, segmap == 1] += 50
    raw = a_cutout(sci, np.ones_like(sci), segmap)
    flat, even = (with_sky_noise(raw, background=name) for name in ("plane", "local"))

    def slope(cutout):
        return np.polyfit(y[segmap == 0], (cutout.sci[:, segmap == 0]).T, 1)[0]

    # Noise that is correlated over AREA gives the slope of 32,400 pixels to 4.5e-4.
    np.testing.assert_allclose(slope(flat), 0, atol=1.5e-3)
    np.testing.assert_allclose(slope(even), slopes, atol=3e-3)  # the control: a median does not take it away
    np.testing.assert_allclose(flat.noise.background, levels, atol=0.1)
    np.testing.assert_allclose(flat.noise.scatter, 1, rtol=0.05)
    assert (even.noise.scatter > 1.2).all()
    truth = (noise + 50 * (segmap == 1))[:, segmap == 1]
    np.testing.assert_allclose(flat.sci[:, segmap == 1].mean(axis=1), truth.mean(axis=1), atol=0.1)
    little = raw._replace(segmap=np.ones_like(segmap))  # no sky: nothing is taken away
    np.testing.assert_array_equal(with_sky_noise(little, background="plane").sci, little.sci)


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
        "stated errors are off by more than a factor of 30, as by a mistake of units, in f0",
        "stated errors are off by more than a factor of 1.5 in f1, f3, f4",
        "noise is striped in f3",
        "the sky has structure larger than 15 pixels in f4: sums are less certain",
        "the sky does not vary in f2: stated errors are kept",
        "too little sky in f5",
    )
    assert noise_notes(measure_sky(noise[6:7], err[6:7], NO_SOURCES), ["f6"], np.ones(1, dtype=bool)) == ()


def test_many_bands_are_counted():
    wanted = np.array([True] * 8 + [False])
    names = [f"f{n}" for n in range(9)]
    assert band_list(names, np.arange(9) < 3, wanted) == "f0, f1, f2"
    assert band_list(names, np.arange(9) < 6, wanted) == "6 of 8 bands"
    assert band_list(names, wanted, wanted) == "all bands"


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_the_unit_of_the_fluxes_does_not_matter(factor):
    noise = smoothed(n_bands=2)
    one, other = (measure_sky(noise * f, np.full_like(noise, 0.7 * f), NO_SOURCES) for f in (1, factor))
    np.testing.assert_allclose(other.scale, one.scale, rtol=1e-9)
    np.testing.assert_allclose(other.correlation, one.correlation, atol=1e-9)
    np.testing.assert_allclose(other.background, factor * one.background, rtol=1e-9)


# ---- depth that varies, and weights with an imprint of the source ----------

Y, X = np.mgrid[:SIDE, :SIDE] - SIDE // 2
RADIUS = np.hypot(Y, X)
DISC = (RADIUS <= 20).astype(int)  # the source 1, 1,257 pixels
LIGHT = np.where(DISC == 1, 40 * np.exp(-RADIUS / 8), 0)
IMPRINT_NOTE = "stated errors are smaller on the source than beside it, as if weights held its imprint, in "


def observed(depth, stated=None, light=LIGHT, n_bands=4, factor=0.8, seed=1):
    """Source 1 in noise of standard deviation `depth` times `factor`, which is stated to be `stated`, or `depth`."""
    sci = light + factor * depth * smoothed(n_bands, seed)
    return a_cutout(sci, np.broadcast_to(depth if stated is None else stated, sci.shape), DISC)


def notes_of(cutout):
    noise = measure_sky(cutout.sci, cutout.err, cutout.segmap, cutout.pixel, cutout.id_dr3)
    return noise_notes(noise, cutout.bands, np.ones(len(cutout.bands), dtype=bool))


@pytest.mark.parametrize("half", [22, 35, 50])
def test_a_galaxy_in_a_deep_window_has_deep_errors(half):
    """Three times deeper: the edge of the window lies between the galaxy and the sky beside it, in this, or beyond.

    The noise is 0.8 of what is stated all over.
    """
    deep = np.maximum(abs(Y), abs(X)) <= half
    cutout = observed(np.where(deep, 1.0, 3.0))
    assert IMPRINT_NOTE + "all bands" not in notes_of(cutout)
    used = with_sky_noise(cutout)
    assert np.isnan(used.noise.beside).all()
    # 5% as for one depth above: the scale is of fluxes over stated errors. The shallow error would be 2.4.
    np.testing.assert_allclose(used.noise.scale, 0.8, rtol=0.05)
    np.testing.assert_allclose(used.err[:, DISC == 1], 0.8, rtol=0.05)
    np.testing.assert_allclose(used.err[:, ~deep], 2.4, rtol=0.05)
    assert (used.noise.scatter > 1.6).all()  # so the scatter of the sky is no measure of the galaxy's noise
    # Nor does it matter to the correlation of the noise that most of its variance is that of shallow pixels.
    assert used.noise.area.mean() == pytest.approx(AREA, rel=0.15)


@pytest.mark.parametrize("where", [X > 0, X > 8, Y + X > -10, (X > 3) & (Y > -5), abs(X) < 6, (abs(X) < Y) & (Y > 4)])
def test_a_galaxy_across_an_edge_has_each_side_s_own_errors(where):
    """Sides, a corner, a strip between detectors, and a wedge of a quarter: the deep part is sky beside it, too."""
    for deep in (where, ~where):
        cutout = observed(np.where(deep, 1.0, 3.0))
        assert notes_of(cutout) == ()
        used = with_sky_noise(cutout)
        for side, error in ((deep, 0.8), (~deep, 2.4)):
            np.testing.assert_allclose(used.err[:, side], error, rtol=0.05)


def test_an_imprint_of_the_source_in_weights_is_found_and_counts_in_no_other_band():
    """Bands 1 and 3 have errors of a half where the source is brightest; the noise is the same all over."""
    plain = observed(np.ones((SIDE, SIDE)))
    stated = np.ones_like(plain.sci)
    stated[[1, 3]] = 1 / np.sqrt(1 + 3 * LIGHT / LIGHT.max())
    stated[2] = np.sqrt(1 + LIGHT / LIGHT.max())  # photon noise, which is none
    cutout = plain._replace(err=np.float32(stated))
    assert notes_of(cutout) == (IMPRINT_NOTE + "band1, band3",)
    assert notes_of(plain) == ()
    used = with_sky_noise(cutout)
    assert np.isfinite(used.noise.beside).tolist() == [False, True, False, True]
    np.testing.assert_allclose(used.err[[1, 3]][:, DISC == 1], 0.8, rtol=0.05)  # of the scale
    for band in (0, 2):
        np.testing.assert_allclose(used.err[band], cutout.err[band] * used.noise.scale[band], rtol=1e-6)
    # The control: the scale alone leaves errors that are half as large as the noise.
    assert (cutout.err[1] * used.noise.scale[1])[DISC == 1].min() == pytest.approx(0.4, rel=0.05)
    # As stated is as stated.
    np.testing.assert_array_equal(with_sky_noise(cutout, errors="stated").err, cutout.err)


def test_weights_that_vary_by_a_tenth_from_pixel_to_pixel_have_no_imprint():
    """In 200 bands, of a source of 49 pixels: medians of twelve scatter by 4%."""
    rng = np.random.default_rng(4)
    small = (RADIUS < 4).astype(int)[60:120, 60:120]
    stated = np.float32(rng.lognormal(0, 0.1, (200, 60, 60)))
    sci = stated * rng.standard_normal(stated.shape) + 10 * small
    assert small.sum() > 40
    assert np.isnan(measure_sky(sci, stated, small, source=1).beside).all()


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_neither_unit_nor_orientation_nor_other_bands_matter_to_what_is_measured_of_the_source(factor):
    cutout = observed(np.ones((SIDE, SIDE)), 1 / np.sqrt(1 + 3 * LIGHT / LIGHT.max()), n_bands=2)
    one = measure_sky(cutout.sci, cutout.err, DISC, source=1)
    assert np.isfinite(one.beside).all()
    other = measure_sky(factor * cutout.sci[::-1], factor * cutout.err[::-1], DISC, source=1)
    images = (each.transpose(0, 2, 1)[:, ::-1] for each in (cutout.sci, cutout.err))
    turned = measure_sky(*images, DISC.T[::-1], source=1)
    np.testing.assert_allclose(other.beside[::-1], factor * one.beside, rtol=1e-6)  # 32 bits
    for peak, beside in ((other.peak[::-1], other.beside[::-1] / factor), (turned.peak, turned.beside)):
        np.testing.assert_allclose(peak, one.peak, rtol=1e-5)
        np.testing.assert_allclose(beside, one.beside, rtol=1e-6)


# ---- photon noise ----------------------------------------------------------

ELECTRONS = 3.0  # per 10 nJy
FLAT = 30.0 * (RADIUS <= 40)  # 30 times the noise of the sky, and 90 electrons
SOURCE, CORE = (RADIUS <= 40).astype(int), RADIUS <= 34


def with_photons(smooth, n_bands=30):
    """Sky of variance 1 and electrons that were counted; both smoothed alike, with the variance of the sky 1 again."""
    rng = np.random.default_rng(6)
    unit = np.sqrt(AREA) if smooth else 1.0  # what the filter leaves of a scatter of 1
    light, electrons = np.broadcast_to(FLAT / unit, (n_bands, SIDE, SIDE)), ELECTRONS / unit
    sci = unit * (rng.standard_normal(light.shape) + rng.poisson(light * electrons) / electrons)
    if smooth:
        sci = gaussian_filter(sci, (0, SIGMA, SIGMA), mode="wrap")
    return a_cutout(sci, np.ones_like(sci), SOURCE), electrons / unit, FLAT


@pytest.mark.parametrize("smooth", [False, True])
def test_photon_noise_of_a_bright_source_is_in_its_errors(smooth):
    """Flux 30 and 3 electrons for each unit: a variance of 10 beside that of the sky, 1; smoothing divides both."""
    cutout, electrons, light = with_photons(smooth)
    known = with_sky_noise(cutout._replace(electrons=np.full(30, electrons)))
    off = known.sci[:, CORE] - light[CORE]
    # 3,600 pixels in 30 bands: 0.3%, and 1% where AREA are one; 2% of the scales and 5% of the areas, of 10 in 11.
    assert np.std(off / known.err[:, CORE]) == pytest.approx(1, abs=0.05)
    # The control: without the electrons, errors are too small by sqrt(11).
    unknown = with_sky_noise(cutout)
    assert np.std(off / unknown.err[:, CORE]) == pytest.approx(np.sqrt(11), rel=0.05)
    # In the sky, and where weights hold it already, nothing is added.
    np.testing.assert_array_equal(known.err[:, SOURCE == 0], unknown.err[:, SOURCE == 0])
    held = with_sky_noise(cutout._replace(electrons=np.full(30, np.inf)))
    np.testing.assert_array_equal(held.err, unknown.err)
    np.testing.assert_array_equal(known.sci, unknown.sci)
    stated = with_sky_noise(cutout._replace(electrons=np.full(30, electrons)), errors="stated")
    np.testing.assert_array_equal(stated.err, cutout.err)


def test_noise_of_a_pixel_does_not_make_its_own_error():
    """Photon noise from a pixel's own flux would follow its noise, and weigh down what is bright by chance."""
    cutout, electrons, _ = with_photons(False)
    known = with_sky_noise(cutout._replace(electrons=np.full(30, electrons)))
    flux, weight = known.sci[:, CORE], known.err[:, CORE] ** -2.0
    # Weights of 1 / (1 + flux / 3) fall by 1 in 33 for each unit, and fluxes of variance 11 come out low by a third.
    # Of the smoothed light, a pixel's own is a sixth.
    naive = 1 / (1 + np.maximum(flux, 0) / electrons)
    assert np.average(flux, weights=naive) == pytest.approx(30 - 1 / 3, abs=0.05)
    assert np.average(flux, weights=weight) == pytest.approx(30, abs=0.1)
    assert (smoothed_light(np.full((5, 5), -3.0)) == 0).all()
    # What is missing is no light, and takes none from pixels beside it.
    image = np.where(np.eye(9, dtype=bool), np.nan, 7.0)
    np.testing.assert_allclose(smoothed_light(image)[~np.eye(9, dtype=bool)], 7)


def test_what_errors_do_not_hold_is_said_where_it_may_matter():
    cutout, electrons, _ = with_photons(False, n_bands=3)
    noise, wanted = with_sky_noise(cutout).noise, np.ones(3, dtype=bool)
    peak = noise.peak.max()
    assert peak == pytest.approx(30 + 4 * np.sqrt(11), rel=0.1)  # the largest of 15,000 pixels: 4 times their noise
    sentence = "errors hold no photon noise of the source, unless weights do, in {}: its brightest pixel is {:.0f}"
    brightest = f"times the noise of the sky in band{np.argmax(noise.peak)}"
    said = photon_note(noise, cutout.bands, wanted, None, least=BRIGHT)
    assert said == f"{sentence.format('all bands', peak)} {brightest}"
    assert photon_note(noise, cutout.bands, wanted, None, least=100) == ""
    some = np.array([electrons, np.nan, np.inf])
    assert photon_note(noise, cutout.bands, wanted, some).startswith(sentence.format("band1", noise.peak[1]))
    assert photon_note(noise, cutout.bands, wanted, np.full(3, electrons)) == ""
    assert photon_note(noise, cutout.bands, ~wanted, None) == ""
    assert cutout._replace(noise=noise).photon_note == said
    assert cutout.photon_note == ""  # nobody looked


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
        (sky_mask(source, pixel)[::2, ::2] != sky_mask(source[::2, ::2], coarse)).sum() for pixel in (fine, coarse)
    )
    assert differ < 0.1 * without


def test_what_is_enough_sky_is_an_area_on_the_sky():
    noise = smoothed(1)[:, :50, :50]
    for pixel, known in ((0.04, True), (0.02, False)):
        assert measure_sky(noise, np.ones_like(noise), NO_SOURCES[:50, :50], pixel).known[0] == known


@pytest.mark.parametrize("code", [np.nan, -1.0])
def test_what_is_not_above_zero_in_the_segmap_is_sky(code):
    segmap = np.zeros((40, 40))
    segmap[20, 20] = 7
    expected = sky_mask(segmap)
    assert 0 < expected.sum() < expected.size
    segmap[:, :5] = code
    np.testing.assert_array_equal(sky_mask(segmap), expected)
    assert sky_mask(np.full((4, 4), code)).all()
