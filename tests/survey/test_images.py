from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import BANDS, NOISE, celestial_wcs, edit, image_path

import data_paths
from data_paths import SurveyFiles
from helper_functions.sky_noise import smoothed_light, with_sky_noise
from helper_functions.survey.images import find_bands, mask_missing, read_pixels
from helper_functions.survey.mosaics import open_mosaic, read_window
from prepare_images import cut_out, open_survey

IDS = [7, 8]


@pytest.fixture
def describe(monkeypatch):
    """A function that describes a survey "mine", which is like UNCOVER in what is not said."""

    def as_this(**fields):
        monkeypatch.setitem(data_paths.SURVEYS, "mine", data_paths.SURVEYS["uncover"]._replace(**fields))

    return as_this


# ---- which bands there are --------------------------------------------------


@pytest.mark.parametrize("pattern", ["f_{band}", "{band}_KRON", "FLUX_{band}_corr"])
def test_bands_are_named_by_columns(describe, pattern):
    describe(flux_column=pattern)
    columns = [pattern.format(band=band) for band in ("F444W", "alma", "subaru_suprimecam_B", "f275w")]
    found = find_bands("nowhere", "mine", ["id", "f606w", *columns])
    assert list(found) == ["f275w", "subaru_suprimecam_b", "f444w"]


@pytest.mark.parametrize(
    ("name", "band"),
    [
        ("x_F115W_drz.fits", "f115w"),
        ("x_f115w_drz.fits.gz", "f115w"),
        ("x_niriss_f115w_drz.fits", "niriss_f115w"),  # not NIRCam's
        ("x_wfc3_uvis_f606w_drz.fits", "wfc3_uvis_f606w"),  # not ACS's
        ("x_jwst_nircam_f115w_drz.fits", "f115w"),
        ("x_segmentation_drz.fits", None),
        ("x_g_drz.fits", "hsc_g"),  # by the description
    ],
)
def test_bands_are_named_by_images(describe, tmp_path, name, band):
    describe(flux_column="", image_pattern="x_*{band}_drz.fits", filters={"g": "hsc_g"})
    (tmp_path / name).touch()
    assert list(find_bands(tmp_path, "mine", []).values()) == ([band] if band else [])


def test_two_bands_with_one_filter_are_refused(describe):
    describe(filters={"r": "hsc_r"})
    with pytest.raises(ValueError, match=r"bands hsc_r and r have the same filter, hsc_r: set filters of 'mine'"):
        find_bands("nowhere", "mine", ["f_r", "f_hsc_r"])
    describe(filters={"r": "hsc_q"})
    with pytest.raises(ValueError, match="no filter curve for band 'hsc_q'"):
        find_bands("nowhere", "mine", ["f_r"])


def test_a_band_has_the_curve_that_the_description_names(describe, survey_folder):
    describe(filters={"f814w": "wfc3_uvis_f814w"})
    plain, other = (open_survey(survey_folder, IDS, survey) for survey in ("uncover", "mine"))
    assert other.bands == tuple(band.replace("f814w", "wfc3_uvis_f814w") for band in BANDS)
    assert other.sci[1].source == plain.sci[1].source
    assert 8000 < other.wavelengths[1] != plain.wavelengths[1]
    assert other.digest != plain.digest


# ---- errors of pixels -------------------------------------------------------


@pytest.mark.parametrize(("kind", "value"), [("wht", 0.25), ("err", 2.0), ("var", 4.0)])
def test_error_maps_by_hand(kind, value):
    maps = np.array([value, 0, -1, np.nan, np.inf])
    flux, error = mask_missing(np.ones(5), maps, kind)
    np.testing.assert_array_equal(error, [2, *[np.nan] * 4])
    np.testing.assert_array_equal(flux, [1, *[np.nan] * 4])


@pytest.mark.parametrize(("kind", "power"), [("wht", -2), ("err", 1), ("var", 2)])
def test_a_weight_far_above_the_others_is_none(kind, power):
    """Errors of 1 / 999 of the typical one are kept, of 1 / 1001 and 1e-22 of it are not, unless there are many."""
    error = np.full(40, 0.02)
    error[:3] /= 999, 1001, 1e22
    flux, found = mask_missing(np.arange(40.0), error**power, kind)
    np.testing.assert_allclose(found, [error[0], np.nan, np.nan, *error[3:]], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(flux), np.isnan(found))
    error[:15] = 1e-9  # these are the weights, and the others are next to none
    np.testing.assert_allclose(mask_missing(np.arange(40.0), error**power, kind)[1], error, rtol=1e-6)


