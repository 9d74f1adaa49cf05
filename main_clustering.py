"""Cluster the pixels of galaxies by the shape of their SEDs: edit the settings, then `python main_clustering.py`."""

import sys
import time
import traceback
import warnings
from functools import partial

from tqdm import tqdm

import data_paths
from distances import FEATURES as FEATURE_WINDOWS
from distances import Options, feature_weights
from helper_functions.clustering import METHODS, cluster_pixels
from helper_functions.composite_seds import composite_seds, composite_table
from helper_functions.filters import band_edges
from helper_functions.job import summary
from helper_functions.job.run_galaxies import run_galaxies
from helper_functions.job.save_results import check_writable, save_figure, save_fits, save_json, save_table
from helper_functions.job.settings import Settings, plan_runs, read_command_line
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.pixel_seds import extract_seds, median_snr, require_pixels, select_pixels
from helper_functions.quality import quality
from helper_functions.simulation.simulated_field import demo_field
from plots.cluster_map import cluster_map
from plots.comparison import RunPanel, comparison
from plots.composites import composites_page
from plots.feature_weights import feature_weights_page
from plots.number_of_clusters import number_of_clusters_page
from plots.overview import overview
from prepare_images import cut_out, cutout_to_fits, open_survey

# ---- edit here --------------------------------------------------------------
ID_DR3_LIST = [46339, 44283, 30804]

SNR_THRESH = 3.0  # median SNR over the bands with data that a pixel must exceed
INCLUDE_NEIGHBOURS = False  # also the segments in the cutout that lie at the galaxy's redshift
REDSHIFT_TOLERANCE = None  # largest |z_50 difference| of these; None: the larger 16-84% half-range
MARGIN = 25  # pixels around the segment that are cut out with it

# blended_mixture (recommended), kmeans, gaussian_mixture, dbscan, agglomerative, spectral, spectral_cross_cor
METHODS_TO_RUN = list(METHODS)
NORM = None  # how brightness is taken out: none, L2, sed, pca, ratios or contrast; None: each method's own
METRIC = None  # euclidean, crosscor, weightednorm, features, polynomial or noise; None: each method's own
FEATURES = None  # what metric features looks at: names in distances.FEATURES; None: all that the bands cover
POLYNOMIAL_DEGREE = 5  # of the curves of metric polynomial
N_CLUSTERS = "auto"  # or a number
CRITERION = None  # what chooses the number: evidence, bic, silhouette, gap, stability or prediction; None: the method's
CRITERIA_SHOWN = list(CRITERIA)  # drawn beside it for the first run of each galaxy
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
        save_json(data_paths.settings_path(settings.output), summary.settings_record(settings))
        return cluster_galaxies(survey, runs, refused, settings)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


def settings_block():
    """The settings above, and the folders of data_paths.py."""
    return Settings(
        id_dr3_list=ID_DR3_LIST,
        methods=METHODS_TO_RUN,
        norm=NORM,
        metric=METRIC,
        features=FEATURES,
        polynomial_degree=POLYNOMIAL_DEGREE,
        n_clusters=N_CLUSTERS,
        criterion=CRITERION,
        criteria_shown=CRITERIA_SHOWN,
        snr_thresh=SNR_THRESH,
        include_neighbours=INCLUDE_NEIGHBOURS,
        redshift_tolerance=REDSHIFT_TOLERANCE,
        margin=MARGIN,
        seed=SEED,
        figure_format=FIGURE_FORMAT,
        dpi=DPI,
        jobs=JOBS,
        memory_limit=MEMORY_LIMIT,
        catalogs=data_paths.catalogs_folder(),
        output=data_paths.clustering_folder(),
    )


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
    fingerprints = {run: summary.run_fingerprint(survey.digest, settings, run) for run in runs}
    rows = {run: earlier.get((id_dr3, run.name)) for run in runs}
    missing = [run for run in runs if not summary.is_done(rows[run], settings, run, fingerprints[run])]
    if not missing and all(path.exists() for path in summary.galaxy_files(settings, id_dr3)):
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
    save_fits(data_paths.pixels_path(settings.output, id_dr3), cutout_to_fits(cutout, mask, settings.snr_thresh))
    save_picture(settings, "overview", id_dr3, overview(cutout, mask, snr, settings.snr_thresh))
    require_pixels(cutout, mask, snr, settings.snr_thresh)

    seds = extract_seds(cutout, mask)
    for run in missing:
        try:
            criteria = settings.criteria_shown if run == runs[0] else ()
            rows[run] = cluster_run(run, seds, cutout, settings, criteria, fingerprints[run])
        except Exception as problem:  # it ends this run; the results of the others stand
            rows[run] = failed_run(id_dr3, run, problem)

    panels = [run_panel(run, seds, cutout, settings, rows[run]) for run in runs if rows[run]["status"] == summary.OK]
    if panels:
        save_picture(settings, "comparison", id_dr3, comparison(cutout, seds.wavelengths, panels))
    return list(rows.values())


