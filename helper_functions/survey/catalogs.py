"""The survey's catalogs: which galaxies and bands there are, and redshifts that can be true."""

import warnings
import zlib
from contextlib import contextmanager
from difflib import SequenceMatcher

import numpy as np
from astropy.io import fits

from helper_functions.survey.mosaics import LARGEST_ID, opened

ID, Z_COLUMNS = "id", ("z_16", "z_50", "z_84")
MOST_REDSHIFT = 20.0  # no galaxy of such a survey is farther; codes for an unknown redshift are, or are below 0
SAID = 5  # ids that a warning names
SHOWN = 20  # columns that a message lists; of more, those whose names are the closest


def column_names(path):
    """Names of the columns of the tables of a FITS catalog, in small letters."""
    with _tables(path) as tables:
        return [name.lower() for table in tables for name in table.columns.names]


def read_columns(path, names):
    """Read columns of numbers of a FITS catalog: of the first of its tables that has them all.

    Parameters
    ----------
    path : Path
    names : sequence of str
        In small or capital letters, whichever the catalog has.

    Returns
    -------
    columns : list of ndarray of shape (n_rows,)

    Raises
    ------
    OSError
        Where the file cannot be read.
    ValueError
        Where a column is missing, or does not hold one number in each row.
    """
    wanted = [name.lower() for name in names]
    with _tables(path) as tables:
        table = table_with(path, tables, names)
        known = [name.lower() for name in table.columns.names]
        columns = [np.array(table.data.field(known.index(name))) for name in wanted]
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or column.dtype.kind not in "iuf":
            raise ValueError(f"column {name} of {path} holds {column.dtype} of shape {column.shape}: want numbers")
    return columns


def check_columns(path, names):
    """Number of rows of the table that `read_columns` would read these columns of; it raises the same, but no data."""
    with _tables(path) as tables:
        return table_with(path, tables, names).header["NAXIS2"]


def table_with(path, tables, names):
    """The first of the tables that has all of these columns; ValueError where none has, naming what there is."""
    missing = [[name for name in names if name.lower() not in _small(table)] for table in tables]
    best = min(range(len(tables)), key=lambda number: len(missing[number]))
    if missing[best]:
        found = [name for table in tables for name in table.columns.names]
        has = ", ".join(found if len(found) <= SHOWN else [*_closest(missing[best], found), "..."])
        raise ValueError(
            f"{path} has no column {', '.join(missing[best])}: it has {has}; "
            "set the columns of the survey in data_paths.py"
        )
    return tables[best]


def _small(table):
    return {name.lower() for name in table.columns.names}


def _closest(names, found):
    """Of many names that were found, those that are most like one of the names."""

    def likeness(name):
        return max(SequenceMatcher(None, name.lower(), wanted.lower()).ratio() for wanted in names)

    return sorted(dict.fromkeys(found), key=likeness, reverse=True)[:SHOWN]


@contextmanager
def _tables(path):
    """Tables of a FITS catalog, at least one; an unreadable file is an OSError that names it."""
    with opened(path, memmap=path.suffix != ".gz") as hdus:
        try:
            tables = [hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)) and _is_whole(hdu)]
            if not tables:
                raise OSError("it holds no table")
        except (OSError, TypeError, ValueError, EOFError, zlib.error) as problem:
            raise OSError(f"{path} cannot be read as a FITS catalog ({problem}): fetch the file again") from problem
        yield tables


def _is_whole(hdu):
    """Whether the rows of a table are there: that they can be looked at, or an exception."""
    return hdu.data is not None


def _are_ids(column):
    """Which numbers of a column are ids: whole ones from 1 to LARGEST_ID."""
    return (column >= 1) & (column <= LARGEST_ID) & (column == np.floor(column))


def read_ids(path, id_column=ID):
    """The ids of a FITS catalog, frozenset of int; what is no id is left out."""
    (column,) = read_columns(path, [id_column])
    return frozenset(column[_are_ids(column)].astype(np.int64).tolist())


