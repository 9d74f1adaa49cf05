"""Maximum likelihood fits of blends of populations to pixels.

A pixel has fluxes f with weights w = 1 / error^2, and population i an SED t_i; sums are over the bands. A blend has a
fraction x_i >= 0 of each population, sum x_i = 1, and an amplitude a, and predicts the fluxes a m with
m = sum_i x_i t_i. The likelihood depends only on these scalar products for each pixel, without computing blended SEDs:

    match_i = sum w f t_i        product_ij = sum w t_i t_j
    along = sum w f m = sum_i x_i match_i        length = sum w m^2 = sum_ij x_i x_j product_ij

The best-fit amplitude is a = along / length. It lowers chi2, relative to zero flux, by 2 fit:

    fit = along^2 / (2 length)

A blend has more free parameters than a single population, and always fits better. So its likelihood is marginalised
over the fractions, with a uniform prior, in Laplace's approximation about the best fit, and likewise over the
amplitude. Up to constants, relative to zero flux,

    one population:    log L = fit - log(length) / 2
    two, x and 1 - x:  log L = fit - log(length) / 2 + log integral exp(-(x - best x)^2 / (2 s^2)) dx
                       s = sqrt(length / (product_11 product_22 - product_12^2)) / a
    three:             log L = fit - log(length) / 2 + log(2 * 2 pi / D),  D = a^2 sqrt(det(product) / length)

where s is the error of the fraction, 1 / D the square root of the determinant of the covariance of the fractions, and
the 2 in front the density of a uniform prior over a triangle of area 1/2. Each pair is two blends, with x above and
below 1/2: in one the first population dominates, in the other the second. Only one triple is fitted to each pixel: the
best pair with the population that is most correlated with the residuals of the pair.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, erf

from helper_functions.methods.blends import Blends
from helper_functions.methods.threads import each_block

CALIBRATION = 0.01  # relative calibration error between bands: zero points and PSFs match no better than this
OUTLIER_PROBABILITY = 1e-6  # p-value of chi2 below which a pixel is an outlier
PARALLEL = 1e-10  # squared sine of the angle below which two SEDs are treated as identical
TINY = np.finfo(float).tiny
PAIRS_OF_3 = (0, 1), (0, 2), (1, 2)


class WeightedFluxes(NamedTuple):
    """Fluxes with their weights, and products of them that the fit needs."""

    flux: np.ndarray  # (n_pixels, n_bands)
    weight: np.ndarray  # (n_pixels, n_bands), inverse variance
    weighted: np.ndarray  # (n_pixels, n_bands), flux times weight
    chi2_of_zero: np.ndarray  # (n_pixels,), chi2 of zero flux

    def only(self, pixels):
        """The same for some of the pixels."""
        return WeightedFluxes(*(values[pixels] for values in self))

    def minus(self, part):
        """The same with a part, (n_pixels, n_bands), subtracted from the fluxes; the weights stay."""
        flux = self.flux - part
        return WeightedFluxes(flux, self.weight, flux * self.weight, np.sum(flux**2 * self.weight, axis=1))


def weighted_fluxes(flux, error):
    """Inverse-variance weights of fluxes, with a calibration error of CALIBRATION added in quadrature.

    The calibration error is relative to the galaxy's mean SED scaled to the pixel: relative to the measured flux,
    weights would be correlated with the noise.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)

    Returns
    -------
    WeightedFluxes
    """
    mean, noise = flux.mean(axis=0), np.median(error, axis=0)
    slope = mean / noise**2
    brightness = np.maximum(flux @ slope / max(mean @ slope, TINY), 0)
    weight = 1 / (error**2 + (CALIBRATION * brightness[:, None] * mean) ** 2)
    return WeightedFluxes(flux, weight, flux * weight, chi2_of_zero=np.sum(flux**2 * weight, axis=1))


class BlendFits(NamedTuple):
    """Blends of one kind, fitted to each pixel, in columns."""

    fit: np.ndarray  # (n_pixels, n_columns), half of the reduction of chi2 relative to zero flux
    log_likelihood: np.ndarray  # (n_pixels, n_columns)
    brightness: np.ndarray  # (n_pixels, n_columns), amplitude
    share: np.ndarray | None = None  # fraction of the first of two populations, or (n_pixels, 3), of three
    members: np.ndarray | None = None  # (n_pixels, 3), the three populations


def fit_blends(data, templates):
    """Fit every blend of populations to every pixel.

    Parameters
    ----------
    data : WeightedFluxes
    templates : ndarray of shape (n_populations, n_bands)
        SED of each population.

    Returns
    -------
    Blends
    """
    each = each_block(lambda block: fit_block(data.only(block), templates), len(data.flux))
    blends, best, length = zip(*each, strict=True)
    blends = Blends(len(templates), *(np.concatenate(each) for each in list(zip(*blends, strict=True))[1:]))
    blends.log_likelihood[:, -1] = outlier_log_likelihood(data, np.concatenate(best), np.concatenate(length))
    return blends


def fit_block(data, templates):
    """Fit every blend of populations to a block of pixels.

    Returns
    -------
    blends : Blends
        No pixel is an outlier, as that depends on all pixels: the last column of the log likelihood is -inf.
    best : ndarray of shape (n_pixels,)
        Half of the highest reduction of chi2 relative to zero flux.
    length : ndarray of shape (n_pixels,)
        sum w t_i^2, mean over the populations.
    """
    n_pixels, n_populations = len(data.flux), len(templates)
    match = data.weighted @ templates.T
    product = np.empty((n_pixels, n_populations, n_populations))
    i, j = np.triu_indices(n_populations)
    product[:, i, j] = product[:, j, i] = data.weight @ (templates[i] * templates[j]).T

    alone = fit_alone(match, product)
    pairs = fit_pairs(match, product)
    triple = fit_triple(match, product, pairs)
    outlier = np.full(n_pixels, -np.inf)
    blends = Blends(
        n_populations=n_populations,
        log_likelihood=np.column_stack([*(each.log_likelihood for each in (alone, pairs, triple)), outlier]),
        brightness=np.column_stack([each.brightness for each in (alone, pairs, triple)]),
        share=pairs.share,
        members=triple.members,
        shares=triple.share,
    )
    best = np.max([each.fit.max(axis=1, initial=0) for each in (alone, pairs, triple)], axis=0)
    return blends, best, diagonal(product).mean(axis=1)


def diagonal(product):
    """The diagonal of `product`: sum w t_i^2 of each population, shape (n_pixels, n_populations)."""
    return np.einsum("pii->pi", product)


def amplitude_volume(length):
    """Term of the log likelihood from marginalising over the amplitude.

    It is larger the wider the range of amplitudes that fit. Without it an SED with much noise of its own, which has a
    large length, would be favoured in pixels with little signal.
    """
    return -0.5 * np.log(np.maximum(length, TINY))


def fit_alone(match, product):
    """Fit single populations: one column each."""
    length = diagonal(product)
    brightness = np.maximum(match, 0) / np.maximum(length, TINY)
    fit = 0.5 * brightness * match
    return BlendFits(fit=fit, log_likelihood=fit + amplitude_volume(length), brightness=brightness)


def fit_pairs(match, product):
    """Fit pairs of populations: columns of all pairs dominated by the first, then by the second population."""
    i, j = np.triu_indices(match.shape[1], 1)
    length_1, length_2, overlap = product[:, i, i], product[:, j, j], product[:, i, j]
    match_1, match_2 = match[:, i], match[:, j]
    determinant = np.maximum(length_1 * length_2 - overlap**2, PARALLEL * length_1 * length_2 + TINY)
    light_1 = np.maximum(length_2 * match_1 - overlap * match_2, 0)
    light_2 = np.maximum(length_1 * match_2 - overlap * match_1, 0)
    total = light_1 + light_2
    best = np.divide(light_1, total, out=np.full_like(total, 0.5), where=total > 0)

    def dominated(share, lowest):  # with shares of the first population between the lowest and 0.5 more
        rest = 1 - share
        along = share * match_1 + rest * match_2
        length = share * (share * length_1 + rest * (2 * overlap)) + rest**2 * length_2
        brightness = np.maximum(along, 0) / np.maximum(length, TINY)
        fit = 0.5 * brightness * along
        error = np.sqrt(length / determinant) / np.maximum(brightness, 1e-9)
        above, below = (lowest + 0.5 - share) / error, (share - lowest) / error
        integral = np.sqrt(np.pi / 2) * error * (erf(np.sqrt(0.5) * above) + erf(np.sqrt(0.5) * below))
        log_likelihood = fit + np.log(np.maximum(integral, TINY)) + amplitude_volume(length)
        return fit, log_likelihood, brightness, share

    halves = zip(dominated(np.maximum(best, 0.5), 0.5), dominated(np.minimum(best, 0.5), 0.0), strict=True)
    return BlendFits(*(np.concatenate(half, axis=1) for half in halves))


def fit_triple(match, product, pairs):
    """Fit the best pair of each pixel with the population most correlated with the residuals of the pair: one column.

    The likelihood is zero where the best-fit fractions of the three populations are not all positive.
    """
    n_pixels, n_populations = match.shape
    if n_populations < 3:
        none, one = np.full((n_pixels, 1), -np.inf), np.ones((n_pixels, 1))
        shares, members = np.zeros((n_pixels, 3)), np.zeros((n_pixels, 3), dtype=int)
        return BlendFits(fit=none, log_likelihood=none, brightness=0 * one, share=shares, members=members)
    members = third_member(match, product, pairs)
    pixels = np.arange(n_pixels)
    # Scaled to a unit diagonal, so that the determinant measures how similar the SEDs are in any flux unit. The three
    # normal equations are solved by Cramer's rule, which is much faster than a general solver for each pixel.
    scale = np.sqrt(np.maximum(diagonal(product)[pixels[:, None], members], TINY))
    ij, ik, jk = (product[pixels, members[:, p], members[:, q]] / (scale[:, p] * scale[:, q]) for p, q in PAIRS_OF_3)
    matches = np.take_along_axis(match, members, axis=1)
    one, two, three = (matches / scale).T
    determinant = 1 + 2 * ij * ik * jk - ij**2 - ik**2 - jk**2
    light = [
        (1 - jk**2) * one + (ik * jk - ij) * two + (ij * jk - ik) * three,
        (ik * jk - ij) * one + (1 - ik**2) * two + (ij * ik - jk) * three,
        (ij * jk - ik) * one + (ij * ik - jk) * two + (1 - ij**2) * three,
    ]
    light = np.column_stack(light) / (scale * np.maximum(determinant, PARALLEL)[:, None])
    usable = (determinant > PARALLEL) & (light > 0).all(axis=1)
    light[~usable] = 1
    brightness = light.sum(axis=1)
    fit = 0.5 * np.sum(light * matches, axis=1)
    length = 2 * fit / brightness**2
    d = brightness**2 * np.sqrt(np.maximum(determinant, PARALLEL) / np.maximum(length, TINY)) * np.prod(scale, axis=1)
    log_likelihood = fit + np.log(4 * np.pi / np.maximum(d, TINY)) + amplitude_volume(length)
    fit, log_likelihood = (np.where(usable, each, -np.inf)[:, None] for each in (fit, log_likelihood))
    shares = light / brightness[:, None]
    return BlendFits(fit, log_likelihood, brightness[:, None], share=shares, members=members)


def third_member(match, product, pairs):
    """Best pair of each pixel, and the population most correlated with its residuals, int of shape (n_pixels, 3)."""
    first, second = np.triu_indices(match.shape[1], 1)
    pixels, best = np.arange(len(match)), np.argmax(pairs.fit, axis=1)
    i, j = first[best % len(first)], second[best % len(first)]
    share, brightness = pairs.share[pixels, best, None], pairs.brightness[pixels, best, None]
    residual = match - brightness * (share * product[pixels, i] + (1 - share) * product[pixels, j])
    residual /= np.sqrt(np.maximum(diagonal(product), TINY))
    residual[pixels, i] = residual[pixels, j] = -np.inf
    return np.column_stack([i, j, np.argmax(residual, axis=1)])


def outlier_log_likelihood(data, best, length):
    """Log likelihood of an outlier, a pixel that no blend fits, shape (n_pixels,); `best` and `length` of `fit_block`.

    It is that of a blend with a chi2 whose p-value is OUTLIER_PROBABILITY. Where chi2 is large in typical pixels, as
    for underestimated errors, it is scaled by the median.
    """
    n_free = max(data.flux.shape[1] - 1, 1)
    typical = max(np.median(data.chi2_of_zero - 2 * best) / chdtri(n_free, 0.5), 1)  # the median of chi2
    fit = 0.5 * (data.chi2_of_zero - typical * chdtri(n_free, OUTLIER_PROBABILITY))
    return fit + amplitude_volume(length)
