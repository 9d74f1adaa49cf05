"""Selection of galaxies by an expression of columns of the catalogs, such as "z_50 > 1 and n_pix > 500".

The expression is parsed and evaluated node by node, and never executed as Python code. Missing values are treated as in
SQL: a comparison with a missing value is neither true nor false but unknown, and so is its negation.
"""

import ast
import operator
from typing import NamedTuple

import numpy as np

from helper_functions.registry import choose

FUNCTIONS = {"abs": np.abs, "log10": np.log10, "sqrt": np.sqrt, "isfinite": np.isfinite}
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ALLOWED = "columns, numbers, + - * / **, comparisons, and, or, not, parentheses, and the functions " + ", ".join(
    FUNCTIONS
)


class Condition(NamedTuple):
    """Where a condition is true and where it is false; where neither, it is unknown."""

    true: np.ndarray
    false: np.ndarray


def names_in(expression):
    """Names of the columns in an expression, in lower case, in the order of their first appearance.

    Raises
    ------
    ValueError
        Where it cannot be parsed.
    """
    names = []
    for node in ast.walk(_parsed(expression)):
        if isinstance(node, ast.Name) and node.id not in FUNCTIONS:
            names.append(node.id.lower())
    return list(dict.fromkeys(names))


def select(expression, columns):
    """Rows for which an expression is true.

    Parameters
    ----------
    expression : str
        Upper and lower case in names of columns are not distinguished.
    columns : dict
        Name in lower case -> ndarray of shape (n_rows,). Columns of bool, also masked arrays, are conditions; NaN and
        masked values are missing. A comparison with a missing value is unknown, also with `!=` and after `not`;
        `or` is true if one side is true, and `and` false if one side is false, whatever the other. `isfinite` is always
        known.

    Returns
    -------
    bool ndarray of shape (n_rows,)
        False where the expression is false or unknown.

    Raises
    ------
    ValueError
        If the expression cannot be parsed, has elements that are not in ALLOWED, names a missing column, or is not a
        condition.
    """
    with np.errstate(all="ignore"):  # about NaN, for which the comparison is unknown
        result = _value(_parsed(expression), expression, columns)
    if not isinstance(result, Condition):
        raise ValueError(f"the selection {expression!r} gives numbers, not true or false: compare them with something")
    n_rows = len(next(iter(columns.values()), ()))
    return np.broadcast_to(result.true, (n_rows,)).copy()


def _parsed(expression):
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise ValueError(f"the selection {expression!r} cannot be read: it may hold {ALLOWED}") from problem


def _value(node, expression, columns):
    """Value of a node of the parsed expression: a `Condition`, or float numbers; arrays, or a single value."""

    def of(part):
        return _value(part, expression, columns)

    def number(part):
        return _numbers(of(part))

    def condition(part):
        value = of(part)
        if not isinstance(value, Condition):
            message = "joins numbers with and, or, not: compare them with something"
            raise ValueError(f"the selection {expression!r} {message}")
        return value

    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return np.float64(value)
        case ast.Name(id=name):
            return _column(choose(columns, name.lower(), "column"))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _negated(condition(operand))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            return ARITHMETIC[type(sign)](number(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in ARITHMETIC:
            return ARITHMETIC[type(sign)](number(left), number(right))
        case ast.BoolOp(op=ast.And(), values=values):
            return _all_of([condition(value) for value in values])
        case ast.BoolOp(op=ast.Or(), values=values):
            return _negated(_all_of([_negated(condition(value)) for value in values]))
        case ast.Compare(left=left, ops=signs, comparators=others) if all(type(sign) in COMPARISONS for sign in signs):
            sides = [number(side) for side in (left, *others)]
            pairs = zip(signs, sides[:-1], sides[1:], strict=True)
            return _all_of([_compared(COMPARISONS[type(sign)], a, b) for sign, a, b in pairs])
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return _column(FUNCTIONS[name](number(argument)))
    part = ast.get_source_segment(expression.strip(), node) or type(node).__name__
    raise ValueError(f"the selection {expression!r} holds {part!r}: it may hold {ALLOWED}")


def _column(values):
    """A column as `Condition` if it is bool, else as floats; masked values are unknown, or NaN."""
    known, values = ~np.ma.getmaskarray(values), np.ma.getdata(values)
    if values.dtype == bool:
        return Condition(values & known, ~values & known)
    return np.where(known, values.astype(float), np.nan)


def _numbers(value):
    """Numbers as they are, and a `Condition` as 1, 0, and NaN where it is unknown."""
    return np.select(value, [1.0, 0.0], np.nan) if isinstance(value, Condition) else value


def _compared(compare, one, other):
    known, true = ~(np.isnan(one) | np.isnan(other)), compare(one, other)
    return Condition(true & known, ~true & known)


def _negated(condition):
    return Condition(condition.false, condition.true)


def _all_of(conditions):
    """Whether all conditions are true: false if one is false, even if others are unknown."""
    true, false = zip(*conditions, strict=True)
    every, some = np.logical_and.reduce, np.logical_or.reduce
    return Condition(every(np.broadcast_arrays(*true)), some(np.broadcast_arrays(*false)))
