"""From mosaics of three scales and orientations to a field that is opened like any survey."""

import errno
import operator
import shutil
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from small_mosaics import point, wcs_of, write_mosaic, write_psf

pytest.importorskip("photutils", reason="make_field needs photutils")
pytest.importorskip("reproject", reason="make_field needs reproject")
pytest.importorskip("skimage", reason="make_field needs scikit-image")

import data_paths
from data_paths import new_image_path
from helper_functions.psf import measure_fwhm
from helper_functions.registration import measure_shifts
from helper_functions.survey.make_field import command, field, layout, main
from helper_functions.survey.make_field.field import each_in
from helper_functions.survey.make_field.inputs import find_files, find_psfs, open_images, read_table
from prepare_images import cut_out, open_survey

SHAPE = (150, 140)
NOISE = 0.004  # 10 nJy per pixel of 40 mas
GRID = wcs_of(SHAPE)
FWHM = {"f200w": 0.08, "f277w": 0.11, "f444w": 0.15}  # arcsec
WCS_OF = {
    "f200w": (wcs_of((320, 300), 0.02), (320, 300), 0.02),
    "f277w": (wcs_of((170, 170), 0.04, 15.0), (170, 170), 0.04),
    "f444w": (GRID, SHAPE, 0.04),
}
# Rows, columns on the grid, flux in 10 nJy and FWHM in arcsec of sources, which are Gaussians like the PSFs.
SOURCES = ((60, 50, 90.0, 0.25), (75, 95, 60.0, 0.2), (110, 60, 80.0, 0.3), (40, 95, 50.0, 0.15))
SEDS = {"f200w": 1.0, "f277w": 1.5, "f444w": 2.0}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("unmatched"), np.random.default_rng(0)
    for band, (wcs, shape, pixel) in WCS_OF.items():
        image = np.zeros(shape)
        for row, col, flux, fwhm in SOURCES:
            sky = GRID.pixel_to_world_values(col, row)
            image += SEDS[band] * flux * point(wcs, shape, np.hypot(fwhm, FWHM[band]), sky, pixel)
        write_mosaic(folder / "mosaics", band, image, wcs, NOISE * pixel / 0.04, rng)
        write_psf(folder / "psfs", band, FWHM[band], pixel, half=round(1.4 / pixel))
    ra, dec = GRID.pixel_to_world_values([50, 95], [60, 75])
    Table({"RA": ra, "dec": dec, "z_phot": [1.5, 2.5]}).write(folder / "z.csv")
    return folder


@pytest.fixture
def mosaics(written, tmp_path):
    """A copy for each test, which may change it."""
    return shutil.copytree(written, tmp_path / "unmatched")


@pytest.fixture(autouse=True)
def no_picture(monkeypatch):
    """The picture, which takes as long as all the rest, is drawn for `made` only."""
    monkeypatch.setattr(field, "save_figure", lambda *_: None)


def make(mosaics, *flags):
    """The command line with given PSFs; returns the exit status."""
    places = [str(mosaics / "mosaics"), "--output", str(mosaics / "field"), "--psfs", str(mosaics / "psfs")]
    return main([*places, "--kernel-radius", "0.5", "--registration", "none", *flags])


@pytest.fixture(scope="module")
def made(written, tmp_path_factory):
    """A field made once, for the tests that only look at it."""
    folder = shutil.copytree(written, tmp_path_factory.mktemp("made") / "unmatched")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNCOVER_CACHE_FOLDER", str(folder / "cache"))
        assert make(folder, "--redshifts", str(folder / "z.csv")) == 0
    return folder / "field"


def test_the_field_is_opened_like_the_survey(made):
    survey = open_survey(made, [1])
    assert survey.bands == ("f200w", "f277w", "f444w")
    assert survey.psf_fwhm == pytest.approx(0.15, rel=0.02)
    assert len(survey.segments) == len(SOURCES)
    catalog = Table.read(made / data_paths.SUPER_CATALOG)
    truth = GRID.pixel_to_world_values(*np.array([(col, row) for row, col, *_ in SOURCES]).T)
    apart = np.hypot(catalog["ra"][:, None] - truth[0], catalog["dec"][:, None] - truth[1]).min(axis=0)
    assert apart.max() * 3600 < 0.1  # segments are a few tenths of an arcsec wide
    assert sorted(redshift for _, redshift, _ in survey.redshifts.values()) == [1.5, 2.5]


