"""Metrics: the distance between two pixel SEDs.

A metric is a function `embed(seds, options)` that maps SEDs to a space in which the Euclidean distance between two rows
is the metric's distance between the two SEDs, so that one matrix product gives all pairs of distances. A metric whose
space has many dimensions, or that has no such space, brings its own formula for the distances between two sets of SEDs.

Here `seds` is a `PixelSEDs`, or any object with its `flux` and `error` of shape (n_pixels, n_bands), in any one unit
and without missing values, and its `wavelengths`, `edges` and `redshift`; `options` is an `Options`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helper_functions.registry import choose

# Squared distances are a difference of nearly equal terms. Below this fraction of those terms more than 9 of the 16
# digits cancel, and the few such pairs are computed again from the difference of the SEDs.
CANCELLATION_LIMIT = 1e-7

# Rest-frame windows in Angstrom of the spectral features that the metric "features" uses: vacuum wavelengths of the
# lines, and widths that contain the line or line blend if the redshift is accurate to 0.2%.
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
    """Options of the metrics that a user may set."""

    features: tuple | None = None  # names in FEATURES, for metric "features"; None: all that the bands cover
    polynomial_degree: int = 5  # for metric "polynomial"


DEFAULTS = Options()


# ---- the metrics ------------------------------------------------------------


def to_unit_length(flux):
    """Scale each SED to unit L2 norm.

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


def projectors(seds, options):
    """Embedding of the cross-correlation distance: the upper triangle of the projection matrix on each SED.

    With u the SED of unit norm, the projection matrices u u^T of two SEDs have the distance sqrt(2) sqrt(1 - cos^2) in
    the Frobenius norm; scaled by 1/sqrt(2) it is b12 (see `cross_correlation`).

    Returns
    -------
    ndarray of shape (n_pixels, n_bands (n_bands + 1) / 2)
    """
    unit = to_unit_length(seds.flux)
    i, j = np.triu_indices(unit.shape[1])
    # An off-diagonal element occurs twice in the matrix, hence the factor 1/sqrt(2) on the diagonal and 1 off it.
    return unit[:, i] * unit[:, j] * np.where(i == j, np.sqrt(0.5), 1.0)


def scale_by_band_width(seds, options):
    """Embedding of the width-weighted distance: flux times the square root of the band's width (see `band_widths`)."""
    return seds.flux * np.sqrt(band_widths(seds.wavelengths))


def band_widths(wavelengths):
    """Width in wavelength of each band in an integral by the trapezoidal rule.

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
    """Embedding of the distance in spectral features: flux times the root of the band's `feature_weights`."""
    return seds.flux * np.sqrt(feature_weights(seds.edges, seds.redshift, options.features))


def feature_weights(edges, redshift, features=None):
    """Weights of the bands by the fraction of rest-frame spectral features that they cover.

    Each feature has a total weight of 1, divided among the bands in proportion to the fraction of it that each covers.

    Parameters
    ----------
    edges : ndarray of shape (n_bands, 2)
        Blue and red edge of each band, Angstrom, observed.
    redshift : float
    features : sequence of str or None
        Names in FEATURES; None: all that some band covers at least in part.

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
    """Fraction of a feature's windows that each band covers, 0 to 1, shape (n_bands,)."""
    windows = np.array(windows) * (1 + redshift)
    overlap = np.minimum(edges[:, None, 1], windows[:, 1]) - np.maximum(edges[:, None, 0], windows[:, 0])
    return np.maximum(overlap, 0).sum(axis=1) / np.ptp(windows, axis=1).sum()


def check_errors(error):
    """Raise ValueError for errors of 0, which give infinite weights: the normalised SED of a single band has them."""
    without = ~(error > 0).all(axis=1)
    if without.any():
        raise ValueError(
            f"{without.sum()} of {len(without)} SEDs have errors of 0 after normalisation, and no finite weights: "
            "use another metric or norm, or more bands"
        )


