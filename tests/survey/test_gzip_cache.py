import errno
import gzip
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from astropy.io import fits

from helper_functions.survey import gzip_cache
from helper_functions.survey.gzip_cache import unpack

SETTING = "CACHE_FOLDER in data_paths.py, or the environment variable UNCOVER_CACHE_FOLDER"


@pytest.fixture
def packed(tmp_path):
    """A FITS file of random pixels in two HDUs, some MB, so that unpacking takes a while; and what it holds."""
    pixels = np.random.default_rng(3).standard_normal((2, 500, 1000)).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(pixels[0]), fits.ImageHDU(pixels[1])]).writeto(tmp_path / "image.fits")
    content = (tmp_path / "image.fits").read_bytes()
    path = tmp_path / "image.fits.gz"
    path.write_bytes(gzip.compress(content, 1))
    return path, content


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_many_may_unpack_the_same_file_at_once(packed, tmp_path):
    path, content = packed
    everybody = Barrier(6)

    def work(_):
        everybody.wait()
        target = unpack(path, tmp_path / "cache")
        return target, target.read_bytes()

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(work, range(6)))
    assert all(bytes_there == content for _, bytes_there in found)
    assert files_in(tmp_path / "cache") == [found[0][0]]


def test_a_copy_is_kept_and_a_file_that_was_replaced_is_unpacked_again(packed, tmp_path):
    path, content = packed
    target = unpack(path, tmp_path / "cache")
    first = target.stat()
    assert unpack(path, tmp_path / "cache") == target
    assert (target.stat().st_mtime_ns, target.stat().st_ino) == (first.st_mtime_ns, first.st_ino)
    other = content[:-2880] + bytes([1]) + content[-2879:]
    path.write_bytes(gzip.compress(other, 1))
    assert unpack(path, tmp_path / "cache").read_bytes() == other


def test_a_link_in_the_way_is_not_followed(packed, tmp_path):
    path, content = packed
    (tmp_path / "precious").write_text("mine")
    target = unpack(path, tmp_path / "cache")
    target.unlink()
    target.symlink_to(tmp_path / "precious")
    assert unpack(path, tmp_path / "cache").read_bytes() == content
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("n_bytes", [0, 100, 2_000_000, -3000])
def test_a_truncated_copy_in_the_cache_is_made_again(packed, tmp_path, n_bytes):
    """Cut within the first header, the first HDU's data, and the last HDU's data."""
    path, content = packed
    target = unpack(path, tmp_path / "cache")
    target.write_bytes(content[:n_bytes])
    assert unpack(path, tmp_path / "cache").read_bytes() == content


def test_a_truncated_file_that_was_compressed_is_refused(packed, tmp_path):
    path, content = packed
    path.write_bytes(gzip.compress(content[:-3000]))
    with pytest.raises(OSError, match=r"image\.fits\.gz holds a truncated FITS file: fetch the file again"):
        unpack(path, tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "checksum", "not gzip", "empty", "not FITS"])
def test_a_damaged_file_is_named_and_leaves_nothing(packed, tmp_path, damage):
    path, _ = packed
    whole = path.read_bytes()
    path.write_bytes(
        {
            "cut": whole[:-200],
            "flipped": whole[:20000] + bytes([whole[20000] ^ 0xFF]) + whole[20001:],
            "checksum": whole[:-8] + bytes(4) + whole[-4:],
            "not gzip": b"nonsense",
            "empty": b"",
            "not FITS": gzip.compress(b"nonsense" * 1000),
        }[damage]
    )
    with pytest.raises(OSError, match=r"image\.fits\.gz cannot be unpacked \(.*\): fetch the file again"):
        unpack(path, tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


# ---- too much ---------------------------------------------------------------


def test_a_file_too_big_is_refused_before_it_is_written(packed, tmp_path, monkeypatch):
    path, content = packed
    written = []
    monkeypatch.setattr(gzip_cache, "MAX_UNPACKED_BYTES", len(content))
    unpack(path, tmp_path / "enough")
    monkeypatch.setattr(gzip_cache, "MAX_UNPACKED_BYTES", 5 * 2880)  # less than the first HDU promises
    monkeypatch.setattr(gzip_cache.os, "fsync", written.append)
    with pytest.raises(OSError, match=rf"image\.fits\.gz would have .* GB unpacked, .*cache takes no more.*{SETTING}"):
        unpack(path, tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []
    assert written == []


def test_a_file_must_fit_on_the_disk(packed, tmp_path, monkeypatch):
    path, content = packed
    usage = gzip_cache.shutil.disk_usage(tmp_path)._replace(free=len(content) - 1)
    monkeypatch.setattr(gzip_cache.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match=r"would have 0\.004\d* GB unpacked, .* takes no more than 0\.004"):
        unpack(path, tmp_path / "cache")


def test_what_no_header_promises_is_not_written(packed, tmp_path):
    """A gzip bomb: 100 MB of zeros behind the last HDU, compressed to 100 kB."""
    path, content = packed
    path.write_bytes(gzip.compress(content + bytes(100 * 2**20), 1))
    assert unpack(path, tmp_path / "cache").stat().st_size == len(content)


def test_a_header_without_an_end_is_refused(tmp_path):
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(gzip.compress(b"SIMPLE  =                    T".ljust(2880) + b" " * 20 * 2**20))
    with pytest.raises(OSError, match=r"bomb\.fits\.gz cannot be unpacked \(it holds no FITS file\)"):
        unpack(path, tmp_path / "cache")


# ---- the cache folder -------------------------------------------------------


def test_a_cache_folder_that_cannot_be_used_is_named_with_its_setting(packed, tmp_path, monkeypatch):
    path, _ = packed
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=rf"image\.fits\.gz cannot be .* cache folder .*/file \(.*\): set {SETTING}"):
        unpack(path, tmp_path / "file")
    with pytest.raises(OSError, match=rf"no folder to unpack .*image\.fits\.gz into: set {SETTING}"):
        unpack(path, None)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gzip_cache.os, "fsync", full)
    with pytest.raises(OSError, match=rf"cache folder .*/cache \(the disk is full.*\): set {SETTING}"):
        unpack(path, tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []
