"""Cluster the pixels of galaxies by the shape of their SEDs: edit the settings, then `python main_clustering.py`."""

import sys
import time
import traceback
import warnings
from functools import partial

from tqdm import tqdm

import data_paths
from distances import Options
from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import composite_seds, composite_table
from helper_functions.job import summary
from helper_functions.job.label_file import label_hdus, read_labels
from helper_functions.job.pictures import save_galaxy_pictures, save_run_pictures
from helper_functions.job.results import GalaxyResult, run_panel, run_result
from helper_functions.job.resume import is_complete, is_done, run_fingerprint
from helper_functions.job.run_galaxies import run_galaxies
from helper_functions.job.runs import plan_runs
from helper_functions.job.save_results import check_writable, save_fits, save_json, save_table
from helper_functions.job.settings import collect_block, read_command_line, settings_record
from helper_functions.pixel_seds import extract_seds, median_snr, no_pixels, select_pixels
from helper_functions.quality import Judged, judge
from helper_functions.simulation.simulated_field import demo_field
from prepare_images import cut_out, cutout_to_fits, open_survey

# ---- edit here --------------------------------------------------------------
ID_DR3_LIST = [46339, 44283, 30804]

SNR_THRESH = 3.0  # median SNR over the bands with data that a pixel must exceed
INCLUDE_NEIGHBOURS = False  # also the segments in the cutout that lie at the galaxy's redshift
REDSHIFT_TOLERANCE = None  # largest |z_50 difference| of these; None: the larger 16-84% half-range
MARGIN = 25  # pixels around the segment that are cut out with it

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
CRITERIA_SHOWN = ["tic", "bic", "silhouette", "gap", "stability", "prediction"]  # for the first run of each galaxy
SEED = 0

FIGURE_FORMAT = "png"  # or "pdf"
DPI = 130
JOBS = 1  # galaxies worked on at a time
MEMORY_LIMIT = 2.0  # GB that a distance matrix may take; methods do without it where it would take more
# -----------------------------------------------------------------------------


def main(arguments=None):
    """Do all galaxies; return the exit status: 1 where a galaxy or run failed, 2 where nothing could start, else 0."""
    try:
        settings = read_command_line(settings_block(), arguments)
        runs, refused = plan_runs(settings)
        if settings.catalogs is None:
            settings = settings._replace(catalogs=demo_catalogs())
        survey = open_survey(settings.catalogs, settings.id_dr3_list)
        check_writable(settings.output)
        save_json(data_paths.settings_path(settings.output), settings_record(settings))
        return cluster_galaxies(survey, runs, refused, settings)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


def settings_block():
    """The settings above, and the folders of data_paths.py."""
    folders = {"catalogs": data_paths.catalogs_folder(), "output": data_paths.clustering_folder()}
    return collect_block(globals(), **folders, scheduler=None, overwrite=False)


def demo_catalogs():
    """Folder of the simulated demo field, for who has no survey data yet."""
    print("no survey data configured (CATALOGS_FOLDER in data_paths.py): running on a small simulated demo field")
    return str(demo_field(data_paths.cache_folder()))


def cluster_galaxies(survey, runs, refused, settings):
    """Do one galaxy after the other, and keep the summary up to date; return the exit status."""
    rows = summary.load_rows(settings.output)
    work = partial(cluster_galaxy, survey=survey, runs=runs, settings=settings, earlier=rows)
    galaxies = settings.id_dr3_list
    failed = bool(refused)
    with tqdm(total=len(galaxies), unit="galaxy") as progress:
        for id_dr3, result in run_galaxies(work, galaxies, jobs=settings.jobs, scheduler=settings.scheduler):
            if isinstance(result, Exception):
                result = [failed_run(id_dr3, run, result) for run in runs]
            result += [summary.failed_row(id_dr3, run, reason, "refused") for run, reason in refused.items()]
            rows.update({(id_dr3, row["run"]): row for row in result})
            save_table(data_paths.summary_path(settings.output), summary.summary_table(list(rows.values())))
            failed |= any(row["status"] not in summary.EXPECTED for row in result)
            progress.update()
            progress.write(f"[{progress.n}/{len(galaxies)}] {summary.one_line(result, settings.output)}")
    return 1 if failed else 0


