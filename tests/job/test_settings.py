from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helper_functions.job.command_line import command_line_flag, read_command_line
from helper_functions.job.setting_values import GalaxySettings
from helper_functions.job.settings import SETTINGS, collect_block
from main_clustering import settings_block


def settings(*arguments, **block):
    """All settings in one namespace, whatever their group."""
    return SimpleNamespace(**read_command_line(settings_block().changed(**block), list(arguments)).as_dict())


def test_the_command_line_overrides_the_block():
    line = (
        "--ids 5 6 5 --methods kmeans dbscan --norm sed --metric crosscor --n-clusters auto --snr-thresh 2.5 --jobs 2"
    )
    flags = ["--catalogs", "a", "--output", "b", "--scheduler", "tcp://x:1", "--overwrite"]
    with pytest.warns(UserWarning, match="duplicate ids are ignored: 5$"):
        given = settings(*line.split(), *flags)
    assert given.id_dr3_list == [5, 6]
    assert (given.methods_to_run, given.norm, given.metric) == (["kmeans", "dbscan"], ["sed"], ["crosscor"])
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
        (["--ids", "x"], "id_dr3 must be a whole number of at least 1, all, or a file of ids: found 'x', and there is"),
        (["--select", "z_50 + 1"], "the selection 'z_50 . 1' gives numbers, not true or false"),
        (["--select", "__import__('os').system('ls')"], "it may hold columns, numbers"),
        (["--snr-thresh", "nan"], "snr_thresh must be a number, found 'nan'"),
        (["--ids", str(2**63)], f"of at least 1 and at most {2**62}, found '{2**63}'"),
        (["--ids", "1e20"], "id_dr3 must be a whole number of at least 1, all, or a file of ids: found '1e20'"),
        (["--output", ""], "output must be a folder, found ''"),
        (["--catalogs", ""], "catalogs must be a folder, found ''"),
        (["--snr-bands", "5"], "snr_bands must be given as NAME=VALUE, found \\['5'\\]"),
        (["--snr-bands", "f444w=far"], "snr_bands must be a number, found 'far'"),
        (["--galaxies", "nowhere.csv"], "galaxies nowhere.csv cannot be read \\(No such file"),
        (["--magnification", "0"], "magnification must be above 0, found '0'"),
        (
            ["--seed", "4294967296"],
            "seed must be a whole number of at least 0 and at most 4294967295, found '4294967296'",
        ),
        (["--dpi", "1"], "dpi must be a whole number of at least 10"),
        (["--ids", "tests"], "tests is not a file of ids: it cannot be read .Is a directory"),
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
        ({"include_neighbours": "yes"}, "include_neighbours must be True or False, found 'yes'"),
        ({"methods_to_run": []}, "no method asked for"),
        ({"methods_to_run": "kmeen"}, "unknown method 'kmeen': choose from agglomerative, blended_mixture"),
        ({"criteria_shown": ["evidence"]}, "unknown criterion 'evidence': choose from tic, bic"),
        ({"compare": "metrics"}, "unknown comparison 'metrics': choose from number, norms"),
        ({"output": " "}, "output must be a folder, found ' '"),
        ({"methods_to_run": None}, "no method asked for"),
        ({"id_dr3_list": None}, "no galaxy asked for"),
        ({"methods_to_run": [["kmeans"]]}, r"methods_to_run cannot be \[\['kmeans'\]\]: clustering methods"),
    ],
)
def test_the_block_is_checked_too(block, message):
    with pytest.raises(ValueError, match=message):
        settings(**block)


@pytest.mark.parametrize(
    "ids", [np.array([5, 6]), {6, 5}, range(5, 7), (5, 6), np.array([5.0, 6.0]), iter([5, 6]), [np.int64(5), "6"]]
)
def test_ids_of_the_block_may_be_in_any_collection(ids):
    found = settings(id_dr3_list=ids).id_dr3_list
    assert found == [5, 6]
    assert {type(id_dr3) for id_dr3 in found} == {int}


def test_none_stands_for_an_empty_list_or_dictionary():
    empty = settings(snr_bands=None, export=None, compare=None, criteria_shown=None, features=np.array(["halpha"]))
    assert (empty.snr_bands, empty.export, empty.compare, empty.criteria_shown) == ({}, [], [], [])
    assert empty.features == ["halpha"]
    assert settings(fit_priors=None).fit_priors == settings(fit_priors={}).fit_priors
    assert settings(norm=None).norm == [None]


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(
        ValueError, match=r"(?s)^no method asked for.*\nmargin must be .* found -1\nseed must.* found 'x'$"
    ):
        settings("--seed", "x", margin=-1, methods_to_run=[])


