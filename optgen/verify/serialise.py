"""sympy expressions as plain nested tuples, which both evaluators read.

("number", Fraction)  ("name", str)  ("add" | "mul" | "max" | "min", node, ...)
("power", base, exponent)  ("abs" | "sign" | "norm" | "mean", node)
("choice", (value, condition), ...)
("compare", operator, left, right)  ("and" | "or", condition, ...)  ("not", condition)

A part that occurs several times is one tuple. What walks over trees visits every
tuple once and keeps its own stack: neither deep nor much shared expressions cost more
than they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy
from sympy.core.relational import Relational
from sympy.logic.boolalg import ITE, And, BooleanFalse, BooleanTrue, Not, Or

from optgen.symbols import mean, norm
from optgen.verify.verdicts import Unsupported

Tree = tuple[Any, ...]

RELATIONS: Mapping[str, tuple[int, ...]] = {
    "<": (-1,),
    "<=": (-1, 0),
    ">": (1,),
    ">=": (0, 1),
    "==": (0,),
    "!=": (-1, 1),
}
"""For each operator, the signs of `left - right` for which the relation holds."""

_MOST_NODES = 50_000
_MOST_LEVELS = 1_000  # sympy and the standard library go down as deep as an expression
_WRITTEN_LEVELS = 6  # of an expression that a message quotes
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
        Unsupported: It holds a function that the evaluators do not know, or it is huge.
    """
    done: dict[int, tuple[Tree, int]] = {}
    todo: list[sympy.Basic] = [expr]
    while todo:
        node = todo[-1]
        if id(node) in done:
            todo.pop()
            continue
        missing = [part for part in node.args if id(part) not in done]
        if missing and not isinstance(node, sympy.Rational):
            todo += reversed(missing)
            continue
        todo.pop()
        parts = [done[id(part)] for part in node.args]
        level = 1 + max((depth for _, depth in parts), default=0)
        if level > _MOST_LEVELS or len(done) >= _MOST_NODES:
            raise Unsupported(
                f"an expression with more than {_MOST_NODES} parts or {_MOST_LEVELS} levels"
            )
        done[id(node)] = _node(node, tuple(tree for tree, _ in parts), level), level
    return done[id(expr)][0]


def _node(expr: sympy.Basic, parts: tuple[Tree, ...], level: int) -> Tree:
    if isinstance(expr, sympy.Symbol):
        return ("name", str(expr.name))
    if isinstance(expr, sympy.Rational):
        return ("number", Fraction(int(expr.p), int(expr.q)))
    if isinstance(expr, sympy.functions.elementary.piecewise.ExprCondPair):
        return parts
    if isinstance(expr, sympy.Piecewise):
        return ("choice", *parts)
    if isinstance(expr, Relational):
        return ("compare", str(expr.rel_op), *parts)
    if isinstance(expr, BooleanTrue):
        return ("and",)
    if isinstance(expr, BooleanFalse):
        return ("or",)
    if isinstance(expr, ITE):
        condition, then, other = parts
        return ("or", ("and", condition, then), ("and", ("not", condition), other))
    for kind, name in _FUNCTIONS:
        if isinstance(expr, kind):
            return (name, *parts)
    what = str(expr) if level <= _WRITTEN_LEVELS else type(expr).__name__
    raise Unsupported(f"'{what}' is outside what can be evaluated exactly")


def symbols_of(expr: sympy.Basic) -> set[sympy.Symbol]:
    """Return the symbols of an expression, as `free_symbols` does, but each part looked at once."""
    found: set[sympy.Symbol] = set()
    seen: set[int] = set()
    todo = [expr]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, sympy.Symbol):
            found.add(node)
        todo += node.args
    return found


def parts_of(tree: Tree) -> tuple[Tree, ...]:
    """Return the trees right below a node, or below a branch of a choice."""
    return tuple(part for part in tree if isinstance(part, tuple))


