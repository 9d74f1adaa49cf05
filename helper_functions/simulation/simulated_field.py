"""Simulate a field in the file layout of the survey: python -m helper_functions.simulation.simulated_field --help"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table

import data_paths
from data_paths import new_image_path
from helper_functions.simulation.simulated_galaxy import (
    RECIPES,
    SURVEY_BANDS,
    SimulatedGalaxy,
    clean_snr,
    make_wcs,
    pixel_noise,
    segment,
    simulate_galaxy,
    simulate_noise,
)
from helper_functions.simulation.stellar_populations import ENGINES

BORDER = 20  # pixels of sky around the galaxies
NEIGHBOUR_GAP = 8  # pixels between a galaxy's segment and the centres of its neighbours
UNCOVERED = 30  # pixels, sides of the corner without data
REDSHIFT_ERROR = 0.02  # half of z_84 - z_16, in units of 1 + z
DEMO_IDS = (46339, 44283, 30804)
DEMO_GALAXIES = (
    {"recipe": "clumpy", "redshift": 1.5, "peak_snr": 60.0, "radius": 14.0},
    {"recipe": "merger", "redshift": 2.2, "peak_snr": 60.0, "radius": 18.0},
    {"recipe": "dusty_lane", "redshift": 1.1, "peak_snr": 60.0, "radius": 18.0},
)
DEMO_SEED = 1


class Source(NamedTuple):
    """A galaxy in the field; the truth is kept for the main galaxies, but not for their neighbours."""

    id_dr3: int
    galaxy: SimulatedGalaxy
    row: int  # of its first pixel in the mosaic
    col: int
    is_neighbour: bool

    @property
    def window(self):
        """Its position in the mosaic, as an index."""
        ny, nx = self.galaxy.region.shape
        return np.s_[self.row : self.row + ny, self.col : self.col + nx]


def place_sources(galaxies, ids, seed, engine):
    """Place galaxies side by side, each with one neighbour at its redshift and one at another redshift.

    Returns
    -------
    sources : list of Source
    shape : tuple
        (ny, nx) of the mosaic that holds them.
    """
    height = max(galaxy.region.shape[0] for galaxy in galaxies)
    sources, left = [], BORDER
    for number, (id_dr3, galaxy) in enumerate(zip(ids, galaxies, strict=True)):
        ny, nx = galaxy.region.shape
        main = Source(id_dr3, galaxy, BORDER + (height - ny) // 2, left, False)
        sources.append(main)
        reach = np.abs(np.argwhere(segment(galaxy)) - ny // 2)[:, 0].max() + NEIGHBOUR_GAP
        for kind, (side, redshift) in enumerate([(1, galaxy.redshift), (-1, galaxy.redshift + 0.7)], start=1):
            small = simulate_galaxy(
                "smooth",
                seed=seed + 10 * number + kind,
                redshift=redshift,
                peak_snr=15.0,
                radius=4.0,
                contrast="distinct",
                bands=galaxy.bands,
                engine=engine,
            )
            half = small.region.shape[0] // 2
            row = min(max(main.row + ny // 2 + side * reach - half, 0), height + 2 * BORDER - 2 * half - 1)
            sources.append(Source(100000 * kind + id_dr3, small, row, left + nx // 2 - half, True))
        left += nx
    return sources, (height + 2 * BORDER, left + BORDER)


def make_field(galaxies, ids, seed=0, engine="bagpipes"):
    """Simulate the images, segmentation map and truth of a field.

    Parameters
    ----------
    galaxies : sequence of SimulatedGalaxy
        With the same bands.
    ids : sequence of int
        The id_dr3 of each; its neighbours get 100000 and 200000 more.
    seed : int
        Of the noise and the neighbours.
    engine : str
        A key of `stellar_populations.ENGINES`, for the neighbours.

    Returns
    -------
    sources : list of Source
    sci, wht : ndarray of shape (n_bands, ny, nx)
        10 nJy per pixel, and inverse variance; both 0 in the corner without coverage, as the survey has it.
    segmap, region : int ndarray of shape (ny, nx)
        Ids; and 1..n_regions in the segments of `galaxies`, 0 elsewhere.
    share : ndarray of shape (ny, nx)
        Fraction of the light from the region; NaN elsewhere.
    """
    bands = galaxies[0].bands
    sources, shape = place_sources(galaxies, ids, seed, engine)
    sigma = pixel_noise(bands)[:, None, None]
    segmap, region, share = truth_images(sources, shape)
    sci = np.zeros((len(bands), *shape))
    for source in sources:
        sci[:, *source.window] += source.galaxy.flux
    sci += simulate_noise(bands, shape, np.random.default_rng(seed))
    wht = np.broadcast_to(1 / sigma**2, sci.shape).copy()
    rows, cols = np.indices(shape)
    uncovered = (shape[0] - 1 - rows) + (shape[1] - 1 - cols) < UNCOVERED
    sci[:, uncovered] = wht[:, uncovered] = 0
    return sources, sci, wht, segmap, region, share


def truth_images(sources, shape):
    """Segmentation map, regions and shares, as of `make_field`, of sources in a mosaic of this shape."""
    brightest, segmap, region = np.zeros(shape), np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int16)
    share = np.full(shape, np.nan, dtype=np.float32)
    for source in sources:
        window, galaxy = source.window, source.galaxy
        snr = clean_snr(galaxy.flux, galaxy.bands)
        mine = segment(galaxy) & (snr > brightest[window])
        segmap[window][mine] = source.id_dr3
        brightest[window] = np.maximum(brightest[window], snr)
        region[window][mine] = 0 if source.is_neighbour else galaxy.region[mine]
        share[window][mine] = np.nan if source.is_neighbour else galaxy.share[mine]
    return segmap, region, share


def write_field(folder, galaxies, ids, seed=0, engine="bagpipes", overwrite=False):
    """Write a field with the file names of the survey, and its truth.

    Parameters
    ----------
    folder : path
    galaxies, ids, seed, engine
        See `make_field`.
    overwrite : bool
        Replace an earlier simulated field; other data is never replaced.

    Raises
    ------
    FileExistsError
        Where the folder contains other data, or a simulated field without `overwrite`.
    """
    folder = Path(folder)
    check_free(folder, overwrite)
    sources, sci, wht, segmap, region, share = make_field(galaxies, ids, seed, engine)
    bands, header = galaxies[0].bands, make_wcs(segmap.shape).to_header()
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Written to a temporary folder first, so that an interrupted call leaves no incomplete field.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        made = Path(temporary) / "field"
        (made / "psf_matched").mkdir(parents=True)
        fits.PrimaryHDU(segmap, header).writeto(made / data_paths.SEGMAP)
        image_header = header.copy()
        image_header["BUNIT"] = "10 nJy"
        for number, band in enumerate(bands):
            fits.PrimaryHDU(sci[number].astype(np.float32), image_header).writeto(new_image_path(made, band, "sci"))
            fits.PrimaryHDU(wht[number].astype(np.float32), header).writeto(new_image_path(made, band, "wht"))
        catalog_table(sources, sci, wht, segmap).write(made / data_paths.SUPER_CATALOG)
        redshift_table(sources).write(made / data_paths.SPS_CATALOG)
        truth_hdus(sources, region, share, header).writeto(made / data_paths.SIMULATED_TRUTH)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)


def check_free(folder, overwrite):
    """Raise FileExistsError where a field may not be written to `folder`."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / data_paths.SIMULATED_TRUTH).exists():
        raise FileExistsError(f"{folder} holds data that is not a simulated field: choose another folder")
    if not overwrite:
        raise FileExistsError(f"{folder} holds a simulated field already: choose another folder, or say --overwrite")


