import pytest

from helper_functions.job.command_line import read_command_line
from helper_functions.methods import METHODS
from helper_functions.products.runs import Run, plan_runs, run_sort_key
from main_clustering import settings_block


def test_run_names_join_what_is_not_default():
    names = {
        "kmeans": Run("kmeans", "none", "euclidean"),
        "kmeans_L2": Run("kmeans", "L2", "euclidean"),
        "agglomerative_L2_crosscor": Run("agglomerative", "L2", "crosscor"),
        "spectral_cross_cor_L2": Run("spectral_cross_cor", "L2", "crosscor"),
    }
    assert {run.name: run for run in names.values()} == names


def test_the_recommended_run_comes_first_and_the_others_as_methods_do():
    in_order = ["blended_mixture", "agglomerative_contrast", "blended_mixture_L2_euclidean", "spectral_L2"]
    in_order += ["spectral_sed", "spectral_cross_cor_L2"]  # by name alone, spectral_sed would be last
    assert sorted(reversed(in_order), key=run_sort_key) == in_order
    assert sorted(in_order) != in_order


def asked(*arguments):
    targets = read_command_line(settings_block(), list(arguments)).targets
    return targets.methods_to_run, targets.norm, targets.metric


def test_plan_is_every_combination_less_what_has_no_meaning():
    runs, refused = plan_runs(*asked("--methods", "kmeans", "spectral_cross_cor", "--metric", "weightednorm"))
    assert [run.name for run in runs] == ["kmeans_contrast_weightednorm"]
    assert [run.name for run in refused] == ["spectral_cross_cor_L2_weightednorm"]
    with pytest.raises(ValueError, match="works with metric crosscor only"):
        plan_runs(*asked("--methods", "spectral_cross_cor", "--metric", "euclidean"))
    twice = [name for name, entry in METHODS.items() if entry.takes_any_norm]
    assert len(plan_runs(*asked("--methods", *METHODS, "--norm", "L2", "sed"))[0]) == len(METHODS) + len(twice)


def test_titles_name_what_was_chosen_and_not_what_the_method_brings():
    assert Run("blended_mixture", "none", "noise").title(3) == "blended_mixture (3 clusters)"
    assert Run("kmeans", "L2", "euclidean").title(1) == "kmeans, norm L2 (1 cluster)"
    assert Run("kmeans", "L2", "noise").title(2) == "kmeans, norm L2, noise (2 clusters)"
    assert Run("spectral_cross_cor", "sed", "crosscor").title(2) == "spectral_cross_cor, norm sed (2 clusters)"
