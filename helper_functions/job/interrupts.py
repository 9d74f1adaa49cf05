"""Signal handlers for Ctrl-C and SIGTERM that work even if a library swallows the exception."""

import signal

from helper_functions.files.log import report

INTERRUPTED, TERMINATED = 130, 143  # exit status, as in shells: 128 + number of the signal
RERAISE_AFTER = 0.5  # seconds after which an interrupt that had no effect is raised again


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM."""


def install_signal_handlers():
    """Raise KeyboardInterrupt on SIGINT, and Terminated on SIGTERM, repeatedly until `stop_reraising` is called.

    A SIGINT that is ignored, as in a background job, stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: _raise(KeyboardInterrupt))
    signal.signal(signal.SIGTERM, lambda *_: _raise(Terminated))


def _raise(kind):
    """Raise at once, and again after RERAISE_AFTER, because callbacks of some libraries only print exceptions.

    Further signals are ignored, so that they do not disturb the clean-up after the first.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: _raise(kind))
    signal.setitimer(signal.ITIMER_REAL, RERAISE_AFTER)
    raise kind


def stop_reraising():
    """Stop raising an interrupt again, so that the clean-up can finish."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def report_interrupt(interrupt):
    """Tell the user how to resume after an interrupt; return the exit status."""
    stop_reraising()
    report("interrupted: what is finished is kept, and the same command goes on from there", "stderr")
    return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
