import threading

import numpy as np
import pytest

from helper_functions.methods import threads
from helper_functions.methods.threads import BLOCK, each_block, in_threads, joined_blocks, n_threads


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 2)


def test_blocks_cover_all_pixels_in_their_order(two_threads):
    n_pixels = 2 * BLOCK + 7
    numbers, doubled = joined_blocks(
        lambda block: (np.arange(n_pixels)[block], 2 * np.arange(n_pixels)[block]), n_pixels
    )
    np.testing.assert_array_equal(numbers, np.arange(n_pixels))
    np.testing.assert_array_equal(doubled, 2 * np.arange(n_pixels))
    assert [block.stop - block.start for block in each_block(lambda block: block, 2 * BLOCK)] == [BLOCK, BLOCK]


def test_threads_work_at_the_same_time(two_threads):
    """Each of two parts waits until the other is at work; a single part stays in this thread."""
    meet = threading.Barrier(2, timeout=20)
    assert sorted(in_threads(lambda part: (meet.wait(), part)[1], [1, 2])) == [1, 2]
    assert in_threads(lambda _: threading.current_thread(), [1]) == [threading.current_thread()]


def test_worker_processes_use_one_thread(monkeypatch):
    assert n_threads() >= 1
    monkeypatch.setattr(threads.multiprocessing, "parent_process", object)
    assert n_threads() == 1


def test_an_exception_in_a_thread_is_raised(two_threads):
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda part: 1 / part, [1, 0])
