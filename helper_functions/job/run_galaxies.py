"""One piece of work per galaxy, here, in several processes, or on a cluster of machines."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial

from threadpoolctl import threadpool_limits


def run_galaxies(work, ids, *, jobs=1, scheduler=None):
    """Do `work(id)` for every galaxy, and yield each result as soon as it is there.

    Parameters
    ----------
    work : callable
        Takes an id, returns a result; can be pickled where it is to run elsewhere.
    ids : sequence of int
    jobs : int
        Number of processes; 1 works in this one.
    scheduler : str or None
        Address of a dask.distributed scheduler whose workers do the work instead. Scheduler
        and workers must see the same files and be able to import this project (PYTHONPATH).

    Yields
    ------
    id_dr3 : int
    result : what `work` returned, or the exception that it raised
        One galaxy that fails does not take the others with it.
    """
    if scheduler is None and jobs == 1:
        for id_dr3 in ids:
            yield id_dr3, _result(lambda id_dr3=id_dr3: work(id_dr3))
        return
    if scheduler is None:
        # Workers that share the cores' threads would wait for each other.
        work = partial(_with_threads, max(1, (os.cpu_count() or 1) // jobs), work)
    with _executor(jobs, scheduler) as executor:
        waiting = {executor.submit(work, id_dr3): id_dr3 for id_dr3 in ids}
        for future in as_completed(waiting):
            yield waiting[future], _result(future.result)


def _result(get):
    try:
        return get()
    except Exception as problem:  # whatever it is, it concerns one galaxy only
        return problem


def _with_threads(threads, work, id_dr3):
    with threadpool_limits(threads):
        return work(id_dr3)


@contextmanager
def _executor(jobs, scheduler):
    if scheduler is None:
        context = multiprocessing.get_context("spawn")  # forking a process with running threads can hang
        with ProcessPoolExecutor(jobs, context) as executor:
            yield executor
        return
    with connect(scheduler) as client:
        yield client.get_executor()


def connect(scheduler):
    """Client of a dask.distributed scheduler.

    Raises
    ------
    ValueError
        Where dask.distributed is not installed, or nothing answers at that address.
    """
    try:
        from distributed import Client
    except ImportError as problem:
        raise ValueError("--scheduler needs dask.distributed: pip install distributed") from problem
    try:
        return Client(scheduler, timeout="10s")
    except (OSError, ValueError) as problem:
        raise ValueError(f"no dask scheduler answers at {scheduler}: {problem}") from problem
