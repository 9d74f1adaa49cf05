"""Folders on this machine and names of the survey's files: edit them here, once.

The environment variable named beside a folder overrides it.
"""

import os
import re
from difflib import get_close_matches
from itertools import product
from pathlib import Path, PurePath
from typing import NamedTuple


class SurveyFiles(NamedTuple):
    """Description of a survey's files. Names of files are glob patterns relative to the folder of the survey."""

    super_catalog: str  # FITS table of the galaxies
    sps_catalog: str  # FITS table of their redshifts; may be the same file
    segmap: str  # FITS segmentation map
    image_pattern: str  # {band}: name of the band in lower or upper case; {kind}: "sci" or the `error_map`
    id_column: str = "id"  # in both catalogs
    z_columns: tuple = ("z_16", "z_50", "z_84")  # or redshift and error, or the redshift alone, or () if not known
    z_spec: str = "z_spec"  # column of the sps_catalog, if it exists; valid values take precedence over `z_columns`
    flux_column: str = "f_{band}"  # of the catalog, from which bands are listed; "": list the bands with an image
    filters: dict | None = None  # band -> name of its filter curve in sedpy, for bands that sedpy knows by another name
    error_map: str = "wht"  # inverse variance; or "err", standard deviation, or "var", variance
    sci_extension: str = "SCI"  # FITS extension of the image, unless the file holds only one image
    error_extension: str = ""  # FITS extension of the error map; "": `error_map` in capitals
    unit: str = ""  # of images without BUNIT; "": such images raise an error
    zero_point: float | str | None = None  # AB magnitude of 1 count per second, or the header keyword that holds it
    psf_fwhm: float = 0.14  # arcsec, of the PSF that all images are matched to (F444W); measured if `psf` is given
    psf: str = ""  # FITS image of that PSF, on the pixel scale of the images unless its header says; "": a model
    electrons: float | dict | None = (
        None  # per 10 nJy, or {band: number}; 0: weights include photon noise; None: header
    )


# ---- edit here --------------------------------------------------------------
CATALOGS_FOLDER = ""  # survey catalogs, segmap and psf_matched/ (UNCOVER_CATALOGS_FOLDER)
CLUSTERING_FOLDER = "clustering_output"  # all results (UNCOVER_CLUSTERING_FOLDER)
CACHE_FOLDER = "~/.cache/pixel_sed_clustering"  # decompressed .gz images (UNCOVER_CACHE_FOLDER)

SUPER_CATALOG = "UNCOVER_v5.2.0_LW_SUPER_CATALOG.fits"
SPS_CATALOG = "UNCOVER_v5.3.0_LW_SUPER_SPScatalog_spsv1.0.fits"
SEGMAP = "UNCOVER_v5.2.0_SEGMAP.fits"
IMAGE_PATTERN = "psf_matched/uncover_v7.*_abell2744clu_{band}_*{kind}_f444w-matched.fits"
MATCHED_PSF = "psf_matched/target_psf.fits"  # PSF of all images, in fields of helper_functions.survey.make_field only
SIMULATED_TRUTH = "simulated_truth.fits"  # in simulated fields only

ARCHIVE_NAMES = {  # names of the same files at Zenodo, which are also searched for
    SUPER_CATALOG: "UNCOVER_DR3_LW_SUPER_catalog.fits",
    SPS_CATALOG: "UNCOVER_DR3_*SPS*catalog*.fits",
    SEGMAP: "UNCOVER_DR3_*SEGMAP.fits",
}

SURVEY = "uncover"  # the entry of SURVEYS that describes the files; or --survey
SURVEYS = {
    "uncover": SurveyFiles(SUPER_CATALOG, SPS_CATALOG, SEGMAP, IMAGE_PATTERN, unit="10 nJy"),
    "jades": SurveyFiles(  # one file for each band with its error, MJy/sr, names of data release 2
        super_catalog="hlsp_jades_jwst_nircam_*_photometry_v*_catalog.fits",
        sps_catalog="hlsp_jades_jwst_nircam_*_photometry_v*_catalog.fits",
        segmap="hlsp_jades_jwst_nircam_*_segmentation_v*_drz.fits",
        image_pattern="psf_matched/hlsp_jades_jwst_nircam_*_{band}_v*_drz.fits",
        z_columns=("EAZY_z_a",),
        flux_column="",
        error_map="err",
    ),
    "ceers": SurveyFiles(  # one file for each band with its error, nJy; WHT in such files is exposure time
        super_catalog="ceers_*_photometry.fits",
        sps_catalog="ceers_*_redshifts.fits",
        segmap="ceers_*_segmap.fits",
        image_pattern="psf_matched/ceers_*_{band}_*_psfmatched.fits",
        id_column="NUMBER",
        z_columns=("ZPHOT", "ZPHOT_ERR"),
        flux_column="FLUX_{band}",
        error_map="err",
        sci_extension="SCI_BKSUB",
    ),
}
# -----------------------------------------------------------------------------


def _folder(setting):
    configured = os.environ.get(f"UNCOVER_{setting}") or globals()[setting]
    return Path(configured).expanduser() if configured else None


