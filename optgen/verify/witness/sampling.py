"""Points of a domain at which two sides are likely to differ, the simple ones first."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil, floor

from optgen.domains import Domain

_SMALL = tuple(Fraction(n, d) for d in (1, 2, 3, 4) for n in range(1, 9))
_SPECIAL = (Fraction(0), Fraction(1), Fraction(-1), Fraction(2), Fraction(1, 2))


def sample(
    domains: Mapping[str, Domain], rng: random.Random, attempt: int, extra: Sequence[Fraction] = ()
) -> dict[str, Fraction]:
    """Return one point, every variable inside its domain.

    Args:
        domains: Domain of each variable.
        rng: Where chance comes from.
        attempt: Number of the attempt: kinds of points take turns.
        extra: Numbers that the expressions speak of, to be tried and passed by.
    """
    return {name: _value(domain, rng, attempt, extra) for name, domain in domains.items()}


def _value(domain: Domain, rng: random.Random, attempt: int, extra: Sequence[Fraction]) -> Fraction:
    for _ in range(40):
        value = _inside(_candidate(domain, rng, attempt, extra), domain)
        if value is not None:
            return value
    return middle(domain)


def _candidate(
    domain: Domain, rng: random.Random, attempt: int, extra: Sequence[Fraction]
) -> Fraction:
    if domain.integer:
        return middle(domain) + rng.choice((0, 0, 1, 2, 4, 7)) * rng.choice((1, -1))
    chance = rng.random()
    kind = attempt % 5
    if chance < (0.6 if kind == 4 else 0.15):  # 0/0 needs several zeros at once
        return rng.choice(_SPECIAL)
    if extra and chance < 0.3:
        return rng.choice(extra) + rng.choice((-1, 0, 1))
    sign = rng.choice((1, -1))
    if kind == 0:
        return sign * rng.choice(_SMALL)
    if kind == 1:  # squares, so that roots are exact
        return sign * Fraction(rng.randint(1, 12), rng.randint(1, 12)) ** 2
    if kind == 2:
        return sign * Fraction(rng.randint(1, 99), rng.randint(1, 99))
    return sign * rng.randint(1, 99) * Fraction(10) ** rng.randint(-6, 6)


def _inside(value: Fraction, domain: Domain) -> Fraction | None:
    """Return the value, or one made of it that lies in the domain, or None."""
    if value in domain:
        return value
    if domain.integer:
        return None
    if domain.low is not None and domain.high is not None:
        share = abs(value) / (1 + abs(value))
        value = domain.low + share * (domain.high - domain.low)
    elif domain.low is not None and value < domain.low:
        value = 2 * domain.low - value
    elif domain.high is not None and value > domain.high:
        value = 2 * domain.high - value
    return value if value in domain else None


def middle(domain: Domain) -> Fraction:
    """Return some point of a domain; of integers the one nearest to its lower end."""
    low, high = domain.low, domain.high
    if domain.integer:
        if low is not None:
            first = Fraction(ceil(low))
            return first if first in domain else first + 1
        last = Fraction(floor(high)) if high is not None else Fraction(1)
        return last if last in domain else last - 1
    if low is not None and high is not None:
        return low if low == high else (low + high) / 2
    if low is not None:
        return low + 1
    return high - 1 if high is not None else Fraction(1)
