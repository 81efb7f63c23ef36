"""Puts contestants to work: each shows that it computes the rule, then all are timed in turns."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optgen.bench.contestants import Array, Entrant, LeftOut, Subject, computes_the_rule, naive, own
from optgen.bench.optax_rules import optax_entrants
from optgen.bench.results import Measurement, Timing
from optgen.bench.timing import interleaved
from optgen.bench.torch_rules import torch_entrants
from optgen.bench.workloads import Workload, available_bytes
from optgen.errors import OptgenError
from optgen.sheet.memory import traffic
from optgen.spec import OptimizerSpec

RIVALS = ("naive", "torch", "torch-compiled", "optax")
CHOSEN = {"lr": 1e-3}
_KEPT_FREE = 1.5 * 2**30


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        targets: Of ours.
        rivals: Of `RIVALS`.
        dtype: Type of everything.
        turns: How many times each is timed.
        seconds: After so long on one workload, slow contestants stop.
        leave_out: Names of contestants that are not wanted.
    """

    targets: tuple[str, ...] = ("c", "numpy")
    rivals: tuple[str, ...] = ("naive", "torch", "optax")
    dtype: str = "float32"
    turns: int = 41
    seconds: float = float("inf")
    leave_out: frozenset[str] = frozenset()


def entrants(subject: Subject, plan: Plan) -> tuple[list[Entrant], list[LeftOut]]:
    """Return who can take part and computes the rule, and who not."""
    found: list[Entrant | LeftOut] = list(own(subject, plan.targets))
    if "naive" in plan.rivals:
        found += naive(subject)
    if {"torch", "torch-compiled"} & {*plan.rivals}:
        found += torch_entrants(subject, compiled="torch-compiled" in plan.rivals)
    if "optax" in plan.rivals:
        found += optax_entrants(subject)
    taking, left = [], [one for one in found if isinstance(one, LeftOut)]
    for one in found:
        if isinstance(one, LeftOut) or one.name in plan.leave_out:
            continue
        try:
            wrong = computes_the_rule(subject, one, CHOSEN) if one.checked else ""
        except OptgenError as error:
            wrong = str(error).splitlines()[0]
        except Exception as error:  # of somebody else's library: it does not take part
            wrong = f"fails: {type(error).__name__}: {str(error).splitlines()[:1]}"
        if wrong:
            left.append(LeftOut(one.name, wrong))
        else:
            taking.append(one)
    return taking, left


def measure(spec: OptimizerSpec, workload: Workload, plan: Plan) -> Measurement:
    """Time everyone on one workload.

    Contestants for which there is no memory are left out, the last ones first.

    Raises:
        OptgenError: The rule cannot be lowered.
    """
    subject = Subject.of(spec, plan.dtype)
    taking, left = entrants(subject, plan)
    kept, room = [], available_bytes()
    for one in taking:
        need = one.copies * subject.bytes_for(workload)
        if room is not None:
            if need > room - _KEPT_FREE:
                left.append(LeftOut(one.name, f"needs {need / 2**30:.1f} GiB of memory"))
                continue
            room -= int(need)
        kept.append(one)
    runs: dict[str, Callable[[], None]] = {}
    for index, one in enumerate(kept):
        params, grads = _arrays(workload, plan.dtype, index)
        try:
            runs[one.name] = one.enter(params, grads, CHOSEN)[0]
        except (OptgenError, MemoryError) as error:
            left.append(LeftOut(one.name, str(error).splitlines()[0]))
    gc.collect()
    gc.disable()
    try:
        times = interleaved(
            runs,
            plan.turns,
            limit=plan.seconds,
            always=frozenset(n for n in runs if n == "floor" or n.startswith(plan.targets)),
        )
    finally:
        gc.enable()
    groups = {one.name: one.group for one in kept}
    return Measurement(
        rule=spec.name,
        workload=workload.name,
        title=workload.title,
        dtype=plan.dtype,
        tensors=len(workload.sizes),
        elements=workload.elements,
        bytes=workload.elements * traffic(subject.kernel),
        timings=tuple(Timing(n, groups[n], tuple(t)) for n, t in times.items()),
        left_out=tuple((one.name, one.reason) for one in left),
    )


def _arrays(workload: Workload, dtype: str, seed: int) -> tuple[list[Array], list[Array]]:
    """Return parameters and gradients; values repeat, so that large ones are made quickly."""
    rng = np.random.default_rng(seed)
    pattern = rng.standard_normal(1 << 16).astype(dtype)

    def filled(sizes: Sequence[int], factor: float) -> Iterator[Array]:
        for size in sizes:
            yield np.resize(pattern * pattern.dtype.type(factor), size)

    return [*filled(workload.sizes, 1.0)], [*filled(workload.sizes, 0.1)]