@pytest.mark.parametrize(("kind", "power"), [("err", 1), ("var", 2)])
def test_errors_and_variances_are_what_weights_are(describe, survey_folder, kind, power):
    """Images in another unit, errors in the unit of the image: the same pixels."""
    bunit, factor = "nJy", 0.1
    plain = cut_out(open_survey(survey_folder, IDS), 7, margin=5)
    for band in BANDS:
        edit(image_path(survey_folder, band), lambda pixels: pixels / factor)
        fits.setval(image_path(survey_folder, band), "BUNIT", value=bunit)
        weight = image_path(survey_folder, band, "wht")
        edit(weight, lambda pixels: (pixels.astype(float) ** -0.5 / factor) ** power)
        weight.rename(image_path(survey_folder, band, kind))
    describe(error_map=kind)
    again = cut_out(open_survey(survey_folder, IDS, "mine"), 7, margin=5)
    np.testing.assert_allclose(again.sci, plain.sci, rtol=1e-6)  # 32 bits
    np.testing.assert_allclose(again.err, plain.err, rtol=1e-6)


def test_errors_may_have_a_unit_of_their_own(describe, survey_folder):
    path = image_path(survey_folder, "f200w", "wht")
    edit(path, lambda weight: 10 * weight**-0.5)
    fits.setval(path, "BUNIT", value="nJy")
    path.rename(image_path(survey_folder, "f200w", "err"))
    describe(error_map="err")
    for band in set(BANDS) - {"f200w"}:
        image_path(survey_folder, band).unlink()
    with pytest.warns(UserWarning, match="without an image"):
        survey = open_survey(survey_folder, IDS, "mine")
    np.testing.assert_allclose(cut_out(survey, 7, margin=5).err, NOISE, rtol=1e-6)


def test_a_copy_of_an_image_is_not_its_weight(survey_folder):
    """In another unit, too; an image that is the same all over may be its weight."""
    sci, wht = image_path(survey_folder, "f115w"), image_path(survey_folder, "f115w", "wht")
    pixels, header = fits.getdata(sci), fits.getheader(sci)
    for bunit in ("10 nJy", "uJy"):
        for path in (sci, wht):
            fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)
            fits.setval(path, "BUNIT", value=bunit)
        survey = open_survey(survey_folder, IDS)
        with pytest.raises(ValueError, match=r"f115w_bcgs_wht.* has the same pixels as .*f115w_bcgs_sci"):
            cut_out(survey, 7, margin=5)
    fits.PrimaryHDU(np.ones_like(pixels), header).writeto(wht, overwrite=True)
    assert (cut_out(open_survey(survey_folder, IDS), 7, margin=5).err[2] == 100).all()  # 1 uJy


