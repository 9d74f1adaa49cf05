"""The mixture model of blended_mixture: its parameters, and their fit by expectation maximisation and elimination.

1. Expectation maximisation (Dempster et al. 1977). With the SEDs t of the populations and the mixing weight pi_c of
   each blend c, a pixel is blend c with the probability r_c = pi_c L_c / sum_d pi_d L_d. The new weights are the means
   of r_c over the pixels, and the new SEDs minimise chi2, given r and the fitted fractions and amplitudes.
2. Backward elimination. The fit starts with more populations than are wanted. The population whose removal leaves the
   highest likelihood is removed, the others are fitted again, and so on down to the lowest number wanted.

Systematic errors that are common to all pixels of a band are fitted with the SEDs (see `systematics`); otherwise they
would split a bright galaxy of one population.
"""

from math import comb
from typing import NamedTuple

import numpy as np

from helper_functions.methods.fit_blends import TINY, fit_blends
from helper_functions.methods.systematics import solve_seds
from helper_functions.methods.threads import each_block, joined_blocks

ITERATIONS = 30
LONGER = 4  # factor by which the longest step of an extrapolation grows where it is reached, and falls where too long
CONVERGED = 5e-3  # tolerance of the fit: gain of the log likelihood in one iteration, per pixel
INTERMEDIATE_TOLERANCE = 0.1  # the same for numbers of populations that are only steps of the elimination
PATCH_SHARE = 0.5  # fraction of outliers among its neighbours above which a pixel is not treated as an outlier
MIN_FREQUENCY = 1e-4  # total weight divided equally among all blends, so that no mixing weight is zero
OUTLIER_PRIOR = 1e-3  # prior probability of an outlier, a pixel that no blend fits


class Mixture(NamedTuple):
    """Parameters of the mixture model: component SEDs, mixing weights and amplitudes of the systematic errors."""

    templates: np.ndarray  # (n_populations, n_bands), component SEDs
    prior: np.ndarray  # (n_blends + 1,), mixing weight of each column of `Blends.log_likelihood`
    amplitudes: np.ndarray  # (n_patterns, n_bands), of each pattern of `Systematics`


def responsibilities(blends, prior, log_factor=0.0):
    """Probability of each blend in each pixel, and the log likelihood of each pixel.

    Parameters
    ----------
    blends : Blends
    prior : ndarray of shape (n_blends + 1,)
    log_factor : ndarray of shape (n_pixels, n_blends + 1)
        Logarithm of a factor of the prior in each pixel.

    Returns
    -------
    probability : ndarray of shape (n_pixels, n_blends + 1)
    log_likelihood : ndarray of shape (n_pixels,)
    """
    log = blends.log_likelihood + np.log(prior) + log_factor
    highest = log.max(axis=1, keepdims=True)
    probability = np.exp(log - highest)
    total = probability.sum(axis=1, keepdims=True)
    probability /= total
    return probability, (highest + np.log(total))[:, 0]


def in_outlier_patches(other, links):
    """Whether most neighbours of a pixel are outliers; bool, (n_pixels,). `other` is the outlier probability, likewise.

    Bad pixels and cosmic rays are small. A patch of outliers is a population that is still missing in the model, and
    would not be found if its pixels were ignored.
    """
    return links @ other > PATCH_SHARE * links.sum(axis=1)


def initial_prior(n_populations):
    """Initial mixing weights: half of the pixels are of a single population."""
    n_pairs, n_triples = comb(n_populations, 2), comb(n_populations, 3)
    pairs = np.full(2 * n_pairs, 0.2 / max(n_pairs, 1))
    rest = [0.05 / max(n_triples, 1), OUTLIER_PRIOR]
    return np.concatenate([np.full(n_populations, 0.5 / n_populations), pairs, rest])


def initial_mixture(templates, systematics):
    """`Mixture` with these SEDs, from which a fit starts: initial mixing weights, and no systematic errors."""
    return Mixture(templates, initial_prior(len(templates)), np.zeros(systematics.precision.shape))


def fitted_prior(probability, n_populations):
    """Mixing weights of the blends: their mean probability over the pixels."""
    mean = probability.mean(axis=0) + MIN_FREQUENCY / probability.shape[1]
    mean[-2] /= max(comb(n_populations, 3), 1)  # the column of the best triple represents all triples
    mean[-1] = OUTLIER_PRIOR
    return mean


