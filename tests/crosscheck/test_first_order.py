"""The first-order bound: by hand, below the rigorous one, never violated by a right kernel."""

from __future__ import annotations

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from optgen.crosscheck import inputs
from optgen.crosscheck.bound import Ball, bound_step
from optgen.crosscheck.first_order import first_order, reference_error
from optgen.errors import BackendUnavailable
from optgen.ir import Assign, Buffer, DType, Elementwise, Kernel, Literal, Operation, Ref
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "rounding_bounds.py"
RULES = load_catalogue()
A, B = Ref("grad"), Ref("param")
U = 2.0**-24


def script():
    loaded = sys.modules.get("rounding_bounds")
    if loaded is None:
        spec = importlib.util.spec_from_file_location("rounding_bounds", SCRIPT)
        assert spec is not None
        assert spec.loader is not None
        loaded = sys.modules["rounding_bounds"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    return loaded


def op(name, *operands):
    return Operation(name, operands)


def one(expr, grad, param, dtype=DType.FLOAT32):
    """Return what a kernel of one line gives for one element."""
    buffers = (Buffer("param", "param", dtype), Buffer("grad", "grad", dtype))
    stage = Elementwise(("param", "grad"), (Assign("param", expr),), ("param",))
    kernel = Kernel("mine", dtype, buffers, (), (), (), (stage,))
    arrays = {n: np.array([v], dtype.value) for n, v in (("grad", grad), ("param", param))}
    found = first_order(kernel, arrays, {}, 1)["param"]
    return float(found.value[0]), float(found.bound[0]), bool(found.in_doubt[0])


@pytest.mark.parametrize(
    ("expr", "value", "bound"),
    [
        (op("add", A, B), 5, 5 * U),
        (op("mul", A, B), 6, 6 * U),
        (op("div", A, B), 1.5, 1.5 * U),
        (op("sqrt", op("mul", A, A)), 3, 3 * U / 2 + 3 * U),
        (op("add", op("mul", A, B), op("mul", A, A)), 15, 15 * U + 15 * U),
        # a*b - a*b computed once is exact: the two paths cancel
        (op("neg", A), -3, 0),
        (op("abs", op("sub", B, A)), 1, U),
        (op("sign", op("sub", B, A)), -1, 0),
        (op("max", op("mul", A, B), B), 6, 6 * U),
        (op("min", op("mul", A, B), B), 2, 0),
        (op("select", op("gt", A, B), op("mul", A, B), B), 6, 6 * U),
        (op("mul", A, Literal(Fraction(1, 2))), 1.5, 1.5 * U),
        (op("select", op("and", op("lt", A, B), op("not", op("eq", A, B))), A, B), 2, 0),
    ],
)
def test_by_hand(expr, value, bound):
    found, error, doubt = one(expr, 3, 2)
    assert (found, doubt) == (value, False)
    assert error == pytest.approx(bound, rel=1e-6)


def test_a_name_read_twice_cancels():
    """x*y - x*y through one name is exact but for the last rounding; two products are not."""
    buffers = (Buffer("param", "param", DType.FLOAT32), Buffer("grad", "grad", DType.FLOAT32))
    body = (
        Assign("product", op("mul", A, B)),
        Assign("param", op("sub", op("mul", Ref("product"), Literal(Fraction(2))), Ref("product"))),
    )
    stage = Elementwise(("param", "grad"), body, ("param",))
    kernel = Kernel("mine", DType.FLOAT32, buffers, (), (), (), (stage,))
    arrays = {"grad": np.array([3], np.float32), "param": np.array([2], np.float32)}
    found = first_order(kernel, arrays, {}, 1)["param"]
    # the product's error counts once (2 - 1), then doubling 12 U and the difference 6 U
    assert float(found.bound[0]) == pytest.approx((6 + 12 + 6) * U, rel=1e-6)


@pytest.mark.parametrize(
    ("expr", "grad", "param"),
    [
        (op("sign", op("sub", op("mul", A, B), B)), 1 + 2.0**-23, 2.0),  # within rounding of 0
        (op("div", A, B), 1.0, 0.0),
        (op("sqrt", A), -1.0, 0.0),
        (op("mul", A, A), 1e30, 0.0),  # overflows
        (op("add", A, B), float("nan"), 0.0),
        (op("select", op("lt", op("mul", A, B), B), A, B), 1.0, 2.0),
    ],
)
def test_in_doubt(expr, grad, param):
    if expr.name == "sign":  # make the operand smaller than its own error
        expr = op("sign", op("sub", op("mul", A, Literal(Fraction(1, 3))), B))
        grad, param = 3.0, 1.0
    assert one(expr, grad, param)[2]


@pytest.mark.parametrize("name", sorted(RULES))
def test_below_the_rigorous_bound(name):
    """The running bound counts every path by itself and the second order too."""
    spec = RULES[name]
    kernel = run_passes(lower(spec, DType.FLOAT32))
    hyperparameters = inputs.hyperparameters(spec)
    case = inputs.Case(9, step=3)
    arrays = inputs.arrays(kernel, spec, case) | {
        n: np.array(v) for n, v in inputs.scalar_states(kernel).items()
    }
    values = {n: a.tolist() for n, a in arrays.items()}
    rigorous = bound_step(kernel, values, hyperparameters, case.step)
    for output, found in first_order(kernel, arrays, hyperparameters, case.step).items():
        balls = rigorous[output]
        assert not isinstance(balls, Ball)
        for ball, value, bound, doubt in zip(
            balls, found.value, found.bound, found.in_doubt, strict=True
        ):
            if not doubt:
                assert float(bound) <= float(ball.error) * (1 + 1e-5)
                assert float(value) == pytest.approx(float(ball.value), rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("dtype", list(DType))
@pytest.mark.parametrize("name", sorted(RULES))
def test_no_kernel_is_further_off(name, dtype):
    """A small part of the campaign in `benchmarks/rounding_bounds.py`."""
    try:
        reference_error(dtype)
    except BackendUnavailable as error:
        pytest.skip(str(error))
    found = script().campaign(name, dtype, 40_000, seed=1)
    assert found.above == 0, found
    assert found.in_doubt < found.samples / 100
    assert found.worst > 0.4, "a bound that nothing comes near says nothing"


@pytest.mark.parametrize("change", ["tenth of an ulp", "another order", "rounded on the way"])
def test_a_wrong_kernel_is_further_off(change, monkeypatch):
    """The bound notices a constant that is off, and a value that passed a narrower type."""
    module = script()
    original = module.load_module

    def broken(name, text):
        loaded = original(name, text)
        step = loaded.step

        def changed(param, grad, state, **hyperparameters):
            before = param.copy()
            if change == "tenth of an ulp":  # of lr: seen where steps are long
                hyperparameters["lr"] *= 1 + 4e-7
            step(param, grad, state, **hyperparameters)
            if change == "rounded on the way":
                param[...] = param.astype(np.float16)
            if change == "another order":
                param[...] = before + (param - before) * np.float32(1 + 2.0**-22)

        loaded.step = changed
        return loaded

    monkeypatch.setattr(module, "load_module", broken)
    found = module.campaign("sgd", DType.FLOAT32, 40_000, seed=1)
    assert found.above > 0
