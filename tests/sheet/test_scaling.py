"""Invariances: scaled gradients and flipped signs."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from optgen.sheet.entry import Entry
from optgen.sheet.scaling import entries
from optgen.sheet.subject import Subject
from optgen.sheet.units import infer
from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr, param, sign, symbol
from optgen.verify.runs.replay import differ_at

Make = Callable[[OptimizerSpec | str], Subject]
SCALING = "scaling every gradient by c > 0"


def found(subject: Subject) -> dict[str, Entry]:
    return {e.statement: e for e in entries(subject, infer(subject.spec))}


def outcomes(subject: Subject) -> dict[str, str]:
    return {statement: e.outcome for statement, e in found(subject).items()}


def test_adam_is_invariant_if_eps_is_scaled_or_zero(subject: Make) -> None:
    all_of = found(subject("adam"))
    fixed = all_of[f"{SCALING}, hyperparameters fixed, leaves every param as it is"]
    assert fixed.outcome == "refuted"
    assert fixed.detail == "eps has the gradient in its unit"
    scaled = all_of[f"{SCALING} with eps -> c*itself leaves every param as it is"]
    assert scaled.outcome == "proved"
    zero = all_of[f"with eps = 0, {SCALING} leaves every param as it is"]
    assert zero.outcome == "proved"


def test_the_witness_is_a_run_in_which_the_two_part(subject: Make) -> None:
    adam = subject("adam").spec
    (fixed,) = [e for e in found(subject("adam")).values() if e.outcome == "refuted"]
    point = {n: Fraction(v) for n, v in fixed.witness.items()}
    assert point.pop("c") == 2
    doubled = OptimizerSpec(
        name="doubled",
        summary="Adam on twice the gradient.",
        hyperparameters=adam.hyperparameters,
        state=adam.state,
        rule=tuple(
            type(a)(a.target, a.value.xreplace({grad: 2 * grad}), location=a.location)
            for a in adam.rule
        ),
    )
    assert differ_at(adam, doubled, (), point)
    assert not differ_at(adam, adam, (), point)


def test_lion_is_invariant_as_it_stands(subject: Make) -> None:
    fixed = f"{SCALING}, hyperparameters fixed, leaves every param as it is"
    assert outcomes(subject("lion"))[fixed] == "proved"


def test_sgd_wants_its_step_size_scaled(subject: Make) -> None:
    assert (
        outcomes(subject("sgd"))[f"{SCALING} with lr -> itself/c leaves every param as it is"]
        == "proved"
    )


@pytest.mark.parametrize(
    ("rule", "odd", "even"),
    [
        ("adam", ["exp_avg"], ["exp_avg_sq"]),
        ("lion", ["exp_avg"], []),
        ("lamb", ["exp_avg"], ["exp_avg_sq"]),
        ("amsgrad", ["exp_avg"], ["exp_avg_sq", "max_exp_avg_sq"]),
        ("nadam", ["exp_avg"], ["mu_product", "exp_avg_sq"]),
        ("rmsprop:momentum", ["momentum_buffer"], ["square_avg"]),
        ("sgdw", ["momentum_buffer"], []),
    ],
)
def test_rules_are_odd(subject: Make, rule: str, odd: list[str], even: list[str]) -> None:
    *_, last = entries(subject(rule), infer(subject(rule).spec))
    assert last.statement.startswith("flipping the signs of param and grad flips that of param")
    assert last.outcome == "proved"
    expected = {**dict.fromkeys(odd, "odd"), **dict.fromkeys(even, "even")}
    assert last.values == {"parity": expected}


def test_a_rule_that_is_not_odd_is_refuted(subject: Make) -> None:
    spec = OptimizerSpec(
        name="one_sided",
        summary="Steps one way only.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        rule=(Set(param, param - lr * grad**2),),
    )
    *_, last = entries(subject(spec), infer(spec))
    assert last.outcome == "refuted"
    assert set(last.witness) == {"lr", "param", "grad_1"}
    assert Fraction(last.witness["lr"]) * Fraction(last.witness["grad_1"]) != 0


def test_units_give_the_whole_scaling(subject: Make) -> None:
    first, *_ = entries(subject("adamw"), infer(subject("adamw").spec))
    assert first.outcome == "proved"
    assert first.statement == (
        "scaling param by a > 0 and grad by b > 0, with lr by a, eps by b, weight_decay by 1/a, "
        "exp_avg by b, exp_avg_sq by b**2, scales param behind the step by a"
    )


def test_without_consistent_units_nothing_is_claimed(subject: Make) -> None:
    spec = OptimizerSpec(
        name="added",
        summary="The parameter and the gradient are added.",
        state=(StateBuffer(exp_avg),),
        rule=(Set(exp_avg, exp_avg + grad), Set(param, param - exp_avg)),
    )
    first, *_ = entries(subject(spec), infer(spec))
    assert first.outcome == "not derived"
    assert first.detail == "the units are not consistent: [grad] = [param] is forced"


def test_further_inputs_are_scaled_by_their_units(subject: Make) -> None:
    earlier = symbol("earlier_grad")
    spec = OptimizerSpec(
        name="two_gradients",
        summary="Steps by the signs of two gradients, added.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        inputs=(earlier,),
        rule=(Set(param, param - lr * sign(grad + earlier)),),
    )
    assert infer(spec).of("earlier_grad") == (0, 1)
    whole, fixed, scaled, flip = entries(subject(spec), infer(spec))
    assert "lr by a, earlier_grad by b, scales param" in whole.statement
    assert fixed.outcome == "refuted"
    assert fixed.detail == "earlier_grad has the gradient in its unit"
    assert scaled.statement == (
        f"{SCALING} with earlier_grad -> c*itself leaves every param as it is"
    )
    assert flip.values == {"parity": {"earlier_grad": "odd"}}
    assert {whole.outcome, scaled.outcome, flip.outcome} == {"proved"}
