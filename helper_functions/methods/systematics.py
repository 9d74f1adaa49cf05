"""Errors that all pixels of a band share: background that is left over, a PSF not quite matched, a shift of the image.

All of them make false colours that change smoothly over a galaxy, and which no noise explains where pixels are bright.
In each band they are taken for patterns s over the pixels times amplitudes c, which are fitted together with the SEDs:

    flux = brightness of the pixel times SED + sum_s c_s pattern_s + noise,    c_s = 0 +- prior_s

Of background the pattern is constant. The others are what a flaw changes the image of the mean SED by, to first order:
a PSF of which the variance differs by v in a direction, v/2 times its Laplacian; a shift by x, -x times its slope; and
wings of the PSF that hold more light, or more on one side, what `pixel_seds.brightness_derivatives` says. In the faint rim of
a bright galaxy, light that wings of the PSF bring there is most of all light.

Priors are as large as what PSFs of stars in six bands of NIRCam (Zhuang & Shen 2024, arXiv:2304.13776) leave over if
one place of a mosaic is matched to F444W with the kernels of another, which is 3 to 7% of the peak.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helper_functions.noise import correlation_area, noise_correlation

BACKGROUND_RESIDUAL = 0.3  # standard deviations of a pixel's noise, which mosaics are flat to
PSF_MISMATCH = 0.2  # (0.04 arcsec)^2: variance of a PSF of 0.14 arcsec FWHM, matched to 4 or 5% in width
SHIFT_UNKNOWN = 0.3  # pixels: registration of mosaics, where nobody measured it; and the most that is of first order
SHIFT_LEFT = 0.1  # pixels: the least that is left where it was measured, as PSFs are lopsided from place to place
WINGS_MISMATCH = 0.03  # share of the light that lies in the wings of one PSF, and in the core of another
WINGS_LOPSIDED = 0.2  # pixels: shift of the wings' light, taken to be all light


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


# ---- the patterns -----------------------------------------------------------


def background(seds):
    """The same in all pixels."""
    return np.ones(len(seds.flux)), BACKGROUND_RESIDUAL * np.median(seds.error, axis=0)


def psf(seds):
    """What a PSF of a slightly different width changes."""
    return seds.derivatives[:, 2] / 2, PSF_MISMATCH * mean_flux(seds)


def wings(seds):
    """What a PSF with more light in its wings changes."""
    return seds.derivatives[:, 3], WINGS_MISMATCH * mean_flux(seds)


def wings_along(axis):
    """What wings that are brighter on one side along an axis, 0 for rows and 1 for columns, change."""
    return lambda seds: (-seds.derivatives[:, 4 + axis], WINGS_LOPSIDED * mean_flux(seds))


def shift_along(axis):
    """What a shift along an axis, 0 for rows and 1 for columns, changes: its amplitude is pixels times mean flux."""

    def pattern(seds):
        known = seds.registration_error
        left = SHIFT_UNKNOWN if known is None else np.clip(known[:, axis], SHIFT_LEFT, SHIFT_UNKNOWN)
        return -seds.derivatives[:, axis], left * mean_flux(seds)

    return pattern


def mean_flux(seds):
    """Mean flux of the pixels in each band, without its sign, shape (n_bands,)."""
    return np.abs(seds.flux.mean(axis=0))


class Pattern(NamedTuple):
    """One kind of error that pixels share."""

    of: Callable  # PixelSEDs -> pattern (n_pixels,), prior (n_bands,) of its amplitude
    needs_derivatives: bool = True  # of the brightness, see `pixel_seds.brightness_derivatives`


PATTERNS = {
    "background": Pattern(background, needs_derivatives=False),
    "psf": Pattern(psf),
    "shift along rows": Pattern(shift_along(0)),
    "shift along columns": Pattern(shift_along(1)),
    "wings": Pattern(wings),
    "wings along rows": Pattern(wings_along(0)),
    "wings along columns": Pattern(wings_along(1)),
}
SHIFTS = "shift along rows", "shift along columns"


def available_patterns(seds):
    """Names of the patterns that can be made for these pixels, in the order of `Systematics`."""
    return [name for name, each in PATTERNS.items() if seds.derivatives is not None or not each.needs_derivatives]


def spatial_patterns(seds):
    """Patterns of a galaxy's pixels, (n_pixels, n_patterns), and their priors, (n_patterns, n_bands)."""
    patterns, priors = zip(*(PATTERNS[name].of(seds) for name in available_patterns(seds)), strict=True)
    return np.column_stack(patterns), np.array(priors)


def systematics_of(seds):
    """The patterns of a galaxy's pixels.

    Where noise is correlated over n pixels, a fit that takes them for independent is n times too sure: so that prior
    and fluxes weigh what they should relative to each other, the prior is made as sure.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data. Where the changes are not known, there is background only.

    Returns
    -------
    Systematics
    """
    patterns, priors = spatial_patterns(seds)
    least = 1e-3 * priors[0]  # a band without flux has no shift to speak of
    area = np.maximum(correlation_area(noise_correlation(seds), seds.pixel), 1)
    return Systematics(patterns, area / np.maximum(priors, least) ** 2)
