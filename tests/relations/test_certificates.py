"""Certificates are combinations that expand to 1; nothing else passes as one."""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import sympy
from sympy import QQ
from sympy.polys.orderings import grevlex
from sympy.polys.rings import PolyRing

from optgen.loader import load_catalogue
from optgen.relations import check_document, relate
from optgen.relations.basis import basis, cofactors
from optgen.relations.expand import BadCertificate, adds_up_to_one
from optgen.relations.given import read_pair
from optgen.relations.refuting import PRIME, Family, trajectory_systems
from optgen.relations.solving import read_root
from optgen.relations.systems import Split
from optgen.spec import OptimizerSpec
from optgen.symbols import symbol
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.verdicts import Unsupported

Rules = Callable[[str], OptimizerSpec]


@pytest.fixture(scope="module")
def document(rule: Rules) -> dict[str, Any]:
    found = relate(rule("adam_l2"), rule("adamw")).to_json()["certificate"]
    assert isinstance(found, dict)
    return found


def test_a_certificate_holds(document: dict[str, Any]) -> None:
    assert check_document(document)


@pytest.mark.parametrize("line", range(4))
@pytest.mark.parametrize("what", ["terms", "cofactor"])
def test_a_changed_coefficient_is_seen(document: dict[str, Any], line: int, what: str) -> None:
    changed = copy.deepcopy(document)
    term = changed["parts"][0]["lines"][line][what][0]
    term[0] = str(int(term[0]) + 1) if "/" not in term[0] else "1"
    assert not check_document(changed)


def test_a_missing_line_is_seen(document: dict[str, Any]) -> None:
    changed = copy.deepcopy(document)
    del changed["parts"][0]["lines"][0]
    assert not check_document(changed)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "kind is not 'nullstellensatz'"),
        ([], "kind is not 'nullstellensatz'"),
        ({"kind": "nullstellensatz"}, "the certificate has no parts"),
        ({"kind": "nullstellensatz", "parts": []}, "the certificate has no parts"),
        ({"kind": "nullstellensatz", "parts": [{}]}, "a line of the certificate cannot be read"),
        (
            {
                "kind": "nullstellensatz",
                "parts": [{"lines": [{"terms": [["1", {"x": -1}]], "cofactor": []}]}],
            },
            "a power is not a positive integer",
        ),
        (
            {
                "kind": "nullstellensatz",
                "parts": [{"lines": [{"terms": [["1", {}], ["1", {}]], "cofactor": []}]}],
            },
            "a monomial stands twice",
        ),
    ],
)
def test_something_else_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(BadCertificate, match=message):
        check_document(wrong)


def test_nothing_adds_up_to_one_by_itself() -> None:
    assert not adds_up_to_one([])


def test_a_solvable_system_never_has_the_basis_1() -> None:
    """Random polynomials through a known point: no certificate may appear."""
    rng = random.Random(7)
    ring = PolyRing(("x", "y", "z"), QQ, grevlex)
    for _ in range(25):
        point = [QQ(rng.randint(-3, 3)) for _ in range(3)]
        polys = []
        for _ in range(3):
            poly = ring.from_dict(
                {
                    (rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 1)): QQ(rng.randint(1, 5))
                    for _ in range(3)
                }
            )
            polys.append(poly - poly.evaluate(list(zip(ring.gens, point, strict=True))))
        polys = [p for p in polys if p]
        if not polys:
            continue
        try:
            found = basis(polys, Deadline.after(1))
        except (OutOfTime, Unsupported):
            continue
        assert all(any(element.lead) for element in found)
        for element in found:
            weights = cofactors(element, polys, Deadline.after(5))
            assert sum((w * p for w, p in zip(weights, polys, strict=True)), ring.zero) == (
                element.poly
            )


def test_the_cofactors_of_1_add_up_to_1() -> None:
    ring = PolyRing(("x", "y"), QQ, grevlex)
    x, y = ring.gens
    polys = [x**2 + y**2 - 1, x * y - 2, x + y - 1]
    (one,) = basis(polys, Deadline.after(5))
    assert one.poly == 1
    weights = cofactors(one, polys, Deadline.after(5))
    assert sum((w * p for w, p in zip(weights, polys, strict=True)), ring.zero) == 1


CATALOGUE = load_catalogue()


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_equations_of_a_rule_with_itself_hold_at_its_own_hyperparameters(name: str) -> None:
    """A certificate is worth what its equations are: these must have the obvious solution."""
    pair = read_pair(CATALOGUE[name], CATALOGUE[name], ())
    checked = 0
    for signs in ((1, 1), (-1, 1), (1, 1, 1), (1, 1, 1, 1)):
        try:
            found = trajectory_systems(pair, Family.of(pair, signs), Deadline.after(3))
        except (Split, Unsupported, OutOfTime):
            continue
        for system in found:
            if system.where:
                continue  # the own hyperparameters may lie in another region
            point = {n: sympy.Rational(k, 7) for k, n in enumerate(pair.base, 2)}
            known = {symbol(n): value for n, value in point.items()}
            known |= {symbol(n + PRIME): value for n, value in point.items()}
            roots = {n: read_root(text).subs(known) for n, text in system.roots.items()}
            known |= {symbol(n): value for n, value in roots.items()}
            names = [symbol(str(s)) for s in system.ring.symbols]
            for condition in system.conditions:
                value = condition.poly.as_expr(*names).subs(known)
                assert abs(sympy.N(value, 50)) < 1e-40, condition.origin
                checked += 1
    assert checked or name == "sgd"
