"""Every equality of the claims corpus has a certificate that is accepted, and no forged one is."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sympy
from click.testing import CliRunner, Result

from optgen.checker import Accepted, Malformed, check
from optgen.cli import main
from optgen.domains import NONNEGATIVE, STEP, UNIT, Domain
from optgen.loader import load_catalogue
from optgen.verify import load_claims
from optgen.verify.claims import Claim
from optgen.verify.comparing import compare
from optgen.verify.decision import decide
from optgen.verify.verdicts import Proved

FOLDER = Path(__file__).parents[1] / "claims"
EQUAL = [c for c in load_claims(FOLDER, load_catalogue()) if c.verdict == "equal"]
_FORGED = 16
"""Mutations of each certificate."""


@cache
def document(claim: Claim) -> Any:
    found = compare(claim.left, claim.right, claim.given, claim.steps, 60)
    assert found.certificate is not None, found.reason
    return json.loads(json.dumps(found.certificate.document()))


def accepted(found: Any, statements: Any) -> bool:
    try:
        return isinstance(check(found, statements), Accepted)
    except Malformed:
        return False


def statements(found: Any) -> Any:
    return [proof["statement"] for proof in found["proofs"]]


@pytest.mark.parametrize("claim", EQUAL, ids=lambda claim: claim.name)
def test_every_equality_is_certified(claim: Claim) -> None:
    found = document(claim)
    assert accepted(found, statements(found))


@pytest.mark.parametrize("claim", EQUAL, ids=lambda claim: claim.name)
def test_a_certificate_proves_no_other_statement(claim: Claim) -> None:
    """A change of the statement is refused by who asks for the true one."""
    found = document(claim)
    wanted = statements(found)
    rng = random.Random(claim.name)
    for _ in range(_FORGED // 4):
        forged = copy.deepcopy(found)
        _mutate(forged["proofs"][0]["statement"], rng)
        if statements(forged) != wanted:
            assert not accepted(forged, wanted)


@pytest.mark.parametrize("claim", EQUAL, ids=lambda claim: claim.name)
def test_a_forged_proof_proves_nothing_false(claim: Claim) -> None:
    """The same proof, or a mutation of it, never passes for a statement that is false."""
    found = document(claim)
    rng = random.Random(claim.name)
    false = _falsified(found)
    assert not accepted(false, None)
    for _ in range(_FORGED):
        forged = copy.deepcopy(false)
        _mutate(forged["proofs"][0]["proof"], rng)
        assert not accepted(forged, statements(false))


def test_most_mutations_of_a_proof_are_refused() -> None:
    """Some change nothing that matters; a checker that accepts everything fails here."""
    refused = total = 0
    rng = random.Random(0)
    for claim in EQUAL:
        found = document(claim)
        for _ in range(10):
            forged = copy.deepcopy(found)
            _mutate(forged["proofs"][0]["proof"], rng)
            total += forged != found
            refused += forged != found and not accepted(forged, statements(found))
    assert refused > total // 2


def _falsified(found: Any) -> Any:
    """Add 1 to the left side of the first equation: no proof can be right."""
    forged = copy.deepcopy(found)
    stated = forged["proofs"][0]["statement"]
    nodes, first = stated["nodes"], stated["equations"][0]
    nodes += [["number", "1"], ["add", first[1], len(nodes)]]
    first[1] = len(nodes) - 1
    return forged


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with a key or an index into it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in list(pairs):
        yield value, key
        if isinstance(below, (dict, list)):
            yield from _places(below)


def _mutate(value: Any, rng: random.Random) -> None:
    """Change one place: a number, a sign, an exponent, a reference, or leave a part out."""
    places = list(_places(value))
    container, key = rng.choice(places)
    old = container[key]
    kind = rng.random()
    if isinstance(old, bool) or old is None:
        container[key] = rng.choice([None, True, False, 0, 1])
    elif isinstance(old, int):
        container[key] = rng.choice([old + 1, old - 1, -old, 0, 1, old * 2])
    elif isinstance(old, str):
        container[key] = rng.choice(
            ["0", "1", "-1", "2", "root", "signs", "none", "take", "<", ">="]
        )
    elif kind < 0.4 and isinstance(container, list):
        del container[key]
    elif kind < 0.6 and isinstance(old, list) and len(old) > 1:
        rng.shuffle(old)
    elif kind < 0.8:
        other, where = rng.choice(places)
        container[key] = copy.deepcopy(other[where])
    else:
        container[key] = type(old)()


X, Y = sympy.symbols("x y", real=True)
STEPS = sympy.Symbol("step", integer=True)
BETA = sympy.Symbol("beta", real=True)
V = sympy.Symbol("v", real=True)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (sympy.sqrt(X**2), sympy.Abs(X)),
        (sympy.Max(X, Y), (X + Y + sympy.Abs(X - Y)) / 2),
        (sympy.Min(X, Y), -sympy.Max(-X, -Y)),
        (sympy.sign(X) * sympy.Abs(X), X),
        (BETA ** (STEPS + 1), BETA * BETA**STEPS),
        ((BETA**2) ** STEPS, (BETA**STEPS) ** 2),
        (sympy.sqrt(V * X**2), sympy.sqrt(V) * sympy.Abs(X)),
        (1 / sympy.sqrt(V), sympy.sqrt(V) / V),
        (sympy.Max(sympy.sqrt(V), Y) ** 2, sympy.Max(V, Y * sympy.Max(sympy.sqrt(V), Y))),
        (sympy.Piecewise((X, X > 0), (-X, True)), sympy.Abs(X)),
    ],
)
def test_equalities_of_expressions_are_certified(left: sympy.Expr, right: sympy.Expr) -> None:
    domains: dict[sympy.Symbol, Domain] = {BETA: UNIT, V: NONNEGATIVE, STEPS: STEP}
    found = decide(left, right, domains)
    assert isinstance(found, Proved), found
    written = json.loads(json.dumps(found.certificate.document()))
    assert accepted(written, statements(written))


def test_shared_parts_are_written_once() -> None:
    shared: sympy.Expr = X
    for _ in range(12):
        shared = sympy.Add(shared, sympy.Mul(shared, shared, evaluate=False), evaluate=False)
        shared = sympy.Max(shared, Y, evaluate=False) if shared.count_ops() < 4 else shared
        if shared.count_ops() > 200:
            break
    found = decide(sympy.Abs(sympy.Integer(0) * shared + X), sympy.Abs(X), {X: NONNEGATIVE})
    assert isinstance(found, Proved)
    (proof,) = found.certificate.proofs
    assert len(proof["statement"]["nodes"]) < 10


def test_the_ends_of_domains_are_stated() -> None:
    found = decide(sympy.Abs(X), X, {X: Domain(Fraction(1, 3), Fraction(2), low_open=False)})
    assert isinstance(found, Proved)
    (proof,) = found.certificate.proofs
    assert proof["statement"]["variables"] == [["x", "1/3", False, "2", True, False]]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def test_compare_writes_and_check_reads(tmp_path: Path) -> None:
    file = str(tmp_path / "proof.json")
    assert (
        run(
            "compare", "adam", "adamw", "--given", "weight_decay=0", "--certificate", file
        ).exit_code
        == 0
    )
    alone = run("check", file)
    assert (alone.exit_code, alone.output.split(":")[0]) == (0, "accepted")
    of = run("check", file, "adam", "adamw", "--given", "weight_decay=0")
    assert of.exit_code == 0, of.output
    other = run("check", file, "lion", "lion")
    assert other.exit_code == 2
    assert "something else than lion = lion" in other.output


def test_there_is_no_certificate_of_different_rules(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    found = run("compare", "adam", "adamw", "--certificate", str(file))
    assert found.exit_code == 0
    assert "no certificate" in found.output
    assert not file.exists()


def test_check_rejects_and_says_what_is_unreadable(tmp_path: Path) -> None:
    good, bad, torn = (tmp_path / name for name in ("good.json", "bad.json", "torn.json"))
    run("compare", "adam", "adam", "--certificate", str(good))
    bad.write_text(json.dumps(_falsified(json.loads(good.read_text()))))
    torn.write_text(good.read_text()[:-30])
    codes = [run("check", str(f)).exit_code for f in (good, bad, torn, tmp_path / "none.json")]
    assert codes == [0, 1, 2, 2]
    assert run("check", str(bad)).output.startswith("rejected: param")
    assert run("check", str(good), "adam").exit_code == 2
