"""Registration of the bands: by how much each image lies off the others, from what was measured in several sources.

Only differences between bands can be measured. Shifts are relative to the median of the bands, each of which counts the
more the better it is known. How they are measured in a source is in `measure_shifts`.
"""

from typing import NamedTuple

import numpy as np

UNKNOWN = 1.0  # pixels: how far a band may lie off of which nothing is known
LEAST_ERROR = 0.03  # pixels, of one source: what the shape of a PSF does to a centre
WORTH_CORRECTING = 0.1  # pixels: below it the patterns of shifts are enough, and resampling is not worth its price
SIGNIFICANT = 3.0  # times its error
NEIGHBOURHOODS = 16, 8  # sources nearest to a place that may tell its shifts better than all of the survey
BETTER = 0.9  # of the typical residual: a smaller neighbourhood has to predict sources so much better
REGISTRATIONS = {
    "measured": "in sources of the survey; bands that lie off are moved back",
    "none": "images are taken as they are",
}
MEDIAN = 1.25  # error of a median over that of a mean, for Gaussian errors
GAUSSIAN_MAD = 1.4826  # standard deviation of a Gaussian over its median absolute deviation


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
    def left(self):
        """Standard deviation of what is left after the correction, (n_bands, 2)."""
        return np.hypot(self.error, self.shift - self.correction)


def nothing_known(n_bands):
    """The registration of bands that nobody measured."""
    return Registration(np.zeros((n_bands, 2)), np.full((n_bands, 2), UNKNOWN))


# ---- two measurements -------------------------------------------------------


def without_prior(found, prior):
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


def refined(known, own):
    """What is known of a place, with what was measured in one source there.

    Parameters
    ----------
    known : Registration
        Of the place, from other sources.
    own : Registration
        Relative to any zero point; NaN where nothing was measured.

    Returns
    -------
    Registration
    """
    error = np.hypot(own.error, LEAST_ERROR)
    weight = np.where(np.isfinite(own.shift), error**-2, 0)
    off = np.nan_to_num(own.shift) - known.shift
    both = np.where(weight > 0, 1 / (error**2 + known.error**2), 0)
    zero = np.sum(both * off, axis=0) / np.maximum(both.sum(axis=0), 1e-300)
    precision = known.error**-2 + weight
    return about_median(Registration(known.shift + weight * (off - zero) / precision, precision**-0.5))


# ---- many sources -----------------------------------------------------------


class SourceShifts(NamedTuple):
    """What was measured in each of some sources of a survey. NaN where a source has no data in a band."""

    rows: np.ndarray  # (n_sources,), in the mosaic
    cols: np.ndarray  # (n_sources,)
    shift: np.ndarray  # (n_sources, n_bands, 2), pixels; relative to any zero point of each source
    error: np.ndarray  # (n_sources, n_bands, 2)

    def only(self, sources):
        """The same for some of the sources."""
        return SourceShifts(*(values[sources] for values in self))

    def of(self, source):
        """`Registration` of one source, relative to its own zero point."""
        return Registration(self.shift[source], self.error[source])


def combined(sources):
    """`Registration` of the bands from all sources, which are taken to have the same shifts.

    The zero points of the sources and the shifts are found in turn: a zero point is the mean over the bands, a shift
    the median over the sources, each weighted by errors. Residuals that are larger than the errors make errors larger.
    """
    shift, error = sources.shift, np.hypot(sources.error, LEAST_ERROR)
    weight = np.where(np.isfinite(shift), error**-2, 0)
    shift = np.nan_to_num(shift)
    total = np.zeros(shift.shape[1:])
    for _ in range(10):
        zero = np.sum(weight * (shift - total), axis=1, keepdims=True) / np.sum(weight, axis=1, keepdims=True)
        total = weighted_median(shift - zero, weight)
    residual = (shift - zero - total) * np.sqrt(weight)
    n_free = np.maximum(len(shift) - 1, 1) / len(shift)
    spread = (
        max(1.0, GAUSSIAN_MAD * np.median(np.abs(residual[weight > 0])) / np.sqrt(n_free)) if len(shift) > 1 else 1.0
    )
    precision = np.sum(weight, axis=0) / (spread * (MEDIAN if len(shift) > 2 else 1)) ** 2
    posterior = precision + UNKNOWN**-2
    return about_median(Registration(total * precision / posterior, posterior**-0.5))


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


def about_median(found):
    """The same shifts relative to the median of the bands."""
    weight = 1 / (found.error**2 + LEAST_ERROR**2)
    return found._replace(shift=found.shift - weighted_median(found.shift, weight))


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
    known : tuple or None
        What `neighbourhood` says, where it has been asked already.

    Returns
    -------
    Registration
    """
    if not len(sources.rows):
        return nothing_known(sources.shift.shape[1])
    number, excess = known or neighbourhood(sources)
    nearest = np.argsort(np.hypot(sources.rows - row, sources.cols - col), kind="stable")[:number]
    found = combined(sources.only(nearest))
    return found._replace(error=np.minimum(np.hypot(found.error, excess), UNKNOWN))


def neighbourhood(sources):
    """How many of the nearest sources predict a source best, and how far shifts differ among these, (n_bands, 2).

    With fewer than three sources the second is UNKNOWN, as nothing tells.
    """
    n_sources, n_bands = sources.shift.shape[:2]
    if n_sources < 3:
        return n_sources, np.full((n_bands, 2), UNKNOWN if n_sources > 1 else 0.0)
    tried = {
        number: predicted_residuals(sources, number)
        for number in (n_sources - 1, *NEIGHBOURHOODS)
        if number < n_sources
    }
    typical = {number: np.nanmedian(np.abs(residual / error)) for number, (residual, error) in tried.items()}
    best = n_sources - 1
    for number in tried:
        if typical[number] < BETTER * typical[best]:
            best = number
    residual, error = tried[best]
    spread = GAUSSIAN_MAD * np.nanmedian(np.abs(residual / error), axis=0)
    excess = np.sqrt(np.maximum(spread**2 - 1, 0)) * np.nanmedian(error, axis=0)
    return (n_sources if best == n_sources - 1 else best), np.nan_to_num(excess)


def predicted_residuals(sources, number):
    """What was measured in each source less what its `number` nearest others say, and the error of that.

    Returns
    -------
    residual, error : ndarray of shape (n_sources, n_bands, 2)
        NaN where a source has nothing; about the source's own zero point.
    """
    residual, error = np.full((2, *sources.shift.shape), np.nan)
    for each, (row, col) in enumerate(zip(sources.rows, sources.cols, strict=True)):
        order = np.argsort(np.hypot(sources.rows - row, sources.cols - col), kind="stable")
        others = combined(sources.only(order[order != each][:number]))
        error[each] = np.sqrt(sources.error[each] ** 2 + LEAST_ERROR**2 + others.error**2)
        off = sources.shift[each] - others.shift
        weight = np.where(np.isfinite(off), error[each] ** -2, 0)
        residual[each] = off - np.sum(weight * np.nan_to_num(off), axis=0) / np.maximum(weight.sum(axis=0), 1e-300)
    return residual, error


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
