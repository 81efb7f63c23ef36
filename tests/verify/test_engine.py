"""The engines: the same divisors, factors and verdicts, whatever computes them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any

import pytest
from sympy import ZZ, Abs, Max, cancel, sqrt
from sympy.polys.orderings import lex
from sympy.polys.rings import ring

from optgen.domains import NONNEGATIVE, POSITIVE, STEP, UNIT
from optgen.symbols import step, symbol
from optgen.verify import decide
from optgen.verify.normal.engine import FlintEngine, SympyEngine, choose
from optgen.verify.verdicts import Unsupported

RING, X, Y, Z, W = ring("x,y,z,w", ZZ, lex)


def polynomial(rng: random.Random, terms: int) -> Any:
    found = RING.zero
    while not found:
        for _ in range(terms):
            powers = X ** rng.randint(0, 3) * Y ** rng.randint(0, 3) * Z ** rng.randint(0, 2)
            found += rng.randint(-9, 9) * powers
    return found


@pytest.fixture
def flint() -> FlintEngine:
    module = pytest.importorskip("flint", reason="python-flint is not installed")
    return FlintEngine(module, small=0)


@pytest.mark.parametrize("seed", range(20))
def test_cofactors_are_what_they_say(seed: int) -> None:
    rng = random.Random(seed)
    common, a, b = (polynomial(rng, 4) for _ in range(3))
    g, p, q = SympyEngine().cofactors(common * a, common * b)
    assert g * p == common * a
    assert g * q == common * b
    assert g.LC > 0
    assert not g.rem([common.primitive()[1]])


@pytest.mark.parametrize("seed", range(20))
def test_flint_finds_the_same_cofactors(seed: int, flint: FlintEngine) -> None:
    rng = random.Random(seed)
    common, a, b = (polynomial(rng, 4) for _ in range(3))
    pair = common * a, common * b
    assert flint.cofactors(*pair) == SympyEngine().cofactors(*pair)


@pytest.mark.parametrize("seed", range(20))
def test_flint_finds_the_same_factors(seed: int, flint: FlintEngine) -> None:
    rng = random.Random(seed)
    poly = polynomial(rng, 3) ** 2 * polynomial(rng, 3)
    poly = poly.primitive()[1]
    assert flint.factors(poly) == SympyEngine().factors(poly)


def test_factors_multiply_to_the_polynomial() -> None:
    poly = (X**2 - Y**2) * (X**2 + Z) ** 2
    total = RING.one
    for base, exponent in SympyEngine().factors(poly):
        assert base.LC > 0
        total *= base**exponent
    assert total in (poly, -poly)


def test_what_is_hopeless_is_not_begun() -> None:
    engine = SympyEngine()
    with pytest.raises(Unsupported, match="degree"):
        engine.factors(X**300 * Y**300 * Z**300 + W**7 - 1)
    with pytest.raises(Unsupported, match="degree"):
        engine.cofactors(X**500 * Y**500 * Z**500 + 1, X**500 * Y**500 * Z**500 - W)
    long = sum((X**i * Y**j for i in range(70) for j in range(70)), RING.zero)
    with pytest.raises(Unsupported, match="terms"):
        engine.cofactors(long, long + 1)
    with pytest.raises(Unsupported, match="terms"):
        engine.factors(long)


def test_an_engine_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("sympy").name == "sympy"
    monkeypatch.setenv("OPTGEN_ENGINE", "sympy")
    assert choose().name == "sympy"
    with pytest.raises(ValueError, match="there are 'sympy' and 'flint'"):
        choose("maple")


def test_without_flint_sympy_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPTGEN_ENGINE", raising=False)
    monkeypatch.setitem(sys.modules, "flint", None)
    assert choose().name == "sympy"
    with pytest.raises(ImportError, match="python-flint"):
        choose("flint")


def verdicts() -> list[str]:
    """Return the verdicts on a few pairs, certificates and witnesses included."""
    x, y, v, p, beta = map(symbol, ("x", "y", "v", "p", "beta"))
    domains = {v: NONNEGATIVE, p: POSITIVE, beta: UNIT, step: STEP}
    big = (x + y + v) ** 3 / (p + x**2 + beta**step) ** 2
    pairs = (
        (big + 1 / (p + x**2), cancel(big) + 1 / (x**2 + p)),
        (Max(big, x), (big + x + Abs(big - x)) / 2),
        (sqrt(v * (1 - beta**step)), sqrt(v) * sqrt(1 - beta**step)),
        (big, big + x / 10**9),
        (Abs((x**2 - y**2) * (x**2 + v)), Abs(x + y) * Abs(x - y) * (x**2 + v)),
    )
    return [repr(decide(*pair, domains)) for pair in pairs]


@pytest.mark.parametrize("engine", ["sympy", "flint"])
@pytest.mark.parametrize("ground", ["python", "gmpy", "flint"])
def test_verdicts_are_the_same_with_every_engine(ground: str, engine: str) -> None:
    """sympy keeps its integers as python-flint's or gmpy2's where those are installed."""
    modules = {"gmpy": "gmpy2", "flint": "flint"}
    for needed in {modules.get(ground), modules.get(engine)} - {None}:
        pytest.importorskip(str(needed), reason=f"{needed} is not installed")
    environment = {**os.environ, "SYMPY_GROUND_TYPES": ground, "OPTGEN_ENGINE": engine}
    code = "from tests.verify.test_engine import verdicts; print(*verdicts(), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == verdicts()
    assert "Proved" in done.stdout
    assert "Undecided" not in done.stdout
