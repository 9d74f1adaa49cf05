"""Report on a survey's files from their headers and a few pixels: `main_clustering.py --check`."""

from pathlib import Path

import numpy as np
from astropy.table import Table
from astropy.wcs.utils import proj_plane_pixel_area

import data_paths
from helper_functions.files.log import report
from helper_functions.filters import pivot_wavelength, sedpy_name
from helper_functions.pixel_seds import pixel_of
from helper_functions.psf import PIXEL, measure_fwhm
from helper_functions.registration.shifts import UNMEASURED_ERROR, WORTH_CORRECTING
from helper_functions.sky_noise import MISSTATED, UNIT_MISTAKE, median_and_mad_std, min_sky_pixels, sky_mask
from helper_functions.survey.catalogs import check_columns, column_names, read_columns
from helper_functions.survey.cutout_notes import MOST_IDS
from helper_functions.survey.flux_units import FLUX_UNIT
from helper_functions.survey.images import (
    find_bands,
    find_catalogs,
    find_images,
    known_electrons,
    mask_missing,
    open_band,
    read_pixels,
)
from helper_functions.survey.mosaics import open_mosaic, read_segmap, read_windows
from helper_functions.survey.psf_image import find_psf, read_psf
from helper_functions.survey.segments import all_runs, middle_pixels, odd_segments

WINDOW = 128  # pixels, side of a window in which the sky is measured
N_WINDOWS = 5  # along each side of the mosaic
SKY_FACTOR = 4  # times `min_sky_pixels` pixels are used, for a noise scale to a few percent in correlated noise
CHECK_COLUMNS = (
    "band",
    "image",
    "weight",
    "unit",
    "pixel",
    "WCS",
    "filter curve",
    "noise scale",
    "sources",
    "shift",
    "what will be used",
)
N_SOURCES = 12  # in which the registration is measured
N_MIDDLES = 200  # sources whose middle is looked at in each band


def check_survey(folder, survey, measure_shifts):
    """Report which files of a survey would be used; return the exit status: 1 if one would be refused, else 0.

    Parameters
    ----------
    folder : path
        The survey folder.
    survey : str
        A key of `data_paths.SURVEYS`.
    measure_shifts : callable
        measure_shifts(folder, survey, n_sources) returns the shifts between the bands, measured in at most n_sources
        sources, as an object with the fields of `helper_functions.products.registration.MeasuredShifts`.
    """
    try:
        segmap, middles, bands = check_catalogs(folder, survey)
    except (OSError, ValueError) as problem:
        report(f"refused: {problem}")
        return 1
    windows = list(sky_windows(segmap))
    rows, refused = [], []
    for name, band in bands.items():
        try:
            row = check_band(folder, survey, name, segmap, windows, middles)
        except (OSError, ValueError) as problem:
            row = {"what will be used": "refused"}
            refused.append(f"{name}: {problem}")
        rows.append({"band": name, "filter curve": curve_text(band)} | row)
    used = sum(row["what will be used"].startswith("yes") for row in rows)
    images = {bands[row["band"]]: row.pop("opened") for row in rows if "opened" in row}
    try:
        n_dark = np.isnan(known_electrons(survey, tuple(images), tuple(images.values()))).sum()
    except ValueError as problem:
        n_dark = 0
        refused.append(str(problem))
    if used and not refused:
        shifts = measure_shifts(folder, survey, N_SOURCES)
        refused += check_registration(shifts, {bands[row["band"]]: row for row in rows})
    table = Table([[row.get(column, "") for row in rows] for column in CHECK_COLUMNS], names=CHECK_COLUMNS)
    for line in table.pformat(max_lines=-1, max_width=-1, align="<"):
        report(line.rstrip())
    for problem in refused:
        report(f"refused: {problem}")
    if n_dark and not (Path(folder) / data_paths.SIMULATED_TRUTH).is_file():  # simulated images have none
        report(
            f"photon noise of sources is not added to the errors of {n_dark} of {len(rows)} bands: set electrons of "
            "the survey in data_paths.py, or 0 there if weights hold it"
        )
    report(f"{used} of {len(rows)} bands can be used" + ("" if used else ": nothing can be clustered"))
    return 1 if refused or not used else 0