def catalogs_folder():
    """Folder of the survey files, or None where none is configured."""
    return _folder("CATALOGS_FOLDER")


def clustering_folder():
    """Folder of all results."""
    return _folder("CLUSTERING_FOLDER")


def cache_folder():
    """Folder for cached files, such as decompressed images."""
    return _folder("CACHE_FOLDER")


# ---- survey files -----------------------------------------------------------


PACKED = ".gz", ".fz"  # endings of compressed files
MOST_NAMES = 3  # of files in a message


def check_catalogs_folder(folder):
    """Raise FileNotFoundError with the setting to edit unless `folder` exists."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"the survey folder {folder} does not exist: set CATALOGS_FOLDER in data_paths.py, "
            "the environment variable UNCOVER_CATALOGS_FOLDER, or --catalogs"
        )


def setting_name(survey, field):
    """Name of the setting in this file that sets a field of `SurveyFiles`, for error messages."""
    return field.upper() if survey == "uncover" else f"{field} of {survey!r} in SURVEYS"


def find_survey_file(folder, pattern, setting, band=""):
    """Path of the one file in `folder` that matches `pattern`, compressed (.gz, .fz) or not.

    Parameters
    ----------
    folder : path
    pattern : str
        File name, or glob pattern, relative to `folder`.
    setting : str
        Name in data_paths.py of the setting to change if it is not found.
    band : str
        Replaces {band} of the pattern, in lower or upper case.

    Raises
    ------
    FileNotFoundError
        Unless exactly one file matches. A file and its own compressed copy count as one.
    """
    found = matching_files(folder, pattern, band)
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:MOST_NAMES]) + (", ..." if len(found) > MOST_NAMES else "")
        if not found:
            near = similar_names(folder, pattern.replace("{band}", band))
            names = f"none; similar: {', '.join(near)}" if near else "none"
        raise FileNotFoundError(
            f"want one file {pattern.replace('{band}', band)}[.gz] in {folder}, found {len(found)} ({names}): "
            f"put it there, or change {setting} in data_paths.py"
        )
    return found[0]


def matching_files(folder, pattern, band=""):
    """Paths of all files that match the pattern of `find_survey_file`, or else their name in the archive."""
    found = _matching_files(folder, pattern, band)
    return found or (_matching_files(folder, ARCHIVE_NAMES[pattern], band) if pattern in ARCHIVE_NAMES else [])


def _matching_files(folder, pattern, band):
    any_case = re.sub("[a-zA-Z]", lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", band)
    pattern = pattern.replace("{band}", any_case)
    unpacked = sorted(Path(folder).glob(pattern))
    packed = [path for ending in PACKED for path in sorted(Path(folder).glob(pattern + ending))]
    return unpacked + [path for path in packed if path.with_suffix("") not in unpacked]


def similar_names(folder, pattern):
    """Names of a few files, in the folder of a pattern, that are similar to the pattern."""
    names = {path.name.lower(): path.name for path in Path(folder).glob(str(PurePath(pattern).parent / "*"))}
    return [names[name] for name in get_close_matches(PurePath(pattern).name.lower(), names, MOST_NAMES)]


def near_images(folder, band, survey):
    """Names of a few files that may be the image of a band, or its error map, which lacks one.

    They contain the name of the band; or match the pattern, but lie in the folder of the survey itself.
    """
    files = SURVEYS[survey]
    patterns = [files.image_pattern.replace("{kind}", kind) for kind in ("sci", files.error_map)]
    of_any_band = {path for pattern in patterns for path in matching_files(folder, pattern, "*")}
    parent = PurePath(patterns[0]).parent
    others = set(Path(folder).glob(str(parent / "*"))) - of_any_band
    is_of_band = re.compile(rf"(^|[^a-z0-9]){re.escape(band.lower())}([^a-z0-9]|$)").search
    found = sorted(path.name for path in others if is_of_band(path.name.lower()))
    if parent.parts:
        misplaced = [path for each in patterns for path in matching_files(folder, PurePath(each).name, band)]
        found += [f"{path.name} (not in {parent})" for path in misplaced]
    return found[:MOST_NAMES]


def meant_text(folder, bands, survey):
    """Text for the end of a message on files that may be the images of these bands; empty if there are none."""
    names = [name for band in bands for name in near_images(folder, band, survey)]
    return f"; files that may be meant: {', '.join(names[:MOST_NAMES])}" if names else ""


def find_image(folder, band, kind, survey="uncover"):
    """Path of the PSF-matched image of this band, or None if it has none; `kind` is "sci" or the `error_map`.

    Raises
    ------
    FileNotFoundError
        If more than one image matches.
    """
    pattern = SURVEYS[survey].image_pattern.replace("{kind}", kind)
    if not matching_files(folder, pattern, band):
        return None
    return find_survey_file(folder, pattern, setting_name(survey, "image_pattern"), band)


def new_image_path(folder, band, kind):
    """Path of an image of a field that is made in the layout of IMAGE_PATTERN."""
    return Path(folder) / IMAGE_PATTERN.format(band=band, kind=kind).replace("v7.*", "v7.1").replace("*", "bcgs_")


def cached_registration_path(name):
    """Path of the FITS table of a survey's registration in the cache; None without a cache."""
    return cache_folder() and cache_folder() / "registration" / name


