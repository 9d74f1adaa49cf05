"""Kernels that match the PSFs of the bands to a target, and their accuracy."""

from typing import NamedTuple

import numpy as np
from scipy.signal import fftconvolve

from helper_functions.psf import encircled_energy, measure_fwhm
from helper_functions.survey.make_field.psfs import RADIUS, on_pixels, pixel_side

# Weight of the Laplacian that regularises the kernel where the PSF has no power. For PSFs of stars in six bands of
# NIRCam residuals are 0.05% (F115W) to 0.4% (F356W) of the peak, as with `pypher`, which has the same formula. With
# a ratio of Fourier transforms they are 0.2 to 0.9% (window: split cosine bell) or 9 to 30% (cosine bells).
REGULARISATION = 1e-4
LAPLACIAN = np.array([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])
REACH = 1.0  # arcsec, radius of kernels, by which holes grow; residuals are then 0.13 to 0.35% of the peak
RADII = 0.1, 0.2, 0.3, 0.5  # arcsec, of encircled energies
MOST_RESIDUAL = 10.0  # percent of the peak: more is refused


class Verdict(NamedTuple):
    """Accuracy of the matched PSF of a band."""

    fwhm: float  # arcsec, before matching
    matched_fwhm: float  # arcsec
    energies: np.ndarray  # encircled energy within RADII over that of the target
    residual: float  # largest difference to the target, percent of its peak
    noise: float  # standard deviation of white noise after the kernel


def choose_target(psfs, wanted=None):
    """Band of the widest PSF, or `wanted` unless another is wider.

    Parameters
    ----------
    psfs : dict
        Band -> BandPSF.
    wanted : str or None

    Returns
    -------
    target : str
    note : str
        Message if another band than the wanted one became the target.

    Raises
    ------
    ValueError
        Where the band is unknown.
    """
    widest = max(psfs, key=lambda band: psfs[band].fwhm)
    if wanted is None or wanted == widest:
        return widest, ""
    if wanted not in psfs:
        raise ValueError(f"no band {wanted} to match the others to: there are {', '.join(psfs)}")
    if psfs[widest].fwhm <= psfs[wanted].fwhm:
        return wanted, ""
    return widest, (
        f"the PSF of {widest}, {psfs[widest].fwhm:.3f} arcsec, is wider than that of {wanted}, "
        f"{psfs[wanted].fwhm:.3f}: all bands are matched to {widest}; leave out what is wider to keep {wanted}"
    )


def common_radius(psfs):
    """Radius in arcsec within which all PSFs are known."""
    return min(RADIUS, *(psf.radius for psf in psfs.values()))


def matching_kernel(psf, target, pixel_to_sky, radius, reach=REACH):
    """Kernel that matches a PSF to a target, and its accuracy.

    Parameters
    ----------
    psf, target : BandPSF
    pixel_to_sky : ndarray of shape (2, 2)
        Of the band's mosaic, on whose pixels the kernel is.
    radius, reach : float
        Arcsec, within which PSFs are known, and within which the kernel is kept.

    Returns
    -------
    kernel : ndarray of shape (size, size) or None
        Odd number of pixels, sum 1, 0 beyond `reach`. None for the target, and if the PSF is closer to that of the
        target without a kernel; the image is then not convolved.
    verdict : Verdict
    """
    from photutils.psf_matching import make_wiener_kernel

    side = pixel_side(pixel_to_sky)
    wanted, own = (on_pixels(each, pixel_to_sky, radius) for each in (target, psf))
    kernel = make_wiener_kernel(own, wanted, regularization=REGULARISATION, penalty=LAPLACIAN)
    middle, half = len(kernel) // 2, min(int(reach / side), len(kernel) // 2)
    kernel = kernel[middle - half : middle + half + 1, middle - half : middle + half + 1]
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    inside = np.hypot(y, x) <= half
    # The light that is cut off is distributed evenly: scaling the rest would change the core by up to 1%.
    kernel = np.where(inside, kernel, 0)
    kernel += inside * (1 - kernel.sum()) / inside.sum()
    matched = fftconvolve(own, kernel, mode="same")
    if psf is target or np.abs(own - wanted).max() <= np.abs(matched - wanted).max():
        kernel, matched = None, own
    core = min(int(np.ceil(max(RADII) / side)) + 2, len(own) // 2)
    core = (slice(len(own) // 2 - core, len(own) // 2 + core + 1),) * 2  # only the core is interpolated, to save time
    within = (encircled_energy(each[core], side, RADII) * each[core].sum() for each in (matched, wanted))
    energies = np.divide(*within)
    residual = 100 * np.abs(matched - wanted).max() / wanted.max()
    noise = 1.0 if kernel is None else float(np.sqrt(np.sum(kernel**2)))
    return kernel, Verdict(psf.fwhm, measure_fwhm(matched, side), energies, float(residual), noise)


def check_verdicts(verdicts, target, most):
    """Raise ValueError where the PSF of a band is not matched to within `most` percent of the target's peak."""
    if bad := [f"{band} {each.residual:.0f}%" for band, each in verdicts.items() if not each.residual <= most]:
        raise ValueError(
            f"matched PSFs differ by more than {most:g}% of the peak from that of {target}: {', '.join(bad)}; "
            "give better PSFs, a wider target, or say --accept-residual PERCENT"
        )
