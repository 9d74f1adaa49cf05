from pathlib import Path

import numpy as np
import pytest
from planted_results import result_of

from data_paths import output_path
from helper_functions.files import code
from helper_functions.files.records import GALAXY, load_record, recorded_runs
from helper_functions.job.galaxy_records import run_fingerprints
from helper_functions.job.one_galaxy import Galaxy
from helper_functions.job.setting_values import GalaxySettings
from helper_functions.job.settings import CLUSTERING, PIXELS
from helper_functions.number_of_clusters import Scores
from helper_functions.products.exports import write_exports
from helper_functions.products.runs import OWN_RUN, RECOMMENDED_RUN, Run
from main_clustering import settings_block

RUN, OTHER = Run("kmeans", "L2", "euclidean"), Run("gaussian_mixture", "L2", "euclidean")
ELSE = {  # another value for each setting that decides pixels or labels
    **{"errors": "stated", "background": "none", "registration": "measured", "snr_thresh": 4.0, "snr_errors": "stated"},
    **{"include_neighbours": True, "redshift_tolerance": 0.1, "snr_bands": {"f444w": 5.0}, "margin": 3, "bin_snr": 5.0},
    **{"features": ["oii"], "polynomial_degree": 2, "n_clusters": 3, "criterion": "bic", "confidence": 0.5, "seed": 1},
    **{"memory_limit": 1.0},
}


def fingerprints(settings, runs=(RUN,), files="files"):
    return run_fingerprints(files, settings.pixels, settings.clustering, runs)


@pytest.mark.parametrize("name", [*PIXELS, *CLUSTERING])
def test_another_value_is_another_fingerprint_of_labels_and_for_some_of_pixels(name):
    settings = settings_block()
    first, other = fingerprints(settings), fingerprints(settings.changed(**{name: ELSE[name]}))
    assert first.runs != other.runs
    assert (first.pixels != other.pixels) == (name in PIXELS)


def test_how_the_work_is_done_is_in_no_fingerprint():
    settings = settings_block()
    others = settings.changed(jobs=2, pictures="none", dpi=60, fit=True, id_dr3_list=[5], output="b", explorer=False)
    assert fingerprints(settings) == fingerprints(others)


def test_settings_of_one_galaxy_change_no_other_and_its_magnification_changes_no_labels():
    first = fingerprints(settings_block())
    assert first.of_galaxy(GalaxySettings()) == first
    assert first.of_galaxy(GalaxySettings(magnification=2.0)) == first
    for own in (GalaxySettings(redshift=2.0), GalaxySettings(neighbours_added=(8,))):
        assert first.of_galaxy(own).pixels != first.pixels
        assert first.of_galaxy(own).runs != first.runs


def test_another_file_of_own_regions_changes_the_run_of_these_and_no_other(tmp_path):
    first, path = fingerprints(settings_block(), [RUN, OWN_RUN]), tmp_path / "my.reg"
    assert first.of_galaxy(GalaxySettings(), path) == first  # there is no such file
    path.write_text("icrs\n")
    one = first.of_galaxy(GalaxySettings(), path)
    path.write_text("fk5\n")
    other = first.of_galaxy(GalaxySettings(), path)
    assert len({each.runs[OWN_RUN] for each in (first, one, other)}) == 3
    assert {each.runs[RUN] for each in (one, other)} == {first.runs[RUN]}


def test_other_files_or_another_run_are_another_fingerprint():
    settings = settings_block()
    first = fingerprints(settings, [RUN, OTHER])
    assert first.runs[RUN] != first.runs[OTHER]
    assert fingerprints(settings, files="other files").runs[RUN] != first.runs[RUN]


# ---- a galaxy on disk -------------------------------------------------------


class Planted:
    """Galaxy 7 in an output folder, and results of two runs that it may be given."""

    def __init__(self, two_shapes, output):
        self.results = {run: result_of(two_shapes, run.method, "euclidean") for run in (RUN, OTHER)}
        self.base = settings_block().changed(output=str(output), n_clusters=2, dpi=30, pictures="none")

    def galaxy(self, runs=(RUN,), **changed):
        settings = self.base.changed(**changed)
        return Galaxy(None, 7, settings, fingerprints(settings, runs), list(runs))

    def begin(self, galaxy):
        cutout = self.results[RUN].cutout
        mask = self.results[RUN].labels != 0
        galaxy.begin(cutout, mask, np.ones(mask.shape))

    def save(self, galaxy, run=RUN):
        found = self.results[run]
        with galaxy.recording(run):
            galaxy.save_run(run, found.seds, found.clustering, found.composites, found.populations, found.quality)

    def make(self, *runs, **changed):
        """Do what is to be done of a galaxy, as a call would; return the names of the runs that it clustered."""
        galaxy = self.galaxy(runs or (RUN,), **changed)
        self.begin(galaxy)
        clustered = galaxy.runs_to_do()
        for run in clustered:
            self.save(galaxy, run)
        galaxy.finish(self.results[RUN].seds)
        return clustered

    def path(self, name, **parts):
        return output_path(self.base.output.output, name, id=7, **parts)


