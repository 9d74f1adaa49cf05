"""Simulate mosaics that are not PSF-matched, and the same field perfectly matched.

Bands differ in PSF, pixel scale and orientation, are misregistered, and have a step in depth and holes, as input for
make_field. PSFs, redshifts and the perfectly matched field are written, too.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table, hstack
from astropy.wcs import WCS
from scipy.ndimage import map_coordinates
from scipy.signal import oaconvolve

import data_paths
from data_paths import new_image_path
from helper_functions.filters import pivot_wavelength, sedpy_name
from helper_functions.psf import PIXEL, make_psf
from helper_functions.simulation.flaws import draw_shifts
from helper_functions.simulation.simulated_field import (
    catalog_table,
    place_sources,
    redshift_table,
    truth_hdus,
    truth_images,
)
from helper_functions.simulation.simulated_galaxy import (
    RECIPES,
    make_wcs,
    pixel_noise,
    simulate_galaxy,
    smoothed_noise,
    through_psf,
)
from helper_functions.simulation.star_psfs import STAR_PIXEL, read_star_psfs
from helper_functions.simulation.stellar_populations import ENGINES
from helper_functions.survey.make_field.inputs import BandFiles, open_images
from helper_functions.survey.make_field.kernels import common_radius, matching_kernel
from helper_functions.survey.make_field.matching import Grid, Matching, matched_tile
from helper_functions.survey.make_field.noise import sky_correlation, variance_factor
from helper_functions.survey.make_field.psfs import BandPSF, on_pixels, pixel_side, sky_matrix

BANDS = "f606w f814w f115w f150w f200w f277w f356w f410m f444w".split()
SHORT, SHORT_PIXEL = 24000.0, 0.02  # Angstrom and arcsec: bands of NIRCam below this wavelength have these pixels
ANGLE = 20.0  # degrees, by which mosaics of the bands of Hubble are rotated
FINE = 4  # subpixels per pixel along each axis, for the convolution with PSFs
MODEL_PIXEL = 0.02  # arcsec, of model PSFs
SKY = 45  # pixels of sky on each side, more than the radius of kernels
N_STARS, STAR_GAP = 14, 80  # number, and pixels between them
STAR_RADIUS, FIRST_STAR = 10, 900001  # pixels, of segments of stars, and the id of the first
STAR_SNR = 300.0, 3000.0  # of the brightest pixel
DEPTH_STEP = 1.5  # factor of the noise beyond two thirds of the mosaic
HOLES, HOLE_RADIUS = 6, 0.1  # number in each band, among the stars, and arcsec
DRIZZLED = 0.5  # pixels, standard deviation of the Gaussian that correlates the noise
RMS_SHIFT = 0.2  # pixels of 40 mas


def band_psfs(bands, stars=None, place=None):
    """PSFs of bands before matching, {band: BandPSF}.

    Parameters
    ----------
    bands : sequence of str
    stars : dict or None
        From `read_star_psfs`: the PSF of the band nearest in resolution, scaled. None: the model of F444W, scaled.
    place : str or None
        Of the stars.
    """
    known = sorted({band.lower() for band, _ in stars}, key=pivot_wavelength) if stars else ["f444w"]
    found = {}
    for band in bands:
        wave = pivot_wavelength(band) * (1 if sedpy_name(band).startswith("jwst") else 6.5 / 2.4)  # mirrors, m
        nearest = min(known, key=lambda other: abs(np.log(pivot_wavelength(other) / wave)))
        width = wave / pivot_wavelength(nearest)
        image = stars[nearest.upper(), place] if stars else make_psf(width, MODEL_PIXEL)
        side = STAR_PIXEL * width if stars else MODEL_PIXEL
        middle = (len(image) - 1) // 2
        found[band] = BandPSF(image / image.sum(), (middle, middle), np.diag([-side, side]), np.nan)
    return found


def mosaic_wcs(band, shape):
    """WCS and shape of the mosaic of a band over a field of this shape in pixels of 40 mas."""
    if not sedpy_name(band).startswith("jwst"):
        side, angle = PIXEL, ANGLE
    else:
        side, angle = (SHORT_PIXEL if pivot_wavelength(band) < SHORT else PIXEL), 0.0
    if angle == 0 and side == PIXEL:
        return make_wcs(shape), shape
    turn = np.radians(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    size = np.abs(matrix) @ np.array(shape[::-1]) * PIXEL / side
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cunit = make_wcs(shape).wcs.ctype, ["deg", "deg"]
    wcs.wcs.crval = make_wcs(shape).wcs.crval
    size = np.ceil(size).astype(int)
    wcs.wcs.crpix = (size + 1) / 2
    wcs.wcs.cd = np.diag([-side, side]) / 3600 @ matrix
    wcs.wcs.set()
    return wcs, (int(size[1]), int(size[0]))


def sharp_images(sources, shape, bands, stars):
    """Light of all sources and stars before the PSF on pixels of 1/FINE, in 10 nJy, an iterator over the bands."""
    sigma = pixel_noise(bands)
    for number in range(len(bands)):
        image = np.zeros(shape)
        for source in sources:
            galaxy = source.galaxy
            image[source.window] += np.einsum("k,kyx->yx", galaxy.region_seds[:, number], galaxy.light)
        fine = np.kron(image, np.full((FINE, FINE), 1 / FINE**2))
        fine[stars["y"], stars["x"]] += stars["snr"] * sigma[number]
        yield fine


def observed(fine, psf, radius, wcs, shape, grid, shift=(0.0, 0.0)):
    """Light on fine pixels, convolved with a PSF, on the pixels of a mosaic; sources are shifted by `shift` pixels."""
    matrix = sky_matrix(grid)
    kernel = on_pixels(psf, matrix / FINE, radius)
    blurred = oaconvolve(fine, kernel, mode="same")
    y, x = np.indices(shape, dtype=float)
    cols, rows = grid.world_to_pixel(wcs.pixel_to_world(x, y))
    area = np.linalg.det(sky_matrix(wcs)) / np.linalg.det(matrix / FINE)
    places = [(each - off + 0.5) * FINE - 0.5 for each, off in zip((rows, cols), shift, strict=True)]
    return map_coordinates(blurred, places, order=5) * area


def write_unmatched(folder, galaxies, ids, *, stars=None, seed=0, engine="bagpipes", rms_shift=RMS_SHIFT):
    """Write mosaics, PSFs and redshifts, and the perfectly matched field, into a folder that does not exist.

    The matched field has the noise and the holes of the mosaics after the same convolution and resampling; only its
    PSFs are identical, and its bands are not shifted.

    Parameters
    ----------
    folder : path
    galaxies : sequence of SimulatedGalaxy
        With the same bands.
    ids : sequence of int
    stars : dict or None
        PSFs of stars, see `read_star_psfs`; None: a model.
    seed : int
        Of the noise, the shifts, the stars, the place of the PSFs and the neighbours.
    engine : str
        A key of `stellar_populations.ENGINES`, for the neighbours.
    rms_shift : float
        Pixels of 40 mas.

    Raises
    ------
    FileExistsError
        Where the folder exists.
    """
    folder, rng, bands = Path(folder), np.random.default_rng(seed), galaxies[0].bands
    for name in ("mosaics", "psfs", "matched/psf_matched"):
        (folder / name).mkdir(parents=True)
    place = rng.choice(sorted({place for _, place in stars})) if stars else None
    psfs = band_psfs(bands, stars, place)
    target, radius = max(bands, key=pivot_wavelength), common_radius(psfs)
    sources, (ny, nx) = place_sources(galaxies, ids, seed, engine)
    n_columns = max((nx - 1) // STAR_GAP, 1)
    strip = -(-N_STARS // n_columns) * STAR_GAP
    shape = ny + strip + 2 * SKY, nx + 2 * SKY
    grid = make_wcs(shape)
    psf = on_pixels(psfs[target], sky_matrix(grid), radius)
    sources = [
        each._replace(galaxy=through_psf(each.galaxy, psf), row=each.row + SKY + strip, col=each.col + SKY)
        for each in sources
    ]
    points = draw_stars(n_columns, psf.max(), rng)
    segmap, region, share = truth_images(sources, shape)
    all_sources = sources + paint_stars(segmap, points, sources[0])
    shifts = draw_shifts(bands, rms_shift, rng)
    matched, weights = np.empty((2, len(bands), *shape))
    fine_images = sharp_images(sources, shape, bands, points)
    for number, (band, fine, sigma) in enumerate(zip(bands, fine_images, pixel_noise(bands), strict=True)):
        wcs, size = mosaic_wcs(band, shape)
        pixels = sky_matrix(wcs)
        holes = rng.uniform((SKY, SKY), (SKY + strip, shape[1] - SKY), (HOLES, 2))
        noise, weight = draw_noise(size, sigma * pixel_side(pixels) / PIXEL, rng)
        weight[near_places(size, wcs, holes, grid)] = 0
        noise[weight == 0] = np.nan
        with tempfile.TemporaryDirectory() as scratch:
            own = write_pair(Path(scratch), band, noise, weight, wcs)
            kernel, _ = matching_kernel(psfs[band], psfs[target], pixels, radius)
            factor = variance_factor(*sky_correlation(own), kernel)
            moved = Matching(own, Grid(grid, shape), kernel, factor)
            noise_matched, variance = matched_tile(moved, (slice(0, shape[0]), slice(0, shape[1])))
        flux = observed(fine, psfs[band], radius, wcs, size, grid, shifts[number]) + noise
        write_pair(folder / "mosaics", band, flux, weight, wcs)
        write_psf(folder / "psfs" / f"{band}.fits", on_pixels(psfs[band], pixels, radius), pixel_side(pixels))
        matched[number] = observed(fine, psfs[target], radius, grid, shape, grid) + noise_matched
        weights[number] = np.where(variance > 0, 1 / variance, 0)
        for kind, image in (("sci", matched[number]), ("wht", weights[number])):
            write_image(
                new_image_path(folder / "matched", band, kind), image, grid, "10 nJy" if kind == "sci" else None
            )
    write_image(folder / "matched" / data_paths.SEGMAP, segmap, grid)
    write_psf(folder / "matched" / data_paths.MATCHED_PSF, psf, PIXEL)
    truth_hdus(sources, region, share, grid.to_header()).writeto(folder / "matched" / data_paths.SIMULATED_TRUTH)
    catalog, redshifts = catalog_table(all_sources, matched, weights, segmap), redshift_table(sources)
    catalog.write(folder / "matched" / data_paths.SUPER_CATALOG)
    redshifts.write(folder / "matched" / data_paths.SPS_CATALOG)
    hstack([catalog["ra", "dec"][: len(sources)], redshifts["z_16", "z_50", "z_84"]]).write(folder / "redshifts.ecsv")
    Table({"band": bands, "shift_y": shifts[:, 0], "shift_x": shifts[:, 1]}).write(folder / "true_shifts.ecsv")
    x, y = ((points[name] + 0.5) / FINE - 0.5 for name in ("x", "y"))
    fluxes = {f"f_{band}": points["snr"] * sigma for band, sigma in zip(bands, pixel_noise(bands), strict=True)}
    Table({"x": x, "y": y} | fluxes).write(folder / "true_stars.ecsv")


def draw_stars(n_columns, peak, rng):
    """Stars in rows at the bottom of a field: `y` and `x` in fine pixels, and `snr`, flux over the noise of a pixel.

    `peak` is the fraction of their light in the brightest pixel.
    """
    row, col = np.divmod(np.arange(N_STARS), n_columns)
    places = SKY + (np.array([row, col]) + 0.5) * STAR_GAP + rng.uniform(-8, 8, (2, N_STARS))
    y, x = (FINE * places).astype(int)
    return {"y": y, "x": x, "snr": np.exp(rng.uniform(*np.log(STAR_SNR), N_STARS)) / peak}


def draw_noise(shape, sigma, rng):
    """Noise of a mosaic with a step in depth, correlated as by drizzling, and its weights; (ny, nx)."""
    level = np.where(np.arange(shape[1]) < 2 * shape[1] / 3, sigma, DEPTH_STEP * sigma) * np.ones(shape)
    return smoothed_noise(1.0, DRIZZLED, shape, rng) * level, level**-2


def near_places(shape, wcs, places, grid):
    """Mask of the pixels of a mosaic within HOLE_RADIUS of places of the grid, (n, 2) rows and columns."""
    x, y = wcs.world_to_pixel(grid.pixel_to_world(places[:, 1], places[:, 0]))
    rows, cols = np.indices(shape)
    radius = HOLE_RADIUS / pixel_side(sky_matrix(wcs))
    return np.any([np.hypot(rows - row, cols - col) < radius for row, col in zip(y, x, strict=True)], axis=0)


def paint_stars(segmap, stars, like):
    """Add segments of stars to the segmap, with ids from FIRST_STAR; return them as sources with bands of `like`."""
    rows, cols = np.indices(segmap.shape)
    found = []
    for number, (y, x) in enumerate(zip(stars["y"], stars["x"], strict=True)):
        near = np.hypot(rows - y / FINE, cols - x / FINE) < STAR_RADIUS
        segmap[near & (segmap == 0)] = FIRST_STAR + number
        found.append(like._replace(id_dr3=FIRST_STAR + number))
    return found


def write_pair(folder, band, flux, weight, wcs):
    """Write <band>_sci.fits and <band>_wht.fits, and open them."""
    files = BandFiles(band, folder / f"{band}_sci.fits", folder / f"{band}_wht.fits", None)
    write_image(files.sci, flux, wcs, "10 nJy")
    write_image(files.wht, weight, wcs)
    return open_images(files, "wht")


def write_image(path, pixels, wcs, unit=None):
    """Write an image as 32-bit numbers."""
    hdu = fits.PrimaryHDU(pixels.astype(np.int32 if pixels.dtype.kind == "i" else np.float32), wcs.to_header())
    if unit:
        hdu.header["BUNIT"] = unit
    hdu.writeto(path)


def write_psf(path, image, pixel):
    """Write a PSF with its pixel scale in arcsec."""
    hdu = fits.PrimaryHDU(image.astype(np.float32))
    hdu.header["PIXELSCL"] = pixel
    hdu.writeto(path)


def main(arguments=None):
    """Command line: simulate mosaics; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.unmatched_field", description=__doc__)
    add = parser.add_argument
    add("folder", metavar="OUT", type=Path, help="folder to write")
    add("--recipe", nargs="+", default=["clumpy"], metavar="RECIPE", help=f"one galaxy each: {', '.join(RECIPES)}")
    add("--psfs", type=Path, metavar="FILE", help="PSFs of stars, .npz, see star_psfs.py (default: a model)")
    add("--seed", type=int, default=0, help="random seed (default 0)")
    add("--redshift", type=float, default=1.5, help="default 1.5")
    add("--peak-snr", type=float, default=60.0, help="median SNR of the brightest pixel (default 60)")
    add("--radius", type=float, default=14.0, help="pixels within which most of the light lies (default 14)")
    add("--bands", nargs="+", default=BANDS, metavar="BAND", help=f"default {' '.join(BANDS)}")
    add("--engine", default="bagpipes", help=f"{' or '.join(ENGINES)} (default bagpipes)")
    given = parser.parse_args(arguments)
    try:
        if given.folder.exists():
            raise FileExistsError(f"{given.folder} exists: choose another folder")
        stars = read_star_psfs(given.psfs) if given.psfs else None
        options = {"redshift": given.redshift, "peak_snr": given.peak_snr, "radius": given.radius}
        options |= {"bands": given.bands, "engine": given.engine}
        galaxies = [simulate_galaxy(each, seed=given.seed + n, **options) for n, each in enumerate(given.recipe)]
        ids = range(1, len(galaxies) + 1)
        write_unmatched(given.folder, galaxies, ids, stars=stars, seed=given.seed, engine=given.engine)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(
        f"{given.folder}: mosaics of {len(galaxies)} galaxies in {len(given.bands)} bands, PSFs, and the matched field"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
