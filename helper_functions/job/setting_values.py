"""How values of settings are read: from the settings block, with their type, or as text from the command line.

Each function gives read(name, value), which returns the value with its type, or raises ValueError saying what it may
be.
"""

import csv
import math
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helper_functions.registry import choose
from helper_functions.survey.catalogs import MAX_REDSHIFT
from helper_functions.survey.expressions import names_in, select
from helper_functions.survey.selection import ALL

UNSET = "default"  # on the command line, this stands for the None of the settings block
MAX_LISTED = 10  # ids that a warning lists


def number(kind, lowest=None, highest=math.inf, word=None):
    """Reader of a finite int or float, or of one word that may stand for it."""

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
    """Reader of a name out of `options`."""

    def read(name, value):
        choose(dict.fromkeys(options), value, kind)
        return value

    return read


def optional(read):
    """Reader of a setting that may be None."""
    return lambda name, value: None if value in (None, UNSET, [UNSET]) else read(name, value)


def list_of(read, at_least_one=""):
    """Reader of a list without repeats, where a single value is a list of one; or of one that must not be empty."""

    def read_all(name, values):
        values = values if isinstance(values, list | tuple) else [values]
        result = list(dict.fromkeys(read(name, value) for value in values))
        if at_least_one and not result:
            raise ValueError(at_least_one)
        return result

    return read_all


def boolean(name, value):
    """Read True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, found {value!r}")
    return value


def folder(name, value):
    """Read a folder, as an absolute path; None stays None."""
    if value is None:
        return None
    if not str(value).strip():
        raise ValueError(f"{name} must be a folder, found {value!r}")
    return str(Path(value).expanduser().absolute())


def text(name, value):
    """Read a text; None stays None."""
    return None if value is None else str(value)


def parse_pairs(name, values, want):
    """A dictionary, or texts "key=value" of the command line, as a dictionary; `want` says what they may be."""
    if isinstance(values, dict):
        return values
    pairs = [str(each).partition("=") for each in (values if isinstance(values, list | tuple) else [values])]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError(f"{name} must be {want}, found {values!r}")
    return {key: value for key, _, value in pairs}


def mapping_of(read_name, read):
    """Reader of {name: value}."""

    def read_all(name, values):
        pairs = parse_pairs(name, {} if values in (UNSET, [UNSET]) else values, "given as NAME=VALUE")
        return {read_name(name, key): read(name, value) for key, value in pairs.items()}

    return read_all


def priors(check):
    """Reader of bounds of some priors, {name: (low, high)}; `check` raises ValueError for those that make no sense."""
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

    return read


def magnification(name, value):
    """Read a magnification by lensing: a number above 0, or the name of a column."""
    if isinstance(value, str) and value.isidentifier() and value not in ("nan", "inf"):
        return value
    return positive(name, value)


def positive(name, value):
    """Read a number above 0."""
    result = number(float, lowest=0)(name, value)
    if result == 0:
        raise ValueError(f"{name} must be above 0, found {value!r}")
    return result


# ---- single galaxies --------------------------------------------------------


class GalaxySettings(NamedTuple):
    """Settings of a single galaxy: a row of the table that the setting `galaxies` names."""

    redshift: float | None = None  # instead of that of the catalog
    neighbours_added: tuple = ()  # ids of segments that are taken in whatever their redshift
    neighbours_excluded: tuple = ()  # ids of segments that are not taken in, whatever their redshift
    magnification: float | None = None  # by lensing


def galaxy_table(read_id):
    """Reader of a CSV table with a column `id` and any of the fields of `GalaxySettings`: {id: GalaxySettings}.

    Several ids in one cell have blanks between them; an empty cell leaves the setting as it is for all galaxies.

    Parameters
    ----------
    read_id : callable
        read_id(name, value) -> id, or ValueError that says what an id may be.
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
    """Reader of the galaxies asked for: ids or names of files of ids, which gives a list of ids; or the word ALL.

    In a file, ids are separated by blanks, commas or new lines, and what follows a # is a comment. An id that comes
    twice is kept once, with a warning.

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
            more = f" and {len(twice) - MAX_LISTED} more" if len(twice) > MAX_LISTED else ""
            warnings.warn(f"asked for twice, done once: id {', '.join(twice[:MAX_LISTED])}{more}", stacklevel=2)
        return list(dict.fromkeys(ids))

    return read


def _ids_of(value, read_id):
    """The ids that a value stands for: itself, or those in the file of that name."""
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
    """Read a selection, an expression over columns, and check it as far as that is possible without the catalogs."""
    expression = str(value)
    select(expression, {name: np.ones(1) for name in names_in(expression)})
    return expression
