"""Rows of the region catalog from the tables of one run: one for each region and kind of SED."""

import csv
import os

import numpy as np
from astropy import units as u
from astropy.table import Table

from data_paths import output_path
from helper_functions.products import sed_tables
from helper_functions.products.photometry import TABLES, UNIT
from helper_functions.products.summary import SUMMARY_COLUMNS

KINDS = {name.removesuffix("s"): name for name in TABLES}  # kind of SED -> its table
REGION_TABLES = {
    "features": "region_features",
    "lensing": "lensing",
    "fits": "fits",
}  # tables with a row for each region
TEXT_COLUMNS = {"lensing": ("flag",), "fits": ("status", "note")}  # table -> its columns of words that are taken over
FACTOR = sed_tables.SED_COLUMNS["flux_total"][0].to(UNIT)

# Columns besides fluxes and those of other tables: unit, description, UCD (IVOA).
REGION_COLUMNS = {
    "kind": (None, "population: unmixed SED; composite: mean SED of the members of the cluster", "meta.code"),
    "cluster": (None, sed_tables.SED_COLUMNS["cluster"][1], "meta.id.part"),
    "ra": (u.deg, sed_tables.SED_COLUMNS["ra"][1], "pos.eq.ra;meta.main"),
    "dec": (u.deg, sed_tables.SED_COLUMNS["dec"][1], "pos.eq.dec;meta.main"),
    "n_pixels": (None, "number of member pixels of the cluster", "meta.number"),
    "area": (u.arcsec**2, "area of the member pixels", "phys.angArea"),
    "flag": (None, "flags that all fluxes of the region have; empty if there are none", "meta.code"),
    "n_bands": (None, "number of bands with data", "meta.number"),
    "n_faint": (None, f"number of bands with a flux below {sed_tables.FAINTEST:g} sigma", "meta.number"),
}


def read_run_rows(output, run, id_dr3):
    """Read the rows of all regions of a run.

    Returns
    -------
    blocks : list of dict
        name -> array of shape (n_regions,), for each kind of SED.
    waves : dict
        band -> Angstrom.
    described : dict
        name -> (unit or None, description) of the columns from other tables.

    Raises
    ------
    OSError, ValueError, KeyError
        If there is no table of composites, or a table is damaged.
    """
    wide, waves, described = {}, {}, {}
    for kind, name in KINDS.items():
        path = output_path(output, name, run=run, id=id_dr3)
        if kind == "composite" or path.exists():  # not all methods unmix populations
            table = read_strings(path)
            waves |= dict(zip(table["band"], map(float, table["wave_obs"]), strict=True))
            if table["cluster"]:  # dbscan may find none
                wide[kind] = pivot_bands(table, kind)
            if "name" in table:
                described["name"] = None, sed_tables.SED_COLUMNS["name"][1]
    for columns in wide.values():
        for name in ("ra", "dec"):  # populations have the coordinates of their cluster
            columns[name] = _matched(columns["cluster"], wide["composite"]["cluster"], wide["composite"][name])
    for table, name in REGION_TABLES.items():
        path = output_path(output, name, run=run, id=id_dr3)
        if wide and path.exists():
            described |= _add_table_columns(wide, table, path)
    return list(wide.values()), waves, described


def input_file_states(output, run, id_dr3):
    """Size and modification time of the tables that the rows of a run are made from; None for missing ones."""
    names = *KINDS.values(), *REGION_TABLES.values()
    return [_state(output_path(output, name, run=run, id=id_dr3)) for name in names]


def _state(path):
    try:
        stat = os.stat(path)
        return stat.st_size, stat.st_mtime_ns
    except OSError:
        return None


def read_strings(path):
    """Columns of an ECSV table as strings, {name: tuple}; 20 times faster than astropy, which parses the header.

    Raises OSError or ValueError if the table is missing or damaged.
    """
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.reader((line for line in file if not line.startswith("#")), delimiter=" "))
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        raise ValueError(f"{path} is truncated or damaged")
    return dict(zip(lines[0], zip(*lines[1:], strict=True) if lines[1:] else [()] * len(lines[0]), strict=True))


def _numbers(strings):
    return np.array([each or "nan" for each in strings], dtype=float)