def cluster_run(run, seds, cutout, settings, criteria, fingerprint):
    """Do one run on one galaxy, save what it gives, and return its row of the summary."""
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
    composites = composite_seds(seds.flux, seds.error, clustering.labels)

    def again(drawn):
        return cluster(drawn, n_clusters=max(clustering.n_clusters, 1)).labels

    judged = quality(seds, clustering.labels, again, settings.seed)

    id_dr3, output = cutout.id_dr3, settings.output
    hdus = summary.label_hdus(cutout, seds, run, clustering, composites.similarity, settings, fingerprint)
    save_fits(data_paths.clusters_path(output, run.name, id_dr3), hdus)
    table = composite_table(composites, seds.bands, seds.wavelengths, cutout.redshift)
    save_table(data_paths.composites_path(output, run.name, id_dr3), table)

    labels, title = hdus[0].data, f"id {id_dr3}: {run.title(clustering.n_clusters)}"
    confidence = hdus["CONFIDENCE"].data if "CONFIDENCE" in hdus else None
    save_picture(settings, run.name, id_dr3, cluster_map(cutout, labels, title, confidence), "cluster_map")
    if clustering.scores:
        page = number_of_clusters_page(clustering.scores, clustering.number_by, title)
        save_picture(settings, run.name, id_dr3, page, "number_of_clusters")
    if run.metric == "features":
        bands = [band for band, used in zip(seds.bands, clustering.bands_used, strict=True) if used]
        edges = band_edges(bands)
        weights = feature_weights(edges, seds.redshift, settings.features)
        page = feature_weights_page(bands, seds.redshift, edges, weights, FEATURE_WINDOWS, title)
        save_picture(settings, run.name, id_dr3, page, "feature_weights")
    if clustering.n_clusters:
        page = composites_page(cutout, labels, seds, composites, title)
        save_picture(settings, run.name, id_dr3, page, "composites")
    return summary.ok_row(cutout, seds, run, clustering, composites, judged, time.perf_counter() - start)


def run_panel(run, seds, cutout, settings, row):
    """What the comparison page shows of a run, from its label image on disk: it may be of an earlier call."""
    labels = summary.read_labels(data_paths.clusters_path(settings.output, run.name, cutout.id_dr3))
    composites = composite_seds(seds.flux, seds.error, labels[seds.rows, seds.cols])
    return RunPanel(run.title(len(composites.flux)), labels, composites.flux, summary.quality_line(row))


def failed_run(id_dr3, run, problem):
    """The row of a run that an exception ended; one that nobody foresaw is shown whole."""
    row = summary.failed_row(id_dr3, run, problem)
    if row["status"] == summary.FAILED:
        traceback.print_exception(problem)
    return row


def save_picture(settings, folder, id_dr3, figure, picture=None):
    """Save a figure of a galaxy in the folder of its run, or in one named like the picture."""
    path = data_paths.image_path(settings.output, folder, id_dr3, picture or folder, settings.figure_format)
    save_figure(path, figure, settings.dpi)


if __name__ == "__main__":
    # What a warning says is for the user; where it was raised is not.
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    sys.exit(main())
