"""Cluster the pixels of galaxies by the shape of their SEDs: edit the settings, then `python main_clustering.py`."""

import sys
from functools import partial

import data_paths
import helper_functions  # noqa: F401 (first, because other imports may fail without it)
from data_paths import output_path
from distances import Options
from helper_functions.clustering import cluster_pixels, recluster_with, recommended_scores
from helper_functions.composite_seds import composite_seds
from helper_functions.files.log import log_file, report, set_up_streams
from helper_functions.files.saving import check_writable, remove_stale_partials, save_json
from helper_functions.fits.lens import open_lens
from helper_functions.job.all_galaxies import cluster_galaxies
from helper_functions.job.command_line import read_command_line
from helper_functions.job.dry_run import dry_run
from helper_functions.job.field import show_field
from helper_functions.job.interrupts import install_signal_handlers, report_interrupt
from helper_functions.job.settings import check_bands, collect_block, settings_record
from helper_functions.other_regions.outskirts import import_powerbin
from helper_functions.other_regions.own_regions import clustering_of_regions
from helper_functions.pixel_seds import extract_seds, median_snr, select_pixels
from helper_functions.population_seds import population_seds
from helper_functions.products.registration import register_survey, sample_survey_shifts
from helper_functions.products.runs import OWN_RUN, plan_runs
from helper_functions.products.summary import Summary
from helper_functions.quality.error_scale import scale_errors
from helper_functions.quality.metrics import ClusteringSample, quality_metrics
from helper_functions.quality.variants import planned_comparisons
from helper_functions.simulation.simulated_field import demo_field
from helper_functions.sky_noise import with_sky_noise
from helper_functions.survey.check import check_survey
from helper_functions.survey.flux_units import assumed_units_note
from helper_functions.survey.selection import chosen_ids
from prepare_images import cut_out, open_survey

# ---- edit here: the main settings; `python main_clustering.py --help` lists all settings ----------------------------
ID_DR3_LIST = [46339, 44283, 30804]  # or the name of a file that holds ids, or "all"
SELECT = None  # condition on catalog columns that galaxies must meet: "z_50 > 1 and n_pix > 500 and use_phot == 1"
GALAXIES = None  # CSV table of settings for single galaxies: id, redshift, neighbours_added, magnification, ...

ERRORS = "measured"  # flux errors scaled to the scatter of the sky around the galaxy; or "stated" by the weight maps
REGISTRATION = "measured"  # measure and correct subpixel misregistration of the bands; or "none"
SNR_THRESH = 3.0  # median SNR over the bands with data that a pixel must exceed
INCLUDE_NEIGHBOURS = False  # also select pixels from neighbouring segments at the galaxy's redshift

# blended_mixture is the recommended method; the others are for comparison.
METHODS_TO_RUN = [
    "blended_mixture",
    "kmeans",
    "gaussian_mixture",
    "dbscan",
    "agglomerative",
    "spectral",
    "spectral_cross_cor",
]
NORM = None  # flux normalisation: none, L2, sed, pca, ratios or contrast; None: each method's own
METRIC = None  # euclidean, crosscor, weightednorm, features, polynomial or noise; None: each method's own
N_CLUSTERS = "auto"  # or a number
CRITERION = "recommended"  # the number that blended_mixture finds; or tic, bic, silhouette, gap, stability, prediction
CONFIDENCE = 0.8  # membership probability that a pixel must exceed to be a confident member of its cluster
SEED = 0  # random seed

EXPORT = []  # write the photometry of all regions for these codes: bagpipes, eazy, prospector
FIT = False  # fit stellar populations to the regions with bagpipes, and make maps of mass, SFR, A_V and age
COMPARE = []  # also draw "number": one method with more and fewer clusters; "norms": with each norm and metric
PICTURES = "all"  # "few": a map for each run and the comparison of runs; or "none"
FIGURE_FORMAT = "png"  # or "pdf"
EXPLORER = True  # an HTML page for each galaxy and a list of all
EXPLORER_STANDALONE = False  # pages that contain all scripts and can be sent to others
JOBS = 1  # number of worker processes
# ---------------------------------------------------------------------------------------------------------------------


def main(arguments=None):
    """Cluster all galaxies; return the exit status: 0, 1 if a galaxy or run failed, 2 if the call could not start.

    Galaxies without pixels above the SNR threshold do not fail.
    """
    try:
        settings = read_command_line(settings_block(), arguments)
        if settings.targets.catalogs is None:
            settings = settings.changed(catalogs=demo_catalogs(), survey="uncover")
        targets = settings.targets
        runs, refused = plan_runs(targets.methods_to_run, targets.norm, targets.metric, targets.regions)
        planned_comparisons(settings.output.compare, settings.output.compare_method)
        if settings.job.check:
            return check_survey(targets.catalogs, targets.survey, sample_survey_shifts)
        ids = chosen_ids(targets.id_dr3_list, targets.select, targets.catalogs, targets.survey)
        settings = settings.changed(id_dr3_list=ids)
        survey = open_survey(targets.catalogs, ids, targets.survey)
        check_bands(settings.pixels, survey.bands)
        if settings.pixels.bin_snr:
            import_powerbin()
        if settings.fits.magnification_map:
            open_lens(tuple(settings.fits.magnification_map), settings.fits.lens_redshift, data_paths.cache_folder())
        if settings.job.dry_run:
            report("\n".join(dry_run(survey, runs, refused, settings)))
            return 0
        fit_regions = prepare_fits(survey, runs, settings) if settings.fits.fit else None
        check_writable(settings.output.output)
        remove_stale_partials(settings.output.output)
        save_json(output_path(settings.output.output, "settings"), settings_record(settings))
        with log_file(output_path(settings.output.output, "log")):
            return do_galaxies(survey, runs, refused, settings, fit_regions)
    except (OSError, ValueError) as problem:
        report(f"error: {problem}", "stderr")
        return 2
    except KeyboardInterrupt as interrupt:
        return report_interrupt(interrupt)


