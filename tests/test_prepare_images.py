import gzip
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import BANDS, NOISE, SHAPE, celestial_wcs, image_path, plant

import data_paths
from helper_functions.job.fits_windows import find_segments, open_mosaic, read_window
from helper_functions.pixel_seds import complete_block, extract_seds, median_snr, select_pixels
from prepare_images import (
    NotInSurvey,
    agreeing_neighbours,
    cut_out,
    cutout_to_fits,
    mask_missing,
    open_survey,
    read_cutout,
)

IDS = [7, 8, 9, 10, 11, 12]


def edit(path, change):
    """Rewrite the image at `path` as change(pixels) says."""
    with fits.open(path) as hdus:
        data, header = hdus[0].data.copy(), hdus[0].header
    fits.PrimaryHDU(change(data), header).writeto(path, overwrite=True)


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


def test_segments_are_found_across_stripes(survey_folder, monkeypatch):
    monkeypatch.setattr("helper_functions.job.fits_windows.STRIPE_BYTES", 8 * SHAPE[1] * 7)  # stripes of 7 rows
    mosaic = open_mosaic(survey_folder / data_paths.SEGMAP, None)
    boxes = find_segments(mosaic, [7, 11, 99])
    assert boxes == {7: (slice(28, 53), slice(28, 53)), 11: (slice(62, 79), slice(111, 120))}


def test_selected_pixels_are_those_above_the_threshold(survey_folder):
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    snr = median_snr(cutout)
    by_hand = np.median(cutout.sci / cutout.err, axis=0)
    np.testing.assert_allclose(snr, by_hand)
    mask = select_pixels(cutout, snr, 20.0)
    assert (mask == ((cutout.segmap == 7) & (by_hand > 20))).all()
    assert 0 < mask.sum() < (cutout.segmap == 7).sum()


def test_mask_missing_by_hand():
    sci = np.array([1.0, 2, 3, 4, np.nan, np.inf, 7])
    weight = np.array([4.0, 0, -1, np.nan, 1, 1, np.inf])
    before = sci.copy()
    flux, error = mask_missing(sci, weight)
    np.testing.assert_array_equal(flux, [1, *[np.nan] * 6])
    np.testing.assert_array_equal(error, [0.5, *[np.nan] * 6])
    np.testing.assert_array_equal(sci, before)


def test_median_snr_counts_only_bands_with_data(survey_folder):
    def hole(pixels):
        pixels[40, 40] = 0
        return pixels

    for band in ("f606w", "f814w", "f115w", "f200w"):
        edit(image_path(survey_folder, band, "wht"), hole)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=0)
    pixel = np.s_[40 - 28, 40 - 28]
    assert np.isnan(cutout.sci[:4][:, *pixel]).all()
    assert median_snr(cutout)[pixel] == pytest.approx(np.mean((cutout.sci / cutout.err)[4:][:, *pixel]))


def test_a_band_without_data_is_dropped_for_the_galaxy(survey_folder):
    edit(image_path(survey_folder, "f814w", "wht"), lambda weight: 0 * weight)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=0)
    seds = extract_seds(cutout, select_pixels(cutout, median_snr(cutout), 3))
    assert seds.bands == ("f606w", "f115w", "f200w", "f277w", "f444w")
    assert seds.flux.shape[1] == len(seds.wavelengths) == 5


def test_complete_block_by_hand():
    flux = np.ones((10, 3))
    flux[:3, 1] = np.nan  # 30% missing: the band goes
    flux[9, 0] = np.nan  # 10% missing: the pixel goes
    pixels, bands = complete_block(flux)
    assert bands.tolist() == [True, False, True]
    assert pixels.tolist() == [True] * 9 + [False]


def test_neighbours_by_redshift():
    redshifts = {1: (1.9, 2.0, 2.1), 2: (2.1, 2.15, 2.2), 3: (2.0, 2.3, 2.6), 4: (2.4, 2.5, 2.6), 5: (np.nan,) * 3}
    others = [2, 3, 4, 5, 6]
    # Half-ranges: 0.1, 0.05, 0.3, 0.1. 2 is 0.15 away (allowed 0.1), 3 is 0.3 (0.3), 4 is 0.5 (0.1).
    assert agreeing_neighbours(1, others, redshifts) == (3,)
    assert agreeing_neighbours(1, others, redshifts, tolerance=0.2) == (2,)
    assert agreeing_neighbours(1, others, redshifts, tolerance=1.0) == (2, 3, 4)
    assert agreeing_neighbours(6, [1], redshifts, tolerance=1.0) == ()


def test_neighbours_are_taken_in_only_when_asked(survey_folder):
    survey = open_survey(survey_folder, IDS)
    assert cut_out(survey, 7, margin=12).members == (7,)
    taken = cut_out(survey, 7, margin=12, include_neighbours=True)
    assert taken.members == (7, 8)  # 9 lies at another redshift
    mask = select_pixels(taken, median_snr(taken), 3)
    assert mask[taken.segmap == 8].any()
    assert not mask[taken.segmap == 9].any()


