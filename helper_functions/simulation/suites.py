"""Suites of simulated galaxies with known truth: with clean images, and with realistic ones."""

from itertools import product
from typing import NamedTuple

import numpy as np

from helper_functions.noise import white_noise_correlation
from helper_functions.pixel_seds import Cutout, PixelSEDs, extract_seds, median_snr, select_pixels
from helper_functions.registration.measure_shifts import aligned, measure_sources
from helper_functions.registration.shifts import neighbourhood, registration_at
from helper_functions.simulation.flaws import draw_flaws, draw_shifts, observe_with_flaws, observed_seds
from helper_functions.simulation.simulated_galaxy import (
    SURVEY_BANDS,
    SimulatedGalaxy,
    observe,
    simulate_galaxy,
    through_psf,
)
from helper_functions.sky_noise import with_sky_noise

SNR_THRESH = 3.0
CONTRASTS, REGIONS, PEAK_SNRS = ("distinct", "similar"), (3, 4, 5), (30.0, 100.0)
REDSHIFTS = (0.8, 1.5, 2.2, 2.8)
RADII = (14.0, 18.0, 22.0)  # pixels; galaxies have 600 to 3,500 pixels above the threshold


class GalaxyKind(NamedTuple):
    """Parameters of a galaxy of the realistic suite."""

    recipe: str
    n_regions: int
    contrast: str  # for one population: the list from which it is taken
    peak_snr: float


REALISTIC_KINDS = (
    # One population at increasing SNR: any further cluster is due to flaws of the images.
    GalaxyKind("clumpy", 1, "distinct", 20.0),
    GalaxyKind("clumpy", 1, "similar", 60.0),
    GalaxyKind("clumpy", 1, "distinct", 150.0),
    GalaxyKind("clumpy", 1, "similar", 300.0),
    # Populations side by side: every number with both contrasts, every SNR twice.
    GalaxyKind("clumpy", 2, "distinct", 100.0),
    GalaxyKind("clumpy", 2, "similar", 50.0),
    GalaxyKind("clumpy", 3, "distinct", 50.0),
    GalaxyKind("clumpy", 3, "similar", 200.0),
    GalaxyKind("clumpy", 4, "distinct", 200.0),
    GalaxyKind("clumpy", 4, "similar", 100.0),
    # A bulge in a disc: both contribute to every pixel, even without the PSF, in smoothly varying fractions.
    GalaxyKind("smooth", 2, "distinct", 80.0),
    GalaxyKind("smooth", 2, "distinct", 120.0),
)


class Galaxy(NamedTuple):
    """A galaxy of a suite with its truth and a descriptive name."""

    name: str
    seds: PixelSEDs
    region: np.ndarray  # (n_pixels,)
    share: np.ndarray  # (n_pixels,)
    region_seds: np.ndarray  # (n_regions, n_bands), as observed
    shape: tuple  # (ny, nx) of the image that the pixels are of


