"""The operations of the intermediate representation: what they do to every value.

`ir` says where they stand and what they round to.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal as OneOf

RANDOM = tuple(f"random{number}" for number in range(8))
"""Names of an element's random numbers, 16 bits each."""

Kind = OneOf["float", "mask"]
_FLOAT: Kind = "float"
_MASK: Kind = "mask"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an operation does to special values, and where it may stand.

    Attributes:
        arity: Number of operands.
        result: `"float"` or `"mask"`.
        operands: Kinds of the operands.
        doc: Its value, NaN and signed zeros included.
        host_only: Whether it may stand in the host program only.
        ulps: Error of the result, in units in the last place.
    """

    arity: int
    result: Kind
    operands: tuple[Kind, ...]
    doc: str
    host_only: bool = False
    ulps: Fraction = Fraction(1, 2)


def _float(arity: int, doc: str, *, host_only: bool = False, ulps: Fraction | int = 0) -> Meaning:
    return Meaning(arity, "float", (_FLOAT,) * arity, doc, host_only, Fraction(ulps))


def _compare(doc: str) -> Meaning:
    return Meaning(2, "mask", ("float", "float"), doc, ulps=Fraction(0))


def _logic(arity: int, doc: str) -> Meaning:
    return Meaning(arity, "mask", (_MASK,) * arity, doc, ulps=Fraction(0))


_HALF = Fraction(1, 2)

OPERATIONS: dict[str, Meaning] = {
    "add": _float(2, "IEEE 754 addition", ulps=_HALF),
    "sub": _float(2, "IEEE 754 subtraction", ulps=_HALF),
    "mul": _float(2, "IEEE 754 multiplication", ulps=_HALF),
    "div": _float(2, "IEEE 754 division", ulps=_HALF),
    "sqrt": _float(1, "IEEE 754 square root; NaN below 0, -0 at -0", ulps=_HALF),
    "neg": _float(1, "the sign bit flipped"),
    "abs": _float(1, "the sign bit cleared"),
    "sign": _float(1, "1 above 0, -1 below, +0 at both zeros, NaN at NaN"),
    "max": _float(2, "the larger; NaN if either is NaN; a zero result is +0"),
    "min": _float(2, "the smaller; NaN if either is NaN; a zero result is +0"),
    "lt": _compare("false if either is NaN"),
    "le": _compare("false if either is NaN"),
    "gt": _compare("false if either is NaN"),
    "ge": _compare("false if either is NaN"),
    "eq": _compare("false if either is NaN; -0 equals +0"),
    "ne": _compare("true if either is NaN; -0 equals +0"),
    "and": _logic(2, "both hold"),
    "or": _logic(2, "either holds"),
    "not": _logic(1, "does not hold"),
    "select": Meaning(
        3,
        "float",
        ("mask", "float", "float"),
        "the second if the first holds, else the third",
        ulps=Fraction(0),
    ),
    "power": _float(2, "integer power above 1; becomes multiplications", ulps=_HALF),
    # Squaring doubles a relative error: the result is off by at most `exponent` half ulps.
    "ipow": _float(2, "integer power by binary exponentiation, low bit first", host_only=True),
    "pow": _float(2, "the C library's pow", host_only=True, ulps=2),
    "to_float32": _float(1, "rounded to float32, to nearest, ties to even"),
    "to_bfloat16": _float(1, "rounded to bfloat16, to nearest, ties to even"),
    "to_float16": _float(1, "rounded to float16, to nearest, ties to even"),
    "to_bfloat16_random": _float(
        2, "up or down to bfloat16: 16 random bits added below it, cut off; NaN and infinity stay"
    ),
}

ROUNDINGS = ("to_float32", "to_bfloat16", "to_float16", "to_bfloat16_random")
"""Operations that round to the type of a buffer."""