def test_sources_have_the_same_shape_and_their_fluxes_in_all_bands(made):
    """Fluxes to 0.5%: an isolated source within 0.9 arcsec, whose noise is 0.2%, before and after."""
    y, x = np.indices(SHAPE)
    row, col, flux, fwhm = SOURCES[0]
    near = np.hypot(y - row, x - col) < 22
    for band, sed in SEDS.items():
        image = fits.getdata(new_image_path(made, band, "sci"))
        assert image[near].sum() == pytest.approx(sed * flux, rel=0.005)
        stamp = image[row - 12 : row + 13, col - 12 : col + 13].astype(float)
        assert measure_fwhm(stamp, 0.04) == pytest.approx(np.hypot(fwhm, 0.15), rel=0.01)
        header = fits.getheader(new_image_path(made, band, "sci"))
        assert header["PSFTARG"] == "f444w"
        assert header["PSFEE05"] == pytest.approx(1, abs=0.01)
        assert header["PSFRES"] < 2
    verdicts = Table.read(made / layout.VERDICTS)
    assert list(verdicts["band"]) == list(SEDS)
    assert (made / layout.VERDICTS_PICTURE).stat().st_size > 5000


def test_stated_errors_are_those_of_the_sky(made):
    """The scale of `measure_sky` is to 1 within what the acceptance of a field is: 0.8 to 1.25."""
    scale = cut_out(open_survey(made, [1]), 1, margin=60).noise.scale
    assert ((scale > 0.8) & (scale < 1.25)).all()


def test_bands_are_shared_out_to_processes_and_come_back_in_order():
    pairs = {band: (number, 1) for number, band in enumerate(SEDS)}
    assert list(each_in(2, operator.add, pairs, "band").items()) == [("f200w", 1), ("f277w", 2), ("f444w", 3)]
    with pytest.raises(ZeroDivisionError):
        each_in(2, operator.truediv, {"f200w": (1, 0), "f277w": (1, 1)}, "band")


