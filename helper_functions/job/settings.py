"""What was asked for: the settings block, as the command line changed it, checked before anything is read."""

import argparse
import platform
from collections import namedtuple
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import NamedTuple

import data_paths
from distances import FEATURES, METRICS
from helper_functions.fitting.histories import SFHS
from helper_functions.fitting.priors import PRIORS, check_priors
from helper_functions.job.setting_values import (
    UNSET,
    by_name,
    folder,
    listed,
    magnification,
    number,
    one_of,
    optional,
    priors,
    several,
    switch,
    text,
)
from helper_functions.methods import METHODS
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.products.exports import EXPORTS
from helper_functions.registration.shifts import REGISTRATIONS
from helper_functions.sky_noise import BACKGROUNDS, ERRORS
from helper_functions.survey.catalogs import MOST_REDSHIFT
from helper_functions.survey.mosaics import LARGEST_ID
from helper_functions.survey.selection import ALL, galaxies, selection

FIGURE_FORMATS = ("png", "pdf")
AMOUNTS = ("none", "few", "all")  # of pictures, each with those before it
PACKAGES = ("numpy", "scipy", "astropy", "scikit-learn", "matplotlib", "astro-sedpy")
PIXELS, LABELS, NOTHING = "pixels", "labels", "nothing"
FIT_REDSHIFTS = ("fixed", "catalog")
ONE_GALAXY = "pixels of one galaxy"  # of a setting {id: value}


class Setting(NamedTuple):
    """A setting: how its value is read, what it means, and how it is called on the command line."""

    read: Callable  # read(name, value) -> value with its type; ValueError says what it may be
    meaning: str
    names: Iterable = ()  # that it may be
    flag: str = ""  # empty: the name, with dashes
    metavar: str = ""
    nargs: str | None = None  # as argparse has it
    changes: str = LABELS  # PIXELS, ONE_GALAXY, LABELS or NOTHING, that another value of it changes

    @property
    def is_switch(self):
        """Whether it is given on the command line without a value."""
        return self.read is switch


# ---- the settings -----------------------------------------------------------

_galaxy = number(int, lowest=1, highest=LARGEST_ID)
_norm, _metric = (one_of(*what) for what in ((NORMS, "norm"), (METRICS, "metric")))

