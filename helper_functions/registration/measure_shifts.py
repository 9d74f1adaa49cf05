"""Measurement of the registration (relative shifts) of the bands from the galaxies themselves.

A shift between bands produces a spurious colour gradient across a source, which is degenerate with a real one. They are
separated because a shift is the same in all sources, and in all parts of a source, while real colours follow stars and
dust. So a source is modelled as a mixture of a few populations with free SEDs plus the slopes of its brightness (see
`methods.systematics`): the amplitude of a slope in a band over the mean flux there is the band's shift. The measurement
is of first order, and is iterated on the shifted images; the combination of many sources removes the effect of the
colour gradients of single ones.
"""

import numpy as np

from helper_functions.methods.blended_mixture import band_weights, initial_seds, neighbour_links
from helper_functions.methods.fit_blends import weighted_fluxes
from helper_functions.methods.mixture_model import (
    INTERMEDIATE_TOLERANCE,
    fit_mixture,
    initial_mixture,
    normalise_templates,
)
from helper_functions.methods.systematics import SHIFTS, available_patterns, mean_flux, systematics_of
from helper_functions.noise import correlation_area, lagged_products, noise_correlation
from helper_functions.pixel_seds import extract_seds, median_snr, select_complete
from helper_functions.registration.resampling import shift_image
from helper_functions.registration.shifts import (
    Registration,
    SourceShifts,
    combine_sources,
    empty_source_shifts,
    neighbourhood,
    registration_at,
    remove_prior,
)

N_POPULATIONS = 5  # per source: with fewer, colour gradients are fitted as shifts; with more, shifts as colours
FIT_PIXELS = 1500  # random subset of the pixels of a source
MIN_PIXELS = 30  # sources with fewer are not measured
MIN_SNR = 3.0  # median over the bands, of the pixels used
STEP = 0.3  # pixels, prior of the change of a shift in one iteration, as the fit is of first order
ROUNDS = 5  # largest number of iterations
CONVERGED = 0.1  # pixels: change of a shift at which the iterations end
WRONG_WCS = 4.0  # pixels: larger shifts are due to a wrong WCS
LAG_RANGE = 2, 8  # pixels: smallest and largest integer lag that is searched for between neighbouring bands
MIN_CORRELATION = 0.5  # of two bands at the best lag, for the lag to be accepted
REFERENCES = 3  # bands nearest in wavelength with which a band is correlated


# ---- one source -------------------------------------------------------------


def aligned(cutout, shift):
    """The cutout with each band shifted back by its shift, (n_bands, 2) pixels; a shift of 0 leaves a band unchanged.

    Pixels that would come from beyond the edges are lost.
    """
    sci, err = cutout.sci.copy(), cutout.err.copy()
    for band in np.flatnonzero(np.any(shift != 0, axis=1)):
        sci[band], err[band] = shift_image(cutout.sci[band], cutout.err[band], -shift[band])
    return cutout._replace(sci=sci, err=err)


def bright_pixels(cutout):
    """Mask of the pixels of all sources of a cutout that are bright enough to measure shifts; (ny, nx)."""
    return (cutout.segmap > 0) & (median_snr(cutout) > MIN_SNR)


def measure_shifts(cutout, prior, seed=0):
    """Measure the shifts of the bands in the sources of one cutout, to first order.

    Parameters
    ----------
    cutout : Cutout
        With measured errors, see `with_sky_noise`, aligned as well as known.
    prior : ndarray of shape (n_bands, 2)
        Standard deviation of the residual shifts, pixels; mean 0.
    seed : int

    Returns
    -------
    Registration or None
        Relative to an arbitrary zero point. NaN in bands that lack data in too many pixels; None for too few pixels.
    """
    mask = bright_pixels(cutout)
    if mask.sum() < MIN_PIXELS:
        return None
    seds = extract_seds(cutout, mask)
    present = np.isin(cutout.bands, seds.bands)
    complete, used = select_complete(seds.flux)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(complete))[:FIT_PIXELS]
    seds = seds._replace(registration_error=prior[present]).only(np.sort(chosen), used)
    if len(chosen) < MIN_PIXELS or used.sum() < 2:
        return None
    found, which = fitted_shifts(seds, seed), np.flatnonzero(present)[used]
    result = Registration(*(np.full((len(cutout.bands), 2), np.nan) for _ in Registration._fields))
    for values, some in zip(result, found, strict=True):
        values[which] = some
    return result


def fitted_shifts(seds, seed):
    """`Registration` of the bands from some pixels: amplitudes of the slopes in a fit of N_POPULATIONS.

    Errors are those of the least-squares fit of SEDs and patterns, given the composition of each pixel, for the
    correlated noise of `seds`.
    """
    scale = np.sqrt(np.mean(seds.flux**2))
    seds = seds._replace(flux=seds.flux / scale, error=seds.error / scale)
    links, weight = neighbour_links(seds), band_weights(seds)
    first = normalise_templates(initial_seds(seds.flux, seds.error, links, N_POPULATIONS, seed)[0], weight)
    data, systematics = weighted_fluxes(seds.flux, seds.error), systematics_of(seds)
    start = initial_mixture(first, systematics)
    mixture, blends, probability = fit_mixture(data, systematics, links, start, weight, INTERMEDIATE_TOLERANCE)
    parts = np.column_stack([blends.composition(probability[:, :-1] * blends.brightness), systematics.patterns])
    n_populations, area = len(first), np.maximum(correlation_area(noise_correlation(seds), seds.pixel), 1)
    slopes = n_populations + np.array([available_patterns(seds).index(name) for name in SHIFTS])
    error = np.empty((len(area), 2))
    for band, weights in enumerate(data.weight.T):
        matrix = (parts * weights[:, None]).T @ parts
        held = 1e-9 * np.diag(matrix)[:n_populations].max()  # regularises populations without light
        matrix += np.diag(np.append(np.full(n_populations, held), systematics.precision[:, band]))
        size = np.sqrt(np.diag(matrix))  # scaled for numerical stability
        inverse = np.linalg.inv(matrix / np.outer(size, size))
        error[band] = np.sqrt(area[band] * np.diag(inverse)[slopes]) / size[slopes]
    mean = np.maximum(mean_flux(seds), 1e-12)[:, None]
    return Registration(mixture.amplitudes[slopes - n_populations].T / mean, error / mean)


