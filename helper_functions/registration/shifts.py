"""Registration of the bands: by how much each image lies off the others, from what was measured in several sources.

What is measured in one source (see `measure_shifts`) is s = S + z + c + noise: the shifts S of the bands, a zero point
z, as only differences between bands can be measured, and c, what the colours of the source pretend. Colours change
smoothly with wavelength, and shifts do not: c is a Gaussian process of the logarithm of the wavelength, of its own in
each source, and all is known together,

    precision of S = prior precision + sum_i C_i^-1,    C_i = noise_i + variance of z + variance of c

where C_i is a matrix over the bands. The shifts are given relative to the median of the bands.
"""

from typing import NamedTuple

import numpy as np

from helper_functions.sky_noise import MAD_TO_SIGMA

UNMEASURED_ERROR = 1.0  # pixels: how far a band may lie off of which nothing is known
MIN_ERROR = 0.03  # pixels, of one source: what the shape of a PSF does to a centre
WORTH_CORRECTING = 0.1  # pixels: below it the patterns of shifts are enough, and resampling is not worth its price
# Times its error. It need not be more: what is corrected is the most probable shift, which the prior has made smaller
# where little is known.
SIGNIFICANT = 1.5
NEIGHBOURHOODS = 16, 8  # sources nearest to a place that may tell its shifts better than all of the survey
BETTER = 0.9  # of the typical residual: a smaller neighbourhood has to predict sources so much better
COLOUR_SHIFTS = 0.07, 0.15, 0.3  # pixels, standard deviation of what colours pretend: of these the most probable
DEFAULT_COLOUR_SHIFT = 0.3  # pixels, where sources are FEW and do not tell
DEFAULT_SHIFT_SCATTER = 0.3  # pixels, by which shifts may differ from place to place where so few sources do not tell
MIN_SOURCES = 6  # sources of like weight
COLOUR_LENGTH = 0.5  # of the logarithm of the wavelength, over which colours are alike: a factor of 1.6
ZERO_POINT = 30.0  # pixels, standard deviation of the zero point of a source: anything
MISSING_ERROR = 1e3  # pixels, error of what was not measured
OUTLIER = 2.5  # errors beyond which noise is taken to be larger than stated, by as much
REGISTRATIONS = {
    "measured": "in sources of the survey; bands that lie off are moved back",
    "none": "images are taken as they are",
}


class Registration(NamedTuple):
    """By how much bands lie off, along rows and along columns; pixels."""

    shift: np.ndarray  # (n_bands, 2): what is at (row, column) in the others is at (row, column) + shift in this one
    error: np.ndarray  # (n_bands, 2)

    @property
    def size(self):
        """How far each band lies off, (n_bands,)."""
        return np.hypot(*self.shift.T)

    @property
    def to_correct(self):
        """Which bands are worth correcting: those that lie off significantly, and by enough; bool, (n_bands,)."""
        error = np.sqrt(np.sum((self.shift * self.error) ** 2, axis=1)) / np.maximum(self.size, 1e-12)
        return (self.size > WORTH_CORRECTING) & (self.size > SIGNIFICANT * error)

    @property
    def largest(self):
        """How far the band lies off that is farthest off of those that do significantly; 0.0 where none does."""
        return float(np.max(self.size[self.to_correct], initial=0.0))

    @property
    def correction(self):
        """The shifts that are corrected, 0 for bands that stay as they are, (n_bands, 2)."""
        return np.where(self.to_correct[:, None], self.shift, 0.0)

    @property
    def residual_error(self):
        """Standard deviation of what is left after the correction, (n_bands, 2)."""
        return np.hypot(self.error, self.shift - self.correction)


def unmeasured_registration(n_bands):
    """The registration of bands that nobody measured."""
    return Registration(np.zeros((n_bands, 2)), np.full((n_bands, 2), UNMEASURED_ERROR))


# ---- sources ----------------------------------------------------------------