def test_unknown_ids_say_where_they_are_missing(survey_folder):
    survey = open_survey(survey_folder, [99, 13])
    with pytest.raises(NotInSurvey, match="id 99 is not in the catalog"):
        cut_out(survey, 99, margin=5)
    with pytest.raises(NotInSurvey, match="id 13 is in the catalog but has no pixel in the segmap"):
        cut_out(survey, 13, margin=5)


def test_packed_files_give_the_same_and_are_unpacked_once(survey_folder):
    plain = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    for path in [*survey_folder.glob("*.fits"), *survey_folder.glob("psf_matched/*.fits")]:
        with open(path, "rb") as source, gzip.open(f"{path}.gz", "wb") as sink:
            shutil.copyfileobj(source, sink)
        path.unlink()
    packed = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    np.testing.assert_array_equal(packed.sci, plain.sci)
    unpacked = {path: path.stat().st_mtime_ns for path in data_paths.cache_folder().rglob("*.fits")}
    assert len(unpacked) == 13
    open_survey(survey_folder, IDS)
    assert {path: path.stat().st_mtime_ns for path in data_paths.cache_folder().rglob("*.fits")} == unpacked


def test_images_with_bscale_are_read_in_physical_units(survey_folder):
    path = image_path(survey_folder, "f444w")
    data, header = fits.getdata(path, header=True)
    hdu = fits.PrimaryHDU(data, header)
    hdu.scale("int16", bzero=0, bscale=0.001)
    hdu.writeto(path, overwrite=True)
    window = np.s_[30:50, 30:50]
    np.testing.assert_allclose(read_window(open_mosaic(path, None), window), data[window], atol=0.0006)


def test_cutout_survives_the_disk(survey_folder, tmp_path):
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=12, include_neighbours=True)
    mask = select_pixels(cutout, median_snr(cutout), 3)
    cutout_to_fits(cutout, mask, 3).writeto(tmp_path / "pixels.fits")
    again, mask_again = read_cutout(tmp_path / "pixels.fits")
    for name in ("id_dr3", "redshift", "bands", "members"):
        assert getattr(again, name) == getattr(cutout, name)
    for name in ("sci", "err", "segmap", "wavelengths"):
        np.testing.assert_array_equal(getattr(again, name), getattr(cutout, name))
    assert (mask_again == mask).all()
    np.testing.assert_allclose(again.wcs.wcs_pix2world(3, 4, 0), cutout.wcs.wcs_pix2world(3, 4, 0), atol=1e-10)


# ---- bad input --------------------------------------------------------------


def test_missing_folder_and_files_name_the_setting(survey_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist: set CATALOGS_FOLDER"):
        open_survey(tmp_path / "nowhere", IDS)
    for name, setting in ((data_paths.SEGMAP, "SEGMAP"), (data_paths.SPS_CATALOG, "SPS_CATALOG")):
        moved = (survey_folder / name).rename(tmp_path / name)
        with pytest.raises(
            FileNotFoundError, match=rf"want one file {name}.* found 0 \(none\).* change {setting} in data_paths"
        ):
            open_survey(survey_folder, IDS)
        moved.rename(survey_folder / name)


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


def test_images_that_do_not_align_name_both_files(survey_folder):
    edit(image_path(survey_folder, "f115w", "wht"), lambda weight: weight[:-1])
    with pytest.raises(
        ValueError, match=r"f115w_bcgs_wht.* and .*SEGMAP\.fits differ in shape: \(89, 120\) and \(90, 120\)"
    ):
        open_survey(survey_folder, IDS)


def test_images_with_another_wcs_name_both_files(survey_folder):
    path = image_path(survey_folder, "f115w")
    fits.setval(path, "CRPIX1", value=61.0)
    with pytest.raises(ValueError, match=r"f115w_bcgs_sci.* and .*SEGMAP\.fits differ in WCS: by 1 pixels"):
        open_survey(survey_folder, IDS)


def test_truncated_files_are_named(survey_folder):
    path = image_path(survey_folder, "f200w")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match=r"f200w_bcgs_sci.* is truncated"):
        open_survey(survey_folder, IDS)
    path.write_bytes(b"not FITS at all")
    with pytest.raises(OSError, match=r"f200w_bcgs_sci.* cannot be read as FITS"):
        open_survey(survey_folder, IDS)
    path.unlink()
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(whole)[:-200])
    with pytest.raises(OSError, match=r"f200w_bcgs_sci.* cannot be unpacked"):
        open_survey(survey_folder, IDS)
    assert not [path for path in data_paths.cache_folder().rglob("*") if path.is_file()]


def test_truncated_catalog_is_named(survey_folder):
    path = survey_folder / data_paths.SPS_CATALOG
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(OSError, match=r"SPScatalog_spsv1\.0\.fits cannot be read as a FITS catalog"):
        open_survey(survey_folder, IDS)


def test_catalog_without_a_column_is_named(survey_folder):
    Table({"id": [7], "z": [1.0]}).write(survey_folder / data_paths.SPS_CATALOG, overwrite=True)
    with pytest.raises(ValueError, match="has no column z_16, z_50, z_84: it has id, z"):
        open_survey(survey_folder, IDS)
