import shutil
from functools import partial

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import BANDS, NOISE, SHAPE, celestial_wcs, edit, image_path, plant

import data_paths
from helper_functions.pixel_seds import extract_seds, median_snr, no_pixels, select_pixels
from helper_functions.products.pixels import cutout_to_fits, read_cutout
from helper_functions.psf import make_psf
from helper_functions.sky_noise import measure_sky, with_sky_noise
from main_clustering import settings_block
from prepare_images import (
    NotInSurvey,
    agreeing_neighbours,
    cut_out,
    mask_missing,
    open_survey,
)

IDS = [7, 8, 9, 10, 11, 12]


def test_bands_come_by_wavelength_and_alma_is_none(survey_folder):
    survey = open_survey(survey_folder, IDS)
    assert survey.bands == BANDS
    assert (np.diff(survey.wavelengths) > 0).all()
    assert survey.wavelengths[-1] == pytest.approx(44000, rel=0.01)  # F444W: 4.4 micron


def test_cutout_is_the_segment_and_a_margin(survey_folder):
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    segmap, _, _ = plant()
    window = np.s_[40 - 12 - 5 : 40 + 12 + 5 + 1, 40 - 12 - 5 : 40 + 12 + 5 + 1]
    assert (cutout.segmap == segmap[window]).all()
    assert cutout.sci.shape == (6, 35, 35)
    np.testing.assert_array_equal(cutout.sci[2], fits.getdata(image_path(survey_folder, "f115w"))[window])
    np.testing.assert_allclose(cutout.err, NOISE, rtol=1e-6)
    whole = celestial_wcs()
    np.testing.assert_allclose(cutout.wcs.wcs_pix2world(3, 4, 0), whole.wcs_pix2world(3 + 23, 4 + 23, 0), atol=1e-10)


def test_segment_at_the_edge_keeps_the_part_that_exists(survey_folder):
    cutout = cut_out(open_survey(survey_folder, IDS), 11, margin=5)
    assert cutout.segmap.shape == (2 * 8 + 1 + 2 * 5, 8 + 1 + 5)
    assert (cutout.segmap == 11).sum() == (plant()[0] == 11).sum()


def test_a_wide_segment_works_like_any_other(survey_folder):
    def widen(segmap):
        segmap[5, :] = 7
        return segmap

    edit(survey_folder / data_paths.SEGMAP, widen)
    assert cut_out(open_survey(survey_folder, [7]), 7, margin=2).segmap.shape[1] == SHAPE[1]


def test_mask_missing_by_hand():
    sci = np.array([1.0, 2, 3, 4, np.nan, np.inf, 7])
    weight = np.array([4.0, 0, -1, np.nan, 1, 1, np.inf])
    before = sci.copy()
    flux, error = mask_missing(sci, weight)
    np.testing.assert_array_equal(flux, [1, *[np.nan] * 6])
    np.testing.assert_array_equal(error, [0.5, *[np.nan] * 6])
    np.testing.assert_array_equal(sci, before)


def test_what_does_not_fit_into_32_bits_is_missing():
    """Errors do not overflow because weights do: of the weights only 1e90, whose error is 1e-45, and 1e-90 do."""
    sci = np.array([1e39, 1.0, 1.0, 1.0, 1.0])
    weight = np.array([1.0, 1e62, 1e-62, 1e100, 1e-90])
    alone = [mask_missing(*each) for each in zip(sci[:, None], weight[:, None], strict=True)]
    flux, error = np.concatenate(alone, axis=1)
    assert flux.dtype == error.dtype == np.float32
    np.testing.assert_allclose(error, np.array([np.nan, 1e-31, 1e31, np.nan, np.nan]), rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(flux), np.isnan(error))


