"""The bound on one step: the constant, its certificate, and that no smaller one will do."""

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from optgen.sheet.bounding import Bounder
from optgen.sheet.entry import Entry
from optgen.sheet.moments import Average, averages, invariant, source_itself
from optgen.sheet.step_bound import entries
from optgen.sheet.subject import Subject
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Max,
    Min,
    beta1,
    beta2,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    norm,
    param,
    sqrt,
    symbol,
    trust_ratio,
    update,
)

Make = Callable[[OptimizerSpec | str], Subject]
length = symbol("length")
MOMENTS = ["adam", "adamw", "adam_l2", "amsgrad", "nadam", "lamb"]
K = (1 - beta1) ** 2 * beta2 / ((1 - beta2) * (beta2 - beta1**2))


def bound(subject: Subject) -> Entry:
    found = [e for e in entries(subject) if not e.statement.startswith("norm(")]
    return found[-1]


@pytest.mark.parametrize("rule", MOMENTS)
def test_the_constant_is_derived(subject: Make, rule: str) -> None:
    first, *_ = Bounder(subject(rule)).invariants
    assert (first.first.name, first.second.name) == ("exp_avg", "exp_avg_sq")
    assert sympy.cancel(first.ratio - K) == 0


@pytest.mark.parametrize("rule", MOMENTS)
def test_the_certificate_is_an_identity(subject: Make, rule: str) -> None:
    one = Bounder(subject(rule)).invariants[0]
    left, right = one.identity
    assert sympy.expand(sympy.fraction(sympy.together(left - right))[0]) == 0
    rng = random.Random(rule)
    names = sorted((left.free_symbols | right.free_symbols), key=str)
    assert {str(n) for n in names} >= {"beta1", "beta2", "exp_avg", "exp_avg_sq"}
    for _ in range(20):
        point = {n: sympy.Rational(rng.randint(1, 99), 100) for n in names}
        if point[beta1] ** 2 != point[beta2]:
            assert left.xreplace(point) == right.xreplace(point)


def test_a_wrong_certificate_is_no_identity(subject: Make) -> None:
    one = Bounder(subject("adam")).invariants[0]
    assert one.holds
    assert not replace(one, ratio=one.ratio * sympy.Rational(99, 100)).holds
    assert not replace(one, square=one.square + exp_avg).holds
    assert not replace(one, slack=one.slack * 2).holds


@pytest.mark.parametrize("rule", ["adam", "lamb"])
def test_a_constant_one_per_cent_smaller_is_refuted_by_a_run(subject: Make, rule: str) -> None:
    (refuted,) = [e for e in entries(subject(rule)) if e.statement.startswith("exp_avg**2 <= 99/1")]
    assert refuted.outcome == "refuted"
    b1, b2 = Fraction(refuted.witness["beta1"]), Fraction(refuted.witness["beta2"])
    growth, power = refuted.witness["grad_t"].split("**")
    assert power == "(t - 1)"
    m = v = Fraction(0)
    for t in range(int(refuted.witness["steps"])):
        g = Fraction(growth.strip("()")) ** t
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    constant = (1 - b1) ** 2 * b2 / ((1 - b2) * (b2 - b1**2))
    assert Fraction(99, 100) * constant < m**2 / v <= constant
    assert m**2 / v == Fraction(str(refuted.values["ratio"]))


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        (
            "adam",
            "abs(param_next - param) <= sqrt(1 - beta2**step)*lr*sqrt(K)/(1 - beta1**step) "
            "for beta1**2 < beta2, whatever the gradients",
        ),
        (
            "adamw",
            "abs(param_next - (1 - lr*weight_decay)*param) <= "
            "sqrt(1 - beta2**step)*lr*sqrt(K)/(1 - beta1**step) "
            "for beta1**2 < beta2, whatever the gradients",
        ),
        (
            "lion",
            "abs(param_next - (1 - lr*weight_decay)*param) <= lr, whatever the gradients",
        ),
        ("rmsprop", "abs(param_next - param) <= lr/sqrt(1 - alpha), whatever the gradients"),
        (
            "rmsprop:momentum",
            "abs(param_next - param) <= lr/(sqrt(1 - alpha)*(1 - momentum)), "
            "whatever the gradients",
        ),
        (
            "adagrad",
            "abs(param_next - param) <= lr/(1 + (step - 1)*lr_decay), whatever the gradients",
        ),
        (
            "lamb",
            "abs(update - weight_decay*param) <= sqrt(1 - beta2**step)*sqrt(K)/(1 - beta1**step) "
            "for beta1**2 < beta2, whatever the gradients",
        ),
    ],
)
def test_the_bound(subject: Make, rule: str, statement: str) -> None:
    last = bound(subject(rule))
    assert (last.outcome, last.statement) == ("proved", statement)


