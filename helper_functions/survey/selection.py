"""Which galaxies are asked for: ids, files of ids, all of the catalog, or those for which a selection holds."""

import warnings
from collections import Counter
from difflib import get_close_matches
from pathlib import Path

import numpy as np

import data_paths
from helper_functions.survey.catalogs import column_names, read_columns, read_ids
from helper_functions.survey.expressions import names_in, select
from helper_functions.survey.images import find_catalogs
from helper_functions.survey.mosaics import find_segments, open_mosaic

ALL = "all"  # stands for every id of the catalog
SIZE = "n_pix"  # in a selection, the number of pixels of the segment
SAID = 10  # ids, or columns, that a message names


def galaxies(read_id):
    """Reader of the galaxies asked for, ids or names of files that hold ids; gives a list of ids, or ALL.

    In a file, ids are separated by blanks, commas or new lines, and what follows a # is a comment.

    Parameters
    ----------
    read_id : callable
        read_id(name, value) -> id, or ValueError that says what an id may be.
    """

    def read(_, values):
        values = values if isinstance(values, list | tuple) else [values]
        if ALL in values:
            return ALL
        ids = [id_dr3 for value in values for id_dr3 in _ids_of(value, read_id)]
        if not ids:
            raise ValueError("no galaxy asked for: put an id into ID_DR3_LIST or --ids")
        twice = [str(id_dr3) for id_dr3, times in Counter(ids).items() if times > 1]
        if twice:
            more = f" and {len(twice) - SAID} more" if len(twice) > SAID else ""
            warnings.warn(f"asked for twice, done once: id {', '.join(twice[:SAID])}{more}", stacklevel=2)
        return list(dict.fromkeys(ids))

    return read


def _ids_of(value, read_id):
    """Ids that a value stands for: itself, or what the file of that name holds."""
    if not isinstance(value, str | Path) or str(value).isdigit():
        return [read_id("id_dr3", value)]
    path = Path(value).expanduser()
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError as problem:
        raise ValueError(
            f"id_dr3 must be a whole number of at least 1, {ALL}, or a file of ids: found {str(value)!r}, "
            "and there is no such file"
        ) from problem
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path} is no file of ids: it holds no text") from problem
    ids = []
    for number, line in enumerate(lines, start=1):
        for word in line.partition("#")[0].replace(",", " ").split():
            try:
                ids.append(read_id("id_dr3", word))
            except ValueError as problem:
                raise ValueError(f"{path}, line {number}: {problem}") from problem
    return ids


def selection(_, value):
    """Read a selection, which is checked as far as it can be without the catalogs."""
    expression = str(value)
    select(expression, {name: np.ones(1) for name in names_in(expression)})
    return expression


def chosen_ids(wanted, expression, folder, survey):
    """Ids of the galaxies that are asked for, a list.

    Parameters
    ----------
    wanted : list of int or ALL
        Taken in this order, or all by rising id.
    expression : str or None
        Condition that must hold for them, see `expressions`.
    folder : path
        Of the survey.
    survey : str
        A key of `data_paths.SURVEYS`.

    Raises
    ------
    OSError, ValueError
        Where a catalog cannot be read, the selection names a column that neither catalog has, or holds for no galaxy.
    """
    if wanted != ALL and expression is None:
        return wanted
    catalogs = find_catalogs(folder, survey)
    id_column = data_paths.SURVEYS[survey].id_column
    known = read_ids(catalogs[0], id_column)
    asked = sorted(known) if wanted == ALL else wanted
    if expression is None:
        return asked
    ids, columns = _columns_for(expression, known, *catalogs, id_column.lower())
    true = frozenset(ids[select(expression, columns)].tolist()) & known
    chosen = [id_dr3 for id_dr3 in asked if id_dr3 in true]
    if not chosen:
        raise ValueError(f"the selection {expression!r} holds for none of {len(asked)} galaxies")
    return chosen


def _columns_for(expression, known, super_catalog, sps_catalog, segmap, id_column):
    """Ids of the rows of the photometric catalog, and the columns that the expression names, as `select` takes them.

    Those of the catalog of redshifts are NaN where it has no row of that id.
    """
    own, others, names = column_names(super_catalog), column_names(sps_catalog), names_in(expression)
    for name in names:
        if name not in (*own, *others, SIZE):
            alike = ", ".join(get_close_matches(name, {*own, *others, SIZE}, SAID)) or "none that is alike"
            raise ValueError(
                f"the selection {expression!r} names {name!r}, which is no column of {super_catalog} or {sps_catalog}: "
                f"there is {alike}"
            )
    mine = [name for name in names if name in own and name not in (id_column, SIZE)]
    theirs = [name for name in names if name not in (*mine, id_column, SIZE)]
    ids, *values = read_columns(super_catalog, [id_column, *mine])
    columns = {id_column: ids} | dict(zip(mine, values, strict=True))
    if theirs:
        other_ids, *values = read_columns(sps_catalog, [id_column, *theirs])
        row_of = {id_dr3: row for row, id_dr3 in enumerate(other_ids.tolist())}
        rows = np.array([row_of.get(id_dr3, -1) for id_dr3 in ids.tolist()], dtype=int)
        columns |= {
            name: np.append(column.astype(float), np.nan)[rows]  # row -1 is the NaN
            for name, column in zip(theirs, values, strict=True)
        }
    if SIZE in names:
        segments = find_segments(open_mosaic(segmap, data_paths.cache_folder()), known)
        columns[SIZE] = np.array([segments[id_dr3].n_pixels if id_dr3 in segments else 0 for id_dr3 in ids.tolist()])
    return ids, columns
