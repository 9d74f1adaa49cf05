"""Property maps from results of any code: python -m helper_functions.fits.maps_from_table OUTPUT RUN ID TABLE

The table has a column `cluster` and a row for each region, with properties that another code derived for the region.
"""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

from astropy.io.registry import IORegistryError
from astropy.table import Table
from astropy.wcs import WCS

from data_paths import output_path
from helper_functions.files.saving import save_figure, save_fits
from helper_functions.fits.property_maps import map_hdus, property_maps, region_light
from plots.fit_maps import fit_maps

DPI = 130


def main(arguments=None):
    """Make the maps, and print their paths; return the exit status, 2 for missing or invalid input."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.fits.maps_from_table", description=__doc__)
    parser.add_argument("output", help="output folder of the clustering")
    parser.add_argument("run", help="name of the run's folder, such as blended_mixture")
    parser.add_argument("id_dr3", type=int, metavar="id", help="id of the galaxy")
    parser.add_argument("table", type=Path, help="table in any format that astropy reads")
    parser.add_argument(
        "--sums",
        nargs="+",
        metavar="COLUMN",
        help="columns that are sums over the region, and are distributed over its pixels (default: those with the unit "
        "of a mass, or of a mass per time); all others are means",
    )
    asked = parser.parse_args(arguments)
    try:
        for line in maps_from_table(asked.output, asked.run, asked.id_dr3, asked.table, asked.sums):
            print(line)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


def maps_from_table(output, run, id_dr3, path, sums=None):
    """Save maps and a picture of one galaxy, see `property_maps`; return lines with the weighting and the paths."""
    light = region_light(output, run, id_dr3)
    maps = property_maps(light, read_table(path), sums)
    fits_path = output_path(output, "other_maps", run=run, id=id_dr3, name=path.stem)
    save_fits(fits_path, map_hdus(light, maps, f"Made from {path.name}".encode("ascii", "replace").decode()))
    title = f"id {id_dr3}: {run}, {path.stem}"
    images = {"labels": light.labels, "regions": light.regions, "wcs": WCS(light.header)}
    figure = fit_maps(SimpleNamespace(maps=maps, title=title, **images))
    lines = [*(f"{name}: {each.how}" for name, each in maps.items()), fits_path]
    if figure is None:
        return lines
    save_figure(fits_path.with_suffix(".png"), figure, DPI)
    return [*lines, fits_path.with_suffix(".png")]


def read_table(path):
    """Read a table whose format astropy recognises by its file name, or guesses."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no table {path}")
    for options in ({}, {"format": "ascii"}):
        with suppress(ValueError, OSError, IORegistryError):  # raised if it has another format
            return Table.read(path, **options)
    raise ValueError(f"{path} cannot be read as a table: use a format that astropy reads, such as CSV, ECSV or FITS")


if __name__ == "__main__":
    sys.exit(main())
