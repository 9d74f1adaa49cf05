"""Where everything lies on this machine, and what the survey's files are called: edit it here, once.

An environment variable of the name given beside a folder wins over it.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple


class SurveyFiles(NamedTuple):
    """Description of a survey's files. Their names are patterns, relative to the folder of the survey."""

    super_catalog: str  # FITS table of the galaxies
    sps_catalog: str  # FITS table of their redshifts; may be the same file
    segmap: str
    image_pattern: str  # {band}: name of the band in small or capital letters; {kind}: "sci" or the `error_map`
    id_column: str = "id"  # in both catalogs
    z_columns: tuple = ("z_16", "z_50", "z_84")  # or redshift and error, or the redshift alone, or () if not known
    z_spec: str = "z_spec"  # column of the sps_catalog that is taken first, where there is one and it has a redshift
    flux_column: str = "f_{band}"  # of the catalog, says which bands there are; "": those that have an image
    filters: dict | None = None  # band -> name of its curve in sedpy, where the band's name does not say it
    error_map: str = "wht"  # inverse variance; or "err", standard deviation, or "var", variance
    sci_extension: str = "SCI"  # of the image in its file, unless this holds one image only
    error_extension: str = ""  # of the error map; "": error_map in capitals
    unit: str = ""  # of images without BUNIT; "": they are refused
    zero_point: float | str | None = None  # AB magnitude of 1 count per second, or the header's keyword for it
    psf_fwhm: float = 0.14  # arcsec, of the PSF that the images are matched to: F444W's; measured where `psf` is given
    psf: str = ""  # FITS image of it, on pixels of the images unless its header says; "": a model of that FWHM
    electrons: float | dict | None = None  # per 10 nJy, or {band: number}; 0: weights hold photon noise; None: header


# ---- edit here --------------------------------------------------------------
CATALOGS_FOLDER = ""  # survey catalogs, segmap and psf_matched/ (UNCOVER_CATALOGS_FOLDER)
CLUSTERING_FOLDER = "clustering_output"  # everything that is made (UNCOVER_CLUSTERING_FOLDER)
CACHE_FOLDER = "~/.cache/pixel_sed_clustering"  # unpacked .gz images (UNCOVER_CACHE_FOLDER)

SUPER_CATALOG = "UNCOVER_v5.2.0_LW_SUPER_CATALOG.fits"
SPS_CATALOG = "UNCOVER_v5.3.0_LW_SUPER_SPScatalog_spsv1.0.fits"
SEGMAP = "UNCOVER_v5.2.0_SEGMAP.fits"
IMAGE_PATTERN = "psf_matched/uncover_v7.*_abell2744clu_{band}_*{kind}_f444w-matched.fits"
SIMULATED_TRUTH = "simulated_truth.fits"  # of a simulated field only

SURVEY = "uncover"  # which of these the files are laid out like, or --survey
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
    """Folder that all output goes to."""
    return _folder("CLUSTERING_FOLDER")


def cache_folder():
    """Folder for what is made once and kept, such as unpacked images."""
    return _folder("CACHE_FOLDER")


# ---- survey files -----------------------------------------------------------


