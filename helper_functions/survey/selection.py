"""Selection of the galaxies: a list of ids or the whole catalog, optionally restricted by a condition."""

from difflib import get_close_matches

import numpy as np

import data_paths
from helper_functions.survey.catalogs import column_names, logical_columns, read_columns, read_ids
from helper_functions.survey.expressions import names_in, select
from helper_functions.survey.images import find_catalogs
from helper_functions.survey.mosaics import find_segments, open_mosaic

ALL = "all"  # stands for every id of the catalog
SEGMENT_SIZE = "n_pix"  # in a condition, the number of pixels of the segment
MAX_LISTED = 10  # column names that a message lists


def chosen_ids(wanted, expression, folder, survey):
    """Ids of the requested galaxies.

    Parameters
    ----------
    wanted : list of int, or ALL
    expression : str or None
        Only galaxies for which this holds, over columns of both catalogs and `n_pix`, the size of the segment in
        pixels; see `expressions.select`.
    folder : path
        The survey folder; catalogs are read only if needed.
    survey : str
        A key of `data_paths.SURVEYS`.

    Returns
    -------
    list of int
        In the order of `wanted`, or in ascending order where that is ALL.

    Raises
    ------
    OSError, ValueError
        If a catalog cannot be read, or the condition names a column that neither catalog has, or selects no galaxy.
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
    """Ids of the rows of the photometric catalog, and the columns in the expression, {name: values}, in that order.

    Columns of the catalog of redshifts are joined by id, and NaN for ids without a row. Logical columns are bool, as
    masked arrays.
    """
    own, others, names = column_names(super_catalog), column_names(sps_catalog), names_in(expression)
    for name in names:
        if name not in (*own, *others, SEGMENT_SIZE):
            similar = get_close_matches(name, {*own, *others, SEGMENT_SIZE}, MAX_LISTED)
            raise ValueError(
                f"the selection {expression!r} names {name!r}, which is no column of {super_catalog} or {sps_catalog}: "
                f"there is {', '.join(similar) or 'none with a similar name'}"
            )
    from_photometry = [name for name in names if name in own and name not in (id_column, SEGMENT_SIZE)]
    from_redshifts = [name for name in names if name not in (*from_photometry, id_column, SEGMENT_SIZE)]
    ids, *values = read_columns(super_catalog, [id_column, *from_photometry])
    columns = {id_column: ids} | dict(zip(from_photometry, values, strict=True))
    if from_redshifts:
        other_ids, *values = read_columns(sps_catalog, [id_column, *from_redshifts])
        row_of = {id_dr3: row for row, id_dr3 in enumerate(other_ids.tolist())}
        rows = np.array([row_of.get(id_dr3, -1) for id_dr3 in ids.tolist()], dtype=int)
        for name, column in zip(from_redshifts, values, strict=True):
            columns[name] = np.append(column.astype(float), np.nan)[rows]  # row -1 is the NaN
    logical = logical_columns(super_catalog), logical_columns(sps_catalog)
    for name in logical[0].intersection(from_photometry) | logical[1].intersection(from_redshifts):
        columns[name] = np.ma.masked_array(columns[name] == 1, np.isnan(columns[name]))
    if SEGMENT_SIZE in names:
        segments = find_segments(open_mosaic(segmap, data_paths.cache_folder()), known)
        sizes = {id_dr3: segment.n_pixels for id_dr3, segment in segments.items()}
        columns[SEGMENT_SIZE] = np.array([sizes.get(id_dr3, 0) for id_dr3 in ids.tolist()])
    return ids, columns
