"""Norms: flux normalisation of pixel SEDs before clustering.

A norm is a function `norm(flux, error)` that returns new arrays of the same shape (n_pixels, n_bands): the normalised
SEDs and their errors.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from distances import to_unit_length
from helper_functions.registry import choose

# Softening of asinh magnitudes in units of the error: the best compromise of bias and noise (Lupton et al. 1999).
SOFTENING = 1.042
# Exponent of the amplitude in norm "contrast". Of 0, 1/4, ... 1 the one with which k-means and spectral clustering
# recover simulated galaxies best (seeds 5000 to 5011 of the recovery suite).
BRIGHTNESS_POWER = 0.75
PCA_VARIANCE = 0.95  # fraction of the variance of the normalised SEDs that norm "pca" keeps


def no_normalisation(flux, error):
    """Leave the SEDs unchanged: brightness then dominates the distances between pixels."""
    return flux.copy(), error.copy()


def l2_normalise(flux, error):
    """Scale each SED to unit L2 norm."""
    unit = to_unit_length(flux)
    return unit, _unit_error(flux, error, unit, np.eye(flux.shape[1]))


def _unit_error(flux, error, unit, projector):
    """Error of P u for u = f / |f| and a projection matrix P, from du = (df - u (u . df)) / |f|, bands independent."""
    variance, projected = error**2, unit @ projector
    along = np.sum(unit**2 * variance, axis=1, keepdims=True)
    total = variance @ projector**2 - 2 * projected * ((unit * variance) @ projector) + projected**2 * along
    return np.sqrt(np.maximum(total, 0)) / np.linalg.norm(flux, axis=1, keepdims=True)


def subtract_scaled_median(flux, error):
    """Subtract the galaxy's median SED, scaled to each pixel by the best-fit (inverse-variance) amplitude.

    The result is in the unit of `flux`. Its errors are smaller than those of the fluxes, as one amplitude is fitted.
    """
    median = np.median(flux, axis=0)
    weight = 1 / error**2
    norm = np.sum(weight * median**2, axis=1, keepdims=True)
    if not norm.all():
        raise ValueError("the galaxy's median SED is zero in every band: it cannot be scaled to the pixels")
    amplitude = np.sum(weight * median * flux, axis=1, keepdims=True) / norm
    variance = error**2 - median**2 / norm
    return flux - amplitude * median, np.sqrt(np.maximum(variance, 0))


def project_on_components(flux, error):
    """Scale to unit L2 norm, and project on the leading principal components.

    Each SED is replaced by its projection on the components with PCA_VARIANCE of the variance. Columns remain bands, so
    that every metric can be used; Euclidean distances are the same as between the component scores.
    """
    unit, unit_error = l2_normalise(flux, error)
    mean = unit.mean(axis=0)
    _, singular, axes = np.linalg.svd(unit - mean, full_matrices=False)
    share = np.cumsum(singular**2)
    if share[-1] == 0:  # every pixel has the same shape
        return unit, unit_error
    kept = axes[: np.searchsorted(share, PCA_VARIANCE * share[-1]) + 1]
    projector = kept.T @ kept
    return mean + (unit - mean) @ projector, _unit_error(flux, error, unit, projector)


def asinh_colours(flux, error):
    """Asinh magnitudes (Lupton et al. 1999) less their inverse-variance mean over the bands: colours.

    At high SNR these are logarithms of the flux over its geometric mean. Below about the typical error of the band, and
    for negative fluxes, they are linear in flux.
    """
    softening = SOFTENING * np.median(error, axis=0)
    magnitude = np.arcsinh(flux / (2 * softening)) + np.log(softening)
    magnitude_error = error / np.sqrt(flux**2 + 4 * softening**2)
    weight = 1 / magnitude_error**2
    total = weight.sum(axis=1, keepdims=True)
    mean = np.sum(weight * magnitude, axis=1, keepdims=True) / total
    return magnitude - mean, np.sqrt(np.maximum(magnitude_error**2 - 1 / total, 0))


def contrast_to_mean(flux, error):
    """Subtract the galaxy's mean SED, scaled to each pixel, and divide by the noise and a power of the amplitude.

    In units of the noise, bright pixels deviate from the mean SED by more than faint ones of the same shape. In units
    of the amplitude, the noise of faint pixels exceeds any difference in shape. Dividing by a power of the amplitude
    between 0 and 1 (BRIGHTNESS_POWER) is a compromise.
    """
    noise = np.median(error, axis=0)
    mean = flux.mean(axis=0)
    weight = mean / noise**2
    norm = weight @ mean
    if not norm:
        raise ValueError("the galaxy's mean SED is zero in every band: it cannot be scaled to the pixels")
    amplitude = (flux @ weight / norm)[:, None]
    # An amplitude below its own error is replaced by that error.
    scale = noise * np.maximum(amplitude, 1 / np.sqrt(norm)) ** BRIGHTNESS_POWER
    variance = error**2 * (1 - 2 * mean * weight / norm) + mean**2 * (error**2 @ weight**2)[:, None] / norm**2
    return (flux - amplitude * mean) / scale, np.sqrt(np.maximum(variance, 0)) / scale


class Norm(NamedTuple):
    """A flux normalisation."""

    function: Callable  # (flux, error) -> (flux, error)
    meaning: str  # for tables


NORMS = {
    "none": Norm(no_normalisation, "no normalisation: fluxes as measured"),
    "L2": Norm(l2_normalise, "SED scaled to unit L2 norm"),
    "sed": Norm(subtract_scaled_median, "residual from the galaxy's median SED, scaled to the pixel"),
    "pca": Norm(project_on_components, "L2, projected on the leading principal components (95% of the variance)"),
    "ratios": Norm(asinh_colours, "colours: asinh magnitudes less their mean, defined for zero and negative flux, too"),
    "contrast": Norm(
        contrast_to_mean,
        "residual from the galaxy's mean SED, scaled to the pixel, over the noise of each band and amplitude^0.75",
    ),
}


def normalize(flux, error, norm):
    """Normalise the fluxes of pixel SEDs.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
        Any one unit; finite, errors positive. Not changed.
    norm : str
        A key of NORMS.

    Returns
    -------
    flux, error : ndarray of shape (n_pixels, n_bands)
        New arrays: in the unit of `flux` for none and sed, else dimensionless.

    Raises
    ------
    ValueError
        For an unknown norm, values that are not finite, errors that are not positive, or an SED that is zero in every
        band.
    """
    function = choose(NORMS, norm, "norm").function
    flux, error = np.asarray(flux, dtype=float), np.asarray(error, dtype=float)
    unusable = ~(np.isfinite(flux) & np.isfinite(error) & (error > 0)).all(axis=1)
    if unusable.any():
        raise ValueError(f"{unusable.sum()} of {len(flux)} SEDs have missing values or errors: leave them out first")
    return function(flux, error)
