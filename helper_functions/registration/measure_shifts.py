"""Measuring by how much the image of each band lies off the others, in the galaxies themselves.

A shift between bands looks like a colour that changes across a source, and so does a colour that changes across a
source. What tells them apart is that a shift is the same in all sources, and in each part of a source, while colours
are where stars and dust are. So a source is taken for a mixture of a few populations, whose colours are free, with the
slopes of its brightness beside them (see `methods.systematics`): the amplitude of a slope in a band over the mean flux
there is the band's shift. Shifting the images by that and measuring again makes a first-order measurement exact; and
many sources together leave no room for what colours pretend in a single one.
"""

import numpy as np

from helper_functions.methods.blended_mixture import (
    INTERMEDIATE_TOLERANCE,
    Mixture,
    band_weights,
    fit_mixture,
    initial_prior,
    initial_seds,
    neighbour_links,
    normalise_templates,
)
from helper_functions.methods.fit_blends import weighted_fluxes
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

N_POPULATIONS = 5  # that a source is taken for: with fewer, colours pass for shifts; with more, shifts for colours
FIT_PIXELS = 1500  # of a source at most, drawn at random
MIN_PIXELS = 30  # of a source with less, nothing is measured
MIN_SNR = 3.0  # median over the bands, of pixels that are used
STEP = 0.3  # pixels: what one round may add to a shift; the fit is of first order
ROUNDS = 5
CONVERGED = 0.1  # pixels: change of a shift by a round after which the first order is good enough
WRONG_WCS = 4.0  # pixels: no mosaic is registered as badly as that, unless its WCS is wrong
LAG_RANGE = 2, 8  # pixels: least and most of a lag, in whole pixels, of a band to its neighbours in wavelength
MIN_CORRELATION = 0.5  # correlation of two bands that show the same sources
REFERENCES = 3  # bands nearest in wavelength that a band is compared with to find such a lag


# ---- one source -------------------------------------------------------------


def aligned(cutout, shift):
    """The cutout with each band moved back by its shift, (n_bands, 2) pixels; bands with a shift of 0 stay as they are.

    Its edges lose the pixels that come from beyond them.
    """
    sci, err = cutout.sci.copy(), cutout.err.copy()
    for band in np.flatnonzero(np.any(shift != 0, axis=1)):
        sci[band], err[band] = shift_image(cutout.sci[band], cutout.err[band], -shift[band])
    return cutout._replace(sci=sci, err=err)


def bright_pixels(cutout):
    """Pixels of all sources of a cutout that a shift can be measured in; bool, (ny, nx)."""
    return (cutout.segmap > 0) & (median_snr(cutout) > MIN_SNR)


