import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import BANDS, blur_and_move, edit, image_path

import data_paths
from helper_functions.products import registration as module
from helper_functions.products.pixels import read_cutout
from helper_functions.products.registration import (
    galaxy_registration,
    register_survey,
    sample_of_sources,
    survey_shifts,
)
from helper_functions.survey.mosaics import Segment
from main_clustering import main
from prepare_images import cut_out, open_survey

MOVED = 0.6, -0.4  # pixels along rows and columns, of F277W


@pytest.fixture
def moved_folder(survey_folder):
    """The planted field, in which F277W lies off."""
    blur_and_move(survey_folder, {"f277w": MOVED})
    return survey_folder


@pytest.fixture
def job(moved_folder, tmp_path):
    def run(*flags, output="out"):
        asked = ["--catalogs", str(moved_folder), "--output", str(tmp_path / output), "--methods", "kmeans"]
        asked += ["--n-clusters", "2", "--pictures", "none", "--ids", "7", "--registration", "measured"]
        return main([*asked, *map(str, flags)]), tmp_path / output

    return run


def test_a_band_that_lies_off_is_found_and_moved_back(moved_folder, tmp_path):
    survey = open_survey(moved_folder, [7])
    register_survey(survey, tmp_path / "out")
    found = galaxy_registration(survey, 7, survey_shifts(survey, tmp_path / "out"))
    number = BANDS.index("f277w")
    # 0.1 pixels: of four small sources, whose two halves have different colours.
    np.testing.assert_allclose(
        found.shift[number] - np.median(np.delete(found.shift, number, 0), axis=0), MOVED, atol=0.1
    )
    assert found.to_correct.tolist() == [band == "f277w" for band in BANDS]
    as_it_is, corrected = (cut_out(survey, 7, margin=10, registration=each) for each in (None, found))
    for band in range(len(BANDS)):
        assert (as_it_is.sci[band] == corrected.sci[band]).all() == (BANDS[band] != "f277w")
    box = corrected.segmap == 7
    # The same light, to what the noise of the rim of the segment is.
    assert corrected.sci[number][box].sum() == pytest.approx(as_it_is.sci[number][box].sum(), rel=0.02)
    neighbour = BANDS.index("f200w")
    likeness = [np.corrcoef(each.sci[number][box], each.sci[neighbour][box])[0, 1] for each in (as_it_is, corrected)]
    assert 1 - likeness[1] < 0.7 * (1 - likeness[0])
    assert any("the shift of 1 band" in note for note in corrected.notes)


def test_what_was_done_is_told(job, moved_folder, capsys):
    before = {path: path.read_bytes() for path in (moved_folder / "psf_matched").iterdir()}
    status, output = job()
    assert status == 0
    said = capsys.readouterr().out
    assert "registration of the bands, in " in said
    assert "pixels off: f277w 0." in said
    assert {path: path.read_bytes() for path in before} == before  # images on disk stay as they are
    with fits.open(output / "pixel_seds" / "7_pixels.fits") as hdus:
        assert hdus[0].header["REGISTR"] == "measured"
        table = Table(hdus["REGISTRATION"].data)
    assert [band for band, is_corrected in table["band", "corrected"].iterrows() if is_corrected] == ["f277w"]
    cutout, _ = read_cutout(output / "pixel_seds" / "7_pixels.fits")
    np.testing.assert_allclose(cutout.registration.shift[:, 0], table["shift_rows"])
    [row] = Table.read(output / "summary.ecsv")
    assert row["registration_max"] == pytest.approx(np.hypot(*MOVED), abs=0.12)
    assert "the shift of 1 band was corrected" in row["message"]


def test_images_are_taken_as_they_are_if_asked_for(job):
    status, output = job("--registration", "none")
    assert status == 0
    with fits.open(output / "pixel_seds" / "7_pixels.fits") as hdus:
        assert "REGISTRATION" not in hdus
        assert hdus[0].header["REGISTR"] == "none"
    [row] = Table.read(output / "summary.ecsv")
    assert np.isnan(row["registration_max"])
    assert "corrected, by" not in row["message"]


