"""Mixture of Gaussians."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from helper_functions.methods.method import Found, Method, TooFewPixels

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
FIT_PIXELS = 20_000


def gaussian_mixture(distances, n_clusters, seed):
    """Mixture of Gaussians in the metric's space, whose covariance type is the one with the lowest BIC.

    The Gaussians are fitted to at most FIT_PIXELS pixels, drawn at random, which is plenty for their few parameters.
    """
    points = principal_axes(distances.coordinates, most=distances.n_bands)
    sample = points[np.random.default_rng(seed).permutation(len(points))[:FIT_PIXELS]]
    best, lowest = None, np.inf
    for covariance_type in COVARIANCE_TYPES:
        mixture = GaussianMixture(n_clusters, covariance_type=covariance_type, random_state=seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # BIC judges what was reached
                bic = mixture.fit(sample).bic(sample)
        except ValueError:  # a component collapsed on too few pixels: not a candidate
            continue
        if bic < lowest:
            best, lowest = mixture, bic
    if best is None:
        raise TooFewPixels(f"no mixture of {n_clusters} Gaussians can be fitted to {len(points)} pixels")
    return Found(best.predict(points), best.predict_proba(points))


def principal_axes(points, most):
    """Rotate points to their principal axes: at most that many, and none along which nothing varies.

    A covariance along an axis without variance cannot be inverted. Pixels vary along as many axes as they have bands:
    an embedding in more dimensions repeats these in second order, and a covariance of hundreds of axes cannot be
    estimated from the pixels of one galaxy.

    Parameters
    ----------
    points : ndarray of shape (n_pixels, n_dimensions)
    most : int

    Returns
    -------
    ndarray of shape (n_pixels, at most `most`)
    """
    centred = points - points.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    kept = np.argsort(variance)[::-1][:most]
    kept = kept[variance[kept] > 1e-10 * variance.max()]
    return centred @ (axes[:, kept] if kept.size else axes[:, -1:])


METHODS = {"gaussian_mixture": Method(gaussian_mixture, "Gaussians in the metric's space; covariance type by BIC")}
