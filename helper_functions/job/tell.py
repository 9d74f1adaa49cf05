"""What a call tells while it works: lines on standard output, and a progress bar on standard error.

Where nobody listens any more, as when a pipe is closed, the work goes on.
"""

import sys
from contextlib import contextmanager, suppress

from tqdm import tqdm

DEAF = (OSError, ValueError, AttributeError)  # what writing raises to a stream that is closed or not there


def say(text, stream="stdout"):
    """Print a line to the stream of that name in `sys`, above the progress bar."""
    with suppress(*DEAF), tqdm.external_write_mode():
        print(text, file=getattr(sys, stream), flush=True)


@contextmanager
def progress_bar(total, unit, done=0):
    """Give a function to call for each piece of work that is done, of which some may be done at the start."""
    bar = None
    with suppress(*DEAF):
        bar = tqdm(total=total, unit=unit, initial=done)

    def advance():
        with suppress(*DEAF):
            bar.update()

    try:
        yield advance
    finally:
        with suppress(*DEAF):
            bar.close()


def replace_what_cannot_be_written():
    """Let streams write a question mark for a character that their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="replace")
