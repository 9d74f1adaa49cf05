"""Recovery test of the SED features: python -m helper_functions.simulation.feature_recovery

Stellar populations are drawn from wide priors, and features are measured in their photometry. The true value of each
feature is measured on the spectrum of the population by the feature's definition; that of A_V is the population's.
"""

import argparse
import sys
from typing import NamedTuple

import numpy as np
from astropy import units as u
from sedpy.observate import getSED

from helper_functions.composite_seds import SYSTEMATIC
from helper_functions.fitting.bagpipes_setup import cosmology
from helper_functions.fitting.line_ratios import CASE_B, LAWS, LOG_LUMINOSITY_PER_SFR, calzetti
from helper_functions.sed_features import (
    BESSELL_U,
    BESSELL_V,
    DETECTION_SNR,
    LINE_CENTRES,
    SED_FEATURES,
    TWOMASS_J,
    measure_features,
)
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS, pixel_noise
from helper_functions.simulation.stellar_populations import (
    FLUX_DENSITY,
    Population,
    make_spectrum,
    photometry,
)

REDSHIFTS = (0.5, 6.0)
SNR = (10.0, 50.0)  # median over the bands
MIN_BANDS = 20
STRONG = (10.0, 30.0, 100.0)  # rest-frame equivalent widths in Angstrom above which fluxes of lines are compared
ONE_SIGMA = (15.865, 84.135)  # percentiles
# Rest-frame windows in Angstrom for the true equivalent widths: the line, and line-free continuum on both sides.
LINE_WINDOWS = {
    "ew_oiii_hbeta": ((4835, 5035), (4760, 4835), (5035, 5110)),
    "ew_halpha_nii": ((6520, 6615), (6430, 6520), (6620, 6665)),
    "ew_paschen_beta": ((12770, 12870), (12660, 12770), (12870, 12980)),
    "ew_paschen_alpha": ((18680, 18830), (18480, 18680), (18830, 19020)),
}
UV_WINDOWS = (  # Angstrom: the ten of Calzetti et al. (1994), table 2, free of absorption lines
    *((1268, 1284), (1309, 1316), (1342, 1371), (1407, 1515), (1562, 1583)),
    *((1677, 1740), (1760, 1833), (1866, 1890), (1930, 1950), (2400, 2580)),
)


class Simulated(NamedTuple):
    """Photometry of a population with noise, and the true values of its features."""

    redshift: float
    bands: tuple  # n_bands names
    flux: np.ndarray  # (n_bands,), 10 nJy
    error: np.ndarray  # (n_bands,)
    truth: dict  # name in SED_FEATURES -> float


# ---- the truth --------------------------------------------------------------


def true_features(wavelength, flux):
    """Features of a spectrum by their definitions, {name in SED_FEATURES: float}, without those of `true_dust`.

    Parameters
    ----------
    wavelength, flux : ndarray of shape (n,)
        Rest frame, Angstrom; f_lambda, erg/s/cm2/Angstrom if fluxes of lines are to be right.
    """
    f_nu = flux * wavelength**2

    def mean(values, low, high):
        inside = (wavelength > low) & (wavelength < high)
        return np.trapezoid(values[inside], wavelength[inside]) / np.ptp(wavelength[inside])

    magnitude = dict(zip("UVJ", getSED(wavelength, flux, filterlist=[BESSELL_U, BESSELL_V, TWOMASS_J]), strict=True))
    fine = np.arange(1200, 2600, 0.5)
    uv = np.interp(fine, wavelength, flux)
    means = np.array([uv[(fine > low) & (fine < high)].mean() for low, high in UV_WINDOWS])
    centres = np.mean(UV_WINDOWS, axis=1)
    widths = {name: equivalent_width(wavelength, flux, *windows) for name, windows in LINE_WINDOWS.items()}
    return {
        "beta": np.polyfit(np.log(centres), np.log(means), 1)[0],
        "balmer_break": mean(f_nu, 4150, 4250) / mean(f_nu, 3400, 3600),
        "d4000": mean(f_nu, 4000, 4100) / mean(f_nu, 3850, 3950),
        **widths,
        **{name.replace("ew_", "flux_"): excess_flux(wavelength, flux, *LINE_WINDOWS[name]) for name in LINE_WINDOWS},
        "u_v": magnitude["U"] - magnitude["V"],
        "v_j": magnitude["V"] - magnitude["J"],
    }