@pytest.fixture
def planted(two_shapes, tmp_path):
    return Planted(two_shapes, tmp_path)


def test_what_was_saved_is_done_and_its_row_says_with_what(planted):
    planted.make(pictures="all")
    galaxy = planted.galaxy(pictures="all")
    row = galaxy.done_row(RUN)
    assert (row["status"], row["pictures"]) == ("ok", "cluster_map composites features")
    assert (row["snr_thresh"], row["n_asked"], row["seed"]) == (3.0, "2", 0)
    assert row["settings"] == galaxy.fingerprints.runs[RUN]
    assert galaxy.is_drawn(RUN)
    assert galaxy.is_complete()


@pytest.mark.parametrize("changed", [{"n_clusters": 3}, {"overwrite": True}, {"seed": 4}, {"snr_thresh": 9.0}])
def test_asked_otherwise_it_is_not_done(changed, planted):
    planted.make()
    assert planted.galaxy(**changed).runs_to_do() == [RUN]
    assert planted.galaxy(jobs=2, id_dr3_list=[8]).is_complete()


def test_any_file_that_is_damaged_is_made_again(planted):
    planted.base = planted.base.changed(pictures="few")
    planted.make()
    place = {"run": RUN.name}
    results = [planted.path("labels", **place), planted.path("composites", **place)]
    pictures = [
        planted.path("run_picture", picture="cluster_map", format="png", **place),
        planted.path("galaxy_picture", picture="comparison", format="png"),
    ]
    others = [planted.path(name) for name in ("agreement", "consensus", "pixels")]
    for path in (*results, *pictures, *others):
        whole = path.stat().st_size
        path.write_bytes(path.read_bytes()[:-1])
        assert not planted.galaxy().is_complete()
        assert (planted.make() == [RUN]) == (path in results)  # the others need no clustering
        assert path.stat().st_size == pytest.approx(whole, rel=0.01)
        assert planted.galaxy().is_complete()


@pytest.mark.parametrize(
    ("changed", "pictures"),
    [
        ({"figure_format": "pdf", "pictures": "few"}, "cluster_map"),
        ({"pictures": "all"}, "cluster_map composites features"),
    ],
)
def test_pictures_are_drawn_again_without_clustering(changed, pictures, planted):
    planted.make(pictures="few")
    assert not planted.galaxy(**changed).is_complete()
    assert planted.make(**changed) == []
    galaxy = planted.galaxy(**changed)
    assert galaxy.is_complete()
    assert galaxy.done_row(RUN)["pictures"] == pictures
    assert not list(Path(galaxy.output).rglob("images/*/*.png")) or changed == {"pictures": "all"}


def test_a_picture_that_is_drawn_again_is_the_same(planted, monkeypatch):
    planted.base = planted.base.changed(pictures="few")
    planted.make(OTHER)
    paths = sorted(planted.path("run_picture", run=OTHER.name, picture="*", format="*").parent.glob("7_*"))
    before = {path: path.read_bytes() for path in paths}
    labels = planted.path("labels", run=OTHER.name)
    stamp = labels.stat().st_mtime_ns
    monkeypatch.setitem(code.CODE, "pictures", ("plots/cluster_map.py",))  # as if pictures were drawn by other code
    code.code_digest.cache_clear()
    assert not planted.galaxy((OTHER,)).is_drawn(OTHER)
    assert planted.make(OTHER) == []
    assert labels.stat().st_mtime_ns == stamp
    assert {path: path.read_bytes() for path in paths} == before
    assert planted.galaxy((OTHER,)).is_complete()
    monkeypatch.undo()
    code.code_digest.cache_clear()


def test_a_save_that_is_broken_off_is_not_done_and_leaves_nothing_of_the_old(planted, monkeypatch):
    planted.make()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("helper_functions.job.one_galaxy.save_table", killed)
    other = planted.galaxy(n_clusters=3)
    planted.begin(other)
    with pytest.raises(KeyboardInterrupt):
        planted.save(other)
    assert planted.galaxy().runs_to_do() == [RUN]  # the labels are the new ones already
    assert planted.galaxy(n_clusters=3).runs_to_do() == [RUN]
    assert not list(Path(other.output).rglob("images/*/7_*"))
    assert not list(Path(other.output).rglob("*.partial"))


def test_a_run_that_fails_is_recorded_and_ends_no_other(planted):
    galaxy = planted.galaxy()
    planted.begin(galaxy)
    with galaxy.recording(RUN):
        raise MemoryError("no memory")
    assert (galaxy.rows[RUN]["status"], galaxy.rows[RUN]["message"]) == ("failed", "MemoryError: no memory")
    assert planted.galaxy().runs_to_do() == [RUN]


def test_a_number_that_a_crash_replaced_is_found_again(planted):
    found = planted.results[RUN]
    for is_final in (True, False):
        planted.results[RUN] = found._replace(clustering=found.clustering._replace(is_final=is_final))
        planted.make(overwrite=True)
        assert planted.galaxy().runs_to_do() == ([] if is_final else [RUN])


