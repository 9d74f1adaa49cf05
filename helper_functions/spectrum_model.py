"""Gaussian process model of the spectrum behind photometry at a known redshift, with emission lines and breaks.

A spectrum f_nu is modelled as a level m(x) interpolated between the bands, x the log of rest-frame wavelength, times

    smooth curve(x) + steps at the Balmer limit and at 4000 Angstrom + sum over lines of (width w_l, delta function)

All terms have Gaussian priors: the smooth curve is a Gaussian process, and equivalent widths of lines and heights of
steps have wide priors. Fluxes in the bands, in rest-frame bands or windows, and of lines are integrals of the spectrum,
so that the posterior of the latter given the former is Gaussian, too (Rasmussen & Williams 2006, section 2.2), with
errors that grow where bands are missing. Synthetic photometry is for photon-counting detectors (Bessell & Murphy 2012).
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_trapezoid

GRID = np.arange(np.log(1100), np.log(33000), 0.008)  # ln of rest-frame wavelength, Angstrom: 1/6 of a medium band
EDGES = np.append(GRID, GRID[-1] + 0.008) - 0.004  # of the bins centred on GRID
# The hyperparameters maximise the likelihood of photometry of simulated populations, rounded, and adjusted for a lower
# bias of the features there (simulation/feature_recovery.py, seeds 500 to 799, which the evidence does not use).
# Amplitude and length scale (in ln wavelength) of the terms of the smooth curve: overall shape, curvature of the
# continuum, and absorption lines and weak emission lines.
GP_COMPONENTS = ((3.0, 1.5), (0.1, 0.2), (0.02, 0.03))
STEPS = {3700: 0.35, 4000: 0.12}  # Angstrom: standard deviation of the height, relative to the level
LEVEL_SMOOTHING = 0.45  # of ln wavelength, standard deviation
BLOCK = 1000  # SEDs per block, to limit memory


class Line(NamedTuple):
    """A group of emission lines with fixed ratios that are measured as one."""

    wavelengths: tuple  # Angstrom, in vacuum
    shares: tuple  # relative fluxes
    width: float  # Angstrom, prior standard deviation of the equivalent width
    companions: tuple = ()  # (wavelength, flux relative to the group) of other lines, at a fixed ratio to the group


class Target(NamedTuple):
    """A quantity to infer from the spectrum: the mean f_nu through a response, or the flux of a line."""

    wavelength: np.ndarray  # (n,), Angstrom, at rest
    response: np.ndarray  # (n,), per photon
    with_lines: bool = True
    line: str = ""  # name of a line to measure, flux as f_nu times Angstrom; the response then gives its position only


class Prior(NamedTuple):
    """Prior of the spectrum's means in bands and targets, n of both together, relative to its level."""

    near: np.ndarray  # (n + n_lines, n_bands), weights of the bands in the level at bands, targets and lines
    smooth: np.ndarray  # (n, n), covariance without lines
    lines: np.ndarray  # (n, n_lines), standard deviation of the contribution of each line


# Vacuum wavelengths from the NIST Atomic Spectra Database (Kramida et al.) and the Atomic Line List (van Hoof 2018).
# [OIII] 5008 to 4960 is 2.98 (Storey & Zeippen 2000), [NII] 6585 to 6550 is 3 (Osterbrock & Ferland 2006); [OIII] to
# H beta, [NII] to H alpha, and companions are as in the simulated populations. Measured lines have wide priors; the
# others are nuisance parameters.
LINES = {
    "oii": Line((3727.1, 3729.9), (1, 1), 100),
    "hdelta": Line((4102.9,), (1,), 5),
    "hgamma": Line((4341.7,), (1,), 10),
    "oiii_hbeta": Line(
        (4862.7, 4960.3, 5008.2),
        (1, 1, 2.98),
        3000,
        # [OII], [NeIII], H8, H epsilon with [NeIII], H delta, H gamma
        ((3728.5, 0.1), (3869.9, 0.025), (3890.2, 0.01), (3969, 0.02), (4102.9, 0.05), (4341.7, 0.09)),
    ),
    "halpha_nii": Line((6549.9, 6564.6, 6585.3), (0.07, 1, 0.2), 3000, ((6718.3, 0.06), (6732.7, 0.05))),  # [SII]
    "sii": Line((6718.3, 6732.7), (1, 1), 30),
    "siii": Line((9071.1, 9533.2), (1, 2.5), 100),
    "hei_paschen_gamma": Line((10833.3, 10941.1), (1, 1), 60),
    "paschen_beta": Line((12821.6,), (1,), 3000),
    "paschen_alpha": Line((18756.1,), (1,), 3000),
}


