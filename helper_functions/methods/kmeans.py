"""k-means clustering."""

import warnings

from helper_functions.methods.method import Method, MethodResult

STARTS = 5


def kmeans(distances, n_clusters, seed):
    """k-means in the metric's space (Lloyd 1982), the best of STARTS k-means++ initialisations."""
    return MethodResult(fit_kmeans(distances.coordinates, n_clusters, seed, n_init=STARTS).labels_)


def fit_kmeans(points, n_clusters, seed, sample_weight=None, **options):
    """scikit-learn's `KMeans`, fitted; where there are fewer distinct points than clusters, some clusters are empty."""
    # scikit-learn takes as long to import as everything else: commands that cluster nothing start without it
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # raised for fewer distinct points than clusters
        return KMeans(n_clusters, random_state=seed, **options).fit(points, sample_weight=sample_weight)


METHODS = {"kmeans": Method(kmeans, "k-means in the metric's space")}
