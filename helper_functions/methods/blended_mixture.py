"""The method blended_mixture: spectral unmixing of the pixels into a few populations with one SED each.

The PSF blends neighbouring regions, so that many pixels of a galaxy have an SED that no population has: a mixture model
of pure SEDs spends clusters on them. Here each pixel is modelled as one of K component SEDs (populations), or as a
linear mixture (blend) of two or three of them, with a free amplitude and the known noise; `fit_blends` gives the
likelihood. The method has three steps.

1. Initial SEDs, more than are wanted, are means of k-means clusters.
2. The mixture model is fitted, and reduced to each number of populations that is wanted (see `mixture_model`).
3. Labels. A Markov random field, in the mean-field approximation, favours equal neighbours: the prior of a blend in a
   pixel is pi_c exp(COUPLING sum_i x_i n_i), where x_i are its fractions, and n_i is the sum over the neighbours of
   their expected fraction of population i. A pixel gets the label of the population that dominates its light; a
   population may be in several places.
"""

import numpy as np

from helper_functions.methods.fit_blends import TINY, fit_block, outlier_log_likelihood, weighted_fluxes
from helper_functions.methods.kmeans import fit_kmeans
from helper_functions.methods.method import Method, MethodResult, Populations
from helper_functions.methods.mixture_model import (
    eliminate_populations,
    expectation_step,
    fit_mixture,
    in_outlier_patches,
    normalise_templates,
    responsibilities,
)
from helper_functions.methods.systematics import systematics_of
from helper_functions.methods.threads import joined_blocks
from helper_functions.noise import adjacency_within
from helper_functions.normalize import normalize

INITIAL_POPULATIONS = 10  # at the start of the elimination, or more where more are wanted
MAX_POPULATIONS = 40  # every pair of them is fitted to every pixel: time and memory grow as the square
FIT_PIXELS = 4000  # SEDs are fitted to a random subset of at most this number of pixels, see `fitted_pixels`
# The final fit of a galaxy of more pixels than that: with few of them, a smooth disc of 20,000 pixels is divided among
# several populations.
REFIT_PIXELS, REFIT_CONVERGED = 16000, 1e-3
NEIGHBOUR_REACH = 1.5  # pixels: the eight neighbours, diagonal ones with a lower weight
COUPLING = 4.0  # of a pixel's log prior to each of its eight neighbours
MEAN_FIELD_ITERATIONS = 15
MEAN_FIELD_TOLERANCE = 1e-3  # change of a probability at which the iterations end
# The model assumes independent fluxes in neighbouring pixels, though noise and light are correlated, and its
# probabilities are overconfident. They are calibrated by temperature scaling: log probabilities are divided by this
# number, so that 9 of 10 pixels with a probability of 0.9 are right (recovery suite, seeds 5000 to 5011).
TEMPERATURE = 6.0
SMOOTHING = 0.3  # weight of each neighbour's flux relative to the pixel's own, for the initial SEDs
MIN_SIGNAL = 1.4  # rms of a typical pixel's fluxes in units of their errors; 1 for pure noise


class NoSignal(ValueError):
    """The pixels are consistent with noise."""

    status = "no signal"


class TooManyPopulations(ValueError):
    """More populations than can be fitted in a reasonable time."""

    status = "too many clusters"


# ---- initial SEDs -------------------------------------------------------------


def initial_seds(flux, error, links, most, seed):
    """Initial SEDs: means of k-means clusters of the slightly smoothed pixels, with norm "contrast".

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
    links : sparse array of shape (n_pixels, n_pixels)
        Adjacency of neighbouring pixels.
    most : int
        Number of SEDs; fewer are returned where pixels have fewer distinct shapes.
    seed : int

    Returns
    -------
    seds : ndarray of shape (at most `most`, n_bands)
    labels : int ndarray of shape (n_pixels,)
        Clusters that they are the means of.
    """
    total = 1 + SMOOTHING * links.sum(axis=1)
    smooth = (flux + SMOOTHING * (links @ flux)) / total[:, None]
    contrast, _ = normalize(smooth, error, "contrast")
    labels = fit_kmeans(contrast, most, seed, n_init=3).labels_
    weight = 1 / error**2
    means = [np.average(flux[labels == k], axis=0, weights=weight[labels == k]) for k in np.unique(labels)]
    return np.array(means), labels


