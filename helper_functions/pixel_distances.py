"""Distances between the pixels of a galaxy, as coordinates, as a matrix or as nearest neighbours."""

from functools import cached_property

import numpy as np

from distances import DEFAULTS, METRICS, euclidean_distances
from helper_functions.registry import choose

BLOCK = 512  # pixels a side: a block of float64 fits into the cache of a core
MEMORY_LIMIT = 2e9  # bytes that a full distance matrix may take
LANDMARKS = 500  # landmark pixels for a metric without an embedding of its own
BRUTE_SEARCH = 2000  # pixels up to which neighbours are found from all pairwise distances


def matrix_too_large(n_pixels, memory_limit):
    """Whether the distance matrix of this number of pixels takes more bytes than the limit."""
    return 8 * n_pixels**2 > memory_limit


class PixelDistances:
    """Distances between the pixel SEDs of one galaxy, in the form that a clustering method needs.

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
        For an unknown metric, SEDs that are not finite, or shapes that do not match.
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
        """Whether the full matrix would exceed the memory limit: methods then use an approximation."""
        return matrix_too_large(len(self), self._memory_limit)

    def only(self, pixels):
        """A new object for some of the pixels, or for all in another order.

        Metrics that use all pixels at once, as "noise" does their errors, then use only these.
        """
        return PixelDistances(self.seds.only(pixels), self._metric_name, self._options, self._memory_limit)

    @cached_property
    def coordinates(self):
        """Points whose Euclidean distances equal or approximate the metric's; shape (n_pixels, n_dimensions)."""
        if self._metric.embed is None:
            return landmark_coordinates(self._rows, self._metric.pairwise, self.n_bands)
        return self._metric.embed(self.seds, self._options)

    @cached_property
    def _rows(self):
        return self._metric.rows(self.seds, self._options) if self._metric.rows else self.coordinates

    def blocks(self):
        """Yield blocks of rows of the distance matrix: (slice of pixels, distances to all, shape (n, n_pixels))."""
        for top in range(0, len(self), BLOCK):
            here = slice(top, min(top + BLOCK, len(self)))
            distances = self._metric.pairwise(self._rows[here], self._rows)
            distances[np.arange(here.stop - top), np.arange(top, here.stop)] = 0
            yield here, distances

    def matrix(self, dtype=np.float64):
        """Distances between all pairs, shape (n_pixels, n_pixels): symmetric, zero on the diagonal."""
        distances = np.empty((len(self), len(self)), dtype)
        starts = range(0, len(self), BLOCK)
        for top in starts:
            for left in starts[top // BLOCK :]:
                here, there = slice(top, top + BLOCK), slice(left, left + BLOCK)
                block = self._metric.pairwise(self._rows[here], self._rows[there])
                if top == left:  # exactly symmetric in spite of rounding
                    block = np.triu(block, 1)
                    block += block.T
                distances[here, there] = block
                distances[there, here] = block.T
        return distances

    def condensed(self):
        """Distance matrix in the condensed form of scipy.cluster.hierarchy: its upper triangle, row by row."""
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
            Includes the pixel itself. At most the number of pixels is returned.

        Returns
        -------
        distances : ndarray of shape (n_pixels, n_neighbours)
            In increasing order from 0, that of the pixel itself.
        indices : int ndarray of shape (n_pixels, n_neighbours)
        """
        k = min(n_neighbours, len(self))
        searchable = self._metric.sign_invariant or self._metric.pairwise is euclidean_distances
        near = self._search if searchable and len(self) > BRUTE_SEARCH else self._nearest_of_all
        distances, indices = near(k)
        distances[indices == np.arange(len(self))[:, None]] = -1  # itself first, also among identical pixels
        order = np.argsort(distances, axis=1, kind="stable")
        distances, indices = (np.take_along_axis(x, order, axis=1) for x in (distances, indices))
        return np.maximum(distances, 0), indices

    def _nearest_of_all(self, k):
        """Nearest neighbours from the distances to all pixels."""
        distances, indices = np.empty((len(self), k)), np.empty((len(self), k), dtype=np.intp)
        for here, block in self.blocks():
            indices[here] = np.argpartition(block, k - 1, axis=1)[:, :k]
            distances[here] = np.take_along_axis(block, indices[here], axis=1)
        return distances, indices

    def _search(self, k):
        """Nearest neighbours by scikit-learn, in single precision for many pixels; distances in double precision."""
        from sklearn.neighbors import NearestNeighbors  # imported here for the reason given in `fit_kmeans`

        rows = self._rows
        points = np.concatenate([rows, -rows]) if self._metric.sign_invariant else rows - rows.mean(axis=0)
        fast = points.astype(np.float32 if self.too_large else np.float64, copy=False)
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(fast)
        indices = search.kneighbors(fast[: len(self)], return_distance=False)
        distances = np.empty(indices.shape)
        for top in range(0, len(self), BLOCK):
            here = slice(top, top + BLOCK)
            difference = points[here.start : here.start + len(indices[here]), None] - points[indices[here]]
            distances[here] = np.linalg.norm(difference, axis=2)
        if self._metric.sign_invariant:  # from the chord between two unit vectors to the sine of their angle
            distances *= np.sqrt(np.maximum(1 - distances**2 / 4, 0))
        return distances, indices % len(self)


def landmark_coordinates(rows, pairwise, n_dimensions):
    """Approximate embedding of a metric, by landmark multidimensional scaling (de Silva & Tenenbaum 2004).

    Landmark pixels, spread evenly over the sample, are embedded by their distances to each other, and every pixel by
    its distances to the landmarks.

    Parameters
    ----------
    rows : ndarray of shape (n_pixels, ...)
    between : callable
        `Metric.pairwise` of the metric.
    n_dimensions : int
        Largest number of dimensions.

    Returns
    -------
    ndarray of shape (n_pixels, at most n_dimensions)
    """
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(LANDMARKS, len(rows))).astype(int))
    to_landmarks = pairwise(rows, rows[chosen]) ** 2
    among = to_landmarks[chosen]
    average = among.mean(axis=0)
    centred = -0.5 * (among - average - average[:, None] + average.mean())
    values, vectors = np.linalg.eigh((centred + centred.T) / 2)
    kept = np.argsort(values)[::-1][:n_dimensions]
    kept = kept[values[kept] > 1e-9 * max(values.max(), np.finfo(float).tiny)]
    if not kept.size:
        return np.zeros((len(rows), 1))
    return -0.5 * (to_landmarks - average) @ (vectors[:, kept] / np.sqrt(values[kept]))
