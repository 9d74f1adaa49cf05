"""What a call tells while it works: lines on standard output, a progress bar on standard error, and a log.

Where nobody listens any more, as when a pipe is closed or a disk is full, the work goes on.
"""

import logging
import socket
import sys
import warnings
from contextlib import contextmanager, suppress

from tqdm import tqdm

STREAM_ERRORS = (OSError, ValueError, AttributeError)  # what writing raises to a stream that is closed or not there


LOG = logging.getLogger("pixel_sed_clustering")
LOG.propagate = False
LOG.addHandler(logging.NullHandler())


@contextmanager
def log_file(path):
    """Append what is said to a file, each line with date, machine and process: several calls may do so at once."""
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
        """Go on without a word: a log that cannot be written must cost nothing."""


def report(text, stream="stdout", log=True):
    """Print a line to the stream of that name in `sys`, above the progress bar; and to the log, if there is one."""
    if log:
        LOG.info(text)
    with suppress(*STREAM_ERRORS), tqdm.external_write_mode():
        print(text, file=getattr(sys, stream), flush=True)


@contextmanager
def progress_bar(total, unit, done=0):
    """Give a function to call for each piece of work that is done, with the number of those that failed so far.

    Some may be done at the start.
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
    """Let streams write a question mark for a character that they cannot encode, and warnings be reported.

    What a warning says is for the user; where in the code it was raised is not.
    """
    warnings.showwarning = lambda message, *_, **__: report(f"warning: {message}", "stderr")
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="replace")
