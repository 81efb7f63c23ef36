"""How far rounding may take a correct kernel from a reference, derived by running the reference.

A kernel that computes a rule in floating point computes it exactly for slightly different inputs:
each of its roundings, at most `u` in relative size, is a relative change of the parameter, the
gradient, a state or a hyperparameter entering that step. So the reference runs in float64 once
as it is and once for each step and each of these inputs with that input changed a little; the
changes of the outcome, added up and scaled to `ROUNDINGS * u`, are the bound. It follows every
cancellation and every amplification over the steps, is zero where no rounding can occur (a zero
that stays zero must stay exactly zero) and holds for float32 and float64 with their own `u`. A
rounding error also scales with what a step started from and not only with its result, so a
parameter or state is changed in proportion to the sum of both magnitudes. To first order; the
method is forward error analysis as in Higham, Accuracy and Stability of Numerical Algorithms,
chapter 1, with the condition numbers taken by differences.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrays import State
from .table import Reference

Float64 = NDArray[np.float64]

ROUNDINGS = 4
"""Roundings charged to each input at each step.

A rule makes up to about twenty roundings a step and has four to nine inputs to charge them to. Run
in float32, the references themselves come to about a tenth of the bound (README.md).
"""

_CHANGE = ROUNDINGS * 2.0**-24
"""The relative change tried: what float32 may do, so a sign that float32 can flip does flip."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A reference run and how much each of its values answers to relative changes.

    Attributes:
        values: Per step, `param` and every state by name, in float64.
        sensitivity: Per step and name, the sum over all earlier inputs of the absolute change
            in the value per relative change of the input.
    """

    values: tuple[State, ...]
    sensitivity: tuple[State, ...]

    def bound(self, step: int, name: str, dtype: DTypeLike) -> Float64:
        """Return the largest error rounding to `dtype` explains in `name` after `step` steps."""
        info = np.finfo(dtype)
        unit_roundoff = float(info.eps) / 2
        sensitivity = self.sensitivity[step - 1][name].astype(np.float64)
        return ROUNDINGS * unit_roundoff * sensitivity + float(info.tiny)


def trajectory(reference: Reference, param: Float64, grads: Sequence[Float64]) -> Trajectory:
    """Run `reference` from `param` along `grads` and measure its answer to every small change."""
    usual = reference.hyperparameters
    before: State = {"param": param.copy(), **reference.init(param)}
    values = _run(reference, before, grads, 1, usual)
    sensitivity = [{name: np.zeros_like(value) for name, value in at.items()} for at in values]
    for step, grad in enumerate(grads, start=1):
        after = values[step - 1]
        for inputs, hyperparameters, gradient in _changed(before, after, grad, usual):
            outcome = _run(reference, inputs, [gradient], step, hyperparameters)
            outcome += _run(reference, outcome[0], grads[step:], step + 1, usual)
            for at, value_at, sensitivity_at in zip(
                outcome, values[step - 1 :], sensitivity[step - 1 :], strict=True
            ):
                for name, value in at.items():
                    sensitivity_at[name] += np.abs(value - value_at[name]) / _CHANGE
        before = after
    return Trajectory(tuple(values), tuple(sensitivity))


def _changed(
    before: State, after: State, grad: Float64, hyperparameters: Mapping[str, float]
) -> Iterator[tuple[State, Mapping[str, float], Float64]]:
    """Give the inputs of one step with one of them changed, up and down, each in its turn."""
    for relative in (-_CHANGE, _CHANGE):
        for name, value in before.items():
            moved = np.asarray(value + relative * (np.abs(value) + np.abs(after[name])))
            yield {**before, name: moved}, hyperparameters, grad
        for name, number in hyperparameters.items():
            yield before, {**hyperparameters, name: number * (1 + relative)}, grad
        yield before, hyperparameters, grad * (1 + relative)


def _run(
    reference: Reference,
    before: State,
    grads: Sequence[Float64],
    first_step: int,
    hyperparameters: Mapping[str, float],
) -> list[State]:
    """Return `param` and the states after each of `grads`, leaving `before` as it is."""
    current = {name: value.copy() for name, value in before.items()}
    values = []
    for step, grad in enumerate(grads, start=first_step):
        state = {name: value for name, value in current.items() if name != "param"}
        reference.step(current["param"], grad, state, step, **hyperparameters)
        values.append({name: value.copy() for name, value in current.items()})
    return values
