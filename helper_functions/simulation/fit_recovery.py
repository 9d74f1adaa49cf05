"""Recovery test of stellar population fits on simulated galaxies: python -m helper_functions.simulation.fit_recovery

Galaxies with the flaws of real mosaics are made of populations drawn from the priors of the fit, for which 68% credible
intervals should contain the truth in 68% of the cases. Their regions are found by `blended_mixture` without the truth,
and each is fitted, as is the integrated light of all selected pixels. Every fit is written as soon as it is finished:
the same command continues an interrupted test.
"""

import argparse
import json
import sys
import time
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import SYSTEMATIC
from helper_functions.files.saving import check_writable, save_figure, save_json, save_table
from helper_functions.fitting.bagpipes_fit import PRIORS, QUANTITIES, derived_quantities, fit_sed
from helper_functions.fitting.histories import SFHS
from helper_functions.fitting.sed_model import make_model
from helper_functions.job.processes import run_galaxies
from helper_functions.noise import error_of_sum, noise_correlation
from helper_functions.population_seds import population_seds
from helper_functions.products.photometry import photometry_of
from helper_functions.products.sed_tables import population_table
from helper_functions.psf import convolve_with_psf, make_psf, psf_area_pixels
from helper_functions.simulation.flaws import draw_flaws, observe_with_flaws
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS, pixel_noise, simulate_galaxy
from helper_functions.simulation.stellar_populations import Population, make_spectrum, photometry
from helper_functions.simulation.suites import RADII, REDSHIFTS, selected_seds
from plots.simulation.fit_recovery import truth_and_fits

METHOD = "blended_mixture"
REGIONS, PEAK_SNRS = (2, 3, 4), (50.0, 100.0, 200.0)
TO_MICROJANSKY = 0.01  # from 10 nJy
MASS = 1e9  # solar masses, of the spectra from which true masses are scaled
PURE = 0.6  # lowest fraction of the light of a cluster's pixels from one population for a fit
INTEGRATED = "integrated"
# Quantities, in log or linear, and the true difference above which two regions are compared in their order.
LOG, LINEAR = np.log10, np.asarray
COMPARED_QUANTITIES = {"a_v": (LINEAR, 0.2), "age": (LOG, 0.1), "ssfr": (LOG, 0.2), "mass": (LOG, 0.1)}  # mag and dex
QUIESCENT_SSFR = 1e-12  # 1 / yr: lower values are not compared in their order, as light is not sensitive to them
INTERVAL = (16, 50, 84)


class Target(NamedTuple):
    """An SED to fit, and the true properties of its population."""

    name: str  # a cluster's number, or INTEGRATED
    flux: np.ndarray  # (n_bands,), microjansky
    error: np.ndarray  # (n_bands,), including zero point errors
    shared: np.ndarray  # (n_errors, n_bands), errors correlated between bands
    truth: dict  # quantity -> value
    pure: float  # fraction of the light of its pixels from the population of the truth


def drawn_populations(number, redshift, rng):
    """Draw populations from the priors of the fit."""
    distributions = make_model(["f200w"], redshift, 0.0, SFHS["delayed"], PRIORS).distributions
    names = {name: prior.rvs(number, random_state=rng) for name, prior in distributions.items()}
    return [Population(**{name: float(x[n]) for name, x in names.items()}, history="delayed") for n in range(number)]


def true_quantities(population, redshift, flux, bands):
    """True quantities of a population, {name: value}, scaled to this flux in microjansky, mean over the bands."""
    spectrum = make_spectrum(population, redshift, mass=MASS)
    formed = MASS * flux / (photometry(spectrum, bands).mean() * TO_MICROJANSKY)
    model = make_model(bands[:1], redshift, 0.0, SFHS["delayed"], PRIORS)
    values = [getattr(population, name) for name in model.distributions]
    model.update(values)
    return derived_quantities(model, values, formed)