def responses(curves, with_lines=None):
    """Weights with which the spectrum enters mean fluxes f_nu through response curves.

    Parameters
    ----------
    curves : sequence of n (wavelength, response)
        Rest-frame wavelength in Angstrom, and response per photon.
    with_lines : sequence of n bool, optional
        Whether to include lines.

    Returns
    -------
    smooth : ndarray of shape (n, n_grid)
        Weights of the spectrum on GRID, of sum 1.
    lines : ndarray of shape (n, n_lines)
        Mean flux from each of LINES of unit equivalent width, relative to the continuum there; per Angstrom.
    """
    smooth, lines = np.zeros((len(curves), len(GRID))), np.zeros((len(curves), len(LINES)))
    for row, (wavelength, response) in enumerate(curves):
        below = cumulative_trapezoid(response, np.log(wavelength), initial=0)
        area = below[-1]
        smooth[row] = np.diff(np.interp(EDGES, np.log(wavelength), below)) / area
        for column, (line, centre) in enumerate(zip(LINES.values(), line_wavelengths(), strict=True)):
            members = zip(line.wavelengths, np.array(line.shares) / sum(line.shares), strict=True)
            at, share = np.array([*members, *line.companions]).T
            seen = np.interp(at, wavelength, response, left=0, right=0)
            lines[row, column] = np.sum(share * at * seen) / (centre**2 * area)
    if with_lines is not None:
        lines *= np.asarray(with_lines)[:, None]
    return smooth, lines


def line_wavelengths():
    """Mean wavelength of each of LINES, Angstrom, shape (n_lines,)."""
    return np.array([np.average(line.wavelengths, weights=line.shares) for line in LINES.values()])


@cache
def _kernel():
    """Prior covariance of the smooth curve on GRID, relative to the level."""
    separation = (GRID[:, None] - GRID) ** 2
    return sum(amplitude**2 * np.exp(-separation / (2 * length**2)) for amplitude, length in GP_COMPONENTS)


def prior_covariance(smooth):
    """Prior covariance of means of the spectrum without lines, relative to the level, from their weights on GRID."""
    covariance = smooth @ _kernel() @ smooth.T
    for wavelength, height in STEPS.items():
        share = smooth[:, np.log(wavelength) < GRID].sum(axis=1)
        covariance += height**2 * np.outer(share, share)
    return covariance


def spectrum_prior(curves, targets):
    """`Prior` of what is measured and of what is to be inferred, which all SEDs in the same bands share.

    Parameters
    ----------
    curves : sequence of n_bands (wavelength, response)
        Of the bands, rest frame.
    targets : sequence of n_targets Target
    """
    n_bands = len(curves)
    every = [*curves, *((each.wavelength, each.response) for each in targets)]
    smooth, lines = responses(every, [True] * n_bands + [each.with_lines for each in targets])
    for row, each in enumerate(targets, start=n_bands):
        if each.line:
            smooth[row], lines[row] = 0, [name == each.line for name in LINES]
    centres = np.array([np.average(np.log(w), weights=np.maximum(r, 0)) for w, r in every])
    places = np.concatenate([centres, np.log(line_wavelengths())])
    near = np.exp(-0.5 * ((places[:, None] - centres[:n_bands]) / LEVEL_SMOOTHING) ** 2) + 1e-9
    return Prior(near, prior_covariance(smooth), lines * [line.width for line in LINES.values()])


def infer(flux, error, prior):
    """Posterior mean and covariance of integrals of the spectrum, given photometry.

    Parameters
    ----------
    flux, error : ndarray of shape (n, n_bands)
        Flux densities f_nu in any unit; NaN where there is no data.
    prior : Prior
        Of these bands and n_targets targets.

    Returns
    -------
    mean : ndarray of shape (n, n_targets)
        In the unit of the fluxes, or times Angstrom for lines.
    covariance : ndarray of shape (n, n_targets, n_targets)
    """
    n_targets = len(prior.smooth) - flux.shape[1]
    known = np.isfinite(flux) & (error > 0) & np.isfinite(error)
    inverse = np.where(known, 1 / np.where(known, error, 1), 0)
    values = np.where(known, flux, 0)
    mean = np.full((len(flux), n_targets), np.nan)
    covariance = np.full((len(flux), n_targets, n_targets), np.nan)
    for start in range(0, len(flux), BLOCK):
        some = slice(start, start + BLOCK)
        mean[some], covariance[some] = _infer(values[some], inverse[some], *prior)
    return mean, covariance


def _infer(flux, inverse, near, smooth, lines):
    """`infer` for a block of SEDs, from inverse errors and the prior of bands and targets."""
    n_bands = flux.shape[1]
    weight = np.einsum("pb,nb->npb", near, inverse**2)
    total = np.maximum(weight.sum(axis=2), np.finfo(float).tiny)
    # A level below its own error is replaced by that error.
    level = np.maximum(np.abs((weight * flux[:, None]).sum(axis=2)), np.sqrt((weight * near).sum(axis=2))) / total
    level, line_level = level[:, : len(smooth)], level[:, len(smooth) :]
    ours = np.einsum("il,nl->nil", lines, line_level)
    prior = level[:, :, None] * level[:, None] * smooth + ours @ ours.transpose(0, 2, 1)
    to_bands = prior[:, :n_bands] * inverse[:, :, None]  # in units of the errors
    noisy = to_bands[:, :, :n_bands] * inverse[:, None] + np.eye(n_bands)
    gain = np.linalg.solve(noisy, to_bands[:, :, n_bands:])
    mean = np.einsum("nbt,nb->nt", gain, flux * inverse)
    return mean, prior[:, n_bands:, n_bands:] - to_bands[:, :, n_bands:].transpose(0, 2, 1) @ gain