@pytest.mark.parametrize("rule", ["adam", "amsgrad", "nadam", "rmsprop:momentum", "adagrad"])
def test_no_random_run_passes_the_bound(subject: Make, rule: str) -> None:
    """The proved bound, against runs in floats with gradients of very different sizes."""
    from optgen.sheet.floats import Program

    spec = subject(rule).spec
    text = bound(subject(rule)).values["bound"]
    value = sympy.sympify(text, locals={s.name: s for s in spec.domains})
    program = Program(spec)
    rng = random.Random(1)
    tried = 0
    for _ in range(40):
        chosen = {h.name: rng.uniform(0.05, 0.95) for h in spec.hyperparameters}
        chosen |= {"eps": rng.choice((1e-9, 1e-3))} if "eps" in chosen else {}
        if chosen.get("beta1", 0) ** 2 >= chosen.get("beta2", 1):
            continue
        gradients = [(rng.choice((-1, 1)) * 10 ** rng.uniform(-3, 3),) for _ in range(8)]
        places = (0.0, *program.run(chosen, (0.0,), gradients)[1::2])
        product = 1.0
        for number in range(1, 9):
            before = {**chosen, "step": number, "mu_product": product}
            at = {s: before[s.name] for s in spec.domains if s.name in before}
            limit = float(value.xreplace({s: sympy.Float(v) for s, v in at.items()}))
            assert abs(places[number] - places[number - 1]) <= limit * (1 + 1e-9)
            if "momentum_decay" in chosen:
                shrunk = 0.96 ** (number * chosen["momentum_decay"])
                product *= chosen["beta1"] * (1 - shrunk / 2)
            tried += 1
    assert tried > 60


@pytest.mark.parametrize("rule", ["sgd", "sgd_l2", "momentum", "momentum_ema", "nesterov", "sgdw"])
def test_linear_rules_have_no_bound(subject: Make, rule: str) -> None:
    (only,) = entries(subject(rule))
    assert only.outcome == "refuted"
    assert only.detail.endswith("which grows without limit with the gradient")


def test_the_variance_of_centered_rmsprop_is_not_negative(subject: Make) -> None:
    first, *rest = entries(subject("rmsprop:centered"))
    assert first.statement == (
        "grad_avg**2 <= K*square_avg behind every step, with K = 1 for alpha > 0"
    )
    assert first.outcome == "proved"
    assert rest[-1].outcome == "not derived"  # a constant gradient brings the variance to 0


def test_where_the_squares_forget_faster_there_is_no_constant(subject: Make) -> None:
    (none,) = [e for e in entries(subject("adam")) if "for some K where" in e.statement]
    assert none.outcome == "refuted"
    assert none.statement == "exp_avg**2 <= K*exp_avg_sq for some K where beta2 < beta1**2"


def test_a_step_of_lamb_is_lr_times_the_parameter(subject: Make) -> None:
    *_, last = entries(subject("lamb"))
    assert last.outcome == "proved"
    assert last.statement == (
        "norm(param_next - param) = lr*norm(param) where norm(param) > 0 and norm(update) > 0"
    )


