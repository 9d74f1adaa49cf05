"""What a call would do, and about how long that takes and how much room: what --dry-run says."""

import shutil
from pathlib import Path

import numpy as np

import data_paths
from helper_functions.job.one_galaxy import GalaxyStore, run_fingerprints
from helper_functions.job.settings import AMOUNTS
from helper_functions.methods import METHODS

# What a call costs was measured on galaxies of the demo field, in 27 bands: (of a galaxy of few pixels, for each 1,000
# pixels of its segment more). Segments had 113 to 2,695 pixels, and what is below the threshold takes no time.
# Seconds of processor time on one thread, with the number of clusters to be found. Good to a factor of 2, as machines
# differ.
GALAXY_SECONDS = (0.5, 0.3)  # cutout, sky, and saving
RUN_SECONDS = {
    "agglomerative": (0.15, 0.1),
    "blended_mixture": (0.4, 0.4),
    "dbscan": (0.05, 0.07),
    "gaussian_mixture": (0.8, 0.25),
    "kmeans": (0.3, 0.15),
    "spectral": (0.15, 0.1),
    "spectral_cross_cor": (0.15, 0.1),
}
OTHER_RUN_SECONDS = (0.5, 0.5)  # of a method that was not measured
CHECKS_SECONDS = (0.1, 0.2)  # of the first run against other bands and seeds
CRITERIA_SECONDS = (1.0, 0.6)  # of those that are shown for the first run
EXPLORER_SECONDS = (0.4, 0.1)  # of the page
FIT_SECONDS = {"delayed": 22.0, "nonparametric": 29.0}  # of one region
# Of pictures, each amount besides those before it.
GALAXY_PICTURES_SECONDS = {"none": (0.0, 0.0), "few": (0.5, 0.0), "all": (1.0, 0.05)}
RUN_PICTURES_SECONDS = {"none": (0.0, 0.0), "few": (0.2, 0.0), "all": (0.7, 0.15)}
# MB on disk, likewise; pictures as PNG at 130 dots per inch.
GALAXY_MB = {"none": (0.03, 0.0), "few": (0.25, 0.05), "all": (0.5, 0.6)}  # shared by all runs
RUN_MB = {"none": (0.1, 0.0), "few": (0.1, 0.03), "all": (0.25, 0.16)}  # of each
CUBES_MB = (0.7, 0.25)  # fluxes, errors and features of the pixels
EXPLORER_MB = (2.3, 0.4)
FIT_MB, FIT_PICTURES_MB = 0.25, 0.15  # of each region, and its share of the pictures
FITTED_RUN_MB = 0.4  # maps of all regions
REGIONS = 3  # of a galaxy that is not clustered yet, where none is: the median of the demo field


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
    ids, asked = settings.id_dr3_list, run_fingerprints(survey.digest, settings, runs)
    stores = [GalaxyStore(id_dr3, settings, asked, runs) for id_dr3 in ids]
    to_do = [store.id_dr3 for store in stores if not store.is_done()]
    sizes = np.array([survey.segments[id_dr3].n_pixels for id_dr3 in to_do if id_dr3 in survey.segments])
    lines = [f"{len(ids)} galaxies: {len(ids) - len(to_do)} are done already, {len(to_do)} to do"]
    if len(sizes) < len(to_do):
        lines.append(f"{len(to_do) - len(sizes)} of these are not in the catalog or the segmap, and would fail")
    lines.append(f"runs of each: {', '.join(run.name for run in runs) or 'none'}")
    lines += [f"{run.name} would be refused: {reason}" for run, reason in refused.items()]
    seconds, megabytes = (cost.sum() for cost in costs(sizes, runs, settings))
    if settings.fit:
        here = [store for store in stores if store.id_dr3 in survey.segments]
        n_fits, n_runs, said = fits_to_do(here, runs, settings)
        lines.append(said)
        seconds += n_fits * FIT_SECONDS.get(settings.fit_sfh, max(FIT_SECONDS.values()))
        megabytes += n_fits * (FIT_MB + FIT_PICTURES_MB * (settings.pictures == "all")) + n_runs * FITTED_RUN_MB
    if len(sizes):
        lines.append(
            f"segments of {sizes.min()} to {sizes.max()} pixels, {sizes.sum()} in all: of these, the ones with enough "
            "signal are clustered"
        )
    if seconds:
        jobs = f"with --jobs {settings.jobs}" if settings.scheduler is None else "for each worker there is"
        share = settings.jobs if settings.scheduler is None else 1
        lines.append(f"roughly {in_words(seconds / share)} {jobs}, and at most {np.ceil(megabytes):.0f} MB on disk")
        free = shutil.disk_usage(existing(settings.output)).free / 1e6
        if megabytes > free:
            lines.append(f"warning: the disk of {settings.output} has {free:.0f} MB left")
    return [*lines, "nothing was done: this is a dry run"]


def costs(sizes, runs, settings):
    """Seconds on one core and MB on disk of galaxies with so many pixels, both of shape (n_galaxies,)."""
    found = settings.n_clusters == "auto"
    parts = [GALAXY_SECONDS, *(RUN_SECONDS.get(run.method, OTHER_RUN_SECONDS) for run in runs)]
    parts += [CHECKS_SECONDS] if runs else []
    parts += [CRITERIA_SECONDS] if found and settings.criteria_shown and settings.pictures == "all" else []
    parts += _with_pictures(GALAXY_PICTURES_SECONDS, RUN_PICTURES_SECONDS, runs, settings)
    parts += [EXPLORER_SECONDS] if settings.explorer else []
    room = _with_pictures(GALAXY_MB, RUN_MB, runs, settings)
    room += [CUBES_MB] if settings.pixel_cubes else []
    room += [EXPLORER_MB] if settings.explorer else []
    return _of(parts, sizes), _of(room, sizes)


def fits_to_do(stores, runs, settings):
    """Fits of regions that the call would do, where it fits.

    How many regions a galaxy has is known once it is clustered: where it is not, that is taken from the last record of
    the run, whatever it was made from, or else to be the median of all galaxies that have one.

    Parameters
    ----------
    stores : list of GalaxyStore
    runs : list of Run
    settings : Settings

    Returns
    -------
    n_fits : float
    n_runs : int
        Runs of galaxies that have regions to be fitted.
    said : str
        A sentence that says how many, and how far this is known.
    """
    pairs = [(store, run) for store in stores for run in runs if METHODS[run.method].refit]
    recorded = [store.n_clusters(run) for store, run in pairs]
    known = [number for number in recorded if number is not None]
    usual = np.median(known) if known else REGIONS if settings.n_clusters == "auto" else settings.n_clusters
    fits = []
    for (store, run), number in zip(pairs, recorded, strict=True):
        is_clustered = store.done_row(run) is not None
        folder = data_paths.region_fit_path(settings.output, run.name, store.id_dr3, 1).parent
        there = len(list(folder.glob("[0-9]*.fits"))) if is_clustered else 0
        fits.append(max((usual if number is None else number) - there, 0))
    guessed = len(pairs) - len(known)
    said = f"{sum(fits):.0f} regions to fit"
    said += f", if each of {guessed} galaxies not clustered yet has {usual:g}" if guessed else ""
    return sum(fits), np.count_nonzero(fits), said


def _with_pictures(galaxy, run, runs, settings):
    """Costs of a galaxy and of each of its runs with as many pictures as are asked for."""
    amounts = AMOUNTS[: AMOUNTS.index(settings.pictures) + 1]
    return [each[amount] for each in (galaxy, *[run] * len(runs)) for amount in amounts]


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
