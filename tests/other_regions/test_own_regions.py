"""Regions of a user in place of clusters."""

import numpy as np
import pytest
from conftest import pixel_seds

from helper_functions.other_regions.own_regions import NoRegions, clustering_of_regions


@pytest.fixture
def seds():
    """30 pixels in rows 0 to 2 and columns 0 to 9, of an image with a fourth row that is not selected."""
    return pixel_seds(np.ones((30, 3)), np.full((30, 3), 0.1))


def mask(columns, rows=slice(0, 3)):
    found = np.zeros((4, 10), dtype=bool)
    found[rows, columns] = True
    return found


def test_labels_fall_in_size_and_keep_their_names_and_what_happened_is_told(seds):
    regions = {"left": mask(slice(0, 2)), "large": mask(slice(1, 7), slice(0, 4)), "dark": mask(slice(0, 9), 3)}
    found = clustering_of_regions(seds, regions | {"far": mask(0, slice(0, 0))}, ["a note"])
    by_row = found.labels.reshape(3, 10)
    np.testing.assert_array_equal(by_row, [[2, 2, 1, 1, 1, 1, 1, -1, -1, -1]] * 3)  # the first keeps column 1
    assert (found.n_clusters, found.names, found.k_choice) == (2, ("large", "left"), "given")
    assert found.k_notes == [
        "a note",
        "1 of 4 regions are elsewhere",
        "9 pixels inside the regions are not selected, and left out",
        "3 pixels of large are in an earlier region, too, which keeps them",
        "no selected pixel is left for dark",
    ]
    swapped = clustering_of_regions(seds, {name: regions[name] for name in ("large", "left")})
    np.testing.assert_array_equal(swapped.labels.reshape(3, 10)[0], [2, 1, 1, 1, 1, 1, 1, -1, -1, -1])


def test_a_galaxy_without_a_pixel_in_a_region_is_told_so(seds):
    with pytest.raises(NoRegions, match="no region is near the galaxy; a note"):
        clustering_of_regions(seds, {"a": mask(0, slice(0, 0))}, ["a note"])
    with pytest.raises(NoRegions, match="none of 30 selected pixels is in a region"):
        clustering_of_regions(seds, {"dark": mask(slice(0, 9), 3)})
