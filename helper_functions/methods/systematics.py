"""Systematic errors common to all pixels of a band: residual background, PSF mismatch and misregistration.

They produce spurious colour gradients across a galaxy, which exceed the noise where pixels are bright. In each band
they are modelled as spatial patterns s over the pixels times amplitudes c, which are fitted together with the SEDs:

    flux = amplitude of the pixel times SED + sum_s c_s pattern_s + noise,    c_s = 0 +- prior_s

The pattern of background is constant. The others are the first-order change of the image of the mean SED: for a PSF
whose variance differs by v in each direction, v/2 times the Laplacian; for a shift by x, -x times the slope; and for
stronger or asymmetric wings of the PSF, the terms of `pixel_seds.brightness_derivatives`. In the faint outskirts of a
bright galaxy most of the light is scattered there by the wings of the PSF.

Where lines are emitted in the centre of a galaxy, they look like a PSF of another width in their band. So amplitudes of
changes of the PSF do not exceed LARGEST times their prior: 6% in width. In simulated cubes with line emission, a fit
without that limit makes them up to 19 times their prior, and populations are missed.

Priors are set by the residuals of PSFs of stars in six bands of NIRCam (Zhuang & Shen 2024, arXiv:2304.13776) where one
place of a mosaic is matched to F444W with the kernels of another place: 3 to 7% of the peak.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helper_functions.noise import correlation_area, noise_correlation

BACKGROUND_RESIDUAL = 0.3  # in units of the noise of a pixel: flatness of mosaics
PSF_MISMATCH = 0.2  # (0.04 arcsec)^2: difference in variance of a PSF of 0.14 arcsec FWHM matched to 4 or 5% in width
SHIFT_UNKNOWN = 0.3  # pixels: where registration was not measured, and the upper limit, as the model is of first order
SHIFT_LEFT = 0.1  # pixels: lower limit where it was measured, as the asymmetry of PSFs varies from place to place
WINGS_MISMATCH = 0.03  # difference between PSFs in the fraction of light in the wings
WINGS_LOPSIDED = 0.2  # pixels: shift of the light smoothed by the wings, for asymmetric wings
# Between 1 and 2, simulated galaxies with PSFs of real stars are recovered equally well, and cubes better with 1.
LARGEST = 1.4


class Systematics(NamedTuple):
    """Spatial patterns of systematic errors, and the priors of their amplitudes."""

    patterns: np.ndarray  # (n_pixels, n_patterns)
    precision: np.ndarray  # (n_patterns, n_bands), inverse variance of the prior of the amplitudes
    limit: np.ndarray  # (n_patterns, n_bands), largest absolute amplitude; infinite for none

    def only(self, pixels):
        """The same for some of the pixels."""
        return self._replace(patterns=self.patterns[pixels])

    def model(self, amplitudes):
        """Fluxes of the systematic errors with these amplitudes, (n_patterns, n_bands): (n_pixels, n_bands)."""
        return self.patterns @ amplitudes

    def log_prior(self, amplitudes):
        """Log prior of amplitudes, (n_patterns, n_bands), up to a constant."""
        return -0.5 * float(np.sum(self.precision * amplitudes**2))


# ---- the patterns -----------------------------------------------------------


def background(seds):
    """Constant background."""
    return np.ones(len(seds.flux)), BACKGROUND_RESIDUAL * np.median(seds.error, axis=0)


def psf(seds):
    """Change due to a PSF of a slightly different width."""
    return seds.derivatives[:, 2] / 2, PSF_MISMATCH * mean_flux(seds)


def wings(seds):
    """Change due to a PSF with more light in its wings."""
    return seds.derivatives[:, 3], WINGS_MISMATCH * mean_flux(seds)


def wings_along(axis):
    """Change due to wings that are asymmetric along an axis, 0 for rows and 1 for columns."""
    return lambda seds: (-seds.derivatives[:, 4 + axis], WINGS_LOPSIDED * mean_flux(seds))


def shift_along(axis):
    """Change due to a shift along an axis, 0 for rows and 1 for columns; amplitude in pixels times mean flux."""

    def pattern(seds):
        known = seds.registration_error
        left = SHIFT_UNKNOWN if known is None else np.clip(known[:, axis], SHIFT_LEFT, SHIFT_UNKNOWN)
        return -seds.derivatives[:, axis], left * mean_flux(seds)

    return pattern


def mean_flux(seds):
    """Absolute value of the mean flux of the pixels in each band, shape (n_bands,)."""
    return np.abs(seds.flux.mean(axis=0))


class Pattern(NamedTuple):
    """One kind of systematic error."""

    of: Callable  # PixelSEDs -> pattern (n_pixels,), prior standard deviation (n_bands,) of its amplitude
    needs_derivatives: bool = True  # see `pixel_seds.brightness_derivatives`
    largest: float = np.inf  # amplitude, in units of its prior


PATTERNS = {
    "background": Pattern(background, needs_derivatives=False),
    "psf": Pattern(psf, largest=LARGEST),
    "shift along rows": Pattern(shift_along(0)),
    "shift along columns": Pattern(shift_along(1)),
    "wings": Pattern(wings, largest=LARGEST),
    "wings along rows": Pattern(wings_along(0), largest=LARGEST),
    "wings along columns": Pattern(wings_along(1), largest=LARGEST),
}
SHIFTS = "shift along rows", "shift along columns"


def available_patterns(seds):
    """Names of the patterns that can be computed for these pixels, in the order of `Systematics`."""
    return [name for name, each in PATTERNS.items() if seds.derivatives is not None or not each.needs_derivatives]


def spatial_patterns(seds):
    """Patterns of a galaxy's pixels, (n_pixels, n_patterns), and prior standard deviations, (n_patterns, n_bands)."""
    patterns, priors = zip(*(PATTERNS[name].of(seds) for name in available_patterns(seds)), strict=True)
    return np.column_stack(patterns), np.array(priors)


