"""Calls of the main job that are ended at random, and what the next call makes of it: python -m tests.fault_campaign

Each trial starts one call or two at once on an output folder, fresh or with the results of other settings, in one
process, in two, or on a Dask cluster of this machine; ends it at a random time by SIGKILL, SIGINT or SIGTERM; and then
lets the same call run to its end. On Dask, it may be the scheduler that is killed and started again with its workers:
then the call itself must run to its end. What is there then must be, file by file and bit by bit, what a call leaves
that nobody disturbed; no temporary file may be left, and no process.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import cycle, product
from pathlib import Path
from typing import NamedTuple

from astropy.io import fits
from astropy.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from conftest import write_survey  # noqa: E402

SCHEDULER = "SIGKILL of the scheduler"
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
EXIT_STATUS = {"SIGKILL": -signal.SIGKILL, "SIGINT": 130, "SIGTERM": 143}
CALL = "--ids 7 11 --methods kmeans dbscan --dpi 40 --criteria-shown bic --pictures few".split()
BEFORE, NOW = ["--n-clusters", "auto", "--criterion", "bic"], ["--n-clusters", "3"]
PATIENCE = 120  # seconds for any call
PROMPT = 2.0  # seconds within which a call that is interrupted ends
ORPHANS = 15.0  # seconds within which processes end whose parent was killed: those that start load libraries first


class Trial(NamedTuple):
    """What is done to a call."""

    start: str  # "fresh", or "changed": the folder has results of other settings
    how: str  # "1 job", "2 jobs" or "dask"
    how_many: int  # calls at once
    by: str  # a key of SIGNALS, or SCHEDULER


def all_trials(dask):
    """Every kind of trial; the two calls at once are ended by SIGKILL, which is the worst."""
    hows = ("1 job", "2 jobs", *(["dask"] if dask else []))
    alone = [Trial(start, how, 1, by) for start, how, by in product(("fresh", "changed"), hows, SIGNALS)]
    without = [Trial(start, "dask", 1, SCHEDULER) for start in ("fresh", "changed") if dask]
    return alone + without + [Trial(start, "1 job", 2, "SIGKILL") for start in ("fresh", "changed")]


class Folders(NamedTuple):
    """Where a campaign works."""

    survey: Path
    reference: Path  # what a call leaves that nobody disturbed
    earlier: Path  # results of other settings
    scratch: Path


class Cluster(NamedTuple):
    """A Dask cluster of this machine."""

    folder: Path  # where it works
    address: str  # of its scheduler
    processes: list  # the scheduler and its workers


def command(folders, output, settings, how, scheduler):
    flags = {"1 job": ["--jobs", "1"], "2 jobs": ["--jobs", "2"], "dask": ["--scheduler", scheduler]}[how]
    places = ["--catalogs", str(folders.survey), "--output", str(output)]
    return [sys.executable, "main_clustering.py", *CALL, *places, *settings, *flags]


def begin(line, folders):
    """Start a call in a session of its own, so that all of its processes can be told from others."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "UNCOVER_CACHE_FOLDER": str(folders.scratch / "cache")}

    def listen():  # background jobs are started with interrupts ignored, which calls would inherit
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    how = {"cwd": ROOT, "env": environment, "start_new_session": True, "preexec_fn": listen}
    with open(folders.scratch / "out.txt", "ab") as out:
        return subprocess.Popen(line, **how, stdout=out, stderr=subprocess.STDOUT)


def run(line, folders):
    """Let a call run to its end; return its exit status."""
    return begin(line, folders).wait(PATIENCE)


def last_words(folders):
    """The last line that a call told."""
    return ["", *(folders.scratch / "out.txt").read_text().splitlines()][-1]


