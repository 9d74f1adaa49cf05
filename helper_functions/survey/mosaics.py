"""FITS mosaics, of which only windows are read, never the whole image."""

import logging
import os
import warnings
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy import log
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning, NoConvergence
from astropy.wcs.utils import proj_plane_pixel_area

from helper_functions.survey.gzip_cache import unpack

STRIPE_BYTES = 16 * 2**20  # how much of the segmentation map is in memory while it is searched
WCS_TOLERANCE = 0.1  # pixels; below it two images count as aligned, far above rounding in headers
LARGEST_ID = 2**62  # of a source; a larger number is a code for something else, and may not fit into 64 bits
LARGEST_PIXEL = 1.0  # degrees: a larger one comes from a header without a scale
COMMENTS = ("HISTORY", "COMMENT", "")  # header cards without a value
MAX_ELONGATION = 1000.0  # of a pixel; that of a singular WCS is larger
# Beginnings of the names of HDUs with errors, weights or flags, beside which an image in the primary HDU needs no name.
BESIDE_AN_IMAGE = "ERR", "WHT", "VAR", "RMS", "DQ", "CON", "CTX", "EXP"
FARTHEST = 10.0  # degrees: a projection of positions farther away may fail, or mirror them


class Mosaic(NamedTuple):
    """An image on disk: its file, shape, WCS and unit."""

    path: Path  # of the file that is read
    source: Path  # of the survey's file: the same, or the gzip-compressed one
    hdu: int  # number of the HDU that holds the image
    shape: tuple  # (ny, nx)
    wcs: WCS
    extension: str  # name of the HDU; "" for the first
    bunit: str | None  # unit of the pixels as the header has it
    header: dict | None  # keyword -> value, from the header of the image and the primary header
    stored: tuple | None = None  # dtype and byte offset of the pixels; None where they are compressed or scaled
    unit_factor: float = 1.0  # by which pixels are multiplied when they are read
    electrons: float = float("nan")  # per 10 nJy; NaN: not known
    assumed_unit: str = ""  # unit or zero point that the description of the survey gives; "": the header states it


def open_mosaic(path, cache_folder, extension=None):
    """Look up an image's HDU, shape and WCS, and check that the file is not truncated.

    Parameters
    ----------
    path : Path
        A FITS file, which may be gzip-compressed; it is then unpacked into `cache_folder` once.
    cache_folder : Path
        Where unpacked files are kept.
    extension : str or None
        Name of the HDU to take. Where no HDU has this name, the first image is taken, if it is the only one, or in the
        primary HDU and all others of its shape are named as errors, weights or flags. None: the first image is taken.

    Returns
    -------
    Mosaic

    Raises
    ------
    OSError
        Where the file is no FITS file, is truncated, holds no image with a celestial WCS, or holds several images of
        which none, or more than one, has the name.
    """
    unpacked = unpack(path, cache_folder) if path.suffix == ".gz" else path
    check_not_truncated(unpacked, path)
    with open_fits(unpacked, path) as hdus:
        images = [number for number, hdu in enumerate(hdus) if hdu.is_image and _is_plane(hdu.shape)]
        if not images:
            raise OSError(f"{path} holds no two-dimensional image")
        named = [number for number in images if extension and hdus[number].name == extension]
        if len(named) > 1:
            raise OSError(
                f"{path} has {len(named)} images named {extension}, in the HDUs {', '.join(map(str, named))}: delete "
                "or rename those that are not meant, or name another extension in data_paths.py"
            )
        number = (named or images)[0]
        hdu = hdus[number]
        rivals = [other for other in images[1:] if number or _is_rival(hdus[other], hdu.shape, extension)]
        if extension and hdu.name != extension and rivals:
            names = ", ".join(hdus[number].name or f"number {number}" for number in images)
            raise OSError(f"{path} has no extension {extension}: it has {names}; name the one to take in data_paths.py")
        cards = _cards(hdus[0].header) | _cards(hdu.header)
        wcs, name = celestial_wcs(hdu.header, hdus, path), hdu.name if number else ""
        return Mosaic(unpacked, path, number, hdu.shape[-2:], wcs, name, cards.get("BUNIT"), cards, _stored(hdu))


