"""How far rounding can take a kernel from its rule: a bound derived from the IR's operations.

Every value travels with a bound on its distance from the exact one. Each
operation adds what its operands bring and one rounding of its own: relative
error u, plus half the smallest subnormal. Second-order terms are kept, so
the bound is rigorous wherever no comparison is in doubt; where rounding could
turn a comparison or a sign around, the bound is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

from optgen.crosscheck.oracle import DIGITS
from optgen.crosscheck.types import limits
from optgen.errors import InternalError
from optgen.ir import (
    CHUNK,
    LANES,
    DType,
    Elementwise,
    Expr,
    Half,
    Kernel,
    Literal,
    Operation,
    Ref,
    StorageType,
)

_COMPARE = {
    "lt": lambda d: d < 0,
    "le": lambda d: d <= 0,
    "gt": lambda d: d > 0,
    "ge": lambda d: d >= 0,
    "eq": lambda d: d == 0,
    "ne": lambda d: d != 0,
}
_INF = mpmath.inf

STORED: dict[str, StorageType] = {
    "to_float32": DType.FLOAT32,
    "to_bfloat16": Half.BFLOAT16,
    "to_float16": Half.FLOAT16,
}
"""What the operations that round to nearest round to."""


@dataclass(frozen=True, slots=True)
class Ball:
    """An exact value and how far the computed one may be from it."""

    value: Any
    error: Any


@dataclass(frozen=True, slots=True)
class _Rounding:
    """Roundings of one type."""

    unit: Any
    tiny: Any
    largest: Any

    @classmethod
    def of(cls, dtype: StorageType) -> _Rounding:
        _, smallest, largest = limits(dtype)
        unit = dtype.unit_roundoff
        return cls(
            mpmath.mpf(unit.numerator) / unit.denominator,
            mpmath.mpf(smallest) / 2,
            mpmath.mpf(largest),
        )

    def round(self, value: Any, error: Any, ulps: Any = 1) -> Ball:
        """Return a value after `ulps` roundings; an exact 0 stays exact."""
        if mpmath.isnan(error) or error == _INF:  # 0 times an unbounded error is in doubt too
            return Ball(value, _INF)
        if not value and not error:
            return Ball(value, error)
        if abs(value) + error > self.largest:  # it may overflow, which no bound survives
            return Ball(value, _INF)
        return Ball(value, error + ulps * (self.unit * (abs(value) + error) + self.tiny))


def bound_step(
    kernel: Kernel,
    values: Mapping[str, Sequence[float] | float],
    hyperparameters: Mapping[str, float],
    step: int,
) -> dict[str, list[Ball] | Ball]:
    """Return what a step gives over the reals, each value with its bound.

    Args:
        kernel: The lowered rule.
        values: Every buffer as a list of floats, every scalar state as a float; exact.
        hyperparameters: One float each, exact; one that is missing has its default.
        step: Number of the update.
    """
    with mpmath.workdps(DIGITS):
        numel = len(values["param"])  # type: ignore[arg-type]
        states = {s.name: values[s.name] for s in kernel.scalar_states}
        scalars, left = bound_host(kernel, hyperparameters, states, step, numel)  # type: ignore[arg-type]
        rounding = _Rounding.of(kernel.arithmetic)
        buffers = {b.name: values[b.name] for b in kernel.buffers}
        rows: list[dict[str, Ball]] = [
            scalars | {name: _exact(column[i]) for name, column in buffers.items()}  # type: ignore[index]
            for i in range(numel)
        ]
        for stage in kernel.stages:
            if isinstance(stage, Elementwise):
                for row in rows:
                    for assign in stage.body:
                        row[assign.target] = _evaluate(assign.value, row, rounding)
                for reduction in stage.reductions:
                    terms = [_evaluate(reduction.value, row, rounding) for row in rows]
                    total = _sum(terms, rounding)
                    scalars[reduction.target] = total
            else:
                for assign in stage.body:
                    scalars[assign.target] = _evaluate(assign.value, scalars, rounding)
            for row in rows:
                row.update({n: scalars[n] for n in scalars if n not in buffers})
        result: dict[str, list[Ball] | Ball] = {
            b.name: [row[b.name] for row in rows] for b in kernel.buffers
        }
        return result | left


def bound_host(
    kernel: Kernel,
    hyperparameters: Mapping[str, float],
    scalar_states: Mapping[str, float],
    step: int,
    numel: int,
) -> tuple[dict[str, Ball], dict[str, Ball]]:
    """Return the host values that stages read, rounded to their type, and the scalar states.

    Args:
        kernel: The lowered rule.
        hyperparameters: One float each, exact; one that is missing has its default.
        scalar_states: Scalar states before the step; exact.
        step: Number of the update.
        numel: Elements of the tensor.
    """
    with mpmath.workdps(DIGITS):
        host = {"step": _exact(step), "numel": _exact(numel)}
        host |= {a.name: _exact(float(a.default)) for a in kernel.arguments}
        host |= {name: _exact(v) for name, v in (*hyperparameters.items(), *scalar_states.items())}
        in_double, rounding = _Rounding.of(DType.FLOAT64), _Rounding.of(kernel.arithmetic)
        for assign in kernel.host:
            host[assign.target] = _evaluate(assign.value, host, in_double)
        rounded = {n: rounding.round(host[n].value, host[n].error) for n in kernel.scalars}
        return rounded, {s.name: host[s.name] for s in kernel.scalar_states}


def _exact(value: float) -> Ball:
    """Return a given number; from infinity and NaN nothing follows."""
    zero = mpmath.mpf(0)
    finite = math.isfinite(value)
    return Ball(mpmath.mpf(float(value)), zero) if finite else Ball(zero, _INF)


def sum_depth(terms: int) -> int:
    """Return how many additions a term of a sum of this many passes at most."""
    chunks = max(1, -(-terms // CHUNK))
    return CHUNK // LANES - 1 + (LANES.bit_length() - 1) + (chunks - 1).bit_length()


def _sum(terms: Sequence[Ball], rounding: _Rounding) -> Ball:
    """Return a sum in the fixed tree: no term passes more additions than the tree is deep."""
    depth = sum_depth(len(terms))
    gamma = depth * rounding.unit / (1 - depth * rounding.unit)
    carried = mpmath.fsum(t.error for t in terms)
    size = mpmath.fsum(abs(t.value) for t in terms) + carried
    return Ball(mpmath.fsum(t.value for t in terms), carried + gamma * size)


def _evaluate(expr: Expr, names: Mapping[str, Ball], rounding: _Rounding) -> Ball:
    match expr:
        case Ref(name):
            return names[name]
        case Literal(value):
            exact = mpmath.mpf(value.numerator) / value.denominator
            # The constant is rounded to float64 and then to the arithmetic type.
            short = value.numerator.bit_length() <= 24 and value.denominator < 2**20
            binary = short and exact == mpmath.mpf(float(value))
            return Ball(exact, 0) if binary else rounding.round(exact, 0, 2)
        case Operation("select", (mask, yes, no)):
            holds = _holds(mask, names, rounding)
            branches = [_evaluate(branch, names, rounding) for branch in (yes, no)]
            if holds is None:
                return Ball(branches[0].value, _INF)
            return branches[0] if holds else branches[1]
        case Operation("to_bfloat16_random", (value, _)):  # up or down: twice as far as nearest
            wide = _evaluate(value, names, rounding)
            return _Rounding.of(Half.BFLOAT16).round(wide.value, wide.error, 2)
        case Operation(name, (value,)) if name in STORED:
            wide = _evaluate(value, names, rounding)
            return _Rounding.of(STORED[name]).round(wide.value, wide.error)
        case Operation(name, operands):
            return _operation(name, [_evaluate(o, names, rounding) for o in operands], rounding)
    raise InternalError(f"not an expression: {expr}")


def _operation(name: str, balls: Sequence[Ball], rounding: _Rounding) -> Ball:
    a, b = balls[0], balls[-1]
    match name:
        case "add":
            return rounding.round(a.value + b.value, a.error + b.error)
        case "sub":
            return rounding.round(a.value - b.value, a.error + b.error)
        case "mul":
            error = abs(a.value) * b.error + abs(b.value) * a.error + a.error * b.error
            return rounding.round(a.value * b.value, error)
        case "div":
            if abs(b.value) <= b.error:
                return Ball(mpmath.mpf(0), _INF)
            value = a.value / b.value
            error = (a.error + abs(value) * b.error) / (abs(b.value) - b.error)
            return rounding.round(value, error)
        case "sqrt":
            if a.value < 0 or (a.error and a.value < a.error):
                return Ball(mpmath.sqrt(abs(a.value)), _INF)
            root = mpmath.sqrt(a.value)
            return rounding.round(root, a.error / root if a.error else a.error)
        case "neg":
            return Ball(-a.value, a.error)
        case "abs":
            return Ball(abs(a.value), a.error)
        case "sign":
            doubtful = abs(a.value) <= a.error and a.error
            return Ball(mpmath.sign(a.value), _INF if doubtful else mpmath.mpf(0))
        case "max":
            return Ball(max(a.value, b.value), max(a.error, b.error))
        case "min":
            return Ball(min(a.value, b.value), max(a.error, b.error))
        case "ipow":
            if not a.value and b.value < 0:
                return Ball(mpmath.mpf(0), _INF)
            count = abs(int(b.value))
            value = a.value ** int(b.value)
            # Squaring doubles a relative error: `count` roundings, or that many errors of the base.
            relative = count * (rounding.unit + (a.error / abs(a.value) if a.value else a.error))
            return Ball(value, abs(value) * relative * (1 + relative) * 2)
        case "pow":
            if a.value <= a.error:  # no slope at a base of 0, no value below
                exact = not (a.value or a.error or b.error) and b.value > 0
                return Ball(mpmath.mpf(0), 0 if exact else _INF)
            value = a.value**b.value
            slope = abs(value) * abs(mpmath.log(a.value)) * b.error * 2
            slope += abs(value * b.value / a.value) * a.error * 2
            return rounding.round(value, slope, 4)
    raise InternalError(f"no rounding model for {name}")


def _holds(mask: Expr, names: Mapping[str, Ball], rounding: _Rounding) -> bool | None:
    """Return whether a condition holds, or None if rounding could turn it around."""
    assert isinstance(mask, Operation)
    if mask.name in _COMPARE:
        left, right = (_evaluate(o, names, rounding) for o in mask.operands)
        doubt = left.error + right.error
        difference = left.value - right.value
        if doubt and abs(difference) <= doubt:
            return None
        return bool(_COMPARE[mask.name](difference))
    parts = [_holds(o, names, rounding) for o in mask.operands]
    if mask.name == "not":
        return None if parts[0] is None else not parts[0]
    decisive = mask.name == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive
