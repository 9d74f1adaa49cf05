"""Table, posteriors, maps and pictures of the fits to the regions of a run."""

from functools import partial
from typing import NamedTuple

import numpy as np
from astropy.wcs import WCS

from data_paths import output_path
from helper_functions.files.code import code_digest, digest
from helper_functions.files.log import report
from helper_functions.files.records import file_states, files_unchanged, galaxy_lock, load_record, save_record
from helper_functions.files.saving import save_fits, save_table
from helper_functions.filters import pivot_wavelength
from helper_functions.fits.files import (
    INTEGRATED,
    PERCENTILE_NAMES,
    RATIOS,
    demagnified,
    fit_paths,
    fits_table,
    outshining,
    posterior_hdus,
)
from helper_functions.fits.magnification import read_lensing_map
from helper_functions.fits.property_maps import map_hdus, property_maps, region_light
from helper_functions.fits.tasks import (
    galaxy_notes,
    load_region_fit,
    region_fit_path,
    region_magnifications,
    region_tasks,
)
from helper_functions.fitting.bagpipes_fit import Fit
from helper_functions.products.pictures import save_fit_pictures

CHANGED = "its photometry or redshift changed during the call: start the call again"


class FittedRegion(NamedTuple):
    """A region and its fit."""

    cluster: int  # 0: the sum of all regions
    flux: tuple  # n_bands, microjansky
    error: tuple  # n_bands
    fit: Fit | None
    reason: str | None  # of a missing fit


class FittedRun(NamedTuple):
    """The demagnified fits of the regions of a run, as the pictures need them."""

    id_dr3: int
    run: str  # name of its folder
    title: str
    wcs: WCS
    labels: np.ndarray  # (ny, nx)
    regions: np.ndarray  # (n_clusters,), region numbers, which set the colours
    wavelengths: np.ndarray  # (n_bands,), Angstrom, observed
    fitted: list  # of FittedRegion
    maps: dict  # name -> PropertyMap


def finish_run(id_dr3, run, inputs, output, problems, renew_page):
    """Save table, posteriors, maps and pictures of a run whose regions are fitted, unless they are up to date.

    `problems` are the reasons of missing fits, {fingerprint of the FitTask: str}; `renew_page` is that of
    `explorer.pages`.
    """
    folder, record = output.output, f"fits/{run}"
    with galaxy_lock(folder, id_dr3):
        tasks = region_tasks(id_dr3, run, folder, inputs)  # read again: another call may have changed the clusters
        fit_by_task = {task: fit for task in tasks if (fit := load_region_fit(task, folder))}
        left = [task for task in tasks if task not in fit_by_task]
        reasons = {task: problems.get(task.fingerprint, CHANGED) for task in left}
        magnifications, lens_notes, is_map = region_magnifications(tasks, folder, inputs)
        fit_by_task = {task: demagnified(fit, magnifications[task.cluster][0]) for task, fit in fit_by_task.items()}
        notes = [*galaxy_notes(id_dr3, tasks[0].redshift, inputs), *lens_notes]
        content = [task.fingerprint for task in tasks], sorted(reasons.values()), notes, is_map, magnifications
        asked = digest(code_digest("fits", "pictures"), *content, output.figure_format, output.pictures)
        old = load_record(folder, id_dr3, record)
        if old.get("asked") != asked or output.overwrite or not files_unchanged(folder, old["files"]):
            save_record(folder, id_dr3, record)  # marks it as unfinished
            remove_old_fits(tasks, folder)
            saved = save_fit_products(tasks, fit_by_task, reasons, magnifications, notes, is_map, output)
            save_record(folder, id_dr3, record, asked=asked, files=file_states(folder, saved))
            if output.explorer:
                renew_page(folder, id_dr3, output.explorer_standalone)
    n_fitted, n_regions = (sum(task.cluster != INTEGRATED for task in some) for some in (fit_by_task, tasks))
    found = f"{id_dr3}: {run}: {n_fitted} of {n_regions} regions fitted -> {folder}"
    report("; ".join([found, *outshining_notes(tasks, fit_by_task), *notes, *sorted({*reasons.values()})]))


def outshining_notes(tasks, fit_by_task):
    """Sentence with the result of `outshining`: a list of at most one str."""
    found = outshining(tasks, fit_by_task)
    ratios = {name: [found[f"{name}_ratio_{each}"] for each in PERCENTILE_NAMES] for name in RATIOS}
    known = [
        f"{name} {middle:.2f} ({low:.2f} to {high:.2f})"
        for name, (low, middle, high) in ratios.items()
        if np.isfinite(middle)
    ]
    return [f"sum of regions over integrated light: {', '.join(known)}"] if known else []


def remove_old_fits(tasks, folder):
    """Remove the products of earlier fits of a run, and fits of clusters that no longer exist."""
    id_dr3, run, *_ = tasks[0]
    current = {region_fit_path(task, folder) for task in tasks}
    obsolete = {*region_fit_path(tasks[0], folder).parent.glob("*.fits")} - current
    for path in (*fit_paths(folder, run, id_dr3), *obsolete):
        path.unlink(missing_ok=True)


def save_fit_products(tasks, fit_by_task, reasons, magnifications, notes, is_map, output):
    """Save table, posteriors, maps and pictures of a run; return their paths.

    `is_map` is whether each pixel has its own magnification, which weights its light in the maps.
    """
    id_dr3, run, *_ = tasks[0]
    place = partial(output_path, output.output, run=run, id=id_dr3)
    where = region_light(output.output, run, id_dr3)
    if is_map:
        where = where._replace(light=where.light / np.abs(read_lensing_map(output.output, id_dr3)))
    table = fits_table(tasks, fit_by_task, reasons, magnifications, where.regions, notes, where.names)
    saved = [place("fits")]
    save_table(saved[0], table)
    if not any(task.cluster for task in fit_by_task):
        return saved
    maps = property_maps(where, table)
    missing = ", ".join(str(task.cluster) for task in tasks if task.cluster and task not in fit_by_task)
    contents = {
        place("posteriors"): posterior_hdus(tasks, fit_by_task),
        place("fit_maps"): map_hdus(where, maps, missing and f"Not fitted, and missing: {missing}"),
    }
    for path, hdus in contents.items():
        save_fits(path, hdus)
    regions = [
        FittedRegion(task.cluster, task.flux, task.error_bars, fit_by_task.get(task), reasons.get(task))
        for task in tasks
    ]
    low, high = (pick(mu for mu, _ in magnifications.values()) for pick in (min, max))
    lensed = (
        f", magnification {low:.3g} to {high:.3g}" if low < high else f", magnification {low:g}" if low != 1 else ""
    )
    title = f"id {id_dr3}, z = {tasks[0].redshift:.3f}{lensed}: {run}"
    wavelengths = np.array([pivot_wavelength(band) for band in tasks[0].bands])
    result = FittedRun(id_dr3, run, title, WCS(where.header), where.labels, where.regions, wavelengths, regions, maps)
    return [*saved, *contents, *save_fit_pictures(result, output).values()]
