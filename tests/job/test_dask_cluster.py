"""The main job on a real Dask cluster of this machine, parts of which are killed."""

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from astropy.table import Table

from helper_functions.job import dask_cluster as on_dask
from helper_functions.job.processes import run_galaxies
from helper_functions.job.workers import WorkerMismatch
from main_clustering import main

pytest.importorskip("distributed", reason="needs the optional package: pip install distributed")
ROOT = Path(__file__).parents[2]
IDS = [7, 8, 9, 10, 11, 12]


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Function that starts a scheduler or a worker of one thread; all are killed in the end."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    file, begun = tmp_path / "scheduler.json", []

    def begin(what, *flags):
        line = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", file, "--no-dashboard"]
        with open(tmp_path / "dask.txt", "ab") as told:
            process = subprocess.Popen(list(map(str, [*line, *flags])), cwd=tmp_path, stdout=told, stderr=told)
        begun.append(process)
        return process

    def one(what, port=0):
        if what == "worker":
            return begin(what, "--nthreads", 1, "--no-nanny")
        file.unlink(missing_ok=True)
        process = begin(what, "--host", "127.0.0.1", "--port", port)
        until(file.exists)
        return process

    one.file = file
    yield one
    for process in begun:
        process.kill()
        process.wait()


def until(true, patience=60):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_every_galaxy_is_there_once_though_worker_and_scheduler_are_killed(start, survey_folder, tmp_path, capsys):
    output, went = tmp_path / "out", []
    scheduler, workers = start("scheduler"), [start("worker"), start("worker")]
    address = json.loads(start.file.read_text())["address"]

    def told():
        return re.findall(r"\] (\d+):", (output / "log.txt").read_text() if (output / "log.txt").exists() else "")

    def faults():
        until(lambda: list(output.glob("records/*/.lock")))  # a worker is at a galaxy
        at_work = {path.parent.name for path in output.glob("records/*/.lock")}
        workers[0].kill()
        until(lambda: told())
        scheduler.kill()
        scheduler.wait()
        went.append((at_work, len(told())))
        workers[1].wait()  # workers end with their scheduler
        start("scheduler", address.rpartition(":")[2])
        start("worker")

    thread = threading.Thread(target=faults)
    thread.start()
    flags = ["--methods", "dbscan", "--pictures", "none", "--criteria-shown", "--scheduler", str(start.file)]
    status = main(["--catalogs", str(survey_folder), "--output", str(output), "--ids", *map(str, IDS), *flags])
    thread.join()
    assert status == 0
    [(at_work, done_before)] = went
    assert at_work
    assert done_before < len(IDS)  # the control: there was work left when the scheduler was lost
    assert "was lost with" in (output / "log.txt").read_text()
    assert sorted(map(int, re.findall(r"\] (\d+):", capsys.readouterr().out))) == IDS
    rows = Table.read(output / "summary.ecsv")
    assert rows["id_dr3"].tolist() == IDS
    assert rows["status"].tolist() == ["no pixels" if id_dr3 == 10 else "ok" for id_dr3 in IDS]
    found = {path.name for path in output.glob("clusters/dbscan_sed/*.fits")}
    assert found == {f"{id_dr3}_clusters.fits" for id_dr3 in IDS if id_dr3 != 10}
    assert not list(output.rglob("*.partial"))


def test_an_unreachable_scheduler_is_named(survey_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(on_dask, "CONNECT_TIMEOUT", 0.2)
    (tmp_path / "empty.json").write_text("{}")
    for scheduler in ("tcp://127.0.0.1:1", "nowhere.json", str(tmp_path / "empty.json")):
        flags = ["--catalogs", str(survey_folder), "--output", str(tmp_path / "out"), "--ids", "7"]
        assert main([*flags, "--scheduler", scheduler]) == 2
        assert f"error: no dask scheduler answers at {scheduler}: " in capsys.readouterr().err


def unfit(id_dr3):
    return WorkerMismatch("it has another version")


def test_workers_that_differ_are_told_to_end_and_not_for_ever(monkeypatch, capsys):
    """This cluster starts another worker for each that ends, which differs as well."""
    from distributed import LocalCluster

    monkeypatch.setattr(on_dask, "MAX_MISMATCHES", 2)
    cluster = LocalCluster(n_workers=1, processes=False, dashboard_address=None)
    with cluster, pytest.raises(WorkerMismatch, match="it has another version"):
        list(run_galaxies(unfit, [1], scheduler=cluster.scheduler_address))
    assert capsys.readouterr().err.count("warning: it has another version: the dask worker inproc://") == 2
