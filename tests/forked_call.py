"""Calls of the main job in processes of their own, which need not load all libraries anew."""

import multiprocessing
import os
import runpy
import signal
import sys
import threading
from pathlib import Path

from tqdm import tqdm

from helper_functions.job.processes import PRELOADED

ROOT = Path(__file__).parents[1]


class ForkedCall:
    """The main job in a session of its own: what is used of `subprocess.Popen`.

    Parameters
    ----------
    flags : sequence of str
    told : path
        File that receives what the call writes to its standard output and error.
    streams : {"utf-8", "ascii", "closed", "unread"}
        Their encoding; or "closed": there are none; "unread": they go to a pipe whose other end is closed.
    """

    def __init__(self, flags, told, streams="utf-8"):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.told = Path(told)
        self.process = context.Process(target=_main_job, args=(flags, str(told), streams, dict(os.environ)))
        self.process.start()
        self.pid = self.process.pid

    def poll(self):
        """Exit status, or None while it runs."""
        return self.process.exitcode

    def wait(self, timeout):
        """Wait for its end; return the exit status."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise TimeoutError(f"still running after {timeout} seconds")
        return self.process.exitcode


def _main_job(flags, told, streams, environment):
    """Like `python main_clustering.py FLAGS` in an interpreter that has just been started."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unread, pipe = os.pipe()
    os.close(unread)
    out = pipe if streams in ("closed", "unread") else os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.close(stream) if streams == "closed" else os.dup2(out, stream)
    encoding = "ascii" if streams == "ascii" else "utf-8"
    sys.stdout, sys.stderr = (
        None if streams == "closed" else os.fdopen(stream, "w", encoding=encoding, closefd=False) for stream in (1, 2)
    )
    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which is missed where a call is killed
    sys.argv = ["main_clustering.py", *flags]
    try:
        runpy.run_path("main_clustering.py", run_name="__main__")
    finally:
        sys.stdout = sys.stderr = None  # what is left in them is lost at the end of an interpreter, and no error
