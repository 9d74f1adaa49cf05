"""The survey's catalogs: which galaxies and bands there are, and redshifts that can be true."""

import warnings
import zlib
from contextlib import contextmanager

import numpy as np
from astropy.io import fits

from helper_functions.job.fits_windows import LARGEST_ID, opened

Z_COLUMNS = ("z_16", "z_50", "z_84")
MOST_REDSHIFT = 20.0  # no galaxy of such a survey is farther; codes for an unknown redshift are, or are below 0
SAID = 5  # ids that a warning names


def column_names(path):
    """Names of the columns of a FITS catalog, in small letters."""
    with _catalog(path) as table:
        return [name.lower() for name in table.names]


def read_columns(path, names):
    """Read columns of numbers of a FITS catalog.

    Parameters
    ----------
    path : Path
    names : sequence of str
        In small letters; the catalog may have them in capitals.

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
    with _catalog(path) as table:
        known = [name.lower() for name in table.names]
        missing = [name for name in names if name not in known]
        if missing:
            raise ValueError(f"{path} has no column {', '.join(missing)}: it has {', '.join(table.names)}")
        columns = [np.array(table.field(known.index(name))) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or column.dtype.kind not in "iuf":
            raise ValueError(f"column {name} of {path} holds {column.dtype} of shape {column.shape}: want numbers")
    return columns


@contextmanager
def _catalog(path):
    """Records of the first table of a FITS file; an unreadable one is an OSError that names the file."""
    with opened(path, memmap=path.suffix != ".gz") as hdus:
        try:
            table = next(hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))).data
        except (OSError, StopIteration, TypeError, ValueError, EOFError, zlib.error) as problem:
            reason = str(problem) or "it holds no table"
            raise OSError(f"{path} cannot be read as a FITS catalog ({reason}): fetch the file again") from problem
        yield table


def _are_ids(column):
    """Which numbers of a column are ids: whole ones from 1 to LARGEST_ID."""
    return (column >= 1) & (column <= LARGEST_ID) & (column == np.floor(column))


def read_ids(path):
    """The ids of a FITS catalog, frozenset of int; what is no id is left out."""
    (column,) = read_columns(path, ["id"])
    return frozenset(column[_are_ids(column)].astype(np.int64).tolist())


def read_redshifts(path, asked_for):
    """Redshifts of all galaxies of a FITS catalog; NaN where a redshift is not known, or cannot be true.

    Parameters
    ----------
    path : Path
    asked_for : sequence of int
        Ids whose redshifts are worth a warning.

    Returns
    -------
    redshifts : dict
        id -> (z_16, z_50, z_84)

    Warns
    -----
    UserWarning
        Where galaxies that are asked for have redshifts that cannot be true, and where rows of one id differ, in which
        case its redshift is not known.
    """
    column, *ranges = read_columns(path, ["id", *Z_COLUMNS])
    are_ids = _are_ids(column)
    ids, found = column[are_ids].astype(np.int64), np.column_stack(ranges).astype(float)[are_ids]
    possible = (found >= 0) & (found <= MOST_REDSHIFT)
    _warn_of_impossible(path, ids, found, ~possible, asked_for)
    found = np.where(possible, found, np.nan)

    unique, first, which = np.unique(ids, return_index=True, return_inverse=True)
    known = found[first]
    agree = (found == known[which]) | (np.isnan(found) & np.isnan(known[which]))
    differing = np.unique(which[~agree.all(axis=1)])
    if differing.size:
        some = _some([str(id_dr3) for id_dr3 in unique[differing]])
        warnings.warn(f"{path} has rows that differ for id {some}: their redshift counts as unknown", stacklevel=3)
    known[differing] = np.nan
    return dict(zip(unique.tolist(), map(tuple, known.tolist()), strict=True))


def _warn_of_impossible(path, ids, found, impossible, asked_for):
    wanted = np.isin(ids, [id_dr3 for id_dr3 in asked_for if 1 <= id_dr3 <= LARGEST_ID])
    said = []
    for row in np.flatnonzero(wanted & impossible.any(axis=1)):
        wrong = [f"{Z_COLUMNS[number]} {found[row, number]:g}" for number in np.flatnonzero(impossible[row])]
        said.append(f"id {ids[row]} {', '.join(wrong)}")
    if said:
        warnings.warn(
            f"{path} has no possible redshift, from 0 to {MOST_REDSHIFT:g}, for {len(said)} of the galaxies asked for, "
            f"which counts as unknown: {_some(said, '; ')}",
            stacklevel=4,
        )


def read_magnifications(path, name, asked_for):
    """Magnifications by lensing from a column of a FITS catalog.

    Parameters
    ----------
    path : Path
    name : str
        Of the column.
    asked_for : sequence of int
        Ids that they are wanted of.

    Returns
    -------
    magnifications : dict
        id -> a number above 0; an id without a possible one, or with several that differ, is left out.

    Warns
    -----
    UserWarning
        Where galaxies that are asked for have magnifications that cannot be.
    """
    ids, values = read_columns(path, ["id", name.lower()])
    possible = np.isfinite(values) & (values > 0)
    found, wrong = {}, []
    for id_dr3 in asked_for:
        own = ids == id_dr3
        if possible[own].all() and len(set(values[own].tolist())) == 1:
            found[id_dr3] = float(values[own][0])
        elif own.any():
            wrong.append(f"id {id_dr3} {', '.join(f'{value:g}' for value in values[own])}")
    if wrong:
        message = f"column {name} of {path} has no possible magnification, one number above 0, for {len(wrong)} of the"
        warnings.warn(f"{message} galaxies asked for, which counts as unknown: {_some(wrong, '; ')}", stacklevel=2)
    return found


def _some(texts, between=", "):
    return between.join(texts[:SAID]) + (f"{between}and {len(texts) - SAID} more" if len(texts) > SAID else "")
