"""Puts contestants to work: each shows that it computes the rule, then all are timed in turns."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optgen.bench.contestants import Array, Entrant, LeftOut, Subject, computes_the_rule, naive, own
from optgen.bench.optax_rules import optax_entrants
from optgen.bench.results import Measurement, Timing
from optgen.bench.timing import interleaved
from optgen.bench.torch_rules import torch_entrants
from optgen.bench.workloads import Workload, available_bytes
from optgen.crosscheck.types import array_type
from optgen.errors import OptgenError
from optgen.ir import Kernel
from optgen.sheet.memory import traffic
from optgen.spec import OptimizerSpec

RIVALS = ("naive", "torch", "torch-compiled", "optax")
CHOSEN = {"lr": 1e-3}
VALID = {"eps": 1e-6}
"""Where a kernel refuses the default: float16 holds no squares that small."""
_KEPT_FREE = 1.5 * 2**30


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        targets: Of ours.
        rivals: Of `RIVALS`.
        dtype: Type of everything.
        storage: A storage mix, in place of one type for everything; only ours know these.
        turns: How many times each is timed.
        seconds: After so long on one workload, slow contestants stop.
        leave_out: Names of contestants that are not wanted.
    """

    targets: tuple[str, ...] = ("c", "numpy")
    rivals: tuple[str, ...] = ("naive", "torch", "optax")
    dtype: str = "float32"
    storage: str = ""
    turns: int = 41
    seconds: float = float("inf")
    leave_out: frozenset[str] = frozenset()


def chosen(kernel: Kernel) -> dict[str, float]:
    """Return the hyperparameters that everyone is given."""
    refused = {a.name for a in kernel.arguments if not a.holds(float(a.default))}
    return CHOSEN | {name: value for name, value in VALID.items() if name in refused}


def entrants(subject: Subject, plan: Plan) -> tuple[list[Entrant], list[LeftOut]]:
    """Return who can take part and computes the rule, and who not."""
    found: list[Entrant | LeftOut] = list(own(subject, plan.targets))
    if plan.storage:
        found += [LeftOut(name, "keeps all arrays in one type") for name in plan.rivals]
        return _checked(subject, plan, found)
    if "naive" in plan.rivals:
        found += naive(subject)
    if {"torch", "torch-compiled"} & {*plan.rivals}:
        found += torch_entrants(subject, compiled="torch-compiled" in plan.rivals)
    if "optax" in plan.rivals:
        found += optax_entrants(subject)
    return _checked(subject, plan, found)


def _checked(
    subject: Subject, plan: Plan, found: Sequence[Entrant | LeftOut]
) -> tuple[list[Entrant], list[LeftOut]]:
    given = chosen(subject.kernel)
    taking, left = [], [one for one in found if isinstance(one, LeftOut)]
    for one in found:
        if isinstance(one, LeftOut) or one.name in plan.leave_out:
            continue
        try:
            wrong = computes_the_rule(subject, one, given) if one.checked else ""
        except OptgenError as error:
            wrong = str(error).splitlines()[0]
        except Exception as error:  # of somebody else's library: it does not take part
            said = next(iter(str(error).splitlines()), "")
            wrong = f"fails: {type(error).__name__}: {said}"
        if wrong:
            left.append(LeftOut(one.name, wrong))
        else:
            taking.append(one)
    return taking, left


def measure(spec: OptimizerSpec, workload: Workload, plan: Plan) -> Measurement:
    """Time everyone on one workload.

    Contestants for which there is no memory are left out, the last ones first.

    Raises:
        OptgenError: The rule cannot be lowered, or not be kept in the storage mix.
    """
    subject = Subject.of(spec, plan.dtype, plan.storage)
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
        params, grads = _arrays(workload, subject.kernel, index)
        try:
            runs[one.name] = one.enter(params, grads, chosen(subject.kernel))[0]
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
        dtype=plan.storage or plan.dtype,
        tensors=len(workload.sizes),
        elements=workload.elements,
        bytes=workload.elements * traffic(subject.kernel),
        timings=tuple(Timing(n, groups[n], tuple(t)) for n, t in times.items()),
        left_out=tuple((one.name, one.reason) for one in left),
    )


def _arrays(workload: Workload, kernel: Kernel, seed: int) -> tuple[list[Array], list[Array]]:
    """Return parameters and gradients; values repeat, so that large ones are made quickly."""
    pattern = np.random.default_rng(seed).standard_normal(1 << 16)

    def filled(name: str, factor: float) -> list[Array]:
        values = (pattern * factor).astype(array_type(kernel.buffer(name).dtype))
        return [np.resize(values, size) for size in workload.sizes]

    return filled("param", 1.0), filled("grad", 0.1)
