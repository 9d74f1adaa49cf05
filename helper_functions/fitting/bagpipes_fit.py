"""Bayesian fit of a stellar population to an SED: posterior of mass, age, star formation rate, dust and metallicity.

Models are those of bagpipes (Carnall et al. 2018, MNRAS 480, 4379): BC03 stars (version of 2016) with a Kroupa initial
mass function, Cloudy nebulae, Calzetti et al. (2000) dust, Inoue et al. (2014) intergalactic medium. The posterior is
sampled by nautilus (Lange 2023, MNRAS 525, 3181). The likelihood is Gaussian in flux.

The mass only scales a spectrum, and is not sampled: the likelihood of the other parameters is marginalised over it, and
each sample gets a mass drawn from its conditional posterior.

Errors that bands share in proportion to their fluxes are errors of the brightness. In a covariance built from the data
they would pull the model below all of them (D'Agostini 1994, Nucl. Instrum. Meth. A 346, 306): a fainter model makes
the scatter between bands smaller, too. So they are a factor with a log-normal prior instead, see `split_shared`: a fit
without them is exact, as the prior of the mass is flat in its logarithm, and the masses scatter by the factor.
"""

import warnings
from typing import NamedTuple

import numpy as np
import scipy  # scipy.stats is imported at its first use, as it takes long
from scipy.special import logsumexp

from helper_functions.fitting.bagpipes_setup import HIGHEST_REDSHIFT, LOWEST_REDSHIFT
from helper_functions.fitting.histories import SFHS
from helper_functions.fitting.priors import PRIORS, check_priors
from helper_functions.fitting.sed_model import age_of_universe, make_model, to_microjansky
from helper_functions.registry import choose

# Number of free parameters of the delayed history, including the mass. The non-parametric one has more, but they are
# strongly correlated by its prior.
MIN_BANDS = 6
MIN_SNR = 2.0  # of at least one band
# These take a sixth of the time of the defaults of nautilus, and give the same 16, 50 and 84% to 0.1 of their spread.
N_LIVE, N_NETWORKS, N_EFFECTIVE = 200, 1, 1000
# Consecutive draws with too few points: at most 300 in fits that converge, and thousands in those that hardly do.
MAX_FAILED_DRAWS, ATTEMPTS, MORE_NETWORKS = 1500, 3, 4
N_SAMPLES = 1000  # of the posterior
N_TIMES = 150  # of the grid of lookback times
FIRST_TIME = 1e-3  # Gyr
LOG_ZERO = -1e100  # log likelihood of models that do not exist
MASS_GRID, MASS_REACH = 128, 8.0  # grid points, and range in standard deviations, of the integral over the mass
PERCENTILES = (16, 50, 84)
# A posterior is reported to pile up at the bound of a prior if more than EDGE_SHARE of it is in the outer EDGE of the
# range.
EDGE, EDGE_SHARE = 0.05, 0.3
POOR = 1e-3  # probability of a larger chi2 below which a fit is called poor
# Deviation of the mean flux of the model from that of the data that is reported, as a fraction, if above OFF_SIGMA.
OFF, OFF_SIGMA = 0.1, 3.0


class Quantity(NamedTuple):
    """A physical property of a population."""

    unit: str
    meaning: str


QUANTITIES = {
    "mass": Quantity("solMass", "stellar mass, including remnants"),
    "mass_formed": Quantity("solMass", "total stellar mass formed"),
    "age": Quantity("Gyr", "mass-weighted mean age of the stars"),
    "sfr": Quantity("solMass / yr", "star formation rate, mean over the last 100 Myr"),
    "ssfr": Quantity("1 / yr", "specific star formation rate: star formation rate over stellar mass"),
    "a_v": Quantity("mag", "attenuation at 5500 Angstrom, of stars and lines"),
    "metallicity": Quantity("", "metallicity of stars and gas, in units of solar"),
    "log_u": Quantity("", "log10 of the ionisation parameter of the nebulae"),
    "redshift": Quantity("", "redshift"),
}