class SourceShifts(NamedTuple):
    """What was measured in each of some sources of a survey. NaN where a source has no data in a band."""

    rows: np.ndarray  # (n_sources,), in the mosaic
    cols: np.ndarray  # (n_sources,)
    shift: np.ndarray  # (n_sources, n_bands, 2), pixels; relative to any zero point of each source
    error: np.ndarray  # (n_sources, n_bands, 2)
    wavelengths: np.ndarray  # (n_bands,), Angstrom

    def only(self, sources):
        """The same for some of the sources."""
        return SourceShifts(*(values[sources] for values in self[:-1]), self.wavelengths)


def empty_source_shifts(wavelengths):
    """`SourceShifts` of a survey of these bands in which nothing can be measured."""
    return SourceShifts(*np.empty((2, 0)), *np.empty((2, 0, len(wavelengths), 2)), wavelengths)


class Evidence(NamedTuple):
    """What each source says of the shifts of all bands together, along each axis."""

    precision: np.ndarray  # (n_sources, 2, n_bands, n_bands)
    weighted: np.ndarray  # (n_sources, 2, n_bands), precision times shift

    def total(self, prior, sources=slice(None)):
        """Shifts, (n_bands, 2), and their covariance, (2, n_bands, n_bands), from some of the sources and a prior."""
        before = prior.error.T**-2
        precision = self.precision[sources].sum(axis=0) + before[:, :, None] * np.eye(before.shape[1])
        weighted = self.weighted[sources].sum(axis=0) + before * prior.shift.T
        covariance = np.linalg.inv(precision)
        return np.einsum("abc,ac->ba", covariance, weighted), covariance


def remove_prior(found, prior):
    """What was measured without the prior that was put in: for Gaussians, precisions add up.

    Parameters
    ----------
    found : Registration
    prior : ndarray of shape (n_bands, 2)

    Returns
    -------
    Registration
        Errors of bands that say next to nothing are large.
    """
    precision = np.maximum(found.error**-2 - prior**-2, 1e-4)
    return Registration(found.shift * found.error**-2 / precision, precision**-0.5)


def combine_sources(sources, prior=None):
    """`Registration` of the bands from all sources, which are taken to have the same shifts.

    Parameters
    ----------
    sources : SourceShifts
    prior : Registration or None
        What is known besides; None: each band lies off by UNMEASURED_ERROR at most.
    """
    prior = prior or unmeasured_registration(len(sources.wavelengths))
    shift, covariance = evidence_of(sources, prior).total(prior)
    return relative_to_median(shift, covariance)


def evidence_of(sources, prior):
    """`Evidence` of sources, in which errors are as large as residuals say, and colours as they must be."""
    stated = np.hypot(sources.error, MIN_ERROR)
    if effective_number(sources) < MIN_SOURCES:
        return evidence(sources, stated, DEFAULT_COLOUR_SHIFT)
    error = rescale_errors(sources, stated, min(COLOUR_SHIFTS), medians(sources))
    likely = {colours: log_likelihood(sources, error, colours, prior) for colours in COLOUR_SHIFTS}
    colours = max(likely, key=likely.get)
    total, _ = evidence(sources, error, colours).total(prior)
    return evidence(sources, rescale_errors(sources, stated, colours, total), colours)


def effective_number(sources):
    """How many sources there are, if those count less that say less: (sum of weights)^2 / sum of their squares."""
    weight = np.nansum(1 / (sources.error**2 + MIN_ERROR**2), axis=(1, 2))
    return weight.sum() ** 2 / np.sum(weight**2) if len(weight) else 0.0


