"""Hyperparameters that change from step to step: equal for ever, or only while constant."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
import sympy

from optgen.loader import load_catalogue
from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, momentum, momentum_buffer, param, symbol
from optgen.verify import Comparison, compare, explain, load_claims
from optgen.verify.deadline import Deadline
from optgen.verify.given import read_given
from optgen.verify.runs.hunt import Hunt
from optgen.verify.runs.replay import differ_at
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import Race, Rule

FOLDER = Path(__file__).parents[1] / "claims"
RULES = load_catalogue([FOLDER / "specs"])
LR = Hyperparameter(lr, "1e-3", "[0, oo)")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)")
EMA = ("dampening=0", "right.lr=left.lr*(1-momentum)")


def heavy_ball(kept: sympy.Expr, stepped: sympy.Expr) -> OptimizerSpec:
    return OptimizerSpec(
        name="heavy",
        summary="A rule with one buffer.",
        hyperparameters=(LR, MOMENTUM),
        state=(StateBuffer(momentum_buffer),),
        rule=(Set(momentum_buffer, kept), Set(param, stepped)),
    )


def race(left: OptimizerSpec, right: OptimizerSpec, given: tuple[str, ...]) -> Race:
    """Return a race in which every hyperparameter changes from step to step."""
    read = read_given(left, right, given)
    pair = zip(("left", "right"), (left, right), strict=True)
    rules = [Rule.of(Side.of(label, spec, read.values[label])) for label, spec in pair]
    return Race(rules[0], rules[1], read.domains, tuple(read.domains))


def parameters(found: Comparison) -> tuple[Fraction, Fraction]:
    """Compute a witness of heavy ball and Sutskever's velocity by hand."""
    point = {name: Fraction(value) for name, value in (found.witness or {}).items()}
    heavy = sutskever = point["param"]
    buffer = velocity = Fraction(0)
    for k in (1, 2):
        buffer = point["momentum"] * buffer + point[f"grad_{k}"]
        velocity = point["momentum"] * velocity - point[f"lr_{k}"] * point[f"grad_{k}"]
        heavy -= point[f"lr_{k}"] * buffer
        sutskever += velocity
    return heavy, sutskever


def test_sutskevers_velocity_is_heavy_ball_while_lr_is_constant() -> None:
    found = compare(RULES["momentum"], RULES["sutskever"], given=["dampening=0"])
    assert (found.verdict, found.constant) == ("equal while constant", ("lr",))
    assert found.matching == {"momentum_buffer": "velocity"}
    assert found.certificate is not None
    assert set(found.witness or {}) == {"momentum", "lr_1", "lr_2", "param", "grad_1", "grad_2"}
    heavy, sutskever = parameters(found)
    assert heavy != sutskever
    assert (found.left_value, found.right_value) == (str(heavy), str(sutskever))
    document = found.to_json()
    assert (document["verdict"], document["constant"]) == ("equal while constant", ["lr"])


def test_it_is_said_in_words() -> None:
    found = compare(RULES["sutskever"], RULES["momentum"], given=["dampening=0"])
    lines = explain(found).splitlines()
    assert lines[:3] == [
        "EQUAL WHILE lr is constant: sutskever equals momentum in such runs",
        "(they part if lr changes from step to step, as below)",
        "given dampening=0",
    ]
    assert "states matched: velocity with momentum_buffer" in lines
    assert "- a run of 2 steps from the initial states, in which lr changes" in lines
    relation = "- the states are multiples: left velocity = -lr*right momentum_buffer"
    assert relation in lines
    assert r"\quad\text{while lr constant}" in found._repr_latex_()
    assert "EQUAL WHILE lr is constant" in found._repr_html_()


@pytest.mark.parametrize("swapped", [False, True])
def test_means_and_sums_of_gradients(swapped: bool) -> None:
    names, given = ("momentum_ema", "momentum"), EMA
    if swapped:
        names, given = (
            ("momentum", "momentum_ema"),
            ("dampening=0", "left.lr=right.lr*(1-momentum)"),
        )
    left, right = (RULES[name] for name in names)
    found = compare(left, right, given=given)
    assert (found.verdict, found.constant) == ("equal while constant", ("momentum",))
    witness = {name: Fraction(value) for name, value in (found.witness or {}).items()}
    assert differ_at(left, right, given, witness)
    same = {**witness, "momentum_2": witness["momentum_1"]}
    assert not differ_at(left, right, given, same)


