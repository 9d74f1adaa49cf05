"""Fits of stellar populations to the regions of all galaxies, in several processes."""

import traceback
from collections import Counter
from functools import partial

from data_paths import output_path
from helper_functions.explorer.pages import renew_page
from helper_functions.files.log import progress_bar, report
from helper_functions.fits.regions import finish_run
from helper_functions.fits.tasks import fit_region, fitted_seds, load_region_fit, region_tasks
from helper_functions.job.processes import run_locked_last
from helper_functions.job.workers import WorkerDied


def fit_galaxies(ids, runs, inputs, output, job, fit):
    """Fit the regions of all runs that have SEDs to fit, then save a table, maps and pictures of each run.

    Fits with the same fingerprint (photometry, settings and code) are reused, so an interrupted call can be resumed,
    and several calls can share the regions: those that another call is fitting are tried again at the end.

    Parameters
    ----------
    ids : sequence of int
    runs : list of Run
    inputs : FitInputs
    output : settings.Output
    job : settings.Job
    fit : callable
        Like `fit_sed`.

    Returns
    -------
    int
        Exit status: 1 if a fit failed for another reason than unsuitable data, else 0.
    """
    folder = output.output
    names = [(id_dr3, run.name) for id_dr3 in ids for run in runs]
    names = [name for name in names if output_path(folder, fitted_seds(name[1]), id=name[0], run=name[1]).is_file()]
    if not names:
        report("nothing to fit: no run asked for has SEDs of populations (run blended_mixture, and see its status)")
    problems, statuses, printed = {}, [0], set()

    def run_safely(work, name, *arguments):
        """Call `work` for one run of a galaxy; report an exception, so that the other runs continue."""
        try:
            return work(*name, *arguments)
        except Exception as problem:
            report(f"{name[0]}: {name[1]}: {failure_message(problem, printed)}", "stderr")
            statuses.append(1)

    tasks = {name: run_safely(region_tasks, name, folder, inputs) or [] for name in names}
    all_tasks = [task for name in names for task in tasks[name]]
    waiting = [task for task in all_tasks if output.overwrite or not load_region_fit(task, folder)]
    left = Counter((task.id_dr3, task.run) for task in waiting)
    with progress_bar(len(all_tasks), "region", len(all_tasks) - len(waiting)) as advance:
        for name in names:
            if tasks[name] and not left[name]:
                run_safely(finish_run, name, inputs, output, problems, renew_page)
        fit = partial(fit, sfh=inputs.sfh, priors=inputs.priors, seed=inputs.seed)
        work = partial(fit_region, folder=folder, overwrite=output.overwrite, fit=fit)
        for task, problem in run_locked_last(work, waiting, jobs=job.jobs, scheduler=job.scheduler):
            advance()
            if problem is not None:
                problems[task.fingerprint] = failure_message(problem, printed)
                statuses.append(0 if isinstance(problem, ValueError) else 1)
            name = task.id_dr3, task.run
            left[name] -= 1
            if not left[name]:
                run_safely(finish_run, name, inputs, output, problems, renew_page)
    return max(statuses)


def failure_message(problem, printed):
    """Reason of a failed fit, for a message.

    The traceback of an unexpected exception is printed, too, unless this reason is in the set `printed`, which it is
    added to.
    """
    if isinstance(problem, ValueError):
        return str(problem)
    reason = f"{type(problem).__name__}: {problem}"
    if not isinstance(problem, OSError | WorkerDied) and reason not in printed:
        printed.add(reason)
        traceback.print_exception(problem)
    return reason
