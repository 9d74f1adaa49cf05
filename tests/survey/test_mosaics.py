import gzip
import shutil
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import log
from astropy.io import fits
from astropy.wcs import WCS, Sip
from conftest import SHAPE, celestial_wcs, edit, image_path

import data_paths
from helper_functions.products.pixels import cutout_to_fits
from helper_functions.survey import mosaics
from helper_functions.survey.mosaics import check_aligned, find_segments, open_mosaic, read_window, row_runs
from main_clustering import settings_block
from prepare_images import cut_out, open_survey

IDS = [7, 8, 9, 10, 11, 12]


def test_segments_are_found_across_stripes(survey_folder, monkeypatch):
    monkeypatch.setattr("helper_functions.survey.mosaics.STRIPE_BYTES", 8 * SHAPE[1] * 7)  # stripes of 7 rows
    mosaic = open_mosaic(survey_folder / data_paths.SEGMAP, None)
    segments = find_segments(mosaic, [7, 11, 99])
    sizes = {id_dr3: segment.n_pixels for id_dr3, segment in segments.items()}
    assert sizes == {id_dr3: np.sum(fits.getdata(mosaic.path) == id_dr3) for id_dr3 in (7, 11)}
    boxes = {id_dr3: segment[:2] for id_dr3, segment in segments.items()}
    assert boxes == {7: (slice(28, 53), slice(28, 53)), 11: (slice(62, 79), slice(111, 120))}
    assert find_segments(mosaic, [2**63, -1, 0, 99]) == {}


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


# ---- other layouts ----------------------------------------------------------


def rewrite(path, make):
    """Rewrite the file at `path` as the `HDUList` that make(pixels, header) gives."""
    pixels, header = fits.getdata(path), fits.getheader(path)
    make(pixels, header).writeto(path, overwrite=True)
    return pixels


def compressed(pixels, header):
    return fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header, compression_type="RICE_1")])


def test_compressed_images_are_read_in_windows(survey_folder):
    window = np.s_[30:50, 28:52]
    for path in survey_folder.glob("psf_matched/*f444w_*"):
        pixels = rewrite(path, lambda pixels, header: compressed((1000 * pixels).astype(np.int32), header))
        np.testing.assert_array_equal(read_window(open_mosaic(path, None), window), (1000 * pixels[window]).astype(int))
    rewrite(survey_folder / data_paths.SEGMAP, compressed)
    survey = open_survey(survey_folder, IDS)
    assert survey.segments[11][:2] == (slice(62, 79), slice(111, 120))
    assert cut_out(survey, 7, margin=5).sci.shape == (6, 35, 35)


def test_a_compressed_image_is_opened_once_for_many_windows(tmp_path, monkeypatch):
    image, opened = np.arange(600, dtype=np.float32).reshape(20, 30), []
    compressed(image, celestial_wcs().to_header()).writeto(tmp_path / "small.fits")
    mosaic, open_fits = mosaics.open_mosaic(tmp_path / "small.fits", None), mosaics.open_fits
    monkeypatch.setattr(mosaics, "open_fits", lambda *given: opened.append(given) or open_fits(*given))
    windows = [(slice(row, row + 2), slice(row, row + 1)) for row in range(5)]
    for pixels, window in zip(mosaics.read_windows(mosaic, windows), windows, strict=True):
        np.testing.assert_array_equal(pixels, image[window])
    assert len(opened) == 1


def test_a_window_of_a_compressed_image_does_not_take_the_memory_of_the_whole(tmp_path):
    noise = np.random.default_rng(0).integers(0, 1000, (2000, 2000)).astype(np.int32)
    compressed(noise, celestial_wcs().to_header()).writeto(tmp_path / "large.fits")
    mosaic = open_mosaic(tmp_path / "large.fits", None)
    tracemalloc.start()
    read_window(mosaic, np.s_[100:110, 100:110])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < noise.nbytes / 10


def test_truncated_and_damaged_compressed_images_are_named(survey_folder):
    path = image_path(survey_folder, "f200w")
    rewrite(path, compressed)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(OSError, match=r"f200w_bcgs_sci.* is truncated"):
        open_mosaic(path, None)
    path.write_bytes(whole[:-15000] + bytes(12000) + whole[-3000:])
    mosaic = open_mosaic(path, None)
    with pytest.raises(OSError, match=r"pixels of .*f200w_bcgs_sci.* cannot be read .*: fetch the file again"):
        read_window(mosaic, np.s_[:, :])


