"""Selection of galaxies by an expression of columns of the catalogs, such as "z_50 > 1 and n_pix > 500".

The expression is parsed and evaluated node by node, and never executed as Python code.
"""

import ast
import operator

import numpy as np

from helper_functions.registry import choose

FUNCTIONS = {"abs": np.abs, "log10": np.log10, "sqrt": np.sqrt, "isfinite": np.isfinite}
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
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
        Name in lower case -> ndarray of shape (n_rows,). A comparison with NaN is false, except `!=`.

    Returns
    -------
    bool ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If the expression cannot be parsed, has elements that are not in ALLOWED, names a missing column, or is not a
        condition.
    """
    with np.errstate(all="ignore"):  # about NaN, for which the comparison is false
        result = _value(_parsed(expression), expression, columns)
    if np.asarray(result).dtype != bool:
        raise ValueError(f"the selection {expression!r} gives numbers, not true or false: compare them with something")
    n_rows = len(next(iter(columns.values()), ()))
    return np.broadcast_to(result, (n_rows,)).copy()


def _parsed(expression):
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise ValueError(f"the selection {expression!r} cannot be read: it may hold {ALLOWED}") from problem


def _value(node, expression, columns):
    """Value of a node of the parsed expression: an array, or a single number."""

    def of(part):
        return _value(part, expression, columns)

    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return np.float64(value)
        case ast.Name(id=name):
            return choose(columns, name.lower(), "column")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_condition(of(operand), expression)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            return OPERATORS[type(sign)](of(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            return OPERATORS[type(sign)](of(left), of(right))
        case ast.BoolOp(op=op, values=values):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return join.reduce(np.broadcast_arrays(*(_condition(of(value), expression) for value in values)))
        case ast.Compare(left=left, ops=signs, comparators=others) if all(type(sign) in OPERATORS for sign in signs):
            sides = [of(side) for side in (left, *others)]
            pairs = zip(signs, sides[:-1], sides[1:], strict=True)
            return np.logical_and.reduce(np.broadcast_arrays(*(OPERATORS[type(sign)](a, b) for sign, a, b in pairs)))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](of(argument))
    part = ast.get_source_segment(expression.strip(), node) or type(node).__name__
    raise ValueError(f"the selection {expression!r} holds {part!r}: it may hold {ALLOWED}")


def _condition(value, expression):
    if np.asarray(value).dtype != bool:
        raise ValueError(f"the selection {expression!r} joins numbers with and, or, not: compare them with something")
    return value
