"""Norms: how brightness is taken out of pixel SEDs before they are clustered.

A norm is a function `norm(flux, error)` that returns a new array for each, of the same shape (n_pixels, n_bands).
"""

import numpy as np

from distances import choose, to_unit_length

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


NORMS = {
    "none": keep_brightness,
    "L2": to_unit_sphere,
    "sed": subtract_scaled_median,
    "pca": keep_leading_components,
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
        New arrays: dimensionless for L2 and pca, else in the unit of `flux`.

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
