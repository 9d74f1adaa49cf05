"""Norms: how brightness is taken out of pixel SEDs before they are clustered.

A norm is a function `norm(flux, error)` that returns a new array for each, of the same shape (n_pixels, n_bands).
"""

import numpy as np

from distances import to_unit_length
from helper_functions.choose import choose

SOFTENING = 1.042  # of asinh magnitudes in units of the error: the least bias and noise (Lupton et al. 1999)
# Of norm "contrast": 0 leaves residuals in units of the noise, 1 in units of the flux. Among 0, 1/4, ... 1 the best for
# k-means and spectral clustering of simulated galaxies (seeds 5000 to 5011 of the recovery suite).
BRIGHTNESS_POWER = 0.75
PCA_VARIANCE = 0.95  # share of the variance of the shapes that norm "pca" keeps


def keep_brightness(flux, error):
    """Leave the SEDs as they are: pixels are then told apart by brightness first of all."""
    return flux.copy(), error.copy()


def to_unit_sphere(flux, error):
    """Scale each SED to length 1."""
    unit = to_unit_length(flux)
    return unit, _unit_error(flux, error, unit, np.eye(flux.shape[1]))


def _unit_error(flux, error, unit, projector):
    """Error of P u, with u = f / |f| and a projector P: from du = (df - u (u . df)) / |f|, bands independent."""
    variance, projected = error**2, unit @ projector
    along = np.sum(unit**2 * variance, axis=1, keepdims=True)
    total = variance @ projector**2 - 2 * projected * ((unit * variance) @ projector) + projected**2 * along
    return np.sqrt(np.maximum(total, 0)) / np.linalg.norm(flux, axis=1, keepdims=True)


def subtract_scaled_median(flux, error):
    """Subtract the galaxy's median SED, scaled to each pixel by the best-fit (inverse-variance) amplitude.

    What is left is in the unit of `flux`. The fit takes one degree of freedom out of the errors.
    """
    median = np.median(flux, axis=0)
    weight = 1 / error**2
    norm = np.sum(weight * median**2, axis=1, keepdims=True)
    if not norm.all():
        raise ValueError("the galaxy's median SED is zero in every band: it cannot be scaled to the pixels")
    amplitude = np.sum(weight * median * flux, axis=1, keepdims=True) / norm
    variance = error**2 - median**2 / norm
    return flux - amplitude * median, np.sqrt(np.maximum(variance, 0))


def keep_leading_components(flux, error):
    """Scale to length 1, and keep only the leading principal components of the shapes.

    The shapes are put together again from the components that hold PCA_VARIANCE of the variance, so that columns stay
    bands and every metric keeps its meaning; Euclidean distances are those between the components themselves.
    """
    unit, unit_error = to_unit_sphere(flux, error)
    mean = unit.mean(axis=0)
    _, singular, axes = np.linalg.svd(unit - mean, full_matrices=False)
    share = np.cumsum(singular**2)
    if share[-1] == 0:  # every pixel has the same shape
        return unit, unit_error
    kept = axes[: np.searchsorted(share, PCA_VARIANCE * share[-1]) + 1]
    projector = kept.T @ kept
    return mean + (unit - mean) @ projector, _unit_error(flux, error, unit, projector)


def asinh_ratios(flux, error):
    """Ratios between bands: asinh magnitudes (Lupton et al. 1999), less their inverse-variance mean over the bands.

    At high SNR these are logarithms of the flux over its geometric mean. Near zero and below they turn linear, within
    about the typical error of each band.
    """
    softening = SOFTENING * np.median(error, axis=0)
    magnitude = np.arcsinh(flux / (2 * softening)) + np.log(softening)
    magnitude_error = error / np.sqrt(flux**2 + 4 * softening**2)
    weight = 1 / magnitude_error**2
    total = weight.sum(axis=1, keepdims=True)
    mean = np.sum(weight * magnitude, axis=1, keepdims=True) / total
    return magnitude - mean, np.sqrt(np.maximum(magnitude_error**2 - 1 / total, 0))


def contrast_to_mean(flux, error):
    """How far a pixel departs from the galaxy's mean SED scaled to it, in units of noise, per power of its brightness.

    In units of the noise alone the residuals of bright pixels are the largest, relative to the flux the noise of faint
    ones is: a power below 1 of the brightness stands between the two.
    """
    noise = np.median(error, axis=0)
    mean = flux.mean(axis=0)
    weight = mean / noise**2
    norm = weight @ mean
    if not norm:
        raise ValueError("the galaxy's mean SED is zero in every band: it cannot be scaled to the pixels")
    amplitude = (flux @ weight / norm)[:, None]
    # An amplitude below its own error is no brightness.
    scale = noise * np.maximum(amplitude, 1 / np.sqrt(norm)) ** BRIGHTNESS_POWER
    variance = error**2 * (1 - 2 * mean * weight / norm) + mean**2 * (error**2 @ weight**2)[:, None] / norm**2
    return (flux - amplitude * mean) / scale, np.sqrt(np.maximum(variance, 0)) / scale


NORMS = {
    "none": keep_brightness,
    "L2": to_unit_sphere,
    "sed": subtract_scaled_median,
    "pca": keep_leading_components,
    "ratios": asinh_ratios,
    "contrast": contrast_to_mean,
}


def normalize(flux, error, norm):
    """Take brightness out of pixel SEDs.

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
        For an unknown norm, values that are not finite, errors that are not positive, or an SED without a shape.
    """
    function = choose(NORMS, norm, "norm")
    flux, error = np.asarray(flux, dtype=float), np.asarray(error, dtype=float)
    unusable = ~(np.isfinite(flux) & np.isfinite(error) & (error > 0)).all(axis=1)
    if unusable.any():
        raise ValueError(f"{unusable.sum()} of {len(flux)} SEDs have missing values or errors: leave them out first")
    return function(flux, error)