def catalog_table(sources, sci, wht, segmap):
    """The photometric catalog: positions, fluxes summed over the segments, and a band without an image (ALMA)."""
    wcs = make_wcs(segmap.shape)
    rows = []
    for source in sources:
        y, x = np.nonzero(segmap == source.id_dr3)
        ra, dec = wcs.wcs_pix2world(x.mean(), y.mean(), 0)
        row = {"id": source.id_dr3, "ra": float(ra), "dec": float(dec), "x": x.mean() + 1, "y": y.mean() + 1}
        for band, image, weight in zip(source.galaxy.bands, sci[:, y, x], wht[:, y, x], strict=True):
            row |= {f"f_{band}": image.sum(), f"e_{band}": np.sqrt(np.sum(1 / weight[weight > 0]))}
        rows.append(row | {"f_alma": np.nan, "e_alma": np.nan, "use_phot": 1})
    return Table(rows)


def redshift_table(sources):
    """The catalog of redshifts."""
    z = np.array([source.galaxy.redshift for source in sources])
    half = REDSHIFT_ERROR * (1 + z)
    return Table({"id": [source.id_dr3 for source in sources], "z_16": z - half, "z_50": z, "z_84": z + half})


def truth_hdus(sources, region, share, header):
    """The truth: images REGION and SHARE on the pixels of the mosaic, tables of the populations and their SEDs."""
    populations, seds = [], []
    for source in (source for source in sources if not source.is_neighbour):
        galaxy = source.galaxy
        for number, (population, sed) in enumerate(zip(galaxy.populations, galaxy.region_seds, strict=True), start=1):
            key = {"id": source.id_dr3, "region": number}
            populations.append(key | {"redshift": galaxy.redshift} | population._asdict())
            seds += [key | {"band": band, "flux": flux} for band, flux in zip(galaxy.bands, sed, strict=True)]
    return fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(region, header, "REGION"),
            fits.ImageHDU(share, header, "SHARE"),
            fits.BinTableHDU(Table(populations), name="POPULATIONS"),
            fits.BinTableHDU(Table(seds), name="SEDS"),
        ]
    )


