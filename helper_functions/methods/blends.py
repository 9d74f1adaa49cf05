"""What a pixel may be made of: one population, or a blend of two or three in the proportion that fits best.

All is linear in the photometry: with the SEDs t of the populations and weights w = 1/error^2, every likelihood follows
from the products sum(w f t_i) and sum(w t_i t_j) of each pixel, and no blend of SEDs is ever made.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2

CALIBRATION = 0.01  # of the flux: how well zero points and PSFs of different bands match at best
CHANCE = 1e-6  # a pixel that noise makes fit as badly less often than this is made of something else
PARALLEL = 1e-10  # squared sine of the angle between SEDs that count as one
TINY = np.finfo(float).tiny


class Photometry(NamedTuple):
    """Fluxes as the fit needs them."""

    flux: np.ndarray  # (n_pixels, n_bands)
    weight: np.ndarray  # (n_pixels, n_bands), inverse variance
    weighted: np.ndarray  # (n_pixels, n_bands), flux times weight
    power: np.ndarray  # (n_pixels,), chi2 of no flux at all


def photometry(flux, error):
    """Fluxes with their weights, for which the errors have CALIBRATION of the pixel's mean SED added in quadrature."""
    mean, noise = flux.mean(axis=0), np.median(error, axis=0)
    slope = mean / noise**2
    brightness = np.maximum(flux @ slope / max(mean @ slope, TINY), 0)
    weight = 1 / (error**2 + (CALIBRATION * brightness[:, None] * mean) ** 2)
    return Photometry(flux, weight, flux * weight, np.sum(flux**2 * weight, axis=1))