def _is_rival(hdu, shape, extension):
    """Whether an HDU may hold the image that is wanted, as well as a primary HDU of that shape."""
    beside = tuple(name for name in BESIDE_AN_IMAGE if name != extension)
    return hdu.shape[-2:] == shape[-2:] and not hdu.name.startswith(beside)


def _cards(header):
    """Keywords and values of a header; its text where the value, such as nan, is none by the standard."""
    cards = {}
    for card in header.cards:
        if card.keyword not in COMMENTS:
            try:
                cards[card.keyword] = card.value
            except VerifyError:
                cards[card.keyword] = card.image.partition("=")[2].partition(" /")[0].strip()
    return cards


def _stored(hdu):
    """Dtype and byte offset of the pixels of an image, by which windows are read faster than by astropy.

    None where pixels are compressed, scaled or unsigned, and so not on disk as they are.
    """
    header, bits = hdu.header, hdu.header["BITPIX"]
    scaled = header.get("BSCALE", 1) != 1 or header.get("BZERO", 0) != 0 or "BLANK" in header
    if scaled or bits == 8 or isinstance(hdu, fits.CompImageHDU):
        return None
    return np.dtype(f">{'f' if bits < 0 else 'i'}{abs(bits) // 8}"), hdu.fileinfo()["datLoc"]


def _is_plane(shape):
    """Whether an image has two dimensions, or further dimensions of length 1."""
    return len(shape) >= 2 and all(size == 1 for size in shape[:-2])


def check_not_truncated(path, source):
    """Raise OSError, naming `source`, where the file at `path` is shorter than its headers state."""
    # A compressed image is stored as a table, whose size is compared.
    with open_fits(path, source, disable_image_compression=True) as hdus:
        ends = [hdu.fileinfo()["datLoc"] + hdu.header.data_size for hdu in hdus]
    missing = max(ends) - path.stat().st_size
    if missing > 0:
        raise OSError(
            f"{source} is truncated: it is {missing} bytes shorter than its headers state; fetch the file again"
        )


def celestial_wcs(header, hdus, path):
    """The celestial WCS of an image, two axes; OSError, naming `path`, where there is none or it is singular."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)  # about dates, which do not matter here
            with _without_info():  # about distortions that CTYPE does not announce, which are used all the same
                wcs = WCS(header, hdus)
            if not wcs.has_celestial:
                raise OSError(f"{path} has no celestial WCS in its header")
            wcs = wcs if wcs.naxis == 2 else wcs.celestial
            wcs.wcs.set()
            sides = np.linalg.svd(wcs.pixel_scale_matrix, compute_uv=False)
    except (ValueError, TypeError, KeyError, AssertionError, np.linalg.LinAlgError) as problem:
        reason = " ".join(str(problem).split())
        raise OSError(f"{path} has a WCS in its header that cannot be used ({reason}): correct the header") from problem
    if not (0 < sides[0] < LARGEST_PIXEL and sides[0] < MAX_ELONGATION * sides[1]):
        raise OSError(
            f"{path} has a singular WCS in its header, or one without a scale: its pixels would be "
            f"{sides[0]:.3g} x {sides[1]:.3g} degrees; correct the header"
        )
    return wcs


@contextmanager
def _without_info():
    """Block in which astropy logs warnings and errors only."""
    level = log.level
    log.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        log.setLevel(level)


@contextmanager
def open_fits(path, source=None, **options):
    """Open a FITS file without memory mapping; OSError, naming it or `source`, where it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # about truncated files, which `check_not_truncated` refuses
        try:
            hdus = fits.open(path, **{"memmap": False, **options})
        except (OSError, EOFError, zlib.error) as problem:
            raise OSError(f"{source or path} cannot be read as FITS: {problem}") from problem
        try:
            with hdus:
                yield hdus
        except VerifyError as problem:
            reason = " ".join(str(problem).split())
            raise OSError(f"{source or path} has a header that cannot be read: {reason}") from problem


