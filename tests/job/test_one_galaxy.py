from pathlib import Path

import numpy as np
import pytest
from planted_results import result_of

import data_paths
from helper_functions.files.records import GALAXY, recorded_runs
from helper_functions.job.one_galaxy import GalaxyStore, run_fingerprints
from helper_functions.job.settings import SETTINGS
from helper_functions.products.exports import write_exports
from helper_functions.products.results import GalaxyResult
from helper_functions.products.runs import Run
from helper_functions.quality.compare_runs import agreement
from main_clustering import settings_block
from prepare_images import cutout_to_fits

RUN = Run("kmeans", "L2", "euclidean")
ELSE = {  # another value for each setting
    **{"id_dr3_list": [5], "snr_thresh": 4.0, "include_neighbours": True, "redshift_tolerance": 0.1, "margin": 3},
    **{"confidence": 0.5},
    **{"errors": "stated", "background": "none", "snr_errors": "stated", "registration": "measured"},
    **{"methods_to_run": ["kmeans"], "norm": ["sed"], "metric": ["noise"], "features": ["oii"], "polynomial_degree": 2},
    **{"n_clusters": 3, "criterion": "bic", "criteria_shown": [], "seed": 1, "figure_format": "pdf", "dpi": 60},
    **{"export": ["eazy"], "error_floor": 0.05},
    **{"pictures": "few", "pixel_cubes": False, "snr_bands": {"f444w": 5.0}},
    **{"neighbours_added": {7: [8]}, "neighbours_excluded": {7: [9]}, "redshifts": {7: 2.0}},
    **{"jobs": 2, "memory_limit": 1.0, "catalogs": "a", "output": "b", "scheduler": "c", "overwrite": True},
    **{"select": "z_50 > 1", "dry_run": True},
    **{"fit": True, "fit_sfh": "nonparametric", "fit_priors": {"a_v": (0, 1)}, "fit_redshift": "catalog"},
    **{"magnification": 2.0, "explorer": False},
    **{"survey": "jades", "check": True},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_another_value_of_a_setting_is_another_digest_unless_it_changes_nothing(name):
    settings = settings_block()
    both = settings, settings._replace(**{name: ELSE[name]})
    first, other = (run_fingerprints("files", each, [RUN]).of(7, each) for each in both)
    # What is listed here was looked at: it is part of the run, of the files, or of the record, or how work is done.
    harmless = (
        "id_dr3_list select methods_to_run norm metric criteria_shown export error_floor figure_format dpi jobs "
        "catalogs output scheduler overwrite fit fit_sfh fit_priors fit_redshift magnification "
        "explorer pictures pixel_cubes survey check dry_run"
    )
    assert (first.runs == other.runs) == (name in harmless.split())
    of_pixels = (
        "errors",
        "background",
        "registration",
        "snr_thresh",
        "snr_errors",
        "include_neighbours",
        "redshift_tolerance",
        "margin",
        "snr_bands",
        "neighbours_added",
        "neighbours_excluded",
        "redshifts",
    )
    assert (first.pixels == other.pixels) == (name not in of_pixels)


def test_settings_for_one_galaxy_change_no_other():
    settings = settings_block()
    others = settings._replace(redshifts={7: 2.0}, neighbours_added={7: [8]}, neighbours_excluded={7: [9]})
    first, other = (run_fingerprints("files", each, [RUN]) for each in (settings, others))
    assert first.of(7, settings) != other.of(7, others)
    assert first.of(8, settings) == other.of(8, others)


def test_other_files_or_another_run_are_another_digest():
    settings, other = settings_block(), RUN._replace(norm="sed")
    first = run_fingerprints("files", settings, [RUN, other])
    assert first.runs[RUN] != first.runs[other]
    assert run_fingerprints("other files", settings, [RUN]).runs[RUN] != first.runs[RUN]


@pytest.fixture
def saved(two_shapes, tmp_path):
    """A function that gives the store of galaxy 7 with other settings, and the one by which kmeans was saved."""
    base = settings_block()._replace(output=str(tmp_path), n_clusters=2, dpi=30)

    def store_with(runs=(RUN,), **others):
        settings = base._replace(**others)
        return GalaxyStore(7, settings, run_fingerprints("files", settings, runs), list(runs))

    store = store_with()
    store.begin()
    store.save_run(result_of(two_shapes, "kmeans", "euclidean"), lambda: 1.5)
    return store_with, store


def save_galaxy(store, two_shapes):
    result = result_of(two_shapes, "kmeans", "euclidean")
    mask = result.labels != 0
    found = agreement([RUN.name], [result.labels])
    maps = {"d4000": (np.ones(mask.shape), np.ones(mask.shape))}
    galaxy = GalaxyResult(result.cutout, mask, np.ones(mask.shape), 3.0, agreement=found, maps=maps)
    store.save_galaxy(galaxy, cutout_to_fits(result.cutout, mask, store.settings))


def test_what_was_saved_is_done_and_its_row_says_with_what(saved):
    _, store = saved
    row = store.done_row(RUN)
    assert (row["status"], row["seconds"], row["pictures"]) == ("ok", 1.5, "cluster_map composites")
    assert (row["snr_thresh"], row["n_asked"], row["seed"]) == (3.0, "2", 0)
    assert row["settings"] == store.asked.runs[RUN]


@pytest.mark.parametrize("others", [{"n_clusters": 3}, {"overwrite": True}, {"figure_format": "pdf"}, {"seed": 4}])
def test_asked_otherwise_it_is_not_done(others, saved):
    store_with, _ = saved
    assert store_with(**others).done_row(RUN) is None
    assert store_with(jobs=2, id_dr3_list=[8]).done_row(RUN) is not None


def test_any_file_that_is_damaged_makes_it_not_done(saved, two_shapes):
    _, store = saved
    paths = [
        data_paths.clusters_path(store.output, RUN.name, 7),
        data_paths.composites_path(store.output, RUN.name, 7),
        data_paths.image_path(store.output, RUN.name, 7, "composites", "png"),
    ]
    for path in paths:
        path.write_bytes(path.read_bytes()[:-1])
        assert store.done_row(RUN) is None
        store.save_run(result_of(two_shapes, "kmeans", "euclidean"), lambda: 1.0)
        assert store.done_row(RUN) is not None


def test_a_save_that_is_broken_off_is_not_done_and_leaves_nothing_of_the_old(saved, two_shapes, monkeypatch):
    store_with, _ = saved

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("helper_functions.job.one_galaxy.save_table", killed)
    other = store_with(n_clusters=3)
    with pytest.raises(KeyboardInterrupt):
        other.save_run(result_of(two_shapes, "kmeans", "euclidean"), lambda: 1.0)
    assert store_with().done_row(RUN) is None  # the labels are the new ones already
    assert other.done_row(RUN) is None
    assert not list(Path(other.output).rglob("images/*/7_*"))
    assert not list(Path(other.output).rglob("*.partial"))


def test_a_failure_never_replaces_what_holds(saved):
    store_with, _ = saved
    failing = store_with(n_clusters=3)
    row = failing.save_failure(RUN, MemoryError("no memory"))
    assert (row["status"], row["message"]) == ("failed", "MemoryError: no memory")
    assert store_with().done_row(RUN) is not None
    (run, kept), *_ = failing.valid_runs()
    assert (run, kept["status"]) == (RUN, "ok")
    # The control: where there is nothing that holds, the failure is what is recorded.
    data_paths.clusters_path(failing.output, RUN.name, 7).unlink()
    failing.save_failure(RUN, MemoryError("no memory"))
    assert failing.valid_runs() == []
    assert recorded_runs(failing.output, 7) == [RUN.name]


def test_runs_of_other_pixels_are_removed(saved, two_shapes):
    store_with, store = saved
    save_galaxy(store, two_shapes)
    other = store_with(snr_thresh=9.0)
    assert other.valid_runs() == []
    other.begin()
    assert recorded_runs(other.output, 7) == []
    assert not data_paths.clusters_path(other.output, RUN.name, 7).exists()
    assert not data_paths.consensus_path(other.output, 7).exists()
    assert not data_paths.feature_maps_path(other.output, 7).exists()


def test_exports_of_a_run_go_with_it(saved, two_shapes):
    _, store = saved
    write_exports(store.output, RUN.name, 7, ["eazy"])
    assert len(list(Path(store.output, "exports/eazy", RUN.name).iterdir())) == 6  # three files, of total and per pixel
    assert store.done_row(RUN) is not None
    store.save_run(result_of(two_shapes, "kmeans", "euclidean"), lambda: 1.0)
    assert not list(Path(store.output, "exports/eazy", RUN.name).iterdir())


def test_a_galaxy_is_complete_with_its_cubes_its_pictures_and_all_runs_that_hold(saved, two_shapes):
    store_with, store = saved
    assert not store.is_complete()
    save_galaxy(store, two_shapes)
    assert store.is_complete()
    assert not store_with(figure_format="pdf").is_complete()
    for path in (
        data_paths.image_path(store.output, "overview", 7, "overview", "png"),
        data_paths.agreement_path(store.output, 7),
        data_paths.consensus_path(store.output, 7),
        data_paths.feature_maps_path(store.output, 7),
    ):
        path.write_bytes(b"")
        assert not store.is_complete()
        save_galaxy(store, two_shapes)
        assert store.is_complete()
    both = store_with(runs=(RUN, Run("gaussian_mixture", "L2", "euclidean")))
    both.save_run(result_of(two_shapes, "gaussian_mixture", "euclidean"), lambda: 1.0)
    assert not both.is_complete()  # a run more than the comparison shows
    assert store._record(GALAXY)["panels"][0][0] == RUN.name


def test_fewer_pictures_than_there_are_ask_for_nothing_and_more_ask_for_all(saved, two_shapes):
    store_with, _ = saved
    few = store_with(pictures="few")
    assert few.done_row(RUN) is not None
    row = few.save_run(result_of(two_shapes, "kmeans", "euclidean"), lambda: 1.5)
    assert row["pictures"] == "cluster_map"
    save_galaxy(few, two_shapes)
    folders = sorted(path.name for path in (Path(few.output) / "images").iterdir() if list(path.iterdir()))
    assert folders == [RUN.name]  # a comparison of nothing is not drawn
    for amount, enough in (("none", True), ("few", True), ("all", False)):
        store = store_with(pictures=amount)
        assert (store.done_row(RUN) is not None, store.is_complete()) == (enough, enough)


def test_a_galaxy_can_do_without_the_cubes(saved, two_shapes):
    store_with, store = saved
    save_galaxy(store, two_shapes)
    without = store_with(pixel_cubes=False)
    assert not without.is_complete()
    without.begin()
    save_galaxy(without, two_shapes)
    assert without.is_complete()
    assert not data_paths.pixels_path(store.output, 7).exists()
    assert not store.is_complete()


def test_criteria_are_shown_for_the_first_run_where_one_chooses(saved):
    store_with, _ = saved
    other = Run("dbscan", "L2", "euclidean")
    store = store_with(runs=(RUN, other), n_clusters="auto", criteria_shown=["bic"])
    assert (store.criteria(RUN), store.criteria(other)) == (["bic"], [])
    assert store_with(criteria_shown=["bic"]).criteria(RUN) == []  # the number is given
    assert store_with(n_clusters="auto", criteria_shown=["bic"], pictures="few").criteria(RUN) == []  # and not drawn
    assert store_with(runs=(other, RUN), n_clusters="auto").criteria(other) == []  # it finds the number by itself


def test_a_run_that_comes_first_now_is_done_again_unless_it_was_checked(saved, two_shapes):
    store_with, _ = saved
    other = Run("gaussian_mixture", "L2", "euclidean")
    second = store_with(runs=(other, RUN))
    second.save_run(result_of(two_shapes, "kmeans", "euclidean"), lambda: 1.0)
    assert second.done_row(RUN) is not None
    first = store_with(runs=(RUN, other))
    assert first.done_row(RUN) is None
    first.save_run(result_of(two_shapes, "kmeans", "euclidean"), lambda: 1.0)
    assert first.done_row(RUN) is not None
    assert second.done_row(RUN) is not None