def check_catalogs(folder, survey):
    """Report on catalogs, segmentation map and PSF.

    Returns
    -------
    segmap : Mosaic
    middles : int ndarray of shape (at most N_MIDDLES, 2)
        Row and column of the middle of random sources.
    bands : dict
        See `find_bands`.
    """
    files = data_paths.SURVEYS[survey]
    super_catalog, sps_catalog, segmap_path = find_catalogs(folder, survey)
    report(f"survey {survey!r} in {folder}")
    n_rows = len(read_columns(super_catalog, [files.id_column])[0])
    report(f"galaxies: {n_rows} rows of {super_catalog.name}: {files.id_column}")
    redshifts = ", ".join(files.z_columns)
    if redshifts:
        n_rows = check_columns(sps_catalog, [files.id_column, *files.z_columns])
        redshifts = f"{n_rows} rows of {sps_catalog.name}: {files.id_column}, {redshifts}"
    report(f"redshifts: {redshifts or 'not known'}")
    segmap = open_mosaic(segmap_path, data_paths.cache_folder())
    size = " x ".join(map(str, segmap.shape))
    runs = all_runs(segmap)
    odd = zip(("cut by its edge", "in several pieces"), odd_segments(runs, segmap.shape), strict=True)
    found = [f"{what}: {ids_text(ids)}" for what, ids in odd if len(ids)]
    report("; ".join([f"segments: {segmap_path.name}, {size} pixels of {pixel_text(segmap)}", *found]))
    if psf_path := find_psf(folder, survey):
        pixel = pixel_of(segmap.wcs)
        fwhm = measure_fwhm(read_psf(psf_path, pixel), pixel)
        report(f"PSF: {psf_path.name}, FWHM {fwhm:.3f} arcsec on the survey's pixels")
    middles = np.random.default_rng(0).permutation(np.column_stack(middle_pixels(*runs)[1:]))[:N_MIDDLES]
    return segmap, middles, find_bands(folder, survey, column_names(super_catalog))


def check_registration(shifts, rows):
    """Add the shifts of the bands to their rows, {band: row}; return the reasons to refuse bands."""
    if shifts.unmeasured and shifts.refusal:
        return [shifts.refusal]
    if shifts.unmeasured:
        report(shifts.unmeasured)
        return []
    found = shifts.registration
    for band, size, error, is_off in zip(shifts.bands, found.size, found.error, found.to_correct, strict=True):
        rows[band]["shift"] = f"{size:.2f} px" if error.max() < UNMEASURED_ERROR / 2 else "not known"
        if is_off:
            rows[band]["what will be used"] += f"; shifted by more than {WORTH_CORRECTING:g} pixels"
    return [shifts.refusal] if shifts.refusal else []


def check_band(folder, survey, name, segmap, windows, middles):
    """Row of the report on a band: {column: text} of the CHECK_COLUMNS that are known, and its image as "opened"."""
    paths = find_images(folder, survey, name)
    if paths is None:
        near = data_paths.near_images(folder, name, survey)
        return {"image": f"none; meant: {', '.join(near)}?" if near else "none", "what will be used": "no: left out"}
    files = data_paths.SURVEYS[survey]
    sci, error = open_band(*paths, survey, data_paths.cache_folder(), segmap)
    unit = f"{sci.assumed_unit} (assumed)" if sci.assumed_unit else sci.bunit or "count"
    scale, n_sky = noise_scale(sci, error, files.error_map, windows, pixel_of(segmap.wcs))
    return {
        "image": _file_text(sci),
        "weight": f"{files.error_map}: {_file_text(error, sci)}",
        "unit": f"{unit} = {sci.unit_factor:.4g} x {FLUX_UNIT}",
        "pixel": pixel_text(segmap),
        "WCS": "as segmap",
        "noise scale": "no sky" if np.isnan(scale) else f"{scale:.2f}",
        "sources": f"{n_measured(sci, error, middles)} of {len(middles)}",
        "what will be used": usable_text(scale) if n_sky else "yes; but nothing was measured in the sky looked at",
        "opened": sci,
    }


