"""How far a generated kernel is from its rule, in units of the bound that rounding allows."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import mpmath
import numpy as np

from optgen.crosscheck import inputs
from optgen.crosscheck.bound import Ball, bound_step
from optgen.crosscheck.oracle import DIGITS, oracle_step
from optgen.ir import Kernel
from optgen.spec import OptimizerSpec

ELEMENTS, STEPS = 24, 6


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
    """Run some steps; after each, compare with the oracle started from the same state."""
    hyperparameters = inputs.hyperparameters(spec)
    dtype = np.dtype(kernel.arithmetic.value)
    rng = np.random.default_rng(7)
    param = rng.standard_normal(ELEMENTS).astype(dtype)
    state = module.init(param)
    worst, where, in_doubt, total, lowering = 0.0, "", 0, 0, 0.0
    for step in range(1, STEPS + 1):
        scale = 10.0 ** rng.integers(-3, 2, ELEMENTS)
        grad = (rng.standard_normal(ELEMENTS) * scale).astype(dtype)
        grad[rng.random(ELEMENTS) < 0.1] = 0
        values = {"param": param.tolist(), "grad": grad.tolist()}
        values |= {name: array.tolist() for name, array in state.items() if name != "step"}
        exact = oracle_step(spec, values, hyperparameters, step)
        bounds = bound_step(kernel, values, hyperparameters, step)
        module.step(param, grad, state, **hyperparameters)
        found = {"param": param, **{n: a for n, a in state.items() if n != "step"}}
        with mpmath.workdps(DIGITS):
            for name, column in exact.items():
                truths = column if isinstance(column, list) else [column]
                bound = bounds[name]
                balls = [bound] if isinstance(bound, Ball) else bound
                for index, (truth, ball) in enumerate(zip(truths, balls, strict=True)):
                    total += 1
                    if ball.error == mpmath.inf:
                        in_doubt += 1
                        continue
                    size = max(abs(truth), mpmath.mpf(10) ** -30)
                    lowering = max(lowering, float(abs(ball.value - truth) / size))
                    error = abs(mpmath.mpf(float(np.ravel(found[name])[index])) - truth)
                    ratio = float(error / ball.error) if ball.error else float(bool(error))
                    ratio = mpmath.inf if mpmath.isnan(ratio) else ratio
                    if ratio > worst:
                        worst, where = float(ratio), f"{name}[{index}] at step {step}"
    return Accuracy(worst, where, in_doubt, total, lowering)
