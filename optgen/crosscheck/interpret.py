"""Runs the IR itself on NumPy values: what the bits of every backend must be.

`host_values` runs the host program in float64; `run_stages` runs the stages in
the arithmetic type, sums in the fixed tree. Nothing here is generated code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck.types import array_type
from optgen.errors import InternalError
from optgen.ir import CHUNK, LANES, Elementwise, Expr, Half, Kernel, Literal, Operation, Ref

Array = NDArray[Any]
Value = Any  # an array, or a NumPy scalar


def _ipow(base: np.float64, exponent: float) -> np.float64:
    """Return base**exponent, low bit of the exponent first."""
    count = int(exponent)
    if count < 0:
        return np.float64(1.0) / _ipow(base, -count)
    result = np.float64(1.0)
    for bit in range(count.bit_length()):
        if count >> bit & 1:
            result = result * base
        base = base * base
    return result


def _select(mask: Value, yes: Value, no: Value) -> Value:
    return np.where(mask, yes, no) if np.ndim(mask) else (yes if mask else no)


def _up_or_down(values: Array, random: Array) -> Array:
    """Return bfloat16 values beside some float32 ones, up where the random bits carry."""
    bits = values.view(np.uint32).astype(np.uint64)
    cut = ((bits + random.astype(np.uint64)) & 0xFFFF0000).astype(np.uint32)
    return np.where(np.isfinite(values), cut.view(np.float32), values)


MEANINGS: Mapping[str, Callable[..., Value]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "sqrt": np.sqrt,
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "max": lambda a, b: np.add(np.maximum(a, b), 0.0, dtype=np.result_type(a, b)),
    "min": lambda a, b: np.add(np.minimum(a, b), 0.0, dtype=np.result_type(a, b)),
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "select": _select,
    "ipow": _ipow,
    "pow": lambda a, b: np.float64(a) ** np.float64(b),  # np.power may be another, by machine
    "to_float32": lambda x: x.astype(np.float32).astype(x.dtype),
    "to_float16": lambda x: x.astype(np.float16).astype(x.dtype),
    "to_bfloat16": lambda x: x.astype(array_type(Half.BFLOAT16)).astype(x.dtype),
    "to_bfloat16_random": _up_or_down,
}


def evaluate(expr: Expr, names: Mapping[str, Value], dtype: np.dtype[Any]) -> Value:
    """Return the value of an expression in the type `dtype`."""
    match expr:
        case Ref(name):
            return names[name]
        case Literal(value):
            return dtype.type(np.float64(float(value)))
        case Operation(name, operands):
            values = [evaluate(o, names, dtype) for o in operands]
            return MEANINGS[name](*values)
    raise InternalError(f"not an expression: {expr}")


def host_values(
    kernel: Kernel,
    hyperparameters: Mapping[str, float],
    step: int,
    scalar_states: Mapping[str, float],
    numel: int,
) -> dict[str, np.float64]:
    """Return every value of the host program, and new scalar states, in float64.

    Args:
        kernel: The kernel.
        hyperparameters: One value per argument; one that is missing has its default.
        step: Number of this update, 1 for the first.
        scalar_states: Scalar states before the step.
        numel: Elements of the tensor.
    """
    names: dict[str, Value] = {"step": np.float64(step), "numel": np.float64(numel)}
    names |= {a.name: np.float64(float(a.default)) for a in kernel.arguments}
    names |= {name: np.float64(value) for name, value in hyperparameters.items()}
    names |= {name: np.float64(value) for name, value in scalar_states.items()}
    with np.errstate(all="ignore"):
        for assign in kernel.host:
            names[assign.target] = np.float64(evaluate(assign.value, names, np.dtype(np.float64)))
    return names


def kernel_scalars(kernel: Kernel, host: Mapping[str, np.float64]) -> dict[str, Value]:
    """Return the host values that stages read, rounded once to the arithmetic type."""
    kind = np.dtype(kernel.arithmetic.value).type
    with np.errstate(all="ignore"):
        return {name: kind(host[name]) for name in kernel.scalars}


def run_stages(
    kernel: Kernel,
    arrays: Mapping[str, Array],
    scalars: Mapping[str, Value],
    random: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Return all buffers after one step; the given arrays are not changed.

    Args:
        kernel: The kernel.
        arrays: One 1-d array per buffer, of the buffer's type.
        scalars: What `kernel_scalars` returns.
        random: The names of `ir.RANDOM`, one array each, if the kernel reads them.
    """
    names = _run(kernel, arrays, {**scalars, **(random or {})})
    with np.errstate(all="ignore"):
        return {b.name: names[b.name].astype(array_type(b.dtype)) for b in kernel.buffers}


def run_sums(
    kernel: Kernel,
    arrays: Mapping[str, Array],
    scalars: Mapping[str, Value],
    random: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Return every sum of one step, as an array of one value; arguments as for `run_stages`."""
    names = _run(kernel, arrays, {**scalars, **(random or {})})
    return {sum_.target: np.array([names[sum_.target]]) for sum_ in kernel.reductions}


def _run(
    kernel: Kernel, arrays: Mapping[str, Array], scalars: Mapping[str, Value]
) -> dict[str, Value]:
    """Return the last value of every name."""
    dtype = np.dtype(kernel.arithmetic.value)
    names: dict[str, Value] = {**scalars, **{n: a.astype(dtype) for n, a in arrays.items()}}
    with np.errstate(all="ignore"):
        for stage in kernel.stages:
            for assign in stage.body:
                value = evaluate(assign.value, names, dtype)
                if isinstance(stage, Elementwise) and np.ndim(value) == 0:
                    value = np.full(arrays["param"].shape, value, dtype)
                names[assign.target] = value
            if isinstance(stage, Elementwise):
                for reduction in stage.reductions:
                    terms = evaluate(reduction.value, names, dtype)
                    names[reduction.target] = tree_sum(terms)
    return names


def tree_sum(terms: Array) -> Value:
    """Return the sum of a 1-d array in the one fixed tree of `optgen.ir`."""
    chunks = max(1, -(-terms.size // CHUNK))
    padded = np.zeros(chunks * CHUNK, terms.dtype)
    padded[: terms.size] = terms
    rows = padded.reshape(chunks, CHUNK // LANES, LANES)
    lanes = rows[:, 0].copy()
    for row in range(1, CHUNK // LANES):
        lanes = lanes + rows[:, row]
    return chunk_tree(_halve(lanes.T))


def chunk_tree(sums: Array) -> Value:
    """Return the total of chunk sums: halved, padded with +0 to a power of two."""
    wide = np.zeros(1 << (sums.size - 1).bit_length(), sums.dtype)
    wide[: sums.size] = sums
    return _halve(wide)


def _halve(lanes: Array) -> Value:
    """Add the upper half along the first axis to the lower, until one is left."""
    while lanes.shape[0] > 1:
        half = lanes.shape[0] // 2
        lanes = lanes[:half] + lanes[half:]
    return lanes[0]
