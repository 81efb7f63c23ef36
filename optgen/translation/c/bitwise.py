"""Integer operations on the bits of values, and what turns bits into values again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optgen.translation.bits.words import BITWISE, Word
from optgen.translation.c.memory import Raw, Value
from optgen.translation.terms import Term, TermType
from optgen.verify.verdicts import Unsupported

if TYPE_CHECKING:
    from optgen.translation.c.machine import Machine

NUMBERS = int | Word | Raw
"""Integers whose bits are known, or those of values."""


def is_bits(*operands: Value) -> bool:
    """Whether an integer operation is one on the bits of values.

    Operands are words, floats that were read as integers, or truth values beside numbers.
    """
    if any(isinstance(o, Word | Raw) for o in operands):
        return True
    return any(isinstance(o, Term) for o in operands) and any(
        isinstance(o, int) and not isinstance(o, bool) for o in operands
    )


def word(machine: Machine, value: Value, width: int) -> Word:
    """Return the bits of a value, as many as an operation has.

    Raises:
        Unsupported: It is no number and no value.
    """
    bits = machine.bits
    match value:
        case Word():
            return bits.resized(value, width)
        case bool() | int():
            return bits.number(value, width)
        case Raw(cells):
            return bits.resized(bits.joined([word(machine, c, 8 * n) for c, n in cells]), width)
        case Term():
            return bits.resized(bits.of(value), width)
    raise Unsupported(f"the bits of a {type(value).__name__.lower()}")


def _or_number(found: Word) -> Value:
    number = found.number
    return found if number is None else number


def _or_truth(mask: Term) -> Value:
    return mask.payload == 1 if mask.operation == "constant" else mask


def integer(machine: Machine, name: str, left: Value, right: Value, width: int) -> Value:
    """Return an integer operation on bits."""
    bits, first = machine.bits, word(machine, left, width)
    if name in ("shl", "lshr", "ashr"):
        if not isinstance(right, int):
            raise Unsupported(f"{name} by what is not known")
        return _or_number(bits.shifted(name, first, right))
    if name not in (*BITWISE, "add", "sub"):
        raise Unsupported(f"{name} of the bits of values")
    return _or_number(bits.compute(name, first, word(machine, right, width)))


def compared(machine: Machine, predicate: str, left: Value, right: Value, width: int) -> Value:
    """Return where a comparison of bits holds."""
    sides = (word(machine, side, width) for side in (left, right))
    return _or_truth(machine.bits.compared(predicate, *sides))


def chosen(machine: Machine, mask: Term, yes: Value, no: Value, width: int) -> Value:
    """Return some bits where a mask holds, and others where it does not."""
    sides = (word(machine, side, width) for side in (yes, no))
    return _or_number(machine.bits.choose(mask, *sides))


def resized(machine: Machine, name: str, value: Value, source: int, target: int) -> Value:
    """Return `zext`, `sext` or `trunc`; one bit is a truth value."""
    found = machine.bits.resized(word(machine, value, source), target, signed=name == "sext")
    return _or_truth(machine.bits.mask(found)) if target == 1 else _or_number(found)


def from_whole(machine: Machine, name: str, value: Value, width: int, to: TermType) -> Term:
    """Return bits that are a whole number as a float."""
    return machine.bits.whole(word(machine, value, width), to, signed=name == "sitofp")


def to_whole(machine: Machine, found: Term, width: int) -> Word:
    """Return a float as a whole number; one that has no more bits is cut off alike."""
    whole = machine.store.make("to_whole", "bits64", (found,), rounding="zero")
    return machine.bits.resized(machine.bits.of(whole), width)


def value(machine: Machine, found: Value, to: TermType, width: int) -> Term:
    """Return the value that has some bits."""
    return machine.bits.value(word(machine, found, width), to)
