"""Greatest common divisors and factors of integer polynomials: python-flint, or sympy alone.

Both engines give the same polynomials: a common divisor and every factor have a
positive leading coefficient in the order of the ring. What cannot be interrupted is
measured before it begins, and refused if it looks hopeless.
"""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from types import ModuleType
from typing import Any, Literal, final

from optgen.verify.verdicts import Unsupported

Poly = Any
EngineName = Literal["sympy", "flint"]

_LARGEST_FRACTION = 4_000  # terms of two polynomials with a common divisor
_LARGEST_FACTORED = 400  # terms of a polynomial that is factored
_LONGEST_VALUE = 1 << 24  # bits of the value at which sympy's heuristic reads off a divisor
_DENSEST = 1 << 22  # terms that a polynomial of some degrees may have
_SMALL = 8  # terms up to which copying to flint costs more than it saves


class Engine(ABC):
    """What is hard about integer polynomials."""

    name: EngineName

    def cofactors(self, a: Poly, b: Poly) -> tuple[Poly, Poly, Poly]:
        """Return g = gcd(a, b), a/g and b/g for two polynomials that are not 0.

        Raises:
            Unsupported: That might take too long.
        """
        if len(a) + len(b) > _LARGEST_FRACTION:
            raise Unsupported(f"a fraction with {len(a) + len(b)} terms")
        # Copies: sympy's division keeps the hash of results that it goes on changing.
        g, p, q = (poly.copy() for poly in self._cofactors(a, b))
        return (g, p, q) if g.LC > 0 else (-g, -p, -q)

    def factors(self, poly: Poly) -> list[tuple[Poly, int]]:
        """Return the irreducible factors of a primitive polynomial with their exponents.

        Raises:
            Unsupported: That might take too long.
        """
        if len(poly) > _LARGEST_FACTORED:
            raise Unsupported(f"the factors of a polynomial with {len(poly)} terms")
        if prod(degree + 1 for degree in poly.degrees() if degree > 0) > _DENSEST:
            raise Unsupported("the factors of a polynomial of high degree")
        found = [(b if b.LC > 0 else -b, e) for b, e in self._factors(poly)]
        return sorted(found, key=lambda item: sorted(item[0].terms()))

    @abstractmethod
    def _cofactors(self, a: Poly, b: Poly) -> tuple[Poly, Poly, Poly]: ...

    @abstractmethod
    def _factors(self, poly: Poly) -> list[tuple[Poly, int]]: ...


@final
class SympyEngine(Engine):
    """Needs nothing but sympy."""

    name = "sympy"

    def _cofactors(self, a: Poly, b: Poly) -> tuple[Poly, Poly, Poly]:
        if len(a) > 1 and len(b) > 1:
            degrees = [min(d, e) for d, e in zip(a.degrees(), b.degrees(), strict=True)]
            length = max(int(c).bit_length() for p in (a, b) for c in p.values())
            if length * prod(d + 1 for d in degrees if d > 0) > _LONGEST_VALUE:
                raise Unsupported("a fraction of high degree")
        found: tuple[Poly, Poly, Poly] = a.cofactors(b)
        return found

    def _factors(self, poly: Poly) -> list[tuple[Poly, int]]:
        used = [i for i, degree in enumerate(poly.degrees()) if degree > 0]
        ring = poly.ring
        small = ring.clone(symbols=[ring.symbols[i] for i in used])
        copy = small.from_dict({tuple(m[i] for i in used): c for m, c in poly.items()})
        return [
            (ring.from_dict(_spread(base, used, ring.ngens)), exponent)
            for base, exponent in copy.factor_list()[1]
        ]


@final
class FlintEngine(Engine):
    """Hands what is not small to python-flint.

    Args:
        flint: The module.
        small: Terms up to which sympy is used after all.
    """

    name = "flint"

    def __init__(self, flint: ModuleType, small: int = _SMALL) -> None:
        self._flint = flint
        self._small = small
        self._sympy = SympyEngine()

    def _cofactors(self, a: Poly, b: Poly) -> tuple[Poly, Poly, Poly]:
        if min(len(a), len(b)) == 1 or len(a) + len(b) <= self._small:
            return self._sympy._cofactors(a, b)
        used = [i for i, d in enumerate(zip(a.degrees(), b.degrees(), strict=True)) if max(d) > 0]
        p, q = self._copy(a, used), self._copy(b, used)
        g = p.gcd(q)
        if g == 1:
            return a.ring.one, a, b
        g, p, q = (self._back(f, used, a.ring) for f in (g, p / g, q / g))
        return g, p, q

    def _factors(self, poly: Poly) -> list[tuple[Poly, int]]:
        if len(poly) <= 2:
            return self._sympy._factors(poly)
        used = [i for i, degree in enumerate(poly.degrees()) if degree > 0]
        _, factors = self._copy(poly, used).factor()
        return [(self._back(base, used, poly.ring), int(e)) for base, e in factors]

    def _copy(self, poly: Poly, used: Sequence[int]) -> Any:
        names = tuple(f"x{i}" for i in range(len(used)))
        context = self._flint.fmpz_mpoly_ctx.get(names, "lex")
        return context.from_dict({tuple(m[i] for i in used): int(c) for m, c in poly.items()})

    def _back(self, poly: Any, used: Sequence[int], ring: Any) -> Poly:
        return ring.from_dict(
            {m: ring.domain(int(c)) for m, c in _spread(poly.to_dict(), used, ring.ngens).items()}
        )


def _spread(terms: Any, used: Sequence[int], width: int) -> dict[tuple[int, ...], Any]:
    """Return terms over some generators as terms over all of them."""
    found = {}
    for monomial, coefficient in terms.items():
        full = [0] * width
        for i, power in zip(used, monomial, strict=True):
            full[i] = int(power)
        found[tuple(full)] = coefficient
    return found


def choose(name: str | None = None) -> Engine:
    """Return an engine: the named one, that of OPTGEN_ENGINE, or the fastest there is.

    Raises:
        ValueError: There is no engine of that name.
        ImportError: python-flint was asked for and is not installed.
    """
    name = name or os.environ.get("OPTGEN_ENGINE") or None
    if name == "sympy":
        return SympyEngine()
    if name not in (None, "flint"):
        raise ValueError(f"no engine '{name}': there are 'sympy' and 'flint'")
    try:
        flint = importlib.import_module("flint")
        _ = flint.fmpz_mpoly_ctx
    except (ImportError, AttributeError):
        if name == "flint":
            raise ImportError("the engine 'flint' needs python-flint 0.7 or later") from None
        return SympyEngine()
    return FlintEngine(flint)
