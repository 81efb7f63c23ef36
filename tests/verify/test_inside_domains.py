"""A difference counts only where every value lies in its declared domain."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy

from optgen.domains import Domain
from optgen.errors import UsageError
from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import Abs, Max, Min, Piecewise, beta1, beta2, exp_avg, grad, lr, param, symbol
from optgen.verify import Proved, Refuted, compare, decide
from optgen.verify.witness.sampling import middle

LR = Hyperparameter(lr, "1e-3", "[0, oo)")
BETA1 = Hyperparameter(beta1, "0.9", "[0, 1)")
BETA2 = Hyperparameter(beta2, "0.5", "[0, 1)")


def with_momentum(factor: sympy.Expr) -> OptimizerSpec:
    moving = beta1 * exp_avg + grad
    stepped = param - lr * exp_avg * factor
    return OptimizerSpec(
        name="rule",
        summary="A rule with a factor.",
        hyperparameters=(LR, BETA1, BETA2),
        state=(StateBuffer(exp_avg),),
        rule=(Set(exp_avg, moving), Set(param, stepped)),
    )


@pytest.mark.parametrize(
    ("left", "right", "given"),
    [
        (1 + Max(0, beta2 - 1), 1 + 0 * beta2 + Min(0, beta2), "left.beta2=2*beta1"),
        (Abs(beta2), beta2, "beta2=beta1-1/2"),
    ],
)
def test_a_given_value_does_not_leave_its_domain_in_a_witness(left, right, given):
    found = compare(with_momentum(left), with_momentum(right), given=(given,))
    assert found.verdict != "different"


def bounded(factor: sympy.Expr, domain: str, change: sympy.Expr) -> OptimizerSpec:
    kept = symbol("kept")
    stepped = param - lr * factor * grad
    return OptimizerSpec(
        name="rule",
        summary="A rule with a bounded state.",
        hyperparameters=(LR,),
        state=(StateBuffer(kept, domain=domain, initial=1),),
        rule=(Set(param, stepped), Set(kept, change)),
    )


def test_a_state_does_not_leave_its_declared_domain_in_a_witness():
    kept = symbol("kept")
    change = kept * Piecewise((1, grad > 0), (1, True)) + 0 * grad
    inside = bounded(Min(kept, 1), "[0, 1]", change)
    outside = bounded(kept, "[0, 1]", change)
    assert compare(inside, outside).verdict != "different"


def test_integers_are_sampled_as_integers():
    n = symbol("n")
    ends = {n: Domain(Fraction(10), Fraction(15), False, False, integer=True)}
    left = Piecewise((1, n <= 12), (2, n >= 13), (3, True))
    right = Piecewise((1, n <= 12), (2, True))
    assert not isinstance(decide(left, right, ends), Refuted)
    assert isinstance(decide(n, n + 1, ends), Refuted)
    assert isinstance(decide(n, n, ends), Proved)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("[10, 15] integer", 10),
        ("(1, 9) integer", 2),
        ("(-oo, 3) integer", 2),
        ("(-oo, oo) integer", 1),
        ("[0, 1]", Fraction(1, 2)),
    ],
)
def test_the_middle_of_a_domain_lies_in_it(text, point):
    domain = Domain.parse(text)
    assert middle(domain) == point
    assert point in domain


@pytest.mark.parametrize("number", ["1e400", "1e-100000000", "(((10**16)**16)**16)**16", "9" * 400])
def test_a_number_that_no_hyperparameter_can_be_is_refused_at_once(number):
    with pytest.raises(UsageError, match="larger or smaller than a hyperparameter can be"):
        compare(with_momentum(beta2), with_momentum(beta2), given=(f"lr={number}",))


@pytest.mark.parametrize("number", ["0x10", "1_6", "16.0", "1.6e1", "0b10000"])
def test_every_spelling_of_a_number_is_read(number):
    rule = with_momentum(beta2)
    assert compare(rule, rule, given=(f"left.lr={number}", "right.lr=16")).verdict == "equal"


def test_before_the_first_step_no_state_is_free():
    """The roots are nested, so nothing is proved; at step 1 the state is 0 and not any number."""

    def rule(moving: sympy.Expr, factor: sympy.Expr) -> OptimizerSpec:
        stepped = param - lr * exp_avg * factor
        return OptimizerSpec(
            name="rule",
            summary="A rule with a root.",
            hyperparameters=(LR, BETA1),
            state=(StateBuffer(exp_avg),),
            rule=(Set(exp_avg, moving), Set(param, stepped)),
        )

    moving = beta1 * exp_avg + grad
    first = Piecewise((grad, sympy.Eq(symbol("step"), 1)), (moving, True))
    left = rule(first, sympy.sqrt(3 + 2 * sympy.sqrt(2)))
    assert compare(left, rule(moving, 1 + sympy.sqrt(2))).verdict != "different"