def drawn_galaxy(seed):
    """Redshift, SNR of the brightest pixel, and populations of a galaxy."""
    redshift, n_regions = REDSHIFTS[seed % len(REDSHIFTS)], REGIONS[seed % len(REGIONS)]
    snr = PEAK_SNRS[seed // len(REGIONS) % len(PEAK_SNRS)]
    return redshift, snr, drawn_populations(n_regions, redshift, np.random.default_rng([seed, 2]))


def targets_alone(seed):
    """SEDs of the single populations of the same galaxy, with known errors: see `fit_targets`.

    They test the fit alone; differences from the results for regions are due to the unmixing.
    """
    redshift, snr, drawn = drawn_galaxy(seed)
    rng, noise, found = np.random.default_rng([seed, 3]), pixel_noise(SURVEY_BANDS), []
    for number, population in enumerate(drawn, start=1):
        flux = photometry(make_spectrum(population, redshift, mass=MASS), SURVEY_BANDS) * TO_MICROJANSKY
        error = np.hypot(noise * np.median(flux / noise) / snr, SYSTEMATIC * flux)
        truth = true_quantities(population, redshift, flux.mean(), SURVEY_BANDS)
        observed = flux + error * rng.standard_normal(len(flux))
        found.append(Target(str(number), observed, error, np.zeros((1, len(flux))), truth, 1.0))
    counts = {"n_pixels": 0, "n_true": len(drawn), "n_found": len(drawn), "seconds": 0.0}
    return redshift, SURVEY_BANDS, found, counts


def fit_targets(seed):
    """Simulate a galaxy, and return the SEDs to fit: the clusters of mostly one population, and the integrated light.

    Of several clusters of the same population, only the first is used.

    Parameters
    ----------
    seed : int

    Returns
    -------
    redshift : float
    bands : tuple of str
    found : list of Target
    counts : dict
        n_pixels, n_true and n_found populations, and seconds of the clustering.
    """
    redshift, snr, drawn = drawn_galaxy(seed)
    galaxy = simulate_galaxy(
        "clumpy",
        seed=seed,
        redshift=redshift,
        peak_snr=snr,
        radius=RADII[seed % len(RADII)],
        n_regions=len(drawn),
        populations=drawn,
    )
    cutout = observe_with_flaws(galaxy, draw_flaws(galaxy.bands, np.random.default_rng([seed, 1])), seed)
    start = time.perf_counter()
    seds, mask = selected_seds(cutout)
    clustering = cluster_pixels(seds, method=METHOD)
    populations = population_seds(seds, clustering)
    seconds = time.perf_counter() - start

    light = np.array([convolve_with_psf(each, make_psf())[mask] for each in galaxy.light]) * TO_MICROJANSKY
    truths = [
        true_quantities(each, redshift, total, galaxy.bands)
        for each, total in zip(galaxy.populations, light.sum(axis=1), strict=True)
    ]
    table = population_table(populations, seds, psf_area_pixels(seds.pixel, seds.psf_fwhm))
    seds_of_regions = photometry_of(table, seed, METHOD).scaled_to_totals()
    found, taken = [], set()
    for k in range(clustering.n_clusters):
        of_each = light[:, clustering.labels == k + 1].sum(axis=1)
        region, pure = int(np.argmax(of_each)), float(of_each.max() / of_each.sum())
        if pure < PURE or region in taken:
            continue
        taken.add(region)
        found.append(Target(str(k + 1), *(each[k] for each in seds_of_regions), truths[region], pure))
    found.append(Target(INTEGRATED, *integrated_light(seds), combined_quantities(truths), 1.0))
    counts = {"n_pixels": len(seds.flux), "n_true": len(drawn), "n_found": clustering.n_clusters, "seconds": seconds}
    return redshift, galaxy.bands, found, counts


def integrated_light(seds):
    """Summed flux of all selected pixels and its errors, including zero points and background, as in `Target`."""
    total = np.nansum(seds.flux, axis=0)
    noise = error_of_sum(seds.error, np.ones(len(seds.flux)), seds.positions, noise_correlation(seds))
    background = 0 if seds.background_error is None else seds.background_error * len(seds.flux)
    error = np.sqrt(noise**2 + background**2 + (SYSTEMATIC * total) ** 2)
    return total * TO_MICROJANSKY, error * TO_MICROJANSKY, np.zeros((1, len(total)))


def combined_quantities(truths):
    """True quantities of the sum of several populations; mass-weighted means of intensive quantities."""
    formed = np.array([truth["mass_formed"] for truth in truths])
    sums = {name: sum(truth[name] for truth in truths) for name in ("mass", "mass_formed", "sfr")}
    means = {name: np.average([truth[name] for truth in truths], weights=formed) for name in QUANTITIES}
    return means | sums | {"ssfr": sums["sfr"] / sums["mass"]}


def fit_galaxy(seed, output, alone=False):
    """Run the missing fits of one galaxy, and write each to a file."""
    if (output / f"{seed}.json").exists():
        return
    redshift, bands, to_fit, counts = targets_alone(seed) if alone else fit_targets(seed)
    for target in to_fit:
        path = output / f"{seed}_{target.name}.json"
        if path.exists():
            continue
        start = time.process_time()
        fit = fit_sed(bands, target.flux, target.error, redshift, shared=target.shared, seed=seed)
        row = {"seed": seed, "target": target.name, "redshift": redshift, "pure": target.pure}
        row |= {"seconds": time.process_time() - start, "chi2": fit.chi2, "n_bands": fit.n_bands, "note": fit.note}
        for name in COMPARED_QUANTITIES:
            found = np.percentile(fit.samples[name], INTERVAL)
            row |= {f"{name}_{which}": float(x) for which, x in zip(INTERVAL, found, strict=True)}
            row[f"{name}_true"] = float(target.truth[name])
            row[f"{name}_rank"] = float(np.mean(fit.samples[name] < target.truth[name]))
        save_json(path, row)
    save_json(output / f"{seed}.json", counts)


# ---- evaluation ---------------------------------------------------------------


def read_fits(output):
    """Read the table of all finished fits, and that of the complete galaxies."""
    fits = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(output.glob("*_*.json"))]
    galaxies = [
        {"seed": int(path.stem)} | json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(output.glob("*.json"))
        if path.stem.isdigit()
    ]
    return Table(fits), Table(galaxies)


