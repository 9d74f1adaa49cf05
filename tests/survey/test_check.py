import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import BANDS, blur_and_move, edit, image_path

import data_paths
from helper_functions.products.registration import sample_survey_shifts
from helper_functions.survey import check as checked
from helper_functions.survey import mosaics
from helper_functions.survey.check import check_survey
from main_clustering import main


@pytest.fixture
def check(survey_folder, capsys):
    """A function that gives the exit status, and what was printed of each band and after that."""

    def look():
        status = check_survey(survey_folder, "uncover", sample_survey_shifts)
        lines = capsys.readouterr().out.splitlines()
        return status, {line.split()[0]: line for line in lines if line.startswith(BANDS)}, lines

    return look


def test_a_line_for_each_band(check):
    status, bands, lines = check()
    assert status == 0
    assert tuple(bands) == BANDS
    said = bands["f444w"]
    for word in ("f444w_bcgs_sci", "wht: ...wht_f444w", " 1 x 10 nJy", "40 mas", "jwst_f444w, 4.402 um"):
        assert word in said
    assert " 10 nJy = 1 x 10 nJy" in said
    assert lines[-1] == "6 of 6 bands can be used"
    assert lines[-2].startswith("photon noise of sources is not added to the errors of 6 of 6 bands: set electrons of")
    assert lines[3].endswith("SEGMAP.fits, 90 x 120 pixels of 40 mas; cut by its edge: 1 (11)")
    assert lines[1].startswith("galaxies: 7 rows of UNCOVER_v5.2.0_LW_SUPER_CATALOG.fits: id")
    assert lines[2].endswith("id, z_16, z_50, z_84")


def test_the_noise_scale_is_that_of_the_sky(check, survey_folder):
    """Of errors that are stated too small by 2, and by 100. 5%: three times what 4,000 independent pixels scatter."""
    for band, factor in (("f200w", 2), ("f277w", 100)):
        edit(image_path(survey_folder, band, "wht"), lambda weight, factor=factor: weight * factor**2)
    _, bands, _ = check()
    scales = {band: float(line.split(" um")[1].split()[0]) for band, line in bands.items()}
    truth = dict.fromkeys(BANDS, 1) | {"f200w": 2, "f277w": 100}
    assert scales == {band: pytest.approx(factor, rel=0.05) for band, factor in truth.items()}
    assert bands["f115w"].endswith(" yes")
    assert bands["f200w"].endswith("yes; stated errors are off")
    assert bands["f277w"].endswith("by more than 30, as by a mistake of units")


def test_sources_without_data_in_their_middle_are_counted(check, survey_folder):
    """Of two sources, one has no weight in a band, and the other is NaN in a second and zero in a third."""
    with fits.open(survey_folder / data_paths.SEGMAP) as hdus:
        ids, n_sources = hdus[0].data, len(np.unique(hdus[0].data)) - 1
    edit(image_path(survey_folder, "f200w", "wht"), lambda weight: np.where(ids == 7, 0, weight))
    edit(image_path(survey_folder, "f277w"), lambda flux: np.where(ids == 11, np.nan, flux))
    edit(image_path(survey_folder, "f115w"), lambda flux: np.where(ids == 11, 0, flux))
    lines = check()[2]
    start = next(line for line in lines if "noise scale sources" in line).index("sources")
    told = {line.split()[0]: line[start:].split(" of ")[0] for line in lines if line.startswith(BANDS)}
    assert told == dict.fromkeys(BANDS, str(n_sources)) | dict.fromkeys(("f200w", "f277w", "f115w"), str(n_sources - 1))


def test_segments_in_pieces_are_counted_and_the_first_are_named(check, survey_folder):
    """Five sources of two squares each."""

    def put(segmap):
        for number in range(5):
            left = 4 + 20 * number
            segmap[2:6, left : left + 4] = segmap[2:6, left + 8 : left + 12] = 100 + number
        return segmap

    edit(survey_folder / data_paths.SEGMAP, put)
    assert check()[2][3].endswith("; cut by its edge: 1 (11); in several pieces: 5 (100, 101, 102, 103, ...)")


