"""What was asked for: the settings block, as the command line changed it, checked before anything is read."""

import argparse
import platform
from collections import namedtuple
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any, NamedTuple

import data_paths
from distances import FEATURES, METRICS
from helper_functions.fitting.histories import SFHS
from helper_functions.fitting.priors import PRIORS, check_priors
from helper_functions.job.setting_values import (
    UNSET,
    boolean,
    folder,
    galaxies,
    galaxy_table,
    list_of,
    magnification,
    mapping_of,
    number,
    one_of,
    optional,
    priors,
    selection,
    text,
)
from helper_functions.methods import METHODS
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.products.exports import EXPORTS
from helper_functions.products.pictures import FIGURE_FORMATS, PICTURE_LEVELS
from helper_functions.registration.shifts import REGISTRATIONS
from helper_functions.sky_noise import BACKGROUNDS, ERRORS
from helper_functions.survey.mosaics import LARGEST_ID
from helper_functions.survey.selection import ALL

PACKAGES = ("numpy", "scipy", "astropy", "scikit-learn", "matplotlib", "astro-sedpy")
FIT_REDSHIFTS = ("fixed", "catalog")


class Setting(NamedTuple):
    """A setting: its default, how its value is read, what it means, and how it is called on the command line."""

    default: Any
    read: Callable  # read(name, value) -> value with its type; ValueError says what it may be
    meaning: str
    names: Iterable = ()  # that it may be
    flag: str = ""  # empty: the name, with dashes
    metavar: str = ""
    nargs: str | None = None  # as argparse has it

    @property
    def is_switch(self):
        """Whether it is given on the command line without a value."""
        return self.read is boolean


_galaxy_id = number(int, lowest=1, highest=LARGEST_ID)
_norm, _metric = (one_of(*what) for what in ((NORMS, "norm"), (METRICS, "metric")))

# What is asked for: galaxies and runs.
TARGETS = {
    "id_dr3_list": Setting(
        [],
        galaxies(_galaxy_id),
        "the galaxies: ids, files of ids, or all",
        flag="--ids",
        metavar="ID",
        nargs="+",
    ),
    "select": Setting(
        None,
        optional(selection),
        "only galaxies for which this holds, over columns of both catalogs and n_pix, the size of the segment; without "
        "--ids, of all",
        metavar="CONDITION",
    ),
    "galaxies": Setting(
        None,
        optional(galaxy_table(_galaxy_id)),
        "table (CSV) of settings for single galaxies: id, and any of redshift, neighbours_added, neighbours_excluded "
        "(ids with blanks between), magnification",
        metavar="FILE",
    ),
    "methods_to_run": Setting(
        ["blended_mixture"],
        list_of(one_of(METHODS, "method"), "no method asked for: put one into METHODS_TO_RUN or --methods"),
        "clustering methods",
        METHODS,
        flag="--methods",
        metavar="METHOD",
        nargs="+",
    ),
    "norm": Setting(
        None,
        list_of(optional(_norm), "no norm asked for: NORM = None stands for each method's own"),
        "flux normalisation before clustering; unless set, each method's own",
        NORMS,
        nargs="+",
    ),
    "metric": Setting(
        None,
        list_of(optional(_metric), "no metric asked for: METRIC = None stands for each method's own"),
        "distance between two SEDs; unless set, each method's own",
        METRICS,
        nargs="+",
    ),
    "survey": Setting(
        data_paths.SURVEY,
        one_of(data_paths.SURVEYS, "survey"),
        "which of SURVEYS in data_paths.py the files are laid out like",
        data_paths.SURVEYS,
    ),
    "catalogs": Setting(None, folder, "folder of the survey's files", metavar="DIR"),
}