def pixels_at(image, sky):
    """Column and row of positions on the sky in a `Mosaic`, floats of shape (2, *sky.shape).

    NaN where the mosaic is farther than FARTHEST from all of them, or the distortion of its WCS does not converge.
    """
    if np.min(image.wcs.pixel_to_world(0, 0).separation(sky).deg) < FARTHEST:
        with suppress(NoConvergence):  # distortion far from the image
            return np.array(image.wcs.world_to_pixel(sky))
    return np.full((2, *sky.shape), np.nan)


def read_window(mosaic, window):
    """Read the pixels in a window of a mosaic.

    Parameters
    ----------
    mosaic : Mosaic
    window : tuple of slice
        Rows and columns.

    Returns
    -------
    ndarray of shape (ny, nx)
        In the byte order of the machine. Where the unit is converted, 64-bit floats; else the dtype of the file.

    Raises
    ------
    OSError
        Where the pixels cannot be read, naming the file.
    """
    return read_windows(mosaic, [window])[0]


def read_windows(mosaic, windows):
    """List of `read_window` for each window; a compressed file, which takes long to open, is opened once."""
    if mosaic.stored is None:
        with open_fits(mosaic.path, mosaic.source) as hdus:
            sections = [_section(hdus, mosaic, window) for window in windows]
    else:
        sections = [_stored_section(mosaic, window) for window in windows]
    if mosaic.unit_factor != 1:
        return [pixels.astype(float) * mosaic.unit_factor for pixels in sections]
    return [pixels.astype(pixels.dtype.newbyteorder("=")) for pixels in sections]


def read_segmap(segmap, window):
    """Ids of the sources in a window of the segmentation map, int ndarray of shape (ny, nx).

    Values that are not above 0, such as NaN or negative codes, belong to no source.
    """
    ids = read_window(segmap, window)
    ids = np.where(ids > 0, ids, 0)
    return ids if ids.dtype.kind in "iu" else ids.astype(np.int64)


def _stored_section(mosaic, window):
    """Pixels of a window of a mosaic that is not compressed or scaled, read row by row.

    Memory mapping is avoided, because a read error would then end the process and not only the galaxy.
    """
    dtype, start = mosaic.stored
    rows, cols = (range(size)[each] for each, size in zip(window, mosaic.shape, strict=True))
    read = []
    try:
        with open(mosaic.path, "rb", buffering=0) as file:
            for row in rows:
                file.seek(start + dtype.itemsize * (row * mosaic.shape[1] + cols.start))
                read.append(file.read(dtype.itemsize * len(cols)))
        return np.frombuffer(b"".join(read), dtype).reshape(len(rows), len(cols))
    except (OSError, ValueError) as problem:
        raise _damaged(mosaic, problem) from problem


def _damaged(mosaic, problem):
    return OSError(f"pixels of {mosaic.source} cannot be read ({problem}): fetch the file again")


def _section(hdus, mosaic, window):
    """Pixels of a window of a mosaic whose file is open; OSError, naming the file, where they cannot be read."""
    hdu = hdus[mosaic.hdu]
    try:
        return hdu.section[(0,) * (len(hdu.shape) - 2) + tuple(window)]
    except (OSError, TypeError, ValueError, RuntimeError, zlib.error) as problem:
        raise _damaged(mosaic, problem) from problem


def is_same_image(one, other):
    """Whether two mosaics are the same HDU of the same file."""
    return one.hdu == other.hdu and os.path.samefile(one.source, other.source)


def check_aligned(mosaic, reference):
    """Raise ValueError, naming both files, where two images differ in shape or WCS; distortions are compared, too."""
    files = f"{mosaic.source.name} and {reference.source.name}"
    if mosaic.shape != reference.shape:
        raise ValueError(f"{files} differ in shape: {mosaic.shape} and {reference.shape} (rows, columns)")
    ny, nx = reference.shape
    y, x = np.meshgrid(np.linspace(0, ny - 1, 3), np.linspace(0, nx - 1, 3), indexing="ij")
    pixels = np.column_stack([x.ravel(), y.ravel()])
    apart = np.linalg.norm(_directions(mosaic.wcs, pixels) - _directions(reference.wcs, pixels), axis=1).max()
    offset = np.degrees(apart) / np.sqrt(proj_plane_pixel_area(reference.wcs))
    if not offset < WCS_TOLERANCE:
        distorted = [each.source.name for each in (mosaic, reference) if each.wcs.has_distortion]
        why = f"; {distorted[0]} has distortions (SIP or others), the other has none" if len(distorted) == 1 else ""
        raise ValueError(f"{files} differ in WCS: by {offset:.3g} pixels{why}")


