"""The cutout of a galaxy and the SEDs of its selected pixels: the data structures of the whole pipeline."""

from typing import NamedTuple

import numpy as np
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from scipy.ndimage import gaussian_filter, gaussian_laplace

from helper_functions.filters import band_edges
from helper_functions.noise import correlation_area
from helper_functions.psf import PIXEL, PSF_FWHM, arcsec_to_pixels
from helper_functions.registry import choose
from helper_functions.sky_noise import SkyNoise, photon_note

# Arcsec, standard deviations of Gaussians: smoothing of the derivatives, which amplify noise, by less than the PSF,
# 0.06; and the wings of the PSF, most of whose light is between 0.2 and 0.6. They are those of the PSF of F444W; for
# other PSFs, they are multiplied by the ratio of the FWHM.
SLOPE_SMOOTHING, LAPLACIAN_SMOOTHING, WINGS = 0.024, 0.04, 0.32
MIN_COMPLETE = 0.9  # fraction of the pixels that must have data in every band used for clustering


class Cutout(NamedTuple):
    """The images of one galaxy. Pixels without data are NaN in both `sci` and `err`."""

    id_dr3: int
    redshift: float  # z_50; NaN where it is not known
    bands: tuple  # n_bands names, by wavelength
    wavelengths: np.ndarray  # (n_bands,), pivot, Angstrom
    sci: np.ndarray  # (n_bands, ny, nx), 10 nJy per pixel
    err: np.ndarray  # (n_bands, ny, nx), 10 nJy per pixel
    segmap: np.ndarray  # (ny, nx), id of the source in each pixel
    members: tuple  # ids whose segments may be selected: the galaxy, then its neighbours
    wcs: WCS  # celestial, of the cutout
    noise: SkyNoise | None = None  # as measured in the sky; None where not measured
    registration: tuple | None = None  # `Registration` before alignment; None: neither measured nor aligned
    notes: tuple = ()  # caveats for a user, sentences
    psf_fwhm: float = PSF_FWHM  # arcsec, of the PSF that all images are matched to
    psf: np.ndarray | None = None  # (size, size), of sum 1, on the cutout's pixels; None: the model of that FWHM
    truth: np.ndarray | None = None  # (ny, nx), true region of each pixel of a simulated galaxy; None: not known
    electrons: np.ndarray | None = None  # (n_bands,), per 10 nJy; NaN: unknown, inf: weights include photon noise
    redshift_range: tuple = (np.nan, np.nan)  # z_16 and z_84; equal if it is of a spectrum; NaN where not known

    @property
    def pixel(self):
        """Side of a pixel, arcsec."""
        return pixel_of(self.wcs)

    @property
    def photon_note(self):
        """A sentence on source photon noise that is missing in the errors, "" where none is missing."""
        if self.noise is None:
            return ""
        wanted = np.isfinite(self.sci[:, in_segments(self)]).any(axis=1)
        return photon_note(self.noise, self.bands, wanted, self.electrons)


def pixel_of(wcs):
    """Side of a pixel, arcsec."""
    return float(np.mean(proj_plane_pixel_scales(wcs))) * 3600


class PixelSEDs(NamedTuple):
    """The SEDs of the selected pixels of one galaxy; rows are pixels. Missing data is NaN."""

    flux: np.ndarray  # (n_pixels, n_bands), 10 nJy per pixel
    error: np.ndarray  # (n_pixels, n_bands), 10 nJy per pixel
    bands: tuple  # n_bands names, by wavelength
    wavelengths: np.ndarray  # (n_bands,), pivot, Angstrom
    rows: np.ndarray  # (n_pixels,), in the cutout
    cols: np.ndarray  # (n_pixels,), in the cutout
    redshift: float = np.nan  # NaN where it is not known
    pixel: float = PIXEL  # arcsec, side
    psf_fwhm: float = PSF_FWHM  # arcsec
    psf: np.ndarray | None = None  # (size, size), of sum 1; None: the model of that FWHM
    derivatives: np.ndarray | None = None  # (n_pixels, 6), see `brightness_derivatives`; None: unknown
    correlation: np.ndarray | None = None  # (n_bands, n_lags), of noise, see `noise`; NaN or None where not measured
    registration_error: np.ndarray | None = None  # (n_bands, 2), pixels along rows and columns; None: not measured
    background_error: np.ndarray | None = None  # (n_bands,), 10 nJy per pixel, common to all pixels; None: unknown
    redshift_range: tuple = (np.nan, np.nan)  # z_16 and z_84; equal if it is of a spectrum; NaN where not known
    noise_scale: np.ndarray | None = None  # (n_bands,), that errors were multiplied by, see `quality.error_scale`

    @property
    def positions(self):
        """Row and column of each pixel, float, shape (n_pixels, 2)."""
        return np.column_stack([self.rows, self.cols]).astype(float)

    @property
    def noise_area(self):
        """Correlation area of the noise in pixels, (n_bands,), NaN where not measured; None: measured in no band."""
        return None if self.correlation is None else correlation_area(self.correlation, self.pixel)

    @property
    def edges(self):
        """Blue and red edge of each band in Angstrom, shape (n_bands, 2)."""
        return band_edges(self.bands)

    def only(self, pixels=slice(None), bands=slice(None)):
        """A new object for some of the pixels and bands; both are array indices."""
        return self._replace(
            flux=self.flux[pixels][:, bands],
            error=self.error[pixels][:, bands],
            bands=tuple(np.array(self.bands)[bands].tolist()),
            wavelengths=self.wavelengths[bands],
            rows=self.rows[pixels],
            cols=self.cols[pixels],
            derivatives=None if self.derivatives is None else self.derivatives[pixels],
            **{name: values[bands] for name in PER_BAND if (values := getattr(self, name)) is not None},
        )


