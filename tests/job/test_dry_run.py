from types import SimpleNamespace

import numpy as np
import pytest

import data_paths
from helper_functions.job.dry_run import CUBES_MB, EXPLORER_MB, GALAXY_MB, REGIONS, RUN_MB, costs, fits_to_do
from helper_functions.products.runs import Run
from main_clustering import settings_block

BLENDED, KMEANS = Run("blended_mixture", "none", "euclidean"), Run("kmeans", "contrast", "euclidean")


def store(id_dr3, n_clusters=None, is_done=False):
    """Stands for what is on disk of a galaxy."""
    row = {"n_clusters": n_clusters} if is_done else None
    return SimpleNamespace(id_dr3=id_dr3, n_clusters=lambda run: n_clusters, done_row=lambda run: row)


def test_room_on_disk_is_of_the_files_that_are_asked_for():
    sizes, runs, settings = np.array([100, 2000]), [BLENDED, KMEANS], settings_block()

    def room(**changed):
        return costs(sizes, runs, settings._replace(**changed))[1]

    def of(cost):
        return cost[0] + cost[1] * sizes / 1000

    bare = room(pictures="none", pixel_cubes=False)
    assert bare == pytest.approx(of(GALAXY_MB["none"]) + 2 * of(RUN_MB["none"]))
    assert room(pictures="none", pixel_cubes=True) == pytest.approx(bare + of(CUBES_MB))
    assert room(pictures="none", pixel_cubes=False, explorer=True) == pytest.approx(bare + of(EXPLORER_MB))
    few = room(pictures="few", pixel_cubes=False)
    assert few == pytest.approx(bare + of(GALAXY_MB["few"]) + 2 * of(RUN_MB["few"]))
    assert (room(pictures="all", pixel_cubes=False) > few).all()


def test_pictures_and_their_criteria_take_time_only_where_they_are_drawn():
    def seconds(**changed):
        return costs(np.array([1000]), [BLENDED], settings_block()._replace(**changed))[0][0]

    assert seconds(pictures="none") < seconds(pictures="few") < seconds(pictures="all")
    assert seconds(pictures="all", criteria_shown=[]) < seconds(pictures="all")


def test_regions_to_fit_are_those_on_record_and_the_usual_number_elsewhere(tmp_path):
    settings = settings_block()._replace(output=str(tmp_path))
    path = data_paths.region_fit_path(tmp_path, BLENDED.name, 1, 2)
    path.parent.mkdir(parents=True)
    path.touch()  # one of the regions is fitted already
    stores = [store(1, 4, is_done=True), store(2, 2), store(3)]
    # 4 less the one that is fitted; 2 that other settings found; and their median, 3. kmeans leaves nothing to fit.
    fits, runs, said = fits_to_do(stores, [KMEANS, BLENDED], settings)
    assert (fits, runs) == (3 + 2 + 3, 3)
    assert said == "8 regions to fit, if each of 1 galaxies not clustered yet has 3"
    assert fits_to_do(stores[:1], [BLENDED], settings)[2] == "3 regions to fit"
    assert fits_to_do([store(3)], [BLENDED], settings)[0] == REGIONS
    assert fits_to_do([store(3)], [BLENDED], settings._replace(n_clusters=5))[0] == 5
    assert fits_to_do(stores, [KMEANS], settings)[:2] == (0, 0)
