"""Ward's hierarchical clustering, of thousands of pixels and of many more."""

import fastcluster
import numpy as np
from scipy.cluster.hierarchy import fcluster

from helper_functions.methods.graphs import connected_components
from helper_functions.methods.kmeans import fit_kmeans
from helper_functions.methods.method import Method, MethodResult

MICRO_CLUSTERS = 2000


def agglomerative(distances, n_clusters, seed):
    """Ward's hierarchical clustering, in the metric's space; of many k-means clusters where the pixels are too many."""
    return ward_clusterings(distances, [n_clusters], seed)[n_clusters]


def ward_clusterings(distances, ks, seed):
    """Ward's clusterings into each of these numbers of clusters, {number: MethodResult}: cuts of one tree."""
    points = distances.coordinates
    if distances.too_large:
        return {k: MethodResult(labels) for k, labels in two_stage_ward(points, ks, seed).items()}
    if points.shape[1] <= distances.n_bands:  # without a matrix: the memory grows as N
        tree = fastcluster.linkage_vector(points, method="ward")
    else:  # an embedding of hundreds of dimensions, in which distances take longer than from the metric's closed form
        tree = fastcluster.linkage(distances.condensed(), method="ward", preserve_input=False)
    return {k: MethodResult(fcluster(tree, k, criterion="maxclust")) for k in ks}


def two_stage_ward(points, ks, seed):
    """Ward's clusterings, {number: labels}, that start from MICRO_CLUSTERS k-means clusters, weighted by their size."""
    n_micro = min(MICRO_CLUSTERS, len(points))
    stage = fit_kmeans(points.astype(np.float32), n_micro, seed, init="random", n_init=1, max_iter=10)
    micro = stage.labels_
    weights = np.bincount(micro, minlength=n_micro)
    used = weights > 0
    rank = np.cumsum(used) - 1  # of each micro cluster among those that hold pixels
    several = weighted_ward(stage.cluster_centers_[used].astype(float), weights[used], ks)
    return {k: labels[rank[micro]] for k, labels in several.items()}


def weighted_ward(centres, weights, ks):
    """Ward's clusterings of points that stand for several, {number: labels of the points}.

    Follows chains of nearest neighbours to pairs that are each other's nearest, which may be merged in any order
    (Murtagh 1983); the merges are then replayed from the cheapest until the wanted number is left.
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