def test_the_sums_of_adam() -> None:
    found = compare(RULES["adam_of_sums"], RULES["adam"])
    assert (found.verdict, found.constant) == ("equal while constant", ("beta1", "beta2"))
    assert found.matching == {"first_sum": "exp_avg", "second_sum": "exp_avg_sq"}
    assert "while beta1 and beta2 are constant" in explain(found).lower()


def test_a_factor_without_hyperparameters_does_not_mind_a_schedule() -> None:
    single = heavy_ball(momentum * momentum_buffer + grad, param - lr * momentum_buffer)
    double = heavy_ball(momentum * momentum_buffer - 2 * grad, param + lr * momentum_buffer / 2)
    found = compare(single, double)
    assert (found.verdict, found.constant) == ("equal", ())
    relation = "left momentum_buffer = -1/2*right momentum_buffer"
    assert f"the states are multiples: {relation}" in found.evidence


def test_a_fixed_value_cannot_change() -> None:
    given = ("dampening=0", "momentum=1/2", "right.lr=left.lr/2")
    assert compare(RULES["momentum_ema"], RULES["momentum"], given=given).verdict == "equal"


def test_one_step_cannot_hold_a_change() -> None:
    found = compare(RULES["sutskever"], RULES["momentum"], given=["dampening=0"], steps=1)
    assert (found.verdict, found.witness) == ("equal while constant", None)
    assert found.evidence[-1] == (
        "in no run of up to 1 steps in which lr changes were the parameters seen to differ"
    )


def test_factors_that_may_both_be_0_prove_nothing() -> None:
    """Where lr = momentum = 0 the map would say nothing of the states."""
    one = heavy_ball(momentum * momentum_buffer + lr * grad, param - momentum * momentum_buffer)
    two = heavy_ball(momentum * momentum_buffer + momentum * grad, param - lr * momentum_buffer)
    found = compare(one, two)
    assert found.verdict == "unknown"
    assert "whether lr and momentum are ever 0 together is not settled" in found.reason


def test_a_difference_under_a_schedule_alone_is_not_called_a_difference() -> None:
    """Nothing is proved, since one rule keeps its velocity twice; runs part if lr changes."""
    one, two = symbol("one"), symbol("two")
    twice = OptimizerSpec(
        name="twice",
        summary="Keeps a velocity twice.",
        hyperparameters=(LR, MOMENTUM),
        state=(StateBuffer(one), StateBuffer(two)),
        rule=(
            Set(one, momentum * one - lr * grad),
            Set(two, momentum * two - lr * grad),
            Set(param, param + one / 2 + two / 2),
        ),
    )
    heavy = heavy_ball(momentum * momentum_buffer + grad, param - lr * momentum_buffer)
    found = compare(heavy, twice)
    assert (found.verdict, found.witness) == ("unknown", None)
    assert "hyperparameters that change part them, at" in found.reason
    assert "lr_2 = 1" in found.reason


def test_rules_that_part_while_constant_are_different() -> None:
    found = compare(RULES["sutskever"], RULES["nesterov"])
    assert (found.verdict, found.reachable, found.constant) == ("different", True, ())
    assert "lr_1" not in (found.witness or {})


EQUAL = [
    claim
    for claim in load_claims(FOLDER, load_catalogue())
    if claim.verdict == "equal" and not claim.left.name.startswith("radam")
]


def test_equal_holds_under_every_schedule() -> None:
    """Every substitution mixes hyperparameters of one step only: no schedule parts the two."""
    for claim in EQUAL:
        hunt = Hunt(
            race(claim.left, claim.right, claim.given),
            Deadline.after(60),
            random.Random(1),
            first=2,
        )
        assert hunt.run(2, 8) is None, claim.name


def test_runs_with_a_schedule_are_found() -> None:
    """The search that finds nothing above finds what there is."""
    hunt = Hunt(
        race(RULES["momentum_ema"], RULES["momentum"], EMA),
        Deadline.after(60),
        random.Random(1),
        first=2,
    )
    assert hunt.run(2, 8) is not None
