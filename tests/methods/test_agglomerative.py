import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, ward
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from helper_functions.methods.agglomerative import agglomerative, two_stage_ward, weighted_ward
from helper_functions.pixel_distances import PixelDistances


@pytest.mark.parametrize("metric", ["euclidean", "crosscor", "weightednorm"])
def test_agglomerative_equals_ward_on_the_precomputed_matrix(metric, cloud):
    """Two routes: points of the embedding, and scipy's Ward on the matrix of distances."""
    distances = PixelDistances(cloud.seds, metric).only(np.arange(400))
    by_matrix = fcluster(ward(squareform(distances.matrix(), checks=False)), 5, criterion="maxclust")
    assert adjusted_rand_score(by_matrix, agglomerative(distances, 5, 0).labels) == 1


def test_weighted_ward_equals_ward_of_the_points_it_stands_for():
    rng = np.random.default_rng(0)
    centres, weights = rng.normal(size=(40, 3)), rng.integers(1, 6, 40)
    repeated = np.repeat(np.arange(40), weights)
    plain = fcluster(ward(centres[repeated]), 6, criterion="maxclust")
    assert adjusted_rand_score(plain, weighted_ward(centres, weights, [6])[6][repeated]) == 1


def test_two_stages_with_a_micro_cluster_for_every_point_are_wards():
    points = np.random.default_rng(1).normal(size=(60, 3))
    assert adjusted_rand_score(fcluster(ward(points), 4, criterion="maxclust"), two_stage_ward(points, [4], 0)[4]) == 1
