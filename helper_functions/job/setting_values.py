"""Readers of setting values, from the settings block, or as text from the command line.

A reader is a function read(name, value) that returns the value with its type, or raises ValueError with the allowed
values. Readers of names have an attribute `options` with these names, for the help text.
"""

import csv
import glob
import math
import os
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_paths import cache_folder
from helper_functions.registry import choose
from helper_functions.survey.catalogs import MAX_REDSHIFT
from helper_functions.survey.expressions import names_in, select
from helper_functions.survey.region_files import ID, check_regions
from helper_functions.survey.selection import ALL

UNSET = "default"  # stands on the command line for None in the settings block
MAX_LISTED = 10  # ids that a warning lists


def number(kind, lowest=None, highest=math.inf, word=None):
    """Reader of a finite int or float, or of one word that is allowed instead."""

    def read(name, value):
        if word is not None and value == word:
            return value
        try:
            result = kind(value)
            good = math.isfinite(result) and (isinstance(value, str) or result == value)
            good = good and (lowest is None or result >= lowest) and result <= highest
        except (TypeError, ValueError, OverflowError):
            good = False
        if not good:
            what = "a whole number" if kind is int else "a number"
            above = "" if lowest is None else f" of at least {lowest}"
            above += f" and at most {highest}" if highest < math.inf and str(value).isdigit() else ""
            other = "" if word is None else f' or "{word}"'
            raise ValueError(f"{name} must be {what}{above}{other}, found {value!r}")
        return result

    return read


def one_of(options, kind):
    """Reader of one of the names in `options`."""

    def read(name, value):
        choose(dict.fromkeys(options), value, kind)
        return value

    read.options = options
    return read


def optional(read):
    """Reader of a setting that may be None."""

    def read_optional(name, value):
        return None if value is None or _is_unset(value) else read(name, value)

    read_optional.is_optional = True
    read_optional.options = getattr(read, "options", ())
    return read_optional


def _is_unset(value):
    return isinstance(value, str | list | tuple) and value in (UNSET, [UNSET], (UNSET,))


def as_list(values):
    """Convert one value, or any collection of values such as an array or a range, to a list."""
    if isinstance(values, str | Path) or not isinstance(values, Iterable):
        return [values]
    if isinstance(values, np.ndarray):
        values = values.ravel().tolist()  # also for a single number
    return sorted(values) if isinstance(values, set | frozenset) else list(values)


def list_of(read, if_empty=""):
    """Reader of a list without duplicates, or of a single value; an empty list raises the error `if_empty`, if any."""

    def read_all(name, values):
        # None is a value if the reader accepts it, and else an empty list.
        values = [] if values is None and not getattr(read, "is_optional", False) else as_list(values)
        result = list(dict.fromkeys(read(name, value) for value in values))
        if if_empty and not result:
            raise ValueError(if_empty)
        return result

    read_all.options = getattr(read, "options", ())
    return read_all