def fitted_templates(data, systematics, templates, blends, probability, band_weight):
    """Weighted least-squares fit of SEDs and systematics, band by band, given the composition of each pixel.

    Parameters
    ----------
    data : WeightedFluxes
        Including the systematics.
    systematics : Systematics
    templates : ndarray of shape (n_populations, n_bands)
        Of the previous iteration.
    blends : Blends
    probability : ndarray of shape (n_pixels, n_blends + 1)
    band_weight : ndarray of shape (n_bands,)

    Returns
    -------
    templates : ndarray of shape (n_populations, n_bands)
    amplitudes : ndarray of shape (n_patterns, n_bands)
    """
    (n_populations, n_bands), patterns = templates.shape, systematics.patterns
    n_parts = n_populations + patterns.shape[1]

    def of_block(block):
        some, known = blends.only(block), 1 - probability[block, -1:]  # outliers have no weight
        light = probability[block, :-1] * some.brightness
        shares = some.composition(light)
        parts = np.column_stack([shares, known * patterns[block]])
        # Expected products of all pairs of parts.
        products = np.empty((len(parts), n_parts, n_parts))
        squares = some.share_products(light * some.brightness)
        products[:, :n_populations, :n_populations] = squares.reshape(-1, n_populations, n_populations)
        products[:, n_populations:] = patterns[block, :, None] * parts[:, None, :]
        products[:, :n_populations, n_populations:] = shares[:, :, None] * patterns[block, None, :]
        return products.reshape(len(parts), -1).T @ data.weight[block], parts.T @ data.weighted[block]

    matrix, match = map(sum, zip(*each_block(of_block, len(data.flux)), strict=True))
    matrix = matrix.T.reshape(n_bands, n_parts, n_parts)
    # A population with hardly any light keeps its SED.
    held = 1e-9 * np.einsum("bii->b", matrix[:, :n_populations, :n_populations]) + TINY
    held = np.tile(held, (n_populations, 1))
    solved, amplitudes = solve_seds(matrix, match, templates, held, systematics)
    return normalise_templates(solved, band_weight), amplitudes


def normalise_templates(templates, band_weight):
    """Scale SEDs to a weighted mean flux of 1; those with a mean near 0, to a weighted root mean square of 1."""
    mean = templates @ band_weight
    size = np.sqrt(templates**2 @ band_weight)
    return templates / np.where(mean > 0.1 * size, mean, np.maximum(size, TINY))[:, None]


def expectation_step(data, systematics, links, mixture):
    """Expectation step: probability of each blend in each pixel, given SEDs and mixing weights.

    Parameters
    ----------
    data : WeightedFluxes
        Including the systematics.
    systematics : Systematics
    links : sparse array of shape (n_pixels, n_pixels)
        Adjacency of neighbouring pixels.
    mixture : Mixture

    Returns
    -------
    true : WeightedFluxes
        Corrected for the systematics.
    blends : Blends
    probability : ndarray of shape (n_pixels, n_blends + 1)
    log_likelihood : ndarray of shape (n_pixels,)
        Relative to zero flux.
    """
    true = data.minus(systematics.model(mixture.amplitudes))
    blends = fit_blends(true, mixture.templates)

    def of_block(block):
        return responsibilities(blends.only(block), mixture.prior)

    probability, log_likelihood = joined_blocks(of_block, len(data.flux))
    if (patch := in_outlier_patches(probability[:, -1], links)).any():
        blends.log_likelihood[patch, -1] = -np.inf
        probability, log_likelihood = joined_blocks(of_block, len(data.flux))
    return true, blends, probability, log_likelihood


def maximisation_step(data, systematics, mixture, blends, probability, band_weight):
    """Maximisation step: SEDs, systematics and mixing weights, given the composition of the pixels."""
    before = mixture.templates
    templates, amplitudes = fitted_templates(data, systematics, before, blends, probability, band_weight)
    return Mixture(templates, fitted_prior(probability, len(templates)), amplitudes)


