"""Region catalog and pictures of all galaxies in an output folder: python -m helper_functions.job.field OUTPUT

The catalog is a FITS table of all regions of all galaxies and runs; the pictures show the rows of the summary. A call
of main_clustering.py makes both at its end.
"""

import argparse
import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np

import data_paths
from data_paths import output_path
from helper_functions.explorer.index import update_index
from helper_functions.files.code import code_digest, digest
from helper_functions.files.log import report
from helper_functions.files.records import locked, read_record
from helper_functions.files.saving import save_figure, save_json
from helper_functions.methods import RECOMMENDED
from helper_functions.products.region_catalog import update_regions
from helper_functions.products.runs import run_sort_key
from helper_functions.products.summary import EXPECTED, OK, Summary
from helper_functions.quality.metrics import QUALITY
from helper_functions.registry import gather

FIELD_PICTURES = gather("plots", "FIELD_PICTURES")
MIN_GALAXIES = 3  # galaxies with clusters that are needed for pictures
TREND_COLUMNS = {"snr_median": "median SNR of the pixels", "n_pixels": "selected pixels", "redshift": "redshift"}
PLOTTED = ("id_dr3", "run", "status", "n_clusters", "k_low", "k_high", *TREND_COLUMNS, *QUALITY)  # in the summary
MOST = 15  # largest number of clusters with its own column
BINS = 8  # for the trends of the number of clusters
PERCENTILES = (5, 25, 50, 75, 95)


class CountTrend(NamedTuple):
    """Number of clusters against another quantity in the galaxies of one run for which both are known."""

    label: str  # of the quantity
    ids: np.ndarray  # (n_galaxies,)
    x: np.ndarray  # (n_galaxies,), the quantity
    number: np.ndarray  # (n_galaxies,), of clusters
    low: np.ndarray  # (n_galaxies,), lowest number that scores like the chosen one
    high: np.ndarray  # (n_galaxies,), highest such number
    means: np.ndarray  # (n_bins, 4), means of x, number, low and high in bins with equal numbers of galaxies


class Field(NamedTuple):
    """Statistics of all runs of all galaxies of an output folder, for the pictures."""

    ids: np.ndarray  # (n_galaxies,)
    runs: tuple  # of n_runs names
    numbers: np.ndarray  # (n_runs, n_columns), galaxies with 0, 1, ... clusters
    is_last_column_open: bool  # whether the last column also counts galaxies with more clusters
    outcomes: dict  # status -> (n_runs,), number of galaxies; ok first, then other expected statuses
    expected: tuple  # statuses that are not errors
    trend_run: str  # run that the trends are of
    trends: tuple  # of CountTrend
    quality: dict  # name -> (n_runs, n_galaxies), NaN where not known
    percentiles: dict  # name -> (n_runs, 5), see PERCENTILES


def update_field(output, rows, figure_format="png", dpi=130, pictures="all"):
    """Update the region catalog and the pictures of all galaxies; unreadable tables are left out with a warning.

    Parameters
    ----------
    output : path
        Output folder.
    rows : list of dict
        Rows of the summary.
    figure_format : str
    dpi : int
    pictures : str
        The pictures are drawn unless it is "none".
    """
    with locked(output_path(output, "field_record").with_name(".field.lock")):
        problems = update_regions(output, rows)
        if pictures != "none":
            _update_pictures(output, rows, figure_format, dpi)
    if problems:
        runs = "1 run is" if len(problems) == 1 else f"{len(problems):,} runs are"
        path = output_path(output, "regions")
        warnings.warn(f"{runs} missing in {path}, because tables cannot be read: {problems[0]}", stacklevel=2)


def show_field(summary, output):
    """Update the region catalog, the pictures of all galaxies, and the list of galaxies.

    A failure only raises a warning, as the results of the galaxies are complete.
    """
    folder = output.output
    try:
        update_field(folder, summary.rows(), output.figure_format, output.dpi, output.pictures)
    except Exception as problem:
        message = f"the region catalog and pictures of all galaxies failed ({type(problem).__name__}: {problem})"
        warnings.warn(message, stacklevel=2)
    try:
        if output.explorer:
            update_index(folder, summary.rows, output.explorer_standalone)
            report(f"look at it in a browser: {output_path(folder, 'page_index')}")
    except Exception as problem:
        warnings.warn(f"no list of all galaxies ({type(problem).__name__}: {problem})", stacklevel=2)


