"""Types of C as code has them, and how values of one become values of another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from optgen.translation.c.code import BOOL, VOID, Float, Int, Number, Type

SINGLE, DOUBLE = Float("float32"), Float("float64")


@dataclass(frozen=True, slots=True)
class Signed(Int):
    """A signed integer."""


INT, LONG = Signed(32), Signed(64)
UINT, ULONG = Int(32), Int(64)

NAMED: dict[tuple[str, ...], Type] = {
    ("void",): VOID,
    ("_Bool",): BOOL,
    ("char",): Signed(8),
    ("signed", "char"): Signed(8),
    ("unsigned", "char"): Int(8),
    ("short",): Signed(16),
    ("unsigned", "short"): Int(16),
    ("int",): INT,
    ("unsigned", "int"): UINT,
    ("unsigned",): UINT,
    ("long",): LONG,
    ("unsigned", "long"): ULONG,
    ("long", "long"): LONG,
    ("unsigned", "long", "long"): ULONG,
    ("float",): SINGLE,
    ("double",): DOUBLE,
}


def promoted(kind: Type) -> Type:
    """Return a type after C's promotion of small integers."""
    return INT if isinstance(kind, Int) and kind.bits < 32 else kind


def common(left: Type, right: Type) -> Type | None:
    """Return what two numbers become before arithmetic; None if they are no numbers."""
    for kind in (DOUBLE, SINGLE):
        if kind in (left, right):
            return kind
    left, right = promoted(left), promoted(right)
    if not (isinstance(left, Int) and isinstance(right, Int)):
        return None
    if left.bits != right.bits:
        return left if left.bits > right.bits else right
    return right if isinstance(left, Signed) else left


def conversion(source: Type, target: Type) -> str | None:
    """Return the step that converts a number; `""` if none is needed, None if none is known."""
    match source, target:
        case Int(), Int():
            if source.bits == target.bits:
                return ""
            if source.bits > target.bits:
                return "trunc"
            return "sext" if isinstance(source, Signed) else "zext"
        case Int(), Float():
            return "sitofp" if isinstance(source, Signed) else "uitofp"
        case Float(), Int():
            return "fptosi" if isinstance(target, Signed) else "fptoui"
        case Float(), Float():
            if source == target:
                return ""
            return "fpext" if (source, target) == (SINGLE, DOUBLE) else "fptrunc"
    return None


def number(text: str) -> tuple[Number, Type] | None:
    """Return the constant that a word of C stands for; None if it is not read."""
    word = text.lower()
    if re.fullmatch(r"(0x[0-9a-f]+|\d+)[ul]*", word):
        digits = word.rstrip("ul")
        suffix = word[len(digits) :]
        value = int(digits, 16 if digits.startswith("0x") else 8 if _octal(digits) else 10)
        decimal = not digits.startswith("0")
        kinds: list[Int] = [UINT, ULONG] if "u" in suffix else [INT, LONG]
        if "u" not in suffix and not decimal:
            kinds = [INT, UINT, LONG, ULONG]
        if "l" in suffix:
            kinds = [k for k in kinds if k.bits == 64]
        for kind in kinds:
            if value < 1 << (kind.bits - isinstance(kind, Signed)):
                return Number(value, kind), kind
        return None
    if found := re.fullmatch(r"0x([0-9a-f]+)p([-+]?\d+)(f?)", word):
        exact = Fraction(int(found[1], 16)) * Fraction(2) ** int(found[2])
        real = SINGLE if found[3] else DOUBLE
        return Number(_nearest(exact) if found[3] else float(exact), real), real
    if re.fullmatch(r"(\d+\.?\d*|\.\d+)(e[-+]?\d+)?f?", word):
        single = word.endswith("f")
        exact = Fraction(word.rstrip("f"))
        real = SINGLE if single else DOUBLE
        return Number(_nearest(exact) if single else float(exact), real), real
    return None


def _octal(digits: str) -> bool:
    return len(digits) > 1 and digits.startswith("0")


def _nearest(exact: Fraction) -> float:
    """Return the float32 nearest to a number, ties to even."""
    if exact == 0:
        return 0.0
    middle = np.float32(float(exact))
    around = [middle, np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(0))]
    finite = [float(v) for v in around if np.isfinite(v)]
    return min(
        finite, key=lambda v: (abs(Fraction(v) - exact), int(np.float32(v).view(np.uint32)) & 1)
    )
