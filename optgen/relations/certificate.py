"""Proofs that polynomial equations have no solution, in a form that anybody can expand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

from sympy import QQ, ZZ
from sympy.polys.orderings import grevlex
from sympy.polys.rings import PolyRing

from optgen.relations.basis import Poly, basis, cofactors
from optgen.relations.expand import Terms, adds_up_to_one
from optgen.relations.systems import System
from optgen.verify.deadline import Deadline

SATURATION = "y"
"""The unknown that stands for one over what must not be 0."""


@dataclass(frozen=True, slots=True)
class Line:
    """One polynomial of a certificate with its cofactor.

    Attributes:
        poly: The polynomial, as terms.
        cofactor: What it is multiplied by.
        text: The polynomial, for people.
        origin: Where it comes from.
    """

    poly: Terms
    cofactor: Terms
    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Part:
    """The proof for one region: the sum of `cofactor * poly` over all lines is 1.

    Attributes:
        where: What holds in the region; empty if there is only one.
        roots: What roots among the unknowns stand for.
        lines: The polynomials; the last is `y*h - 1` if something must not be 0.
        nonzero: The factors of `h`, hyperparameters of the first rule.
    """

    where: tuple[str, ...]
    roots: Mapping[str, str]
    lines: tuple[Line, ...]
    nonzero: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the sum is 1, by expansion."""
        return adds_up_to_one([(line.poly, line.cofactor) for line in self.lines])


@dataclass(frozen=True, slots=True)
class Refutation:
    """A Nullstellensatz certificate: no values of the unknowns meet all equations.

    Attributes:
        unknowns: Hyperparameters of the second rule.
        base: Hyperparameters of the first rule, which may have any value outside `nonzero`.
        at: Values at which hyperparameters of the first rule are taken; empty if for all.
        parts: One proof for each region of the unknowns.
        steps: How many steps of a run the equations are of.
    """

    unknowns: tuple[str, ...]
    base: tuple[str, ...]
    at: Mapping[str, str]
    parts: tuple[Part, ...]
    steps: int

    @property
    def nonzero(self) -> tuple[str, ...]:
        """What must not be 0 for the proof to speak."""
        return tuple(sorted({text for part in self.parts for text in part.nonzero}))

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as a JSON document; `optgen.relations.expand` reads it."""
        return {
            "kind": "nullstellensatz",
            "claim": "in every part, the sum of cofactor * polynomial over the lines is 1",
            "unknowns": list(self.unknowns),
            "for_all": list(self.base),
            "at": dict(self.at),
            "nonzero": list(self.nonzero),
            "steps": self.steps,
            "parts": [
                {
                    "where": list(part.where),
                    "roots": dict(part.roots),
                    "lines": [
                        {
                            "polynomial": line.text,
                            "from": line.origin,
                            "terms": _document(line.poly),
                            "cofactor": _document(line.cofactor),
                        }
                        for line in part.lines
                    ],
                }
                for part in self.parts
            ],
        }


def _document(terms: Terms) -> list[list[Any]]:
    return [[str(c), dict(m)] for m, c in sorted(terms.items())]


def terms_of(poly: Poly) -> Terms:
    """Return a polynomial over the rationals as plain terms."""
    names = [str(s) for s in poly.ring.symbols]
    return {
        tuple(sorted((n, p) for n, p in zip(names, m, strict=True) if p)): Fraction(
            int(c.numerator), int(c.denominator)
        )
        for m, c in poly.items()
    }


def refute(system: System, deadline: Deadline) -> Part | None:
    """Prove that a system has no solution, or return None if it has one.

    Solutions are sought in every field that holds the coefficients: a system that has
    complex solutions only is not refuted.

    Raises:
        OutOfTime: The deadline has passed.
        Unsupported: The basis grows too large.
    """
    if not system.conditions:
        return None
    over = QQ.frac_field(*system.base) if system.base else QQ
    # a ring needs an unknown, and without unknowns 1 is as good as any other
    ring = PolyRing(system.unknown or ("none",), over, grevlex)
    polys = [over_field(c.poly, ring, len(system.base)) for c in system.conditions]
    found = basis(polys, deadline)
    if not found[0].poly.is_ground:
        return None
    combined = cofactors(found[0], polys, deadline)
    whole = PolyRing((SATURATION, *system.base, *system.unknown), ZZ, grevlex)
    rational = whole.clone(domain=QQ)
    denominator, cleared = _clear(combined, rational, system)
    y = rational.gens[0]
    part_lines = []
    constant = denominator.is_ground
    for condition, cofactor in zip(system.conditions, cleared, strict=True):
        if not cofactor:
            continue
        multiplied = cofactor.mul_ground(1 / denominator.LC) if constant else cofactor * y
        poly = _lifted(condition.poly, rational)
        part_lines.append(
            Line(terms_of(poly), terms_of(multiplied), str(condition.poly), condition.origin)
        )
    nonzero: tuple[str, ...] = ()
    if not constant:
        last = y * denominator - 1
        nonzero = tuple(str(f.as_expr()) for f, _ in denominator.factor_list()[1])
        minus = terms_of(rational(-1))
        origin = f"{SATURATION} is 1/({denominator.as_expr()}), which is not 0"
        part_lines.append(Line(terms_of(last), minus, str(last), origin))
    part = Part(system.where, system.roots, tuple(part_lines), nonzero)
    return part if part.holds else None


def over_field(poly: Poly, ring: Any, count: int) -> Poly:
    """Return a polynomial over the integers as one over the field of its first variables."""
    domain = ring.domain
    if not count:
        terms = {m or (0,): domain(int(c)) for m, c in poly.items()}
        return ring.from_dict(terms)
    inner = domain.field.ring
    groups: dict[tuple[int, ...], dict[tuple[int, ...], Any]] = {}
    for monomial, coefficient in poly.items():
        outside = monomial[count:] or (0,)
        groups.setdefault(outside, {})[monomial[:count]] = inner.domain(int(coefficient))
    return ring.from_dict(
        {m: domain.field.new(inner.from_dict(terms), inner.one) for m, terms in groups.items()}
    )


def _clear(combined: tuple[Poly, ...], ring: Any, system: System) -> tuple[Poly, list[Poly]]:
    """Return a common denominator of all coefficients, and the cofactors multiplied by it."""
    count = len(system.base)
    if not count:
        shifted = [
            ring.from_dict({(0, *(m if system.unknown else ())): c for m, c in q.items()})
            for q in combined
        ]
        return ring.one, shifted
    inner = combined[0].ring.domain.field.ring
    denominators = [c.denom for q in combined for c in q.values()]
    common = reduce(lambda a, b: a.lcm(b), denominators, inner.one)
    cleared = []
    for q in combined:
        terms: dict[tuple[int, ...], Any] = {}
        for monomial, c in q.items():
            outside = monomial if system.unknown else ()
            for m, value in (c.numer * common.exquo(c.denom)).items():
                terms[(0, *m, *outside)] = QQ(value)
        cleared.append(ring.from_dict(terms))
    zeros = (0,) * len(system.unknown)
    return ring.from_dict({(0, *m, *zeros): QQ(c) for m, c in common.items()}), cleared


def _lifted(poly: Poly, ring: Any) -> Poly:
    return ring.from_dict({(0, *m): QQ(int(c)) for m, c in poly.items()})
