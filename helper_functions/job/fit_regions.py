"""Fit stellar populations to the regions of all galaxies, as the clustering left them in the output folder."""

import traceback
from collections import Counter
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
from astropy.wcs import WCS

import data_paths
from helper_functions.filters import pivot_wavelength
from helper_functions.fitting.bagpipes_fit import PRIORS, Fit
from helper_functions.job.catalogs import read_magnifications
from helper_functions.job.fit_files import (
    demagnified,
    fit_paths,
    fits_table,
    posterior_hdus,
    read_fit,
    region_hdus,
)
from helper_functions.job.painted_maps import map_hdus, paint_table, region_light
from helper_functions.job.pictures import save_fit_pictures
from helper_functions.job.records import (
    code_digest,
    describe_files,
    digest,
    files_stand,
    galaxy_lock,
    load_record,
    locked,
    save_record,
)
from helper_functions.job.region_photometry import read_photometry
from helper_functions.job.run_galaxies import WorkerDied, run_galaxies
from helper_functions.job.save_results import save_fits, save_table
from helper_functions.job.tell import progress_bar, say

ENGINE = (  # the code that a fit depends on: the fits that there are stay when other code changes
    *(f"helper_functions/fitting/{name}.py" for name in ("bagpipes_fit", "histories", "sed_model")),
    "helper_functions/bagpipes_setup.py",
    "helper_functions/filters.py",
)
WIDE = 0.1  # half of the 16-84% range of redshift over 1 + z, above which the note says so


class Known(NamedTuple):
    """What the survey's catalogs and the user say of galaxies besides their images."""

    redshifts: dict  # id -> (z_16, z_50, z_84)
    magnifications: dict | float | None  # id -> by lensing; or that of all galaxies; None where nothing is given
    engine: str  # version of bagpipes


class FitTask(NamedTuple):
    """One region that is to be fitted: plain numbers, so that it can be a key and be sent to another process."""

    id_dr3: int
    run: str  # name of its folder
    cluster: int
    bands: tuple  # n_bands names
    flux: tuple  # n_bands, microjansky, as bright as the whole region; NaN without data
    error: tuple  # n_bands
    redshift: float  # NaN where it is not known
    redshift_error: float
    fingerprint: str  # of all that the fit depends on


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
    maps: dict  # name -> PaintedMap


def what_is_known(survey, settings):
    """`Known` of the galaxies asked for.

    Raises
    ------
    OSError, ValueError
        Where bagpipes is not installed, or the catalog does not have the magnifications asked for.
    """
    try:
        engine = version("bagpipes")
    except PackageNotFoundError as problem:
        raise ValueError("--fit needs bagpipes: pip install bagpipes") from problem
    magnifications = settings.magnification
    if isinstance(magnifications, str):
        path = data_paths.find_survey_file(settings.catalogs, data_paths.SPS_CATALOG, "SPS_CATALOG")
        magnifications = read_magnifications(path, magnifications, settings.id_dr3_list)
    return Known(survey.redshifts, magnifications, engine)


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
    there = [name for name in names if data_paths.populations_path(settings.output, name[1], name[0]).is_file()]
    if not there:
        say("nothing to fit: no run asked for has SEDs of populations (blended_mixture has, where it ended well)")
    tasks = [task for id_dr3, run in there for task in region_tasks(id_dr3, run, known, settings)]
    waiting = [task for task in tasks if settings.overwrite or not is_fitted(task, settings)]
    left, problems, failed = Counter((task.id_dr3, task.run) for task in waiting), {}, False

    def finish(id_dr3, run):
        try:
            say(finish_run(id_dr3, run, known, settings, problems))
        except Exception as problem:  # it concerns this galaxy only
            traceback.print_exception(problem)
            return True
        return False

    with progress_bar(len(tasks), "region") as advance:
        advance(len(tasks) - len(waiting))
        for name in there:
            failed |= not left[name] and finish(*name)
        work = partial(fit_region, settings=settings, fit=fit)
        for task, problem in run_galaxies(work, waiting, jobs=settings.jobs, scheduler=settings.scheduler):
            advance()
            if problem is not None:
                failed |= not isinstance(problem, ValueError)
                problems[task] = in_words(problem)
            left[task.id_dr3, task.run] -= 1
            if not left[task.id_dr3, task.run]:
                failed |= finish(task.id_dr3, task.run)
    return 1 if failed else 0


def in_words(problem):
    """The reason why a region was not fitted; one that nobody foresaw is shown whole, too."""
    if isinstance(problem, ValueError):
        return str(problem)
    if not isinstance(problem, OSError | WorkerDied):
        traceback.print_exception(problem)
    return f"{type(problem).__name__}: {problem}"


# ---- one region -------------------------------------------------------------


def region_tasks(id_dr3, run, known, settings):
    """`FitTask` of each region of a run, from its table of populations: its SED, as bright as all of its light."""
    photometry = read_photometry(settings.output, run, id_dr3, floor=settings.error_floor)
    redshift_error = half_range(id_dr3, known) if settings.fit_redshift == "catalog" else 0.0
    how = [settings.fit_sfh, PRIORS | settings.fit_priors, settings.seed, known.engine, code_digest(ENGINE)]
    scale = photometry.scale[:, None]
    tasks = []
    for cluster, *sed in zip(
        photometry.clusters, photometry.flux * scale, photometry.error * np.abs(scale), strict=True
    ):
        flux, error = (tuple(values.tolist()) for values in sed)
        what = photometry.bands, flux, error, photometry.redshift, float(np.nan_to_num(redshift_error))
        tasks.append(FitTask(id_dr3, run, int(cluster), *what, digest(*what, *how)))
    return tasks


