import numpy as np
from conftest import pixel_seds
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from helper_functions.methods.dbscan import DENSE_NEIGHBOURS, dbscan, join_components, knee
from helper_functions.pixel_distances import PixelDistances


def test_dbscan_equals_that_of_scikit_learn(cloud):
    """Two routes: components joined block by block, and scikit-learn's DBSCAN with the same eps on the full matrix."""
    distances = PixelDistances(cloud.seds, "euclidean")
    ours = dbscan(distances, None, 0).labels
    near, _ = distances.neighbours(DENSE_NEIGHBOURS)
    curve = np.sort(near[:, -1])
    eps = curve[knee(curve)]
    theirs = DBSCAN(eps=eps, min_samples=DENSE_NEIGHBOURS, metric="precomputed").fit_predict(distances.matrix())
    dense = near[:, -1] <= eps
    assert adjusted_rand_score(theirs[dense], ours[dense]) == 1
    # A pixel at the rim has one of 30 neighbours that is dense, if any is within reach.
    assert ((ours < 0) == (theirs < 0)).mean() > 0.999


def test_components_are_joined_that_only_far_neighbours_tie():
    """Two knots of 40 pixels within eps of each other: 30 nearest neighbours stay inside a knot, the join sees both."""
    rng = np.random.default_rng(0)
    knots = np.concatenate([rng.normal(0, 0.001, (40, 2)), rng.normal([0.1, 0], 0.001, (40, 2))]) + 5
    distances = PixelDistances(pixel_seds(knots, np.ones_like(knots)), "euclidean")
    dense, component = np.ones(80, dtype=bool), np.repeat([0, 1], 40)
    assert len(set(join_components(distances, component, dense, 0.2))) == 1
    assert len(set(join_components(distances, component, dense, 0.05))) == 2


def test_knee_of_a_bent_curve():
    assert knee(np.array([0.0, 1, 2, 3, 13, 23])) == 3
    assert knee(np.array([2.0, 2, 2])) == 2