def fitted_pixels(labels, most, seed):
    """Indices of a random subset of at most `most` pixels, in increasing order, in which rare shapes are not missed.

    Half of the subset is divided equally among the clusters of `labels`, as far as they have pixels; the rest is drawn
    from all other pixels.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    clusters = np.unique(labels)
    each = most // (2 * len(clusters))
    first = np.concatenate([order[labels[order] == k][:each] for k in clusters])
    rest = order[~np.isin(order, first)]
    return np.sort(np.append(first, rest[: most - len(first)]))


# ---- labels -----------------------------------------------------------------


def assign(data, systematics, mixture, links):
    """Assign labels and composition to the pixels, given their fluxes.

    Pixels are fitted in blocks, and only sums over their blends are kept: a large galaxy has far more blends than fit
    into a processor's cache.

    Parameters
    ----------
    data : WeightedFluxes
    systematics : Systematics
    mixture : Mixture
    links : sparse array of shape (n_pixels, n_pixels)
        Adjacency of neighbouring pixels.

    Returns
    -------
    MethodResult
        Labels are rows of `mixture.templates`, or -1 where an outlier is most probable. The log likelihood of each
        pixel does not use the neighbours.
    """
    true = data.minus(systematics.model(mixture.amplitudes))
    dominated, light, inlier, best, length = joined_blocks(
        lambda block: sums_over_blends(true.only(block), mixture), len(data.flux)
    )
    outlier = np.log(mixture.prior[-1]) + outlier_log_likelihood(true, best, length)
    outlier[in_outlier_patches(np.exp(outlier - np.logaddexp(inlier, outlier)), links)] = -np.inf
    log_likelihood = np.logaddexp(inlier, outlier)
    share = np.exp(inlier - log_likelihood)[:, None]
    probability = np.column_stack([share * dominated, 1 - share])
    return method_result(true, systematics, mixture, probability, light, share, log_likelihood)


def sums_over_blends(data, mixture):
    """Sums over the blends of a block of pixels, none of which is an outlier.

    Returns
    -------
    dominated : ndarray of shape (n_pixels, n_populations)
        Probability that each population dominates.
    light : ndarray of shape (n_pixels, n_populations)
    log_likelihood : ndarray of shape (n_pixels,)
    best, length : ndarray of shape (n_pixels,)
        See `fit_block`.
    """
    blends, best, length = fit_block(data, mixture.templates)
    probability, log_likelihood = responsibilities(blends, mixture.prior)
    light = blends.composition(probability[:, :-1] * blends.brightness)
    return blends.dominated(probability), light, log_likelihood, best, length


def assign_with_neighbours(data, systematics, mixture, links):
    """`assign`, with labels that also depend on those of the neighbours."""
    true, blends, probability, log_likelihood = expectation_step(data, systematics, links, mixture)
    share = 1 - probability[:, -1:]
    probability = mean_field(blends, mixture.prior, probability, links)
    each = np.column_stack([blends.dominated(probability), probability[:, -1]])
    nothing_else = np.where(np.arange(len(mixture.prior)) == len(mixture.prior) - 1, -np.inf, 0.0)
    inlier, _ = responsibilities(blends, mixture.prior, nothing_else)
    light = blends.composition(inlier[:, :-1] * blends.brightness)
    return method_result(true, systematics, mixture, each, light, share, log_likelihood)


def method_result(true, systematics, mixture, probability, light, share, log_likelihood):
    """The `MethodResult` of a mixture.

    Parameters
    ----------
    true : WeightedFluxes
        Corrected for the systematics.
    systematics : Systematics
    mixture : Mixture
    probability : ndarray of shape (n_pixels, n_populations + 1)
        That each population dominates, and of an outlier.
    light : ndarray of shape (n_pixels, n_populations)
        Of the populations, given that the pixel is no outlier.
    share : ndarray of shape (n_pixels, 1)
        Probability that it is none, from its fluxes alone.
    log_likelihood : ndarray of shape (n_pixels,)
        Relative to zero flux.
    """
    labels = np.argmax(probability, axis=1)
    labels[labels == len(mixture.templates)] = -1
    calibrated = np.maximum(probability, TINY) ** (1 / TEMPERATURE)
    log_prior = systematics.log_prior(mixture.amplitudes)  # one for all pixels
    return MethodResult(
        labels=labels,
        probability=(calibrated / calibrated.sum(axis=1, keepdims=True))[:, :-1],
        log_likelihood=log_likelihood - 0.5 * true.chi2_of_zero + log_prior / len(labels),
        residual=(true.flux - (share * light) @ mixture.templates) * np.sqrt(true.weight),
        populations=Populations(mixture.templates, light, systematics.model(mixture.amplitudes), mixture.amplitudes),
        model=mixture,
    )


def mean_field(blends, prior, probability, links):
    """Probability of each blend in each pixel with the Markov random field, (n_pixels, n_blends + 1).

    After the first iteration, only pixels are treated that changed, or have a neighbour that did.
    """
    probability, expected = probability.copy(), blends.composition(probability)
    active = np.arange(len(probability))

    def of_block(block):
        pixels = active[block]
        some = blends.only(pixels)
        log_factor = np.column_stack([COUPLING * some.overlap_with(links[pixels] @ expected), np.zeros(len(pixels))])
        new, _ = responsibilities(some, prior, log_factor)
        has_changed = np.abs(new - probability[pixels]).max(axis=1) >= MEAN_FIELD_TOLERANCE
        probability[pixels] = new
        return has_changed, some.composition(new)

    for _ in range(MEAN_FIELD_ITERATIONS):
        changed = np.zeros(len(probability))
        changed[active], expected[active] = joined_blocks(of_block, len(active))
        active = np.flatnonzero(changed + links @ changed)
        if not len(active):
            break
    return probability


def neighbour_links(seds):
    """Adjacency of each pixel and its eight neighbours, sparse, of shape (n_pixels, n_pixels)."""
    return adjacency_within(seds.positions, NEIGHBOUR_REACH, lambda distance: 1 / np.maximum(distance, 1))


def typical_signal(seds):
    """Root mean square of a typical pixel's fluxes in units of their errors; 1 for pure noise."""
    return np.sqrt(np.median(np.mean((seds.flux / seds.error) ** 2, axis=1)))


