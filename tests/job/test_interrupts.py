import os
import signal
import time

import pytest

from helper_functions.job import interrupts
from helper_functions.job.interrupts import Terminated, install_signal_handlers, stop_reraising


@pytest.fixture
def listening(monkeypatch):
    """Interrupts as in a call; those of the tests are put back."""
    monkeypatch.setattr(interrupts, "RERAISE_AFTER", 0.05)
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {kind: signal.getsignal(kind) for kind in kinds}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    install_signal_handlers()
    yield
    stop_reraising()
    for kind, handler in before.items():
        signal.signal(kind, handler)


@pytest.mark.parametrize(("sent", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_an_interrupt_that_is_swallowed_comes_again(sent, raised, listening):
    heard = []
    for _ in range(3):
        try:
            if not heard:
                os.kill(os.getpid(), sent)
            time.sleep(10)
        except KeyboardInterrupt as interrupt:  # as a library may do
            heard.append(type(interrupt))
    assert heard == [raised] * 3


def test_after_calm_it_does_not(listening):
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    stop_reraising()
    time.sleep(0.2)


def test_an_ignored_interrupt_stays_ignored(listening):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    install_signal_handlers()
    os.kill(os.getpid(), signal.SIGINT)
