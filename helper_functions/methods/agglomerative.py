"""Ward's hierarchical clustering, with an approximation for many pixels."""

import fastcluster
import numpy as np
from scipy.cluster.hierarchy import fcluster

from helper_functions.methods.graphs import connected_components
from helper_functions.methods.kmeans import fit_kmeans
from helper_functions.methods.method import Method, MethodResult

MICRO_CLUSTERS = 2000


def agglomerative(distances, n_clusters, seed):
    """Ward's hierarchical clustering in the metric's space; of k-means micro-clusters if there are too many pixels."""
    return ward_clusterings(distances, [n_clusters], seed)[n_clusters]


def ward_clusterings(distances, ks, seed):
    """Ward's clusterings into each of these numbers of clusters, {number: MethodResult}: cuts of one tree."""
    points = distances.coordinates
    if distances.too_large:
        return {k: MethodResult(labels) for k, labels in two_stage_ward(points, ks, seed).items()}
    if points.shape[1] <= distances.n_bands:  # without a distance matrix: memory of order N
        tree = fastcluster.linkage_vector(points, method="ward")
    else:  # in an embedding of hundreds of dimensions distances take longer than from the metric's own formula
        tree = fastcluster.linkage(distances.condensed(), method="ward", preserve_input=False)
    return {k: MethodResult(fcluster(tree, k, criterion="maxclust")) for k in ks}


def two_stage_ward(points, ks, seed):
    """Ward's clusterings of MICRO_CLUSTERS k-means clusters weighted by their size, {number: labels}."""
    n_micro = min(MICRO_CLUSTERS, len(points))
    stage = fit_kmeans(points.astype(np.float32), n_micro, seed, init="random", n_init=1, max_iter=10)
    micro = stage.labels_
    weights = np.bincount(micro, minlength=n_micro)
    used = weights > 0
    rank = np.cumsum(used) - 1  # index of each micro-cluster among those with pixels
    several = weighted_ward(stage.cluster_centers_[used].astype(float), weights[used], ks)
    return {k: labels[rank[micro]] for k, labels in several.items()}


def weighted_ward(centres, weights, ks):
    """Ward's clusterings of weighted points, {number: labels of the points}.

    The nearest-neighbour chain algorithm (Murtagh 1983) merges pairs that are each other's nearest neighbours, in any
    order; the merges are then applied in order of increasing cost until the wanted number of clusters is left.
    """
    centres, weights = centres.copy(), weights.astype(float)
    alive, merges, chain = np.ones(len(centres), dtype=bool), [], []
    while len(merges) < len(centres) - 1:
        if not chain:
            chain.append(int(np.argmax(alive)))
        last = chain[-1]
        cost = np.square(centres - centres[last]).sum(axis=1) * (weights * weights[last] / (weights + weights[last]))
        cost[~alive] = cost[last] = np.inf
        nearest = int(np.argmin(cost))
        if len(chain) > 1 and cost[chain[-2]] <= cost[nearest]:
            other = chain[-2]
            del chain[-2:]
            merges.append((cost[other], last, other))
            total = weights[last] + weights[other]
            centres[last] = (weights[last] * centres[last] + weights[other] * centres[other]) / total
            weights[last], alive[other] = total, False
        else:
            chain.append(nearest)
    _, one, other = np.array(sorted(merges)).reshape(-1, 3).T.astype(int)
    n_points = len(centres)
    return {k: connected_components(one[: n_points - k], other[: n_points - k], n_points) for k in ks}


METHODS = {
    "agglomerative": Method(
        agglomerative,
        "Ward's hierarchical clustering in the metric's space",
        when_large=f"Ward on {MICRO_CLUSTERS} k-means clusters",
        label_several=ward_clusterings,
    )
}
