"""Model photometry of stellar populations by bagpipes, per solar mass formed."""

from typing import NamedTuple

import numpy as np
import scipy  # scipy.stats is imported at its first use, as it takes long
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
# Factor of the age of the Universe: bin edges may not exceed the value that bagpipes interpolates.
AGE_MARGIN = 0.9999


class Model(NamedTuple):
    """Photometry of one galaxy as a function of parameters."""

    galaxy: object  # bagpipes.model_galaxy
    history: object  # SFH
    distributions: dict  # parameter -> its prior, a frozen distribution of scipy.stats
    redshift: float  # where it is fixed
    curves: list  # n_bands of sedpy Filter
    reach: np.ndarray  # (2,), shortest and longest wavelength of these curves, Angstrom
    weights: np.ndarray | None  # (n_wavelengths, n_bands), see `filter_weights`; None where the redshift is a parameter

    def update(self, values):
        """Set the parameters of the model, shape (n_parameters,); return whether it is physical."""
        named = dict(zip(self.distributions, values, strict=True))
        self.galaxy.update(components(self.history, named, named.get("redshift", self.redshift)))
        return not self.galaxy.sfh.unphysical

    def photometry(self):
        """Flux in each band, microjansky per solar mass formed, shape (n_bands,)."""
        weights = self.weights
        if weights is None:
            weights = filter_weights(self.galaxy.wavelengths * (1 + self.galaxy.sfh.redshift), self.curves)
        return self.galaxy.spectrum_full @ weights


def age_of_universe(redshift):
    """Age of the Universe in Gyr, slightly reduced (AGE_MARGIN)."""
    return AGE_MARGIN * cosmology().age(redshift).to_value(u.Gyr)


def components(history, values, redshift):
    """Model components of bagpipes for a population of 1 solar mass.

    Parameters
    ----------
    history : SFH
    values : dict
        metallicity, a_v, log_u and the parameters of the history.
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
    """Weights of a spectrum in synthetic photometry: flux is spectrum @ weights, for photon-counting detectors.

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
    # The same mean of a spectrum with a constant f_nu of 1 microjansky.
    flat = np.sum(through * width / wavelength, axis=1, keepdims=True) * SPEED_OF_LIGHT * MICROJANSKY
    return (mean / flat).T


def to_microjansky(wavelength, flux):
    """Convert f_lambda in erg / s / cm2 / Angstrom to f_nu in microjansky, at wavelengths in Angstrom."""
    return flux * wavelength**2 / SPEED_OF_LIGHT / MICROJANSKY


def redshift_prior(redshift, error):
    """Gaussian prior of the redshift, truncated at a few standard deviations and at the range of bagpipes."""
    reach = REDSHIFT_REACH * error
    edges = np.array([max(redshift - reach, LOWEST_REDSHIFT), min(redshift + reach, HIGHEST_REDSHIFT)])
    return scipy.stats.truncnorm(*(edges - redshift) / error, loc=redshift, scale=error)


def make_model(bands, redshift, redshift_error, history, priors):
    """Set up the model of a galaxy and the priors of its parameters.

    Parameters
    ----------
    bands : sequence of n_bands str
    redshift, redshift_error : float
        With an error above zero the redshift is a free parameter.
    history : SFH
    priors : dict
        See `priors.PRIORS`.

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
    # bagpipes samples finely from the first wavelength over 1 + max_redshift to the last: the rest-frame range of the
    # bands.
    last = max(reach[1] / (1 + nearest), 1.1 * reach[0])
    with wavelength_sampling(bagpipes, R_spec=RESOLUTION, max_redshift=max(farthest, redshift)):
        galaxy = bagpipes.model_galaxy(components(history, start, redshift), spec_wavs=np.linspace(reach[0], last, 5))
    galaxy.spec_wavs = None  # the spectrum at these wavelengths is not needed, and takes a third of the time
    weights = None if free else filter_weights(galaxy.wavelengths * (1 + redshift), curves)
    return Model(galaxy, history, distributions, redshift, curves, reach, weights)
