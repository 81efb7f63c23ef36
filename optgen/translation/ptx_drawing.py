"""Random numbers in PTX: which words are those of an element, by its index.

Kernels draw them by a function that is inlined; its products are not looked into, so a word
is a random number if it is made of the same products by the same functions of bits.
"""

from __future__ import annotations

import functools
import math

from optgen.ir import RANDOM
from optgen.translation.bits.words import Bits, Word
from optgen.translation.ptx_integers import Number, Poly, build, parts
from optgen.translation.ptx_state import Context
from optgen.translation.terms import Term, TermType

_INDEX: TermType = "bits64"
_WIDE, _WORD, _HALF = 64, 32, 16
_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_NEIGHBOURS = 8
_SCALARS = frozenset(("seed", "tensor", "step_low", "step_high"))


def index_word(context: Context, number: Number) -> Word:
    """Return the bits of an index: those of a sum of symbols are free, quotients are shifts."""
    bits = context.bits
    if isinstance(number, int):
        return bits.number(number, _WIDE)
    found = dict(parts(number))
    shared = math.gcd(*found.values())
    odd = shared // (shared & -shared)
    if odd > 1:
        inner = build({monomial: factor // odd for monomial, factor in found.items()})
        return bits.multiplied(index_word(context, inner), odd)
    total = bits.number(found.pop((), 0), _WIDE)
    for monomial, factor in tuple(found.items()):
        defined = context.known.defined.get(monomial[0]) if len(monomial) == 1 else None
        if defined is None or defined[1] & (defined[1] - 1):
            continue
        del found[monomial]
        numerator, by = defined
        quotient = bits.shifted("lshr", index_word(context, numerator), by.bit_length() - 1)
        total = bits.compute("add", total, bits.multiplied(quotient, factor))
    if found:
        step = math.gcd(*found.values())
        base = build({monomial: factor // step for monomial, factor in found.items()})
        assert isinstance(base, Poly)
        free = bits.of(context.store.scalar(f"index {base}", _INDEX))
        total = bits.compute("add", total, bits.multiplied(free, step))
    return total


def drawn_numbers(context: Context, made: Term, index: Number) -> dict[Word, Word]:
    """Return the words in a value that are random numbers of an element, as its numbers.

    Args:
        context: What the reading shares.
        made: The value, made of bits.
        index: The element's index.
    """
    bits, found = context.bits, {}
    word = bits.word(made)
    for part in () if word is None else _without_values(bits, word):
        for name in context.draws:
            number = RANDOM.index(name)
            if bits.same(part, bits.resized(_random(context, index, number), part.width)):
                stored = bits.of(context.store.element(name, "bits16"))
                found[part] = bits.resized(stored, part.width)
                break
    return found


def _without_values(bits: Bits, word: Word) -> list[Word]:
    """Return the largest parts of a word with products that no value of an array is in."""
    if not bits.is_multiplied(word):
        return []
    if all(_is_shared(term) for term in bits.values(word)):
        return [word]
    return list(dict.fromkeys(p for o in word.operands for p in _without_values(bits, o)))


def _is_shared(term: Term) -> bool:
    name = str(term.payload)
    return term.operation == "scalar" and (name in _SCALARS or name.startswith("index "))


def _random(context: Context, index: Number, number: int) -> Word:
    """Return a random number of an element as the IR has it, with zeros above."""
    bits = context.bits
    at = index_word(context, index)
    first = bits.compute("and", at, bits.number(-_NEIGHBOURS, _WIDE))
    place = bits.compute("add", first, bits.number(number, _WIDE))
    words = _philox(context, place)
    asked = [bits.mask(bits.part(at, bit, 1)) for bit in range(3)]
    pairs = [bits.choose(asked[1], words[i + 1], words[i]) for i in (0, 2)]
    chosen = bits.choose(asked[2], pairs[1], pairs[0])
    low = bits.compute("and", chosen, bits.number((1 << _HALF) - 1, _WORD))
    return bits.choose(asked[0], bits.shifted("lshr", chosen, _HALF), low)


def _philox(context: Context, place: Word) -> list[Word]:
    bits = context.bits
    scalar = functools.partial(context.store.scalar, type_="bits32")
    counter = [
        *(bits.part(place, begin, _WORD) for begin in (0, _WORD)),
        *(bits.of(scalar(name)) for name in ("step_low", "step_high")),
    ]
    chosen = [bits.of(scalar(name)) for name in ("seed", "tensor")]
    for number in range(_ROUNDS):
        keys = [
            bits.compute("add", key, bits.number(number * by, _WORD))
            for key, by in zip(chosen, _WEYL, strict=True)
        ]
        products = [
            bits.multiplied(bits.resized(word, _WIDE), by)
            for word, by in zip(counter[::2], _MULTIPLIERS, strict=True)
        ]
        (low0, high0), (low1, high1) = (
            (bits.part(p, 0, _WORD), bits.part(p, _WORD, _WORD)) for p in products
        )
        mixed = [
            bits.compute("xor", bits.compute("xor", high, counter[place]), key)
            for high, place, key in zip((high1, high0), (1, 3), keys, strict=True)
        ]
        counter = [mixed[0], low1, mixed[1], low0]
    return counter
