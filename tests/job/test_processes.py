import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from helper_functions.job import processes
from helper_functions.job.dask_cluster import connect
from helper_functions.job.processes import run_galaxies
from helper_functions.job.workers import WorkerDied


def square(number):
    if number == 3:
        raise ArithmeticError("three")
    return number**2


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_failure_leaves_the_others(jobs):
    results = dict(run_galaxies(square, [2, 3, 4], jobs=jobs))
    assert (results[2], results[4]) == (4, 16)
    assert isinstance(results[3], ArithmeticError)


def warn_of(number):
    warnings.warn(f"{number} is odd", stacklevel=1)


def test_a_warning_of_a_worker_is_one_line(monkeypatch, capsys):
    """The loop of a worker, in this process."""
    monkeypatch.setattr(processes, "_end_with_parent", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", None)  # which the loop replaces
    pipe, other_end = multiprocessing.Pipe()
    for message in ((warn_of, {}), 3):
        pipe.send(message)
    pipe.close()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        processes._worker_loop(other_end)
    assert capsys.readouterr().err == "warning: 3 is odd\n"


def threads_of_this_process(_):
    from sklearn.cluster import KMeans  # as methods do, when they need it

    KMeans(2, n_init=1).fit(np.linalg.inv(np.eye(3)))
    return max(pool["num_threads"] for pool in threadpool_info())


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_galaxy_has_one_thread(jobs, monkeypatch):
    """Threads of one galaxy would wait for each other, and those of two processes for the cores."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert dict(run_galaxies(threads_of_this_process, [1], jobs=jobs))[1] == 1


def test_scheduler_without_dask_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"--scheduler needs dask\.distributed: pip install distributed"):
        list(run_galaxies(square, [2], scheduler="tcp://127.0.0.1:1"))


class Cluster:
    """What is used of a client of dask.distributed before there is work; a real one is in test_dask.py."""

    workers, can_import = 1, True
    asked = ()

    def __init__(self, address, timeout):
        self.asked = [address]
        Cluster.asked = self.asked

    def close(self, timeout):
        self.asked.append("closed")

    def wait_for_workers(self, number, timeout):
        if self.workers < number:
            raise TimeoutError

    def run_on_scheduler(self, function):
        return function()

    def run(self, function):
        return {"tcp://worker:1": function() and self.can_import}


@pytest.fixture
def cluster(monkeypatch):
    module = ModuleType("distributed")
    module.Client = Cluster
    monkeypatch.setitem(sys.modules, "distributed", module)
    return monkeypatch


def test_a_scheduler_without_workers_says_so(cluster):
    cluster.setattr(Cluster, "workers", 0)
    with pytest.raises(ValueError, match="the dask scheduler at tcp://here:1 has no worker: start one with"):
        connect("tcp://here:1")
    assert Cluster.asked == ["tcp://here:1", "closed"]


def test_workers_that_cannot_import_the_project_are_named(cluster):
    cluster.setattr(Cluster, "can_import", False)
    with pytest.raises(ValueError, match="tcp://worker:1 of dask cannot import main_clustering: start the scheduler"):
        connect("tcp://here:1")


# ---- processes that die -----------------------------------------------------


def die_once(folder, number):
    """Die at 3 the first time, as if the machine were out of memory."""
    mark = Path(folder) / str(number)
    if number == 3 and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_is_killed_costs_a_second_try_and_no_other_galaxy(tmp_path):
    assert dict(run_galaxies(partial(die_once, tmp_path), range(6), jobs=2)) == {n: n for n in range(6)}


def test_a_galaxy_that_kills_its_worker_twice_fails_alone():
    results = dict(run_galaxies(die, range(6), jobs=2))
    assert {n: results[n] for n in results if n != 3} == {n: n for n in range(6) if n != 3}
    assert isinstance(results[3], WorkerDied)
    assert "killed by signal 9" in str(results[3])


class CannotBePickled(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def raise_it(number):
    raise CannotBePickled("what happened", number)


def test_an_exception_that_cannot_be_pickled_is_told_all_the_same():
    result = dict(run_galaxies(raise_it, [1], jobs=2))[1]
    assert str(result) == "CannotBePickled: what happened"


def nap(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_who_stops_waiting_ends_the_workers():
    results = run_galaxies(nap, [0.0, 60.0], jobs=2)
    start = time.monotonic()
    next(results)
    results.close()
    assert time.monotonic() - start < 20  # not the minute that the other would sleep
    assert multiprocessing.active_children() == []


def test_workers_end_with_their_parent(tmp_path):
    """The parent is killed while its two workers sleep for a minute."""
    main = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_processes import note_and_nap
from functools import partial
from helper_functions.job import processes
processes.PRELOADED = []
if __name__ == "__main__":
    list(processes.run_galaxies(partial(note_and_nap, {str(tmp_path)!r}), [1, 2], jobs=2))
"""
    script = tmp_path / "script.py"
    script.write_text(main)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"}
    parent = subprocess.Popen([sys.executable, script], env=environment)
    notes = [tmp_path / "1.pid", tmp_path / "2.pid"]
    wait_until(lambda: all(note.exists() for note in notes))
    parent.kill()
    parent.wait()
    pids = [int(note.read_text()) for note in notes]
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def note_and_nap(folder, number):
    note = Path(folder) / f"{number}.new"
    note.write_text(str(os.getpid()))
    note.rename(Path(folder) / f"{number}.pid")
    time.sleep(60)


def wait_until(true, patience=30):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def is_running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2]
    except OSError:
        return False