@pytest.mark.parametrize("fill", [0.0, -0.013])
def test_a_value_in_many_connected_pixels_is_no_measurement(survey_folder, fill):
    """A filled core of 5 x 5 pixels; 3 x 3 pixels and single ones of the same value are kept unless it is 0."""

    def damage(flux):
        flux[38:43, 38:43] = flux[30:33, 41:44] = flux[50, ::2] = fill
        return flux

    whole = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    assert not whole.notes or "no measurement" not in whole.notes[0]
    edit(image_path(survey_folder, "f200w"), damage)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    missing = np.zeros(cutout.sci.shape, dtype=bool)
    missing[BANDS.index("f200w"), 15:20, 15:20] = True  # the cutout begins at 23
    if fill == 0:
        missing[BANDS.index("f200w"), 7:10, 18:21] = missing[BANDS.index("f200w"), 27, 1::2] = True
    n_missing = missing.sum()
    np.testing.assert_array_equal(np.isnan(cutout.sci), missing)
    np.testing.assert_array_equal(np.isnan(cutout.err), missing)
    assert f"or tiny or huge weights) in f200w: up to {n_missing} of 1225 pixels of" in cutout.notes[0]


@pytest.mark.parametrize("value", [0, 3])
def test_a_constant_image_is_no_image(survey_folder, value):
    edit(image_path(survey_folder, "f200w"), lambda flux: np.full_like(flux, value))
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    np.testing.assert_array_equal(np.isnan(cutout.sci).all(axis=(1, 2)), [band == "f200w" for band in BANDS])
    assert "in f200w: up to 1225 of 1225 pixels of the cutout" in cutout.notes[0]


