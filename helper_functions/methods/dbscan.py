"""Density-based clustering."""

import numpy as np

from helper_functions.methods.graphs import connected_components
from helper_functions.methods.method import DENSITY, Method, MethodResult

DENSE_NEIGHBOURS = 10  # pixels, itself included, that must lie within eps of a dense pixel
LINKED_NEIGHBOURS = 30  # nearest neighbours through which clusters are looked for first


def dbscan(distances, n_clusters, seed):
    """DBSCAN (Ester et al. 1996) with eps at the knee of the k-distance curve; `n_clusters` and `seed` have no part.

    A pixel at the border of several clusters goes to that of the nearest dense pixel, so that the order of the pixels
    does not matter.
    """
    near, indices = distances.neighbours(LINKED_NEIGHBOURS)
    k_distance = near[:, min(DENSE_NEIGHBOURS, len(distances)) - 1]
    curve = np.sort(k_distance)
    eps = curve[knee(curve)]
    dense = k_distance <= eps
    linked = (near <= eps) & dense[:, None] & dense[indices]
    component = connected_components(np.repeat(np.arange(len(near)), linked.sum(axis=1)), indices[linked], len(near))
    if not distances.too_large:  # links to pixels beyond the nearest few may join components
        component = join_components(distances, component, dense, eps)
    reached = (near <= eps) & dense[indices]
    nearest_dense = indices[np.arange(len(near)), np.argmax(reached, axis=1)]
    return MethodResult(np.where(reached.any(axis=1), component[nearest_dense], -1))


def join_components(distances, component, dense, eps):
    """Join components of which two dense pixels lie within eps.

    Parameters
    ----------
    distances : PixelDistances
    component : int ndarray of shape (n_pixels,)
    dense : bool ndarray of shape (n_pixels,)
    eps : float

    Returns
    -------
    int ndarray of shape (n_pixels,)
    """
    first, second = [], []
    for here, block in distances.blocks():
        i, j = np.nonzero((block <= eps) & dense[here, None] & dense & (component[here, None] != component))
        first.append(component[here][i])
        second.append(component[j])
    return connected_components(np.concatenate(first), np.concatenate(second), component.max() + 1)[component]


def knee(curve):
    """Index where a rising curve bends most: farthest below the chord between its ends (Satopaa et al. 2011)."""
    if len(curve) < 3 or curve[-1] == curve[0]:
        return len(curve) - 1
    along = np.linspace(0, 1, len(curve))
    return int(np.argmax(along - (curve - curve[0]) / (curve[-1] - curve[0])))


METHODS = {
    "dbscan": Method(
        dbscan,
        "connected dense places in the metric's space; finds the number by itself",
        norm="sed",
        criterion=DENSITY,
        when_large=f"links between {LINKED_NEIGHBOURS} nearest neighbours",
    )
}
