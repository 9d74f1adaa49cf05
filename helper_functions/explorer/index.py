"""Content of the list of all galaxies: results of the recommended run of each, and a link to its page."""

import os
from typing import NamedTuple

import numpy as np

from data_paths import output_path
from helper_functions.explorer.scripts import share_scripts
from helper_functions.files.code import code_digest, digest
from helper_functions.files.records import GALAXY, locked, read_record
from helper_functions.files.saving import save_image, save_json, save_text
from helper_functions.products.runs import run_sort_key
from helper_functions.products.summary import EXPECTED, OK, SMOOTH
from helper_functions.quality.cross_checks import HARDLY_AGREE
from helper_functions.quality.metrics import QUALITY
from plots.explorer.thumbnail import thumbnail

LIST_COLUMNS = {  # column of the summary -> title, meaning and format in the list
    "id_dr3": ("galaxy", "id in the catalog, and the run that is shown", "{}"),
    "redshift": ("redshift", "of the catalog, or as given", "{:.3f}"),
    "n_pixels": ("pixels", "selected pixels", "{:,}"),
    "snr_median": ("SNR", "median over the selected pixels of their median SNR over the bands", "{:.1f}"),
    "n_clusters": ("clusters", "number of clusters, and below it the numbers that cannot be told from it", "{}"),
    **{name: (each.symbol, each.meaning, each.form) for name, each in QUALITY.items() if each.symbol},
}
BADLY_REGISTERED = 0.3  # pixels: larger shifts are flagged, as their correction may leave residuals
REFUSED = "refused"  # status of a meaningless combination of method, norm and metric
UNKNOWN = "–"  # written for a number that is not known


class ListedGalaxy(NamedTuple):
    """A row of the list."""

    id_dr3: int
    run: str  # name of the run whose results are shown
    status: str  # of this run
    is_ok: bool
    is_expected: bool  # whether the status is not an error, such as for a galaxy without enough signal
    values: dict  # name in LIST_COLUMNS -> number, NaN where it is not known
    words: dict  # name in LIST_COLUMNS -> the formatted number
    k_range: str  # range of numbers of clusters that the criterion does not distinguish from the chosen one
    flags: tuple  # of str: problems that a user should check
    notes: str  # the message of the run
    page: str = ""  # path of its page relative to the list; empty where there is none
    thumbnail: str = ""  # the same of its thumbnail


class GalaxyList(NamedTuple):
    """All galaxies of an output folder."""

    folder: str  # name of the output folder
    columns: dict  # name -> title, meaning
    galaxies: list  # of ListedGalaxy, by id


def save_thumbnail(output, result, runs):
    """Save the thumbnail of a galaxy; return its path.

    Parameters
    ----------
    output : path
    result : GalaxyResult
        With at least one panel.
    runs : sequence of str
        Names of the runs, in the order of the panels.
    """
    path = output_path(output, "thumbnail", id=result.cutout.id_dr3)
    panel = result.panels[runs.index(min(runs, key=run_sort_key))]
    save_image(path, thumbnail(result.cutout, panel.labels, panel.regions))
    return path


def update_index(output, rows, is_standalone=False):
    """Update the list of all galaxies.

    Parameters
    ----------
    output : path
        Output folder.
    rows : callable
        Returns the rows of the summary, a list of dict. It is called while the list is locked, so that after two
        simultaneous calls the list contains the results of both.
    is_standalone : bool
        Whether the page includes all scripts.
    """
    from plots.explorer.index import COMPARE, index_page  # imported here, as Bokeh takes half a second to load

    assets = "" if is_standalone else share_scripts(output)
    path = output_path(output, "page_index")
    record_path = output_path(output, "record", id="", name=GALAXY).with_name(".index.json")
    with locked(record_path.with_suffix(".lock")):
        listed = galaxy_list(output, rows())
        content = digest(code_digest("pages"), assets, listed)
        if not path.exists() or read_record(record_path).get("content") != content:
            save_text(output_path(output, "page_compare"), COMPARE)
            save_text(path, index_page(listed, assets))
            save_json(record_path, {"content": content})


def galaxy_list(output, rows):
    """`GalaxyList` from the rows of the summary, with links to the pages and thumbnails that exist."""
    start, thumbnails = output_path(output, "page_index").parent, output_path(output, "thumbnail", id=0).parent
    there = {"page": _files_by_id(start, start), "thumbnail": _files_by_id(thumbnails, start)}
    by_id = {}
    for row in rows:
        by_id.setdefault(row["id_dr3"], []).append(row)
    columns = {name: (title, meaning) for name, (title, meaning, _) in LIST_COLUMNS.items()}
    links = {id_dr3: {kind: paths.get(str(id_dr3), "") for kind, paths in there.items()} for id_dr3 in by_id}
    galaxies = [listed_galaxy(by_id[id_dr3])._replace(**links[id_dr3]) for id_dr3 in sorted(by_id)]
    return GalaxyList(os.path.basename(os.path.abspath(output)), columns, galaxies)


def _files_by_id(folder, start):
    """Files in a folder, {name without its ending: path relative to `start`}."""
    place = folder.relative_to(start).as_posix()
    names = os.listdir(folder) if folder.is_dir() else []
    return {os.path.splitext(name)[0]: f"{place}/{name}" for name in names}


def listed_galaxy(rows):
    """`ListedGalaxy` from the rows of its runs: it shows the recommended run if that succeeded, else another."""
    row = min(rows, key=lambda row: (row["status"] != OK, row["status"] == REFUSED, *run_sort_key(row["run"])))
    values = {name: float(row[name]) for name in LIST_COLUMNS}
    is_ok = row["status"] == OK
    if not is_ok:  # the summary has zeros for a failed run
        values = {name: value if name == "id_dr3" else np.nan for name, value in values.items()}
    words = {
        name: LIST_COLUMNS[name][2].format(row[name]) if np.isfinite(values[name]) else UNKNOWN for name in LIST_COLUMNS
    }
    return ListedGalaxy(
        id_dr3=row["id_dr3"],
        run=row["run"],
        status=row["status"],
        is_ok=is_ok,
        is_expected=row["status"] in EXPECTED,
        values=values,
        words=words,
        k_range=f"{row['k_low']}–{row['k_high']}" if row["k_high"] else "",
        flags=tuple(word for word, is_true in FLAGS.items() if is_ok and is_true(row)) + _failures(rows, row),
        notes=row["message"],
    )


FLAGS = {  # flag -> function that tells whether a row of the summary has it
    "number uncertain": lambda row: row["k_low"] < row["k_high"],
    "bad fit": lambda row: row["misfit"],
    "bands disagree": lambda row: row["bands_agree"] < HARDLY_AGREE,
    "smooth changes": lambda row: row["distinct"] < SMOOTH,
    "errors misstated": lambda row: row["misstated"],
    "bands not registered": lambda row: row["registration_max"] > BADLY_REGISTERED,
    "neighbours included": lambda row: row["neighbours"],
    "unassigned pixels": lambda row: row["n_unassigned"],
    "incomplete pixels": lambda row: row["n_incomplete"],
}


def _failures(rows, shown):
    """A flag if any run failed besides the one that is shown, else nothing."""
    failed = [row for row in rows if row is not shown and row["status"] not in (*EXPECTED, REFUSED)]
    return ("other runs failed",) if failed else ()