@pytest.mark.parametrize(("kind", "power"), [("wht", -2), ("err", 1), ("var", 2)])
def test_a_weight_next_to_none_is_none(kind, power):
    """An error of 999 times the typical one is kept, of 1001 times and of 1e22 times is not."""
    error = 0.02 * np.array([1, 1, 1, 1, 999, 1001, 1e22])
    flux, found = mask_missing(np.arange(7.0), error**power, kind)
    np.testing.assert_allclose(found, [*error[:5], np.nan, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(flux), np.isnan(found))


def test_images_and_weights_that_are_swapped_are_refused(survey_folder):
    sci, wht = image_path(survey_folder, "f115w"), image_path(survey_folder, "f115w", "wht")
    edit(wht, lambda weight: np.where(np.arange(weight.shape[1]) > 50, weight, -1))  # one fill value is no noise
    cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    sci.rename(sci.with_name("kept"))
    wht.rename(sci)
    sci.with_name("kept").rename(wht)
    edit(sci, np.abs)
    with pytest.raises(ValueError, match=r"f115w_bcgs_wht.* and .*f115w_bcgs_sci.* seem to be swapped: .*; swap the"):
        cut_out(open_survey(survey_folder, IDS), 7, margin=5)


def test_neighbours_by_redshift():
    redshifts = {1: (1.9, 2.0, 2.1), 2: (2.1, 2.15, 2.2), 3: (2.0, 2.3, 2.6), 4: (2.4, 2.5, 2.6), 5: (np.nan,) * 3}
    others = [2, 3, 4, 5, 6]
    # Half-ranges: 0.1, 0.05, 0.3, 0.1. 2 is 0.15 away (allowed 0.1), 3 is 0.3 (0.3), 4 is 0.5 (0.1).
    assert agreeing_neighbours(1, others, redshifts) == (3,)
    assert agreeing_neighbours(1, others, redshifts, tolerance=0.2) == (2,)
    assert agreeing_neighbours(1, others, redshifts, tolerance=1.0) == (2, 3, 4)
    assert agreeing_neighbours(6, [1], redshifts, tolerance=1.0) == ()


@pytest.mark.parametrize("unknown", [(np.nan, 2.0, 2.1), (1.9, 2.0, np.nan)])
def test_without_a_range_only_a_tolerance_lets_neighbours_agree(unknown):
    redshifts = {1: unknown, 2: (1.9, 2.0, 2.1)}
    for one, other in ((1, 2), (2, 1)):
        assert agreeing_neighbours(one, [other], redshifts) == ()
        assert agreeing_neighbours(one, [other], redshifts, tolerance=0.1) == (other,)


def test_neighbours_are_taken_in_only_when_asked(survey_folder):
    survey = open_survey(survey_folder, IDS)
    assert cut_out(survey, 7, margin=12).members == (7,)
    taken = cut_out(survey, 7, margin=12, include_neighbours=True)
    assert taken.members == (7, 8)  # 9 lies at another redshift
    mask = select_pixels(taken, median_snr(taken), 3)
    assert mask[taken.segmap == 8].any()
    assert not mask[taken.segmap == 9].any()


def test_neighbours_that_cannot_agree_for_want_of_a_redshift_are_told(survey_folder):
    survey = open_survey(survey_folder, IDS)
    cut = partial(cut_out, margin=12, include_neighbours=True)
    assert not any("redshift" in note for note in cut(survey, 7).notes)  # 9, of another redshift, needs no word
    without = {lost: survey._replace(redshifts=survey.redshifts | {lost: (np.nan,) * 3}) for lost in (7, 8)}
    assert cut(without[8], 7).notes[0] == "neighbours without redshift are not included: 8"
    assert cut(without[7], 7).notes[0] == "no neighbours are included, as the galaxy has no redshift"
    assert not any("redshift" in note for note in cut(without[8], 7, excluded=[8]).notes)


def test_neighbours_are_added_and_excluded_by_id(survey_folder):
    survey = open_survey(survey_folder, IDS)
    cut = partial(cut_out, survey, 7, margin=12)
    assert cut(added=[9]).members == (7, 9)
    assert cut(added=[9], include_neighbours=True).members == (7, 8, 9)
    assert cut(excluded=[8], include_neighbours=True).members == (7,)
    assert cut(added=[11]).members == (7,)
    assert "not in the cutout, and so not added: 11" in cut(added=[11, 9]).notes[0]


def test_a_given_redshift_is_the_galaxy_s_and_chooses_its_neighbours(survey_folder):
    survey = open_survey(survey_folder, IDS)
    z = survey.redshifts[9][1]
    shift_image = cut_out(survey, 7, margin=12, include_neighbours=True, redshift=z)
    assert (shift_image.redshift, shift_image.members) == (z, (7, 9))
    assert survey.redshifts[7][1] != z


def test_a_redshift_from_a_spectrum_comes_first(survey_folder):
    path = survey_folder / data_paths.SPS_CATALOG
    table = Table.read(path)
    before = open_survey(survey_folder, IDS).redshifts
    table["z_spec"] = np.where(table["id"] == 7, 1.25, -99.0)
    table.write(path, overwrite=True)
    after = open_survey(survey_folder, IDS).redshifts
    assert after[7] == (1.25, 1.25, 1.25)
    np.testing.assert_equal([after[id_dr3] for id_dr3 in IDS[1:]], [before[id_dr3] for id_dr3 in IDS[1:]])
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=12)
    assert (cutout.redshift, *cutout.redshift_range) == (1.25, 1.25, 1.25)
    other = cut_out(open_survey(survey_folder, IDS), 8, margin=12)
    assert (other.redshift_range[0], other.redshift, other.redshift_range[1]) == before[8]


def test_pixels_can_need_snr_in_single_bands(survey_folder):
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=12)
    snr = median_snr(cutout)
    band = cutout.bands.index("f444w")
    mask = select_pixels(cutout, snr, 3, {"f444w": 20.0})
    assert (mask == (select_pixels(cutout, snr, 3) & (cutout.sci[band] > 20 * cutout.err[band]))).all()
    assert 0 < mask.sum() < select_pixels(cutout, snr, 3).sum()
    with pytest.raises(ValueError, match="unknown band 'f999w': choose from f606w"):
        select_pixels(cutout, snr, 3, {"f999w": 1.0})
    assert "exceed a median SNR of 3 and 900 in f444w" in str(no_pixels(cutout, snr, 3, {"f444w": 900.0}))


