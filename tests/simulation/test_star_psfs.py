"""Stars are Gaussians here, whose convolutions are known; one test looks at real ones where STAR_PSFS names a file."""

import os
from itertools import permutations

import numpy as np
import pytest
from scipy.signal import fftconvolve

from helper_functions.filters import pivot_wavelength
from helper_functions.psf import PIXEL, encircled_energy, measure_fwhm
from helper_functions.simulation import suites
from helper_functions.simulation.flaws import Flaws, draw_flaws, draw_shifts, observed_flux
from helper_functions.simulation.simulated_galaxy import simulate_galaxy, through_psf
from helper_functions.simulation.star_psfs import (
    STAR_PIXEL,
    TARGET,
    matched_psfs,
    matching_kernel,
    read_star_psfs,
    resample_star_psf,
    shifted,
)
from helper_functions.simulation.suites import realistic_field, realistic_images, with_truth

REAL_STARS = os.environ.get("STAR_PSFS", "")  # before the tests take it out of their environment
# Standard deviations in pixels of 0.03 arcsec: about those of F200W, F277W and F444W, and of one other place.
WIDTHS = {
    ("F200W", "1_A"): 1.20,
    ("F277W", "1_A"): 1.75,
    ("F444W", "1_A"): 2.35,
    ("F200W", "2_B"): 1.10,
    ("F277W", "2_B"): 1.65,
    ("F444W", "2_B"): 2.30,
}
BANDS = ("f200w", "f277w", "f444w")


def gaussian(sigma, size=61, shift=(0.0, 0.0)):
    """Gaussian of sum 1 about the middle of an image, standard deviation and shift in pixels."""
    y, x = np.indices((size, size)) - size // 2
    image = np.exp(-((y - shift[0]) ** 2 + (x - shift[1]) ** 2) / (2 * sigma**2))
    return image / image.sum()


def write(path, psfs):
    np.savez(path, **{"_".join(name): psf for name, psf in psfs.items()})
    return path


@pytest.fixture
def stars(tmp_path):
    return read_star_psfs(write(tmp_path / "stars.npz", {name: gaussian(width) for name, width in WIDTHS.items()}))


class Places:
    """In place of a random generator: the place of the images and that of the kernels."""

    def __init__(self, here, there):
        self.places = here, there

    def choice(self, *_, **__):
        return self.places


def residual(psfs, bands=slice(None)):
    """Largest difference of PSFs from their target, over its peak, (n_bands,)."""
    return np.abs(psfs.bands[bands] - psfs.target).max(axis=(1, 2)) / psfs.target.max()


def centroid(image):
    return np.array([np.sum(image * axis) for axis in np.indices(image.shape)]) / image.sum()


# ---- the file ---------------------------------------------------------------


def test_stars_are_read_as_they_were_written(stars):
    assert set(stars) == set(WIDTHS)
    np.testing.assert_array_equal(stars["F277W", "2_B"], gaussian(1.65))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda psfs: psfs.pop(("F277W", "2_B")), "want arrays <BAND>_<PLACE> of F444W .*found F200W_1_A"),
        (
            lambda psfs: [psfs.pop(name) for name in list(psfs) if name[1] == "2_B"],
            "in two places or more, found F200W_1_A",
        ),
        (lambda psfs: [psfs.pop(name) for name in list(psfs) if name[0] == TARGET], "want arrays .* of F444W and"),
        (lambda psfs: [psfs.pop(name) for name in list(psfs) if name[0] != TARGET], "F444W and other bands"),
        (lambda psfs: psfs.clear(), "found none"),
        (lambda psfs: psfs.update({("EXTRA",): gaussian(1.0)}), "found .*EXTRA"),
        (
            lambda psfs: psfs.update({("F999W", place): gaussian(2) for place in ("1_A", "2_B")}),
            "no filter curve: F999W",
        ),
        (lambda psfs: psfs.update({("F200W", "1_A"): gaussian(1.0, 41)}), r"one odd number .*\(41, 41\), \(61, 61\)"),
        (lambda psfs: psfs.update({name: gaussian(2.0, 60) for name in psfs}), r"found shapes \[\(60, 60\)\]"),
        (lambda psfs: psfs.update({name: np.ones(9) / 9 for name in psfs}), r"found shapes \[\(9,\)\]"),
        (
            lambda psfs: psfs.update({("F200W", "1_A"): 2 * gaussian(1.0)}),
            "sum 1 that are finite, which F200W_1_A are not",
        ),
        (
            lambda psfs: psfs.update({("F200W", "1_A"): np.full((61, 61), np.nan)}),
            "sum 1 that are finite, which F200W_1_A",
        ),
    ],
)
def test_what_cannot_be_matched_is_refused(change, message, tmp_path):
    psfs = {name: gaussian(width) for name, width in WIDTHS.items()}
    change(psfs)
    with pytest.raises(ValueError, match=message):
        read_star_psfs(write(tmp_path / "stars.npz", psfs))