# Fields of PixelSEDs with an element for each band that may be None.
PER_BAND = "correlation", "registration_error", "background_error", "noise_scale"


class NoPixels(ValueError):
    """No pixel of the galaxy can be clustered."""

    status = "no pixels"


def median_snr(cutout):
    """Median SNR of each pixel over the bands that have data there, shape (ny, nx); NaN where none has."""
    snr = cutout.sci / cutout.err
    has_data = np.isfinite(snr).any(axis=0)
    median = np.full(has_data.shape, np.nan)
    median[has_data] = np.nanmedian(snr[:, has_data], axis=0)
    return median


def in_segments(cutout):
    """Pixels of the segments of the galaxy and of its included neighbours; bool, shape (ny, nx)."""
    return np.isin(cutout.segmap, cutout.members)


def select_pixels(cutout, snr, snr_thresh, snr_bands=None):
    """Select the pixels to cluster: in the segments, and above thresholds in median SNR and in SNR of single bands.

    Parameters
    ----------
    cutout : Cutout
    snr : ndarray of shape (ny, nx)
        From `median_snr`.
    snr_thresh : float
        Value that the median SNR must exceed.
    snr_bands : dict or None
        Band -> value that the SNR in it must exceed; pixels without data in it are excluded.

    Returns
    -------
    mask : bool ndarray of shape (ny, nx)

    Raises
    ------
    ValueError
        For a band that the cutout does not have.
    """
    mask = in_segments(cutout) & (snr > snr_thresh)  # NaN > x is False
    number = {band: place for place, band in enumerate(cutout.bands)}
    for band, least in (snr_bands or {}).items():
        here = choose(number, band, "band")
        mask &= cutout.sci[here] / cutout.err[here] > least
    return mask


def no_pixels(cutout, snr, snr_thresh, snr_bands=None):
    """The exception for a galaxy in which no pixel exceeds the threshold, with the numbers."""
    segments = in_segments(cutout)
    known = snr[segments & np.isfinite(snr)]
    highest = f"the highest has {known.max():.2f}" if known.size else "none of them has data"
    besides = "".join(f" and {least:g} in {band}" for band, least in (snr_bands or {}).items())
    found = f"0 of {segments.sum()} pixels exceed a median SNR of {snr_thresh:g}{besides}: {highest}"
    return NoPixels("; ".join([found, *cutout.notes]))  # notes on the errors may tell why


def extract_seds(cutout, mask):
    """SEDs of the pixels in `mask`, in row-major order, in the bands that have data in at least one of them."""
    rows, cols = np.nonzero(mask)
    flux = cutout.sci[:, rows, cols].T.astype(float)
    error = cutout.err[:, rows, cols].T.astype(float)
    present = np.isfinite(flux).any(axis=0)
    return PixelSEDs(
        flux=flux[:, present],
        error=error[:, present],
        bands=tuple(np.array(cutout.bands)[present].tolist()),
        wavelengths=cutout.wavelengths[present],
        rows=rows,
        cols=cols,
        redshift=cutout.redshift,
        redshift_range=cutout.redshift_range,
        pixel=cutout.pixel,
        psf_fwhm=cutout.psf_fwhm,
        psf=cutout.psf,
        derivatives=brightness_derivatives(cutout, mask)[rows, cols],
        correlation=None if cutout.noise is None else cutout.noise.correlation[present],
        registration_error=None if cutout.registration is None else cutout.registration.residual_error[present],
        background_error=None if cutout.noise is None else np.nan_to_num(cutout.noise.background_err[present]),
    )


