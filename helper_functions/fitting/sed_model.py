"""Photometry of the stellar populations that bagpipes makes, per solar mass of stars that formed."""

from typing import NamedTuple

import numpy as np
import scipy  # whose `stats`, which takes long to load, comes with its first use
from astropy import units as u

from helper_functions.filters import load_filter
from helper_functions.fitting.bagpipes_setup import (
    HIGHEST_REDSHIFT,
    LOWEST_REDSHIFT,
    RESOLUTION,
    cosmology,
    import_bagpipes,
    wavelength_sampling,
)

SPEED_OF_LIGHT = 2.99792458e18  # Angstrom / s
MICROJANSKY = 1e-29  # erg / s / cm2 / Hz
REDSHIFT_REACH = 5.0  # standard deviations
# Edges of bins of bagpipes may not exceed its own age of the Universe, which it interpolates.
AGE_MARGIN = 0.9999


class Model(NamedTuple):
    """Photometry of one galaxy as a function of parameters."""

    galaxy: object  # bagpipes.model_galaxy
    history: object  # SFH
    distributions: dict  # parameter -> its prior, a frozen distribution of scipy.stats
    redshift: float  # where it is no parameter
    curves: list  # n_bands of sedpy Filter
    reach: np.ndarray  # (2,), shortest and longest wavelength of these curves, Angstrom
    weights: np.ndarray | None  # (n_wavelengths, n_bands), see `filter_weights`; None where the redshift is a parameter

    def update(self, values):
        """Give the model these values, shape (n_parameters,); return whether that can exist."""
        named = dict(zip(self.distributions, values, strict=True))
        self.galaxy.update(components(self.history, named, named.get("redshift", self.redshift)))
        return not self.galaxy.sfh.unphysical

    def photometry(self):
        """Flux in each band, microjansky per solar mass that formed, shape (n_bands,)."""
        weights = self.weights
        if weights is None:
            weights = filter_weights(self.galaxy.wavelengths * (1 + self.galaxy.sfh.redshift), self.curves)
        return self.galaxy.spectrum_full @ weights


def age_of_universe(redshift):
    """In Gyr."""
    return AGE_MARGIN * cosmology().age(redshift).to_value(u.Gyr)


def components(history, values, redshift):
    """A population of 1 solar mass in the words of bagpipes.

    Parameters
    ----------
    history : SFH
    values : dict
        metallicity, a_v, log_u and what the history has.
    redshift : float

    Returns
    -------
    dict
    """
    shape = {name: value for name, value in values.items() if name not in ("a_v", "log_u", "redshift")}
    return {
        "redshift": redshift,
        history.component: shape | history.fixed(age_of_universe(redshift)) | {"massformed": 0.0},
        "dust": {"type": "Calzetti", "Av": values["a_v"]},
        "nebular": {"logU": values["log_u"]},
    }


def filter_weights(wavelength, curves):
    """What spectra are multiplied by and summed up to give photometry: the mean over the photons that a filter counts.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wavelengths,)
        Angstrom, observed, rising.
    curves : sequence of n_bands sedpy Filter

    Returns
    -------
    ndarray of shape (n_wavelengths, n_bands)
        Microjansky per erg / s / cm2 / Angstrom.
    """
    width = np.gradient(wavelength)
    through = np.array([np.interp(wavelength, each.wavelength, each.transmission, 0, 0) for each in curves])
    mean = through * width * wavelength
    # The same mean of a spectrum that is flat at 1 microjansky per unit of frequency.
    flat = np.sum(through * width / wavelength, axis=1, keepdims=True) * SPEED_OF_LIGHT * MICROJANSKY
    return (mean / flat).T


def to_microjansky(wavelength, flux):
    """Flux per unit of frequency of a spectrum in erg / s / cm2 / Angstrom, at wavelengths in Angstrom."""
    return flux * wavelength**2 / SPEED_OF_LIGHT / MICROJANSKY


def redshift_prior(redshift, error):
    """Gaussian, within a few standard deviations and what bagpipes is set up for."""
    reach = REDSHIFT_REACH * error
    edges = np.array([max(redshift - reach, LOWEST_REDSHIFT), min(redshift + reach, HIGHEST_REDSHIFT)])
    return scipy.stats.truncnorm(*(edges - redshift) / error, loc=redshift, scale=error)


def make_model(bands, redshift, redshift_error, history, priors):
    """The model of a galaxy.

    Parameters
    ----------
    bands : sequence of n_bands str
    redshift, redshift_error : float
        With an error above zero the redshift is a parameter.
    history : SFH
    priors : dict
        See `bagpipes_fit.PRIORS`.

    Returns
    -------
    Model
    """
    bagpipes = import_bagpipes()
    curves = [load_filter(str(band)) for band in bands]
    free = {"redshift": redshift_prior(redshift, redshift_error)} if redshift_error > 0 else {}
    nearest, farthest = free["redshift"].support() if free else (redshift, redshift)
    distributions = {
        **history.distributions(priors, age_of_universe(nearest)),
        "metallicity": scipy.stats.loguniform(*priors["metallicity"]),
        "a_v": scipy.stats.uniform(priors["a_v"][0], np.ptp(priors["a_v"])),
        "log_u": scipy.stats.uniform(priors["log_u"][0], np.ptp(priors["log_u"])),
        **free,
    }
    start = {name: prior.median() for name, prior in distributions.items()}
    reach = np.array([min(each.wavelength[0] for each in curves), max(each.wavelength[-1] for each in curves)])
    # bagpipes samples finely from the first wavelength over 1 + max_redshift to the last: what the bands see at rest.
    last = max(reach[1] / (1 + nearest), 1.1 * reach[0])
    with wavelength_sampling(bagpipes, R_spec=RESOLUTION, max_redshift=max(farthest, redshift)):
        galaxy = bagpipes.model_galaxy(components(history, start, redshift), spec_wavs=np.linspace(reach[0], last, 5))
    galaxy.spec_wavs = None  # the spectrum at these wavelengths is not needed, and takes a third of the time
    weights = None if free else filter_weights(galaxy.wavelengths * (1 + redshift), curves)
    return Model(galaxy, history, distributions, redshift, curves, reach, weights)
