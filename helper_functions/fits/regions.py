"""Fit stellar populations to the regions of all galaxies; save a table, posteriors, maps and pictures of each run."""

import traceback
from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np
from astropy.wcs import WCS

import data_paths
from helper_functions.explorer.pages import renew_page
from helper_functions.files.log import progress_bar, report
from helper_functions.files.records import (
    code_digest,
    describe_files,
    digest,
    files_unchanged,
    galaxy_lock,
    load_record,
    save_record,
)
from helper_functions.files.saving import save_fits, save_table
from helper_functions.filters import pivot_wavelength
from helper_functions.fits.files import demagnified, fit_paths, fits_table, posterior_hdus
from helper_functions.fits.property_maps import map_hdus, paint_table, region_light
from helper_functions.fits.tasks import (
    fit_of,
    fit_region,
    is_fitted,
    magnification_of,
    notes_of,
    path_of,
    region_tasks,
)
from helper_functions.fitting.bagpipes_fit import Fit
from helper_functions.job.processes import run_galaxies
from helper_functions.job.workers import WorkerDied
from helper_functions.products.pictures import save_fit_pictures

CHANGED = "its photometry or redshift changed meanwhile: call again"


class FittedRegion(NamedTuple):
    """A region with what was fitted to it."""

    cluster: int
    flux: tuple  # n_bands, microjansky
    error: tuple  # n_bands
    fit: Fit | None
    reason: str | None  # why there is no fit


class FittedRun(NamedTuple):
    """The regions of a run as they are drawn, without the lens."""

    id_dr3: int
    run: str  # name of its folder
    title: str
    wcs: WCS
    labels: np.ndarray  # (ny, nx)
    regions: np.ndarray  # (n_clusters,), what colours go by
    wavelengths: np.ndarray  # (n_bands,), Angstrom, observed
    fitted: list  # of FittedRegion
    maps: dict  # name -> PropertyMap


def fit_galaxies(known, runs, settings, fit):
    """Fit the regions of all runs that took blends apart, one after the other; then a table, maps and pictures of each.

    What was fitted to the same photometry with the same settings stays, so that a call which is ended is gone on with.

    Parameters
    ----------
    known : Known
    runs : list of Run
    settings : Settings
    fit : callable
        As `fit_sed`.

    Returns
    -------
    int
        Exit status: 1 where a region failed for a reason that does not lie in its data.
    """
    names = [(id_dr3, run.name) for id_dr3 in settings.id_dr3_list for run in runs]
    names = [name for name in names if data_paths.populations_path(settings.output, *name[::-1]).is_file()]
    if not names:
        report("nothing to fit: no run asked for has SEDs of populations (blended_mixture has, where it ended well)")
    problems, statuses = {}, [0]

    def guarded(work, name, *arguments):
        """Do a piece of work for one run of a galaxy; what goes wrong costs no other."""
        try:
            return work(*name, known, settings, *arguments)
        except Exception as problem:
            report(f"{name[0]}: {name[1]}: {in_words(problem)}", "stderr")
            statuses.append(1)

    tasks = {name: guarded(region_tasks, name) or [] for name in names}
    every = [task for name in names for task in tasks[name]]
    waiting = [task for task in every if settings.overwrite or not is_fitted(task, settings)]
    left = Counter((task.id_dr3, task.run) for task in waiting)
    with progress_bar(len(every), "region", len(every) - len(waiting)) as advance:
        for name in names:
            if tasks[name] and not left[name]:
                guarded(finish_run, name, problems)
        work = partial(fit_region, settings=settings, fit=fit)
        for task, problem in run_galaxies(work, waiting, jobs=settings.jobs, scheduler=settings.scheduler):
            advance()
            if problem is not None:
                problems[task.fingerprint] = in_words(problem)
                statuses.append(0 if isinstance(problem, ValueError) else 1)
            name = task.id_dr3, task.run
            left[name] -= 1
            if not left[name]:
                guarded(finish_run, name, problems)
    return max(statuses)


