"""Segments of a segmentation map: those that may not be whole, and a pixel in the middle of each."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helper_functions.survey.cutout_notes import SMALLEST_PIECE
from helper_functions.survey.mosaics import segment_runs


def all_runs(segmap):
    """Ids, rows, starts and ends of the runs of all segments of a `Mosaic`, see `row_runs`."""
    return tuple(np.concatenate(each) for each in zip(*segment_runs(segmap), strict=True))


def middle_pixels(ids, rows, starts, ends):
    """A pixel in the middle of each segment, that of its row with the longest run.

    Returns
    -------
    ids, rows, cols : int ndarray of shape (n_ids,)
    """
    order = np.lexsort([rows, starts - ends, ids])
    unique, first = np.unique(ids[order], return_index=True)
    longest = order[first]
    return unique, rows[longest], (starts[longest] + ends[longest] - 1) // 2


def odd_segments(runs, shape):
    """Ids of the segments at the edge of a segmentation map, and of those in several pieces.

    Pixels that touch at a corner are connected. Pieces below SMALLEST_PIECE do not count.

    Parameters
    ----------
    runs : tuple of ndarray
        From `all_runs`.
    shape : tuple of int
        Of the segmentation map.

    Returns
    -------
    at_edge, in_pieces : ndarray of shape (n_ids,)
    """
    ids, rows, starts, ends = runs
    (ny, nx), (unique, number) = shape, np.unique(ids, return_inverse=True)
    at_edge = np.unique(ids[(rows == 0) | (rows == ny - 1) | (starts == 0) | (ends == nx)])

    def place(row, col):
        """Position in the order of source, row and column; `ends` are up to nx, and the next rows up to ny."""
        return (number * (ny + 1) + row) * (nx + 1) + col

    order = np.argsort(place(rows, starts))
    number, rows, starts, ends = number[order], rows[order], starts[order], ends[order]
    # Runs of the same source in the next row that end no earlier than a run begins, and begin no later than it ends.
    first = np.searchsorted(place(rows, ends), place(rows + 1, starts))
    last = np.searchsorted(place(rows, starts), place(rows + 1, ends), side="right")
    n_below = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(rows)), n_below)
    below = np.arange(len(above)) + np.repeat(first - np.cumsum(n_below) + n_below, n_below)
    links = coo_array((np.ones(len(above), dtype=bool), (above, below)), shape=(len(rows), len(rows)))
    _, piece = connected_components(links, directed=False)
    source_of, n_pixels = np.zeros(piece.max(initial=-1) + 1, dtype=int), np.bincount(piece, ends - starts)
    source_of[piece] = number
    n_pieces = np.bincount(source_of[n_pixels >= SMALLEST_PIECE], minlength=len(unique))
    return at_edge, unique[n_pieces > 1]
