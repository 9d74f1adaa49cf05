import gzip
import shutil

import numpy as np
import pytest
from astropy.io import fits
from conftest import SHAPE, edit, image_path

import data_paths
from helper_functions.job.fits_windows import find_segments, open_mosaic, read_window
from prepare_images import cut_out, open_survey

IDS = [7, 8, 9, 10, 11, 12]


def test_segments_are_found_across_stripes(survey_folder, monkeypatch):
    monkeypatch.setattr("helper_functions.job.fits_windows.STRIPE_BYTES", 8 * SHAPE[1] * 7)  # stripes of 7 rows
    mosaic = open_mosaic(survey_folder / data_paths.SEGMAP, None)
    boxes = find_segments(mosaic, [7, 11, 99])
    assert boxes == {7: (slice(28, 53), slice(28, 53)), 11: (slice(62, 79), slice(111, 120))}


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
