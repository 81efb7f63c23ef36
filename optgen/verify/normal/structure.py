"""Signs by the way an expression is written: a sum of squares is not negative.

Multiplied out, `beta2*v + (1 - beta2)*(g + w*p)**2` has terms of both signs; as
it is written it has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from optgen.verify.normal.boxes import ANY, Signs
from optgen.verify.normal.convert import Converter
from optgen.verify.serialise import Tree

_NOT_NEGATIVE: Signs = frozenset((0, 1))


def signs_as_written(tree: Tree, definitions: Mapping[str, Tree], converter: Converter) -> Signs:
    """Return a set that holds every sign of an expression in the converter's region."""
    if tree[0] == "name" and tree[1] in definitions:
        return signs_as_written(definitions[tree[1]], definitions, converter)
    known = converter.signs.known_quotient(converter.convert(tree))
    if len(known) == 1 or tree[0] not in ("add", "mul", "power", "abs", "norm", "max"):
        return known
    if tree[0] in ("abs", "norm"):
        return known & _NOT_NEGATIVE
    parts = [signs_as_written(part, definitions, converter) for part in tree[1:]]
    if tree[0] == "power":
        exponent = tree[2][1] if tree[2][0] == "number" else None
        if exponent is not None and (exponent % 2 == 0 or exponent.denominator % 2 == 0):
            return known & (frozenset(s * s for s in parts[0]) if exponent > 0 else _NOT_NEGATIVE)
        return known
    combine = {"add": _sum, "mul": _product, "max": _largest}[tree[0]]
    total = parts[0]
    for part in parts[1:]:
        total = combine(total, part)
    return known & total


def _sum(a: Signs, b: Signs) -> Signs:
    for direction in (1, -1):
        if a | b <= {0, direction}:
            both_zero = 0 in a and 0 in b
            return frozenset((0, direction) if both_zero else (direction,))
    return ANY


def _product(a: Signs, b: Signs) -> Signs:
    return frozenset(x * y for x in a for y in b)


def _largest(a: Signs, b: Signs) -> Signs:
    return frozenset(max(x, y) for x in a for y in b)
