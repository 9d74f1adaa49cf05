"""What every registered method must do, called by itself."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from helper_functions.methods import METHODS
from helper_functions.methods.method import MethodResult
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.pixel_distances import PixelDistances


def label(method, cloud, **limits):
    entry = METHODS[method]
    return entry.label(PixelDistances(cloud.seds, entry.metric, **limits), 3, 0)


@pytest.mark.parametrize("method", METHODS)
def test_beyond_the_memory_limit_the_labels_hardly_change(method, cloud):
    exact, large = (label(method, cloud, memory_limit=limit).labels for limit in (1e12, 1e6))
    # Shapes this far apart are found by every route; a pixel between two of them may fall either way.
    assert adjusted_rand_score(exact, large) > 0.95
    if not METHODS[method].finds_number:
        assert adjusted_rand_score(cloud.truth, large) > 0.95


@pytest.mark.parametrize("memory_limit", [1e12, 1e6])  # with and without the matrix of distances
@pytest.mark.parametrize("method", [name for name, entry in METHODS.items() if entry.label_several])
def test_several_numbers_at_once_are_what_each_gives_alone(method, memory_limit, cloud):
    """Also 9, for which the shapes are split at random places: not only what is easy to find is the same."""
    entry = METHODS[method]
    distances = PixelDistances(cloud.seds, entry.metric, memory_limit=memory_limit).only(slice(500))
    several = entry.label_several(distances, [2, 3, 9], 0)
    assert set(several) == {2, 3, 9}
    for k, found in several.items():
        found = entry.refine(distances, found.model, 0) if entry.refine else found
        assert adjusted_rand_score(entry.label(distances, k, 0).labels, found.labels) == 1


def test_every_method_has_a_criterion_that_exists():
    for entry in METHODS.values():
        assert entry.finds_number or entry.criterion in CRITERIA
        assert entry.meaning


def test_found_in_another_order():
    found = MethodResult(np.array([3, 1, 2]), log_likelihood=np.array([-4.0, -5, -6]))
    turned = found.only([2, 0, 1])
    assert turned.labels.tolist() == [2, 3, 1]
    assert turned.log_likelihood.tolist() == [-6, -4, -5]
    assert (turned.probability, turned.residual) == (None, None)
