"""Groebner bases that remember how each element was made.

Buchberger's algorithm over a field. Every element of the basis carries its
cofactors: polynomials with which it is a combination of the equations given. If
the basis is {1}, the cofactors of 1 prove that the equations have no common
solution in any field that holds the coefficients (Hilbert's Nullstellensatz).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optgen.verify.deadline import Deadline
from optgen.verify.verdicts import Unsupported

Poly = Any
"""A `sympy.polys.rings.PolyElement` over a field; sympy ships no types."""

_MOST_ELEMENTS = 160
_MOST_TERMS = 3_000


@dataclass(frozen=True, slots=True)
class Element:
    """A polynomial of the ideal and its cofactors; untracked ones have none."""

    poly: Poly
    cofactors: tuple[Poly, ...]


def basis(
    polys: Sequence[Poly], deadline: Deadline, *, tracked: bool = True
) -> tuple[Element, ...]:
    """Return a Groebner basis, or the one element 1.

    Args:
        polys: Polynomials of one ring over a field, none of them 0.
        deadline: When to give up.
        tracked: Whether to compute cofactors.

    Raises:
        OutOfTime: The deadline has passed.
        Unsupported: The basis grows beyond what is worth waiting for.
    """
    ring = polys[0].ring
    zero, one = ring.zero, ring.one
    size = len(polys)
    found: list[Element] = []
    pairs: list[tuple[int, int]] = []
    waiting = sorted(range(size), key=lambda i: (_degree(polys[i]), len(polys[i])))
    elements = [
        Element(polys[i], tuple(one if i == j else zero for j in range(size)) if tracked else ())
        for i in waiting
    ]
    while elements or pairs:
        deadline.check()
        if elements:
            new = elements.pop(0)
        else:
            best = min(pairs, key=lambda p: _pair_weight(found[p[0]], found[p[1]]))
            pairs.remove(best)
            new = _s_polynomial(found[best[0]], found[best[1]])
        new = _reduced(new, found, deadline)
        if not new.poly:
            continue
        if new.poly.is_ground:
            return (_scaled(new, 1 / new.poly.LC),)
        new = _scaled(new, 1 / new.poly.LC)
        if len(found) > _MOST_ELEMENTS or len(new.poly) > _MOST_TERMS:
            raise Unsupported("the Groebner basis grows too large")
        # an element whose leading term is a multiple of the new one's is reduced again
        again = [
            k for k, old in enumerate(found) if old.poly and _divides(new.poly.LM, old.poly.LM)
        ]
        for k in again:
            elements.append(found[k])
            found[k] = Element(zero, ())
        pairs = [p for p in pairs if not set(p) & set(again)]
        found.append(new)
        last = len(found) - 1
        for k in range(last):
            if found[k].poly and not _coprime(found[k].poly.LM, new.poly.LM):
                pairs.append((k, last))
    return tuple(e for e in found if e.poly)


def _degree(poly: Poly) -> int:
    return max(sum(m) for m in poly) if poly else -1


def _divides(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


def _coprime(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return not any(x and y for x, y in zip(a, b, strict=True))


def _pair_weight(a: Element, b: Element) -> tuple[int, int]:
    both = sum(max(x, y) for x, y in zip(a.poly.LM, b.poly.LM, strict=True))
    return both, len(a.poly) + len(b.poly)


def _scaled(element: Element, factor: Any) -> Element:
    return Element(
        element.poly.mul_ground(factor), tuple(c.mul_ground(factor) for c in element.cofactors)
    )


def _shifted(element: Element, monomial: tuple[int, ...], factor: Any) -> Element:
    term = element.poly.ring.from_dict({monomial: factor})
    return Element(element.poly * term, tuple(c * term if c else c for c in element.cofactors))


def _minus(a: Element, b: Element) -> Element:
    return Element(
        a.poly - b.poly, tuple(x - y for x, y in zip(a.cofactors, b.cofactors, strict=True))
    )


def _s_polynomial(a: Element, b: Element) -> Element:
    """Cancel the leading terms; both elements are monic."""
    top = tuple(max(x, y) for x, y in zip(a.poly.LM, b.poly.LM, strict=True))
    one = a.poly.ring.domain.one
    first = tuple(t - x for t, x in zip(top, a.poly.LM, strict=True))
    second = tuple(t - x for t, x in zip(top, b.poly.LM, strict=True))
    return _minus(_shifted(a, first, one), _shifted(b, second, one))


def _reduced(element: Element, by: Sequence[Element], deadline: Deadline) -> Element:
    """Reduce the leading term for as long as an element of the basis divides it."""
    divisors = sorted((e for e in by if e.poly), key=lambda e: len(e.poly))
    while element.poly:
        deadline.check()
        lead, coefficient = element.poly.LM, element.poly.LC
        divisor = next((d for d in divisors if _divides(d.poly.LM, lead)), None)
        if divisor is None:
            return element
        shift = tuple(x - y for x, y in zip(lead, divisor.poly.LM, strict=True))
        element = _minus(element, _shifted(divisor, shift, coefficient))
        if len(element.poly) > _MOST_TERMS:
            raise Unsupported("the Groebner basis grows too large")
    return element