def test_a_file_of_another_kind_is_named(tmp_path):
    with pytest.raises(OSError, match=r"stars\.npz"):
        read_star_psfs(tmp_path / "stars.npz")
    path = tmp_path / "stars.npz"
    for content in (b"", b"text", b"PK\x03\x04 and no more"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"stars\.npz cannot be read as an \.npz file"):
            read_star_psfs(path)
    np.save(tmp_path / "one.npy", gaussian(2.0))
    with pytest.raises(ValueError, match=r"one\.npy cannot be read as an \.npz file"):
        read_star_psfs(tmp_path / "one.npy")


# ---- matching ---------------------------------------------------------------


@pytest.mark.parametrize("place", ["1_A", "2_B"])
def test_matched_in_its_own_place_a_band_has_the_psf_of_the_target(stars, place):
    """By transforms as in the suite, and by a kernel that is laid out and convolved with the star."""
    psfs = matched_psfs(stars, BANDS, Places(place, place))
    assert residual(psfs).max() < 0.01
    target = stars[TARGET, place]
    kernel = np.fft.fftshift(np.fft.irfft2(matching_kernel(stars["F200W", place], target), target.shape))
    other_route = fftconvolve(stars["F200W", place], kernel, mode="same")
    np.testing.assert_allclose(other_route, target, atol=0.01 * target.max())


@pytest.mark.parametrize(("here", "there"), [("1_A", "2_B"), ("2_B", "1_A")])
def test_the_kernel_of_another_place_leaves_over_what_gaussians_say(stars, here, there):
    """Widths of convolutions add in quadrature: here, what the band has, what the target has there, less the band's."""
    psfs = matched_psfs(stars, BANDS, Places(here, there))
    for psf, band in zip(psfs.bands[:2], ("F200W", "F277W"), strict=True):
        variance = WIDTHS[band, here] ** 2 + WIDTHS[TARGET, there] ** 2 - WIDTHS[band, there] ** 2
        expected = gaussian(np.sqrt(variance) * STAR_PIXEL / PIXEL, len(psf))
        np.testing.assert_allclose(psf, expected, atol=0.01 * expected.max())
    # 2.35 and 2.30 pixels, 1.75 and 1.65: the peak changes by (0.23 - 0.34) / 5.3 or so.
    off = WIDTHS["F277W", here] ** 2 - WIDTHS["F277W", there] ** 2 + WIDTHS[TARGET, there] ** 2
    assert residual(psfs)[1] == pytest.approx(abs(WIDTHS[TARGET, here] ** 2 / off - 1), abs=0.01)
    assert residual(psfs)[1] > 0.015
    np.testing.assert_allclose(psfs.bands[2], psfs.target)  # the target is matched to nothing
    np.testing.assert_allclose(psfs.bands.sum(axis=(1, 2)), 1)


def test_bands_between_are_interpolated_and_those_beyond_are_the_nearest(stars):
    names = ("f606w", "f200w", "f250m", "f277w", "f444w", "f480m")
    psfs = matched_psfs(stars, names, Places("1_A", "2_B")).bands
    blue, middle, red = (pivot_wavelength(band) for band in ("f200w", "f250m", "f277w"))
    share = (middle - blue) / (red - blue)
    assert 0.1 < share < 0.9
    np.testing.assert_allclose(psfs[2], (1 - share) * psfs[1] + share * psfs[3], atol=1e-15)
    np.testing.assert_array_equal(psfs[0], psfs[1])
    np.testing.assert_array_equal(psfs[5], psfs[4])


