"""Blocks of pixels, in which arrays stay in a processor's cache, and threads that work on them.

The pixels of large galaxies are divided into blocks, which several threads work on if this process works alone; worker
processes (`--jobs`) already use all cores. A galaxy of a single block uses one thread.
"""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

BLOCK = 2000  # pixels, at most


def n_threads():
    """Number of threads for a large galaxy: the cores that this process may use; 1 in a worker process."""
    if multiprocessing.parent_process() is not None:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def blocks(n_pixels):
    """Slices that divide pixels into equal blocks of at most BLOCK."""
    edges = np.linspace(0, n_pixels, -(-n_pixels // BLOCK) + 1).astype(int).tolist()
    return [slice(*each) for each in pairwise(edges)]


def joined_blocks(function, n_pixels):
    """Arrays of `function(block)`, a tuple of them for each of `blocks(n_pixels)`, joined along their first axis."""
    each = each_block(function, n_pixels)
    return each[0] if len(each) == 1 else tuple(np.concatenate(parts) for parts in zip(*each, strict=True))


def each_block(function, n_pixels):
    """List of `function(block)` for each of `blocks(n_pixels)`, in their order."""
    return in_threads(function, blocks(n_pixels))


def in_threads(function, parts):
    """List of `function(part)` for each part, in their order."""
    if len(parts) == 1 or n_threads() == 1:
        return [function(part) for part in parts]
    with ThreadPoolExecutor(n_threads()) as pool:
        return list(pool.map(function, parts))