def test_it_is_measured_once(moved_folder, tmp_path, monkeypatch):
    calls, measure, found = [], module.measure_survey, []
    monkeypatch.setattr(module, "measure_survey", lambda *given: calls.append(1) or measure(*given))
    survey = open_survey(moved_folder, [7])
    for name in ("one", "other", "third"):
        if name == "third":
            [kept] = (data_paths.cache_folder() / "registration").iterdir()
            kept.write_bytes(b"damaged")
        register_survey(survey, tmp_path / name)
        found.append(survey_shifts(survey, tmp_path / name).sources.shift)
        assert len(calls) == (2 if name == "third" else 1)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_nothing_needs_to_be_kept(job, monkeypatch):
    monkeypatch.setattr(data_paths, "CACHE_FOLDER", "")
    monkeypatch.delenv("UNCOVER_CACHE_FOLDER")
    status, output = job()
    assert status == 0
    assert Table.read(output / "summary.ecsv")["registration_max"][0] > 0.5


def test_a_band_far_off_is_refused(job, moved_folder, capsys):
    edit(image_path(moved_folder, "f200w"), lambda flux: np.roll(flux, 6, axis=1))
    status, output = job()
    assert status == 2
    said = capsys.readouterr().err
    assert "bands are misregistered by more than 4 pixels" in said
    assert "f200w 5." in said  # 6, of a field of small sources
    assert "--registration none" in said
    assert not (output / "pixel_seds").exists()
    assert job("--registration", "none")[0] == 0


def test_a_field_without_bright_sources_goes_on(job, moved_folder, capsys):
    for band in BANDS:
        rng = np.random.default_rng(BANDS.index(band))
        edit(image_path(moved_folder, band), lambda flux, rng=rng: rng.normal(0, 0.02, flux.shape).astype(np.float32))
    status, output = job()
    assert status == 0
    said = capsys.readouterr()
    assert "is not known: 3 of 3 sources too faint (fewer than 30 pixels above SNR 3)" in said.out
    assert said.err.splitlines()[-1].startswith("no galaxy was clustered (1 no pixels): lower --snr-thresh, now 3, or")
    [row] = Table.read(output / "summary.ecsv")
    assert row["status"] == "no pixels"


def test_why_nothing_was_measured_is_told_and_tried_again(moved_folder, tmp_path, capsys):
    """Bright sources with a damaged band, later repaired; and segments that are all too large."""
    survey, path = open_survey(moved_folder, [7]), image_path(moved_folder, "f200w")
    whole = path.read_bytes()
    path.write_bytes(whole[:2880])
    register_survey(survey, tmp_path / "out")
    said = capsys.readouterr().out
    assert said.startswith("registration of the bands is not known: 3 of 3 sources refused: pixels of ")
    assert "f200w" in said
    assert said.count("\n") == 1
    path.write_bytes(whole)
    register_survey(survey, tmp_path / "out")
    assert "registration of the bands, in " in capsys.readouterr().out
    large = {7: survey.segments[7]._replace(n_pixels=10**5)}
    register_survey(survey._replace(segments=large, digest="other"), tmp_path / "out")
    assert "not known: no source of the catalog has a segment of 50 to 6000 pixels" in capsys.readouterr().out


def test_a_band_of_noise_and_borders_without_data_do_no_harm(job, moved_folder):
    rng = np.random.default_rng(0)
    edit(image_path(moved_folder, "f606w"), lambda flux: rng.normal(0, 0.02, flux.shape).astype(np.float32))

    def border(weight):
        weight[:, :36] = 0  # through galaxy 7
        return weight

    edit(image_path(moved_folder, "f444w", "wht"), border)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status, output = job()
    assert status == 0
    with fits.open(output / "pixel_seds" / "7_pixels.fits") as hdus:
        table = Table(hdus["REGISTRATION"].data)
    assert [band for band, is_corrected in table["band", "corrected"].iterrows() if is_corrected] == ["f277w"]
    assert table["error_rows"][0] > 0.3  # of noise, nothing is known


def test_sources_are_taken_from_all_parts_of_a_mosaic():
    def segment(row, col, n_pixels):
        return Segment(slice(row, row + 10), slice(col, col + 10), n_pixels)

    segments = {number: segment(10 + number, 20, 1000 - number) for number in range(1, 30)}
    segments |= {100: segment(900, 900, 60), 101: segment(900, 100, 70), 102: segment(905, 905, 40)}
    segments |= {103: segment(100, 900, 10**5)}  # too large
    assert sample_of_sources(segments, (1000, 1000), 8) == [1, 101, 100, 2, 3, 4, 5, 6]
    assert sample_of_sources({}, (1000, 1000), 8) == []
