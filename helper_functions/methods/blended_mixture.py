"""The method blended_mixture: a few populations, each with an SED of its own, and pixels that hold up to three of them.

The PSF blends neighbouring regions, and many pixels of a galaxy have a shape that no population has: a mixture of pure
shapes spends clusters on them. Here a pixel is all of one population, or a blend of two or three in any proportion (see
`blends`), with the known noise and a free brightness. SEDs and frequencies are fitted by expectation maximisation
(Dempster et al. 1977), from too many populations down to one: the one that is missed least goes first. At the end, each
pixel belongs to the population that most of its light comes from; what its neighbours are made of is the prior, as
neighbours tend to be alike, but a population may lie in many places.
"""

from math import comb
from typing import NamedTuple

import numpy as np

from helper_functions.methods.blends import Blends, photometry
from helper_functions.methods.kmeans import fit_kmeans
from helper_functions.methods.method import Found, Method
from helper_functions.noise import links_within
from helper_functions.normalize import normalize

FIRST_POPULATIONS = 10  # at least so many are fitted first

ITERATIONS = 30
CONVERGED = 1e-3  # gain of the log evidence in one iteration, per pixel
FIT_PIXELS = 4000  # SEDs are fitted to at most so many pixels, drawn at random
NEIGHBOUR_REACH = 1.5  # pixels: the eight around a pixel, those at a corner linked less
COUPLING = 4.0  # of a pixel's prior to each of its eight neighbours
COUPLED_ITERATIONS = 15
# Neighbours share noise and light, and are no independent evidence, as the prior takes them for. Divided by this the
# logarithms of probabilities become such that 9 of 10 pixels of probability 0.9 are right (seeds 5000 to 5011).
SHARED = 6.0
SMOOTHING = 0.3  # weight of a pixel's neighbour beside it, where the search starts
LEAST_SIGNAL = 1.4  # rms of a typical pixel's fluxes in units of their errors; noise alone has 1
FEW = 1e-4  # share of the pixels below which no population and no blend falls
OTHER_SHARE = 1e-3  # of pixels that are none of the blends


class NoSignal(ValueError):
    """Pixels that are all noise have no shapes."""

    status = "no signal"


class Mixture(NamedTuple):
    """Populations, and how frequent they and their blends are."""

    seds: np.ndarray  # (n_populations, n_bands)
    prior: np.ndarray  # (n_blends,), share of pixels for each column of `Blends.likelihood`


def first_seds(flux, error, links, most, seed):
    """SEDs to start from: means of k-means clusters of the contrasts to the mean SED, slightly smoothed."""
    total = 1 + SMOOTHING * links.sum(axis=1)
    smooth = (flux + SMOOTHING * (links @ flux)) / total[:, None]
    contrast, _ = normalize(smooth, error, "contrast")
    labels = fit_kmeans(contrast, most, seed, n_init=3).labels_
    weight = 1 / error**2
    return np.array([np.average(flux[labels == k], axis=0, weights=weight[labels == k]) for k in np.unique(labels)])


def posterior(blends, prior, more=0.0):
    """Probability of each blend in each pixel, shape (n_pixels, n_blends), and the log evidence of each pixel."""
    log = blends.likelihood + np.log(prior) + more
    highest = log.max(axis=1, keepdims=True)
    probability = np.exp(log - highest)
    total = probability.sum(axis=1, keepdims=True)
    probability /= total
    return probability, (highest + np.log(total))[:, 0]


def frequencies(probability, n_populations):
    """Prior of the blends: how frequent each is on average."""
    mean = probability.mean(axis=0) + FEW / probability.shape[1]
    mean[-2] /= max(comb(n_populations, 3), 1)  # the best of so many triples was looked at
    mean[-1] = OTHER_SHARE
    return mean


def first_frequencies(n_populations):
    """Prior to start from: half of the pixels of one population."""
    n_pairs, n_triples = comb(n_populations, 2), comb(n_populations, 3)
    pairs = np.full(2 * n_pairs, 0.2 / max(n_pairs, 1))
    rest = [0.05 / max(n_triples, 1), OTHER_SHARE]
    return np.concatenate([np.full(n_populations, 0.5 / n_populations), pairs, rest])


def update_seds(data, seds, blends, probability, band_weight):
    """SEDs that fit the pixels best, given what each is made of: weighted least squares, band by band."""
    n_populations, n_bands = seds.shape
    weights = probability[:, :-1] * blends.brightness
    right = blends.by_population(weights).T @ data.weighted
    matrix = (blends.by_two_populations(weights * blends.brightness).T @ data.weight).T
    matrix = matrix.reshape(n_bands, n_populations, n_populations)
    # A population that hardly any pixel holds stays as it was.
    hold = 1e-9 * np.einsum("bii->b", matrix) + np.finfo(float).tiny
    matrix = matrix + hold[:, None, None] * np.eye(n_populations)
    right = right + hold * seds
    return to_equal_brightness(np.linalg.solve(matrix, right.T[..., None])[..., 0].T, band_weight)