def test_extensions_are_taken_by_name(survey_folder):
    """Weights first and science second in one file, and both images point to it."""
    sci, wht = image_path(survey_folder, "f115w"), image_path(survey_folder, "f115w", "wht")
    plain = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    weight = fits.getdata(wht)

    def both(pixels, header):
        images = {"WHT": weight, "SCI": pixels, "ERR": 0 * pixels}
        hdus = [fits.ImageHDU(image, header, name) for name, image in images.items()]
        return fits.HDUList([fits.PrimaryHDU(), *hdus])

    rewrite(sci, both)
    wht.unlink()
    wht.symlink_to(sci)
    again = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    np.testing.assert_array_equal(again.sci, plain.sci)
    np.testing.assert_array_equal(again.err, plain.err)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_an_image_is_not_its_own_weight(survey_folder, ending):
    sci, wht = image_path(survey_folder, "f115w"), image_path(survey_folder, "f115w", "wht")
    wht.unlink()
    if ending:
        sci.with_name(sci.name + ending).write_bytes(gzip.compress(sci.read_bytes()))
        sci.unlink()
    wht.with_name(wht.name + ending).hardlink_to(sci.with_name(sci.name + ending))
    with pytest.raises(ValueError, match=r"f115w_bcgs_sci.* would be its own weight image, as .*f115w_bcgs_wht"):
        open_survey(survey_folder, IDS)


def test_a_third_axis_of_one_pixel_is_no_axis(survey_folder):
    def deeper(pixels, header):
        header.update({"WCSAXES": 3, "CTYPE3": "WAVE", "CUNIT3": "m", "CRVAL3": 1e-6, "CRPIX3": 1.0, "CDELT3": 1e-8})
        return fits.HDUList([fits.PrimaryHDU(pixels[None], header)])

    plain = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    for path in [survey_folder / data_paths.SEGMAP, *survey_folder.glob("psf_matched/*")]:
        rewrite(path, deeper)
    again = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    np.testing.assert_array_equal(again.sci, plain.sci)
    np.testing.assert_array_equal(again.segmap, plain.segmap)
    np.testing.assert_allclose(again.wcs.wcs_pix2world(3, 4, 0), plain.wcs.wcs_pix2world(3, 4, 0), atol=1e-10)
    rewrite(path, lambda pixels, header: fits.HDUList([fits.PrimaryHDU(np.repeat(pixels, 2, axis=0), header)]))
    with pytest.raises(OSError, match=rf"{path.name} holds no two-dimensional image"):
        open_mosaic(path, None)


# ---- where on the sky -------------------------------------------------------


@pytest.mark.parametrize(
    "cards",
    [
        {"CD1_1": 0.0, "CD2_2": 0.0},
        {"CD1_1": 1e-5, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 1e-5},
        {"CD1_1": 1e-5, "CD2_2": 0.0},
        {"CDELT1": 0.0, "CDELT2": 1e-5},
        {},  # no scale at all
        {"CDELT1": 1e-5, "CDELT2": 1e-5, "CUNIT1": "Jy"},
        {"CDELT1": 1e-5, "CDELT2": 1e-5, "CTYPE2": "LINEAR"},
    ],
)
def test_a_wcs_that_says_nothing_is_refused(tmp_path, cards):
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 3.58, "CRVAL2": -30.4} | cards)
    fits.PrimaryHDU(np.ones((9, 9)), header).writeto(tmp_path / "image.fits")
    with pytest.raises(OSError, match=r"image\.fits has (a|no) .*WCS .*header"):
        open_mosaic(tmp_path / "image.fits", None)


def distorted(size):
    """The WCS of the survey with a distortion of `size` pixels 60 pixels from its middle, where there is none."""
    wcs = celestial_wcs()
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    terms = np.zeros((3, 3))
    terms[2, 0] = size / 60**2
    wcs.sip = Sip(terms, np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3)), wcs.wcs.crpix)
    return wcs


def with_wcs(path, wcs):
    fits.PrimaryHDU(fits.getdata(path), wcs.to_header(relax=True)).writeto(path, overwrite=True)


def test_a_distortion_in_one_image_only_is_no_alignment(survey_folder):
    path = image_path(survey_folder, "f115w")
    with_wcs(path, distorted(0.05))  # less than what counts
    open_survey(survey_folder, IDS)
    with_wcs(path, distorted(2.0))
    with pytest.raises(
        ValueError,
        match=r"f115w_bcgs_sci.* and .*SEGMAP\.fits differ in WCS: by (1\.9|2|2\.0)\d* pixels; .*sci.* has distortions",
    ):
        open_survey(survey_folder, IDS)


def test_a_distortion_that_ctype_does_not_announce_is_used_and_nothing_is_logged(tmp_path):
    header = distorted(2.0).to_header(relax=True)
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    fits.PrimaryHDU(np.ones((9, 9)), header).writeto(tmp_path / "image.fits")
    level = log.level
    with log.log_to_list() as logged:
        assert open_mosaic(tmp_path / "image.fits", None).wcs.sip.a[2, 0] == pytest.approx(2 / 60**2)
        assert not logged
        WCS(header)
        assert [each.levelname for each in logged] == ["INFO"]
    assert log.level == level


