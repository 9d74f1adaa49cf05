"""Metrics: how far apart two pixel SEDs are.

A metric is a function `embed(seds, options)` that moves SEDs to a space where the Euclidean distance between two rows
is the metric's distance between the two SEDs, so that one matrix product replaces the loop over pairs. A metric whose
space is large, or that has none, brings its own closed form for the distances between two sets of SEDs.

Here `seds` is a `PixelSEDs`, or whatever has its `flux` and `error` of shape (n_pixels, n_bands), in any one unit and
without missing values, and its `wavelengths`, `edges` and `redshift`; `options` is an `Options`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helper_functions.registry import choose

# Squared distances come as a difference of terms near 1. Below this share of those terms more than 9 of the 16 digits
# are lost, and the few pairs concerned are worked out anew from the difference of the SEDs.
LOSSY = 1e-7

# Rest-frame windows in Angstrom of what the metric "features" looks at. Vacuum wavelengths of lines, and widths that
# hold the line or blend with room for a redshift known to 0.2%.
FEATURES = {
    "uv_slope": ((1268, 2580),),  # Calzetti et al. 1994
    "oii": ((3715, 3745),),
    "balmer_break": ((3400, 4200),),  # a band's depth on either side of 3646
    "oiii_hbeta": ((4845, 5025),),
    "halpha": ((6535, 6600),),  # with [NII]
    "siii": ((9050, 9090), (9510, 9555)),
    "paschen": ((10915, 10965), (12790, 12850), (18710, 18800)),  # gamma, beta, alpha
}


class NotCovered(ValueError):
    """A feature that no band covers at the galaxy's redshift."""

    status = "not covered"


class Options(NamedTuple):
    """What a user may set about metrics."""

    features: tuple | None = None  # names in FEATURES; None: all that the bands cover
    polynomial_degree: int = 5


DEFAULTS = Options()


# ---- the metrics ------------------------------------------------------------


def unchanged(seds, options):
    """Embed for the Euclidean distance: the SEDs themselves."""
    return seds.flux