def systematics_of(seds):
    """Patterns of a galaxy's pixels with the priors of their amplitudes.

    Where noise is correlated over n pixels, a fit that assumes independent pixels overestimates the precision of the
    data n times: the precision of the prior is multiplied by n, to keep their relative weight.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data. Without `derivatives` there is only the pattern of the background.

    Returns
    -------
    Systematics
    """
    patterns, priors = spatial_patterns(seds)
    least = 1e-3 * priors[0]  # avoids zero in a band without flux
    area = np.maximum(correlation_area(noise_correlation(seds), seds.pixel), 1)
    largest = np.array([PATTERNS[name].largest for name in available_patterns(seds)])
    return Systematics(patterns, area / np.maximum(priors, least) ** 2, largest[:, None] * priors)


def solve_seds(matrix, right, seds, held, systematics):
    """Least-squares fit of SEDs and of amplitudes within their limits, from the normal equations of each band.

    Parameters
    ----------
    matrix : ndarray of shape (n_bands, n_parts, n_parts)
        Weighted products of all pairs of parts: the light of the populations, and the patterns.
    right : ndarray of shape (n_parts, n_bands)
        Weighted products of parts and fluxes.
    seds : ndarray of shape (n_populations, n_bands)
        Prior mean of the SEDs.
    held : ndarray of shape (n_populations, n_bands)
        Inverse variance of that prior.
    systematics : Systematics

    Returns
    -------
    seds : ndarray of shape (n_populations, n_bands)
    amplitudes : ndarray of shape (n_patterns, n_bands)
    """
    n, prior = len(seds), np.concatenate([held, systematics.precision])
    matrix = matrix + prior.T[:, :, None] * np.eye(len(prior))
    right = np.concatenate([right[:n] + held * seds, right[n:]])
    solved = np.linalg.solve(matrix, right.T[..., None])[..., 0].T
    amplitudes = np.clip(solved[n:], -systematics.limit, systematics.limit)
    if np.array_equal(amplitudes, solved[n:]):
        return solved[:n], amplitudes
    rest = right[:n] - np.einsum("bks,sb->kb", matrix[:, :n, n:], amplitudes)
    return np.linalg.solve(matrix[:, :n, :n], rest.T[..., None])[..., 0].T, amplitudes