def measure_shifts(cutout, prior, seed=0):
    """Measure the shifts of the bands in the sources of one cutout, to first order.

    Parameters
    ----------
    cutout : Cutout
        With measured errors, see `with_sky_noise`, aligned as far as is known.
    prior : ndarray of shape (n_bands, 2)
        Standard deviation of what is left of the shifts, pixels; mean 0.
    seed : int

    Returns
    -------
    Registration or None
        Relative to any zero point. NaN in bands that lack data in too many pixels; None where there are too few pixels.
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
    """`Registration` of the bands of some pixels: amplitudes of the slopes in a fit of N_POPULATIONS, and their errors.

    Errors are those of a least-squares fit of SEDs and patterns, given what each pixel is made of, in noise that is
    correlated as `seds` says.
    """
    scale = np.sqrt(np.mean(seds.flux**2))
    seds = seds._replace(flux=seds.flux / scale, error=seds.error / scale)
    links, weight = neighbour_links(seds), band_weights(seds)
    first = normalise_templates(initial_seds(seds.flux, seds.error, links, N_POPULATIONS, seed), weight)
    data, systematics = weighted_fluxes(seds.flux, seds.error), systematics_of(seds)
    start = Mixture(first, initial_prior(len(first)), np.zeros(systematics.precision.shape))
    mixture, blends, probability = fit_mixture(data, systematics, links, start, weight, INTERMEDIATE_TOLERANCE)
    parts = np.column_stack([blends.composition(probability[:, :-1] * blends.brightness), systematics.patterns])
    n_populations, area = len(first), np.maximum(correlation_area(noise_correlation(seds), seds.pixel), 1)
    slopes = n_populations + np.array([available_patterns(seds).index(name) for name in SHIFTS])
    error = np.empty((len(area), 2))
    for band, weights in enumerate(data.weight.T):
        matrix = (parts * weights[:, None]).T @ parts
        held = 1e-9 * np.diag(matrix)[:n_populations].max()  # of populations that no pixel holds
        matrix += np.diag(np.append(np.full(n_populations, held), systematics.precision[:, band]))
        size = np.sqrt(np.diag(matrix))  # patterns are of very different sizes
        inverse = np.linalg.inv(matrix / np.outer(size, size))
        error[band] = np.sqrt(area[band] * np.diag(inverse)[slopes]) / size[slopes]
    mean = np.maximum(mean_flux(seds), 1e-12)[:, None]
    return Registration(mixture.amplitudes[slopes - n_populations].T / mean, error / mean)


# ---- many sources -----------------------------------------------------------


def measure_sources(cutouts, places, known=None, seed=0):
    """Measure the shifts in some sources of a survey.

    All sources are measured, aligned by what they say together and each says by itself, and measured again, until
    nothing changes any more.

    Parameters
    ----------
    cutouts : list of Cutout
        Of a source each, with measured errors; all of the same bands.
    places : ndarray of shape (n_sources, 2)
        Row and column of each in the mosaic.
    known : Registration or None
        What others have said of all of them; None: what they say themselves.
    seed : int

    Returns
    -------
    SourceShifts
        Of the sources that can be measured; of none where no source is bright enough.
    """
    wavelengths = cutouts[0].wavelengths
    bright = [number for number, cutout in enumerate(cutouts) if bright_pixels(cutout).sum() >= MIN_PIXELS]
    if not bright:
        return empty_source_shifts(wavelengths)
    cutouts, (rows, cols) = [cutouts[number] for number in bright], np.array(places, dtype=float)[bright].T
    start = whole_pixel_lags(cutouts).astype(float) if known is None else known.shift
    current, prior = np.tile(start, (len(cutouts), 1, 1)), np.full((len(wavelengths), 2), STEP)
    for _ in range(ROUNDS):
        found = [_measure_aligned(*each, prior, seed) for each in zip(cutouts, current, strict=True)]
        own = [remove_prior(one, prior) for one in found]
        shift, error = current + np.array([one.shift for one in own]), np.array([one.error for one in own])
        sources = SourceShifts(rows, cols, shift, error, wavelengths)
        before, (current, uncertain) = current, best_alignments(sources, known)
        if (np.abs(current - before) < np.maximum(CONVERGED, uncertain / 2)).all():
            break
    return sources


def best_alignments(sources, known):
    """Shifts of each source, and their errors, as all sources, or what is `known`, and the source itself say.

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


def _measure_aligned(cutout, shift, prior, seed):
    found = measure_shifts(aligned(cutout, shift), prior, seed)
    return found or Registration(np.full(prior.shape, np.nan), prior)


# ---- bands that lie far off -------------------------------------------------


def whole_pixel_lags(cutouts):
    """By how many whole pixels bands lie off those next to them in wavelength, where that is LAG_RANGE or more.

    A fit of first order finds shifts of a pixel or two. Neighbours in wavelength hardly differ in colour, and so show
    larger ones by the lag at which their images, of all sources together, are most alike.

    Parameters
    ----------
    cutouts : list of Cutout
        With measured errors; all of the same bands.

    Returns
    -------
    int ndarray of shape (n_bands, 2)
        Relative to the median of the bands; 0 in bands that are less far off.
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
    """The lag at which a band is most like the mean of other bands with their lags taken out, and their correlation."""
    reach = LAG_RANGE[1]
    total, size = np.zeros((2 * reach + 1, 2 * reach + 1)), np.zeros(2)
    for each in images:
        back = [np.roll(each[other], -lags[other], axis=(0, 1)) for other in others]
        reference = np.mean([image / max(np.linalg.norm(image), 1e-12) for image in back], axis=0)
        total += lagged_products(each[band], reference, reach)
        size += np.sum(each[band] ** 2), np.sum(reference**2)
    place = np.unravel_index(np.argmax(total), total.shape)
    return np.array(place) - reach, total.max() / max(np.sqrt(size[0] * size[1]), 1e-12)
