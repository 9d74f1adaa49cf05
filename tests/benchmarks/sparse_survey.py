"""A survey of full size that takes no room on disk: files with holes, and a few galaxies in them."""

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import data_paths

BANDS = (
    "f435w f606w f814w f105w f125w f140w f160w f070w f090w f115w f140m f150w f162m f182m f200w f210m f250m f277w f300m "
    "f335m f356w f360m f410m f430m f444w f460m f480m"
).split()
SIDE = 50  # half the size of a galaxy, pixels


def write_sparse_survey(folder, ny, nx, n_galaxies=10):
    """Write a survey folder whose images are zero but for square galaxies; return their ids."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [3.58, -30.4], [nx / 2, ny / 2]
    wcs.wcs.cdelt = [-0.04 / 3600, 0.04 / 3600]
    header = wcs.to_header()
    ids = list(range(1, n_galaxies + 1))
    middles = np.linspace(100, min(nx, ny) - 100, n_galaxies).astype(int)
    (folder / "psf_matched").mkdir()
    _sparse(folder / data_paths.SEGMAP, header, 32, (ny, nx), middles, ids)
    for band in BANDS:
        for kind in ("sci", "wht"):
            name = data_paths.IMAGE_PATTERN.format(band=band, kind=kind).replace("*", "1", 1).replace("*", "bcgs_")
            _sparse(folder / name, header, -32, (ny, nx), middles, [1] * n_galaxies)
    catalog = Table({"id": ids} | {f"f_{band}": np.ones(n_galaxies) for band in BANDS})
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
