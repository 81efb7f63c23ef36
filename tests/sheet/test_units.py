"""Units: the known ones, the inconsistent ones, and the line that is named."""

import pytest

from optgen.loader import load_catalogue
from optgen.modifiers import decoupled_decay, l2
from optgen.sheet.units import entries, in_loss, infer, show
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Piecewise,
    beta1,
    beta2,
    denom,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    param,
    sign,
    sqrt,
    step,
    symbol,
    weight_decay,
)

CATALOGUE = load_catalogue()
LR = Hyperparameter(lr, "1e-3")
EPS = Hyperparameter(eps, "1e-8")
BETA2 = Hyperparameter(beta2, "0.999", "[0, 1)")
SQUARES = StateBuffer(exp_avg_sq, domain="[0, oo)")
SQUARE = Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2)


def units(spec: OptimizerSpec) -> dict[str, str]:
    return {name: show(vector) for name, vector in infer(spec).exponents.items()}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("sgd", {"lr": "[param]/[grad]"}),
        ("sgd_l2", {"lr": "[param]/[grad]", "weight_decay": "[grad]/[param]"}),
        ("sgdw", {"weight_decay": "[grad]/[param]", "momentum_buffer": "[grad]"}),
        (
            "adam",
            {"lr": "[param]", "eps": "[grad]", "exp_avg": "[grad]", "exp_avg_sq": "[grad]**2"},
        ),
        ("adamw", {"weight_decay": "1/[param]", "beta1": "1"}),
        ("adam_l2", {"weight_decay": "[grad]/[param]"}),
        ("lion", {"lr": "[param]", "weight_decay": "1/[param]", "exp_avg": "[grad]"}),
        ("rmsprop:momentum", {"momentum_buffer": "1", "eps": "[grad]"}),
        ("nadam", {"mu_product": "1", "momentum_decay": "1"}),
        ("adagrad", {"sum": "[grad]**2", "lr_decay": "1", "lr": "[param]"}),
    ],
)
def test_known_units(rule: str, expected: dict[str, str]) -> None:
    found = units(CATALOGUE[rule])
    assert {name: found[name] for name in expected} == expected
    assert not infer(CATALOGUE[rule]).forced


def test_units_in_terms_of_the_loss() -> None:
    found = infer(CATALOGUE["sgd"]).exponents["lr"]
    assert show(in_loss(found)) == "[param]**2/[loss]"


def test_lamb_mixes_a_ratio_with_a_number() -> None:
    found = infer(CATALOGUE["lamb"])
    assert found.forced == "[param] = 1"
    assert found.because[-1].startswith("line 11: trust_ratio = param_norm/update_norm if")


def test_eps_inside_the_root_is_a_squared_gradient() -> None:
    spec = OptimizerSpec(
        name="inside",
        summary="eps inside the root.",
        hyperparameters=(LR, BETA2, EPS),
        state=(SQUARES,),
        rule=(SQUARE, Set(param, param - lr * grad / sqrt(exp_avg_sq + eps))),
    )
    assert units(spec)["eps"] == "[grad]**2"


def test_a_rule_of_two_branches_forces_the_gradient_to_be_a_number() -> None:
    """RAdam: it divides by the root of v at some steps, and by nothing at the others."""
    spec = OptimizerSpec(
        name="two_branches",
        summary="Divides in one branch only.",
        hyperparameters=(LR, BETA2, EPS),
        state=(SQUARES,),
        rule=(
            SQUARE,
            Let(denom, sqrt(exp_avg_sq) + eps),
            Set(param, param - lr * Piecewise((grad / denom, step > 5), (grad, True))),
        ),
    )
    found = infer(spec)
    assert found.forced == "[grad] = 1"
    assert found.because[-1].startswith("line 3: param <-")
    first, *rest = entries(found)
    assert first.outcome == "refuted"
    assert "[grad] = 1 is forced by line 3: param <-" in first.detail
    assert {e.values["name"] for e in rest} == {"lr", "beta2", "eps", "exp_avg_sq"}


def test_a_decay_that_is_added_twice_is_caught() -> None:
    """An L2 penalty wants [grad]/[param], decay of the parameter after Adam's root 1/[param]."""
    regularized = l2(CATALOGUE["adam"], name="penalized")
    twice = OptimizerSpec(
        name="twice",
        summary="Decay in the gradient and at the parameter.",
        hyperparameters=regularized.hyperparameters,
        state=regularized.state,
        rule=(Set(param, param - lr * weight_decay * param), *regularized.rule),
    )
    assert infer(twice).forced == "[grad] = 1"
    both_of_sgd = OptimizerSpec(
        name="both_of_sgd",
        summary="For SGD the two decays have one unit.",
        hyperparameters=(LR, Hyperparameter(weight_decay, "0")),
        rule=(
            Set(param, param - lr * weight_decay * param),
            Set(param, param - lr * (grad + weight_decay * param)),
        ),
    )
    assert not infer(both_of_sgd).forced


def test_a_hard_coded_eps_is_caught() -> None:
    tiny = symbol("tiny")
    spec = OptimizerSpec(
        name="hard_coded",
        summary="A number is added to the gradient.",
        hyperparameters=(LR,),
        rule=(Let(tiny, abs(grad) + 1), Set(param, param - lr * grad / tiny)),
    )
    found = infer(spec)
    assert (found.forced, len(found.because)) == ("[grad] = 1", 1)


def test_a_state_that_starts_at_a_number_has_no_unit() -> None:
    spec = OptimizerSpec(
        name="from_one",
        summary="Squares that start at 1.",
        hyperparameters=(LR, BETA2),
        state=(StateBuffer(exp_avg_sq, initial=1, domain="[0, oo)"),),
        rule=(SQUARE, Set(param, param - lr * grad / sqrt(exp_avg_sq))),
    )
    found = infer(spec)
    assert found.forced == "[grad] = 1"
    assert found.because[-1] == "exp_avg_sq starts at 1"


def test_a_parameter_and_a_gradient_that_are_added() -> None:
    spec = OptimizerSpec(
        name="added",
        summary="No step size.",
        rule=(Set(param, param - grad),),
    )
    assert infer(spec).forced == "[grad] = [param]"


def test_a_free_unit_is_said_to_be_free() -> None:
    scale = symbol("scale")
    spec = OptimizerSpec(
        name="free",
        summary="Two step sizes.",
        hyperparameters=(LR, Hyperparameter(scale, "1")),
        rule=(Set(param, param - lr * scale * sign(grad)),),
    )
    found = infer(spec)
    assert found.of("lr") is None or found.of("scale") is None
    assert any("is free" in e.detail for e in entries(found))


def test_modifiers_keep_units_consistent() -> None:
    assert not infer(decoupled_decay(CATALOGUE["rmsprop"], name="rmspropw")).forced


def test_exponents_must_be_numbers() -> None:
    spec = OptimizerSpec(
        name="exponent",
        summary="The mean is bias corrected.",
        hyperparameters=(LR, Hyperparameter(beta1, "0.9", "[0, 1)")),
        state=(StateBuffer(exp_avg),),
        rule=(
            Set(exp_avg, exp_avg + beta1**step * grad),
            Set(param, param - lr * exp_avg),
        ),
    )
    assert units(spec) == {"lr": "[param]/[grad]", "beta1": "1", "exp_avg": "[grad]"}
