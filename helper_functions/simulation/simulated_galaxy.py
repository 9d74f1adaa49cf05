"""Simulated galaxies: a few stellar populations, each with its own light distribution, PSF and noise of the survey.

A recipe is a function `recipe(radius, n_regions, rng)` that returns the light distribution of each population before
the PSF, shape (n_regions, ny, nx). Brightness varies strongly within every region.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter

from helper_functions.filters import pivot_wavelength
from helper_functions.pixel_seds import Cutout
from helper_functions.psf import PIXEL, PSF_FWHM, convolve_with_psf, make_psf
from helper_functions.registry import choose
from helper_functions.simulation.stellar_populations import Population, make_spectrum, photometry

APERTURE_PIXELS = 50  # of the depths: a circle of 0.16 arcsec radius
MIN_BANDS = 3

# Point-source depths, 5 sigma, AB: typical of deep HST and JWST fields, rounded. Only their differences matter, as
# galaxies are scaled to a given SNR.
DEPTHS = {  # by wavelength
    **{"f435w": 28.8, "f606w": 28.9, "f070w": 28.8, "f814w": 28.6, "f090w": 29.3, "f105w": 28.1, "f115w": 29.5},
    **{"f125w": 28.0, "f140w": 28.0, "f140m": 28.5, "f150w": 29.6, "f160w": 27.9, "f162m": 28.5, "f182m": 28.8},
    **{"f200w": 29.6, "f210m": 28.7, "f250m": 28.5, "f277w": 29.6, "f300m": 28.8, "f335m": 28.8, "f356w": 29.7},
    **{"f360m": 28.8, "f410m": 28.9, "f430m": 28.1, "f444w": 29.4, "f460m": 27.9, "f480m": 28.0},
}
SURVEY_BANDS = tuple(DEPTHS)

# Stellar populations of a galaxy, the most extended first. Ages are possible at every redshift up to 3.
POPULATIONS = {
    "distinct": (
        Population(age=1.0, tau=0.3, a_v=0.3),  # fading disc
        Population(age=0.03, tau=1.0, a_v=0.1, metallicity=0.4, log_u=-2.0),  # young, strong lines
        Population(age=1.0, tau=5.0, a_v=1.8),  # dusty and forming stars
        Population(age=1.8, tau=0.1, a_v=0.1),  # old
        Population(age=0.4, tau=0.05, a_v=0.2),  # after a burst: strong Balmer break
    ),
    "similar": (
        Population(age=1.0, tau=1.0, a_v=0.5),
        Population(age=0.6, tau=1.0, a_v=0.4),
        Population(age=1.0, tau=1.0, a_v=0.9),
        Population(age=1.5, tau=0.7, a_v=0.4),
        Population(age=1.0, tau=1.0, a_v=0.5, burst_fraction=0.02),
    ),
    "dusty": (
        Population(age=1.0, tau=2.0, a_v=0.4),
        Population(age=1.0, tau=2.0, a_v=2.2),
        Population(age=1.8, tau=0.2, a_v=0.1),
    ),
}


class SimulatedGalaxy(NamedTuple):
    """A noise-free galaxy, and the truth about it."""

    redshift: float
    bands: tuple  # n_bands names, by wavelength
    flux: np.ndarray  # (n_bands, ny, nx), 10 nJy per pixel, after the PSF
    region: np.ndarray  # (ny, nx), 1..n_regions: the region that dominates the light after the PSF
    share: np.ndarray  # (ny, nx), its fraction of the light, mean over the bands
    region_seds: np.ndarray  # (n_regions, n_bands), mean 1
    populations: tuple  # n_regions of Population
    light: np.ndarray  # (n_regions, ny, nx), 10 nJy per pixel, mean over the bands, of each population before the PSF


# ---- recipes ----------------------------------------------------------------


def clumpy(radius, n_regions, rng):
    """A disc, partly replaced by clumps: two of each other population, some brighter than the disc, some fainter."""
    y, x = pixel_grid(radius)
    disc = exponential(y, x, radius / 1.5, rng.uniform(0, np.pi), rng.uniform(0.8, 1))
    disc *= np.exp(-((np.hypot(y, x) / (1.35 * radius)) ** 12))  # truncated, so that clumps cover all of the disc
    n_clumps = 2 * (n_regions - 1)
    size = 0.95 * radius / np.sqrt(n_clumps)
    clumps, positions, free = np.zeros((n_regions - 1, *y.shape)), [], np.ones(y.shape)
    for clump in range(n_clumps):
        positions.append(free_position(positions, radius, rng))
        row, col = positions[-1]
        inside = np.exp(-((np.hypot(y - row, x - col) / (size * rng.uniform(0.8, 1.2))) ** 4))
        clumps[clump % (n_regions - 1)] += rng.uniform(0.7, 3) * disc * inside
        free *= 1 - 0.95 * inside
    return np.concatenate([[disc * free], clumps])


def smooth(radius, n_regions, rng):
    """Nested components from the disc to the bulge, without sharp edges."""
    y, x = pixel_grid(radius)
    angle, axis_ratio = rng.uniform(0, np.pi), rng.uniform(0.6, 0.9)
    sizes = radius / 1.8 * 0.3 ** np.arange(n_regions)
    return np.array([exponential(y, x, size, angle, axis_ratio) * (sizes[0] / size) ** 1.3 for size in sizes])


def dusty_lane(radius, n_regions, rng):
    """An inclined disc with a dust lane, and a bulge."""
    y, x = pixel_grid(radius)
    angle = rng.uniform(0, np.pi)
    disc = exponential(y, x, radius / 1.8, angle, 0.6)
    across = rotated(y, x, angle)[0] - 0.25 * radius
    in_lane = np.exp(-((across / (0.2 * radius)) ** 4))
    maps = [disc * (1 - in_lane), 0.8 * disc * in_lane]
    maps += [4 * exponential(y, x, radius / 10 / step, angle, 0.9) for step in range(1, n_regions - 1)]
    return np.array(maps)


def merger(radius, n_regions, rng):
    """Two discs side by side at one redshift; further populations are bridges of light between them."""
    y, x = pixel_grid(radius)
    angle, apart = rng.uniform(0, 2 * np.pi), 0.6 * radius
    row, col = apart * np.sin(angle), apart * np.cos(angle)
    maps = [
        exponential(y - row, x - col, radius / 3.5, rng.uniform(0, np.pi), 0.7),
        0.8 * exponential(y + row, x + col, radius / 4.5, rng.uniform(0, np.pi), 0.9),
    ]
    for bridge in range(n_regions - 2):
        across, along = rotated(y, x, angle + 0.6 * bridge + 0.5)
        maps.append(0.5 * np.exp(-0.5 * (across / (0.12 * radius)) ** 2 - 0.5 * (along / (0.8 * radius)) ** 4))
    return np.array(maps)


class Recipe(NamedTuple):
    """A recipe with its default number of populations and contrast."""

    light: Callable
    n_regions: int
    contrast: str  # a key of POPULATIONS

    def maps(self, radius, n_regions, rng):
        """Light of each population before the PSF, shape (n_regions, ny, nx).

        A galaxy of one population has the total light, with clumps and lanes, of the recipe's default number of
        populations.
        """
        if n_regions == 1:
            return self.light(radius, self.n_regions, rng).sum(axis=0, keepdims=True)
        return self.light(radius, n_regions, rng)


RECIPES = {
    "clumpy": Recipe(clumpy, 4, "distinct"),
    "smooth": Recipe(smooth, 2, "similar"),
    "dusty_lane": Recipe(dusty_lane, 3, "dusty"),
    "merger": Recipe(merger, 3, "distinct"),
}


# ---- parts of recipes -------------------------------------------------------


def pixel_grid(radius):
    """Rows and columns of the pixels, relative to the centre, of a square with negligible light at its edges."""
    half = int(np.ceil(3 * radius)) + 6
    return np.mgrid[-half : half + 1, -half : half + 1].astype(float)


def rotated(y, x, angle):
    """Coordinates across and along an axis at this angle."""
    return y * np.cos(angle) - x * np.sin(angle), x * np.cos(angle) + y * np.sin(angle)


def exponential(y, x, scale, angle, axis_ratio):
    """Exponential disc of peak 1, its minor axis `axis_ratio` times the major one."""
    across, along = rotated(y, x, angle)
    return np.exp(-np.hypot(across / axis_ratio, along) / scale)


def free_position(positions, radius, rng):
    """A random position in the disc: of several candidates, the one farthest from the given positions."""
    distance, angle = 1.2 * radius * np.sqrt(rng.uniform(0.02, 1, 30)), rng.uniform(0, 2 * np.pi, 30)
    drawn = np.column_stack([distance * np.sin(angle), distance * np.cos(angle)])
    if not positions:
        return tuple(drawn[0])
    nearest = np.linalg.norm(drawn[:, None] - np.array(positions), axis=2).min(axis=1)
    return tuple(drawn[np.argmax(nearest)])


# ---- simulating a galaxy ----------------------------------------------------


def pixel_noise(bands):
    """Standard deviation of the noise of a pixel in each band, 10 nJy, shape (n_bands,)."""
    return np.array([10 ** (0.4 * (28.9 - DEPTHS[band])) / 5 / np.sqrt(APERTURE_PIXELS) for band in bands])


def clean_snr(flux, bands):
    """Median SNR over the bands of noise-free images for the survey's noise, shape (ny, nx)."""
    return np.median(flux / pixel_noise(bands)[:, None, None], axis=0)


