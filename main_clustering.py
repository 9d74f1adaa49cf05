"""Cluster the pixels of galaxies by the shape of their SEDs: edit the settings, then `python main_clustering.py`."""

import gc
import signal
import sys

if __name__ == "__main__":  # an interrupt while the libraries are loaded ends the call without a word
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

# The garbage collector would look again and again through what the libraries make, none of which is ever garbage:
# without it they are loaded in four fifths of the time.
gc.disable()

import time
import warnings
from contextlib import ExitStack
from functools import partial

import data_paths
from distances import Options
from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import composite_seds
from helper_functions.files.log import log_file, progress_bar, replace_unencodable, report
from helper_functions.files.records import galaxy_lock
from helper_functions.files.saving import DiskFull, check_writable, remove_abandoned, save_json
from helper_functions.fits.regions import fit_galaxies
from helper_functions.fits.tasks import load_fit_inputs
from helper_functions.fitting.bagpipes_fit import fit_sed
from helper_functions.job.all_galaxies import processing_order
from helper_functions.job.dry_run import dry_run
from helper_functions.job.interrupts import install_signal_handlers, report_interrupt, stop_reraising
from helper_functions.job.one_galaxy import GalaxyStore, run_fingerprints
from helper_functions.job.processes import galaxies_in_turn
from helper_functions.job.settings import collect_block, read_command_line, settings_record
from helper_functions.job.workers import WorkerDiffers, cache_survey, cached_survey
from helper_functions.methods import METHODS
from helper_functions.pixel_seds import extract_seds, median_snr, no_pixels, select_pixels
from helper_functions.population_seds import population_seds
from helper_functions.products.exports import write_exports
from helper_functions.products.features import feature_maps
from helper_functions.products.field import show_field
from helper_functions.products.registration import (
    galaxy_registration,
    register_survey,
    registered_here,
    shifts_of_survey,
)
from helper_functions.products.results import GalaxyResult, run_panel, run_result
from helper_functions.products.runs import plan_runs
from helper_functions.products.summary import EXPECTED, OK, Summary, one_line
from helper_functions.quality.compare_runs import agreement, match_regions, region_map
from helper_functions.quality.metrics import ClusteringSample, quality_metrics
from helper_functions.simulation.simulated_field import demo_field
from helper_functions.sky_noise import with_sky_noise
from helper_functions.survey.check import check_survey
from helper_functions.survey.selection import chosen_ids
from prepare_images import cut_out, cutout_to_fits, open_survey

gc.enable()
gc.freeze()

# ---- edit here --------------------------------------------------------------
ID_DR3_LIST = [46339, 44283, 30804]  # or the name of a file that holds ids, or "all"
SELECT = None  # only those for which this holds, such as "z_50 > 1 and n_pix > 500 and use_phot == 1"

ERRORS = "measured"  # errors scaled to the scatter of the sky around the galaxy, or "stated" as the weights have them
BACKGROUND = "local"  # the median of that sky is taken off; or "none"
REGISTRATION = "measured"  # bands that lie off the others by a part of a pixel are moved back; or "none"
SNR_THRESH = 3.0  # median SNR over the bands with data that a pixel must exceed
SNR_ERRORS = None  # errors of that SNR: measured or stated; None: those of ERRORS
INCLUDE_NEIGHBOURS = False  # also the segments in the cutout that lie at the galaxy's redshift
REDSHIFT_TOLERANCE = None  # largest |z_50 difference| of these; None: the larger 16-84% half-range
NEIGHBOURS_ADDED = {}  # segments that are taken in whatever their redshift: {36: [40, 41]}
NEIGHBOURS_EXCLUDED = {}  # and those that are not
REDSHIFTS = {}  # of galaxies that have another one than in the catalog: {36: 4.13}
SNR_BANDS = {}  # SNR that a pixel must exceed in single bands, too: {"f444w": 5}
MARGIN = 25  # pixels, of whatever size, around the segment that are cut out with it

