"""The method blended_slices: SED-shape classes of denoised pixels, for galaxies whose SEDs change smoothly.

Where SEDs change smoothly there are no distinct populations, and labels of the dominant one lose the information in
the mixing fractions. Here pixels are modelled as blends of POPULATIONS populations (see `blended_mixture`), which
removes most of their noise, and the shapes of these models are divided into classes by k-means, in units of the noise.
Pixels are weighted by the square of their brightness, as in chi2.

Blends along the border of two distinct regions form classes of their own: for distinct regions, `blended_mixture` is
the better choice.
"""

import numpy as np
from scipy.special import ndtr

from helper_functions.methods.blended_mixture import populations
from helper_functions.methods.fit_blends import TINY
from helper_functions.methods.kmeans import fit_kmeans
from helper_functions.methods.method import Method, MethodResult

POPULATIONS = 6  # more describe the noiseless pixels of simulated gradients no better
STARTS = 5  # of k-means
FAINTEST = 1e-6  # brightness, in units of the brightest pixel's, for pixels whose model is not positive


def denoised_shapes(seds, found):
    """Shapes of the modelled SEDs of pixels in units of the noise of a pixel of mean brightness.

    Parameters
    ----------
    seds : PixelSEDs
    found : MethodResult
        Of `blended_mixture`.

    Returns
    -------
    shapes : ndarray of shape (n_pixels, n_bands)
        For a brightness of 1.
    brightness : ndarray of shape (n_pixels,)
    """
    model = found.populations.light @ found.populations.seds
    mean, weight = model.mean(axis=0), 1 / seds.error**2
    brightness = (weight * model) @ mean / np.maximum(weight @ mean**2, TINY)
    brightness = np.maximum(brightness, FAINTEST * brightness.max())
    return model / brightness[:, None] * np.sqrt(np.median(weight, axis=0)), brightness


def class_probability(shapes, brightness, centres):
    """Probability of each class, from the noise along the line to the next class and the distance to the middle.

    Parameters
    ----------
    shapes, brightness
        From `denoised_shapes`.
    centres : ndarray of shape (n_classes, n_bands)

    Returns
    -------
    ndarray of shape (n_pixels, n_classes)
        Highest for the nearest class; the remainder is that of the class that is confused most easily with it.
    """
    pixels = np.arange(len(shapes))
    distance2 = np.array([np.sum((shapes - centre) ** 2, axis=1) for centre in centres]).T
    own = np.argmin(distance2, axis=1)
    apart = np.linalg.norm(centres[own][:, None] - centres, axis=2)
    margin = (distance2 - distance2[pixels, own, None]) / (2 * np.maximum(apart, TINY)) * brightness[:, None]
    margin[pixels, own] = np.inf
    other = np.argmin(margin, axis=1)
    result = np.zeros(margin.shape)
    result[pixels, own] = ndtr(margin[pixels, other])
    result[pixels, other] = 1 - result[pixels, own]
    return result


def blended_slices(distances, n_clusters, seed):
    """Divide the denoised pixels into `n_clusters` classes."""
    return classes(distances, [n_clusters], seed)[n_clusters]


def classes(distances, ks, seed):
    """Divide the denoised pixels into each of these numbers of classes; {number: MethodResult}."""
    fits = populations(distances, [min(POPULATIONS, len(distances))], seed)
    shapes, brightness = denoised_shapes(distances.seds, fits[max(fits)])
    result = {}
    for k in ks:
        found = fit_kmeans(shapes, k, seed, sample_weight=brightness**2, n_init=STARTS)
        probability = (
            class_probability(shapes, brightness, found.cluster_centers_) if k > 1 else np.ones((len(shapes), 1))
        )
        result[k] = MethodResult(np.argmax(probability, axis=1), probability)
    return result


METHODS = {
    "blended_slices": Method(
        blended_slices,
        "k-means classes of the SED shapes of pixels denoised by spectral unmixing: for SEDs that change smoothly",
        norm="none",
        metric="noise",
        takes_any_norm=False,
        takes_any_metric=False,
        takes_recommended_number=False,
        criterion="separable",
        label_several=classes,
    )
}
