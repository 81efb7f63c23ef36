"""How far a generated kernel is from its rule, in units of the bound that rounding allows.

A few elements are held against the rule itself at 50 digits and the rigorous bound, many
against the kernel's operations over the reals and the sharper first-order bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck import inputs
from optgen.crosscheck.bound import Ball, bound_step
from optgen.crosscheck.first_order import Bounded, first_order, reference_error
from optgen.crosscheck.oracle import DIGITS, oracle_step
from optgen.crosscheck.types import array_type, wide
from optgen.errors import BackendUnavailable
from optgen.ir import Kernel
from optgen.passes.storage import COMPENSATION, MASTER
from optgen.spec import OptimizerSpec

ELEMENTS, STEPS = 24, 6
MANY = 4096


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What was measured.

    Attributes:
        worst: Largest error, divided by its bound; at most 1 if the kernel computes the rule.
        where: The value with the largest error.
        in_doubt: Values whose bound is infinite: rounding could turn a comparison around.
        total: Values looked at.
        lowering: Largest relative difference between the IR over the reals and the rule.
    """

    worst: float
    where: str
    in_doubt: int
    total: int
    lowering: float


def measure(module: ModuleType, kernel: Kernel, spec: OptimizerSpec) -> Accuracy:
    """Run some steps; after each, compare with the oracle started from the same state.

    One tensor has values of mixed scales; others have no decay and are 0, have no gradient,
    or both: there rules that divide by norms show what they do at 0/0.
    """
    hyperparameters = inputs.hyperparameters(spec, kernel)
    own, of_grad = (array_type(kernel.buffer(name).dtype) for name in ("param", "grad"))
    rng = np.random.default_rng(7)
    param = rng.standard_normal(ELEMENTS).astype(own)
    state = module.init(param)
    found = []
    for step in range(1, STEPS + 1):
        scale = 10.0 ** rng.integers(-3, 2, ELEMENTS)
        grad = (rng.standard_normal(ELEMENTS) * scale).astype(of_grad)
        grad[rng.random(ELEMENTS) < 0.1] = 0
        found.append(_one_step(module, kernel, spec, param, grad, state, hyperparameters, step))
    undecayed = {n: 0.0 if n == "weight_decay" else v for n, v in hyperparameters.items()}
    nothing, something = np.zeros(2), np.array((1.0, -0.5))
    for start, slope in ((nothing, nothing), (something, nothing), (nothing, something)):
        param, grad = start.astype(own), slope.astype(of_grad)
        state = module.init(param)
        found.append(_one_step(module, kernel, spec, param, grad, state, undecayed, 1))
    found.append(measure_many(module, kernel, hyperparameters, MANY, STEPS))
    worst = max(found, key=lambda one: one.worst)
    return Accuracy(
        worst.worst,
        worst.where,
        sum(one.in_doubt for one in found),
        sum(one.total for one in found),
        max(one.lowering for one in found),
    )


def _one_step(
    module: ModuleType,
    kernel: Kernel,
    spec: OptimizerSpec,
    param: NDArray[Any],
    grad: NDArray[Any],
    state: dict[str, NDArray[Any]],
    hyperparameters: Mapping[str, float],
    step: int,
) -> Accuracy:
    """Do one step in place and compare every value with the oracle's."""
    values = {"param": wide(param).tolist(), "grad": wide(grad).tolist()}
    values |= {name: wide(array).tolist() for name, array in state.items() if name != "step"}
    exact = _exact_step(kernel, spec, values, hyperparameters, step)
    bounds = bound_step(kernel, values, hyperparameters, step)
    module.step(param, grad, state, **hyperparameters)
    found = {"param": param, **{n: a for n, a in state.items() if n != "step"}}
    worst, where, in_doubt, total, lowering = 0.0, "", 0, 0, 0.0
    with mpmath.workdps(DIGITS):
        for name, column in exact.items():
            truths = column if isinstance(column, list) else [column]
            bound = bounds[name]
            balls = [bound] if isinstance(bound, Ball) else bound
            for index, (truth, ball) in enumerate(zip(truths, balls, strict=True)):
                total += 1
                if ball.error == mpmath.inf or mpmath.isnan(truth):
                    in_doubt += 1
                    continue
                size = max(abs(truth), mpmath.mpf(10) ** -30)
                lowering = max(lowering, float(abs(ball.value - truth) / size))
                ratio = _ratio(float(np.ravel(found[name])[index]), truth, ball)
                if ratio > worst:
                    worst, where = ratio, f"{name}[{index}] at step {step}"
    return Accuracy(worst, where, in_doubt, total, lowering)


