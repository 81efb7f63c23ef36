"""Floating-point instructions of PTX as terms, every rounding recorded."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from optgen.crosscheck.ptx.module import Instruction
from optgen.translation import expand, kernel_terms
from optgen.translation.bits.words import Word
from optgen.translation.ptx_conditions import Both, Condition, Not
from optgen.translation.ptx_integers import Number, Poly, parts
from optgen.translation.ptx_operands import FLOATS, condition, constant, integer, real
from optgen.translation.ptx_state import Context, State, Value, either, refuse
from optgen.translation.terms import Rounding, Term, TermType

ROUNDINGS: dict[str, Rounding] = {
    "rn": "nearest",
    "rz": "zero",
    "rm": "down",
    "rp": "up",
    "approx": "approx",
    "full": "approx",
}
Semantics = Callable[[Context, State, Instruction], Value]


def kind_of(instruction: Instruction) -> TermType:
    """Return the floating-point type of an instruction, by its last modifier."""
    kind = FLOATS.get(instruction.modifiers[-1])
    if kind is None:
        refuse(instruction, "the type is not followed")
    return kind


def _modes(instruction: Instruction) -> tuple[Rounding, bool, str]:
    """Return rounding, whether subnormals are flushed, and what else the instruction says.

    The third is empty for what is rounded as IEEE says; an approximation is another
    function for each instruction, so it is named.
    """
    rounding: Rounding = ""
    flushed = False
    words = instruction.modifiers[:-1]
    for word in words:
        if word in ROUNDINGS:
            rounding = ROUNDINGS[word]
        elif word == "ftz":
            flushed = True
        elif word != "NaN":
            refuse(instruction, f"the modifier .{word} is not followed")
    named = ".".join((instruction.opcode, *(w for w in words if w in ("approx", "full"))))
    return rounding, flushed, named if rounding == "approx" else ""


def _reals(context: Context, state: State, instruction: Instruction) -> list[Term]:
    kind = kind_of(instruction)
    return [real(context, state, instruction, o, kind) for o in instruction.operands[1:]]


def arithmetic(context: Context, state: State, instruction: Instruction) -> Value:
    """Add, subtract, multiply, divide, fma, square root: one operation, one rounding."""
    rounding, flushed, named = _modes(instruction)
    operands = _reals(context, state, instruction)
    kind = kind_of(instruction)
    if not rounding:
        if instruction.opcode not in ("add", "sub", "mul"):
            refuse(instruction, "an instruction without a rounding")
        rounding = "fusible"
    if instruction.opcode == "fma":
        a, b, c = operands
        if context.store.position(b) < context.store.position(a):
            operands = [b, a, c]  # the factors have no order
    return context.store.make(
        instruction.opcode, kind, tuple(operands), named or None, rounding, flushed
    )


def reciprocal(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `rcp` as the division of 1, which has the same bits if rounded to nearest."""
    rounding, flushed, named = _modes(instruction)
    (value,) = _reals(context, state, instruction)
    one = context.store.constant(Fraction(1), value.type)
    if instruction.opcode == "rsqrt":
        value = context.store.make("sqrt", value.type, (value,), named or None, rounding, flushed)
    return context.store.make("div", value.type, (one, value), named or None, rounding, flushed)


