"""What would be used of a survey's files, told from their headers and a few pixels: `main_clustering.py --check`."""

import warnings

import numpy as np
from astropy.table import Table
from astropy.wcs.utils import proj_plane_pixel_area

import data_paths
from helper_functions.files.log import report
from helper_functions.filters import pivot_wavelength, sedpy_name
from helper_functions.pixel_seds import pixel_of
from helper_functions.products.registration import measure_survey, refuse_wrong_wcs
from helper_functions.psf import PIXEL, measure_fwhm
from helper_functions.registration.shifts import UNMEASURED_ERROR, WORTH_CORRECTING, combine_sources
from helper_functions.sky_noise import MISSTATED, UNIT_MISTAKE, median_and_mad_std, min_sky_pixels, sky_mask
from helper_functions.survey.catalogs import check_columns, column_names
from helper_functions.survey.flux_units import FLUX_UNIT
from helper_functions.survey.images import (
    find_bands,
    find_catalogs,
    find_images,
    mask_missing,
    open_band,
    read_pixels,
)
from helper_functions.survey.mosaics import open_mosaic, read_window
from helper_functions.survey.psf_image import find_psf, read_psf
from prepare_images import open_survey

WINDOW = 128  # pixels, side of a window whose sky is looked at
WINDOWS = 5  # as many along each side of the mosaic
PLENTY = 4  # times the sky that is enough: gives a noise scale to a few percent where noise is correlated
CHECK_COLUMNS = (
    "band",
    "image",
    "weight",
    "unit",
    "pixel",
    "WCS",
    "filter curve",
    "noise scale",
    "lies off",
    "what will be used",
)
SOURCES = 12  # in which the registration is measured


def check_survey(folder, survey):
    """Tell what would be used of a survey; return the exit status: 1 where something would be refused, else 0.

    Parameters
    ----------
    folder : path
        The survey folder.
    survey : str
        A key of `data_paths.SURVEYS`.
    """
    try:
        segmap, bands = check_catalogs(folder, survey)
    except (OSError, ValueError) as problem:
        report(f"refused: {problem}")
        return 1
    windows = list(sky_windows(segmap))
    rows, refused = [], []
    for name, band in bands.items():
        try:
            row = check_band(folder, survey, name, segmap, windows)
        except (OSError, ValueError) as problem:
            row = {"what will be used": "refused"}
            refused.append(f"{name}: {problem}")
        rows.append({"band": name, "filter curve": curve_in_words(band)} | row)
    used = sum(row["what will be used"].startswith("yes") for row in rows)
    if used and not refused:
        refused += check_registration(folder, survey, {row["band"]: row for row in rows})
    table = Table([[row.get(column, "") for row in rows] for column in CHECK_COLUMNS], names=CHECK_COLUMNS)
    for line in table.pformat(max_lines=-1, max_width=-1, align="<"):
        report(line.rstrip())
    for problem in refused:
        report(f"refused: {problem}")
    report(f"{used} of {len(rows)} bands can be used" + ("" if used else ": nothing can be clustered"))
    return 1 if refused or not used else 0


def check_catalogs(folder, survey):
    """Tell of catalogs, segmap and PSF; return the segmap and the bands that there may be, see `find_bands`."""
    files = data_paths.SURVEYS[survey]
    super_catalog, sps_catalog, segmap_path = find_catalogs(folder, survey)
    report(f"survey {survey!r} in {folder}")
    report(
        f"galaxies: {check_columns(super_catalog, [files.id_column])} rows of {super_catalog.name}: {files.id_column}"
    )
    redshifts = ", ".join(files.z_columns)
    if redshifts:
        n_rows = check_columns(sps_catalog, [files.id_column, *files.z_columns])
        redshifts = f"{n_rows} rows of {sps_catalog.name}: {files.id_column}, {redshifts}"
    report(f"redshifts: {redshifts or 'not known'}")
    segmap = open_mosaic(segmap_path, data_paths.cache_folder())
    size = " x ".join(map(str, segmap.shape))
    report(f"segments: {segmap_path.name}, {size} pixels of {pixel_in_words(segmap)}")
    if psf_path := find_psf(folder, survey):
        pixel = pixel_of(segmap.wcs)
        fwhm = measure_fwhm(read_psf(psf_path, pixel), pixel)
        report(f"PSF: {psf_path.name}, FWHM {fwhm:.3f} arcsec on the survey's pixels")
    return segmap, find_bands(folder, survey, column_names(super_catalog))


