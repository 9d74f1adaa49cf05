"""The PSF that all images are matched to, F444W's, and how it blends the light of neighbouring regions."""

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

PIXEL = 0.04  # arcsec, of the survey
# A Gaussian core and Moffat wings, which together enclose 0.55, 0.85 and 0.91 of the light within 0.1, 0.3 and 0.5
# arcsec, as F444W does to a few percent.
PSF_FWHM, CORE_SHARE = 0.14, 0.65
WINGS_FWHM, WINGS_INDEX = 0.25, 1.6
PSF_REACH = 1.5  # arcsec


def in_pixels(arcsec, pixel):
    """A length on the sky in pixels of this size, both in arcsec.

    To four digits: pixels that are the same but for the rounding of headers give exactly the same.
    """
    return arcsec * round(1 / pixel, 2)


def make_psf(width=1.0, pixel=PIXEL):
    """PSF like that of F444W on pixels of this size in arcsec, sum 1; all its widths are multiplied by `width`."""
    half = round(PSF_REACH / pixel)
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * pixel / width
    core = np.exp(-4 * np.log(2) * (x**2 + y**2) / PSF_FWHM**2)
    scale = WINGS_FWHM / (2 * np.sqrt(2 ** (1 / WINGS_INDEX) - 1))
    wings = (1 + (x**2 + y**2) / scale**2) ** -WINGS_INDEX
    return CORE_SHARE * core / core.sum() + (1 - CORE_SHARE) * wings / wings.sum()


def psf_pixels(pixel, fwhm=PSF_FWHM):
    """Area of the PSF in pixels of this size, both in arcsec: a circle with the diameter of its FWHM."""
    return np.pi / 4 * (fwhm / pixel) ** 2


def blur(image, psf):
    """Image seen through a PSF."""
    # The Fourier transform leaves rounding noise of either sign where there is no light.
    return np.maximum(convolve(image, psf), 0)


def convolve(image, kernel):
    """An image convolved with another one, in the size of the first, beyond which there is nothing.

    This is what `scipy.signal.fftconvolve` does, which takes a third of a second to load.
    """
    sizes = list(zip(image.shape, kernel.shape, strict=True))
    shape = [next_fast_len(ours + theirs - 1, real=True) for ours, theirs in sizes]
    whole = irfft2(rfft2(image, shape) * rfft2(kernel, shape), shape)
    return whole[tuple(slice((theirs - 1) // 2, (theirs - 1) // 2 + ours) for ours, theirs in sizes)]


def blended_light(seds, labels):
    """How much light the PSF brings from each cluster into each other one.

    Every pixel's light is taken to come from its own cluster, and is spread by the PSF. As the image is blurred
    already, this is an upper limit.

    Parameters
    ----------
    seds : PixelSEDs
    labels : int ndarray of shape (n_pixels,)
        1..n_clusters; below 1 for none, whose light goes nowhere.

    Returns
    -------
    ndarray of shape (n_clusters, n_clusters)
        In row i, the share of each cluster in the light of the pixels of cluster i; NaN for a cluster without light.
    """
    n_clusters = max(labels.max(initial=0), 0)
    has_data = np.isfinite(seds.flux)
    snr = np.where(has_data, seds.flux / np.where(has_data, seds.error, 1), 0)
    light = np.maximum(snr.sum(axis=1) / np.maximum(has_data.sum(axis=1), 1), 0)  # errors hardly differ among pixels
    rows, cols = seds.rows - seds.rows.min(), seds.cols - seds.cols.min()
    # A wider PSF on pixels that are wider by as much looks the same.
    psf = make_psf(pixel=seds.pixel * PSF_FWHM / seds.psf_fwhm)
    image = np.zeros((n_clusters, rows.max() + 1, cols.max() + 1))
    member = labels > 0
    image[labels[member] - 1, rows[member], cols[member]] = light[member]
    spread = np.array([blur(each, psf)[rows, cols] for each in image]).reshape(n_clusters, len(labels))
    arriving = np.array([spread[:, labels == k + 1].sum(axis=1) for k in range(n_clusters)])
    total = arriving.sum(axis=1, keepdims=True) if n_clusters else arriving
    return np.divide(arriving, total, out=np.full(arriving.shape, np.nan), where=total > 0)
