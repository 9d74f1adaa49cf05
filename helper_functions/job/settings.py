"""What was asked for: the settings block, as the command line changed it, checked before anything is read."""

import argparse
import math
from itertools import product
from pathlib import Path
from typing import NamedTuple

from distances import FEATURES, METRICS, choose
from helper_functions.clustering import METHODS, NoMeaning, check_run
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import CRITERIA

FIGURE_FORMATS = ("png", "pdf")


class Settings(NamedTuple):
    """All that steers a call of the main job; the names are those of the settings block in small letters."""

    id_dr3_list: list
    methods: list
    norm: list  # of names; None in it stands for each method's own
    metric: list  # likewise
    features: list | None  # of names; None: all that the bands cover
    polynomial_degree: int
    n_clusters: int | str
    criterion: str | None  # None: each method's own
    criteria_shown: list  # of names
    snr_thresh: float
    include_neighbours: bool
    redshift_tolerance: float | None
    margin: int
    seed: int
    figure_format: str
    dpi: int
    jobs: int
    memory_limit: float  # GB
    catalogs: str | None = None
    output: str | None = None
    scheduler: str | None = None
    overwrite: bool = False


class Run(NamedTuple):
    """One (method, norm, metric)."""

    method: str
    norm: str
    metric: str

    @property
    def name(self):
        """Name of the run's folders: the method, and what is not default."""
        norm = () if self.norm == "none" else (self.norm,)
        metric = () if self.metric == METHODS[self.method].metric else (self.metric,)
        return "_".join((self.method, *norm, *metric))

    def title(self, n_clusters):
        """The run and what it found, for a picture."""
        found = f"{n_clusters} cluster{'s' * (n_clusters != 1)}"
        return f"{self.method}, norm {self.norm}, {self.metric} ({found})"


def read_command_line(defaults, arguments=None):
    """Settings after the command line; `arguments` stands for it where it is given.

    Parameters
    ----------
    defaults : Settings
        From the settings block.
    arguments : list of str or None

    Returns
    -------
    Settings

    Raises
    ------
    ValueError
        For a value that cannot be, naming the setting and what it may be.
    SystemExit
        From argparse, for flags that do not exist or lack a value, and for --help.
    """
    parser = argparse.ArgumentParser(
        prog="main_clustering.py",
        description="Cluster the pixels of galaxies by the shape of their SEDs. A flag overrides the settings block.",
    )
    add = parser.add_argument
    add("--ids", nargs="+", dest="id_dr3_list", metavar="ID", help="id_dr3 of the galaxies")
    add("--methods", nargs="+", metavar="METHOD", help=", ".join(METHODS))
    add("--norm", nargs="+", metavar="NORM", help=f"one or more of {', '.join(NORMS)}; default: the method's own")
    add("--metric", nargs="+", metavar="METRIC", help=f"one or more of {', '.join(METRICS)}; default: the method's own")
    add("--n-clusters", metavar="K|auto", help="number of clusters")
    add(
        "--criterion", metavar="NAME", help=f"what chooses the number: {', '.join(CRITERIA)}; default: the method's own"
    )
    add("--snr-thresh", metavar="SNR", help="median SNR that a pixel must exceed")
    add("--catalogs", metavar="DIR", help="folder of the survey's files")
    add("--output", metavar="DIR", help="folder for what is made")
    add("--jobs", metavar="N", help="galaxies worked on at a time")
    add("--scheduler", metavar="ADDRESS", help="dask.distributed scheduler whose workers do the work")
    add("--overwrite", action="store_true", help="do again what is there already")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    return check_settings(defaults._replace(**given))


def check_settings(settings):
    """Return settings in which every value has its type, or raise ValueError naming the first that cannot have it."""
    ids = [number("id_dr3", value, int, lowest=1) for value in settings.id_dr3_list]
    if not ids:
        raise ValueError("no galaxy asked for: put at least one id into ID_DR3_LIST, or after --ids")
    if settings.figure_format not in FIGURE_FORMATS:
        raise ValueError(f"unknown figure_format {settings.figure_format!r}: choose from {', '.join(FIGURE_FORMATS)}")
    checked = {
        "snr_thresh": number("snr_thresh", settings.snr_thresh, float),
        "margin": number("margin", settings.margin, int, lowest=0),
        "seed": number("seed", settings.seed, int, lowest=0),
        "dpi": number("dpi", settings.dpi, int, lowest=1),
        "jobs": number("jobs", settings.jobs, int, lowest=1),
        "polynomial_degree": number("polynomial_degree", settings.polynomial_degree, int, lowest=0),
        "memory_limit": number("memory_limit", settings.memory_limit, float, lowest=0),
    }
    if settings.n_clusters != "auto":
        checked["n_clusters"] = number("n_clusters", settings.n_clusters, int, lowest=1, other=' or "auto"')
    if settings.redshift_tolerance is not None:
        checked["redshift_tolerance"] = number("redshift_tolerance", settings.redshift_tolerance, float, lowest=0)
    if settings.features is not None:
        checked["features"] = listed(settings.features)
        for name in checked["features"]:
            choose(FEATURES, name, "feature")
    checked["criteria_shown"] = listed(settings.criteria_shown)
    for name in [*checked["criteria_shown"], *([] if settings.criterion is None else [settings.criterion])]:
        choose(CRITERIA, name, "criterion")
    folders = {
        name: str(Path(value).expanduser().absolute())
        for name in ("catalogs", "output")
        if (value := getattr(settings, name))
    }
    lists = {name: listed(getattr(settings, name)) for name in ("methods", "norm", "metric")}
    return settings._replace(id_dr3_list=listed(ids), **lists, **folders, **checked)


def number(name, value, kind, lowest=None, other=""):
    """Return `value` as a finite int or float, or raise ValueError saying what the setting may be."""
    try:
        result = kind(value)
        good = math.isfinite(result) and result == float(value) and (lowest is None or result >= lowest)
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        what = "a whole number" if kind is int else "a number"
        above = "" if lowest is None else f" of at least {lowest}"
        raise ValueError(f"{name} must be {what}{above}{other}, found {value!r}")
    return result


def listed(value):
    """A list without repeats; a single value is a list of one."""
    return list(dict.fromkeys(value)) if isinstance(value, list | tuple) else [value]


def plan_runs(settings):
    """Which runs to do, and which are refused with what reason.

    Returns
    -------
    runs : list of Run
    refused : dict
        Run -> reason, for a method and metric that have no meaning together.

    Raises
    ------
    ValueError
        For a name that does not exist, or where every run is refused.
    """
    runs, refused = combine(settings.methods, settings.norm, settings.metric)
    if not runs:
        raise ValueError("; ".join(refused.values()) or "no method asked for: put at least one into METHODS_TO_RUN")
    return runs, refused


def combine(methods, norms, metrics):
    """Every combination: the list of runs that have a meaning, and {Run: reason} of those that have none."""
    runs, refused = [], {}
    for method, norm, metric in product(methods, norms, metrics):
        try:
            runs.append(Run(method, *check_run(method, norm, metric)))
        except NoMeaning as reason:
            refused[Run(method, norm or METHODS[method].norm, metric)] = str(reason)
    return listed(runs), refused