def check_registration(folder, survey, rows):
    """Say in the rows of bands, {name: row}, by how many pixels they lie off each other; return what is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bands that are left out, which their rows tell
        opened = open_survey(folder, (), survey)
    sources = measure_survey(opened, SOURCES)
    if not len(sources.rows):
        return []
    found = combine_sources(sources)
    names = [name for name, row in rows.items() if row["what will be used"].startswith("yes")]
    for name, size, error, is_off in zip(names, found.size, found.error, found.to_correct, strict=True):
        rows[name]["lies off"] = f"{size:.2f} px" if error.max() < UNMEASURED_ERROR / 2 else "not known"
        if is_off:
            rows[name]["what will be used"] += f"; lies off by more than {WORTH_CORRECTING:g} pixels"
    try:
        refuse_wrong_wcs(found, len(sources.rows), opened.bands)
    except ValueError as problem:
        return [str(problem)]
    return []


def check_band(folder, survey, name, segmap, windows):
    """What there is to be told of one band, a cell for each of CHECK_COLUMNS that is known."""
    paths = find_images(folder, survey, name)
    if paths is None:
        return {"image": "none", "what will be used": "no: left out"}
    files = data_paths.SURVEYS[survey]
    sci, error = open_band(*paths, survey, data_paths.cache_folder(), segmap)
    scale = noise_scale(sci, error, files.error_map, windows, pixel_of(segmap.wcs))
    return {
        "image": _file_in_words(sci),
        "weight": f"{files.error_map}: {_file_in_words(error, sci)}",
        "unit": f"{sci.bunit or files.unit or 'count'} = {sci.unit_factor:.4g} x {FLUX_UNIT}",
        "pixel": pixel_in_words(segmap),
        "WCS": "as segmap",
        "noise scale": "no sky" if np.isnan(scale) else f"{scale:.2f}",
        "what will be used": verdict(scale),
    }


def verdict(scale):
    """What the noise scale says of a band: the scatter of the sky over its stated errors."""
    off = np.abs(np.log(scale))
    if off > np.log(UNIT_MISTAKE):
        return f"yes; stated errors are off by more than {UNIT_MISTAKE:g}, as by a mistake of units"
    if off > np.log(MISSTATED):
        return "yes; stated errors are off"
    return "yes" if np.isfinite(off) else "yes; there is too little sky to check its errors"


# ---- pixels -----------------------------------------------------------------


def sky_windows(segmap):
    """Windows all over the mosaic with sky in them, and which of their pixels are sky, those with most of it first."""
    sides = [np.unique(np.linspace(0, max(size - WINDOW, 0), WINDOWS).astype(int)) for size in segmap.shape]
    windows = [(slice(row, row + WINDOW), slice(col, col + WINDOW)) for row in sides[0] for col in sides[1]]
    windows = [tuple(slice(s.start, min(s.stop, n)) for s, n in zip(w, segmap.shape, strict=True)) for w in windows]
    known = [(window, sky_mask(read_window(segmap, window), pixel_of(segmap.wcs))) for window in windows]
    return sorted(known, key=lambda each: -each[1].sum())


def noise_scale(sci, error, error_map, windows, pixel=PIXEL):
    """Scatter of the sky over its stated errors, NaN where there is too little sky.

    Parameters
    ----------
    sci, error : Mosaic
    error_map : str
        A key of ERROR_MAPS.
    windows : list of (window, sky)
        From `sky_windows`; only as many of them are read as are needed.
    pixel : float
        Arcsec, side.
    """
    found, enough = np.empty(0), min_sky_pixels(pixel)
    for window, sky in windows:
        if found.size >= PLENTY * enough:
            break
        flux, err = mask_missing(*read_pixels(sci, error, window), error_map)
        data = sky & np.isfinite(flux)
        if data.any():
            found = np.append(found, (flux[data] - np.median(flux[data])) / err[data])
    return median_and_mad_std(found)[1] if found.size >= enough else np.nan


# ---- in words ---------------------------------------------------------------


def _file_in_words(mosaic, beside=None):
    """Name and extension of an image; of its twin, only where they begin to differ."""
    name, extension = mosaic.source.name, f"[{mosaic.extension}]" if mosaic.extension else ""
    if beside is not None:
        differ = (number for number, (a, b) in enumerate(zip(name, beside.source.name, strict=False)) if a != b)
        name = f"...{name[start:]}" if (start := next(differ, 0)) else ""
    return " ".join(filter(None, (name, extension)))


def pixel_in_words(mosaic):
    """The side of a pixel."""
    return f"{3.6e6 * np.sqrt(proj_plane_pixel_area(mosaic.wcs)):.4g} mas"


def curve_in_words(band):
    """The curve of a band in sedpy with its pivot wavelength."""
    return f"{sedpy_name(band)}, {pivot_wavelength(band) / 1e4:.3f} um"