def test_a_disk_that_fills_up_half_way_leaves_a_field_that_is_none_yet_and_is_resumed(mosaics, monkeypatch, capsys):
    real, calls = layout.matched_tile, []

    def fills_up(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(layout, "matched_tile", fills_up)
        assert make(mosaics) == 2
    assert "error: the disk is full" in capsys.readouterr().err
    assert not (mosaics / "field" / data_paths.SUPER_CATALOG).exists()
    assert make(mosaics) == 0
    assert "1 of 3 bands were made before" in capsys.readouterr().out
    fits.setval(mosaics / "mosaics" / "f277w_sci.fits", "NOTE", value="edited")
    assert make(mosaics) == 0
    assert "2 of 3 bands were made before" in capsys.readouterr().out


def test_an_image_of_another_part_of_the_sky_is_refused(mosaics, capsys):
    for kind in ("sci", "wht"):
        fits.setval(mosaics / "mosaics" / f"f200w_{kind}.fits", "CRVAL2", value=12.0)
    assert make(mosaics) == 2
    assert "error: f200w covers nothing of the grid of" in capsys.readouterr().err


def test_psfs_that_cannot_be_matched_are_refused_unless_told_otherwise(mosaics, capsys):
    y, x = np.indices((71, 71)) - 35
    image = np.exp(-0.5 * (y / 2.9) ** 2 - 0.5 * (x / 0.75) ** 2)  # narrower than the target, but longer along columns
    hdu = fits.PrimaryHDU(image.astype(np.float32))
    hdu.header["PIXELSCL"] = 0.04
    hdu.writeto(mosaics / "psfs" / "psf_f277w.fits", overwrite=True)
    assert make(mosaics, "--target", "f444w") == 2
    assert "differ by more than 10% of the peak from that of f444w: f277w" in capsys.readouterr().err
    assert (mosaics / "field" / layout.VERDICTS).exists()  # to look at
    assert make(mosaics, "--target", "f444w", "--accept-residual", "90") == 0


def test_a_folder_of_other_data_is_left_alone(mosaics, capsys):
    (mosaics / "field").mkdir()
    (mosaics / "field" / "thesis.tex").write_text("", encoding="utf-8")
    assert make(mosaics) == 2
    assert "holds data that is not a field made by this command" in capsys.readouterr().err


def test_what_is_missing_is_named(mosaics, monkeypatch, capsys):
    assert make(mosaics, "--bands", "f356w") == 2
    assert "no images of f356w: there are f200w, f277w, f444w" in capsys.readouterr().err
    assert make(mosaics, "--grid", "x") == 2
    assert "--grid x is neither a band nor a file" in capsys.readouterr().err
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert make(mosaics) == 2
    assert capsys.readouterr().err.startswith(
        "error: this command needs photutils, reproject, scikit-image: pip install -r"
    )


def test_a_segmap_is_taken_and_redshifts_by_its_ids(mosaics):
    segmap = np.zeros(SHAPE, dtype=np.int32)
    segmap[50:70, 40:60], segmap[68:82, 88:102] = 77, 5
    fits.PrimaryHDU(segmap, GRID.to_header()).writeto(mosaics / "segmap.fits")
    Table({"id": [77, 4], "redshift": [3.25, 1.0]}).write(mosaics / "ids.csv")
    flags = ["--segmap", str(mosaics / "segmap.fits"), "--redshifts", str(mosaics / "ids.csv")]
    assert make(mosaics, *flags) == 0
    survey = open_survey(mosaics / "field", [77])
    assert survey.redshifts[77][1] == 3.25
    assert 5 not in survey.redshifts
    catalog = Table.read(mosaics / "field" / data_paths.SUPER_CATALOG)
    assert list(catalog["id"]) == [5, 77]
    inside = fits.getdata(new_image_path(mosaics / "field", "f444w", "sci"))[segmap == 77].sum()
    assert catalog["f_f444w"][1] == pytest.approx(inside, rel=1e-5)


# ---- inputs -----------------------------------------------------------------


def test_a_table_names_the_files(mosaics):
    rows = [
        (band, f"mosaics/{band.lower()}_sci.fits", f"mosaics/{band.lower()}_wht.fits") for band in ("F444W", "f200w")
    ]
    Table(rows=rows, names=("band", "sci", "wht")).write(mosaics / "files.csv")
    files = read_table(mosaics / "files.csv", "wht")
    assert [each.band for each in files] == ["f200w", "f444w"]  # by wavelength
    assert files == find_files(mosaics / "mosaics", "*{kind}.fits", "wht")[::2]
    for old, new, problem in [
        ("mosaics/f200w_wht.fits", "", "has no weight for f200w"),
        ("f200w,", "F444W,", "has several images of f444w"),
        ("f200w,", "blue,", "no filter curve of sedpy is called blue"),
        ("f200w_sci", "f250m_sci", "names a file that does not exist"),
        ("band,sci,wht", "band,sci,x", "has no column wht: it has band, sci, x"),
    ]:
        changed = (mosaics / "files.csv").read_text(encoding="utf-8").replace(old, new)
        (mosaics / "wrong.csv").write_text(changed, encoding="utf-8")
        with pytest.raises((ValueError, FileNotFoundError), match=problem):
            read_table(mosaics / "wrong.csv", "wht")


def test_image_and_weights_may_be_extensions_of_one_file(mosaics):
    folder = mosaics / "one"
    folder.mkdir()
    for band in ("f200w", "f444w"):
        flux, header = fits.getdata(mosaics / "mosaics" / f"{band}_sci.fits", header=True)
        hdus = fits.ImageHDU(flux, header, "SCI"), fits.ImageHDU(np.full_like(flux, NOISE), header, "ERR")
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(folder / f"survey_{band}_v2_drz.fits")
    files = find_files(folder, "*{band}*.fits", "err")
    assert [(each.band, each.wht) for each in files] == [(each.band, each.sci) for each in files]
    images = open_images(files[1], "err")
    assert (images.band, images.sci.extension, images.wht.extension) == ("f444w", "SCI", "ERR")


def test_weights_psfs_and_units_that_are_missing_are_named(mosaics):
    folder = mosaics / "mosaics"
    files = find_files(folder, "*{kind}.fits", "wht")
    with pytest.raises(FileNotFoundError, match=r"want one err image of f200w_sci.fits in .*, found none"):
        find_files(folder, "*{kind}.fits", "err")
    with pytest.raises(ValueError, match=r"has no weights: .* is the image itself"):
        open_images(files[0]._replace(wht=files[0].sci), "wht")
    fits.delval(folder / "f200w_sci.fits", "BUNIT")
    with pytest.raises(ValueError, match="no BUNIT: want a unit of flux density"):
        open_images(files[0], "wht")
    assert open_images(files[0], "wht", unit="nJy").sci.unit_factor == pytest.approx(0.1)
    (mosaics / "psfs" / "psf_f277w.fits").unlink()
    with pytest.raises(FileNotFoundError, match=r"want one PSF of f277w in .*, found none"):
        find_psfs(files, mosaics / "psfs")
    with pytest.raises(FileNotFoundError, match="neither a folder of mosaics nor a table"):
        find_files(mosaics / "nowhere", "*", "wht")


# ---- registration -----------------------------------------------------------


def test_bands_that_lie_off_are_moved_back_and_remembered(mosaics, monkeypatch, capsys):
    """Bands by 0.4 pixels of 40 mas along columns: the median of three bands lies where the other two are."""
    monkeypatch.setattr(measure_shifts, "ROUNDS", 2)  # more only refine the shifts
    for kind in ("sci", "wht"):
        with fits.open(mosaics / "mosaics" / f"f200w_{kind}.fits", mode="update") as hdus:
            hdus[0].header["CRPIX1"] += 0.8
    places = [str(mosaics / "mosaics"), "--output", str(mosaics / "field"), "--psfs", str(mosaics / "psfs")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert main([*places, "--kernel-radius", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "2 of 3 bands were made before" in said
    shifts = Table.read(mosaics / "field" / layout.SHIFTS)
    np.testing.assert_allclose(shifts["shift_x"], [-0.4, 0, 0], atol=0.1)
    np.testing.assert_allclose(shifts["shift_y"], 0, atol=0.1)
    assert main([*places, "--kernel-radius", "0.5"]) == 0
    assert "3 of 3 bands were made before" in capsys.readouterr().out


# ---- cutouts ----------------------------------------------------------------


@pytest.fixture
def cutouts(mosaics, tmp_path):
    """One file with the images of two bands, and one with an image of a third without weights."""
    folder = tmp_path / "cutouts"
    folder.mkdir()
    hdus = [fits.PrimaryHDU()]
    for band in ("f200w", "f444w"):
        for kind in ("sci", "wht"):
            pixels, header = fits.getdata(mosaics / "mosaics" / f"{band}_{kind}.fits", header=True)
            hdus.append(fits.ImageHDU(pixels, header, f"{band.upper()}-CLEAR_{kind.upper()}"))
    fits.HDUList(hdus).writeto(folder / "galaxy_cutout.fits")
    pixels, header = fits.getdata(mosaics / "mosaics" / "f277w_sci.fits", header=True)
    header["FILTER"] = "F277W"
    fits.PrimaryHDU(pixels, header).writeto(folder / "galaxy_red.fits")
    return SimpleNamespace(folder=folder, psfs=mosaics / "psfs", field=tmp_path / "field")


def test_cutouts_become_a_field_with_the_galaxy_in_the_middle_as_id_1(cutouts, capsys):
    flags = [str(cutouts.folder), "--cutout", "--output", str(cutouts.field), "--psfs", str(cutouts.psfs)]
    flags += ["--kernel-radius", "0.5", "--registration", "none", "--redshift", "1.25"]
    assert main(flags) == 2
    assert "has no wht image of f277w: add it, " in capsys.readouterr().err
    assert main([*flags, "--weights-from-sky"]) == 0
    survey = open_survey(cutouts.field, [1])
    assert survey.bands == ("f200w", "f277w", "f444w")
    assert survey.redshifts[1][1] == 1.25
    cutout = cut_out(survey, 1, margin=60)
    rows, cols = survey.segments[1][:2]
    middle = (rows.start + rows.stop) / 2 - SHAPE[0] / 2, (cols.start + cols.stop) / 2 - SHAPE[1] / 2
    nearest = min(SOURCES, key=lambda source: np.hypot(source[0] - SHAPE[0] / 2, source[1] - SHAPE[1] / 2))
    assert abs(middle[0] - (nearest[0] - SHAPE[0] / 2)) < 3
    assert abs(middle[1] - (nearest[1] - SHAPE[1] / 2)) < 3
    assert ((cutout.noise.scale > 0.8) & (cutout.noise.scale < 1.25)).all()
    shutil.copy(cutouts.folder / "galaxy_red.fits", cutouts.folder / "again.fits")
    assert main(flags) == 2
    assert "has two sci images of f277w" in capsys.readouterr().err
