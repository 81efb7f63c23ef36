"""Functions that code calls without having them: LLVM's intrinsics and those of libm."""

from __future__ import annotations

import re
from fractions import Fraction

from optgen.translation import expand
from optgen.translation.c.code import Float, Int, Many, Step, Symbol, size_of
from optgen.translation.c.integers import Linear
from optgen.translation.c.machine import Hook, Machine
from optgen.translation.c.memory import Blank, Memory, Pointer, Value
from optgen.translation.c.operations import loaded
from optgen.translation.c.wholes import each
from optgen.translation.terms import Rounding, Term
from optgen.verify.verdicts import Unsupported

_NOTHING = re.compile(r"llvm\.(prefetch|lifetime\.(start|end)|assume|dbg\.|experimental\.noalias)")
_LIBM = {
    "sqrtf": ("sqrt", "float32"),
    "sqrt": ("sqrt", "float64"),
    "fabsf": ("abs", "float32"),
    "fabs": ("abs", "float64"),
    "fmaf": ("fma", "float32"),
    "fma": ("fma", "float64"),
}
_MINUS_ONE = (1 << 64) - 1
_INTRINSICS = {"sqrt": "sqrt", "fabs": "abs", "fma": "fma", "fmuladd": "fmuladd"}


def known_call(name: str) -> Hook | None:
    """Return what a function does that needs no body; None if it is not known."""
    if _NOTHING.match(name):
        return _nothing
    if name in _LIBM:
        return _float
    if found := re.match(r"llvm\.(\w+)\.", name):
        if found[1] in _INTRINSICS:
            return _float
        if found[1] in ("umax", "umin", "smax", "smin"):
            return _extreme
        if name.startswith("llvm.usub.sat."):
            return _difference_or_zero
    if name == "memcpy" or name.startswith("llvm.memcpy."):
        return _copied
    if name.startswith("llvm.memset."):
        return _filled
    if name.startswith("llvm.vector.reduce.add."):
        return _sum
    if name.startswith("llvm.masked.load."):
        return _masked_load
    if name.startswith("llvm.masked.gather."):
        return _gather
    return None


def is_default_environment(place: Value) -> bool:
    """Return whether an operand of fesetenv is FE_DFL_ENV: its name, or glibc's -1."""
    if isinstance(place, Symbol):
        return place.name.strip("_") == "FE_DFL_ENV"
    return isinstance(place, Pointer) and place.memory is None and place.offset == _MINUS_ONE