def check_recipe(recipe, n_regions, contrast, bands):
    """Recipe and populations, with the defaults of the recipe; ValueError for invalid options."""
    entry = choose(RECIPES, recipe, "recipe")
    contrast = contrast or entry.contrast
    populations = choose(POPULATIONS, contrast, "contrast")
    n_regions = min(entry.n_regions, len(populations)) if n_regions is None else n_regions
    if not 1 <= n_regions <= len(populations):
        raise ValueError(f"contrast {contrast} has populations for 1 to {len(populations)} regions, found {n_regions}")
    unknown = [band for band in bands if band not in DEPTHS]
    if unknown:
        raise ValueError(f"unknown bands {', '.join(unknown)}: choose from {', '.join(SURVEY_BANDS)}")
    if len(set(bands)) < MIN_BANDS:
        raise ValueError(f"a galaxy needs at least {MIN_BANDS} bands, found {len(set(bands))}: {', '.join(bands)}")
    return entry, populations[:n_regions]


def simulate_galaxy(
    recipe,
    *,
    seed=0,
    redshift=1.5,
    peak_snr=50.0,
    radius=18.0,
    n_regions=None,
    contrast=None,
    populations=None,
    bands=SURVEY_BANDS,
    engine="bagpipes",
):
    """Simulate a galaxy by a recipe.

    Parameters
    ----------
    recipe : str
        A key of RECIPES.
    seed : int
        Random seed of the morphology.
    redshift : float
    peak_snr : float
        Median SNR over the bands of the brightest pixel, with the survey's noise.
    radius : float
        Pixels that contain most of the light.
    n_regions : int or None
        Number of populations; None: the default of the recipe. 1: the total light of the recipe with one SED.
    contrast : str or None
        Difference between their SEDs, a key of POPULATIONS; None: the default of the recipe.
    populations : sequence of n_regions Population or None
        None: those of the contrast.
    bands : sequence of str
        Names out of SURVEY_BANDS.
    engine : str
        A key of `stellar_populations.ENGINES`.

    Returns
    -------
    SimulatedGalaxy

    Raises
    ------
    ValueError
        For unknown names, fewer bands than three, or populations that are impossible at that redshift.
    """
    entry, listed = check_recipe(recipe, n_regions, contrast, bands)
    populations = listed if populations is None else tuple(populations)
    if not (peak_snr > 0 and radius >= 3):
        raise ValueError(f"want a peak_snr above 0 and a radius of at least 3, found {peak_snr:g} and {radius:g}")
    bands = tuple(sorted(set(bands), key=pivot_wavelength))
    spectra = [make_spectrum(population, redshift, engine=engine) for population in populations]
    region_seds = np.array([photometry(spectrum, bands) for spectrum in spectra])
    region_seds /= region_seds.mean(axis=1, keepdims=True)

    light = entry.maps(radius, len(populations), np.random.default_rng(seed))
    region, share, maps = observed_regions(light, make_psf())
    flux = np.einsum("kb,kyx->byx", region_seds, maps)
    snr = clean_snr(flux, bands)
    return SimulatedGalaxy(
        redshift=redshift,
        bands=bands,
        flux=flux * peak_snr / snr.max(),
        region=region,
        share=share,
        region_seds=region_seds,
        populations=populations,
        light=light * peak_snr / snr.max(),
    )