class Fit(NamedTuple):
    """Posterior of the stellar population of an SED."""

    samples: dict  # quantity -> (n_samples,), equally weighted posterior samples; masses and rates linear
    lookback: np.ndarray  # (n_times,), Gyr
    sfh: np.ndarray  # (3, n_times), solar masses per year, 16th, 50th and 84th percentile
    wavelengths: np.ndarray  # (n_wavelengths,), observed, Angstrom
    spectrum: np.ndarray  # (n_wavelengths,), microjansky, of the best-fit sample
    # (3, n_bands), microjansky, 16th, 50th and 84th percentile, also in bands without data; of the SED as bright as it
    # was observed, while masses, rates and `sfh` have the error of the brightness.
    model: np.ndarray
    chi2: float  # of the best-fit sample
    n_bands: int  # with data
    note: str  # caveats for a user, sentences without a full stop, joined by "; "; empty for none


def fit_sed(
    bands,
    flux,
    error,
    redshift,
    *,
    shared=(),
    redshift_error=0.0,
    sfh="delayed",
    priors=PRIORS,
    n_live=N_LIVE,
    seed=0,
):
    """Fit a stellar population model to an SED.

    Parameters
    ----------
    bands : sequence of n_bands str
    flux, error : array_like of shape (n_bands,)
        Microjansky; NaN where there is no data. `error` must include zero point errors: these are independent between
        bands, so that in proportion s to the data they lower a model by 2 s^2 only, 0.08% for s = 2%.
    redshift : float
    shared : array_like of shape (n_errors, n_bands)
        Errors fully correlated between bands, in addition to `error`: one standard deviation each, microjansky. See
        `split_shared`.
    redshift_error : float
        Standard deviation; 0 keeps the redshift fixed.
    sfh : str
        A key of SFHS.
    priors : dict
        Lowest and highest value by parameter; those of PRIORS for parameters that are not given.
    n_live : int
        Live points of the sampler.
    seed : int

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        For fewer than MIN_BANDS bands with data, no band above MIN_SNR, errors that are not positive, a redshift that
        is unknown or out of range, invalid priors, a band without a filter curve, or without bagpipes installed.
    """
    flux, error = check_photometry(bands, flux, error)
    check_redshift(redshift, redshift_error)
    history = choose(SFHS, sfh, "SFH")
    priors = check_priors(priors)
    has_data = np.isfinite(flux)
    seen, sigma = flux[has_data], error[has_data]
    brightness_error, shared = split_shared(seen, sigma, np.reshape(shared, (-1, len(flux)))[:, has_data])
    data = Data(seen, sigma, whitening(sigma, shared), brightness_error)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bagpipes, about unphysical models: they get zero likelihood
        model = make_model(bands, redshift, redshift_error, history, priors)
        points = sample_posterior(model, has_data, data, priors["mass"], n_live, seed)
        return summarise(model, points, has_data, data, priors, np.random.default_rng(seed))


class Data(NamedTuple):
    """Photometry of the bands with data, and its covariance."""

    flux: np.ndarray  # (n_bands,), microjansky
    error: np.ndarray  # (n_bands,), independent errors, microjansky
    whitener: np.ndarray  # (n_bands, n_bands), see `whitening`
    brightness_error: float = 0.0  # of the natural logarithm, see `split_shared`

    def whiten(self, flux):
        """Transform fluxes, (n_bands,), to independent errors of 1."""
        return self.whitener @ flux


def split_shared(flux, error, shared):
    """Split errors that bands share into an error of the brightness and errors of the shape of an SED.

    Parameters
    ----------
    flux, error : ndarray of shape (n_bands,)
        And independent errors.
    shared : ndarray of shape (n_errors, n_bands)

    Returns
    -------
    brightness_error : float
        Relative: the parts of all errors that are proportional to the flux, in quadrature.
    shape_errors : ndarray of shape (n_errors, n_bands)
        What is left, orthogonal to the flux in units of the errors: it changes colours only.
    """
    weighted = flux / error**2
    parts = shared @ weighted / (flux @ weighted)
    return float(np.linalg.norm(parts)), shared - np.outer(parts, flux)


