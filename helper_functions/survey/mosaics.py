"""Windows of FITS mosaics: read what is needed, never the whole image."""

import os
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_area

from helper_functions.survey.gzip_cache import unpack

STRIPE_BYTES = 16 * 2**20  # how much of the segmap is in memory while it is searched
WCS_TOLERANCE = 0.1  # pixels; below it two images count as aligned, far above rounding in headers
LARGEST_ID = 2**62  # fits into 64 bits with room: what is larger is no id but a code for something
LARGEST_PIXEL = 1.0  # degrees: what is larger is no pixel but a header without a scale
TEXT = ("HISTORY", "COMMENT", "")  # cards without a value
MOST_ELONGATED = 1000.0  # times as long as wide: what is longer is a singular matrix


class Mosaic(NamedTuple):
    """An image on disk: where its pixels are, how many, and where on the sky."""

    path: Path  # of the file that is read
    source: Path  # of the survey's file: the same, or the packed one
    hdu: int  # number of the HDU that holds the image
    shape: tuple  # (ny, nx)
    wcs: WCS
    extension: str  # name of the HDU; "" for the first
    bunit: str | None  # unit of the pixels as the header has it
    header: dict | None  # cards of the image, and those that it leaves to the header of the file
    stored: tuple | None = None  # dtype and first byte of pixels that are neither compressed nor scaled
    unit_factor: float = 1.0  # that pixels are multiplied with when they are read
    electrons: float = float("nan")  # per 10 nJy of an image; NaN: not known


def open_mosaic(path, cache_folder, extension=None):
    """Look up an image's HDU, shape and WCS, and check that the file is whole.

    Parameters
    ----------
    path : Path
        A FITS file, or one packed with gzip, which is unpacked into `cache_folder` once.
    cache_folder : Path
        Where unpacked files are kept.
    extension : str or None
        Name of the HDU to take. Where no HDU has it, the file must hold one image only, or one in its first HDU. None:
        the first image is taken.

    Returns
    -------
    Mosaic

    Raises
    ------
    OSError
        Where the file is no FITS file, is shorter than its header says, or holds no image with a celestial WCS, or
        several that may be meant.
    """
    unpacked = unpack(path, cache_folder) if path.suffix == ".gz" else path
    check_whole(unpacked, path)
    with opened(unpacked, path) as hdus:
        images = [number for number, hdu in enumerate(hdus) if hdu.is_image and _is_plane(hdu.shape)]
        if not images:
            raise OSError(f"{path} holds no two-dimensional image")
        number = next((number for number in images if extension and hdus[number].name == extension), images[0])
        hdu = hdus[number]
        if extension and hdu.name != extension and number != 0 and len(images) > 1:
            names = ", ".join(hdus[number].name or f"number {number}" for number in images)
            raise OSError(f"{path} has no extension {extension}: it has {names}; name the one to take in data_paths.py")
        cards = {name: value for each in (hdus[0], hdu) for name, value in each.header.items() if name not in TEXT}
        wcs, name = celestial_wcs(hdu.header, hdus, path), hdu.name if number else ""
        return Mosaic(unpacked, path, number, hdu.shape[-2:], wcs, name, cards.get("BUNIT"), cards, _stored(hdu))


def _stored(hdu):
    """Dtype and first byte of the pixels of an image, by which a window is read without astropy's time for each row.

    None where the file does not hold the pixels themselves: where they are compressed, scaled, or unsigned.
    """
    header, bits = hdu.header, hdu.header["BITPIX"]
    scaled = header.get("BSCALE", 1) != 1 or header.get("BZERO", 0) != 0 or "BLANK" in header
    if scaled or bits == 8 or isinstance(hdu, fits.CompImageHDU):
        return None
    return np.dtype(f">{'f' if bits < 0 else 'i'}{abs(bits) // 8}"), hdu.fileinfo()["datLoc"]


def _is_plane(shape):
    """Whether an image has two dimensions, or more of which only the last two are longer than one pixel."""
    return len(shape) >= 2 and all(size == 1 for size in shape[:-2])


def check_whole(path, source):
    """Raise OSError, naming `source`, where the file at `path` is shorter than its headers promise."""
    # The pixels of a compressed image lie in a table, and it is the table's size that counts.
    with opened(path, source, disable_image_compression=True) as hdus:
        ends = [hdu.fileinfo()["datLoc"] + hdu.header.data_size for hdu in hdus]
    missing = max(ends) - path.stat().st_size
    if missing > 0:
        raise OSError(f"{source} is truncated: its header promises {missing} bytes more; fetch the file again")


def celestial_wcs(header, hdus, path):
    """The WCS of an image on the sky, two axes; OSError, naming `path`, where there is none or it is singular."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)  # dates only; they do not move pixels
            wcs = WCS(header, hdus)
            if not wcs.has_celestial:
                raise OSError(f"{path} has no celestial WCS in its header")
            wcs = wcs if wcs.naxis == 2 else wcs.celestial
            wcs.wcs.set()
            sides = np.linalg.svd(wcs.pixel_scale_matrix, compute_uv=False)
    except (ValueError, TypeError, KeyError, AssertionError, np.linalg.LinAlgError) as problem:
        reason = " ".join(str(problem).split())
        raise OSError(f"{path} has a WCS in its header that cannot be used ({reason}): correct the header") from problem
    if not (0 < sides[0] < LARGEST_PIXEL and sides[0] < MOST_ELONGATED * sides[1]):
        raise OSError(
            f"{path} has a singular WCS in its header, or one without a scale: its pixels would be "
            f"{sides[0]:.3g} x {sides[1]:.3g} degrees; correct the header"
        )
    return wcs


@contextmanager
def opened(path, source=None, **options):
    """Open a FITS file without mapping it into memory; an unreadable one is an OSError that names it, or `source`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # of truncated files; who reads them raises
        try:
            hdus = fits.open(path, **{"memmap": False, **options})
        except (OSError, EOFError, zlib.error) as problem:
            raise OSError(f"{source or path} cannot be read as FITS: {problem}") from problem
        with hdus:
            yield hdus


