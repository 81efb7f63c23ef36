"""Expands certificates: the part that must be right for a "none" to be believed.

It reads plain data, computes with exact fractions, and imports the standard
library only. A polynomial maps each monomial, as sorted (name, power) pairs, to
its coefficient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

Monomial = tuple[tuple[str, int], ...]
Terms = dict[Monomial, Fraction]


def product(a: Terms, b: Terms) -> Terms:
    """Return a * b."""
    found: Terms = {}
    for first, x in a.items():
        for second, y in b.items():
            powers = dict(first)
            for name, power in second:
                powers[name] = powers.get(name, 0) + power
            monomial = tuple(sorted(powers.items()))
            found[monomial] = found.get(monomial, Fraction(0)) + x * y
    return found


def adds_up_to_one(pairs: Iterable[tuple[Terms, Terms]]) -> bool:
    """Whether the sum of polynomial * cofactor is 1, every term multiplied out."""
    total: Terms = {}
    for poly, cofactor in pairs:
        for monomial, value in product(poly, cofactor).items():
            total[monomial] = total.get(monomial, Fraction(0)) + value
    return {m: c for m, c in total.items() if c} == {(): Fraction(1)}


class BadCertificate(ValueError):
    """A document is no certificate; the message says what is missing."""


def check_document(document: Mapping[str, Any]) -> bool:
    """Whether a certificate that was written as JSON holds in each of its parts.

    Raises:
        BadCertificate: The document is something else.
    """
    if not isinstance(document, Mapping) or document.get("kind") != "nullstellensatz":
        raise BadCertificate("this is no certificate: kind is not 'nullstellensatz'")
    parts = document.get("parts")
    if not isinstance(parts, list) or not parts:
        raise BadCertificate("the certificate has no parts")
    try:
        return all(
            adds_up_to_one(
                (_read(line["terms"]), _read(line["cofactor"])) for line in part["lines"]
            )
            for part in parts
        )
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise BadCertificate(f"a line of the certificate cannot be read: {error!r}") from None


def _read(terms: list[list[Any]]) -> Terms:
    found: Terms = {}
    for coefficient, powers in terms:
        if not all(isinstance(p, int) and p > 0 for p in powers.values()):
            raise ValueError("a power is not a positive integer")
        monomial = tuple(sorted(powers.items()))
        if monomial in found:
            raise ValueError("a monomial stands twice")
        found[monomial] = Fraction(coefficient)
    return found
