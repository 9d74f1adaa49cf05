"""Registration of a survey: shifts between bands, measured once in a sample of sources, and refined for galaxies."""

import warnings
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table

import data_paths
from data_paths import output_path
from helper_functions.files.code import code_digest, digest
from helper_functions.files.log import progress_bar, report
from helper_functions.files.saving import save_fits, table_hdu
from helper_functions.registration.measure_shifts import MIN_PIXELS, MIN_SNR, bright_pixels, measure_sources
from helper_functions.registration.sample import (
    LARGEST,
    MARGIN,
    SMALLEST,
    SOURCES,
    sample_of_sources,
    segment_centre,
    wcs_problem,
    without_other_segments,
)
from helper_functions.registration.shifts import (
    Neighbourhood,
    Registration,
    SourceShifts,
    combine_sources,
    empty_source_shifts,
    neighbourhood,
    registration_at,
    unmeasured_registration,
)
from helper_functions.sky_noise import with_sky_noise
from prepare_images import cut_out, open_survey

WELL_KNOWN = 0.05  # pixels, typical error of the bands' shifts at a galaxy above which its own images are measured
# Why shifts are not measured in a source.
FAINT = f"too faint (fewer than {MIN_PIXELS} pixels above SNR {MIN_SNR:g})"
GAPS = f"without common data (fewer than {MIN_PIXELS} bright pixels in the same two bands)"
REFUSED = "refused"
NO_SEGMENTS = f"no source of the catalog has a segment of {SMALLEST} to {LARGEST} pixels"


class MeasuredShifts(NamedTuple):
    """Shifts between the bands of a survey, measured in a sample of sources."""

    bands: tuple  # n_bands names, by wavelength
    registration: Registration  # shifts and errors of the bands
    n_sources: int  # measured sources; without any, no shift is known
    refusal: str  # error message if a WCS must be wrong, or a source cannot be used; else empty
    unmeasured: str  # why no source was measured; empty if one was


class SurveyShifts(NamedTuple):
    """Shifts of the measured sources of a survey."""

    sources: SourceShifts
    known: Neighbourhood | None  # None without sources

    def at(self, row, col):
        """`Registration` at a position in the mosaic."""
        return registration_at(self.sources, row, col, self.known)


def register_survey(survey, output):
    """Measure the registration of a survey unless it is cached, and save it in the output folder for all workers.

    Raises ValueError if the shift of a band is so large that its WCS must be wrong.
    """
    path = _shifts_path(survey, output)
    cached = data_paths.cached_registration_path(f"{_digest(survey)}.fits") or path
    sources, why = read_shifts(cached), ()
    if sources is None or not len(sources.rows):  # what prevented a measurement may have passed
        sources, *why = measure_survey(survey, SOURCES)
        with suppress(OSError):  # the cache may be read-only
            save_fits(cached, shifts_to_fits(sources, survey.bands))
    if len(sources.rows):
        found = combine_sources(sources)
        if problem := wcs_problem(found, len(sources.rows), survey.bands):
            raise ValueError(problem)
        off = [f"{survey.bands[band]} {found.size[band]:.2f}" for band in np.flatnonzero(found.to_correct)]
        report(f"registration of the bands, in {len(sources.rows)} sources; pixels off: {', '.join(off) or 'none'}")
    else:
        report(unmeasured_text(*why))
    save_fits(path, shifts_to_fits(sources, survey.bands))


def survey_shifts(survey, output):
    """`SurveyShifts` that `register_survey` saved in the output folder; each process reads them once."""
    return _read_once(_shifts_path(survey, output))


@lru_cache(maxsize=1)
def _read_once(path):
    sources = read_shifts(path)
    if sources is None:
        raise OSError(f"the registration file {path} is missing or damaged: start the call again")
    return SurveyShifts(sources, neighbourhood(sources) if len(sources.rows) else None)


def _shifts_path(survey, output):
    return output_path(output, "registration", name=f"{_digest(survey)}.fits")


def _digest(survey):
    return digest(survey.digest, code_digest("registration"))