def test_the_seed_draws_two_places(stars):
    drawn = [matched_psfs(stars, BANDS, np.random.default_rng(seed)) for seed in (*range(20), 0)]
    np.testing.assert_array_equal(drawn[0].bands, drawn[-1].bands)
    peaks = {round(float(psfs.target.max()), 6) for psfs in drawn}
    assert len(peaks) == 2  # either place is that of the images in some
    assert min(residual(psfs)[1] for psfs in drawn) > 0.01  # and never that of the kernels


@pytest.mark.parametrize("pixel", [0.02, 0.04, 0.05])
def test_stars_on_other_pixels_keep_their_width(pixel):
    psf = resample_star_psf(gaussian(2.35, 101), pixel)
    expected = gaussian(2.35 * STAR_PIXEL / pixel, len(psf))
    np.testing.assert_allclose(psf, expected, atol=1e-3 * expected.max())  # of splines
    assert psf.sum() == pytest.approx(1)


# ---- shifts -----------------------------------------------------------------


@pytest.mark.parametrize("shift", [(0.3, -0.7), (0.0, 0.0), (1.0, 0.25)])
def test_a_psf_is_moved_by_exactly_the_shift(shift):
    psf = gaussian(2.0)  # wide enough for pixels to sample it to 1e-8
    shift_image = shifted(psf, shift)
    assert shift_image.sum() == pytest.approx(1)
    np.testing.assert_allclose(centroid(shift_image), centroid(psf) + shift, atol=1e-6)
    np.testing.assert_allclose(shift_image, gaussian(2.0, shift=shift), atol=1e-6 * psf.max())


def test_shifts_of_a_field_have_the_rms_along_both_axes():
    drawn = draw_shifts(range(4000), 0.3, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.std(axis=0), 0.3, rtol=0.05)  # of 4,000 numbers it is known to 1.1%
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.06


@pytest.mark.parametrize("with_stars", [False, True])
def test_images_are_moved_by_the_shift(with_stars, stars):
    """The middle of a galaxy's light in every band lies where the shift puts it."""
    galaxy = simulate_galaxy("smooth", seed=3, radius=4, n_regions=1, contrast="distinct", bands=BANDS)
    point = np.zeros((1, 121, 121))
    point[0, 60, 60] = 1
    galaxy = galaxy._replace(light=point)
    plain = draw_flaws(BANDS, np.random.default_rng(0), stars if with_stars else None)
    shift = np.array([[0.4, -0.2], [0.0, 0.0], [-0.6, 0.3]])
    still, shift_image = (observed_flux(galaxy, plain._replace(shift=each)) for each in (None, shift))
    before, after = (np.array([centroid(image) for image in images]) for images in (still, shift_image))
    # 0.02 pixels: the wings of the model end at 1.5 arcsec, and move past this by nothing.
    np.testing.assert_allclose(after - before, shift, atol=1e-6 if with_stars else 0.02)
    np.testing.assert_allclose(shift_image.sum(axis=(1, 2)), still.sum(axis=(1, 2)), rtol=1e-3)


# ---- the suite --------------------------------------------------------------


@pytest.fixture
def small_field(monkeypatch):
    """A field of three small kinds of galaxies; a list of the flaws of the images of each of them."""
    observed, observe = [], suites.observe_with_flaws

    def watched(galaxy, flaws, seed):
        observed.append(flaws)
        return observe(galaxy, flaws, seed)

    monkeypatch.setattr(suites, "RADII", (5.0,))
    monkeypatch.setattr(suites, "REALISTIC_KINDS", suites.REALISTIC_KINDS[3:6])
    monkeypatch.setattr(suites, "observe_with_flaws", watched)
    return observed


