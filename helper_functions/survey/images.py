"""The images of a survey, by its description in data_paths.py: bands, files, pixels and errors."""

import re
from fnmatch import fnmatchcase

import numpy as np

import data_paths
from helper_functions.filters import known_bands, pivot_wavelength, sedpy_name
from helper_functions.registry import choose
from helper_functions.sky_noise import median_and_mad_std
from helper_functions.survey.fill_values import constant_patches, zeros_in_noise
from helper_functions.survey.flux_units import FLUX_UNIT, calibration, electrons_in
from helper_functions.survey.mosaics import check_aligned, is_same_image, open_mosaic, read_window

# Kind of error map -> function that turns it into errors, and the power of the flux unit that it is in.
ERROR_MAPS = {"wht": (lambda weight: 1 / np.sqrt(weight), -2), "err": (lambda error: error, 1), "var": (np.sqrt, 2)}
NO_WEIGHT = 1e-6  # of the median weight of a window: smaller weights are rounding errors of 0
RARE = 0.1  # fraction of pixels with weights above 1 / NO_WEIGHT: if there are more, the median is that of no weights
NEGATIVE = 0.1  # fraction of negative pixels: half in a sky, none in a weight map
LEAST_PIXELS = 20  # of sources and of sky that are compared
SHOWN = 3.0  # standard deviations of the sky by which the median pixel of sources is brighter
USUAL_FLUX = 1e-18, 1e18  # 10 nJy, of a typical pixel: squares of others are out of the range of 32 bits
SAME = 1e-6  # relative difference of pixels that differ by rounding only, after a conversion of units in 32 bits


def find_catalogs(folder, survey):
    """Paths of the photometric catalog, the catalog of redshifts and the segmentation map.

    FileNotFoundError where one is missing, which names the setting to edit.
    """
    data_paths.check_catalogs_folder(folder)
    files = data_paths.SURVEYS[survey]
    return [
        data_paths.find_survey_file(folder, getattr(files, field), data_paths.setting_name(survey, field))
        for field in ("super_catalog", "sps_catalog", "segmap")
    ]


def find_bands(folder, survey, columns):
    """Bands of a survey: from the flux columns of its catalog or, if the description names none, from its images.

    A column f_<band> counts as a band if sedpy has its filter, or the description of the survey names it; others, such
    as f_alma, have no image.

    Parameters
    ----------
    folder : path
        The survey folder.
    survey : str
        A key of `data_paths.SURVEYS`.
    columns : sequence of str
        Column names of the catalog.

    Returns
    -------
    bands : dict
        Name in columns and files -> name of the band: the same, or the filter in sedpy that the description gives for
        it. In ascending order of wavelength.

    Raises
    ------
    ValueError
        Where two bands have the same filter, or sedpy does not have a filter that the description names.
    """
    files = data_paths.SURVEYS[survey]
    curves = {name.lower(): curve.lower() for name, curve in (files.filters or {}).items()}
    if files.flux_column:
        start, end = files.flux_column.lower().split("{band}")
        middle = slice(len(start), -len(end) or None)
        named = {name[middle] for name in map(str.lower, columns) if name.startswith(start) and name.endswith(end)}
    else:
        named = _bands_of_images(folder, survey, {*known_bands(), *curves})
    bands = {name: curves.get(name, name) for name in named if name in curves or sedpy_name(name)}
    bands = dict(sorted(bands.items(), key=lambda names: (pivot_wavelength(names[1]), names[0])))
    taken = {}
    for name, band in bands.items():
        if (other := taken.setdefault(sedpy_name(band), name)) != name:
            raise ValueError(
                f"bands {other} and {name} have the same filter, {sedpy_name(band)}: set filters of {survey!r} in "
                "SURVEYS in data_paths.py"
            )
    return bands