def test_unknown_ids_say_where_they_are_missing(survey_folder):
    survey = open_survey(survey_folder, [99, 13])
    with pytest.raises(NotInSurvey, match="id 99 is not in the catalog"):
        cut_out(survey, 99, margin=5)
    with pytest.raises(NotInSurvey, match="id 13 is in the catalog but has no pixel in the segmap"):
        cut_out(survey, 13, margin=5)


def test_cutout_survives_the_disk(survey_folder, tmp_path):
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=12, include_neighbours=True)
    cutout = with_sky_noise(cutout)._replace(notes=("one " * 40 + "end", "two"), psf_fwhm=0.2)
    cutout.noise.scale[1] = np.nan
    mask = select_pixels(cutout, median_snr(cutout), 3)
    cutout_to_fits(cutout, mask, settings_block().pixels).writeto(tmp_path / "pixels.fits")
    again, mask_again = read_cutout(tmp_path / "pixels.fits")
    for name in ("id_dr3", "redshift", "redshift_range", "bands", "members", "notes", "psf_fwhm"):
        assert getattr(again, name) == getattr(cutout, name)
    for name in ("sci", "err", "segmap", "wavelengths"):
        np.testing.assert_array_equal(getattr(again, name), getattr(cutout, name))
    for name, values in cutout.noise._asdict().items():
        np.testing.assert_array_equal(getattr(again.noise, name), values)
    assert (mask_again == mask).all()
    np.testing.assert_allclose(again.wcs.wcs_pix2world(3, 4, 0), cutout.wcs.wcs_pix2world(3, 4, 0), atol=1e-10)
    seds = extract_seds(cutout, mask)
    np.testing.assert_array_equal(extract_seds(again, mask).noise_area, seds.noise_area)
    assert again.psf is None
    # A survey's own PSF is kept, and could be given to another survey.
    given = cutout._replace(psf=make_psf(1.3))
    cutout_to_fits(given, mask, settings_block().pixels).writeto(tmp_path / "with_psf.fits")
    np.testing.assert_array_equal(read_cutout(tmp_path / "with_psf.fits")[0].psf, given.psf)
    assert fits.getheader(tmp_path / "with_psf.fits", "PSF")["PIXELSCL"] == pytest.approx(cutout.pixel)
    # A cutout whose sky nobody looked at has no such table.
    cutout_to_fits(cutout._replace(noise=None, notes=()), mask, settings_block().pixels).writeto(
        tmp_path / "without.fits"
    )
    before, _ = read_cutout(tmp_path / "without.fits")
    assert (before.noise, before.notes) == (None, ())