def usable_text(scale):
    """Text for the last column by the noise scale of a band, the scatter of the sky over its stated errors."""
    off = np.abs(np.log(scale))
    if off > np.log(UNIT_MISTAKE):
        return f"yes; stated errors are off by more than {UNIT_MISTAKE:g}, as by a mistake of units"
    if off > np.log(MISSTATED):
        return "yes; stated errors are off"
    return "yes" if np.isfinite(off) else "yes; there is too little sky to check its errors"


# ---- pixels -----------------------------------------------------------------


def sky_windows(segmap):
    """Windows all over the mosaic, each with a mask of its sky pixels, those with most sky first."""
    sides = [np.unique(np.linspace(0, max(size - WINDOW, 0), N_WINDOWS).astype(int)) for size in segmap.shape]
    windows = [(slice(row, row + WINDOW), slice(col, col + WINDOW)) for row in sides[0] for col in sides[1]]
    windows = [tuple(slice(s.start, min(s.stop, n)) for s, n in zip(w, segmap.shape, strict=True)) for w in windows]
    known = [(window, sky_mask(read_segmap(segmap, window), pixel_of(segmap.wcs))) for window in windows]
    return sorted(known, key=lambda each: -each[1].sum())


def noise_scale(sci, error, error_map, windows, pixel=PIXEL):
    """Scatter of the sky over its stated errors, NaN where there is too little sky, and the number of its pixels.

    Parameters
    ----------
    sci, error : Mosaic
    error_map : str
        A key of ERROR_MAPS.
    windows : list of (window, sky)
        From `sky_windows`; only as many as needed are read.
    pixel : float
        Side of a pixel, arcsec.

    Returns
    -------
    scale : float
    n_pixels : int
    """
    found, enough = np.empty(0), min_sky_pixels(pixel)
    for window, sky in windows:
        if found.size >= SKY_FACTOR * enough:
            break
        flux, err = mask_missing(*read_pixels(sci, error, window), error_map)
        data = sky & np.isfinite(flux)
        if data.any():
            found = np.append(found, (flux[data] - np.median(flux[data])) / err[data])
    return median_and_mad_std(found)[1] if found.size >= enough else np.nan, found.size


def n_measured(sci, error, places):
    """Number of these pixels, (n, 2), that have a flux and an error."""
    windows = [(slice(row, row + 1), slice(col, col + 1)) for row, col in places.tolist()]
    flux, known = (np.array([pixel[0, 0] for pixel in read_windows(each, windows)]) for each in (sci, error))
    return np.sum(np.isfinite(flux) & (flux != 0) & (known > 0) & np.isfinite(known))


# ---- texts ------------------------------------------------------------------


def ids_text(ids):
    """Number of these ids, and the first few of them."""
    more = ", ..." if len(ids) > MOST_IDS else ""
    return f"{len(ids)} ({', '.join(f'{each:.0f}' for each in ids[:MOST_IDS])}{more})"


def _file_text(mosaic, beside=None):
    """Name and extension of an image; of the name only the part from where it differs from that of `beside`."""
    name, extension = mosaic.source.name, f"[{mosaic.extension}]" if mosaic.extension else ""
    if beside is not None:
        differ = (number for number, (a, b) in enumerate(zip(name, beside.source.name, strict=False)) if a != b)
        name = f"...{name[start:]}" if (start := next(differ, 0)) else ""
    return " ".join(filter(None, (name, extension)))


def pixel_text(mosaic):
    """The side of a pixel with its unit."""
    return f"{3.6e6 * np.sqrt(proj_plane_pixel_area(mosaic.wcs)):.4g} mas"


def curve_text(band):
    """The name of a filter curve in sedpy with its pivot wavelength."""
    return f"{sedpy_name(band)}, {pivot_wavelength(band) / 1e4:.3f} um"
