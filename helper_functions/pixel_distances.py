"""Distances between the pixels of a galaxy, as points, as a matrix or as nearest neighbours: what methods ask for."""

from functools import cached_property

import numpy as np

from distances import DEFAULTS, METRICS, euclidean_between
from helper_functions.registry import choose

BLOCK = 512  # pixels a side: a block of float64 stays in a core's cache
MEMORY_LIMIT = 2e9  # bytes that a full distance matrix may take
LANDMARKS = 500  # pixels that stand for all where a metric has no embedding of its own
BRUTE_SEARCH = 2000  # pixels up to which neighbours are read off the distances themselves


def matrix_too_large(n_pixels, memory_limit):
    """Whether the distances between so many pixels take more bytes than that."""
    return 8 * n_pixels**2 > memory_limit


class PixelDistances:
    """Distances between the pixel SEDs of one galaxy, in the form that a method asks for.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing values; any one unit. Not changed.
    metric : str
        A key of METRICS.
    options : Options
        Of the metrics.
    memory_limit : float
        Bytes that a full distance matrix may take; see `too_large`.

    Raises
    ------
    ValueError
        For an unknown metric, SEDs that are not finite, shapes that do not match, or SEDs without a distance.
    """

    def __init__(self, seds, metric, options=DEFAULTS, memory_limit=MEMORY_LIMIT):
        self._metric, self._metric_name = choose(METRICS, metric, "metric"), metric
        flux, error, wavelengths = (np.asarray(x, dtype=float) for x in (seds.flux, seds.error, seds.wavelengths))
        if flux.ndim != 2 or flux.shape != error.shape or flux.shape[1] != len(wavelengths):
            raise ValueError(
                f"want flux and error of shape (n_pixels, n_bands), found {flux.shape} and {error.shape} "
                f"with {len(wavelengths)} wavelengths"
            )
        unusable = ~(np.isfinite(flux) & np.isfinite(error) & (error >= 0)).all(axis=1)
        if unusable.any():
            raise ValueError(f"{unusable.sum()} of {len(flux)} SEDs have missing values or errors: leave them out")
        self.seds = seds._replace(flux=flux, error=error, wavelengths=wavelengths)
        self._options, self._memory_limit = options, memory_limit

    def __len__(self):
        return len(self.seds.flux)

    @property
    def n_bands(self):
        """Number of bands."""
        return self.seds.flux.shape[1]

    @property
    def too_large(self):
        """Whether the full matrix would take more than the memory limit: methods then do without it."""
        return matrix_too_large(len(self), self._memory_limit)

    def only(self, pixels):
        """The same for some of the pixels, or for all in another order, in a new object.

        Metrics that look at all pixels at once, as "noise" does at their errors, look at these only.
        """
        return PixelDistances(self.seds.only(pixels), self._metric_name, self._options, self._memory_limit)

    @cached_property
    def coordinates(self):
        """Points whose Euclidean distances are the metric's, or come close; shape (n_pixels, n_dimensions)."""
        if self._metric.embed is None:
            return landmark_coordinates(self._rows, self._metric.between, self.n_bands)
        return self._metric.embed(self.seds, self._options)

    @cached_property
    def _rows(self):
        return self._metric.rows(self.seds, self._options) if self._metric.rows else self.coordinates

    def blocks(self):
        """Yield (slice, distances of its pixels to all, shape (n, n_pixels)), block by block."""
        for top in range(0, len(self), BLOCK):
            here = slice(top, min(top + BLOCK, len(self)))
            distances = self._metric.between(self._rows[here], self._rows)
            distances[np.arange(here.stop - top), np.arange(top, here.stop)] = 0
            yield here, distances

    def matrix(self, dtype=np.float64):
        """Distances between all pairs, shape (n_pixels, n_pixels): symmetric, zero on the diagonal."""
        distances = np.empty((len(self), len(self)), dtype)
        starts = range(0, len(self), BLOCK)
        for top in starts:
            for left in starts[top // BLOCK :]:
                here, there = slice(top, top + BLOCK), slice(left, left + BLOCK)
                block = self._metric.between(self._rows[here], self._rows[there])
                if top == left:  # its two halves may differ by rounding
                    block = np.triu(block, 1)
                    block += block.T
                distances[here, there] = block
                distances[there, here] = block.T
        return distances

    def condensed(self):
        """Distances between all pairs once, row by row above the diagonal, as scipy.cluster.hierarchy takes them."""
        n_pixels = len(self)
        distances, end = np.empty(n_pixels * (n_pixels - 1) // 2), 0
        for here, block in self.blocks():
            for row, number in zip(block, range(here.start, here.stop), strict=True):
                start, end = end, end + n_pixels - 1 - number
                distances[start:end] = row[number + 1 :]
        return distances

    def neighbours(self, n_neighbours):
        """The nearest pixels of each pixel, without the full matrix.

        Parameters
        ----------
        n_neighbours : int
            The pixel itself counts as one. At most the number of pixels is given.

        Returns
        -------
        distances : ndarray of shape (n_pixels, n_neighbours)
            Rising from 0, that of the pixel itself.
        indices : int ndarray of shape (n_pixels, n_neighbours)
        """
        k = min(n_neighbours, len(self))
        searchable = self._metric.mirrored or self._metric.between is euclidean_between
        near = self._search if searchable and len(self) > BRUTE_SEARCH else self._nearest_of_all
        distances, indices = near(k)
        distances[indices == np.arange(len(self))[:, None]] = -1  # itself first, also among identical pixels
        order = np.argsort(distances, axis=1, kind="stable")
        distances, indices = (np.take_along_axis(x, order, axis=1) for x in (distances, indices))
        return np.maximum(distances, 0), indices

    def _nearest_of_all(self, k):
        """Read the neighbours off the distances to all pixels."""
        distances, indices = np.empty((len(self), k)), np.empty((len(self), k), dtype=np.intp)
        for here, block in self.blocks():
            indices[here] = np.argpartition(block, k - 1, axis=1)[:, :k]
            distances[here] = np.take_along_axis(block, indices[here], axis=1)
        return distances, indices

    def _search(self, k):
        """Let scikit-learn search, in single precision where pixels are many; distances are worked out in double."""
        from sklearn.neighbors import NearestNeighbors  # loaded late, as by `fit_kmeans`

        rows = self._rows
        points = np.concatenate([rows, -rows]) if self._metric.mirrored else rows - rows.mean(axis=0)
        fast = points.astype(np.float32 if self.too_large else np.float64, copy=False)
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(fast)
        indices = search.kneighbors(fast[: len(self)], return_distance=False)
        distances = np.empty(indices.shape)
        for top in range(0, len(self), BLOCK):
            here = slice(top, top + BLOCK)
            difference = points[here.start : here.start + len(indices[here]), None] - points[indices[here]]
            distances[here] = np.linalg.norm(difference, axis=2)
        if self._metric.mirrored:  # from the chord between two directions to the sine of their angle
            distances *= np.sqrt(np.maximum(1 - distances**2 / 4, 0))
        return distances, indices % len(self)


def landmark_coordinates(rows, between, n_dimensions):
    """Points whose distances come close to those of a metric that has no embedding.

    Landmark multidimensional scaling (de Silva & Tenenbaum 2004): pixels spread evenly over the sample are placed by
    their distances to each other, and every pixel by its distances to these.

    Parameters
    ----------
    rows : ndarray of shape (n_pixels, ...)
    between : callable
        Of the metric.
    n_dimensions : int
        The most that are wanted.

    Returns
    -------
    ndarray of shape (n_pixels, at most n_dimensions)
    """
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(LANDMARKS, len(rows))).astype(int))
    to_landmarks = between(rows, rows[chosen]) ** 2
    among = to_landmarks[chosen]
    average = among.mean(axis=0)
    centred = -0.5 * (among - average - average[:, None] + average.mean())
    values, vectors = np.linalg.eigh((centred + centred.T) / 2)
    kept = np.argsort(values)[::-1][:n_dimensions]
    kept = kept[values[kept] > 1e-9 * max(values.max(), np.finfo(float).tiny)]
    if not kept.size:
        return np.zeros((len(rows), 1))
    return -0.5 * (to_landmarks - average) @ (vectors[:, kept] / np.sqrt(values[kept]))
