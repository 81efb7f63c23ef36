"""sympy expressions as plain nested tuples, which both evaluators read.

("number", Fraction)  ("name", str)  ("add" | "mul" | "max" | "min", node, ...)
("power", base, exponent)  ("abs" | "sign" | "norm" | "mean", node)
("choice", (value, condition), ...)
("compare", operator, left, right)  ("and" | "or", condition, ...)  ("not", condition)
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, BooleanFalse, BooleanTrue, Not, Or

from optgen.symbols import mean, norm
from optgen.verify.verdicts import Unsupported

Tree = tuple[Any, ...]

_FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (sympy.Add, "add"),
    (sympy.Mul, "mul"),
    (sympy.Pow, "power"),
    (sympy.Max, "max"),
    (sympy.Min, "min"),
    (sympy.Abs, "abs"),
    (sympy.sign, "sign"),
    (norm, "norm"),
    (mean, "mean"),
    (And, "and"),
    (Or, "or"),
    (Not, "not"),
)


def serialise(expr: sympy.Basic) -> Tree:
    """Return an expression or a condition as nested tuples.

    Raises:
        Unsupported: It holds a function that the evaluators do not know.
    """
    if isinstance(expr, sympy.Symbol):
        return ("name", str(expr.name))
    if isinstance(expr, sympy.Rational):
        return ("number", Fraction(int(expr.p), int(expr.q)))
    if isinstance(expr, sympy.Piecewise):
        return ("choice", *((serialise(b.expr), serialise(b.cond)) for b in expr.args))
    if isinstance(expr, Relational):
        return ("compare", str(expr.rel_op), serialise(expr.lhs), serialise(expr.rhs))
    if isinstance(expr, BooleanTrue):
        return ("and",)
    if isinstance(expr, BooleanFalse):
        return ("or",)
    for kind, name in _FUNCTIONS:
        if isinstance(expr, kind):
            return (name, *(serialise(a) for a in expr.args))
    raise Unsupported(f"'{expr}' is outside what can be evaluated exactly")


def names(tree: Tree) -> frozenset[str]:
    """Return the names that a tree reads."""
    if tree[0] == "name":
        return frozenset((tree[1],))
    found: frozenset[str] = frozenset()
    for part in tree[1:]:
        if isinstance(part, tuple):
            # A branch of a choice is a pair of trees, without a tag of its own.
            parts = part if part and isinstance(part[0], tuple) else (part,)
            found = found.union(*(names(p) for p in parts))
    return found


def holds(tree: Tree, tags: tuple[str, ...]) -> bool:
    """Whether a node with one of the tags occurs in a tree."""
    if tree[0] in tags:
        return True
    for part in tree[1:]:
        if isinstance(part, tuple):
            parts = part if part and isinstance(part[0], tuple) else (part,)
            if any(holds(p, tags) for p in parts):
                return True
    return False


def constants(tree: Tree) -> Iterator[Fraction]:
    """Yield the numbers in a tree."""
    for part in tree:
        if isinstance(part, Fraction):
            yield part
        elif isinstance(part, tuple):
            yield from constants(part)