def test_a_norm_of_what_was_changed_is_not_that_of_the_parameter(subject: Make) -> None:
    lamb = subject("lamb").spec
    last = Set(param, param / 2 - lr * trust_ratio * update)
    doubled = replace(
        lamb, name="lamb_doubled", rule=(Set(param, 2 * param), *lamb.rule[:-1], last)
    )
    assert not [e for e in entries(subject(doubled)) if e.statement.startswith("norm(")]


def test_a_ratio_that_is_limited_is_not_a_share_of_the_parameter(subject: Make) -> None:
    lamb = subject("lamb").spec
    limited = tuple(
        replace(a, value=Min(a.value, 10)) if a.name == "trust_ratio" else a for a in lamb.rule
    )
    *_, last = entries(subject(replace(lamb, name="lamb_limited", rule=limited)))
    assert last.outcome == "not derived"
    assert last.detail.startswith("one step gives ")


def moments(**changes: object) -> OptimizerSpec:
    """Return Adam without correction and eps, with parts replaced."""
    parts: dict[str, object] = {
        "name": "moments",
        "summary": "A mean over the root of squares.",
        "hyperparameters": (
            Hyperparameter(lr, "1e-3"),
            Hyperparameter(beta1, "0.9", "[0, 1)"),
            Hyperparameter(beta2, "0.999", "[0, 1)"),
        ),
        "state": (StateBuffer(exp_avg), StateBuffer(exp_avg_sq, domain="[0, oo)")),
        "rule": (
            Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
            Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
            Set(param, param - lr * exp_avg / sqrt(exp_avg_sq)),
        ),
    }
    return OptimizerSpec(**{**parts, **changes})  # type: ignore[arg-type]


def test_states_that_do_not_start_at_zero_have_no_invariant(subject: Make) -> None:
    assert Bounder(subject(moments())).invariants
    started = moments(
        state=(StateBuffer(exp_avg, initial=1), StateBuffer(exp_avg_sq, domain="[0, oo)"))
    )
    kept = Bounder(subject(started)).invariants
    assert all(one.first.name != "exp_avg" for one in kept)
    assert bound(subject(started)).outcome == "not derived"


def test_a_state_that_is_written_twice_is_no_moving_mean() -> None:
    rule = moments().rule
    twice = moments(rule=(*rule[:2], Set(exp_avg_sq, exp_avg_sq / 4), rule[2]))
    assert [a.name for a in averages(twice)] == ["exp_avg"]


def test_moments_of_different_gradients_are_not_compared(subject: Make) -> None:
    rule = moments().rule
    other = Set(exp_avg, beta1 * exp_avg + (1 - beta1) * (grad + param))
    mixed = moments(rule=(other, *rule[1:]))
    assert bound(subject(mixed)).outcome == "not derived"


def test_the_old_mean_is_not_taken_for_the_new_one(subject: Make) -> None:
    """The step reads exp_avg before it is written: m**2 <= K*v+ holds with K/beta2 only."""
    mean, square, move = moments().rule
    late = moments(rule=(square, move, mean))
    assert bound(subject(late)).outcome == "not derived"


def test_squares_of_the_step_before_bound_nothing(subject: Make) -> None:
    mean, square, move = moments().rule
    stale = moments(rule=(mean, move, square))
    assert bound(subject(stale)).outcome == "not derived"  # its first step has no value
    late = Set(param, param - lr * exp_avg / (sqrt(exp_avg_sq) + 1))
    with_one = moments(rule=(mean, late, square))
    assert bound(subject(with_one)).outcome == "refuted"
    assert bound(subject(with_one)).detail.startswith("at param = 0 it is -lr*(1 - beta1)*grad")


