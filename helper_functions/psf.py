"""The PSF that all images are matched to, that of F444W, and the blending of neighbouring regions by it."""

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import map_coordinates

PIXEL = 0.04  # arcsec, pixel scale of the survey
# Model: a Gaussian core and Moffat wings, with encircled energies of 0.55, 0.85 and 0.91 within 0.1, 0.3 and 0.5
# arcsec, those of F444W to a few percent.
PSF_FWHM, CORE_SHARE = 0.14, 0.65
WINGS_FWHM, WINGS_INDEX = 0.25, 1.6
PSF_REACH = 1.5  # arcsec
OVERSAMPLING = 10  # subpixels per pixel along each axis, to measure the width of a PSF of a few pixels
CENTRE_TOLERANCE = 0.1  # pixels: a centroid this close to a pixel's centre is set to it, so that a centred PSF is kept
SAME_PIXEL = 1e-3  # relative difference of pixel scales due to rounding in headers
MARGIN = 2  # pixels of zeros around an image that is interpolated, as boundary of the splines
NEAR = 5  # pixels around the core that are kept for the interpolation of the core


def arcsec_to_pixels(arcsec, pixel):
    """Convert arcsec to pixels, for a pixel scale in arcsec.

    The scale is rounded to two decimals in pixels per arcsec, so that rounding in headers does not change results.
    """
    return arcsec * round(1 / pixel, 2)


def make_psf(width=1.0, pixel=PIXEL):
    """Model PSF of F444W at this pixel scale in arcsec, sum 1; all its widths are multiplied by `width`."""
    half = round(PSF_REACH / pixel)
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * pixel / width
    core = np.exp(-4 * np.log(2) * (x**2 + y**2) / PSF_FWHM**2)
    scale = WINGS_FWHM / (2 * np.sqrt(2 ** (1 / WINGS_INDEX) - 1))
    wings = (1 + (x**2 + y**2) / scale**2) ** -WINGS_INDEX
    return CORE_SHARE * core / core.sum() + (1 - CORE_SHARE) * wings / wings.sum()


def psf_area_pixels(pixel, fwhm=PSF_FWHM):
    """Area in pixels of a circle with the FWHM of the PSF as diameter; pixel scale and FWHM in arcsec."""
    return np.pi / 4 * (fwhm / pixel) ** 2


def resample_psf(image, side, pixel):
    """Recentre the image of a PSF and resample it to another pixel scale; odd number of pixels, sum 1.

    Smaller pixels are interpolated; larger ones integrate the light that falls onto them.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)
        Any units, centred anywhere.
    side, pixel : float
        Arcsec, old and new pixel scale.

    Returns
    -------
    ndarray of shape (size, size)
        To the edge of the image, but at most to the radius PSF_REACH of the model, scaled by the FWHM.
    """
    core = np.maximum(image - image.max() / 2, 0)
    centre = np.array([np.sum(core * place) for place in np.indices(image.shape)]) / core.sum()
    centre = np.where(np.abs(centre - np.round(centre)) < CENTRE_TOLERANCE, np.round(centre), centre)
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
    """FWHM of a PSF, in units of `pixel`: diameter of a circle with the area above half of the maximum."""
    bright = np.nonzero(psf > psf.max() / 2)
    around = tuple(slice(max(places.min() - NEAR, 0), places.max() + NEAR + 1) for places in bright)
    fine, _, _ = _finer(psf[around])
    return 2 * np.sqrt(np.sum(fine > fine.max() / 2) / np.pi) * pixel / OVERSAMPLING


def encircled_energy(psf, pixel, radii):
    """Encircled energy of a PSF, as a fraction of its total.

    Parameters
    ----------
    psf : ndarray of shape (ny, nx)
        Odd numbers of pixels, centred on the central pixel.
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
    """A PSF interpolated to pixels smaller by OVERSAMPLING, and their rows and columns in its own pixels."""
    y, x = (
        (np.arange(-MARGIN * OVERSAMPLING, (size + MARGIN) * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5
        for size in psf.shape
    )
    return _interpolated(psf, y, x), y, x


def _interpolated(image, y, x):
    """Image interpolated to these rows and columns by cubic splines; 0 beyond its edges."""
    places = np.meshgrid(y + MARGIN, x + MARGIN, indexing="ij")
    return map_coordinates(np.pad(image.astype(float), MARGIN), places, order=3, mode="constant")


def convolve_full(image, kernel):
    """Convolution of two images wherever they overlap, in an image of the sum of their shapes less 1.

    `scipy.signal.fftconvolve` does the same, but takes 0.7 s to import in every process.
    """
    shape = np.add(image.shape, kernel.shape) - 1
    fast = [next_fast_len(size, real=True) for size in shape]
    return irfft2(rfft2(image, fast) * rfft2(kernel, fast), fast)[: shape[0], : shape[1]]


def convolve_same(image, kernel):
    """The part of `convolve_full` that lies on the image."""
    ny, nx = image.shape
    row, col = (np.array(kernel.shape) - 1) // 2
    return convolve_full(image, kernel)[row : row + ny, col : col + nx]


def convolve_with_psf(image, psf):
    """Convolve an image without negative pixels with a PSF."""
    # The Fourier transform leaves positive and negative rounding errors in empty pixels.
    return np.maximum(convolve_same(image, psf), 0)


def psf_on_pixels(seds, width=1.0):
    """PSF of the images of a `PixelSEDs` on its pixels, (size, size), of sum 1; `width` is a factor of its width."""
    if seds.psf is None:
        # The model scales with the FWHM: changing the pixel scale by the inverse factor is equivalent.
        return make_psf(width, seds.pixel * PSF_FWHM / seds.psf_fwhm)
    return seds.psf if width == 1 else resample_psf(seds.psf, seds.pixel * width, seds.pixel)


def contamination_matrix(seds, labels):
    """Fraction of the light of each cluster that the PSF scatters in from each other cluster.

    The observed light of each cluster is convolved with the PSF. As the image is convolved with it already, this is an
    upper limit.

    Parameters
    ----------
    seds : PixelSEDs
    labels : int ndarray of shape (n_pixels,)
        1..n_clusters; below 1 for unassigned pixels, whose light is ignored.

    Returns
    -------
    ndarray of shape (n_clusters, n_clusters)
        In row i, the fractions of each cluster in the light of the pixels of cluster i; NaN for clusters without light.
    """
    n_clusters = max(labels.max(initial=0), 0)
    has_data = np.isfinite(seds.flux)
    snr = np.where(has_data, seds.flux / np.where(has_data, seds.error, 1), 0)
    light = np.maximum(snr.sum(axis=1) / np.maximum(has_data.sum(axis=1), 1), 0)  # errors hardly differ among pixels
    rows, cols = seds.rows - seds.rows.min(), seds.cols - seds.cols.min()
    psf = psf_on_pixels(seds)
    image = np.zeros((n_clusters, rows.max() + 1, cols.max() + 1))
    member = labels > 0
    image[labels[member] - 1, rows[member], cols[member]] = light[member]
    spread = np.array([convolve_with_psf(each, psf)[rows, cols] for each in image]).reshape(n_clusters, len(labels))
    arriving = np.array([spread[:, labels == k + 1].sum(axis=1) for k in range(n_clusters)])
    total = arriving.sum(axis=1, keepdims=True) if n_clusters else arriving
    return np.divide(arriving, total, out=np.full(arriving.shape, np.nan), where=total > 0)
