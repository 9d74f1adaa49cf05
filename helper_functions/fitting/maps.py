"""Maps of region properties: extensive quantities distributed by the light of regions, others as weighted means."""

import numpy as np


def shares(light):
    """Fraction of each region's light in each pixel.

    Parameters
    ----------
    light : ndarray of shape (n_regions, ny, nx)
        Of each region in each pixel, in any unit; NaN in pixels without data.

    Returns
    -------
    ndarray of shape (n_regions, ny, nx)
        Sum 1 over the pixels of each region; 0 in pixels without its light, and everywhere for a region without light.
    """
    light = np.nan_to_num(np.asarray(light, dtype=float))
    total = light.sum(axis=(1, 2), keepdims=True)
    return np.divide(light, total, out=np.zeros(light.shape), where=total != 0)


def paint(light, values, errors, additive, mass=None):
    """Make a map of a quantity from its values in regions.

    An extensive quantity, such as mass, is distributed over the pixels in proportion to the region's light, so that the
    map adds up to the total of all regions. Any other quantity is the mean over the regions in a pixel, weighted with
    their light there, or with their mass.

    Parameters
    ----------
    light : ndarray of shape (n_regions, ny, nx)
        See `shares`.
    values, errors : ndarray of shape (n_regions,)
        NaN where a region has no value, or no error: it is ignored, and pixels with light of such regions only are NaN.
    additive : bool
        Whether the quantity is extensive.
    mass : ndarray of shape (n_regions,), optional
        Weights of the mean: the mass of each region, distributed as its light.

    Returns
    -------
    image, error : ndarray of shape (ny, nx)
        NaN where there is no light. Errors of different regions are independent, those of the pixels of one region are
        fully correlated: for a sum over its pixels they add linearly.
    """
    known = np.isfinite(values)
    if additive:
        weights = shares(light)
    elif mass is None:
        weights = np.abs(np.nan_to_num(np.asarray(light, dtype=float)))
    else:
        known &= np.isfinite(mass)
        weights = shares(light) * np.where(known, mass, 0)[:, None, None]
    weights = np.where(known[:, None, None], weights, 0)
    total = weights.sum(axis=0)
    if not additive:
        weights = np.divide(weights, total, out=np.zeros(weights.shape), where=total != 0)
    lit = weights != 0
    image = np.tensordot(np.where(known, values, 0), weights, 1)
    error = np.sqrt(np.tensordot(np.nan_to_num(errors) ** 2, weights**2, 1))
    has_error = lit.any(axis=0) & ~(lit & np.isnan(errors)[:, None, None]).any(axis=0)
    return np.where(lit.any(axis=0), image, np.nan), np.where(has_error, error, np.nan)