def do_galaxies(survey, runs, refused, settings, fit_regions=None):
    """Cluster all galaxies, fit their regions if asked for, and update the products of the whole field."""
    summary = Summary(settings.output.output)
    if assumed := assumed_units_note(survey.bands, survey.sci):
        report(assumed)
    if settings.pixels.registration != "none":
        register_survey(survey, settings.output.output)
    functions = {"cluster_galaxy": cluster_galaxy, "open_survey": open_survey}
    status = cluster_galaxies(survey, runs, refused, settings, summary, **functions)
    if fit_regions is not None:
        status = max(status, fit_regions())
    show_field(summary, settings.output)
    return status


def settings_block():
    """`Settings` from the block above, the folders of data_paths.py, and the defaults of all other settings."""
    folders = {"catalogs": data_paths.catalogs_folder(), "output": data_paths.clustering_folder()}
    return collect_block(globals(), **folders)


def demo_catalogs():
    """Folder of the simulated demo field, which is used when no survey folder is configured."""
    report("no survey data configured (CATALOGS_FOLDER in data_paths.py): running on a small simulated demo field")
    return str(demo_field(data_paths.cache_folder()))


def prepare_fits(survey, runs, settings):
    """Function that fits the regions of all runs after clustering; its inputs are checked and read beforehand."""
    from helper_functions.fits.tasks import load_fit_inputs  # imported here, as only --fit needs these modules
    from helper_functions.fitting.bagpipes_fit import fit_sed
    from helper_functions.job.all_fits import fit_galaxies

    inputs = load_fit_inputs(survey, settings.targets, settings.fits, settings.clustering.seed)
    ids = settings.targets.id_dr3_list
    return partial(fit_galaxies, ids, runs, inputs, settings.output, settings.job, fit_sed)


def cluster_galaxy(galaxy, settings):
    """Cluster the pixels of one galaxy: from the survey's images to labels, SEDs and the quality of each run.

    Parameters
    ----------
    galaxy : Galaxy
        Knows which runs are left to do, and saves their results.
    settings : Settings
    """
    own, pixels, how = galaxy.own, settings.pixels, settings.clustering
    cutout = cut_out(
        galaxy.survey,
        galaxy.id_dr3,
        margin=pixels.margin,
        registration=galaxy.registration(),
        redshift=own.redshift,
        include_neighbours=pixels.include_neighbours,
        redshift_tolerance=pixels.redshift_tolerance,
        added=own.neighbours_added,
        excluded=own.neighbours_excluded,
    )
    with_errors = partial(with_sky_noise, cutout, background=pixels.background)
    cutout = with_errors(errors=pixels.errors)
    for_snr = with_errors(errors=pixels.snr_errors) if pixels.snr_errors else cutout
    snr = median_snr(for_snr)
    mask = select_pixels(for_snr, snr, pixels.snr_thresh, pixels.snr_bands)
    galaxy.begin(cutout, mask, snr)
    seds = scale_errors(extract_seds(cutout, mask), pixels.errors, how.seed)
    memory_limit = 1e9 * how.memory_limit
    recommended = galaxy.recommended_scores(partial(recommended_scores, seds, how.seed, memory_limit))

    cluster_with = partial(
        cluster_pixels,
        criterion=how.criterion,
        recommended=recommended,
        options=Options(how.features, how.polynomial_degree),
        memory_limit=memory_limit,
    )

    for run in galaxy.runs_to_do():
        with galaxy.recording(run):  # an exception in one run is recorded, and the others continue
            if run == OWN_RUN:
                found, recluster = clustering_of_regions(seds, *galaxy.own_regions()), None
            else:
                cluster = partial(cluster_with, method=run.method, norm=run.norm, metric=run.metric)
                found = cluster(seds, n_clusters=how.n_clusters, criteria=galaxy.criteria(run), seed=how.seed)
                recluster = recluster_with(cluster, found.n_clusters, how.seed)
            composites = composite_seds(seds, found.labels, found.is_confident(how.confidence), how.seed)
            populations = population_seds(seds, found, how.seed)
            sample = ClusteringSample(seds, found.labels, composites, recluster, found.confidence, how.seed)
            quality = quality_metrics(sample, galaxy.is_first(run))
            galaxy.save_run(run, seds, found, composites, populations, quality)
    galaxy.finish(seds)
    for kind, method in galaxy.comparisons_to_do():
        galaxy.save_comparison(kind, method, partial(cluster_with, method=method), seds)


if __name__ == "__main__":
    set_up_streams()
    install_signal_handlers()
    sys.exit(main())
