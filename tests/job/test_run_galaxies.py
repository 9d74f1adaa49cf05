import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from helper_functions.job.run_galaxies import run_galaxies


def square(number):
    if number == 3:
        raise ArithmeticError("three")
    return number**2


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_failure_leaves_the_others(jobs):
    results = dict(run_galaxies(square, [2, 3, 4], jobs=jobs))
    assert (results[2], results[4]) == (4, 16)
    assert isinstance(results[3], ArithmeticError)


def threads_of_this_process(_):
    np.linalg.inv(np.eye(3))  # so that the library is loaded
    return max(pool["num_threads"] for pool in threadpool_info())


def test_workers_share_the_cores_between_them(monkeypatch):
    """Two processes with a thread for each core would wait for each other: on 6 cores each may have 3 of them."""
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "6")
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert dict(run_galaxies(threads_of_this_process, [1], jobs=2))[1] == 3


def test_scheduler_without_dask_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"--scheduler needs dask\.distributed: pip install distributed"):
        list(run_galaxies(square, [2], scheduler="tcp://127.0.0.1:1"))


def test_scheduler_takes_the_work(monkeypatch):
    """Any client with a `get_executor` serves: here threads stand for the cluster."""
    from concurrent.futures import ThreadPoolExecutor
    from types import ModuleType

    asked = []

    class Client:
        def __init__(self, address, timeout):
            asked.append(address)

        def __enter__(self):
            return self

        def __exit__(self, *problem):
            asked.append("closed")

        def get_executor(self):
            return ThreadPoolExecutor(1)

    module = ModuleType("distributed")
    module.Client = Client
    monkeypatch.setitem(sys.modules, "distributed", module)
    assert dict(run_galaxies(square, [2, 5], scheduler="tcp://here:1")) == {2: 4, 5: 25}
    assert asked == ["tcp://here:1", "closed"]
