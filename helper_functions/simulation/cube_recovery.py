"""Recovery test on spectral cubes without sky: python -m helper_functions.simulation.cube_recovery

An elliptical galaxy with filaments of line emission, such as the brightest of a cluster of galaxies, fills the field of
an integral-field spectrograph, and its cube is summed to bands. As no pixel shows the sky, errors are as stated, and
stated too small, as the covariance of the cube is neglected. The truth is the equivalent width of H alpha in each
pixel. A score is the part of its variance that clusters, or light fractions of populations, explain.
"""

import argparse
import sys
from functools import cache, partial
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from astropy import units as u
from scipy.spatial import cKDTree
from sedpy.observate import Filter

from helper_functions.clustering import cluster_pixels
from helper_functions.job.processes import run_galaxies
from helper_functions.pixel_seds import Cutout, PixelSEDs, extract_seds
from helper_functions.psf import convolve_with_psf
from helper_functions.quality.error_scale import scale_errors
from helper_functions.simulation.gradient_recovery import interpolated_seds
from helper_functions.simulation.recovery import UNMIXING_METHOD
from helper_functions.simulation.simulated_galaxy import make_wcs, rotated, smoothed_noise
from helper_functions.simulation.stellar_populations import (
    FLUX_DENSITY,
    Population,
    Spectrum,
    make_spectrum,
    photometry,
)

PIXEL = 0.2  # arcsec, side
PSF_FWHM, PSF_INDEX, MARGIN = 5, 2.5, 20  # seeing: pixels, and index of a Moffat profile; pixels around the field
SIZES, REDSHIFTS = (50, 60), (0.01, 0.2)  # ranges; pixels along an axis
EDGES = np.linspace(4800, 9300, 15)  # of the bands, Angstrom, observed
EFFECTIVE_RADIUS, CORE = 40, 3  # pixels, of a de Vaucouleurs profile whose centre is flat
NOISE_SMOOTHING = 0.5  # pixels: noise of neighbouring pixels has a correlation of 0.26
H_ALPHA, LINE_WIDTH = 6564.6, 200 / 3e5  # Angstrom, in vacuum; standard deviation, in units of the speed of light
WIDTHS, PEAKS, CONTRAST = (1.5, 3), (30, 100), 10  # of filaments: FWHM in pixels; widths in Angstrom; along a filament
SHARE = 0.3  # of the continuum on the ridge of a filament that has dust or young stars
# Lines with the ranges of their flux relative to H alpha, as in filaments of cool cores, and their members.
LINE_RATIOS = {
    "H alpha": ((1, 1), {H_ALPHA: 1}),
    "H beta": ((0.2, 0.33), {4862.7: 1}),
    "[OIII]": ((0.1, 0.8), {5008.2: 1, 4960.3: 1 / 2.98}),
    "[OI]": ((0.1, 0.3), {6302.0: 1, 6365.5: 1 / 3}),
    "[NII]": ((0.6, 1.5), {6585.3: 1, 6549.9: 1 / 3}),
    "[SII]": ((0.3, 0.5), {6718.3: 1, 6732.7: 0.8}),
}
IN_FILAMENTS = None, Population(8, 0.3, a_v=1), Population(0.1, 0.01)  # nothing else, dust, young stars


class Cube(NamedTuple):
    """Pixels of a simulated cube with the truth."""

    seds: PixelSEDs
    width: np.ndarray  # (n_pixels,), equivalent width of H alpha, Angstrom, rest frame
    factor: float  # stated errors, in units of the true ones


def metallicity_gradient(step):
    """Old population at a step, 0 to 1, from the centre outwards: younger and less metal-rich."""
    return Population(age=9 - 2 * step, tau=0.3, metallicity=2 * 0.4**step)


def dust_gradient(step):
    """Old population at a step, 0 to 1, from the centre outwards: less dust."""
    return Population(age=8, tau=0.3, metallicity=1.5, a_v=0.5 * (1 - step))


@cache
def cube_filters():
    """Top-hat filters between EDGES, by wavelength."""
    curve = np.pad(np.ones(1000), 1)  # sedpy wants edges of zero
    return tuple(
        Filter(f"{blue:.0f}-{red:.0f}", data=(np.linspace(blue, red, len(curve)), curve))
        for blue, red in pairwise(EDGES)
    )


def continuum_sed(population, redshift):
    """SED of a population without lines, (n_bands,), for a flux density of 1 per Angstrom at H alpha."""
    spectrum = make_spectrum(population, redshift)
    near = np.abs(spectrum.wavelength.to_value(u.AA) / (1 + redshift) - H_ALPHA) < 100
    return photometry(spectrum, cube_filters()) / np.median(spectrum.flux.to_value(FLUX_DENSITY)[near])


def line_sed(redshift, ratios):
    """SED of emission lines, (n_bands,), for an H alpha flux of 1; `ratios` by the names of LINE_RATIOS."""
    wavelength = np.arange(EDGES[0] - 50, EDGES[-1] + 50, 0.5)
    flux = np.full(len(wavelength), 1e-12)  # not 0, as sedpy takes logarithms
    for name, (_, members) in LINE_RATIOS.items():
        for at, share in members.items():
            centre, sigma = at * (1 + redshift), at * (1 + redshift) * LINE_WIDTH
            profile = np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
            flux = flux + ratios[name] * share * profile
    return photometry(Spectrum(wavelength * u.AA, flux * FLUX_DENSITY), cube_filters())