def _directions(wcs, pixels):
    """Unit vectors (n, 3) to the sky positions of pixels (n, 2), given as x and y."""
    sky = np.radians(wcs.all_pix2world(pixels, 0))
    lon, lat = sky[:, wcs.wcs.lng], sky[:, wcs.wcs.lat]
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


class Segment(NamedTuple):
    """Bounding box and size of a source in the segmentation map."""

    rows: slice
    cols: slice
    n_pixels: int


def find_segments(segmap, ids):
    """Bounding boxes and sizes of segments, from one pass over the segmentation map in stripes.

    Parameters
    ----------
    segmap : Mosaic
        Integer image whose pixels hold the id of the source they belong to, and 0 elsewhere.
    ids : sequence of int
        Ids to look for.

    Returns
    -------
    segments : dict
        id -> Segment, without ids that have no pixel.

    Raises
    ------
    ValueError
        If the map has floats so large that neighbouring integers are not distinguished.
    """
    wanted = np.unique([id_dr3 for id_dr3 in ids if 1 <= id_dr3 <= LARGEST_ID]).astype(np.int64)
    if not len(wanted):
        return {}
    low, high = np.full((2, len(wanted)), max(segmap.shape)), np.zeros((2, len(wanted)), dtype=int)
    n_pixels = np.zeros(len(wanted), dtype=int)
    for found, rows, starts, ends in segment_runs(segmap):
        number = np.minimum(np.searchsorted(wanted, found), len(wanted) - 1)
        mine = wanted[number] == found
        number, rows, starts, ends = number[mine], rows[mine], starts[mine], ends[mine]
        for axis, first, end in ((0, rows, rows + 1), (1, starts, ends)):
            np.minimum.at(low[axis], number, first)
            np.maximum.at(high[axis], number, end)
        np.add.at(n_pixels, number, ends - starts)
    columns = zip(wanted.tolist(), *low.tolist(), *high.tolist(), n_pixels.tolist(), strict=True)
    return {
        id_dr3: Segment(slice(top, bottom), slice(left, right), size)
        for id_dr3, top, left, bottom, right, size in columns
        if size
    }


def segment_runs(segmap):
    """Yield the `row_runs` of a segmentation map from stripe to stripe; ValueError as `find_segments`."""
    ny, nx = segmap.shape
    height = max(1, STRIPE_BYTES // (8 * nx))
    with open_fits(segmap.path, segmap.source) as hdus:
        for top in range(0, ny, height):
            found, rows, *ends = row_runs(_section(hdus, segmap, (slice(top, min(top + height, ny)), slice(0, nx))))
            check_ids_exact(found, segmap.source)
            yield found, rows + top, *ends


def check_ids_exact(ids, place):
    """Raise ValueError, naming `place`, where ids above 0 are floats so large that neighbouring ids are the same."""
    exact = 2 ** (np.finfo(ids.dtype).nmant + 1) if ids.dtype.kind == "f" else np.inf
    if ids.size and (largest := ids.max()) > exact:
        raise ValueError(
            f"{place} holds {8 * ids.itemsize}-bit floats, which tell whole numbers apart only up to {exact}, and ids "
            f"up to {largest:.0f}: several galaxies may have become one; want integers"
        )


def row_runs(image):
    """Run-length encoding of the rows of an image, without values that are not above 0.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)

    Returns
    -------
    values, rows, starts, ends : ndarray of shape (n_runs,)
        Value, row, first column, and the column after the last one of each run.
    """
    ny, nx = image.shape
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    begins = np.ones(image.shape, dtype=bool)
    np.not_equal(image[:, 1:], image[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    values, ends = image.ravel()[first], np.append(first[1:], ny * nx)
    source = values > 0
    rows, starts = np.divmod(first[source], nx)
    return values[source], rows, starts, ends[source] - rows * nx
