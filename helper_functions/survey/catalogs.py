"""The survey's catalogs: ids of galaxies, names of columns, redshifts and magnifications."""

import warnings
import zlib
from contextlib import contextmanager
from difflib import SequenceMatcher

import numpy as np
from astropy.io import fits

from helper_functions.survey.mosaics import LARGEST_ID, check_ids_exact, open_fits

ID, Z_COLUMNS = "id", ("z_16", "z_50", "z_84")
MAX_REDSHIFT = 20.0  # of any galaxy; larger and negative values are codes for an unknown redshift
MAX_IDS_LISTED = 5  # in a warning
MAX_COLUMNS_LISTED = 20  # in a message; of more columns, those with the most similar names


def column_names(path):
    """Names of the columns of all tables of a FITS catalog, in lower case."""
    with _tables(path) as tables:
        return [name.lower() for table in tables for name in table.columns.names]


def logical_columns(path):
    """Names of the columns of all tables of a FITS catalog that hold true or false, in lower case, as a set."""
    with _tables(path) as tables:
        columns = [column for table in tables for column in table.columns]
        return {column.name.lower() for column in columns if column.format.endswith("L")}


def read_columns(path, names):
    """Read columns of numbers from the first table of a FITS catalog that has them all.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Upper and lower case are not distinguished.

    Returns
    -------
    columns : list of ndarray of shape (n_rows,)
        Numbers, or bool. Rows in which the first column, the ids, is masked (TNULL) are left out; other columns with
        masked values are floats with NaN.

    Raises
    ------
    OSError
        Where the file cannot be read.
    ValueError
        Where a column is missing, or does not hold one number in each row, or ids are floats that are too large.
    """
    wanted = [name.lower() for name in names]
    with _tables(path) as tables:
        table = table_with(path, tables, names)
        known = [name.lower() for name in table.columns.names]
        columns = [np.array(table.data.field(known.index(name))) for name in wanted]
        masked = [_is_masked(table, known.index(name)) for name in wanted]
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or column.dtype.kind not in "iufb":
            raise ValueError(f"column {name} of {path} holds {column.dtype} of shape {column.shape}: want numbers")
    rows = slice(None) if not masked[0].any() else ~masked[0]
    columns, masked = ([each[rows] for each in arrays] for arrays in (columns, masked))
    check_ids_exact(columns[0][_are_ids(columns[0])], f"column {names[0]} of {path}")
    return [np.where(gaps, np.nan, each) if gaps.any() else each for each, gaps in zip(columns, masked, strict=True)]


def _is_masked(table, number):
    """Which rows of a column of a FITS table are masked: by TNULL, or by values that are not T or F if logical."""
    column, stored = table.columns[number], np.asarray(table.data)[table.columns.names[number]]
    if column.format.endswith("L"):
        return ~np.isin(stored, (ord("T"), ord("F")))
    return np.zeros(len(stored), dtype=bool) if column.null in (None, "") else table.data.field(number) == column.null


def check_columns(path, names):
    """Number of rows of the table from which `read_columns` would read these columns, with the same errors."""
    with _tables(path) as tables:
        return table_with(path, tables, names).header["NAXIS2"]


def table_with(path, tables, names):
    """The first table that has all of these columns; ValueError, listing the existing columns, where none has."""
    missing = [[name for name in names if name.lower() not in _lower_names(table)] for table in tables]
    best = min(range(len(tables)), key=lambda number: len(missing[number]))
    if missing[best]:
        found = [name for table in tables for name in table.columns.names]
        has = ", ".join(found if len(found) <= MAX_COLUMNS_LISTED else [*_closest(missing[best], found), "..."])
        raise ValueError(
            f"{path} has no column {', '.join(missing[best])}: it has {has}; "
            "set the columns of the survey in data_paths.py"
        )
    return tables[best]


def _lower_names(table):
    return {name.lower() for name in table.columns.names}


def _closest(names, found):
    """Of the names found, those most similar to one of the names looked for."""

    def likeness(name):
        return max(SequenceMatcher(None, name.lower(), wanted.lower()).ratio() for wanted in names)

    return sorted(dict.fromkeys(found), key=likeness, reverse=True)[:MAX_COLUMNS_LISTED]


@contextmanager
def _tables(path):
    """Open a FITS catalog and give its tables, at least one; OSError, naming the file, where that is not possible."""
    with open_fits(path, memmap=path.suffix != ".gz") as hdus:
        try:
            tables = [hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)) and _is_whole(hdu)]
            if not tables:
                raise OSError("it holds no table")
        except (OSError, TypeError, ValueError, EOFError, zlib.error) as problem:
            raise OSError(f"{path} cannot be read as a FITS catalog ({problem}): fetch the file again") from problem
        yield tables


def _is_whole(hdu):
    """Whether the rows of a table can be read; of a truncated file, reading them raises an exception."""
    return hdu.data is not None


def _are_ids(column):
    """Which numbers of a column are ids: whole numbers from 1 to LARGEST_ID."""
    return (column >= 1) & (column <= LARGEST_ID) & (column == np.floor(column))


def read_ids(path, id_column=ID):
    """The ids of a FITS catalog, frozenset of int, without invalid values."""
    (column,) = read_columns(path, [id_column])
    return frozenset(column[_are_ids(column)].astype(np.int64).tolist())