def filament(y, x, angle, length, rng):
    """Profile, 1 on the ridge, and equivalent width of H alpha there, of a curved filament from the centre outwards."""
    along = np.linspace(0.03, 1, 300)
    turned, (cycles, phase) = angle + rng.uniform(-1.2, 1.2) * along, rng.uniform((0.5, 0), (1.5, 1))
    curve = length * along[:, None] * np.column_stack([np.sin(turned), np.cos(turned)])
    distance, nearest = cKDTree(curve).query(np.stack([y, x], axis=-1))
    fall = 0.5 * (1 - np.cos(2 * np.pi * (cycles * along[nearest] + phase)))  # 0 to 1
    peak = np.exp(rng.uniform(*np.log(PEAKS)))
    return np.exp(-4 * np.log(2) * (distance / rng.uniform(*WIDTHS)) ** 2), peak * CONTRAST**-fall


def cube_light(seed, size=None, lines=1.0):
    """Light of a galaxy before the PSF.

    Parameters
    ----------
    seed : int
    size : int or None
        Pixels along an axis; None: drawn from SIZES.
    lines : float
        Factor of the strength of all lines; 0: none.

    Returns
    -------
    light : ndarray of shape (n_bands, ny, nx)
        With MARGIN pixels around the field.
    continuum, h_alpha : ndarray of shape (ny, nx)
        Flux density per Angstrom at H alpha, and flux of H alpha.
    redshift : float
    """
    rng = np.random.default_rng([seed, 6])
    size, redshift = size or rng.integers(*SIZES, endpoint=True), rng.uniform(*REDSHIFTS)
    y, x = np.indices((size + 2 * MARGIN,) * 2) - (size - 1) / 2 - MARGIN + rng.uniform(-3, 3, (2, 1, 1))
    across, main_axis = rotated(y, x, rng.uniform(0, np.pi))
    radius = np.hypot(across / rng.uniform(0.7, 0.95), main_axis)
    continuum = np.exp(-7.67 * (np.hypot(radius, CORE) / EFFECTIVE_RADIUS) ** 0.25)
    gradient = (metallicity_gradient, dust_gradient)[seed % 2]
    along = np.array([continuum_sed(gradient(step), redshift) for step in np.linspace(0, 1, 4)])
    shape, h_alpha, light = interpolated_seds(along, 2 * radius / size), 0.0, 0.0
    n_filaments, first = rng.integers(2, 4, endpoint=True), rng.uniform(0, 2 * np.pi)
    for number in range(n_filaments):
        angle = first + 2 * np.pi * (number + rng.uniform(-0.3, 0.3)) / n_filaments
        profile, width = filament(y, x, angle, rng.uniform(0.35, 0.6) * size, rng)
        ratios = {name: rng.uniform(*limits) for name, (limits, _) in LINE_RATIOS.items()}
        flux = lines * profile * width * (1 + redshift) * continuum
        h_alpha, light = h_alpha + flux, light + flux[..., None] * line_sed(redshift, ratios)
        if population := IN_FILAMENTS[(seed + number) % len(IN_FILAMENTS)]:
            shape = shape + SHARE * profile[..., None] * (continuum_sed(population, redshift) - shape)
    return (light + continuum[..., None] * shape).transpose(2, 0, 1), continuum, h_alpha, redshift


def moffat_psf():
    """PSF of the seeing, sum 1."""
    y, x = np.indices((2 * MARGIN + 1,) * 2) - MARGIN
    core = PSF_FWHM / (2 * np.sqrt(2 ** (1 / PSF_INDEX) - 1))
    psf = (1 + (x**2 + y**2) / core**2) ** -PSF_INDEX
    return psf / psf.sum()


def simulate_cube(seed, snr, factor, *, size=None, lines=1.0):
    """Observe a galaxy of `cube_light` in a field without sky.

    Parameters
    ----------
    seed : int
    snr : float
        Typical SNR of a pixel of median brightness in a band.
    factor : float
        Stated errors, in units of the true ones.
    size, lines
        See `cube_light`.

    Returns
    -------
    Cube
    """
    light, *maps, redshift = cube_light(seed, size, lines)
    inner, psf = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN], moffat_psf()
    clean = np.array([convolve_with_psf(each, psf)[inner] for each in light])
    continuum, h_alpha = (convolve_with_psf(each, psf)[inner] for each in maps)
    rng, typical = np.random.default_rng([seed, 7]), np.median(clean, axis=(1, 2))[:, None, None]
    # Half of the variance of a typical pixel is from its own photons; bands differ in their depth.
    error = np.sqrt((1 + clean / typical) / 2) * typical / (snr * rng.uniform(0.7, 1.3, typical.shape))
    noise = np.array([smoothed_noise(1, NOISE_SMOOTHING, continuum.shape, rng) for _ in clean]) * error
    bands, pivots = zip(*((each.name, each.wave_pivot) for each in cube_filters()), strict=True)
    everywhere, wcs = np.ones(continuum.shape, dtype=int), make_wcs(continuum.shape, PIXEL)
    images = np.array(pivots), clean + noise, factor * error, everywhere, (1,), wcs
    cutout = Cutout(1, redshift, bands, *images, psf_fwhm=PSF_FWHM * PIXEL, psf=psf)
    width = h_alpha / continuum / (1 + redshift)
    return Cube(extract_seds(cutout, everywhere > 0), width.ravel(), factor)