def test_a_selection_on_the_command_line_is_of_all_unless_ids_are_named():
    assert settings("--select", "z_50 > 1").id_dr3_list == "all"
    assert settings("--select", "z_50 > 1", "--ids", "5").id_dr3_list == [5]
    assert settings(select="z_50 > 1", id_dr3_list=[5, 6]).id_dr3_list == [5, 6]
    assert settings("--select", "default", select="z_50 > 1").select is None


def test_unknown_flags_stop_with_the_usage(capsys):
    with pytest.raises(SystemExit):
        settings("--method", "kmeans", "--colour", "red")
    assert "unrecognized arguments: --colour red" in capsys.readouterr().err


def test_every_setting_of_the_block_has_a_flag(capsys):
    with pytest.raises(SystemExit):
        settings("--help")
    shown = capsys.readouterr().out
    assert all(f"{command_line_flag(name)} " in shown or f"{command_line_flag(name)}," in shown for name in SETTINGS)


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--include-neighbours"], "include_neighbours", True),
        (["--no-include-neighbours"], "include_neighbours", False),
        (["--redshift-tolerance", "0.1"], "redshift_tolerance", 0.1),
        (["--redshift-tolerance", "default"], "redshift_tolerance", None),
        (["--margin", "7"], "margin", 7),
        (["--magnification", "mu"], "magnification", "mu"),
        (["--magnification", "1.5"], "magnification", 1.5),
        (["--galaxies", "default"], "galaxies", None),
        (["--snr-bands", "F444W=5"], "snr_bands", {"f444w": 5.0}),
        (["--pictures", "few"], "pictures", "few"),
        (["--no-pixel-cubes"], "pixel_cubes", False),
        (["--features", "halpha", "oii"], "features", ["halpha", "oii"]),
        (["--features", "default"], "features", None),
        (["--norm", "default", "L2"], "norm", [None, "L2"]),
        (["--polynomial-degree", "3"], "polynomial_degree", 3),
        (["--criterion", "default"], "criterion", None),
        (["--criteria-shown", "bic"], "criteria_shown", ["bic"]),
        (["--criteria-shown"], "criteria_shown", []),
        (["--compare", "norms", "number"], "compare", ["norms", "number"]),
        (["--compare-method", "default"], "compare_method", None),
        (["--seed", "5"], "seed", 5),
        (["--figure-format", "pdf"], "figure_format", "pdf"),
        (["--dpi", "90"], "dpi", 90),
        (["--memory-limit", "0.5"], "memory_limit", 0.5),
    ],
)
def test_what_flags_read(arguments, name, value):
    block = {"include_neighbours": not value} if name == "include_neighbours" else {}
    assert getattr(settings(*arguments, **block), name) == value


def test_a_block_may_name_some_settings_and_others_have_their_defaults():
    block = {"MARGIN": 7, "SEED": 3, "SOMETHING_ELSE": 0}
    found = collect_block(block, seed=5).as_dict()
    assert (found["margin"], found["seed"], found["dpi"]) == (7, 5, SETTINGS["dpi"].default)
    assert found.keys() == SETTINGS.keys()


def test_every_default_is_a_value_that_its_reader_takes():
    for name in SETTINGS.keys() - {"id_dr3_list"}:  # no galaxy is asked for by default, which is refused
        SETTINGS[name].read(name, SETTINGS[name].default)


def test_settings_of_single_galaxies_come_from_one_table(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("id,redshift,neighbours_added,magnification\n36,4.13,40 41,\n7,,,2.5\n")
    assert settings("--galaxies", str(path)).galaxies == {
        36: GalaxySettings(redshift=4.13, neighbours_added=(40, 41)),
        7: GalaxySettings(magnification=2.5),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,colour\n7,red\n", "line 1: .*has the columns id, colour: want id and any of redshift, neighbours_added"),
        ("redshift\n2\n", "has the columns redshift: want id"),
        ("", "has the columns none: want id"),
        ("id,redshift\n7,far\n", "line 2: redshift must be a number of at least 0, found 'far'"),
        ("id,neighbours_added\n7,8 x\n", "line 2: neighbours_added must be a whole number of at least 1, found 'x'"),
        ("id,magnification\n7,0\n", "line 2: magnification must be above 0, found '0'"),
        ("id,redshift\n7,1\n7,2\n", "line 3: id 7 comes twice"),
        ("id,redshift\nseven,1\n", "line 2: id must be a whole number"),
    ],
)
def test_a_table_of_single_galaxies_that_cannot_be_is_told_by_line(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        settings("--galaxies", str(path))


def test_a_misspelt_setting_in_the_block_is_refused():
    with pytest.raises(ValueError, match=r"^SNR_TRESH in the settings block is no setting: write SNR_THRESH, or"):
        collect_block({"SNR_TRESH": 3.0})
    others = {"OWN_RUN": 1, "MY_GALAXIES_OF_2019": 1, "snr_tresh": 1, "SNR_THRESH": 4.0}
    assert collect_block(others).pixels.snr_thresh == 4.0
