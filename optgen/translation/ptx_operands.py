"""Operands of PTX instructions as values: bits of constants, types of registers."""

from __future__ import annotations

import functools
import struct

from optgen.crosscheck.ptx.module import (
    Floating,
    Instruction,
    Integer,
    Operand,
    Register,
    Special,
    Symbol,
)
from optgen.translation.bits.words import Word
from optgen.translation.ptx_conditions import Condition
from optgen.translation.ptx_integers import Poly
from optgen.translation.ptx_state import (
    Context,
    Half,
    Lost,
    Mixed,
    Pointer,
    State,
    Value,
    as_condition,
    refuse,
)
from optgen.translation.terms import Term, TermType

FLOATS: dict[str, TermType] = {
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
}
_FORMATS = {"float32": "f", "float64": "d", "float16": "e"}


@functools.cache
def width(kind: str) -> int:
    """Return the bits of a PTX type."""
    return int(kind.lstrip("bfus"))


def as_kind(value: int, kind: str) -> int:
    """Return an integer as a PTX type reads its bits."""
    mask, sign = _masks(kind)
    low = value & mask
    return low - mask - 1 if low & sign else low


@functools.cache
def _masks(kind: str) -> tuple[int, int]:
    bits = width(kind)
    return (1 << bits) - 1, 1 << (bits - 1) if kind[0] == "s" else 0


def constant(context: Context, bits: int, kind: TermType) -> Term:
    """Return the floating-point constant with these bits."""
    if kind == "bfloat16":
        number: float = struct.unpack("<f", (bits << 16).to_bytes(4, "little"))[0]
    else:
        form = _FORMATS[kind]
        number = struct.unpack(f"<{form}", bits.to_bytes(struct.calcsize(form), "little"))[0]
    return context.store.number(number, kind)


def read(context: Context, state: State, instruction: Instruction, operand: Operand) -> Value:
    """Return an operand's value; constants of floating point as terms.

    Raises:
        Unsupported: Nothing has been written there, or it is no value.
    """
    match operand:
        case Register(name):
            value = state.registers.get(name)
            if value is None:
                refuse(instruction, f"{name} is read before it is written")
            if isinstance(value, Lost):
                refuse(instruction, f"{name} is not followed: {value.reason}")
            return value
        case Integer(value):
            return value
        case Floating(bits, bits_wide):
            return constant(context, bits, "float32" if bits_wide == 32 else "float64")
        case Special(name):
            if name in context.specials:
                return context.specials[name]
            refuse(instruction, f"{name} is not followed")
        case Symbol(name):
            if any(v.name == name and v.space == "shared" for v in context.entry.variables):
                return Pointer("shared", _offset(context, name))
    refuse(instruction, "an operand of this form is not followed")


def _offset(context: Context, name: str) -> int:
    """Return where a shared variable begins."""
    at = 0
    for variable in context.entry.variables:
        if variable.space == "shared":
            at = -(-at // variable.align) * variable.align
            if variable.name == name:
                return at
            at += variable.size or 0
    return at


def integer(
    context: Context, state: State, instruction: Instruction, operand: Operand, kind: str
) -> int | Poly:
    """Return an integer operand, read as a PTX type."""
    value = read(context, state, instruction, operand)
    if isinstance(value, bool) or not isinstance(value, int | Poly):
        refuse(instruction, f"{_words(value)} as an integer")
    return as_kind(value, kind) if isinstance(value, int) else value


def address(context: Context, state: State, instruction: Instruction, operand: Operand) -> Value:
    """Return an integer, an address, or what is left of one; constants signed."""
    value = read(context, state, instruction, operand)
    if isinstance(value, bool) or not isinstance(value, int | Poly | Pointer | Mixed):
        refuse(instruction, f"{_words(value)} as an integer")
    return value


def real(
    context: Context, state: State, instruction: Instruction, operand: Operand, kind: TermType
) -> Term:
    """Return a floating-point operand; an integer constant gives its bits."""
    value = read(context, state, instruction, operand)
    if isinstance(value, int) and not isinstance(value, bool):
        bits = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}[kind]
        return constant(context, value & ((1 << bits) - 1), kind)
    if isinstance(value, Word):
        return context.note(context.bits.value(value, kind), instruction)
    if not isinstance(value, Term) or value.type != kind:
        refuse(instruction, f"{_words(value)} as {kind}")
    return value


def condition(
    context: Context, state: State, instruction: Instruction, operand: Operand
) -> Condition:
    """Return a predicate operand."""
    value = read(context, state, instruction, operand)
    if isinstance(operand, Integer) and value in (0, 1):
        return bool(value)
    found = as_condition(value)
    if found is None:
        refuse(instruction, f"{_words(value)} as a predicate")
    return found


def _words(value: Value) -> str:
    match value:
        case Term():
            return f"a value of type {value.type}"
        case Pointer():
            return "an address"
        case Mixed():
            return "the bits of an address"
        case Half():
            return "half of a value"
        case Word():
            return "the bits of a value"
        case int() | Poly():
            return f"the integer {value}"
    return "a condition"
