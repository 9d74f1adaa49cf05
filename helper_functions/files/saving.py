"""Writing results: every file is written under another name and renamed, so none is ever half a file."""

import errno
import json
import os
import socket
import tempfile
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

ENDING = ".partial"
ABANDONED = 24 * 3600  # seconds after which a file that a process of another machine left is taken for abandoned
BLOCK = 2**20  # bytes
SMALL = 20_000  # bytes of an image: the table that a compressed one is kept in has a header of 9,000
STEP = 2.0**-13  # of probabilities and shares on disk, which are less certain than that
PNG_LEVEL = 3  # of compression: half the time of the usual 6, and files that are hardly larger
FULL = (errno.ENOSPC, errno.EDQUOT)  # no room on the disk, or none for this user


class DiskFull(OSError):
    """There is no room for a file."""

    status = "disk full"


@contextmanager
def atomic_path(path):
    """Give a path to write to, which becomes `path` once the block has ended well.

    Missing folders are made. The file has a random name and is made by this call alone, so that neither another process
    nor a link of that name can come in between. Where the block raises, what it wrote is removed and `path` stays as it
    was.

    Raises
    ------
    DiskFull
        Where there is no room for the file.
    """
    path, partial = Path(path), None
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.{socket.gethostname()}-{os.getpid()}-"
    try:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=ENDING, dir=path.parent)
        os.close(descriptor)
        partial = Path(name)
        yield partial
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, path)
    except OSError as problem:
        if problem.errno in FULL or "Not enough space" in str(problem):  # as astropy has it, without a number
            raise DiskFull(
                f"the disk is full, no room for {path}: what is finished is kept, and with more room the same command "
                "goes on from there"
            ) from problem
        raise
    finally:
        if partial:
            partial.unlink(missing_ok=True)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def remove_abandoned(folder):
    """Remove what processes that are no more left half written in a folder and below it."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(ENDING):
                path = Path(place) / name
                if _is_abandoned(path):
                    path.unlink(missing_ok=True)


def _is_abandoned(path):
    """Whether the process that a partial file is named after has ended."""
    host, _, rest = path.name.removesuffix(ENDING).rpartition("-")[0].rpartition("-")
    try:
        if host.endswith(socket.gethostname()):
            os.kill(int(rest), 0)
            return False
        return time.time() - path.stat().st_mtime > ABANDONED
    except (ProcessLookupError, ValueError):
        return True
    except OSError:  # the process is somebody else's, or the file is gone
        return False


def check_writable(folder):
    """Make `folder` where it is missing, and raise OSError, naming it, where nothing can be written there."""
    try:
        with atomic_path(Path(folder) / ".writable") as partial:
            partial.write_text("")
        (Path(folder) / ".writable").unlink(missing_ok=True)
    except OSError as problem:
        raise OSError(
            f"the output folder {folder} cannot be written ({problem.strerror or problem}): set CLUSTERING_FOLDER in "
            "data_paths.py, the environment variable UNCOVER_CLUSTERING_FOLDER, or --output"
        ) from problem


def checksum(path):
    """CRC-32 of a file's content."""
    value = 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            value = zlib.crc32(block, value)
    return value


def is_unchanged(path, size, changed, content):
    """Whether a file has this size in bytes, and this checksum; it is read only if its time of change is another."""
    try:
        stat = Path(path).stat()
        return stat.st_size == size and (stat.st_mtime_ns == changed or checksum(path) == content)
    except OSError:
        return False


def save_fits(path, hdus):
    """Write an `HDUList`."""
    with atomic_path(path) as partial:
        hdus.writeto(partial, overwrite=True, output_verify="exception")


def image_hdu(name, data, header):
    """An image as an extension of this name, compressed without loss where that pays: bytes of like weight, then gzip.

    Parameters
    ----------
    name : str
    data : ndarray of shape (..., ny, nx)
        A plane is compressed by itself.
    header : Header
    """
    if data.nbytes < SMALL:
        return fits.ImageHDU(data, header, name)
    tile = (1,) * (data.ndim - 2) + data.shape[-2:]
    return fits.CompImageHDU(data, header, name, compression_type="GZIP_2", quantize_level=0.0, tile_shape=tile)


def save_table(path, table):
    """Write an astropy `Table` as ECSV."""
    with atomic_path(path) as partial:
        table.write(partial, format="ascii.ecsv", overwrite=True)


def save_json(path, content):
    """Write plain dictionaries and lists as JSON."""
    save_text(path, json.dumps(content, indent=2) + "\n")


def save_text(path, text):
    """Write a text as it is."""
    with atomic_path(path) as partial:
        partial.write_text(text)


def save_figure(path, figure, dpi):
    """Write a matplotlib `Figure`; the format follows the ending of `path`."""
    kind = Path(path).suffix[1:]
    with atomic_path(path) as partial:
        if kind == "png":  # without opacity, of which pages have none, and which takes half of the time
            canvas = FigureCanvasAgg(figure)
            figure.set_dpi(dpi)
            canvas.draw()
            pixels = Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
            pixels.save(partial, "png", compress_level=PNG_LEVEL, dpi=(dpi, dpi))
        else:
            figure.savefig(partial, format=kind, dpi=dpi)


def to_steps(values):
    """Values rounded to whole multiples of STEP, of which most bits are zero: they take half of the room."""
    return (np.round(np.asarray(values, dtype=float) / STEP) * STEP).astype(np.float32)


def small_labels(labels):
    """Labels in the smallest signed integers that hold them."""
    smallest = np.int8 if labels.max(initial=0) <= np.iinfo(np.int8).max else np.int16
    return labels.astype(smallest)


def save_image(path, pixels):
    """Write an image (ny, nx, 3), uint8 with the first row at the top, as PNG."""
    with atomic_path(path) as partial:
        Image.fromarray(pixels).save(partial, "png")


# ---- tables -----------------------------------------------------------------


def in_single(table, but=()):
    """The table with its floats in single precision, which is that of the images; not those of the columns `but`."""
    for name in table.colnames:
        if table[name].dtype == float and name not in but:
            table[name] = table[name].astype(np.float32)
    return table


def described(table, columns):
    """The table with the units and descriptions of its columns, {name: (unit, description)}."""
    for name in table.colnames:
        table[name].unit, table[name].description = columns[name]
    return table


def table_hdu(name, columns):
    """Columns, {name: values} or a `Table`, as a FITS table of this name."""
    hdu = fits.table_to_hdu(Table(columns))
    hdu.name = name
    return hdu
