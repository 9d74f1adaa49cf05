"""Errors that all pixels of a band share: background that is left over, and a PSF that is not quite matched.

Both make false colours that change smoothly over a galaxy, and which no noise explains where pixels are bright. In each
band they are taken for patterns s over the pixels times amplitudes c, which are fitted together with the SEDs:

    flux = brightness of the pixel times SED + sum_s c_s pattern_s + noise,    c_s = 0 +- prior_s

Of background the pattern is constant. A PSF of which the variance differs by v in a direction changes the image by v/2
times its Laplacian, to first order: of the mean SED times the brightness, which is the curvature of the pixels.
"""

from typing import NamedTuple

import numpy as np

from helper_functions.noise import correlated_area, known_correlation

BACKGROUND_LEFT = 0.3  # standard deviations of a pixel's noise, which mosaics are flat to
PSF_MISMATCH = 0.2  # (0.04 arcsec)^2: variance of a PSF of 0.14 arcsec FWHM, matched to 4 or 5% in width


class Systematics(NamedTuple):
    """Patterns over the pixels, and how large they may be in each band."""

    patterns: np.ndarray  # (n_pixels, n_patterns)
    precision: np.ndarray  # (n_patterns, n_bands), inverse variance of the prior of the amplitudes

    def only(self, pixels):
        """The same for some of the pixels."""
        return self._replace(patterns=self.patterns[pixels])

    def log_prior(self, amplitudes):
        """Logarithm of the prior probability of amplitudes, (n_patterns, n_bands), up to a constant."""
        return -0.5 * float(np.sum(self.precision * amplitudes**2))


def systematics_of(seds):
    """The patterns of a galaxy's pixels.

    Where noise is correlated over n pixels, a fit that takes them for independent is n times too sure: so that prior
    and fluxes weigh what they should relative to each other, the prior is made as sure.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data. Where the curvature is not known, there is background only.

    Returns
    -------
    Systematics
    """
    prior = [BACKGROUND_LEFT * np.median(seds.error, axis=0)]
    patterns = [np.ones(len(seds.flux))]
    if seds.curvature is not None:
        prior.append(np.maximum(PSF_MISMATCH * np.abs(seds.flux.mean(axis=0)), 1e-3 * prior[0]))
        patterns.append(seds.curvature / 2)
    area = np.maximum(correlated_area(known_correlation(seds), seds.pixel), 1)
    return Systematics(np.column_stack(patterns), area / np.array(prior) ** 2)
