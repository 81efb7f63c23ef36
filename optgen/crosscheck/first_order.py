"""How far rounding can take each output, to first order, for millions of elements at once.

The IR's operations are run on `numpy.longdouble`, whose own rounding `reference_error`
accounts for, and each remembers its partial derivatives. The bound of an output is the
sum, over every operation that leads to it, of the largest rounding error of that
operation times the derivative of the output with respect to its result (the standard
model of rounding, in reverse mode). Paths that meet cancel as they do in the code, which
is why this bound is sharper than the running one of `crosscheck.bound`; terms of second
order are left out, which is why that one decides what a build accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck.bound import STORED, bound_host, sum_depth
from optgen.crosscheck.types import limits, wide
from optgen.errors import BackendUnavailable, InternalError
from optgen.ir import DType, Elementwise, Expr, Half, Kernel, Literal, Operation, Ref, StorageType

Array = NDArray[Any]
WIDE = np.longdouble

_COMPARE: Mapping[str, Callable[..., Array]] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}
_LOGIC: Mapping[str, Callable[..., Array]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}


@dataclass(frozen=True, slots=True)
class Bounded:
    """One output of a step.

    Attributes:
        value: Its value over the reals, one `longdouble` per element.
        bound: How far rounding can take the computed value from it, to first order.
        in_doubt: Where rounding could turn a comparison around or overflow: no bound holds.
    """

    value: Array
    bound: Array
    in_doubt: Array


@dataclass(frozen=True, slots=True)
class _Node:
    """One result.

    Attributes:
        value: Over the reals.
        own: Largest rounding error of the operation itself.
        operands: Indices of what it is computed from, each with the partial derivative.
        in_doubt: Where its value or its derivatives may be others in the computed run.
    """

    value: Array
    own: Array
    operands: tuple[tuple[int, Array], ...]
    in_doubt: Array


@dataclass(slots=True)
class _Tape:
    """The operations of one step, in order."""

    dtype: DType
    nodes: list[_Node] = field(default_factory=list)

    def leaf(self, value: Any, error: Any = 0.0) -> int:
        """Add a value that no operation of the stages computes."""
        wide = np.asarray(value, WIDE)
        return self._add(wide, np.asarray(error, WIDE), (), ~np.isfinite(wide))

    def run(self, expr: Expr, names: Mapping[str, int]) -> int:
        """Add an expression; return the index of its value."""
        match expr:
            case Ref(name):
                return names[name]
            case Literal(value):
                stored = np.dtype(self.dtype.value).type(float(value))
                exact = WIDE(value.numerator) / WIDE(value.denominator)
                return self.leaf(exact, abs(WIDE(stored) - exact))
            case Operation("select", (mask, yes, no)):
                return self._select(mask, self.run(yes, names), self.run(no, names), names)
            case Operation("to_bfloat16_random", (value, _)):
                return self._stored(self.run(value, names), Half.BFLOAT16, 2)
            case Operation(name, (value,)) if name in STORED:
                return self._stored(self.run(value, names), STORED[name], 1)
            case Operation(name, operands):
                return self._operation(name, tuple(self.run(o, names) for o in operands))
        raise InternalError(f"not an expression: {expr}")

    def bound(self, index: int) -> Array:
        """Return the first-order bound on the error of a result."""
        last = self.nodes[index]
        slopes: dict[int, Array] = {index: np.ones_like(last.value)}
        total = np.zeros_like(last.value)
        for at in range(index, -1, -1):
            slope = slopes.pop(at, None)
            if slope is None:
                continue
            node = self.nodes[at]
            total = total + np.abs(slope) * node.own
            for operand, partial in node.operands:
                carried = slope * partial
                known = slopes.get(operand)
                slopes[operand] = carried if known is None else known + carried
        return total

    def total(self, index: int) -> int:
        """Add the sum of a value over all elements, in the fixed tree."""
        terms = self.nodes[index]
        unit = float(self.dtype.unit_roundoff) * sum_depth(terms.value.size)
        error = self.bound(index).sum() + unit * np.abs(terms.value).sum()
        return self._add(terms.value.sum(), error, (), terms.in_doubt.any())

    def _add(
        self, value: Any, own: Any, operands: tuple[tuple[int, Array], ...], in_doubt: Any
    ) -> int:
        doubt = np.asarray(in_doubt, np.bool_)
        for operand, _ in operands:
            doubt = doubt | self.nodes[operand].in_doubt
        self.nodes.append(_Node(np.asarray(value, WIDE), np.asarray(own, WIDE), operands, doubt))
        return len(self.nodes) - 1

    def _rounded(
        self, value: Array, operands: tuple[tuple[int, Array], ...], sums: bool, in_doubt: Any
    ) -> int:
        """Add a result that is rounded once; sums are exact among subnormals."""
        info = np.finfo(self.dtype.value)
        own = float(self.dtype.unit_roundoff) * np.abs(value)
        if not sums:
            small = (np.abs(value) < WIDE(info.tiny)) & (value != 0)
            own = np.where(small, own + WIDE(info.smallest_subnormal) / 2, own)
        overflows = np.abs(value) >= WIDE(info.max)
        return self._add(value, own, operands, in_doubt | overflows)

    def _stored(self, index: int, dtype: StorageType, roundings: int) -> int:
        """Add a value after rounding to the type of an array.

        A value of 16 bits is so coarse that what the operand may be off counts: the terms of
        second order of this rounding are kept.
        """
        _, smallest, largest = limits(dtype)
        value = self.nodes[index].value
        size = np.abs(value) + self.bound(index)
        own = roundings * (float(dtype.unit_roundoff) * size + WIDE(smallest) / 2)
        overflows = np.abs(value) * (1 + 2 * float(dtype.unit_roundoff)) >= WIDE(largest)
        return self._add(value, own, ((index, np.ones_like(value)),), overflows)

    def _operation(self, name: str, operands: tuple[int, ...]) -> int:
        values = [self.nodes[i].value for i in operands]
        one = np.ones_like(values[0])
        x, y = values[0], values[-1]
        a, b = operands[0], operands[-1]
        match name:
            case "add":
                return self._rounded(x + y, ((a, one), (b, one)), True, False)
            case "sub":
                return self._rounded(x - y, ((a, one), (b, -one)), True, False)
            case "mul":
                return self._rounded(x * y, ((a, y), (b, x)), False, False)
            case "div":
                value = x / y
                return self._rounded(value, ((a, 1 / y), (b, -value / y)), False, y == 0)
            case "sqrt":
                root = np.sqrt(np.maximum(x, 0))
                error = self.bound(a)
                lost = (x < 0) | ((x <= error) & (error > 0))  # near 0 the slope has no end
                slope = np.where(root > 0, 0.5 / np.where(root > 0, root, 1), 0)
                return self._rounded(root, ((a, slope),), False, lost)
            case "neg":
                return self._add(-x, 0, ((a, -one),), False)
            case "abs":
                error = self.bound(a)
                turned = (np.abs(x) <= error) & (error > 0)
                return self._add(np.abs(x), 0, ((a, np.where(x < 0, -one, one)),), turned)
            case "sign":
                error = self.bound(a)
                turned = (np.abs(x) <= error) & (error > 0)
                return self._add(np.sign(x), 0, ((a, 0 * one),), turned)
            case "max" | "min":
                return self._extreme(name, a, b)
        raise InternalError(f"no rounding model for {name}")

    def _extreme(self, name: str, a: int, b: int) -> int:
        """Add a maximum or minimum: near a tie it is as far off as the worse of the two."""
        x, y = self.nodes[a].value, self.nodes[b].value
        first = x >= y if name == "max" else x <= y
        left, right = self.bound(a), self.bound(b)
        tie = np.abs(x - y) <= left + right
        own = np.where(tie, np.maximum(left, right), 0)
        clear = ~tie
        slopes = ((a, (first & clear).astype(WIDE)), (b, (~first & clear).astype(WIDE)))
        return self._add(np.where(first, x, y), own, slopes, False)

    def _select(self, mask: Expr, yes: int, no: int, names: Mapping[str, int]) -> int:
        holds, in_doubt = self._holds(mask, names)
        value = np.where(holds, self.nodes[yes].value, self.nodes[no].value)
        slopes = ((yes, holds.astype(WIDE)), (no, (~holds).astype(WIDE)))
        for branch, taken in ((yes, holds), (no, ~holds)):
            in_doubt = in_doubt | (taken & self.nodes[branch].in_doubt)
        self.nodes.append(_Node(value, np.zeros((), WIDE), slopes, in_doubt))
        return len(self.nodes) - 1

    def _holds(self, mask: Expr, names: Mapping[str, int]) -> tuple[Array, Array]:
        """Return where a condition holds, and where rounding could turn it around."""
        assert isinstance(mask, Operation)
        if mask.name in _COMPARE:
            a, b = (self.run(o, names) for o in mask.operands)
            left, right = self.nodes[a], self.nodes[b]
            error = self.bound(a) + self.bound(b)
            turned = (np.abs(left.value - right.value) <= error) & (error > 0)
            doubt = turned | left.in_doubt | right.in_doubt
            return _COMPARE[mask.name](left.value, right.value), doubt
        parts = [self._holds(o, names) for o in mask.operands]
        doubt = parts[0][1] | parts[-1][1]
        return _LOGIC[mask.name](*(p[0] for p in parts)), doubt


def reference_error(dtype: DType) -> float:
    """Return how far `longdouble` values may be from the reals, as a share of the bound.

    The same operations in a type with a smaller unit roundoff are off by the same bound
    times the quotient of the two.

    Raises:
        BackendUnavailable: `longdouble` is no wider than the type here.
    """
    unit = float(np.finfo(WIDE).eps) / 2
    share = unit / float(dtype.unit_roundoff)
    if share >= 1 / 1024:
        raise BackendUnavailable(
            f"numpy.longdouble has {np.finfo(WIDE).nmant + 1} bits here: no reference for "
            f"{dtype.value}",
            fix="run on x86-64 Linux, where it has 64",
        )
    return share


def first_order(
    kernel: Kernel, arrays: Mapping[str, Any], hyperparameters: Mapping[str, float], step: int
) -> dict[str, Bounded]:
    """Bound the rounding errors of one step.

    Args:
        kernel: The kernel.
        arrays: One 1-d array per buffer and one number per scalar state: what the step
            starts from, taken as exact.
        hyperparameters: One float each; exact.
        step: Number of the update.

    Returns:
        The parameter and every state of its shape, after the step.
    """
    tape = _Tape(kernel.arithmetic)
    numel = arrays["param"].size
    states = {s.name: float(arrays[s.name]) for s in kernel.scalar_states}
    scalars, _ = bound_host(kernel, hyperparameters, states, step, numel)
    names = {n: tape.leaf(_wide(s.value), _wide(s.error)) for n, s in scalars.items()}
    names |= {b.name: tape.leaf(wide(arrays[b.name])) for b in kernel.buffers}
    with np.errstate(all="ignore"):
        for stage in kernel.stages:
            for assign in stage.body:
                names[assign.target] = tape.run(assign.value, names)
            if isinstance(stage, Elementwise):
                for reduction in stage.reductions:
                    names[reduction.target] = tape.total(tape.run(reduction.value, names))
        outputs = [b.name for b in kernel.buffers if b.writable]
        return {name: _output(tape, names[name], numel) for name in outputs}


def _wide(value: Any) -> Any:
    """Return an mpmath number as a longdouble: its float64 part and the rest."""
    high = float(value)
    return WIDE(high) + WIDE(float(value - high)) if np.isfinite(high) else WIDE(high)


def _output(tape: _Tape, index: int, numel: int) -> Bounded:
    node = tape.nodes[index]
    shape = (numel,)
    value, bound, doubt = (
        np.broadcast_to(a, shape) for a in (node.value, tape.bound(index), node.in_doubt)
    )
    return Bounded(value, bound, doubt | ~np.isfinite(bound) | ~np.isfinite(value))
