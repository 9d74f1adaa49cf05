from pathlib import Path

import pytest

from helper_functions.job.settings import Run, plan_runs, read_command_line
from main_clustering import settings_block


def settings(*arguments, **block):
    return read_command_line(settings_block()._replace(**block), list(arguments))


def test_the_command_line_overrides_the_block():
    line = (
        "--ids 5 6 5 --methods kmeans dbscan --norm sed --metric crosscor --n-clusters auto --snr-thresh 2.5 --jobs 2"
    )
    given = settings(*line.split(), "--catalogs", "a", "--output", "b", "--scheduler", "tcp://x:1", "--overwrite")
    assert given.id_dr3_list == [5, 6]
    assert (given.methods, given.norm, given.metric) == (["kmeans", "dbscan"], ["sed"], ["crosscor"])
    assert (given.n_clusters, given.snr_thresh, given.jobs) == ("auto", 2.5, 2)
    assert (given.scheduler, given.overwrite) == ("tcp://x:1", True)
    assert (given.catalogs, given.output) == (str(Path("a").absolute()), str(Path("b").absolute()))
    assert settings("--n-clusters", "6").n_clusters == 6


def test_without_a_command_line_the_block_holds():
    given = settings(snr_thresh=7, norm="pca", n_clusters=3)
    assert (given.snr_thresh, given.norm, given.n_clusters, given.overwrite) == (7.0, ["pca"], 3, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-clusters", "many"], "n_clusters must be a whole number of at least 1 or \"auto\", found 'many'"),
        (["--n-clusters", "0"], "n_clusters must be"),
        (["--n-clusters", "2.5"], "n_clusters must be"),
        (["--ids", "x"], "id_dr3 must be a whole number of at least 1, found 'x'"),
        (["--snr-thresh", "nan"], "snr_thresh must be a number, found 'nan'"),
        (["--jobs", "0"], "jobs must be a whole number of at least 1, found '0'"),
    ],
)
def test_values_that_cannot_be_name_the_setting(arguments, message):
    with pytest.raises(ValueError, match=message):
        settings(*arguments)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"id_dr3_list": []}, "no galaxy asked for"),
        ({"figure_format": "gif"}, "unknown figure_format 'gif': choose from png, pdf"),
        ({"margin": -1}, "margin must be a whole number of at least 0, found -1"),
        ({"redshift_tolerance": "wide"}, "redshift_tolerance must be a number of at least 0"),
    ],
)
def test_the_block_is_checked_too(block, message):
    with pytest.raises(ValueError, match=message):
        settings(**block)


def test_unknown_flags_stop_with_the_usage(capsys):
    with pytest.raises(SystemExit):
        settings("--method", "kmeans", "--colour", "red")
    assert "unrecognized arguments: --colour red" in capsys.readouterr().err


def test_run_names_join_what_is_not_default():
    names = {
        "kmeans": Run("kmeans", "none", "euclidean"),
        "kmeans_L2": Run("kmeans", "L2", "euclidean"),
        "agglomerative_L2_crosscor": Run("agglomerative", "L2", "crosscor"),
        "spectral_cross_cor_L2": Run("spectral_cross_cor", "L2", "crosscor"),
    }
    assert {run.name: run for run in names.values()} == names


def test_plan_is_every_combination_less_what_has_no_meaning():
    runs, refused = plan_runs(settings("--methods", "kmeans", "spectral_cross_cor", "--metric", "weightednorm"))
    assert [run.name for run in runs] == ["kmeans_L2_weightednorm"]
    assert [run.name for run in refused] == ["spectral_cross_cor_L2_weightednorm"]
    with pytest.raises(ValueError, match="has a meaning with metric crosscor only"):
        plan_runs(settings("--methods", "spectral_cross_cor", "--metric", "euclidean"))
    with pytest.raises(ValueError, match="unknown method 'kmean': choose from blended_mixture, kmeans"):
        plan_runs(settings("--methods", "kmean"))
    assert len(plan_runs(settings("--norm", "L2", "sed"))[0]) == 6 * 2 + 1  # blended_mixture has its own norm
