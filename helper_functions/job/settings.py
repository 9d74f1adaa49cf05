"""All settings: their defaults, checks, meanings and flags, in groups."""

import platform
from collections import namedtuple
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any, NamedTuple

import data_paths
from distances import FEATURES, METRICS
from helper_functions.fitting.histories import SFHS
from helper_functions.fitting.priors import PRIORS, check_priors
from helper_functions.job.setting_values import (
    band,
    boolean,
    folder,
    galaxies,
    galaxy_table,
    list_of,
    magnification,
    map_files,
    mapping_of,
    number,
    one_of,
    optional,
    positive,
    priors,
    region_files,
    selection,
    text,
)
from helper_functions.methods import METHODS, RECOMMENDED
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import AS_RECOMMENDED, CRITERIA
from helper_functions.products.exports import EXPORTS
from helper_functions.products.pictures import FIGURE_FORMATS, PICTURE_LEVELS
from helper_functions.quality.variants import COMPARISONS
from helper_functions.registration.shifts import REGISTRATIONS
from helper_functions.registry import choose
from helper_functions.sky_noise import BACKGROUNDS, ERRORS
from helper_functions.survey.mosaics import LARGEST_ID

PACKAGES = ("numpy", "scipy", "astropy", "scikit-learn", "matplotlib", "astro-sedpy")
FIT_REDSHIFTS = ("fixed", "catalog")
LARGEST_SEED = 2**32 - 1  # of scikit-learn
SPELLING = 0.8  # similarity (`difflib`) above which a name is a misspelt setting
DPI = 10, 1200  # limits: text is unreadable below, and pictures have more than 10,000 pixels a side above


class Setting(NamedTuple):
    """A setting: its default, the function that checks its value, its meaning, and its flag on the command line."""

    default: Any
    read: Callable  # read(name, value) -> value with its type; raises ValueError for a value that is not allowed
    meaning: str
    metavar: str = ""
    nargs: str | None = None  # as in argparse
    flag: str = ""  # empty: the name, with dashes

    @property
    def is_switch(self):
        """Whether it is given on the command line without a value."""
        return self.read is boolean

    @property
    def names(self):
        """Names that the value is chosen from, empty for other kinds of values."""
        return tuple(getattr(self.read, "options", ()))


_galaxy_id = number(int, lowest=1, highest=LARGEST_ID)
_norm, _metric = one_of(NORMS, "norm"), one_of(METRICS, "metric")

# Galaxies and runs.
TARGETS = {
    "id_dr3_list": Setting(
        [], galaxies(_galaxy_id), "galaxies: ids, files of ids, or all", metavar="ID", nargs="+", flag="--ids"
    ),
    "select": Setting(
        None,
        optional(selection),
        "condition that galaxies must meet, on columns of both catalogs and n_pix, the size of the segment; without "
        "--ids, all galaxies are searched",
        metavar="CONDITION",
    ),
    "galaxies": Setting(
        None,
        optional(galaxy_table(_galaxy_id)),
        "CSV table of settings for single galaxies: column id, and any of redshift, neighbours_added, "
        "neighbours_excluded (ids separated by blanks), magnification",
        metavar="FILE",
    ),
    "methods_to_run": Setting(
        ["blended_mixture"],
        list_of(one_of(METHODS, "method"), "no method asked for: put one into METHODS_TO_RUN or --methods"),
        "clustering methods",
        metavar="METHOD",
        nargs="+",
        flag="--methods",
    ),
    "norm": Setting(
        None,
        list_of(optional(_norm), "no norm asked for: NORM = None stands for each method's own"),
        "flux normalisation before clustering; if not set, each method's own",
        nargs="+",
    ),
    "metric": Setting(
        None,
        list_of(optional(_metric), "no metric asked for: METRIC = None stands for each method's own"),
        "distance between two SEDs; if not set, each method's own",
        nargs="+",
    ),
    "regions": Setting(
        None,
        optional(region_files),
        "your own regions as one more run, own_regions: a DS9 file in sky coordinates, or a FITS label image with WCS; "
        "{id} in its name stands for the id of the galaxy",
        metavar="FILE",
    ),
    "survey": Setting(
        data_paths.SURVEY,
        one_of(data_paths.SURVEYS, "survey"),
        "entry of SURVEYS in data_paths.py that describes the survey's files",
    ),
    "catalogs": Setting(None, folder, "folder of the survey's files", metavar="DIR"),
}

