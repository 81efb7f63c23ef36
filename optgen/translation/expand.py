"""Choices, comparisons and what is made of them, in one form for all readers.

Compilers turn conditions around, split `a and b` into two branches and join them
again. Here every choice becomes a decision diagram: `select(atom, yes, no)`, one
atom after the other in a fixed order, none asked twice. Two values that make the
same choices are then the same term. Every step keeps all bits, NaN, infinities and
signed zeros included.

    atom = lt(a, b) | eq(a, b)        true only if neither is NaN
         | bit(a, ...)                some function of the bits of values, by its number
    mask = constant 0 | constant 1 | select(atom, mask, mask)
    value = select(atom, value, value) | any other term

`operation` builds an operation of the IR; `max`, `min` and `sign` are written with
`select`, as `ir.OPERATIONS` defines them.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from optgen.ir import OPERATIONS
from optgen.translation.terms import Rounding, Term, Terms

_ROUNDED = frozenset(("add", "sub", "mul", "div", "sqrt"))
_COMPARED = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
_MIRRORED = {"gt": "lt", "ge": "le"}
_FLIPPED_SIGN = {"nan": "nan", "inf": "-inf", "-inf": "inf"}


def truth(store: Terms, value: bool) -> Term:
    """Return the mask that always, or never, holds."""
    return store.constant(Fraction(value), "mask")


def operation(store: Terms, name: str, *operands: Term, flushed: bool = False) -> Term:
    """Return an operation of `ir.OPERATIONS` on values or masks, rounded to nearest.

    `flushed` comparisons and operations take subnormal operands as zeros.
    """
    if name in _COMPARED:
        return compare(store, name, *operands, flushed=flushed)
    if name == "select":
        return choose(store, *operands)
    if name in ("and", "or", "not"):
        return logic(store, name, *operands)
    if name in ("max", "min"):
        return extreme(store, name, *operands)
    if name == "sign":
        return sign(store, operands[0])
    kind = operands[0].type
    if name == "neg":
        return negative(store, operands[0], flushed=flushed)
    assert OPERATIONS[name].result == "float"
    rounding: Rounding = "nearest" if name in _ROUNDED else ""
    return store.make(name, kind, operands, rounding=rounding, flushed=flushed)


def negative(store: Terms, value: Term, *, flushed: bool = False) -> Term:
    """Return a value with its sign bit flipped."""
    payload = value.payload
    if value.operation == "constant" and not flushed and not isinstance(payload, tuple):
        if payload == "-0":
            return store.constant(Fraction(0), value.type)
        if isinstance(payload, Fraction):
            return store.constant(-payload if payload else "-0", value.type)
        return store.constant(_FLIPPED_SIGN[str(payload)], value.type)
    return store.make("neg", value.type, (value,), flushed=flushed)


def extreme(store: Terms, name: str, left: Term, right: Term) -> Term:
    """Return the IR's `max` or `min`: NaN if either is NaN, and +0 where the result is a zero."""
    first = compare(store, "gt" if name == "max" else "lt", left, right)
    takes_left = logic(store, "or", first, compare(store, "ne", left, left))
    zero = store.constant(Fraction(0), left.type)
    return operation(store, "add", choose(store, takes_left, left, right), zero)


def sign(store: Terms, value: Term) -> Term:
    """Return the IR's `sign`: +0 at both zeros, NaN at NaN."""
    zero, one, minus = (store.constant(Fraction(n), value.type) for n in (0, 1, -1))
    inner = choose(store, compare(store, "eq", value, zero), zero, value)
    inner = choose(store, compare(store, "lt", value, zero), minus, inner)
    return choose(store, compare(store, "gt", value, zero), one, inner)


def compare(store: Terms, name: str, left: Term, right: Term, *, flushed: bool = False) -> Term:
    """Return the mask of a comparison; only `ne` holds if either operand is NaN."""
    if name in _MIRRORED:
        name, left, right = _MIRRORED[name], right, left
    if name == "le":
        less = compare(store, "lt", left, right, flushed=flushed)
        return logic(store, "or", less, compare(store, "eq", left, right, flushed=flushed))
    if name == "ne":
        return logic(store, "not", compare(store, "eq", left, right, flushed=flushed))
    known = _known(name, left, right)
    if known is not None:
        return truth(store, known)
    atom = store.make(name, "mask", (left, right), flushed=flushed)
    return store.make("select", "mask", (atom, truth(store, True), truth(store, False)))


