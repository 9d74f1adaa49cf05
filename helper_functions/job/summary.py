"""The summary: a row for each galaxy and run, what a label image on disk says of itself, and what is done already."""

import hashlib
import json
import platform
from importlib.metadata import version

import numpy as np
from astropy.io import fits
from astropy.table import Table

import data_paths
from helper_functions.clustering import UNASSIGNED
from helper_functions.composite_seds import similarity_summary
from helper_functions.job.save_results import load_table
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.pixel_seds import fill_image

PACKAGES = ("numpy", "scipy", "astropy", "scikit-learn", "matplotlib", "astro-sedpy")
OK, FAILED = "ok", "failed"
EXPECTED = (OK, "no pixels", "too few pixels", "no signal")  # what a galaxy may be like without anything being wrong

STEERING = (  # settings that a run's labels depend on
    *("features", "polynomial_degree", "memory_limit", "n_clusters", "criterion", "criteria_shown", "seed"),
    *("snr_thresh", "include_neighbours", "redshift_tolerance", "margin"),
)

# Columns of summary.ecsv: the value that stands where there is none, and what the column holds.
COLUMNS = {
    "id_dr3": (0, "id in the catalog and the segmap"),
    "run": ("", "method, norm and metric as in folder names"),
    "method": ("", ""),
    "norm": ("", ""),
    "metric": ("", ""),
    "n_pixels": (0, "selected pixels"),
    "n_clusters": (0, "clusters found"),
    "k_choice": ("", "how the number of clusters was chosen: given, density, or a criterion"),
    "n_unassigned": (0, "selected pixels in no cluster"),
    "n_incomplete": (0, "pixels without data in a band used; labelled by the nearest composite"),
    "similarity_median": (np.nan, "1 - b12 of pixels to their composite, median"),
    "similarity_2sigma": (np.nan, "1 - b12 of pixels to their composite, exceeded by all but 2.3%"),
    "reduced_chi2": (np.nan, "of pixels about their composite, each scaled freely"),
    "held_out_error": (np.nan, "68% of bands are predicted this well from the other bands, in units of the errors"),
    "fragmentation": (np.nan, "of the map: 0 in one piece, 1 as if labels were shuffled"),
    "stability": (np.nan, "adjusted Rand index with what is found when noise is drawn anew on top"),
    "brightness_share": (np.nan, "of the variance of log brightness that the labels explain"),
    "confidence_median": (np.nan, "probability of the pixels' labels, median"),
    "neighbours": ("", "ids of neighbours that were taken in"),
    "seconds": (np.nan, "time for clustering, composites and pictures of the run"),
    "status": ("", "ok, or what went wrong"),
    "message": ("", ""),
}


def ok_row(cutout, seds, run, clustering, composites, judged, seconds):
    """The row of a run that ended well."""
    median, low = similarity_summary(composites.similarity)
    without_data = [band for band in cutout.bands if band not in seds.bands]
    not_used = [band for band, used in zip(seds.bands, clustering.bands_used, strict=True) if not used]
    large = [clustering.when_large] if clustering.when_large else []
    notes = {"no data here in ": without_data, "too little data to cluster with in ": not_used, "many pixels: ": large}
    return _row(
        cutout.id_dr3,
        run,
        n_pixels=len(seds.flux),
        n_clusters=clustering.n_clusters,
        k_choice=clustering.number_by,
        n_unassigned=int((clustering.labels == UNASSIGNED).sum()),
        n_incomplete=clustering.n_incomplete,
        similarity_median=float(median),
        similarity_2sigma=float(low),
        **judged._asdict(),
        confidence_median=np.nan if clustering.confidence is None else float(np.nanmedian(clustering.confidence)),
        neighbours=" ".join(map(str, cutout.members[1:])),
        seconds=round(seconds, 3),
        status=OK,
        message="; ".join(note + ", ".join(bands) for note, bands in notes.items() if bands),
    )


def failed_row(id_dr3, run, problem, status=None):
    """The row of a run that an exception ended; the exception's class may name the status."""
    status = status or getattr(problem, "status", FAILED)
    message = f"{type(problem).__name__}: {problem}" if status == FAILED else str(problem)
    return _row(id_dr3, run, status=status, message=message)


def _row(id_dr3, run, **values):
    empty = {name: nothing for name, (nothing, _) in COLUMNS.items()}
    named = {"id_dr3": id_dr3, "run": run.name, "method": run.method, "norm": run.norm, "metric": run.metric}
    return empty | named | values


def one_line(rows, output):
    """What was found in a galaxy, and where it lies, in one line."""
    good = [row for row in rows if row["status"] == OK]
    bad = [f"{row['run']}: {row['status']} ({row['message']})" for row in rows if row["status"] != OK]
    if not good and len({row["message"] for row in rows}) == 1:
        return f"{rows[0]['id_dr3']}: {rows[0]['status']}: {rows[0]['message']}"
    found = ", ".join(f"{row['run']} {row['n_clusters']}" for row in good)
    parts = [f"{good[0]['n_pixels']} pixels; clusters: {found}"] if good else []
    parts += dict.fromkeys(row["message"] for row in good if row["message"])
    return f"{rows[0]['id_dr3']}: {'; '.join(parts + bad)} -> {output}"


