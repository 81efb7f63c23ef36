"""Integer instructions of PTX: constants as the machine computes them, symbols as whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from optgen.crosscheck.ptx.module import Instruction
from optgen.translation import ptx_floats
from optgen.translation.ptx_conditions import (
    Aligned,
    Condition,
    Not,
    equal,
    less,
    not_negative,
)
from optgen.translation.ptx_integers import (
    Number,
    Poly,
    add,
    divisor,
    multiply,
    subtract,
)
from optgen.translation.ptx_operands import address, as_kind, integer, width
from optgen.translation.ptx_state import Context, Mixed, Pointer, State, Value, refuse
from optgen.translation.terms import Term

WRAPS = "whole-number arithmetic of 32 bits on indices does not wrap around"


def _kind(instruction: Instruction) -> str:
    kind = instruction.modifiers[-1]
    if kind[0] not in "bsu" or not kind[1:].isdigit():
        refuse(instruction, "the type is not followed")
    return kind


def finish(context: Context, instruction: Instruction, value: Number, kind: str) -> Number:
    """Return a result: a constant with its bits cut off, a symbol as it is."""
    if isinstance(value, int):
        return as_kind(value, kind)
    if width(kind) < 32:
        refuse(instruction, "an index of fewer than 32 bits")
    if width(kind) == 32:
        high = context.known.largest_value(value)
        low = context.known.least_value(value)
        if high is None or low is None or high >= 1 << 31 or low < -(1 << 31):
            context.assumptions.setdefault(WRAPS)
    return value


def _signed(value: Number, other: Number, kind: str) -> Number:
    """Return a constant that is added to a symbol: all ones are -1."""
    if isinstance(value, int) and isinstance(other, Poly):
        return as_kind(value, f"s{width(kind)}")
    return value


def _operands(context: Context, state: State, instruction: Instruction, kind: str) -> list[Number]:
    return [integer(context, state, instruction, o, kind) for o in instruction.operands[1:]]


def sums(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `add` and `sub`, of which an address may be the first operand or the second."""
    kind = _kind(instruction)
    first, second = (
        address(context, state, instruction, operand) for operand in instruction.operands[1:]
    )
    negated = instruction.opcode == "sub"
    if isinstance(second, Pointer) and not negated:
        first, second = second, first
    if isinstance(first, Pointer):
        if not isinstance(second, int | Poly):
            refuse(instruction, "a difference of addresses")
        change = as_kind(second, f"s{width(kind)}") if isinstance(second, int) else second
        if negated:
            change = multiply(-1, change)
        return Pointer(first.array, add(first.offset, change))
    if not isinstance(first, int | Poly) or not isinstance(second, int | Poly):
        refuse(instruction, "arithmetic on the bits of an address")
    a, b = (as_kind(v, kind) if isinstance(v, int) else v for v in (first, second))
    a, b = _signed(a, b, kind), _signed(b, a, kind)
    return finish(context, instruction, subtract(a, b) if negated else add(a, b), kind)


