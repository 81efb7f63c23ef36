"""The elements of traced arrays: pieces of an array, each with one term for all its elements."""

from __future__ import annotations

from dataclasses import dataclass, field

from optgen.translation import expand
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported


@dataclass(slots=True)
class _Piece:
    """Elements `start` up to `stop` of an array; None where nothing was written yet."""

    start: int
    stop: int
    term: Term | None


@dataclass(slots=True)
class Memory:
    """The elements of one array.

    Attributes:
        name: What it is called.
        kind: Type of the elements.
        size: How many there are.
        pieces: Their terms, in order, without gaps.
    """

    name: str
    kind: TermType
    size: int
    pieces: list[_Piece] = field(default_factory=list)

    @classmethod
    def holding(cls, name: str, kind: TermType, size: int, term: Term | None) -> Memory:
        """Return an array in which every element has one term."""
        return cls(name, kind, size, [_Piece(0, size, term)])

    def read(self, start: int, stop: int) -> Term:
        """Return the term of some elements."""
        for piece in self.pieces:
            if piece.start <= start and stop <= piece.stop:
                if piece.term is None:
                    raise Unsupported(f"{self.name} is read before it is written")
                return piece.term
        raise Unsupported(f"{self.name}[{start}:{stop}] is read across its pieces")

    def put(self, start: int, stop: int, term: Term) -> None:
        """Give some elements a term."""
        before = [_Piece(p.start, min(p.stop, start), p.term) for p in self.pieces]
        after = [_Piece(max(p.start, stop), p.stop, p.term) for p in self.pieces]
        left = [p for p in before if p.start < p.stop]
        right = [p for p in after if p.start < p.stop]
        self.pieces = [*left, _Piece(start, stop, term), *right]


def shifted(store: Terms, term: Term, by: int) -> Term:
    """Return a term in which every element is further away by a distance."""
    if not by:
        return term
    known: dict[Term, Term] = {}

    def move(at: Term) -> Term:
        found = known.get(at)
        if found is None:
            if at.operation == "element":
                found = _moved(store, at, by)
            elif at.operation == "sum" or not at.operands:
                found = at  # a sum is of all elements, wherever it is read
            elif at.operation == "select":  # whose choices have an order
                atom, yes, no = map(move, at.operands)
                truths = (expand.truth(store, True), expand.truth(store, False))
                mask = store.make("select", "mask", (atom, *truths))
                found = expand.choose(store, mask, yes, no)
            else:
                operands = tuple(map(move, at.operands))
                found = store.make(
                    at.operation, at.type, operands, at.payload, at.rounding, at.flushed
                )
            known[at] = found
        return found

    return move(term)


def _moved(store: Terms, element: Term, by: int) -> Term:
    name, distance = (
        element.payload if isinstance(element.payload, tuple) else (str(element.payload), 0)
    )
    distance += by
    return store.make("element", element.type, payload=(name, distance) if distance else name)
