import numpy as np
import pytest

from helper_functions.quality.compare_runs import (
    agreement,
    agreement_table,
    consensus,
    match_regions,
    region_map,
)


def planted(n_clusters=4, shape=(20, 30)):
    """A label image with a strip without pixels and one in no cluster; clusters by falling size."""
    rng = np.random.default_rng(2)
    share = np.arange(n_clusters, 0, -1) / (n_clusters * (n_clusters + 1) / 2)
    labels = rng.choice(np.arange(1, n_clusters + 1), shape, p=share)
    labels[:3], labels[3] = 0, -1
    return labels


def test_permuted_labels_are_matched_exactly():
    labels = planted(12)
    order = np.random.default_rng(0).permutation(12)
    permuted = region_map(labels, order + 1)
    regions = match_regions(permuted, [labels])
    assert (region_map(permuted, regions) == labels).all()
    assert (regions[order] == np.arange(1, 13)).all()


def test_the_first_run_numbers_regions_like_its_clusters():
    assert match_regions(planted(4), []).tolist() == [1, 2, 3, 4]


def test_the_larger_part_of_a_cluster_that_is_split_keeps_its_region():
    before = np.repeat([1, 2], [100, 60])
    now = np.repeat([2, 3, 1], [55, 45, 60])
    assert match_regions(now, [before]).tolist() == [2, 1, 3]
    # And back: of two clusters that are joined, the larger gives its number.
    assert match_regions(before, [now]).tolist() == [2, 1]


@pytest.mark.parametrize(("in_common", "region"), [(50, 1), (49, 2)])
def test_clusters_are_one_region_from_a_third_of_their_pixels_on(in_common, region):
    before, now = np.zeros((2, 300), dtype=int)
    before[:100] = 1
    now[100 - in_common : 200 - in_common] = 1  # 50 in common of 150 in either: a third
    before[200:], now[200:] = -1, -1  # in no cluster is no region
    before[(before == 0) & (now != 0)] = now[(now == 0) & (before != 0)] = -1
    assert match_regions(now, [before]).tolist() == [region]


def test_the_best_sum_of_overlaps_counts_not_the_best_pair():
    # Cluster 1 overlaps with region 1 by 40/80 and with region 2 by 30/80; cluster 2 with region 1 alone, by 30/80.
    before = np.repeat([1, 2, 1], [40, 30, 30])
    now = np.repeat([1, 1, 2], [40, 30, 30])
    # Overlaps: (1, 1) 40/100, (1, 2) 30/70, (2, 1) 30/70, (2, 2) none: 1 with 2 and 2 with 1 is 60/70 in all.
    assert match_regions(now, [before]).tolist() == [2, 1]


def test_the_overlap_is_the_mean_over_the_runs_that_have_the_region():
    # Region 1 is pixels 0 to 99 of one run and 0 to 49 of another; a third run does not have it.
    one, other, third = np.repeat([1, -1], [100, 100]), np.repeat([1, -1], [50, 150]), np.repeat([9], [200])
    now = np.repeat([1, -1], [30, 170])  # overlap: (0.3 + 0.6) / 2, over the three it would be 0.3
    for runs in ([one, other, third], [third, other, one]):
        assert match_regions(now, runs).tolist() == [1]
    assert match_regions(now, [one]).tolist() == [2]


def test_new_regions_get_the_lowest_numbers_that_are_free():
    before = np.repeat([2, 5, -1], [40, 40, 60])
    now = np.repeat([4, 3, 1, 2], [40, 40, 35, 25])
    assert match_regions(now, [before]).tolist() == [1, 3, 5, 2]


def test_a_run_without_clusters_has_no_regions():
    nothing = np.where(planted() == 0, 0, -1)
    assert match_regions(nothing, [planted()]).shape == (0,)
    assert match_regions(planted(), [nothing]).tolist() == [1, 2, 3, 4]
    assert (region_map(nothing, np.zeros(0, dtype=int)) == nothing).all()


def test_agreement_by_hand():
    # In common: 2 1 / 0 3. Pairs that are together: in both 1 + 3 = 4, in a 3 + 3 = 6, in b 1 + 6 = 7, of 15 in all.
    a, b = np.array([[0, 1, 1, 1, 2, 2, 2]]), np.array([[0, 1, 1, 2, 2, 2, 2]])
    # c is a, but leaves out what is cluster 2 there: as a group it is the same.
    c = np.array([[0, 1, 1, 1, -1, -1, -1]])
    found = agreement(["a", "b", "c"], [a, b, c])
    by_hand = (4 - 6 * 7 / 15) / ((6 + 7) / 2 - 6 * 7 / 15)
    expected = [[1, by_hand, 1], [by_hand, 1, by_hand], [1, by_hand, 1]]
    np.testing.assert_allclose(found.rand_index, expected, rtol=1e-12)
    table = agreement_table(found)
    assert table.colnames == ["run", "a", "b", "c"]
    assert table["b"][0] == pytest.approx(by_hand)
    assert "adjusted Rand index with b" in table["b"].description


def test_consensus_by_hand():
    maps = [
        np.array([[0, 1, 1, 4, -1, -1, 2]]),
        np.array([[0, 1, 2, 4, -1, -1, 3]]),
        np.array([[0, 1, 2, -1, 1, 1, -1]]),
        np.array([[0, 1, 2, -1, 1, -1, -1]]),
    ]
    region, share = consensus(maps)
    # Of two and two the lower number, and a region before none.
    assert region.tolist() == [[0, 1, 2, 4, 1, -1, -1]]
    np.testing.assert_array_equal(share, [[np.nan, 1, 0.75, 0.5, 0.5, 0.75, 0.5]])
    for recluster, same in zip(consensus(maps[::-1]), (region, share), strict=True):
        np.testing.assert_array_equal(recluster, same)
