import pytest
from astropy.io import fits

import data_paths
from helper_functions.job.resume import is_complete, is_done, run_fingerprint
from helper_functions.job.runs import Run
from helper_functions.job.settings import SETTINGS
from helper_functions.job.summary import failed_row
from main_clustering import settings_block

RUN = Run("kmeans", "L2", "euclidean")
ELSE = {  # another value for each setting
    **{"id_dr3_list": [5], "snr_thresh": 4.0, "include_neighbours": True, "redshift_tolerance": 0.1, "margin": 3},
    **{"methods_to_run": ["kmeans"], "norm": ["sed"], "metric": ["noise"], "features": ["oii"], "polynomial_degree": 2},
    **{"n_clusters": 3, "criterion": "bic", "criteria_shown": [], "seed": 1, "figure_format": "pdf", "dpi": 60},
    **{"jobs": 2, "memory_limit": 1.0, "catalogs": "a", "output": "b", "scheduler": "c", "overwrite": True},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_another_value_of_a_setting_is_another_fingerprint_unless_it_changes_no_result(name):
    settings = settings_block()
    other = settings._replace(**{name: ELSE[name]})
    same = run_fingerprint("files", settings, RUN) == run_fingerprint("files", other, RUN)
    # What is listed here was looked at: each is part of the run, of the files, or of how the work is done.
    harmless = "id_dr3_list methods_to_run norm metric figure_format dpi jobs catalogs output scheduler overwrite"
    assert same == (name in harmless.split())


def test_other_files_or_another_run_are_another_fingerprint():
    first = run_fingerprint("files", settings_block(), RUN)
    assert run_fingerprint("other files", settings_block(), RUN) != first
    assert run_fingerprint("files", settings_block(), RUN._replace(norm="sed")) != first


@pytest.fixture
def done(tmp_path):
    """Settings, and the row of a run whose files are there, with the fingerprint "abc"."""
    settings = settings_block()._replace(output=tmp_path)
    row = failed_row(7, RUN, "", "ok") | {"pictures": "cluster_map composites"}
    paths = [data_paths.image_path(tmp_path, RUN.name, 7, name, "png") for name in row["pictures"].split()]
    paths.append(data_paths.composites_path(tmp_path, RUN.name, 7))
    labels = data_paths.clusters_path(tmp_path, RUN.name, 7)
    for path in (*paths, labels):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    fits.PrimaryHDU(header=fits.Header({"CONFIG": "abc"})).writeto(labels, overwrite=True)
    return settings, row, paths


def test_done_is_what_is_there_and_was_made_just_so(done):
    settings, row, paths = done
    assert is_done(row, settings, RUN, "abc")
    assert not is_done(None, settings, RUN, "abc")
    assert not is_done(row, settings, RUN, "another")
    assert not is_done(row | {"status": "failed"}, settings, RUN, "abc")
    assert not is_done(row, settings._replace(overwrite=True), RUN, "abc")
    assert not is_done(row, settings._replace(figure_format="pdf"), RUN, "abc")
    for path in paths:
        path.unlink()
        assert not is_done(row, settings, RUN, "abc")
        path.write_text("")


def test_a_galaxy_is_complete_with_its_cubes_and_pictures(tmp_path):
    settings = settings_block()._replace(output=tmp_path)
    paths = [data_paths.pixels_path(tmp_path, 7)]
    paths += [data_paths.image_path(tmp_path, name, 7, name, "png") for name in ("overview", "comparison")]
    for path in paths:
        assert not is_complete(settings, 7)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert is_complete(settings, 7)
