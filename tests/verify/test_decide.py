"""The decider on pairs that have fooled deciders: it must be right, or say that it cannot tell."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from sympy import Abs, Eq, Integer, Max, Min, Ne, Piecewise, Rational, sign, sqrt

from optgen.domains import NONNEGATIVE, POSITIVE, STEP, UNIT, Domain
from optgen.symbols import mean, norm, step, symbol
from optgen.verify import Proved, Refuted, Undecided, decide
from optgen.verify.deadline import Deadline

a, b, c, x, y, z = map(symbol, "abcxyz")
beta, beta2, v, w, p, eps = map(symbol, ("beta", "beta2", "v", "w", "p", "eps"))
DOMAINS = {
    beta: UNIT,
    beta2: UNIT,
    v: NONNEGATIVE,
    w: NONNEGATIVE,
    eps: NONNEGATIVE,
    p: POSITIVE,
    step: STEP,
}

EQUAL = {
    "square_of_sum": ((x + y) ** 2, x**2 + 2 * x * y + y**2),
    "fraction": (1 / x + 1 / y, (x + y) / (x * y)),
    "abs_by_sign": (Abs(x) * sign(x), x),
    "max_plus_min": (Max(x, y) + Min(x, y), x + y),
    "max_by_abs": (Max(x, y), (x + y + Abs(x - y)) / 2),
    "nested_max": (Max(x, Max(y, z)), x + Max(0, Max(y - x, z - x))),
    "clamp_either_way": (Min(Max(x, 0), 1), Max(Min(x, 1), 0)),
    "clamp_symmetric": (Min(Max(x, -eps), eps), Max(Min(x, eps), -eps)),
    "root_of_square": (sqrt(x**2 + 2 * x * y + y**2), Abs(x + y)),
    "root_of_product": (sqrt(v * x**2), sqrt(v) * Abs(x)),
    "root_of_weak_product": (sqrt(v * w), sqrt(v) * sqrt(w)),
    "root_of_quotient": (sqrt(v / (1 - beta**step)), sqrt(v) / sqrt(1 - beta**step)),
    "rationalised": (1 / (sqrt(v) + p), (sqrt(v) - p) / (v - p**2)),
    "fourth_roots": (v ** Rational(1, 4) * v ** Rational(1, 4), sqrt(v)),
    "root_of_two": (sqrt(2) * sqrt(6), 2 * sqrt(3)),
    "root_and_max": (Max(sqrt(v), sqrt(w)), sqrt(Max(v, w))),
    "power_of_step": (beta ** (step + 1), beta * beta**step),
    "power_before_step": (beta * beta ** (step - 1), beta**step),
    "power_of_twice": (beta ** (2 * step), (beta**step) ** 2),
    "schedule": (
        Rational(24, 25) ** ((step + 1) * eps),
        Rational(24, 25) ** (step * eps) * Rational(24, 25) ** eps,
    ),
    "geometric": ((1 - beta**step) * (1 + beta**step), 1 - beta ** (2 * step)),
    "at_the_first_step": (Piecewise((beta, Eq(step, 1)), (beta**step, True)), beta**step),
    "not_the_first_step": (
        Piecewise((beta**step, Ne(step, 1)), (beta, True)),
        Piecewise((beta, step < 2), (beta**step, True)),
    ),
    "always_positive": (Piecewise((x, 1 - beta**step > 0), (y, True)), x),
    "positive_norm": (Abs(norm(x)), norm(x)),
    "norms_commute": (norm(x) * norm(y), norm(y) * norm(x)),
    "norm_of_the_same": (norm((x + y) ** 2), norm(x**2 + 2 * x * y + y**2)),
    "norm_of_opposite": (norm(x - y), norm(y - x)),
    "mean_of_the_same": (mean(x * (y + 1)), mean(x * y + x)),
    "sign_of_square": (sign(x**2 + p), Integer(1)),
    "piecewise_abs": (Piecewise((x, x > 0), (-x, True)), Abs(x)),
    "both_conditions": (
        Piecewise((x, (x > 0) & (y > 0)), (0, True)),
        Piecewise((0, (x <= 0) | (y <= 0)), (x, True)),
    ),
    "extreme_of_extremes": (Max(Min(x, y), Min(x, z)), Min(x, Max(y, z))),
}

DIFFERENT = {
    "sign_of_weak_product": (sign(v * x), sign(x)),
    "sign_squared": (sign(x) ** 2, Integer(1)),
    "sign_of_weak": (sign(v), Integer(1)),
    "abs_without_sign": (Abs(x), x),
    "tiny_term": (x, x + Rational(1, 2**300) * y * z),
    "far_threshold": (Max(x - 1000, 0), Integer(0)),
    "eps_inside": (sqrt(v + eps), sqrt(v) + eps),
    "off_by_one": (beta**step, beta ** (step + 1)),
    "sum_of_roots": (sqrt(v + w), sqrt(v) + sqrt(w)),
    "norm_of_abs": (norm(x + Abs(x)), norm(2 * x)),
    "norm_is_not_the_value": (norm(x), x),
    "mean_of_abs": (mean(Abs(x)), mean(x)),
    "norm_of_a_part": (norm(Max(x, 0)), norm(x)),
    "norm_of_other_branches": (norm(Max(x, y)), norm(Max(x, 2 * y))),
    "at_one_step": (Piecewise((x, Eq(step, 3)), (y, True)), y),
    "at_the_boundary": (Piecewise((1, x > 0), (0, True)), Piecewise((1, x >= 0), (0, True))),
    "half": (x / 2, x * Rational(1, 3)),
    "betas": (beta**step, beta2**step),
}

SETTLED = {
    "denested": (sqrt(3 + 2 * sqrt(2)), 1 + sqrt(2)),
    "denested_symbols": (sqrt(v + w + 2 * sqrt(v * w)), sqrt(v) + sqrt(w)),
    "denested_difference": (sqrt(v + w - 2 * sqrt(v * w)), Abs(sqrt(v) - sqrt(w))),
    "quartic_roots": ((v * w) ** Rational(1, 4), v ** Rational(1, 4) * w ** Rational(1, 4)),
    "half_a_step": (beta ** (step / 2), sqrt(beta**step)),
    "root_twice": (sqrt(beta**step) * sqrt(beta**step), beta**step),
    "root_of_schedule": (sqrt(Rational(24, 25) ** step), Rational(24, 25) ** (step / 2)),
    "product_of_bases": ((beta * beta2) ** step, beta**step * beta2**step),
    "power_of_constant": (4**step, 2 ** (2 * step)),
    "power_of_signed": (x**step, x * x ** (step - 1)),
    "cube_of_abs": ((x**2) ** Rational(3, 2), Abs(x) ** 3),
    "abs_of_sign": (Abs(sign(x)), sign(x) ** 2),
    "empty_clamp": (Min(Max(x, 1), -1), Max(Min(x, -1), 1) - 2),
    "root_divided_out": (Max(sqrt(p) * x, p * y), sqrt(p) * Max(x, sqrt(p) * y)),
    "no_value_in_half": (x / Max(0, y), x / y),
    "norm_of_the_same_with_branches": (norm(Max(x, 0) - Max(-x, 0) + y), norm(x + y)),
    "norm_of_abs_of_the_same": (norm(Abs(x) * y), norm(x * Abs(y))),
    "mean_of_the_same_with_branches": (mean(sign(x) * Abs(x) * y), mean(x * y)),
    "norms_of_two_with_branches": (norm(Max(x, y) + Min(x, y)), norm(x + Abs(y) * sign(y))),
    "no_real_root": (Abs(x**2 - x + 1), x**2 - x + 1),
    "no_real_root_in_two": (Abs(x**2 + x * y + y**2), x**2 + x * y + y**2),
    "sign_of_power": (sign(beta**step), Piecewise((0, Eq(beta, 0)), (1, True))),
    "impossible": (
        Piecewise((1, (x - y > 1) & (y - z > 1) & (z - x > -1)), (0, True)),
        0 * x,
    ),
    "impossible_product": (
        Piecewise((1, (x - y > 0) & (z > 0) & (x * z < y * z)), (0, True)),
        0 * x,
    ),
    "on_a_line": (Max(p, w) * Piecewise((p, Eq(x, p)), (x, True)), Max(w, p) * x),
    "on_a_line_that_is_no_integer": (sqrt(Abs(2 * x + 1)), sqrt(2) * sqrt(Abs(x + Rational(1, 2)))),
}
"""Equal pairs that were unknown once."""

FOUND = {
    "far_spike": (Max(0, Rational(1, 10**9) - Abs(x - 10**9)), 0 * x),
    "spike_in_the_plane": (
        Max(0, Rational(1, 10**9) - Abs(x - 10**9) - Abs(y - x / 3)),
        0 * x,
    ),
    "crossed_clamp": (Min(Max(x, a), b), Max(Min(x, b), a)),
    "one_line": (Piecewise((1, Eq(x, 3 * y + 1)), (0, True)), 0 * x),
    "tiny_factor": (x + Rational(1, 2**20000) * y, x),
}
"""Different pairs that chance alone does not tell apart."""

HARD = {
    "hidden_sign": (sqrt(v * x), sqrt(v) * sqrt(x)),
    "conjugates": (sqrt(2 + sqrt(2)) * sqrt(2 - sqrt(2)), sqrt(2)),
    "function": (sympy.exp(x) * sympy.exp(-x), Integer(1) + 0 * x),
    "norm_of_scaled": (norm(2 * x), 2 * norm(x)),
}
"""Equal; saying that it cannot be told is right too."""


def verdict(pair: tuple[sympy.Expr, sympy.Expr]) -> object:
    return decide(*pair, DOMAINS, deadline=Deadline.after(20))


@pytest.mark.parametrize("name", SETTLED)
def test_pairs_that_were_unknown_are_proved(name: str) -> None:
    found = verdict(SETTLED[name])
    assert isinstance(found, Proved), found


@pytest.mark.parametrize("name", FOUND)
def test_narrow_differences_are_found(name: str) -> None:
    found = verdict(FOUND[name])
    assert isinstance(found, Refuted), found


def test_a_side_without_a_value_anywhere_is_no_equality() -> None:
    found = decide(sqrt(-1 - v), 3 * sqrt(-1 - v), DOMAINS)
    assert isinstance(found, Undecided)
    assert "nowhere" in found.reason


@pytest.mark.parametrize("name", EQUAL)
def test_equal_pairs_are_proved(name: str) -> None:
    found = verdict(EQUAL[name])
    assert isinstance(found, Proved), found
    assert found.certificate.regions


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_pairs_are_refuted(name: str) -> None:
    found = verdict(DIFFERENT[name])
    assert isinstance(found, Refuted), found
    assert found.left != found.right


@pytest.mark.parametrize("name", HARD)
def test_hard_pairs_are_never_answered_wrongly(name: str) -> None:
    found = verdict(HARD[name])
    assert not isinstance(found, Refuted), found


def test_adam_at_zero_is_not_signsgd() -> None:
    """0/0 at g = 0 against sign(0) = 0: equal where both have a value, and said to differ there."""
    g = symbol("g")
    found = decide(g / sqrt(g**2), sign(g), {})
    assert isinstance(found, Proved)
    assert found.undefined == "g=0"


def test_a_refutation_is_exact_and_small() -> None:
    found = decide(x / (1 + p), x / (2 + p), DOMAINS)
    assert isinstance(found, Refuted)
    assert found.point == (("p", Fraction(1)), ("x", Fraction(1)))
    assert (found.left, found.right) == ("1/2", "1/3")


def test_irrational_values_are_enclosed() -> None:
    found = decide(sqrt(2) * x, x, {})
    assert isinstance(found, Refuted)
    assert found.left.startswith("1.41421356237309504")
    assert found.left.endswith("...")


def test_verdicts_repeat() -> None:
    left, right = DIFFERENT["eps_inside"]
    assert decide(left, right, DOMAINS) == decide(left, right, DOMAINS)


def test_certificates_are_json() -> None:
    import json

    found = verdict(EQUAL["max_by_abs"])
    assert isinstance(found, Proved)
    document = json.loads(json.dumps(found.certificate.to_json()))
    assert [region["conditions"] for region in document["regions"]] == [
        ["x - y >= 0"],
        ["x - y <= 0"],
    ]
    assert document["domains"] == {"x": "(-oo, oo)", "y": "(-oo, oo)"}


def test_no_time_is_undecided() -> None:
    found = decide(*EQUAL["rationalised"], DOMAINS, deadline=Deadline.after(-1))
    assert found == Undecided("out of time")


def test_unknown_functions_are_undecided() -> None:
    found = decide(sympy.exp(x), sympy.exp(x), {})
    assert isinstance(found, Undecided)
    assert "exp(x)" in found.reason


def test_symbols_of_one_name_are_not_mixed_up() -> None:
    found = decide(x, sympy.Symbol("x"), {})
    assert found == Undecided("two different symbols are called 'x'")


def test_domains_matter() -> None:
    pair = (sqrt(x**2), x)
    assert isinstance(decide(*pair, {x: NONNEGATIVE}), Proved)
    assert isinstance(decide(*pair, {}), Refuted)
    assert isinstance(decide(Max(x, 1), Integer(1), {x: Domain.parse("[-3, 1]")}), Proved)
    assert isinstance(decide(Max(x, 1), Integer(1), {x: Domain.parse("[-3, 2)")}), Refuted)
