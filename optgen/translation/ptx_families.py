"""Stores as families: an index of thread, block and pass, and the bounds it stays within."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from optgen.translation.ptx_conditions import Atom, Less, atom_symbols, implied
from optgen.translation.ptx_explore import Event
from optgen.translation.ptx_integers import (
    Number,
    Quotients,
    add,
    build,
    divide_exactly,
    divisor,
    multiply,
    parts,
    subtract,
)
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported

Case = frozenset[tuple[Atom, bool]]


def of_threads(name: str) -> bool:
    """Whether a symbol differs from thread to thread or from pass to pass."""
    return name.startswith(("tid", "ctaid", "pass")) or (
        name.startswith("floor") and any(word in name for word in ("tid.", "pass"))
    )


def moves(atom: Atom) -> bool:
    """Whether a condition differs from thread to thread or from pass to pass."""
    return any(of_threads(name) for name in atom_symbols(atom))


def resolve(events: Iterable[Event], known: Quotients) -> list[Event]:
    """Join events that differ in one condition only, which holds in one and not in the other.

    Conditions that follow from another one of the same event are left out.
    """
    groups: dict[tuple[str, Number, Term], list[Event]] = {}
    for event in events:
        groups.setdefault((*event.place, event.value), []).append(event)
    return [
        Event(group[0].place, group[0].value, _needed(case, known), group[0].at)
        for group in groups.values()
        for case in _joined([event.case for event in group])
    ]


def _needed(case: Case, known: Quotients) -> Case:
    """Leave out the conditions that follow from the others."""
    kept = dict(sorted(case, key=lambda item: str(item[0])))
    for atom, holds in list(kept.items()):
        others = {a: h for a, h in kept.items() if a is not atom}
        if implied(atom, others, known) == holds:
            kept = others
    return frozenset(kept.items())


def _joined(cases: Sequence[Case]) -> list[Case]:
    found = list(dict.fromkeys(cases))
    while True:
        for first, second in ((a, b) for a in found for b in found if a is not b):
            if first <= second:
                found.remove(second)
                break
            left, right = first - second, second - first
            if len(left) == 1 and {(atom, not holds) for atom, holds in left} == right:
                found.remove(first)
                found.remove(second)
                common = first & second
                if common not in found:
                    found.append(common)
                break
        else:
            return found


@dataclass(frozen=True, slots=True)
class Bound:
    """`digits < limit` (or `digits >= limit`), the digits without a common divisor.

    Attributes:
        digits: The part that differs from thread to thread.
        limit: The part that does not.
        whole: The digits as they were compared, before the divisor was taken out.
        whole_limit: What these were compared with.
    """

    digits: Number
    limit: Number
    whole: Number = 0
    whole_limit: Number = 0


@dataclass(frozen=True, slots=True)
class Store:
    """One family of stores: index = digits + base, under bounds from above and below."""

    digits: Number
    base: Number
    above: tuple[Bound, ...]
    below: tuple[Bound, ...]


def family_store(event: Event, uniform: Collection[Atom], known: Quotients) -> Store:
    """Return the index and the bounds of an event; conditions in `uniform` are left out.

    Raises:
        Unsupported: It depends on a condition that bounds no index.
    """
    digits, base = _parted(event.place[1])
    above, below = [], []
    for atom, holds in event.case:
        if atom in uniform:
            continue
        if not isinstance(atom, Less):
            raise Unsupported(f"a store depends on whether {atom}")
        poly = atom.poly if holds else subtract(-1, atom.poly)
        moving, fixed = _parted(poly)
        factors = set(parts(moving).values())
        if all(f > 0 for f in factors):
            # shared*t + fixed < 0, that is t < ceil(-fixed/shared)
            shared = divisor(moving)
            limit = known.quotient(subtract(shared - 1, fixed), shared)
            whole = multiply(-1, fixed)
            above.append(Bound(_exact(moving, shared), limit, moving, whole))
        elif all(f < 0 for f in factors):
            # fixed < shared*t, that is t >= floor(fixed/shared) + 1
            shared = divisor(moving)
            limit = add(known.quotient(fixed, shared), 1)
            below.append(Bound(_exact(multiply(-1, moving), shared), limit))
        else:
            raise Unsupported(f"a store depends on whether {atom}")
    return Store(digits, base, _tightest(above), tuple(below))


def _parted(number: Number) -> tuple[Number, Number]:
    """Return the part that differs from thread to thread, and the rest."""
    moving = {m: c for m, c in parts(number).items() if any(of_threads(n) for n in m)}
    fixed = {m: c for m, c in parts(number).items() if m not in moving}
    return build(moving), build(fixed)


def _exact(number: Number, by: int) -> Number:
    found = divide_exactly(number, by)
    assert found is not None
    return found


def _tightest(bounds: list[Bound]) -> tuple[Bound, ...]:
    """Leave out bounds that follow from another by a constant."""
    kept: list[Bound] = []
    for bound in bounds:
        for other in bounds:
            if other is not bound and other.digits == bound.digits:
                gap = subtract(bound.limit, other.limit)
                if isinstance(gap, int) and (gap > 0 or (gap == 0 and other in kept)):
                    break
        else:
            kept.append(bound)
    return tuple(kept)
