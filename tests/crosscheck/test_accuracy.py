"""What the accuracy check of a build sees, and what it cannot see."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.accuracy import ELEMENTS, MANY, STEPS, measure
from optgen.crosscheck.numpy_run import load_module
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes

RULES = load_catalogue()


@functools.cache
def built(name, dtype):
    spec = RULES[name]
    kernel = run_passes(lower(spec, dtype))
    return spec, kernel, BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text


def measured(name, dtype, *changes):
    spec, kernel, text = built(name, dtype)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return measure(load_module("any", text), kernel, spec)


@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("name", ["sgd", "adamw", "nadam", "lion"])
def test_right_kernels_lie_within_the_bound(name, dtype):
    found = measured(name, dtype)
    kernel = built(name, dtype)[1]
    states = sum(b.role == "state" for b in kernel.buffers)
    few = STEPS * ELEMENTS * (1 + states) + 6 * (1 + states)
    few += (STEPS + 3) * len(kernel.scalar_states)
    # Where longdouble is no wider than the type, only the few are looked at.
    assert found.total in (few, few + STEPS * MANY * (1 + states))
    assert 0 < found.worst <= 1
    assert found.lowering <= 1e-40
    assert found.in_doubt <= found.total / 4


def test_four_ulps_are_too_many():
    last = "    np.subtract(param, row1, out=param)"
    four = (last, last + "\n    param *= param.dtype.type(1 + 4 * np.finfo(param.dtype).eps)")
    for dtype in DType:
        assert measured("sgd", dtype, four).worst > 1


def test_single_precision_inside_double_is_too_coarse():
    root = "np.sqrt(exp_avg_sq_hat, out=row3)"
    coarse = (root, "row3[:] = np.sqrt(exp_avg_sq_hat.astype(np.float32))")
    assert measured("adamw", DType.FLOAT64, coarse).worst > 1e3


def test_another_order_of_roundings_may_lie_within_the_bound():
    """The bound holds for any order of about as many operations: the bits are for the IR to say."""
    swapped = (
        "    np.multiply(lr, exp_avg_hat, out=row1)\n    np.divide(row1, denom, out=row1)",
        "    np.divide(exp_avg_hat, denom, out=row1)\n    np.multiply(lr, row1, out=row1)",
    )
    assert measured("adamw", DType.FLOAT32, swapped).worst <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_infinitely_far(value):
    spoil = "    for block in blocks:"
    found = measured("sgd", DType.FLOAT64, (spoil, f"    param[2:3] = float('{value}')\n{spoil}"))
    assert found.worst == np.inf
    assert found.where.startswith("param[2]")


@pytest.mark.parametrize(
    "dropped", [" and (update_norm > kind(0.0))", "(param_norm > kind(0.0)) and "]
)
def test_nothing_over_nothing_is_noticed(dropped):
    """LAMB's trust ratio is 1 where a norm is 0; a kernel that forgets one of the two is wrong."""
    assert not measured("lamb", DType.FLOAT32, (dropped, "")).worst <= 1
