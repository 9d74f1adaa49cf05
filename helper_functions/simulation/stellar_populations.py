"""Spectra of stellar populations by bagpipes or FSPS."""

import os
import warnings
from functools import cache
from typing import NamedTuple

import numpy as np
from astropy import units as u
from sedpy.observate import getSED

from helper_functions.filters import load_filter
from helper_functions.fitting.bagpipes_setup import (
    HIGHEST_REDSHIFT,
    LOWEST_REDSHIFT,
    RESOLUTION,
    cosmology,
    import_bagpipes,
    wavelength_sampling,
)
from helper_functions.registry import choose

AB_ZERO_POINT = 28.9  # of the survey's flux unit, 10 nJy
SAMPLED = np.arange(3e3, 5.6e4, 10.0)  # Angstrom, observed: F435W to F480M
FLUX_DENSITY = u.erg / u.s / u.cm**2 / u.AA


# Star formation rate at a time t after the first stars: its name in bagpipes, and its number in FSPS.
HISTORIES = {
    "exponential": 1,  # exp(-t / tau)
    "delayed": 4,  # t exp(-t / tau)
}


class Population(NamedTuple):
    """Parameters of a stellar population with nebular emission and dust."""

    age: float  # Gyr since the first stars formed
    tau: float  # Gyr
    metallicity: float = 1.0  # of stars and gas, solar
    a_v: float = 0.0  # mag, Calzetti et al. (2000) attenuation of stars and lines
    log_u: float = -2.5  # ionisation parameter of the nebulae
    burst_fraction: float = 0.0  # fraction of the mass that formed in a burst
    burst_age: float = 0.01  # Gyr since that burst
    history: str = "exponential"  # a key of HISTORIES


class Spectrum(NamedTuple):
    """An observed spectrum."""

    wavelength: u.Quantity  # (n,), Angstrom, observed
    flux: u.Quantity  # (n,), erg / s / cm2 / Angstrom


def check_population(population, redshift):
    """Raise ValueError, with the valid range, for a population that is impossible at that redshift."""
    if not LOWEST_REDSHIFT <= redshift <= HIGHEST_REDSHIFT:
        raise ValueError(f"redshift must be {LOWEST_REDSHIFT} to {HIGHEST_REDSHIFT}, found {redshift}")
    choose(HISTORIES, population.history, "history of a population")
    oldest = cosmology().age(redshift).to_value(u.Gyr)
    limits = {
        "age": (1e-3, oldest, f"the Universe is {oldest:.3g} Gyr old at redshift {redshift:g}"),
        "tau": (1e-3, np.inf, "Gyr"),
        "metallicity": (0.005, 5, "solar"),
        "a_v": (0, np.inf, "mag"),
        "log_u": (-4, -0.5, "the range of the nebular models"),
        "burst_fraction": (0, 1, "share of the mass"),
        "burst_age": (1e-3, population.age, "a burst is younger than the population"),
    }
    for name, (lowest, highest, why) in limits.items():
        value = getattr(population, name)
        if not lowest <= value <= highest:
            raise ValueError(f"{name} of a population must be {lowest:g} to {highest:.3g} ({why}), found {value:g}")


def bagpipes_spectrum(population, redshift, mass):
    """Spectrum by bagpipes (Carnall et al. 2018): BC03 stars, Cloudy nebulae, Inoue et al. (2014) IGM."""
    has_burst = population.burst_fraction > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, for ages and wavelengths without light
        model = _bagpipes_model(has_burst, population.history)
        model.update(_bagpipes_components(population, redshift, mass))
    return model.wavelengths * (1 + redshift), model.spectrum_full.copy()


@cache
def _bagpipes_model(has_burst, history):
    """A model for these components, which take half a second to set up; its parameters can be updated."""
    bagpipes = import_bagpipes()
    population = Population(1.0, 1.0, burst_fraction=0.1 if has_burst else 0.0, history=history)
    with wavelength_sampling(bagpipes, R_spec=RESOLUTION):
        return bagpipes.model_galaxy(_bagpipes_components(population, 1.0, 1e9), spec_wavs=SAMPLED)