def whitening(error, shared):
    """Whitening matrix: inverse Cholesky factor of the covariance, which transforms fluxes to independent errors of 1.

    Parameters
    ----------
    error : ndarray of shape (n_bands,)
        Independent errors.
    shared : ndarray of shape (n_errors, n_bands)
        Correlated errors s: the covariance is diag(error^2) + sum of s s^T over these.

    Returns
    -------
    ndarray of shape (n_bands, n_bands)
    """
    return np.linalg.inv(np.linalg.cholesky(np.diag(error**2) + shared.T @ shared))


# ---- checks of the input ----------------------------------------------------


def check_photometry(bands, flux, error):
    """Flux and error as arrays, both NaN where either is; ValueError where they cannot be fitted."""
    flux, error = np.array(flux, dtype=float), np.array(error, dtype=float)
    if not flux.shape == error.shape == (len(bands),):
        raise ValueError(f"want a flux and an error for each of {len(bands)} bands, found {flux.shape}, {error.shape}")
    has_data = np.isfinite(flux) & np.isfinite(error)
    n_bands = int(has_data.sum())
    if n_bands < MIN_BANDS:
        raise ValueError(
            f"{n_bands} bands with data are too few to fit stellar populations: "
            f"the model has {MIN_BANDS} free parameters and needs as many bands"
        )
    if not (error[has_data] > 0).all():
        bad = [str(band) for band, wrong in zip(bands, has_data & ~(error > 0), strict=True) if wrong]
        raise ValueError(f"errors must be above zero, which those of {', '.join(bad)} are not")
    if not (flux[has_data] > 0).any():
        raise ValueError("all fluxes are negative or zero: there is no light to fit")
    highest = np.max(flux[has_data] / error[has_data])
    if highest < MIN_SNR:
        raise ValueError(f"no band has a SNR of {MIN_SNR:g} or more, the highest is {highest:.2g}: nothing to fit")
    return np.where(has_data, flux, np.nan), np.where(has_data, error, np.nan)


def check_redshift(redshift, redshift_error):
    """Raise ValueError for a redshift that is unknown or out of the range of bagpipes, or an invalid error."""
    if redshift is None or not np.isfinite(redshift):
        raise ValueError("the redshift is not known: without it there is no mass, no age and no SFR")
    if not LOWEST_REDSHIFT <= redshift <= HIGHEST_REDSHIFT:
        raise ValueError(
            f"redshift must be {LOWEST_REDSHIFT:g} to {HIGHEST_REDSHIFT:g}, which bagpipes is set up for, "
            f"found {redshift:g}"
        )
    if not (np.isfinite(redshift_error) and redshift_error >= 0):
        raise ValueError(f"the error of the redshift must be 0 (fixed) or more, found {redshift_error:g}")


# ---- sampling ---------------------------------------------------------------


class SamplerStalled(Exception):
    """The sampler rejects nearly all points that it draws."""


class BoundedGenerator(np.random.Generator):
    """Random number generator for nautilus that stops it when it rejects nearly all points.

    nautilus draws from regions around the best points until enough of them are in unexplored parts. For a narrow,
    strongly curved posterior these can be so small that this takes hours.
    """

    failed_draws = 0  # draws since the last evaluation of the likelihood

    def multinomial(self, *arguments, **options):  # the first call of each draw of nautilus
        self.failed_draws += 1
        if self.failed_draws > MAX_FAILED_DRAWS:
            raise SamplerStalled
        return super().multinomial(*arguments, **options)


def sample_posterior(model, has_data, data, log_mass_range, n_live, seed):
    """Equally weighted posterior samples of the parameters without the mass, shape (N_SAMPLES, n_parameters).

    Raises
    ------
    ValueError
        Where the sampler does not converge, not even with more live points and neural networks.
    """
    for attempt in range(ATTEMPTS):
        try:
            networks = N_NETWORKS if attempt == 0 else MORE_NETWORKS
            return run_sampler(model, has_data, data, log_mass_range, n_live * 2**attempt, networks, seed + attempt)
        except SamplerStalled:
            continue
    raise ValueError(f"the sampler did not converge in {ATTEMPTS} attempts: the posterior is too narrow or too curved")