# blended_mixture is the recommended one; with the others it is run for comparison.
METHODS_TO_RUN = [
    "blended_mixture",
    "kmeans",
    "gaussian_mixture",
    "dbscan",
    "agglomerative",
    "spectral",
    "spectral_cross_cor",
]
NORM = None  # how brightness is taken out: none, L2, sed, pca, ratios or contrast; None: each method's own
METRIC = None  # euclidean, crosscor, weightednorm, features, polynomial or noise; None: each method's own
FEATURES = None  # what metric features looks at: names in distances.FEATURES; None: all that the bands cover
POLYNOMIAL_DEGREE = 5  # of the curves of metric polynomial
N_CLUSTERS = "auto"  # or a number
CRITERION = None  # what chooses the number: tic, bic, silhouette, gap, stability or prediction; None: the method's own
CRITERIA_SHOWN = ["tic", "bic", "silhouette"]  # for the first run; gap, stability, prediction cluster 8 times again
CONFIDENCE = 0.8  # probability of its label that a pixel must exceed to be a confident member of its cluster
SEED = 0

EXPORT = []  # codes that the photometry of all regions is written for: bagpipes, eazy, prospector
ERROR_FLOOR = None  # share of fluxes added to errors in quadrature in exports and fits; None: flux_sys of the tables

# Fits of stellar populations to the regions of blended_mixture
FIT = False  # fit them with bagpipes, and paint maps of mass, SFR, A_V and age
FIT_SFH = "delayed"  # or nonparametric
FIT_PRIORS = {  # lowest and highest; uniform in the logarithm of age, tau, mass and metallicity
    "age": (0.01, 15.0),  # Gyr since the first stars formed, and not more than the Universe is old
    "tau": (0.03, 10.0),  # Gyr, of SFH delayed
    "mass": (4.0, 13.0),  # log10 of solar masses that formed
    "metallicity": (0.05, 2.5),  # solar
    "a_v": (0.0, 4.0),  # mag
    "log_u": (-4.0, -1.0),  # log10 of the ionisation parameter
}
FIT_REDSHIFT = "fixed"  # to z_50, or "catalog": a Gaussian about it with half of the 16-84% range
MAGNIFICATION = None  # by lensing: a number, a column of the SPS catalog such as "mu", or {id: number}

EXPLORER = True  # a page for each galaxy, and a list of all of them, that open in a browser without a server
PICTURES = "all"  # "few": a map for each run and the comparison of runs; or "none"
FIGURE_FORMAT = "png"  # or "pdf"
PIXEL_CUBES = True  # keep the fluxes of each galaxy's cutout and its maps of features, half of the disk
DPI = 130
JOBS = 1  # galaxies, or regions to be fitted, worked on at a time
MEMORY_LIMIT = 2.0  # GB that a distance matrix may take; methods do without it where it would take more
# -----------------------------------------------------------------------------


def main(arguments=None):
    """Do all galaxies; return the exit status: 1 where a galaxy or run failed, 2 where nothing could start, else 0."""
    with ExitStack() as at_the_end:
        try:
            settings = read_command_line(settings_block(), arguments)
            runs, refused = plan_runs(settings)
            if settings.catalogs is None:
                settings = settings._replace(catalogs=demo_catalogs(), survey="uncover")
            if settings.check:
                return check_survey(settings.catalogs, settings.survey, shifts_of_survey)
            asked = settings.id_dr3_list, settings.select, settings.catalogs, settings.survey
            settings = settings._replace(id_dr3_list=chosen_ids(*asked))
            survey = open_survey(settings.catalogs, settings.id_dr3_list, settings.survey)
            known = load_fit_inputs(survey, settings) if settings.fit else None
            if settings.dry_run:
                report("\n".join(dry_run(survey, runs, refused, settings)))
                return 0
            check_writable(settings.output)
            remove_abandoned(settings.output)
            save_json(data_paths.settings_path(settings.output), settings_record(settings))
            at_the_end.enter_context(log_file(data_paths.log_path(settings.output)))
            summary = Summary(settings.output)
            if settings.registration != "none":
                register_survey(survey, settings.output)
            status = cluster_galaxies(survey, runs, refused, settings, summary)
            if settings.fit:
                status = max(status, fit_galaxies(known, runs, settings, fit_sed))
            show_field(summary, settings)
            return status
        except (OSError, ValueError) as problem:
            report(f"error: {problem}", "stderr")
            return 2
        except KeyboardInterrupt as interrupt:
            return report_interrupt(interrupt)


def settings_block():
    """The settings above, and the folders and the survey of data_paths.py."""
    folders = {"catalogs": data_paths.catalogs_folder(), "output": data_paths.clustering_folder()}
    others = {"survey": data_paths.SURVEY, "scheduler": None, "overwrite": False, "check": False, "dry_run": False}
    return collect_block(globals(), **folders, **others)


