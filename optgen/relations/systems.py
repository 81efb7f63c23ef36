"""Equations between two rules as polynomial equations in what is unknown.

An equation that must hold for all values of some variables holds coefficient
by coefficient. What is left are polynomials in the unknowns, with the
hyperparameters of the first rule in their coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sympy import ZZ
from sympy.polys.orderings import grevlex
from sympy.polys.rings import PolyRing

from optgen.domains import Domain
from optgen.verify.normal.field import Poly

RULE = "the rule of"
"""What the origin of a condition begins with that only says what a root or an inverse is."""


class Split(Exception):
    """The sign of a polynomial in free variables must be known.

    Attributes:
        factor: The polynomial, as text and as terms over names.
    """

    def __init__(self, terms: Mapping[tuple[tuple[str, int], ...], int]) -> None:
        super().__init__("a sign that depends on what a step is given")
        self.terms = terms


@dataclass(frozen=True, slots=True)
class Roles:
    """What the variables of some equations are.

    Attributes:
        free: For all of their values the equations must hold; every domain has an inside.
        base: Hyperparameters of the first rule.
        unknown: What is sought.
        domains: Domain of each.
        free_roots: Whether a root of free variables may count as one more free variable.
            That is a guess, fit to find a map and unfit to prove that there is none.
        strict: Whether to add, by an unknown inverse, that no denominator is 0 and that no
            unknown lies at an end outside its domain; denominators of free variables are
            left out.
    """

    free: tuple[str, ...]
    base: tuple[str, ...]
    unknown: tuple[str, ...]
    domains: Mapping[str, Domain]
    free_roots: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A polynomial that must be 0.

    Attributes:
        poly: The polynomial, over the ring of its system.
        origin: Where it comes from, for people.
    """

    poly: Poly
    origin: str


@dataclass(frozen=True, slots=True)
class System:
    """Polynomial equations for the unknowns, in one region of the domain.

    Attributes:
        ring: The ring over the integers, in `base`, then `unknown`.
        base: Names of the hyperparameters in the coefficients.
        unknown: Names of the unknowns; roots such as `aux1` among them, the last.
        roots: What each of the roots stands for, as text.
        conditions: The equations.
        where: What holds in the region, as text.
    """

    ring: Any
    base: tuple[str, ...]
    unknown: tuple[str, ...]
    roots: Mapping[str, str]
    conditions: tuple[Condition, ...]
    where: tuple[str, ...] = ()

    def joined(self, other: System) -> System:
        """Return both systems as one; the roots of the other get new numbers."""
        names: dict[str, str] = {}
        known = {label: name for name, label in self.roots.items()}
        roots = dict(self.roots)
        for name, label in other.roots.items():
            if label not in known:
                known[label] = f"aux{len(roots) + 1}"
                roots[known[label]] = label
            names[name] = known[label]
        plain = tuple(u for u in self.unknown if u not in self.roots)
        unknown = (*plain, *roots)
        ring = PolyRing((*self.base, *unknown), ZZ, grevlex)
        mine: list[tuple[Condition, Mapping[str, str]]] = [(c, {}) for c in self.conditions]
        conditions: dict[Poly, Condition] = {}
        for condition, renamed in (*mine, *((c, names) for c in other.conditions)):
            poly = _moved(condition.poly, ring, renamed)
            conditions.setdefault(poly, replace(condition, poly=poly))
        where = tuple(dict.fromkeys((*self.where, *other.where)))
        return System(ring, self.base, unknown, roots, tuple(conditions.values()), where)


def _moved(poly: Poly, ring: Any, renamed: Mapping[str, str]) -> Poly:
    """Return a polynomial in another ring that has all of its names."""
    old = [renamed.get(str(s), str(s)) for s in poly.ring.symbols]
    index = {str(s): i for i, s in enumerate(ring.symbols)}
    terms = {}
    for monomial, coefficient in poly.items():
        powers = [0] * ring.ngens
        for name, power in zip(old, monomial, strict=True):
            if power:
                powers[index[name]] = power
        terms[tuple(powers)] = coefficient
    return ring.from_dict(terms)
