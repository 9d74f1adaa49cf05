"""Metrics: how far apart two pixel SEDs are.

A metric is a function `embed(seds, wavelengths)` that moves SEDs to a space where the Euclidean distance between two
rows is the metric's distance between the two SEDs, and so one matrix product replaces the loop over pairs. A metric
whose space is large may bring its own closed form for the distances between two sets of SEDs.
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

BLOCK = 512  # pixels a side: a block of float64 stays in a core's cache
# Squared distances come as a difference of terms near 1. Below this share of those terms more than 9 of the 16 digits
# are lost, and the few pairs concerned are worked out anew from the difference of the SEDs.
LOSSY = 1e-7


def choose(options, name, kind):
    """Return options[name], or raise ValueError saying which names exist."""
    if name not in options:
        raise ValueError(f"unknown {kind} {name!r}: choose from {', '.join(options)}")
    return options[name]


# ---- the metrics ------------------------------------------------------------


def unchanged(seds, wavelengths):
    """Embed for the Euclidean distance: the SEDs themselves."""
    return seds


def to_unit_length(seds, wavelengths=None):
    """Divide each row by its length.

    Parameters
    ----------
    seds : ndarray of shape (n_pixels, n_bands)
    wavelengths : ignored

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)

    Raises
    ------
    ValueError
        Where a row is zero, and so has no shape.
    """
    length = np.linalg.norm(seds, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(f"{np.sum(length == 0)} of {len(seds)} SEDs are zero in every band: they have no shape")
    return seds / length


def projectors(seds, wavelengths):
    """Embed for the cross-correlation distance: the upper triangle of the projector on each SED.

    With u the SED scaled to length 1, the projectors u u^T of two SEDs are sqrt(2) sqrt(1 - cos^2) apart in the
    Frobenius norm, so scaled by 1/sqrt(2) they are b12 apart (see `cross_correlation`).

    Parameters
    ----------
    seds : ndarray of shape (n_pixels, n_bands)
    wavelengths : ignored

    Returns
    -------
    ndarray of shape (n_pixels, n_bands (n_bands + 1) / 2)
    """
    unit = to_unit_length(seds)
    i, j = np.triu_indices(seds.shape[1])
    # An off-diagonal element stands for two of the matrix, hence 1/sqrt(2) for the diagonal and 1 beside it.
    return unit[:, i] * unit[:, j] * np.where(i == j, np.sqrt(0.5), 1.0)


def scale_by_band_width(seds, wavelengths):
    """Embed for the weighted norm: each band times the square root of its width (see `band_widths`)."""
    return seds * np.sqrt(band_widths(wavelengths))


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


def euclidean_between(points, others):
    """Euclidean distances between the rows of two arrays, shape (n, m), from one matrix product."""
    size, other_size = (np.einsum("ij,ij->i", x, x) for x in (points, others))
    scale = np.add.outer(size, other_size)
    squared = points @ others.T
    squared *= -2
    squared += scale
    i, j = np.nonzero(squared < LOSSY * scale)
    squared[i, j] = np.square(points[i] - others[j]).sum(axis=1)
    return np.sqrt(squared, out=squared)


def sine_between(unit, others):
    """b12 between the rows of two arrays of SEDs of length 1, shape (n, m): sqrt(1 - cos^2) of their angle."""
    cosine = unit @ others.T
    squared = np.square(cosine)
    np.subtract(1, squared, out=squared)
    i, j = np.nonzero(squared < LOSSY)
    squared[i, j] = np.square(unit[i] - cosine[i, j, None] * others[j]).sum(axis=1)
    return np.sqrt(squared, out=squared)


class Metric(NamedTuple):
    """A metric: its embedding and, where that is large, a closed form that does without it."""

    embed: Callable  # (seds (n_pixels, n_bands), wavelengths (n_bands,)) -> (n_pixels, n_dimensions)
    prepare: Callable = None  # (seds, wavelengths) -> rows for `between`; None: those of `embed`
    between: Callable = euclidean_between  # (rows (n, ...), rows (m, ...)) -> distances (n, m)


METRICS = {
    "euclidean": Metric(unchanged),
    "crosscor": Metric(projectors, prepare=to_unit_length, between=sine_between),
    "weightednorm": Metric(scale_by_band_width),
}


# ---- what methods ask for ---------------------------------------------------


class PixelDistances:
    """Distances between the pixel SEDs of one galaxy, in the form that a method asks for.

    Parameters
    ----------
    seds : ndarray of shape (n_pixels, n_bands)
        Finite; any one unit. Not changed.
    wavelengths : ndarray of shape (n_bands,)
    metric : str
        A key of METRICS.

    Raises
    ------
    ValueError
        For an unknown metric, SEDs that are not finite, shapes that do not match, or SEDs without a distance.
    """

    def __init__(self, seds, wavelengths, metric):
        self._metric = choose(METRICS, metric, "metric")
        self._seds = np.asarray(seds, dtype=float)
        self._wavelengths = np.asarray(wavelengths, dtype=float)
        if self._seds.ndim != 2 or self._seds.shape[1] != len(self._wavelengths):
            raise ValueError(
                f"want seds of shape (n_pixels, n_bands), found {self._seds.shape} "
                f"with {len(self._wavelengths)} wavelengths"
            )
        unusable = ~np.isfinite(self._seds).all(axis=1)
        if unusable.any():
            raise ValueError(f"{unusable.sum()} of {len(self)} SEDs have missing or infinite values: leave them out")

    def __len__(self):
        return len(self._seds)

    @property
    def n_bands(self):
        """Number of bands."""
        return self._seds.shape[1]

    @cached_property
    def coordinates(self):
        """Points whose Euclidean distances are the metric's, shape (n_pixels, n_dimensions)."""
        return self._metric.embed(self._seds, self._wavelengths)

    @cached_property
    def matrix(self):
        """Distances between all pairs, shape (n_pixels, n_pixels): symmetric, zero on the diagonal."""
        prepare = self._metric.prepare or self._metric.embed
        rows = prepare(self._seds, self._wavelengths)
        distances = np.empty((len(rows), len(rows)))
        starts = range(0, len(rows), BLOCK)
        for top in starts:
            for left in starts[top // BLOCK :]:
                here, there = slice(top, top + BLOCK), slice(left, left + BLOCK)
                block = self._metric.between(rows[here], rows[there])
                distances[here, there] = block
                distances[there, here] = block.T
        np.fill_diagonal(distances, 0)
        return distances


def cross_correlation(seds, template):
    """Best-fit scale and cross-correlation distance of SEDs to one template (Kriek et al. 2011, ApJ 743, 168).

    a12 = sum(f1 f2) / sum(f2^2) and b12 = sqrt(sum((f1 - a12 f2)^2) / sum(f1^2)), over the bands in which both SEDs
    have data. b12 is 0 for the same shape and at most 1.

    Parameters
    ----------
    seds : ndarray of shape (n_pixels, n_bands)
        f1; NaN where there is no data.
    template : ndarray of shape (n_bands,)
        f2, likewise.

    Returns
    -------
    a12, b12 : ndarray of shape (n_pixels,)
        NaN where the SED or the template is zero, or no band is common.
    """
    common = np.isfinite(seds) & np.isfinite(template)
    f1, f2 = np.where(common, seds, 0), np.where(common, template, 0)
    f1_f1, f1_f2, f2_f2 = (f1**2).sum(axis=1), (f1 * f2).sum(axis=1), (f2**2).sum(axis=1)
    usable = (f1_f1 > 0) & (f2_f2 > 0)
    a12, b12 = np.full((2, len(seds)), np.nan)
    a12[usable] = f1_f2[usable] / f2_f2[usable]
    residual = (f1 - np.where(usable, a12, 0)[:, None] * f2)[usable]
    b12[usable] = np.sqrt((residual**2).sum(axis=1) / f1_f1[usable])
    return a12, b12
