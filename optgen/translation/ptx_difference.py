"""Where two values part: the innermost operation that differs, and the PTX line it stands in."""

from __future__ import annotations

from collections.abc import Mapping

from optgen.crosscheck.ptx.module import Instruction
from optgen.translation.terms import COMMUTING, Term

_ROUNDED = {
    "": "exactly",
    "nearest": "to nearest",
    "fusible": "to nearest unless fused",
    "approx": "approximately",
    "down": "down",
    "up": "up",
    "zero": "towards zero",
}
_LONGEST = 100


def describe(wanted: Term, found: Term, origins: Mapping[Term, Instruction]) -> str:
    """Say where a compiled value differs from the one that is wanted, and in what."""
    at = found
    while True:
        if found in origins:
            at = found
        following = _differing(wanted, found)
        if following is None:
            break
        wanted, found = following
    instruction = origins.get(found) or origins.get(at)
    where = f"PTX line {instruction.line}: {instruction.text}: " if instruction else ""
    return f"{where}{_what(wanted, found)}"


def innermost(wanted: Term, found: Term) -> tuple[Term, Term]:
    """Return the innermost values that differ, where all around them is the same."""
    while following := _differing(wanted, found):
        wanted, found = following
    return wanted, found


def _differing(wanted: Term, found: Term) -> tuple[Term, Term] | None:
    """Return the operands that differ, where that is all that differs."""
    if _head(wanted) != _head(found) or len(wanted.operands) != len(found.operands):
        return None
    if wanted.operation in COMMUTING:
        left = [o for o in wanted.operands if o not in found.operands]
        right = [o for o in found.operands if o not in wanted.operands]
        if len(left) == 2 and _alike(left[0], right[1]) > _alike(left[0], right[0]):
            right.reverse()
        pairs = list(zip(left, right, strict=False))
    else:
        pairs = [(a, b) for a, b in zip(wanted.operands, found.operands, strict=True) if a is not b]
    return pairs[0] if pairs else None


def _alike(left: Term, right: Term) -> int:
    return 2 * (left.operation == right.operation) + (left.payload == right.payload)


def _head(term: Term) -> tuple[object, ...]:
    return (term.operation, term.type, term.payload, term.rounding, term.flushed)


def _what(wanted: Term, found: Term) -> str:
    if wanted.operation == found.operation and wanted.operands:
        if wanted.rounding != found.rounding:
            return f"rounds {_ROUNDED[found.rounding]} instead of {_ROUNDED[wanted.rounding]}"
        if wanted.flushed != found.flushed:
            return "takes subnormal numbers as zero" if found.flushed else "keeps subnormal numbers"
    return f"computes {show(found)} instead of {show(wanted)}"


def show(term: Term) -> str:
    """Return a term as text, cut off where it gets long."""
    text = _text(term, 4)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _text(term: Term, depth: int) -> str:
    payload = term.payload
    if term.operation == "element" and isinstance(payload, tuple):
        return f"{payload[0]}[{payload[1]:+d}]"
    if not term.operands:
        return str(payload)
    if depth == 0:
        return "..."
    inside = ", ".join(_text(operand, depth - 1) for operand in term.operands)
    return f"{term.operation}({inside})"