def boolean(name, value):
    """Read True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, found {value!r}")
    return bool(value)


def folder(name, value):
    """Read a folder, as an absolute path; None stays None."""
    if value is None:
        return None
    if not str(value).strip():
        raise ValueError(f"{name} must be a folder, found {value!r}")
    return str(Path(value).expanduser().absolute())


def region_files(name, value):
    """Read the name of a file of regions, or a pattern for the files of all galaxies, as an absolute path."""
    path = Path(str(value)).expanduser().absolute()
    if not any(map(os.path.isfile, glob.glob("*".join(map(glob.escape, str(path).split(ID)))))):
        raise ValueError(f"{name} must be a file of regions, or with {ID} in its name one for each galaxy: no {path}")
    if ID not in str(path):
        check_regions(path, cache_folder())
    return str(path)


def band(_, value):
    """Read the name of a band, in lower case."""
    return str(value).strip().lower()


def text(name, value):
    """Read a text; None stays None."""
    return None if value is None else str(value)


def parse_pairs(name, values, want):
    """Dictionary from a dictionary or from texts "key=value"; `want` describes the expected form in the error."""
    if isinstance(values, dict):
        return values
    if values is None or _is_unset(values):
        return {}
    pairs = [str(each).partition("=") for each in as_list(values)]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError(f"{name} must be {want}, found {values!r}")
    return {key: value for key, _, value in pairs}


def mapping_of(read_name, read):
    """Reader of a dictionary whose keys are read by `read_name` and whose values by `read`."""

    def read_all(name, values):
        pairs = parse_pairs(name, values, "given as NAME=VALUE")
        return {read_name(name, key): read(name, value) for key, value in pairs.items()}

    return read_all


def priors(check, options):
    """Reader of the bounds of some priors, {name: (low, high)}; `check` raises ValueError for invalid bounds."""
    want = "NAME=LOW,HIGH with two numbers"

    def read(name, values):
        result = {}
        for key, bounds in parse_pairs(name, values, want).items():
            bounds = bounds.split(",") if isinstance(bounds, str) else bounds
            try:
                low, high = (number(float)(name, bound) for bound in bounds)
            except (TypeError, ValueError) as problem:
                raise ValueError(f"{name} must be {want}, found {key}={bounds!r}") from problem
            result[key] = (low, high)
        check(result)
        return result

    read.options = options
    return read


def magnification(name, value):
    """Read a lensing magnification: a number above 0, or the name of a column."""
    if isinstance(value, str) and value.isidentifier() and value not in ("nan", "inf"):
        return value
    return positive(name, value)


def map_files(name, values):
    """Read the names of one or two files, as absolute paths."""
    paths = [Path(str(value)).expanduser().absolute() for value in as_list(values)]
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise ValueError(f"{name} must be FITS files: there is no {', '.join(missing)}")
    if len(paths) not in (1, 2):
        raise ValueError(f"{name} must be one file (magnification) or two (convergence, shear), found {len(paths)}")
    return list(map(str, paths))


def positive(name, value):
    """Read a number above 0."""
    result = number(float, lowest=0)(name, value)
    if result == 0:
        raise ValueError(f"{name} must be above 0, found {value!r}")
    return result


# ---- single galaxies --------------------------------------------------------


class GalaxySettings(NamedTuple):
    """Settings of a single galaxy: a row of the table of the setting `galaxies`."""

    redshift: float | None = None  # replaces that of the catalog
    neighbours_added: tuple = ()  # ids of neighbouring segments that are included whatever their redshift
    neighbours_excluded: tuple = ()  # ids of neighbouring segments that are left out whatever their redshift
    magnification: float | None = None  # by lensing


def galaxy_table(read_id):
    """Reader of a CSV table with a column `id` and any of the fields of `GalaxySettings`: {id: GalaxySettings}.

    Several ids in one cell are separated by blanks; an empty cell keeps the setting of all galaxies. Ids are read
    by `read_id`.
    """
    ids = list_of(read_id)
    readers = {
        "redshift": number(float, lowest=0, highest=MAX_REDSHIFT),
        "neighbours_added": lambda name, cell: tuple(ids(name, cell.split())),
        "neighbours_excluded": lambda name, cell: tuple(ids(name, cell.split())),
        "magnification": positive,
    }

    def read(name, value):
        if isinstance(value, dict):
            return value
        path, found = Path(str(value)).expanduser(), {}
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:
                table = csv.DictReader(file)
                wrong = [column for column in table.fieldnames or [] if column not in ("id", *readers)]
                if wrong or "id" not in (table.fieldnames or []):
                    raise ValueError(
                        f"{path} has the columns {', '.join(table.fieldnames or ['none'])}: want id and any of "
                        f"{', '.join(readers)}"
                    )
                for row in table:
                    id_dr3 = read_id("id", row.pop("id"))
                    if id_dr3 in found:
                        raise ValueError(f"id {id_dr3} comes twice")
                    cells = {column: cell.strip() for column, cell in row.items() if column and cell and cell.strip()}
                    known = {column: readers[column](column, cell) for column, cell in cells.items()}
                    found[id_dr3] = GalaxySettings(**known)
        except OSError as problem:
            raise ValueError(f"{name} {path} cannot be read ({problem.strerror or problem})") from problem
        except (ValueError, csv.Error) as problem:
            raise ValueError(f"{name} {path}, line {table.line_num}: {problem}") from problem
        return found

    return read


# ---- which galaxies ----------------------------------------------------------


def galaxies(read_id):
    """Reader of a list of galaxies, given as ids or files of ids, or as the word ALL. Ids are read by `read_id`.

    In a file, ids are separated by blanks, commas or newlines, and comments start with #. Duplicate ids are dropped
    with a warning.
    """

    def read(_, values):
        values = [] if values is None else as_list(values)
        if any(isinstance(value, str) and value == ALL for value in values):
            return ALL
        ids = [id_dr3 for value in values for id_dr3 in _ids_of(value, read_id)]
        if not ids:
            raise ValueError("no galaxy asked for: put an id into ID_DR3_LIST or --ids")
        twice = [str(id_dr3) for id_dr3, times in Counter(ids).items() if times > 1]
        if twice:
            more = f" and {len(twice) - MAX_LISTED} more" if len(twice) > MAX_LISTED else ""
            warnings.warn(f"duplicate ids are ignored: {', '.join(twice[:MAX_LISTED])}{more}", stacklevel=2)
        return list(dict.fromkeys(ids))

    return read


def _ids_of(value, read_id):
    """List with the given id, or of the ids in the file with this name."""
    if not isinstance(value, str | Path) or str(value).isdigit():
        return [read_id("id_dr3", value)]
    path = Path(value).expanduser()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as problem:
        raise ValueError(
            f"id_dr3 must be a whole number of at least 1, {ALL}, or a file of ids: found {str(value)!r}, "
            "and there is no such file"
        ) from problem
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path} is not a file of ids: it is not a text file in UTF-8") from problem
    except OSError as problem:
        raise ValueError(f"{path} is not a file of ids: it cannot be read ({problem.strerror})") from problem
    ids = []
    for number, line in enumerate(lines, start=1):
        for word in line.partition("#")[0].replace(",", " ").split():
            try:
                ids.append(read_id("id_dr3", word))
            except ValueError as problem:
                raise ValueError(f"{path}, line {number}: {problem}") from problem
    return ids


def selection(_, value):
    """Read a condition on catalog columns, and check its syntax by evaluating it with placeholder values.

    These are bool, which can be numbers and conditions; columns of numbers are known when the catalogs are read.
    """
    expression = str(value)
    select(expression, {name: np.ones(1, dtype=bool) for name in names_in(expression)})
    return expression
