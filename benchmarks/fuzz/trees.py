"""Expressions as the plain tuples of `optgen.verify.serialise`: building, changing, printing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

from optgen.domains import NONNEGATIVE, POSITIVE, REAL, STEP, UNIT, Domain

Tree = tuple[Any, ...]
Path = tuple[int, ...]

DOMAINS: Mapping[str, Domain] = {
    **dict.fromkeys(("x", "y", "g"), REAL),
    **dict.fromkeys(("v", "w"), NONNEGATIVE),
    **dict.fromkeys(("p", "eps"), POSITIVE),
    **dict.fromkeys(("a", "b"), UNIT),
    "step": STEP,
}
SCOPE: ContextVar[Mapping[str, Domain]] = ContextVar("SCOPE", default=DOMAINS)
"""The variables that may be spoken of, with their domains: others in a rule than in a pair."""
HALF = Fraction(1, 2)
ALWAYS: Tree = ("and",)


def domain(variable: str) -> Domain:
    """Return where a variable lies; what is no variable in scope may be any real number."""
    return SCOPE.get().get(variable, REAL)


def number(value: Fraction | int) -> Tree:
    """Return a constant."""
    return ("number", Fraction(value))


def name(text: str) -> Tree:
    """Return a variable."""
    return ("name", text)


ZERO, ONE, TWO = number(0), number(1), number(2)


def add(*parts: Tree) -> Tree:
    """Return a sum."""
    return ("add", *parts) if len(parts) > 1 else parts[0]


def mul(*parts: Tree) -> Tree:
    """Return a product."""
    return ("mul", *parts) if len(parts) > 1 else parts[0]


def power(base: Tree, exponent: Tree | Fraction | int) -> Tree:
    """Return a power."""
    return ("power", base, exponent if isinstance(exponent, tuple) else number(exponent))


def neg(part: Tree) -> Tree:
    """Return -part."""
    return mul(number(-1), part)


def sub(a: Tree, b: Tree) -> Tree:
    """Return a - b."""
    return add(a, neg(b))


def div(a: Tree, b: Tree) -> Tree:
    """Return a / b."""
    return mul(a, power(b, -1))


def root(part: Tree) -> Tree:
    """Return a square root."""
    return power(part, HALF)


def compare(operator: str, a: Tree, b: Tree) -> Tree:
    """Return a condition."""
    return ("compare", operator, a, b)


def choice(condition: Tree, value: Tree, other: Tree) -> Tree:
    """Return `value` where a condition holds, else `other`."""
    return ("choice", (value, condition), (other, ALWAYS))


def is_number(tree: Tree) -> bool:
    """Whether a tree is a constant."""
    return tree[0] == "number"


def size(tree: Tree) -> int:
    """Return the number of nodes."""
    return 1 + sum(size(part) for part in tree if isinstance(part, tuple))


def sites(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Yield every value and condition in a tree with its place; exponents are left out."""
    if isinstance(tree[0], str):
        yield path, tree
    for i, part in enumerate(tree):
        if isinstance(part, tuple) and not (tree[0] == "power" and i == 2):
            yield from sites(part, (*path, i))


def put(tree: Tree, path: Path, new: Tree) -> Tree:
    """Return a tree with another part at one place."""
    if not path:
        return new
    i = path[0]
    return (*tree[:i], put(tree[i], path[1:], new), *tree[i + 1 :])


def branches_in_sums(tree: Tree, inside: bool = False) -> bool:
    """Whether the argument of a norm or a mean has branches."""
    if inside and tree[0] in ("abs", "max", "min", "sign", "choice"):
        return True
    below = inside or tree[0] in ("norm", "mean")
    return any(branches_in_sums(part, below) for part in tree if isinstance(part, tuple))


def variables(tree: Tree) -> list[str]:
    """Return the names in a tree, sorted."""
    if tree[0] == "name":
        return [tree[1]]
    parts = (part for part in tree if isinstance(part, tuple))
    return sorted({found for part in parts for found in variables(part)})


def nonnegative(tree: Tree) -> bool:
    """Whether a tree is surely not negative where it has a value."""
    match tree[0]:
        case "number":
            return bool(tree[1] >= 0)
        case "name":
            return domain(tree[1]).nonnegative
        case "add" | "mul" | "min":
            if tree[0] == "mul" and len(tree) == 3 and tree[1] == tree[2]:
                return True
            return all(nonnegative(part) for part in tree[1:])
        case "max":
            return any(nonnegative(part) for part in tree[1:])
        case "abs" | "norm":
            return True
        case "power":
            exponent = tree[2]
            even = is_number(exponent) and exponent[1] % 2 == 0
            fractional = is_number(exponent) and exponent[1].denominator != 1
            return even or fractional or nonnegative(tree[1])
    return _one_minus(tree)


def positive(tree: Tree) -> bool:
    """Whether a tree is surely positive where it has a value."""
    match tree[0]:
        case "number":
            return bool(tree[1] > 0)
        case "name":
            return domain(tree[1]).positive
        case "add":
            parts = tree[1:]
            whole = all(nonnegative(p) for p in parts) and any(positive(p) for p in parts)
            return whole or _one_minus(tree)
        case "mul" | "min":
            return all(positive(part) for part in tree[1:])
        case "max":
            return any(positive(part) for part in tree[1:])
        case "power":
            return positive(tree[1])
    return False


def _one_minus(tree: Tree) -> bool:
    """Whether a tree is 1 - u for a power or a variable u of the unit interval."""
    match tree:
        case ("add", ("number", one), ("mul", ("number", minus), part)) if one == 1 == -minus:
            if part[0] == "power":
                part = part[1] if part[2] in (name("step"), TWO) else ZERO
            return part[0] == "name" and domain(part[1]) == UNIT
    return False


def text(tree: Tree) -> str:
    """Return a tree as text that Python and people can read."""
    match tree[0]:
        case "number":
            return f"({tree[1]})" if tree[1] < 0 or tree[1].denominator > 1 else str(tree[1])
        case "name":
            return str(tree[1])
        case "add":
            return f"({' + '.join(map(text, tree[1:]))})"
        case "mul":
            return "*".join(map(text, tree[1:]))
        case "power":
            base = text(tree[1])
            inside = base if tree[1][0] in ("name", "add") else f"({base})"
            return f"{inside}**{text(tree[2])}"
        case "choice":
            rest = [f"({text(v)}, {text(c)})" for v, c in tree[1:]]
            return f"Piecewise({', '.join(rest)})"
        case "compare":
            return f"{text(tree[2])} {tree[1]} {text(tree[3])}"
        case "and" | "or":
            if len(tree) == 1:
                return str(tree[0] == "and")
            return f"({f' {tree[0]} '.join(map(text, tree[1:]))})"
        case "not":
            return f"not ({text(tree[1])})"
    label = {"max": "Max", "min": "Min"}.get(tree[0], tree[0])
    return f"{label}({', '.join(map(text, tree[1:]))})"