def demo_catalogs():
    """Folder of the simulated demo field, for who has no survey data yet."""
    report("no survey data configured (CATALOGS_FOLDER in data_paths.py): running on a small simulated demo field")
    return str(demo_field(data_paths.cache_folder()))


def cluster_galaxies(survey, runs, refused, settings, summary):
    """Do one galaxy after the other, and keep the summary up to date; return the exit status."""
    provenance = cache_survey(survey, settings)
    each = settings._replace(id_dr3_list=[])  # a galaxy need not know of all the others
    work = partial(cluster_galaxy, runs=runs, refused=refused, settings=each, provenance=provenance)
    ids = processing_order(survey, settings.id_dr3_list, settings.output, settings.jobs)
    failed, total = 0, len(ids)
    report(f"{total} galaxies to {settings.output}: {' '.join(run.name for run in runs)}")
    with progress_bar(total, "galaxy") as advance:
        try:
            every = galaxies_in_turn(work, ids, jobs=settings.jobs, scheduler=settings.scheduler)
            for number, (id_dr3, done) in enumerate(every, start=1):
                if isinstance(done, DiskFull | WorkerDiffers):  # as would be all galaxies that follow
                    raise done
                if isinstance(done, Exception):  # its process ended before it could say why
                    with galaxy_lock(settings.output, id_dr3):
                        asked = run_fingerprints(survey.digest, settings, runs)
                        done = GalaxyStore(id_dr3, settings, asked, runs).save_failures(runs, done), True
                rows, is_new = done
                failed += any(row["status"] not in EXPECTED for row in rows)
                summary.write_now_and_then()
                advance(failed)
                report(f"[{number}/{total}] {one_line(rows, settings.output)}", log=is_new)
                if full := [row["message"] for row in rows if row["status"] == DiskFull.status]:
                    raise DiskFull(full[0])
        finally:
            stop_reraising()
            summary.write()
    report(f"{total} galaxies are done, {failed} of them failed")
    return 1 if failed else 0


def cluster_galaxy(id_dr3, *, runs, refused, settings, provenance, wait):
    """Take one galaxy from the survey's files to its pictures, and leave a record of each run.

    Parameters
    ----------
    id_dr3 : int
    runs : list of Run
    refused : dict
        Run -> reason, of those that have no meaning.
    settings : Settings
    provenance : Provenance
        What the call sees, which this process must see, too.
    wait : bool
        Whether to wait for another call that is at this galaxy; if not, Busy is raised.

    Returns
    -------
    rows : list of dict
        The galaxy's rows of the summary, one for each run.
    is_new : bool
        Whether anything was made: not where all was done before.
    """
    survey = cached_survey(open_survey, settings, provenance)
    asked = run_fingerprints(survey.digest, settings, [*runs, *refused])
    with galaxy_lock(settings.output, id_dr3, wait):
        store = GalaxyStore(id_dr3, settings, asked, runs)
        rows = {run: store.save_failure(run, reason, "refused") for run, reason in refused.items()}
        rows |= {run: row for run in runs if (row := store.done_row(run))}
        is_new = len(rows) < len(runs) + len(refused) or not store.is_complete()
        try:
            if is_new:
                do_what_is_missing(store, survey, rows)
            for run in [run for run in runs if rows[run]["status"] == OK]:
                write_exports(settings.output, run.name, id_dr3, settings.export, settings.error_floor)
        except Exception as problem:  # it ends this galaxy, and no other
            missing = [run for run in runs if run not in rows] or runs
            rows |= dict(zip(missing, store.save_failures(missing, problem), strict=True))
        return [rows[run] for run in (*runs, *refused)], is_new