def test_the_recommended_number_is_read_only_from_a_record_that_is_current(planted):
    scores, none = Scores(np.array([1.0, np.nan]), 1, "axis", np.array([0.0, 1])), object()
    galaxy = planted.galaxy((RECOMMENDED_RUN,))
    clustering = planted.results[RUN].clustering._replace(scores={"tic": scores})
    planted.results[RECOMMENDED_RUN] = planted.results[RUN]._replace(run=RECOMMENDED_RUN, clustering=clustering)
    assert galaxy.recommended_scores(lambda: none)() is none
    planted.make(RECOMMENDED_RUN)
    found = galaxy.recommended_scores(lambda: none)()
    assert (found.chosen, found.meaning, found.k_range) == (1, "axis", (1, 1))
    np.testing.assert_array_equal(found.values, scores.values)
    assert planted.galaxy((RECOMMENDED_RUN,), seed=4).recommended_scores(lambda: none)() is none


@pytest.mark.parametrize("changed", [{"n_clusters": 3}, {"figure_format": "pdf"}, {"snr_thresh": 9.0}])
def test_a_comparison_depends_on_what_it_is_made_from(changed, planted):
    first, other = (planted.galaxy(**each).comparison_fingerprint("number", "kmeans") for each in ({}, changed))
    assert first != other


def test_a_failure_never_replaces_what_is_valid(planted):
    planted.make()
    failing = planted.galaxy(n_clusters=3)
    failing.save_failure(RUN, MemoryError("no memory"))
    assert planted.galaxy().runs_to_do() == []
    (run, kept), *_ = failing.valid_runs()
    assert (run, kept["status"]) == (RUN, "ok")
    # The control: where nothing is valid, the failure is what is recorded.
    planted.path("labels", run=RUN.name).unlink()
    failing.save_failure(RUN, MemoryError("no memory"))
    assert failing.valid_runs() == []
    assert recorded_runs(failing.output, 7) == [RUN.name]


def test_runs_of_other_pixels_are_removed(planted):
    planted.make()
    other = planted.galaxy(snr_thresh=9.0)
    assert other.valid_runs() == []
    planted.begin(other)
    assert recorded_runs(other.output, 7) == []
    assert not planted.path("labels", run=RUN.name).exists()
    assert not planted.path("consensus").exists()
    assert not planted.path("feature_maps").exists()


def test_exports_of_a_run_go_with_it(planted):
    planted.make()
    folder = planted.path("export", code="eazy", run=RUN.name, content="").parent
    write_exports(planted.base.output.output, RUN.name, 7, ["eazy"])
    assert len(list(folder.iterdir())) == 6  # three files, of total and per pixel
    assert planted.galaxy().runs_to_do() == []
    planted.make(seed=4)
    assert not list(folder.iterdir())


def test_a_run_more_makes_the_comparison_again(planted):
    planted.make()
    both = planted.galaxy((RUN, OTHER))
    assert both.runs_to_do() == [OTHER]
    assert not both.is_complete()
    assert planted.make(RUN, OTHER) == [OTHER]
    compared = load_record(both.output, 7, GALAXY)["panels"]
    assert [name for name, _ in compared] == [RUN.name, OTHER.name]


def test_fewer_pictures_than_there_are_ask_for_nothing(planted):
    planted.make(pictures="all")
    for amount in ("none", "few", "all"):
        assert planted.galaxy(pictures=amount).is_complete()
    planted.make(seed=4, pictures="few")
    for amount, enough in (("none", True), ("few", True), ("all", False)):
        assert planted.galaxy(seed=4, pictures=amount).is_complete() == enough


def test_a_galaxy_can_do_without_the_cubes(planted):
    planted.make()
    assert not planted.galaxy(pixel_cubes=False).is_complete()
    planted.make(pixel_cubes=False)
    assert planted.galaxy(pixel_cubes=False).is_complete()
    assert not planted.path("pixels").exists()
    assert not planted.galaxy().is_complete()


def test_criteria_are_shown_for_the_first_run_where_one_chooses(planted):
    dbscan = Run("dbscan", "L2", "euclidean")

    def shown(runs, run, **changed):
        return planted.galaxy(runs, criteria_shown=["bic"], **changed).criteria(run)

    drawn = {"n_clusters": "auto", "pictures": "all"}
    assert shown((RUN, dbscan), RUN, **drawn) == ["bic"]
    assert shown((RUN, dbscan), dbscan, **drawn) == []
    assert shown((RUN,), RUN, pictures="all") == []  # the number is given
    assert shown((RUN,), RUN, n_clusters="auto", pictures="few") == []  # and not drawn
    assert shown((dbscan, RUN), dbscan, **drawn) == []  # it finds the number by itself


def test_a_run_that_comes_first_now_is_done_again_unless_it_was_checked(planted):
    planted.make(OTHER, RUN)
    assert planted.galaxy((OTHER, RUN)).runs_to_do() == []
    assert planted.make(RUN, OTHER) == [RUN]
    assert planted.galaxy((RUN, OTHER)).runs_to_do() == []
    assert planted.galaxy((OTHER, RUN)).runs_to_do() == []
