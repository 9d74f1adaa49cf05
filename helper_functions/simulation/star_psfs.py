"""PSFs of real stars in bands that were matched to F444W the way surveys do it, with what the matching leaves over.

The stars are not part of the project: the file is one like that of Zhuang & Shen (2024, arXiv:2304.13776), an .npz with
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
TARGET = "F444W"  # that all bands are matched to
# Where the PSF of a sharper band has no power, neither has the ratio of two: weight of the Laplacian that holds it.
REGULARISATION = 1e-4
SUM_TOLERANCE = 0.01  # of the sum of PSFs, which is 1 but for rounding and what was cut off


class MatchedPSFs(NamedTuple):
    """PSFs of the bands after matching, as a mosaic has them."""

    target: np.ndarray  # (size, size), of F444W
    bands: np.ndarray  # (n_bands, size, size), each of sum 1


def read_star_psfs(path):
    """PSFs of stars, {(band, place): (size, size)}, where the place is pointing and module.

    Raises
    ------
    OSError
        Where there is no such file.
    ValueError
        Where it is no .npz file, or has no two places with F444W and another band, to match one with the kernel of the
        other; where a band is missing in one of the places; and where arrays are no PSFs of one size.
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
    """PSFs of bands in one place, matched to F444W with kernels that were made in another place.

    A survey makes its kernels once, but pointings and modules differ. What that leaves over is 3 to 7% of the peak.

    Parameters
    ----------
    stars : dict
        From `read_star_psfs`.
    bands : sequence of str
        Bands between those of the stars get what is interpolated in wavelength; bluer and redder ones, of the nearest.
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
    """Transform of the kernel that turns a PSF into a target, regularised as by Boucaud et al. (2016, A&A 596, A63).

    Parameters
    ----------
    psf, target : ndarray of shape (size, size)
        Centred alike.

    Returns
    -------
    complex ndarray
        As `scipy.fft.rfft2` has it, of a kernel about the first pixel.
    """
    laplacian = np.zeros(psf.shape)
    laplacian[:3, :3] = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
    of_psf, of_target, rough = rfft2(psf), rfft2(target), np.abs(rfft2(laplacian)) ** 2
    return of_target * of_psf.conj() / (np.abs(of_psf) ** 2 + REGULARISATION * rough)


def resample_star_psf(psf, pixel=PIXEL):
    """A PSF of stars on pixels of this side in arcsec, sum 1."""
    half = round(min(PSF_REACH, STAR_PIXEL * (len(psf) // 2)) / pixel)
    place = len(psf) // 2 + np.arange(-half, half + 1) * pixel / STAR_PIXEL
    result = map_coordinates(psf, np.meshgrid(place, place, indexing="ij"), order=5, mode="constant")
    return result / result.sum()


def shifted(psf, shift):
    """A PSF moved by a fraction of a pixel, (rows, columns), by the phases of its transform."""
    return np.fft.ifftn(fourier_shift(np.fft.fftn(psf), shift)).real