def check_catalogs_folder(folder):
    """Raise FileNotFoundError, saying what to edit, unless `folder` is there."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"the survey folder {folder} does not exist: set CATALOGS_FOLDER in data_paths.py, "
            "the environment variable UNCOVER_CATALOGS_FOLDER, or --catalogs"
        )


def setting_name(survey, field):
    """Where a field of the description of a survey is set, for messages."""
    return field.upper() if survey == "uncover" else f"{field} of {survey!r} in SURVEYS"


def find_survey_file(folder, pattern, setting, band=""):
    """Path of the one file in `folder` that matches `pattern`, packed (.gz) or not.

    Parameters
    ----------
    folder : path
        Where to look.
    pattern : str
        File name, or glob pattern, relative to `folder`.
    setting : str
        Name in data_paths.py of the setting to change if it is not found.
    band : str
        Replaces {band} of the pattern, in small or capital letters.

    Raises
    ------
    FileNotFoundError
        Unless exactly one file matches. A file and its own packed copy count as one.
    """
    found = matching_files(folder, pattern, band)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise FileNotFoundError(
            f"want one file {pattern.replace('{band}', band)}[.gz] in {folder}, found {len(found)} ({names}): "
            f"put it there, or change {setting} in data_paths.py"
        )
    return found[0]


def matching_files(folder, pattern, band=""):
    """Paths of all files that match; see `find_survey_file`."""
    any_case = re.sub("[a-zA-Z]", lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", band)
    pattern = pattern.replace("{band}", any_case)
    unpacked = sorted(Path(folder).glob(pattern))
    packed = [path for path in sorted(Path(folder).glob(pattern + ".gz")) if path.with_suffix("") not in unpacked]
    return unpacked + packed


def find_image(folder, band, kind, survey="uncover"):
    """Path of the PSF-matched image of this band; `kind` is "sci", or what the survey's error maps are.

    Returns None where the band has no image of that kind at all.

    Raises
    ------
    FileNotFoundError
        Where more than one image matches.
    """
    pattern = SURVEYS[survey].image_pattern.replace("{kind}", kind)
    if not matching_files(folder, pattern, band):
        return None
    return find_survey_file(folder, pattern, setting_name(survey, "image_pattern"), band)


def kept_registration_path(cache_folder, name):
    """FITS table of how far bands of a survey lie off, in the cache; where there is no cache, a path that cannot be."""
    return Path(cache_folder or os.devnull) / "registration" / name


# ---- output files -----------------------------------------------------------


def pixels_path(output, id_dr3):
    """FITS file with the cubes, the masks and the bands of one galaxy."""
    return Path(output) / "pixel_seds" / f"{id_dr3}_pixels.fits"


def clusters_path(output, run, id_dr3):
    """FITS file with the label image of one run."""
    return Path(output) / "clusters" / run / f"{id_dr3}_clusters.fits"


def composites_path(output, run, id_dr3):
    """ECSV table of the composite SEDs of one run."""
    return Path(output) / "composite_seds" / run / f"{id_dr3}_composite_seds.ecsv"


def populations_path(output, run, id_dr3):
    """ECSV table of the SEDs of the populations behind the clusters, of a run whose method takes blends apart."""
    return Path(output) / "composite_seds" / run / f"{id_dr3}_population_seds.ecsv"


def budget_path(output, run, id_dr3):
    """ECSV table of where the flux of the selected pixels goes in one run."""
    return Path(output) / "composite_seds" / run / f"{id_dr3}_flux_budget.ecsv"


def region_features_path(output, run, id_dr3):
    """ECSV table of the features of the SEDs of one run."""
    return Path(output) / "composite_seds" / run / f"{id_dr3}_features.ecsv"


def feature_maps_path(output, id_dr3):
    """FITS file with a map of each feature over the pixels of one galaxy."""
    return Path(output) / "features" / f"{id_dr3}_features.fits"


def agreement_path(output, id_dr3):
    """ECSV table of how far each pair of runs of one galaxy agrees."""
    return Path(output) / "comparison" / f"{id_dr3}_agreement.ecsv"


def consensus_path(output, id_dr3):
    """FITS file with the regions that most runs of one galaxy agree on."""
    return Path(output) / "comparison" / f"{id_dr3}_consensus.fits"


def fits_path(output, run, id_dr3):
    """ECSV table of what was fitted to the regions of one run."""
    return Path(output) / "fits" / run / f"{id_dr3}_fits.ecsv"


def posteriors_path(output, run, id_dr3):
    """FITS file with posterior samples, star formation histories and model SEDs of the regions of one run."""
    return Path(output) / "fits" / run / f"{id_dr3}_posteriors.fits"


def fit_maps_path(output, run, id_dr3):
    """FITS file with maps that are painted from what was fitted to the regions of one run."""
    return Path(output) / "fits" / run / f"{id_dr3}_fit_maps.fits"


def property_maps_path(output, run, id_dr3, name):
    """FITS file with maps that are painted from a table of another code, which is called `name`."""
    return Path(output) / "painted" / run / f"{id_dr3}_{name}_maps.fits"


def region_fit_path(output, run, id_dr3, cluster):
    """FITS file with the fit of one region, from which the above are made."""
    return Path(output) / "records" / str(id_dr3) / "fits" / run / f"{cluster}.fits"


def regions_path(output):
    """FITS table of all regions of all galaxies and runs."""
    return Path(output) / "field" / "regions.fits"


def field_record_path(output):
    """JSON file that says what the table of all regions was made from."""
    return Path(output) / "records" / ".field.json"


def field_picture_path(output, picture, figure_format):
    """Picture of all galaxies and runs."""
    return Path(output) / "field" / f"{picture}.{figure_format}"


def image_path(output, folder, id_dr3, picture, figure_format):
    """Picture `picture` of a galaxy; `folder` is the run's name, or what all runs share."""
    return Path(output) / "images" / folder / f"{id_dr3}_{picture}.{figure_format}"


def explorer_path(output, id_dr3):
    """HTML page of one galaxy that opens in a browser."""
    return Path(output) / "explorer" / f"{id_dr3}.html"


def index_path(output):
    """Page that lists all galaxies, beside their pages."""
    return Path(output) / "explorer" / "index.html"


def thumbnail_path(output, id_dr3):
    """Picture of a galaxy in that list: its image and its label map."""
    return Path(output) / "explorer" / "thumbnails" / f"{id_dr3}.png"


def export_path(output, code, folder, name):
    """File for another code; `folder` is the run's name, or that of the filter curves that all runs share."""
    return Path(output) / "exports" / code / folder / name


def registration_path(output, name):
    """FITS table of how far bands of a survey lie off each other, in sources all over it."""
    return Path(output) / "records" / f".registration_{name}"


def record_path(output, id_dr3, name):
    """JSON file that says what a run of a galaxy, or the galaxy itself, was made from and which files it left."""
    return Path(output) / "records" / str(id_dr3) / f"{name}.json"


def summary_path(output):
    """ECSV table with a row for each galaxy and run, made from the records."""
    return Path(output) / "summary.ecsv"


def settings_path(output):
    """JSON file with what was asked for."""
    return Path(output) / "settings.json"


def log_path(output):
    """Text file to which every call adds what it said."""
    return Path(output) / "log.txt"