def interval_scores(fits):
    """Calibration of the credible intervals, for each quantity.

    Parameters
    ----------
    fits : Table
        Of regions.

    Returns
    -------
    Table
        Fraction of true values within 16 to 84%, its standard error, median and half the 16 to 84% range of the
        difference of the posterior median from the truth, the same of the pulls (that difference over half the
        interval), and the number of pairs of regions of a galaxy with the fraction in the right order.
    """
    rows = []
    for name, (scale, apart) in COMPARED_QUANTITIES.items():
        truth, *found = (scale(np.array(fits[f"{name}_{which}"])) for which in ("true", *INTERVAL))
        inside = (found[0] <= truth) & (truth <= found[2])
        off = found[1] - truth
        pull = off / np.maximum((found[2] - found[0]) / 2, np.finfo(float).tiny)
        seen = np.maximum([truth, found[1]], scale(QUIESCENT_SSFR)) if name == "ssfr" else [truth, found[1]]
        pairs = [
            np.prod([each[i] - each[j] for each in seen]) > 0
            for seed in np.unique(fits["seed"])
            for i, j in combinations(np.flatnonzero(fits["seed"] == seed), 2)
            if abs(seen[0][i] - seen[0][j]) > apart
        ]
        row = {"quantity": name, "n": len(fits), "inside": inside.mean()}
        row["inside_error"] = np.sqrt(0.68 * 0.32 / len(fits))
        row |= {"off": np.median(off), "off_spread": half_range(off), "pull": np.median(pull)}
        row |= {"pull_spread": half_range(pull), "pairs": len(pairs), "apart": apart}
        rows.append(row | {"in_order": np.mean(pairs) if pairs else np.nan})
    return Table(rows)


def half_range(values):
    """Half the range from the 16th to the 84th percentile: the standard deviation of a Gaussian."""
    return float(np.diff(np.percentile(values, [16, 84]))[0] / 2)


def masses(fits, galaxies):
    """Fitted mass of each galaxy whose populations were all found: summed over regions, and from the integrated light.

    Returns
    -------
    Table
        seed, and logarithms of fitted over true mass: `regions` and `integrated`.
    """
    rows = []
    for galaxy in galaxies:
        mine = fits[fits["seed"] == galaxy["seed"]]
        whole = np.array(mine["target"]) == INTEGRATED
        if whole.sum() == 1 and (~whole).sum() == galaxy["n_true"]:
            total = mine["mass_true"][whole][0]
            both = {"regions": mine["mass_50"][~whole].sum(), "integrated": mine["mass_50"][whole][0]}
            rows.append({"seed": galaxy["seed"]} | {name: np.log10(each / total) for name, each in both.items()})
    return Table(rows, names=("seed", "regions", "integrated"), dtype=(int, float, float))


def report(output):
    """Write and print the tables of all finished fits, and write the figure."""
    fits, galaxies = read_fits(output)
    if not len(fits):
        raise ValueError(f"there is no fit in {output}")
    regions = fits[np.array(fits["target"]) != INTEGRATED]
    found, weighed = interval_scores(regions), masses(fits, galaxies)
    save_table(output / "fits.ecsv", fits)
    save_table(output / "intervals.ecsv", found)
    save_table(output / "masses.ecsv", weighed)
    save_figure(output / "fits.png", truth_and_fits(regions), dpi=110)
    for table in (found, weighed):
        for name in table.colnames:
            if table[name].dtype.kind == "f":
                table[name].info.format = ".2f"
        print("\n".join(table.pformat(max_lines=-1, max_width=-1)))
    if len(galaxies):
        pure = len(regions[np.isin(regions["seed"], galaxies["seed"])])
        print(f"{len(galaxies)} galaxies: {pure} of {galaxies['n_true'].sum()} populations in a cluster that is theirs")
        print(f"pixels of a galaxy: {np.median(galaxies['n_pixels']):.0f}")
    print(f"seconds of a fit, median: {np.median(fits['seconds']):.0f}")


def main(arguments=None):
    """Command line: simulate and fit galaxies, and report; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.fit_recovery", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("fit_recovery_output"), help="folder to write to")
    parser.add_argument("--seeds", type=int, nargs=2, default=(70000, 70015), help="first and last seed")
    parser.add_argument("--jobs", type=int, default=1, help="galaxies worked on at a time")
    parser.add_argument("--alone", action="store_true", help="fit SEDs of single populations, with known errors")
    parser.add_argument("--report", action="store_true", help="only report the finished fits")
    given = parser.parse_args(arguments)
    try:
        first, last = given.seeds
        if not (0 <= first <= last and given.jobs >= 1):
            raise ValueError(f"want --seeds from 0 up, the first not above the last, and --jobs from 1, found {given}")
        check_writable(given.output)
        seeds = [] if given.report else range(first, last + 1)
        work = partial(fit_galaxy, output=given.output, alone=given.alone)
        for seed, result in tqdm(run_galaxies(work, seeds, jobs=given.jobs), total=len(seeds), unit="galaxy"):
            if isinstance(result, Exception):
                raise ValueError(f"galaxy {seed}: {result}") from result
        report(given.output)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
