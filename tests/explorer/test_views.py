"""Pages of galaxies as a part of the job: what they read back, and when they are made."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from conftest import celestial_wcs, write_survey
from sklearn.metrics import adjusted_rand_score

import main_clustering
from data_paths import output_path
from explorer.views import models_in
from helper_functions.explorer import pages as explorer
from helper_functions.explorer.galaxy import read_galaxy, tangent_plane
from helper_functions.explorer.runs import measured, spread
from helper_functions.files.records import GALAXY, load_record, save_record
from helper_functions.products.labels import read_labels
from helper_functions.products.pixels import read_cutout
from helper_functions.quality.compare_runs import region_map
from helper_functions.quality.cross_checks import CHECKS
from helper_functions.quality.metrics import QUALITY
from main_clustering import main
from plots.explorer.runs import by_sed

RUNS = "blended_mixture", "kmeans_contrast"
FLAGS = ("--ids", "7", "--methods", "blended_mixture", "kmeans", "--n-clusters", "2", "--pictures", "none")


def bare(patch):
    """Without figures of quality, and pages of one line: both are tested elsewhere."""
    patch.setattr(main_clustering, "quality_metrics", lambda judged, is_first: dict.fromkeys(QUALITY, 0.5))
    patch.setattr("plots.explorer.page.explorer_page", lambda view, assets: f"a page of {len(view.runs)} runs")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The planted galaxy 7 clustered by two runs, with its page; called with flags, the job is called again."""
    folder = tmp_path_factory.mktemp("explorer")
    survey, output = write_survey(folder / "survey"), folder / "out"

    def again(*flags):
        with pytest.MonkeyPatch.context() as patch:
            bare(patch)
            return main(["--catalogs", str(survey), "--output", str(output), *FLAGS, *flags])

    assert again("--explorer") == 0
    return SimpleNamespace(output=output, again=again, page=output_path(output, "page", id=7))


def test_what_a_page_shows_is_what_the_files_hold(made):
    view = read_galaxy(made.output, 7)
    cutout, mask = read_cutout(output_path(made.output, "pixels", id=7))
    assert (view.id_dr3, view.redshift, view.bands, view.shape) == (7, 2.0, cutout.bands, mask.shape)
    np.testing.assert_array_equal((view.rows, view.cols), np.nonzero(mask))
    np.testing.assert_array_equal(view.flux, cutout.sci[:, mask].T)
    np.testing.assert_array_equal(view.error, cutout.err[:, mask].T)
    assert tuple(run.name for run in view.runs) == RUNS
    for run in view.runs:
        labels, regions, *_ = read_labels(output_path(made.output, "labels", run=run.name, id=7))
        np.testing.assert_array_equal(run.labels, labels[mask])
        np.testing.assert_array_equal(run.regions, regions)
        table = Table.read(output_path(made.output, "composites", run=run.name, id=7))
        np.testing.assert_array_equal(run.composites[0].ravel(), table["flux"])
        np.testing.assert_array_equal(run.composites[1].ravel(), table["flux_err"])
    blended, kmeans = view.runs
    with fits.open(output_path(made.output, "labels", run=RUNS[0], id=7)) as hdus:
        np.testing.assert_array_equal(blended.confidence, hdus["CONFIDENCE"].data[mask])
        np.testing.assert_array_equal(blended.fraction, hdus["FRACTION"].data[:, mask])
        light = next(layer for layer in blended.layers if layer.title.startswith("light of population 2"))
        np.testing.assert_array_equal(light.values, hdus["LIGHT"].data[1][mask])
    assert kmeans.populations is None
    assert kmeans.confidence is None
    assert view.agreement[0, 1] == pytest.approx(adjusted_rand_score(blended.labels, kmeans.labels))
    regions = [region_map(run.labels, run.regions) for run in view.runs]
    assert ((view.consensus == regions[0]) | (view.consensus == regions[1])).all()


