"""Maps of a galaxy from results of any code: python -m helper_functions.fits.maps_from_table OUTPUT RUN ID TABLE

The table has a column `cluster`, and a row for each region: what another code made of the photometry in the tables.
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
    """Paint the maps, and say where they are; return the exit status, 2 where there is nothing to paint with."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.fits.maps_from_table", description=__doc__)
    parser.add_argument("output", help="output folder of the clustering")
    parser.add_argument("run", help="name of the run's folder, such as blended_mixture")
    parser.add_argument("id_dr3", type=int, metavar="id", help="of the galaxy")
    parser.add_argument("table", type=Path, help="in any format that astropy reads")
    parser.add_argument(
        "--sums",
        nargs="+",
        metavar="COLUMN",
        help="columns that are sums over the region, and are spread over its pixels; unless given, those with the unit "
        "of a mass, or of a mass per time; all others are means",
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
    """Paint the maps of one galaxy, see `property_maps`; return lines that say how, and where the files are."""
    where = region_light(output, run, id_dr3)
    painted = property_maps(where, read_table(path), sums)
    maps = output_path(output, "other_maps", run=run, id=id_dr3, name=path.stem)
    save_fits(maps, map_hdus(where, painted, f"Painted from {path.name}".encode("ascii", "replace").decode()))
    title = f"id {id_dr3}: {run}, {path.stem}"
    images = {"labels": where.labels, "regions": where.regions, "wcs": WCS(where.header)}
    figure, picture = fit_maps(SimpleNamespace(maps=painted, title=title, **images)), maps.with_suffix(".png")
    said = [f"{name}: {found.how}" for name, found in painted.items()]
    if figure is None:
        return [*said, maps]
    save_figure(picture, figure, DPI)
    return [*said, maps, picture]


def read_table(path):
    """Read a table of any format that astropy knows by its name, or guesses."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no table {path}")
    for options in ({}, {"format": "ascii"}):
        with suppress(ValueError, OSError, IORegistryError):  # that it is not of this format
            return Table.read(path, **options)
    raise ValueError(f"{path} cannot be read as a table: want one of the formats of astropy, such as CSV, ECSV or FITS")


if __name__ == "__main__":
    sys.exit(main())
