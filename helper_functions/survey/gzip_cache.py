"""Gzip-compressed images, which are decompressed once into the cache."""

import gzip
import hashlib
import os
import shutil
import warnings
import zlib
from pathlib import Path

from astropy.io import fits
from tqdm import tqdm

from helper_functions.files.saving import atomic_path, remove_stale_partials

COPY_BYTES = 4 * 2**20  # read and written at a time
BLOCK_BYTES = 2880  # FITS headers and data are padded to multiples of it
MAX_HEADER_BYTES = 8 * 2**20  # thousands of times as long as those of images: a longer one has no END card
MAX_UNPACKED_BYTES = 64 * 2**30  # a hundred times the largest mosaic of the survey


class CannotUnpack(OSError):
    """The compressed file, not the cache, is faulty."""


def unpack(path, cache_folder):
    """Unpack a gzip-compressed FITS file into the cache, unless an unpacked copy of full size is there already.

    The copy is written under a temporary name and renamed, so several processes may unpack the same file at once.

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
        Where the file is damaged, is no FITS file, or is too large unpacked, and where the cache cannot be written.
    """
    if cache_folder is None:
        raise OSError(f"no folder to unpack {path} into: {_set_cache_folder()}")
    stat = path.stat()
    # With size and time in the key, a file that was replaced by another of the same name is unpacked again.
    key = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    target = Path(cache_folder) / "unpacked" / key / path.with_suffix("").name
    try:
        if not _is_complete(target):
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
    max_bytes = min(MAX_UNPACKED_BYTES, shutil.disk_usage(target.parent).free)
    remove_stale_partials(target.parent)
    with atomic_path(target) as partial:
        with open(partial, "wb") as sink:
            for part in unpacked_parts(path, max_bytes, cache_folder):
                sink.write(part)
            sink.flush()
            os.fsync(sink.fileno())
        if not _is_complete(partial):
            raise CannotUnpack(f"{path} holds a truncated FITS file: fetch the file again")


def _is_complete(path):
    """Whether a FITS file exists and has the length stated in its headers; reads only the headers."""
    expected = 0
    try:
        with open(path, "rb") as file:
            while header := _read_header(file):
                expected += len(header) + _data_bytes(header)
                file.seek(expected)
        return 0 < expected < path.stat().st_size + BLOCK_BYTES  # the padding at the end may be missing
    except (FileNotFoundError, ValueError):
        return False


# ---- the compressed file ----------------------------------------------------


def unpacked_parts(path, max_bytes, cache_folder):
    """Yield the content of a gzip-compressed FITS file in parts.

    A few kilobytes may decompress to a full disk. So each header is read first, and then only as much data as it
    states. Content after the last HDU is read for gzip's checksum, and dropped.

    Parameters
    ----------
    path : Path
        The .gz file.
    max_bytes : int
        Largest size that is unpacked.
    cache_folder : path
        Named in the message where the file is larger.

    Yields
    ------
    bytes

    Raises
    ------
    CannotUnpack
        Where the file is damaged, is no FITS file, or its headers state more than `max_bytes` bytes.
    """
    stated = 0
    # Only the compressed size is known beforehand, so the progress bar follows what is read of it.
    bar = {"total": path.stat().st_size, "desc": f"unpacking {path.name}", "leave": False}
    try:
        with (
            open(path, "rb") as file,
            tqdm.wrapattr(file, "read", **bar) as compressed,
            gzip.GzipFile(fileobj=compressed) as hdus,
        ):
            while header := _read_header(hdus):
                size = _data_bytes(header)
                stated += len(header) + size
                if stated > max_bytes:
                    raise CannotUnpack(
                        f"{path} would have {stated / 1e9:.4g} GB unpacked, and the cache folder {cache_folder} "
                        f"takes no more than {max_bytes / 1e9:.4g} GB: make room there, or {_set_cache_folder()} with "
                        "room"
                    )
                yield header
                while size and (part := hdus.read(min(size, COPY_BYTES))):
                    yield part
                    size -= len(part)
            if not stated:
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
    while len(header) < MAX_HEADER_BYTES and len(block := file.read(BLOCK_BYTES)) == BLOCK_BYTES:
        header += block
        if not header.startswith((b"SIMPLE  =", b"XTENSION=")):
            break
        if any(block[card : card + 8] == b"END     " for card in range(0, BLOCK_BYTES, 80)):
            return bytes(header)
    return b""


def _data_bytes(header):
    """Size of the data that follow a header, with padding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about non-standard cards, which are reported when the file is read
        try:
            return max(fits.Header.fromstring(header).data_size_padded, 0)
        except (KeyError, TypeError, fits.VerifyError) as problem:
            raise ValueError(f"a header does not say how much data follows: {problem}") from problem