# By the names of the settings block in small letters, in its order; the last seven are not in the block.
SETTINGS = {
    "id_dr3_list": Setting(
        galaxies(_galaxy),
        "the galaxies: ids, files of ids, or all",
        flag="--ids",
        metavar="ID",
        nargs="+",
        changes=NOTHING,
    ),
    "select": Setting(
        optional(selection),
        "only galaxies for which this holds, over columns of both catalogs and n_pix, the size of the segment; without "
        "--ids, of all",
        metavar="CONDITION",
        changes=NOTHING,
    ),
    "errors": Setting(
        one_of(ERRORS, "errors"),
        "scaled to what is measured in the sky around the galaxy, or as the weights state them",
        names=ERRORS,
        changes=PIXELS,
    ),
    "background": Setting(
        one_of(BACKGROUNDS, "background"),
        "what is taken off the fluxes: the median of that sky, or nothing",
        names=BACKGROUNDS,
        changes=PIXELS,
    ),
    "registration": Setting(
        one_of(REGISTRATIONS, "registration"),
        "measured in sources of the survey, and bands that lie off the others moved back; or none, images as they are",
        names=REGISTRATIONS,
        changes=PIXELS,
    ),
    "snr_thresh": Setting(
        number(float),
        "a pixel of the segment is taken if its median SNR over the bands with data exceeds this",
        changes=PIXELS,
    ),
    "snr_errors": Setting(
        optional(one_of(ERRORS, "snr_errors")),
        "errors that the threshold refers to; unless set, those of ERRORS",
        names=ERRORS,
        changes=PIXELS,
    ),
    "include_neighbours": Setting(switch, "take in segments of the cutout at the galaxy's redshift", changes=PIXELS),
    "redshift_tolerance": Setting(
        optional(number(float, lowest=0)),
        "largest difference of z_50 that counts as the same redshift; unless set, the larger of the two 16-84% "
        "half-ranges",
        changes=PIXELS,
    ),
    "neighbours_added": Setting(
        by_name(_galaxy, listed(_galaxy)),
        "for each galaxy, ids of segments that are taken in besides, such as 36=40,41",
        metavar="ID=ID,ID",
        nargs="+",
        changes=ONE_GALAXY,
    ),
    "neighbours_excluded": Setting(
        by_name(_galaxy, listed(_galaxy)),
        "for each galaxy, ids of segments that are not taken in, whatever their redshift",
        metavar="ID=ID,ID",
        nargs="+",
        changes=ONE_GALAXY,
    ),
    "redshifts": Setting(
        by_name(_galaxy, number(float, lowest=0, highest=MOST_REDSHIFT)),
        "of galaxies that have another one than in the catalog, such as 36=4.13",
        flag="--redshift",
        metavar="ID=Z",
        nargs="+",
        changes=ONE_GALAXY,
    ),
    "snr_bands": Setting(
        by_name(text, number(float)),
        "SNR that a pixel must exceed in single bands, besides the threshold, such as f444w=5",
        metavar="BAND=SNR",
        nargs="+",
        changes=PIXELS,
    ),
    "margin": Setting(number(int, lowest=0), "pixels around the segment that are cut out with it", changes=PIXELS),
    "methods_to_run": Setting(
        several(one_of(METHODS, "method"), "no method asked for: put one into METHODS_TO_RUN or --methods"),
        "the methods",
        names=METHODS,
        flag="--methods",
        metavar="METHOD",
        nargs="+",
        changes=NOTHING,  # the method, norm and metric are part of the run itself
    ),
    "norm": Setting(
        several(optional(_norm), "no norm asked for: NORM = None stands for each method's own"),
        "how brightness is taken out; unless set, each method's own norm",
        names=NORMS,
        nargs="+",
        changes=NOTHING,
    ),
    "metric": Setting(
        several(optional(_metric), "no metric asked for: METRIC = None stands for each method's own"),
        "what distance means; unless set, each method's own metric",
        names=METRICS,
        nargs="+",
        changes=NOTHING,
    ),
    "features": Setting(
        optional(several(one_of(FEATURES, "feature"))),
        "what metric features looks at; unless set, all that the bands cover",
        names=FEATURES,
        metavar="FEATURE",
        nargs="+",
    ),
    "polynomial_degree": Setting(number(int, lowest=0), "of the curves of metric polynomial", metavar="DEGREE"),
    "n_clusters": Setting(
        number(int, lowest=1, word="auto"), "a number, or auto (dbscan always finds its own)", metavar="K|auto"
    ),
    "criterion": Setting(
        optional(one_of(CRITERIA, "criterion")),
        "what chooses the number; unless set, each method's own criterion",
        names=CRITERIA,
        metavar="NAME",
    ),
    "criteria_shown": Setting(
        several(one_of(CRITERIA, "criterion")),
        "criteria that are drawn beside it for the first run of each galaxy, where all pictures are",
        names=CRITERIA,
        changes=NOTHING,  # a run's record says which it has
        metavar="NAME",
        nargs="*",
    ),
    "confidence": Setting(
        number(float, lowest=0, highest=1),
        "probability of its label that a pixel must exceed to be a confident member of its cluster",
    ),
    "seed": Setting(number(int, lowest=0), "of everything random"),
    "export": Setting(
        several(one_of(EXPORTS, "code to export for")),
        "codes that the photometry of all regions is written for",
        names=EXPORTS,
        changes=NOTHING,  # they are written from the tables of a run in each call, and removed with them
        metavar="CODE",
        nargs="*",
    ),
    "error_floor": Setting(
        optional(number(float, lowest=0)),
        "share of the flux added to its error in quadrature in exports and fits; unless set, flux_sys of the tables",
        changes=NOTHING,
    ),
    "fit": Setting(
        switch, "fit stellar populations to the regions with bagpipes, and paint maps of them", changes=NOTHING
    ),
    "fit_sfh": Setting(one_of(SFHS, "fit_sfh"), "star formation history of the fits", names=SFHS, changes=NOTHING),
    "fit_priors": Setting(
        priors(check_priors),
        "bounds of the priors of the fits; what is not named has the bounds of the engine",
        names=PRIORS,
        metavar="NAME=LOW,HIGH",
        nargs="+",
        changes=NOTHING,
    ),
    "fit_redshift": Setting(
        one_of(FIT_REDSHIFTS, "fit_redshift"),
        "z_50, or a Gaussian about it with half of the catalog's 16-84% range",
        names=FIT_REDSHIFTS,
        changes=NOTHING,
    ),
    "magnification": Setting(
        optional(magnification(_galaxy)),
        "by lensing, which masses and SFRs of the fits are divided by: a number, a column of the SPS catalog, or one "
        "number for each id",
        metavar="NUMBER|COLUMN|ID=NUMBER",
        nargs="+",
        changes=NOTHING,
    ),
    "explorer": Setting(
        switch,
        "make a page for each galaxy, and a list of all of them, that open in a browser without a server",
        changes=NOTHING,  # a record says which there are
    ),
    "pictures": Setting(
        one_of(AMOUNTS, "pictures"),
        "which are drawn: a map for each run and the comparison of runs are the few",
        names=AMOUNTS,
        changes=NOTHING,  # a record says which there are
    ),
    "figure_format": Setting(
        one_of(FIGURE_FORMATS, "figure_format"), "of the pictures", FIGURE_FORMATS, changes=NOTHING
    ),
    "pixel_cubes": Setting(
        switch, "keep the fluxes of each galaxy's cutout and its maps of features: half of the disk", changes=NOTHING
    ),
    "dpi": Setting(number(int, lowest=1), "pixels of a picture per inch", changes=NOTHING),
    "jobs": Setting(
        number(int, lowest=1), "galaxies, or regions to be fitted, worked on at a time", metavar="N", changes=NOTHING
    ),
    "memory_limit": Setting(
        number(float, lowest=0),
        "GB that a distance matrix may take; above it methods do without, and the summary says so",
        metavar="GB",
    ),
    "survey": Setting(
        one_of(data_paths.SURVEYS, "survey"),
        "which of SURVEYS in data_paths.py the files are laid out like",
        names=data_paths.SURVEYS,
        changes=NOTHING,  # the digest of the files has their description
    ),
    "catalogs": Setting(folder, "folder of the survey's files", metavar="DIR", changes=NOTHING),
    "output": Setting(folder, "folder for what is made", metavar="DIR", changes=NOTHING),
    "scheduler": Setting(
        text,
        "let a dask.distributed cluster do the work (its own install; scheduler and workers started with this folder "
        "in PYTHONPATH)",
        metavar="ADDRESS",
        changes=NOTHING,
    ),
    "overwrite": Setting(switch, "do again what is there already", changes=NOTHING),
    "check": Setting(switch, "only look at the survey's files, and tell what would be used of them", changes=NOTHING),
    "dry_run": Setting(switch, "only say what would be done, and about how long it would take", changes=NOTHING),
}

Settings = namedtuple("Settings", SETTINGS)
Settings.__doc__ = "All that steers a call of the main job: a field for each of SETTINGS."


def collect_block(block, **others):
    """`Settings` from the variables of a settings block, whose names are those of SETTINGS in capitals.

    Parameters
    ----------
    block : dict
        Name -> value, such as `globals()`.
    **others
        Settings that are not in the block.
    """
    return Settings(**{name: block[name.upper()] for name in SETTINGS if name not in others}, **others)


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
        parser.add_argument(flag_of(name), **how)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    if "select" in given and "id_dr3_list" not in given:
        given["id_dr3_list"] = ALL
    return check_settings(defaults._replace(**given))


def flag_of(name):
    """How a setting is called on the command line."""
    return SETTINGS[name].flag or f"--{name.replace('_', '-')}"


def check_settings(settings):
    """Return settings in which every value has its type, or raise ValueError naming the first that cannot have it."""
    return Settings(*(SETTINGS[name].read(name, value) for name, value in settings._asdict().items()))


def settings_record(settings):
    """What was asked for, with the versions of the packages, for settings.json."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    return {"settings": settings._asdict(), "versions": versions}