def _bagpipes_components(population, redshift, mass):
    """Model components of bagpipes for the population."""
    older = mass * (1 - population.burst_fraction)
    components = {
        "redshift": redshift,
        population.history: {
            "age": population.age,
            "tau": population.tau,
            "massformed": np.log10(older) if older else -99.0,
            "metallicity": population.metallicity,
        },
        "dust": {"type": "Calzetti", "Av": population.a_v},
        "nebular": {"logU": population.log_u},
    }
    if population.burst_fraction > 0:
        components["burst"] = {
            "age": population.burst_age,
            "massformed": np.log10(mass * population.burst_fraction),
            "metallicity": population.metallicity,
        }
    return components


def fsps_spectrum(population, redshift, mass):
    """Spectrum by FSPS (Conroy et al. 2009, through python-fsps): its own stars and nebulae, Madau (1995) IGM."""
    model = _fsps_model()
    settings = {
        "sfh": HISTORIES[population.history],
        "tau": population.tau,
        "logzsol": np.log10(population.metallicity),
        "gas_logz": np.log10(population.metallicity),
        "dust2": population.a_v / 1.086,  # optical depth at 5500 Angstrom
        "gas_logu": population.log_u,
        "zred": redshift,
        "fburst": population.burst_fraction,
        "tburst": population.age - population.burst_age,
    }
    for name, value in settings.items():
        model.params[name] = value
    wavelength, luminosity = model.get_spectrum(tage=population.age, peraa=True)  # L_sun / Angstrom for 1 M_sun
    distance = cosmology().luminosity_distance(redshift)
    flux = mass * luminosity * u.L_sun / u.AA / (4 * np.pi * distance**2 * (1 + redshift))
    return wavelength * (1 + redshift), flux.to_value(FLUX_DENSITY)


@cache
def _fsps_model():
    if not os.environ.get("SPS_HOME"):
        raise ValueError("engine fsps needs the FSPS data: set SPS_HOME to their folder, or use engine bagpipes")
    try:
        import fsps
    except ImportError as problem:
        raise ValueError("engine fsps needs python-fsps: pip install fsps, or use engine bagpipes") from problem
    # dust_type=2: Calzetti.
    return fsps.StellarPopulation(
        zcontinuous=1, dust_type=2, add_neb_emission=True, add_igm_absorption=True, imf_type=1
    )


ENGINES = {"bagpipes": bagpipes_spectrum, "fsps": fsps_spectrum}


def make_spectrum(population, redshift, *, engine="bagpipes", mass=1e9):
    """Observed spectrum of a stellar population.

    Parameters
    ----------
    population : Population
    redshift : float
    engine : str
        A key of ENGINES.
    mass : float
        Mass of the stars that formed, solar masses.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        For an unknown engine, one that is not installed, or a population that is impossible at that redshift.
    """
    function = choose(ENGINES, engine, "engine")
    check_population(population, redshift)
    wavelength, flux = function(population, redshift, mass)
    return Spectrum(wavelength * u.AA, flux * FLUX_DENSITY)


def photometry(spectrum, bands):
    """Flux densities of a spectrum through filters.

    Parameters
    ----------
    spectrum : Spectrum
    bands : sequence of n_bands str or sedpy Filter
        Names of the survey's bands, or other filters.

    Returns
    -------
    flux : ndarray of shape (n_bands,)
        10 nJy.
    """
    wavelength, flux = spectrum.wavelength.to_value(u.AA), spectrum.flux.to_value(FLUX_DENSITY)
    filters = [load_filter(band) if isinstance(band, str) else band for band in bands]
    return getSED(wavelength, flux, filterlist=filters, linear_flux=True) * 10 ** (0.4 * AB_ZERO_POINT)
