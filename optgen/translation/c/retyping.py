"""Numbers taken for numbers of another type with the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optgen.translation.c import bitwise
from optgen.translation.c.code import Float, Int, Many, Ptr, Step, Struct, Type, size_of
from optgen.translation.c.memory import Blank, Raw, Value
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported

if TYPE_CHECKING:
    from optgen.translation.c.machine import Machine


def bitcast(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    """Return a value taken for one of another type with the same bits."""
    (value,) = operands
    if step.kind == step.other or (isinstance(step.kind, Ptr) and isinstance(step.other, Ptr)):
        return value
    if isinstance(value, Raw):
        cells = tuple(cell for cell, _ in value.cells)
        wanted = flat_types(step.kind)
        if [_shape(cell, size) for cell, size in value.cells] == [
            (isinstance(kind, Float), size_of(kind)) for kind in wanted
        ]:
            return cells if isinstance(step.kind, Many) else cells[0]
    kinds = flat_types(step.other), flat_types(step.kind)
    values = value if isinstance(value, tuple) else (value,)
    if [size_of(k) for k in kinds[0]] != [size_of(k) for k in kinds[1]] or any(
        isinstance(k, Ptr) for k in kinds[1]
    ):
        raise Unsupported(f"bits of a {type(value).__name__.lower()} are taken for another type")
    found = tuple(_retyped(machine, v, k) for v, k in zip(values, kinds[1], strict=True))
    return found if isinstance(step.kind, Many) else found[0]


def _shape(value: Value, size: int) -> tuple[bool, int]:
    return isinstance(value, Term), size


def _retyped(machine: Machine, value: Value, kind: Type) -> Value:
    """Return a number as one of another type with the same bits."""
    if isinstance(value, Blank):
        return value
    if isinstance(kind, Float) and not isinstance(value, Term):
        return bitwise.value(machine, value, kind.name, 8 * size_of(kind))
    if isinstance(kind, Int) and isinstance(value, Term):
        return Raw(((value, size_of(kind)),))
    return value


def flat_types(kind: Type) -> list[Type]:
    """Return the types of the numbers in a value."""
    match kind:
        case Many(count, of):
            return flat_types(of) * count
        case Struct(fields):
            return [inner for f in fields for inner in flat_types(f)]
    return [kind]