def band_weights(seds):
    """Weight of each band in the mean flux, sum 1, shape (n_bands,); bands without signal have a weight near 0."""
    mean, noise = seds.flux.mean(axis=0), np.median(seds.error, axis=0)
    weight = mean**2 / (mean**2 + noise**2)
    return weight / weight.sum()


# ---- the method -------------------------------------------------------------


def blended_mixture(distances, n_clusters, seed):
    """Cluster into `n_clusters` populations, or fewer where there are fewer distinct SEDs."""
    found = populations(distances, [n_clusters], seed)
    return with_neighbours(distances, found[max(found)].model, seed)


def with_neighbours(distances, mixture, seed):
    """Labels from fluxes and neighbours, for the model of a result of `populations` for these pixels or some of them.

    In large galaxies, the SEDs are fitted again to more pixels.
    """
    seds = distances.seds
    data, systematics, links = weighted_fluxes(seds.flux, seds.error), systematics_of(seds), neighbour_links(seds)
    if len(seds.flux) > FIT_PIXELS:
        drawn = fitted_pixels(assign(data, systematics, mixture, links).labels, REFIT_PIXELS, seed)
        parts = data.only(drawn), systematics.only(drawn), links[drawn][:, drawn]
        mixture, *_ = fit_mixture(*parts, mixture, band_weights(seds), REFIT_CONVERGED, accelerated=True)
    return assign_with_neighbours(data, systematics, mixture, links)


def populations(distances, ks, seed):
    """Cluster into each of these numbers of populations, pixel by pixel.

    Parameters
    ----------
    distances : PixelDistances
        Of fluxes without normalisation, with their positions.
    ks : sequence of int
    seed : int

    Returns
    -------
    dict
        Number of populations -> MethodResult. Where the pixels have fewer distinct SEDs than a number, the largest
        possible number is returned instead.

    Raises
    ------
    NoSignal
    TooManyPopulations
    """
    seds = distances.seds
    if max(ks) > MAX_POPULATIONS:
        raise TooManyPopulations(f"blended_mixture takes at most {MAX_POPULATIONS} clusters, {max(ks)} were asked for")
    signal = typical_signal(seds)
    if signal < MIN_SIGNAL:
        raise NoSignal(
            f"the pixels are noise: the fluxes of a typical one are {signal:.2f} times their errors, and "
            f"{MIN_SIGNAL:g} is the least that has a shape: raise the SNR threshold"
        )
    links, band_weight = neighbour_links(seds), band_weights(seds)
    most = min(max(INITIAL_POPULATIONS, *ks), len(seds.flux))
    first, clusters = initial_seds(seds.flux, seds.error, links, most, seed)
    first, drawn = normalise_templates(first, band_weight), fitted_pixels(clusters, FIT_PIXELS, seed)
    data, systematics = weighted_fluxes(seds.flux, seds.error), systematics_of(seds)
    some = weighted_fluxes(seds.flux[drawn], seds.error[drawn])
    mixtures = eliminate_populations(
        some, systematics.only(drawn), links[drawn][:, drawn], first, band_weight, wanted=ks
    )
    numbers = sorted({min(k, max(mixtures)) for k in ks})
    return {k: assign(data, systematics, mixtures[k], links) for k in numbers}


METHODS = {
    "blended_mixture": Method(
        blended_mixture,
        "spectral unmixing: models each pixel as one of K component SEDs or a linear mixture of two or three of them",
        norm="none",
        metric="noise",
        takes_any_norm=False,
        takes_any_metric=False,
        criterion="tic",
        label_several=populations,
        refine=with_neighbours,
        models_fluxes=True,
    )
}