def demo_field(cache_folder):
    """Folder of the demo field, which is simulated at the first call.

    Raises
    ------
    OSError
        Where there is no cache folder, or nothing can be written there.
    """
    if cache_folder is None:
        raise OSError("no folder for the demo field: set CACHE_FOLDER in data_paths.py, or UNCOVER_CACHE_FOLDER")
    folder = Path(cache_folder) / "demo_field"
    if not (folder / data_paths.SIMULATED_TRUTH).exists():
        galaxies = [simulate_galaxy(**spec, seed=DEMO_SEED) for spec in DEMO_GALAXIES]
        write_field(folder, galaxies, DEMO_IDS, DEMO_SEED)
    return folder


def main(arguments=None):
    """Command line: simulate a field; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.simulated_field", description=__doc__)
    add = parser.add_argument
    add("folder", metavar="OUT", type=Path, help="folder to write")
    add("--recipe", nargs="+", default=["clumpy"], metavar="RECIPE", help=f"one galaxy each: {', '.join(RECIPES)}")
    add("--seed", type=int, default=0, help="random seed (default 0)")
    add("--ids", nargs="+", type=int, help="id_dr3 of the galaxies (default: those of the demo, then 1, 2, ...)")
    add("--redshift", type=float, default=1.5, help="default 1.5")
    add("--peak-snr", type=float, default=50.0, help="median SNR of the brightest pixel (default 50)")
    add("--radius", type=float, default=18.0, help="pixels within which most of the light lies (default 18)")
    add("--regions", type=int, help="number of populations (default: the recipe's)")
    add("--contrast", help="how much their SEDs differ: distinct, similar or dusty (default: the recipe's)")
    add("--bands", nargs="+", default=list(SURVEY_BANDS), metavar="BAND", help="default: the survey's 27")
    add("--engine", default="bagpipes", help=f"{' or '.join(ENGINES)} (default bagpipes)")
    add("--overwrite", action="store_true", help="replace an earlier simulated field")
    given = parser.parse_args(arguments)
    ids = given.ids or [id_dr3 for id_dr3, _ in zip([*DEMO_IDS, *range(1, 1000)], given.recipe, strict=False)]
    try:
        if len(ids) != len(given.recipe) or len(set(ids)) != len(ids):
            raise ValueError(f"want one id for each of {len(given.recipe)} galaxies, found {ids}")
        check_free(given.folder, given.overwrite)
        galaxies = [
            simulate_galaxy(
                recipe,
                seed=given.seed + number,
                redshift=given.redshift,
                peak_snr=given.peak_snr,
                radius=given.radius,
                n_regions=given.regions,
                contrast=given.contrast,
                bands=given.bands,
                engine=given.engine,
            )
            for number, recipe in enumerate(given.recipe)
        ]
        write_field(given.folder, galaxies, ids, given.seed, given.engine, given.overwrite)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{given.folder}: {len(galaxies)} galaxies in {len(galaxies[0].bands)} bands, ids {' '.join(map(str, ids))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
