"""The second engine: z3 agrees or abstains, and what it contradicts is unknown."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import sympy
from sympy import Abs, Max, Piecewise, Rational, sign, sqrt

from optgen.domains import NONNEGATIVE, POSITIVE, STEP, UNIT
from optgen.loader import load_catalogue
from optgen.symbols import mean, norm, step, symbol
from optgen.verify import (
    Proved,
    Refuted,
    Undecided,
    decide,
    decision,
    load_claims,
    verify_algebra,
)
from optgen.verify import algebra as algebra_module
from optgen.verify.certificate.statement import state
from optgen.verify.claims import check_claim
from optgen.verify.proof import Equation
from optgen.verify.serialise import serialise
from optgen.verify.smt.ask import CONTRADICTION, ask, ask_at, opinion, reviewed
from optgen.verify.smt.opinion import second_opinion
from optgen.verify.verdicts import Certificate

needs_z3 = pytest.mark.skipif(
    importlib.util.find_spec("z3") is None, reason="z3-solver (extra `proof`) is not installed"
)
CLAIMS = Path(__file__).parents[1] / "claims"

x, y, v, p, beta = map(symbol, ("x", "y", "v", "p", "beta"))
SYMBOLS = {v: NONNEGATIVE, p: POSITIVE, beta: UNIT, step: STEP}
DOMAINS = {str(s): domain for s, domain in SYMBOLS.items()}
COUNTED = 1 - beta**step

EQUAL = [
    (sqrt(v * p), sqrt(v) * sqrt(p)),
    (x / (sqrt(v / COUNTED) + p), x * sqrt(COUNTED) / (sqrt(v) + p * sqrt(COUNTED))),
    (Max(x, y), (x + y + Abs(x - y)) / 2),
    (Abs(x), x * sign(x)),
    (beta ** (step + 1), beta * beta**step),
    (beta ** (step - 1) * beta, beta**step),
    (beta ** (step / 2), sqrt(beta**step)),
    (Piecewise((x, x > 0), (0, True)), Max(x, 0)),
    (sqrt(v) ** 3, v * sqrt(v)),
    (1 / (sqrt(v) + p), (sqrt(v) - p) / (v - p**2)),
    (x / x, sympy.Integer(1)),
]
DIFFERENT = [
    (sqrt(x**2 + p), Abs(x)),
    (x / (sqrt(v) + p), x / sqrt(v + p**2)),
    (beta ** (step + 1), beta**step),
    (x, x + Rational(1, 2**300)),
    (Max(x, y), Max(x, -y)),
    (norm(x), x),
]
BEYOND = [
    (norm(2 * x), 2 * norm(x)),  # of one element it is Abs: no difference in numbers
    (mean(x), x),
    (x ** (step * step), x),  # no exponent that z3 could be asked about
    ((x * y) ** step, x**step * y**step),  # integer powers of what may be negative
]


def equation(left: sympy.Expr, right: sympy.Expr) -> Equation:
    return Equation("value", serialise(left), serialise(right))


@needs_z3
@pytest.mark.parametrize(("left", "right"), EQUAL, ids=str)
def test_z3_proves(left: sympy.Expr, right: sympy.Expr) -> None:
    assert ask([equation(left, right)], DOMAINS).word == "equal"


@needs_z3
@pytest.mark.parametrize(("left", "right"), DIFFERENT, ids=str)
def test_z3_tells_apart(left: sympy.Expr, right: sympy.Expr) -> None:
    found = ask([equation(left, right)], DOMAINS)
    assert found.word == "different"
    point = dict(found.point)
    assert all(value in DOMAINS[name] for name, value in point.items() if name in DOMAINS)
    assert ask_at([equation(left, right)], point).word == "different"


@needs_z3
@pytest.mark.parametrize(("left", "right"), BEYOND, ids=str)
def test_what_rests_on_a_stand_in_is_no_answer(left: sympy.Expr, right: sympy.Expr) -> None:
    found = ask([equation(left, right)], DOMAINS)
    assert found.word == "unknown"
    assert found.reason


@needs_z3
def test_the_domain_counts() -> None:
    square = [equation(sqrt(v) ** 2, v)]
    assert ask(square, {}).word == "equal"  # where there is a value
    assert ask([equation(Abs(v), v)], {}).word == "different"
    assert ask([equation(Abs(v), v)], DOMAINS).word == "equal"
    assert ask([equation(Max(step, 1), step)], DOMAINS).word == "equal"


@needs_z3
def test_a_branch_not_taken_need_have_no_value() -> None:
    guarded = Piecewise((1 / x, sympy.Ne(x, 0)), (0, True))
    assert ask([equation(guarded * x * x, x)], {}).word == "equal"
    assert ask([equation(guarded, sympy.Integer(0))], {}).word == "different"
    assert ask([equation(guarded, 1 / x)], {}).word == "equal"  # at 0 one side has no value
    rooted = Piecewise((sqrt(x), x >= 0), (-sqrt(-x), True))
    assert ask([equation(sign(rooted), sign(x))], {}).word == "equal"
    assert ask([equation(rooted, sqrt(x))], {}).word == "equal"
    assert ask([equation(rooted, sqrt(Abs(x)))], {}).word == "different"


@needs_z3
def test_a_root_without_a_value_in_a_branch_not_taken() -> None:
    left = Piecewise((sqrt((x - 4) / x), x > 5), (y, True))
    right = Piecewise((sqrt((x - 4) / x), x > 5), (Max(y, 0), True))
    assert ask([equation(left, right)], {}).word == "different"
    point = {"x": Fraction(0), "y": Fraction(-1)}
    assert ask_at([equation(left, right)], point).word == "different"


@needs_z3
def test_a_power_at_zero_is_left_open() -> None:
    # beta**(step - 2) is 1 at beta = 0, step = 2, and has no value at step = 1.
    left, right = beta ** (step - 2) * beta**2, beta**step
    assert ask([equation(left, right)], DOMAINS).word in ("equal", "unknown")
    assert ask([equation(beta ** (step - 2), sympy.Integer(0))], DOMAINS).word != "equal"


@needs_z3
def test_the_time_is_limited() -> None:
    hard = sum(sqrt(1 + symbol(f"s{i}") ** 2) for i in range(12))
    other = sum(sqrt(1 + symbol(f"s{i}") ** 2 + symbol(f"s{i + 1}") ** 4) for i in range(12))
    found = ask([equation(hard * other, other * hard + (hard - other) ** 2 * 0 + x**0 - 1)], {})
    assert found.word in ("equal", "unknown")
    deep = sum(symbol(f"s{i}") ** 9 * symbol(f"s{i + 1}") ** 7 for i in range(9))
    assert ask([equation(sqrt(deep**2 + 1) * x, Abs(deep) * y)], {}, limit=0.2).word != "equal"


@needs_z3
@pytest.mark.parametrize(("left", "right"), EQUAL + DIFFERENT, ids=str)
def test_z3_does_not_contradict_the_decider(left: sympy.Expr, right: sympy.Expr) -> None:
    verdict = decide(left, right, SYMBOLS)
    said, why = opinion(verdict, equation(left, right), DOMAINS)
    assert said != "disagrees", why
    assert type(decide(left, right, SYMBOLS, second_opinion=True)) is type(verdict)


@needs_z3
def test_a_wrong_verdict_is_contradicted() -> None:
    proved = Proved(Certificate((), (), ()))
    found = reviewed(proved, equation(x, Abs(x)), DOMAINS)
    assert isinstance(found, Undecided)
    assert found.reason.startswith(CONTRADICTION)
    refuted = Refuted((("v", Fraction(2)),), "2", "3")
    found = reviewed(refuted, equation(v, Abs(v)), DOMAINS)
    assert isinstance(found, Undecided)
    assert "z3 holds them equal" in found.reason


@needs_z3
def test_a_second_opinion_can_take_a_verdict_back(monkeypatch: pytest.MonkeyPatch) -> None:
    proved = Proved(Certificate((), (), ()))
    monkeypatch.setattr(decision, "_decide", lambda *_: proved)
    assert decide(x, Abs(x), SYMBOLS) == proved
    found = decide(x, Abs(x), SYMBOLS, second_opinion=True)
    assert isinstance(found, Undecided)
    assert found.reason.startswith(CONTRADICTION)


@needs_z3
def test_nothing_undecided_is_decided() -> None:
    unknown = Undecided("out of time")
    found = reviewed(unknown, equation(v, Abs(v)), DOMAINS)
    assert found == Undecided("out of time (z3 holds them equal)")
    assert reviewed(unknown, equation(x, Abs(x)), DOMAINS) == unknown


@needs_z3
@pytest.mark.parametrize("part", range(4))
def test_claims_are_agreed_with_or_abstained_from(part: int) -> None:
    agreed = asked = 0
    for claim in load_claims(CLAIMS, load_catalogue())[part::4]:
        if claim.verdict == "unknown":
            continue
        result = check_claim(claim)
        said, why = second_opinion(claim.left, claim.right, result.comparison)
        assert said != "disagrees", (claim.name, why)
        asked += 1
        agreed += said == "agrees"
    assert asked > 15
    assert agreed >= 0.8 * asked


@needs_z3
def test_a_wrong_comparison_is_contradicted() -> None:
    claims = {claim.name: claim for claim in load_claims(CLAIMS, load_catalogue())}
    same, other = claims["adam_lerp"], claims["adam_eps_inside"]
    different = check_claim(other).comparison
    assert second_opinion(other.left, other.right, different)[0] == "agrees"
    assert second_opinion(same.left, same.right, different)[0] == "disagrees"
    statement, _ = state([equation(x * y, x + y)], DOMAINS, {})
    forged = Certificate((), (), (), ({"statement": statement, "proof": {}},))
    equal = replace(different, verdict="equal", certificate=forged)
    said, why = second_opinion(other.left, other.right, equal)
    assert said == "disagrees"
    assert "z3 holds what is certified different at x=" in why


@needs_z3
def test_the_report_counts_opinions(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = load_claims(CLAIMS / "adam_lerp.toml", load_catalogue())
    report = verify_algebra({}, claims)
    assert report.checks[-1].subject == "z3"
    assert report.checks[-1].detail == "agrees on 1, abstains on 0"
    monkeypatch.setattr(algebra_module, "second_opinion", lambda *_: ("disagrees", "so it says"))
    *_, claim, z3 = verify_algebra({}, claims).checks
    assert (claim.outcome, z3.outcome) == ("unknown", "unknown")
    assert claim.detail == f"{CONTRADICTION}: so it says"


def test_without_z3_verdicts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optgen.verify.smt.ask.find", lambda: None)
    monkeypatch.setattr(algebra_module, "find", lambda: None)
    assert ask([equation(x, x)], {}).reason == "z3 is not installed"
    assert ask_at([equation(x, x)], {}).reason == "z3 is not installed"
    verdict = decide(x, Abs(x), SYMBOLS)
    assert reviewed(verdict, equation(x, Abs(x)), DOMAINS) == verdict
    claims = load_claims(CLAIMS / "adam_lerp.toml", load_catalogue())
    report = verify_algebra({}, claims)
    assert report.passed
    assert all(check.subject != "z3" for check in report.checks)
