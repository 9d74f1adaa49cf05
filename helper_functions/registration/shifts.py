"""Registration of the bands: relative shifts of the images, from the measurements in several sources.

The measurement in one source (see `measure_shifts`) is s = S + z + c + noise: the shifts S of the bands, a zero point
z, as only differences between bands can be measured, and a spurious shift c by the colour gradients of the source.
Colours change smoothly with wavelength, and shifts do not: c is a Gaussian process in log wavelength, independent in
each source, and the posterior of S has

    precision of S = prior precision + sum_i C_i^-1,    C_i = noise_i + variance of z + variance of c

where C_i is a matrix over the bands. The shifts are given relative to the median of the bands.
"""

from typing import NamedTuple

import numpy as np

from helper_functions.sky_noise import MAD_TO_SIGMA

UNMEASURED_ERROR = 1.0  # pixels, prior standard deviation of the shift of a band
MIN_ERROR = 0.03  # pixels, error floor of one source: differences between PSFs shift centroids
WORTH_CORRECTING = 0.1  # pixels: smaller shifts are fitted with the SEDs, and the images are not resampled
# In units of the error. It need not be larger: the correction is the posterior mean, which the prior shrinks where the
# data are weak.
SIGNIFICANT = 1.5
NEIGHBOURHOODS = 16, 8  # numbers of nearest sources that are tried instead of all sources of the survey
BETTER = 0.9  # ratio of median residuals below which a smaller neighbourhood is preferred
COLOUR_SHIFTS = 0.07, 0.15, 0.3  # pixels, standard deviation of spurious shifts by colours: the most likely is used
DEFAULT_COLOUR_SHIFT = 0.3  # pixels, the same with fewer than MIN_SOURCES sources
DEFAULT_SHIFT_SCATTER = 0.3  # pixels, variation of shifts over the mosaic with fewer than MIN_SOURCES sources
MIN_SOURCES = 6  # effective number of sources
COLOUR_LENGTH = 0.5  # correlation length of colours in ln wavelength: a factor of 1.6
ZERO_POINT = 30.0  # pixels, prior standard deviation of the zero point of a source: uninformative
MISSING_ERROR = 1e3  # pixels, error in bands that were not measured
OUTLIER = 2.5  # sigma beyond which the error of a measurement is increased
REGISTRATIONS = {
    "measured": "in sources of the survey; misregistered bands are shifted back",
    "none": "images are used as they are",
}


class Registration(NamedTuple):
    """Shifts of the bands along rows and along columns; pixels."""

    shift: np.ndarray  # (n_bands, 2): a source at (row, column) in the others is at (row, column) + shift in this band
    error: np.ndarray  # (n_bands, 2)

    @property
    def size(self):
        """Length of the shift of each band, (n_bands,)."""
        return np.hypot(*self.shift.T)

    @property
    def to_correct(self):
        """Bands to correct: those with a significant shift above WORTH_CORRECTING; bool, (n_bands,)."""
        error = np.sqrt(np.sum((self.shift * self.error) ** 2, axis=1)) / np.maximum(self.size, 1e-12)
        return (self.size > WORTH_CORRECTING) & (self.size > SIGNIFICANT * error)

    @property
    def largest(self):
        """Largest shift among the bands to correct; 0.0 where there is none."""
        return float(np.max(self.size[self.to_correct], initial=0.0))

    @property
    def correction(self):
        """The shifts that are corrected, 0 for bands that are not resampled, (n_bands, 2)."""
        return np.where(self.to_correct[:, None], self.shift, 0.0)

    @property
    def residual_error(self):
        """Standard deviation of the residual shift after the correction, (n_bands, 2)."""
        return np.hypot(self.error, self.shift - self.correction)


def unmeasured_registration(n_bands):
    """Registration of bands without a measurement: 0 with the prior standard deviation."""
    return Registration(np.zeros((n_bands, 2)), np.full((n_bands, 2), UNMEASURED_ERROR))


# ---- sources ----------------------------------------------------------------


class SourceShifts(NamedTuple):
    """Shifts measured in a set of sources of a survey. NaN where a source has no data in a band."""

    rows: np.ndarray  # (n_sources,), in the mosaic
    cols: np.ndarray  # (n_sources,)
    shift: np.ndarray  # (n_sources, n_bands, 2), pixels; relative to an arbitrary zero point of each source
    error: np.ndarray  # (n_sources, n_bands, 2)
    wavelengths: np.ndarray  # (n_bands,), Angstrom

    def only(self, sources):
        """A subset of the sources."""
        return SourceShifts(*(values[sources] for values in self[:-1]), self.wavelengths)


