"""One piece of work per galaxy, here, in several processes, or on a cluster of machines."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import Counter, deque
from contextlib import suppress
from functools import lru_cache, partial
from multiprocessing import connection, resource_tracker

from threadpoolctl import ThreadpoolController

from helper_functions.files.records import Busy
from helper_functions.job.dask_cluster import run_on_dask
from helper_functions.job.workers import WorkerDied

ATTEMPTS = 2  # at a galaxy whose worker process dies
# Of linear algebra and k-means in each process: a galaxy of 1,300 pixels takes twice as long with two threads, which
# wait for each other most of the time, and one of 10,000 pixels no less. Cores are for several galaxies at a time.
THREADS = 1


def run_galaxies(work, ids, *, jobs=1, scheduler=None):
    """Do `work(id)` for every galaxy, and yield each result as soon as it is there.

    Where the caller stops, by an exception or an interrupt, galaxies that wait are not begun, and processes that work
    are ended at once.

    Parameters
    ----------
    work : callable
        Takes an id, returns a result; can be pickled where it is to run elsewhere.
    ids : sequence of int
    jobs : int
        Number of processes; 1 works in this one.
    scheduler : str or None
        Address of a dask.distributed scheduler whose workers do the work instead, or the file that it wrote its
        address to. Scheduler and workers must see the same files and be able to import this project (PYTHONPATH).

    Yields
    ------
    id_dr3 : int
    result : what `work` returned, or the exception that it raised
        One galaxy that fails does not take the others with it. Where its process died twice, it is a WorkerDied.

    Raises
    ------
    ValueError
        Where the scheduler cannot be reached, or has no worker that can do the work.
    """
    if scheduler is not None:
        yield from run_on_dask(partial(_result, work), ids, scheduler)
    elif jobs == 1:
        for id_dr3 in ids:
            yield id_dr3, _result(work, id_dr3)
    else:
        yield from _in_processes(work, ids, jobs)


def run_locked_last(work, ids, *, jobs=1, scheduler=None):
    """Like `run_galaxies`, with galaxies that another call is at once more in the end, and then waiting for it.

    `work` takes `wait`, too: whether to wait for the other call; where it is not to, it raises Busy.
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
    import sklearn.cluster  # noqa: F401  # threads of libraries are limited only if these are loaded

    try:
        with _thread_pools(len(sys.modules)).limit(limits=THREADS):
            return work(id_dr3)
    except Exception as problem:  # whatever it is, it concerns one galaxy only
        return problem


@lru_cache(maxsize=1)
def _thread_pools(n_modules):
    """Thread pools of all libraries: looked for when more are loaded, as that takes longer than a finished galaxy."""
    return ThreadpoolController()


# ---- processes on this machine ----------------------------------------------


class _Worker:
    """A process that does one galaxy after the other, and this end of the pipe to it."""

    def __init__(self, context, work):
        self.pipe, other_end = context.Pipe()
        self.process = context.Process(target=_worker_loop, args=(other_end,), daemon=True)
        # What is blocked here is blocked in the new process: an interrupt from the keyboard, which goes to all
        # processes, is for this one to act upon. Starting the tracker would unblock it.
        resource_tracker.ensure_running()
        allowed = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, allowed)
        other_end.close()  # so that the pipe ends when the process does
        self.begin(work)

    def begin(self, what):
        """Send what is to be done next; a process that died meanwhile is found out when its answer is awaited."""
        self.id_dr3 = what
        with suppress(OSError):
            self.pipe.send(what)

    def end(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _in_processes(work, ids, jobs):
    context = multiprocessing.get_context("spawn")  # forking a process with running threads can hang
    waiting, attempts, workers = deque(ids), Counter(), []
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_Worker(context, work))
                _begin(workers[-1], waiting)
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
                    if not _begin(worker, waiting):
                        workers.remove(worker)
                yield id_dr3, result
    finally:
        for worker in workers:
            worker.end()


def _begin(worker, waiting):
    """Give a worker the next galaxy; False, and it is ended, where there is none."""
    if not waiting:
        worker.end()
        return False
    worker.begin(waiting.popleft())
    return True


def _died(worker):
    worker.process.join()
    code = worker.process.exitcode
    how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
    worker.end()
    return WorkerDied(f"its worker process ended ({how}) {ATTEMPTS} times: memory may be short, try fewer --jobs")


def _worker_loop(pipe):
    """What a worker process does, until there is nothing to do or nobody to do it for."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work = pipe.recv()
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
    except Exception:  # some exceptions cannot be pickled, or not be made again
        return pickle.dumps(RuntimeError(f"{type(result).__name__}: {result}"))
