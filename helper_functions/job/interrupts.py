"""Interrupts: Ctrl-C, or the system's request to end, are heard even where a library swallows the exception."""

import signal

from helper_functions.files.log import report

INTERRUPTED, TERMINATED = 130, 143  # exit status, as shells have it
AGAIN = 0.5  # seconds after which an interrupt that had no effect is raised once more


class Terminated(KeyboardInterrupt):
    """The call was asked to end by the system, and not from the keyboard."""


def install_signal_handlers():
    """Raise KeyboardInterrupt on SIGINT, and Terminated on SIGTERM, until `stop_reraising` is called.

    An interrupt that is ignored, as in a background job, stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: _raise(KeyboardInterrupt))
    signal.signal(signal.SIGTERM, lambda *_: _raise(Terminated))


def _raise(kind):
    """Raise, and do so again unless somebody has acted upon it: callbacks of libraries print exceptions and go on.

    Asking once more changes nothing, and must not disturb what is done about the first time.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: _raise(kind))
    signal.setitimer(signal.ITIMER_REAL, AGAIN)
    raise kind


def stop_reraising():
    """Let what follows an interrupt, such as saving what there is, take its time."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def report_interrupt(interrupt):
    """Say what becomes of a call that an interrupt ended; return its exit status."""
    stop_reraising()
    report("interrupted: what is finished is kept, and the same command goes on from there", "stderr")
    return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
