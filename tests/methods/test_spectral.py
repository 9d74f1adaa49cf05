import numpy as np
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from helper_functions.methods.graphs import neighbour_graph
from helper_functions.methods.spectral import GRAPH_NEIGHBOURS, spectral, spectral_cross_cor
from helper_functions.pixel_distances import PixelDistances


def test_spectral_equals_scikit_learns_on_the_same_graph(cloud):
    """Two routes: our eigenvectors and labels, and scikit-learn's, of one graph of nearest neighbours."""
    noisy = cloud.seds.flux + np.random.default_rng(0).normal(0, 0.1, cloud.seds.flux.shape)  # in one component
    distances = PixelDistances(cloud.seds._replace(flux=noisy), "euclidean").only(slice(600))
    _, indices = distances.neighbours(GRAPH_NEIGHBOURS)
    graph = neighbour_graph(indices, np.ones(indices.shape)).toarray()
    theirs = SpectralClustering(3, affinity="precomputed", assign_labels="cluster_qr", random_state=0).fit_predict(
        graph
    )
    # Theirs has no ties of pixels to themselves, which moves a few pixels between two shapes.
    assert adjusted_rand_score(theirs, spectral(distances, 3, 0).labels) > 0.95


def test_spectral_cross_cor_equals_scikit_learns_on_the_same_similarities(cloud):
    distances = PixelDistances(cloud.seds, "crosscor").only(slice(600))
    similarity = 1 - distances.matrix()
    model = SpectralClustering(3, affinity="precomputed", assign_labels="cluster_qr", random_state=0)
    theirs = model.fit_predict(similarity)
    assert adjusted_rand_score(theirs, spectral_cross_cor(distances, 3, 0).labels) > 0.99
