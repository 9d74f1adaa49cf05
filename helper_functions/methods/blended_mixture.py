"""The method blended_mixture: a few populations with one SED each, and pixels that are blends of up to three of them.

The PSF blends neighbouring regions, and many pixels of a galaxy have a shape that no population has: a mixture of pure
shapes spends clusters on them. Here a pixel is all of one population, or a blend of two or three in any proportion, of
any brightness, with the known noise (the model is written out in `fit_blends`). The method has three steps.

1. SEDs and frequencies. With the SEDs t of the populations and the prior probability pi_c of each blend c, a pixel is
   blend c with the probability r_c = pi_c L_c / sum_d pi_d L_d. SEDs and prior are fitted by expectation maximisation
   (Dempster et al. 1977): the new prior is the mean of r_c over the pixels, the new SEDs those that fit the pixels best
   in chi2, given r and the fitted shares and brightnesses.
2. Fewer populations. The fit starts with more populations than are wanted. The population without which the pixels
   would be most probable is taken out, the others are fitted again, and so on down to the least number wanted.
3. Labels. Neighbours tend to be alike: the prior of a blend in a pixel is pi_c exp(COUPLING sum_i x_i n_i), where x_i
   are its shares, and n_i the sum over the pixel's neighbours of how much of population i they hold on average. A pixel
   belongs to the population that most of its light comes from; a population may lie in many places.

With the SEDs are fitted errors that all pixels of a band share (see `systematics`): taken for SEDs, they would split a
bright galaxy of one population.
"""

from math import comb
from typing import NamedTuple

import numpy as np

from helper_functions.methods.fit_blends import TINY, fit_blends, weighted_fluxes
from helper_functions.methods.kmeans import fit_kmeans
from helper_functions.methods.method import Method, MethodResult, Populations
from helper_functions.methods.systematics import systematics_of
from helper_functions.noise import adjacency_within
from helper_functions.normalize import normalize

INITIAL_POPULATIONS = 10  # that the fit starts with, or more where more are wanted
MAX_POPULATIONS = 40  # every pair of them is fitted to every pixel, which takes time and memory as their square
ITERATIONS = 30
CONVERGED = 5e-3  # gain of the log likelihood in one iteration, per pixel
INTERMEDIATE_TOLERANCE = 0.1  # the same for numbers of populations that are not wanted
FIT_PIXELS = 4000  # SEDs are fitted to at most so many pixels, drawn at random
NEIGHBOUR_REACH = 1.5  # pixels: the eight around a pixel, those at a corner linked less
COUPLING = 4.0  # of a pixel's prior to each of its eight neighbours
MEAN_FIELD_ITERATIONS = 15
MEAN_FIELD_TOLERANCE = 1e-3  # change of a probability below which neighbours have nothing more to say
REFIT_ITERATIONS = 3  # from what fits nearly as well: errors of populations are 0.99 of those of a converged fit
PATCH_SHARE = 0.5  # share of its neighbours that nothing fits, above which a pixel is no outlier
# The model takes the fluxes of neighbouring pixels for independent, though they share noise and light, and so is too
# sure. The logarithms of its probabilities are divided by this number, which makes 9 of 10 pixels right that have a
# probability of 0.9 (simulated galaxies of the recovery suite, seeds 5000 to 5011).
TEMPERATURE = 6.0
SMOOTHING = 0.3  # weight of each neighbour's flux beside the pixel's own, where the first SEDs are looked for
MIN_SIGNAL = 1.4  # rms of a typical pixel's fluxes in units of their errors; noise alone has 1
MIN_FREQUENCY = 1e-4  # share of the pixels below which no population and no blend falls
OUTLIER_PRIOR = 1e-3  # prior of a pixel that is none of the blends


class NoSignal(ValueError):
    """Pixels that are all noise have no shapes."""

    status = "no signal"


class TooManyPopulations(ValueError):
    """More populations than can be fitted in a reasonable time."""

    status = "too many clusters"