# What decides which pixels a galaxy has, and their fluxes and errors.
PIXELS = {
    "errors": Setting(
        "measured",
        one_of(ERRORS, "errors"),
        "flux errors scaled to the scatter of the sky around the galaxy, or as the weights state them",
        ERRORS,
    ),
    "background": Setting(
        "local",
        one_of(BACKGROUNDS, "background"),
        "subtracted from the fluxes: the median of that sky, or nothing",
        BACKGROUNDS,
    ),
    "registration": Setting(
        "measured",
        one_of(REGISTRATIONS, "registration"),
        "measured in sources of the survey, and bands that lie off the others moved back; or none, images as they are",
        REGISTRATIONS,
    ),
    "snr_thresh": Setting(
        3.0,
        number(float),
        "a pixel of the segment is selected if its median SNR over the bands with data exceeds this",
    ),
    "snr_errors": Setting(
        None, optional(one_of(ERRORS, "snr_errors")), "errors of that SNR; unless set, those of ERRORS", ERRORS
    ),
    "include_neighbours": Setting(False, boolean, "also select from segments of the cutout at the galaxy's redshift"),
    "redshift_tolerance": Setting(
        None,
        optional(number(float, lowest=0)),
        "largest difference of z_50 that counts as the same redshift; unless set, the larger of the two 16-84% "
        "half-ranges",
    ),
    "snr_bands": Setting(
        {},
        mapping_of(text, number(float)),
        "SNR that a pixel must exceed in single bands, besides the threshold, such as f444w=5",
        metavar="BAND=SNR",
        nargs="+",
    ),
    "margin": Setting(25, number(int, lowest=0), "pixels around the segment that are cut out with it"),
}

# What decides the labels of these pixels, besides method, norm and metric, which are the run itself.
CLUSTERING = {
    "features": Setting(
        None,
        optional(list_of(one_of(FEATURES, "feature"))),
        "spectral features that metric features looks at; unless set, all that the bands cover",
        FEATURES,
        metavar="FEATURE",
        nargs="+",
    ),
    "polynomial_degree": Setting(
        5, number(int, lowest=0), "degree of the polynomials of metric polynomial", metavar="DEGREE"
    ),
    "n_clusters": Setting(
        "auto",
        number(int, lowest=1, word="auto"),
        "number of clusters, or auto (dbscan always finds its own)",
        metavar="K|auto",
    ),
    "criterion": Setting(
        None,
        optional(one_of(CRITERIA, "criterion")),
        "what chooses the number of clusters; unless set, each method's own criterion",
        CRITERIA,
        metavar="NAME",
    ),
    "confidence": Setting(
        0.8,
        number(float, lowest=0, highest=1),
        "probability of its label that a pixel must exceed to be a confident member of its cluster",
    ),
    "seed": Setting(0, number(int, lowest=0), "random seed"),
    "memory_limit": Setting(
        2.0,
        number(float, lowest=0),
        "GB that a distance matrix may take; above it methods do without, and the summary says so",
        metavar="GB",
    ),
}

# Fits of stellar populations to the regions of blended_mixture.
FITS = {
    "fit": Setting(False, boolean, "fit stellar populations to the regions with bagpipes, and make maps of them"),
    "fit_sfh": Setting("delayed", one_of(SFHS, "fit_sfh"), "star formation history of the fits", SFHS),
    "fit_priors": Setting(
        PRIORS,
        priors(check_priors),
        "lowest and highest value of the priors of the fits: age [Gyr], tau [Gyr], mass [log solar masses formed], "
        "metallicity [solar], a_v [mag], log_u; those that are not named keep their default",
        PRIORS,
        metavar="NAME=LOW,HIGH",
        nargs="+",
    ),
    "fit_redshift": Setting(
        "fixed",
        one_of(FIT_REDSHIFTS, "fit_redshift"),
        "z_50, or a Gaussian about it with half of the catalog's 16-84% range",
        FIT_REDSHIFTS,
    ),
    "magnification": Setting(
        None,
        optional(magnification),
        "by lensing, which masses and SFRs of the fits are divided by: a number, or a column of the SPS catalog; the "
        "table of single galaxies goes before it",
        metavar="NUMBER|COLUMN",
    ),
    "error_floor": Setting(
        None,
        optional(number(float, lowest=0)),
        "share of the flux added to its error in quadrature in exports and fits; unless set, flux_sys of the tables",
    ),
}

# What is kept, drawn and written besides.
OUTPUT = {
    "output": Setting(None, folder, "folder for what is made", metavar="DIR"),
    "overwrite": Setting(False, boolean, "do again what is there already"),
    "criteria_shown": Setting(
        ["tic", "bic", "silhouette"],
        list_of(one_of(CRITERIA, "criterion")),
        "criteria that are drawn beside the one that chooses, for the first run of each galaxy, where all pictures "
        "are; gap, stability and prediction cluster eight times more",
        CRITERIA,
        metavar="NAME",
        nargs="*",
    ),
    "export": Setting(
        [],
        list_of(one_of(EXPORTS, "code to export for")),
        "codes that the photometry of all regions is written for",
        EXPORTS,
        metavar="CODE",
        nargs="*",
    ),
    "explorer": Setting(True, boolean, "make a page for each galaxy, and a list of all, that open in a browser"),
    "pictures": Setting(
        "all",
        one_of(PICTURE_LEVELS, "pictures"),
        "which are drawn: a map for each run and the comparison of runs are the few",
        PICTURE_LEVELS,
    ),
    "figure_format": Setting("png", one_of(FIGURE_FORMATS, "figure_format"), "of the pictures", FIGURE_FORMATS),
    "pixel_cubes": Setting(
        True, boolean, "keep the fluxes of each galaxy's cutout and its maps of features: half of the disk"
    ),
    "dpi": Setting(130, number(int, lowest=1), "pixels of a picture per inch"),
}