def _update_pictures(output, rows, figure_format, dpi):
    paths = {name: output_path(output, "field_picture", picture=name, format=figure_format) for name in FIELD_PICTURES}
    record_path = output_path(output, "field_record").with_name(".field_pictures.json")
    drawn = digest(code_digest("pictures"), dpi, figure_format, [[row[name] for name in PLOTTED] for row in rows])
    if len({row["id_dr3"] for row in rows if row["n_clusters"]}) < MIN_GALAXIES:
        for path in paths.values():
            path.unlink(missing_ok=True)
    elif read_record(record_path).get("drawn") != drawn or not all(path.exists() for path in paths.values()):
        field = summarize_field(rows)
        for name, path in paths.items():
            save_figure(path, FIELD_PICTURES[name].draw(field), dpi)
        save_json(record_path, {"drawn": drawn})


def summarize_field(rows):
    """`Field` statistics of the rows of a summary."""
    by_run = {}
    for row in rows:
        by_run.setdefault(row["run"], []).append(row)
    runs = sorted(by_run, key=run_sort_key)
    good = {run: [row for row in by_run[run] if row["status"] == OK] for run in runs}
    counts = [Counter(row["status"] for row in by_run[run]) for run in runs]
    expected = [status for status in EXPECTED if any(status in count for count in counts)]
    others = sorted({status for count in counts for status in count} - set(EXPECTED))
    most = max(row["n_clusters"] for row in rows)
    columns = min(most, MOST) + 1
    trend_run = max(runs, key=lambda run: (run == RECOMMENDED and len(good[run]) > 0, len(good[run])))
    ids = np.unique([row["id_dr3"] for row in rows])
    quality = {name: np.array([_by_galaxy(good[run], name, ids) for run in runs]) for name in QUALITY}
    return Field(
        ids=ids,
        runs=tuple(runs),
        numbers=np.array([_numbers(good[run], columns) for run in runs]),
        is_last_column_open=most > MOST,
        outcomes={status: np.array([count[status] for count in counts]) for status in expected + others},
        expected=tuple(expected),
        trend_run=trend_run,
        trends=tuple(count_trend(good[trend_run], name, label) for name, label in TREND_COLUMNS.items()),
        quality=quality,
        percentiles={name: np.array([_percentiles(each) for each in quality[name]]) for name in QUALITY},
    )


def _numbers(rows, columns):
    return np.bincount([min(row["n_clusters"], columns - 1) for row in rows], minlength=columns)


def count_trend(rows, name, label):
    """`CountTrend` of the number of clusters with a column of the summary, in these rows."""
    names = name, "n_clusters", "k_low", "k_high"
    known = [row for row in rows if np.isfinite(row[name])]
    x, number, low, high = (np.array([row[each] for row in known], dtype=float) for each in names)
    chosen = high > 0  # 0: no criterion chose the number
    low, high = np.where(chosen, low, number), np.where(chosen, high, number)
    bins = np.array_split(np.argsort(x, kind="stable"), BINS)
    means = [[each[part].mean() for each in (x, number, low, high)] for part in bins if len(part)]
    ids = np.array([row["id_dr3"] for row in known], dtype=int)
    return CountTrend(label, ids, x, number, low, high, np.reshape(means, (-1, 4)))


def _by_galaxy(rows, name, ids):
    """Values of a column for these galaxies; NaN for those without a row."""
    found = {row["id_dr3"]: row[name] for row in rows}
    return [found.get(id_dr3, np.nan) for id_dr3 in ids.tolist()]


def _percentiles(values):
    known = values[np.isfinite(values)]
    return np.percentile(known, PERCENTILES) if len(known) else np.full(len(PERCENTILES), np.nan)


def main(arguments=None):
    """Update catalog and pictures from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Region catalog and pictures of all galaxies in an output folder.")
    parser.add_argument("output", nargs="?", default=data_paths.clustering_folder(), help="output folder")
    parser.add_argument("--figure-format", choices=["png", "pdf"], default="png")
    asked = parser.parse_args(arguments)
    if not output_path(asked.output, "summary").exists():
        parser.error(f"{asked.output} holds no results: there is no summary.ecsv")
    update_field(asked.output, Summary(asked.output).rows(), asked.figure_format)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
