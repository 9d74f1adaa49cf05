"""Whether pixels differ from what a run says they are by more than noise and the known flaws of images allow."""

from typing import NamedTuple

import numpy as np

from helper_functions.composite_seds import best_fit_amplitude, composite_flux
from helper_functions.methods.fit_blends import CALIBRATION
from helper_functions.methods.systematics import spatial_patterns

MOST_NAMED = 4  # bands in a sentence
MIN_FREEDOM = 0.1  # of a flux, that is left free by the pixel's light that is fitted to it
# Chi2 per degree of freedom above which a fit is a bad one. What blended_mixture finds in simulated galaxies with the
# flaws of real mosaics has 0.64 to 0.92 (nine of seeds 47000 to 47022): noise is a hundredth of that, and the rest is
# left for flaws that nobody simulated. Where bands lie 0.3 pixels off, as far as the prior, it is 1.1 to 1.4 and for a
# peak SNR of 300 2.3 (five of seeds 48002 to 48009); with two of 27 bands 3 pixels off, 3.6 to 11 (60002 and 60006).
BAD_FIT = 1.5


class Misfit(NamedTuple):
    """How far the residuals of a run are above what is allowed."""

    chi2: float  # per degree of freedom, over all pixels and bands of the clusters; NaN where there is nothing to judge
    by_band: dict  # name of a band -> the same in it

    @property
    def bands(self):
        """Names of the bands that carry the excess, the worst first; empty where the fit is no bad one."""
        if not self.chi2 > BAD_FIT:
            return []
        return [band for band in sorted(self.by_band, key=self.by_band.get)[::-1] if self.by_band[band] > BAD_FIT]


def misfit(seds, clustering):
    """Chi2 of what a run says that its pixels are, about the fluxes, with a variance of all that is allowed.

    A method that models fluxes has a model of blends and of the errors that pixels share, which count up to their
    priors: a band that lies far off is fitted well, and still not what it should be. Of any other method the model is
    the composite of the pixel's cluster, scaled to fit best; errors that pixels share are then part of the variance,
    each pattern of `systematics` as large as its prior. Zero points are the same for all pixels, and no part of it.
    Pixels in no cluster do not count: that they are something else is known.

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
    """What a user should know of a bad fit, a sentence without a full stop.

    Parameters
    ----------
    chi2 : float
    bands : sequence of str
        The worst first.
    """
    named = ", ".join(band.upper() for band in bands[:MOST_NAMED])
    more = f" and {len(bands) - MOST_NAMED} more" if len(bands) > MOST_NAMED else ""
    return (
        f"residuals are {np.sqrt(chi2):.1f} times what noise allows (chi2 {chi2:.1f}), most in {named}{more}: "
        "bands not registered, a PSF not matched, or more populations"
    )


# ---- parts ------------------------------------------------------------------


def model_of_blends(seds, populations):
    """Fluxes that populations and shared errors give, (n_pixels, n_bands), and how many populations make a pixel.

    Shared errors are those that were fitted, but no pattern is larger than its prior. The number, (n_pixels,), is 1 for
    a pixel of one population, 2 for an even blend of two, and between them for others.
    """
    patterns, priors = spatial_patterns(seds)
    shared = patterns @ np.clip(populations.amplitudes, -priors, priors)
    light = populations.light
    squares = np.sum(light**2, axis=1)
    number = np.divide(light.sum(axis=1) ** 2, squares, out=np.ones(len(light)), where=squares > 0)
    return light @ populations.seds + shared, number


def model_of_composites(seds, labels):
    """Composites scaled to each pixel, (n_pixels, n_bands), and how many amplitudes a pixel has: one, (n_pixels,)."""
    composites, _ = composite_flux(seds, labels)
    model = composites[labels - 1]
    for k, composite in enumerate(composites, start=1):
        amplitude, _ = best_fit_amplitude(seds.flux[labels == k], seds.error[labels == k], composite)
        model[labels == k] *= amplitude[:, None]
    return model, np.ones(len(model))


def pattern_variance(seds):
    """Variance that the priors allow for the errors that pixels share, (n_pixels, n_bands)."""
    patterns, priors = spatial_patterns(seds)
    return patterns**2 @ priors**2


def degrees_of_freedom(snr, n_lights):
    """Degrees of freedom of each flux, (n_pixels, n_bands): what the fit of the pixel's light leaves of one.

    Bands of high SNR determine the light, and are fitted the closer for it.

    Parameters
    ----------
    snr : ndarray of shape (n_pixels, n_bands)
        Of the model.
    n_lights : ndarray of shape (n_pixels,)
        Numbers that are fitted to each pixel.
    """
    total = np.sum(snr**2, axis=1, keepdims=True)
    leverage = np.divide(snr**2, total, out=np.full(snr.shape, 1 / snr.shape[1]), where=total > 0)
    return np.maximum(1 - n_lights[:, None] * leverage, MIN_FREEDOM)
