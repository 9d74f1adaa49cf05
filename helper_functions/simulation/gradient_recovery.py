"""Recovery test on galaxies whose SEDs change smoothly: python -m helper_functions.simulation.gradient_recovery

Such galaxies have no true number of regions. Each is observed twice with different noise. Scores of a method are the
residuals of noiseless pixels from its clusters, and the agreement between the two noise realisations.

With --distinct, `distinct` is measured in galaxies from sharp regions to gradients, and compared with its true value
from the noiseless light before the PSF in the populations that were found.
"""

import argparse
import sys
from functools import cache
from itertools import product

import numpy as np
from scipy.optimize import nnls
from sklearn.metrics import adjusted_rand_score

from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import best_fit_amplitude, composite_flux
from helper_functions.methods.deconvolution import Deconvolution, distinctness
from helper_functions.population_seds import population_seds
from helper_functions.psf import convolve_with_psf, make_psf
from helper_functions.registry import choose
from helper_functions.simulation.simulated_galaxy import (
    SURVEY_BANDS,
    SimulatedGalaxy,
    clean_snr,
    make_cutout,
    observe,
    observed_regions,
    pixel_grid,
    pixel_noise,
    simulate_galaxy,
    simulate_noise,
)
from helper_functions.simulation.stellar_populations import Population, make_spectrum, photometry
from helper_functions.simulation.suites import PEAK_SNRS, RADII, REDSHIFTS, REGIONS, selected_seds

REDSHIFT, RADIUS, PEAK_SNR = 1.5, 16.0, 60.0  # radius in pixels
STEPS = 9  # populations along a gradient, between which SEDs are interpolated
CLUMPS, CLUMP_SIZE = 3, 1.2  # number, and standard deviation in pixels
METHODS_COMPARED = ("blended_mixture", "blended_slices", "kmeans", "spectral")
NUMBERS = ("auto", 4, 5, 6)


def age_population(step):
    """Population at a step, 0 to 1, along a gradient of age from 80 Myr to 3 Gyr."""
    return Population(age=0.08 * (3 / 0.08) ** step, tau=0.3, metallicity=0.7, a_v=0.3)


def dust_population(step):
    """Population at a step, 0 to 1, along a gradient of A_V from 0 to 2."""
    return Population(age=0.5, tau=0.5, metallicity=0.7, a_v=2 * step)


@cache
def seds_along(population):
    """SEDs at STEPS steps along a gradient, mean 1, (STEPS, n_bands)."""
    spectra = [make_spectrum(population(step), REDSHIFT) for step in np.linspace(0, 1, STEPS)]
    seds = np.array([photometry(spectrum, SURVEY_BANDS) for spectrum in spectra])
    return seds / seds.mean(axis=1, keepdims=True)


def age_gradient(y, x, rng):
    """Light in each pixel and band, (ny, nx, n_bands), of a disc that is old in the centre and young outside."""
    distance = np.hypot(y, x)
    return exponential_disc(distance, 1 - distance / (1.3 * RADIUS), age_population)


def age_gradient_with_clumps(y, x, rng):
    """The same disc with young clumps."""
    light, young = age_gradient(y, x, rng), seds_along(age_population)[0]
    for _ in range(CLUMPS):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.8) * RADIUS
        squared = (y - distance * np.sin(angle)) ** 2 + (x - distance * np.cos(angle)) ** 2
        clump = 0.5 * np.exp(-2.5 * distance / RADIUS - squared / (2 * CLUMP_SIZE**2))
        light = light + clump[..., None] * young
    return light


def dust_across(y, x, rng):
    """A disc whose attenuation rises from one side to the other."""
    return exponential_disc(np.hypot(y, x), 0.5 + x / (2 * RADIUS), dust_population)


def exponential_disc(distance, step, population):
    """Light of an exponential disc with the SED at this step, clipped to 0 to 1, in each pixel."""
    return np.exp(-2.5 * distance / RADIUS)[..., None] * interpolated_seds(seds_along(population), step)


def interpolated_seds(along, step):
    """SED in each pixel, (ny, nx, n_bands), at this step, clipped to 0 to 1, between SEDs of (n_steps, n_bands)."""
    place = np.clip(step, 0, 1) * (len(along) - 1)
    lower = np.minimum(place.astype(int), len(along) - 2)
    share = (place - lower)[..., None]
    return (1 - share) * along[lower] + share * along[lower + 1]


GRADIENTS = {"age": age_gradient, "age, clumps": age_gradient_with_clumps, "dust": dust_across}


def gradient_light(kind, seed):
    """Light before the PSF in each pixel and band, (ny, nx, n_bands), of a galaxy of a kind in GRADIENTS."""
    rng = np.random.default_rng([seed, 5])
    y, x = pixel_grid(2 * RADIUS)
    angle, axis_ratio = rng.uniform(0, np.pi), rng.uniform(0.6, 0.9)
    along, across = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / axis_ratio
    return choose(GRADIENTS, kind, "gradient")(across, along, rng)


