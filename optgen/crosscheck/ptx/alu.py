"""What each arithmetic opcode means: a table from its full name to a function on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from optgen.crosscheck.ptx import floats, integers
from optgen.crosscheck.ptx.convert import conversion
from optgen.crosscheck.ptx.types import DTYPES, Array

Apply = Callable[..., Any]
"""Arrays to an array; NumPy's functions are typed too variously to say more."""

IMMEDIATE = "immediate"
"""Type of an operand that must be an integer constant."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One opcode with its modifiers.

    Attributes:
        result: PTX type of the destination.
        operands: PTX type of each source.
        apply: Arrays of the operands' dtypes to a new array of the result's dtype.
        divides: The second operand must not be zero.
        resizes: The registers may be wider than the types (`cvt`).
    """

    result: str
    operands: tuple[str, ...]
    apply: Apply
    divides: bool = False
    resizes: bool = False


def operation(name: str, modifiers: tuple[str, ...]) -> Operation | None:
    """Return the meaning of `name`, for example `add.rn.f32`, or None if it is not known."""
    if name.startswith("cvt."):
        convert = conversion(modifiers)
        if convert is None:
            return None
        return Operation(modifiers[-2], (modifiers[-1],), convert, resizes=True)
    return TABLE.get(name)


def _copy(a: Array) -> Array:
    return a.copy()


def _floats() -> Iterator[tuple[str, Operation]]:
    for t in ("f32", "f64"):
        one = DTYPES[t].type(1)
        two = (t, t)
        # Without a rounding mode these round to nearest even as well, but ptxas may fuse them:
        # see Entry.contractible.
        for name, apply in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply)):
            yield f"{name}.{t}", Operation(t, two, apply)
            yield f"{name}.rn.{t}", Operation(t, two, apply)
        yield f"fma.rn.{t}", Operation(t, (t, t, t), floats.fma)
        yield f"div.rn.{t}", Operation(t, two, np.divide)
        yield f"sqrt.rn.{t}", Operation(t, (t,), np.sqrt)
        yield f"rcp.rn.{t}", Operation(t, (t,), lambda a, one=one: one / a)
        yield f"neg.{t}", Operation(t, (t,), np.negative)
        yield f"abs.{t}", Operation(t, (t,), np.abs)
        yield f"min.{t}", Operation(t, two, floats.minimum)
        yield f"max.{t}", Operation(t, two, floats.maximum)
        yield f"copysign.{t}", Operation(t, two, lambda a, b: np.copysign(b, a))
    yield "min.NaN.f32", Operation("f32", ("f32", "f32"), floats.minimum_nan)
    yield "max.NaN.f32", Operation("f32", ("f32", "f32"), floats.maximum_nan)


def _integers() -> Iterator[tuple[str, Operation]]:
    for t in ("u16", "s16", "u32", "s32", "u64", "s64"):
        two, three = (t, t), (t, t, t)
        yield f"add.{t}", Operation(t, two, np.add)
        yield f"sub.{t}", Operation(t, two, np.subtract)
        yield f"min.{t}", Operation(t, two, np.minimum)
        yield f"max.{t}", Operation(t, two, np.maximum)
        yield f"div.{t}", Operation(t, two, integers.divide, divides=True)
        yield f"rem.{t}", Operation(t, two, integers.remainder, divides=True)
        yield f"mul.lo.{t}", Operation(t, two, np.multiply)
        yield f"mul.hi.{t}", Operation(t, two, integers.multiply_high)
        yield f"mad.lo.{t}", Operation(t, three, lambda a, b, c: a * b + c)
        yield (
            f"mad.hi.{t}",
            Operation(t, three, lambda a, b, c: integers.multiply_high(a, b) + c),
        )
        if t[1:] != "64":
            w = f"{t[0]}{2 * int(t[1:])}"
            yield f"mul.wide.{t}", Operation(w, two, integers.multiply_wide)
            yield (
                f"mad.wide.{t}",
                Operation(w, (t, t, w), lambda a, b, c: integers.multiply_wide(a, b) + c),
            )
        if t[0] == "s":
            yield f"neg.{t}", Operation(t, (t,), np.negative)
            yield f"abs.{t}", Operation(t, (t,), np.abs)


