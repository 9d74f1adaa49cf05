"""Spectral clustering of the nearest-neighbour graph, and of the similarity matrix of all pixels."""

import numpy as np

from helper_functions.methods.graphs import cut_graph, neighbour_graph
from helper_functions.methods.method import Method, MethodResult

GRAPH_NEIGHBOURS = 20  # nearest neighbours of each pixel in the graph, itself included


def spectral(distances, n_clusters, seed):
    """Normalised cuts of the nearest-neighbour graph."""
    return cuts_of_neighbours(distances, [n_clusters], seed)[n_clusters]


def cuts_of_neighbours(distances, ks, seed):
    """Results of `spectral` for each of these numbers of clusters, {number: MethodResult}."""
    _, indices = distances.neighbours(GRAPH_NEIGHBOURS)
    return cut_results(neighbour_graph(indices, np.ones(indices.shape)), ks, seed)


def spectral_cross_cor(distances, n_clusters, seed):
    """Normalised cuts of the complete graph with the similarities 1 - b12 (Kriek et al. 2011) as weights.

    Where there are too many pixels for that, each is connected to its nearest neighbours only.
    """
    return cuts_of_similarities(distances, [n_clusters], seed)[n_clusters]


def cuts_of_similarities(distances, ks, seed):
    """Results of `spectral_cross_cor` for each of these numbers of clusters, {number: MethodResult}."""
    if distances.too_large:
        near, indices = distances.neighbours(GRAPH_NEIGHBOURS)
        return cut_results(neighbour_graph(indices, 1 - near), ks, seed)
    similarity = distances.matrix(np.float32)
    np.subtract(1, similarity, out=similarity)
    return cut_results(similarity, ks, seed)


def cut_results(affinity, ks, seed):
    """`cut_graph` as {number of clusters: MethodResult}."""
    return {k: MethodResult(labels) for k, labels in cut_graph(affinity, ks, seed).items()}


METHODS = {
    "spectral": Method(
        spectral,
        "spectral clustering: normalised cuts of the nearest-neighbour graph",
        label_several=cuts_of_neighbours,
    ),
    "spectral_cross_cor": Method(
        spectral_cross_cor,
        "spectral clustering: normalised cuts with similarities 1 − b12 between all pixels",
        norm="L2",
        metric="crosscor",
        takes_any_metric=False,
        alternative="spectral",
        when_large=f"similarities between {GRAPH_NEIGHBOURS} nearest neighbours",
        label_several=cuts_of_similarities,
    ),
}
