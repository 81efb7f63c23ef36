"""Integer instructions of PTX on the bits of values."""

from __future__ import annotations

from optgen.crosscheck.ptx.module import Instruction
from optgen.translation.bits.words import BITWISE, Word
from optgen.translation.ptx_conditions import Condition
from optgen.translation.ptx_drawing import index_word
from optgen.translation.ptx_integers import Poly
from optgen.translation.ptx_operands import FLOATS, address, width
from optgen.translation.ptx_state import Context, State, Value, refuse
from optgen.translation.terms import Term

_SHIFTS = ("shl", "shr")
_FOLLOWED = (*BITWISE, *_SHIFTS, "not", "add", "sub", "mul", "prmt", "cvt", "setp")
_INDEX = 64
"""Bits of an index."""

_UNSIGNED = {"lo": "ult", "ls": "ule", "hi": "ugt", "hs": "uge"}
_OF_TWO_WORDS = "float64"
"""Values of this type are taken apart into words by instructions of their own."""


def apply(context: Context, state: State, instruction: Instruction) -> bool:
    """Whether an integer instruction has bits of values among its operands.

    Where random numbers are drawn, what is cut out of an index is bits, too.
    """
    if instruction.opcode not in _FOLLOWED:
        return False
    if any(modifier in FLOATS for modifier in instruction.modifiers):
        return False
    held = [state.registers.get(getattr(o, "name", "")) for o in instruction.operands[1:]]
    if context.draws and any(isinstance(value, Poly) for value in held):
        narrowed = instruction.opcode == "cvt" and width(instruction.modifiers[0]) < _INDEX
        if narrowed or instruction.opcode == "and":
            return True
    return any(
        isinstance(value, Word)
        or (isinstance(value, Term) and value.type not in ("mask", _OF_TWO_WORDS))
        for value in held
    )


def word(context: Context, instruction: Instruction, value: Value, kind: str) -> Word:
    """Return the bits of a value that an instruction reads as an integer type."""
    bits, size = context.bits, width(kind)
    match value:
        case Word():
            found = value
        case int():
            return bits.number(value, size)
        case Term():
            found = bits.of(value)
        case Poly():
            found = index_word(context, value)
        case _:
            refuse(instruction, "bits of values and indices in one operation")
    return bits.resized(found, size)  # what was loaded into a wider register has zeros above


def _words(context: Context, state: State, instruction: Instruction, kind: str) -> list[Word]:
    found = []
    for operand in instruction.operands[1:]:
        value = state.registers.get(getattr(operand, "name", ""))
        if not isinstance(value, Word | Term):
            value = address(context, state, instruction, operand)
        found.append(word(context, instruction, value, kind))
    return found


def operation(context: Context, state: State, instruction: Instruction) -> Value:
    """Read one instruction."""
    bits, opcode, kind = context.bits, instruction.opcode, instruction.modifiers[-1]
    if opcode == "cvt":
        if len(instruction.modifiers) != 2:
            refuse(instruction, "a conversion with a modifier")
        (found,) = _words(context, state, instruction, kind)
        return bits.resized(found, width(instruction.modifiers[0]), signed=kind[0] == "s")
    if opcode == "mul":
        return _product(context, state, instruction, kind)
    if len(instruction.modifiers) != 1:
        refuse(instruction, "an operation on bits with a modifier")
    if opcode == "prmt":
        return _permuted(context, state, instruction, kind)
    if opcode == "not":
        (found,) = _words(context, state, instruction, kind)
        return bits.compute("xor", found, bits.number(-1, found.width))
    if opcode in _SHIFTS:
        by = address(context, state, instruction, instruction.operands[2])
        value = state.registers.get(getattr(instruction.operands[1], "name", ""))
        if not isinstance(by, int) or not isinstance(value, Word | Term):
            refuse(instruction, "a shift by what is not constant")
        found = word(context, instruction, value, kind)
        if not 0 <= by < found.width:
            refuse(instruction, "a shift beyond the number")
        name = "shl" if opcode == "shl" else "ashr" if kind[0] == "s" else "lshr"
        return bits.shifted(name, found, by)
    left, right = _words(context, state, instruction, kind)
    return bits.compute(opcode, left, right)


def _product(context: Context, state: State, instruction: Instruction, kind: str) -> Value:
    """Return a product with a constant, all of it or the low half."""
    bits, form = context.bits, instruction.modifiers[0]
    left, right = _words(context, state, instruction, kind)
    if left.number is not None:
        left, right = right, left
    by = right.number
    if by is None or form not in ("lo", "wide") or (form == "wide" and kind[0] != "u"):
        refuse(instruction, "a product of bits of this form")
    if form == "wide":
        left = bits.resized(left, 2 * left.width)
    return bits.multiplied(left, by)


def _permuted(context: Context, state: State, instruction: Instruction, kind: str) -> Value:
    """Return four bytes of eight, those of the first operand being the lower ones."""
    *_, chosen = instruction.operands
    order = address(context, state, instruction, chosen)
    if not isinstance(order, int) or any(order >> 4 * place & 8 for place in range(4)):
        refuse(instruction, "bytes whose places are not constant, or with copied signs")
    bits = context.bits
    low, high, _ = _words(context, state, instruction, kind)
    both = bits.joined((low, high))
    places = (order >> 4 * place & 7 for place in range(4))
    return bits.joined([bits.part(both, 8 * place, 8) for place in places])


def compare(context: Context, state: State, instruction: Instruction) -> Condition:
    """Read a comparison."""
    name, kind = instruction.modifiers[0], instruction.modifiers[-1]
    if len(instruction.modifiers) != 2:
        refuse(instruction, "a comparison joined with a predicate")
    predicate = _UNSIGNED.get(name, name)
    if predicate == name and name not in ("eq", "ne"):
        if name not in ("lt", "le", "gt", "ge"):
            refuse(instruction, "the comparison is not followed")
        predicate = f"{'s' if kind[0] == 's' else 'u'}{name}"
    left, right = _words(context, state, instruction, kind)
    return context.bits.compared(predicate, left, right)
