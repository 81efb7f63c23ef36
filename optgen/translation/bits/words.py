"""Integer operations on the bits of values, written down and not yet looked into.

A `Word` is an operation on other words, down to numbers and the bits of values. What float
it is is asked at the end (`Bits.value`), once for all words that are built alike, whatever
values stand in them: a loop over eight elements asks once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from optgen.translation import expand
from optgen.translation.bits.conversions import WIDTHS, constant
from optgen.translation.bits.recipes import Answer, Recipe, conversion
from optgen.translation.bits.vectors import Vector
from optgen.translation.kernel_terms import convert, rounded_at_random
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported

BITWISE = ("and", "or", "xor")


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """Some bits; of one `Bits`, equal words are one object.

    Attributes:
        operation: `"number"`, `"value"` (the bits of one), `"truth"` (of a mask), an operation
            of LLVM on integers, `"resized"`, `"joined"`, `"choose"`, or a comparison.
        width: How many bits there are.
        operands: What it is computed from.
        detail: The number, the value or the mask; how far a shift goes; whether a sign is copied.
    """

    operation: str
    width: int
    operands: tuple[Word, ...] = ()
    detail: int | bool | Term | str | None = None

    @property
    def number(self) -> int | None:
        """The number that it is, or None."""
        found = self.detail if self.operation == "number" else None
        return found if isinstance(found, int) else None


@dataclass(slots=True)
class Bits:
    """Words over the values of one store, and the values that words are."""

    store: Terms
    _known: dict[tuple[object, ...], Word] = field(default_factory=dict)
    _multiplied: set[Word] = field(default_factory=set)
    _values: dict[tuple[Word, TermType], Term] = field(default_factory=dict)
    _all: Recipe | None = None
    _names: dict[Word, int] = field(default_factory=dict)
    _asked: dict[Term, Word] = field(default_factory=dict)
    _made: dict[Term, Word] = field(default_factory=dict)

    def _make(
        self,
        operation: str,
        width: int,
        operands: tuple[Word, ...] = (),
        detail: int | bool | Term | str | None = None,
    ) -> Word:
        key = (operation, width, *map(id, operands), detail)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Word(operation, width, operands, detail)
            if operation == "mul" or not self._multiplied.isdisjoint(operands):
                self._multiplied.add(found)
        return found

    def number(self, number: int, width: int) -> Word:
        """Return the low bits of a number."""
        return self._make("number", width, (), number & ((1 << width) - 1))

    def of(self, value: Term) -> Word:
        """Return the bits of a value, or of a mask as one bit."""
        if value.type == "mask":
            return self._of_mask(value)
        return self._make("value", WIDTHS[value.type], (), value)

    def _of_mask(self, mask: Term) -> Word:
        if mask.operation == "constant":
            return self.number(int(mask.payload == 1), 1)
        atom, yes, no = mask.operands
        if atom in self._asked and yes.payload == 1 and no.payload == 0:
            return self._asked[atom]
        return self._make("value", 1, (), mask)

    def compute(self, name: str, left: Word, right: Word) -> Word:
        """Return `add`, `sub`, `and`, `or` or `xor` of two words of one width."""
        a, b = left.number, right.number
        if a is not None and b is not None:
            return self.number(_NUMBERS[name](a, b), left.width)
        return self._make(name, left.width, (left, right))

    def multiplied(self, word: Word, by: int) -> Word:
        """Return the low bits of a product with a number, which is not looked into."""
        number = word.number
        by &= (1 << word.width) - 1
        if number is not None:
            return self.number(number * by, word.width)
        if by & (by - 1) == 0:
            return (
                self.shifted("shl", word, by.bit_length() - 1) if by else self.number(0, word.width)
            )
        return self._make("mul", word.width, (word,), by)

    def is_multiplied(self, word: Word) -> bool:
        """Whether a product stands somewhere in a word."""
        return word in self._multiplied

    def shifted(self, name: str, word: Word, by: int) -> Word:
        """Return `shl`, `lshr` or `ashr` by a number of places below the width."""
        if not 0 <= by < word.width:
            raise Unsupported(f"{name} of {word.width} bits by {by}")
        number = word.number
        if number is None:
            return self._make(name, word.width, (word,), by)
        if name == "ashr" and number >> (word.width - 1):
            number -= 1 << word.width
        return self.number(number << by if name == "shl" else number >> by, word.width)

    def resized(self, word: Word, width: int, *, signed: bool = False) -> Word:
        """Return the low bits, or zeros or copies of the sign above."""
        if width == word.width:
            return word
        number = word.number
        if number is not None:
            negative = signed and number >> (word.width - 1)
            return self.number(number - (1 << word.width) if negative else number, width)
        return self._make("resized", width, (word,), signed)

    def joined(self, parts: Sequence[Word]) -> Word:
        """Return one word of several, the lowest first."""
        if len(parts) == 1:
            return parts[0]
        return self._make("joined", sum(part.width for part in parts), tuple(parts))

    def part(self, word: Word, begin: int, width: int) -> Word:
        """Return some bits of a word, from one on."""
        return self.resized(self.shifted("lshr", word, begin) if begin else word, width)

    def compared(self, predicate: str, left: Word, right: Word) -> Term:
        """Return the mask of a comparison: `eq`, `ne`, `ult`, `sge`, ..."""
        return self.mask(self._make(predicate, 1, (left, right)))

    def same(self, left: Word, right: Word) -> bool:
        """Whether two words are the same number, whatever values they are made of."""
        return left is right or self._vector(left) == self._vector(right)

    def _vector(self, word: Word) -> Vector:
        """Return the functions that the bits of a word are."""
        if self._all is None:
            self._all = Recipe(self)
        return self._all.vector(word)

    def mask(self, bit: Word) -> Term:
        """Return one bit as a mask."""
        if bit.number is not None:
            return expand.truth(self.store, bit.number == 1)
        if bit.operation == "value" and isinstance(bit.detail, Term) and bit.detail.type == "mask":
            return bit.detail
        inside = self.values(bit)
        if not inside:
            return expand.truth(self.store, self._vector(bit).number == 1)
        atom = self.store.make("bit", "mask", inside, payload=self._name(bit))
        self._asked[atom] = bit
        yes, no = expand.truth(self.store, True), expand.truth(self.store, False)
        return self.store.make("select", "mask", (atom, yes, no))

    def choose(self, mask: Term, yes: Word, no: Word) -> Word:
        """Return one word where a mask holds, and another where it does not."""
        if yes is no or mask.operation == "constant":
            return yes if yes is no or mask.payload == 1 else no
        return self._make("choose", yes.width, (self._of_mask(mask), yes, no))

    def select(self, mask: Term, yes: Term, no: Term) -> Term:
        """Return one value where a mask holds, and another where it does not.

        Where the mask asks for bits it is a conversion of some kind, and taken for one.
        """
        if yes.type == "mask" or yes is no or not self._asks_bits(mask):
            return expand.choose(self.store, mask, yes, no)
        return self.value(self.choose(mask, self.of(yes), self.of(no)), yes.type)

    def _asks_bits(self, mask: Term) -> bool:
        if mask.operation != "select":
            return False
        atom, yes, no = mask.operands
        return atom in self._asked or self._asks_bits(yes) or self._asks_bits(no)

    def whole(self, word: Word, kind: TermType, *, signed: bool = False) -> Term:
        """Return a whole number as a float."""
        if signed and self._vector(word).bits[-1]:
            raise Unsupported("a whole number with a sign becomes a float")
        found = self.store.make("whole", kind, self.values(word), payload=self._name(word))
        self._made[found] = word
        return found

    def _name(self, word: Word) -> str:
        """Return what tells a word from all others."""
        return str(self._names.setdefault(word, len(self._names)))

    def values(self, word: Word) -> tuple[Term, ...]:
        """Return the values that a word is made of."""
        found: dict[Term, None] = {}
        todo, seen = [word], set()
        while todo:
            at = todo.pop()
            if id(at) not in seen:
                seen.add(id(at))
                todo += at.operands
                if isinstance(at.detail, Term):
                    found[at.detail] = None
        return tuple(sorted(found, key=self.store.position))

    def value(self, word: Word, kind: TermType) -> Term:
        """Return the value that a word is in some type.

        A word that is no conversion, nor a value with its sign changed, gives a term of its
        own, `"bits"`, which equals none of the IR's.

        Raises:
            Unsupported: The type has another width.
        """
        if word.width != WIDTHS[kind]:
            raise Unsupported(f"{word.width} bits as a {kind}")
        if word.number is not None:
            return constant(self.store, word.number, kind)
        if isinstance(word.detail, Term) and word.detail.type == kind:
            return word.detail
        known = self._values.get((word, kind))
        if known is not None:
            return known
        if not self.is_multiplied(word):  # products are in no conversion
            for deep in (False, True):
                recipe = Recipe(self, deep=deep)
                answer = conversion(recipe.of(word), kind)
                if answer is not None:
                    found = self._values[word, kind] = self._built(answer, recipe.values)
                    return found
        found = self.store.make("bits", kind, self.values(word), payload=self._name(word))
        self._made[found] = word
        return found

    def replaced(
        self, word: Word, new: Callable[[Term], Term], known: Mapping[Word, Word] | None = None
    ) -> Word:
        """Return a word with other values in it, and other words in place of some."""
        done: dict[Word, Word] = dict(known or {})

        def follow(at: Word) -> Word:
            found = done.get(at)
            if found is None:
                detail = new(at.detail) if isinstance(at.detail, Term) else at.detail
                operands = tuple(map(follow, at.operands))
                found = done[at] = self._make(at.operation, at.width, operands, detail)
            return found

        return follow(word)

    def rebuilt(
        self, term: Term, new: Callable[[Term], Term], known: Mapping[Word, Word] | None = None
    ) -> Term:
        """Return a value or an atom that is made of bits, with other values in it.

        Raises:
            Unsupported: It is none, or what it is made of is not known.
        """
        word = self._made.get(term) or self._asked.get(term)
        if word is None:
            raise Unsupported("bits that are not known")
        word = self.replaced(word, new, known)
        if term.operation == "bit":
            return self.mask(word)
        return (
            self.whole(word, term.type)
            if term.operation == "whole"
            else self.value(word, term.type)
        )

    def known(self, word: Word) -> Term | None:
        """Return the float32 value that a word has been found to be, or None."""
        return self._values.get((word, "float32"))

    def word(self, made: Term) -> Word | None:
        """Return the word that a term of the operation `"bits"` or `"whole"` is."""
        return self._made.get(made)

    def asked(self, atom: Term) -> Word | None:
        """Return the bit that an atom of a mask is."""
        return self._asked.get(atom)

    def _built(self, answer: Answer, values: Mapping[int, Term]) -> Term:
        store = self.store
        match answer:
            case ("place", int(place)):
                return values[place]
            case ("number", int(bits), kind):
                return constant(store, bits, kind)
            case ("convert", kind, inner):
                return convert(store, self._built(inner, values), kind)
            case ("to_bfloat16_random", _, value, random):
                return rounded_at_random(
                    store, self._built(value, values), self._built(random, values)
                )
            case ("abs", _, inner):
                return expand.operation(store, "abs", self._built(inner, values))
            case ("neg", _, inner):
                return expand.negative(store, self._built(inner, values))
            case (("add" | "mul") as name, _, *inner):
                terms = (self._built(part, values) for part in inner)
                return expand.operation(store, name, *terms)
        raise Unsupported(f"a value made by {answer[0]}")


_NUMBERS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}
