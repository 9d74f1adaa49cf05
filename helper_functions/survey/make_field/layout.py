"""The folder of a field: file names, writing of images strip by strip, and which images are up to date."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from data_paths import new_image_path
from helper_functions.files.code import digest
from helper_functions.files.saving import atomic_path, checksum
from helper_functions.survey.make_field.matching import TILE, matched_tile
from helper_functions.survey.mosaics import check_not_truncated

VERDICTS, SHIFTS = "psf_matching.ecsv", "registration.ecsv"
VERDICTS_PICTURE = "psf_matching.png"
FINGERPRINT = "MADEOF"  # header keyword: digest of the input of an image


def check_folder(folder):
    """Raise FileExistsError if a folder contains files but no field of this command."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: choose a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / VERDICTS).exists():
        raise FileExistsError(f"{folder} holds data that is not a field made by this command: choose another folder")


def fingerprint(matching):
    """Digest of the input of the images of a band: files, kernel, grid, shift, and code."""
    paths = [Path(mosaic.source) for mosaic in (matching.images.sci, matching.images.wht)]
    files = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    kernel = None if matching.kernel is None else np.round(matching.kernel, 9).tolist()
    grid = matching.grid.wcs.to_header_string(), [int(size) for size in matching.grid.shape]
    factors = [matching.images.sci.unit_factor, matching.images.wht.unit_factor, matching.images.error_map]
    code = checksum(Path(__file__).parent / "matching.py")
    return digest(
        files, kernel, grid, factors, round(matching.noise, 6), [float(each) for each in matching.shift], code
    )


def is_made(folder, band, made_of):
    """Whether both images of a band exist, are complete, and were made from this input."""
    paths = [new_image_path(folder, band, kind) for kind in ("sci", "wht")]
    try:
        for path in paths:
            check_not_truncated(path, path)
        return all(fits.getval(path, FINGERPRINT) == made_of for path in paths)
    except (OSError, KeyError):  # missing, damaged, or of another kind
        return False


def write_band(folder, matching, cards):
    """Write the matched image of a band and its inverse variance unless they are up to date; return whether written.

    Only one row of tiles is in memory. A file is renamed when it is complete, so that an interrupted call, or a full
    disk, leaves complete bands only.

    Parameters
    ----------
    folder : path
    matching : Matching
    cards : list of (keyword, value, comment)
        For the headers.

    Raises
    ------
    DiskFull
        If the disk is full.
    """
    band, made_of = matching.images.band, fingerprint(matching)
    if is_made(folder, band, made_of):
        return False
    ny, nx = matching.grid.shape
    header = fits.PrimaryHDU(header=matching.grid.wcs.to_header(relax=True)).header
    header.update(BITPIX=-32, NAXIS=2)
    header.insert("NAXIS", ("NAXIS1", nx), after=True)
    header.insert("NAXIS1", ("NAXIS2", ny), after=True)
    header.extend([(FINGERPRINT, made_of, "digest of what this was made of"), *cards])
    sci_path, wht_path = (new_image_path(folder, band, kind) for kind in ("sci", "wht"))
    with atomic_path(wht_path) as wht_file, atomic_path(sci_path) as sci_file:
        sci_header = header.copy()
        assumed = matching.images.sci.assumed_unit
        sci_header["BUNIT"] = ("10 nJy", f"of an image assumed to be in {assumed}" if assumed else "")
        sci, wht = fits.StreamingHDU(sci_file, sci_header), fits.StreamingHDU(wht_file, header)
        with sci, wht:
            for top in range(0, ny, TILE):
                rows = slice(top, min(top + TILE, ny))
                flux, weight = np.empty((2, rows.stop - rows.start, nx), dtype=np.float32)
                for left in range(0, nx, TILE):
                    cols = slice(left, min(left + TILE, nx))
                    flux[:, cols], variance = matched_tile(matching, (rows, cols))
                    weight[:, cols] = np.where(variance > 0, 1 / variance, 0)
                sci.write(flux)
                wht.write(weight)
    return True