def _bits() -> Iterator[tuple[str, Operation]]:
    for t in ("pred", "b16", "b32", "b64"):
        two = (t, t)
        yield f"and.{t}", Operation(t, two, np.bitwise_and)
        yield f"or.{t}", Operation(t, two, np.bitwise_or)
        yield f"xor.{t}", Operation(t, two, np.bitwise_xor)
        yield f"not.{t}", Operation(t, (t,), np.invert)
    for bits in (16, 32, 64):
        yield f"shl.b{bits}", Operation(f"b{bits}", (f"b{bits}", "u32"), integers.shift_left)
        for letter in "bus":
            t = f"{letter}{bits}"
            yield f"shr.{t}", Operation(t, (t, "u32"), integers.shift_right)
    for t in ("b32", "b64"):
        yield f"popc.{t}", Operation("u32", (t,), integers.population)
        yield f"clz.{t}", Operation("u32", (t,), integers.leading_zeros)
        yield f"brev.{t}", Operation(t, (t,), integers.reverse_bits)
        yield f"bfi.{t}", Operation(t, (t, t, "u32", "u32"), integers.insert_field)
    for t in ("u32", "s32", "u64", "s64"):
        yield f"bfind.{t}", Operation("u32", (t,), integers.highest_bit)
        yield f"bfind.shiftamt.{t}", Operation("u32", (t,), integers.normalising_shift)
        yield f"bfe.{t}", Operation(t, (t, "u32", "u32"), integers.extract_field)
    three = ("b32", "b32", "u32")
    wrap, clamp = integers.wrap_count, integers.clamp_count
    left, right = integers.funnel_left, integers.funnel_right
    yield "shf.l.wrap.b32", Operation("b32", three, lambda a, b, n: left(a, b, wrap(n)))
    yield "shf.l.clamp.b32", Operation("b32", three, lambda a, b, n: left(a, b, clamp(n)))
    yield "shf.r.wrap.b32", Operation("b32", three, lambda a, b, n: right(a, b, wrap(n)))
    yield "shf.r.clamp.b32", Operation("b32", three, lambda a, b, n: right(a, b, clamp(n)))
    yield "prmt.b32", Operation("b32", three, integers.permute_bytes)
    yield (
        "lop3.b32",
        Operation(
            "b32",
            ("b32", "b32", "b32", IMMEDIATE),
            lambda a, b, c, table: integers.logic3(a, b, c, int(table[0])),
        ),
    )


def _moves() -> Iterator[tuple[str, Operation]]:
    for t in ("pred", *(f"{letter}{bits}" for letter in "bus" for bits in (16, 32, 64))):
        yield f"mov.{t}", Operation(t, (t,), _copy)
    for t in ("f32", "f64"):
        yield f"mov.{t}", Operation(t, (t,), _copy)
    for t in (*(f"{letter}{bits}" for letter in "bus" for bits in (16, 32, 64)), "f32", "f64"):
        yield f"selp.{t}", Operation(t, (t, t, "pred"), lambda a, b, p: np.where(p, a, b))
    # Global buffers have the same address in the generic space.
    yield "cvta.to.global.u64", Operation("u64", ("u64",), _copy)
    yield "cvta.global.u64", Operation("u64", ("u64",), _copy)


_COMPARE: Mapping[str, Apply] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_UNSIGNED_ONLY = {"lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal}
_COMBINE = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}


def _ordered(a: Array, b: Array) -> Array:
    return ~_unordered(a, b)


def _unordered(a: Array, b: Array) -> Array:
    return np.isnan(a) | np.isnan(b)


def _comparisons() -> Iterator[tuple[str, str, Apply]]:
    """Yield comparison, type, function."""
    for t in ("f32", "f64"):
        for name, compare in _COMPARE.items():
            # NumPy's != is true for NaN, PTX's `ne` is false; the others agree.
            def ordered(a: Array, b: Array, c: Apply = compare) -> Any:
                return _ordered(a, b) & c(a, b)

            def unordered(a: Array, b: Array, c: Apply = compare) -> Any:
                return _unordered(a, b) | c(a, b)

            yield name, t, ordered if name == "ne" else compare
            yield f"{name}u", t, unordered
        yield "num", t, _ordered
        yield "nan", t, _unordered
    for bits in (16, 32, 64):
        for name, compare in _COMPARE.items():
            for letter in "bus" if name in ("eq", "ne") else "us":
                yield name, f"{letter}{bits}", compare
        for name, compare in _UNSIGNED_ONLY.items():
            yield name, f"u{bits}", compare


def _predicates() -> Iterator[tuple[str, Operation]]:
    for name, t, compare in _comparisons():
        yield f"setp.{name}.{t}", Operation("pred", (t, t), compare)
        for word, combine in _COMBINE.items():

            def both(
                a: Array,
                b: Array,
                p: Array,
                compare: Apply = compare,
                combine: Apply = combine,
            ) -> Any:
                return combine(compare(a, b), p)

            yield f"setp.{name}.{word}.{t}", Operation("pred", (t, t, "pred"), both)


TABLE: Mapping[str, Operation] = MappingProxyType(
    {name: op for group in (_floats, _integers, _bits, _moves, _predicates) for name, op in group()}
)
"""Every arithmetic instruction the executor knows, besides `cvt`, by its full name."""