def gradient_galaxy(kind, seed, noise_seed):
    """Observe a galaxy of a kind in GRADIENTS.

    Returns
    -------
    seds : PixelSEDs
    clean : ndarray of shape (n_pixels, n_bands)
        Without noise, with the PSF, 10 nJy.
    mask : bool ndarray of shape (ny, nx)
    """
    light = gradient_light(kind, seed)
    clean = np.array([convolve_with_psf(each, make_psf()) for each in light.transpose(2, 0, 1)])
    sigma = pixel_noise(SURVEY_BANDS)
    clean *= PEAK_SNR / np.median(clean.max(axis=(1, 2)) / sigma)
    galaxy = SimulatedGalaxy._make([None] * len(SimulatedGalaxy._fields))
    galaxy = galaxy._replace(
        bands=SURVEY_BANDS, redshift=REDSHIFT, flux=clean, region=np.ones(light.shape[:2], dtype=int)
    )
    noise = simulate_noise(SURVEY_BANDS, light.shape[:2], np.random.default_rng([seed, noise_seed]))
    seds, mask = selected_seds(make_cutout(galaxy, clean + noise, sigma))
    return seds, clean[:, mask].T, mask


def lost(labels, clean, seds):
    """Rms difference of noiseless pixels from the best-fitting scaled mean SED of their cluster, in units of errors."""
    noiseless, residual = seds._replace(flux=clean), np.zeros(clean.shape)
    for k, composite in enumerate(composite_flux(noiseless, labels)[0], start=1):
        own = labels == k
        amplitude, _ = best_fit_amplitude(clean[own], seds.error[own], composite)
        residual[own] = clean[own] - amplitude[:, None] * composite
    return float(np.sqrt(np.mean((residual / seds.error)[labels > 0] ** 2)))


def score(kind, seed, runs):
    """Clusters found, loss, and ARI between two noise realisations, {(method, number): (n, loss, ARI)}."""
    twice = [gradient_galaxy(kind, seed, noise_seed) for noise_seed in (1, 2)]
    both, result = twice[0][2] & twice[1][2], {}
    for method, number in runs:
        labels = [cluster_pixels(seds, method=method, n_clusters=number).labels for seds, _, _ in twice]
        losses = [lost(each, clean, seds) for each, (seds, clean, _) in zip(labels, twice, strict=True)]
        common = [each[both[mask]] for each, (_, _, mask) in zip(labels, twice, strict=True)]
        n_found = np.mean([each.max() for each in labels])
        result[method, number] = n_found, np.mean(losses), adjusted_rand_score(*common)
    return result


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


def print_scores(n, seed):
    """Print the mean scores of each method and number over `n` galaxies of each kind."""
    runs = list(product(METHODS_COMPARED, NUMBERS))
    found = [score(kind, seed + number, runs) for kind in GRADIENTS for number in range(n)]
    print("| method | number asked for | number | lost, in units of the noise | ARI in other noise |")
    print("| --- | --- | --- | --- | --- |")
    for run in runs:
        n_found, loss, again = np.mean([each[run] for each in found], axis=0)
        print(f"| `{run[0]}` | {run[1]} | {n_found:.1f} | {loss:.2f} | {again:.2f} |")


def print_distinct(n, seed):
    """Print `distinct` and its truth for `n` galaxies of each of GALAXIES."""
    print("| galaxies | `distinct`, median (range) | truth | median difference |")
    print("| --- | --- | --- | --- |")
    for name, make in GALAXIES.items():
        each = [measure(*make(number, seed + number)) for number in range(n)]
        found, truth = np.array([pair for pair in each if pair is not None]).reshape(-1, 2).T
        if not len(found):
            print(f"| {name}: a single population | | | |")
            continue
        measured = f"{np.median(found):.2f} ({found.min():.2f} to {found.max():.2f})"
        actual = f"{np.median(truth):.2f} ({truth.min():.2f} to {truth.max():.2f})"
        print(f"| {name} | {measured} | {actual} | {np.median(np.abs(found - truth)):.2f} |")


def main(arguments=None):
    """Print a table of scores; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helper_functions.simulation.gradient_recovery", description=__doc__
    )
    parser.add_argument("--n", type=int, default=2, help="galaxies of each kind (default 2)")
    parser.add_argument("--seed", type=int, default=98000, help="first seed (default 98000)")
    parser.add_argument("--distinct", action="store_true", help="measure `distinct` instead")
    given = parser.parse_args(arguments)
    if given.n < 1 or given.seed < 0:
        print("error: want --n of at least 1 and --seed of at least 0", file=sys.stderr)
        return 2
    (print_distinct if given.distinct else print_scores)(given.n, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
