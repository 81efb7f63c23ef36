"""The rounding bound: by hand on single operations, and never violated by a right kernel."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from optgen.crosscheck import inputs
from optgen.crosscheck.bound import Ball, bound_step
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages
from optgen.crosscheck.oracle import oracle_step
from optgen.ir import (
    Argument,
    Assign,
    Buffer,
    DType,
    Elementwise,
    Kernel,
    Literal,
    Operation,
    Reduction,
    Ref,
    Scalars,
)
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes

RULES = load_catalogue()
LR = Argument("lr", Fraction(1, 8), "(-oo, oo)", "-np.inf < lr < np.inf", "step size")
A, B = Ref("grad"), Ref("param")
U32, U64 = mpmath.mpf(2) ** -24, mpmath.mpf(2) ** -53


def op(name, *operands):
    return Operation(name, operands)


def ball(expression, grad, param, dtype=DType.FLOAT32, host=(), lr=0.5, step=1):
    """Return the bound of one expression at one element."""
    buffers = (Buffer("param", "param", dtype), Buffer("grad", "grad", dtype))
    stage = Elementwise(("param", "grad"), (Assign("param", expression),), ("param",))
    kernel = Kernel("k", dtype, buffers, (LR,), (), tuple(host), (stage,))
    found = bound_step(kernel, {"param": [param], "grad": [grad]}, {"lr": lr}, step)["param"]
    assert isinstance(found, list)
    return found[0]


def close(found, wanted):
    return abs(found - wanted) <= abs(wanted) * mpmath.mpf(10) ** -6


def test_one_addition_is_one_rounding():
    found = ball(op("add", A, B), 1.0, 2.0)
    assert found.value == 3
    assert close(found.error, 3 * U32)
    assert close(ball(op("add", A, B), 1.0, 2.0, DType.FLOAT64).error, 3 * U64)


def test_errors_add_up_by_hand():
    product = op("mul", A, B)  # 6 (1 + u)
    assert close(ball(product, 2.0, 3.0).error, 6 * U32)
    assert close(ball(op("add", product, A), 2.0, 3.0).error, (6 + 8) * U32)
    assert close(ball(op("mul", product, A), 2.0, 3.0).error, (12 + 12) * U32)
    assert close(ball(op("div", product, A), 2.0, 3.0).error, (3 + 3) * U32)
    assert close(ball(op("sqrt", product), 8.0, 2.0).error, (16 / mpmath.mpf(4) + 4) * U32)


def test_cancellation_keeps_the_absolute_error():
    found = ball(op("sub", op("mul", A, B), A), 7.0, 1.0)
    assert found.value == 0
    assert close(found.error, 7 * U32)


@pytest.mark.parametrize("name", ["neg", "abs", "sign"])
def test_exact_operations_add_nothing(name):
    assert ball(op(name, A), -3.0, 1.0).error == 0


def test_maximum_and_minimum_carry_the_larger_error():
    product = op("mul", A, B)
    assert close(ball(op("max", product, A), 2.0, 3.0).error, 6 * U32)
    assert ball(op("min", product, A), 2.0, 3.0).value == 2


def test_what_is_zero_stays_exact():
    assert ball(op("mul", A, B), 0.0, 3.0) == Ball(mpmath.mpf(0), mpmath.mpf(0))


def test_underflow_has_an_absolute_bound():
    found = ball(op("mul", A, B), 1e-30, 1e-30)
    assert found.error >= mpmath.mpf(2) ** -150


def test_comparisons_in_doubt_have_no_bound():
    one, two = Literal(Fraction(1)), Literal(Fraction(2))
    third = op("mul", A, Literal(Fraction(1, 3)))
    doubtful = op("select", op("lt", third, B), one, two)
    assert ball(doubtful, 3.0, 1.0).error == mpmath.inf
    assert ball(doubtful, 3.0, 2.0).error == 0
    assert ball(doubtful, 3.0, 2.0).value == 1
    assert ball(op("select", op("lt", A, B), one, two), 1.0, 1.0).value == 2  # exact: no doubt
    assert ball(op("sign", op("sub", third, B)), 3.0, 1.0).error == mpmath.inf
    assert ball(op("div", A, op("sub", third, B)), 3.0, 1.0).error == mpmath.inf
    assert ball(op("sqrt", op("sub", third, B)), 3.0, 1.0).error == mpmath.inf


def test_logic_is_in_doubt_only_where_it_matters():
    one, two = Literal(Fraction(1)), Literal(Fraction(2))
    doubt = op("lt", op("mul", A, Literal(Fraction(1, 3))), B)
    true, false = op("lt", A, Literal(Fraction(4))), op("gt", A, Literal(Fraction(4)))
    for mask, certain in ((op("and", doubt, false), 2), (op("or", doubt, true), 1)):
        found = ball(op("select", mask, one, two), 3.0, 1.0)
        assert (found.value, found.error) == (certain, 0)
    for mask in (op("and", doubt, true), op("or", doubt, false), op("not", doubt)):
        assert ball(op("select", mask, one, two), 3.0, 1.0).error == mpmath.inf


@pytest.mark.parametrize(
    "value", [Fraction(1, 3), Fraction(16777217), 16384 + Fraction(1, 2**19), Fraction(10**12 + 1)]
)
def test_literals_that_do_not_fit_the_type_are_rounded(value):
    found = ball(op("max", Literal(value), A), 0.0, 0.0)
    rounded = mpmath.mpf(float(np.float32(float(value))))
    assert found.error > 0
    assert abs(rounded - found.value) <= found.error


def test_literals_that_fit_are_exact():
    for value in (Fraction(1), Fraction(1, 2), Fraction(3, 8), Fraction(1 << 20)):
        assert ball(op("max", Literal(value), A), 0.0, 0.0).error == 0


@pytest.mark.parametrize("exponent", [1, 2, 7, 100, -1, -6])
def test_integer_powers(exponent):
    count = op("mul", Ref("step"), Literal(Fraction(exponent)))
    power = Assign("power", op("ipow", Ref("lr"), count))
    found = ball(op("mul", A, Ref("power")), 1.0, 0.0, DType.FLOAT64, [power], lr=0.9)
    with mpmath.workdps(50):
        exact = mpmath.mpf(0.9) ** exponent
        assert abs(found.value - exact) <= abs(exact) * mpmath.mpf(10) ** -40
        assert 0 < found.error <= 1e-13 * exact


def test_powers_of_zero_have_no_slope():
    exponent = Literal(Fraction(1, 2))
    base = op("sub", Ref("step"), Literal(Fraction(1)))
    power = Assign("power", op("pow", base, exponent))
    assert ball(op("mul", A, Ref("power")), 1.0, 0.0, host=[power]) == Ball(0, 0)
    below = Assign("power", op("pow", op("sub", base, Literal(Fraction(1))), exponent))
    assert ball(op("mul", A, Ref("power")), 1.0, 0.0, host=[below]).error == mpmath.inf


def test_sums_are_bounded_by_the_depth_of_the_tree():
    dtype = DType.FLOAT32
    buffers = (Buffer("param", "param", dtype), Buffer("grad", "grad", dtype))
    stages = (
        Elementwise(("grad",), (), (), (Reduction("total", A),)),
        Scalars((Assign("scaled", op("mul", Ref("lr"), Ref("total"))),), ("scaled",)),
        Elementwise(("param",), (Assign("param", op("add", B, Ref("scaled"))),), ("param",)),
    )
    kernel = Kernel("k", dtype, buffers, (LR,), (), (), stages)
    rng = np.random.default_rng(2)
    grad = rng.standard_normal(300).astype(np.float32)
    values = {"param": [0.0] * 300, "grad": grad.tolist()}
    found = bound_step(kernel, values, {"lr": 1.0}, 1)["param"][0]
    depth = 15 + 10
    size = math.fsum(abs(x) for x in grad.tolist())
    assert close(found.value, mpmath.mpf(math.fsum(grad.tolist())))
    assert depth * U32 * size <= found.error <= 1.1 * (depth + 3) * U32 * size


# --- all rules --------------------------------------------------------------------------


def errors_in_bounds(name, dtype, n=120, seed=5):
    """Return, per value of one step from a random state, its error divided by the bound."""
    spec = RULES[name]
    kernel = run_passes(lower(spec, dtype))
    case = inputs.Case(n, step=4)
    arrays = inputs.arrays(kernel, spec, case, seed)
    if "grad_avg" in arrays:  # no run reaches a mean whose square exceeds the mean square
        arrays["square_avg"] += 2 * (arrays["grad_avg"] ** 2 + arrays["grad"] ** 2)
    chosen, states = inputs.hyperparameters(spec), inputs.scalar_states(kernel)
    host = host_values(kernel, chosen, case.step, states, n)
    found = run_stages(kernel, arrays, kernel_scalars(kernel, host))
    values = {key: array.tolist() for key, array in arrays.items()} | states
    bounds = bound_step(kernel, values, chosen, case.step)
    exact = oracle_step(spec, values, chosen, case.step)
    ratios, doubtful = [], 0
    for key, column in found.items():
        if key == "grad":
            continue
        for index, value in enumerate(column.tolist()):
            limit = bounds[key][index]
            if limit.error == mpmath.inf:
                doubtful += 1
                continue
            error = abs(mpmath.mpf(value) - exact[key][index])
            ratios.append(float(error / limit.error) if limit.error else float(error > 0))
    return ratios, doubtful


@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("name", RULES)
def test_the_bound_is_never_violated(name, dtype):
    ratios, doubtful = errors_in_bounds(name, dtype)
    assert len(ratios) >= 100
    assert doubtful <= len(ratios) / 10
    assert max(ratios) <= 1
    assert max(ratios) > 0.01, "so wide a bound would hide anything"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("name", RULES)
def test_the_bound_is_never_violated_campaign(name, dtype):
    for seed in range(20):
        assert max(errors_in_bounds(name, dtype, n=400, seed=seed)[0]) <= 1