def _bands_of_images(folder, survey, known):
    """The known bands in the names of files; of several in one name, the longest."""
    pattern = data_paths.SURVEYS[survey].image_pattern.replace("{kind}", "sci")
    names = [path.relative_to(folder).as_posix() for path in data_paths.matching_files(folder, pattern, "?*")]
    patterns = {band: pattern.replace("{band}", band).lower() for band in known}
    found = set()
    for name in names:
        fits = [band for band, one in patterns.items() if fnmatchcase(re.sub(r"\.[gf]z$", "", name.lower()), one)]
        found.update([max(fits, key=len)] if fits else [])
    return found


def find_images(folder, survey, name):
    """Paths of the image of a band and of its error map, which may be the same file; None where it has no image.

    Raises
    ------
    FileNotFoundError
        Where several files match, or there is an image without an error map.
    """
    files = data_paths.SURVEYS[survey]
    sci, error = (data_paths.find_image(folder, name, kind, survey) for kind in ("sci", files.error_map))
    if sci and not error:
        pattern = files.image_pattern.replace("{band}", name).replace("{kind}", files.error_map)
        meant = data_paths.meant_text(folder, [name], survey)
        raise FileNotFoundError(f"no weight image for {sci.name}: want one file {pattern} in {folder}{meant}")
    return (sci, error) if sci else None


def find_all_images(folder, survey, columns):
    """Find the images of all bands.

    Returns
    -------
    images : dict
        Band -> paths of its image and its error map, in ascending order of wavelength.
    without : tuple of str
        Bands of the catalog without an image.

    Raises
    ------
    FileNotFoundError
        Where no band has an image, and as `find_images`.
    """
    bands = find_bands(folder, survey, columns)
    paths = {band: find_images(folder, survey, name) for name, band in bands.items()}
    images = {band: found for band, found in paths.items() if found}
    without = tuple(band for band in paths if band not in images)
    if not images:
        setting = data_paths.setting_name(survey, "image_pattern")
        pattern = data_paths.SURVEYS[survey].image_pattern.replace("{band}", "<band>").replace("{kind}", "sci")
        raise FileNotFoundError(
            f"no image of any band in {folder}: looked for {pattern} with the bands {', '.join(without) or '(none)'} "
            f"of the catalog; change {setting} in data_paths.py{data_paths.meant_text(folder, without, survey)}"
        )
    return images, without


def open_band(sci_path, error_path, survey, cache_folder, segmap):
    """Open the image and the error map of a band, which will be read in units of 10 nJy per pixel.

    Parameters
    ----------
    sci_path, error_path : Path
        May be the same file, with an extension for each.
    survey : str
        A key of `data_paths.SURVEYS`.
    cache_folder : Path
    segmap : Mosaic
        Segmentation map, with which they must be aligned.

    Returns
    -------
    sci, error : Mosaic

    Raises
    ------
    OSError
        Where a file cannot be read, as `open_mosaic`.
    ValueError
        Where images and segmentation map differ in shape or WCS, the unit of the image is no flux density, or image and
        error map are the same.
    """
    files = data_paths.SURVEYS[survey]
    _, power = choose(ERROR_MAPS, files.error_map, "error_map")
    sci = open_mosaic(sci_path, cache_folder, files.sci_extension)
    error = open_mosaic(error_path, cache_folder, files.error_extension or files.error_map.upper())
    if is_same_image(sci, error):
        raise ValueError(
            f"{sci_path} would be its own weight image, as {error_path} is the same image: put the weight image there, "
            f"or change {data_paths.setting_name(survey, 'image_pattern')} in data_paths.py"
        )
    for mosaic in (sci, error):
        check_aligned(mosaic, segmap)
    (factor, assumed), (of_error, _) = (
        _calibration(mosaic, segmap, files) for mosaic in (sci, error if _has_own_unit(error, sci, files) else sci)
    )
    # The WCS is that of the segmentation map, and headers are not needed any more: less is sent to other processes.
    no_longer_needed = {"wcs": None, "header": None}
    electrons = electrons_in(sci.bunit, sci.header) / factor
    sci = sci._replace(unit_factor=factor, assumed_unit=assumed, electrons=electrons, **no_longer_needed)
    return sci, error._replace(unit_factor=of_error**power, **no_longer_needed)