def walk(tree: Tree) -> Iterator[Tree]:
    """Yield a tree and all parts of it, branches of choices too, each tuple once."""
    seen: set[int] = set()
    todo = [tree]
    while todo:
        node = todo.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            todo += reversed(parts_of(node))


def names(tree: Tree) -> frozenset[str]:
    """Return the names that a tree reads."""
    return frozenset(node[1] for node in walk(tree) if node[0] == "name")


def holds(tree: Tree, tags: tuple[str, ...]) -> bool:
    """Whether a node with one of the tags occurs in a tree."""
    return any(node[0] in tags for node in walk(tree))


def constants(tree: Tree) -> Iterator[Fraction]:
    """Yield the numbers in a tree."""
    return (node[1] for node in walk(tree) if node[0] == "number")


def upwards(tree: Tree, value: Callable[[Tree, tuple[Any, ...]], Any]) -> Any:
    """Return what `value` makes of a tree, given what it made of the parts of each node."""
    done: dict[int, Any] = {}
    todo = [tree]
    while todo:
        node = todo[-1]
        parts = parts_of(node)
        missing = [part for part in parts if id(part) not in done]
        if missing:
            todo += reversed(missing)
            continue
        todo.pop()
        if id(node) not in done:
            done[id(node)] = value(node, tuple(done[id(part)] for part in parts))
    return done[id(tree)]


class Shapes:
    """Numbers for trees: the same number for the same tree, however much is shared in it."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, tree: Tree, definitions: Mapping[str, Tree]) -> int:
        """Return the number of a tree in which definitions stand in the place of names."""
        known: dict[str, int] = {}

        def of(node: Tree, parts: tuple[int, ...]) -> int:
            if node[0] == "name" and node[1] in known:
                return known[node[1]]
            own = tuple(part for part in node if not isinstance(part, tuple))
            return self._numbers.setdefault((own, parts), len(self._numbers))

        for name in in_order((tree,), definitions):
            if name in definitions:
                known[name] = upwards(definitions[name], of)
        number: int = upwards(tree, of)
        return number


def in_order(trees: tuple[Tree, ...], definitions: Mapping[str, Tree]) -> list[str]:
    """Return the names that trees need, each behind what it needs itself."""
    done: dict[str, None] = {}
    todo = [name for tree in reversed(trees) for name in sorted(names(tree), reverse=True)]
    while todo:
        name = todo[-1]
        below = sorted(names(definitions[name])) if name in definitions else []
        missing = [n for n in below if n not in done]
        if missing and name not in done:
            todo += reversed(missing)
            continue
        todo.pop()
        done.setdefault(name)
    return list(done)


def cut(trees: tuple[Tree, ...], levels: int = 40) -> tuple[tuple[Tree, ...], dict[str, Tree]]:
    """Give names to what is shared or deep in trees.

    Returns:
        The trees over the new names, and what each name stands for, each behind what
        it reads. No new tree is more than `levels` deep, conditions left as they are.
    """
    uses: dict[int, int] = {}
    for node in (n for tree in trees for n in walk(tree)):
        for part in parts_of(node):
            uses[id(part)] = uses.get(id(part), 0) + 1
    definitions: dict[str, Tree] = {}
    memo: dict[int, tuple[Tree, int]] = {}

    def shorten(node: Tree, parts: tuple[tuple[Tree, int], ...]) -> tuple[Tree, int]:
        found = memo.get(id(node))
        if found is None:
            rest = iter(parts)
            new = tuple(next(rest)[0] if isinstance(part, tuple) else part for part in node)
            level = 1 + max((depth for _, depth in parts), default=0)
            is_value = isinstance(node[0], str) and node[0] not in _NO_VALUES
            if is_value and level > 1 and (uses.get(id(node), 0) > 1 or level > levels):
                name = f"%{len(definitions)}"
                definitions[name] = new
                new, level = ("name", name), 1
            found = memo[id(node)] = new, level
        return found

    return tuple(upwards(tree, shorten)[0] for tree in trees), definitions


_NO_VALUES = ("compare", "and", "or", "not", "number", "name")