def fit_mixture(data, systematics, links, mixture, band_weight, converged, accelerated=False):
    """Fit SEDs, mixing weights and systematics by expectation maximisation.

    Parameters
    ----------
    data : WeightedFluxes
    systematics : Systematics
    links : sparse array of shape (n_pixels, n_pixels)
        Adjacency of neighbouring pixels.
    mixture : Mixture
        Initial parameters.
    band_weight : ndarray of shape (n_bands,)
        Weight of each band in the mean flux of an SED; sum 1.
    converged : float
        Gain of the log likelihood in one iteration, or between two extrapolations, per pixel, at which the fit ends.
    accelerated : bool
        Extrapolate after each two iterations.

    Returns
    -------
    mixture : Mixture
    blends : Blends
    probability : ndarray of shape (n_pixels, n_blends + 1)
    """
    path, way_back, before, best, longest = [mixture], None, -np.inf, -np.inf, 1.0
    for iteration in range(ITERATIONS):
        mixture = path[-1]
        true, blends, probability, log_likelihood = expectation_step(data, systematics, links, mixture)
        now = np.sum(log_likelihood - 0.5 * true.chi2_of_zero) + systematics.log_prior(mixture.amplitudes)
        if now < best and way_back is not None:  # extrapolated too far
            path, way_back, longest = [way_back], None, max(longest / LONGER, 1)
            continue
        best = now
        if len(path) == 1:
            gain, before = now - before, now
            if gain < converged * len(data.flux) and iteration > 1:
                break
        path.append(maximisation_step(data, systematics, mixture, blends, probability, band_weight))
        if not accelerated:
            path = path[-1:]
        elif len(path) == 3 and iteration < ITERATIONS - 2:  # two iterations are left, to try it and to go back
            ahead, length = extrapolated(*path, data, band_weight, longest)
            way_back, path, longest = path[-1], [ahead], LONGER * longest if length == longest else longest
    return mixture, blends, probability


def extrapolated(first, second, third, data, band_weight, longest):
    """Extrapolate three successive mixtures of a fit, as expectation maximisation converges slowly.

    This is the squared iterative method (SQUAREM) with the step length S3 of Varadhan & Roland (2008, Scandinavian
    Journal of Statistics 35, 335), for SEDs and systematic errors in units of the noise. Mixing weights are those of
    the last mixture: a blend whose extrapolated weight vanished would not recover.

    Returns
    -------
    mixture : Mixture
    length : float
        Of the step, from 1, for none, to `longest`.
    """
    noise = 1 / np.sqrt(np.median(data.weight, axis=0))
    start, middle, end = (np.concatenate([each.templates, each.amplitudes]) / noise for each in (first, second, third))
    change, curvature = middle - start, end - 2 * middle + start
    length = np.clip(np.linalg.norm(change) / max(np.linalg.norm(curvature), TINY), 1, longest)
    ahead = (start + 2 * length * change + length**2 * curvature) * noise
    templates, amplitudes = np.split(ahead, [len(first.templates)])
    return Mixture(normalise_templates(templates, band_weight), third.prior, amplitudes), length


def least_supported_component(mixture, blends, probability):
    """Index of the population whose removal leaves the highest likelihood.

    Removing a population removes its blends; the mixing weights of all others are scaled up to the same sum.
    """
    kept = mixture.prior[:-2] @ blends.absent + mixture.prior[-1]
    left = np.log(np.maximum(blends.without(probability), TINY)) - np.log(kept)
    return int(np.argmax(left.sum(axis=0)))


def remove_population(mixture, blends, gone):
    """The mixture without a population, as initial parameters of a fit.

    Mixing weights are averaged with the initial ones, so that blends whose weight had vanished can recover: else the
    fit would be trapped in a local maximum.
    """
    left = np.append(blends.absent[:, gone] > 0, [True, True])
    prior = mixture.prior[left] / mixture.prior[left].sum()
    prior = (prior + initial_prior(len(mixture.templates) - 1)) / 2
    return Mixture(np.delete(mixture.templates, gone, axis=0), prior, mixture.amplitudes)


def eliminate_populations(data, systematics, links, templates, band_weight, wanted):
    """Fit with all SEDs, and remove populations one by one, least supported first; {n_populations: Mixture}.

    Fits of numbers that are not `wanted` are intermediate steps with a coarser tolerance.
    """
    found, mixture = {}, initial_mixture(templates, systematics)
    while True:
        number = len(mixture.templates)
        converged = CONVERGED if number in wanted or number <= min(wanted) else INTERMEDIATE_TOLERANCE
        mixture, blends, probability = fit_mixture(data, systematics, links, mixture, band_weight, converged)
        found[number] = mixture
        if number <= min(wanted):
            return found
        mixture = remove_population(mixture, blends, least_supported_component(mixture, blends, probability))