# Selection of the pixels of a galaxy, and their fluxes and errors.
PIXELS = {
    "errors": Setting(
        "measured",
        one_of(ERRORS, "errors"),
        "flux errors: scaled to the scatter of the sky around the galaxy, or as stated by the weight maps",
    ),
    "background": Setting(
        "local",
        one_of(BACKGROUNDS, "background"),
        "background subtracted from the fluxes: median of the sky around the galaxy (local), a plane, or none",
    ),
    "registration": Setting(
        "measured",
        one_of(REGISTRATIONS, "registration"),
        "measured: shifts between bands are measured in sources of the survey and corrected; none: not corrected",
    ),
    "snr_thresh": Setting(
        3.0, number(float), "select pixels of the segment whose median SNR over the bands with data exceeds this"
    ),
    "snr_errors": Setting(
        None, optional(one_of(ERRORS, "snr_errors")), "errors used for this SNR; if not set, those of ERRORS"
    ),
    "include_neighbours": Setting(
        False, boolean, "also select pixels from neighbouring segments of the cutout at the galaxy's redshift"
    ),
    "redshift_tolerance": Setting(
        None,
        optional(number(float, lowest=0)),
        "largest difference of z_50 that counts as the same redshift; if not set, the larger of the two 16-84% "
        "half-ranges",
    ),
    "snr_bands": Setting(
        {},
        mapping_of(band, number(float)),
        "SNR that a pixel must also exceed in single bands, such as f444w=5",
        metavar="BAND=SNR",
        nargs="+",
    ),
    "bin_snr": Setting(
        None,
        optional(positive),
        "bin the pixels of the segment that are not selected to this median SNR, and add each to the adjacent region, "
        "so that totals are those of the whole segment (needs powerbin)",
    ),
    "margin": Setting(25, number(int, lowest=0), "pixels around the segment that are included in the cutout"),
}

# Clustering of these pixels, besides method, norm and metric, which define the run.
CLUSTERING = {
    "features": Setting(
        None,
        optional(list_of(one_of(FEATURES, "feature"))),
        "spectral features that metric features uses; if not set, all that the bands cover",
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
        AS_RECOMMENDED,
        optional(one_of(CRITERIA, "criterion")),
        f"criterion that chooses the number of clusters, by default that of {RECOMMENDED}; if unset, each method's own",
        metavar="NAME",
    ),
    "confidence": Setting(
        0.8,
        number(float, lowest=0, highest=1),
        "membership probability that a pixel must exceed to be a confident member of its cluster",
    ),
    "seed": Setting(0, number(int, lowest=0, highest=LARGEST_SEED), "random seed"),
    "memory_limit": Setting(
        2.0,
        number(float, lowest=0),
        "largest distance matrix in GB; for more pixels, methods use an approximation, which is noted in the summary",
        metavar="GB",
    ),
}

# Fits of stellar populations to the regions of blended_mixture.
FITS = {
    "fit": Setting(False, boolean, "fit stellar populations to the regions with bagpipes, and map the results"),
    "fit_sfh": Setting("delayed", one_of(SFHS, "fit_sfh"), "star formation history of the fits"),
    "fit_priors": Setting(
        PRIORS,
        priors(check_priors, PRIORS),
        "lowest and highest value of the priors of the fits: age [Gyr], tau [Gyr], mass [log solar masses formed], "
        "metallicity [solar], a_v [mag], log_u; priors that are not named keep their default",
        metavar="NAME=LOW,HIGH",
        nargs="+",
    ),
    "fit_redshift": Setting(
        "fixed",
        one_of(FIT_REDSHIFTS, "fit_redshift"),
        "redshift of the fits: fixed at z_50, or a Gaussian around it with half of the catalog's 16-84% range",
    ),
    "magnification": Setting(
        None,
        optional(magnification),
        "lensing magnification that masses and SFRs of the fits are divided by: a number, or a column of the SPS "
        "catalog; the table of single galaxies takes precedence",
        metavar="NUMBER|COLUMN",
    ),
    "magnification_map": Setting(
        None,
        optional(map_files),
        "FITS maps with WCS that give each region its own magnification: one of the magnification, or two of "
        "convergence and shear; takes precedence over MAGNIFICATION, which is for galaxies outside of the maps",
        metavar="FILE",
        nargs="+",
    ),
    "lens_redshift": Setting(
        None,
        optional(number(float, lowest=0)),
        "redshift of the lens, to scale convergence and shear from D_ls/D_s = 1 to each galaxy; not scaled if not set",
    ),
    "error_floor": Setting(
        None,
        optional(number(float, lowest=0)),
        "fraction of the flux added to its error in quadrature in exports and fits; if not set, flux_sys of the tables",
    ),
}