def test_tangent_plane_gives_the_sky_of_any_pixel():
    wcs = celestial_wcs()
    wcs.wcs.pc = [[0.8, -0.6], [0.6, 0.8]]  # turned by 37 degrees
    sky, pixel = tangent_plane(wcs, (90, 120))
    assert pixel == pytest.approx(0.04)
    x, y = np.array([0.0, 119, 30]), np.array([0.0, 89, 80])
    east, north = np.radians(np.array(sky["matrix"]) @ (np.array([x, y]) - np.array(sky["origin"])[:, None]))
    ra0, dec0 = np.radians(sky["centre"])
    ra = ra0 + np.arctan2(east, np.cos(dec0) - north * np.sin(dec0))
    dec = np.arctan((np.sin(dec0) + north * np.cos(dec0)) / np.hypot(east, np.cos(dec0) - north * np.sin(dec0)))
    # To a thousandth of a pixel: the plane is exact where the projection is gnomonic, less its curvature in the cutout.
    np.testing.assert_allclose(WCS(wcs.to_header()).wcs_world2pix(*np.degrees([ra, dec]), 0), [x, y], atol=1e-3)
    assert tangent_plane(None, (9, 9))[0] == tangent_plane(WCS(naxis=2), (9, 9))[0] == {}


def test_the_last_line_says_what_to_open(made, capsys):
    made.again("--explorer")
    assert capsys.readouterr().out.splitlines()[-1].endswith(str(output_path(made.output, "page_index")))
    made.again()
    assert "index.html" not in capsys.readouterr().out


def test_page_is_made_once_and_again_where_it_is_lost_or_was_changed(made):
    changed = made.page.stat().st_mtime_ns
    labels = output_path(made.output, "labels", run=RUNS[0], id=7).stat().st_mtime_ns
    for flags in (("--explorer",), ()):  # and asked for no page, what is there stays
        made.again(*flags)
        assert made.page.stat().st_mtime_ns == changed
    made.page.write_text("not a page")
    made.again("--explorer")
    assert made.page.read_text() == "a page of 2 runs"
    made.page.unlink()
    made.again("--explorer")
    assert made.page.exists()
    assert output_path(made.output, "labels", run=RUNS[0], id=7).stat().st_mtime_ns == labels


def test_page_is_made_again_with_its_scripts_inside_where_that_is_asked_for(made):
    scripts = made.page.parent / "assets"
    assert {each.name.split("-")[0] for each in scripts.iterdir()} == {"bokeh"}
    for flags in (("--explorer-standalone",), ()):
        changed = made.page.stat().st_mtime_ns
        made.again("--explorer", *flags)
        assert made.page.stat().st_mtime_ns > changed
    commands = load_record(made.output, 7, GALAXY)["commands"]
    assert commands[0].startswith("python main_clustering.py --ids 7 --methods blended_mixture kmeans --catalogs")