# ---- output files -----------------------------------------------------------


class Output(NamedTuple):
    """A kind of output file."""

    pattern: str  # relative to the output folder; `output_path` fills in the parts in braces
    meaning: str = ""  # its content, for users; empty: only used by the pipeline itself


OUTPUTS = {
    "summary": Output(
        "summary.ecsv", "a row for each galaxy and run: number of clusters with its range, quality metrics, message"
    ),
    "page_index": Output("explorer/index.html", "list of all galaxies, for a browser"),
    "page": Output("explorer/{id}.html", "page of a galaxy, for a browser"),
    "page_scripts": Output("explorer/assets/{name}", "scripts that all pages share"),
    "page_compare": Output("explorer/compare.html", "pages of two galaxies side by side"),
    "thumbnail": Output("explorer/thumbnails/{id}.png"),
    "labels": Output(
        "clusters/{run}/{id}_clusters.fits",
        "label image of a run with WCS (0 not selected, -1 in no cluster); probabilities, light fractions, criteria",
    ),
    "ds9_regions": Output("clusters/{run}/{id}_clusters.reg", "outlines of the clusters for DS9"),
    "composites": Output(
        "composite_seds/{run}/{id}_composite_seds.ecsv", "mean SED of the pixels of each cluster, with errors"
    ),
    "populations": Output(
        "composite_seds/{run}/{id}_population_seds.ecsv",
        "SED of each population, unmixed from blends, with errors (`blended_mixture`)",
    ),
    "region_features": Output(
        "composite_seds/{run}/{id}_features.ecsv", "line widths and fluxes, dust, breaks and colours of these SEDs"
    ),
    "flux_budget": Output(
        "composite_seds/{run}/{id}_flux_budget.ecsv",
        "flux of the selected pixels in each band, split into clusters, unassigned pixels and residual",
    ),
    "run_picture": Output("images/{run}/{id}_{picture}.{format}", "pictures of a run"),
    "galaxy_picture": Output("images/{picture}/{id}_{picture}.{format}", "pictures of a galaxy with all its runs"),
    "variants": Output(
        "images/compare_{kind}/{id}_{method}.{format}",
        "with --compare: maps of a method with more and fewer clusters, or with each norm and metric",
    ),
    "pixels": Output(
        "pixel_seds/{id}_pixels.fits", "fluxes, errors, mask and noise of the cutout: all that clustering needs"
    ),
    "feature_maps": Output("features/{id}_features.fits", "maps of lines, dust, breaks and colours"),
    "agreement": Output("comparison/{id}_agreement.ecsv", "adjusted Rand index of each pair of runs"),
    "consensus": Output("comparison/{id}_consensus.fits", "most frequent region of each pixel among the runs"),
    "regions": Output("field/regions.fits", "all regions of all galaxies and runs in one table, with fluxes"),
    "field_picture": Output("field/{picture}.{format}", "pictures of all galaxies together"),
    "lensing": Output(
        "lensing/{run}/{id}_lensing.ecsv",
        "with --magnification-map: magnification of each region, and its area in the source plane",
    ),
    "lensing_map": Output("lensing/{id}_magnification.fits", "magnification of each pixel, < 0 for negative parity"),
    "fits": Output(
        "fits/{run}/{id}_fits.ecsv",
        "with --fit: mass, SFR, age, A_V and metallicity of regions and of their sum",
    ),
    "posteriors": Output("fits/{run}/{id}_posteriors.fits", "posterior samples, star formation histories, model SEDs"),
    "fit_maps": Output("fits/{run}/{id}_fit_maps.fits", "maps of the fitted properties"),
    "other_maps": Output("property_maps/{run}/{id}_{name}_maps.fits", "property maps from a table of another code"),
    "export": Output("exports/{code}/{run}/{id}_{content}", "with --export: photometry for bagpipes, eazy, prospector"),
    "export_filters": Output("exports/{code}/filters/{name}", "filter curves for that photometry"),
    "settings": Output("settings.json", "all settings of the last call, and package versions"),
    "log": Output("log.txt", "messages of all calls"),
    "record": Output("records/{id}/{name}.json"),
    "region_fit": Output("records/{id}/fits/{run}/{cluster}.fits"),
    "field_record": Output("records/.field.json"),
    "registration": Output("records/.registration_{name}"),
}


def output_path(folder, name, /, **parts):
    """Path of an output file; `name` is a key of OUTPUTS, `parts` are the values of the braces in its pattern."""
    return Path(folder) / OUTPUTS[name].pattern.format(**parts)


def output_paths(folder, name, /, **parts):
    """List of the `output_path` of every combination of parts, each a str or int or an iterable of these."""
    options = [[value] if isinstance(value, str | int) else list(value) for value in parts.values()]
    return [output_path(folder, name, **dict(zip(parts, values, strict=True))) for values in product(*options)]
