"""Small mosaics with Gaussian PSFs, whose convolutions are known."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

SKY = (3.5875, -30.3997)  # degrees, middle of all mosaics
NOISE = 0.02  # 10 nJy per pixel of 40 mas


def wcs_of(shape, pixel=0.04, angle=0.0, off=(0.0, 0.0)):
    """WCS of a mosaic, pixel scale in arcsec, rotated by degrees, its middle off by pixels (x, y)."""
    turn = np.radians(angle)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], SKY
    wcs.wcs.crpix = (np.array(shape[::-1]) + 1) / 2 + off
    wcs.wcs.cd = pixel / 3600 * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    wcs.wcs.set()
    return wcs


def point(wcs, shape, fwhm, place=SKY, pixel=0.04):
    """A Gaussian point source of flux 1 at a place on the sky; FWHM and pixel scale in arcsec."""
    x, y = wcs.world_to_pixel_values(*place)
    rows, cols = np.indices(shape)
    sigma = fwhm / 2.3548 / pixel
    return np.exp(-((rows - y) ** 2 + (cols - x) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)


def write_mosaic(folder, band, flux, wcs, noise=NOISE, rng=None, unit="10 nJy", holes=None):
    """Write <band>_sci.fits and <band>_wht.fits, with noise where there is a random generator."""
    folder.mkdir(parents=True, exist_ok=True)
    weight = np.full(flux.shape, noise**-2, dtype=np.float32)
    if rng is not None:
        flux = flux + rng.normal(0, noise, flux.shape)
    if holes is not None:
        weight[holes] = 0
    header = wcs.to_header()
    fits.PrimaryHDU(weight, header).writeto(folder / f"{band}_wht.fits", overwrite=True)
    header["BUNIT"] = unit
    fits.PrimaryHDU(flux.astype(np.float32), header).writeto(folder / f"{band}_sci.fits", overwrite=True)


def write_psf(folder, band, fwhm, pixel=0.04, half=40, size=None, shift=(0.0, 0.0), norm=1.0):
    """Write the Gaussian PSF of a band with its pixel scale."""
    folder.mkdir(parents=True, exist_ok=True)
    size = size or 2 * half + 1
    rows, cols = np.indices((size, size)) - (size - 1) / 2
    sigma = fwhm / 2.3548 / pixel
    image = np.exp(-((rows - shift[0]) ** 2 + (cols - shift[1]) ** 2) / (2 * sigma**2))
    hdu = fits.PrimaryHDU((norm * image / image.sum()).astype(np.float32))
    hdu.header["PIXELSCL"] = pixel
    hdu.writeto(folder / f"psf_{band}.fits", overwrite=True)
    return folder / f"psf_{band}.fits"
