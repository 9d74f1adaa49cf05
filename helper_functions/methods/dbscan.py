"""Density-based clustering."""

import numpy as np

from helper_functions.methods.graphs import connected_components
from helper_functions.methods.method import DENSITY, Method, MethodResult

DENSE_NEIGHBOURS = 10  # pixels, itself included, within eps of a core point of DBSCAN
LINKED_NEIGHBOURS = 30  # nearest neighbours among which core points are connected first


def dbscan(distances, n_clusters, seed):
    """DBSCAN (Ester et al. 1996) with eps at the knee of the k-distance curve; `n_clusters` and `seed` are not used.

    A border point of several clusters gets the label of the nearest core point, so that the order of the pixels has no
    effect.
    """
    near, indices = distances.neighbours(LINKED_NEIGHBOURS)
    k_distance = near[:, min(DENSE_NEIGHBOURS, len(distances)) - 1]
    curve = np.sort(k_distance)
    eps = curve[knee(curve)]
    dense = k_distance <= eps
    linked = (near <= eps) & dense[:, None] & dense[indices]
    component = connected_components(np.repeat(np.arange(len(near)), linked.sum(axis=1)), indices[linked], len(near))
    if not distances.too_large:  # core points may be connected beyond their nearest neighbours
        component = join_components(distances, component, dense, eps)
    reached = (near <= eps) & dense[indices]
    nearest_dense = indices[np.arange(len(near)), np.argmax(reached, axis=1)]
    return MethodResult(np.where(reached.any(axis=1), component[nearest_dense], -1))


def join_components(distances, component, dense, eps):
    """Join components that have core points within eps of each other.

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
    """Index of the knee of a rising curve: farthest below the chord between its ends (Satopaa et al. 2011)."""
    if len(curve) < 3 or curve[-1] == curve[0]:
        return len(curve) - 1
    along = np.linspace(0, 1, len(curve))
    return int(np.argmax(along - (curve - curve[0]) / (curve[-1] - curve[0])))


METHODS = {
    "dbscan": Method(
        dbscan,
        "density-based clustering (DBSCAN) in the metric's space; determines the number of clusters itself",
        norm="sed",
        criterion=DENSITY,
        when_large=f"links between {LINKED_NEIGHBOURS} nearest neighbours",
    )
}
