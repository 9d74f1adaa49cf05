"""Goodness of fit of a run's model: chi2 of the pixels with noise and the known systematic errors of images."""

from typing import NamedTuple

import numpy as np

from helper_functions.composite_seds import best_fit_amplitude, composite_flux
from helper_functions.methods.fit_blends import CALIBRATION
from helper_functions.methods.systematics import spatial_patterns

MOST_NAMED = 4  # bands in a sentence
MIN_FREEDOM = 0.1  # lower limit of the degrees of freedom of one flux after the fit of the pixel's amplitudes
# Chi2 per degree of freedom above which a fit is poor. For blended_mixture in simulated galaxies with the flaws of real
# mosaics it is 0.64 to 0.92 (nine of seeds 47000 to 47022), with a scatter by noise of a hundredth; the margin is for
# flaws that are not simulated. With bands misregistered by 0.3 pixels, the prior, it is 1.1 to 1.4, and for a peak SNR
# of 300 2.3 (five of seeds 48002 to 48009); with two of 27 bands off by 3 pixels, 3.6 to 11 (60002 and 60006).
BAD_FIT = 1.5


class Misfit(NamedTuple):
    """Reduced chi2 of a run, in all and by band."""

    chi2: float  # per degree of freedom, over all pixels and bands of the clusters; NaN where undefined
    by_band: dict  # name of a band -> the same for the band

    @property
    def bands(self):
        """Names of the bands with a poor fit, the worst first; empty where the fit as a whole is not poor."""
        if not self.chi2 > BAD_FIT:
            return []
        return [band for band in sorted(self.by_band, key=self.by_band.get)[::-1] if self.by_band[band] > BAD_FIT]


def misfit(seds, clustering):
    """Reduced chi2 of the fluxes about a run's model, with noise and systematic errors in the variance.

    The model of a method that fits the fluxes is its blends plus the fitted systematic errors, each limited to its
    prior: a badly misregistered band may be fitted well, but is still a problem. For any other method the model is the
    composite of the pixel's cluster with a free amplitude; the priors of the systematic errors (see `systematics`) are
    then part of the variance. Zero point errors are common to all pixels, and not included. Unassigned pixels are left
    out, as they are outliers by definition.

    Parameters
    ----------
    seds : PixelSEDs
        All pixels and bands.
    clustering : Clustering

    Returns
    -------
    Misfit
    """
    member = clustering.complete & (clustering.labels > 0)
    block, labels = seds.only(member, clustering.bands_used), clustering.labels[member]
    if not member.any():
        return Misfit(np.nan, {})
    if clustering.populations is None:
        model, n_lights, shared = *model_of_composites(block, labels), pattern_variance(block)
    else:
        every = model_of_blends(seds.only(clustering.complete, clustering.bands_used), clustering.populations)
        model, n_lights, shared = *(each[member[clustering.complete]] for each in every), 0.0
    chi2 = (block.flux - model) ** 2 / (block.error**2 + (CALIBRATION * model) ** 2 + shared)
    free = degrees_of_freedom(model / block.error, n_lights).sum(axis=0) - len(np.unique(labels))
    if not (free > 0).all():
        return Misfit(np.nan, {})
    by_band = chi2.sum(axis=0) / free
    return Misfit(float(chi2.sum() / free.sum()), dict(zip(block.bands, by_band.tolist(), strict=True)))


def misfit_note(chi2, bands):
    """Note on a poor fit for a user, a sentence without a full stop.

    Parameters
    ----------
    chi2 : float
    bands : sequence of str
        The worst first.
    """
    named = ", ".join(band.upper() for band in bands[:MOST_NAMED])
    more = f" and {len(bands) - MOST_NAMED} more" if len(bands) > MOST_NAMED else ""
    return (
        f"residuals are {np.sqrt(chi2):.1f} times the expected errors (chi2 {chi2:.1f}), most in {named}{more}: "
        "bands not registered, a PSF not matched, or more populations"
    )


# ---- parts ------------------------------------------------------------------


def model_of_blends(seds, populations):
    """Model fluxes of blends, (n_pixels, n_bands), and the effective number of populations in each pixel, (n_pixels,).

    The fitted systematic errors are included, their amplitudes limited to the priors. The number is 1 for a pixel of
    one population, 2 for an even blend of two, and between them for others.
    """
    patterns, priors = spatial_patterns(seds)
    shared = patterns @ np.clip(populations.amplitudes, -priors, priors)
    light = populations.light
    squares = np.sum(light**2, axis=1)
    number = np.divide(light.sum(axis=1) ** 2, squares, out=np.ones(len(light)), where=squares > 0)
    return light @ populations.seds + shared, number


def model_of_composites(seds, labels):
    """Composites scaled to each pixel, (n_pixels, n_bands), and the number of fitted amplitudes: one, (n_pixels,)."""
    composites, _ = composite_flux(seds, labels)
    model = composites[labels - 1]
    for k, composite in enumerate(composites, start=1):
        amplitude, _ = best_fit_amplitude(seds.flux[labels == k], seds.error[labels == k], composite)
        model[labels == k] *= amplitude[:, None]
    return model, np.ones(len(model))


def pattern_variance(seds):
    """Prior variance of the systematic errors, (n_pixels, n_bands)."""
    patterns, priors = spatial_patterns(seds)
    return patterns**2 @ priors**2


def degrees_of_freedom(snr, n_lights):
    """Degrees of freedom of each flux, (n_pixels, n_bands): 1 less its leverage in the fit of the amplitudes.

    Bands with a high SNR determine the amplitudes, and have smaller residuals.

    Parameters
    ----------
    snr : ndarray of shape (n_pixels, n_bands)
        Of the model.
    n_lights : ndarray of shape (n_pixels,)
        Number of amplitudes fitted to each pixel.
    """
    total = np.sum(snr**2, axis=1, keepdims=True)
    leverage = np.divide(snr**2, total, out=np.full(snr.shape, 1 / snr.shape[1]), where=total > 0)
    return np.maximum(1 - n_lights[:, None] * leverage, MIN_FREEDOM)