def to_unit_length(flux):
    """Divide each SED by its length as a vector.

    Parameters
    ----------
    flux : ndarray of shape (n_pixels, n_bands)

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)

    Raises
    ------
    ValueError
        Where an SED is zero in every band, and so has no shape.
    """
    length = np.linalg.norm(flux, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(f"{np.sum(length == 0)} of {len(flux)} SEDs are zero in every band: they have no shape")
    return flux / length


def directions(seds, options):
    """Rows for the cross-correlation distance: SEDs of length 1."""
    return to_unit_length(seds.flux)


def projectors(seds, options):
    """Embed for the cross-correlation distance: the upper triangle of the projector on each SED.

    With u the SED scaled to length 1, the projectors u u^T of two SEDs are sqrt(2) sqrt(1 - cos^2) apart in the
    Frobenius norm, so scaled by 1/sqrt(2) they are b12 apart (see `cross_correlation`).

    Returns
    -------
    ndarray of shape (n_pixels, n_bands (n_bands + 1) / 2)
    """
    unit = to_unit_length(seds.flux)
    i, j = np.triu_indices(unit.shape[1])
    # An off-diagonal element stands for two of the matrix, hence 1/sqrt(2) for the diagonal and 1 beside it.
    return unit[:, i] * unit[:, j] * np.where(i == j, np.sqrt(0.5), 1.0)


def scale_by_band_width(seds, options):
    """Embed for the weighted norm: each band times the square root of its width (see `band_widths`)."""
    return seds.flux * np.sqrt(band_widths(seds.wavelengths))


def band_widths(wavelengths):
    """Width in wavelength that each band stands for in the trapezoidal rule.

    Parameters
    ----------
    wavelengths : ndarray of shape (n_bands,)
        Any order, any unit.

    Returns
    -------
    widths : ndarray of shape (n_bands,)
        In the unit and order of `wavelengths`; 1 for a single band, which spans no interval.
    """
    if len(wavelengths) == 1:
        return np.ones(1)
    order = np.argsort(wavelengths)
    steps = np.diff(wavelengths[order])
    widths = np.empty(len(wavelengths))
    widths[order] = (np.append(steps, 0) + np.insert(steps, 0, 0)) / 2
    return widths


def scale_by_features(seds, options):
    """Embed for the distance in named features: each band times the root of its weight (see `feature_weights`)."""
    return seds.flux * np.sqrt(feature_weights(seds.edges, seds.redshift, options.features))


def feature_weights(edges, redshift, features=None):
    """Weights of bands by how much they cover of rest-frame features.

    Each feature shares a weight of 1 among the bands that cover it, in proportion to the part of it that each covers.

    Parameters
    ----------
    edges : ndarray of shape (n_bands, 2)
        Blue and red edge of each band, Angstrom, observed.
    redshift : float
    features : sequence of str or None
        Names in FEATURES; None: all of which some band covers a part.

    Returns
    -------
    weights : ndarray of shape (n_bands,)

    Raises
    ------
    ValueError
        For an unknown redshift or feature, and (NotCovered) for a feature that no band covers at that redshift.
    """
    if not np.isfinite(redshift):
        raise ValueError("metric features needs the galaxy's redshift, which is not known")
    wanted = FEATURES if features is None else features
    coverage = {name: feature_coverage(edges, redshift, choose(FEATURES, name, "feature")) for name in wanted}
    uncovered = [name for name, part in coverage.items() if not part.any()]
    covered = [name for name in coverage if name not in uncovered]
    if (features is not None and uncovered) or not covered:
        raise NotCovered(
            f"no band covers {', '.join(uncovered)} at redshift {redshift:.3f}: leave it out, or choose from "
            f"{', '.join(covered) or '(none)'}"
        )
    return sum(coverage[name] / coverage[name].sum() for name in covered)


def feature_coverage(edges, redshift, windows):
    """Part of a feature's windows that each band covers, 0 to 1, shape (n_bands,)."""
    windows = np.array(windows) * (1 + redshift)
    overlap = np.minimum(edges[:, None, 1], windows[:, 1]) - np.maximum(edges[:, None, 0], windows[:, 0])
    return np.maximum(overlap, 0).sum(axis=1) / np.ptp(windows, axis=1).sum()


def check_errors(error):
    """Raise ValueError where a metric that weighs with errors meets errors of 0, as the shape of a single band has."""
    without = ~(error > 0).all(axis=1)
    if without.any():
        raise ValueError(
            f"{without.sum()} of {len(without)} SEDs have errors of 0 after the norm, and cannot be weighed with them: "
            "use another metric or norm, or more bands"
        )


def smooth_curves(seds, options):
    """Embed for the distance between smooth curves: coefficients of a polynomial in the logarithm of wavelength.

    The polynomial is fitted to each SED with its errors. Its Legendre basis is orthonormal over the range of the bands,
    so that the distance between coefficients is the root of the mean squared difference between two curves.

    Returns
    -------
    ndarray of shape (n_pixels, degree + 1)
        The degree is that of the options, or one less than the number of distinct wavelengths.
    """
    check_errors(seds.error)
    position = np.log(seds.wavelengths)
    spread = np.ptp(position) or 1.0
    position = 2 * (position - position.min()) / spread - 1
    degree = min(options.polynomial_degree, len(np.unique(position)) - 1)
    basis = np.polynomial.legendre.legvander(position, degree) * np.sqrt(2 * np.arange(degree + 1) + 1)
    weight = 1 / seds.error**2
    weight /= weight.mean(axis=1, keepdims=True)  # their scale changes nothing, and tiny weights would underflow
    normal = np.einsum("bi,pb,bj->pij", basis, weight, basis, optimize=True)
    right = (weight * seds.flux) @ basis
    return np.linalg.solve(normal, right[..., None])[..., 0]


def in_units_of_noise(seds, options):
    """Rows for the noise distance: SEDs in units of their errors.

    A pixel's errors are taken as one factor for the pixel times one for the band, which is what the noise of a
    background gives, and what makes a closed form possible. In two galaxies of the JADES Origins Field, whose errors
    depart from it by 1% and 5%, 90% of the distances are within 2% and 6% of those with the errors as they are.
    """
    check_errors(seds.error)
    for_pixel = np.exp(np.mean(np.log(seds.error), axis=1, keepdims=True))
    for_band = np.exp(np.mean(np.log(seds.error / for_pixel), axis=0))
    return seds.flux / (for_pixel * for_band)


def euclidean_between(points, others):
    """Euclidean distances between the rows of two arrays, shape (n, m), from one matrix product."""
    size, other_size = np.sum(points**2, axis=1), np.sum(others**2, axis=1)
    squared = size[:, None] + other_size - 2 * points @ others.T
    i, j = np.nonzero(squared < LOSSY * (size.max() + other_size.max()))
    squared[i, j] = np.sum((points[i] - others[j]) ** 2, axis=1)
    return np.sqrt(squared)


def sine_between(unit, others):
    """b12 between the rows of two arrays of SEDs of length 1, shape (n, m): sqrt(1 - cos^2) of their angle."""
    cosine = unit @ others.T
    squared = 1 - cosine**2
    i, j = np.nonzero(squared < LOSSY)
    squared[i, j] = np.sum((unit[i] - cosine[i, j, None] * others[j]) ** 2, axis=1)
    return np.sqrt(squared)


def noise_between(rows, others):
    """Root of the least chi2 between SEDs of which one is scaled freely, the errors of both counted; shape (n, m).

    chi2 = min over a of |f1 - a f2|^2 / (s1^2 + a^2 s2^2), in units of the bands' noise, is total least squares: with
    u = f / s it is the smaller eigenvalue of the matrix of the products u1.u1, u1.u2, u2.u2.
    """
    size, other_size = np.sum(rows**2, axis=1), np.sum(others**2, axis=1)
    squared = (rows @ others.T) ** 2
    # The smaller root of x^2 - (A + B) x + (AB - C^2), in the form that does not subtract two large numbers.
    determinant = np.outer(size, other_size) - squared
    i, j = np.nonzero(determinant < LOSSY * squared)
    along = np.sum(rows[i] * others[j], axis=1) / np.where(size[i] > 0, size[i], 1)
    determinant[i, j] = size[i] * np.sum((others[j] - along[:, None] * rows[i]) ** 2, axis=1)
    larger = np.sqrt((size[:, None] - other_size) ** 2 / 4 + squared) + (size[:, None] + other_size) / 2
    return np.sqrt(determinant / np.maximum(larger, np.finfo(float).tiny))  # two SEDs of zero have no distance


class Metric(NamedTuple):
    """A metric: its embedding, and what it does without one where it can."""

    embed: Callable | None  # (seds, options) -> (n_pixels, n_dimensions); None: `landmark_coordinates` stand for it
    meaning: str  # in a line of a table
    rows: Callable | None = None  # (seds, options) -> rows for `between`; None: those of `embed`
    between: Callable = euclidean_between  # (rows (n, ...), rows (m, ...)) -> distances (n, m)
    mirrored: bool = False  # rows are directions: neighbours are nearest among them and their mirror images


METRICS = {
    "euclidean": Metric(unchanged, "root of the summed squared differences"),
    "crosscor": Metric(
        projectors,
        "b12 of Kriek et al. (2011): the misfit after the best-fit scale, 0 for the same shape",
        rows=directions,
        between=sine_between,
        mirrored=True,
    ),
    "weightednorm": Metric(scale_by_band_width, "each band weighted by the width in wavelength that it stands for"),
    "features": Metric(
        scale_by_features,
        "each band weighted by how much it covers of rest-frame features (UV slope, Balmer break, [OIII]+Hbeta, "
        "Halpha, Paschen lines, ...: `FEATURES` in `distances.py`); a picture shows the weights",
    ),
    "polynomial": Metric(
        smooth_curves, "between smooth curves fitted to the SEDs in the logarithm of wavelength, with their errors"
    ),
    "noise": Metric(
        None,
        "root of the least chi2 with a free scale, the errors of both pixels counted",
        rows=in_units_of_noise,
        between=noise_between,
    ),
}


def cross_correlation(flux, template):
    """Best-fit scale and cross-correlation distance of SEDs to one template (Kriek et al. 2011, ApJ 743, 168).

    a12 = sum(f1 f2) / sum(f2^2) and b12 = sqrt(sum((f1 - a12 f2)^2) / sum(f1^2)), over the bands in which both SEDs
    have data. b12 is 0 for the same shape and at most 1.

    Parameters
    ----------
    flux : ndarray of shape (n_pixels, n_bands)
        f1; NaN where there is no data.
    template : ndarray of shape (n_bands,)
        f2, likewise.

    Returns
    -------
    a12, b12 : ndarray of shape (n_pixels,)
        NaN where the SED or the template is zero, or no band is common.
    """
    common = np.isfinite(flux) & np.isfinite(template)
    f1, f2 = np.where(common, flux, 0), np.where(common, template, 0)
    f1_f1, f1_f2, f2_f2 = (f1**2).sum(axis=1), (f1 * f2).sum(axis=1), (f2**2).sum(axis=1)
    usable = (f1_f1 > 0) & (f2_f2 > 0)
    a12, b12 = np.full((2, len(flux)), np.nan)
    a12[usable] = f1_f2[usable] / f2_f2[usable]
    residual = (f1 - np.where(usable, a12, 0)[:, None] * f2)[usable]
    b12[usable] = np.sqrt((residual**2).sum(axis=1) / f1_f1[usable])
    return a12, b12