def smooth_curves(seds, options):
    """Embedding of the distance between smooth curves: coefficients of a polynomial in log wavelength.

    The polynomial is fitted to each SED by weighted least squares. Its Legendre basis is orthonormal over the range of
    the bands, so that the distance between coefficients is the rms difference between two curves.

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
    weight /= weight.mean(axis=1, keepdims=True)  # their scale has no effect, and tiny weights would underflow
    normal = np.einsum("bi,pb,bj->pij", basis, weight, basis, optimize=True)
    right = (weight * seds.flux) @ basis
    return np.linalg.solve(normal, right[..., None])[..., 0]


def divide_by_noise(seds, options):
    """Vectors from which the noise-weighted distance is computed: SEDs in units of their errors.

    The errors are approximated by a factor for the pixel times a factor for the band, which is exact for
    background-limited noise, and allows a closed form. In two galaxies of the JADES Origins Field, whose errors
    deviate from it by 1% and 5%, 90% of the distances are within 2% and 6% of those with the exact errors.
    """
    check_errors(seds.error)
    for_pixel = np.exp(np.mean(np.log(seds.error), axis=1, keepdims=True))
    for_band = np.exp(np.mean(np.log(seds.error / for_pixel), axis=0))
    return seds.flux / (for_pixel * for_band)


def euclidean_distances(points, others):
    """Euclidean distances between the rows of two arrays, shape (n, m), from one matrix product."""
    size, other_size = np.sum(points**2, axis=1), np.sum(others**2, axis=1)
    squared = size[:, None] + other_size - 2 * points @ others.T
    i, j = np.nonzero(squared < CANCELLATION_LIMIT * (size.max() + other_size.max()))
    squared[i, j] = np.sum((points[i] - others[j]) ** 2, axis=1)
    return np.sqrt(squared)


def cross_correlation_distances(unit, others):
    """b12 between the rows of two arrays of SEDs of length 1, shape (n, m): sqrt(1 - cos^2) of their angle."""
    cosine = unit @ others.T
    squared = 1 - cosine**2
    i, j = np.nonzero(squared < CANCELLATION_LIMIT)
    squared[i, j] = np.sum((unit[i] - cosine[i, j, None] * others[j]) ** 2, axis=1)
    return np.sqrt(squared)


def noise_distances(rows, others):
    """Square root of the minimum chi2 between two SEDs over a free amplitude, with the errors of both; shape (n, m).

    chi2 = min over a of |f1 - a f2|^2 / (s1^2 + a^2 s2^2), in units of the bands' noise, is total least squares: with
    u = f / s it is the smaller eigenvalue of the matrix of the products u1.u1, u1.u2, u2.u2.
    """
    size, other_size = np.sum(rows**2, axis=1), np.sum(others**2, axis=1)
    squared = (rows @ others.T) ** 2
    # The smaller root of x^2 - (A + B) x + (AB - C^2), in the form without cancellation of two large numbers.
    determinant = np.outer(size, other_size) - squared
    i, j = np.nonzero(determinant < CANCELLATION_LIMIT * squared)
    along = np.sum(rows[i] * others[j], axis=1) / np.where(size[i] > 0, size[i], 1)
    determinant[i, j] = size[i] * np.sum((others[j] - along[:, None] * rows[i]) ** 2, axis=1)
    larger = np.sqrt((size[:, None] - other_size) ** 2 / 4 + squared) + (size[:, None] + other_size) / 2
    return np.sqrt(determinant / np.maximum(larger, np.finfo(float).tiny))  # two SEDs of zero have no distance


class Metric(NamedTuple):
    """A metric: its embedding, and its formula for pairwise distances."""

    embed: Callable | None  # (seds, options) -> (n_pixels, n_dimensions); None: approximated by `landmark_coordinates`
    meaning: str  # for tables
    rows: Callable | None = None  # (seds, options) -> vectors for `pairwise`; None: those of `embed`
    pairwise: Callable = euclidean_distances  # (rows (n, ...), rows (m, ...)) -> distances (n, m)
    sign_invariant: bool = False  # u and -u have distance 0: neighbours are searched among vectors and their negatives


METRICS = {
    "euclidean": Metric(
        lambda seds, options: seds.flux, "Euclidean distance: square root of the sum over bands of squared differences"
    ),
    "crosscor": Metric(
        projectors,
        "cross-correlation distance b12 of Kriek et al. (2011): residual after best-fit scaling, 0 for the same shape",
        rows=lambda seds, options: to_unit_length(seds.flux),
        pairwise=cross_correlation_distances,
        sign_invariant=True,
    ),
    "weightednorm": Metric(
        scale_by_band_width, "Euclidean, each band weighted by its width in a trapezoidal integral over wavelength"
    ),
    "features": Metric(
        scale_by_features,
        "Euclidean, each band weighted by the fraction of rest-frame features that it covers (UV slope, Balmer break, "
        "[OIII]+Hbeta, Halpha, Paschen lines, ...: `FEATURES` in `distances.py`); a figure shows the weights",
    ),
    "polynomial": Metric(
        smooth_curves, "rms difference of polynomials in log wavelength fitted to the SEDs, weighted with their errors"
    ),
    "noise": Metric(
        None,
        "square root of the minimum chi2 between two SEDs over a free amplitude, with the errors of both pixels",
        rows=divide_by_noise,
        pairwise=noise_distances,
    ),
}


def cross_correlation(flux, template):
    """Best-fit amplitude and cross-correlation distance of SEDs to one template (Kriek et al. 2011, ApJ 743, 168).

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