class Blends:
    """Likelihood, composition and brightness of every blend in every pixel.

    Columns of `likelihood` are the populations alone, the pairs twice (as dominated by the first, and by the second),
    the best triple, and none of these. It is the logarithm, less that of no flux at all, integrated over the
    composition in Laplace's approximation about the best: a blend, which is free to have any composition, is worth less
    than a pure SED that fits as well.

    Parameters
    ----------
    data : Photometry
    seds : ndarray of shape (n_populations, n_bands)
    """

    def __init__(self, data, seds):
        n_pixels, self.n_populations = len(data.flux), len(seds)
        self.first, self.second = np.triu_indices(self.n_populations, 1)
        match = data.weighted @ seds.T
        product = np.empty((n_pixels, self.n_populations, self.n_populations))
        for i, sed in enumerate(seds):
            product[:, i, i:] = data.weight @ (sed * seds[i:]).T
            product[:, i:, i] = product[:, i, i:]

        size = np.einsum("pii->pi", product)
        brightness = np.maximum(match, 0) / np.maximum(size, TINY)
        alone = 0.5 * brightness * match
        pairs = self._pairs(match, product)
        triple = self._triple(match, product, pairs)
        fit = np.max([alone.max(axis=1), pairs.fit.max(axis=1, initial=0), triple.fit[:, 0]], axis=0)
        n_free = max(data.flux.shape[1] - 1, 1)
        usual = max(np.median(data.power - 2 * fit) / chi2.median(n_free), 1)  # where even good fits are poor
        other = 0.5 * (data.power - usual * chi2.isf(CHANCE, n_free))
        self.likelihood = np.column_stack([alone, pairs.likelihood, triple.likelihood, other])
        # Integrated over brightness as well: the wider the range of it that fits, the better. An SED with much noise of
        # its own has a large size, and would else be favoured where pixels have little signal.
        length = np.column_stack([size, pairs.length, triple.length, size.mean(axis=1)])
        self.likelihood -= 0.5 * np.log(np.maximum(length, TINY))
        self.brightness = np.column_stack([brightness, pairs.brightness, triple.brightness])
        self.share, self.members, self.shares = pairs.share, triple.members, triple.share

    def _pairs(self, match, product):
        """All blends of two: the share of the first is between 0.5 and 1 in the former half, below in the latter."""
        i, j = self.first, self.second
        size_1, size_2, overlap = product[:, i, i], product[:, j, j], product[:, i, j]
        match_1, match_2 = match[:, i], match[:, j]
        area = np.maximum(size_1 * size_2 - overlap**2, PARALLEL * size_1 * size_2 + TINY)
        light_1 = np.maximum(size_2 * match_1 - overlap * match_2, 0)
        light_2 = np.maximum(size_1 * match_2 - overlap * match_1, 0)
        total = light_1 + light_2
        best = np.divide(light_1, total, out=np.full_like(total, 0.5), where=total > 0)
        share = np.concatenate([np.maximum(best, 0.5), np.minimum(best, 0.5)], axis=1)

        def both(values):
            return np.concatenate([values, values], axis=1)

        along = share * both(match_1) + (1 - share) * both(match_2)
        length = share**2 * both(size_1) + (1 - share) ** 2 * both(size_2) + 2 * share * (1 - share) * both(overlap)
        brightness = np.maximum(along, 0) / np.maximum(length, TINY)
        fit = 0.5 * brightness * along
        # The share's error: how fast the direction of a blend turns, in units of the noise.
        error = np.sqrt(length / both(area)) / np.maximum(brightness, 1e-9)
        side = np.repeat([0.5, 0.0], len(i))
        width = np.sqrt(2 * np.pi) * error * (ndtr((side + 0.5 - share) / error) - ndtr((side - share) / error))
        return _Pairs(fit, fit + np.log(np.maximum(width, TINY)), share, brightness, length)

    def _triple(self, match, product, pairs):
        """The best pair of each pixel with the population that its residual is most like."""
        n_pixels, rows = len(match), np.arange(len(match))
        if self.n_populations < 3:
            nothing = np.full((n_pixels, 1), -np.inf)
            none, zero = np.zeros((n_pixels, 3), dtype=int), np.zeros((n_pixels, 1))
            return _Triple(nothing, nothing, none, none.astype(float), zero, zero + 1)
        best = np.argmax(pairs.fit, axis=1)
        i, j = self.first[best % len(self.first)], self.second[best % len(self.first)]
        share, brightness = pairs.share[rows, best, None], pairs.brightness[rows, best, None]
        residual = match - brightness * (share * product[rows, i] + (1 - share) * product[rows, j])
        residual /= np.sqrt(np.maximum(np.einsum("pii->pi", product), TINY))
        residual[rows, i] = residual[rows, j] = -np.inf
        members = np.column_stack([i, j, np.argmax(residual, axis=1)])

        matches = np.take_along_axis(match, members, axis=1)
        matrix = product[rows[:, None, None], members[:, :, None], members[:, None, :]]
        scale = np.sqrt(np.maximum(np.einsum("pii->pi", matrix), TINY))
        matrix = matrix / (scale[:, :, None] * scale[:, None, :])
        volume = np.linalg.det(matrix)
        solvable = volume > PARALLEL
        light = np.zeros((n_pixels, 3))
        light[solvable] = np.linalg.solve(matrix[solvable], (matches / scale)[solvable, :, None])[..., 0]
        light /= scale
        solvable &= (light > 0).all(axis=1)
        light[~solvable] = 1
        total = light.sum(axis=1)
        fit = 0.5 * np.sum(light * matches, axis=1)
        length = 2 * fit / total**2
        # A triangle of area 1/2 holds all compositions, with as much of each: density 2.
        turn = total**2 * np.sqrt(np.maximum(volume, PARALLEL) / np.maximum(length, TINY)) * np.prod(scale, axis=1)
        likelihood = fit + np.log(4 * np.pi / np.maximum(turn, TINY))
        fit, likelihood = (np.where(solvable, x, -np.inf)[:, None] for x in (fit, likelihood))
        return _Triple(fit, likelihood, members, light / total[:, None], total[:, None], length[:, None])

    def _of_pairs(self, values):
        """Columns of the pairs, those dominated by the first and by the second added up, (n_pixels, n_pairs)."""
        return values.reshape(len(values), 2, len(self.first)).sum(axis=1)

    def _split(self, weights):
        """Columns of the populations alone, the pairs and the triple."""
        n = self.n_populations
        return weights[:, :n], weights[:, n : n + self.share.shape[1]], weights[:, n + self.share.shape[1]]

    def by_population(self, weights):
        """Sum over blends of weight times composition, shape (n_pixels, n_populations)."""
        alone, pairs, triple = self._split(weights)
        one = np.eye(self.n_populations)
        result = alone + self._of_pairs(pairs * self.share) @ one[self.first]
        result += self._of_pairs(pairs * (1 - self.share)) @ one[self.second]
        np.add.at(result, (np.arange(len(weights))[:, None], self.members), triple[:, None] * self.shares)
        return result

    def by_two_populations(self, weights):
        """Sum over blends of weight times the product of two shares, shape (n_pixels, n_populations^2)."""
        alone, pairs, triple = self._split(weights)
        n, one = self.n_populations, np.eye(self.n_populations)
        result = np.zeros((len(weights), n, n))
        result[:, np.arange(n), np.arange(n)] = (
            alone
            + self._of_pairs(pairs * self.share**2) @ one[self.first]
            + self._of_pairs(pairs * (1 - self.share) ** 2) @ one[self.second]
        )
        mixed = self._of_pairs(pairs * self.share * (1 - self.share))
        result[:, self.first, self.second] = result[:, self.second, self.first] = mixed
        products = self.shares[:, :, None] * self.shares[:, None, :] * triple[:, None, None]
        rows = np.arange(len(weights))[:, None, None]
        np.add.at(result, (rows, self.members[:, :, None], self.members[:, None, :]), products)
        return result.reshape(len(weights), n * n)

    def dominated(self, weights):
        """Sum of the weights of the blends that each population dominates, shape (n_pixels, n_populations)."""
        alone, pairs, triple = self._split(weights)
        one, n_pairs, rows = np.eye(self.n_populations), len(self.first), np.arange(len(weights))
        result = alone + pairs[:, :n_pairs] @ one[self.first] + pairs[:, n_pairs:] @ one[self.second]
        result[rows, self.members[rows, np.argmax(self.shares, axis=1)]] += triple
        return result

    @property
    def absent(self):
        """1 where a population has no part in a blend, else 0, shape (n_blends - 2, n_populations): no triples."""
        alone = np.eye(self.n_populations)
        return 1 - np.concatenate([alone, *2 * [alone[self.first] + alone[self.second]]])

    def without(self, weights):
        """Sum of the weights of the blends that a population has no part in, shape (n_pixels, n_populations)."""
        triple = np.repeat(weights[:, -2:-1], self.n_populations, axis=1)
        np.put_along_axis(triple, self.members, 0, axis=1)
        return weights[:, :-2] @ self.absent + triple + weights[:, -1:]

    def agreement(self, composition):
        """Sum over populations of the share in a blend times that in `composition`: one column less than blends."""
        first, second = (np.tile(composition[:, x], 2) for x in (self.first, self.second))
        pairs = self.share * first + (1 - self.share) * second
        triple = np.sum(self.shares * np.take_along_axis(composition, self.members, axis=1), axis=1)
        return np.column_stack([composition, pairs, triple])


class _Pairs(NamedTuple):
    fit: np.ndarray  # (n_pixels, 2 n_pairs), half of what the best composition takes off chi2
    likelihood: np.ndarray
    share: np.ndarray
    brightness: np.ndarray
    length: np.ndarray  # sum of the squares of the blend's SED in units of the noise


class _Triple(NamedTuple):
    fit: np.ndarray  # (n_pixels, 1)
    likelihood: np.ndarray
    members: np.ndarray  # (n_pixels, 3)
    share: np.ndarray  # (n_pixels, 3)
    brightness: np.ndarray  # (n_pixels, 1)
    length: np.ndarray  # (n_pixels, 1)