def cluster_galaxy(id_dr3, *, survey, runs, settings, earlier):
    """Take one galaxy from the survey's files to its pictures.

    Parameters
    ----------
    id_dr3 : int
    survey : Survey
    runs : list of Run
    settings : Settings
    earlier : dict
        (id_dr3, run name) -> row of an earlier summary; what it says is done is not done again.

    Returns
    -------
    rows : list of dict
        The galaxy's rows of the summary, one for each run.
    """
    fingerprints = {run: run_fingerprint(survey.digest, settings, run) for run in runs}
    rows = {run: earlier.get((id_dr3, run.name)) for run in runs}
    missing = [run for run in runs if not is_done(rows[run], settings, run, fingerprints[run])]
    if not missing and is_complete(settings, id_dr3):
        return list(rows.values())

    cutout = cut_out(
        survey,
        id_dr3,
        margin=settings.margin,
        include_neighbours=settings.include_neighbours,
        redshift_tolerance=settings.redshift_tolerance,
    )
    snr = median_snr(cutout)
    mask = select_pixels(cutout, snr, settings.snr_thresh)
    galaxy = GalaxyResult(cutout, mask, snr, settings.snr_thresh)
    save_fits(data_paths.pixels_path(settings.output, id_dr3), cutout_to_fits(cutout, mask, settings.snr_thresh))
    if not mask.any():
        save_galaxy_pictures(galaxy, settings)
        raise no_pixels(cutout, snr, settings.snr_thresh)

    seds = extract_seds(cutout, mask)
    labels = {}
    for run in missing:
        criteria = settings.criteria_shown if run == runs[0] else ()
        try:
            result, rows[run] = cluster_run(run, seds, cutout, settings, criteria, fingerprints[run])
            labels[run] = result.labels
        except Exception as problem:  # it ends this run; the results of the others stand
            rows[run] = failed_run(id_dr3, run, problem)

    good = [run for run in runs if rows[run]["status"] == summary.OK]
    for run in set(good) - set(missing):
        labels[run] = read_labels(data_paths.clusters_path(settings.output, run.name, id_dr3))
    panels = tuple(run_panel(run, seds, labels[run], rows[run]) for run in good)
    save_galaxy_pictures(galaxy._replace(wavelengths=seds.wavelengths, panels=panels), settings)
    return list(rows.values())


def cluster_run(run, seds, cutout, settings, criteria, fingerprint):
    """Do one run on one galaxy, and save what it gives.

    Parameters
    ----------
    run : Run
    seds : PixelSEDs
    cutout : Cutout
    settings : Settings
    criteria : sequence of str
        To be shown beside the one that chooses the number of clusters.
    fingerprint : str
        Of what the run is made from.

    Returns
    -------
    result : RunResult
    row : dict
        Of the summary.
    """
    start = time.perf_counter()
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
    composites = composite_seds(seds, clustering.labels)

    def again(drawn):
        return cluster(drawn, n_clusters=max(clustering.n_clusters, 1)).labels

    quality = judge(Judged(seds, clustering.labels, composites, again, clustering.confidence, settings.seed))
    result = run_result(run, cutout, seds, clustering, composites, quality, settings.features)

    output, id_dr3 = settings.output, cutout.id_dr3
    save_fits(data_paths.clusters_path(output, run.name, id_dr3), label_hdus(result, settings, fingerprint))
    save_table(data_paths.composites_path(output, run.name, id_dr3), composite_table(composites, seds))
    pictures = save_run_pictures(result, settings)
    return result, summary.ok_row(result, pictures, time.perf_counter() - start)


def failed_run(id_dr3, run, problem):
    """The row of a run that an exception ended; one that nobody foresaw is shown whole."""
    row = summary.failed_row(id_dr3, run, problem)
    if row["status"] == summary.FAILED:
        traceback.print_exception(problem)
    return row


if __name__ == "__main__":
    # What a warning says is for the user; where it was raised is not.
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    sys.exit(main())
