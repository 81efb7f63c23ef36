"""Stability on a quadratic: the known formulas, and eigenvalues at sampled points."""

import random
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import sympy

from optgen.sheet.stability import (
    NotLinear,
    agreement,
    entries,
    inequality,
    schur_stable,
    stability,
)
from optgen.sheet.subject import Subject
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, momentum, param, symbol

Make = Callable[[OptimizerSpec | str], Subject]


@pytest.mark.parametrize(
    ("rule", "condition"),
    [
        ("sgd", "lr*h < 2"),
        ("sgd_l2", "lr*h < 2 - lr*weight_decay"),
        ("momentum_ema", "lr*(1 - momentum)*h < 2 + 2*momentum"),
        ("nesterov", "lr*(1 + 2*momentum)*h < 2 + 2*momentum"),
        ("sgdw", "lr*h < (2 - lr*weight_decay)*(1 + momentum)"),
        ("rmsprop", "lr*h < 2*denom"),
        ("adam", "lr*(1 - beta1)*h < 2*(1 + beta1)*denom"),
        ("adamw", "lr*(1 - beta1)*h < (2 - lr*weight_decay)*(1 + beta1)*denom"),
        ("amsgrad", "lr*(1 - beta1)*h < 2*(1 + beta1)*denom"),
        ("rmsprop:momentum", "lr*h < 2*(1 + momentum)*denom"),
    ],
)
def test_known_conditions(subject: Make, rule: str, condition: str) -> None:
    (only,) = entries(subject(rule))
    assert only.outcome == "proved"
    assert only.values["conditions"] == [condition]


def test_heavy_ball_with_dampening(subject: Make) -> None:
    (only,) = entries(subject("momentum"))
    assert only.values["conditions"] == [
        "lr*(1 - dampening)*h < 2 + 2*momentum",
        "1 - dampening > 0",
    ]


def test_adam_at_the_defaults_is_thirty_eight_over_lr(subject: Make) -> None:
    """h < 38*P/lr for a divisor P: the edge of stability of Adam at beta1 = 0.9."""
    region = stability(subject("adam"))
    (condition,) = region.conditions
    at = {symbol("beta1"): sympy.Rational(9, 10), symbol("denom"): 1, symbol("lr"): 1}
    (edge,) = sympy.solve(condition.xreplace(at), region.curvature)
    assert edge == 38


@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "sgdw", "adamw", "lamb", "nadam"])
def test_conditions_against_eigenvalues(subject: Make, rule: str) -> None:
    region = stability(subject(rule))
    rng = random.Random(rule)
    seen = set()
    for _ in range(120):
        point = {symbol(n): rng.uniform(0.01, 0.99) for n in region.names}
        point[region.curvature] = 10 ** rng.uniform(-1, 2)
        point[lr] = 10 ** rng.uniform(-1, 1)
        matrix = np.array(region.matrix.xreplace(point).tolist(), dtype=float)
        radius = max(abs(np.linalg.eigvals(matrix)))
        if abs(radius - 1) < 1e-6:
            continue
        holds = all(float(c.xreplace(point)) > 0 for c in region.conditions)
        assert holds == (radius < 1), point
        seen.add(holds)
    assert seen == {True, False}


def test_three_states_take_the_hurwitz_determinants(subject: Make) -> None:
    slow, fast = symbol("slow"), symbol("fast")
    spec = OptimizerSpec(
        name="cascade",
        summary="A mean of a mean of gradients.",
        hyperparameters=(
            Hyperparameter(lr, "1e-3"),
            Hyperparameter(momentum, "0.9", "[0, 1)"),
        ),
        state=(StateBuffer(fast), StateBuffer(slow)),
        rule=(
            Set(fast, momentum * fast + (1 - momentum) * grad),
            Set(slow, momentum * slow + (1 - momentum) * fast),
            Set(param, param - lr * slow),
        ),
    )
    region = stability(subject(spec))
    assert region.matrix.rows == 3
    agreed = agreement(region)
    assert agreed is not None
    stable, points = agreed
    assert 0 < stable < points


def test_the_gradient_is_taken_at_the_query(subject: Make) -> None:
    """Sutskever's form of Nesterov momentum looks ahead: the gradient is h*(param + mu*v)."""
    velocity, ahead = symbol("velocity"), symbol("ahead")
    spec = OptimizerSpec(
        name="look_ahead",
        summary="Nesterov momentum with the gradient at the point ahead.",
        hyperparameters=(
            Hyperparameter(lr, "1e-3"),
            Hyperparameter(momentum, "0.9", "[0, 1)"),
        ),
        state=(StateBuffer(velocity),),
        query=param + momentum * velocity,
        rule=(
            Let(ahead, momentum * velocity - lr * grad),
            Set(velocity, ahead),
            Set(param, param + ahead),
        ),
    )
    (only,) = entries(subject(spec))
    assert only.values["conditions"] == ["lr*(1 + 2*momentum)*h < 2 + 2*momentum", "lr > 0"]


def test_a_rule_that_climbs_converges_nowhere(subject: Make) -> None:
    spec = OptimizerSpec(
        name="ascent",
        summary="Goes up.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        rule=(Set(param, param + lr * grad),),
    )
    with pytest.raises(NotLinear, match="converges for no curvature"):
        stability(subject(spec))


def test_lion_is_not_linear(subject: Make) -> None:
    (only,) = entries(subject("lion"))
    assert only.outcome == "not derived"
    assert only.detail == "the parameter behind a step is not linear in param and states"


def test_schur_cohn_on_known_roots() -> None:
    def of(*roots: Fraction | int) -> list[Fraction]:
        row = [Fraction(1)]
        for root in roots:
            row = [a - root * b for a, b in zip((*row, 0), (0, *row), strict=True)]
        return [Fraction(x) for x in row]

    half, inside, outside = Fraction(1, 2), Fraction(99, 100), Fraction(101, 100)
    assert schur_stable(of(half, -inside, inside))
    assert not schur_stable(of(half, -outside))
    assert not schur_stable(of(half, 1))
    assert not schur_stable(of(-1))
    assert schur_stable(of(0, 0, 0))


def test_wrong_conditions_are_noticed(subject: Make) -> None:
    """A region with one more condition than is needed disagrees with the roots somewhere."""
    from dataclasses import replace

    region = stability(subject("sgdw"))
    narrow = replace(region, conditions=(*region.conditions, 1 - region.curvature))
    assert agreement(region) is not None
    assert agreement(narrow) is None
    assert agreement(replace(region, conditions=())) is None


def test_conditions_as_text(subject: Make) -> None:
    region = stability(subject("adam_l2"))
    (condition,) = region.conditions
    assert inequality(subject("adam_l2"), region, condition) == (
        "lr*(1 - beta1)*h < (2 + 2*beta1)*denom + lr*(beta1 - 1)*weight_decay"
    )