# How the work is done.
JOB = {
    "jobs": Setting(1, number(int, lowest=1), "galaxies, or regions to be fitted, worked on at a time", metavar="N"),
    "scheduler": Setting(
        None,
        text,
        "let a dask.distributed cluster do the work (its own install; scheduler and workers started with this folder "
        "in PYTHONPATH)",
        metavar="ADDRESS",
    ),
    "check": Setting(False, boolean, "only look at the survey's files, and say what would be used of them"),
    "dry_run": Setting(False, boolean, "only say what would be done, and about how long it would take"),
}

SETTINGS = TARGETS | PIXELS | CLUSTERING | FITS | OUTPUT | JOB

# A field for each setting of the registry of that name.
Targets = namedtuple("Targets", TARGETS)
Pixels = namedtuple("Pixels", PIXELS)
Clustering = namedtuple("Clustering", CLUSTERING)
Fits = namedtuple("Fits", FITS)
Output = namedtuple("Output", OUTPUT)
Job = namedtuple("Job", JOB)


class Settings(NamedTuple):
    """All that steers a call, by who needs it."""

    targets: Targets
    pixels: Pixels
    clustering: Clustering
    fits: Fits
    output: Output
    job: Job

    def changed(self, **values):
        """The same with other values of some settings, {name: value}."""
        if unknown := values.keys() - SETTINGS.keys():
            raise TypeError(f"no setting {', '.join(unknown)}")
        return _grouped(self.as_dict() | values)

    def as_dict(self):
        """Name -> value, of all settings."""
        return {name: value for group in self for name, value in group._asdict().items()}


def collect_block(block, **others):
    """`Settings` from a settings block, and from defaults where the block does not name a setting.

    Parameters
    ----------
    block : dict
        Name -> value, such as `globals()`; names are those of SETTINGS in capitals.
    **others
        Settings that go before those of the block.
    """
    values = {name: block.get(name.upper(), setting.default) for name, setting in SETTINGS.items()} | others
    return _grouped(values)


def _grouped(values):
    groups = Settings.__annotations__.values()
    return Settings(*(group(*(values[name] for name in group._fields)) for group in groups))


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
    given = vars(argument_parser().parse_args(arguments))
    given = {name: value for name, value in given.items() if value is not None}
    if "select" in given and "id_dr3_list" not in given:
        given["id_dr3_list"] = ALL
    return check_settings(defaults.changed(**given))


def argument_parser():
    """Parser of the command line, with a flag for each setting; what is not given is None."""
    parser = argparse.ArgumentParser(
        prog="main_clustering.py",
        description="Cluster the pixels of galaxies by the shape of their SEDs. A flag overrides the settings block; "
        f"the word {UNSET} unsets a setting.",
    )
    for name, setting in SETTINGS.items():
        names = f" ({', '.join(setting.names)})" if setting.names else ""
        how = {"dest": name, "default": None, "help": (setting.meaning + names).replace("%", "%%")}
        if setting.is_switch:
            how["action"] = argparse.BooleanOptionalAction
        else:
            how |= {"metavar": setting.metavar or name.upper(), "nargs": setting.nargs}
        parser.add_argument(command_line_flag(name), **how)
    return parser


def command_line_flag(name):
    """How a setting is called on the command line."""
    return SETTINGS[name].flag or f"--{name.replace('_', '-')}"


def check_settings(settings):
    """Return settings in which every value has its type, or raise ValueError naming the first that cannot have it."""
    return _grouped({name: SETTINGS[name].read(name, value) for name, value in settings.as_dict().items()})


def settings_record(settings):
    """What was asked for, with the versions of the packages, for settings.json."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    return {"settings": settings.as_dict(), "versions": versions}
