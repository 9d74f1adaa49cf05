"""One piece of work per galaxy, here, in several processes, or on a cluster of machines."""

import json
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from functools import lru_cache, partial
from multiprocessing import connection, resource_tracker
from pathlib import Path

from threadpoolctl import ThreadpoolController

from helper_functions.job.tell import say

ATTEMPTS = 2  # at a galaxy whose worker process dies
# Of linear algebra and k-means in each process: a galaxy of 1,300 pixels takes twice as long with two threads, which
# wait for each other most of the time, and one of 10,000 pixels no less. Cores are for several galaxies at a time.
THREADS = 1
DASK_PATIENCE = 10  # seconds to wait for a scheduler, and for its workers
LOST_PATIENCE = 600  # seconds to wait for a scheduler that was there: enough for somebody to start it again
MOST_DIFFERING = 10  # workers that are told to end; of a cluster that starts such workers again, more would follow
ENTRY = "main_clustering"  # the module that workers elsewhere must be able to import


class WorkerDied(RuntimeError):
    """The process that worked on a galaxy came to an end, as when the machine is out of memory."""

    status = "worker died"


class WorkerDiffers(ValueError):
    """A worker does not see the files that the call sees, or has another version of the project."""


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
        yield from _on_dask(work, ids, scheduler)
    elif jobs == 1:
        for id_dr3 in ids:
            yield id_dr3, _result(work, id_dr3)
    else:
        yield from _in_processes(work, ids, jobs)


def _result(work, id_dr3):
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
        self.process = context.Process(target=_serve, args=(other_end,), daemon=True)
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


def _serve(pipe):
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


# ---- a cluster of machines --------------------------------------------------


def _on_dask(work, ids, scheduler):
    """Have the workers of a scheduler do what waits, and again what they had not done when the scheduler was lost."""
    client, waiting = connect(scheduler), dict.fromkeys(ids)
    try:
        while waiting:
            for id_dr3, result in _round_on_dask(client, partial(_result_and_worker, work), list(waiting), scheduler):
                del waiting[id_dr3]
                yield id_dr3, result
            if waiting:
                _close(client)
                client = _connect_again(scheduler, len(waiting))
    finally:
        _close(client)


def _round_on_dask(client, work, ids, scheduler):
    """Yield (id, result) of the galaxies that are done as long as the scheduler is there."""
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
            if isinstance(result, WorkerDiffers):  # whoever is left does the galaxy
                differing += 1
                if differing > MOST_DIFFERING:
                    raise result
                say(f"warning: {result}: the dask worker {worker} is told to end", "stderr")
                client.retire_workers([worker])
                _check_workers(client, scheduler)
                again = submit([id_dr3])
                waiting |= again
                done.update(again)
                continue
            yield id_dr3, result
    finally:
        with suppress(Exception):  # the scheduler may be gone
            client.cancel(list(waiting), force=True)


def _result_and_worker(work, id_dr3):
    from distributed import get_worker

    return _result(work, id_dr3), get_worker().address


def _future_result(future):
    try:
        return future.result()
    except Exception as problem:  # of dask: the worker died too often, or its answer was lost
        return WorkerDied(f"dask gave no result ({type(problem).__name__}: {problem})"), None


def _close(client):
    with suppress(Exception):  # the scheduler may be gone
        client.close(timeout=DASK_PATIENCE)


def _connect_again(scheduler, n_waiting):
    """Client of a scheduler that was lost, as soon as it is there again with a worker."""
    say(
        f"warning: the dask scheduler at {scheduler} was lost with {n_waiting} galaxies to do: waiting up to "
        f"{LOST_PATIENCE / 60:g} minutes for it and a worker to be started again",
        "stderr",
    )
    end = time.monotonic() + LOST_PATIENCE
    while True:
        try:
            client = connect(scheduler)
        except (OSError, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            say(f"the dask scheduler at {scheduler} is there again", "stderr")
            return client


def connect(scheduler):
    """Client of a dask.distributed scheduler that has a worker which can do the work.

    Parameters
    ----------
    scheduler : str
        Its address, or the file that `dask scheduler --scheduler-file` wrote its address to.

    Raises
    ------
    ValueError
        Where dask.distributed is not installed, nothing answers at that address, there is no worker, or workers cannot
        import this project.
    """
    try:
        from distributed import Client
    except ImportError as problem:
        raise ValueError("--scheduler needs dask.distributed: pip install distributed") from problem
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what happens is said here, without tracebacks
    try:
        address = json.loads(Path(scheduler).read_text())["address"] if Path(scheduler).is_file() else scheduler
        client = Client(address, timeout=f"{DASK_PATIENCE}s")
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
        client.wait_for_workers(1, timeout=DASK_PATIENCE)
    except TimeoutError as problem:
        message = f"the dask scheduler at {scheduler} has no worker: start one with `dask worker {scheduler}`"
        raise ValueError(message) from problem

    def can_import(name=ENTRY):  # is sent whole, where a function of the module would need the import in question
        import importlib.util

        return importlib.util.find_spec(name) is not None

    found = {"the scheduler": client.run_on_scheduler(can_import)} | client.run(can_import)
    without = [name for name, can in found.items() if not can]
    if without:
        raise ValueError(
            f"{', '.join(without)} of dask cannot import {ENTRY}: "
            "start the scheduler and the workers with this project's folder in PYTHONPATH"
        )
