import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import BANDS, image_path

import data_paths
from data_paths import output_path
from helper_functions.products.pictures import GALAXY_PICTURES, RUN_PICTURES
from helper_functions.simulation.other_layouts import main
from main_clustering import main as main_job
from prepare_images import cut_out, open_survey

MAS = 30


@pytest.fixture
def field(survey_folder, monkeypatch):
    """The small field with pixels of 30 mas. Pictures, which take longer than all else, are left out."""
    for pictures in (RUN_PICTURES, GALAXY_PICTURES):
        for name in list(pictures):
            monkeypatch.delitem(pictures, name)
    for path in [survey_folder / data_paths.SEGMAP, *survey_folder.glob("psf_matched/*")]:
        for axis, sign in ((1, -1), (2, 1)):
            fits.setval(path, f"CDELT{axis}", value=sign * MAS / 3.6e6)
    return survey_folder


def clustered(folder, survey, output):
    """Labels, and fluxes and errors of the cutout, after a run of the main job."""
    asked = ["--ids", "7", "--methods", "kmeans", "--n-clusters", "2", "--dpi", "30", "--criteria-shown"]
    assert main_job([*asked, "--survey", survey, "--catalogs", str(folder), "--output", str(output)]) == 0
    (row,) = Table.read(output_path(output, "summary"))
    assert row["status"] == "ok"
    (labels,) = (fits.getdata(path) for path in output.glob("clusters/*/7_clusters.fits"))
    with fits.open(output_path(output, "pixels", id=7)) as hdus:
        cubes = {name: hdus[name].data for name in ("SCI", "ERR")}
        return labels, cubes, hdus["BANDS"].data["band"].tolist(), hdus[0].header["Z50"]


def test_a_galaxy_is_the_same_in_every_layout(field, tmp_path, capsys, monkeypatch):
    """Extensions or files, errors or weights, MJy/sr or nJy: the same pixels to 32 bits, and the same labels."""
    labels, cubes, bands, redshift = clustered(field, "uncover", tmp_path / "out_uncover")
    assert labels.max() == 2
    units = {"jades": f"MJy/sr = {1e14 * np.radians(MAS / 3.6e6) ** 2:.4g} x 10 nJy", "ceers": "nJy = 0.1 x 10 nJy"}
    for survey, unit in units.items():
        assert main([str(field), str(tmp_path / survey), "--survey", survey]) == 0
        again, cubes_again, *others = clustered(tmp_path / survey, survey, tmp_path / f"out_{survey}")
        np.testing.assert_array_equal(again, labels)
        # Rounded to 32 bits twice; fluxes near 0 as the background is taken off.
        np.testing.assert_allclose(cubes_again["SCI"], cubes["SCI"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(cubes_again["ERR"], cubes["ERR"], rtol=1e-5)
        assert others == [bands, redshift]
        capsys.readouterr()
        assert main_job(["--check", "--survey", survey, "--catalogs", str(tmp_path / survey)]) == 0
        printed = capsys.readouterr().out
        assert printed.count(unit) == printed.count(f"{MAS} mas as segmap") == len(BANDS)
    # Weights and variances, in extensions and in files of their own.
    raw = cut_out(open_survey(field, [7], "uncover"), 7, margin=5)
    for kind, pattern in (("wht", "{band}.fits"), ("var", "{band}_{kind}.fits")):
        described = data_paths.SURVEYS["ceers"]._replace(error_map=kind, image_pattern=pattern)
        monkeypatch.setitem(data_paths.SURVEYS, kind, described)
        assert main([str(field), str(tmp_path / kind), "--survey", kind, "--unit", "uJy"]) == 0
        other = cut_out(open_survey(tmp_path / kind, [7], kind), 7, margin=5)
        np.testing.assert_allclose(other.sci, raw.sci, rtol=1e-6)
        np.testing.assert_allclose(other.err, raw.err, rtol=1e-6)
    # Of another layout, nothing is read silently.
    assert main_job(["--survey", "ceers", "--catalogs", str(tmp_path / "jades")]) == 2
    assert "want one file ceers_*_photometry.fits" in capsys.readouterr().err


def test_a_field_is_not_written_over(field, capsys):
    assert main([str(field), str(field)]) == 2
    assert "exists" in capsys.readouterr().err
    assert image_path(field, "f444w").exists()
