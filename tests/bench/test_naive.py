"""The naive form of a rule computes the rule."""

import numpy as np
import pytest

import optgen
from optgen.arithmetic import Choice, arrange
from optgen.bench.naive import naive_step
from optgen.errors import UsageError
from optgen.loader import load_catalogue
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import Max, Min, Piecewise, Rational, grad, lr, mean, param, symbol

RULES = load_catalogue()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", sorted(RULES))
def test_naive_form_follows_the_generated_module(rule, dtype):
    module, step = optgen.load_kernel(rule), naive_step(RULES[rule])
    rng = np.random.default_rng(0)
    first = rng.standard_normal((7, 31)).astype(dtype)
    param, states = [first.copy(), first.copy()], [module.init(first), module.init(first)]
    for _ in range(4):
        grad = rng.standard_normal(first.shape).astype(dtype)
        module.step(param[0], grad, states[0])
        step(param[1], grad, states[1])
    assert param[1].dtype == dtype
    close = {"rtol": 100 * np.finfo(dtype).eps, "atol": 100 * np.finfo(dtype).eps}
    np.testing.assert_allclose(param[1], param[0], **close)
    assert not np.array_equal(param[1], first)
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, **close, err_msg=name)


def test_every_kind_of_expression():
    inner = symbol("inner")
    chosen = Piecewise((Max(grad, lr, inner), (grad > 0) | (param > 1)), (Min(grad, -lr), True))
    pulled, below, middle = symbol("pulled"), symbol("below"), symbol("middle")
    spec = OptimizerSpec(
        name="odd",
        summary="Whatever an expression may hold.",
        hyperparameters=(Hyperparameter(lr, "0.5"), Hyperparameter(inner, "0.25")),
        rule=(
            Let(below, inner - param),
            Let(middle, mean(grad)),
            Let(pulled, middle * 2 - Rational(1, 3) * below),
            Set(param, chosen - pulled / 2),
        ),
    )
    assert any(isinstance(n, Choice) for n in arrange(spec.rule[3].value).terms)
    step = naive_step(spec)
    p, g = np.array([3.0, -2.0, 0.5, 0.0]), np.array([-1.0, 2.0, 0.1, -0.1])
    wanted = np.where((g > 0) | (p > 1), np.maximum(g, 0.5), np.minimum(g, -0.5))
    wanted = wanted - (g.mean() * 2 - (0.25 - p) / 3) / 2
    step(p, g, {"step": np.zeros((), np.int64)})
    np.testing.assert_allclose(p, wanted, rtol=1e-14)


def test_a_rule_with_further_inputs_is_refused():
    closure = symbol("hessian")
    spec = OptimizerSpec(
        name="second",
        summary="Needs more.",
        hyperparameters=(Hyperparameter(lr, "0.5"),),
        inputs=(closure,),
        rule=(Set(param, param - lr * grad / closure),),
    )
    with pytest.raises(UsageError, match="second needs more than the gradient"):
        naive_step(spec)
