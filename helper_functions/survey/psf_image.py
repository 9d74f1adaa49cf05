"""The PSF image of a survey, if it has one."""

import zlib
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits

import data_paths
from helper_functions.psf import resample_psf
from helper_functions.survey.mosaics import open_fits

PIXEL_SCALES = 1e-4, 10.0  # arcsec: a scale outside of this range comes from a wrong header


def find_psf(folder, survey):
    """Path of the PSF image of a survey, from its description or made by `make_field`; None if there is none."""
    if pattern := data_paths.SURVEYS[survey].psf:
        return data_paths.find_survey_file(folder, pattern, f"psf of {survey!r} in SURVEYS")
    path = Path(folder) / data_paths.MATCHED_PSF
    return path if path.is_file() else None


def read_psf(path, pixel):
    """Read the PSF to which all images are matched, and resample it to the survey's pixels.

    Parameters
    ----------
    path : Path
        FITS file, whose first two-dimensional image is taken. Its pixel scale is PIXELSCL of the header in arcsec, or
        that of CD or CDELT; without these, it is `pixel`.
    pixel : float
        Side of the survey's pixels, arcsec.

    Returns
    -------
    ndarray of shape (size, size)
        An odd number of pixels, with a sum of 1 and the core in the middle.

    Raises
    ------
    OSError
        Where the file cannot be read.
    ValueError
        Where it holds no image, or one that is no PSF.
    """
    image, side = load_psf(path)
    return resample_psf(image, side or pixel, pixel)


def load_psf(path):
    """The image of a PSF in a FITS file, and its pixel scale in arcsec, or None if it is not in the header.

    See `read_psf`, which raises the same errors.
    """
    image, header = _first_plane(path)
    missing = np.sum(~np.isfinite(image))
    if missing:
        raise ValueError(f"{path} has {missing} of {image.size} pixels that are not finite: set those of a PSF to 0")
    if not image.sum() > 0:
        raise ValueError(
            f"{path} has pixels with a sum of {image.sum():.3g}: want an image of a PSF, whose sum is above 0"
        )
    inside = np.zeros(image.shape, dtype=bool)
    inside[1:-1, 1:-1] = True
    edge = image[~inside].max() / image.max()
    if edge > 0.5 and image.size > 1:
        raise ValueError(
            f"{path} has a pixel at its edge that is {edge:.2g} times as bright as the brightest one: want an image of "
            "a PSF with its core inside, and sky that was taken off"
        )
    return image, _pixel_scale(path, header)


def _first_plane(path):
    """The first two-dimensional image of a FITS file, as floats, and its header."""
    with open_fits(path) as hdus:
        shapes = [hdu.shape for hdu in hdus if hdu.is_image]
        try:
            for hdu in hdus:
                if hdu.is_image and len(hdu.shape) == 2:
                    return np.array(hdu.data, dtype=float), hdu.header
        except (OSError, TypeError, ValueError, EOFError, zlib.error) as problem:
            raise OSError(f"pixels of {path} cannot be read ({problem}): fetch the file again") from problem
    found = ", ".join(str(shape) for shape in shapes if shape) or "none"
    raise ValueError(f"{path} holds no two-dimensional image, which a PSF is: found {found}; put it there as one")


def _pixel_scale(path, header):
    """Side of a pixel in arcsec from the header; None if not given."""
    unit = header.get("CUNIT1", "deg")
    matrix = [[header.get(f"CD{row}_{col}", 0.0) for col in (1, 2)] for row in (1, 2)]
    try:
        if "PIXELSCL" in header:
            scale = float(header["PIXELSCL"])
        elif np.any(matrix):
            scale = np.sqrt(abs(np.linalg.det(matrix))) * u.Unit(unit).to("arcsec")
        elif "CDELT1" in header:
            scale = abs(header["CDELT1"]) * u.Unit(unit).to("arcsec")
        else:
            return None
    except (TypeError, ValueError, fits.VerifyError) as problem:
        raise ValueError(f"{path} has a pixel scale that cannot be read ({problem}): {_set_scale()}") from problem
    low, high = PIXEL_SCALES
    if not low < scale < high:
        raise ValueError(
            f"{path} has pixels of {scale:.3g} arcsec by its header, want {low:g} to {high:g}: {_set_scale()}"
        )
    return scale


def _set_scale():
    return "set PIXELSCL in the header, arcsec, or take it and CD and CDELT out for pixels like the survey's"