def in_words(problem):
    """The reason why a region was not fitted; one that nobody foresaw is shown whole, too."""
    if isinstance(problem, ValueError):
        return str(problem)
    if not isinstance(problem, OSError | WorkerDied):
        traceback.print_exception(problem)
    return f"{type(problem).__name__}: {problem}"


# ---- all regions of a run ---------------------------------------------------


def finish_run(id_dr3, run, known, settings, problems):
    """Save table, posteriors, maps and pictures of a run whose regions are fitted, unless they are there.

    Parameters
    ----------
    id_dr3 : int
    run : str
    known : Known
    settings : Settings
    problems : dict
        Fingerprint of a FitTask -> why it has no fit.
    """
    output, record = settings.output, f"fits/{run}"
    with galaxy_lock(output, id_dr3):
        tasks = region_tasks(id_dr3, run, known, settings)  # as they are now: another call may have clustered anew
        fits_of = {task: fit for task in tasks if (fit := fit_of(task, settings))}
        left = [task for task in tasks if task not in fits_of]
        reasons = {task: problems.get(task.fingerprint, CHANGED) for task in left}
        notes = notes_of(id_dr3, tasks[0].redshift, known, settings)
        magnification = float(np.nan_to_num(magnification_of(id_dr3, known), nan=1))
        made_of = [task.fingerprint for task in tasks], sorted(reasons.values()), notes, magnification
        asked = digest(code_digest(), *made_of, settings.figure_format, settings.pictures)
        old = load_record(output, id_dr3, record)
        if old.get("asked") != asked or settings.overwrite or not files_unchanged(output, old["files"]):
            save_record(output, id_dr3, record)  # unfinished
            clear(tasks, settings)
            fits_of = {task: demagnified(fit, magnification) for task, fit in fits_of.items()}
            saved = save_fitted(tasks, fits_of, reasons, magnification, notes, settings)
            save_record(output, id_dr3, record, asked=asked, files=describe_files(output, saved))
            if settings.explorer:
                renew_page(output, id_dr3)
    found = f"{id_dr3}: {run}: {len(fits_of)} of {len(tasks)} regions fitted -> {output}"
    report("; ".join([found, *notes, *sorted({*reasons.values()})]))


def clear(tasks, settings):
    """Remove what was made of earlier fits of a run, and fits of clusters that are no more."""
    id_dr3, run, *_ = tasks[0]
    regions = {path_of(task, settings) for task in tasks}
    no_more = {*path_of(tasks[0], settings).parent.glob("*.fits")} - regions
    for path in (*fit_paths(settings.output, run, id_dr3), *no_more):
        path.unlink(missing_ok=True)


def save_fitted(tasks, fits_of, reasons, magnification, notes, settings):
    """Save table, posteriors, maps and pictures of a run; return their paths."""
    id_dr3, run, *_ = tasks[0]
    place = settings.output, run, id_dr3
    where = region_light(*place)
    table = fits_table(tasks, fits_of, reasons, magnification, where.regions, notes)
    saved = [data_paths.fits_path(*place)]
    save_table(saved[0], table)
    if not fits_of:
        return saved
    painted = paint_table(where, table)
    missing = ", ".join(str(task.cluster) for task in tasks if task not in fits_of)
    contents = {
        data_paths.posteriors_path(*place): posterior_hdus(tasks, fits_of),
        data_paths.fit_maps_path(*place): map_hdus(where, painted, missing and f"Not fitted, and missing: {missing}"),
    }
    for path, hdus in contents.items():
        save_fits(path, hdus)
    regions = [
        FittedRegion(task.cluster, task.flux, task.error_bars, fits_of.get(task), reasons.get(task)) for task in tasks
    ]
    lensed = "" if magnification == 1 else f", magnification {magnification:g}"
    title = f"id {id_dr3}, z = {tasks[0].redshift:.3f}{lensed}: {run}"
    wavelengths = np.array([pivot_wavelength(band) for band in tasks[0].bands])
    result = FittedRun(
        id_dr3, run, title, WCS(where.header), where.labels, where.regions, wavelengths, regions, painted
    )
    return [*saved, *contents, *save_fit_pictures(result, settings).values()]
