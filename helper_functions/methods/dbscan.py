"""Clusters as connected dense places among pixel SEDs."""

import numpy as np

from helper_functions.methods.graphs import connected_pieces

DENSITY_NEIGHBOURS = 10  # pixels, itself included, that make a pixel dense
LINKED_NEIGHBOURS = 30  # nearest neighbours through which clusters are looked for first


def dbscan(distances, n_clusters, seed):
    """Density-based clusters (Ester et al. 1996); eps at the knee of the k-distance curve, so `n_clusters` has no part.

    A pixel at the border of several clusters goes to that of the nearest dense pixel, whatever the order of the pixels.
    """
    near, numbers = distances.neighbours(LINKED_NEIGHBOURS)
    k_distance = near[:, min(DENSITY_NEIGHBOURS, len(distances)) - 1]
    curve = np.sort(k_distance)
    eps = curve[knee(curve)]
    dense = k_distance <= eps
    linked = (near <= eps) & dense[:, None] & dense[numbers]
    piece = connected_pieces(np.repeat(np.arange(len(near)), linked.sum(axis=1)), numbers[linked], len(near))
    if not distances.too_large:  # links to farther neighbours than these few may tie pieces together
        piece = join_pieces(distances, piece, dense, eps)
    reached = (near <= eps) & dense[numbers]
    nearest_dense = numbers[np.arange(len(near)), np.argmax(reached, axis=1)]
    return np.where(reached.any(axis=1), piece[nearest_dense], -1)


def join_pieces(distances, piece, dense, eps):
    """Join pieces of which two dense pixels lie within eps."""
    first, second = [], []
    for here, block in distances.blocks():
        i, j = np.nonzero((block <= eps) & dense[here, None] & dense & (piece[here, None] != piece))
        first.append(piece[here][i])
        second.append(piece[j])
    return connected_pieces(np.concatenate(first), np.concatenate(second), piece.max() + 1)[piece]


def knee(curve):
    """Index where a rising curve bends most: farthest below the chord between its ends (Satopaa et al. 2011)."""
    if len(curve) < 3 or curve[-1] == curve[0]:
        return len(curve) - 1
    along = np.linspace(0, 1, len(curve))
    return int(np.argmax(along - (curve - curve[0]) / (curve[-1] - curve[0])))