def medians(sources):
    """Shifts that no few sources can spoil: medians over sources, about the median of each over its bands."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(sources.shift)
        zero = weighted_median(np.nan_to_num(np.swapaxes(sources.shift, 0, 1)), np.swapaxes(known, 0, 1).astype(float))
        return weighted_median(np.nan_to_num(sources.shift) - zero[:, None], np.where(known, sources.error**-2, 0))


def rescale_errors(sources, error, colours, total):
    """Errors, (n_sources, n_bands, 2), larger where what is left beside shifts, zero point and colours is larger."""
    precision = evidence(sources, error, colours).precision
    residual, known = np.nan_to_num(sources.shift) - total, np.isfinite(sources.shift)
    pull = error * np.einsum("iabc,ica->iba", precision, residual)
    n_sources = len(residual)
    spread = MAD_TO_SIGMA * np.median(np.abs(pull[known])) * np.sqrt(n_sources / (n_sources - 1))
    return error * max(spread, 1.0) * np.where(known, np.maximum(np.abs(pull) / OUTLIER, 1), 1)


def evidence(sources, error, colours):
    """`Evidence` of sources with these errors, (n_sources, n_bands, 2).

    `colours` is the standard deviation of what colours pretend, in pixels.
    """
    wave = np.log(sources.wavelengths)
    alike = np.exp(-0.5 * ((wave[:, None] - wave) / COLOUR_LENGTH) ** 2)
    variance = np.where(np.isfinite(sources.shift), error, MISSING_ERROR) ** 2
    shared = colours**2 * alike + ZERO_POINT**2
    precision = np.linalg.inv(np.swapaxes(variance, 1, 2)[..., None] * np.eye(len(wave)) + shared)
    return Evidence(precision, np.einsum("iabc,ica->iab", precision, np.nan_to_num(sources.shift)))


def log_likelihood(sources, error, colours, prior):
    """Logarithm of the likelihood of colours of that size, where all else is as probable as can be."""
    found = evidence(sources, error, colours)
    residual = np.nan_to_num(sources.shift) - found.total(prior)[0]
    chi2 = np.einsum("iba,iabc,ica->", residual, found.precision, residual)
    return -0.5 * (chi2 - np.linalg.slogdet(found.precision)[1].sum())


def relative_to_median(shift, covariance):
    """`Registration` of shifts relative to the median of the bands, each of which counts by its precision.

    Parameters
    ----------
    shift : ndarray of shape (n_bands, 2)
    covariance : ndarray of shape (2, n_bands, n_bands)
    """
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)).T
    weight = 1 / (error**2 + MIN_ERROR**2)
    # What all bands have in common is not known, and not wanted either: errors are of differences to the mean.
    share = (weight / weight.sum(axis=0)).T
    mean = np.einsum("ab,abc->ac", share, covariance)
    variance = error**2 - 2 * mean.T + np.einsum("ac,ac->a", share, mean)
    return Registration(shift - weighted_median(shift, weight), np.sqrt(np.maximum(variance, 1e-6)))


def weighted_median(values, weight):
    """Median over the first axis, where half of the weight lies on each side; 0 where nothing has weight."""
    order = np.argsort(values, axis=0)
    values, weight = (np.take_along_axis(each, order, axis=0) for each in (values, weight))
    total = np.cumsum(weight, axis=0)
    half = total[-1] / 2
    # The first value with half of the weight, and the first with more: they differ where two halves are equal.
    places = [np.argmax(total >= half * (1 + sign * 1e-9), axis=0)[None] for sign in (-1, 1)]
    low, high = (np.take_along_axis(values, place, axis=0)[0] for place in places)
    return np.where(half > 0, (low + high) / 2, 0.0)


# ---- places -----------------------------------------------------------------


class Neighbourhood(NamedTuple):
    """Which sources tell the shifts at a place of a survey, and how well."""

    evidence: Evidence  # of all sources
    number: int  # of the nearest sources that predict a source best
    excess: np.ndarray  # (n_bands, 2), pixels, by how much shifts differ among these


def registration_at(sources, row, col, known=None):
    """`Registration` at a place of a survey, from the sources there are.

    Shifts may differ between parts of a mosaic, as from chip to chip. So it is tried how well each source is predicted
    by all others, and by those nearest to it; a smaller neighbourhood is taken if it predicts better. What residuals of
    these predictions have beyond their errors is how much shifts differ within it, and is part of the error.

    Parameters
    ----------
    sources : SourceShifts
    row, col : float
        In the mosaic.
    known : Neighbourhood or None
        What `neighbourhood` says, where it has been asked already.

    Returns
    -------
    Registration
    """
    prior = unmeasured_registration(len(sources.wavelengths))
    if not len(sources.rows):
        return prior
    around = known or neighbourhood(sources)
    nearest = np.argsort(np.hypot(sources.rows - row, sources.cols - col), kind="stable")[: around.number]
    found = relative_to_median(*around.evidence.total(prior, nearest))
    return found._replace(error=np.minimum(np.hypot(found.error, around.excess), UNMEASURED_ERROR))


def neighbourhood(sources):
    """`Neighbourhood` of the places of a survey."""
    n_sources, prior = len(sources.rows), unmeasured_registration(len(sources.wavelengths))
    known = evidence_of(sources, prior)
    if effective_number(sources) < MIN_SOURCES:
        return Neighbourhood(
            known, n_sources, np.full(prior.error.shape, DEFAULT_SHIFT_SCATTER if n_sources > 1 else 0.0)
        )
    sizes = [n_sources - 1, *(number for number in NEIGHBOURHOODS if number < n_sources - 1)]
    pulls = {number: leave_one_out(sources, known, number) for number in sizes}
    best = sizes[0]
    for number in sizes[1:]:
        if np.nanmedian(np.abs(pulls[number][0])) < BETTER * np.nanmedian(np.abs(pulls[best][0])):
            best = number
    # Medians over the sources that have the band; 0 of a band that none has.
    pull, error = (np.ma.median(np.ma.masked_invalid(np.abs(each)), axis=0).filled(0) for each in pulls[best])
    excess = np.sqrt(np.maximum((MAD_TO_SIGMA * pull) ** 2 - 1, 0)) * error
    return Neighbourhood(known, n_sources if best == sizes[0] else best, excess)


def leave_one_out(sources, known, number):
    """What was measured in each source less what its `number` nearest others say, in units of the error of that.

    Returns
    -------
    pull, error : ndarray of shape (n_sources, n_bands, 2)
        NaN where a source has nothing. Of a source with what its zero point and its colours explain taken off.
    """
    pull, errors = np.full((2, *sources.shift.shape), np.nan)
    prior = unmeasured_registration(len(sources.wavelengths))
    for each, (row, col) in enumerate(zip(sources.rows, sources.cols, strict=True)):
        order = np.argsort(np.hypot(sources.rows - row, sources.cols - col), kind="stable")
        others = relative_to_median(*known.total(prior, order[order != each][:number]))
        error = np.sqrt(sources.error[each] ** 2 + MIN_ERROR**2 + others.error**2)
        alone = evidence(sources.only([each]), error[None], min(COLOUR_SHIFTS))
        off = np.nan_to_num(sources.shift[each]) - others.shift
        pull[each] = error * np.einsum("abc,ca->ba", alone.precision[0], off)
        errors[each] = error
    missing = ~np.isfinite(sources.shift)
    return np.where(missing, np.nan, pull), np.where(missing, np.nan, errors)


# ---- in words ---------------------------------------------------------------


def registration_notes(registration, bands):
    """What is to be said of a registration, a tuple of sentences."""
    corrected = np.flatnonzero(registration.to_correct)
    if not len(corrected):
        return ()
    size = registration.size
    most = corrected[np.argmax(size[corrected])]
    many = len(corrected) > 1
    which = f"{len(corrected)} of {len(bands)} bands lie" if many else "1 band lies"
    were = "were" if many else "was"
    return (f"{which} off the others, by up to {size[most]:.2f} pixels ({bands[most]}), and {were} moved back",)
