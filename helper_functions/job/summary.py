"""The summary: a row for each galaxy and run."""

import numpy as np
from astropy.table import Table

import data_paths
from helper_functions.clustering import UNASSIGNED
from helper_functions.job.save_results import load_table
from helper_functions.quality import QUALITY

OK, FAILED = "ok", "failed"
EXPECTED = (OK, "no pixels", "too few pixels", "no signal")  # what a galaxy may be like without anything being wrong

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
    **{name: (np.nan, figure.meaning) for name, figure in QUALITY.items()},
    "neighbours": ("", "ids of neighbours that were taken in"),
    "pictures": ("", "pictures of the run that were saved"),
    "seconds": (np.nan, "time for clustering, composites and pictures of the run"),
    "status": ("", "ok, or what went wrong"),
    "message": ("", ""),
}


def ok_row(result, pictures, seconds):
    """The row of a run that ended well.

    Parameters
    ----------
    result : RunResult
    pictures : list of str
        Names of those that were saved.
    seconds : float

    Returns
    -------
    dict
        With the keys of COLUMNS.
    """
    cutout, seds, clustering = result.cutout, result.seds, result.clustering
    without_data = [band for band in cutout.bands if band not in seds.bands]
    not_used = [band for band, used in zip(seds.bands, clustering.bands_used, strict=True) if not used]
    large = [clustering.when_large] if clustering.when_large else []
    notes = {"no data here in ": without_data, "too little data to cluster with in ": not_used, "many pixels: ": large}
    return _row(
        cutout.id_dr3,
        result.run,
        n_pixels=len(seds.flux),
        n_clusters=clustering.n_clusters,
        k_choice=clustering.k_choice,
        n_unassigned=int((clustering.labels == UNASSIGNED).sum()),
        n_incomplete=clustering.n_incomplete,
        **result.quality,
        neighbours=" ".join(map(str, cutout.members[1:])),
        pictures=" ".join(pictures),
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
