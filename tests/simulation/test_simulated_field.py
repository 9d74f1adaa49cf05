import filecmp

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import data_paths
from data_paths import new_image_path
from helper_functions.pixel_seds import median_snr, select_pixels
from helper_functions.simulation.simulated_field import demo_field, main
from main_clustering import main as main_job
from prepare_images import cut_out, open_survey

SMALL = "--radius 6 --bands f606w f115w f200w f277w f444w".split()


@pytest.fixture
def field(tmp_path):
    """A field with one clumpy galaxy, 46339."""
    assert main([str(tmp_path / "field"), *SMALL, "--seed", "1"]) == 0
    return tmp_path / "field"


def test_the_pipeline_reads_it_as_it_reads_the_survey(field):
    survey = open_survey(field, [46339])
    assert survey.bands == ("f606w", "f115w", "f200w", "f277w", "f444w")
    cutout = cut_out(survey, 46339, margin=25, include_neighbours=True)
    assert cutout.members == (46339, 146339)  # 246339 lies at another redshift
    assert 246339 in cutout.segmap
    assert select_pixels(cutout, median_snr(cutout), 3).sum() > 100


def test_truth_lies_beside_it_in_the_same_frame(field):
    with fits.open(field / data_paths.SIMULATED_TRUTH) as truth:
        region, share = truth["REGION"].data, truth["SHARE"].data
        seds, populations = Table(truth["SEDS"].data), Table(truth["POPULATIONS"].data)
    segmap = fits.getdata(field / data_paths.SEGMAP)
    assert ((region > 0) == (segmap == 46339)).all()
    assert (np.isfinite(share) == (region > 0)).all()
    assert len(populations) == 4
    assert len(seds) == 4 * 5
    # The purest of the bright pixels looks like the SED of its region.
    bands = list(seds["band"][:5])
    sci = np.array([fits.getdata(new_image_path(field, band, "sci")) for band in bands])
    bright = (region > 0) & (sci.mean(axis=0) > 0.3 * sci.mean(axis=0)[region > 0].max())
    row, col = np.unravel_index(np.argmax(np.where(bright, share, 0)), region.shape)
    true_sed = np.array(seds["flux"][seds["region"] == region[row, col]])
    seen = sci[:, row, col]
    assert seen @ true_sed / np.linalg.norm(seen) / np.linalg.norm(true_sed) > 0.97


def test_a_corner_has_no_coverage(field):
    weight = fits.getdata(new_image_path(field, "f444w", "wht"))
    assert (weight[-1, -20:] == 0).all()
    assert (weight[:20, :20] > 0).all()


def test_weights_are_the_noise(field):
    sci, weight = (fits.getdata(new_image_path(field, "f444w", kind)) for kind in ("sci", "wht"))
    sky = (fits.getdata(field / data_paths.SEGMAP) == 0) & (weight > 0)
    # Robust, as wings of the galaxies reach beyond the segments; 10% for these wings.
    scatter = 1.4826 * np.median(np.abs(sci[sky] - np.median(sci[sky])))
    assert scatter * np.sqrt(weight[0, 0]) == pytest.approx(1, abs=0.1)


def test_catalog_fluxes_are_sums_over_segments(field):
    catalog = Table.read(field / data_paths.SUPER_CATALOG)
    segmap = fits.getdata(field / data_paths.SEGMAP)
    sci = fits.getdata(new_image_path(field, "f277w", "sci"))
    for row in catalog:
        assert row["f_f277w"] == pytest.approx(sci[segmap == row["id"]].sum(), rel=1e-4)
    assert "f_alma" in catalog.colnames


def test_the_same_command_gives_the_same_bytes(field, tmp_path):
    assert main([str(tmp_path / "again"), *SMALL, "--seed", "1"]) == 0
    names = sorted(path.relative_to(field).as_posix() for path in field.rglob("*.fits"))
    assert len(names) == 4 + 10
    match, mismatch, errors = filecmp.cmpfiles(field, tmp_path / "again", names, shallow=False)
    assert (sorted(match), mismatch, errors) == (names, [], [])


def test_nothing_is_overwritten_unasked(field, tmp_path, capsys):
    before = (field / data_paths.SIMULATED_TRUTH).read_bytes()
    assert main([str(field), *SMALL, "--seed", "2"]) == 2
    assert "holds a simulated field already" in capsys.readouterr().err
    assert (field / data_paths.SIMULATED_TRUTH).read_bytes() == before
    assert main([str(field), *SMALL, "--seed", "2", "--overwrite"]) == 0
    assert (field / data_paths.SIMULATED_TRUTH).read_bytes() != before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    assert main([str(tmp_path / "other"), *SMALL, "--overwrite"]) == 2
    assert "holds data that is not a simulated field" in capsys.readouterr().err
    assert (tmp_path / "other" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe", "spiral"], "error: unknown recipe 'spiral'"),
        (["--redshift", "9"], "error: age of a population must be"),
        (["--bands", "f444w", "f277w"], "error: a galaxy needs at least 3 bands"),
        (["--engine", "galaxev"], "error: unknown engine 'galaxev'"),
        (["--ids", "1", "2"], "error: want one id for each of 1 galaxies"),
    ],
)
def test_what_cannot_be_made_leaves_no_folder(flags, message, tmp_path, capsys):
    assert main([str(tmp_path / "field"), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "field").exists()


def test_demo_runs_without_any_data(monkeypatch, capsys, tmp_path):
    small = [{"recipe": "merger", "radius": 6.0, "bands": ("f606w", "f115w", "f200w", "f444w")}] * 3
    monkeypatch.setattr("helper_functions.simulation.simulated_field.DEMO_GALAXIES", small)
    call = ["--methods", "kmeans", "--n-clusters", "2", "--pictures", "none", "--output", str(tmp_path / "out")]
    assert main_job(call) == 0
    printed = capsys.readouterr().out
    assert "no survey data configured" in printed
    assert all(f"{id_dr3}: " in printed for id_dr3 in (46339, 44283, 30804))
    made = demo_field(data_paths.cache_folder())
    times = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    assert main_job(call) == 0  # simulated once
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == times