def half_range(id_dr3, known):
    """Half of the 16-84% range of a galaxy's redshift; NaN where it is not known."""
    low, _, high = known.redshifts.get(id_dr3, (np.nan,) * 3)
    return (high - low) / 2


def path_of(task, settings):
    """Where the fit of a region lies."""
    return data_paths.region_fit_path(settings.output, task.run, task.id_dr3, task.cluster)


def is_fitted(task, settings):
    """Whether the fit of a region is there, of the same photometry, settings and code."""
    return fit_of(task, settings) is not None


def fit_of(task, settings):
    """`Fit` of a region, from its file; None where it is not fitted."""
    return read_fit(path_of(task, settings), task.fingerprint)


def fit_region(task, *, settings, fit):
    """Fit one region and save it; while another call does the same, it is waited for."""
    path = path_of(task, settings)
    with locked(path.with_name(f".{path.name}.lock")):
        if is_fitted(task, settings) and not settings.overwrite:
            return
        found = fit(
            task.bands,
            np.array(task.flux),
            np.array(task.error),
            task.redshift,
            redshift_error=task.redshift_error,
            sfh=settings.fit_sfh,
            priors=PRIORS | settings.fit_priors,
            seed=settings.seed,
        )
        save_fits(path, region_hdus(found, task))


# ---- all regions of a run ---------------------------------------------------


def magnification_of(id_dr3, known):
    """Magnification of a galaxy; NaN where others have one and this has none, 1 where nobody gives any."""
    if isinstance(known.magnifications, dict):
        return known.magnifications.get(id_dr3, np.nan)
    return known.magnifications or 1.0


def notes_of(id_dr3, redshift, known, settings):
    """What is to be known of the fits of a galaxy, a list of str."""
    notes, error = [], half_range(id_dr3, known)
    taken = {"fixed": "taken as known", "catalog": "a Gaussian of that width is taken"}[settings.fit_redshift]
    if error > WIDE * (1 + redshift):
        notes.append(f"the redshift is uncertain by {error:.2g}: {taken}")
    elif settings.fit_redshift == "catalog" and np.isfinite(redshift) and not np.isfinite(error):
        notes.append("the uncertainty of the redshift is not known: it is taken as known")
    if not np.isfinite(magnification_of(id_dr3, known)):
        notes.append("the magnification is not known: 1 is taken")
    return notes


def finish_run(id_dr3, run, known, settings, problems):
    """Save table, posteriors, maps and pictures of a run whose regions are fitted, unless they are there.

    Parameters
    ----------
    id_dr3 : int
    run : str
    known : Known
    settings : Settings
    problems : dict
        FitTask -> str, why a region has no fit.

    Returns
    -------
    str
        What was done, in a line.
    """
    output, record = settings.output, f"fits/{run}"
    with galaxy_lock(output, id_dr3):
        tasks = region_tasks(id_dr3, run, known, settings)  # as they are now: another call may have clustered anew
        fits_of = {task: fit for task in tasks if (fit := fit_of(task, settings))}
        left = [task for task in tasks if task not in fits_of]
        reasons = {task: problems.get(task, "clustered anew meanwhile: call again") for task in left}
        notes = notes_of(id_dr3, tasks[0].redshift, known, settings)
        magnification = float(np.nan_to_num(magnification_of(id_dr3, known), nan=1))
        said = [f"{id_dr3}: {run}: {len(fits_of)} of {len(tasks)} regions fitted -> {output}"]
        said = "; ".join([*said, *notes, *sorted({*reasons.values()})])
        made_of = [task.fingerprint for task in tasks], sorted(reasons.values()), notes, magnification
        asked = digest(code_digest(), *made_of, settings.figure_format)
        old = load_record(output, id_dr3, record)
        if old.get("asked") == asked and not settings.overwrite and files_stand(output, old["files"]):
            return said

        save_record(output, id_dr3, record)  # unfinished
        for path in fit_paths(output, run, id_dr3):
            path.unlink(missing_ok=True)
        regions = {path_of(task, settings) for task in tasks}
        for path in next(iter(regions)).parent.glob("*.fits"):
            if path not in regions:  # of a cluster that is no more
                path.unlink()
        fits_of = {task: demagnified(fit, magnification) for task, fit in fits_of.items()}
        saved = save_fitted(tasks, fits_of, reasons, magnification, notes, settings)
        save_record(output, id_dr3, record, asked=asked, files=describe_files(output, saved))
    return said


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
        FittedRegion(task.cluster, task.flux, task.error, fits_of.get(task), reasons.get(task)) for task in tasks
    ]
    lensed = "" if magnification == 1 else f", magnification {magnification:g}"
    title = f"id {id_dr3}, z = {tasks[0].redshift:.3f}{lensed}: {run}"
    wavelengths = np.array([pivot_wavelength(band) for band in tasks[0].bands])
    result = FittedRun(
        id_dr3, run, title, WCS(where.header), where.labels, where.regions, wavelengths, regions, painted
    )
    return [*saved, *contents, *save_fit_pictures(result, settings).values()]