def exponential(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `ex2(x)` as a power of 2, and `ex2(y*lg2(x))` as x to the y."""
    rounding, flushed, named = _modes(instruction)
    (value,) = _reals(context, state, instruction)
    if value.operation == "mul":
        for log, exponent in (value.operands, value.operands[::-1]):
            if log.operation == "lg2":
                operands = (log.operands[0], exponent)
                named = f"{named}(lg2)"
                return context.store.make(
                    "pow", value.type, operands, named, "approx", flushed or log.flushed
                )
    two = context.store.constant(Fraction(2), value.type)
    return context.store.make("pow", value.type, (two, value), named, rounding, flushed)


def logarithm(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `lg2`, an operation that only `ex2` behind it gives a meaning over the reals."""
    rounding, flushed, named = _modes(instruction)
    (value,) = _reals(context, state, instruction)
    return context.store.make("lg2", value.type, (value,), named or None, rounding, flushed)


def exact(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `neg` and `abs`."""
    _, flushed, _ = _modes(instruction)
    (value,) = _reals(context, state, instruction)
    return expand.operation(context.store, instruction.opcode, value, flushed=flushed)


def extreme(context: Context, state: State, instruction: Instruction) -> Value:
    """Read `max` and `min`, which differ from the IR's at NaN; so they are named."""
    _, flushed, _ = _modes(instruction)
    operands = _reals(context, state, instruction)
    named = "NaN wins" if "NaN" in instruction.modifiers else "a number wins over NaN"
    ordered = tuple(sorted(operands, key=context.store.position))
    kind = kind_of(instruction)
    return context.store.make(instruction.opcode, kind, ordered, named, "", flushed)


_ORDERED = {"eq", "ne", "lt", "le", "gt", "ge"}
_OPPOSITE = {"equ": "ne", "neu": "eq", "ltu": "ge", "leu": "gt", "gtu": "le", "geu": "lt"}


def compare(context: Context, state: State, instruction: Instruction) -> Condition:
    """Read the comparison of a `setp` on floating-point values."""
    kind, flushed = kind_of(instruction), "ftz" in instruction.modifiers
    first, second = instruction.operands[1:3]
    a = real(context, state, instruction, first, kind)
    b = real(context, state, instruction, second, kind)
    name = instruction.modifiers[0]

    def holds(name: str, x: Term, y: Term) -> Term:
        mask = expand.compare(context.store, name, x, y, flushed=flushed)
        return context.note(mask, instruction)

    if name in ("nan", "num"):
        numbers: Condition = Both(holds("eq", a, a), holds("eq", b, b))
        return Not(numbers) if name == "nan" else numbers
    if name == "neu":
        return Not(holds("eq", a, b))
    if name == "ne":  # false for NaN, unlike that of the IR
        return either(holds("lt", a, b), holds("lt", b, a))
    if name == "equ":
        return Not(either(holds("lt", a, b), holds("lt", b, a)))
    if name in _ORDERED:
        return holds(name, a, b)
    if name in _OPPOSITE:
        return Not(holds(_OPPOSITE[name], a, b))
    refuse(instruction, "the comparison is not followed")


def select(
    context: Context, state: State, instruction: Instruction
) -> tuple[Condition, Value, Value]:
    """Return condition and both values of a `selp` on floating-point values."""
    kind = kind_of(instruction)
    _, yes, no, mask = instruction.operands
    return (
        condition(context, state, instruction, mask),
        real(context, state, instruction, yes, kind),
        real(context, state, instruction, no, kind),
    )


def convert(context: Context, state: State, instruction: Instruction) -> Value:
    """Read conversions between floating-point types, and from integers that are scalars."""
    *words, target, source = instruction.modifiers
    kind = FLOATS.get(target)
    if kind is None:
        refuse(instruction, "a conversion of a value to an integer")
    rounding: Rounding = ""
    for word in words:
        if word not in ROUNDINGS and word != "ftz":
            refuse(instruction, f"the modifier .{word} is not followed")
        rounding = ROUNDINGS.get(word, rounding)
    flushed = "ftz" in words
    if source not in FLOATS:
        bits = state.registers.get(getattr(instruction.operands[1], "name", ""))
        if isinstance(bits, Word) and words == ["rn"]:
            return context.bits.whole(bits, kind, signed=source[0] == "s")
        number = integer(context, state, instruction, instruction.operands[1], source)
        exact_value = _number(context, instruction, number)
        if exact_value.type == kind and not words:
            return exact_value
        return context.store.make("convert", kind, (exact_value,), rounding=rounding)
    value = real(context, state, instruction, instruction.operands[1], FLOATS[source])
    if source == target and rounding:
        refuse(instruction, "rounding to a whole number")
    if source == target and not flushed:
        return value
    if rounding in ("", "nearest") and not flushed:
        found = kernel_terms.convert(context.store, value, kind)
        if found.operation != "convert" or found.rounding == rounding:
            return found
    return context.store.make("convert", kind, (value,), rounding=rounding, flushed=flushed)


def _number(context: Context, instruction: Instruction, number: Number) -> Term:
    """Return an integer made of scalars as a term of float64, which holds it exactly."""
    if isinstance(number, Poly):
        total: Term | None = None
        for monomial, factor in parts(number).items():
            product = context.store.constant(Fraction(factor), "float64")
            for name in monomial:
                if name not in context.scalars:
                    refuse(instruction, f"a value is made from {name}")
                scalar = context.store.scalar(context.scalars[name], "float64")
                one = product.operation == "constant" and product.payload == 1
                product = scalar if one else context.store.make("mul", "float64", (product, scalar))
            total = (
                product if total is None else context.store.make("add", "float64", (total, product))
            )
        assert total is not None
        return total
    return context.store.constant(Fraction(number), "float64")


def bits(context: Context, state: State, instruction: Instruction, value: Term) -> Value:
    """Read `and`, `xor` on the bits of a value: what changes the sign only."""
    masks = {
        ("and", "float32", 0x7FFFFFFF): "abs",
        ("xor", "float32", 0x80000000): "neg",
        ("and", "float64", 0x7FFFFFFFFFFFFFFF): "abs",
        ("xor", "float64", 0x8000000000000000): "neg",
    }
    size = 64 if value.type == "float64" else 32
    for operand in instruction.operands[1:]:
        found = getattr(operand, "value", None)
        if isinstance(found, int):
            name = masks.get((instruction.opcode, value.type, found & ((1 << size) - 1)))
            if name:
                return expand.operation(context.store, name, value)
    refuse(instruction, "the bits of a value are changed")


__all__ = [
    "arithmetic",
    "bits",
    "compare",
    "constant",
    "convert",
    "exact",
    "exponential",
    "extreme",
    "kind_of",
    "logarithm",
    "reciprocal",
    "select",
]