def test_messages_about_two_images_name_them_without_their_folders():
    image = SimpleNamespace(source=Path("folder", "f115w_sci.fits"), shape=(9, 9), wcs=celestial_wcs())
    other = SimpleNamespace(source=Path("folder", "segmap.fits"), shape=(9, 8), wcs=distorted(500.0))
    with pytest.raises(ValueError, match=r"^f115w_sci\.fits and segmap\.fits differ in shape"):
        check_aligned(image, other)
    other.shape = image.shape
    with pytest.raises(ValueError, match=r"^f115w_sci\.fits and segmap\.fits differ in WCS: .*; segmap\.fits has dist"):
        check_aligned(image, other)


def test_a_distortion_in_all_images_is_kept(survey_folder, tmp_path):
    wcs = distorted(2.0)
    for path in [survey_folder / data_paths.SEGMAP, *survey_folder.glob("psf_matched/*")]:
        with_wcs(path, wcs)
    cutout = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    expected = wcs.all_pix2world(3 + 23, 4 + 23, 0)
    np.testing.assert_allclose(cutout.wcs.all_pix2world(3, 4, 0), expected, atol=1e-9)
    cutout_to_fits(cutout, cutout.segmap == 7, settings_block().pixels).writeto(tmp_path / "pixels.fits")
    with fits.open(tmp_path / "pixels.fits") as hdus:
        np.testing.assert_allclose(WCS(hdus["SEGMAP"].header).all_pix2world(3, 4, 0), expected, atol=1e-9)


def test_runs_are_those_of_each_row_and_hold_every_pixel_of_a_source():
    image = np.array([[0, 5, 5, 7], [7, 7, 0, 5], [5, 0, 0, 0]], dtype=">i4")
    by_hand = [(5, 0, 1, 3), (7, 0, 3, 4), (7, 1, 0, 2), (5, 1, 3, 4), (5, 2, 0, 1)]
    assert list(zip(*(each.tolist() for each in row_runs(image)), strict=True)) == by_hand
    image = np.random.default_rng(0).integers(0, 4, (30, 40))
    again = np.zeros_like(image)
    for value, row, start, end in zip(*row_runs(image), strict=True):
        again[row, start:end] = value
    assert (again == image).all()
    assert [len(each) for each in row_runs(np.zeros((2, 3)))] == [0, 0, 0, 0]


@pytest.mark.parametrize("code", [np.nan, -1.0])
def test_a_segmap_of_floats_is_one_of_integers(survey_folder, code):
    """With another code than 0 for the sky, all over it."""
    plain = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    edit(survey_folder / data_paths.SEGMAP, lambda ids: np.where(ids > 0, ids, code))
    survey = open_survey(survey_folder, IDS)
    cutout = cut_out(survey, 7, margin=5)
    np.testing.assert_array_equal(cutout.segmap, plain.segmap)
    assert cutout.segmap.dtype.kind == "i"
    np.testing.assert_array_equal(cutout.noise.n_sky, plain.noise.n_sky)
    assert sorted(survey.segments) == IDS


@pytest.mark.parametrize(("dtype", "largest"), [(np.float32, 2**24), (np.float64, 2**53)])
def test_ids_that_floats_cannot_tell_apart_are_refused(survey_folder, dtype, largest):
    path = survey_folder / data_paths.SEGMAP
    for largest_id in (largest, largest + 2):
        edit(path, lambda ids, new=largest_id: np.where(ids >= 7, dtype(new), 0).astype(dtype))
        segmap = open_mosaic(path, None)
        if largest_id == largest:
            assert list(find_segments(segmap, [largest])) == [largest]
    with pytest.raises(
        ValueError, match=rf"SEGMAP.fits holds .*-bit floats.* up to {largest}, and ids up to {largest + 2}:"
    ):
        find_segments(segmap, [largest])


def with_cards(path, texts):
    """Add header cards {keyword: text} to the file, whose values are these texts, whether they are any or not."""
    for number, keyword in enumerate(texts):
        fits.setval(path, keyword, value=number)
    raw = path.read_bytes()
    for number, (keyword, text) in enumerate(texts.items()):
        card = f"{keyword:8}= {number:>20}".encode()
        assert raw.count(card) == 1
        raw = raw.replace(card, f"{keyword:8}= {text:>20}".encode())
    path.write_bytes(raw)


def test_header_cards_against_the_standard_are_read_as_text(survey_folder):
    path = image_path(survey_folder, "f444w")
    with_cards(path, {"EXPTIME": "nan", "BUNIT": "nJy /x"})
    header = open_mosaic(path, None).header
    assert (header["EXPTIME"], header["BUNIT"], header["NAXIS1"]) == ("nan", "nJy", SHAPE[1])
    assert cut_out(open_survey(survey_folder, IDS), 7, margin=5).sci.shape[0] == 6


def test_a_catalog_with_a_header_against_the_standard_is_named(survey_folder):
    path = survey_folder / data_paths.SUPER_CATALOG
    path.write_bytes(path.read_bytes().replace(b"TFORM1  = 'K       '", b"TFORM1  = K         ", 1))
    with pytest.raises(OSError, match=r"SUPER_CATALOG\.fits (has a header that|cannot be read as)"):
        open_survey(survey_folder, IDS)