# Output files and pictures.
OUTPUT = {
    "output": Setting(None, folder, "folder of all results", metavar="DIR"),
    "overwrite": Setting(False, boolean, "make results again even if they are complete"),
    "criteria_shown": Setting(
        ["tic", "bic", "silhouette"],
        list_of(one_of([name for name in CRITERIA if name != AS_RECOMMENDED], "criterion")),
        "further criteria to be plotted, for the first run of each galaxy if all pictures are drawn; gap, stability "
        "and prediction need eight more clusterings",
        metavar="NAME",
        nargs="*",
    ),
    "export": Setting(
        [],
        list_of(one_of(EXPORTS, "code to export for")),
        "write the photometry of all regions in the formats of these codes",
        metavar="CODE",
        nargs="*",
    ),
    "explorer": Setting(True, boolean, "make an HTML page for each galaxy, and a list of all galaxies"),
    "explorer_standalone": Setting(
        False, boolean, "include all scripts in each page, so that it can be sent to others; else pages share one copy"
    ),
    "pictures": Setting(
        "all",
        one_of(PICTURE_LEVELS, "pictures"),
        "which pictures are drawn; few: a map of each run and the comparison of the runs",
    ),
    "compare": Setting(
        [],
        list_of(one_of(COMPARISONS, "comparison")),
        "also draw one method with more and fewer clusters (number), or with each norm and metric (norms)",
        metavar="WHAT",
        nargs="*",
    ),
    "compare_method": Setting(
        None,
        optional(one_of(METHODS, "method")),
        f"method of these pictures; if not set, {' and '.join(each.method for each in COMPARISONS.values())}",
        metavar="METHOD",
    ),
    "figure_format": Setting("png", one_of(FIGURE_FORMATS, "figure_format"), "file format of the pictures"),
    "pixel_cubes": Setting(
        True, boolean, "save the fluxes of each galaxy's cutout and its feature maps, which take half of the disk space"
    ),
    "dpi": Setting(130, number(int, lowest=DPI[0], highest=DPI[1]), "resolution of the pictures, dots per inch"),
}

# How the work is done.
JOB = {
    "jobs": Setting(1, number(int, lowest=1), "number of worker processes for galaxies and fits", metavar="N"),
    "scheduler": Setting(
        None,
        text,
        "address of a dask.distributed scheduler that runs the work (install dask.distributed; start scheduler and "
        "workers with this folder in PYTHONPATH)",
        metavar="ADDRESS",
    ),
    "check": Setting(False, boolean, "only check the survey's files, and report what would be used"),
    "dry_run": Setting(False, boolean, "only report what would be done, and estimate the time"),
}

SETTINGS = TARGETS | PIXELS | CLUSTERING | FITS | OUTPUT | JOB

Targets = namedtuple("Targets", TARGETS)
Pixels = namedtuple("Pixels", PIXELS)
Clustering = namedtuple("Clustering", CLUSTERING)
Fits = namedtuple("Fits", FITS)
Output = namedtuple("Output", OUTPUT)
Job = namedtuple("Job", JOB)


class Settings(NamedTuple):
    """All settings of a call, in groups."""

    targets: Targets
    pixels: Pixels
    clustering: Clustering
    fits: Fits
    output: Output
    job: Job

    def changed(self, **values):
        """A copy with other values of some settings."""
        if unknown := values.keys() - SETTINGS.keys():
            raise TypeError(f"no setting {', '.join(unknown)}")
        return _grouped(self.as_dict() | values)

    def as_dict(self):
        """{name: value} of all settings."""
        return {name: value for group in self for name, value in group._asdict().items()}


def collect_block(block, **others):
    """`Settings` from a settings block, with defaults for settings that it does not name.

    Parameters
    ----------
    block : dict
        Name -> value, such as `globals()`; names are those of SETTINGS in capitals.
    **others
        Settings that override those of the block.

    Raises
    ------
    ValueError
        If a name in capitals is almost that of a setting, because a misspelt setting would have no effect.
    """
    known = [name.upper() for name in SETTINGS]
    for name in block:
        if name.isupper() and name not in known and (meant := get_close_matches(name, known, 1, SPELLING)):
            raise ValueError(f"{name} in the settings block is no setting: write {meant[0]}, or choose another name")
    values = {name: block.get(name.upper(), setting.default) for name, setting in SETTINGS.items()} | others
    return _grouped(values)


def _grouped(values):
    groups = Settings.__annotations__.values()
    return Settings(*(group(*(values[name] for name in group._fields)) for group in groups))


def check_settings(settings):
    """Return settings converted to their types; raise ValueError that names all invalid ones."""
    found, wrong = {}, []
    for name, value in settings.as_dict().items():
        try:
            found[name] = SETTINGS[name].read(name, value)
        except (OSError, ValueError) as problem:  # the former of a file that is looked into
            wrong.append(str(problem))
        except TypeError:  # for a value of a wrong type, such as a list of lists
            wrong.append(f"{name} cannot be {value!r}: {SETTINGS[name].meaning}")
    if wrong:
        raise ValueError("\n".join(wrong))
    return _grouped(found)


def check_bands(pixels, bands):
    """Raise ValueError if SNR_BANDS names a band that is not among those of the survey."""
    for name in pixels.snr_bands:
        choose(dict.fromkeys(bands), name, "band in snr_bands")


def settings_record(settings):
    """Content of settings.json: all settings and the versions of the packages."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    return {"settings": settings.as_dict(), "versions": versions}