@pytest.mark.parametrize(("value", "is_refused"), [(1e-31, True), (1e25, True), (1e-12, False), (1e12, False)])
def test_fluxes_as_of_a_wrong_unit_are_refused(value, is_refused):
    """Zeros, a huge fill value in most pixels and a few outliers do not matter."""
    flux = np.random.default_rng(0).standard_normal((12, 12))
    flux[:8], flux[8, :3] = 1e30 / value, 0
    flux[9, 0] = 1e8
    names = ("f277w_sci.fits", "f277w_wht.fits")
    images = [SimpleNamespace(unit_factor=1.0, source=Path("a", name)) for name in names]
    pixels = {id(images[0]): flux * value, id(images[1]): np.full(flux.shape, 4.0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helper_functions.survey.images.read_window", lambda mosaic, _: pixels[id(mosaic)])
        if is_refused:
            with pytest.raises(
                ValueError, match=r"^f277w_sci\.fits has pixels of typically .*e[-+]\d\d x 10 nJy.*BUNIT"
            ):
                read_pixels(*images, None)
        else:
            assert read_pixels(*images, None)[0] is pixels[id(images[0])]


# ---- electrons --------------------------------------------------------------


def test_a_header_of_counts_says_how_many_electrons_there_are(describe, survey_folder):
    """f200w in electrons per second, 0.05 of them for each 10 nJy, exposed for 800 seconds: 40 electrons."""
    zero_point = 28.9 + 2.5 * np.log10(0.05)
    for kind, power in (("sci", 1), ("wht", -2)):
        edit(image_path(survey_folder, "f200w", kind), lambda pixels, power=power: pixels * 0.05**power)
    for keyword, value in {"BUNIT": "electron/s", "ABMAGZP": zero_point, "EXPTIME": 800.0}.items():
        fits.setval(image_path(survey_folder, "f200w"), keyword, value=value)
    describe(electrons=None)
    cutout = cut_out(open_survey(survey_folder, IDS, "mine"), 7, margin=5)
    # 28.9 is 10 nJy to 0.1%.
    np.testing.assert_allclose(cutout.electrons, [40 if band == "f200w" else np.nan for band in BANDS], rtol=2e-3)
    # Its photon noise is in the errors then, and in those of no other band.
    used, without = (with_sky_noise(each) for each in (cutout, cutout._replace(electrons=None)))
    source, band = cutout.segmap == 7, BANDS.index("f200w")
    photons = np.sqrt(used.err[band] ** 2 - without.err[band] ** 2)[source]
    expected = np.sqrt(smoothed_light(used.sci[band])[source] / 40 / np.maximum(used.noise.area[band], 1))
    np.testing.assert_allclose(photons, expected, rtol=0.02)
    np.testing.assert_array_equal(np.delete(used.err, band, axis=0), np.delete(without.err, band, axis=0))
    # The message says what is not known, as the galaxy is bright.
    assert cutout.notes == (used.photon_note,)
    assert "errors hold no photon noise of the source, unless weights do, in 5 of 6 bands: its br" in cutout.notes[0]


def test_the_description_of_a_survey_says_how_many_electrons_there_are(describe, survey_folder):
    describe(electrons=25)
    assert open_survey(survey_folder, IDS, "mine").electrons.tolist() == [25] * 6
    describe(electrons={"F200W": 25.0, "f444w": 0}, filters={"f814w": "wfc3_uvis_f814w"})
    found = open_survey(survey_folder, IDS, "mine").electrons
    np.testing.assert_array_equal(found, [{"f200w": 25, "f444w": np.inf}.get(band, np.nan) for band in BANDS])
    for wrong in ({"f20w": 25.0}, {"f200w": -1.0}, np.nan):
        describe(electrons=wrong)
        with pytest.raises(ValueError, match=r"electrons of f.* in electrons of 'mine' in SURVEYS in data_paths\.py"):
            open_survey(survey_folder, IDS, "mine")


# ---- extensions -------------------------------------------------------------


def test_an_extension_that_is_not_there_is_named(tmp_path, survey_folder):
    pixels, header = fits.getdata(image_path(survey_folder, "f115w"), header=True)
    hdus = [fits.ImageHDU(pixels, header, name) for name in ("ERR", "SCI_BKSUB")]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "both.fits")
    with pytest.raises(OSError, match=r"both\.fits has no extension SCI: it has ERR, SCI_BKSUB; name the one"):
        open_mosaic(tmp_path / "both.fits", None, "SCI")
    assert open_mosaic(tmp_path / "both.fits", None, "SCI_BKSUB").hdu == 2
    hdus[1].name = "ERR"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "twice.fits")
    with pytest.raises(OSError, match=r"twice\.fits has 2 images named ERR, in the HDUs 1, 2: delete or rename"):
        open_mosaic(tmp_path / "twice.fits", None, "ERR")
    hdus[1].name = "SCI_BKSUB"
    # The only image of a file, and one in its first HDU, need no name.
    assert open_mosaic(image_path(survey_folder, "f115w"), None, "SCI").hdu == 0
    fits.HDUList([fits.PrimaryHDU(pixels, header), hdus[0]]).writeto(tmp_path / "first.fits")
    assert open_mosaic(tmp_path / "first.fits", None, "SCI").hdu == 0


@pytest.mark.parametrize(("name", "said"), [("", "number 1"), ("SCI2", "SCI2"), ("IMAGE", "IMAGE")])
def test_an_empty_image_in_the_first_hdu_is_not_taken_for_another(tmp_path, name, said):
    zeros, header = np.zeros((9, 9), dtype="f4"), celestial_wcs().to_header()
    path = tmp_path / "two.fits"
    other = fits.ImageHDU(zeros + 1, header, name or None)
    fits.HDUList([fits.PrimaryHDU(zeros, header), other]).writeto(path)
    with pytest.raises(OSError, match=rf"two\.fits has no extension SCI: it has PRIMARY, {said}; name the one to take"):
        open_mosaic(path, None, "SCI")
    thumbnail = fits.ImageHDU(zeros[:5], header, name or None)
    fits.HDUList([fits.PrimaryHDU(zeros, header), thumbnail]).writeto(path, overwrite=True)
    assert open_mosaic(path, None, "SCI").hdu == 0


