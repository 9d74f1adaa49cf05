from types import SimpleNamespace

import numpy as np
import pytest

from distances import METRICS
from helper_functions.methods import METHODS
from helper_functions.normalize import NORMS
from helper_functions.quality.variants import COMPARISONS, cluster_variants, planned_comparisons

PARTS = np.repeat([0, 1, 2, 3, 4], [15, 20, 19, 21, 25])
MAPS = {  # number of clusters -> labels, the largest first, of 100 pixels in these parts
    1: np.array([1, 1, 1, 1, 1])[PARTS],
    2: np.array([1, 1, 1, 2, 2])[PARTS],
    3: np.array([2, 2, 3, 1, 1])[PARTS],  # the middle part is split off, and labels change
    4: np.array([1, 1, 4, 3, 2])[PARTS],  # and the one after it
}


def planted(seds, n_clusters, seed):
    if n_clusters not in MAPS:
        raise ValueError("too few")
    return SimpleNamespace(labels=MAPS[n_clusters])


def compare(seds, n_clusters, known=()):
    variants, reference = COMPARISONS["number"].variants("kmeans", n_clusters)
    return {name: each for (_, name), each in cluster_variants(planted, seds, variants, reference, known).items()}


def test_a_region_keeps_its_number_with_more_and_fewer_clusters(two_shapes):
    found = compare(two_shapes.seds, 2)
    assert list(found) == ["1 cluster", "2 clusters", "3 clusters", "4 clusters"]
    assert [each.regions.tolist() for each in found.values()] == [[1], [1, 2], [2, 1, 3], [1, 2, 4, 3]]
    assert np.isnan(found["2 clusters"].rand_index)
    assert found["1 cluster"].rand_index == 0
    assert found["3 clusters"].rand_index > found["4 clusters"].rand_index > 0.3


def test_regions_of_the_reference_are_those_of_the_runs(two_shapes):
    found = compare(two_shapes.seds, 2, [np.array([7, 7, 7, 5, 5])[PARTS]])
    assert found["2 clusters"].regions.tolist() == [7, 5]
    assert found["3 clusters"].regions[:2].tolist() == [5, 7]


def test_what_cannot_be_clustered_is_told_unless_it_is_the_reference(two_shapes):
    found = compare(two_shapes.seds, 3)
    assert str(found["5 clusters"]) == "too few"
    with pytest.raises(ValueError, match="too few"):
        compare(two_shapes.seds, 5)


def test_chi2_is_one_at_the_truth(two_shapes):
    chi2 = []
    for labels in (two_shapes.truth, np.ones(100, dtype=int)):
        found = cluster_variants(lambda *_, at=labels, **__: SimpleNamespace(labels=at), two_shapes.seds, {0: {}}, 0)
        chi2.append(found[0].chi2)
    assert chi2[0] == pytest.approx(1, abs=0.2)  # 100 pixels in 6 bands: 6%
    assert chi2[1] > 2


@pytest.mark.parametrize("method", [name for name, entry in METHODS.items() if entry.takes_any_norm])
def test_norms_and_metrics_are_those_that_the_method_takes(method):
    entry = METHODS[method]
    variants, reference = COMPARISONS["norms"].variants(method, 4)
    assert reference == (entry.norm, entry.metric)
    assert len(variants) == len(NORMS) * (len(METRICS) if entry.takes_any_metric else 1)
    assert variants[reference] == {"norm": entry.norm, "metric": entry.metric, "n_clusters": 4}
    assert COMPARISONS["norms"].variants(method, 1)[0][reference]["n_clusters"] == 2  # one is the same for all


def test_comparisons_have_a_method_or_say_why_it_has_none():
    assert planned_comparisons(["number", "norms"]) == [("number", "blended_mixture"), ("norms", "kmeans")]
    assert planned_comparisons(["norms"], "spectral") == [("norms", "spectral")]
    with pytest.raises(ValueError, match="dbscan determines the number of clusters itself"):
        planned_comparisons(["number"], "dbscan")
    with pytest.raises(ValueError, match="blended_mixture always uses its own norm and metric"):
        planned_comparisons(["norms"], "blended_mixture")
