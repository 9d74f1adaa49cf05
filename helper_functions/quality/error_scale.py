"""Scale of flux errors from the galaxy itself, for bands whose noise could not be measured in the sky.

Errors that are stated too small make every method that knows the noise take it for structure: in cubes without sky and
with half of the true errors, `blended_mixture` finds twice as many populations, and its labels tell half as much.

The pixels are fitted by a mixture of more populations than most galaxies need. What the fit leaves over is compared
with what the same fit leaves over of simulated data, the fitted fluxes with noise of the assumed errors: both are
lowered alike by the freedom of the fit. The ratio is the factor that the errors are off by.
"""

import numpy as np

from helper_functions.methods.blended_mixture import (
    MIN_SIGNAL,
    band_weights,
    fitted_pixels,
    initial_seds,
    neighbour_links,
    typical_signal,
)
from helper_functions.methods.fit_blends import weighted_fluxes
from helper_functions.methods.mixture_model import (
    INTERMEDIATE_TOLERANCE,
    fit_mixture,
    initial_mixture,
    normalise_templates,
)
from helper_functions.methods.systematics import systematics_of
from helper_functions.pixel_seds import canonical_order, select_complete

N_POPULATIONS = 10
FIT_PIXELS = 1500  # a random subset, which gives the scale to 2%
MIN_PIXELS, MIN_BANDS = 200, 5  # fewer leave too little over
ROUNDS, CONVERGED = 6, 4.0  # of scaling and fitting again, until no scale changes by so many of its standard errors
# Where the median scale is nearer to 1 than this, only single bands are scaled, to larger errors. What is left over in
# a band with a line that varies from pixel to pixel is a quarter more than the noise.
ALL_BANDS, ONE_BAND = 1.2, 1.5


def scale_errors(seds, errors="measured", seed=0):
    """Scale the errors of bands whose noise was not measured in the sky to what fits leave over.

    Parameters
    ----------
    seds : PixelSEDs
        Of which `correlation` is NaN in bands whose noise was not measured, or None.
    errors : str
        A key of `sky_noise.ERRORS`: where errors are taken as stated, they stay so.
    seed : int
        Random seed.

    Returns
    -------
    PixelSEDs
        With `noise_scale`, the factor of the errors of each band; the same object if it has that already.
    """
    if seds.noise_scale is not None:
        return seds
    scale = np.ones(len(seds.bands))
    unknown = scale > 0 if seds.correlation is None else ~np.isfinite(seds.correlation).all(axis=1)
    complete, used = select_complete(seds.flux)
    unknown &= used
    if errors == "measured" and unknown.any() and complete.sum() >= MIN_PIXELS and used.sum() >= MIN_BANDS:
        pixels, bands = np.flatnonzero(complete), np.flatnonzero(used)
        bands = bands[np.argsort(seds.wavelengths[bands], kind="stable")]
        pixels = pixels[canonical_order(seds.flux[np.ix_(pixels, bands)])]
        scale[bands] = residual_scale(seds.only(pixels, bands), unknown[bands], seed)
    return seds._replace(error=seds.error * scale, noise_scale=scale)


def residual_scale(seds, unknown, seed):
    """Factor that the errors of some bands are off by, as the residuals of a rich fit tell.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data.
    unknown : bool ndarray of shape (n_bands,)
        Bands whose errors are scaled; those of the others are right.
    seed : int

    Returns
    -------
    ndarray of shape (n_bands,)
        1 in bands that are known; where the median is within ALL_BANDS of 1, in all bands below ONE_BAND; and where
        the pixels are noise.
    """
    scale, rng, links = np.ones(len(unknown)), np.random.default_rng(seed), neighbour_links(seds)
    for _ in range(ROUNDS):
        scaled = seds._replace(error=seds.error * scale)
        if typical_signal(scaled) < MIN_SIGNAL:
            return np.ones(len(unknown))
        change = np.where(unknown, _scale_once(scaled, links, seed, rng), 1.0)
        scale *= change
        if np.abs(np.log(change)).max() < CONVERGED / np.sqrt(min(len(seds.flux), FIT_PIXELS)):
            break
    scale = np.round(scale, 2)  # it is not known better, and rounding errors must not reach the labels
    typical = np.median(scale[unknown])
    return scale if max(typical, 1 / typical) > ALL_BANDS else np.where(scale > ONE_BAND, scale, 1.0)


def _scale_once(seds, links, seed, rng):
    """Root mean square of residuals over that of simulated data, (n_bands,)."""
    band_weight = band_weights(seds)
    templates, clusters = initial_seds(seds.flux, seds.error, links, N_POPULATIONS, seed)
    templates, drawn = normalise_templates(templates, band_weight), fitted_pixels(clusters, FIT_PIXELS, seed)
    systematics, links, error = systematics_of(seds).only(drawn), links[drawn][:, drawn], seds.error[drawn]

    def fit(flux, mixture):
        data = weighted_fluxes(flux, error)
        mixture, blends, _ = fit_mixture(data, systematics, links, mixture, band_weight, INTERMEDIATE_TOLERANCE)
        best = np.argmax(blends.log_likelihood[:, :-1] + np.log(mixture.prior[:-1]), axis=1)
        light = blends.composition(blends.brightness * (np.arange(blends.brightness.shape[1]) == best[:, None]))
        model = light @ mixture.templates + systematics.model(mixture.amplitudes)
        return mixture, model, np.mean(((flux - model) / error) ** 2, axis=0)

    mixture, model, left_over = fit(seds.flux[drawn], initial_mixture(templates, systematics))
    *_, by_noise = fit(model + error * rng.standard_normal(model.shape), mixture)
    return np.sqrt(left_over / by_noise)
