"""Messages of a call: lines on standard output, a progress bar on standard error, and a log file.

Output that cannot be written, such as to a closed pipe or a full disk, is dropped and the work continues.
"""

import logging
import socket
import sys
import warnings
from contextlib import contextmanager, suppress

from tqdm import tqdm

STREAM_ERRORS = (OSError, ValueError, AttributeError)  # raised by writing to a stream that is closed or missing

LOG = logging.getLogger("pixel_sed_clustering")
LOG.propagate = False
LOG.addHandler(logging.NullHandler())


@contextmanager
def log_file(path):
    """Append messages to a log file, with date, host and process id, as several calls may write to it at once."""
    handler = _Handler(path, encoding="utf-8", errors="replace", delay=True)
    handler.setFormatter(logging.Formatter(f"%(asctime)s {socket.gethostname()}-%(process)d %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        with suppress(*STREAM_ERRORS):
            handler.close()


class _Handler(logging.FileHandler):
    def handleError(self, record):
        """Ignore a log that cannot be written: it must not stop the work."""


def report(text, stream="stdout", log=True):
    """Print a line to `sys.stdout` or `sys.stderr`, above the progress bar, and to the log file if there is one."""
    if log:
        LOG.info(text)
    with suppress(*STREAM_ERRORS), tqdm.external_write_mode():
        print(text, file=getattr(sys, stream), flush=True)


@contextmanager
def progress_bar(total, unit, done=0):
    """Show a progress bar; yields `advance(failed=None)`, to be called after each of `total` items.

    `failed` is the number of failed items so far; `done` is the number of items finished at the start.
    """
    bar = None
    with suppress(*STREAM_ERRORS):
        bar = tqdm(total=total, unit=unit, initial=done)

    def advance(failed=None):
        with suppress(*STREAM_ERRORS):
            if failed is not None:
                bar.set_postfix(failed=failed, refresh=False)
            bar.update()

    try:
        yield advance
    finally:
        with suppress(*STREAM_ERRORS):
            bar.close()


def set_up_streams():
    """Replace characters that a stream cannot encode by "?", and report warnings without their place in the code."""
    warnings.showwarning = lambda message, *_, **__: report(f"warning: {message}", "stderr")
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="replace")