def test_the_pixel_file_says_which_noise_its_errors_hold(survey_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(data_paths.SURVEYS, "uncover", data_paths.SURVEYS["uncover"]._replace(electrons={"f444w": 9}))
    for id_dr3, bright in ((7, True), (10, False)):
        cutout = with_sky_noise(cut_out(open_survey(survey_folder, IDS), id_dr3, margin=12))
        path = tmp_path / f"{id_dr3}.fits"
        cutout_to_fits(cutout, cutout.segmap == id_dr3, settings_block().pixels).writeto(path)
        said = fits.getheader(path)["PHOTNOIS"]
        assert said.startswith("errors hold no photon noise of the source, unless weights do, in 5 of 6 bands: its br")
        assert (said in cutout.notes) == bright  # galaxy 10 is as faint as the sky's noise
        again, _ = read_cutout(path)
        np.testing.assert_array_equal(again.electrons, [np.nan] * 5 + [9])
        assert again.photon_note == said


@pytest.mark.usefixtures("no_photons")
def test_the_noise_table_leads_back_to_the_survey(survey_folder, tmp_path):
    """Fluxes plus the background, and errors over the scale, are those of the mosaics."""
    raw = cut_out(open_survey(survey_folder, IDS), 7, margin=12)
    cutout = with_sky_noise(raw)
    mask = cutout.segmap == 7
    cutout_to_fits(cutout, mask, settings_block().pixels).writeto(tmp_path / "pixels.fits")
    with fits.open(tmp_path / "pixels.fits") as hdus:
        table = Table.read(hdus["NOISE"])
        assert table["band"].tolist() == list(BANDS)
        assert str(table["background"].unit) == str(table["scatter"].unit) == "10 nJy"
        assert (hdus[0].header["ERRORS"], hdus[0].header["BACKGND"]) == ("measured", "local")
        back = hdus["SCI"].data + np.array(table["background"])[:, None, None]
        np.testing.assert_allclose(back, raw.sci, rtol=1e-5, atol=1e-6)
        assert hdus[0].header["PHOTNOIS"] == ""
        stated = hdus["ERR"].data / np.array(table["scale"])[:, None, None]
        np.testing.assert_allclose(stated, raw.err, rtol=1e-5)


# ---- units ------------------------------------------------------------------


def in_unit(folder, band, bunit, factor):
    """Rewrite a band in a unit of `factor` times 10 nJy: numbers that are smaller by it, in 64 bits."""
    for kind, power in (("sci", -1), ("wht", 2)):
        path = image_path(folder, band, kind)
        pixels, header = fits.getdata(path).astype(float) * factor**power, fits.getheader(path)
        header["BUNIT"] = bunit if kind == "sci" else "of another kind"
        fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)


@pytest.mark.parametrize(
    ("bunit", "factor"),
    [("nJy", 0.1), ("uJy", 100), ("MJy/sr", 1e14 * np.radians(0.04 / 3600) ** 2), ("W m-2 Hz-1", 1e34)],
)
@pytest.mark.parametrize("bands", [("f200w",), BANDS])
def test_images_in_another_unit_give_the_same(survey_folder, bunit, factor, bands):
    plain = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    for band in bands:
        in_unit(survey_folder, band, bunit, factor)
    again = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    np.testing.assert_allclose(again.sci, plain.sci, rtol=1e-6)
    np.testing.assert_allclose(again.err, plain.err, rtol=1e-6)
    assert again.sci.dtype == again.err.dtype == np.float32


@pytest.mark.parametrize("bunit", ["10 nJy", "10.0*nanoJansky"])
def test_the_survey_s_unit_changes_no_bit(survey_folder, bunit):
    plain = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    for band in BANDS:
        fits.setval(image_path(survey_folder, band), "BUNIT", value=bunit)
    again = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    np.testing.assert_array_equal(again.sci, plain.sci)
    np.testing.assert_array_equal(again.err, plain.err)


def test_an_image_that_is_no_flux_density_is_refused(survey_folder):
    fits.setval(image_path(survey_folder, "f200w"), "BUNIT", value="electron/s")
    with pytest.raises(ValueError, match=r"f200w_bcgs_sci.* has BUNIT = 'electron/s', which cannot be converted"):
        open_survey(survey_folder, IDS)


# ---- noise of the sky -----------------------------------------------


def blurred_noise(folder):
    """Give all images of the survey noise that is correlated over four pixels; return the area."""
    rng = np.random.default_rng(2)
    for band in BANDS:
        noise = rng.normal(0, NOISE, (SHAPE[0] + 1, SHAPE[1] + 1))
        edit(
            image_path(folder, band),
            lambda pixels, noise=noise: np.float32(
                (noise[1:, 1:] + noise[:-1, 1:] + noise[1:, :-1] + noise[:-1, :-1]) / 2
            ),
        )
    return 4


