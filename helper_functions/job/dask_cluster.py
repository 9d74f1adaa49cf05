"""Run one task per galaxy on the workers of a dask.distributed scheduler."""

import json
import logging
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from helper_functions.files.log import report
from helper_functions.job.workers import WorkerDied, WorkerMismatch

CONNECT_TIMEOUT = 10  # seconds to wait for a scheduler, and for its workers
RECONNECT_TIMEOUT = 600  # seconds to wait for a lost scheduler, enough for the user to restart it
MAX_MISMATCHES = 10  # mismatched workers that are retired: some clusters would start new ones forever
ENTRY_MODULE = "main_clustering"  # the module that workers must be able to import


def run_on_dask(work, ids, scheduler):
    """Run tasks on the workers of a scheduler, and yield (id, result), see `run_galaxies` and `connect`.

    Tasks that are unfinished when the scheduler is lost are run again. `work` must return exceptions, not raise them.
    """
    client, waiting = connect(scheduler), dict.fromkeys(ids)
    try:
        while waiting:
            for id_dr3, result in _run_until_lost(client, partial(_with_worker, work), list(waiting), scheduler):
                del waiting[id_dr3]
                yield id_dr3, result
            if waiting:
                _close(client)
                client = _connect_again(scheduler, len(waiting))
    finally:
        _close(client)


def _run_until_lost(client, work, ids, scheduler):
    """Yield (id, result) of finished galaxies until all are finished or the scheduler is lost."""
    from distributed import as_completed

    def submit(some):
        return dict(zip(client.map(work, some, pure=False, batch_size=1000), some, strict=True))

    waiting, differing = submit(ids), 0
    done = as_completed(waiting)
    try:
        for future in done:
            id_dr3 = waiting.pop(future)
            if future.status in ("cancelled", "lost"):
                return
            result, worker = _future_result(future)
            if isinstance(result, WorkerMismatch):  # retire the worker, and submit the galaxy again
                differing += 1
                if differing > MAX_MISMATCHES:
                    raise result
                report(f"warning: {result}: the dask worker {worker} is retired", "stderr")
                client.retire_workers([worker])
                _check_workers(client, scheduler)
                resubmitted = submit([id_dr3])
                waiting |= resubmitted
                done.update(resubmitted)
                continue
            yield id_dr3, result
    finally:
        with suppress(Exception):  # the scheduler may be lost
            client.cancel(list(waiting), force=True)


def _with_worker(work, id_dr3):
    from distributed import get_worker

    return work(id_dr3), get_worker().address


def _future_result(future):
    try:
        return future.result()
    except Exception as problem:  # raised by dask: the worker died repeatedly, or its result was lost
        return WorkerDied(f"dask gave no result ({type(problem).__name__}: {problem})"), None


def _close(client):
    with suppress(Exception):  # the scheduler may be lost
        client.close(timeout=CONNECT_TIMEOUT)


def _connect_again(scheduler, n_waiting):
    """Wait until a lost scheduler has been restarted with a worker; return a client of it."""
    report(
        f"warning: the dask scheduler at {scheduler} was lost with {n_waiting} galaxies to do: restart it and a "
        f"worker within {RECONNECT_TIMEOUT / 60:g} minutes",
        "stderr",
    )
    end = time.monotonic() + RECONNECT_TIMEOUT
    while True:
        try:
            client = connect(scheduler)
        except (OSError, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            report(f"connected again to the dask scheduler at {scheduler}", "stderr")
            return client


def connect(scheduler):
    """Client of a dask.distributed scheduler with at least one worker that can import this project.

    Parameters
    ----------
    scheduler : str
        Its address, or the file written by `dask scheduler --scheduler-file`.

    Raises
    ------
    ValueError
        If dask.distributed is not installed, no scheduler answers, there is no worker, or a worker cannot import this
        project.
    """
    try:
        from distributed import Client
    except ImportError as problem:
        raise ValueError("--scheduler needs dask.distributed: pip install distributed") from problem
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # problems are reported here, without traceback
    try:
        address = (
            json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"]
            if Path(scheduler).is_file()
            else scheduler
        )
        client = Client(address, timeout=f"{CONNECT_TIMEOUT}s")
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ValueError(
            f"no dask scheduler answers at {scheduler}: {problem}; want the address that `dask scheduler` prints, such "
            "as tcp://host:8786, or the file of `dask scheduler --scheduler-file`"
        ) from problem
    try:
        _check_workers(client, scheduler)
    except BaseException:
        _close(client)
        raise
    return client


def _check_workers(client, scheduler):
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError as problem:
        message = f"the dask scheduler at {scheduler} has no worker: start one with `dask worker {scheduler}`"
        raise ValueError(message) from problem

    def can_import(name=ENTRY_MODULE):  # a nested function is pickled by value, so workers need not import this module
        import importlib.util

        return importlib.util.find_spec(name) is not None

    found = {"the scheduler": client.run_on_scheduler(can_import)} | client.run(can_import)
    without = [name for name, can in found.items() if not can]
    if without:
        raise ValueError(
            f"{', '.join(without)} of dask cannot import {ENTRY_MODULE}: "
            "start the scheduler and the workers with this project's folder in PYTHONPATH"
        )
