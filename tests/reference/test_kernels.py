"""Every generated NumPy kernel against the reference written by hand from its paper.

The tolerance is the derived bound of `rounding.py`, in float64 at most 1e-12 of how strongly the
value answers to relative changes of its inputs, in float32 the same with the unit roundoff of
float32. The first states, the dtypes, the step count and the gradient must match exactly.
"""

import functools
import importlib
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from .rounding import Trajectory, trajectory
from .scenario import SHAPES, STEPS, scenario
from .table import REFERENCES

DTYPES = (np.float64, np.float32)

rules = pytest.mark.parametrize("rule", sorted(REFERENCES))
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))

pytestmark = pytest.mark.usefixtures("repository_on_path")


def kernel(rule: str) -> ModuleType:
    """Import the generated kernel of `rule`; a missing one is an error, never a skip."""
    return importlib.import_module(f"generated.numpy.{identifier(rule)}")


def identifier(rule: str) -> str:
    """Return the file name of `rule` without its ending."""
    return rule.replace(":", "_").replace("+", "_")


@functools.cache
def expected(rule: str, shape: tuple[int, ...], seed: int) -> Trajectory:
    """Return the reference run of `rule`, the same for every dtype of the kernel."""
    return trajectory(REFERENCES[rule], *scenario(shape, seed=seed))


def check(
    rule: str,
    dtype: DTypeLike,
    param64: NDArray[np.float64],
    grads: list[NDArray[np.float64]],
    reference: Trajectory,
) -> None:
    """Run the kernel along `grads` and hold the parameter and every state to the reference."""
    module = kernel(rule)
    hyperparameters = dict(REFERENCES[rule].hyperparameters)
    param = param64.astype(dtype)
    state = module.init(param)
    first = REFERENCES[rule].init(param64)
    assert state.keys() == {*first, "step"}
    for name, value in first.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)
    for t, grad64 in enumerate(grads, start=1):
        grad = grad64.astype(dtype)
        module.step(param, grad, state, **hyperparameters)
        np.testing.assert_array_equal(grad, grad64, err_msg="the gradient was written to")
        assert state["step"].dtype == np.int64
        assert state["step"].shape == ()
        assert state["step"] == t
        assert param.dtype == dtype
        for name, right in reference.values[t - 1].items():
            value = param if name == "param" else state[name]
            assert value.shape == right.shape
            assert value.dtype == (dtype if value.ndim else np.float64), "scalar states are float64"
            error = np.abs(value.astype(np.float64) - right)
            allowed = reference.bound(t, name, dtype)
            worst = np.max(error / allowed, initial=0)
            assert worst <= 1, f"{rule}: {name} is off by {worst:.3g} bounds after step {t}"


@dtypes
@shapes
@rules
def test_kernel_follows_the_reference(rule: str, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    assert STEPS == 12
    check(rule, dtype, *scenario(shape), expected(rule, shape, 0))


@pytest.mark.parametrize("seed", range(1, 4))
@dtypes
@rules
def test_kernel_follows_the_reference_on_other_streams(
    rule: str, dtype: DTypeLike, seed: int
) -> None:
    check(rule, dtype, *scenario((7, 13), seed=seed), expected(rule, (7, 13), seed))


@dtypes
@rules
def test_kernel_follows_the_reference_from_a_zero_parameter(rule: str, dtype: DTypeLike) -> None:
    param, grads = scenario((7, 13))
    param = np.zeros_like(param)
    check(rule, dtype, param, grads, trajectory(REFERENCES[rule], param, grads))


@dtypes
@rules
def test_kernel_leaves_zero_at_zero(rule: str, dtype: DTypeLike) -> None:
    param = np.zeros((7, 13))
    grads = [np.zeros((7, 13))] * 3
    reference = trajectory(REFERENCES[rule], param, grads)
    check(rule, dtype, param, grads, reference)
    assert not np.any(reference.values[-1]["param"])


@dtypes
@rules
def test_kernel_with_a_zero_gradient_decays_or_rests(rule: str, dtype: DTypeLike) -> None:
    param = scenario((7, 13))[0]
    grads = [np.zeros((7, 13))] * 3
    check(rule, dtype, param, grads, trajectory(REFERENCES[rule], param, grads))