class Mixture(NamedTuple):
    """Populations, how frequent they and their blends are, and the errors that all pixels share."""

    templates: np.ndarray  # (n_populations, n_bands), SED of each
    prior: np.ndarray  # (n_blends + 1,), of each column of `Blends.log_likelihood`
    amplitudes: np.ndarray  # (n_patterns, n_bands), of each pattern of `Systematics`


# ---- SEDs and frequencies ---------------------------------------------------


def initial_seds(flux, error, links, most, seed):
    """SEDs to start from: means of k-means clusters of the contrasts to the mean SED, slightly smoothed.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
    links : sparse array of shape (n_pixels, n_pixels)
        Of each pixel to its neighbours.
    most : int
        Number of SEDs; where pixels have fewer distinct shapes, there are fewer.
    seed : int

    Returns
    -------
    ndarray of shape (at most `most`, n_bands)
    """
    total = 1 + SMOOTHING * links.sum(axis=1)
    smooth = (flux + SMOOTHING * (links @ flux)) / total[:, None]
    contrast, _ = normalize(smooth, error, "contrast")
    labels = fit_kmeans(contrast, most, seed, n_init=3).labels_
    weight = 1 / error**2
    return np.array([np.average(flux[labels == k], axis=0, weights=weight[labels == k]) for k in np.unique(labels)])