def do_what_is_missing(store, survey, rows):
    """Do the runs of a galaxy that have no row yet, and give them one; then draw all runs side by side."""
    settings, registration = store.settings, None
    if settings.registration != "none":
        registration = galaxy_registration(survey, store.id_dr3, registered_here(survey, store.output))
    survey_cutout = cut_out(
        survey,
        store.id_dr3,
        margin=settings.margin,
        include_neighbours=settings.include_neighbours,
        redshift_tolerance=settings.redshift_tolerance,
        redshift=settings.redshifts.get(store.id_dr3),
        added=settings.neighbours_added.get(store.id_dr3, ()),
        excluded=settings.neighbours_excluded.get(store.id_dr3, ()),
        registration=registration,
    )
    with_errors = partial(with_sky_noise, survey_cutout, background=settings.background)
    cutout = with_errors(errors=settings.errors)
    weighed = with_errors(errors=settings.snr_errors) if settings.snr_errors else cutout
    snr, needed = median_snr(weighed), (settings.snr_thresh, settings.snr_bands)
    mask = select_pixels(weighed, snr, *needed)
    galaxy = GalaxyResult(cutout, mask, snr, settings.snr_thresh, snr_bands=settings.snr_bands)
    cubes = cutout_to_fits(cutout, mask, settings)
    store.begin()
    if not mask.any():
        store.save_galaxy(galaxy, cubes)
        raise no_pixels(cutout, snr, *needed)

    seds, made = extract_seds(cutout, mask), {}
    kept_or_drawn = settings.pixel_cubes or settings.pictures == "all"
    maps = feature_maps(seds, mask.shape) if kept_or_drawn else None
    # A run that is made again is matched to what stays, and not to what it replaces: repeated, a call gives the same.
    staying = [run for run, _ in store.valid_runs() if run in rows or run not in store.runs]
    known = [region_map(*store.clusters(run)) for run in staying]
    for run in store.runs:
        if run not in rows:
            start = time.perf_counter()
            try:
                result = cluster_run(run, seds, cutout, settings, store.criteria(run), store.is_first(run))
                result = result._replace(regions=match_regions(result.labels, known), maps=maps)
                rows[run] = store.save_run(result, lambda start=start: time.perf_counter() - start)
                made[run] = result.labels, result.regions, result.composites
                known.append(region_map(result.labels, result.regions))
            except Exception as problem:  # it ends this run; the results of the others stand
                [rows[run]] = store.save_failures([run], problem)

    galaxy = galaxy._replace(wavelengths=seds.wavelengths, edges=seds.edges, maps=maps)
    if holding := store.valid_runs():
        panels = [run_panel(run, row, *(made.get(run) or kept_run(store, run, seds))) for run, row in holding]
        found = agreement([run.name for run, _ in holding], [region_map(each.labels, each.regions) for each in panels])
        galaxy = galaxy._replace(panels=tuple(panels), agreement=found)
    store.save_galaxy(galaxy, cubes)


def kept_run(store, run, seds):
    """Labels, regions and composites of a run that an earlier call made."""
    labels, regions = store.clusters(run)
    return labels, regions, composite_seds(seds, labels[seds.rows, seds.cols], seed=store.settings.seed)


def cluster_run(run, seds, cutout, settings, criteria, is_first):
    """Do one run on one galaxy.

    Parameters
    ----------
    run : Run
    seds : PixelSEDs
    cutout : Cutout
    settings : Settings
    criteria : sequence of str
        To be shown beside the one that chooses the number of clusters.
    is_first : bool
        Whether it is the galaxy's first run, which is checked against other bands and seeds.

    Returns
    -------
    RunResult
    """
    cluster = partial(
        cluster_pixels,
        method=run.method,
        norm=run.norm,
        metric=run.metric,
        criterion=settings.criterion,
        seed=settings.seed,
        options=Options(settings.features, settings.polynomial_degree),
        memory_limit=1e9 * settings.memory_limit,
    )
    clustering = cluster(seds, n_clusters=settings.n_clusters, criteria=criteria)
    confident = None if clustering.confidence is None else clustering.confidence > settings.confidence
    composites = composite_seds(seds, clustering.labels, confident, settings.seed)
    populations = population_seds(seds, clustering, METHODS[run.method].refit, settings.seed)

    def recluster(drawn, seed=settings.seed):
        return cluster(drawn, n_clusters=max(clustering.n_clusters, 1), seed=seed).labels

    sample = ClusteringSample(seds, clustering.labels, composites, recluster, clustering.confidence, settings.seed)
    quality = quality_metrics(sample, is_first)
    return run_result(run, cutout, seds, clustering, composites, populations, quality, settings)


if __name__ == "__main__":
    replace_unencodable()
    install_signal_handlers()
    # What a warning says is for the user; where it was raised is not.
    warnings.showwarning = lambda message, *_, **__: report(f"warning: {message}", "stderr")
    sys.exit(main())
