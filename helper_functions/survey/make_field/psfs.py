"""PSFs of the bands: read from files, centred, normalised, and resampled to other pixels."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates

from helper_functions.psf import CENTRE_TOLERANCE, measure_fwhm
from helper_functions.survey.psf_image import load_psf

RADIUS = 2.0  # arcsec: light beyond it, about 2% in all bands of JWST, is ignored
NORM_TOLERANCE = 0.02  # of the sum of a PSF, which may be truncated
# A PSF on pixels smaller than this times the mosaic's is assumed to be a model without the pixel response.
MODEL_PIXELS = 0.45
ORDER = 5  # of the interpolating splines: PSFs are sampled by two to four pixels


class BandPSF(NamedTuple):
    """PSF of a band."""

    image: np.ndarray  # (ny, nx), of sum 1
    centre: tuple  # row, column
    pixel_to_sky: np.ndarray  # (2, 2), from (x, y) in pixels to arcsec on the sky
    fwhm: float  # arcsec
    n_stars: int = 0  # from which it was measured; 0: from a file
    note: str = ""  # corrections that were made

    @property
    def radius(self):
        """Distance from the centre to the nearest edge, arcsec."""
        sides = zip(self.centre, self.image.shape, strict=True)
        return min(min(place, size - 1 - place) for place, size in sides) * pixel_side(self.pixel_to_sky)


def pixel_side(pixel_to_sky):
    """Side of a pixel, arcsec."""
    return float(np.sqrt(abs(np.linalg.det(pixel_to_sky))))


def sky_matrix(wcs):
    """Matrix (2, 2) from pixels (x, y) to arcsec on the sky, of the middle of a mosaic."""
    return wcs.pixel_scale_matrix * 3600


def read_band_psf(path, wcs):
    """Read the PSF of a band.

    Its pixels are parallel to those of the mosaic, with the scale of its header or else that of the mosaic.

    Parameters
    ----------
    path : Path
        See `load_psf`, also for errors. Any normalisation, size and centring.
    wcs : WCS
        Of the band's mosaic.

    Returns
    -------
    BandPSF
        With a note on corrections.
    """
    image, side = load_psf(path)
    matrix = sky_matrix(wcs)
    return make_band_psf(image, matrix if side is None else matrix * side / pixel_side(matrix))


def make_band_psf(image, pixel_to_sky, n_stars=0):
    """`BandPSF` of an image of a PSF, normalised, with its centre measured in the pixels above half of the maximum."""
    from photutils.centroids import centroid_com

    total = image.sum()
    col, row = centroid_com(np.maximum(image - image.max() / 2, 0))
    middle = (np.array(image.shape) - 1) / 2
    off = float(np.hypot(row - middle[0], col - middle[1]))
    mended = [f"sum {total:.4g} set to 1"] if abs(total - 1) > NORM_TOLERANCE and not n_stars else []
    mended += (
        [f"even number of pixels {image.shape[0]} x {image.shape[1]}"] if np.any(np.mod(image.shape, 2) == 0) else []
    )
    mended += [f"{off:.2f} pixels off centre, recentred"] if off > CENTRE_TOLERANCE else []
    side = pixel_side(pixel_to_sky)
    centre = tuple(round(each) if abs(each - round(each)) < CENTRE_TOLERANCE else float(each) for each in (row, col))
    return BandPSF(image / total, centre, pixel_to_sky, measure_fwhm(image, side), n_stars, ", ".join(mended))


def on_pixels(psf, pixel_to_sky, radius):
    """Resample a PSF to pixels of another scale and orientation, centred on a pixel.

    Parameters
    ----------
    psf : BandPSF
    pixel_to_sky : ndarray of shape (2, 2)
        Of the other pixels.
    radius : float
        Arcsec; light beyond it is ignored.

    Returns
    -------
    ndarray of shape (size, size)
        Odd number of pixels, sum 1.
    """
    side, own = pixel_side(pixel_to_sky), pixel_side(psf.pixel_to_sky)
    half = int(np.floor(radius / side + 1e-6))
    n_parts = int(np.ceil(side / own)) if own < MODEL_PIXELS * side else 1
    parts = (np.arange(n_parts) + 0.5) / n_parts - 0.5
    places = (np.arange(-half, half + 1)[:, None] + parts).ravel()
    y, x = np.meshgrid(places, places, indexing="ij")
    cols, rows = np.tensordot(np.linalg.inv(psf.pixel_to_sky) @ pixel_to_sky, np.array([x, y]), axes=1)
    light = map_coordinates(psf.image, [rows + psf.centre[0], cols + psf.centre[1]], order=ORDER)
    size = 2 * half + 1
    light = light.reshape(size, n_parts, size, n_parts).mean(axis=(1, 3))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    light[np.hypot(y, x) * side > radius] = 0
    return light / light.sum()