def read_redshifts(path, asked_for, id_column=ID, z_columns=Z_COLUMNS):
    """Redshifts of all galaxies of a FITS catalog; NaN where a redshift is not known, or cannot be true.

    Parameters
    ----------
    path : Path
    asked_for : sequence of int
        Ids whose redshifts are worth a warning.
    id_column : str
    z_columns : tuple of str
        Of the 16%, 50% and 84% quantiles of the redshift; or of the redshift and its error; or of the redshift alone.

    Returns
    -------
    redshifts : dict
        id -> (z_16, z_50, z_84); without an error, z_16 and z_84 are NaN.

    Warns
    -----
    UserWarning
        Where galaxies that are asked for have redshifts that cannot be true, and where rows of one id differ, in which
        case its redshift is not known.
    """
    column, *values = read_columns(path, [id_column, *z_columns])
    are_ids = _are_ids(column)
    ids, found = column[are_ids].astype(np.int64), np.column_stack(values).astype(float)[are_ids]
    possible = (found >= 0) & (found <= MOST_REDSHIFT)
    _warn_of_impossible(path, z_columns, ids, found, ~possible, asked_for)
    found = _as_range(np.where(possible, found, np.nan))

    unique, first, which = np.unique(ids, return_index=True, return_inverse=True)
    known = found[first]
    agree = (found == known[which]) | (np.isnan(found) & np.isnan(known[which]))
    differing = np.unique(which[~agree.all(axis=1)])
    if differing.size:
        some = _some([str(id_dr3) for id_dr3 in unique[differing]])
        warnings.warn(f"{path} has rows that differ for id {some}: their redshift counts as unknown", stacklevel=3)
    known[differing] = np.nan
    return dict(zip(unique.tolist(), map(tuple, known.tolist()), strict=True))


def _as_range(found):
    """Low, middle and high redshift of each galaxy, from as many columns as there are."""
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
            f"{path} has no possible redshift, from 0 to {MOST_REDSHIFT:g}, for {len(said)} of the galaxies asked for, "
            f"which counts as unknown: {_some(said, '; ')}",
            stacklevel=4,
        )


def read_spectroscopic(path, id_column, name):
    """Redshifts from spectra, of the galaxies of a FITS catalog that have one.

    Parameters
    ----------
    path : Path
    id_column : str
    name : str
        Of the column of redshifts: what is not above 0, such as -99, stands for none.

    Returns
    -------
    redshifts : dict
        id -> (z, z, z), as of `read_redshifts`; empty where there is no such column. An id whose rows differ is left
        out.
    """
    if name.lower() not in column_names(path):
        return {}
    ids, values = read_columns(path, [id_column, name])
    rows = _are_ids(ids) & (values > 0) & (values <= MOST_REDSHIFT)
    own = _values_of(ids[rows].astype(np.int64), values[rows])
    return {id_dr3: (found[0],) * 3 for id_dr3, found in own.items() if len(set(found)) == 1}


def read_magnifications(path, name, asked_for, id_column=ID):
    """Magnifications by lensing from a column of a FITS catalog.

    Parameters
    ----------
    path : Path
    name : str
        Of the column.
    asked_for : sequence of int
        Ids that they are wanted of.
    id_column : str
        Name of the column of ids.

    Returns
    -------
    magnifications : dict
        id -> a number above 0; an id without a possible one, or with several that differ, is left out.

    Warns
    -----
    UserWarning
        Where galaxies that are asked for have magnifications that cannot be.
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
        warnings.warn(f"{message} galaxies asked for, which counts as unknown: {_some(wrong, '; ')}", stacklevel=2)
    return found


def _values_of(ids, values):
    """What a column has for each id, {id: list of float}: more than one number where an id has several rows."""
    found = {}
    for id_dr3, value in zip(ids.tolist(), values.astype(float).tolist(), strict=True):
        found.setdefault(id_dr3, []).append(value)
    return found


def _some(texts, between=", "):
    return between.join(texts[:SAID]) + (f"{between}and {len(texts) - SAID} more" if len(texts) > SAID else "")