def explained(truth, model):
    """Part of the variance of the truth that a model explains, R^2; NaN where the truth does not vary."""
    variance = np.mean((truth - truth.mean()) ** 2)
    return float(1 - np.mean((truth - model) ** 2) / variance) if variance > 0 else np.nan


def cluster_means(truth, labels):
    """Mean truth of the cluster of each pixel; that of all pixels where a pixel has no label."""
    means = np.full(len(truth), truth.mean())
    for k in range(1, labels.max() + 1):
        means[labels == k] = truth[labels == k].mean()
    return means


def fraction_fit(truth, populations):
    """Linear regression of the truth on the light fractions of `Populations`, which sum to 1, at each pixel."""
    light = populations.light * populations.seds.mean(axis=1)
    fractions = light / light.sum(axis=1, keepdims=True)
    return fractions @ np.linalg.lstsq(fractions, truth, rcond=None)[0]


def score(cube):
    """Scores of a cube, {column of the table: value}."""
    seds = scale_errors(cube.seds)
    mixture, slices = (cluster_pixels(seds, method=method) for method in (UNMIXING_METHOD, "blended_slices"))
    same, four = (cluster_pixels(seds, method="kmeans", n_clusters=k) for k in (mixture.n_clusters, 4))
    r2_mixture, r2_slices, r2_same, r2_four = (
        explained(cube.width, cluster_means(cube.width, found.labels)) for found in (mixture, slices, same, four)
    )
    return {
        "scaled errors / true": cube.factor * np.median(seds.noise_scale),
        "`blended_mixture`: number": mixture.n_clusters,
        "`blended_mixture`: R2": r2_mixture,
        "light fractions: R2": explained(cube.width, fraction_fit(cube.width, mixture.populations)),
        "`kmeans`, same number: R2": r2_same,
        "`kmeans`, 4: R2": r2_four,
        "`blended_slices`: number": slices.n_clusters,
        "`blended_slices`: R2": r2_slices,
    }


def score_galaxy(seed, settings, background_only=False):
    """Scores of one galaxy for each (SNR, factor of the errors); see `main` for the options."""
    cubes = {setting: simulate_cube(seed, *setting) for setting in settings}
    if background_only:
        cubes = {each: cube._replace(seds=cube.seds._replace(derivatives=None)) for each, cube in cubes.items()}
    return {setting: score(cube) for setting, cube in cubes.items()}


def print_scores(found, settings):
    """Print the median and range over all galaxies of each score, a row for each setting."""

    def text(column, values):
        form = "g" if column.endswith("number") else ".2f"
        middle, lowest, highest = (f"{pick(values):{form}}" for pick in (np.median, np.min, np.max))
        return f"{middle} ({lowest} to {highest})"

    columns = list(found[0][settings[0]])
    print(f"| SNR | stated errors / true | {' | '.join(columns)} |")
    print("| --- | --- |" + " --- |" * len(columns))
    for setting in settings:
        cells = (text(column, [each[setting][column] for each in found]) for column in columns)
        print(f"| {setting[0]:g} | {setting[1]:g} | {' | '.join(cells)} |")


def main(arguments=None):
    """Print a table of scores; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.cube_recovery", description=__doc__)
    parser.add_argument("--galaxies", type=int, default=6, help="number of galaxies (default 6)")
    parser.add_argument("--seed", type=int, default=99000, help="first seed (default 99000)")
    parser.add_argument("--snr", type=float, nargs="+", default=[15, 30, 60], help="of a typical pixel in a band")
    parser.add_argument(
        "--error-factor", type=float, nargs="+", default=[0.5, 1], help="stated errors in units of the true ones"
    )
    parser.add_argument(
        "--background-only", action="store_true", help="no systematic errors of PSF and position are fitted"
    )
    parser.add_argument("--jobs", type=int, default=1, help="galaxies worked on at a time")
    given = parser.parse_args(arguments)
    positive = min(*given.snr, *given.error_factor) > 0
    if given.galaxies < 1 or given.jobs < 1 or given.seed < 0 or not positive:
        print("error: want --galaxies and --jobs of at least 1, --seed of at least 0, others above 0", file=sys.stderr)
        return 2
    settings, seeds = list(product(given.snr, given.error_factor)), range(given.seed, given.seed + given.galaxies)
    how = {"settings": settings, "background_only": given.background_only}
    found = dict(run_galaxies(partial(score_galaxy, **how), seeds, jobs=given.jobs))
    if problems := [each for each in found.values() if isinstance(each, Exception)]:
        raise problems[0]
    print_scores(list(found.values()), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
