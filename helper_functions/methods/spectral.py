"""Spectral clustering: of the graph of nearest neighbours, and of the similarities between all pixels."""

import numpy as np

from helper_functions.methods.graphs import cut_graph, neighbour_graph
from helper_functions.methods.method import Found, Method

GRAPH_NEIGHBOURS = 20  # pixels, itself included, that each pixel is tied to


def spectral(distances, n_clusters, seed):
    """Normalised cuts of the graph that ties each pixel to its nearest neighbours."""
    _, indices = distances.neighbours(GRAPH_NEIGHBOURS)
    return Found(cut_graph(neighbour_graph(indices, np.ones(indices.shape)), n_clusters, seed))


def spectral_cross_cor(distances, n_clusters, seed):
    """Normalised cuts of the graph that ties every two pixels by their similarity 1 - b12 (Kriek et al. 2011).

    Where the pixels are too many for that, each is tied to its nearest neighbours only.
    """
    if distances.too_large:
        near, indices = distances.neighbours(GRAPH_NEIGHBOURS)
        return Found(cut_graph(neighbour_graph(indices, 1 - near), n_clusters, seed))
    similarity = distances.matrix(np.float32)
    np.subtract(1, similarity, out=similarity)
    return Found(cut_graph(similarity, n_clusters, seed))


METHODS = {
    "spectral": Method(spectral, "normalised cuts of the graph of nearest neighbours"),
    "spectral_cross_cor": Method(
        spectral_cross_cor,
        "normalised cuts with similarities 1 − b12 between all pixels",
        metric="crosscor",
        takes_any_metric=False,
        instead="spectral",
        when_large=f"similarities between {GRAPH_NEIGHBOURS} nearest neighbours",
    ),
}