def _nothing(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    return 0


def _float(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    name = step.words[0]
    if name in _LIBM:
        operation = _LIBM[name][0]
        kind = step.kind
        if kind != Float(_LIBM[name][1]):  # type: ignore[arg-type]
            raise Unsupported(f"{name} of another type")
    else:
        operation = _INTRINSICS[name.split(".")[1]]

    def apply(*values: Value) -> Value:
        terms = []
        for value in values:
            if not isinstance(value, Term):
                raise Unsupported(f"{name} of a {type(value).__name__.lower()}")
            terms.append(value)
        if operation in ("fma", "fmuladd"):
            # The second may round once or twice, as the machine likes it.
            rounding: Rounding = "nearest" if operation == "fma" else "fusible"
            return machine.store.make("fma", terms[0].type, tuple(terms), rounding=rounding)
        if operation == "abs" and isinstance(terms[0].payload, Fraction):
            return machine.store.constant(abs(terms[0].payload), terms[0].type)
        return expand.operation(machine.store, operation, *terms)

    return each(step.kind, apply, *operands)


def _extreme(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    kind = step.kind
    if not isinstance(kind, Int):
        raise Unsupported(step.words[0])
    left, right = operands
    if isinstance(left, Linear) or isinstance(right, Linear):
        raise Unsupported(f"{step.words[0]} of {left} and {right}")
    if isinstance(left, int) and isinstance(right, int):
        name = step.words[0].split(".")[1]
        half = 1 << (kind.bits - 1)
        ordered = sorted(
            (left, right), key=lambda v: v if name[0] == "u" else (v + half) % (2 * half)
        )
        return ordered[1 if name.endswith("max") else 0]
    raise Unsupported(step.words[0])


def _difference_or_zero(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    left, right = operands
    if isinstance(left, int) and isinstance(right, int) and isinstance(step.kind, Int):
        return max(left - right, 0)
    raise Unsupported(f"{step.words[0]} of {left} and {right}")


def _copied(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    to, source, size, *_ = operands
    if not (isinstance(to, Pointer) and isinstance(source, Pointer) and isinstance(size, int)):
        raise Unsupported("what is copied is not known")
    memory, begin = source.memory, source.offset
    if memory is None or not isinstance(begin, int):
        raise Unsupported("what is copied is not known")
    end = begin + size
    cells = [
        (at, value, width)
        for at, (value, width) in memory.cells.items()
        if isinstance(at, int) and at < end and at + width > begin
    ]
    whole = all(begin <= at and at + width <= end for at, _, width in cells)
    known = sum(width for *_, width in cells) == size
    if not whole or (not known and (memory.given or _holds(to, size))):
        raise Unsupported("of what is copied a part is not known")
    for offset, value, width in cells:
        machine.memory.write(to.moved(offset - begin), value, width)
    return 0


def _holds(to: Pointer, size: int) -> bool:
    """Whether something lies where it would be copied over."""
    cells = to.memory.cells if to.memory is not None else {}
    begin = to.offset
    return not isinstance(begin, int) or any(
        not isinstance(at, int) or (at < begin + size and at + width > begin)
        for at, (_, width) in cells.items()
    )


def _filled(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    """Fill the memory of a function with zeros, of the type that it was declared with."""
    to, value, size, *_ = operands
    if not (isinstance(to, Pointer) and isinstance(size, int) and value == 0):
        raise Unsupported("what is filled is not known")
    memory = to.memory
    if not isinstance(memory, Memory) or memory.element is None:
        raise Unsupported("memory of no known type is filled")
    zero, width = memory.element
    if size % width:
        raise Unsupported("a part of a number is filled")
    for at in range(0, size, width):
        machine.memory.write(to.moved(at), zero, width)
    return 0


def _sum(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    (row,) = operands
    if not isinstance(row, tuple) or not isinstance(step.kind, Int):
        raise Unsupported(step.words[0])
    total = 0
    for item in row:
        if not isinstance(item, int):
            raise Unsupported(step.words[0])
        total += item
    return total % (1 << step.kind.bits)


def _gather(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    places, _, mask, otherwise = operands
    kind = step.kind
    if not (isinstance(places, tuple) and isinstance(mask, tuple) and isinstance(kind, Many)):
        raise Unsupported(step.words[0])
    found: list[Value] = []
    for index, (place, wanted) in enumerate(zip(places, mask, strict=True)):
        if not isinstance(wanted, bool) or not isinstance(place, Pointer):
            raise Unsupported("a load that depends on data")
        other = otherwise[index] if isinstance(otherwise, tuple) else Blank.POISON
        found.append(loaded(place, kind.of) if wanted else other)
    return tuple(found)


def _masked_load(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    place, _, mask, otherwise = operands
    kind = step.kind
    if not (isinstance(place, Pointer) and isinstance(mask, tuple) and isinstance(kind, Many)):
        raise Unsupported(step.words[0])
    width = size_of(kind.of)
    others = otherwise if isinstance(otherwise, tuple) else (Blank.POISON,) * kind.count
    found = []
    for index, wanted in enumerate(mask):
        if not isinstance(wanted, bool):
            raise Unsupported("a load that depends on data")
        here = place.moved(index * width)
        found.append(loaded(here, kind.of) if wanted else others[index])
    return tuple(found)
