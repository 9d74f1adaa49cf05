"""The method blended_slices: SED-shape classes of denoised pixels, for galaxies whose SEDs change smoothly.

Where SEDs change smoothly there are no distinct populations, and labels of the dominant one lose the information in
the mixing fractions. Here pixels are modelled as blends of POPULATIONS populations (see `blended_mixture`), and the
images of the models are smoothed by a Gaussian narrower than the PSF where this changes them by less than the noise,
which together removes most of the noise. The shapes of the SEDs are divided into classes by k-means, in units of it.

Pixels are weighted by their inverse variance, and less where the SED changes fast with position: between two distinct
regions the PSF makes a narrow border of blends, which should not form a class of its own. Often it does nevertheless:
for distinct regions, `blended_mixture` is the better choice.
"""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from helper_functions.methods.blended_mixture import neighbour_links, populations
from helper_functions.methods.fit_blends import TINY
from helper_functions.methods.kmeans import fit_kmeans
from helper_functions.methods.method import Method, MethodResult
from helper_functions.noise import correlation_image, noise_correlation

POPULATIONS = 6  # more describe the noiseless pixels of simulated gradients no better
SMOOTHING = 0.7  # FWHM of the Gaussian in units of that of the PSF: borders become wider by a fifth
# Chi2 of the difference between a pixel's shape and that after smoothing up to which it is smoothed. In simulated
# galaxies, noise reaches 10 to 20 in one of a hundred pixels; lower values left more noise in spectral cubes.
SMOOTHED_BELOW = 40
STARTS = 5  # of k-means
FAINTEST = 1e-6  # brightness, in units of the brightest pixel's, for pixels whose model is not positive
# Where the number of classes is chosen, no more are made once pixels differ from their class by less than this, rms in
# units of the noise of the smoothed pixels. Simulated gradients then have 6 or 7 classes (seeds 98000 and 98001).
ENOUGH = 0.65
FWHM = np.sqrt(8 * np.log(2))  # of a Gaussian, in standard deviations


def denoised_shapes(seds, found):
    """Shapes of the denoised SEDs of pixels in units of the noise of a smoothed pixel of mean brightness.

    A shape is between that of the unmixed pixel itself and that after smoothing: the shrinkage of James & Stein (1961,
    Proc. 4th Berkeley Symp. 1, 361) towards the latter keeps differences that are larger than the noise.

    Parameters
    ----------
    seds : PixelSEDs
    found : MethodResult
        Of `blended_mixture`.

    Returns
    -------
    shapes : ndarray of shape (n_pixels, n_bands)
        For a brightness of 1.
    precision : ndarray of shape (n_pixels,)
        Inverse noise of these shapes: the brightness of the pixel, or less where it is not smoothed.
    """
    sigma = SMOOTHING * seds.psf_fwhm / seds.pixel / FWHM
    own, weight = found.populations.light @ found.populations.seds, 1 / seds.error**2
    smooth = smoothed(own, seds, sigma)
    own_brightness, brightness = (brightness_of(model, weight) for model in (own, smooth))
    shapes = smooth / brightness[:, None]
    difference = own - shapes * own_brightness[:, None]
    kept = np.maximum(1 - SMOOTHED_BELOW / np.maximum(np.sum(weight * difference**2, axis=1), TINY), 0)
    shapes = shapes + (kept / own_brightness)[:, None] * difference
    brightness = brightness + kept * (own_brightness - brightness)
    noise = noise_after_smoothing(seds, sigma)
    return shapes / (noise / np.sqrt(np.median(weight, axis=0))), brightness / np.hypot(1 - kept, kept / noise.mean())


def brightness_of(model, weight):
    """Amplitude of the mean SED that fits each SED best, above 0, (n_pixels,)."""
    mean = model.mean(axis=0)
    brightness = (weight * model) @ mean / np.maximum(weight @ mean**2, TINY)
    return np.maximum(brightness, FAINTEST * brightness.max())


def smoothed(flux, seds, sigma):
    """Fluxes, (n_pixels, n_bands), smoothed by a Gaussian of `sigma` pixels; they are 0 outside of the pixels."""
    rows, cols = (places - places.min() for places in (seds.rows, seds.cols))
    images = np.zeros((flux.shape[1], rows.max() + 1, cols.max() + 1))
    images[:, rows, cols] = flux.T
    return gaussian_filter(images, (0, sigma, sigma), mode="constant")[:, rows, cols].T


def noise_after_smoothing(seds, sigma):
    """Noise after smoothing by a Gaussian of `sigma` pixels, in units of that before, (n_bands,).

    The variance is the mean of the noise's correlation function, weighted by the autocorrelation of the Gaussian.
    """
    correlation = noise_correlation(seds)
    reach = max(correlation.shape[1] - 1, int(np.ceil(4 * np.sqrt(2) * sigma)))
    kernel = np.zeros((2 * reach + 1,) * 2)
    kernel[reach, reach] = 1
    kernel = gaussian_filter(kernel, np.sqrt(2) * sigma, mode="constant")
    padded = np.pad(correlation, ((0, 0), (0, reach + 1 - correlation.shape[1])))
    variance = np.array([np.sum(kernel * correlation_image(each)) for each in padded])
    # A measured correlation function need not be positive definite: the variance is at least that of white noise.
    return np.sqrt(np.maximum(variance, kernel[reach, reach]))


def flatness(shapes, precision, links):
    """Weight of each pixel, above 0 to 1 where its shape is that of its neighbours, (n_pixels,).

    It is 0.5 for the mean rate of change with position, so that it hardly varies within smooth gradients.
    """
    total, centred = links.sum(axis=1), shapes - shapes.mean(axis=0)
    square = np.sum(centred**2, axis=1)
    change = total * square + links @ square - 2 * np.sum(centred * (links @ centred), axis=1)
    change = np.maximum(change, 0) / np.maximum(total, TINY)  # squared, mean over the neighbours; 0 without any
    mean = np.average(np.sqrt(change), weights=precision)
    return 1 / (1 + change / max(mean**2, TINY))


def class_probability(shapes, precision, centres):
    """Probability of each class, from the noise along the line to the next class and the distance to the middle.

    Parameters
    ----------
    shapes, precision
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
    margin = (distance2 - distance2[pixels, own, None]) / (2 * np.maximum(apart, TINY)) * precision[:, None]
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
    """Divide the denoised pixels into these numbers of classes; {number: MethodResult}.

    Numbers above the first one at which pixels differ from their class by less than ENOUGH are left out.
    """
    fits = populations(distances, [min(POPULATIONS, len(distances))], seed)
    shapes, precision = denoised_shapes(distances.seds, fits[max(fits)])
    flat, result = flatness(shapes, precision, neighbour_links(distances.seds)), {}
    for k in sorted(ks):
        found = fit_kmeans(shapes, k, seed, sample_weight=precision**2 * flat, n_init=STARTS)
        probability = (
            class_probability(shapes, precision, found.cluster_centers_) if k > 1 else np.ones((len(shapes), 1))
        )
        labels = np.argmax(probability, axis=1)
        result[k] = MethodResult(labels, probability)
        residual = precision[:, None] * (shapes - found.cluster_centers_[labels])
        if np.sqrt(np.average(np.mean(residual**2, axis=1), weights=flat)) < ENOUGH:
            break
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