def crowd(folder, window):
    """Fill what is sky in that window of the segmap with sources."""

    def fill(segmap):
        segmap[window][segmap[window] == 0] = 99
        return segmap

    edit(folder / data_paths.SEGMAP, fill)


@pytest.mark.parametrize("margin", [0, 12, 30, 45])
def test_noise_is_measured_in_the_same_sky_whatever_the_margin(survey_folder, margin):
    blurred_noise(survey_folder)
    survey = open_survey(survey_folder, IDS)
    cutout, wide = cut_out(survey, 7, margin=margin), cut_out(survey, 7, margin=30)
    assert cutout.notes == ()
    for name, values in measure_sky(wide.sci, wide.err, wide.segmap, source=7)._asdict().items():
        np.testing.assert_array_equal(getattr(cutout.noise, name), values)
    seds = extract_seds(cutout, cutout.segmap == 7)
    np.testing.assert_array_equal(seds.correlation, cutout.noise.correlation)


def test_noise_is_measured_around_a_galaxy_without_sky(survey_folder):
    area = blurred_noise(survey_folder)
    crowd(survey_folder, np.s_[3:80, 3:80])
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=10)
    assert cutout.noise.n_sky.min() > 1000
    # 1,000 pixels of sky: a scatter of sqrt(2 x 137 / 1000) of the area in a band, and of six their mean.
    assert np.mean(cutout.noise.area) == pytest.approx(area, rel=3 * np.sqrt(2 * 137 / 1000 / 6))
    assert cutout.notes == ("too little sky near the galaxy: noise measured up to 60 pixels around it in all bands",)


@pytest.mark.usefixtures("no_photons")
def test_the_window_grows_until_a_band_has_sky(survey_folder, monkeypatch):
    """One band has no data where the sky is, another none at all, which nobody will miss."""
    crowd(survey_folder, np.s_[:, :65])
    monkeypatch.setattr("prepare_images.SKY_MARGINS", (0.12, 0.2, 4.0))
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=10)
    assert cutout.noise.known.all()
    assert cutout.notes[0].endswith("measured up to 100 pixels around it in all bands")

    def far(weight):
        weight[:, 60:] = 0
        return weight

    edit(image_path(survey_folder, "f200w", "wht"), far)
    edit(image_path(survey_folder, "f277w", "wht"), np.zeros_like)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=10)
    assert cutout.noise.known.tolist() == [True, True, True, False, False, True]
    assert cutout.notes == (
        "too little sky in f200w",
        "too little sky near the galaxy: noise measured up to 100 pixels around it in f606w, f814w, f115w, f444w",
    )


def test_a_mosaic_without_sky_says_so(survey_folder):
    crowd(survey_folder, np.s_[:, :])
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=10)
    assert cutout.notes == ("too little sky in all bands",)
    used = with_sky_noise(cutout)
    np.testing.assert_array_equal(used.sci, cutout.sci)
    np.testing.assert_array_equal(used.err, cutout.err)


@pytest.mark.usefixtures("no_photons")
def test_weights_in_another_unit_are_noticed_and_do_not_matter(survey_folder):
    plain = with_sky_noise(cut_out(open_survey(survey_folder, IDS), 7, margin=10))
    edit(image_path(survey_folder, "f200w", "wht"), lambda weight: weight * 1e-4)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=10)
    assert cutout.notes == ("stated errors are off by more than a factor of 30, as by a mistake of units, in f200w",)
    np.testing.assert_allclose(with_sky_noise(cutout).err, plain.err, rtol=1e-5)


def test_an_impossible_redshift_has_no_neighbours(survey_folder):
    def spoil(table, row):
        table["z_50"][row] = -99.0
        return table

    path = survey_folder / data_paths.SPS_CATALOG
    whole = Table.read(path)
    for row in (0, 1):  # the galaxy, then its neighbour
        spoil(whole.copy(), row).write(path, overwrite=True)
        with pytest.warns(UserWarning, match=r"SPScatalog.* no possible redshift"):
            survey = open_survey(survey_folder, IDS)
        cutout = cut_out(survey, 7, margin=12, include_neighbours=True)
        assert cutout.members == (7,)
        assert np.isnan(cutout.redshift) == (row == 0)