def test_page_that_fails_costs_no_result_and_is_tried_again(made, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(explorer, "read_galaxy", lambda *_: 1 / 0)
        made.page.unlink()
        with pytest.warns(UserWarning, match="7: no page to look at"):
            assert made.again("--explorer") == 0
        assert not made.page.exists()
        assert set(Table.read(output_path(made.output, "summary"))["status"]) == {"ok"}
    assert made.again("--explorer") == 0
    assert made.page.exists()


def test_pages_of_a_folder_are_made_again(made, capsys):
    made.page.unlink()
    assert explorer.main([str(made.output), "7"]) == 0
    assert made.page.exists()
    assert "index.html" in capsys.readouterr().out
    files = load_record(made.output, 7, GALAXY)["page_files"]
    assert made.page.relative_to(made.output).as_posix() in files
    with pytest.raises(SystemExit):
        explorer.main([str(made.output), "8"])
    assert "holds nothing of 8" in capsys.readouterr().err


def test_galaxy_without_cubes_shows_its_runs(made):
    assert made.again("--explorer", "--no-pixel-cubes") == 0
    view = read_galaxy(made.output, 7)
    assert (view.images, view.flux, view.layers[1:]) == (None, None, ())
    assert view.bands[-1] == "f444w"
    assert view.redshift == 2.0
    assert [len(run.labels) for run in view.runs] == [len(view.rows)] * 2
    assert made.page.exists()
    assert made.again("--explorer", "--pixel-cubes") == 0


def test_galaxy_without_pixels_has_a_page_that_says_so(tmp_path):
    survey, output = write_survey(tmp_path / "survey"), tmp_path / "out"
    flags = ["--ids", "10", "--methods", "kmeans", "--pictures", "none", "--explorer"]
    assert main(["--catalogs", str(survey), "--output", str(output), *flags]) == 0
    view = read_galaxy(output, 10)
    assert (len(view.rows), view.runs) == (0, ())
    assert "no pixels" in view.failed_runs["kmeans_contrast"]
    assert "No pixel of this galaxy is selected" in models_in(output_path(output, "page", id=10))
    flags += ["--no-pixel-cubes", "--overwrite"]
    assert main(["--catalogs", str(survey), "--output", str(output / "bare"), *flags]) == 0
    assert output_path(output / "bare", "page", id=10).exists()
    with pytest.raises(FileNotFoundError, match="holds nothing of galaxy 11"):
        read_galaxy(output, 11)


def test_numbers_are_written_to_two_digits_of_their_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measured(752.6, 123.0) == "753 ± 123"
        assert measured(-0.0801, 0.104) == "-0.08 ± 0.10"
        assert measured(np.nan, 1.0) == "–"
        assert spread(9e7, 1e8, 1.2e8) == "(1.00 +0.20 −0.10) 1e8"
        assert spread(0.2, 0.3, 0.5) == "0.30 +0.20 −0.10"
        assert spread(4.13, 4.13, 4.13) == "4.13"
        assert spread(np.nan, np.nan, np.nan) == "–"


def test_features_have_a_column_for_each_sed():
    features = {"cluster": ["1", "2"], "kind": ["population", "composite"], "beta": ["-2", "-1"], "d4000": ["1", "–"]}
    found = by_sed(features)
    assert found == {"feature": ["beta", "d4000"], "population 1": ["-2", "1"], "composite 2": ["-1", "–"]}
    assert by_sed({}) == {}


def test_page_says_what_speaks_against_the_run_shown_first(made):
    record = load_record(made.output, 7, RUNS[0])
    doubtful = {"misfit": "f300m", "misfit_chi2": 6.1, "bands_agree": 0.2, "bands_agree_err": 0.05, "seeds_agree": 0.9}
    doubtful |= {"distinct": 0.51, "most_mixed": "1 3"}
    before = read_galaxy(made.output, 7)
    assert not any(RUNS[0] in note for note in before.notes)
    save_record(made.output, 7, RUNS[0], **(record | {"row": record["row"] | doubtful}))
    view = read_galaxy(made.output, 7)
    assert "blended_mixture: residuals are 2.5 times the expected errors (chi2 6.1), most in F300M" in view.notes[-3]
    assert "between populations 1 and 3" in view.notes[-1]
    assert view.notes[-2] == "blended_mixture: maps of odd and even bands hardly agree (0.20 +- 0.05)"
    figures = {name.split(":")[0]: value for name, value in view.runs[0].quality.items()}
    assert figures["misfit chi2"] == "6.1: bad fit in F300M"
    assert (figures["bands agree"], figures["seeds agree"]) == ("0.200 ± 0.050", "0.90")
    assert figures["distinct"] == "0.51"
    others = {name.split(":")[0]: value for name, value in view.runs[1].quality.items()}
    assert others["bands agree"] == "–"


def test_record_of_a_version_without_the_checks_is_read(made):
    record = load_record(made.output, 7, RUNS[0])
    old = {name: value for name, value in record["row"].items() if name not in CHECKS and "misfit" not in name}
    save_record(made.output, 7, RUNS[0], **(record | {"row": old}))
    figures = {name.split(":")[0]: value for name, value in read_galaxy(made.output, 7).runs[0].quality.items()}
    assert (figures["misfit chi2"], figures["bands agree"], figures["seeds agree"]) == ("–", "–", "–")
