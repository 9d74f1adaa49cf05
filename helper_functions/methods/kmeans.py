"""k-means clustering."""

import warnings

from helper_functions.methods.method import Method, MethodResult

STARTS = 5


def kmeans(distances, n_clusters, seed):
    """k-means in the metric's space (Lloyd 1982), the best of STARTS starts by k-means++."""
    return MethodResult(fit_kmeans(distances.coordinates, n_clusters, seed, n_init=STARTS).labels_)


def fit_kmeans(points, n_clusters, seed, **options):
    """scikit-learn's `KMeans`, fitted; where there are fewer distinct points than clusters, some clusters are empty."""
    from sklearn.cluster import KMeans  # scikit-learn and what it brings take as long to load as all the rest
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # which tells of fewer distinct points
        return KMeans(n_clusters, random_state=seed, **options).fit(points)


METHODS = {"kmeans": Method(kmeans, "k-means in the metric's space")}