def observed_regions(light, psf):
    """Dominant population of each pixel, its fraction of the light, and the light of all populations, after the PSF.

    Parameters
    ----------
    light : ndarray of shape (n_regions, ny, nx)
    psf : ndarray of shape (size, size)

    Returns
    -------
    region : int ndarray of shape (ny, nx)
    share : ndarray of shape (ny, nx)
    maps : ndarray of shape (n_regions, ny, nx)
    """
    maps = np.array([convolve_with_psf(each, psf) for each in light])
    total = maps.sum(axis=0)
    share = np.divide(maps, total, out=np.zeros_like(maps), where=total > 0)
    return np.argmax(share, axis=0) + 1, share.max(axis=0), maps


def through_psf(galaxy, psf):
    """The same galaxy with another PSF, shape (size, size): its flux and regions."""
    region, share, maps = observed_regions(galaxy.light, psf)
    return galaxy._replace(flux=np.einsum("kb,kyx->byx", galaxy.region_seds, maps), region=region, share=share)


def simulate_noise(bands, shape, rng):
    """Correlated noise of every band with the variance of `pixel_noise`, 10 nJy, shape (n_bands, ny, nx).

    Drizzling correlates neighbouring pixels, and matching the PSF of a sharper band to that of F444W smooths its noise
    by the difference of the two in quadrature.
    """
    noise = np.empty((len(bands), *shape))
    for image, band, sigma in zip(noise, bands, pixel_noise(bands), strict=True):
        own_fwhm = min(0.033 * pivot_wavelength(band) / 1e4, PSF_FWHM)  # diffraction at 6.5 m, also for HST bands
        matching = np.sqrt(PSF_FWHM**2 - own_fwhm**2) / 2.355 / PIXEL
        smoothing = np.hypot(matching, 0.5)  # half a pixel for the drizzling
        image[:] = smoothed_noise(sigma, smoothing, shape, rng)
    return noise


