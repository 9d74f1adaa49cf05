"""A survey of full size that takes no room on disk: files with holes, and a few galaxies in them."""

import numpy as np
from astropy.io import fits
from astropy.table import Table

import data_paths
from data_paths import new_image_path
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS, make_wcs

SIDE = 50  # half the size of a galaxy, pixels
OTHER_SIDE = 9  # half the size of a source that has no light in the images, pixels
OTHER_COLUMNS = 100  # of each catalog, which nobody asks for: those of the survey have more


def write_sparse_survey(folder, ny, nx, n_galaxies=10, n_sources=0):
    """Write a survey folder whose images are zero but for square galaxies; return their ids.

    Besides the galaxies, which lie along the diagonal, the segmap and the catalogs have so many other sources: in a
    grid, with the next ids.
    """
    header = make_wcs((ny, nx)).to_header()
    ids = list(range(1, n_galaxies + 1))
    middles = np.linspace(100, min(nx, ny) - 100, n_galaxies).astype(int)
    (folder / "psf_matched").mkdir()
    galaxies = list(zip(middles, middles, ids, [SIDE] * n_galaxies, strict=True))
    others = other_sources(ny, nx, n_galaxies, n_sources)
    _sparse(folder / data_paths.SEGMAP, header, 32, (ny, nx), [*others, *galaxies])
    for band in SURVEY_BANDS:
        for kind in ("sci", "wht"):
            bright = [(row, col, 1, SIDE) for row, col, *_ in galaxies]
            _sparse(new_image_path(folder, band, kind), header, -32, (ny, nx), bright)
    every = np.arange(1, n_galaxies + n_sources + 1)
    more = {f"other_{number}": np.ones(len(every)) for number in range(OTHER_COLUMNS if n_sources else 0)}
    catalog = Table({"id": every} | {f"f_{band}": np.ones(len(every)) for band in SURVEY_BANDS} | more)
    catalog.write(folder / data_paths.SUPER_CATALOG)
    z = np.ones(len(every))
    Table({"id": every, "z_16": z, "z_50": z, "z_84": z} | more).write(folder / data_paths.SPS_CATALOG)
    return ids


def other_sources(ny, nx, n_galaxies, n_sources):
    """Row, column, id and half size of so many sources in a grid."""
    if not n_sources:
        return []
    n_cols = int(np.ceil(np.sqrt(n_sources * nx / ny)))
    rows = np.linspace(OTHER_SIDE, ny - OTHER_SIDE, -(-n_sources // n_cols)).astype(int)
    cols = np.linspace(OTHER_SIDE, nx - OTHER_SIDE, n_cols).astype(int)
    places = [(row, col) for row in rows for col in cols][:n_sources]
    return [(row, col, n_galaxies + 1 + number, OTHER_SIDE) for number, (row, col) in enumerate(places)]


def _sparse(path, header, bitpix, shape, squares):
    """Write an image of zeros but for squares: row and column of the middle, value, and half of the side."""
    card = fits.Header([("SIMPLE", True), ("BITPIX", bitpix), ("NAXIS", 2), ("NAXIS1", shape[1]), ("NAXIS2", shape[0])])
    card.update(header)
    text = card.tostring().encode()
    kind = ">i4" if bitpix == 32 else ">f4"
    with open(path, "wb") as file:
        file.write(text)
        file.truncate(len(text) + -(-shape[0] * shape[1] * 4 // 2880) * 2880)
        for middle, column, value, half in squares:
            line = np.full(2 * half, value, dtype=kind).tobytes()
            for row in range(middle - half, middle + half):
                file.seek(len(text) + 4 * (row * shape[1] + column - half))
                file.write(line)
