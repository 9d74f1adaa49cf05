"""Run one task per galaxy in this process, in several worker processes, or on a cluster of machines."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import Counter, deque
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from multiprocessing import connection, resource_tracker

from threadpoolctl import ThreadpoolController

from helper_functions.files.log import set_up_streams
from helper_functions.files.records import Busy
from helper_functions.job.dask_cluster import run_on_dask
from helper_functions.job.workers import WorkerDied

ATTEMPTS = 2  # for a galaxy whose worker process dies
# Threads of linear algebra and k-means in each process. Two threads double the time of a galaxy of 1,300 pixels, as
# they wait for each other, and do not shorten that of 10,000 pixels: use several processes instead.
THREADS = 1
THREAD_VARIABLES = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"  # read when a library is loaded
# Loaded once by the server process that workers are forked from; loading takes four seconds.
PRELOADED = ["main_clustering", "astropy.cosmology", "bokeh.plotting", "regions", "sklearn.cluster"]


def run_galaxies(work, ids, *, jobs=1, scheduler=None):
    """Call `work(id)` for every galaxy, and yield each result as soon as it is available.

    If the caller stops, by an exception or an interrupt, worker processes are killed and no further galaxy is started.

    Parameters
    ----------
    work : callable
        Takes an id, returns a result; must be picklable unless it runs in this process.
    ids : sequence of int
    jobs : int
        Number of processes; 1: this process.
    scheduler : str or None
        Address of a dask.distributed scheduler whose workers are used instead, or its scheduler file. Scheduler and
        workers must see the same files and be able to import this project (PYTHONPATH).

    Yields
    ------
    id_dr3 : int
    result : what `work` returned, or the exception that it raised
        A failed galaxy does not affect the others. If its process died twice, it is a WorkerDied.

    Raises
    ------
    ValueError
        If the scheduler cannot be reached, or has no usable worker.
    """
    if scheduler is not None:
        yield from run_on_dask(partial(_result, work), ids, scheduler)
    elif jobs == 1:
        for id_dr3 in ids:
            yield id_dr3, _result(work, id_dr3)
    else:
        yield from _in_processes(work, ids, jobs)


def run_locked_last(work, ids, *, jobs=1, scheduler=None):
    """Like `run_galaxies`, but galaxies that are locked by another call are tried again at the end.

    `work` must take the keyword `wait`: False raises Busy for a locked galaxy, True waits for the lock.
    """
    waiting = ids
    for wait in (False, True):
        results = run_galaxies(partial(work, wait=wait), waiting, jobs=jobs, scheduler=scheduler)
        waiting = []
        for id_dr3, result in results:
            if isinstance(result, Busy):
                waiting.append(id_dr3)
            else:
                yield id_dr3, result
        if not waiting:
            return


def _result(work, id_dr3):
    try:
        with _few_threads():
            return work(id_dr3)
    except Exception as problem:  # returned, so that other galaxies continue
        return problem


@contextmanager
def _few_threads():
    """Limit the threads of libraries that are loaded already, and of those that are loaded within the block."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(THREADS)))
    try:
        with _thread_pools(len(sys.modules)).limit(limits=THREADS):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@lru_cache(maxsize=1)
def _thread_pools(n_modules):
    """Thread pools of all libraries; cached until more modules are loaded, as the search is slow."""
    return ThreadpoolController()


# ---- processes on this machine ----------------------------------------------


class _Worker:
    """A worker process, and the main process's end of the pipe to it."""

    def __init__(self, context, work):
        self.pipe, other_end = context.Pipe()
        self.process = context.Process(target=_worker_loop, args=(other_end,), daemon=True)
        # The new process inherits the blocked signal: Ctrl-C is sent to all processes, but only the main process must
        # handle it. The resource tracker is started first, because starting it unblocks the signal.
        resource_tracker.ensure_running()
        allowed = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _few_threads():
                self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, allowed)
        other_end.close()  # so that reading the pipe ends when the process does
        self.send((work, dict(os.environ)))

    def send(self, message):
        """Send the function and environment, then ids one by one; a dead process is noticed when its result is read."""
        self.id_dr3 = message
        with suppress(OSError):
            self.pipe.send(message)

    def end(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _in_processes(work, ids, jobs):
    # Forking this process, which may have running threads, can hang; the server has none.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    waiting, attempts, workers = deque(ids), Counter(), []
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_Worker(context, work))
                _assign_next(workers[-1], waiting)
            for pipe in connection.wait([worker.pipe for worker in workers]):
                worker = next(worker for worker in workers if worker.pipe is pipe)
                id_dr3 = worker.id_dr3
                try:
                    result = pickle.loads(pipe.recv_bytes())
                except (EOFError, OSError):
                    result = _died(worker)
                    workers.remove(worker)
                    attempts[id_dr3] += 1
                    if attempts[id_dr3] < ATTEMPTS:
                        waiting.append(id_dr3)
                        continue
                else:
                    if not _assign_next(worker, waiting):
                        workers.remove(worker)
                yield id_dr3, result
    finally:
        for worker in workers:
            worker.end()


def _assign_next(worker, waiting):
    """Send the next galaxy to a worker; if there is none, end the worker and return False."""
    if not waiting:
        worker.end()
        return False
    worker.send(waiting.popleft())
    return True


def _died(worker):
    worker.process.join()
    code = worker.process.exitcode
    how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
    worker.end()
    return WorkerDied(f"its worker process ended ({how}) {ATTEMPTS} times: memory may be short, try fewer --jobs")


def _worker_loop(pipe):
    """Main loop of a worker process, until the pipe is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_up_streams()  # warnings are one line each here, too
    try:
        work, environment = pipe.recv()
        os.environ.update(environment)  # the environment of the server may be outdated
        while True:
            pipe.send_bytes(_pickled(_result(work, pipe.recv())))
    except (EOFError, OSError):
        return


def _end_with_parent():
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _pickled(result):
    try:
        content = pickle.dumps(result)
        pickle.loads(content)
        return content
    except Exception:  # some exceptions cannot be pickled or unpickled
        return pickle.dumps(RuntimeError(f"{type(result).__name__}: {result}"))