def smoothed_noise(sigma, smoothing, shape, rng):
    """Gaussian-filtered white noise, scaled to the standard deviation `sigma`; `smoothing` in pixels."""
    return gaussian_filter(rng.standard_normal(shape), smoothing, mode="wrap") * (sigma / smoothed_noise_std(smoothing))


def smoothed_noise_std(smoothing):
    """Standard deviation of white noise of standard deviation 1 after a Gaussian filter."""
    point = np.zeros((41, 41))
    point[20, 20] = 1
    return np.sqrt(np.sum(gaussian_filter(point, smoothing) ** 2))


def segment(galaxy, edge=1.0):
    """Segment of the galaxy: pixels with a noise-free median SNR above `edge`; bool, shape (ny, nx)."""
    return clean_snr(galaxy.flux, galaxy.bands) > edge


def observe(galaxy, seed):
    """Cutout of an isolated simulated galaxy, with noise.

    Parameters
    ----------
    galaxy : SimulatedGalaxy
    seed : int
        Of the noise.

    Returns
    -------
    Cutout
        With id_dr3 1.
    """
    sci = galaxy.flux + simulate_noise(galaxy.bands, galaxy.region.shape, np.random.default_rng(seed))
    return make_cutout(galaxy, sci, pixel_noise(galaxy.bands))


def make_cutout(galaxy, sci, error):
    """Cutout of a simulated galaxy.

    Parameters
    ----------
    galaxy : SimulatedGalaxy
    sci : ndarray of shape (n_bands, ny, nx)
        Its images, 10 nJy per pixel.
    error : ndarray of shape (n_bands,)
        Error of every pixel in each band, 10 nJy.

    Returns
    -------
    Cutout
        With id_dr3 1.
    """
    err = np.broadcast_to(error[:, None, None], sci.shape).copy()
    wavelengths = np.array([pivot_wavelength(band) for band in galaxy.bands])
    segmap, wcs = segment(galaxy).astype(int), make_wcs(galaxy.region.shape)
    return Cutout(1, galaxy.redshift, galaxy.bands, wavelengths, sci, err, segmap, (1,), wcs)


def make_wcs(shape, pixel=PIXEL):
    """Celestial WCS of an image of that shape, centred on the survey, for a pixel scale in arcsec."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [3.5875, -30.3997]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-pixel / 3600, pixel / 3600]
    wcs.wcs.set()
    return wcs
