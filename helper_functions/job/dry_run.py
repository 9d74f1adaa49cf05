"""What a call would do, and about how long that takes and how much room: what --dry-run says."""

import shutil
from pathlib import Path

import numpy as np

from helper_functions.job.store import GalaxyStore, what_is_asked

# Seconds on one core, and MB on disk: (of a galaxy of few pixels, for each 1,000 pixels of its segment more). Measured
# as processor time on galaxies of 62 and 1,250 pixels of the demo field, in 27 bands, with the number of clusters to be
# found, and brought to the speed of the machine that the README's timings are from. Good to a factor of 2, as machines
# differ, and pixels of a segment below the threshold take no time.
GALAXY_SECONDS = (1.0, 0.3)  # cutout, sky, and the pictures that all runs share
RUN_SECONDS = {
    "agglomerative": (1.3, 0.5),
    "blended_mixture": (1.1, 2.6),
    "dbscan": (0.8, 0.0),
    "gaussian_mixture": (1.3, 0.8),
    "kmeans": (0.8, 1.3),
    "spectral": (1.1, 0.8),
    "spectral_cross_cor": (0.6, 1.1),
}
OTHER_RUN_SECONDS = (1.0, 1.0)  # of a method that was not measured
CRITERIA_SECONDS = (1.9, 3.1)  # of those that are shown for the first run
GALAXY_MB, RUN_MB = (1.4, 2.2), (0.4, 0.1)


def dry_run(survey, runs, refused, settings):
    """What the call would do, a list of sentences.

    Parameters
    ----------
    survey : Survey
    runs : list of Run
    refused : dict
        Run -> reason, of those that have no meaning.
    settings : Settings
    """
    ids, asked = settings.id_dr3_list, what_is_asked(survey.digest, settings, runs)
    to_do = [id_dr3 for id_dr3 in ids if not GalaxyStore(id_dr3, settings, asked, runs).is_done()]
    sizes = np.array([survey.segments[id_dr3].n_pixels for id_dr3 in to_do if id_dr3 in survey.segments])
    lines = [f"{len(ids)} galaxies: {len(ids) - len(to_do)} are done already, {len(to_do)} to do"]
    if len(sizes) < len(to_do):
        lines.append(f"{len(to_do) - len(sizes)} of these are not in the catalog or the segmap, and would fail")
    lines.append(f"runs of each: {', '.join(run.name for run in runs) or 'none'}")
    lines += [f"{run.name} would be refused: {reason}" for run, reason in refused.items()]
    if settings.fit:
        lines.append("fits of regions are not counted")
    if len(sizes):
        lines.append(
            f"segments of {sizes.min()} to {sizes.max()} pixels, {sizes.sum()} in all: of these, the ones with enough "
            "signal are clustered"
        )
        seconds, megabytes = (cost.sum() for cost in costs(sizes, runs, settings))
        jobs = f"with --jobs {settings.jobs}" if settings.scheduler is None else "for each worker there is"
        share = settings.jobs if settings.scheduler is None else 1
        lines.append(f"roughly {in_words(seconds / share)} {jobs}, and at most {megabytes:.0f} MB on disk")
        free = shutil.disk_usage(existing(settings.output)).free / 1e6
        if megabytes > free:
            lines.append(f"warning: the disk of {settings.output} has {free:.0f} MB left")
    return [*lines, "nothing was done: this is a dry run"]


def costs(sizes, runs, settings):
    """Seconds on one core and MB on disk of galaxies with so many pixels, both of shape (n_galaxies,)."""
    found = settings.n_clusters == "auto"
    parts = [GALAXY_SECONDS, *(RUN_SECONDS.get(run.method, OTHER_RUN_SECONDS) for run in runs)]
    parts += [CRITERIA_SECONDS] if found and settings.criteria_shown and settings.pictures == "all" else []
    return _of(parts, sizes), _of([GALAXY_MB, *[RUN_MB] * len(runs)], sizes)


def _of(parts, sizes):
    fixed, per_thousand = np.sum(parts, axis=0)
    return fixed + per_thousand * np.asarray(sizes) / 1000


def in_words(seconds):
    """A time to two digits, in the largest unit of which there is one at least."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} seconds"


def existing(folder):
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
