"""Regions from a user's file, DS9 regions or a label image, as masks of the pixels of a cutout."""

import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import NoConvergence

from helper_functions.survey.mosaics import FARTHEST, Mosaic, open_mosaic, pixels_at, read_window

ID = "{id}"  # stands for the id of the galaxy in a file name
FITS_STARTS = b"SIMPLE", b"\x1f\x8b"  # of a FITS file, and of a gzip-compressed one
WANTED = "want DS9 regions in sky coordinates, or a FITS label image"
CHECKED = 128  # pixels on each side of the middle of a label image
WITHOUT_AREA = "Point", "Line", "Text"  # kinds of DS9 regions


class UnusableRegions(ValueError):
    """A region file that cannot be used."""

    status = "refused"


def region_file(pattern, id_dr3):
    """Path of the regions of a galaxy."""
    return Path(pattern.replace(ID, str(id_dr3)))


def read_regions(path, wcs, shape, cache_folder):
    """Regions of a DS9 file or of a label image as masks.

    Parameters
    ----------
    path : Path
        DS9 regions in sky coordinates, with one region for each tag or text, or else each shape; shapes with a minus
        are excluded from the preceding regions with the same tag, or from all if they have none. Or a FITS image of
        integers with a celestial WCS, with a region for each value above 0.
    wcs : WCS
        Celestial WCS of the cutout.
    shape : tuple
        (ny, nx) of the cutout.
    cache_folder : Path
        Folder of decompressed files.

    Returns
    -------
    regions : dict
        Name -> bool ndarray of shape (ny, nx), the pixels whose centre is inside, in the order of the file.
    notes : list of str
        Notes on parts that were not read.

    Raises
    ------
    OSError
        If the file cannot be read.
    UnusableRegions
        If it is no such file, or has regions in image coordinates, or values that are not integers.
    """
    opened = _open_regions(path, cache_folder)
    if isinstance(opened, Mosaic):
        return read_label_image(opened, wcs, shape), []
    return ds9_masks(*opened, wcs, shape)


def check_regions(path, cache_folder):
    """Raise as `read_regions`, for any galaxy; of a label image, only pixels in its middle are read."""
    opened = _open_regions(path, cache_folder)
    if isinstance(opened, Mosaic):
        middles = [size // 2 for size in opened.shape]
        window = tuple(slice(max(middle - CHECKED, 0), middle + CHECKED) for middle in middles)
        _refuse_fractions(opened, np.nan_to_num(read_window(opened, window)))


def _open_regions(path, cache_folder):
    """`Mosaic` of a label image, or DS9 regions and notes, see `_parse`."""
    with open(path, "rb") as file:
        is_image = file.read(6).startswith(FITS_STARTS)
    return open_mosaic(path, cache_folder) if is_image else _parse(path, path.stat().st_mtime_ns)


def _refuse_fractions(image, values):
    if (values != np.rint(values)).any():
        raise UnusableRegions(f"{image.source} holds fractions: want a label image, of whole numbers")


def read_label_image(image, wcs, shape):
    """Masks of the numbers above 0 of an image, a `Mosaic`, at the nearest pixel; see `read_regions`."""
    y, x = np.indices(shape)
    at = pixels_at(image, wcs.pixel_to_world(x, y))
    cols, rows = np.rint(np.where(np.isnan(at), -1, at)).astype(int)
    (ny, nx), values = image.shape, np.zeros(shape)
    here = (rows >= 0) & (rows < ny) & (cols >= 0) & (cols < nx)
    if not here.any():
        return {}
    top, left = rows[here].min(), cols[here].min()
    window = slice(top, rows[here].max() + 1), slice(left, cols[here].max() + 1)
    values[here] = np.nan_to_num(read_window(image, window))[rows[here] - top, cols[here] - left]
    _refuse_fractions(image, values)
    return {f"{number:.0f}": values == number for number in np.unique(values[values > 0])}


def ds9_masks(solid, notes, wcs, shape):
    """Masks of DS9 regions with an area, and the notes; see `read_regions`."""
    from regions import PixCoord  # here, as it takes a third of a second to import

    y, x = np.indices(shape)
    centres, middle = PixCoord(x, y), wcs.pixel_to_world(shape[1] / 2, shape[0] / 2)
    masks = {}
    for number, region in enumerate(solid, start=1):
        name = _name(region.meta)
        is_cut = not region.meta.get("include", True)
        inside = np.zeros(shape, dtype=bool)
        if _is_near(region, middle):
            with suppress(NoConvergence):  # distortion far from the image
                shape_only = region.to_pixel(wcs)
                shape_only.meta = {}  # versions of the package differ in whether a minus selects the outside
                inside = shape_only.contains(centres)
        if is_cut:
            for cut in masks.keys() & {name} if name else masks:
                masks[cut] = masks[cut] & ~inside
        else:
            name = name or f"region {number}"
            masks[name] = masks.get(name, False) | inside
    return masks, notes


@lru_cache(maxsize=4)  # all galaxies may share a file
def _parse(path, _):
    """Regions with an area in a DS9 file, and notes on what was not read; the second argument changes with the file."""
    from regions import PixelRegion, Regions

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AstropyWarning)
        try:
            found = list(Regions.parse(path.read_text(encoding="utf-8-sig"), format="ds9"))
        except (ValueError, TypeError, IndexError, AttributeError) as problem:
            raise UnusableRegions(f"{path} cannot be read as DS9 regions: {problem}; {WANTED}") from problem
    unread = [" ".join(str(each.message).split()).rstrip(".") for each in caught]
    if not found:
        raise UnusableRegions(f"{path} has no DS9 regions that can be read: {'; '.join([*unread[:1], WANTED])}")
    if in_pixels := sum(isinstance(each, PixelRegion) for each in found):
        raise UnusableRegions(
            f"{path} has regions in image coordinates ({in_pixels} of {len(found)}), and does not say of which image: "
            "save it from DS9 in fk5 or icrs"
        )
    notes = [f"not read of {path.name}: {each}" for each in unread[:1]]
    solid = [each for each in found if not type(each).__name__.startswith(WITHOUT_AREA)]
    if len(solid) < len(found):
        notes.append(f"points, lines and texts in {path.name} have no pixels: {len(found) - len(solid)} left out")
    if not solid:
        raise UnusableRegions(notes[-1])
    return solid, notes


def _name(meta):
    """Name of a DS9 region in ASCII, as FITS tables want it; "" for one without tag and text."""
    word = next(iter(meta.get("tag", ())), "") or meta.get("text", "")
    return " ".join(str(word).split()).encode("ascii", "backslashreplace").decode()


def _is_near(region, middle):
    """Whether a region is within FARTHEST of a position on the sky."""
    places = region.vertices if hasattr(region, "vertices") else region.center
    return np.min(places.separation(middle).deg) < FARTHEST
