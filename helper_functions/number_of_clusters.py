"""How many clusters a galaxy has."""

import numpy as np
from sklearn.metrics import silhouette_score

SILHOUETTE_PIXELS = 3000  # a random subset of this size gives the mean silhouette to about 0.01


def choose_by_silhouette(label, distances, most, seed):
    """Labels of the clustering whose pixels lie closest to their own cluster and farthest from the next.

    The mean silhouette (Rousseeuw 1987) is defined for two clusters and more, so one is never chosen, except for
    fewer than three pixels or when all are identical.

    Parameters
    ----------
    label : callable
        `label(distances, n_clusters, seed)`, a method.
    distances : PixelDistances
    most : int
        Largest number of clusters to try.
    seed : int

    Returns
    -------
    labels : int ndarray of shape (n_pixels,)
    """
    n_pixels = len(distances)
    chosen = np.random.default_rng(seed).permutation(n_pixels)[:SILHOUETTE_PIXELS]
    sample = distances.subset(chosen).matrix()
    best, highest = np.zeros(n_pixels, dtype=int), -np.inf
    for n_clusters in range(2, min(most, n_pixels - 1) + 1):
        labels = label(distances, n_clusters, seed)
        if not 1 < len(np.unique(labels[chosen])) < len(chosen):
            continue
        score = silhouette_score(sample, labels[chosen], metric="precomputed")
        if score > highest:
            best, highest = labels, score
    return best