def empty_source_shifts(wavelengths):
    """`SourceShifts` without any source."""
    return SourceShifts(*np.empty((2, 0)), *np.empty((2, 0, len(wavelengths), 2)), wavelengths)


class Evidence(NamedTuple):
    """Likelihood of the shifts of all bands from each source, a Gaussian along each axis."""

    precision: np.ndarray  # (n_sources, 2, n_bands, n_bands)
    weighted: np.ndarray  # (n_sources, 2, n_bands), precision times shift

    def total(self, prior, sources=slice(None)):
        """Posterior mean, (n_bands, 2), and covariance, (2, n_bands, n_bands), from some of the sources and a prior."""
        before = prior.error.T**-2
        precision = self.precision[sources].sum(axis=0) + before[:, :, None] * np.eye(before.shape[1])
        weighted = self.weighted[sources].sum(axis=0) + before * prior.shift.T
        covariance = np.linalg.inv(precision)
        return np.einsum("abc,ac->ba", covariance, weighted), covariance


def remove_prior(found, prior):
    """Remove a Gaussian prior of mean 0 from a posterior, by subtraction of precisions.

    Parameters
    ----------
    found : Registration
    prior : ndarray of shape (n_bands, 2)
        Standard deviation.

    Returns
    -------
    Registration
        Errors are large in bands that the data hardly constrain.
    """
    precision = np.maximum(found.error**-2 - prior**-2, 1e-4)
    return Registration(found.shift * found.error**-2 / precision, precision**-0.5)


def combine_sources(sources, prior=None):
    """`Registration` of the bands from all sources combined, assuming that they have the same shifts.

    Parameters
    ----------
    sources : SourceShifts
    prior : Registration or None
        From other measurements; None: 0 with a standard deviation of UNMEASURED_ERROR.
    """
    prior = prior or unmeasured_registration(len(sources.wavelengths))
    shift, covariance = evidence_of(sources, prior).total(prior)
    return relative_to_median(shift, covariance)


def evidence_of(sources, prior):
    """`Evidence` of sources, with errors rescaled to the residuals and the most likely size of colour effects."""
    stated = np.hypot(sources.error, MIN_ERROR)
    if effective_number(sources) < MIN_SOURCES:
        return evidence(sources, stated, DEFAULT_COLOUR_SHIFT)
    error = rescale_errors(sources, stated, min(COLOUR_SHIFTS), medians(sources))
    likely = {colours: log_likelihood(sources, error, colours, prior) for colours in COLOUR_SHIFTS}
    colours = max(likely, key=likely.get)
    total, _ = evidence(sources, error, colours).total(prior)
    return evidence(sources, rescale_errors(sources, stated, colours, total), colours)


def effective_number(sources):
    """Effective number of sources, (sum of weights)^2 / sum of their squares; 0 without any measurement."""
    known = np.isfinite(sources.shift) & np.isfinite(sources.error)
    weight = np.sum(1 / (sources.error**2 + MIN_ERROR**2), axis=(1, 2), where=known)
    return weight.sum() ** 2 / np.sum(weight**2) if weight.any() else 0.0


