"""Gaussian mixture model."""

import warnings

import numpy as np

from helper_functions.methods.method import Method, MethodResult, TooFewPixels

COVARIANCE_TYPES = ("full", "spherical")  # the two extremes: tied and diagonal covariances do not find more
FIT_PIXELS = 20_000
# Principal components. In all others noise exceeds the differences in shape, and Gaussians in as many dimensions as
# there are bands separate noisy pixels from the rest: at the true number of clusters, the ARI in the galaxies of the
# recovery suite (seeds 1000 to 1011) is 0.09 with all 27 components and 0.28 with 2.
N_COMPONENTS = 2


def gaussian_mixture(distances, n_clusters, seed):
    """Gaussian mixture in the first two principal components of the metric's space; covariance type chosen by BIC.

    The model is fitted to a random subset of at most FIT_PIXELS pixels, which is plenty for its few parameters.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture  # imported here for the reason given in `fit_kmeans`

    points = principal_axes(distances.coordinates, most=N_COMPONENTS)
    sample = points[np.random.default_rng(seed).permutation(len(points))[:FIT_PIXELS]]
    best, lowest = None, np.inf
    for covariance_type in COVARIANCE_TYPES:
        mixture = GaussianMixture(n_clusters, covariance_type=covariance_type, random_state=seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the fits are compared by BIC anyway
                bic = mixture.fit(sample).bic(sample)
        except ValueError:  # a component collapsed on too few pixels: not a candidate
            continue
        if bic < lowest:
            best, lowest = mixture, bic
    if best is None:
        raise TooFewPixels(f"no mixture of {n_clusters} Gaussians can be fitted to {len(points)} pixels")
    return MethodResult(best.predict(points), best.predict_proba(points))


def principal_axes(points, most):
    """Project points on their leading principal components with non-zero variance.

    A covariance matrix with a component of zero variance cannot be inverted.

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


METHODS = {
    "gaussian_mixture": Method(
        gaussian_mixture, "Gaussian mixture model in the first two principal components of the metric's space"
    )
}