# ---- many sources -----------------------------------------------------------


def measure_sources(cutouts, places, known=None, seed=0):
    """Measure the shifts in a set of sources of a survey.

    All sources are measured, aligned by the combination of all measurements and of each one's own, and measured again,
    until the shifts converge.

    Parameters
    ----------
    cutouts : list of Cutout
        One for each source, with measured errors; all of the same bands.
    places : ndarray of shape (n_sources, 2)
        Row and column of each in the mosaic.
    known : Registration or None
        Prior for all of them from other sources; None: from these sources themselves.
    seed : int

    Returns
    -------
    SourceShifts
        Of the sources that are bright enough, which may be none.
    """
    wavelengths = cutouts[0].wavelengths
    bright = [number for number, cutout in enumerate(cutouts) if bright_pixels(cutout).sum() >= MIN_PIXELS]
    if not bright:
        return empty_source_shifts(wavelengths)
    cutouts, (rows, cols) = [cutouts[number] for number in bright], np.array(places, dtype=float)[bright].T
    start = whole_pixel_lags(cutouts).astype(float) if known is None else known.shift
    current, prior = np.tile(start, (len(cutouts), 1, 1)), np.full((len(wavelengths), 2), STEP)
    for _ in range(ROUNDS):
        found = [measure_shifts(aligned(*each), prior, seed) for each in zip(cutouts, current, strict=True)]
        unknown = Registration(np.full(prior.shape, np.nan), prior)
        own = [remove_prior(one or unknown, prior) for one in found]
        shift, error = current + np.array([one.shift for one in own]), np.array([one.error for one in own])
        sources = SourceShifts(rows, cols, shift, error, wavelengths)
        before, (current, uncertain) = current, best_alignments(sources, known)
        if (np.abs(current - before) < np.maximum(CONVERGED, uncertain / 2)).all():
            break
    return sources


def best_alignments(sources, known):
    """Shifts at each source and their errors, from all sources (or `known`) combined with the source itself.

    Returns
    -------
    shift, error : ndarray of shape (n_sources, n_bands, 2)
    """
    among = neighbourhood(sources) if known is None else None
    found = []
    for each, place in enumerate(zip(sources.rows, sources.cols, strict=True)):
        around = registration_at(sources, *place, among) if known is None else known
        found.append(combine_sources(sources.only([each]), around))
    return np.swapaxes(found, 0, 1)


# ---- large shifts -----------------------------------------------------------


def whole_pixel_lags(cutouts):
    """Shifts of bands in whole pixels, where they are in LAG_RANGE, by cross-correlation of neighbouring bands.

    The first-order fit finds shifts of a pixel or two. Bands close in wavelength have similar images, so that larger
    shifts are given by the maximum of their cross-correlation, summed over all sources.

    Parameters
    ----------
    cutouts : list of Cutout
        With measured errors; all of the same bands.

    Returns
    -------
    int ndarray of shape (n_bands, 2)
        Relative to the median of the bands; 0 in bands with smaller shifts.
    """
    images = [source_snr(cutout) for cutout in cutouts]
    n_bands = len(cutouts[0].bands)
    power = np.sum([np.sum(each**2, axis=(1, 2)) for each in images], axis=0)
    start, lags, known = int(np.argmax(power)), np.zeros((n_bands, 2), dtype=int), []
    for band in sorted(range(n_bands), key=lambda band: (band > start, abs(band - start))):
        if known:
            nearest = sorted(known, key=lambda other: abs(other - band))[:REFERENCES]
            lag, likeness = best_lag(images, band, nearest, lags)
            if likeness < MIN_CORRELATION:
                continue
            lags[band] = lag
        known.append(band)
    lags -= np.median(lags[known], axis=0).astype(int)
    far = np.abs(lags).max(axis=1) >= LAG_RANGE[0]
    return np.where(far[:, None] & np.isin(np.arange(n_bands), known)[:, None], lags, 0)


def source_snr(cutout):
    """SNR of the pixels of all sources in each band, 0 in the sky, with a margin for lags; (n_bands, ny, nx)."""
    snr = np.where(cutout.segmap > 0, np.nan_to_num(cutout.sci / cutout.err), 0)
    margin = LAG_RANGE[1]
    return np.pad(snr, [(0, 0), (margin, margin), (margin, margin)])


def best_lag(images, band, others, lags):
    """Lag of the highest cross-correlation of a band with the mean of other aligned bands, and that correlation."""
    reach = LAG_RANGE[1]
    total, size = np.zeros((2 * reach + 1, 2 * reach + 1)), np.zeros(2)
    for each in images:
        back = [np.roll(each[other], -lags[other], axis=(0, 1)) for other in others]
        reference = np.mean([image / max(np.linalg.norm(image), 1e-12) for image in back], axis=0)
        total += lagged_products(each[band], reference, reach)
        size += np.sum(each[band] ** 2), np.sum(reference**2)
    place = np.unravel_index(np.argmax(total), total.shape)
    return np.array(place) - reach, total.max() / max(np.sqrt(size[0] * size[1]), 1e-12)
