import numpy as np
import pytest
from conftest import distances_of

from distances import METRICS, euclidean_distances
from helper_functions import pixel_distances
from helper_functions.pixel_distances import landmark_coordinates


@pytest.mark.parametrize("metric", METRICS)
def test_condensed_is_the_matrix_above_its_diagonal(metric, random_seds):
    distances = distances_of(random_seds, metric)
    upper = distances.matrix()[np.triu_indices(len(random_seds), 1)]
    np.testing.assert_allclose(distances.condensed(), upper, rtol=1e-9, atol=1e-9 * upper.max())


@pytest.mark.parametrize("metric", METRICS)
def test_matrix_in_single_precision_is_the_same(metric, random_seds):
    double, single = (distances_of(random_seds, metric).matrix(dtype) for dtype in (np.float64, np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-6, atol=1e-7 * double.max())


@pytest.mark.parametrize("how", ["read off", "searched", "searched in single precision"])
@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_are_the_nearest_of_the_matrix(metric, how, random_seds, monkeypatch):
    if how != "read off":
        monkeypatch.setattr(pixel_distances, "BRUTE_SEARCH", 10)
    limit = {"memory_limit": 1} if how == "searched in single precision" else {}
    distances = distances_of(random_seds, metric, **limit)
    near, indices = distances.neighbours(7)
    assert (indices[:, 0] == np.arange(len(random_seds))).all()
    expected = np.sort(distances.matrix(), axis=1)[:, :7]
    # 1e-5: in single precision two pixels equally near may change places.
    tolerance = 1e-5 if how == "searched in single precision" else 1e-7
    np.testing.assert_allclose(near, expected, rtol=tolerance, atol=tolerance * expected.max())
    np.testing.assert_allclose(near, np.take_along_axis(distances.matrix(), indices, axis=1), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("metric", METRICS)
def test_more_neighbours_than_pixels_are_all_pixels(metric, random_seds):
    near, indices = distances_of(random_seds[:3], metric).neighbours(20)
    assert near.shape == (3, 3)
    assert (np.sort(indices, axis=1) == [0, 1, 2]).all()


def test_identical_pixels_are_their_own_first_neighbours():
    _, indices = distances_of(np.tile([1.0, 2, 3, 4], (6, 1)), "crosscor").neighbours(2)
    assert (indices[:, 0] == np.arange(6)).all()


def test_landmarks_place_points_as_far_apart_as_they_are():
    """A metric that is Euclidean in two dimensions is found again, also with fewer landmarks than points."""
    points = np.random.default_rng(4).normal(size=(900, 2))
    placed = landmark_coordinates(points, euclidean_distances, n_dimensions=5)
    assert placed.shape == (900, 2)
    np.testing.assert_allclose(euclidean_distances(placed, placed), euclidean_distances(points, points), atol=1e-6)


def test_some_pixels_in_another_order_are_rows_and_columns_of_the_matrix(random_seds):
    distances, chosen = distances_of(random_seds, "crosscor"), [5, 599, 2]
    np.testing.assert_allclose(distances.only(chosen).matrix(), distances.matrix()[np.ix_(chosen, chosen)], atol=1e-12)
    assert (distances.only(chosen).seds.flux == random_seds[chosen]).all()


def test_blocks_are_the_matrix_row_by_row(random_seds):
    distances = distances_of(random_seds, "euclidean")
    rows = np.concatenate([block for _, block in distances.blocks()])
    np.testing.assert_allclose(rows, distances.matrix(), atol=1e-12)


def test_too_large_is_when_the_matrix_does_not_fit(random_seds):
    assert not distances_of(random_seds, "euclidean", memory_limit=8 * 600**2).too_large
    assert distances_of(random_seds, "euclidean", memory_limit=8 * 600**2 - 1).too_large
