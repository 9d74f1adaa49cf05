"""Composition of the pixels: sums over the blends of populations that were fitted to them (see `fit_blends`)."""

from typing import NamedTuple

import numpy as np


class Blends(NamedTuple):
    """Blends of populations, fitted to each pixel.

    The columns, n_blends in all, are the single populations; the pairs dominated by their first, and in the same order
    those dominated by their second population; the best triple of each pixel; and, in `log_likelihood` only, an
    outlier.
    """

    n_populations: int
    log_likelihood: np.ndarray  # (n_pixels, n_blends + 1)
    brightness: np.ndarray  # (n_pixels, n_blends)
    share: np.ndarray  # (n_pixels, 2 n_pairs), fraction of the first population of each pair
    members: np.ndarray  # (n_pixels, 3), populations of the triple
    shares: np.ndarray  # (n_pixels, 3), their fractions

    def only(self, pixels):
        """The same for these pixels, indices or mask."""
        return Blends(self.n_populations, *(values[pixels] for values in self[1:]))

    @property
    def pairs(self):
        """First and second population of each pair, in the order of the columns."""
        return np.triu_indices(self.n_populations, 1)

    def _split(self, weights):
        """Columns of the single populations, of the pairs, and of the triple."""
        n, n_pairs = self.n_populations, self.share.shape[1]
        return weights[:, :n], weights[:, n : n + n_pairs], weights[:, n + n_pairs]

    def _both_halves(self, values):
        """Columns of the pairs, summed over the two dominating populations, (n_pixels, n_pairs)."""
        return values.reshape(len(values), 2, -1).sum(axis=1)

    def composition(self, weights):
        """Expected fraction of each population: sum over blends of weight times fraction.

        Parameters
        ----------
        weights : ndarray of shape (n_pixels, at least n_blends)
            Columns beyond n_blends are ignored.

        Returns
        -------
        ndarray of shape (n_pixels, n_populations)
        """
        alone, pairs, triple = self._split(weights)
        (first, second), one = self.pairs, np.eye(self.n_populations)
        result = alone + self._both_halves(pairs * self.share) @ one[first]
        result += self._both_halves(pairs * (1 - self.share)) @ one[second]
        result[np.arange(len(weights))[:, None], self.members] += triple[:, None] * self.shares
        return result

    def share_products(self, weights):
        """Sum over blends of weight times the product of the fractions of two populations.

        Parameters
        ----------
        weights : ndarray of shape (n_pixels, at least n_blends)

        Returns
        -------
        ndarray of shape (n_pixels, n_populations^2)
        """
        alone, pairs, triple = self._split(weights)
        (first, second), n = self.pairs, self.n_populations
        one, diagonal = np.eye(n), np.arange(n)
        result = np.zeros((len(weights), n, n))
        result[:, diagonal, diagonal] = (
            alone
            + self._both_halves(pairs * self.share**2) @ one[first]
            + self._both_halves(pairs * (1 - self.share) ** 2) @ one[second]
        )
        mixed = self._both_halves(pairs * self.share * (1 - self.share))
        result[:, first, second] = result[:, second, first] = mixed
        products = self.shares[:, :, None] * self.shares[:, None, :] * triple[:, None, None]
        pixels = np.arange(len(weights))[:, None, None]
        result[pixels, self.members[:, :, None], self.members[:, None, :]] += products
        return result.reshape(len(weights), n * n)

    def dominated(self, weights):
        """Sum of the weights of the blends that each population dominates, shape (n_pixels, n_populations)."""
        alone, pairs, triple = self._split(weights)
        (first, second), one = self.pairs, np.eye(self.n_populations)
        n_pairs, pixels = len(first), np.arange(len(weights))
        result = alone + pairs[:, :n_pairs] @ one[first] + pairs[:, n_pairs:] @ one[second]
        result[pixels, self.members[pixels, np.argmax(self.shares, axis=1)]] += triple
        return result

    @property
    def absent(self):
        """1 where a blend lacks a population, else 0, without the triple; shape (n_blends - 1, n_populations)."""
        (first, second), one = self.pairs, np.eye(self.n_populations)
        return 1 - np.concatenate([one, *2 * [one[first] + one[second]]])

    def without(self, weights):
        """Sum of the weights of the blends that do not contain a population.

        Parameters
        ----------
        weights : ndarray of shape (n_pixels, n_blends + 1)

        Returns
        -------
        ndarray of shape (n_pixels, n_populations)
        """
        triple = np.repeat(weights[:, -2:-1], self.n_populations, axis=1)
        np.put_along_axis(triple, self.members, 0, axis=1)
        return weights[:, :-2] @ self.absent + triple + weights[:, -1:]

    def overlap_with(self, composition):
        """Sum over populations of their fraction in a blend times that in `composition`.

        Parameters
        ----------
        composition : ndarray of shape (n_pixels, n_populations)

        Returns
        -------
        ndarray of shape (n_pixels, n_blends)
        """
        first, second = (np.tile(composition[:, each], 2) for each in self.pairs)
        pairs = self.share * first + (1 - self.share) * second
        triple = np.sum(self.shares * np.take_along_axis(composition, self.members, axis=1), axis=1)
        return np.column_stack([composition, pairs, triple])
