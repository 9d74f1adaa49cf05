"""Input mosaics of a field: their files, from a table or by file name patterns, and their units."""

import re
from pathlib import Path
from typing import NamedTuple

from astropy.table import Table

import data_paths
from helper_functions.filters import pivot_wavelength, sedpy_name
from helper_functions.survey.flux_units import calibration, unit_factor
from helper_functions.survey.images import ERROR_MAPS
from helper_functions.survey.mosaics import Mosaic, is_same_image, open_mosaic

WORD = re.compile("[A-Za-z0-9]+")
ANYTHING = re.compile(r"\*+")  # adjacent wildcards, after {band} is replaced by one


class BandFiles(NamedTuple):
    """The files of a band."""

    band: str  # lower case
    sci: Path
    wht: Path  # may be the same file, with an extension for each
    psf: Path | None  # None: measured from stars


class BandImages(NamedTuple):
    """The opened images of a band, whose pixels are read in 10 nJy per pixel."""

    band: str
    sci: Mosaic
    wht: Mosaic
    error_map: str  # a key of ERROR_MAPS, of `wht`


def read_table(path, error_map):
    """`BandFiles` from a table with the columns band, sci, wht (or err, or var), and psf if it has one.

    Paths are relative to the folder of the table.

    Raises
    ------
    ValueError
        Where a column is missing, a band is named twice or unknown, or an image has no weight.
    FileNotFoundError
        Where a file does not exist.
    """
    table = Table.read(path, format="ascii")
    if missing := [name for name in ("band", "sci", error_map) if name not in table.colnames]:
        raise ValueError(f"{path} has no column {', '.join(missing)}: it has {', '.join(table.colnames)}")
    found = []
    for row in table.filled("") if table.has_masked_columns else table:
        names = {name: str(row[name]).strip() for name in table.colnames}
        paths = {name: Path(path).parent / value if value else None for name, value in names.items()}
        if not paths["sci"] or not paths[error_map]:
            raise ValueError(
                f"{path} has no {'weight' if paths['sci'] else 'image'} for {names['band']}: name its file"
            )
        found.append(BandFiles(names["band"].lower(), paths["sci"], paths[error_map], paths.get("psf")))
    for absent in (each for files in found for each in files[1:] if each and not each.is_file()):
        raise FileNotFoundError(f"{path} names a file that does not exist: {absent}")
    return checked(found, path)


def find_files(folder, pattern, error_map):
    """`BandFiles` of the images in a folder, by a glob pattern with {band} and {kind}, "sci" or the error map.

    Without {kind}, image and error map are extensions of one file.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder} is neither a folder of mosaics nor a table of files")
    images, others = (
        [(band_in(path.name), path) for path in data_paths.matching_files(folder, ANYTHING.sub("*", of_kind))]
        for of_kind in (pattern.replace("{kind}", kind).replace("{band}", "*") for kind in ("sci", error_map))
    )
    found = []
    for band, sci in images:
        if band:
            wht = [path for other, path in others if other == band]
            if len(wht) != 1:
                names = ", ".join(path.name for path in wht) or "none"
                raise FileNotFoundError(f"want one {error_map} image of {sci.name} in {folder}, found {names}")
            found.append(BandFiles(band, sci, wht[0], None))
    if not found:
        raise FileNotFoundError(f"no image {pattern} with the name of a band in {folder}: set --images")
    return checked(found, folder)


def checked(found, where):
    """Sort files by wavelength; ValueError if a band has no filter curve, or two images."""
    if unknown := [files.band for files in found if sedpy_name(files.band) is None]:
        raise ValueError(f"{where}: no filter curve of sedpy is called {', '.join(unknown)}")
    names = [files.band for files in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        these = ", ".join(files.sci.name for files in found if files.band == twice[0])
        raise ValueError(f"{where} has several images of {twice[0]} ({these}): want one mosaic for each band")
    return sorted(found, key=lambda files: pivot_wavelength(files.band))


def band_in(name):
    """First band with a known filter curve in the name of a file or extension, in lower case, or None."""
    words = (word.lower() for word in WORD.findall(name))
    return next((word for word in words if not word.isdigit() and sedpy_name(word)), None)


def find_psfs(found, where):
    """`BandFiles` with missing PSFs added from a folder, or from a pattern with {band}.

    Raises
    ------
    FileNotFoundError
        Where there is not one for each band.
    """
    where = Path(where)
    paths = sorted(where.glob("*.fits*") if where.is_dir() else where.parent.glob(where.name.replace("{band}", "*")))
    result = []
    for files in found:
        here = [path for path in paths if band_in(path.name) == files.band]
        if files.psf is None and len(here) != 1:
            names = ", ".join(path.name for path in here) or "none"
            raise FileNotFoundError(
                f"want one PSF of {files.band} in {where}, found {names}: put it there, or leave the band out"
            )
        result.append(files if files.psf else files._replace(psf=here[0]))
    return result


def open_images(files, error_map, unit="", extensions=("SCI", None)):
    """`BandImages` of a band.

    Parameters
    ----------
    files : BandFiles
    error_map : str
        A key of ERROR_MAPS.
    unit : str
        Of images without BUNIT; "": these are refused.
    extensions : pair of str
        Of the image and of the error map; None: the error map in capitals.

    Raises
    ------
    OSError, ValueError
        Where a file cannot be read, the unit is not known, or image and error map differ in shape or are the same.
    """
    cache = data_paths.cache_folder()
    sci, wht = (
        open_mosaic(path, cache, extension or error_map.upper())
        for path, extension in zip((files.sci, files.wht), extensions, strict=True)
    )
    if is_same_image(sci, wht):
        raise ValueError(
            f"{files.sci} has no weights: {files.wht} is the image itself; want an image of kind {error_map}"
        )
    if sci.shape != wht.shape:
        raise ValueError(
            f"{sci.source.name} and {wht.source.name} differ in shape: {sci.shape} and {wht.shape} (rows, columns)"
        )
    factor, assumed = calibration(sci.bunit, sci.wcs, sci.source, header=sci.header, unit=unit)
    own_unit = error_map == "err" and wht.bunit not in (None, "", sci.bunit)
    power = ERROR_MAPS[error_map][1]
    of_error = unit_factor(wht.bunit, sci.wcs, wht.source, header=wht.header) if own_unit else factor
    sci = sci._replace(header=None, unit_factor=factor, assumed_unit=assumed)
    return BandImages(files.band, sci, wht._replace(header=None, unit_factor=of_error**power), error_map)
