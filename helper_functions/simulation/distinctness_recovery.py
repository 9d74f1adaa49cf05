"""Recovery test of `distinct`, which tells regions from gradients.

    python -m helper_functions.simulation.distinctness_recovery

Galaxies of four kinds, from sharp regions to gradients. The truth is the same figure of the noiseless light before the
PSF, with the fractions of the populations that the method found.
"""

import argparse
import sys

import numpy as np
from scipy.optimize import nnls

from helper_functions.clustering import cluster_pixels
from helper_functions.deconvolution import Deconvolution, distinctness
from helper_functions.population_seds import population_seds
from helper_functions.psf import make_psf
from helper_functions.simulation.gradient_recovery import GRADIENTS, gradient_galaxy, gradient_light
from helper_functions.simulation.simulated_galaxy import clean_snr, observe, observed_regions, simulate_galaxy
from helper_functions.simulation.suites import PEAK_SNRS, RADII, REDSHIFTS, REGIONS, selected_seds


def simulated(number, seed, recipe, sharp=False, **options):
    """Galaxy by a recipe; `sharp` gives all light of a pixel to the brightest population. See `GALAXIES`."""
    redshift, peak_snr = REDSHIFTS[number % len(REDSHIFTS)], PEAK_SNRS[number % len(PEAK_SNRS)]
    options |= {"radius": RADII[number % len(RADII)], "contrast": "distinct"}
    galaxy = simulate_galaxy(recipe, seed=seed, redshift=redshift, peak_snr=peak_snr, **options)
    if sharp:
        each = np.arange(len(galaxy.light))[:, None, None]
        light = galaxy.light.sum(axis=0) * (galaxy.light.argmax(axis=0) == each)
        region, share, maps = observed_regions(light, make_psf())
        flux = np.einsum("kb,kyx->byx", galaxy.region_seds, maps)
        scale = peak_snr / clean_snr(flux, galaxy.bands).max()
        galaxy = galaxy._replace(light=light * scale, flux=flux * scale, region=region, share=share)
    seds, mask = selected_seds(observe(galaxy, seed))
    return seds, np.einsum("kyx,kb->yxb", galaxy.light, galaxy.region_seds)[mask]


def with_gradient(number, seed):
    """Galaxy of a kind in GRADIENTS, in turn; see `GALAXIES`."""
    kind = list(GRADIENTS)[number % len(GRADIENTS)]
    seds, _, mask = gradient_galaxy(kind, seed, 1)
    return seds, gradient_light(kind, seed)[mask]


# Function of number and seed that returns PixelSEDs and the light of the pixels before the PSF, (n_pixels, n_bands).
GALAXIES = {
    "sharp regions": lambda number, seed: simulated(
        number, seed, "clumpy", sharp=True, n_regions=REGIONS[number % len(REGIONS)]
    ),
    "clumps with soft edges": lambda number, seed: simulated(
        number, seed, "clumpy", n_regions=REGIONS[number % len(REGIONS)]
    ),
    "a bulge in a disc": lambda number, seed: simulated(number, seed, "smooth"),
    "gradients of age or dust": with_gradient,
}


def measure(seds, light):
    """`distinct` as measured and in truth; None if a single population is found."""
    clustering = cluster_pixels(seds, method="blended_mixture")
    found = population_seds(seds, clustering)
    if found is None or len(found.flux) < 2:
        return None
    used, scale = clustering.bands_used, 1 / np.median(seds.error, axis=0)
    spectra = found.flux[:, used] * scale[used]
    truth = np.array([nnls(spectra.T, pixel)[0] for pixel in light[:, used] * scale[used]])
    exact = Deconvolution(found.flux[:, used], None, truth.T[..., None], None)
    return found.distinct, distinctness(exact)[0]


def main(arguments=None):
    """Print the figure and its truth for each kind of galaxy; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helper_functions.simulation.distinctness_recovery", description=__doc__
    )
    parser.add_argument("--n", type=int, default=12, help="galaxies of each kind (default 12)")
    parser.add_argument("--seed", type=int, default=97000, help="first seed (default 97000)")
    given = parser.parse_args(arguments)
    if given.n < 1 or given.seed < 0:
        print("error: want --n of at least 1 and --seed of at least 0", file=sys.stderr)
        return 2
    print("| galaxies | `distinct`, median (range) | truth | median difference |")
    print("| --- | --- | --- | --- |")
    for name, make in GALAXIES.items():
        each = [measure(*make(number, given.seed + number)) for number in range(given.n)]
        found, truth = np.array([pair for pair in each if pair is not None]).reshape(-1, 2).T
        if not len(found):
            print(f"| {name}: a single population | | | |")
            continue
        measured = f"{np.median(found):.2f} ({found.min():.2f} to {found.max():.2f})"
        actual = f"{np.median(truth):.2f} ({truth.min():.2f} to {truth.max():.2f})"
        print(f"| {name} | {measured} | {actual} | {np.median(np.abs(found - truth)):.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
