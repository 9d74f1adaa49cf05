"""A survey of full size that takes no room on disk: files with holes, and a few galaxies in them."""

import numpy as np
from astropy.io import fits
from astropy.table import Table

import data_paths
from helper_functions.simulation.simulated_field import image_path
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS, make_wcs

SIDE = 50  # half the size of a galaxy, pixels


def write_sparse_survey(folder, ny, nx, n_galaxies=10):
    """Write a survey folder whose images are zero but for square galaxies; return their ids."""
    header = make_wcs((ny, nx)).to_header()
    ids = list(range(1, n_galaxies + 1))
    middles = np.linspace(100, min(nx, ny) - 100, n_galaxies).astype(int)
    (folder / "psf_matched").mkdir()
    _sparse(folder / data_paths.SEGMAP, header, 32, (ny, nx), middles, ids)
    for band in SURVEY_BANDS:
        for kind in ("sci", "wht"):
            _sparse(image_path(folder, band, kind), header, -32, (ny, nx), middles, [1] * n_galaxies)
    catalog = Table({"id": ids} | {f"f_{band}": np.ones(n_galaxies) for band in SURVEY_BANDS})
    catalog.write(folder / data_paths.SUPER_CATALOG)
    z = np.ones(n_galaxies)
    Table({"id": ids, "z_16": z, "z_50": z, "z_84": z}).write(folder / data_paths.SPS_CATALOG)
    return ids


def _sparse(path, header, bitpix, shape, middles, values):
    card = fits.Header([("SIMPLE", True), ("BITPIX", bitpix), ("NAXIS", 2), ("NAXIS1", shape[1]), ("NAXIS2", shape[0])])
    card.update(header)
    text = card.tostring().encode()
    kind = ">i4" if bitpix == 32 else ">f4"
    with open(path, "wb") as file:
        file.write(text)
        file.truncate(len(text) + -(-shape[0] * shape[1] * 4 // 2880) * 2880)
        for middle, value in zip(middles, values, strict=True):
            line = np.full(2 * SIDE, value, dtype=kind).tobytes()
            for row in range(middle - SIDE, middle + SIDE):
                file.seek(len(text) + 4 * (row * shape[1] + middle - SIDE))
                file.write(line)
