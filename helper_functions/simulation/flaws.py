"""Flaws of real mosaics for simulated images: errors in PSF, registration, zero points, background and noise.

Each band has its own random flaws, which are kept as part of the truth.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from helper_functions.psf import convolve_with_psf, make_psf
from helper_functions.simulation.simulated_galaxy import (
    make_cutout,
    pixel_noise,
    smoothed_noise,
    smoothed_noise_std,
)
from helper_functions.simulation.star_psfs import MatchedPSFs, matched_psfs, shifted

PSF_WIDTH = 0.03  # standard deviation of the factor: matching leaves a few percent between the PSFs of the bands
ZERO_POINT = 0.02  # likewise: flux calibrations of HST and JWST agree to about 2%
# Standard deviation of the residual background in units of the noise of a pixel: invisible in a pixel, but not in the
# mean of a hundred. Its gradient has the same amplitude at the edges of the image, and half of it around the galaxy.
BACKGROUND = 0.3
# Pixels over which noise is correlated: drizzling alone gives a few, matching the sharpest bands to F444W some tens.
NOISE_AREA = (4.0, 40.0)
# Scatter of the sky over the stated error. Smoothing lowers the scatter of pixels while their weights stay (Casertano
# et al. 2000, AJ 120, 2747); undetected sources and flat fields add noise that weights do not include.
SCATTER_OVER_ERROR = (0.3, 1.4)
SMOOTHINGS = (0.3, 3.0)  # pixels, standard deviation of a Gaussian filter: these give areas of 1.0 to 113 pixels


class Flaws(NamedTuple):
    """Image flaws of each band."""

    psf_width: np.ndarray  # (n_bands,), widths of the PSF over those of F444W
    zero_point: np.ndarray  # (n_bands,), measured flux over true flux
    background: np.ndarray  # (n_bands,), constant, in units of the noise of a pixel
    gradient: np.ndarray  # (n_bands, 2), background at the last row and the last column, less the constant; same units
    noise_area: np.ndarray  # (n_bands,), correlation area of the noise, pixels
    scatter_over_error: np.ndarray  # (n_bands,), true standard deviation of the noise over the stated error
    shift: np.ndarray | None = None  # (n_bands, 2), misregistration in pixels along rows and columns; None: none
    psfs: MatchedPSFs | None = None  # of stars; None: the model, as wide as `psf_width` says

    def psf(self, band):
        """PSF of a band by index, including the shift of its image."""
        psf = make_psf(self.psf_width[band]) if self.psfs is None else self.psfs.bands[band]
        return psf if self.shift is None else shifted(psf, self.shift[band])


def draw_flaws(bands, rng, stars=None):
    """Draw random flaws of every band, without shifts, which are common to a field: see `draw_shifts`.

    Parameters
    ----------
    bands : sequence of str
    rng : numpy.random.Generator
    stars : dict or None
        PSFs of stars (see `read_star_psfs`); None: PSFs are the model of F444W, wider or narrower.

    Returns
    -------
    Flaws
    """
    n_bands = len(bands)
    return Flaws(
        psf_width=1 + PSF_WIDTH * rng.standard_normal(n_bands),
        zero_point=1 + ZERO_POINT * rng.standard_normal(n_bands),
        background=BACKGROUND * rng.standard_normal(n_bands),
        gradient=BACKGROUND * rng.standard_normal((n_bands, 2)),
        noise_area=np.exp(rng.uniform(*np.log(NOISE_AREA), n_bands)),
        scatter_over_error=np.exp(rng.uniform(*np.log(SCATTER_OVER_ERROR), n_bands)),
        psfs=None if stars is None else matched_psfs(stars, bands, rng),
    )


def draw_shifts(bands, rms, rng):
    """Draw Gaussian shifts of the bands of a field with this rms in pixels, along rows and columns, (n_bands, 2)."""
    return rms * rng.standard_normal((len(bands), 2))


def observed_seds(galaxy, flaws):
    """True SEDs of the regions including the zero point errors, mean 1, shape (n_regions, n_bands)."""
    seds = galaxy.region_seds * flaws.zero_point
    return seds / seds.mean(axis=1, keepdims=True)


def observed_flux(galaxy, flaws):
    """Images with the PSF and zero point of each band, without noise and background.

    Parameters
    ----------
    galaxy : SimulatedGalaxy
    flaws : Flaws

    Returns
    -------
    ndarray of shape (n_bands, ny, nx)
        10 nJy per pixel.
    """
    sharp = np.einsum("kb,kyx->byx", galaxy.region_seds * flaws.zero_point, galaxy.light)
    return np.array([convolve_with_psf(image, flaws.psf(band)) for band, image in enumerate(sharp)])


def background_left(flaws, shape):
    """Residual background: a plane in each band, in units of the noise of a pixel.

    Parameters
    ----------
    flaws : Flaws
    shape : tuple
        (ny, nx) of the images.

    Returns
    -------
    ndarray of shape (n_bands, ny, nx)
    """
    rows, cols = (np.linspace(-1, 1, size) for size in shape)
    tilt = flaws.gradient[:, 0, None, None] * rows[:, None] + flaws.gradient[:, 1, None, None] * cols
    return flaws.background[:, None, None] + tilt


def smoothing_for(area):
    """Standard deviation in pixels of the Gaussian filter that gives white noise this correlation area.

    For a wide Gaussian the area is 4 pi s^2. In general, for any filter of sum 1, it is 1 over the variance of filtered
    white noise of variance 1.
    """
    return brentq(lambda smoothing: smoothed_noise_std(smoothing) ** -2 - area, *SMOOTHINGS)


def observe_with_flaws(galaxy, flaws, seed):
    """Cutout of a simulated galaxy alone on the sky, with noise and flaws.

    Parameters
    ----------
    galaxy : SimulatedGalaxy
    flaws : Flaws
        Of the galaxy's bands.
    seed : int
        Of the noise.

    Returns
    -------
    Cutout
        With id_dr3 1. Its errors are the misstated ones; its noise has the standard deviation of `pixel_noise`.
    """
    rng, shape, sigma = np.random.default_rng(seed), galaxy.region.shape, pixel_noise(galaxy.bands)
    sci = observed_flux(galaxy, flaws) + background_left(flaws, shape) * sigma[:, None, None]
    for image, scatter, area in zip(sci, sigma, flaws.noise_area, strict=True):
        image += smoothed_noise(scatter, smoothing_for(area), shape, rng)
    return make_cutout(galaxy, sci, sigma / flaws.scatter_over_error)