def brightness_derivatives(cutout, mask):
    """Derivatives of a galaxy's brightness with respect to a shift of the image and to changes of its PSF.

    To first order, a shift by s along an axis changes an image by -s times its slope. A PSF with a variance larger by d
    in each direction changes it by d/2 times its Laplacian. A PSF with an additional fraction w of its light in the
    wings changes it by w times the difference between the image smoothed by the wings and the image itself; and
    asymmetric wings change it by the slope of the smoothed image.

    Parameters
    ----------
    cutout : Cutout
    mask : bool ndarray of shape (ny, nx)
        The selected pixels, see `brightness_image`.

    Returns
    -------
    ndarray of shape (ny, nx, 6)
        Slopes along rows and along columns, per pixel; Laplacian, per (0.04 arcsec)^2 for any pixel scale and the PSF
        of F444W, else per square of the same fraction of the FWHM; image smoothed by the wings less the image; and
        slopes of the image smoothed by the wings, per pixel.
    """
    brightness = brightness_image(cutout, mask)
    for_slope, for_laplacian, wings, unit = (
        arcsec_to_pixels(each, cutout.pixel) * (cutout.psf_fwhm / PSF_FWHM)
        for each in (SLOPE_SMOOTHING, LAPLACIAN_SMOOTHING, WINGS, PIXEL)
    )
    laplacian = gaussian_laplace(brightness, for_laplacian, mode="nearest") * unit**2
    slopes, of_wings = (
        [gaussian_filter(brightness, smoothing, order, mode="nearest") for order in ((1, 0), (0, 1))]
        for smoothing in (for_slope, wings)
    )
    return np.stack(
        [*slopes, laplacian, gaussian_filter(brightness, wings, mode="nearest") - brightness, *of_wings], -1
    )


def brightness_image(cutout, mask):
    """Brightness of each pixel: best-fit amplitude of the galaxy's mean SED.

    Parameters
    ----------
    cutout : Cutout
    mask : bool ndarray of shape (ny, nx)
        The selected pixels, which define the mean SED, and have a mean brightness of about 1.

    Returns
    -------
    ndarray of shape (ny, nx)
        0 where there is no data.
    """
    data = np.isfinite(cutout.sci)
    count = np.maximum(data[:, mask].sum(axis=1), 1)
    mean = np.where(data, cutout.sci, 0)[:, mask].sum(axis=1) / count
    weighted = mean[:, None, None] / np.where(data, cutout.err, np.inf) ** 2
    norm = np.einsum("b,byx->yx", mean, weighted)
    match = np.einsum("byx,byx->yx", np.where(data, cutout.sci, 0), weighted)
    return np.divide(match, norm, out=np.zeros(norm.shape), where=norm > 0)


def fill_image(shape, seds, values, elsewhere):
    """Image of the given shape with the values of the pixels of `seds`, and `elsewhere` in all other pixels."""
    image = np.full(shape, elsewhere, dtype=np.asarray(values).dtype)
    image[seds.rows, seds.cols] = values
    return image


def canonical_order(flux):
    """Order of pixels that does not depend on the order in which they and the bands are given.

    Random starts draw pixels by their index: results are reproducible only if a pixel always has the same index.
    """
    return np.lexsort([np.sum(flux**3, axis=1), np.sum(flux, axis=1)])


def select_complete(flux, min_complete=MIN_COMPLETE):
    """Choose bands, then pixels, such that every SED has data in every band.

    Dropping a band that does not cover part of the galaxy is better than dropping all pixels there; dropping a single
    pixel without data is better than dropping a band. So the bands with the least data are dropped, one by one, until
    at least `min_complete` of the pixels have data in all the others.

    Parameters
    ----------
    flux : ndarray of shape (n_pixels, n_bands)
        NaN marks missing data.
    min_complete : float
        Fraction of the pixels, 0 to 1.

    Returns
    -------
    pixels : bool ndarray of shape (n_pixels,)
        Pixels with data in all of `bands`.
    bands : bool ndarray of shape (n_bands,)
        Bands to use.
    """
    has_data = np.isfinite(flux)
    bands = np.ones(flux.shape[1], dtype=bool)
    while True:
        pixels = has_data[:, bands].all(axis=1)
        if pixels.mean() >= min_complete or bands.sum() == 1:
            return pixels, bands
        bands[np.argmin(np.where(bands, has_data.mean(axis=0), np.inf))] = False