def pivot_bands(table, kind):
    """Pivot a table of SEDs from `read_strings` to a row for each cluster, {name: array of shape (n_clusters,)}."""
    bands = tuple(dict.fromkeys(table["band"]))
    shape = -1, len(bands)
    if table["band"] != bands * (len(table["band"]) // len(bands)):
        raise ValueError("a table of SEDs does not have the same bands for all clusters")
    whole = "flux_whole" if "flux_whole" in table else "flux_total"
    names = ("cluster", "flux", "flux_err", whole, f"{whole}_err", "n_pixels", "area")
    of = {name: _numbers(table[name]).reshape(shape) for name in names}
    most = of["n_pixels"].argmax(axis=1)[:, None]  # the band in which most members have data
    known = np.isfinite(of["flux"])
    columns = {
        "kind": np.full(len(most), kind),
        "cluster": of["cluster"][:, 0].astype(np.int32),
        **{name: _numbers(table[name]).reshape(shape)[:, 0] for name in ("ra", "dec") if name in table},
        **({"name": np.array(table["name"]).reshape(shape)[:, 0]} if "name" in table else {}),
        "n_pixels": np.take_along_axis(of["n_pixels"], most, 1)[:, 0].astype(np.int32),
        "area": np.take_along_axis(of["area"], most, 1)[:, 0].astype(np.float32),
        "flag": np.array([_common_words(flags) for flags in np.reshape(table["flag"], shape)], dtype=str),
        "n_bands": known.sum(axis=1).astype(np.int16),
        "n_faint": (known & (of["flux"] < sed_tables.FAINTEST * of["flux_err"])).sum(axis=1).astype(np.int16),
    }
    totals = FACTOR * of[whole].T, FACTOR * of[f"{whole}_err"].T
    for band, flux, error in zip(bands, *totals, strict=True):
        columns |= {f"flux_{band}": flux.astype(np.float32), f"err_{band}": error.astype(np.float32)}
    return columns


def _common_words(flags):
    """Words that are in all of these flags."""
    split = [each.split(", ") for each in dict.fromkeys(flags)]
    return ", ".join(word for word in split[0] if all(word in words for words in split))


def _matched(clusters, known, values):
    """Values for `clusters`, where `values` are those of the clusters `known`; NaN or empty for others."""
    place, missing = dict(zip(known.tolist(), values.tolist(), strict=True)), "" if values.dtype.kind == "U" else np.nan
    return np.array([place.get(cluster, missing) for cluster in clusters.tolist()], dtype=values.dtype)


def _add_table_columns(wide, name, path):
    """Add columns of a table with a row for each region to each kind; return {name: (unit, description)}.

    These are the numeric columns, and those in TEXT_COLUMNS, whose names get the name of the table as a prefix.

    Without a column `kind`, the table is of populations, or of composites if there are no populations. Columns whose
    name is already used get that prefix, too.
    """
    table = read_strings(path)
    kinds = [kind.removesuffix("s") for kind in table.get("kind", ())] or [next(iter(wide))] * len(table["cluster"])
    described = {}
    words = TEXT_COLUMNS.get(name, ())
    for column, meaning in _known_columns(path, tuple(table), words).items():
        used = column in REGION_COLUMNS or column in SUMMARY_COLUMNS or column in words
        new = f"{name}_{column}" if used else column
        described[new] = meaning
        values = np.array(table[column]) if column in words else _numbers(table[column]).astype(np.float32)
        for kind, columns in wide.items():
            mine = np.array(kinds) == kind
            clusters = _numbers(table["cluster"])[mine].astype(int)
            if mine.any():
                columns[new] = _matched(columns["cluster"], clusters, values[mine])
    return described


_LAYOUTS = {}  # names of all columns -> cached result of `_known_columns`


def _known_columns(path, names, words):
    """Unit and description of numeric columns and of `words`, {name: (unit or None, str)}; cached for such tables."""
    if names not in _LAYOUTS:
        table = Table.read(path)
        found = [name for name in names if name in words or (name != "cluster" and table[name].dtype.kind in "iuf")]
        described = {name: table[name].description or name for name in found}
        _LAYOUTS[names] = {name: (_unit_word(table[name].unit), described[name]) for name in found}
    return _LAYOUTS[names]


def _unit_word(unit):
    """A unit in FITS notation; None for units that FITS does not support."""
    try:
        return unit and unit.to_string("fits")
    except ValueError:
        return None
