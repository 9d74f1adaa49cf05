from types import SimpleNamespace

from data_paths import output_path
from helper_functions.job.dry_run import estimate_duration, regions_to_fit
from helper_functions.products.runs import Run
from main_clustering import settings_block

BLENDED, KMEANS = Run("blended_mixture", "none", "noise"), Run("kmeans", "contrast", "euclidean")


def galaxy(id_dr3, n_clusters=None, is_done=False):
    """Stands for the records of a galaxy."""
    row = {"n_clusters": n_clusters} if is_done else None
    return SimpleNamespace(id_dr3=id_dr3, n_clusters=lambda run: n_clusters, done_row=lambda run: row)


def test_time_is_that_of_the_same_runs_for_as_many_pixels():
    rows = [
        {"run": "kmeans_contrast", "status": "ok", "seconds": 1.0, "n_pixels": 500},
        {"run": "kmeans_contrast", "status": "ok", "seconds": 3.0, "n_pixels": 1500},
        {"run": "kmeans_contrast", "status": "no pixels", "seconds": float("nan"), "n_pixels": 0},
        {"run": "dbscan_sed", "status": "ok", "seconds": 1e6, "n_pixels": 1},
    ]
    job = settings_block().job._replace(jobs=2)
    # 2 ms a pixel, 40,000 pixels, two jobs: 40 seconds.
    assert estimate_duration(rows, [KMEANS], [30_000, 10_000], job).startswith("at most about 40 seconds with --jobs 2")
    said = estimate_duration(rows, [KMEANS, BLENDED], [1000], job)
    assert said.startswith("how long it takes is not known: no galaxy here has blended_mixture yet")


def test_regions_to_fit_are_those_on_record(tmp_path):
    path = output_path(tmp_path, "region_fit", run=BLENDED.name, id=1, cluster=2)
    path.parent.mkdir(parents=True)
    path.touch()  # one of the regions is fitted already
    galaxies = [galaxy(1, 4, is_done=True), galaxy(2, 2), galaxy(3)]
    # 4 and their sum less the one that is fitted, and 2 that other settings found and theirs; kmeans leaves nothing.
    said = regions_to_fit(galaxies, [KMEANS, BLENDED], tmp_path)
    each = "with the integrated light of each run"
    assert said == f"7 regions to fit, {each}, and those of 1 galaxies that are not clustered yet"
    assert regions_to_fit(galaxies[:1], [BLENDED], tmp_path) == f"4 regions to fit, {each}"
    assert regions_to_fit([galaxy(4, 1)], [BLENDED], tmp_path) == f"1 regions to fit, {each}"  # which is its own sum
    assert regions_to_fit(galaxies, [KMEANS], tmp_path) == f"0 regions to fit, {each}"
