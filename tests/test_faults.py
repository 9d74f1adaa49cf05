"""The main job under faults: what it leaves, and what the next call makes of it."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from conftest import NOISE, edit, image_path

from data_paths import output_path
from helper_functions.files.records import Busy
from helper_functions.job import one_galaxy, workers
from helper_functions.job.interrupts import Terminated
from helper_functions.job.workers import WorkerMismatch
from helper_functions.methods import METHODS
from helper_functions.products.pictures import GALAXY_PICTURES
from main_clustering import main
from prepare_images import open_survey
from tests import fault_campaign
from tests.fault_campaign import differences, leftovers
from tests.forked_call import ForkedCall

ROOT = Path(__file__).parents[1]
# What tests of faults can do without; flags of a test go before these.
QUICK = ["--dpi", "30", "--registration", "none", "--no-explorer", "--pictures", "none", "--no-pixel-cubes"]
QUICK += ["--criteria-shown"]


@pytest.fixture
def job(survey_folder):
    """Run the main job on the planted field into a folder with these flags; return the exit status."""

    def run(output, *flags):
        return main([*QUICK, "--catalogs", str(survey_folder), "--output", str(output), *map(str, flags)])

    return run


@pytest.fixture
def call(survey_folder, tmp_path):
    """Start the main job in a process of its own; the rest as `job`."""

    def start(output, *flags, **options):
        flags = [*QUICK, "--catalogs", survey_folder, "--output", output, *flags]
        return ForkedCall(list(map(str, flags)), tmp_path / "told.txt", **options)

    return start


def summary_of(output):
    return Table.read(output / "summary.ecsv")


def wait_for(true, patience=60):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


# ---- a short campaign -------------------------------------------------------


def test_a_call_ended_at_random_leaves_what_an_undisturbed_one_does(monkeypatch):
    trials = [fault_campaign.Trial("changed", "1 job", 1, "SIGKILL")]
    monkeypatch.setattr(fault_campaign, "all_trials", lambda dask: trials)
    monkeypatch.setattr(fault_campaign, "CALL", [*QUICK, "--pixel-cubes", "--ids", "7", "11", "--methods", "dbscan"])
    monkeypatch.setattr(fault_campaign, "BEFORE", ["--n-clusters", "2"])
    begin = lambda line, folders: ForkedCall(line[2:], folders.scratch / "out.txt")  # noqa: E731
    monkeypatch.setattr(fault_campaign, "begin", begin)
    told = []
    failed = fault_campaign.campaign(1, seed=0, with_dask=False, prompt=60, tell=lambda line, **_: told.append(line))
    assert failed == 0, told


def test_the_campaign_sees_what_is_wrong(tmp_path):
    """The control: a missing file, one too many, and one that differs."""
    output, reference = tmp_path / "output", tmp_path / "reference"
    for folder in (output, reference):
        (folder / "clusters").mkdir(parents=True)
        (folder / "clusters" / "a").write_text("same")
    assert differences(output, reference) == []
    (output / "clusters" / "a").write_text("other")
    (output / ".a.partial").write_text("")
    (reference / "b").write_text("")
    assert set(differences(output, reference)) == {"clusters/a differs", ".a.partial is too many", "b is missing"}


# ---- interrupted ------------------------------------------------------------


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Terminated])
def test_an_interrupted_call_keeps_what_is_finished_and_the_next_makes_all_whole(
    stop, job, tmp_path, monkeypatch, capsys
):
    """Settings change, and the call is ended in the second galaxy, between labels and composites."""
    output = tmp_path / "out"
    flags = ["--ids", 7, 11, "--methods", "kmeans"]
    assert job(output, *flags, "--n-clusters", 2) == 0
    save, saved = one_galaxy.save_table, []

    def interrupted(path, table):
        saved.append(path)
        if path.name == "11_composite_seds.ecsv":
            raise stop
        save(path, table)

    with monkeypatch.context() as patch:
        patch.setattr(one_galaxy, "save_table", interrupted)
        assert job(output, *flags, "--n-clusters", 3) == (143 if stop is Terminated else 130)
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == "interrupted: what is finished is kept, and the same command goes on from there"
    rows = summary_of(output)
    assert (rows["id_dr3"].tolist(), rows["n_asked"].tolist()) == ([7], ["3"])
    assert job(output, *flags, "--n-clusters", 3) == 0
    assert job(tmp_path / "undisturbed", *flags, "--n-clusters", 3) == 0
    assert differences(output, tmp_path / "undisturbed") == []


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_from_the_keyboard_ends_two_jobs_at_once(times, call, tmp_path):
    process = call(tmp_path / "out", "--ids", 8, 7, 11, "--methods", "blended_mixture", "--jobs", 2)
    wait_for(lambda: list((tmp_path / "out").glob("records/*/*.json")))
    asked = time.monotonic()
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    assert process.wait(30) == 130
    assert time.monotonic() - asked < 30  # far less than the galaxies that wait would take: see the campaign
    told = process.told.read_text()
    assert "Traceback" not in told
    assert told.splitlines()[-1].startswith("interrupted: what is finished is kept")
    assert leftovers(process.pid) == []


# ---- several calls ----------------------------------------------------------


def test_two_calls_at_once_lose_nothing(call, job, tmp_path):
    """One in a process of its own, and one in this process as soon as the other has begun: they share the galaxies."""
    output, flags = tmp_path / "out", ["--ids", 7, 11, "--methods", "dbscan", "--pixel-cubes"]
    process = call(output, *flags)
    wait_for(lambda: (output / "log.txt").exists())
    assert job(output, *flags) == 0
    assert process.wait(120) == 0, process.told.read_text()
    assert job(tmp_path / "alone", *flags) == 0
    assert differences(output, tmp_path / "alone") == []


def test_a_galaxy_that_another_call_is_at_comes_last(job, tmp_path, monkeypatch):
    output, order = tmp_path / "out", []
    lock = one_galaxy.galaxy_lock

    def seldom_free(folder, id_dr3, wait=True):
        order.append((id_dr3, wait))
        if id_dr3 == 7 and not wait:
            raise Busy
        return lock(folder, id_dr3, wait)

    monkeypatch.setattr(one_galaxy, "galaxy_lock", seldom_free)
    assert job(output, "--ids", 7, 11, "--methods", "dbscan") == 0
    assert order == [(7, False), (11, False), (7, True)]
    assert summary_of(output)["id_dr3"].tolist() == [7, 11]


# ---- what no longer holds ---------------------------------------------------


def test_a_folder_of_several_settings_says_which_and_keeps_none_that_no_longer_holds(job, tmp_path):
    output = tmp_path / "out"
    flags = ["--ids", 7, "--n-clusters", 2]
    job(output, *flags, "--methods", "kmeans", "dbscan")
    job(output, *flags, "--methods", "agglomerative")
    rows = summary_of(output)
    assert rows["run"].tolist() == ["agglomerative_contrast", "dbscan_sed", "kmeans_contrast"]
    assert len(set(rows["settings"])) == 3
    job(output, *flags, "--methods", "agglomerative", "--snr-thresh", 30)
    rows = summary_of(output)
    assert (rows["run"].tolist(), rows["snr_thresh"].tolist()) == (["agglomerative_contrast"], [30.0])
    assert not [path for path in output.rglob("*") if "kmeans" in path.name and path.is_file()]
    alone = tmp_path / "alone"
    job(alone, *flags, "--methods", "agglomerative", "--snr-thresh", 30)
    assert differences(output, alone) == []
    assert job(output, *flags, "--methods", "agglomerative", "--snr-thresh", 1e6) == 0
    assert summary_of(output)["status"].tolist() == ["no pixels"]
    assert not [path for path in output.glob("clusters/**/*.fits")]


def test_the_comparison_shows_all_runs_that_hold(job, tmp_path, monkeypatch):
    output, drawn = tmp_path / "out", []
    comparison = GALAXY_PICTURES["comparison"]

    def draw(result):
        drawn.append([panel.title.split(",")[0] for panel in result.panels])

    monkeypatch.setitem(GALAXY_PICTURES, "comparison", comparison._replace(draw=draw))
    job(output, "--ids", 7, "--methods", "kmeans", "--n-clusters", 2, "--pictures", "few")
    job(output, "--ids", 7, "--methods", "dbscan", "--pictures", "few")
    assert drawn == [["kmeans"], ["dbscan", "kmeans"]]


def test_a_picture_of_the_galaxy_that_fails_is_told_and_costs_no_run(job, tmp_path, monkeypatch, capsys):
    def crash(result):
        raise ZeroDivisionError("out of the blue")

    flags = ["--ids", 7, "--methods", "kmeans", "--n-clusters", 2, "--pictures", "few"]
    with monkeypatch.context() as patch:
        patch.setitem(GALAXY_PICTURES, "comparison", GALAXY_PICTURES["comparison"]._replace(draw=crash))
        assert job(tmp_path / "out", *flags) == 1
    assert "ZeroDivisionError: out of the blue" in capsys.readouterr().err
    assert summary_of(tmp_path / "out")["status"].tolist() == ["ok"]
    assert job(tmp_path / "out", *flags) == 0
    assert job(tmp_path / "alone", *flags) == 0
    assert differences(tmp_path / "out", tmp_path / "alone") == []


def test_damaged_results_are_made_again(job, tmp_path):
    flags = ["--ids", 7, "--methods", "kmeans", "--n-clusters", 2, "--pictures", "few", "--pixel-cubes"]
    output, alone = tmp_path / "out", tmp_path / "alone"
    for folder in (output, alone):
        assert job(folder, *flags) == 0
    files = [path for path in output.rglob("*") if path.is_file()]
    damaged = [path for path in files if path.suffix in (".fits", ".png") or "composite" in path.name]
    assert len(damaged) > 5
    for path in damaged:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    assert job(output, *flags) == 0
    assert differences(output, alone) == []


def test_other_code_makes_it_again(job, tmp_path, monkeypatch):
    output = tmp_path / "out"
    job(output, "--ids", 7, "--methods", "dbscan")
    path = output_path(output, "labels", run="dbscan_sed", id=7)
    before = path.stat().st_mtime_ns
    job(output, "--ids", 7, "--methods", "dbscan")
    assert path.stat().st_mtime_ns == before
    monkeypatch.setattr("helper_functions.job.galaxy_records.code_digest", lambda *_: "edited")
    job(output, "--ids", 7, "--methods", "dbscan")
    assert path.stat().st_mtime_ns > before


# ---- odd galaxies -----------------------------------------------------------


def test_a_pixel_of_zeros_is_one_line(job, survey_folder, tmp_path, capsys):
    def zero(pixels):
        pixels[40, 40] = 0
        return pixels

    for path in survey_folder.glob("psf_matched/*_sci_*"):
        edit(path, zero)
    flags = ["--snr-thresh", -1, "--n-clusters", 2, "--norm", "L2"]
    assert job(tmp_path / "out", "--ids", 7, "--methods", "kmeans", "--background", "none", *flags) == 1
    (message,) = summary_of(tmp_path / "out")["message"]
    assert message == "ValueError: 1 of 441 SEDs are zero in every band: they have no shape"
    assert "Traceback" not in capsys.readouterr().err


def test_as_many_clusters_as_pixels_are_quick_or_refused(job, tmp_path):
    flags = ["--ids", 11, "--n-clusters", 107, "--methods", "blended_mixture", "kmeans"]
    start = time.monotonic()
    job(tmp_path / "out", *flags)
    assert time.monotonic() - start < 60
    rows = {row["method"]: row for row in summary_of(tmp_path / "out")}
    assert rows["blended_mixture"]["message"] == "blended_mixture takes at most 40 clusters, 107 were asked for"
    assert rows["kmeans"]["n_clusters"] == 107


def test_a_single_band_and_bands_apart_are_told(job, survey_folder, tmp_path):
    """Bands that each cover other rows of the galaxy; then one band alone."""
    bands = ["f606w", "f814w", "f115w", "f200w", "f277w"]
    for number, band in enumerate(bands):
        weight = np.zeros(fits.getdata(image_path(survey_folder, band, "wht")).shape)
        weight[28 + 5 * number : 33 + 5 * number] = NOISE**-2
        edit(image_path(survey_folder, band, "wht"), lambda _, weight=weight: weight.astype(np.float32))
    job(tmp_path / "apart", "--ids", 7, "--methods", "kmeans", "--n-clusters", 2, "--norm", "none")
    (message,) = summary_of(tmp_path / "apart")["message"]
    assert "too little data to cluster with in f606w, f814w, f115w, f200w, f277w" in message
    assert "clustered in one band only, which has no shape" in message


def one_shape(pixels):
    """Pixels of one shape, whose brightness differs between neighbours by exact factors: they are no constant image."""
    rows, cols = np.indices(pixels.shape)
    return (2.0 ** (rows % 2 + 2 * (cols % 2))).astype(pixels.dtype)


def test_identical_pixels_are_fewer_clusters_and_it_is_told(job, survey_folder, tmp_path):
    for path in survey_folder.glob("psf_matched/*_sci_*"):
        edit(path, one_shape)
    job(tmp_path / "out", "--ids", 7, "--methods", "kmeans", "--n-clusters", 3, "--background", "none")
    assert "1 of the 3 clusters asked for: the pixels are too alike" in summary_of(tmp_path / "out")["message"][0]


# ---- before and after ---------------------------------------------------------


def test_a_dry_run_tells_and_writes_nothing(job, tmp_path, capsys):
    flags = ["--ids", 7, 11, 13, "--methods", "dbscan"]
    assert job(tmp_path / "out", *flags, "--dry-run", "--jobs", 2) == 0
    assert not (tmp_path / "out").exists()
    told = capsys.readouterr().out
    assert "3 galaxies: 0 are done already, 3 to do" in told
    assert "1 of these are not in the catalog or the segmap, and would fail" in told
    assert "segments of 107 to 441 pixels, 548 in all" in told
    assert "how long it takes is not known: no galaxy here has dbscan_sed yet" in told
    job(tmp_path / "out", "--ids", 7, "--methods", "dbscan")
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    assert job(tmp_path / "out", *flags, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "3 galaxies: 1 are done already, 2 to do" in told
    assert re.search(r"at most about \d.* seconds with --jobs 1", told)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("what", "kept"), [("fits", 11), ("json", None)])
def test_a_full_disk_ends_the_call_and_costs_nothing_that_was_done(what, kept, job, tmp_path, monkeypatch, capsys):
    """There is no room for the large files of galaxy 11, or not even for its record."""
    output, flags = tmp_path / "out", ["--ids", 8, 11, "--methods", "dbscan"]
    replace = os.replace

    def full(partial, path):
        if "11" in str(Path(path).relative_to(output)) and (what == "json" or not str(path).endswith("json")):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(partial, path)

    with monkeypatch.context() as patch:
        patch.setattr("helper_functions.files.saving.os.replace", full)
        assert job(output, *flags) == 2
    assert "error: the disk is full, no room for " in capsys.readouterr().err
    rows = {row["id_dr3"]: row["status"] for row in summary_of(output)}
    assert rows == {8: "ok"} | ({kept: "disk full"} if kept else {})
    before = output_path(output, "labels", run="dbscan_sed", id=8).stat().st_mtime_ns
    assert job(output, *flags) == 0
    assert output_path(output, "labels", run="dbscan_sed", id=8).stat().st_mtime_ns == before
    assert summary_of(output)["status"].tolist() == ["ok", "ok"]
    assert not list(output.rglob("*.partial"))


def test_the_log_has_a_line_for_each_galaxy_that_was_worked_on(job, tmp_path):
    output, flags = tmp_path / "out", ["--methods", "dbscan"]
    for ids in ([7], [7, 11], [13]):
        job(output, "--ids", *ids, *flags)
    lines = (output / "log.txt").read_text().splitlines()
    assert [match[1] for line in lines if (match := re.search(r"\] (\d+): ", line))] == ["7", "11", "13"]
    assert "id 13 is in the catalog but has no pixel in the segmap" in lines[-2]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} .+-\d+ ", line) for line in lines)


@pytest.mark.parametrize("differs", ["the project", "the files", "the output", "nothing"])
def test_a_worker_that_sees_something_else_says_what(differs, survey_folder, tmp_path, monkeypatch):
    settings = str(survey_folder), "uncover", tmp_path
    provenance = workers.cache_survey(open_survey(survey_folder, ()), settings[0])
    (tmp_path / "settings.json").write_text("{}")
    monkeypatch.setattr(workers, "SURVEYS", {})
    look = partial(workers.cached_survey, open_survey, *settings, provenance)
    if differs == "nothing":
        assert look() is look()
        return
    if differs == "the project":
        monkeypatch.setattr(workers, "code_digest", lambda: "edited")
    elif differs == "the files":
        edit(image_path(survey_folder, "f444w"), lambda pixels: pixels)
    else:
        (tmp_path / "settings.json").unlink()
    said = {"the project": "another version of", "the files": "other files in", "the output": "not see the output"}
    with pytest.raises(WorkerMismatch, match=said[differs]):
        look()
    image_path(survey_folder, "f444w", "wht").unlink()
    if differs == "the files":
        with pytest.raises(WorkerMismatch, match="cannot read the survey"):
            look()


# ---- workers and streams ----------------------------------------------------


def test_a_worker_that_dies_leaves_a_row_with_the_reason_and_good_rows_of_before(job, tmp_path, monkeypatch):
    from helper_functions.job.workers import WorkerDied

    output, flags = tmp_path / "out", ["--ids", 7, 11, "--methods", "kmeans"]
    assert job(output, "--ids", 7, "--methods", "kmeans", "--n-clusters", 2) == 0

    def died(work, ids, **_):
        yield from ((id_dr3, WorkerDied("its worker process ended (killed by signal 9)")) for id_dr3 in ids)

    monkeypatch.setattr("helper_functions.job.all_galaxies.run_locked_last", died)
    assert job(output, *flags, "--n-clusters", 3) == 1
    rows = {row["id_dr3"]: row for row in summary_of(output)}
    assert (rows[7]["status"], rows[7]["n_asked"]) == ("ok", "2")
    assert (rows[11]["status"], rows[11]["message"]) == (
        "worker died",
        "its worker process ended (killed by signal 9)",
    )


@pytest.mark.parametrize("streams", ["closed", "unread", "ascii"])
def test_the_job_goes_on_whatever_becomes_of_what_it_tells(streams, call, tmp_path):
    output = tmp_path / "ausgabe_ö"
    process = call(output, "--ids", 8, 11, "--methods", "dbscan", streams=streams)
    assert process.wait(120) == 0
    assert summary_of(output)["id_dr3"].tolist() == [8, 11]
    assert (streams == "ascii") == (process.told.exists() and "ausgabe_?" in process.told.read_text())


def test_links_of_predictable_names_are_not_followed(job, tmp_path):
    output, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("precious")
    output.mkdir()
    for name in ("summary.ecsv.partial", "settings.json.partial", ".writable", ".writable.partial"):
        (output / name).symlink_to(victim)
    assert job(output, "--ids", 7, "--methods", "dbscan") == 0
    assert victim.read_text() == "precious"


def test_every_method_is_still_there():
    """The tests above name methods: they are for nothing if these are gone."""
    assert {"kmeans", "dbscan", "agglomerative", "blended_mixture", "spectral"} <= set(METHODS)


def test_a_call_starts_with_the_backend_of_a_notebook_and_tells_a_deleted_folder(tmp_path):
    """In processes of their own, as both matter while modules are imported."""
    folder = tmp_path / "gone"
    folder.mkdir()
    line = f'cd {folder} && rmdir {folder} && exec "$0" {ROOT}/main_clustering.py --ids 7'
    gone = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True)
    assert gone.returncode == 2
    assert gone.stderr == "error: the working directory was deleted: change to one that exists, and call again\n"
    environment = os.environ | {"MPLBACKEND": "inline"}
    line = [sys.executable, "main_clustering.py", "--ids", "7", "--catalogs", "/nowhere"]
    started = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert started.stderr.startswith("error: the survey folder /nowhere does not exist")