def responsibilities(blends, prior, log_factor=0.0):
    """Probability of each blend in each pixel, and the log likelihood of each pixel.

    Parameters
    ----------
    blends : Blends
    prior : ndarray of shape (n_blends + 1,)
    log_factor : ndarray of shape (n_pixels, n_blends + 1)
        Logarithm of what the prior is multiplied with in each pixel.

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
    """Where pixels lie among others that no blend fits: bool, (n_pixels,), from the probability of that, (n_pixels,).

    Bad pixels and cosmic rays are small. A patch of pixels that nothing fits is a population that is still missing, and
    would not be found if it were left out.
    """
    return links @ other > PATCH_SHARE * links.sum(axis=1)


def initial_prior(n_populations):
    """Prior to start from: half of the pixels of one population."""
    n_pairs, n_triples = comb(n_populations, 2), comb(n_populations, 3)
    pairs = np.full(2 * n_pairs, 0.2 / max(n_pairs, 1))
    rest = [0.05 / max(n_triples, 1), OUTLIER_PRIOR]
    return np.concatenate([np.full(n_populations, 0.5 / n_populations), pairs, rest])


def fitted_prior(probability, n_populations):
    """Prior of the blends: how frequent each is on average."""
    mean = probability.mean(axis=0) + MIN_FREQUENCY / probability.shape[1]
    mean[-2] /= max(comb(n_populations, 3), 1)  # one column stands for all triples, of which it is the best
    mean[-1] = OUTLIER_PRIOR
    return mean


def fitted_templates(data, systematics, templates, blends, probability, band_weight):
    """SEDs and systematics that fit the pixels best, given what each is made of: least squares, band by band.

    Parameters
    ----------
    data : WeightedFluxes
        With the systematics in them.
    systematics : Systematics
    templates : ndarray of shape (n_populations, n_bands)
        Before.
    blends : Blends
    probability : ndarray of shape (n_pixels, n_blends + 1)
    band_weight : ndarray of shape (n_bands,)

    Returns
    -------
    templates : ndarray of shape (n_populations, n_bands)
    amplitudes : ndarray of shape (n_patterns, n_bands)
    """
    (n_populations, n_bands), patterns = templates.shape, systematics.patterns
    light = probability[:, :-1] * blends.brightness
    known = 1 - probability[:, -1:]  # a pixel that is none of the blends says nothing
    shares, n_parts = blends.composition(light), n_populations + patterns.shape[1]
    parts = np.column_stack([shares, known * patterns])
    # Means of the products of each two parts.
    products = np.empty((len(parts), n_parts, n_parts))
    squares = blends.share_products(light * blends.brightness)
    products[:, :n_populations, :n_populations] = squares.reshape(-1, n_populations, n_populations)
    products[:, n_populations:] = patterns[:, :, None] * parts[:, None, :]
    products[:, :n_populations, n_populations:] = shares[:, :, None] * patterns[:, None, :]
    matrix = (products.reshape(len(parts), -1).T @ data.weight).T.reshape(n_bands, n_parts, n_parts)
    # A population that hardly any pixel holds stays as it was; a pattern is held by its prior.
    held = 1e-9 * np.einsum("bii->b", matrix[:, :n_populations, :n_populations]) + TINY
    hold = np.concatenate([np.tile(held, (n_populations, 1)), systematics.precision])
    matrix = matrix + hold.T[:, :, None] * np.eye(n_parts)
    right = parts.T @ data.weighted
    right[:n_populations] += held * templates
    solved = np.linalg.solve(matrix, right.T[..., None])[..., 0].T
    return normalise_templates(solved[:n_populations], band_weight), solved[n_populations:]


def normalise_templates(templates, band_weight):
    """Scale SEDs to a weighted mean flux of 1; those that have none, to a weighted root mean square of 1."""
    mean = templates @ band_weight
    size = np.sqrt(templates**2 @ band_weight)
    return templates / np.where(mean > 0.1 * size, mean, np.maximum(size, TINY))[:, None]


def expectation_step(data, systematics, links, mixture):
    """What pixels are made of, each by itself, given SEDs and prior: the expectation step.

    Parameters
    ----------
    data : WeightedFluxes
        With the systematics in them.
    systematics : Systematics
    links : sparse array of shape (n_pixels, n_pixels)
        Of each pixel to its neighbours.
    mixture : Mixture

    Returns
    -------
    true : WeightedFluxes
        Without the systematics.
    blends : Blends
    probability : ndarray of shape (n_pixels, n_blends + 1)
    log_likelihood : ndarray of shape (n_pixels,)
        Relative to no flux at all.
    """
    true = data.minus(systematics.patterns @ mixture.amplitudes)
    blends = fit_blends(true, mixture.templates)
    probability, log_likelihood = responsibilities(blends, mixture.prior)
    if (patch := in_outlier_patches(probability[:, -1], links)).any():
        blends.log_likelihood[patch, -1] = -np.inf
        probability, log_likelihood = responsibilities(blends, mixture.prior)
    return true, blends, probability, log_likelihood


def maximisation_step(data, systematics, mixture, blends, probability, band_weight):
    """SEDs, systematics and prior that fit best, given what pixels are made of: the maximisation step."""
    before = mixture.templates
    templates, amplitudes = fitted_templates(data, systematics, before, blends, probability, band_weight)
    return Mixture(templates, fitted_prior(probability, len(templates)), amplitudes)


def fit_mixture(data, systematics, links, mixture, band_weight, converged):
    """Fit SEDs, prior and systematics by expectation maximisation.

    Parameters
    ----------
    data : WeightedFluxes
    systematics : Systematics
    links : sparse array of shape (n_pixels, n_pixels)
        Of each pixel to its neighbours.
    mixture : Mixture
        To start from.
    band_weight : ndarray of shape (n_bands,)
        How much each band counts for the brightness of an SED; sum 1.
    converged : float
        Gain of the log likelihood in one iteration, per pixel, at which the fit ends.

    Returns
    -------
    mixture : Mixture
    blends : Blends
    probability : ndarray of shape (n_pixels, n_blends + 1)
    """
    before = -np.inf
    for iteration in range(ITERATIONS):
        true, blends, probability, log_likelihood = expectation_step(data, systematics, links, mixture)
        now = np.sum(log_likelihood - 0.5 * true.chi2_of_zero) + systematics.log_prior(mixture.amplitudes)
        gain, before = now - before, now
        if iteration == ITERATIONS - 1 or (gain < converged * len(data.flux) and iteration > 1):
            break
        mixture = maximisation_step(data, systematics, mixture, blends, probability, band_weight)
    return mixture, blends, probability


# ---- fewer populations ------------------------------------------------------


def least_supported_component(mixture, blends, probability):
    """Index of the population without which the pixels are most probable.

    Without a population its blends are left out, and the prior of all others is scaled up to the same sum.
    """
    kept = mixture.prior[:-2] @ blends.absent + mixture.prior[-1]
    left = np.log(np.maximum(blends.without(probability), TINY)) - np.log(kept)
    return int(np.argmax(left.sum(axis=0)))


def remove_population(mixture, blends, gone):
    """The mixture without a population, for a fit to start from.

    Half of its prior is that of a first fit, so that blends come back that had died out beside those with the
    population: else the fit would be caught where these are missing.
    """
    left = np.append(blends.absent[:, gone] > 0, [True, True])
    prior = mixture.prior[left] / mixture.prior[left].sum()
    prior = (prior + initial_prior(len(mixture.templates) - 1)) / 2
    return Mixture(np.delete(mixture.templates, gone, axis=0), prior, mixture.amplitudes)


def eliminate_populations(data, systematics, links, templates, band_weight, wanted):
    """Fit with all SEDs, then without the one that is missed least, and so on; {n_populations: Mixture}.

    Fits of numbers that are not `wanted` are on the way to those, and not finished.
    """
    found, mixture = {}, Mixture(templates, initial_prior(len(templates)), np.zeros(systematics.precision.shape))
    while True:
        number = len(mixture.templates)
        converged = CONVERGED if number in wanted or number <= min(wanted) else INTERMEDIATE_TOLERANCE
        mixture, blends, probability = fit_mixture(data, systematics, links, mixture, band_weight, converged)
        found[number] = mixture
        if number <= min(wanted):
            return found
        mixture = remove_population(mixture, blends, least_supported_component(mixture, blends, probability))


# ---- labels -----------------------------------------------------------------


def assign(data, systematics, mixture, links):
    """What pixels are made of, given what is around them.

    Parameters
    ----------
    data : WeightedFluxes
    systematics : Systematics
    mixture : Mixture
    links : sparse array of shape (n_pixels, n_pixels)
        Of each pixel to its neighbours.

    Returns
    -------
    MethodResult
        Its labels are rows of `mixture.templates`, or -1 where it is most probable that the pixel is something else.
        The log likelihood is that of each pixel by itself.
    """
    true, blends, probability, log_likelihood = expectation_step(data, systematics, links, mixture)
    model = blends.composition(probability[:, :-1] * blends.brightness) @ mixture.templates
    residual = (true.flux - model) * np.sqrt(true.weight)
    for _ in range(MEAN_FIELD_ITERATIONS):
        around = links @ blends.composition(probability)
        log_factor = np.column_stack([COUPLING * blends.overlap_with(around), np.zeros(len(around))])
        before, (probability, _) = probability, responsibilities(blends, mixture.prior, log_factor)
        if np.abs(probability - before).max() < MEAN_FIELD_TOLERANCE:
            break
    each = np.column_stack([blends.dominated(probability), probability[:, -1]])
    labels = np.argmax(each, axis=1)
    labels[labels == len(mixture.templates)] = -1
    calibrated = np.maximum(each, TINY) ** (1 / TEMPERATURE)
    log_prior = systematics.log_prior(mixture.amplitudes)  # of what all pixels share
    return MethodResult(
        labels=labels,
        probability=(calibrated / calibrated.sum(axis=1, keepdims=True))[:, :-1],
        log_likelihood=log_likelihood - 0.5 * true.chi2_of_zero + log_prior / len(labels),
        residual=residual,
        populations=unmixed(systematics, mixture, blends),
    )


def unmixed(systematics, mixture, blends):
    """`Populations` of a mixture: what each pixel is made of if it is a blend, which its neighbours may say it is."""
    nothing_else = np.where(np.arange(len(mixture.prior)) == len(mixture.prior) - 1, -np.inf, 0.0)
    of_blends, _ = responsibilities(blends, mixture.prior, nothing_else)
    light = blends.composition(of_blends[:, :-1] * blends.brightness)
    return Populations(mixture.templates, light, systematics.patterns @ mixture.amplitudes, mixture.amplitudes)


def refit(seds, populations):
    """Fit SEDs and light again to other fluxes of the same pixels, starting from what was found.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data.
    populations : Populations

    Returns
    -------
    Populations
    """
    links, systematics, weight = neighbour_links(seds), systematics_of(seds), band_weights(seds)
    data, templates = weighted_fluxes(seds.flux, seds.error), normalise_templates(populations.seds, weight)
    mixture = Mixture(templates, initial_prior(len(templates)), populations.amplitudes)
    for _ in range(REFIT_ITERATIONS):
        _, blends, probability, _ = expectation_step(data, systematics, links, mixture)
        mixture = maximisation_step(data, systematics, mixture, blends, probability, weight)
    _, blends, _, _ = expectation_step(data, systematics, links, mixture)
    return unmixed(systematics, mixture, blends)


def neighbour_links(seds):
    """Links of each pixel to the eight around it, sparse, of shape (n_pixels, n_pixels)."""
    return adjacency_within(seds.positions, NEIGHBOUR_REACH, lambda distance: 1 / np.maximum(distance, 1))


def band_weights(seds):
    """How much each band counts for brightness, sum 1, shape (n_bands,): one that is all noise has no part in it."""
    mean, noise = seds.flux.mean(axis=0), np.median(seds.error, axis=0)
    weight = mean**2 / (mean**2 + noise**2)
    return weight / weight.sum()


# ---- the method -------------------------------------------------------------


def blended_mixture(distances, n_clusters, seed):
    """Cluster into `n_clusters` populations, or as many as there are distinct SEDs."""
    found = populations(distances, [n_clusters], seed)
    return found[max(found)]


def populations(distances, ks, seed):
    """Cluster into each of these numbers of populations.

    Parameters
    ----------
    distances : PixelDistances
        Of SEDs as measured, with their positions.
    ks : sequence of int
    seed : int

    Returns
    -------
    dict
        Number of populations -> MethodResult. Numbers that the pixels have too few distinct SEDs for are missing; the
        largest there is stands for the last.

    Raises
    ------
    NoSignal
    TooMany
    """
    seds = distances.seds
    if max(ks) > MAX_POPULATIONS:
        raise TooManyPopulations(f"blended_mixture takes at most {MAX_POPULATIONS} clusters, {max(ks)} were asked for")
    signal = np.sqrt(np.median(np.mean((seds.flux / seds.error) ** 2, axis=1)))
    if signal < MIN_SIGNAL:
        raise NoSignal(
            f"the pixels are noise: the fluxes of a typical one are {signal:.2f} times their errors, and "
            f"{MIN_SIGNAL:g} is the least that has a shape: raise the SNR threshold"
        )
    links, band_weight = neighbour_links(seds), band_weights(seds)
    most = min(max(INITIAL_POPULATIONS, *ks), len(seds.flux))
    first = normalise_templates(initial_seds(seds.flux, seds.error, links, most, seed), band_weight)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(seds.flux))[:FIT_PIXELS])
    data, systematics = weighted_fluxes(seds.flux, seds.error), systematics_of(seds)
    some = weighted_fluxes(seds.flux[drawn], seds.error[drawn])
    mixtures = eliminate_populations(
        some, systematics.only(drawn), links[drawn][:, drawn], first, band_weight, wanted=ks
    )
    return {k: assign(data, systematics, mixtures[k], links) for k in sorted({min(k, max(mixtures)) for k in ks})}


METHODS = {
    "blended_mixture": Method(
        blended_mixture,
        "a few populations, each with one SED, and pixels that are one of them or a blend of two or three",
        norm="none",
        metric="noise",
        takes_any_norm=False,
        takes_any_metric=False,
        criterion="tic",
        label_several=populations,
        refit=refit,
        models_fluxes=True,
    )
}