def read_window(mosaic, window):
    """Read the pixels of `window`, a pair of slices (rows, columns), as native floats or integers.

    Pixels of an image whose unit is not the survey's are converted to it, and are 64-bit floats.
    """
    if mosaic.stored is None:
        with opened(mosaic.path, mosaic.source) as hdus:
            pixels = _section(hdus, mosaic, window)
    else:
        pixels = _stored_section(mosaic, window)
    if mosaic.unit_factor != 1:
        return pixels.astype(float) * mosaic.unit_factor
    return pixels.astype(pixels.dtype.newbyteorder("="))


def _stored_section(mosaic, window):
    """Pixels of a window of a mosaic whose file holds them as they are, read row by row.

    The file is not mapped into memory, where a disk that fails would end the process and not just the galaxy.
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
    """Pixels of a window of an open mosaic; damaged ones are an OSError that names the file."""
    hdu = hdus[mosaic.hdu]
    try:
        return hdu.section[(0,) * (len(hdu.shape) - 2) + tuple(window)]
    except (OSError, TypeError, ValueError, RuntimeError, zlib.error) as problem:
        raise _damaged(mosaic, problem) from problem


def is_same_image(one, other):
    """Whether two mosaics are the same HDU of the same file."""
    return one.hdu == other.hdu and os.path.samefile(one.source, other.source)


def check_aligned(mosaic, reference):
    """Raise ValueError, naming both files, where two images differ in shape or WCS, distortions included."""
    files = f"{mosaic.source} and {reference.source}"
    if mosaic.shape != reference.shape:
        raise ValueError(f"{files} differ in shape: {mosaic.shape} and {reference.shape} (rows, columns)")
    ny, nx = reference.shape
    y, x = np.meshgrid(np.linspace(0, ny - 1, 3), np.linspace(0, nx - 1, 3), indexing="ij")
    pixels = np.column_stack([x.ravel(), y.ravel()])
    apart = np.linalg.norm(_directions(mosaic.wcs, pixels) - _directions(reference.wcs, pixels), axis=1).max()
    offset = np.degrees(apart) / np.sqrt(proj_plane_pixel_area(reference.wcs))
    if not offset < WCS_TOLERANCE:
        raise ValueError(f"{files} differ in WCS: by {offset:.3g} pixels")


def _directions(wcs, pixels):
    """Unit vectors to where pixels (n, 2) lie on the sky, of shape (n, 3)."""
    sky = np.radians(wcs.all_pix2world(pixels, 0))
    lon, lat = sky[:, wcs.wcs.lng], sky[:, wcs.wcs.lat]
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


class Segment(NamedTuple):
    """Where a source lies in the segmap, and how large it is."""

    rows: slice
    cols: slice
    n_pixels: int


def find_segments(segmap, ids):
    """Bounding boxes and sizes of segments, from one pass over the segmap in stripes.

    Parameters
    ----------
    segmap : Mosaic
        Integer image whose pixels hold the id of the source they belong to, and 0 elsewhere.
    ids : sequence of int
        Ids to look for.

    Returns
    -------
    segments : dict
        id -> Segment; ids without a pixel are not in it.
    """
    wanted = np.unique([id_dr3 for id_dr3 in ids if 1 <= id_dr3 <= LARGEST_ID]).astype(np.int64)
    if not len(wanted):
        return {}
    ny, nx = segmap.shape
    low, high = np.full((2, len(wanted)), max(ny, nx)), np.zeros((2, len(wanted)), dtype=int)
    n_pixels = np.zeros(len(wanted), dtype=int)
    height = max(1, STRIPE_BYTES // (8 * nx))
    with opened(segmap.path, segmap.source) as hdus:
        for top in range(0, ny, height):
            stripe = _section(hdus, segmap, (slice(top, min(top + height, ny)), slice(0, nx)))
            found, rows, starts, ends = runs_of(stripe)
            number = np.minimum(np.searchsorted(wanted, found), len(wanted) - 1)
            mine = wanted[number] == found
            number, rows, starts, ends = number[mine], rows[mine] + top, starts[mine], ends[mine]
            for axis, first, end in ((0, rows, rows + 1), (1, starts, ends)):
                np.minimum.at(low[axis], number, first)
                np.maximum.at(high[axis], number, end)
            np.add.at(n_pixels, number, ends - starts)
    every = zip(wanted.tolist(), *low.tolist(), *high.tolist(), n_pixels.tolist(), strict=True)
    return {
        id_dr3: Segment(slice(top, bottom), slice(left, right), size)
        for id_dr3, top, left, bottom, right, size in every
        if size
    }


def runs_of(image):
    """Runs of the same value along the rows of an image, other than 0: a tenth as many as pixels in a segmap, or less.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)

    Returns
    -------
    values, rows, starts, ends : ndarray of shape (n_runs,)
        A run goes from column `starts` to the one before `ends`.
    """
    ny, nx = image.shape
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    begins = np.ones(image.shape, dtype=bool)
    np.not_equal(image[:, 1:], image[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    values, ends = image.ravel()[first], np.append(first[1:], ny * nx)
    source = values != 0
    rows, starts = np.divmod(first[source], nx)
    return values[source], rows, starts, ends[source] - rows * nx