def read_redshifts(path, asked_for, id_column=ID, z_columns=Z_COLUMNS):
    """Redshifts of all galaxies of a FITS catalog; NaN where a redshift is unknown or impossible.

    Parameters
    ----------
    path : Path
    asked_for : sequence of int
        Ids that warnings are restricted to.
    id_column : str
    z_columns : tuple of str
        Columns of the 16%, 50% and 84% quantiles of the redshift; or of the redshift and its error; or of the redshift
        alone.

    Returns
    -------
    redshifts : dict
        id -> (z_16, z_50, z_84); without an error, z_16 and z_84 are NaN.

    Warns
    -----
    UserWarning
        Where galaxies asked for have impossible redshifts, and where rows of one id differ: both count as unknown.
    """
    column, *values = read_columns(path, [id_column, *z_columns])
    are_ids = _are_ids(column)
    ids, found = column[are_ids].astype(np.int64), np.column_stack(values).astype(float)[are_ids]
    possible = (found >= 0) & (found <= MAX_REDSHIFT)
    _warn_of_impossible(path, z_columns, ids, found, ~possible, asked_for)
    found = _with_limits(np.where(possible, found, np.nan))

    unique, first, which = np.unique(ids, return_index=True, return_inverse=True)
    known = found[first]
    agree = (found == known[which]) | (np.isnan(found) & np.isnan(known[which]))
    differing = np.unique(which[~agree.all(axis=1)])
    if differing.size:
        some = _listed([str(id_dr3) for id_dr3 in unique[differing]])
        warnings.warn(f"{path} has rows that differ for id {some}: their redshift counts as unknown", stacklevel=3)
    known[differing] = np.nan
    return dict(zip(unique.tolist(), map(tuple, known.tolist()), strict=True))


def _with_limits(found):
    """Redshift of each galaxy with its lower and upper limit, (n_rows, 3), from one, two or three columns."""
    if found.shape[1] == 3:
        return found
    redshift = found[:, 0]
    error = found[:, 1] if found.shape[1] == 2 else np.full(len(found), np.nan)
    return np.column_stack([redshift - error, redshift, redshift + error])


def _warn_of_impossible(path, z_columns, ids, found, impossible, asked_for):
    wanted = np.isin(ids, [id_dr3 for id_dr3 in asked_for if 1 <= id_dr3 <= LARGEST_ID])
    said = []
    for row in np.flatnonzero(wanted & impossible.any(axis=1)):
        wrong = [f"{z_columns[number]} {found[row, number]:g}" for number in np.flatnonzero(impossible[row])]
        said.append(f"id {ids[row]} {', '.join(wrong)}")
    if said:
        warnings.warn(
            f"{path} has no possible redshift, from 0 to {MAX_REDSHIFT:g}, for {len(said)} of the galaxies asked for, "
            f"which counts as unknown: {_listed(said, '; ')}",
            stacklevel=4,
        )


def read_spectroscopic(path, id_column, name):
    """Spectroscopic redshifts of the galaxies of a FITS catalog that have one.

    Parameters
    ----------
    path : Path
    id_column : str
    name : str
        Of the column of redshifts; values that are not above 0, such as -99, stand for none.

    Returns
    -------
    redshifts : dict
        id -> (z, z, z), in the form of `read_redshifts`, without ids whose rows differ; empty where there is no such
        column.
    """
    if name.lower() not in column_names(path):
        return {}
    ids, values = read_columns(path, [id_column, name])
    rows = _are_ids(ids) & (values > 0) & (values <= MAX_REDSHIFT)
    own = _values_of(ids[rows].astype(np.int64), values[rows])
    return {id_dr3: (found[0],) * 3 for id_dr3, found in own.items() if len(set(found)) == 1}


def read_magnifications(path, name, asked_for, id_column=ID):
    """Lensing magnifications from a column of a FITS catalog.

    Parameters
    ----------
    path : Path
    name : str
        Of the column.
    asked_for : sequence of int
        Ids whose magnifications are read.
    id_column : str
        Name of the column of ids.

    Returns
    -------
    magnifications : dict
        id -> a number above 0, without ids whose value is impossible, or whose rows differ.

    Warns
    -----
    UserWarning
        Where galaxies asked for have impossible magnifications, or rows that differ.
    """
    ids, values = read_columns(path, [id_column, name])
    values_of, found, wrong = _values_of(ids, values), {}, []
    for id_dr3 in asked_for:
        own = values_of.get(id_dr3, [])
        if len(set(own)) == 1 and np.isfinite(own[0]) and own[0] > 0:
            found[id_dr3] = own[0]
        elif own:
            wrong.append(f"id {id_dr3} {', '.join(f'{value:g}' for value in own)}")
    if wrong:
        message = f"column {name} of {path} has no possible magnification, one number above 0, for {len(wrong)} of the"
        warnings.warn(f"{message} galaxies asked for, which counts as unknown: {_listed(wrong, '; ')}", stacklevel=2)
    return found


def _values_of(ids, values):
    """The values of each id, {id: list of float}: several where an id has several rows."""
    found = {}
    for id_dr3, value in zip(ids.tolist(), values.astype(float).tolist(), strict=True):
        found.setdefault(id_dr3, []).append(value)
    return found


def _listed(texts, between=", "):
    return between.join(texts[:MAX_IDS_LISTED]) + (
        f"{between}and {len(texts) - MAX_IDS_LISTED} more" if len(texts) > MAX_IDS_LISTED else ""
    )
