"""Images packed with gzip: unpacked once into the cache, whole or not at all, and looked at again before each use."""

import gzip
import hashlib
import json
import os
import shutil
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

from astropy.io import fits
from tqdm import tqdm

from helper_functions.files.saving import atomic_path, checksum, is_unchanged, remove_abandoned, save_json

COPY_BYTES = 4 * 2**20
BLOCK_BYTES = 2880  # FITS headers and data are padded to multiples of it
MOST_HEADER_BYTES = 8 * 2**20  # thousands of times what images have: beyond it there is no end to come
MOST_UNPACKED_BYTES = 64 * 2**30  # a hundred times the largest mosaic of the survey


class CannotUnpack(OSError):
    """The packed file is at fault, not the cache."""


def unpack(path, cache_folder):
    """Unpack a FITS file that is packed with gzip into the cache, unless it is there already and undamaged.

    Several processes may do so at once: each writes a copy of its own, and the copies are the same.

    Parameters
    ----------
    path : Path
        The .gz file.
    cache_folder : path or None
        Where unpacked files are kept.

    Returns
    -------
    Path
        The unpacked file.

    Raises
    ------
    OSError
        Where the file is damaged, is no FITS file, or is too big unpacked, and where the cache cannot be written.
    """
    if cache_folder is None:
        raise OSError(f"no folder to unpack {path} into: {_set_cache_folder()}")
    stat = path.stat()
    # A file that was replaced under its old name must not be served from the cache.
    key = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    target = Path(cache_folder) / "unpacked" / key / path.with_suffix("").name
    try:
        if not is_undamaged(target):
            _unpack_to(target, path, cache_folder)
    except CannotUnpack:
        raise
    except OSError as problem:
        raise OSError(
            f"{path} cannot be unpacked into the cache folder {cache_folder} ({problem.strerror or problem}): "
            f"{_set_cache_folder()} that can be written and has room"
        ) from problem
    return target


def _set_cache_folder():
    return "set CACHE_FOLDER in data_paths.py, or the environment variable UNCOVER_CACHE_FOLDER, to a folder"


def _unpack_to(target, path, cache_folder):
    target.parent.mkdir(parents=True, exist_ok=True)
    most = min(MOST_UNPACKED_BYTES, shutil.disk_usage(target.parent).free)
    remove_abandoned(target.parent)
    with atomic_path(target) as partial:
        size = crc = 0
        with open(partial, "wb") as sink:
            for part in unpacked_parts(path, most, cache_folder):
                sink.write(part)
                size, crc = size + len(part), zlib.crc32(part, crc)
            sink.flush()
            os.fsync(sink.fileno())
        if (partial.stat().st_size, checksum(partial)) != (size, crc):
            raise OSError("what was written is not what is there now")
    write_record(target, size, crc)


# ---- what the cache holds ---------------------------------------------------


def record_path(target):
    """The file beside an unpacked one that says what must be in it."""
    return target.with_name(target.name + ".json")


def write_record(target, size, crc):
    """Write down the size, the checksum and the time of an unpacked file; the last thing that is done to it."""
    save_json(record_path(target), {"size": size, "crc32": crc, "mtime_ns": target.stat().st_mtime_ns})


def is_undamaged(target):
    """Whether an unpacked file is there as it was written; its content is read only if it was touched since."""
    try:
        record = json.loads(record_path(target).read_text())
        size, crc, mtime_ns = (record[name] for name in ("size", "crc32", "mtime_ns"))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False
    if not is_unchanged(target, size, mtime_ns, crc):
        return False
    with suppress(OSError):  # in a cache that can only be read, the content is read each time
        if target.stat().st_mtime_ns != mtime_ns:
            write_record(target, size, crc)
    return True


# ---- the packed file --------------------------------------------------------


def unpacked_parts(path, most, cache_folder):
    """Yield what a packed FITS file holds, in parts.

    What a few kilobytes unpack to may fill a disk. So no more comes than the headers promise, and they are read before
    what they promise. What follows the last HDU is read, as the checksum is the end of the packed file, and dropped.

    Parameters
    ----------
    path : Path
        The .gz file.
    most : int
        Bytes that may come.
    cache_folder : path
        Where they go, for the message.

    Yields
    ------
    bytes

    Raises
    ------
    CannotUnpack
        Where the file is damaged, is no FITS file, or promises more than `most` bytes.
    """
    promised = 0
    # The packed size is what is known beforehand, so the bar follows the reading.
    bar = {"total": path.stat().st_size, "desc": f"unpacking {path.name}", "leave": False}
    try:
        with (
            open(path, "rb") as file,
            tqdm.wrapattr(file, "read", **bar) as packed,
            gzip.GzipFile(fileobj=packed) as hdus,
        ):
            while header := _read_header(hdus):
                size = _data_bytes(header)
                promised += len(header) + size
                if promised > most:
                    raise CannotUnpack(
                        f"{path} would have {promised / 1e9:.4g} GB unpacked, and the cache folder {cache_folder} "
                        f"takes no more than {most / 1e9:.4g} GB: make room there, or {_set_cache_folder()} with room"
                    )
                yield header
                while size and (part := hdus.read(min(size, COPY_BYTES))):
                    yield part
                    size -= len(part)
            if not promised:
                raise ValueError("it holds no FITS file")
            while hdus.read(COPY_BYTES):
                pass
    except CannotUnpack:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as problem:
        raise CannotUnpack(f"{path} cannot be unpacked ({problem}): fetch the file again") from problem


def _read_header(file):
    """Bytes of the next header with its padding; none where no header follows."""
    header = bytearray()
    while len(header) < MOST_HEADER_BYTES and len(block := file.read(BLOCK_BYTES)) == BLOCK_BYTES:
        header += block
        if not header.startswith((b"SIMPLE  =", b"XTENSION=")):
            break
        if any(block[card : card + 8] == b"END     " for card in range(0, BLOCK_BYTES, 80)):
            return bytes(header)
    return b""


def _data_bytes(header):
    """Size of the data that a header promises, with its padding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cards that are not quite FITS; who reads the file judges them
        try:
            return max(fits.Header.fromstring(header).data_size_padded, 0)
        except (KeyError, TypeError, fits.VerifyError) as problem:
            raise ValueError(f"a header does not say how much data follows: {problem}") from problem
