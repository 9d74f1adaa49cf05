import numpy as np
from scipy.cluster.vq import kmeans2
from sklearn.metrics import adjusted_rand_score

from helper_functions.methods.kmeans import fit_kmeans, kmeans
from helper_functions.pixel_distances import PixelDistances


def test_labels_are_those_of_the_nearest_centre(cloud):
    """Two routes: scipy's k-means that starts from the means of our clusters finds nothing to improve."""
    flux = cloud.seds.flux[:400]
    labels = kmeans(PixelDistances(cloud.seds.only(slice(400)), "euclidean"), 3, 0).labels
    means = np.array([flux[labels == k].mean(axis=0) for k in range(3)])
    _, again = kmeans2(flux, means, minit="matrix", iter=20)
    assert (again == labels).all()
    assert adjusted_rand_score(cloud.truth[:400], labels) > 0.95


def test_fewer_distinct_points_than_clusters_are_fewer_clusters_without_a_warning():
    assert len(set(fit_kmeans(np.repeat([[0.0], [1.0]], 5, axis=0), 4, seed=0, n_init=2).labels_)) == 2
