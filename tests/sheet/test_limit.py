"""The limit after many steps, and what it equals."""

from collections.abc import Callable

import pytest

from optgen.notation.text import rule_lines
from optgen.sheet.floats import Program
from optgen.sheet.limit import NoLimit, entries, take_limit
from optgen.sheet.subject import Subject
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import Piecewise, beta1, beta2, denom, exp_avg, grad, lr, param, step, symbol

Make = Callable[[OptimizerSpec | str], Subject]
LR = Hyperparameter(lr, "1e-3")


def simple(value: object, *more: Hyperparameter) -> OptimizerSpec:
    rule = (Let(denom, value), Set(param, param - lr * grad / denom))
    return OptimizerSpec(name="simple", summary="One line.", hyperparameters=(LR, *more), rule=rule)


def test_adam_becomes_adam_without_correction(subject: Make) -> None:
    first, second = entries(subject("adam"))
    assert first.statement == (
        "as step -> oo the step tends to one with beta1**step -> 0, beta2**step -> 0"
    )
    assert second.statement == "the limit of adam = adam:uncorrected"
    assert {first.outcome, second.outcome} == {"proved"}
    assert "bias_correction1 = 1" in first.values["rule"]


def test_nadam_loses_its_schedule_and_its_product(subject: Make) -> None:
    limit = take_limit(subject("nadam"))
    assert limit.assumptions == ("momentum_decay > 0",)
    assert [b.name for b in limit.spec.state] == ["exp_avg", "exp_avg_sq"]
    assert "mu_product -> 0" in limit.changes
    assert "mu = beta1" in rule_lines(limit.spec)


def test_adagrad_has_a_limit_where_its_step_size_does_not_fall(subject: Make) -> None:
    assert take_limit(subject("adagrad")).assumptions == ("lr_decay = 0",)


def test_conditions_on_the_step_are_settled(subject: Make) -> None:
    limit = take_limit(subject("momentum"))
    assert limit.changes == ("step == 1 false in the end",)
    assert rule_lines(limit.spec)[0] == "grad_weight = 1 - dampening"


def test_edges_of_conditions_are_named(subject: Make) -> None:
    assert take_limit(subject("lamb")).edges == ("update_norm != 0",)


def test_rules_without_a_step_are_their_own_limit(subject: Make) -> None:
    (only,) = entries(subject("lion"))
    assert only.statement == "no line reads the step: the map is the same at every step"


@pytest.mark.parametrize("rule", ["adam", "amsgrad", "nadam", "lamb"])
def test_late_steps_are_close_to_the_limit(subject: Make, rule: str) -> None:
    """One step at number 20000 against one of the limit, from the same states."""
    spec = subject(rule).spec
    limit = take_limit(subject(rule)).spec
    chosen = {h.name: float(h.default) for h in spec.hyperparameters} | {"lr": 0.1}
    chosen |= {"momentum_decay": 0.05} if "momentum_decay" in chosen else {}
    start, gradients = (1.0, -2.0), [(0.5, -3.0), (1.5, 2.5)]
    late = Program(spec)
    late._start |= {"mu_product": 0.0}
    a = late.run(chosen, start, gradients, first=20000)
    b = Program(limit).run(chosen, start, gradients)
    assert a == pytest.approx(b, rel=1e-7)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (simple(1 + step), "line 1 keeps the step: denom = 1 + step"),
        (
            simple(1 + symbol("rate") ** step, Hyperparameter(symbol("rate"), "1")),
            "rate is not known to lie in [0, 1)",
        ),
        (
            simple(1 + beta1 ** (step**2), Hyperparameter(beta1, "0.9", "[0, 1)")),
            "the exponent of beta1**(step**2) is not linear in the step",
        ),
        (
            simple(1 + beta1 ** (-step), Hyperparameter(beta1, "0.9", "(0, 1)")),
            "-1, the rate in the exponent of beta1**(-step), may be negative",
        ),
        (
            simple(
                Piecewise((1, step < symbol("warm")), (2, True)),
                Hyperparameter(symbol("warm"), "5"),
            ),
            "it is not known whether step < warm holds in the end",
        ),
    ],
)
def test_what_has_no_limit_says_why(subject: Make, spec: OptimizerSpec, reason: str) -> None:
    with pytest.raises(NoLimit) as raised:
        take_limit(subject(spec))
    assert str(raised.value) == reason
    (only,) = entries(subject(spec))
    assert (only.outcome, only.detail) == ("not derived", reason)


@pytest.mark.parametrize(
    ("condition", "kept"), [(step > 10**9, "1"), (step <= 10**9, "2"), (2 * step - 7 < 0, "2")]
)
def test_conditions_however_late(subject: Make, condition: object, kept: str) -> None:
    limit = take_limit(subject(simple(Piecewise((1, condition), (2, True)))))
    assert rule_lines(limit.spec)[0] == f"denom = {kept}"


def test_a_quotient_of_two_vanishing_powers_has_no_limit(subject: Make) -> None:
    one, other = symbol("one_power"), symbol("other_power")
    spec = OptimizerSpec(
        name="quotient",
        summary="Both powers tend to 0, and their quotient need not tend to anything.",
        hyperparameters=(
            LR,
            Hyperparameter(beta1, "0.9", "[0, 1)"),
            Hyperparameter(beta2, "0.9", "[0, 1)"),
        ),
        rule=(
            Let(one, beta1**step),
            Let(other, beta2**step),
            Let(denom, one / other),
            Set(param, param - lr * grad * denom),
        ),
    )
    with pytest.raises(NoLimit, match="denom has no value in the limit"):
        take_limit(subject(spec))


def test_a_query_that_reads_the_step_has_a_limit_too(subject: Make) -> None:
    spec = OptimizerSpec(
        name="looks_ahead",
        summary="Looks ahead less and less.",
        hyperparameters=(LR, Hyperparameter(beta1, "0.9", "[0, 1)")),
        state=(StateBuffer(exp_avg),),
        rule=(Set(exp_avg, beta1 * exp_avg + grad), Set(param, param - lr * exp_avg)),
        query=param + beta1**step * exp_avg,
    )
    limit = take_limit(subject(spec))
    assert (limit.changes, limit.spec.query) == (("beta1**step -> 0",), param)
