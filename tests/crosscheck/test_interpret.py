"""The interpreter of the IR: the fixed tree, host values, and nothing changed in place."""

from __future__ import annotations

import math

import numpy as np
import pytest

from optgen.crosscheck import inputs
from optgen.crosscheck.interpret import (
    host_values,
    kernel_scalars,
    run_stages,
    run_sums,
    tree_sum,
)
from optgen.ir import CHUNK, LANES, DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes

RULES = load_catalogue()


def tree_by_hand(values):
    """The tree as `optgen.ir` words it, one addition at a time."""
    add = np.add
    zero = values.dtype.type(0)
    chunks = [values[i : i + CHUNK] for i in range(0, len(values), CHUNK)] or [values]
    sums = []
    for chunk in chunks:
        lanes = [zero] * LANES
        for j in range(LANES):
            column = [chunk[i] if i < len(chunk) else zero for i in range(j, CHUNK, LANES)]
            total = column[0]
            for value in column[1:]:
                total = add(total, value)
            lanes[j] = total
        sums.append(halved(lanes))
    width = 1
    while width < len(sums):
        width *= 2
    return halved(sums + [zero] * (width - len(sums)))


def halved(lanes):
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [np.add(lanes[j], lanes[j + half]) for j in range(half)]
    return lanes[0]


@pytest.mark.parametrize("n", [0, 1, 2, 1023, 1024, 1025, 2050, CHUNK, CHUNK + 1, 3 * CHUNK - 5])
def test_tree_sum_is_the_documented_tree(n):
    rng = np.random.default_rng(n)
    for dtype in (np.float32, np.float64):
        values = (rng.standard_normal(n) * 10.0 ** rng.integers(-4, 4, n)).astype(dtype)
        assert tree_sum(values).tobytes() == tree_by_hand(values).tobytes()


def test_tree_sum_is_near_the_exact_sum():
    values = np.random.default_rng(1).standard_normal(70000)
    assert abs(tree_sum(values) - math.fsum(values)) < 1e-11


def test_minus_zero_is_padded_away():
    assert not np.signbit(tree_sum(np.array([-0.0])))  # +0 is added to it


def test_arrays_that_are_given_stay_as_they_are():
    spec = RULES["adamw"]
    kernel = run_passes(lower(spec, DType.FLOAT32))
    case = inputs.Case(100)
    arrays = inputs.arrays(kernel, spec, case)
    before = {name: array.copy() for name, array in arrays.items()}
    host = host_values(kernel, inputs.hyperparameters(spec), 1, {}, 100)
    found = run_stages(kernel, arrays, kernel_scalars(kernel, host))
    assert [*found] == [b.name for b in kernel.buffers]
    for name, array in arrays.items():
        assert np.array_equal(array, before[name])
        assert found[name] is not array
        assert found[name].dtype == array.dtype


def test_host_values_by_hand():
    kernel = run_passes(lower(RULES["adam"], DType.FLOAT32))
    chosen = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
    host = host_values(kernel, chosen, 2, {}, 5)
    assert host["bias_correction1"] == 1 - 0.9 * 0.9
    assert host["one_minus_beta2"] == 1 - 0.99
    scalars = kernel_scalars(kernel, host)
    assert [*scalars] == [*kernel.scalars]
    assert all(type(value) is np.float32 for value in scalars.values())
    assert scalars["bias_correction1"] == np.float32(1 - 0.9 * 0.9)


def test_sums_are_those_of_the_stages():
    spec = RULES["lamb"]
    kernel = run_passes(lower(spec, DType.FLOAT64))
    case = inputs.Case(50)
    arrays = inputs.arrays(kernel, spec, case)
    host = host_values(kernel, inputs.hyperparameters(spec), 1, {}, 50)
    sums = run_sums(kernel, arrays, kernel_scalars(kernel, host))
    assert [*sums] == ["param_norm_sum", "update_norm_sum"]
    assert sums["param_norm_sum"] == tree_sum(arrays["param"] * arrays["param"])