def run_sampler(model, has_data, data, log_mass_range, n_live, n_networks, seed):
    """One attempt of `sample_posterior`."""
    import nautilus  # imported here, as it takes long and only fits need it

    prior = nautilus.Prior()
    for name, distribution in model.distributions.items():
        prior.add_parameter(name, distribution)

    patience = BoundedGenerator(np.random.PCG64(seed))

    def log_likelihood(points):
        patience.failed_draws = 0
        return np.array([log_evidence(model, values, has_data, data, log_mass_range) for values in points])

    sampler = nautilus.Sampler(
        prior,
        log_likelihood,
        n_live=n_live,
        n_networks=n_networks,
        vectorized=True,
        pass_dict=False,
        seed=seed,
    )
    sampler.rng = patience
    sampler.run(n_eff=N_EFFECTIVE)
    points, log_weight, _ = sampler.posterior()
    weight = np.exp(log_weight - logsumexp(log_weight))
    return points[systematic_draws(weight, N_SAMPLES, np.random.default_rng(seed))]


def systematic_draws(weight, n_draws, rng):
    """Systematic resampling (Kitagawa 1996, J. Comput. Graph. Stat. 5, 1): indices drawn by weights of sum 1.

    It has a lower variance than independent draws.
    """
    positions = (np.arange(n_draws) + rng.random()) / n_draws
    return np.minimum(np.searchsorted(np.cumsum(weight), positions), len(weight) - 1)


def log_evidence(model, values, has_data, data, log_mass_range):
    """Log likelihood of these parameters, marginalised over the mass."""
    if not model.update(values):
        return LOG_ZERO
    photometry = model.photometry()[has_data]
    if not np.isfinite(photometry).all():
        return LOG_ZERO
    log_mass, log_density = mass_posterior(data.whiten(photometry), data.whiten(data.flux), log_mass_range)
    result = logsumexp(log_density) + np.log(log_mass[1] - log_mass[0])
    return result if np.isfinite(result) else LOG_ZERO


def mass_posterior(photometry, flux, log_mass_range):
    """Conditional posterior of the mass, given the other parameters.

    The model flux is m p, with p that of one solar mass: chi2(m) = chi2(best) + ((m - best) / sigma)^2, where, in units
    of the errors, best = sum(f p) / sum(p^2) and sigma = sum(p^2)^-1/2.

    Parameters
    ----------
    photometry : ndarray of shape (n_bands,)
        Per solar mass formed, in units of the errors: see `whitening`.
    flux : ndarray of shape (n_bands,)
        Likewise.
    log_mass_range : (float, float)
        Of the prior, log10 of solar masses.

    Returns
    -------
    log_mass : ndarray of shape (MASS_GRID,)
        Natural logarithm, equally spaced over the range with probability.
    log_density : ndarray of shape (MASS_GRID,)
        -chi2 / 2 less the logarithm of the range of the prior.
    """
    sigma = 1 / np.sqrt(max(photometry @ photometry, np.finfo(float).tiny))
    best = photometry @ flux * sigma**2
    lowest, highest = np.log(10) * np.array(log_mass_range)
    edges = np.clip([best - MASS_REACH * sigma, best + MASS_REACH * sigma], np.exp(lowest), np.exp(highest))
    low, high = np.log(edges)
    # If the best mass is far outside of the prior, the posterior is at its bound.
    width = 1e-3
    low, high = min(low, highest - width), max(high, lowest + width)
    log_mass = np.linspace(low, max(high, low + width), MASS_GRID)
    least = flux @ flux - (best / sigma) ** 2
    return log_mass, -0.5 * (least + ((np.exp(log_mass) - best) / sigma) ** 2) - np.log(highest - lowest)


def draw_mass(log_mass, log_density, rng):
    """Draw a mass from `mass_posterior`, solar masses formed."""
    density = np.exp(log_density - log_density.max())
    below = np.cumsum(density) - density / 2  # cumulative distribution at the grid points
    return np.exp(np.interp(rng.random() * density.sum(), below, log_mass))


# ---- derived quantities -----------------------------------------------------