def products(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `mul` and `mad`, low half or wide."""
    kind, form = _kind(instruction), instruction.modifiers[0]
    if form not in ("lo", "wide"):
        refuse(instruction, "the high half of a product")
    wide = f"{kind[0]}{2 * width(kind)}" if form == "wide" else kind
    left, right = (integer(context, state, instruction, o, kind) for o in instruction.operands[1:3])
    if form == "wide" and kind[0] == "u":
        for value in (left, right):
            if isinstance(value, Poly):
                _must_not_be_negative(context, state, instruction, value)
    else:
        left, right = _signed(left, right, kind), _signed(right, left, kind)
    product = multiply(left, right)
    if len(instruction.operands) == 4:
        third = address(context, state, instruction, instruction.operands[3])
        if isinstance(third, Pointer):
            return Pointer(third.array, add(third.offset, product))
        if not isinstance(third, int | Poly):
            refuse(instruction, "arithmetic on the bits of an address")
        if isinstance(third, int):
            third = _signed(as_kind(third, wide), product, wide)
        product = add(product, third)
    return finish(context, instruction, product, wide)


def shifts(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `shl` and `shr` by a constant."""
    kind = _kind(instruction)
    operand, amount = instruction.operands[1:]
    value = integer(context, state, instruction, operand, kind)
    by = integer(context, state, instruction, amount, "u32")
    if not isinstance(by, int):
        refuse(instruction, "a shift by what is not constant")
    by = min(by, width(kind))
    if instruction.opcode == "shl":
        return finish(context, instruction, multiply(value, 1 << by), kind)
    if isinstance(value, int):
        return as_kind(value >> by, kind)
    _must_not_be_negative(context, state, instruction, value)
    if kind[0] == "s" and by == width(kind) - 1:
        return 0  # the sign of what is not negative
    return context.known.quotient(value, 1 << by)


def _must_not_be_negative(
    context: Context, state: State, instruction: Instruction, value: Number
) -> None:
    if not not_negative(value, state.facts, context.known):
        refuse(instruction, f"{value} may be negative")


def divisions(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `div` and `rem` by a constant."""
    kind = _kind(instruction)
    value, by = _operands(context, state, instruction, kind)
    if not isinstance(by, int) or by <= 0:
        refuse(instruction, "a division by what is not a positive constant")
    if isinstance(value, Poly) or value < 0:
        _must_not_be_negative(context, state, instruction, value)
    if instruction.opcode == "div":
        return context.known.quotient(value, by)
    return context.known.remainder(value, by)


def logic(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `and`, `or`, `xor` and `not` on integers, on addresses, and on a value's sign."""
    kind = _kind(instruction)
    held = [
        state.registers.get(getattr(operand, "name", "")) for operand in instruction.operands[1:]
    ]
    for value in held:
        if isinstance(value, Term):
            return ptx_floats.bits(context, state, instruction, value)
    given = [address(context, state, instruction, o) for o in instruction.operands[1:]]
    if any(isinstance(value, Pointer | Mixed) for value in given):
        return _addresses(instruction, given)
    numbers = [as_kind(v, f"u{width(kind)}") if isinstance(v, int) else v for v in given]
    if all(isinstance(v, int) for v in numbers):
        return as_kind(_on_constants(instruction, [v for v in numbers if isinstance(v, int)]), kind)
    a, *rest = [v for v in numbers if isinstance(v, int | Poly)]
    if instruction.opcode == "not":
        return finish(context, instruction, subtract(-1, a), kind)
    b = rest[0]
    for value in (a, b):
        if isinstance(value, Poly):
            _must_not_be_negative(context, state, instruction, value)
    if isinstance(a, int):
        a, b = b, a
    if instruction.opcode == "and" and isinstance(b, int):
        return _masked(context, instruction, a, b, width(kind))
    if instruction.opcode in ("or", "xor") and _disjoint(context, a, b):
        return add(a, b)
    refuse(instruction, f"the bits of {a}")


def _on_constants(instruction: Instruction, values: list[int]) -> int:
    match instruction.opcode, values:
        case "and", [a, b]:
            return a & b
        case "or", [a, b]:
            return a | b
        case "xor", [a, b]:
            return a ^ b
        case "not", [a]:
            return ~a
    refuse(instruction, "the operands")


def _addresses(instruction: Instruction, given: list[Value]) -> Value:
    """Return what is left of addresses whose low bits are joined or cut out."""
    arrays: frozenset[str] = frozenset()
    mask = -1
    for value in given:
        if isinstance(value, Pointer) and value.offset == 0:
            arrays |= {value.array}
        elif isinstance(value, Mixed) and (value.mask == -1 or instruction.opcode == "and"):
            arrays |= value.arrays
            mask &= value.mask
        elif isinstance(value, int) and instruction.opcode == "and":
            mask &= value
        else:
            refuse(instruction, "the bits of an address")
    if instruction.opcode not in ("and", "or") or (
        instruction.opcode == "and" and not any(isinstance(v, int) for v in given)
    ):
        refuse(instruction, "the bits of an address")
    return Mixed(arrays, mask)


def _masked(
    context: Context, instruction: Instruction, value: Number, mask: int, bits: int
) -> Number:
    low = (mask & -mask).bit_length() - 1 if mask else 0
    ones = mask >> low
    if mask == 0:
        return 0
    if ones & (ones + 1):
        refuse(instruction, "a mask with a gap")
    high = low + ones.bit_length()
    if high < bits:
        value = context.known.remainder(value, 1 << high)
    return subtract(value, context.known.remainder(value, 1 << low))


def _disjoint(context: Context, left: Number, right: Number) -> bool:
    """Whether two numbers have no bit in common."""
    for number, other in ((left, right), (right, left)):
        high = context.known.largest_value(other)
        shared = divisor(number)
        if high is not None and high < (shared & -shared):
            return True
    a, b = context.known.bits(left), context.known.bits(right)
    return a is not None and b is not None and not a & b


def negation(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `neg` and `abs` on integers."""
    kind = _kind(instruction)
    (value,) = _operands(context, state, instruction, kind)
    if instruction.opcode == "abs":
        if isinstance(value, int):
            return abs(value)
        _must_not_be_negative(context, state, instruction, value)
        return value
    return finish(context, instruction, multiply(-1, value), kind)


def smaller(
    context: Context, state: State, instruction: Instruction
) -> tuple[Condition, Value, Value]:
    """Return `min` and `max` as a condition and both values."""
    kind = _kind(instruction)
    a, b = _operands(context, state, instruction, kind)
    _same_order(context, state, instruction, kind, a, b)
    condition = less(a, b)
    return (condition, a, b) if instruction.opcode == "min" else (condition, b, a)


def _same_order(
    context: Context, state: State, instruction: Instruction, kind: str, a: Number, b: Number
) -> None:
    """Unsigned comparisons are those of whole numbers only if nothing is negative."""
    if kind[0] != "s" and not (isinstance(a, int) and isinstance(b, int)):
        for value in (a, b):
            _must_not_be_negative(context, state, instruction, value)


def conversion(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `cvt` between integer types."""
    if len(instruction.modifiers) != 2:
        refuse(instruction, "a conversion with a modifier")
    target, source = instruction.modifiers
    value = integer(context, state, instruction, instruction.operands[1], source)
    if target[0] not in "su":
        refuse(instruction, "the type is not followed")
    if isinstance(value, int):
        return as_kind(value, target)
    if source[0] == "u" and width(target) > width(source):
        _must_not_be_negative(context, state, instruction, value)
    return finish(context, instruction, value, target)


_COMPARISONS: Mapping[str, Callable[[Number, Number], Condition]] = {
    "eq": equal,
    "ne": lambda a, b: Not(equal(a, b)),
    "lt": less,
    "ge": lambda a, b: Not(less(a, b)),
    "gt": lambda a, b: less(b, a),
    "le": lambda a, b: Not(less(b, a)),
}
_UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}


def compare(context: Context, state: State, instruction: Instruction) -> Condition:
    """Read the comparison of a `setp` on integers or on the low bits of addresses."""
    kind = _kind(instruction)
    name = _UNSIGNED.get(instruction.modifiers[0], instruction.modifiers[0])
    if name not in _COMPARISONS:
        refuse(instruction, "the comparison is not followed")
    first, second = (
        address(context, state, instruction, operand) for operand in instruction.operands[1:3]
    )
    if isinstance(first, Mixed):
        return _alignment(instruction, name, first, second)
    if not isinstance(first, int | Poly) or not isinstance(second, int | Poly):
        refuse(instruction, "a comparison of addresses")
    a, b = (as_kind(v, kind) if isinstance(v, int) else v for v in (first, second))
    if name not in ("eq", "ne"):
        _same_order(context, state, instruction, kind, a, b)
    return _COMPARISONS[name](a, b)


def _alignment(instruction: Instruction, name: str, mixed: Mixed, other: Value) -> Condition:
    size = mixed.mask + 1
    if name not in ("eq", "ne") or other != 0 or size <= 0 or size & (size - 1):
        refuse(instruction, "the bits of an address")
    atom = Aligned(mixed.arrays, size)
    return atom if name == "eq" else Not(atom)


def fields(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `bfe` and `bfi` with constant position and length."""
    kind = _kind(instruction)
    values = [address(context, state, instruction, o) for o in instruction.operands[1:]]
    *_, at, count = values
    if not isinstance(at, int) or not isinstance(count, int):
        refuse(instruction, "a field whose place is not constant")
    bits = width(kind)
    if instruction.opcode == "bfe":
        value = values[0]
        if not isinstance(value, int | Poly) or kind[0] == "s":
            refuse(instruction, "a field with a sign")
        if isinstance(value, int):
            return (as_kind(value, f"u{bits}") >> at) & ((1 << count) - 1)
        _must_not_be_negative(context, state, instruction, value)
        shifted = context.known.quotient(value, 1 << at)
        return shifted if at + count >= bits else context.known.remainder(shifted, 1 << count)
    inserted, base = values[0], values[1]
    if not isinstance(inserted, int) or not isinstance(base, int):
        refuse(instruction, "a field is put into an index")
    mask = ((1 << count) - 1) << at
    return as_kind((base & ~mask) | (inserted << at & mask), kind)
