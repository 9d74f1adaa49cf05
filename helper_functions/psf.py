"""The PSF that all images are matched to, F444W's, and how it blends the light of neighbouring regions."""

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.signal import fftconvolve

PIXEL = 0.04  # arcsec, of the survey
# A Gaussian core and Moffat wings, which together enclose 0.55, 0.85 and 0.91 of the light within 0.1, 0.3 and 0.5
# arcsec, as F444W does to a few percent.
PSF_FWHM, CORE_SHARE = 0.14, 0.65
WINGS_FWHM, WINGS_INDEX = 0.25, 1.6
PSF_REACH = 1.5  # arcsec
FINE = 10  # parts that sides of pixels are divided into, to see how wide a PSF of a few pixels is
CENTRED = 0.1  # pixels off the middle of one: nearer ones are in it, so that a PSF that is centred stays as it is
SAME_PIXEL = 1e-3  # relative difference of pixel scales that is rounding in headers
MARGIN = 2  # pixels without light around an image that is interpolated: splines end there
NEAR = 5  # pixels around the brightest ones that splines between these know of


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


def on_pixels(image, side, pixel):
    """An image of a PSF as the PSF on pixels of another size: about its core, with an odd number of pixels, sum 1.

    Smaller pixels are interpolated; larger ones get the light that falls onto them.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)
        Any units, with its core anywhere.
    side, pixel : float
        Arcsec, of its pixels and of those that are wanted.

    Returns
    -------
    ndarray of shape (size, size)
        As far as there is an image, but not beyond the reach that the model has, scaled to the FWHM.
    """
    core = np.maximum(image - image.max() / 2, 0)
    centre = np.array([np.sum(core * place) for place in np.indices(image.shape)]) / core.sum()
    centre = np.where(np.abs(centre - np.round(centre)) < CENTRED, np.round(centre), centre)
    step = 1.0 if abs(side / pixel - 1) < SAME_PIXEL else pixel / side
    reach = PSF_REACH * measure_fwhm(image, side) / PSF_FWHM / side
    farthest = max(centre.max(), (np.array(image.shape) - 1 - centre).max())
    half = int(np.ceil(min(farthest, reach) / step))
    n_parts = 1 if step <= 1 else 2 * int(np.ceil(step)) + 1
    parts = ((np.arange(n_parts) + 0.5) / n_parts - 0.5) * step
    places = (np.arange(-half, half + 1)[:, None] * step + parts).ravel()
    light = _interpolated(image, centre[0] + places, centre[1] + places)
    psf = light.reshape(2 * half + 1, n_parts, 2 * half + 1, n_parts).sum(axis=(1, 3))
    return psf / psf.sum()


def measure_fwhm(psf, pixel):
    """FWHM of a PSF: diameter of a circle with the area where it is brighter than half of its maximum; like `pixel`."""
    bright = np.nonzero(psf > psf.max() / 2)
    around = tuple(slice(max(places.min() - NEAR, 0), places.max() + NEAR + 1) for places in bright)
    fine, _, _ = _finer(psf[around])
    return 2 * np.sqrt(np.sum(fine > fine.max() / 2) / np.pi) * pixel / FINE


def encircled_energy(psf, pixel, radii):
    """Share of a PSF's light within circles about its middle.

    Parameters
    ----------
    psf : ndarray of shape (ny, nx)
        Odd numbers of pixels, the middle of which is that of the PSF.
    pixel : float
        Arcsec, side.
    radii : sequence of float
        Arcsec.

    Returns
    -------
    ndarray of shape (n_radii,)
    """
    fine, y, x = _finer(psf)
    distance = np.hypot(*np.meshgrid(y - psf.shape[0] // 2, x - psf.shape[1] // 2, indexing="ij")) * pixel
    return np.array([fine[distance <= radius].sum() for radius in radii]) / fine.sum()


def _finer(psf):
    """A PSF on pixels that are smaller by FINE, and where their rows and columns lie in its own."""
    y, x = ((np.arange(-MARGIN * FINE, (size + MARGIN) * FINE) + 0.5) / FINE - 0.5 for size in psf.shape)
    return _interpolated(psf, y, x), y, x


def _interpolated(image, y, x):
    """An image at these rows and columns, by cubic splines; 0 beyond its edges."""
    places = np.meshgrid(y + MARGIN, x + MARGIN, indexing="ij")
    return map_coordinates(np.pad(image.astype(float), MARGIN), places, order=3, mode="constant")


def blur(image, psf):
    """Image seen through a PSF."""
    # The Fourier transform leaves rounding noise of either sign where there is no light.
    return np.maximum(fftconvolve(image, psf, mode="same"), 0)


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
    psf = make_psf(pixel=seds.pixel * PSF_FWHM / seds.psf_fwhm) if seds.psf is None else seds.psf
    image = np.zeros((n_clusters, rows.max() + 1, cols.max() + 1))
    member = labels > 0
    image[labels[member] - 1, rows[member], cols[member]] = light[member]
    spread = np.array([blur(each, psf)[rows, cols] for each in image]).reshape(n_clusters, len(labels))
    arriving = np.array([spread[:, labels == k + 1].sum(axis=1) for k in range(n_clusters)])
    total = arriving.sum(axis=1, keepdims=True) if n_clusters else arriving
    return np.divide(arriving, total, out=np.full(arriving.shape, np.nan), where=total > 0)
