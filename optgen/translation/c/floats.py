"""Floating-point operations of C and of LLVM as terms, and one form for what compilers turn round.

`settle` changes no bit: each of its rules holds for every value, both infinities, both
zeros and NaN (as one value) included. A compiler may use such a rule; the IR's side and the
code's side are settled alike and compared then.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from optgen.translation import expand
from optgen.translation.kernel_terms import convert
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported

_ORDERED = {"oeq": "eq", "ogt": "gt", "oge": "ge", "olt": "lt", "ole": "le"}
_UNORDERED = {"une": "eq", "ule": "gt", "ult": "ge", "uge": "lt", "ugt": "le"}
_HELD: dict[str, type[np.floating[Any]]] = {"float32": np.float32, "float64": np.float64}
_FOLDED = frozenset(("add", "sub", "mul", "div", "sqrt"))


def compared(store: Terms, predicate: str, left: Term, right: Term) -> Term:
    """Return the mask of an LLVM comparison of floats."""
    if predicate in _ORDERED:
        return expand.compare(store, _ORDERED[predicate], left, right)
    if predicate in _UNORDERED:
        opposite = expand.compare(store, _UNORDERED[predicate], left, right)
        return expand.logic(store, "not", opposite)
    numbers = [expand.compare(store, "eq", side, side) for side in (left, right)]
    ordered = expand.logic(store, "and", *numbers)
    match predicate:
        case "ord":
            return ordered
        case "uno":
            return expand.logic(store, "not", ordered)
        case "one" | "ueq":
            less = [expand.compare(store, "lt", *p) for p in ((left, right), (right, left))]
            differs = expand.logic(store, "or", *less)
            return differs if predicate == "one" else expand.logic(store, "not", differs)
        case "true" | "false":
            return expand.truth(store, predicate == "true")
    raise Unsupported(f"a comparison {predicate}")


def number(store: Terms, value: float, kind: TermType) -> Term:
    """Return the constant of a float that its type holds.

    Raises:
        Unsupported: The type does not hold it.
    """
    if kind not in _HELD:
        raise Unsupported(f"a constant of type {kind}")
    with np.errstate(over="ignore"):
        held = float(_HELD[kind](value))
    if held != value and not math.isnan(value):
        raise Unsupported(f"{value!r} is not a {kind}")
    return store.number(value, kind)


def cast(store: Terms, value: Term, to: TermType) -> Term:
    """Return a conversion between types of floats."""
    return convert(store, value, to)


def whole_number(store: Terms, value: int, to: TermType) -> Term:
    """Return an integer as a float, rounded once."""
    if to not in _HELD:
        raise Unsupported(f"an integer becomes a {to}")
    return store.number(float(_HELD[to](value)), to)


class Settling:
    """Brings terms of one store into one form; remembers what it has done."""

    def __init__(self, store: Terms) -> None:
        self.store = store
        self._done: dict[int, Term] = {}

    def settle(self, term: Term) -> Term:
        """Return a term with the bits of another, for all values."""
        found = self._done.get(id(term))
        if found is None:
            found = self._done[id(term)] = self._settled(term)
            self._done[id(found)] = found
        return found

    def _settled(self, term: Term) -> Term:
        if not term.operands or term.flushed:
            return term
        if term.operation == "select":
            atom, yes, no = term.operands
            mask = self._asked(atom)
            return expand.choose(self.store, mask, self.settle(yes), self.settle(no))
        operands = tuple(map(self.settle, term.operands))
        if term.rounding not in ("", "nearest"):
            return self._same(term, operands)
        rule = getattr(self, f"_{term.operation}", None)
        if rule is None:
            return self._same(term, operands)
        folded = self._folded(term, operands)
        return folded or rule(term, *operands)

    def _asked(self, atom: Term) -> Term:
        """Return the mask of a comparison; `a = b` as neither less nor greater, and no NaN.

        Compilers ask what is left of three possibilities, whichever that is.
        """
        if atom.operation == "bit":
            yes, no = expand.truth(self.store, True), expand.truth(self.store, False)
            return self.store.make("select", "mask", (atom, yes, no))
        left, right = map(self.settle, atom.operands)
        if atom.operation != "eq" or left is right or atom.flushed:
            return expand.compare(self.store, atom.operation, left, right, flushed=atom.flushed)
        parts = [expand.compare(self.store, "eq", side, side) for side in (left, right)]
        for pair in ((left, right), (right, left)):
            less = expand.compare(self.store, "lt", *pair)
            parts.append(expand.logic(self.store, "not", less))
        return expand.logic(self.store, "and", *parts)

    def _same(self, term: Term, operands: tuple[Term, ...]) -> Term:
        return self.store.make(
            term.operation, term.type, operands, term.payload, term.rounding, term.flushed
        )

    def _make(self, name: str, *operands: Term) -> Term:
        return expand.operation(self.store, name, *operands)

    def _constant(self, value: float, like: Term) -> Term:
        return self.store.number(value, like.type)

    def _folded(self, term: Term, operands: tuple[Term, ...]) -> Term | None:
        """Return the value of an operation on constants."""
        if term.operation not in _FOLDED or term.type not in _HELD:
            return None
        values = [_value(o) for o in operands]
        if any(v is None for v in values):
            return None
        held = [_HELD[term.type](v) for v in values]
        functions = {
            "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
            "sqrt": np.sqrt,
        }  # fmt: skip
        with np.errstate(all="ignore"):
            return self.store.number(float(functions[term.operation](*held)), term.type)

    def _add(self, term: Term, left: Term, right: Term) -> Term:
        for this, other in ((left, right), (right, left)):
            if this.payload == "-0" and this.operation == "constant":
                return other  # -0 + x is x, at both zeros too
            if this.operation == "neg":
                return self.settle(self._make("sub", other, this.operands[0]))
            # x + 0 is never -0, so a second zero changes nothing.
            again = other.operation == "add" and any(map(_is_plain_zero, other.operands))
            if again and _is_plain_zero(this):
                return other
        return self._same(term, (left, right))

    def _sub(self, term: Term, left: Term, right: Term) -> Term:
        if right.operation == "constant":
            return self.settle(self._make("add", left, expand.negative(self.store, right)))
        if right.operation == "neg":
            return self.settle(self._make("add", left, right.operands[0]))
        if left.operation == "constant" and left.payload == "-0":
            return self.settle(expand.negative(self.store, right))
        return self._same(term, (left, right))

    def _neg(self, term: Term, value: Term) -> Term:
        if value.operation == "neg":
            return value.operands[0]
        return self._same(term, (value,))

    def _abs(self, term: Term, value: Term) -> Term:
        inner = value.operands[0] if value.operation in ("neg", "abs") else value
        return self._same(term, (inner,))

    def _mul(self, term: Term, left: Term, right: Term) -> Term:
        found = self._without_signs(term, left, right)
        if found is not None:
            return found
        for this, other in ((left, right), (right, left)):
            if this.payload == 1:
                return other
            if this.payload == 2:
                return self.settle(self._make("add", other, other))
        return self._same(term, (left, right))

    def _div(self, term: Term, left: Term, right: Term) -> Term:
        found = self._without_signs(term, left, right)
        if found is not None:
            return found
        value = _value(right)
        if value is not None and math.isfinite(value) and abs(math.frexp(value)[0]) == 0.5:
            limits = np.finfo(term.type)
            if float(limits.tiny) <= 1 / value <= float(limits.max):  # exact, and not subnormal
                return self.settle(self._make("mul", left, self._constant(1 / value, term)))
        return self._same(term, (left, right))

    def _without_signs(self, term: Term, left: Term, right: Term) -> Term | None:
        """Return a product or quotient with its signs taken out, or None if it has none."""
        parts, odd = [], False
        for side in (left, right):
            value = _value(side)
            if side.operation == "neg":
                odd, side = not odd, side.operands[0]
            elif value is not None and math.copysign(1, value) < 0:
                odd, side = not odd, expand.negative(self.store, side)
            parts.append(side)
        if parts == [left, right]:
            return None
        plain = self.settle(self._make(term.operation, *parts))
        return self.settle(expand.negative(self.store, plain)) if odd else plain

    def _convert(self, term: Term, value: Term) -> Term:
        if value.operation == "constant" and isinstance(value.payload, Fraction):
            return convert(self.store, value, term.type)
        if value.operation == "constant":  # an infinity, a NaN, -0
            return self.store.constant(str(value.payload), term.type)
        wider = (term.type, value.type) == ("float32", "float64")
        if wider and value.operation == "convert" and value.operands[0].type == term.type:
            return value.operands[0]  # to double and back
        if wider and value.operation in _FOLDED and value.rounding == "nearest":
            narrow = [self._narrow(o) for o in value.operands]
            if all(o is not None for o in narrow):
                # 53 bits are enough for the second rounding to change nothing (Figueroa 1995).
                return self.settle(self._make(value.operation, *(o for o in narrow if o)))
        return self._same(term, (value,))

    def _narrow(self, term: Term) -> Term | None:
        """Return the float32 that a double is, or None."""
        if term.operation == "convert" and term.operands[0].type == "float32":
            return term.operands[0]
        value = _value(term)
        with np.errstate(over="ignore"):
            if value is not None and float(np.float32(value)) == value:
                return self.store.number(value, "float32")
        return None

    def _sqrt(self, term: Term, value: Term) -> Term:
        return self._same(term, (value,))


def _is_plain_zero(term: Term) -> bool:
    return term.operation == "constant" and term.payload == Fraction(0)


def _value(term: Term) -> float | None:
    """Return the float that a constant is; None of others, and of NaN."""
    if term.operation != "constant" or term.payload == "nan":
        return None
    payload = term.payload
    return (
        -0.0
        if payload == "-0"
        else float(payload)
        if isinstance(payload, Fraction)
        else float(str(payload))
    )
