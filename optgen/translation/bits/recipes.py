"""Words as lists of operations, in which values are numbered: words built alike have equal lists.

    entry = (operation, ..., places of its operands in the list)

What a list is, over its free values, is found once and remembered.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optgen.translation import expand
from optgen.translation.bits import vectors
from optgen.translation.bits.conversions import WIDTHS, Conversions, bits_of, is_nan
from optgen.translation.bits.vectors import Vector
from optgen.translation.kernel_terms import HALVES, convert, rounded_at_random
from optgen.translation.terms import Term, TermType
from optgen.verify.verdicts import Unsupported

if TYPE_CHECKING:
    from optgen.translation.bits.words import Bits, Word

Entry = tuple[Any, ...]
Answer = tuple[Any, ...]
"""A value over those of a list: `("place", place)`, or an operation on answers."""


class Recipe:
    """A word as a list of operations.

    A value that is converted from another one may be looked into or not. Both are needed: a
    compiler may join a conversion with the next one; and a value of two bytes that is widened
    and rounded again is itself, which only holds of its value, not of all bits inside.

    Args:
        bits: The words.
        deep: Whether conversions are looked into.

    Attributes:
        free: The values in it that nothing is known of, by their numbers.
        values: All values in it, by their places in the list.
    """

    def __init__(self, bits: Bits, *, deep: bool = True) -> None:
        self._deep = deep
        self.free: list[Term] = []
        self.values: dict[int, Term] = {}
        self._entries: list[Entry] = []
        self._bits = bits
        self._follower = _Follower()
        self._places: dict[object, int] = {}

    def of(self, word: Word) -> tuple[Entry, ...]:
        """Return the list, whose last operation is the word."""
        self._word(word)
        return tuple(self._entries)

    def vector(self, word: Word) -> Vector:
        """Return the functions that the bits of a word are; what is asked again is known."""
        place = self._word(word)
        return self._follower.vector(self._entries, place)

    def _add(self, key: object, entry: Entry) -> int:
        self._entries.append(entry)
        self._places[key] = len(self._entries) - 1
        return self._places[key]

    def _word(self, word: Word) -> int:
        found = self._places.get(id(word))
        if found is not None:
            return found
        entry: Entry
        known = None if self._deep else self._bits.known(word)
        if known is not None:
            entry = ("bits", self._value(known))
        elif isinstance(word.detail, Term):
            entry = ("bits", self._value(word.detail))
        else:
            operands = tuple(map(self._word, word.operands))
            entry = (word.operation, word.width, word.detail, *operands)
        return self._add(id(word), entry)

    def _value(self, term: Term) -> int:
        found = self._places.get(term)
        if found is None:
            found = self._add(term, self._entry(term))
            self.values[found] = term
        return found

    def _entry(self, term: Term) -> Entry:
        """Return how a value is made, as far as conversions may be made so."""
        if not term.flushed:
            match term.operation, term.operands:
                case "constant", _ if term.type in WIDTHS and term.type != "mask":
                    return ("constant", term.payload, term.type)
                case ("neg" | "abs") as name, (value,):
                    return ("float", name, term.type, self._value(value))
                case "convert", (value,) if self._deep and _is_half(value.type, term.type):
                    return ("convert", term.type, value.type, self._value(value))
                case "to_bfloat16_random", (value, random) if self._deep:
                    return ("random", self._value(value), self._value(random))
                case ("add" | "mul") as name, operands if self._inside(term):
                    return ("float", name, term.type, *map(self._value, operands))
                case "select", (atom, yes, no):
                    return ("select", self._atom(atom), self._value(yes), self._value(no))
        word = self._bits.word(term)
        if word is not None:
            place = self._word(word)
            return ("whole", place, term.type) if term.operation == "whole" else ("alias", place)
        self.free.append(term)
        return ("free", len(self.free) - 1, term.type)

    def _inside(self, term: Term) -> bool:
        """Whether a sum or product is of the kind that conversions of float16 have inside."""
        if term.type != "float32" or term.rounding != "nearest":
            return False
        return any(operand.operation == "constant" for operand in term.operands)

    def _atom(self, atom: Term) -> int:
        found = self._places.get(atom)
        if found is not None:
            return found
        bit = self._bits.asked(atom)
        value = atom.operands[0]
        if bit is not None:
            return self._add(atom, ("alias", self._word(bit)))
        if atom.operation == "eq" and value is atom.operands[1] and not atom.flushed:
            return self._add(atom, ("number?", self._value(value), value.type))
        self.free.append(atom)
        return self._add(atom, ("free", len(self.free) - 1, "mask"))


@functools.lru_cache(maxsize=512)
def conversion(entries: tuple[Entry, ...], kind: TermType) -> Answer | None:
    """Return which value a word is in some type, over its free ones; None if it is none."""
    follower = _Follower()
    found = follower.conversions.value(follower.follow(entries), kind)
    return None if found is None else _answer(found, follower.places())


def example(entries: tuple[Entry, ...], kind: TermType) -> tuple[list[int], int, int] | None:
    """Return bits of the free values for which the halves of a word are two values of a type.

    Returns:
        The bits of each free value, and those of both halves; None if none were found.
    """
    follower = _Follower()
    both, conversions = follower.follow(entries), follower.conversions
    width = WIDTHS[kind]
    halves = Vector(both.bits[:width]), Vector(both.bits[width:])
    free = [entry for entry in entries if entry[0] == "free"]
    names = [conversions.store.scalar(str(number), of) for _, number, of in free]
    for given in conversions.tries(halves, names, kind):
        found = [conversions.number(half, given) for half in halves]
        if found[0] != found[1] and not all(is_nan(number, kind) for number in found):
            return [given[name] for name in names], found[0], found[1]
    return None


def _answer(term: Term, places: Mapping[Term, int]) -> Answer:
    if term in places:
        return ("place", places[term])
    if term.operation == "constant":
        return ("number", bits_of(term), term.type)
    inner = (_answer(operand, places) for operand in term.operands)
    return (term.operation, term.type, *inner)


def _is_half(*types: TermType) -> bool:
    """Whether a conversion is one between float32 and a type of two bytes."""
    return "float32" in types and not {*types}.isdisjoint(HALVES)


class _Follower:
    """Follows a list of operations, with a free term for each free value."""

    def __init__(self) -> None:
        self.conversions = Conversions()
        self._done: list[Term | Vector] = []

    def follow(self, entries: Sequence[Entry]) -> Vector:
        return self.vector(entries, len(entries) - 1)

    def vector(self, entries: Sequence[Entry], place: int) -> Vector:
        for entry in entries[len(self._done) :]:
            self._done.append(self._one(entry))
        return self._vector(place)

    def places(self) -> dict[Term, int]:
        """Return where in the list each value stands first."""
        found: dict[Term, int] = {}
        for place, value in enumerate(self._done):
            if isinstance(value, Term):
                found.setdefault(value, place)
        return found

    def _vector(self, place: int) -> Vector:
        found = self._done[place]
        return found if isinstance(found, Vector) else self.conversions.of(found)

    def _term(self, place: int, kind: TermType = "float32") -> Term:
        found = self._done[place]
        return found if isinstance(found, Term) else self.conversions.named(found, kind)

    def _one(self, entry: Entry) -> Term | Vector:
        conversions, diagrams = self.conversions, self.conversions.diagrams
        store = conversions.store
        match entry:
            case ("free", number, kind):
                return store.scalar(str(number), kind)
            case ("constant", payload, kind):
                return store.constant(payload, kind)
            case ("convert", kind, of, place):
                return convert(store, self._term(place, of), kind)
            case ("random", value, random):
                return rounded_at_random(store, self._term(value), self._term(random, "bits16"))
            case ("float", name, kind, *places):
                terms = (self._term(place, kind) for place in places)
                return expand.operation(store, name, *terms)
            case ("whole", place, kind):
                return conversions.whole(self._vector(place), kind)
            case ("bits" | "alias", place):
                return self._done[place]
            case ("number?", place, kind):
                return Vector((diagrams.negate(conversions.not_a_number(self._term(place, kind))),))
            case ("select" | "choose", *rest):
                asked, yes, no = (self._vector(place) for place in rest[-3:])
                return vectors.choose(diagrams, asked.bits[0], yes, no)
            case ("number", width, number):
                return vectors.exactly(number, width)
            case ("resized", width, signed, place):
                return vectors.resized(self._vector(place), width, signed=signed)
            case ("mul", width, by, place):
                return conversions.product(self._vector(place), by)
            case ("joined", _, _, *places):
                return vectors.joined([self._vector(place) for place in places])
            case ("shl", _, by, place):
                return vectors.shift_left(self._vector(place), by)
            case (("lshr" | "ashr") as name, _, by, place):
                return vectors.shift_right(self._vector(place), by, signed=name == "ashr")
            case (name, width, _, left, right):
                return self._two(name, width, self._vector(left), self._vector(right))
        raise Unsupported(f"the operation {entry[0]} on bits")

    def _two(self, name: str, width: int, left: Vector, right: Vector) -> Vector:
        diagrams = self.conversions.diagrams
        match name:
            case "add":
                return vectors.add(diagrams, left, right)
            case "sub":
                return vectors.subtract(diagrams, left, right)
            case "and" | "or" | "xor":
                return vectors.logic(diagrams, name, left, right)
        return Vector((vectors.compared(diagrams, name, left, right),))


__all__ = ["WIDTHS", "Answer", "Entry", "Recipe", "conversion"]
