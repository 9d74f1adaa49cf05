"""Cluster all galaxies of a call, serially or in parallel, and keep the summary up to date."""

from collections import Counter
from functools import partial

from helper_functions.files.log import progress_bar, report
from helper_functions.files.records import galaxy_lock, ids_with_records
from helper_functions.files.saving import DiskFull
from helper_functions.job.galaxy_records import run_fingerprints
from helper_functions.job.interrupts import stop_reraising
from helper_functions.job.one_galaxy import Galaxy, do_galaxy
from helper_functions.job.processes import run_locked_last
from helper_functions.job.workers import WorkerMismatch, cache_survey
from helper_functions.products.summary import EXPECTED, OK, galaxy_report


def cluster_galaxies(survey, runs, refused, settings, summary, *, cluster_galaxy, open_survey):
    """Cluster all galaxies of a call with `do_galaxy`, and report each.

    Parameters
    ----------
    survey : Survey
    runs : list of Run
    refused : dict
        Run -> reason, of combinations of method and metric that are not meaningful.
    settings : Settings
    summary : Summary
        Written regularly, and at the end.
    cluster_galaxy, open_survey : callable
        Functions of a module that worker processes can import.

    Returns
    -------
    int
        Exit status: 1 if a galaxy or run failed, else 0.

    Raises
    ------
    DiskFull, WorkerMismatch
        Problems that would make all further galaxies fail, too.
    """
    output, job = settings.output.output, settings.job
    ids = processing_order(survey, settings.targets.id_dr3_list, output, job.jobs)
    shared = settings.changed(id_dr3_list=[])  # the list of ids would be sent with each galaxy
    provenance = cache_survey(survey, settings.targets.catalogs)
    task = partial(do_galaxy, cluster_galaxy=cluster_galaxy, open_survey=open_survey, provenance=provenance)
    task = partial(task, runs=runs, refused=refused, settings=shared)
    failed, total, statuses = 0, len(ids), Counter()
    report(f"{total} galaxies to {output}: {' '.join(run.name for run in runs)}")
    with progress_bar(total, "galaxy") as advance:
        try:
            results = run_locked_last(task, ids, jobs=job.jobs, scheduler=job.scheduler)
            for number, (id_dr3, result) in enumerate(results, start=1):
                if isinstance(result, DiskFull | WorkerMismatch):
                    raise result
                if isinstance(result, Exception):  # the worker process died, or could not record the failure
                    result = record_lost_galaxy(survey, id_dr3, shared, runs, result), True
                rows, is_new = result
                failed += any(row["status"] not in EXPECTED for row in rows)
                statuses.update({row["status"] for row in rows})
                summary.write_regularly()
                advance(failed)
                report(f"[{number}/{total}] {galaxy_report(rows, output)}", log=is_new)
                if full := [row["message"] for row in rows if row["status"] == DiskFull.status]:
                    raise DiskFull(full[0])
        finally:
            stop_reraising()
            summary.write()
    report(f"{total} galaxies are done, {failed} of them failed")
    if OK not in statuses and not failed:
        report(nothing_text(statuses, settings.pixels.snr_thresh), "stderr")
    return 1 if failed else 0


def nothing_text(statuses, snr_thresh):
    """A sentence for a call in which no galaxy was clustered, on how many have which status and what to do."""
    found = ", ".join(f"{number} {status}" for status, number in statuses.most_common())
    faint = statuses.keys() & {"no pixels", "too few pixels"}
    way_out = f"lower --snr-thresh, now {snr_thresh:g}, or see the noise scales of --check" if faint else "see above"
    return f"no galaxy was clustered ({found}): {way_out}"


def processing_order(survey, ids, output, jobs):
    """Sort ids: new galaxies first, as most of the others are finished; with several jobs, large galaxies first.

    Otherwise one process may still work on a large galaxy at the end while the others are idle.
    """
    known = ids_with_records(output)
    if jobs > 1:
        sizes = {id_dr3: segment.n_pixels for id_dr3, segment in survey.segments.items()}
        ids = sorted(ids, key=lambda id_dr3: -sizes.get(id_dr3, 0))
    return sorted(ids, key=lambda id_dr3: str(id_dr3) in known)


def record_lost_galaxy(survey, id_dr3, settings, runs, problem):
    """Record a galaxy whose worker process could not record its failure; return its rows of the summary."""
    with galaxy_lock(settings.output.output, id_dr3):
        fingerprints = run_fingerprints(survey.digest, settings.pixels, settings.clustering, runs)
        galaxy = Galaxy(survey, id_dr3, settings, fingerprints, runs)
        galaxy.save_failures(runs, problem)
        return list(galaxy.rows.values())
