"""Windows of FITS mosaics: read what is needed, never the whole image."""

import gzip
import hashlib
import shutil
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning
from tqdm import tqdm

from helper_functions.job.save_results import written_beside

STRIPE_BYTES = 32 * 2**20  # how much of the segmap is in memory while it is searched
COPY_BYTES = 4 * 2**20
WCS_TOLERANCE = 0.1  # pixels; below it two images count as aligned, far above rounding in headers


class Mosaic(NamedTuple):
    """An image on disk: where its pixels are, how many, and where on the sky."""

    path: Path  # of the unpacked file
    hdu: int  # number of the HDU that holds the image
    shape: tuple  # (ny, nx)
    wcs: WCS


def open_mosaic(path, cache_folder):
    """Look up an image's HDU, shape and WCS, and check that the file is whole.

    Parameters
    ----------
    path : Path
        A FITS file, or one packed with gzip, which is unpacked into `cache_folder` once.
    cache_folder : Path
        Where unpacked files are kept.

    Returns
    -------
    Mosaic

    Raises
    ------
    OSError
        Where the file is no FITS file, is shorter than its header says, or holds no image with a celestial WCS.
    """
    unpacked = unpack(path, cache_folder) if path.suffix == ".gz" else path
    with opened(unpacked) as hdus:
        number = next((n for n, hdu in enumerate(hdus) if hdu.is_image and len(hdu.shape) == 2), None)
        if number is None:
            raise OSError(f"{path} holds no two-dimensional image")
        hdu = hdus[number]
        missing = hdu.fileinfo()["datLoc"] + hdu.size - unpacked.stat().st_size
        if missing > 0:
            raise OSError(f"{path} is truncated: its header promises {missing} bytes more; fetch the file again")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)  # dates only; they do not move pixels
            wcs = WCS(hdu.header)
        if not wcs.has_celestial:
            raise OSError(f"{path} has no celestial WCS in its header")
        return Mosaic(unpacked, number, hdu.shape, wcs)


@contextmanager
def opened(path, memmap=False):
    """Open a FITS file; an unreadable one is an OSError that names the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # of truncated files; who reads them raises
        try:
            hdus = fits.open(path, memmap=memmap)
        except OSError as problem:
            raise OSError(f"{path} cannot be read as FITS: {problem}") from problem
        with hdus:
            yield hdus


def unpack(path, cache_folder):
    """Unpack a .gz file into the cache, unless it is there already; return where it lies."""
    stat = path.stat()
    # A file that was replaced under its old name must not be served from the cache.
    key = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    target = Path(cache_folder) / "unpacked" / key / path.with_suffix("").name
    if target.exists():
        return target
    # The packed size is what is known beforehand, so the bar follows the reading.
    bar = {"total": stat.st_size, "desc": f"unpacking {path.name}", "leave": False}
    with written_beside(target) as partial, open(path, "rb") as file, tqdm.wrapattr(file, "read", **bar) as packed:
        try:
            with gzip.GzipFile(fileobj=packed) as source, open(partial, "wb") as sink:
                shutil.copyfileobj(source, sink, COPY_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
            raise OSError(f"{path} cannot be unpacked ({problem}): fetch the file again") from problem
    return target


def read_window(mosaic, window):
    """Read the pixels of `window`, a pair of slices (rows, columns), as native floats or integers."""
    with opened(mosaic.path) as hdus:
        pixels = hdus[mosaic.hdu].section[window]
    return pixels.astype(pixels.dtype.newbyteorder("="))


def check_aligned(mosaic, reference):
    """Raise ValueError, naming both files, where two images differ in shape or WCS."""
    if mosaic.shape != reference.shape:
        raise ValueError(
            f"{mosaic.path} and {reference.path} differ in shape: {mosaic.shape} and {reference.shape} (rows, columns)"
        )
    ny, nx = reference.shape
    corners = np.array([[0, 0], [nx - 1, 0], [0, ny - 1], [nx - 1, ny - 1]], dtype=float)
    sky = reference.wcs.wcs_pix2world(corners, 0)
    offset = np.abs(mosaic.wcs.wcs_world2pix(sky, 0) - corners).max()
    if not offset < WCS_TOLERANCE:
        raise ValueError(f"{mosaic.path} and {reference.path} differ in WCS: by {offset:.3g} pixels at a corner")


def find_segments(segmap, ids):
    """Bounding boxes of segments, from one pass over the segmap in stripes.

    Parameters
    ----------
    segmap : Mosaic
        Integer image whose pixels hold the id of the source they belong to.
    ids : sequence of int
        Ids to look for.

    Returns
    -------
    boxes : dict
        id -> (row slice, column slice); ids without a pixel are not in it.
    """
    wanted = np.unique(np.asarray(ids, dtype=np.int64))
    ny, nx = segmap.shape
    low = {id_dr3: (ny, nx) for id_dr3 in wanted.tolist()}
    high = {}
    height = max(1, STRIPE_BYTES // (8 * nx))
    with opened(segmap.path) as hdus:
        section = hdus[segmap.hdu].section
        for top in range(0, ny, height):
            stripe = section[top : top + height, :]
            rows, cols = np.nonzero(np.isin(stripe, wanted))
            found = stripe[rows, cols]
            for id_dr3 in np.unique(found).tolist():
                here = found == id_dr3
                y, x = rows[here] + top, cols[here]
                low[id_dr3] = (min(low[id_dr3][0], y.min()), min(low[id_dr3][1], x.min()))
                last = high.get(id_dr3, (0, 0))
                high[id_dr3] = (max(last[0], y.max()), max(last[1], x.max()))
    return {
        id_dr3: tuple(slice(int(first), int(last) + 1) for first, last in zip(low[id_dr3], high[id_dr3], strict=True))
        for id_dr3 in high
    }
