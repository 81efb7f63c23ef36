"""Who takes part: a call that does one step, and how it shows that it computes the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.backends.base import Heading
from optgen.bench.floor import floor_on
from optgen.bench.naive import naive_step
from optgen.bench.printed import Printed
from optgen.bench.workloads import Workload
from optgen.crosscheck.types import array_type, wide
from optgen.errors import OptgenError, UsageError
from optgen.ir import DType, Kernel
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.runtime.load import LoadedKernel, load_kernel
from optgen.spec import OptimizerSpec
from optgen.storage import parse_storage

Array = NDArray[Any]

TOLERANCE = 1e-4
"""Relative difference after three steps in float32 up to which two formulas count as one."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """One way of doing a step.

    Attributes:
        name: What tables call it.
        group: `"floor"`, `"optgen"`, `"naive"`, `"torch"` or `"optax"`.
        enter: Takes parameters, gradients and hyperparameters; returns a call that does one
            step, and one that returns the parameters as they are then.
        copies: How many times the memory of parameters, gradients and states it needs.
        checked: Whether it computes a rule, and so is compared with it.
    """

    name: str
    group: str
    enter: Callable[
        [Sequence[Array], Sequence[Array], dict[str, float]],
        tuple[Callable[[], None], Callable[[], Sequence[Array]]],
    ]
    copies: float = 1.0
    checked: bool = True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Who does not take part, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule to be timed.

    Attributes:
        spec: The rule.
        kernel: Its kernel, for arrays of one type or of a storage mix.
        load: Gives the kernel for a target: the generated one, or that of a mix, printed now.
    """

    spec: OptimizerSpec
    kernel: Kernel
    load: Callable[[str], LoadedKernel]

    @classmethod
    def of(cls, spec: OptimizerSpec, dtype: str, storage: str = "") -> Subject:
        """Lower a rule for one type, or for a storage mix.

        Raises:
            UsageError: The mix makes no sense for the rule.
        """
        if not storage:
            kernel = run_passes(lower(spec, DType(dtype)))
            return cls(spec, kernel, lambda target: load_kernel(spec.identifier, target=target))
        mix = parse_storage(storage)
        kernel = store_as(run_passes(lower(spec, mix.arithmetic)), mix)
        return cls(spec, kernel, Printed(Heading.of(spec, mix), kernel).load)

    @property
    def arrays(self) -> int:
        """How many arrays as large as the parameter a step touches."""
        return len(self.kernel.buffers)

    def bytes_for(self, workload: Workload) -> int:
        """Return the memory of parameters, gradients and states."""
        return workload.elements * sum(b.dtype.size for b in self.kernel.buffers)


def own(subject: Subject, targets: Sequence[str]) -> Iterator[Entrant | LeftOut]:
    """Yield the floor, our targets, and C with gradients that are new at every call."""
    yield Entrant("floor", "floor", _floor(subject), checked=False)
    for target in targets:
        try:
            subject.load(target)
        except OptgenError as error:
            yield LeftOut(target, str(error).splitlines()[0])
            continue
        yield Entrant(target, "optgen", _kernel(subject, target))
        if target == "c":
            yield Entrant("c, new gradients", "optgen", _new_gradients(subject), copies=1.25)


def naive(subject: Subject) -> Iterator[Entrant | LeftOut]:
    """Yield the rule as a textbook writes it in NumPy."""
    try:
        step = naive_step(subject.spec)
    except UsageError as error:
        yield LeftOut("naive", error.what)
        return

    def enter(params: Sequence[Array], grads: Sequence[Array], chosen: dict[str, float]) -> Any:
        states = _states(subject, params)

        def run() -> None:
            for param, grad, state in zip(params, grads, states, strict=True):
                step(param, grad, state, **chosen)

        return run, lambda: params

    yield Entrant("naive", "naive", enter, copies=1.75)


def _floor(subject: Subject) -> Callable[..., Any]:
    def enter(params: Sequence[Array], grads: Sequence[Array], _chosen: dict[str, float]) -> Any:
        arrays = {"param": params, "grad": grads}
        for buffer in subject.kernel.buffers:
            if buffer.name not in arrays:
                kind = array_type(buffer.dtype)
                arrays[buffer.name] = [np.ones(p.shape, kind) for p in params]
        return floor_on(subject.kernel, arrays), lambda: params

    return enter


def _states(subject: Subject, params: Sequence[Array]) -> list[dict[str, Array]]:
    module = subject.load("numpy")
    return [module.init(p) for p in params]


def _kernel(subject: Subject, target: str) -> Callable[..., Any]:
    def enter(params: Sequence[Array], grads: Sequence[Array], chosen: dict[str, float]) -> Any:
        kernel = subject.load(target)
        states = [kernel.init(p) for p in params]
        given: tuple[Any, ...] = (params, grads, states)
        if len(params) == 1:
            given = (params[0], grads[0], states[0])
        return lambda: kernel.step(*given, **chosen), lambda: params

    return enter


def _new_gradients(subject: Subject) -> Callable[..., Any]:
    def enter(params: Sequence[Array], grads: Sequence[Array], chosen: dict[str, float]) -> Any:
        kernel = subject.load("c")
        states = [kernel.init(p) for p in params]
        sets = [grads, [g.copy() for g in grads]]  # in turns: never those of the call before

        def run() -> None:
            sets.reverse()
            if len(params) == 1:
                kernel.step(params[0], sets[0][0], states[0], **chosen)
            else:
                kernel.step(params, sets[0], states, **chosen)

        return run, lambda: params

    return enter


def computes_the_rule(subject: Subject, entrant: Entrant, chosen: dict[str, float]) -> str:
    """Run three steps on a small tensor beside our NumPy kernel; say how they differ."""
    param, grad = (array_type(subject.kernel.buffer(name).dtype) for name in ("param", "grad"))
    rng = np.random.default_rng(11)
    start = [rng.standard_normal(n).astype(param) for n in (50, 7)]
    given = [rng.standard_normal(n).astype(grad) for n in (50, 7)]
    wanted = [p.copy() for p in start]
    states = _states(subject, wanted)
    module = subject.load("numpy")
    theirs = [g.copy() for g in given]
    run, read = entrant.enter([p.copy() for p in start], theirs, chosen)
    for _ in range(3):
        module.step(wanted, given, states, **chosen)
        for old, fresh in zip(theirs, given, strict=True):
            old[...] = fresh  # torch's foreach Nesterov writes into its gradients
        run()
    worst = 0.0
    for left, right in zip(wanted, read(), strict=True):
        ours, others = wide(left), wide(np.asarray(right))
        moved = np.abs(ours - others) / (np.abs(ours) + 1e-3)
        worst = max(worst, float(np.max(moved, initial=0.0)))
    if not worst <= TOLERANCE:
        return f"computes something else: {worst:.1e} off after three steps"
    return ""
