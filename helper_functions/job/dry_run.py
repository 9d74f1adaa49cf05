"""The report of --dry-run: what a call would do, and an estimate of the time from finished galaxies."""

from data_paths import output_path
from helper_functions.job.galaxy_records import GalaxyRecords, run_fingerprints
from helper_functions.products.runs import OWN_RUN
from helper_functions.products.summary import OK, read_rows


def dry_run(survey, runs, refused, settings):
    """Sentences on what the call would do with these runs, and on the refused ones, {Run: reason}; a list."""
    ids, folder = settings.targets.id_dr3_list, settings.output.output
    fingerprints = run_fingerprints(survey.digest, settings.pixels, settings.clustering, runs)
    galaxies = [GalaxyRecords(id_dr3, settings, fingerprints, runs) for id_dr3 in ids]
    to_do = [galaxy.id_dr3 for galaxy in galaxies if not galaxy.is_done()]
    sizes = [survey.segments[id_dr3].n_pixels for id_dr3 in to_do if id_dr3 in survey.segments]
    lines = [f"{len(ids)} galaxies: {len(ids) - len(to_do)} are done already, {len(to_do)} to do"]
    if len(sizes) < len(to_do):
        lines.append(f"{len(to_do) - len(sizes)} of these are not in the catalog or the segmap, and would fail")
    lines.append(f"runs of each: {', '.join(run.name for run in runs) or 'none'}")
    lines += [f"{run.name} would be refused: {reason}" for run, reason in refused.items()]
    if settings.fits.fit:
        here = [galaxy for galaxy in galaxies if galaxy.id_dr3 in survey.segments]
        lines.append(regions_to_fit(here, runs, settings.output.output))
    if sizes:
        lines.append(
            f"segments of {min(sizes)} to {max(sizes)} pixels, {sum(sizes)} in all: only pixels above the SNR "
            "threshold are clustered"
        )
        lines.append(estimate_duration(read_rows(folder), runs, sizes, settings.job))
    return [*lines, "nothing was done: this is a dry run"]


def estimate_duration(rows, runs, sizes, job):
    """A sentence on how long these runs will take for segments of these sizes in pixels.

    It is estimated from their time per pixel in the finished galaxies among `rows` of the summary.
    """
    seconds = 0.0
    for run in runs:
        done = [row for row in rows if row["run"] == run.name and row["status"] == OK]
        if not done:
            return f"how long it takes is not known: no galaxy here has {run.name} yet; try a few ids first"
        seconds += sum(row["seconds"] for row in done) / sum(row["n_pixels"] for row in done) * sum(sizes)
    if job.scheduler is None:
        seconds, where = seconds / job.jobs, f"with --jobs {job.jobs}"
    else:
        where = "divided by the number of dask workers"
    return f"at most about {format_duration(seconds)} {where}, estimated from finished runs, without HTML pages"


def regions_to_fit(galaxies, runs, folder):
    """A sentence on how many regions of these `GalaxyRecords` would be fitted.

    The number of regions is taken from the last record of a run, even if the run would be made again.
    """
    n_fits = n_unknown = 0
    for galaxy in galaxies:
        for run in [run for run in runs if run.entry.models_fluxes or run == OWN_RUN]:
            n_clusters = galaxy.n_clusters(run)
            if n_clusters is None:
                n_unknown += 1
                continue
            place = output_path(folder, "region_fit", run=run.name, id=galaxy.id_dr3, cluster=1).parent
            n_done = len(list(place.glob("[0-9]*.fits"))) if galaxy.done_row(run) else 0
            n_fits += max(n_clusters + (n_clusters > 1) - n_done, 0)  # and the sum of several regions
    others = f", and those of {n_unknown} galaxies that are not clustered yet" if n_unknown else ""
    return f"{n_fits} regions to fit, with the integrated light of each run{others}"


def format_duration(seconds):
    """A time with two digits, in the largest unit that it exceeds."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} seconds"
