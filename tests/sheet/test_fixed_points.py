"""Where rules come to rest under a constant gradient."""

from collections.abc import Callable

import pytest
import sympy

from optgen.sheet.entry import Entry
from optgen.sheet.fixed_points import entries
from optgen.sheet.floats import Program
from optgen.sheet.subject import Subject
from optgen.sheet.units import infer
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr, momentum, param, symbol

Make = Callable[[OptimizerSpec | str], Subject]
previous, change = symbol("previous"), symbol("change")


def found(subject: Subject) -> list[Entry]:
    return list(entries(subject, infer(subject.spec)))


def test_adamw_rests_within_one_over_the_decay(subject: Make) -> None:
    rest, limit, zero = found(subject("adamw"))
    assert rest.outcome == limit.outcome == zero.outcome == "proved"
    assert rest.statement == (
        "under a constant gradient param* = -grad/(weight_decay*(abs(grad) + eps)) is a fixed "
        "point with exp_avg = grad, exp_avg_sq = grad**2"
    )
    assert limit.statement == "abs(param*) < 1/weight_decay, whatever the gradient for eps > 0"
    assert zero.statement.startswith("under gradient 0 param* = 0 is a fixed point")


def test_lion_rests_at_one_over_the_decay(subject: Make) -> None:
    rest, limit, _ = found(subject("lion"))
    assert "param* = -sign(grad)/weight_decay is a fixed point" in rest.statement
    assert limit.statement == "abs(param*) <= 1/weight_decay, whatever the gradient"


@pytest.mark.parametrize(
    ("rule", "point"),
    [
        ("sgd_l2", "-grad/weight_decay"),
        ("adam_l2", "-grad/weight_decay"),
        ("sgdw", "-grad/(weight_decay*(1 - momentum))"),
    ],
)
def test_other_rules_with_decay(subject: Make, rule: str, point: str) -> None:
    first, *_ = found(subject(rule))
    assert first.outcome == "proved"
    names = {s.name: s for s in subject(rule).spec.domains}
    difference = sympy.sympify(str(first.values["param"]), locals=names) - sympy.sympify(
        point, locals=names
    )
    assert sympy.simplify(difference) == 0


@pytest.mark.parametrize(
    ("rule", "move"),
    [
        ("sgd", "-lr*grad"),
        ("adam", "-lr*grad/(abs(grad) + eps)"),
        ("amsgrad", "-lr*grad/(abs(grad) + eps)"),
        ("nesterov", "-lr*grad/(1 - momentum)"),
        ("momentum_ema", "-lr*grad"),
        ("rmsprop:centered", "-lr*grad/eps"),
    ],
)
def test_without_decay_the_parameter_drifts(subject: Make, rule: str, move: str) -> None:
    drift, still = found(subject(rule))
    assert (drift.outcome, still.outcome) == ("proved", "proved")
    assert drift.statement.startswith(f"under a constant gradient param moves by {move} a step")
    assert drift.statement.endswith(", for ever")
    assert still.statement.startswith("under gradient 0 every param is a fixed point")


@pytest.mark.parametrize("rule", ["adamw", "lion", "sgdw", "adam_l2"])
def test_runs_end_at_the_fixed_point(subject: Make, rule: str) -> None:
    """A long run in floats; a rule that steps by signs comes within lr of it."""
    spec = subject(rule).spec
    first, *_ = found(subject(rule))
    chosen = {h.name: float(h.default) for h in spec.hyperparameters}
    chosen |= {"lr": 0.01, "weight_decay": 0.5}
    chosen |= {"beta2": 0.9} if "beta2" in chosen else {}
    names = {s.name: s for s in spec.domains}
    value = sympy.sympify(str(first.values["param"]), locals=names)
    point = float(
        value.xreplace({names[n]: sympy.Float(v) for n, v in chosen.items()} | {grad: -2})
    )
    end = Program(spec).run(chosen, (0.3,), [(-2.0,)] * 3000)[-1]
    assert abs(end - point) <= 0.011


def test_a_sum_that_only_grows_has_none(subject: Make) -> None:
    first, second = found(subject("adagrad"))
    assert first.outcome == "not derived"
    assert first.detail == "sum = sum + grad**2 has no solution that was found"
    assert second.outcome == "proved"


def test_what_the_decider_does_not_confirm_is_not_claimed(subject: Make) -> None:
    """The state is used before it is written, and squared: no linear equation."""
    spec = OptimizerSpec(
        name="squared",
        summary="A state that feeds on its square.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        state=(StateBuffer(exp_avg),),
        rule=(Set(exp_avg, exp_avg**2 + grad), Set(param, param - lr * exp_avg)),
    )
    assert {e.outcome for e in found(subject(spec))} == {"not derived"}


def test_a_state_that_follows_the_parameter_is_not_taken_to_stand_still(subject: Make) -> None:
    """Heavy ball from the last two points ends in steps of -lr*grad/(1 - momentum)."""
    spec = OptimizerSpec(
        name="two_point",
        summary="The parameter before is kept.",
        hyperparameters=(Hyperparameter(lr, "1e-3"), Hyperparameter(momentum, "0.9", "[0, 1)")),
        state=(StateBuffer(previous),),
        rule=(
            Let(change, param - previous),
            Set(previous, param),
            Set(param, param - lr * grad + momentum * change),
        ),
    )
    drift, still = found(subject(spec))
    assert (drift.outcome, drift.detail) == ("not derived", "param moves, and previous with it")
    assert still.outcome == "proved"


def test_a_drift_in_the_limit_says_so(subject: Make) -> None:
    assert found(subject("adam"))[0].how.endswith("in the limit of many steps")
    assert not found(subject("sgd"))[0].how.endswith("in the limit of many steps")


def test_where_the_limit_does_not_hold_nothing_is_claimed(subject: Make) -> None:
    """Every step of LAMB from that point has the length lr*norm(param), however late it is."""
    rest, zero = found(subject("lamb"))
    assert rest.outcome == "not derived"
    assert rest.detail.endswith("the limit holds where update_norm != 0 only")
    assert zero.outcome == "proved"