def equivalent_width(wavelength, flux, line, blue, red):
    """Equivalent width, positive in emission, over the straight line through the medians of f_lambda on both sides.

    All wavelengths are in rest-frame Angstrom; stellar absorption is part of the line, as in photometry.
    """
    inside, continuum = _continuum(wavelength, flux, line, blue, red)
    return np.sum((flux[inside] / continuum - 1) * np.gradient(wavelength)[inside])


def excess_flux(wavelength, flux, line, blue, red):
    """Flux of a line over the continuum of `equivalent_width`."""
    inside, continuum = _continuum(wavelength, flux, line, blue, red)
    return np.sum((flux[inside] - continuum) * np.gradient(wavelength)[inside])


def _continuum(wavelength, flux, line, blue, red):
    """Where the line is, bool, (n,), and the continuum there."""
    sides = [(wavelength > low) & (wavelength < high) for low, high in (blue, red)]
    places, levels = [np.mean(window) for window in (blue, red)], [np.median(flux[side]) for side in sides]
    inside = (wavelength > line[0]) & (wavelength < line[1])
    return inside, np.interp(wavelength[inside], places, levels)


def true_dust(a_v, lines, redshift):
    """A_V and star formation rate by the definitions of the features, {name in SED_FEATURES: float}.

    A_V by another law than that of the population is the one with the same reddening between the two lines.

    Parameters
    ----------
    a_v : float
        By the law of Calzetti et al. (2000).
    lines : dict
        `true_features` of the spectrum without dust.
    redshift : float
    """
    area = 4 * np.pi * cosmology().luminosity_distance(redshift).to_value(u.cm) ** 2
    truth = {}
    for line, case_b in CASE_B.items():
        reddening = calzetti(LINE_CENTRES["halpha_nii"]) - calzetti(LINE_CENTRES[line])
        rate = area * case_b * lines[f"flux_{line}"] / 10**LOG_LUMINOSITY_PER_SFR
        for name, (law, _) in LAWS.items():
            ratio = reddening / (law(LINE_CENTRES["halpha_nii"]) - law(LINE_CENTRES[line]))
            truth |= {f"a_v_{line}_{name}": a_v * ratio, f"sfr_{line}_{name}": rate}
    return truth


# ---- simulated populations --------------------------------------------------


def draw_population(rng, redshift):
    """Draw a stellar population from wide priors, younger than the Universe at this redshift."""
    oldest = cosmology().age(redshift).to_value(u.Gyr)

    def between(low, high):
        return np.exp(rng.uniform(np.log(low), np.log(high)))

    age = between(0.01, 0.95 * oldest)
    burst = rng.random() < 0.3
    return Population(
        age=age,
        tau=between(0.03, 5),
        metallicity=between(0.1, 2),
        a_v=2.5 * rng.random() ** 2,
        log_u=rng.uniform(-3.5, -1.5),
        burst_fraction=between(0.003, 0.3) if burst else 0.0,
        burst_age=between(0.003, min(0.1, age)) if burst else 0.003,
    )


def simulate(seed, redshifts=REDSHIFTS):
    """Simulate a population: redshift within this range, stellar population, bands and noise are random."""
    rng = np.random.default_rng(seed)
    redshift = rng.uniform(*redshifts)
    population = draw_population(rng, redshift)
    spectrum, clear = (make_spectrum(each, redshift) for each in (population, population._replace(a_v=0.0)))
    chosen = rng.permutation(len(SURVEY_BANDS))[: rng.integers(MIN_BANDS, len(SURVEY_BANDS) + 1)]
    bands = tuple(np.array(SURVEY_BANDS)[np.sort(chosen)].tolist())
    clean = photometry(spectrum, bands)
    noise = pixel_noise(bands)
    noise = noise * np.median(clean / noise) / np.exp(rng.uniform(*np.log(SNR)))
    error = np.hypot(noise, SYSTEMATIC * clean)
    truth, without_dust = (
        true_features(
            each.wavelength.to_value(u.AA) / (1 + redshift), each.flux.to_value(FLUX_DENSITY) * (1 + redshift)
        )
        for each in (spectrum, clear)
    )
    truth |= true_dust(population.a_v, without_dust, redshift)
    return Simulated(redshift, bands, rng.normal(clean, error), error, truth)


# ---- scores -----------------------------------------------------------------