def test_catalogs_that_do_not_match_name_columns_and_where_to_set_them(describe, survey_folder):
    many = {f"column_{number}": [1.0] for number in range(40)}
    path = survey_folder / data_paths.SPS_CATALOG
    Table(many | {"ID": [7], "z_phot": [1.0], "zspec": [1.0]}).write(path, overwrite=True)
    describe(z_columns=("z_best",))
    with pytest.raises(ValueError, match=r"has no column z_best: it has z_phot, zspec, .*; set the columns of the"):
        open_survey(survey_folder, IDS, "mine")
    describe(z_columns=("z_phot",))
    assert open_survey(survey_folder, IDS, "mine").redshifts[7][1] == 1
    describe(z_columns=())
    assert np.isnan(cut_out(open_survey(survey_folder, IDS, "mine"), 7, margin=5).redshift)
    describe(segmap="seg*.fits")
    with pytest.raises(FileNotFoundError, match=r"change segmap of 'mine' in SURVEYS in data_paths\.py"):
        open_survey(survey_folder, IDS, "mine")
    with pytest.raises(ValueError, match="unknown survey 'cosmos': choose from uncover, jades, ceers"):
        open_survey(survey_folder, IDS, "cosmos")


def test_every_description_is_complete():
    for survey in data_paths.SURVEYS.values():
        assert isinstance(survey, SurveyFiles)
        assert "{band}" in survey.image_pattern
        assert len(survey.z_columns) <= 3


def test_files_of_the_archive_and_packed_by_fpack_are_found(survey_folder):
    plain = open_survey(survey_folder, IDS)
    for name, other in (
        (data_paths.SUPER_CATALOG, "UNCOVER_DR3_LW_SUPER_catalog.fits"),
        (data_paths.SPS_CATALOG, "UNCOVER_DR3_SPS_catalog.fits"),
        (data_paths.SEGMAP, "UNCOVER_DR3_LW_SEGMAP.fits"),
    ):
        (survey_folder / name).rename(survey_folder / other)
    path = image_path(survey_folder, "f444w")
    pixels, header = fits.getdata(path, header=True)
    packed = fits.CompImageHDU(pixels, header, compression_type="GZIP_1", quantize_level=0)
    packed.writeto(path.with_name(f"{path.name}.fz"))
    path.unlink()
    survey = open_survey(survey_folder, IDS)
    for name in ("bands", "catalog_ids", "segments", "redshifts"):
        assert getattr(survey, name) == getattr(plain, name)
    np.testing.assert_array_equal(read_window(survey.sci[-1], np.s_[30:50, 20:60]), pixels[30:50, 20:60])


def test_names_that_may_be_meant_are_shown_and_no_more_than_three(survey_folder):
    path = image_path(survey_folder, "f444w")
    path.rename(path.with_name("uncover_v6_f444w_sci.fits"))
    with pytest.warns(UserWarning, match=r"left out: f444w; files that may be meant: uncover_v6_f444w_sci\.fits$"):
        open_survey(survey_folder, IDS)
    (survey_folder / data_paths.SEGMAP).rename(survey_folder / "UNCOVER_v5.1.0_SEGMAP.fits")
    with pytest.raises(FileNotFoundError, match=r"found 0 \(none; similar: UNCOVER_v5\.1\.0_SEGMAP\.fits"):
        open_survey(survey_folder, IDS)
    for number in range(40):
        (survey_folder / f"UNCOVER_{number:02}_SEGMAP.fits").touch()
    with pytest.raises(FileNotFoundError, match=r"found 41 .*, \.\.\.") as told:
        data_paths.find_survey_file(survey_folder, "UNCOVER_*_SEGMAP.fits", "SEGMAP")
    assert len(str(told.value)) < 300 + len(str(survey_folder))


def test_weights_of_another_name_and_images_in_another_folder_are_shown(survey_folder):
    weight = image_path(survey_folder, "f444w", "wht")
    rms = weight.rename(weight.with_name(weight.name.replace("_wht_", "_rms_")))
    with pytest.raises(FileNotFoundError, match=rf"no weight image for .*; files that may be meant: {rms.name}$"):
        open_survey(survey_folder, IDS)
    rms.rename(survey_folder / weight.name)
    with pytest.raises(FileNotFoundError, match=rf"meant: {weight.name} \(not in psf_matched\)$"):
        open_survey(survey_folder, IDS)
    for path in survey_folder.glob("psf_matched/*"):
        path.rename(survey_folder / path.name)
    with pytest.raises(FileNotFoundError, match=r"no image of any band.*; files .*_f606w_.*fits \(not in psf"):
        open_survey(survey_folder, IDS)