def known_electrons(survey, bands, images):
    """Electrons per 10 nJy of each band, from the description of the survey or else from the header of the image.

    Parameters
    ----------
    survey : str
        A key of `data_paths.SURVEYS`.
    bands : sequence of str
        Names of the bands.
    images : sequence of Mosaic
        Their images, from `open_band`.

    Returns
    -------
    ndarray of shape (n_bands,)
        NaN where not known; infinite where weights include the photon noise of sources, given as 0 in the description.

    Raises
    ------
    ValueError
        Where the description gives an impossible number, or a name that is no band.
    """
    files = data_paths.SURVEYS[survey]
    given = files.electrons if isinstance(files.electrons, dict) else dict.fromkeys(bands, files.electrons)
    curves = {name.lower(): curve.lower() for name, curve in (files.filters or {}).items()}
    given = {curves.get(name.lower(), name.lower()): number for name, number in given.items() if number is not None}
    wrong = [name for name, number in given.items() if not (sedpy_name(name) and 0 <= number < np.inf)]
    if wrong:
        raise ValueError(
            f"electrons of {', '.join(wrong)} in {data_paths.setting_name(survey, 'electrons')} in data_paths.py: want "
            "names of bands, and numbers of electrons per 10 nJy, or 0 where weights include sources' photon noise"
        )
    known = [given.get(band, image.electrons) for band, image in zip(bands, images, strict=True)]
    return np.array([number if number != 0 else np.inf for number in known], dtype=float)


def _has_own_unit(error, sci, files):
    """Whether an error image states another unit than the image; that of weights and variances is the image's."""
    return files.error_map == "err" and error.bunit not in (None, "", sci.bunit)


def _calibration(mosaic, segmap, files):
    known = {"header": mosaic.header, "unit": files.unit, "zero_point": files.zero_point}
    return calibration(mosaic.bunit, segmap.wcs, mosaic.source, **known)


def read_pixels(sci, error, window):
    """Read the pixels of an image and its error map in a window, a pair of slices (rows, columns).

    Raises
    ------
    ValueError
        Where both have the same pixels, as when one was copied in place of the other, or seem to be swapped; or a
        typical flux is outside USUAL_FLUX, as by a wrong unit.
    """
    pixels = [read_window(mosaic, window) for mosaic in (sci, error)]
    # In the units of the files, as a conversion would hide that they are the same.
    image, other = (each / mosaic.unit_factor for each, mosaic in zip(pixels, (sci, error), strict=True))
    data = np.isfinite(image) & np.isfinite(other) & ((image != 0) | (other != 0))
    varies = data.any() and np.ptp(image[data]) > 0  # a constant image may be anything
    if varies and np.allclose(image[data], other[data], rtol=SAME, atol=0):
        raise ValueError(
            f"{error.source} has the same pixels as {sci.source}, which would be its own weight image: put the weight "
            "image there"
        )
    negative = other[data & (other < 0)]  # a fill value, such as -1, may stand for no weight
    if negative.size > NEGATIVE * data.sum() and np.ptp(negative) > 0 and not (image[data] < 0).any():
        raise ValueError(
            f"{error.source} and {sci.source} seem to be swapped: {negative.size / data.sum():.0%} of the pixels of "
            "the weight image are negative, and none of the image; swap the two files, or correct the names of the "
            "extensions in data_paths.py"
        )
    _check_typical_flux(sci, pixels[0], data & (other > 0) & (image != 0))
    return pixels


