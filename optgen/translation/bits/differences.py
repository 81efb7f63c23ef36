"""Where values that are made of bits differ from what is wanted, with bits that show it.

A value made of bits may be the wanted one in a way that is not seen. So it is said to
differ only if some bits show it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from optgen.crosscheck.ptx.module import Instruction
from optgen.translation.bits.recipes import Recipe, example
from optgen.translation.bits.words import Bits
from optgen.translation.ptx_difference import describe, innermost
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported

_OF_BITS = ("bits", "bit", "whole")
_CONVERSIONS = ("convert", "to_bfloat16_random")


def _itself(term: Term) -> Term:
    return term


def differs(
    bits: Bits,
    wanted: Term,
    found: Term,
    settle: Callable[[Term], Term] = _itself,
    origins: Mapping[Term, Instruction] | None = None,
) -> str:
    """Say where a value differs from what is wanted; empty if it has the same bits.

    Args:
        bits: What the code's value was made by.
        wanted: The IR's value.
        found: The code's.
        settle: What brings values into one form.
        origins: The instruction that first made each term.

    Raises:
        Unsupported: It is made of bits in a way that is not followed.
    """
    one, other = settle(wanted), settle(found)
    if one is other:
        return ""
    if not _made_of_bits(found):
        return describe(one, other, origins or {})
    wanted, found = innermost(wanted, found)
    word = bits.word(found)
    drawn = word is not None and bits.is_multiplied(word)
    if found.operation == "bits" and word and not drawn and wanted.type == found.type:
        ours = {settle(term): term for term in _converted(wanted)}
        word = bits.replaced(word, lambda term: ours.get(settle(term), term))
        recipe = Recipe(bits)
        both = recipe.of(bits.joined((word, bits.of(wanted))))
        said = example(both, wanted.type) if _independent(recipe.free) else None
        if said:
            values = ", ".join(
                f"{number:#x} in {value.operation}"
                for value, number in zip(recipe.free, said[0], strict=True)
            )
            return f"{values} gives {said[1]:#x} instead of {said[2]:#x}"
    if drawn:
        raise Unsupported("what is drawn is not seen to be the random numbers of the element")
    raise Unsupported("bits are made into a value in a way that is not followed")


def _converted(value: Term) -> Iterator[Term]:
    """Yield the values that conversions on top of a value convert."""
    if value.operation in _CONVERSIONS:
        for operand in value.operands:
            yield operand
            yield from _converted(operand)


def _independent(values: Sequence[Term]) -> bool:
    """Whether values can take any bits, each whatever the others are."""
    inputs = [_inputs(value) for value in values]
    return all(not a & b for a, b in itertools.combinations(inputs, 2))


def _inputs(value: Term) -> frozenset[Term]:
    """Return the elements and scalars that a value is computed from."""
    todo, seen, found = [value], set(), set()
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += at.operands
            if not at.operands and at.operation != "constant":
                found.add(at)
    return frozenset(found)


def _made_of_bits(term: Term) -> bool:
    """Whether a part of a value is made of bits and no conversion."""
    todo, seen = [term], set()
    while todo:
        at = todo.pop()
        if at.operation in _OF_BITS:
            return True
        if id(at) not in seen:
            seen.add(id(at))
            todo += at.operands
    return False
