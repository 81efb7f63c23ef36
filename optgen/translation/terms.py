"""Operations on floating-point values, as a graph in which equal parts are one object.

Two outputs that are the same term give the same bits for every input: a term holds
every rounding. What may differ without changing a bit is made one here: the two
operands of an addition or a multiplication have no order. (NaNs count as one value.)

    Term = element(array) | scalar(name) | constant(value) | operation(operands)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal as OneOf

TermType = OneOf["float16", "bfloat16", "float32", "float64", "mask", "bits16", "bits32", "bits64"]
"""Types of values; `"bits16"` and its like are words, which are no floats."""

Rounding = OneOf["", "nearest", "fusible", "approx", "down", "up", "zero"]
"""How a result is rounded; empty where nothing is.

`"fusible"` is to nearest unless a later compiler fuses it with its neighbour: PTX's
`mul.f32` and `add.f32` without a rounding of their own.
"""

COMMUTING = frozenset(("add", "mul", "and", "or", "eq", "ne"))
"""Operations whose operands have no order."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One value. Terms of one store are equal only if they are the same object.

    Attributes:
        operation: `"element"`, `"scalar"`, `"constant"`, an operation of `ir.OPERATIONS`, or
            one that only compiled code has (`"fma"`, `"convert"`). What is made of bits and is
            no conversion: `"bits"`, a value, `"bit"`, a comparison, `"whole"`, an integer.
        type: Type of the value.
        operands: What it is computed from.
        payload: Name of an array or scalar; exact value of a constant, `"nan"`, `"inf"`,
            `"-inf"` or `"-0"`; name and distance of an element that is not the output's own.
        rounding: How the result is rounded.
        flushed: Whether subnormal operands and results become zero.
    """

    operation: str
    type: TermType
    operands: tuple[Term, ...] = ()
    payload: str | Fraction | tuple[str, int] | None = None
    rounding: Rounding = ""
    flushed: bool = False


@dataclass(slots=True)
class Terms:
    """A store of terms: builds each term once.

    Attributes:
        chosen: Choices that `expand` has made, by the numbers of what they are made of.
        assumed: Values under an assumption, likewise.
        compared: What is compared anywhere in a choice, by its number.
    """

    chosen: dict[tuple[int, int, int], Term] = field(default_factory=dict)
    assumed: dict[tuple[int, int, bool], Term] = field(default_factory=dict)
    compared: dict[int, frozenset[Term]] = field(default_factory=dict)
    _known: dict[tuple[object, ...], Term] = field(default_factory=dict)
    _order: dict[int, int] = field(default_factory=dict)

    def make(
        self,
        operation: str,
        type_: TermType,
        operands: tuple[Term, ...] = (),
        payload: str | Fraction | tuple[str, int] | None = None,
        rounding: Rounding = "",
        flushed: bool = False,
    ) -> Term:
        """Return the term that is made up of this, always the same object."""
        if operation in COMMUTING:
            operands = tuple(sorted(operands, key=lambda term: self._order[id(term)]))
        key = (operation, type_, tuple(map(id, operands)), payload, rounding, flushed)
        found = self._known.get(key)
        if found is None:
            found = Term(operation, type_, operands, payload, rounding, flushed)
            self._known[key] = found
            self._order[id(found)] = len(self._order)
        return found

    def position(self, term: Term) -> int:
        """Return when a term was built: terms built earlier have smaller numbers."""
        return self._order[id(term)]

    def element(self, array: str, type_: TermType) -> Term:
        """Return the value that an array has at the output's own index, before the step."""
        return self.make("element", type_, payload=array)

    def scalar(self, name: str, type_: TermType) -> Term:
        """Return a value that all elements share."""
        return self.make("scalar", type_, payload=name)

    def constant(self, value: Fraction | str, type_: TermType) -> Term:
        """Return a constant: exact, or one of the words of `Term.payload`."""
        return self.make("constant", type_, payload=value)

    def number(self, value: float, type_: TermType) -> Term:
        """Return the constant of a float that the type holds exactly, specials included."""
        if math.isnan(value):
            return self.constant("nan", type_)
        if math.isinf(value):
            return self.constant("inf" if value > 0 else "-inf", type_)
        if value == 0 and math.copysign(1, value) < 0:
            return self.constant("-0", type_)
        return self.constant(Fraction(value), type_)
