"""Convert a field to the file layout of another survey: python -m helper_functions.simulation.other_layouts --help"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

import data_paths
from helper_functions.registry import choose
from helper_functions.survey.flux_units import unit_factor
from helper_functions.survey.images import ERROR_MAPS, find_catalogs, mask_missing, read_pixels
from helper_functions.survey.mosaics import read_window
from prepare_images import open_survey

UNITS = {"jades": "MJy/sr", "ceers": "nJy"}  # of the images of these surveys
TO_ERROR_MAP = {"wht": lambda error: error**-2, "err": lambda error: error, "var": np.square}


def write_survey_layout(folder, source, survey, unit=None):
    """Write a field in the layout of UNCOVER in that of another survey, as described by `data_paths.SURVEYS`.

    Parameters
    ----------
    folder : path
        Output folder; must not exist.
    source : path
        Folder of the field.
    survey : str
        A key of `data_paths.SURVEYS`.
    unit : str or None
        Of the images. None: that of UNITS, or what the description says.

    Raises
    ------
    FileExistsError
        Where the folder exists.
    """
    folder, files = Path(folder), choose(data_paths.SURVEYS, survey, "survey")
    unit = unit or UNITS.get(survey) or files.unit
    field = open_survey(source, [], "uncover")
    folder.mkdir(parents=True)
    write_catalogs(folder, source, files)
    header, everything = field.segmap.wcs.to_header(relax=True), tuple(slice(0, size) for size in field.segmap.shape)
    fits.PrimaryHDU(read_window(field.segmap, everything), header).writeto(folder / example_name(files.segmap))
    factor, (_, power) = unit_factor(unit, field.segmap.wcs, folder), ERROR_MAPS[files.error_map]
    for band, sci, wht in zip(field.bands, field.sci, field.wht, strict=True):
        flux, error = mask_missing(*read_pixels(sci, wht, everything))
        image = image_hdu(flux / factor, header, files.sci_extension, unit)
        errors = TO_ERROR_MAP[files.error_map](error.astype(float)) / factor**power
        error_map = image_hdu(errors, header, files.error_extension or files.error_map.upper())
        paths = [folder / example_name(files.image_pattern, band, kind) for kind in ("sci", files.error_map)]
        paths[0].parent.mkdir(exist_ok=True)
        for path in dict.fromkeys(paths):
            hdus = [hdu for hdu, where in zip((image, error_map), paths, strict=True) if where == path]
            fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    if (truth := Path(source) / data_paths.SIMULATED_TRUTH).exists():
        shutil.copy(truth, folder)


def example_name(pattern, band="", kind=""):
    """A file name that matches a pattern, with the band in lower case."""
    return pattern.replace("{band}", band).replace("{kind}", kind).replace("*", "1")


def image_hdu(pixels, header, name, unit=None):
    """An image extension of 32-bit floats."""
    hdu = fits.ImageHDU(np.asarray(pixels, dtype=np.float32), header, name)
    if unit:
        hdu.header["BUNIT"] = unit
    return hdu


def write_catalogs(folder, source, files):
    """Write the catalogs with the columns of the survey, in one file where the survey has one for both."""
    catalog, redshifts = (Table.read(path) for path in find_catalogs(source, "uncover")[:2])
    bands = [name[2:] for name in catalog.colnames if name.startswith("f_")] if files.flux_column else []
    fluxes = {files.flux_column.replace("{band}", band): catalog[f"f_{band}"] for band in bands}
    photometry = Table({files.id_column: catalog["id"], "ra": catalog["ra"], "dec": catalog["dec"]} | fluxes)
    z, half = redshifts["z_50"], (redshifts["z_84"] - redshifts["z_16"]) / 2
    ranges = [redshifts["z_16"], z, redshifts["z_84"]] if len(files.z_columns) == 3 else [z, half]
    columns = dict(zip(files.z_columns, ranges, strict=False))
    known = Table({files.id_column: redshifts["id"]} | columns)
    tables = {files.super_catalog: [photometry]}
    tables.setdefault(files.sps_catalog, []).append(known)
    for pattern, together in tables.items():
        hdus = [fits.PrimaryHDU(), *(fits.BinTableHDU(table) for table in together)]
        fits.HDUList(hdus).writeto(folder / example_name(pattern))


def main(arguments=None):
    """Command line: convert a field; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.other_layouts", description=__doc__)
    add = parser.add_argument
    add("source", metavar="FIELD", type=Path, help="folder of a field in the layout of UNCOVER")
    add("folder", metavar="OUT", type=Path, help="folder to write")
    add("--survey", default="jades", help=f"{', '.join(data_paths.SURVEYS)} (default jades)")
    add("--unit", help="of the images (default: the survey's)")
    given = parser.parse_args(arguments)
    try:
        write_survey_layout(given.folder, given.source, given.survey, given.unit)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{given.folder}: {given.source} laid out like {given.survey}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