def medians(sources):
    """Robust shifts: weighted medians over the sources, relative to the median over the bands of each source."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(sources.shift)
        zero = weighted_median(np.nan_to_num(np.swapaxes(sources.shift, 0, 1)), np.swapaxes(known, 0, 1).astype(float))
        return weighted_median(np.nan_to_num(sources.shift) - zero[:, None], np.where(known, sources.error**-2, 0))


def rescale_errors(sources, error, colours, total):
    """Errors, (n_sources, n_bands, 2), increased where residuals from shifts, zero point and colours exceed them."""
    precision = evidence(sources, error, colours).precision
    residual, known = np.nan_to_num(sources.shift) - total, np.isfinite(sources.shift)
    pull = error * np.einsum("iabc,ica->iba", precision, residual)
    n_sources = len(residual)
    spread = MAD_TO_SIGMA * np.median(np.abs(pull[known])) * np.sqrt(n_sources / (n_sources - 1))
    return error * max(spread, 1.0) * np.where(known, np.maximum(np.abs(pull) / OUTLIER, 1), 1)


def evidence(sources, error, colours):
    """`Evidence` of sources with these errors, (n_sources, n_bands, 2).

    `colours` is the standard deviation of spurious shifts by colours, in pixels.
    """
    wave = np.log(sources.wavelengths)
    alike = np.exp(-0.5 * ((wave[:, None] - wave) / COLOUR_LENGTH) ** 2)
    variance = np.where(np.isfinite(sources.shift), error, MISSING_ERROR) ** 2
    shared = colours**2 * alike + ZERO_POINT**2
    precision = np.linalg.inv(np.swapaxes(variance, 1, 2)[..., None] * np.eye(len(wave)) + shared)
    return Evidence(precision, np.einsum("iabc,ica->iab", precision, np.nan_to_num(sources.shift)))


def log_likelihood(sources, error, colours, prior):
    """Log likelihood of the standard deviation of colour effects, maximised over the shifts."""
    found = evidence(sources, error, colours)
    residual = np.nan_to_num(sources.shift) - found.total(prior)[0]
    chi2 = np.einsum("iba,iabc,ica->", residual, found.precision, residual)
    return -0.5 * (chi2 - np.linalg.slogdet(found.precision)[1].sum())


def relative_to_median(shift, covariance):
    """`Registration` relative to the precision-weighted median of the bands.

    Parameters
    ----------
    shift : ndarray of shape (n_bands, 2)
    covariance : ndarray of shape (2, n_bands, n_bands)
    """
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)).T
    weight = 1 / (error**2 + MIN_ERROR**2)
    # A common shift of all bands is unknown and irrelevant: errors are those of differences from the mean.
    share = (weight / weight.sum(axis=0)).T
    mean = np.einsum("ab,abc->ac", share, covariance)
    variance = error**2 - 2 * mean.T + np.einsum("ac,ac->a", share, mean)
    return Registration(shift - weighted_median(shift, weight), np.sqrt(np.maximum(variance, 1e-6)))


def weighted_median(values, weight):
    """Weighted median over the first axis; 0 where all weights are 0."""
    order = np.argsort(values, axis=0)
    values, weight = (np.take_along_axis(each, order, axis=0) for each in (values, weight))
    total = np.cumsum(weight, axis=0)
    half = total[-1] / 2
    # The mean of the lower and the upper weighted median, which differ where the halves are exactly equal.
    places = [np.argmax(total >= half * (1 + sign * 1e-9), axis=0)[None] for sign in (-1, 1)]
    low, high = (np.take_along_axis(values, place, axis=0)[0] for place in places)
    return np.where(half > 0, (low + high) / 2, 0.0)


# ---- places -----------------------------------------------------------------


class Neighbourhood(NamedTuple):
    """How many nearest sources to use for the shifts at a position in the mosaic, and how well they predict these."""

    evidence: Evidence  # of all sources
    number: int  # of nearest sources that predict other sources best
    excess: np.ndarray  # (n_bands, 2), pixels, intrinsic scatter of the shifts among these


def registration_at(sources, row, col, known=None):
    """`Registration` at a position in the mosaic, from the nearest sources or from all.

    Shifts may vary over a mosaic, as from chip to chip. Cross-validation compares the prediction of each source by all
    others with that by its nearest ones; a smaller neighbourhood is used if it predicts better. The excess of the
    residuals over their errors is the scatter of the shifts within the neighbourhood, and is added to the error.

    Parameters
    ----------
    sources : SourceShifts
    row, col : float
        In the mosaic.
    known : Neighbourhood or None
        From `neighbourhood`; None: computed here.

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
    """Choose the size of the neighbourhood for a survey, by cross-validation."""
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
    # Medians over the sources with data in the band; 0 without any.
    pull, error = (np.ma.median(np.ma.masked_invalid(np.abs(each)), axis=0).filled(0) for each in pulls[best])
    excess = np.sqrt(np.maximum((MAD_TO_SIGMA * pull) ** 2 - 1, 0)) * error
    return Neighbourhood(known, n_sources if best == sizes[0] else best, excess)


def leave_one_out(sources, known, number):
    """Leave-one-out residuals of each source from the prediction by its `number` nearest others, over their error.

    Returns
    -------
    pull, error : ndarray of shape (n_sources, n_bands, 2)
        After marginalising over the zero point and the colour effects of the source. NaN where it has no data.
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


# ---- notes for a user -------------------------------------------------------


def registration_notes(registration, bands):
    """Notes on the registration for a user, a tuple of sentences."""
    corrected = np.flatnonzero(registration.to_correct)
    if not len(corrected):
        return ()
    size = registration.size
    most = corrected[np.argmax(size[corrected])]
    many = len(corrected) > 1
    which = f"shifts of {len(corrected)} of {len(bands)} bands were" if many else "the shift of 1 band was"
    return (f"{which} corrected, by up to {size[most]:.2f} pixels ({bands[most]})",)