def unmeasured_text(lost, problem):
    """A sentence on why no source was measured, from the results of `measure_survey`."""
    of = f"of {sum(lost.values())} sources"
    reasons = "; ".join(f"{number} {of} {reason}" for reason, number in lost.items() if number)
    return f"registration of the bands is not known: {': '.join(filter(None, [reasons or NO_SEGMENTS, problem]))}"


def measure_survey(survey, most):
    """Measure the shifts in at most `most` sources of a survey.

    Returns
    -------
    sources : SourceShifts
        Without those in which nothing could be measured.
    lost : dict
        Reason -> number of the other sources.
    problem : str
        Why the first of these was refused; empty if none was.
    """
    cutouts, places, lost, problem = [], [], dict.fromkeys((FAINT, GAPS, REFUSED), 0), ""
    ids = sample_of_sources(survey.segments, survey.segmap.shape, most)
    with progress_bar(len(ids), "source") as advance:
        for id_dr3 in ids:
            try:
                cutout = without_other_segments(with_sky_noise(cut_out(survey, id_dr3, margin=MARGIN)))
                if bright_pixels(cutout).sum() < MIN_PIXELS:
                    lost[FAINT] += 1
                else:
                    cutouts.append(cutout)
                    places.append(segment_centre(survey.segments[id_dr3]))
            except (OSError, ValueError) as refusal:
                lost[REFUSED] += 1
                problem = problem or str(refusal)
            advance()
    if not cutouts:
        return empty_source_shifts(survey.wavelengths), lost, problem
    sources = measure_sources(cutouts, np.array(places))
    measured = np.isfinite(sources.shift).any(axis=(1, 2))
    lost[GAPS] = int((~measured).sum())
    return sources.only(measured), lost, problem


def sample_survey_shifts(folder, survey, n_sources):
    """`MeasuredShifts` of a survey in at most `n_sources` sources, to check its files; raises like `open_survey`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about bands without an image
        opened = open_survey(folder, (), survey)
    sources, lost, problem = measure_survey(opened, n_sources)
    n_measured = len(sources.rows)
    found = combine_sources(sources) if n_measured else unmeasured_registration(len(opened.bands))
    refusal = wcs_problem(found, n_measured, opened.bands) or problem
    unmeasured = "" if n_measured else unmeasured_text(lost, problem)
    return MeasuredShifts(opened.bands, found, n_measured, refusal, unmeasured)


def galaxy_registration(survey, id_dr3, shifts):
    """`Registration` of the bands at a galaxy, from `SurveyShifts` and, if these are imprecise, its own images.

    The shifts are unknown if the galaxy is not in the segmap.
    """
    if id_dr3 not in survey.segments:
        return unmeasured_registration(len(survey.bands))
    known = shifts.at(*segment_centre(survey.segments[id_dr3]))
    if np.median(known.error) <= WELL_KNOWN:
        return known
    cutout = with_sky_noise(cut_out(survey, id_dr3, margin=MARGIN))
    own = measure_sources([cutout], np.zeros((1, 2)), known)
    return combine_sources(own, known) if len(own.rows) else known


# ---- on disk ----------------------------------------------------------------


def shifts_to_fits(sources, bands):
    """`SourceShifts` as an `HDUList`."""
    columns = {"row": sources.rows, "col": sources.cols, "shift": sources.shift, "error": sources.error}
    of_bands = {"band": list(bands), "wavelength": sources.wavelengths}
    tables = table_hdu("SHIFTS", Table(columns)), table_hdu("BANDS", of_bands)
    return fits.HDUList([fits.PrimaryHDU(), *tables])


def read_shifts(path):
    """`SourceShifts` from a file of `shifts_to_fits`; None if it is missing or damaged."""
    try:
        with fits.open(path, memmap=False) as hdus:
            table, bands = hdus["SHIFTS"].data, hdus["BANDS"].data
            columns = [*(table[name] for name in ("row", "col", "shift", "error")), bands["wavelength"]]
            return SourceShifts(*(np.array(each, dtype=float) for each in columns))
    except (OSError, KeyError, TypeError, ValueError):  # missing or damaged
        return None
