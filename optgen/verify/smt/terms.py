"""Fractions of z3 terms, and what is known of the fresh variables in them.

A value is a fraction of two terms, so that z3 sees no division. What z3 has no
function for becomes a fresh variable with the facts known of it: what holds for every
value of the variable holds for the true one; what z3 finds for some value proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType
from typing import Any

Term = Any
"""A z3 expression; z3 ships no types."""


class Beyond(Exception):
    """z3 is not asked about this; the text says why."""


@dataclass(frozen=True, slots=True)
class Value:
    """`numer / denom` where `defined` holds.

    Attributes:
        numer: A real term.
        denom: A real term that is not 0 where the value is defined; None stands for 1.
        defined: What must hold besides the facts of the encoder; None if nothing.
    """

    numer: Term
    denom: Term = None
    defined: Term = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A boolean term where `defined` holds."""

    term: Term
    defined: Term = None


class Terms:
    """Arithmetic of values, and the facts known of their variables.

    Args:
        z3: The module.

    Attributes:
        facts: What is known.
    """

    def __init__(self, z3: ModuleType) -> None:
        self.z3 = z3
        self.facts: list[Term] = []
        self._atoms: dict[tuple[object, ...], Term] = {}
        self._kept: list[Term] = []  # z3 gives the number of a freed term to the next one

    def number(self, value: Fraction | int) -> Term:
        """Return a number as a term."""
        return self.z3.RealVal(str(Fraction(value)))

    def fresh(self, *key: Any) -> tuple[Term, bool]:
        """Return the variable of a key, and whether the key is new; terms in it go by identity."""
        plain = tuple((part.get_id(),) if hasattr(part, "get_id") else part for part in key)
        new = plain not in self._atoms
        if new:
            self._kept += [part for part in key if hasattr(part, "get_id")]
            self._atoms[plain] = self.z3.Real(f"{key[0]}.{len(self._atoms)}")
        return self._atoms[plain], new

    def all(self, *conditions: Term) -> Term:
        """Return the conjunction of conditions; None stands for what always holds."""
        found = [c for c in conditions if c is not None]
        if len(found) <= 1:
            return found[0] if found else None
        return self.z3.And(found)

    def gap(self, a: Value, b: Value) -> tuple[Term, Term]:
        """Return a numerator and a denominator of a - b."""
        if a.denom is None and b.denom is None:
            return a.numer - b.numer, None
        if a.denom is not None and b.denom is not None and a.denom.eq(b.denom):
            return a.numer - b.numer, a.denom
        left = a.numer if b.denom is None else a.numer * b.denom
        right = b.numer if a.denom is None else b.numer * a.denom
        return left - right, product(a.denom, b.denom)

    def combine(self, tag: str, a: Value, b: Value) -> Value:
        """Return a sum, product, maximum or minimum."""
        defined = self.all(a.defined, b.defined)
        if tag == "add":
            numer, denom = self.gap(a, Value(-b.numer, b.denom))
            return Value(numer, denom, defined)
        if tag == "mul":
            return Value(a.numer * b.numer, product(a.denom, b.denom), defined)
        above = product(*self.gap(a, b)) >= 0
        first, second = (a, b) if tag == "max" else (b, a)
        return self.either(above, first, second, defined)

    def either(self, condition: Term, a: Value, b: Value, defined: Term) -> Value:
        """Return a value that is `a` where a condition holds, and else `b`."""
        one = self.number(1)
        numer = self.z3.If(condition, a.numer, b.numer)
        if a.denom is None and b.denom is None:
            return Value(numer, None, defined)
        denom = self.z3.If(
            condition, one if a.denom is None else a.denom, one if b.denom is None else b.denom
        )
        return Value(numer, denom, defined)

    def of_sign(self, tag: str, a: Value) -> Value:
        """Return an absolute value or a sign."""
        signed = product(a.numer, a.denom)
        if tag == "abs":
            return Value(self.z3.If(signed >= 0, a.numer, -a.numer), a.denom, a.defined)
        one, zero = self.number(1), self.number(0)
        sign = self.z3.If(signed > 0, one, self.z3.If(signed < 0, -one, zero))
        return Value(sign, None, a.defined)

    def compare(self, operator: str, a: Value, b: Value) -> Condition:
        """Return a comparison of two values."""
        gap = self.gap(a, b)
        signed, zero = product(*gap), self.number(0)
        terms = {
            "<": lambda: signed < zero,
            "<=": lambda: signed <= zero,
            ">": lambda: signed > zero,
            ">=": lambda: signed >= zero,
            "==": lambda: gap[0] == zero,
            "!=": lambda: gap[0] != zero,
        }
        return Condition(terms[operator](), self.all(a.defined, b.defined))

    def choice(self, branches: tuple[tuple[Value, Condition], ...]) -> Value:
        """Return the value of the first branch whose condition holds."""
        value, last = branches[-1]
        found = Value(value.numer, value.denom, self.all(value.defined, last.defined, last.term))
        for value, condition in reversed(branches[:-1]):
            taken, other = value.defined, found.defined
            true = self.z3.BoolVal(True)
            inside = self.z3.If(
                condition.term, true if taken is None else taken, true if other is None else other
            )
            defined = self.all(condition.defined, inside)
            found = self.either(condition.term, value, found, defined)
        return found


def product(a: Term, b: Term) -> Term:
    """Return a product; None stands for 1."""
    if a is None:
        return b
    return a if b is None else a * b