def _exact_step(
    kernel: Kernel,
    spec: OptimizerSpec,
    values: dict[str, Any],
    hyperparameters: Mapping[str, float],
    step: int,
) -> dict[str, Any]:
    """Return what a step of the rule gives over the reals, states that storage adds included.

    The rule starts from the master copy where there is one, and from parameter plus
    compensation where that is kept; after an exact step nothing is left to compensate.
    """
    known = dict(values)
    master, comp = known.pop(MASTER, None), known.pop(COMPENSATION, None)
    if not kernel.mixed:
        return oracle_step(spec, values, hyperparameters, step)
    with mpmath.workdps(DIGITS):
        if master is not None:
            known["param"] = master
        if comp is not None:
            known["param"] = [
                mpmath.mpf(p) + mpmath.mpf(c) for p, c in zip(known["param"], comp, strict=True)
            ]
    exact = dict(oracle_step(spec, known, hyperparameters, step))
    exact |= {MASTER: exact["param"]} if master is not None else {}
    zeros = [mpmath.mpf(0)] * len(values["param"])
    return exact | ({COMPENSATION: zeros} if comp is not None else {})


def _ratio(got: float, truth: Any, ball: Ball) -> float:
    """Return an error in units of its bound; where there may be none, any is too large."""
    error = abs(mpmath.mpf(got) - truth)
    if not error:
        return 0.0
    if mpmath.isnan(error) or not ball.error:
        return float("inf")
    return float(error / ball.error)


def measure_many(
    module: ModuleType,
    kernel: Kernel,
    hyperparameters: Mapping[str, float],
    elements: int,
    steps: int,
    seed: int = 7,
    start: int = 0,
) -> Accuracy:
    """Run some steps; after each, compare every output with its first-order bound.

    Nothing is measured where `longdouble` is no wider than the type.

    Args:
        module: The generated module.
        kernel: Its kernel.
        hyperparameters: One float each.
        elements: Size of the tensor.
        steps: How many steps to run.
        seed: Where parameters and gradients start from.
        start: Steps done before the first one here.
    """
    try:
        own = reference_error(kernel.arithmetic)
    except BackendUnavailable:
        return Accuracy(0.0, "", 0, 0, 0.0)
    types = {b.name: array_type(b.dtype) for b in kernel.buffers}
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-3, 2, elements)
    param = (rng.standard_normal(elements) * scale).astype(types["param"])
    state = module.init(param)
    state["step"][...] = start
    worst, where, in_doubt, total = 0.0, "", 0, 0
    for step in range(start + 1, start + 1 + steps):
        scale = 10.0 ** rng.integers(-6, 3, elements)
        grad = (rng.standard_normal(elements) * scale).astype(types["grad"])
        grad[rng.random(elements) < 0.05] = 0
        before = {"param": param.copy(), "grad": grad}
        before |= {n: np.array(a) for n, a in state.items() if n != "step"}
        exact = first_order(kernel, before, hyperparameters, step)
        module.step(param, grad, state, **hyperparameters)
        for output, found in exact.items():
            got = param if output == "param" else state[output]
            ratio = ratios(got, found, own)[~found.in_doubt]
            total += elements
            in_doubt += int(found.in_doubt.sum())
            if ratio.size and ratio.max() > worst:
                worst, where = float(ratio.max()), f"{output} at step {step}"
    return Accuracy(worst, where, in_doubt, total, 0.0)


def ratios(got: NDArray[Any], found: Bounded, own: float) -> NDArray[Any]:
    """Return each error in units of its bound; what the reference itself may be off is taken off.

    Args:
        got: What a kernel computed.
        found: What it should be, and how far rounding can take it from there.
        own: `reference_error` of the type.
    """
    with np.errstate(all="ignore"):
        error = np.abs(wide(got).astype(np.longdouble) - found.value)
        error = np.maximum(error - own * found.bound, 0)
        ratio = np.where(error == 0, 0, error / found.bound)
    return np.where(np.isnan(ratio), np.inf, ratio)