# ---- bad input --------------------------------------------------------------


def test_missing_folder_and_files_name_the_setting(survey_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist: set CATALOGS_FOLDER"):
        open_survey(tmp_path / "nowhere", IDS)
    for name, setting in ((data_paths.SEGMAP, "SEGMAP"), (data_paths.SPS_CATALOG, "SPS_CATALOG")):
        shift_image = (survey_folder / name).rename(tmp_path / name)
        with pytest.raises(
            FileNotFoundError, match=rf"want one file {name}.* found 0 \(none.* change {setting} in data_paths"
        ):
            open_survey(survey_folder, IDS)
        shift_image.rename(survey_folder / name)


def test_two_images_of_one_band_are_named(survey_folder):
    path = image_path(survey_folder, "f444w")
    shutil.copy(path, path.with_name(path.name.replace("v7.1", "v7.2")))
    with pytest.raises(FileNotFoundError, match=r"found 2 \(uncover_v7\.1_.*, uncover_v7\.2_.*\).* IMAGE_PATTERN"):
        open_survey(survey_folder, IDS)


def test_band_without_image_is_a_warning(survey_folder):
    image_path(survey_folder, "f814w").unlink()
    with pytest.warns(UserWarning, match="without an image, left out: f814w"):
        survey = open_survey(survey_folder, IDS)
    assert "f814w" not in survey.bands


def test_no_image_at_all_and_missing_weight_are_errors(survey_folder):
    image_path(survey_folder, "f814w", "wht").unlink()
    with pytest.raises(FileNotFoundError, match=r"no weight image for uncover_v7\.1_abell2744clu_f814w_bcgs_sci"):
        open_survey(survey_folder, IDS)
    for path in survey_folder.glob("psf_matched/*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="no image of any band"):
        open_survey(survey_folder, IDS)


def test_truncated_catalog_is_named(survey_folder):
    path = survey_folder / data_paths.SPS_CATALOG
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(OSError, match=r"SPScatalog_spsv1\.0\.fits cannot be read as a FITS catalog"):
        open_survey(survey_folder, IDS)


def test_catalog_without_a_column_is_named(survey_folder):
    Table({"id": [7], "z": [1.0]}).write(survey_folder / data_paths.SPS_CATALOG, overwrite=True)
    with pytest.raises(ValueError, match="has no column z_16, z_50, z_84: it has id, z"):
        open_survey(survey_folder, IDS)


def test_what_is_odd_about_a_segment_is_said(survey_folder, no_photons):
    """Galaxy 11 touches the edge of the mosaic; 7 gets more pieces, and a core without three bands; 8 a tiny piece."""

    def break_off(segmap):
        segmap[53, 53] = segmap[55:57, 24:29] = 7  # the first touches nothing, either
        segmap[48, 58] = 8
        return segmap

    def bore(weight):
        weight[39:42, 39:42] = 0
        return weight

    edit(survey_folder / data_paths.SEGMAP, break_off)
    for band in ("f200w", "f277w", "f444w"):
        edit(image_path(survey_folder, band, "wht"), bore)
    survey = open_survey(survey_folder, IDS)
    notes = {id_dr3: cut_out(survey, id_dr3, margin=5).notes for id_dr3 in (7, 8, 11)}
    assert notes[7][:2] == (
        "the segment is in 3 pieces, of 441, 10, 1 pixels",
        "no data in f200w, f277w, f444w in up to 9 of 452 pixels of the segment, among them its core",
    )
    assert notes[11][0] == "the segment is cut by the edge of the mosaic"
    assert not any("segment" in note for note in notes[8])


def test_gaps_beside_the_core_are_told_from_gaps_in_it(survey_folder):
    """Galaxy 7 is brightest from (40, 40) on; one band lacks six pixels there, and two lack others in the rim."""

    def lose(*where):
        def change(weight):
            for each in where:
                weight[each] = 0
            return weight

        return change

    rim, core = np.s_[30:32, 40:43], np.s_[39:42, 40:42]
    edit(image_path(survey_folder, "f277w", "wht"), lose(rim))
    notes = cut_out(open_survey(survey_folder, IDS), 7, margin=5).notes
    assert notes[0] == "no data in f277w in up to 6 of 441 pixels of the segment"
    edit(image_path(survey_folder, "f200w", "wht"), lose(rim, core))
    notes = cut_out(open_survey(survey_folder, IDS), 7, margin=5).notes
    assert notes[0] == "no data in f200w, f277w in up to 12 of 441 pixels of the segment, among them its core in f200w"
    for band in BANDS:  # where it is shows in no band then, but in those that lack the fewest pixels
        edit(image_path(survey_folder, band, "wht"), lose(rim, core, np.s_[29, 40]))
    notes = cut_out(open_survey(survey_folder, IDS), 7, margin=5).notes
    assert notes[0] == "no data in all bands in up to 13 of 441 pixels of the segment"


def test_a_unit_that_headers_do_not_state_is_assumed(survey_folder, no_photons):
    for band in ("f200w", "f444w"):
        fits.delval(image_path(survey_folder, band), "BUNIT")
    notes = cut_out(open_survey(survey_folder, IDS), 7, margin=5).notes
    assert notes == ("unit of fluxes assumed by data_paths.py, as headers do not state it: 10 nJy in f200w, f444w",)


@pytest.mark.parametrize(("kind", "power"), [("wht", -2), ("err", 1), ("var", 2)])
def test_an_image_with_a_pedestal_in_the_place_of_an_error_map_is_refused(survey_folder, monkeypatch, kind, power):
    """The image gets a background of 1, so that it has no negative pixels; errors may have an edge at the source."""
    for band in BANDS:
        edit(image_path(survey_folder, band, "wht"), lambda weight: weight ** (-power / 2))
        image_path(survey_folder, band, "wht").rename(image_path(survey_folder, band, kind))
    monkeypatch.setitem(data_paths.SURVEYS, "uncover", data_paths.SURVEYS["uncover"]._replace(error_map=kind))
    sci, wht = image_path(survey_folder, "f115w"), image_path(survey_folder, "f115w", kind)
    rng = np.random.default_rng(3)
    on_source = plant()[0] == 7
    edit(sci, lambda flux: flux + 1)
    for depth in (1, 2):  # the second time the source is brighter in the error map
        edit(wht, lambda weight, depth=depth: weight * rng.normal(1, 0.01, SHAPE) * np.where(on_source, depth, 1))
        cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    edit(wht, lambda weight: weight / np.where(on_source, 2, 1))
    sci.rename(sci.with_name("kept"))
    wht.rename(sci)
    sci.with_name("kept").rename(wht)
    with pytest.raises(
        ValueError, match=rf"f115w_bcgs_{kind}.* and .*f115w_bcgs_sci.* seem to be swapped: the {kind} im"
    ):
        cut_out(open_survey(survey_folder, IDS), 7, margin=5)


def test_no_pixels_come_with_the_notes_that_tell_why(survey_folder):
    """Weights that are standard deviations: stated errors of 7 instead of 0.02."""
    for band in BANDS:
        edit(image_path(survey_folder, band, "wht"), lambda weight: weight**-0.5)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    told = str(no_pixels(cutout, median_snr(cutout), 3.0))
    assert told.startswith("0 of 441 pixels exceed a median SNR of 3: the highest has")
    assert "stated errors are off by more than a factor of 30, as by a mistake of units, in all bands" in told