def to_equal_brightness(seds, band_weight):
    """Scale SEDs to a weighted mean flux of 1; those that have none, to a weighted root mean square of 1."""
    mean = seds @ band_weight
    size = np.sqrt(seds**2 @ band_weight)
    return seds / np.where(mean > 0.1 * size, mean, np.maximum(size, np.finfo(float).tiny))[:, None]


def fit(data, seds, band_weight):
    """Fit populations, starting from `seds`.

    Returns
    -------
    mixture : Mixture
    blends : Blends
    probability : ndarray of shape (n_pixels, n_blends)
    """
    prior, before = first_frequencies(len(seds)), -np.inf
    for iteration in range(ITERATIONS):
        blends = Blends(data, seds)
        probability, evidence = posterior(blends, prior)
        gain, before = evidence.sum() - before, evidence.sum()
        if iteration == ITERATIONS - 1 or (gain < CONVERGED * len(data.flux) and iteration > 2):
            break
        seds = update_seds(data, seds, blends, probability, band_weight)
        prior = frequencies(probability, len(seds))
    return Mixture(seds, prior), blends, probability


def least_missed(mixture, blends, probability):
    """The population without which the evidence is highest."""
    kept = mixture.prior[:-2] @ blends.absent + mixture.prior[-1]
    left = np.log(np.maximum(blends.without(probability), np.finfo(float).tiny)) - np.log(kept)
    return int(np.argmax(left.sum(axis=0)))


def search(data, seds, band_weight, least=1):
    """Fit with all SEDs, then without the one that is missed least, and so on; {n_populations: Mixture}."""
    found = {}
    while True:
        mixture, blends, probability = fit(data, seds, band_weight)
        found[len(seds)] = mixture
        if len(seds) <= least:
            return found
        seds = np.delete(mixture.seds, least_missed(mixture, blends, probability), axis=0)


def assign(data, mixture, links):
    """What pixels are, given what is around them.

    Returns
    -------
    Found
        Its labels are rows of `mixture.seds`, or -1 where it is most probable that the pixel is something else. The log
        likelihood is that of all pixels, each by itself.
    """
    blends = Blends(data, mixture.seds)
    probability, evidence = posterior(blends, mixture.prior)
    model = blends.by_population(probability[:, :-1] * blends.brightness) @ mixture.seds
    residual = (data.flux - model) * np.sqrt(data.weight)
    log_likelihood = float(np.sum(evidence - 0.5 * data.power))
    for _ in range(COUPLED_ITERATIONS):
        around = links @ blends.by_population(probability)
        more = np.column_stack([COUPLING * blends.agreement(around), np.zeros(len(around))])
        probability, _ = posterior(blends, mixture.prior, more)
    each = np.column_stack([blends.dominated(probability), probability[:, -1]])
    labels = np.argmax(each, axis=1)
    labels[labels == len(mixture.seds)] = -1
    each = np.maximum(each, np.finfo(float).tiny) ** (1 / SHARED)
    return Found(labels, (each / each.sum(axis=1, keepdims=True))[:, :-1], log_likelihood, residual)


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
        Number of populations -> Found. Where pixels have fewer distinct SEDs than a number, it is missing; the most
        that there is stands for the last.

    Raises
    ------
    NoSignal
    """
    seds = distances.seds
    signal = np.sqrt(np.median(np.mean((seds.flux / seds.error) ** 2, axis=1)))
    if signal < LEAST_SIGNAL:
        raise NoSignal(
            f"the pixels are noise: the fluxes of a typical one are {signal:.2f} times their errors, and "
            f"{LEAST_SIGNAL:g} is the least that has a shape: raise the SNR threshold"
        )
    links = links_within(seds.positions, NEIGHBOUR_REACH, lambda distance: 1 / np.maximum(distance, 1))
    mean, noise = seds.flux.mean(axis=0), np.median(seds.error, axis=0)
    band_weight = mean**2 / (mean**2 + noise**2)  # a band that is all noise is no part of brightness
    band_weight /= band_weight.sum()

    most = min(max(FIRST_POPULATIONS, *ks), len(seds.flux))
    first = to_equal_brightness(first_seds(seds.flux, seds.error, links, most, seed), band_weight)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(seds.flux))[:FIT_PIXELS])
    mixtures = search(photometry(seds.flux[chosen], seds.error[chosen]), first, band_weight, least=min(ks))
    data = photometry(seds.flux, seds.error)
    return {k: assign(data, mixtures[k], links) for k in sorted({min(k, max(mixtures)) for k in ks})}


METHODS = {
    "blended_mixture": Method(
        blended_mixture,
        "a few populations, each with one SED, and pixels that are one of them or a blend of two",
        norm="none",
        metric="noise",
        takes_any_norm=False,
        takes_any_metric=False,
        criterion="tic",
        label_several=populations,
    )
}
