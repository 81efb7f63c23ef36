"""Makes a witness small: 0, 1, small integers and simple fractions wherever they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from optgen.domains import Domain

_SIMPLE = (
    *(Fraction(n) for n in (0, 1, -1, 2, -2, 3)),
    *(Fraction(s, d) for d in (2, 3, 4, 5) for s in (1, -1)),
    *(Fraction(n, d) for n, d in ((3, 4), (2, 3), (3, 2), (9, 16), (16, 25))),
    *(Fraction(n) for n in (4, 9, 10, 100, 1000)),
)


def complexity(value: Fraction) -> tuple[int, int, bool]:
    """Return what makes a number simple to people, to be compared."""
    size = abs(value.numerator) + (value.denominator if value.denominator > 1 else 0)
    return (value.denominator != 1, size, value < 0)


def simpler(value: Fraction, domain: Domain) -> Iterator[Fraction]:
    """Yield simpler values inside a domain, the simplest first."""
    rounded = (Fraction(round(value)), value.limit_denominator(10), value.limit_denominator(100))
    for candidate in sorted({*_SIMPLE, *rounded}, key=complexity):
        if candidate in domain and complexity(candidate) < complexity(value):
            yield candidate


def minimise(
    point: Mapping[str, Fraction],
    domains: Mapping[str, Domain],
    good: Callable[[Mapping[str, Fraction]], bool],
    rounds: int = 3,
) -> dict[str, Fraction]:
    """Return a point with simpler values at which `good` still holds.

    Args:
        point: A point at which `good` holds.
        domains: Domain of each variable.
        good: Whether a point will do.
        rounds: How often each variable is looked at, at most.
    """
    best = dict(point)
    for _ in range(rounds):
        changed = False
        for name in best:
            for value in simpler(best[name], domains[name]):
                if good({**best, name: value}):
                    best[name] = value
                    changed = True
                    break
        if not changed:
            break
    return best