def load_rows(output):
    """Rows of an earlier summary, {(id_dr3, run name): row}; empty where there is none.

    A summary of an earlier version keeps its rows: columns that it lacks are empty, columns that are gone are dropped.
    """
    table = load_table(data_paths.summary_path(output))
    if table is None:
        return {}
    columns = [table[name].tolist() if name in table.colnames else [COLUMNS[name][0]] * len(table) for name in COLUMNS]
    rows = [dict(zip(COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]
    return {(row["id_dr3"], row["run"]): row for row in rows}


def summary_table(rows):
    """The rows as a `Table`, by galaxy in the order they came, described column by column."""
    table = Table({name: [row[name] for row in rows] for name in COLUMNS})
    for name, (_, description) in COLUMNS.items():
        table[name].description = description or None
    table["seconds"].unit = "s"
    return table


def label_hdus(cutout, seds, run, clustering, similarity, settings, fingerprint):
    """Label image of a run as an `HDUList`, and what is known of each pixel beside it.

    SIMILARITY is that to its composite. Where the method knows them, CONFIDENCE is the probability of the label, and
    PROBABILITY that of each cluster, in the order of their numbers; where criteria chose the number of clusters, the
    table CRITERIA has their scores for each number.
    """
    header = cutout.wcs.to_header()
    header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    header["METHOD"] = (run.method, "clustering method")
    header["NORM"] = (run.norm, "how brightness was taken out")
    header["METRIC"] = (run.metric, "distance between pixel SEDs")
    header["NCLUST"] = (clustering.n_clusters, "clusters found: labels 1..NCLUST")
    header["KCHOICE"] = (clustering.number_by, "how their number was chosen")
    header["SNRTHR"] = (settings.snr_thresh, "median SNR that selected pixels exceed")
    header["SEED"] = (settings.seed, "seed of everything random")
    header["MEMBERS"] = (" ".join(map(str, cutout.members)), "ids selected from")
    header["CONFIG"] = (fingerprint, "digest of survey files and settings")
    labels = fill_image(cutout.segmap.shape, seds, clustering.labels, 0).astype(np.int16)

    def image(values):
        return fill_image(cutout.segmap.shape, seds, values, np.nan).astype(np.float32)

    hdus = [fits.PrimaryHDU(labels, header), fits.ImageHDU(image(similarity), header, "SIMILARITY")]
    if clustering.probability is not None:
        cube = np.array([image(values) for values in clustering.probability.T]).reshape(-1, *cutout.segmap.shape)
        hdus.append(fits.ImageHDU(image(clustering.confidence), header, "CONFIDENCE"))
        hdus.append(fits.ImageHDU(cube, header, "PROBABILITY"))
    if clustering.scores:
        most = max(len(scores.values) for scores in clustering.scores.values())
        columns = {name: scores.values for name, scores in clustering.scores.items()}
        hdus.append(fits.table_to_hdu(Table({"n_clusters": np.arange(1, most + 1), **columns})))
        hdus[-1].name = "CRITERIA"
    return fits.HDUList(hdus)


def read_labels(path):
    """The label image that `label_hdus` gave, int of shape (ny, nx)."""
    return fits.getdata(path).astype(int)


def quality_line(row):
    """The figures of a run that need no truth, for a picture."""
    figures = {
        "χ²": f"{row['reduced_chi2']:.3g}",
        "unseen bands": f"{row['held_out_error']:.2f}σ",
        "stable": f"{row['stability']:.2f}",
        "\nfragments": f"{row['fragmentation']:.2f}",
        "brightness": f"{row['brightness_share']:.0%}",
    }
    return ", ".join(f"{name} {'–' if 'nan' in value else value}" for name, value in figures.items())


def run_fingerprint(survey_digest, settings, run):
    """Digest of all that the result of a run depends on: the survey's files and the settings."""
    content = [survey_digest, list(run), [getattr(settings, name) for name in STEERING]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def run_files(settings, id_dr3, run, row):
    """Files that a run with that row leaves; without clusters there are no composites to draw."""
    output = settings.output
    pictures = ["cluster_map"] + ["composites"] * (row["n_clusters"] > 0)
    pictures += ["feature_weights"] * (run.metric == "features")
    pictures += ["number_of_clusters"] * (row["k_choice"] in CRITERIA)
    return [
        data_paths.clusters_path(output, run.name, id_dr3),
        data_paths.composites_path(output, run.name, id_dr3),
        *(data_paths.image_path(output, run.name, id_dr3, name, settings.figure_format) for name in pictures),
    ]


def galaxy_files(settings, id_dr3):
    """Files that a galaxy leaves whatever the runs."""
    pictures = [
        data_paths.image_path(settings.output, name, id_dr3, name, settings.figure_format)
        for name in ("overview", "comparison")
    ]
    return [data_paths.pixels_path(settings.output, id_dr3), *pictures]


def is_done(row, settings, run, fingerprint):
    """Whether an earlier row, or None, stands for results that are on disk and were made just as asked for now."""
    if row is None or row["status"] != OK or settings.overwrite:
        return False
    files = run_files(settings, row["id_dr3"], run, row)
    return all(path.exists() for path in files) and fits.getheader(files[0]).get("CONFIG") == fingerprint


def settings_record(settings):
    """What was asked for, with the versions of the packages, for settings.json."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    return {"settings": settings._asdict(), "versions": versions}