def test_galaxies_of_a_field_share_its_shifts_and_nothing_else(stars, small_field):
    images, shift = realistic_field(0, 7, 0.3, stars)
    assert len(images) == 3
    assert len({each.name for each in images}) == 3
    assert shift.shape == (len(images[0].galaxy.bands), 2)
    for flaws in small_field:
        np.testing.assert_array_equal(flaws.shift, shift)
    zero_points = [flaws.zero_point[0] for flaws in small_field]
    assert len(set(zero_points)) == 3
    again, same = realistic_field(0, 7, 0.3, stars)
    np.testing.assert_array_equal(same, shift)
    np.testing.assert_array_equal(again[1].cutout.sci, images[1].cutout.sci)
    _, double = realistic_field(0, 7, 0.6, stars)
    np.testing.assert_allclose(double, 2 * shift)
    _, other = realistic_field(1, 7, 0.3, stars)
    assert (other != shift).all()
    assert shift.std() == pytest.approx(0.3, rel=0.25)  # of 54 numbers it is known to 10%


def test_images_of_a_field_lie_off_by_its_shifts(small_field):
    """Against the same galaxy without shifts: what differs is the slope of its light, in the ratio of the shifts."""
    images, shift = realistic_field(0, 7, 0.3)
    still, shift_image = (
        suites.realistic_images(0, 7).cutout.sci,
        images[0].cutout.sci,
    )  # one population at SNR 300, same noise
    for plain, other, expected in zip(still, shift_image, shift, strict=True):
        slopes = np.stack([-np.gradient(plain, axis=axis).ravel() for axis in (0, 1)], axis=1)
        found = np.linalg.lstsq(slopes, (other - plain).ravel(), rcond=None)[0]
        # 3% of slopes between neighbouring pixels, and what is of second order in a shift, which noise has part in.
        np.testing.assert_allclose(found, expected, atol=0.005 + 0.1 * np.abs(expected).max())


def test_the_truth_is_what_the_psf_of_the_target_shows(stars, small_field):
    images, _ = realistic_field(0, 7, 0.3, stars)
    nominal, _ = realistic_field(0, 7, 0.3)
    for each, plain, flaws in zip(images[1:], nominal[1:], small_field[1:3], strict=True):  # of two populations
        expected = through_psf(plain.galaxy, flaws.psfs.target)
        np.testing.assert_array_equal(each.galaxy.region, expected.region)
        np.testing.assert_array_equal(each.galaxy.share, expected.share)
        # Control: not what the model of F444W shows.
        assert np.abs(each.galaxy.share - plain.galaxy.share).max() > 0.01


def test_pixels_of_a_galaxy_with_stars_have_its_truth(stars, small_field):
    galaxy = with_truth(*realistic_images(1, 7, stars))
    assert len(galaxy.region) == len(galaxy.seds.flux) > 20
    assert set(galaxy.region) == {1, 2}


def test_flaws_without_stars_are_drawn_as_before(stars):
    """Places are drawn after all else, so that galaxies differ by nothing but their PSFs."""
    plain, with_stars = (draw_flaws(BANDS, np.random.default_rng(3), each) for each in (None, stars))
    for name in set(Flaws._fields) - {"psfs"}:
        np.testing.assert_array_equal(getattr(plain, name), getattr(with_stars, name))


# ---- real stars -------------------------------------------------------------


@pytest.mark.skipif(
    not REAL_STARS, reason="no PSFs of real stars: STAR_PSFS names no .npz file of them, see star_psfs.py"
)
def test_what_matching_leaves_over_of_real_stars():
    """Residuals of 2 to 10% of the peak with the kernel of another place, next to none with a band's own."""
    stars = read_star_psfs(REAL_STARS)
    bands = sorted({band.lower() for band, _ in stars} - {TARGET.lower()})
    places = sorted({place for _, place in stars})
    others = np.array([residual(matched_psfs(stars, bands, Places(*pair))) for pair in permutations(places, 2)])
    own = np.array([residual(matched_psfs(stars, bands, Places(place, place))) for place in places])
    assert own.max() < 0.01
    assert 0.03 < np.median(others) < 0.05
    assert 0.015 <= others.min() < others.max() < 0.11
    for place in places:
        psf = stars[TARGET, place]
        assert measure_fwhm(psf, STAR_PIXEL) == pytest.approx(0.165, rel=0.04)  # Zhuang & Shen (2024), their table
        np.testing.assert_allclose(encircled_energy(psf, STAR_PIXEL, [0.1, 0.3]), [0.51, 0.88], atol=0.02)