def test_everything_that_is_refused_is_told_at_once(check, survey_folder):
    fits.setval(image_path(survey_folder, "f115w"), "BUNIT", value="electron/s")
    image_path(survey_folder, "f200w", "wht").unlink()
    image_path(survey_folder, "f277w").unlink()
    fits.setval(image_path(survey_folder, "f444w"), "CDELT2", value=0.05 / 3600)
    image_path(survey_folder, "f606w", "wht").write_bytes(image_path(survey_folder, "f606w").read_bytes())
    status, bands, lines = check()
    assert status == 1
    assert [band for band in BANDS if bands[band].endswith("refused")] == ["f606w", "f115w", "f200w", "f444w"]
    assert bands["f277w"].endswith("no: left out")
    reasons = [line for line in lines if line.startswith("refused: ")]
    for line, reason in zip(reasons, ("same pixels", "electron/s", "no weight image", "differ in WCS"), strict=True):
        assert reason in line
    assert lines[-1] == "1 of 6 bands can be used"
    (survey_folder / data_paths.SEGMAP).unlink()
    status, _, lines = check()
    assert (status, len(lines)) == (1, 1)
    assert "change SEGMAP in data_paths.py" in lines[-1]


def test_windows_are_read_and_no_more(survey_folder, monkeypatch):
    monkeypatch.setattr(checked, "WINDOW", 20)
    monkeypatch.setattr(checked, "N_SOURCES", 0)  # which are read with what is around them
    monkeypatch.setattr(checked, "min_sky_pixels", lambda pixel: 125)
    sizes = []

    def spy(mosaic, window, read=mosaics.read_window):
        pixels = read(mosaic, window)
        sizes.append(pixels.size)
        return pixels

    for module in ("mosaics", "images"):
        monkeypatch.setattr(f"helper_functions.survey.{module}.read_window", spy)
    assert check_survey(survey_folder, "uncover", sample_survey_shifts) == 0
    assert max(sizes) == 400
    assert 25 + 12 <= len(sizes) <= 25 + 12 * 2  # of the segmap; two windows with sky of each image and weight


def test_a_unit_and_electrons_that_the_survey_states_are_not_assumed(check, survey_folder, no_photons):
    fits.delval(image_path(survey_folder, "f200w"), "BUNIT")
    _, bands, lines = check()
    assert " 10 nJy = 1 x 10 nJy" in bands["f444w"]
    assert " 10 nJy (assumed) = 1 x 10 nJy" in bands["f200w"]
    assert not any("photon noise" in line for line in lines)


def test_bands_that_lie_off_are_told(check, survey_folder):
    """One by half a pixel, and one by so much that its WCS must be wrong."""
    blur_and_move(survey_folder, {"f277w": (0.5, 0.0)})
    status, bands, _ = check()
    assert status == 0
    # 0.1 pixels: of a few small sources, whose two halves have different colours.
    assert float(bands["f277w"].split(" px")[0].split()[-1]) == pytest.approx(0.5, abs=0.1)
    assert bands["f277w"].endswith("; shifted by more than 0.1 pixels")
    assert [band for band in BANDS if "shifted" in bands[band]] == ["f277w"]
    edit(image_path(survey_folder, "f200w"), lambda flux: np.roll(flux, 6, axis=0))
    status, _, lines = check()
    assert status == 1
    assert any(line.startswith("refused: bands are misregistered") and "f200w 5." in line for line in lines)


def test_what_only_sources_show_is_refused(check, survey_folder):
    """An image with a pedestal in the place of its weights; ids as floats."""
    sci, wht = image_path(survey_folder, "f115w"), image_path(survey_folder, "f115w", "wht")
    weights = np.random.default_rng(0).normal(2500, 9, fits.getdata(wht).shape).astype("f4")
    edit(wht, lambda weight: fits.getdata(sci) + 1)
    edit(sci, lambda flux: weights)
    status, _, lines = check()
    assert status == 1
    assert any(line.startswith("refused: ") and "seem to be swapped" in line for line in lines)
    path = survey_folder / data_paths.SUPER_CATALOG
    table = Table.read(path)
    table["id"] = np.array([7, 8, 9, 10, 11, 12, 2**24 + 2], dtype=np.float32)
    table.write(path, overwrite=True)
    status, _, lines = check()
    assert status == 1
    assert lines[-1].startswith(f"refused: column id of {path} holds 32-bit floats")


def test_it_is_asked_for_by_a_flag_and_makes_nothing(survey_folder, tmp_path, capsys):
    assert main(["--check", "--catalogs", str(survey_folder), "--output", str(tmp_path / "out")]) == 0
    assert "6 of 6 bands can be used" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main(["--check", "--catalogs", str(tmp_path / "nowhere")]) == 1
    assert "nowhere does not exist: set CATALOGS_FOLDER" in capsys.readouterr().out
    np.testing.assert_array_equal(checked.noise_scale(None, None, "wht", []), (np.nan, 0))


def test_a_band_without_a_measurement_is_told(check, survey_folder):
    edit(image_path(survey_folder, "f200w"), np.zeros_like)
    _, bands, _ = check()
    assert bands["f200w"].endswith("yes; but nothing was measured in the sky looked at")
    assert "nothing was measured" not in bands["f277w"]
