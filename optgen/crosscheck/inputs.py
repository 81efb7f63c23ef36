"""What kernels are tried on: sizes, alignments, ordinary and special values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck.types import array_type, limits
from optgen.ir import Kernel, StorageType
from optgen.passes.prologue import ARGUMENTS as PROLOGUE
from optgen.philox import random_numbers
from optgen.spec import OptimizerSpec

SIZES = (0, 1, 3, 31, 1000, 1003, 65537)
"""Numbers of elements: none, less than a vector, tails of every length, several chunks."""

VISIBLE = {
    "lr": 0.05,
    "beta1": 0.8,
    "beta2": 0.9,
    "eps": 0.01,
    "weight_decay": 0.1,
    "momentum": 0.7,
    "dampening": 0.3,
    "alpha": 0.9,
    "lr_decay": 0.1,
    "momentum_decay": 0.5,
    "grad_scale": 3.0,
    "clip_coef": 0.7,
    "maximize": 1.0,
}
"""Values at which every term of a rule shows; the defaults hide most mistakes."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input.

    Attributes:
        n: Number of elements.
        misaligned: Whether pointers are off 16 bytes, each by another number of elements.
        alone: Number of the only buffer that is off, by 8 bytes, or None if all are.
        special: Whether infinities, NaN, zeros of both signs and subnormals are among the values.
        step: Number of the update.
        grid: Blocks per launch, for kernels that take any number.
    """

    n: int
    misaligned: bool = False
    alone: int | None = None
    special: bool = False
    step: int = 1
    grid: int = 3

    def __str__(self) -> str:
        words = [f"n = {self.n}", f"step {self.step}"]
        words += ["misaligned"] if self.misaligned else []
        words += [] if self.alone is None else [f"buffer {self.alone} alone"]
        words += ["special values"] if self.special else []
        return ", ".join(words)


CASES = (
    *(Case(n, step=1 + 6 * i * (i % 2), grid=1 + 2 * (i % 2)) for i, n in enumerate(SIZES)),
    Case(1000, special=True, step=3, grid=2),
    Case(1003, misaligned=True, special=True, step=2, grid=2),
    Case(31, misaligned=True, step=1000),
    # A check of alignment that forgets one pointer shows only where no other is off.
    *(Case(31, misaligned=True, alone=buffer) for buffer in range(6)),
)

_SUMS = (
    *(Case(n, step=2 + i, grid=1 + i) for i, n in enumerate((16384, 16385, 40000, 100003))),
    Case(50000, misaligned=True, step=3, grid=2),
)
"""Several blocks and chunks, for reductions: a root and a quotient hide many a wrong last bit."""


def cases(kernel: Kernel) -> tuple[Case, ...]:
    """Return what a kernel is run on."""
    return (*CASES, *_SUMS) if kernel.reductions else CASES


SEED = 4000000007
"""What random numbers are chosen with: more than 31 bits."""


def hyperparameters(spec: OptimizerSpec, kernel: Kernel | None = None) -> dict[str, float]:
    """Return values at which every term of the rule and the prologue show, inside the domains.

    Args:
        spec: The rule.
        kernel: Its kernel, where that may take more than the rule does: a seed.
    """
    values: dict[str, float] = {}
    for item in spec.hyperparameters:
        value = VISIBLE.get(item.name, float(item.default))
        values[item.name] = value if value in spec.domains[item.symbol] else float(item.default)
    values |= {a.name: VISIBLE[a.name] for a in PROLOGUE}
    return values | ({"seed": SEED} if kernel is not None and kernel.random else {})


def scalar_states(kernel: Kernel) -> dict[str, float]:
    """Return scalar states as they could be in the middle of a run."""
    return {s.name: float(s.initial) * 0.75 for s in kernel.scalar_states}


def arrays(
    kernel: Kernel, spec: OptimizerSpec, case: Case, seed: int = 0
) -> dict[str, NDArray[Any]]:
    """Return one 1-d array per buffer: mixed scales, zeros, states inside their domains."""
    rng = np.random.default_rng((seed, case.n, case.step))
    states = {b.name: b.domain for b in spec.state}
    result: dict[str, NDArray[Any]] = {}
    for buffer in kernel.buffers:
        dtype = array_type(buffer.dtype)
        scale = 10.0 ** rng.integers(-4, 3, case.n)
        values = (rng.standard_normal(case.n) * scale).astype(dtype)
        values[rng.random(case.n) < 0.1] = 0
        domain = states.get(buffer.name)
        if domain is not None and getattr(domain, "nonnegative", False):
            values = np.abs(values)
        if case.special:
            _mix_in_specials(values, buffer.dtype, rng)
        result[buffer.name] = values
    return result


def _mix_in_specials(values: NDArray[Any], dtype: StorageType, rng: np.random.Generator) -> None:
    tiny, subnormal, largest = limits(dtype)
    specials = np.array(
        [
            np.inf, -np.inf, np.nan, 0.0, -0.0, tiny, -tiny,
            subnormal, -subnormal, tiny / 3, largest, -largest,
        ],
    ).astype(array_type(dtype))  # fmt: skip
    places = rng.random(values.size) < 0.5
    values[places] = rng.choice(specials, int(places.sum()))


def random_of(kernel: Kernel, case: Case, number: int = 0) -> dict[str, NDArray[Any]]:
    """Return the random numbers that a kernel reads; none if it reads none.

    Args:
        kernel: The kernel.
        case: Size and step.
        number: The tensor's number in the call.
    """
    return random_numbers(case.n, case.step, SEED, number) if kernel.random else {}


def same_bits(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where two arrays hold the same bits, all NaNs taken for one value."""
    unsigned = f"u{left.dtype.itemsize}"
    both_nan = np.isnan(left) & np.isnan(right)
    same: NDArray[np.bool_] = (left.view(unsigned) == right.view(unsigned)) | both_nan
    return same


def first_difference(
    expected: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]
) -> str:
    """Return words for the first place where two sets of arrays differ, or an empty string."""
    for name, array in expected.items():
        wrong = np.flatnonzero(~same_bits(array, found[name]))
        if wrong.size:
            at = int(wrong[0])
            return (
                f"{name}[{at}] is {found[name][at]!r} instead of {array[at]!r} "
                f"({wrong.size} of {array.size} elements differ)"
            )
    return ""
