"""Atomic writing of results: every file is written under a temporary name and then renamed."""

import errno
import json
import os
import socket
import tempfile
import time
import zlib
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

PARTIAL_SUFFIX = ".partial"
STALE_AFTER = 24 * 3600  # seconds after which a partial file of a process on another machine counts as stale
BLOCK = 2**20  # bytes
COMPRESS_ABOVE = 20_000  # bytes of an image: the header of a compressed one alone takes 9,000
STEP = 2.0**-13  # quantisation of probabilities and fractions on disk, far below their uncertainty
PNG_LEVEL = 3  # of compression: half the time of the default of 6, and files that are hardly larger
DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)  # no space left on the disk, or quota exceeded


class DiskFull(OSError):
    """No space is left for a file."""

    status = "disk full"


@contextmanager
def atomic_path(path):
    """Write a file atomically: yields a temporary path, which is renamed to `path` if the block raises nothing.

    Missing folders are made. The temporary file has a random name and is created exclusively, so that neither another
    process nor a symbolic link can interfere. If the block raises, it is removed and `path` stays as it was.
    Raises DiskFull if no space is left for the file.
    """
    path, partial = Path(path), None
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.{socket.gethostname()}-{os.getpid()}-"
    try:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=PARTIAL_SUFFIX, dir=path.parent)
        os.close(descriptor)
        partial = Path(name)
        yield partial
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, path)
    except OSError as problem:
        if problem.errno in DISK_FULL_ERRORS or "Not enough space" in str(problem):  # as astropy says, without errno
            raise DiskFull(
                f"the disk is full, no room for {path}: finished results are kept; free some space, and run the same "
                "command again to continue"
            ) from problem
        raise
    finally:
        if partial:
            partial.unlink(missing_ok=True)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def remove_stale_partials(folder):
    """Remove partial files in a folder and its subfolders whose process has ended."""
    for place, _, names in os.walk(folder):  # faster than Path.rglob where there are many files
        for name in names:
            if name.startswith(".") and name.endswith(PARTIAL_SUFFIX) and _is_stale(Path(place) / name):
                (Path(place) / name).unlink(missing_ok=True)


def _is_stale(path):
    """Whether the process whose host and id a partial file is named after has ended."""
    host, _, rest = path.name.removesuffix(PARTIAL_SUFFIX).rpartition("-")[0].rpartition("-")
    try:
        if host.endswith(socket.gethostname()):
            os.kill(int(rest), 0)
            return False
        return time.time() - path.stat().st_mtime > STALE_AFTER
    except (ProcessLookupError, ValueError):
        return True
    except OSError:  # the process belongs to another user, or the file is gone
        return False


def check_writable(folder):
    """Make `folder` if it is missing; raise OSError if it cannot be written to."""
    try:
        with atomic_path(Path(folder) / ".writable") as partial:
            partial.write_text("", encoding="utf-8")
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
    """Whether a file has this size and checksum; it is read only if its modification time is not `changed`."""
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
    """FITS extension of an image (..., ny, nx); large images are compressed without loss, each plane by itself."""
    if data.nbytes < COMPRESS_ABOVE:
        return fits.ImageHDU(data, header, name)
    tile = (1,) * (data.ndim - 2) + data.shape[-2:]
    return fits.CompImageHDU(data, header, name, compression_type="GZIP_2", quantize_level=0.0, tile_shape=tile)


def save_table(path, table):
    """Write an astropy `Table` as ECSV."""
    text = StringIO()  # astropy would write a file in the encoding of the locale
    table.write(text, format="ascii.ecsv")
    save_text(path, text.getvalue())


def save_json(path, content):
    """Write plain dictionaries and lists as JSON."""
    save_text(path, json.dumps(content, indent=2) + "\n")


def save_text(path, text):
    """Write a text file."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def save_figure(path, figure, dpi):
    """Write a matplotlib `Figure` in the format of the suffix of `path`."""
    kind = Path(path).suffix[1:]
    with atomic_path(path) as partial:
        if kind == "png":  # without an alpha channel, which would double the time
            canvas = FigureCanvasAgg(figure)
            figure.set_dpi(dpi)
            canvas.draw()
            pixels = Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
            pixels.save(partial, "png", compress_level=PNG_LEVEL, dpi=(dpi, dpi))
        else:
            figure.savefig(partial, format=kind, dpi=dpi)


def quantize(values):
    """Values rounded to multiples of STEP, as float32: compressed, they take half of the space."""
    return (np.round(np.asarray(values, dtype=float) / STEP) * STEP).astype(np.float32)


def to_smallest_int(labels):
    """Labels as int8 if these hold them, else as int16."""
    smallest = np.int8 if labels.max(initial=0) <= np.iinfo(np.int8).max else np.int16
    return labels.astype(smallest)


def save_image(path, pixels):
    """Write an image (ny, nx, 3), uint8 with the first row at the top, as PNG."""
    with atomic_path(path) as partial:
        Image.fromarray(pixels).save(partial, "png")


# ---- tables -----------------------------------------------------------------


def to_single_precision(table, exclude=()):
    """The table with its float64 columns as float32, the precision of the images, except the columns `exclude`."""
    for name in table.colnames:
        if table[name].dtype == float and name not in exclude:
            table[name] = table[name].astype(np.float32)
    return table


def with_descriptions(table, columns):
    """The table after its columns were given units and descriptions from {name: (unit, description)}."""
    for name in table.colnames:
        table[name].unit, table[name].description = columns[name]
    return table


def table_hdu(name, columns):
    """FITS table extension with this name, from {column: values} or a `Table`."""
    hdu = fits.table_to_hdu(Table(columns))
    hdu.name = name
    return hdu