def check_not_swapped(images, error_maps, kind, flux, error, segmap):
    """Raise ValueError where the error map of a band shows the sources of the segmentation map, and its image does not.

    So images that have no negative pixels, as a constant was added, are found in the place of error maps. A real one
    may be higher on a source, at an edge in depth; but then its image has negative pixels or shows the source, too.

    Parameters
    ----------
    images, error_maps : sequence of Mosaic
    kind : str
        Kind of the error maps: a key of ERROR_MAPS.
    flux, error : ndarray of shape (n_bands, ny, nx)
        From `mask_missing`.
    segmap : ndarray of shape (ny, nx)
    """
    rise = np.sign(ERROR_MAPS[kind][1])  # of the errors where the values of the error map are higher
    for image, error_map, *planes in zip(images, error_maps, flux, error, strict=True):
        data = np.isfinite(planes[0])
        source, sky = data & (segmap > 0), data & (segmap <= 0)
        if min(source.sum(), sky.sum()) < LEAST_PIXELS or (planes[0][data] < 0).any():
            continue
        (middle, scatter), (stated, spread) = (median_and_mad_std(plane[sky]) for plane in planes)
        of_source = [np.median(plane[source]) for plane in planes]
        if of_source[0] - middle <= scatter and rise * (of_source[1] - stated) > SHOWN * spread > 0:
            raise ValueError(
                f"{error_map.source} and {image.source} seem to be swapped: the {kind} image shows the sources of the "
                "segmentation map, and the sci image does not; swap the two files, or correct the names of the "
                "extensions in data_paths.py"
            )


def _check_typical_flux(sci, flux, data):
    """Raise ValueError, naming the file, where the median of |flux| is outside USUAL_FLUX, whatever patches hold."""

    def typical(some):
        return np.median(np.abs(flux[some])) if some.any() else 1.0

    def is_usual(value):
        return USUAL_FLUX[0] < value < USUAL_FLUX[1]

    if not is_usual(typical(data)) and not is_usual(found := typical(data & ~constant_patches(flux))):
        raise ValueError(
            f"{sci.source.name} has pixels of typically {found:.1g} x {FLUX_UNIT}, as by a wrong unit: give the unit "
            "as BUNIT in its header, or as unit of the survey in data_paths.py"
        )


def mask_missing(sci, error_map, kind="wht"):
    """Turn weights into errors, and set pixels without a measurement to NaN.

    Parameters
    ----------
    sci, error_map : ndarray
        Flux, and its inverse variance, error or variance, of the same shape.
    kind : str
        Kind of the error map: a key of ERROR_MAPS.

    Returns
    -------
    flux, error : ndarray of float32
        New arrays; both NaN where the weight is not positive, below NO_WEIGHT times the median or above 1 / NO_WEIGHT
        times it, the flux is not finite, or one of them is out of the range of 32 bits; and where the flux is a fill
        value, see `constant_patches` and `zeros_in_noise`.
    """
    to_error, power = choose(ERROR_MAPS, kind, "error_map")
    measured = np.isfinite(sci) & np.isfinite(error_map) & (error_map > 0) & ~constant_patches(sci)
    measured &= ~zeros_in_noise(sci, measured)
    if measured.any():
        typical, factor = np.median(error_map[measured]), NO_WEIGHT ** (-np.abs(power) / 2)
        # A weight has the power -2 of the unit: that many times the typical weight, in any kind of error map.
        low, high = error_map > typical / factor, error_map < typical * factor
        real, believed = (low, high) if power < 0 else (high, low)
        measured &= real if np.mean(~believed[measured]) > RARE else real & believed
    with np.errstate(over="ignore"):
        flux = np.where(measured, sci, np.nan).astype(np.float32)
        # The weight itself may be too large or too small for 32 bits where the error is not.
        error = to_error(np.where(measured, error_map, np.nan)).astype(np.float32)
    measured = np.isfinite(flux) & np.isfinite(error) & (error > 0)
    return np.where(measured, flux, np.nan), np.where(measured, error, np.nan)
