"""Roles: once a step, once a tensor, once an element."""

import pytest

from optgen.arithmetic import arrange
from optgen.errors import SpecError
from optgen.loader import load_catalogue
from optgen.roles import Role, role_of, roles
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Max,
    Piecewise,
    beta1,
    exp_avg,
    grad,
    lr,
    mean,
    momentum,
    norm,
    param,
    sqrt,
    step,
    symbol,
    trust_ratio,
    update,
)

KNOWN = {
    "lr": Role.HOST,
    "step": Role.HOST,
    "trust_ratio": Role.TENSOR,
    "param": Role.ELEMENT,
    "grad": Role.ELEMENT,
}


@pytest.mark.parametrize(
    ("expression", "role"),
    [
        (1 - lr**step, Role.HOST),
        (Piecewise((lr, step > 1), (0, True)), Role.HOST),
        (norm(param), Role.TENSOR),
        (lr * mean(grad), Role.TENSOR),
        (lr * trust_ratio, Role.TENSOR),
        (Max(lr, sqrt(trust_ratio)), Role.TENSOR),
        (lr * grad, Role.ELEMENT),
        (norm(param) * grad, Role.ELEMENT),
        (Piecewise((lr, grad > 0), (0, True)), Role.ELEMENT),
    ],
    ids=str,
)
def test_an_expression_has_the_largest_role_of_its_operands(expression: object, role: Role) -> None:
    assert role_of(arrange(expression), KNOWN) is role


def test_constants_are_of_the_host() -> None:
    assert role_of(arrange(lr * 0 + 3), {}) is Role.HOST


def make(*rule: Let | Set, shape: str = "param") -> OptimizerSpec:
    return OptimizerSpec(
        name="rule",
        summary="A rule.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        state=(StateBuffer(momentum, shape=shape),),  # type: ignore[arg-type]
        rule=rule,
    )


def test_scalar_states_live_on_the_host() -> None:
    spec = make(Set(momentum, momentum + lr), Set(param, param - momentum * grad), shape="scalar")
    assert roles(spec)["momentum"] is Role.HOST


def test_a_state_per_element_stays_one_whatever_is_written() -> None:
    spec = make(Set(momentum, lr), Set(param, param - momentum * grad))
    assert roles(spec)["momentum"] is Role.ELEMENT


def test_a_rule_that_writes_elements_to_a_scalar_cannot_be_made() -> None:
    with pytest.raises(SpecError, match="'momentum' is given one value per element") as caught:
        make(Set(momentum, momentum + grad), Set(param, param - lr * momentum), shape="scalar")
    assert __file__ in str(caught.value.where)
    assert "rule 1 (momentum)" in str(caught.value.where)


def test_lets_take_the_role_of_their_value() -> None:
    size = symbol("size")
    spec = make(
        Let(update, lr * grad),
        Let(size, norm(update)),
        Set(momentum, grad / size),
        Set(param, param - update * momentum),
    )
    found = roles(spec)
    assert (found["update"], found["size"]) == (Role.ELEMENT, Role.TENSOR)


def test_every_name_of_every_rule_has_a_role() -> None:
    for spec in load_catalogue().values():
        read = {s.name for a in spec.rule for s in a.value.free_symbols}
        assert read <= set(roles(spec)), spec.name


def test_inputs_have_a_value_per_element() -> None:
    hessian = symbol("hessian")
    spec = OptimizerSpec(
        name="rule",
        summary="A rule.",
        hyperparameters=(Hyperparameter(beta1, "0.5"),),
        state=(StateBuffer(exp_avg),),
        inputs=(hessian,),
        rule=(Set(exp_avg, hessian * beta1), Set(param, param - exp_avg * grad)),
    )
    assert roles(spec)["hessian"] is Role.ELEMENT
