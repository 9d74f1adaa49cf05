"""Open a survey's catalogs, segmap and mosaics, and cut out single galaxies with their neighbours and noise."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

import data_paths
from helper_functions.files.code import digest
from helper_functions.filters import pivot_wavelength
from helper_functions.pixel_seds import Cutout, in_segments, pixel_of
from helper_functions.psf import arcsec_to_pixels, measure_fwhm
from helper_functions.registration.resampling import kernel_reach, shift_image
from helper_functions.registration.shifts import registration_notes
from helper_functions.registry import choose
from helper_functions.sky_noise import BRIGHT, band_list, measure_sky, noise_notes, photon_note
from helper_functions.survey.catalogs import column_names, read_ids, read_redshifts, read_spectroscopic
from helper_functions.survey.cutout_notes import edges_touched, neighbour_notes, segment_notes, unmeasured_notes
from helper_functions.survey.flux_units import assumed_units_note
from helper_functions.survey.images import (
    check_not_swapped,
    find_all_images,
    find_catalogs,
    known_electrons,
    mask_missing,
    open_band,
    read_pixels,
)
from helper_functions.survey.mosaics import Mosaic, find_segments, open_mosaic, read_segmap, read_window
from helper_functions.survey.psf_image import find_psf, read_psf

SKY_MARGINS = (1.2, 2.4, 4.8, 9.6)  # arcsec around the segment: sky is measured in the first with enough sky pixels


class Survey(NamedTuple):
    """An opened survey: catalogs are read; pixels of the mosaics are not read yet."""

    bands: tuple  # n_bands names, by wavelength
    wavelengths: np.ndarray  # (n_bands,), pivot, Angstrom
    sci: tuple  # of Mosaic, by band
    wht: tuple  # of Mosaic, by band; error maps of the kind `error_map`
    error_map: str  # a key of ERROR_MAPS
    psf_fwhm: float  # arcsec, of the PSF that the images are matched to
    psf: np.ndarray | None  # (size, size), of sum 1, on the survey's pixels; None: a model with that FWHM
    electrons: np.ndarray  # (n_bands,), per 10 nJy, see `known_electrons`
    segmap: Mosaic
    catalog_ids: frozenset
    redshifts: dict  # id -> (z_16, z_50, z_84)
    segments: dict  # id -> Segment, for all ids of the catalog that are in the segmap
    truth: Mosaic | None  # of a simulated field: number of the true region in each pixel
    digest: str  # of paths, sizes and modification times of all files and of their `SurveyFiles`


class NotInSurvey(LookupError):
    """The galaxy is missing from the catalog or from the segmap."""

    status = "not found"


def open_survey(folder, ids, survey=None):
    """Find the survey's files, check that they are consistent, and find the segments of all galaxies.

    Parameters
    ----------
    folder : path
        Folder laid out as `data_paths` describes.
    ids : sequence of int
        The id_dr3 of the galaxies asked for; a warning is raised for invalid redshifts of these only.
    survey : str or None
        A key of `data_paths.SURVEYS`. None: `data_paths.SURVEY`.

    Returns
    -------
    Survey

    Warns
    -----
    UserWarning
        For bands of the catalog that have no image, which are left out, and for invalid or contradictory redshifts,
        which are taken as unknown.

    Raises
    ------
    FileNotFoundError
        If the folder or a file is missing, or two images match one band.
    OSError
        If a file cannot be read, or is truncated.
    ValueError
        If images and segmap differ in shape or WCS, the unit of an image is not a flux density, a catalog lacks a
        column, or the PSF file is not an image of a PSF.
    """
    survey = data_paths.SURVEY if survey is None else survey
    files = choose(data_paths.SURVEYS, survey, "survey")
    super_catalog, sps_catalog, segmap_path = find_catalogs(folder, survey)
    images, without = find_all_images(folder, survey, column_names(super_catalog))
    if without:
        hint = data_paths.meant_text(folder, without, survey)
        warnings.warn(f"bands of the catalog without an image, left out: {', '.join(without)}{hint}", stacklevel=2)

    catalog_ids = read_ids(super_catalog, files.id_column)
    redshifts = read_redshifts(sps_catalog, ids, files.id_column, files.z_columns) if files.z_columns else {}
    redshifts |= read_spectroscopic(sps_catalog, files.id_column, files.z_spec)

    cache = data_paths.cache_folder()
    segmap = open_mosaic(segmap_path, cache)._replace(header=None)
    sci, wht = zip(*(open_band(*paths, survey, cache, segmap) for paths in images.values()), strict=True)
    psf_path, pixel = find_psf(folder, survey), pixel_of(segmap.wcs)
    psf = None if psf_path is None else read_psf(psf_path, pixel)
    paths = [super_catalog, sps_catalog, segmap_path, *sum(images.values(), ()), *([psf_path] if psf_path else [])]
    truth_path = Path(folder) / data_paths.SIMULATED_TRUTH
    electrons = known_electrons(survey, tuple(images), sci)
    if truth_path.is_file():
        electrons[np.isnan(electrons)] = np.inf  # simulated images have no photon noise
    return Survey(
        bands=tuple(images),
        wavelengths=np.array([pivot_wavelength(band) for band in images]),
        sci=sci,
        wht=wht,
        error_map=files.error_map,
        psf_fwhm=files.psf_fwhm if psf is None else measure_fwhm(psf, pixel),
        psf=psf,
        electrons=electrons,
        segmap=segmap,
        catalog_ids=catalog_ids,
        redshifts=redshifts,
        segments=find_segments(segmap, catalog_ids),
        truth=open_mosaic(truth_path, cache, "REGION")._replace(header=None) if truth_path.is_file() else None,
        digest=_digest(paths, files),
    )


def _digest(paths, files):
    stats = [(path, path.stat()) for path in paths]
    content = [(str(path.resolve()), stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    return digest(content, files)


def cut_out(
    survey,
    id_dr3,
    *,
    margin,
    include_neighbours=False,
    redshift_tolerance=None,
    redshift=None,
    added=(),
    excluded=(),
    registration=None,
):
    """Read the cutout of one galaxy, its whole segment with a margin, and measure the noise of the sky around it.

    Fluxes and errors are those of the survey, resampled by a subpixel shift in misregistered bands. The noise is
    measured in the same pixels whatever the margin is.

    Parameters
    ----------
    survey : Survey
    id_dr3 : int
        Galaxy to cut out.
    margin : int
        Pixels to add on each side; fewer at the edge of the mosaic.
    include_neighbours : bool
        Include the neighbouring segments of the cutout whose redshift agrees.
    redshift_tolerance : float or None
        See `agreeing_neighbours`.
    redshift : float or None
        Redshift of the galaxy that replaces the one of the catalog.
    added : sequence of int
        Ids of neighbouring segments to include whatever their redshift; a note lists those outside the cutout.
    excluded : sequence of int
        Ids of neighbouring segments to leave out whatever their redshift.
    registration : Registration or None
        Shifts of the bands relative to each other, which are corrected; None: images are used as they are.

    Returns
    -------
    Cutout

    Raises
    ------
    NotInSurvey
        If the id is missing from the catalog or the segmap.
    """
    if id_dr3 not in survey.catalog_ids:
        raise NotInSurvey(f"id {id_dr3} is not in the catalog")
    if id_dr3 not in survey.segments:
        raise NotInSurvey(f"id {id_dr3} is in the catalog but has no pixel in the segmap")
    box, shape, pixel = survey.segments[id_dr3][:2], survey.segmap.shape, pixel_of(survey.segmap.wcs)
    window, sky_window = (
        grow_window(box, each, shape) for each in (margin, round(arcsec_to_pixels(SKY_MARGINS[0], pixel)))
    )
    both = max(window, sky_window, key=lambda sides: [side.stop - side.start for side in sides])
    everything = read_segmap(survey.segmap, both)
    moves = np.zeros((len(survey.bands), 2)) if registration is None else -registration.correction
    images = [read_band(survey, band, both, moves[band]) for band in range(len(survey.bands))]
    *planes, unmeasured = (np.array(each) for each in zip(*images, strict=True))
    segmap, sci, err, unmeasured = (each[crop_index(window, both)] for each in (everything, *planes, unmeasured))

    redshifts = survey.redshifts
    if redshift is not None:
        low, z, high = redshifts.get(id_dr3, (np.nan,) * 3)
        redshifts = redshifts | {id_dr3: (redshift - (z - low), redshift, redshift + (high - z))}
    others = set(np.unique(segmap[segmap > 0]).tolist()) - {id_dr3}
    neighbours = set(added) & others
    if include_neighbours:
        neighbours |= set(agreeing_neighbours(id_dr3, sorted(others), redshifts, redshift_tolerance))
    z_low, z_middle, z_high = redshifts.get(id_dr3, (np.nan,) * 3)
    away = sorted(set(added) - others - {id_dr3})
    cutout = Cutout(
        id_dr3=id_dr3,
        redshift=z_middle,
        redshift_range=(z_low, z_high),
        bands=survey.bands,
        wavelengths=survey.wavelengths,
        sci=sci,
        err=err,
        segmap=segmap,
        members=(id_dr3, *sorted(neighbours - set(excluded))),
        wcs=survey.segmap.wcs[window],
        psf_fwhm=survey.psf_fwhm,
        registration=registration,
        psf=survey.psf,
        truth=None if survey.truth is None else read_window(survey.truth, window),
        electrons=survey.electrons,
    )
    nearest = [each[crop_index(sky_window, both)] for each in (*planes, everything)]
    check_not_swapped(survey.sci, survey.wht, survey.error_map, *nearest)
    noise = measure_sky(*nearest, pixel, id_dr3)
    noise, notes = fill_missing_noise(noise, survey, cutout, moves)
    about = segment_notes(segmap == id_dr3, sci, survey.bands, edges_touched(box, shape))
    notes = (*unmeasured_notes(unmeasured, survey.bands), *about, *notes)
    if registration is not None:
        notes = (*notes, *registration_notes(registration, survey.bands))
    if unit := assumed_units_note(survey.bands, survey.sci):
        notes = (*notes, unit)
    if include_neighbours:
        left = sorted(others - neighbours - set(excluded))
        notes = (*neighbour_notes([id_dr3, *left], redshifts), *notes)
    if away:
        notes = (f"not in the cutout, and so not added: {', '.join(map(str, away))} (a larger MARGIN?)", *notes)
    return cutout._replace(noise=noise, notes=notes)


def grow_window(window, margin, shape):
    """A window of (rows, columns) enlarged by `margin` pixels on each side, clipped to a mosaic of that shape."""
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, size in zip(window, shape, strict=True)
    )


def crop_index(window, larger):
    """Index of the last two axes of an image of a larger window that cuts out the smaller window."""
    sides = zip(window, larger, strict=True)
    return (..., *(slice(side.start - around.start, side.stop - around.start) for side, around in sides))


def read_band(survey, band, window, move=(0, 0)):
    """Flux and error of a band in a window, see `mask_missing`, shifted by `move` = (rows, columns) pixels.

    Also the mask of the pixels that have a flux and a weight, but no measurement.
    """
    reach = kernel_reach(move) if np.any(move) else 0
    wide = grow_window(window, reach, survey.segmap.shape)
    pixels, weight = read_pixels(survey.sci[band], survey.wht[band], wide)
    flux, error = mask_missing(pixels, weight, survey.error_map)
    unmeasured = np.isfinite(pixels) & (weight > 0) & np.isnan(flux)
    if reach:
        flux, error = shift_image(flux, error, move)
    return tuple(each[crop_index(window, wide)] for each in (flux, error, unmeasured))


def fill_missing_noise(noise, survey, cutout, moves):
    """Measure the noise of bands with too little sky near the galaxy in larger windows of the mosaic.

    `noise` is that of the nearest sky, `moves` (n_bands, 2) are the shifts in pixels that the bands of the cutout were
    corrected by. Returns the `SkyNoise`, NaN in bands without enough sky or without data, and a tuple of notes.
    """
    wanted = np.isfinite(cutout.sci[:, in_segments(cutout)]).any(axis=1)
    without, places = np.flatnonzero(wanted & np.isnan(noise.background)), []
    for margin in (round(arcsec_to_pixels(each, cutout.pixel)) for each in SKY_MARGINS[1:]):
        if not without.size:
            break
        wide = grow_window(survey.segments[cutout.id_dr3][:2], margin, survey.segmap.shape)
        segmap = read_segmap(survey.segmap, wide)
        for band in without:  # one at a time: as many images of this size may not fit into memory
            sci, err, _ = read_band(survey, band, wide, moves[band])
            measured = measure_sky(sci[None], err[None], segmap, cutout.pixel, cutout.id_dr3)
            noise = noise.with_bands_from(measured, [band])
        still = np.isnan(noise.background[without])
        found, without = without[~still], without[still]
        if found.size:
            some = np.isin(np.arange(len(wanted)), found)
            places.append(f"up to {margin} pixels around it in {band_list(survey.bands, some, wanted)}")
    missing = photon_note(noise, survey.bands, wanted, cutout.electrons, least=BRIGHT)
    far = f"too little sky near the galaxy: noise measured {', '.join(places)}" if places else ""
    return noise, (*noise_notes(noise, survey.bands, wanted), *filter(None, [far, missing]))


def agreeing_neighbours(id_dr3, others, redshifts, tolerance=None):
    """Tuple of the ids among `others` whose redshift agrees with the galaxy's.

    Parameters
    ----------
    id_dr3 : int
    others : sequence of int
    redshifts : dict
        id -> (z_16, z_50, z_84). Sources without a redshift never agree.
    tolerance : float or None
        Largest difference of z_50 that agrees. None: the larger of the two half-ranges (z_84 - z_16) / 2.
    """
    unknown = (np.nan,) * 3
    z_low, z, z_high = redshifts.get(id_dr3, unknown)
    agreeing = []
    for other in others:
        other_low, other_z, other_high = redshifts.get(other, unknown)
        allowed = np.maximum(z_high - z_low, other_high - other_low) / 2 if tolerance is None else tolerance
        if abs(z - other_z) <= allowed:
            agreeing.append(other)
    return tuple(agreeing)