def processes_of(session):
    """Ids of the processes of a session that are still running."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, *fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == session and state != "Z":
            found.append(int(place.name))
    return found


def leftovers(session):
    """Processes of a call that are left some time after its end, which are ended then."""
    end = time.monotonic() + ORPHANS
    while (left := processes_of(session)) and time.monotonic() < end:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


def is_same(one, other):
    """Whether two files have the same content; compressed images of FITS files hold the time when they were made."""
    if one.suffix == ".fits":
        return fits.FITSDiff(one, other).identical
    return one.read_bytes() == other.read_bytes()


def differences(output, reference):
    """What is not as it should be in an output folder, a list of sentences."""
    found = []
    names, expected = (
        {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and "set_aside" not in path.name
        }
        for folder in (output, reference)
    )
    found += [f"{name} is missing" for name in expected - names] + [f"{name} is too many" for name in names - expected]
    for name in sorted(names & expected):
        if name == "summary.ecsv":
            tables = [Table.read(folder / name) for folder in (output, reference)]
            for table in tables:
                table.remove_column("seconds")
            if [str(row) for row in tables[0]] != [str(row) for row in tables[1]]:
                found.append("the rows of the summary differ")
        elif name.startswith(("records/", "settings.json", "log.txt")):
            continue  # they hold times
        elif name.endswith(".html"):
            continue  # they hold numbers that Bokeh counts anew in each process
        elif not is_same(output / name, reference / name):
            found.append(f"{name} differs")
    return found


def attempt(trial, folders, seconds, cluster, dice, prompt):
    """Do one trial; return what went wrong, a list of sentences."""
    output = folders.scratch / "out"
    shutil.rmtree(output, ignore_errors=True)
    if trial.start == "changed":
        shutil.copytree(folders.earlier, output)
    line = command(folders, output, NOW, trial.how, cluster and cluster.address)
    calls = [begin(line, folders) for _ in range(trial.how_many)]
    time.sleep(dice.uniform(0.05, 1.0) * seconds)
    wrong = []
    if calls[0].poll() is None and trial.by == SCHEDULER:
        start_again(cluster)
        if (status := calls[0].wait(PATIENCE)) != 0:
            wrong.append(f"exit status {status} of a call that lost its scheduler ({last_words(folders)})")
    elif calls[0].poll() is None:
        asked = time.monotonic()
        # From the keyboard an interrupt goes to all processes of a call; the others are for its first one.
        (os.killpg if trial.by == "SIGINT" else os.kill)(calls[0].pid, SIGNALS[trial.by])
        status = calls[0].wait(PATIENCE)
        took = time.monotonic() - asked
        if status not in (EXIT_STATUS[trial.by], -SIGNALS[trial.by], 0):
            wrong.append(f"exit status {status}")
        if took > prompt and trial.by != "SIGKILL":
            wrong.append(f"it took {took:.1f} s to end")
    for call in calls[1:]:
        if (status := call.wait(PATIENCE)) != 0:
            wrong.append(f"exit status {status} of the call that was not ended")
    wrong += [f"{len(left)} processes were left" for call in calls if (left := leftovers(call.pid))]
    if (status := run(line, folders)) != 0:
        wrong.append(f"exit status {status} of the call that follows ({last_words(folders)})")
    return wrong + differences(output, folders.reference)


def prepare(scratch):
    """The survey, what an undisturbed call leaves, and results of other settings; and the seconds that a call takes."""
    folders = Folders(scratch / "survey", scratch / "reference", scratch / "earlier", scratch)
    write_survey(folders.survey)
    for output, settings in ((folders.earlier, BEFORE), (folders.reference, NOW)):
        start = time.monotonic()
        status = run(command(folders, output, settings, "1 job", None), folders)
        if status != 0:
            raise RuntimeError(f"the undisturbed call ends with {status}: {(scratch / 'out.txt').read_text()}")
    return folders, time.monotonic() - start


@contextmanager
def dask_cluster(folder, wanted):
    """A `Cluster` with two workers; None where it is not wanted, or dask is not installed."""
    if not wanted or find_spec("distributed") is None:
        yield None
        return
    folder.mkdir()
    processes = start_cluster(folder)
    try:
        yield Cluster(folder, json.loads((folder / "scheduler.json").read_text())["address"], processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def start_cluster(folder, port="0"):
    """Start a scheduler at this port, any if 0, and two workers of one thread each; return their processes."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)

    def start(what, *flags):
        line = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(file), "--no-dashboard"]
        with open(folder / "told.txt", "ab") as told:
            return subprocess.Popen([*line, *flags], cwd=folder, stdout=told, stderr=told)

    scheduler, end = start("scheduler", "--host", "127.0.0.1", "--port", port), time.monotonic() + PATIENCE
    while not file.exists():
        if time.monotonic() > end or scheduler.poll() is not None:
            raise RuntimeError(f"the scheduler did not start: {(folder / 'told.txt').read_text()}")
        time.sleep(0.05)
    return [scheduler, *(start("worker", "--nthreads", "1", "--no-nanny") for _ in range(2))]


def start_again(cluster):
    """Kill the scheduler of a cluster, with which its workers end, and start all of them at the same address."""
    cluster.processes[0].kill()
    for process in cluster.processes:
        process.wait(PATIENCE)
    cluster.processes[:] = start_cluster(cluster.folder, cluster.address.rpartition(":")[2])


def campaign(n_trials, seed, with_dask=True, prompt=PROMPT, tell=print, only=None):
    """Do so many trials, of every kind in turn; return how many went wrong."""
    dice, failed = random.Random(seed), 0
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as scratch, dask_cluster(Path(scratch) / "dask", with_dask) as cluster:
        folders, seconds = prepare(Path(scratch))
        kinds = all_trials(dask=cluster is not None)
        kinds = [trial for trial in kinds if not only or only in ", ".join(map(str, trial))]
        for number, trial in zip(range(1, n_trials + 1), cycle(kinds), strict=False):
            wrong = attempt(trial, folders, seconds, cluster, dice, prompt)
            failed += bool(wrong)
            tell(f"{number}: {', '.join(map(str, trial))}: {'; '.join(wrong) or 'as undisturbed'}", flush=True)
    tell(f"{n_trials - failed} of {n_trials} as undisturbed, seed {seed}", flush=True)
    return failed


def main(arguments=None):
    """Make the trials; end with status 1 where one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="number of trials (default 100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="only trials whose description holds this, such as scheduler")
    parser.add_argument("--no-dask", action="store_true", help="leave out the trials on a Dask cluster")
    given = parser.parse_args(arguments)
    sys.exit(campaign(given.n, given.seed, not given.no_dask, only=given.only) > 0)


if __name__ == "__main__":
    main()