def _known(name: str, left: Term, right: Term) -> bool | None:
    """Return what a comparison says whatever the inputs, or None."""
    if left is right and name == "lt":
        return False
    if left.operation == right.operation == "constant":
        if "nan" in (left.payload, right.payload):
            return False
        a, b = (_number(term) for term in (left, right))
        return a < b if name == "lt" else a == b
    return None


def _number(constant: Term) -> Fraction | float:
    payload = constant.payload
    return payload if isinstance(payload, Fraction) else float(str(payload))


def logic(store: Terms, name: str, *masks: Term) -> Term:
    """Return `and`, `or` or `not` of masks."""
    no, yes = truth(store, False), truth(store, True)
    if name == "not":
        return choose(store, masks[0], no, yes)
    result, *rest = masks
    for mask in rest:
        both = (mask, no) if name == "and" else (yes, mask)
        result = choose(store, result, *both)
    return result


def choose(store: Terms, mask: Term, yes: Term, no: Term) -> Term:
    """Return `yes` where the mask holds, else `no`, as a decision diagram."""
    return _Diagram(store).choose(mask, yes, no)


class _Diagram:
    """Builds a decision diagram; the store remembers what was built."""

    def __init__(self, store: Terms) -> None:
        self._store = store
        self._chosen, self._assumed = store.chosen, store.assumed

    def choose(self, mask: Term, yes: Term, no: Term) -> Term:
        if yes is no:
            return yes
        if mask.operation == "constant":
            return yes if mask.payload == 1 else no
        key = (id(mask), id(yes), id(no))
        found = self._chosen.get(key)
        if found is None:
            parts = (mask, yes, no)
            atom = min(
                (part.operands[0] for part in parts if part.operation == "select"), key=self._order
            )
            found = self._node(
                atom,
                self.choose(*(self._given(part, atom, True) for part in parts)),
                self.choose(*(self._given(part, atom, False) for part in parts)),
            )
            self._chosen[key] = found
        return found

    def _node(self, atom: Term, yes: Term, no: Term) -> Term:
        if yes is no:
            return yes
        return self._store.make("select", yes.type, (atom, yes, no))

    def _order(self, atom: Term) -> tuple[int, int, bool, str, int]:
        """Comparisons of the same two values stand together, `eq` behind `lt`."""
        places = [self._store.position(term) for term in atom.operands]
        return (max(places), min(places), atom.flushed, _LATER[atom.operation], places[0])

    def _given(self, value: Term, atom: Term, holds: bool) -> Term:
        """Return a value under the assumption that an atom holds, or does not."""
        if value.operation != "select" or self._compared(value).isdisjoint(atom.operands):
            return value
        key = (id(value), id(atom), holds)
        found = self._assumed.get(key)
        if found is None:
            asked, yes, no = value.operands
            known = holds if asked is atom else _follows(asked, atom, holds)
            if known is not None:
                found = self._given(yes if known else no, atom, holds)
            else:
                sides = (self._given(side, atom, holds) for side in (yes, no))
                found = self._node(asked, *sides)
            self._assumed[key] = found
        return found

    def _compared(self, value: Term) -> frozenset[Term]:
        """Return what is compared anywhere in a value; an atom says nothing of anything else."""
        found = self._store.compared.get(id(value))
        if found is None:
            found = frozenset()
            if value.operation == "select":
                asked, *sides = value.operands
                found = frozenset(asked.operands).union(*map(self._compared, sides))
            self._store.compared[id(value)] = found
        return found


_LATER = {"lt": "a", "eq": "b", "bit": "c"}


def _follows(asked: Term, atom: Term, holds: bool) -> bool | None:
    """Return what one atom says about another, or None.

    Of `a < b`, `b < a` and `a = b` at most one holds, and none if either is NaN, that is
    if `a = a` or `b = b` does not hold.
    """
    if asked.flushed != atom.flushed or "bit" in (asked.operation, atom.operation):
        return None
    inside = _same(atom.operands, asked.operands)
    if holds:
        if _is_number_test(asked) and asked.operands[0] in atom.operands:
            return True
        return False if inside and not _is_number_test(atom) else None
    if _is_number_test(atom) and atom.operands[0] in asked.operands:
        return False
    return None


def _is_number_test(atom: Term) -> bool:
    return atom.operation == "eq" and atom.operands[0] is atom.operands[1]


def _same(left: Iterable[Term], right: Iterable[Term]) -> bool:
    return {id(term) for term in left} == {id(term) for term in right}