def summarise(model, points, has_data, data, priors, rng):
    """`Fit` from posterior samples of the parameters."""
    lookback = lookback_grid(model)
    rows, sfh, photometry, chi2 = [], [], [], []
    best_spectrum = None
    for values in points:
        model.update(values)
        each = model.photometry()
        whitened = data.whiten(each[has_data]), data.whiten(data.flux)
        mass = draw_mass(*mass_posterior(*whitened, priors["mass"]), rng)
        true_mass = mass * np.exp(data.brightness_error * rng.standard_normal())
        rows.append(derived_quantities(model, values, true_mass))
        sfh.append(true_mass * sfr_at(model.galaxy.sfh, lookback))
        photometry.append(mass * each)
        chi2.append(np.sum((whitened[1] - mass * whitened[0]) ** 2))
        if chi2[-1] == min(chi2):
            wavelength = model.galaxy.wavelengths * (1 + model.galaxy.sfh.redshift)
            best_spectrum = wavelength, to_microjansky(wavelength, mass * model.galaxy.spectrum_full)
    samples = {name: np.array([row[name] for row in rows]) for name in QUANTITIES}
    wavelength, spectrum = best_spectrum
    shown = (wavelength > 0.8 * model.reach[0]) & (wavelength < 1.2 * model.reach[1])
    n_bands = int(has_data.sum())
    fluxes = np.percentile(photometry, PERCENTILES, axis=0)
    caveats = notes(model, points, samples, priors, min(chi2), n_bands) + brightness_notes(fluxes[1, has_data], data)
    return Fit(
        samples=samples,
        lookback=lookback,
        sfh=np.percentile(sfh, PERCENTILES, axis=0),
        wavelengths=wavelength[shown],
        spectrum=spectrum[shown],
        model=fluxes,
        chi2=float(min(chi2)),
        n_bands=n_bands,
        note="; ".join(caveats),
    )


def derived_quantities(model, values, mass):
    """Physical properties of the model with this stellar mass formed, {quantity: value}."""
    named, sfh = dict(zip(model.distributions, values, strict=True)), model.galaxy.sfh
    today = mass * 10**sfh.stellar_mass
    return {
        "mass": today,
        "mass_formed": mass,
        "age": sfh.mass_weighted_age,
        "sfr": mass * sfh.sfr,
        "ssfr": mass * sfh.sfr / today,
        "a_v": named["a_v"],
        "metallicity": named["metallicity"],
        "log_u": named["log_u"],
        "redshift": sfh.redshift,
    }


def lookback_grid(model):
    """Grid of lookback times for star formation histories, Gyr: logarithmic, finest where the light is sensitive."""
    redshift = model.distributions["redshift"].support()[0] if "redshift" in model.distributions else model.redshift
    return np.append(0, np.geomspace(FIRST_TIME, age_of_universe(redshift), N_TIMES - 1))


def sfr_at(sfh, lookback):
    """Star formation rate at lookback times in Gyr, solar masses per year."""
    return np.interp(lookback * 1e9, sfh.ages, sfh.sfh)


def notes(model, points, samples, priors, chi2, n_bands):
    """Caveats on the fit for a user, sentences without a full stop."""
    found = []
    low, high = priors["mass"]
    places = {name: prior.cdf(points[:, n]) for n, (name, prior) in enumerate(model.distributions.items())}
    places = {name: place for name, place in places.items() if name in priors}
    places["mass"] = (np.log10(samples["mass_formed"]) - low) / (high - low)
    for name, place in places.items():
        for which, share in (("lower", np.mean(place < EDGE)), ("upper", np.mean(place > 1 - EDGE))):
            if share > EDGE_SHARE:
                found.append(f"{name} runs into the {which} bound of its prior")
    if n_bands > MIN_BANDS and scipy.stats.chi2.sf(chi2, n_bands - MIN_BANDS) < POOR:
        found.append(f"poor fit: chi2 of {chi2:.0f} for {n_bands} bands")
    return found


def brightness_notes(model, data):
    """A caveat if the mean flux of the model, (n_bands,), is off that of the data: a list of at most one sentence."""
    difference = np.sum(model - data.flux)
    significant = abs(difference) > OFF_SIGMA * np.linalg.norm(data.error)
    if not significant or abs(difference) <= OFF * abs(np.sum(data.flux)):
        return []
    return [f"the model is off: its mean flux is {model.sum() / data.flux.sum():.2f} times that of the data"]