def suite_galaxy(number, first_seed):
    """Galaxy `number` of the clean suite: all combinations of contrast, regions and SNR, then again with other seeds.

    Parameters
    ----------
    number : int
    first_seed : int
        Seeds count up from here: first seeds of different suites must be far enough apart.

    Returns
    -------
    Galaxy
    """
    kinds = list(product(CONTRASTS, REGIONS, PEAK_SNRS))
    contrast, n_regions, peak_snr = kinds[number % len(kinds)]
    seed = first_seed + number
    galaxy = simulate_galaxy(
        "clumpy",
        seed=seed,
        redshift=REDSHIFTS[(number // 2 + number // len(kinds)) % len(REDSHIFTS)],
        peak_snr=peak_snr,
        radius=RADII[number % len(RADII)],
        n_regions=n_regions,
        contrast=contrast,
    )
    name = f"{contrast}, {n_regions} regions, SNR {peak_snr:g}, seed {seed}"
    return with_truth(name, galaxy, observe(galaxy, seed), galaxy.region_seds)


def realistic_field(field, first_seed, rms, stars=None):
    """Images of one galaxy of each kind of the realistic suite, in a field with common shifts of the bands.

    Parameters
    ----------
    field : int
        Number of the field.
    first_seed : int
    rms : float
        Of the shifts along each axis, pixels.
    stars : dict or None
        PSFs of stars, see `draw_flaws`.

    Returns
    -------
    images : list of RealisticImages
    shift : ndarray of shape (n_bands, 2)
        Along rows and columns, pixels: the truth.
    """
    shift = draw_shifts(SURVEY_BANDS, rms, np.random.default_rng([first_seed, field, 2]))
    return [realistic_images(number, first_seed, stars, shift) for number in galaxy_numbers(field)], shift


def realistic_galaxies(field, first_seed, *, rms=None, stars=None, correct=list):
    """The galaxies of one field of the realistic suite, one of each kind.

    Parameters
    ----------
    field : int
        Number of the field.
    first_seed : int
    rms : float or None
        Of the common shifts, see `realistic_field`; None: images are not shifted.
    stars : dict or None
        PSFs of stars, see `draw_flaws`.
    correct : callable
        Function of a list of RealisticImages that returns a list of these: corrections of a whole field before pixels
        are selected, by default none.

    Returns
    -------
    list of Galaxy
    """
    if rms is None:
        images = [realistic_images(number, first_seed, stars) for number in galaxy_numbers(field)]
    else:
        images, _ = realistic_field(field, first_seed, rms, stars)
    return [with_truth(*each) for each in correct(images)]


def registered(images):
    """Measure and correct the registration of the images of a field, as in a survey.

    Parameters
    ----------
    images : list of RealisticImages

    Returns
    -------
    list of RealisticImages
    """
    places = np.column_stack([np.arange(len(images)), np.zeros(len(images))])  # all shifts are the same
    sources = measure_sources([with_sky_noise(each.cutout) for each in images], places)
    known = neighbourhood(sources) if len(sources.rows) else None
    result = []
    for each, place in zip(images, places, strict=True):
        found = registration_at(sources, *place, known)
        result.append(each._replace(cutout=aligned(each.cutout, found.correction)._replace(registration=found)))
    return result


def galaxy_numbers(field):
    """Numbers of the galaxies in one field of the realistic suite."""
    return range(field * len(REALISTIC_KINDS), (field + 1) * len(REALISTIC_KINDS))


class RealisticImages(NamedTuple):
    """A galaxy of the realistic suite before its pixels are selected."""

    name: str
    galaxy: SimulatedGalaxy  # with the true regions for the PSF of its images
    cutout: Cutout
    region_seds: np.ndarray  # (n_regions, n_bands), as observed


def realistic_images(number, first_seed, stars=None, shift=None):
    """Images of galaxy `number` of the realistic suite: all kinds, then again with other seeds.

    The true regions are those for the PSF of F444W, the true SEDs include the zero point errors of the images.

    Parameters
    ----------
    number : int
    first_seed : int
        Seeds count up from here.
    stars : dict or None
        PSFs of stars, see `draw_flaws`.
    shift : ndarray of shape (n_bands, 2) or None
        Shifts of the bands in its field, pixels.

    Returns
    -------
    RealisticImages
    """
    kind, again = REALISTIC_KINDS[number % len(REALISTIC_KINDS)], number // len(REALISTIC_KINDS)
    seed = first_seed + number
    galaxy = simulate_galaxy(
        kind.recipe,
        seed=seed,
        redshift=REDSHIFTS[(number // 2 + again) % len(REDSHIFTS)],
        peak_snr=kind.peak_snr,
        radius=RADII[(number + again) % len(RADII)],
        n_regions=kind.n_regions,
        contrast=kind.contrast,
    )
    rng = np.random.default_rng([seed, 1])  # independent of the noise
    flaws = draw_flaws(galaxy.bands, rng, stars)._replace(shift=shift)
    if stars is not None:
        galaxy = through_psf(galaxy, flaws.psfs.target)
    regions = f"{kind.n_regions} region{'s' * (kind.n_regions != 1)}"
    name = f"{kind.recipe}, {kind.contrast}, {regions}, SNR {kind.peak_snr:g}, seed {seed}"
    return RealisticImages(name, galaxy, observe_with_flaws(galaxy, flaws, seed), observed_seds(galaxy, flaws))


def with_truth(name, galaxy, cutout, region_seds):
    """Select the pixels of a cutout, and combine them with their truth to a `Galaxy`."""
    seds, mask = selected_seds(cutout)
    return Galaxy(name, seds, galaxy.region[mask], galaxy.share[mask], region_seds, mask.shape)


def selected_seds(cutout):
    """SEDs of the pixels above the SNR threshold, as for a real galaxy, and the mask of these pixels, (ny, nx)."""
    cutout = with_sky_noise(cutout)
    mask = select_pixels(cutout, median_snr(cutout), SNR_THRESH)
    return extract_seds(cutout, mask), mask


def decouple(galaxy, seed):
    """Control copy of a galaxy without blending, with brightness independent of region and position.

    Every pixel has the pure SED of its region, with the brightness of a random pixel of the galaxy, and white noise. A
    method that follows brightness or SNR finds nothing here. Errors of other methods are due to noise here, and to
    blending by the PSF if they occur only in the galaxy itself.
    """
    rng = np.random.default_rng(seed)
    brightness = rng.permutation(galaxy.seds.flux.mean(axis=1))
    clean = brightness[:, None] * galaxy.region_seds[galaxy.region - 1]
    flux, alone = clean + rng.normal(0, galaxy.seds.error), white_noise_correlation(len(galaxy.seds.bands))
    seds = galaxy.seds._replace(flux=flux, correlation=alone, derivatives=None)
    return galaxy._replace(seds=seds, share=np.ones(len(clean)), name=f"{galaxy.name}, decoupled")
