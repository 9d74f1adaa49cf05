"""PSFs of real stars, matched to F444W as in surveys, with realistic residuals of the matching.

The stars are not part of the project. The file has the format of Zhuang & Shen (2024, arXiv:2304.13776), an .npz with
arrays named <BAND>_<POINTING>_<MODULE>, each the PSF of a band on square pixels of 30 mas, centred and of sum 1.
"""

from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import fourier_shift, map_coordinates

from helper_functions.filters import pivot_wavelength, sedpy_name
from helper_functions.psf import PIXEL, PSF_REACH

STAR_PIXEL = 0.03  # arcsec
TARGET = "F444W"  # band that all others are matched to
# Weight of the Laplacian that regularises matching kernels at frequencies where the PSF has no power.
REGULARISATION = 1e-4
SUM_TOLERANCE = 0.01  # of the sum of PSFs, which is 1 except for rounding and truncation


class MatchedPSFs(NamedTuple):
    """PSFs of the bands after matching."""

    target: np.ndarray  # (size, size), of F444W
    bands: np.ndarray  # (n_bands, size, size), each of sum 1


def read_star_psfs(path):
    """Read PSFs of stars, {(band, place): (size, size)}, where the place is pointing and module.

    Raises
    ------
    OSError
        Where there is no such file.
    ValueError
        Where it is no .npz file; where there are less than two places or no other band than F444W; where a band is
        missing in a place; and where arrays are not PSFs of one size.
    """
    try:
        with np.load(path) as file:
            psfs = {tuple(name.split("_", 1)): file[name].astype(float) for name in file.files}
    except (BadZipFile, EOFError, TypeError, ValueError) as problem:
        raise ValueError(f"{path} cannot be read as an .npz file of PSFs of stars: {problem}") from problem
    names = ["_".join(name) for name in psfs]
    bands, places = ({name[part] for name in psfs if len(name) == 2} for part in (0, 1))
    if len(psfs) != len(bands) * len(places) or TARGET not in bands or min(len(bands), len(places)) < 2:
        raise ValueError(
            f"{path}: want arrays <BAND>_<PLACE> of {TARGET} and other bands, all of them in two places or more, found "
            f"{', '.join(names) or 'none'}"
        )
    if unknown := sorted(band for band in bands if sedpy_name(band) is None):
        raise ValueError(f"{path} has PSFs of bands that have no filter curve: {', '.join(unknown)}")
    sizes = {psf.shape for psf in psfs.values()}
    size = min(sizes)
    if len(sizes) > 1 or len(size) != 2 or size[0] != size[1] or size[0] % 2 == 0:
        raise ValueError(f"{path}: want square PSFs of one odd number of pixels, found shapes {sorted(sizes)}")
    if wrong := [
        name for name, psf in zip(names, psfs.values(), strict=True) if not abs(psf.sum() - 1) < SUM_TOLERANCE
    ]:
        raise ValueError(f"{path}: want PSFs of sum 1 that are finite, which {', '.join(wrong)} are not")
    return psfs


def matched_psfs(stars, bands, rng):
    """PSFs of bands in one place, matched to F444W with kernels from another place.

    A survey has one set of kernels, but PSFs differ between pointings and modules. The residuals are 3 to 7% of the
    peak.

    Parameters
    ----------
    stars : dict
        From `read_star_psfs`.
    bands : sequence of str
        PSFs are interpolated in wavelength between the bands of the stars, and those of the nearest band outside.
    rng : numpy.random.Generator
        Draws the two places.

    Returns
    -------
    MatchedPSFs
        On pixels of the simulated galaxies.
    """
    known = sorted({band.lower() for band, _ in stars}, key=pivot_wavelength)
    places = sorted({place for _, place in stars})
    here, there = rng.choice(places, 2, replace=False)
    target = stars[TARGET, here]
    matched = {TARGET.lower(): target}
    for band in known:
        if band.upper() != TARGET:
            kernel = matching_kernel(stars[band.upper(), there], stars[TARGET, there])
            matched[band] = irfft2(rfft2(stars[band.upper(), here]) * kernel, target.shape)
    stack = np.array([resample_star_psf(matched[band]) for band in known])
    waves = np.array([pivot_wavelength(band) for band in known])
    wanted = np.array([pivot_wavelength(band) for band in bands])
    right = np.clip(np.searchsorted(waves, wanted), 1, len(waves) - 1)
    share = np.clip((wanted - waves[right - 1]) / (waves[right] - waves[right - 1]), 0, 1)[:, None, None]
    return MatchedPSFs(resample_star_psf(target), (1 - share) * stack[right - 1] + share * stack[right])


def matching_kernel(psf, target):
    """Fourier transform of the kernel that matches a PSF to a target (Boucaud et al. 2016, A&A 596, A63).

    Parameters
    ----------
    psf, target : ndarray of shape (size, size)
        With the same centre.

    Returns
    -------
    complex ndarray
        As from `scipy.fft.rfft2`, for a kernel centred on the first pixel.
    """
    laplacian = np.zeros(psf.shape)
    laplacian[:3, :3] = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
    of_psf, of_target, rough = rfft2(psf), rfft2(target), np.abs(rfft2(laplacian)) ** 2
    return of_target * of_psf.conj() / (np.abs(of_psf) ** 2 + REGULARISATION * rough)


def resample_star_psf(psf, pixel=PIXEL):
    """Interpolate a PSF of stars to this pixel scale in arcsec, sum 1.

    Unlike `psf.resample_psf`, it neither recentres nor integrates over pixels: the PSF is centred, and includes the
    pixel response already.
    """
    half = round(min(PSF_REACH, STAR_PIXEL * (len(psf) // 2)) / pixel)
    place = len(psf) // 2 + np.arange(-half, half + 1) * pixel / STAR_PIXEL
    result = map_coordinates(psf, np.meshgrid(place, place, indexing="ij"), order=5, mode="constant")
    return result / result.sum()


def shifted(psf, shift):
    """A PSF shifted by a fraction of a pixel, (rows, columns), in Fourier space."""
    return np.fft.ifftn(fourier_shift(np.fft.fftn(psf), shift)).real