def test_the_least_of_two_squares_is_not_taken_for_the_largest(subject: Make) -> None:
    amsgrad = subject("amsgrad").spec
    least = tuple(
        replace(a, value=Min(*a.value.args)) if isinstance(a.value, Max) else a
        for a in amsgrad.rule
    )
    assert bound(subject("amsgrad")).outcome == "proved"
    assert bound(subject(replace(amsgrad, rule=least))).outcome == "not derived"


def test_a_maximum_above_the_squares_has_not_seen_them(subject: Make) -> None:
    amsgrad = subject("amsgrad").spec
    squares = next(a for a in amsgrad.rule if a.name == "exp_avg_sq")
    others = [a for a in amsgrad.rule if a is not squares]
    largest = next(i for i, a in enumerate(others) if isinstance(a.value, Max))
    late = (*others[: largest + 1], squares, *others[largest + 1 :])
    assert bound(subject(replace(amsgrad, rule=late))).outcome != "proved"


def test_a_reduction_of_the_gradient_alone_has_no_bound_and_no_crash(subject: Make) -> None:
    clipped = OptimizerSpec(
        name="clipped",
        summary="A step of at most lr.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        rule=(Let(length, norm(grad)), Set(param, param - lr * grad / Max(1, length))),
    )
    assert bound(subject(clipped)).detail == "nothing is reduced but what a step is given"


def test_a_step_that_the_parameter_scales_is_refuted_where_it_is_not_zero(subject: Make) -> None:
    scaled = OptimizerSpec(
        name="scaled",
        summary="A step in proportion to the square of the parameter.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        rule=(Set(param, param - lr * param**2 * grad),),
    )
    assert bound(subject(scaled)).detail.startswith("at param = 1 it is -lr*grad, which grows")


@pytest.mark.parametrize(
    "square",
    [
        beta2 * exp_avg_sq - (1 - beta2) * grad**2,
        exp_avg_sq / (1 - beta2) + beta1 * grad**2,
        beta2 * exp_avg_sq * grad**2 + (1 - beta2) * grad**2,
        beta2 * exp_avg_sq + (1 - beta2) * grad**4,
        beta2 * exp_avg_sq + (1 - beta2) * grad**2 + 1,
    ],
)
def test_what_is_no_mean_of_squares_bounds_nothing(subject: Make, square: sympy.Expr) -> None:
    mean, _, move = moments().rule
    other = moments(rule=(mean, Set(exp_avg_sq, square), move))
    assert bound(subject(other)).outcome == "not derived"


def test_a_square_that_may_not_be_kept_at_all_still_has_its_constant(subject: Make) -> None:
    """v+ = 2*v + beta1*g**2 grows, and bounds m all the better: 2 > beta1**2."""
    mean, _, move = moments().rule
    spec = moments(
        rule=(mean, Set(exp_avg_sq, 2 * exp_avg_sq + beta2 * grad**2), move),
        hyperparameters=(
            *moments().hyperparameters[:2],
            Hyperparameter(beta2, "0.5", "(0, 1)"),
        ),
    )
    assert bound(subject(spec)).outcome == "proved"
    assert Bounder(subject(spec)).invariants[0].holds


def test_sums_in_the_place_of_means(subject: Make) -> None:
    """m+ = b1*m + g and v+ = b2*v + g**2: the constant is b2/(b2 - b1**2)."""
    spec = moments(
        rule=(
            Set(exp_avg, beta1 * exp_avg + grad),
            Set(exp_avg_sq, beta2 * exp_avg_sq + grad**2),
            moments().rule[2],
        )
    )
    one = Bounder(subject(spec)).invariants[0]
    assert one.holds
    assert sympy.cancel(one.ratio - beta2 / (beta2 - beta1**2)) == 0
    assert bound(subject(spec)).outcome == "proved"


def test_a_source_is_bounded_by_its_squares() -> None:
    second = Average("exp_avg_sq", beta2, 1 - beta2, grad, 2, 1)
    one = invariant(source_itself(second), second)
    assert one.holds
    assert one.ratio == 1 / (1 - beta2)