def recover(seeds, redshifts=REDSHIFTS):
    """Measure the features of simulated populations in this range of redshift.

    Returns
    -------
    dict
        Name in SED_FEATURES -> truth, value, error: ndarray of shape (n_seeds, 3).
    """
    rows = {name: [] for name in SED_FEATURES}
    for seed in seeds:
        each = simulate(seed, redshifts)
        found = measure_features(each.flux[None], each.error[None], each.bands, each.redshift)
        for name, (value, error, _) in found.items():
            rows[name].append((each.truth[name], value[0], error[0]))
    return {name: np.array(values) for name, values in rows.items()}


def scores(truth, value, error, relative=False):
    """Fraction measured, bias, scatter, spread of pulls and fraction within 1 sigma; arguments of shape (n,).

    With `relative`, bias, scatter and error are relative to the truth.
    """
    known = np.isfinite(value)
    if not known.any():
        return {"n": len(value), "measured": 0.0} | dict.fromkeys(
            ("bias", "scatter", "error", "pull", "within"), np.nan
        )
    off = (value - truth)[known]
    pulls = off / error[known]
    unit = np.abs(truth[known]) if relative else 1
    return {
        "n": len(value),
        "measured": known.mean(),
        "bias": np.median(off / unit),
        "scatter": np.ptp(np.percentile(off / unit, ONE_SIGMA)) / 2,
        "error": np.median(error[known] / unit),
        "pull": np.ptp(np.percentile(pulls, ONE_SIGMA)) / 2,
        "within": np.mean(np.abs(pulls) < 1),
    }


def recovery_table(found, rng):
    """Markdown table of the scores; the last column is a control, with the true values of other populations.

    Those of features that depend on how bright a galaxy is are relative to the truth.
    """
    heading = "feature | measured | truth, 16 to 84% | bias | scatter | median error | spread of pulls | within 1 sigma"
    lines = [f"| {heading} | control |", "|" + " --- |" * 9]
    for name, rows in found.items():
        truth, value, error = rows.T
        score = scores(truth, value, error, relative=SED_FEATURES[name].spread == 0)
        known = np.isfinite(value)
        shuffled = scores(rng.permutation(truth[known]), value[known], error[known])
        low, high = np.percentile(truth[known], ONE_SIGMA) if known.any() else (np.nan, np.nan)
        lines.append(
            f"| `{name}` | {known.sum()} of {score['n']} | {low:.3g} to {high:.3g} | {score['bias']:+.2g} | "
            f"{score['scatter']:.2g} | {score['error']:.2g} | {score['pull']:.2f} | {score['within']:.0%} | "
            f"{shuffled['within']:.0%} |"
        )
    return "\n".join(lines)


def dex_table(found):
    """Markdown table of the scatter of line fluxes, in dex, for lines above each width of STRONG.

    Fluxes that are not positive count as a thousandth of the truth; bias is that of lines above 2 sigma.
    """
    heading = "flux | width above | covered | above 2 sigma | scatter, all | scatter, above 2 sigma | bias"
    lines = [f"| {heading} |", "|" + " --- |" * 7]
    for width in LINE_WINDOWS:
        name = width.replace("ew_", "flux_")
        for least in STRONG:
            truth, value, error = found[name][(found[width][:, 0] > least) & np.isfinite(found[name][:, 1])].T
            off, seen = np.log10(np.maximum(value / truth, 1e-3)), value > DETECTION_SNR * error
            if seen.any():
                scatters = [np.ptp(np.percentile(each, ONE_SIGMA)) / 2 for each in (off, off[seen])]
                words = f"{least:g} | {len(off)} | {seen.sum()} | {scatters[0]:.2f} | {scatters[1]:.2f}"
                lines.append(f"| `{name}` | {words} | {np.median(off[seen]):+.2f} |")
    return "\n".join(lines)


def main(arguments=None):
    """Print the table for the seeds that the command line gives; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.feature_recovery", description=__doc__)
    parser.add_argument("--n", type=int, default=400, help="number of populations (default 400)")
    parser.add_argument("--seed", type=int, default=60000, help="first seed (default 60000)")
    parser.add_argument("--redshifts", type=float, nargs=2, default=REDSHIFTS, help="range (default 0.5 6)")
    given = parser.parse_args(arguments)
    if given.n < 1 or given.seed < 0:
        print("error: want --n of at least 1 and --seed of at least 0", file=sys.stderr)
        return 2
    found = recover(range(given.seed, given.seed + given.n), given.redshifts)
    print(recovery_table(found, np.random.default_rng(given.seed)), dex_table(found), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
