"""Whole numbers and truth values: exact ones as machines have them, linear ones without end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optgen.translation import expand
from optgen.translation.c import bitwise
from optgen.translation.c.code import Int, Many, Step, Type
from optgen.translation.c.integers import (
    Condition,
    Linear,
    Whole,
    compare,
    minus,
    plus,
    scaled,
)
from optgen.translation.c.memory import Blank, Pointer, Value
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported

if TYPE_CHECKING:
    from optgen.translation.c.machine import Machine


def each(kind: Type, function: Callable[..., Value], *operands: Value) -> Value:
    """Apply a function to values, or to the elements of vectors of them."""
    if isinstance(kind, Many):
        rows = [o if isinstance(o, tuple) else (o,) * kind.count for o in operands]
        return tuple(each(kind.of, function, *items) for items in zip(*rows, strict=True))
    for operand in operands:
        if operand is Blank.POISON:
            return Blank.POISON
        if operand is Blank.LOST:
            raise Unsupported(f"{Blank.LOST.value} is used")
    return function(*operands)


def whole(value: Value) -> Whole:
    """Return a value that must be a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | Linear):
        raise Unsupported(f"a whole number that is a {type(value).__name__.lower()}")
    return value


def signed(value: int, bits: int) -> int:
    """Return the signed number that some bits stand for."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def icmp(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    """Compare whole numbers, addresses or truth values."""
    predicate = step.words[0]

    def apply(left: Value, right: Value) -> Value:
        if isinstance(left, Pointer) and isinstance(right, Pointer):
            if left.memory is not right.memory:
                if predicate in ("eq", "ne"):
                    return predicate == "ne"  # pieces of memory do not overlap
                raise Unsupported("addresses of two pieces of memory are compared")
            left, right = left.offset, right.offset
        if type(left) is int and type(right) is int:
            return _exactly(predicate, left, right, step.kind)
        if _is_truth(left, right) or _is_truth(right, left):
            return _truths(machine, predicate, left, right)
        if bitwise.is_bits(left, right):
            return bitwise.compared(machine, predicate, left, right, bits_of(step.kind))
        if isinstance(left, bool | Term | Condition) or isinstance(right, bool | Term | Condition):
            return _truths(machine, predicate, left, right)
        left, right = whole(left), whole(right)
        if isinstance(left, int) and isinstance(right, int):
            return _exactly(predicate, left, right, step.kind)
        sides = [around(side, step.kind) for side in (left, right)]
        return compare(predicate, sides[0], sides[1], machine.facts)

    return each(step.kind, apply, *operands)


def around(value: Whole, kind: Type) -> Whole:
    """Return a number beside a linear one: one that wraps around as a negative one."""
    return signed(value, bits_of(kind)) if isinstance(value, int) else value


def bits_of(kind: Type) -> int:
    """Return the bits of an integer, or of the elements of a vector."""
    while isinstance(kind, Many):
        kind = kind.of
    return kind.bits if isinstance(kind, Int) else 64


def _exactly(predicate: str, left: int, right: int, kind: Type) -> bool:
    if predicate[0] == "s":
        left, right = signed(left, bits_of(kind)), signed(right, bits_of(kind))
    return {
        "eq": left == right, "ne": left != right,
        "lt": left < right, "le": left <= right, "gt": left > right, "ge": left >= right,
    }[predicate if predicate in ("eq", "ne") else predicate[1:]]  # fmt: skip


def _is_truth(value: Value, other: Value) -> bool:
    """Whether a truth value is compared with a constant one."""
    return isinstance(value, Term) and value.type == "mask" and other in (0, 1)


def _truths(machine: Machine, predicate: str, left: Value, right: Value) -> Value:
    """Compare truth values, of which one is a constant."""
    if not isinstance(right, bool | int):
        left, right = right, left
    if not isinstance(right, bool | int) or predicate not in ("eq", "ne"):
        raise Unsupported(f"truth values are compared by {predicate}")
    return left if (predicate == "eq") == bool(right) else _not(machine, left)


def _not(machine: Machine, value: Value) -> Value:
    if isinstance(value, Condition):
        return value.opposite()
    if isinstance(value, Term):
        return expand.logic(machine.store, "not", value)
    if isinstance(value, bool):
        return not value
    raise Unsupported("a truth value that is none")


def logic(machine: Machine, name: str, left: Value, right: Value) -> Value:
    """Return `and`, `or` or `xor` of truth values."""
    if isinstance(left, bool) and not isinstance(right, bool):
        left, right = right, left
    if isinstance(right, bool):
        if name == "xor":
            return _not(machine, left) if right else left
        return left if right == (name == "and") else right
    if isinstance(left, Condition) and isinstance(right, Condition):
        known = [machine.facts.decide(c) for c in (left, right)]
        for value, other in ((known[0], right), (known[1], left)):
            if value is not None:
                return logic(machine, name, other, value)
    if isinstance(left, Term) and isinstance(right, Term) and name != "xor":
        return expand.logic(machine.store, name, left, right)
    raise Unsupported(f"{name} of truth values")


def integer(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    """Compute with whole numbers or truth values."""
    bits = bits_of(step.kind)

    def apply(left: Value, right: Value) -> Value:
        if type(left) is int and type(right) is int:
            return _wrapped(step.name, left, right, bits)
        if bits == 1:
            return logic(machine, step.name, left, right)
        if isinstance(left, Term | bool) and isinstance(right, Term | bool):
            return logic(machine, step.name, left, right)
        if bitwise.is_bits(left, right):
            return bitwise.integer(machine, step.name, left, right, bits)
        left, right = whole(left), whole(right)
        if isinstance(left, int) and isinstance(right, int):
            return _wrapped(step.name, left, right, bits)
        if bits != 64:
            raise Unsupported(f"{step.name} of {bits} bits on {left} and {right}")
        return _linear(machine, step.name, left, right)

    return each(step.kind, apply, *operands)


def _wrapped(name: str, left: int, right: int, bits: int) -> int:
    if name in ("udiv", "urem", "sdiv", "srem") and right == 0:
        raise Unsupported("a division by zero")
    if name in ("shl", "lshr", "ashr") and right >= bits:
        raise Unsupported("a shift beyond the number")
    near, far = signed(left, bits), signed(right, bits)
    match name:
        case "add":
            found = left + right
        case "sub":
            found = left - right
        case "mul":
            found = left * right
        case "udiv":
            found = left // right
        case "urem":
            found = left % right
        case "sdiv":
            found = abs(near) // abs(far) * (1 if (near < 0) == (far < 0) else -1)
        case "srem":
            found = abs(near) % abs(far) * (-1 if near < 0 else 1)
        case "and":
            found = left & right
        case "or":
            found = left | right
        case "xor":
            found = left ^ right
        case "shl":
            found = left << right
        case "lshr":
            found = left >> right
        case "ashr":
            found = near >> right
        case _:
            raise Unsupported(name)
    return found & ((1 << bits) - 1)


def _linear(machine: Machine, name: str, left: Whole, right: Whole) -> Whole:
    """Do to linear numbers what stays linear, or has a linear whole part."""
    near, far = (around(side, Int(64)) for side in (left, right))
    if name == "add":
        return plus(near, far)
    if name == "sub":
        return minus(near, far)
    if name == "mul" and (isinstance(near, int) or isinstance(far, int)):
        return scaled(far, near) if isinstance(near, int) else scaled(near, exact(far))
    if name == "and" and isinstance(near, int):
        near, far = far, near
    by = exact(far)
    if name == "shl" and 0 <= by < 64:
        return scaled(near, 1 << by)
    if name == "lshr" and 0 <= by < 64:
        return machine.facts.quotient(near, 1 << by)
    if name in ("udiv", "urem") and by > 0:
        quotient = machine.facts.quotient(near, by)
        return quotient if name == "udiv" else minus(near, scaled(quotient, by))
    if name == "and":
        return _masked(machine, near, by)
    raise Unsupported(f"{name} of {left} and {right}")


def _masked(machine: Machine, value: Whole, mask: int) -> Whole:
    lowest = mask & -mask
    above = mask + lowest  # 0 if the mask goes up to the last bit
    if mask == 0 or above & (above - 1):
        raise Unsupported(f"{value} & {mask}")
    found = scaled(machine.facts.quotient(value, lowest), lowest)
    if above:
        found = minus(found, scaled(machine.facts.quotient(value, above), above))
    return found


def exact(value: Whole) -> int:
    """Return a number that must be known."""
    if not isinstance(value, int):
        raise Unsupported(f"an operation by {value}")
    return value
