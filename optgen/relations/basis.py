"""Groebner bases that remember how each element was made.

Buchberger's algorithm over a field. Every element of the basis knows the
elements it was made of. If the basis is {1}, going back along them gives the
cofactors of 1: polynomials with which 1 is a combination of the equations given,
so that these have no common solution in any field that holds the coefficients
(Hilbert's Nullstellensatz).
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


Monomial = tuple[int, ...]


class _Order(dict[Monomial, tuple[int, Monomial]]):
    """The graded reverse lexicographic order as a table of sort keys, filled when asked."""

    def __missing__(self, monomial: Monomial) -> tuple[int, Monomial]:
        key = (sum(monomial), tuple(-power for power in reversed(monomial)))
        self[monomial] = key
        return key

    def lead(self, poly: Poly) -> Monomial:
        """Return the leading monomial of a polynomial; all zeros for 0."""
        found: Monomial = max(poly, key=self.__getitem__, default=())
        return found


Part = tuple[Monomial, Any, "Element"]
"""A summand: monomial * coefficient * element."""


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """A polynomial of the ideal.

    Attributes:
        poly: The polynomial.
        lead: Its leading monomial.
        parts: Of which elements it is the sum; none if it was given.
        number: Which of the given polynomials it is; -1 if it was made.
    """

    poly: Poly
    lead: Monomial
    parts: tuple[Part, ...]
    number: int = -1


def basis(polys: Sequence[Poly], deadline: Deadline) -> tuple[Element, ...]:
    """Return a Groebner basis, or the one element 1.

    Args:
        polys: Polynomials of one ring over a field, none of them 0.
        deadline: When to give up.

    Raises:
        OutOfTime: The deadline has passed.
        Unsupported: The basis grows beyond what is worth waiting for.
    """
    order = _Order()
    zero = polys[0].ring.zero
    found: list[Element] = []
    pairs: list[tuple[int, int]] = []
    elements = [Element(p, order.lead(p), (), i) for i, p in enumerate(polys)]
    elements.sort(key=lambda e: (_degree(e.poly), len(e.poly)))
    while elements or pairs:
        deadline.check()
        if elements:
            new = elements.pop(0)
        else:
            best = min(pairs, key=lambda p: _pair_weight(found[p[0]], found[p[1]]))
            pairs.remove(best)
            new = _s_polynomial(found[best[0]], found[best[1]], order)
        new = _monic(_reduced(new, found, order, deadline))
        if not new.poly:
            continue
        if not any(new.lead):
            return (new,)
        if len(found) > _MOST_ELEMENTS or len(new.poly) > _MOST_TERMS:
            raise Unsupported("the Groebner basis grows too large")
        # an element whose leading term is a multiple of the new one's is reduced again
        again = [k for k, old in enumerate(found) if old.poly and _divides(new.lead, old.lead)]
        for k in again:
            elements.append(found[k])
            found[k] = Element(zero, (), ())
        pairs = [p for p in pairs if not set(p) & set(again)]
        found.append(new)
        last = len(found) - 1
        for k in range(last):
            if found[k].poly and not _coprime(found[k].lead, new.lead):
                pairs.append((k, last))
    return tuple(e for e in found if e.poly)


def cofactors(element: Element, polys: Sequence[Poly], deadline: Deadline) -> tuple[Poly, ...]:
    """Return the polynomials with which an element is a combination of those given.

    Raises:
        OutOfTime: The deadline has passed.
    """
    ring = polys[0].ring
    order: list[Element] = []  # every element behind its parts
    done: set[int] = set()
    todo = [(element, False)]
    while todo:
        current, ready = todo.pop()
        if ready:
            order.append(current)
        elif id(current) not in done:
            done.add(id(current))
            todo.append((current, True))
            todo += [(part, False) for _, _, part in current.parts]
    weights = {id(e): ring.zero for e in order}
    weights[id(element)] = ring.one
    found = [ring.zero] * len(polys)
    for current in reversed(order):
        weight = weights.pop(id(current))
        deadline.check()
        if not weight:
            continue
        if current.number >= 0:
            found[current.number] += weight
        for monomial, factor, part in current.parts:
            weights[id(part)] += weight.mul_term((monomial, factor))
    return tuple(found)


def _degree(poly: Poly) -> int:
    return max(sum(m) for m in poly) if poly else -1


def _divides(a: Monomial, b: Monomial) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


def _coprime(a: Monomial, b: Monomial) -> bool:
    return not any(x and y for x, y in zip(a, b, strict=True))


def _pair_weight(a: Element, b: Element) -> tuple[int, int]:
    both = sum(max(x, y) for x, y in zip(a.lead, b.lead, strict=True))
    return both, len(a.poly) + len(b.poly)


def _monic(element: Element) -> Element:
    if not element.poly:
        return element
    factor = 1 / element.poly[element.lead]
    if factor == 1:
        return element
    whole = (0,) * len(element.lead)
    return Element(element.poly.mul_ground(factor), element.lead, ((whole, factor, element),))


def _s_polynomial(a: Element, b: Element, order: _Order) -> Element:
    """Cancel the leading terms; both elements are monic."""
    top = tuple(max(x, y) for x, y in zip(a.lead, b.lead, strict=True))
    one = a.poly.ring.domain.one
    first = tuple(t - x for t, x in zip(top, a.lead, strict=True))
    second = tuple(t - x for t, x in zip(top, b.lead, strict=True))
    poly = a.poly.mul_term((first, one)) - b.poly.mul_term((second, one))
    return Element(poly, order.lead(poly), ((first, one, a), (second, -one, b)))


def _reduced(element: Element, by: Sequence[Element], order: _Order, deadline: Deadline) -> Element:
    """Reduce the leading term for as long as an element of the basis divides it."""
    divisors = sorted((e for e in by if e.poly), key=lambda e: len(e.poly))
    poly, lead = element.poly, element.lead
    one = poly.ring.domain.one
    parts: list[Part] = [((0,) * poly.ring.ngens, one, element)]
    while poly:
        deadline.check()
        divisor = next((d for d in divisors if _divides(d.lead, lead)), None)
        if divisor is None:
            break
        shift = tuple(x - y for x, y in zip(lead, divisor.lead, strict=True))
        factor = poly[lead]
        poly = poly - divisor.poly.mul_term((shift, factor))
        lead = order.lead(poly)
        parts.append((shift, -factor, divisor))
        if len(poly) > _MOST_TERMS:
            raise Unsupported("the Groebner basis grows too large")
    return element if len(parts) == 1 else Element(poly, lead, tuple(parts))
