"""One call of an entry, with tensors of named sizes: which functions over elements it calls.

Those functions are not entered: each call of one is noted, with what it is given and the
floating-point environment it runs in. OpenMP's part is done here, thread after thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from optgen.backends.abi import abi, chunks
from optgen.ir import Kernel
from optgen.translation.c.binding import (
    base_name,
    buffer_parameters,
    stage_name,
    stage_parameters,
)
from optgen.translation.c.calls import is_default_environment, known_call
from optgen.translation.c.code import Program, Ptr, Step, Symbol
from optgen.translation.c.drawing import draws, words
from optgen.translation.c.machine import Hook, Machine
from optgen.translation.c.memory import Memory, Pointer, Value, read
from optgen.translation.terms import Terms, TermType
from optgen.verify.verdicts import Unsupported

_OPENMP_SAYS = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call has to know of a kernel, found once.

    Attributes:
        kernel: The kernel.
        stages: The name of the function of each stage.
        parameters: What each is called with.
        arrays: The arrays of each.
        draws: Whether each draws random numbers.
        host: Names and types of the host values, words included.
    """

    kernel: Kernel
    stages: tuple[str, ...]
    parameters: tuple[tuple[str, ...], ...]
    arrays: tuple[tuple[str, ...], ...]
    draws: tuple[bool, ...]
    host: tuple[tuple[str, TermType], ...]

    @classmethod
    def of(cls, kernel: Kernel) -> Subject:
        """Look at a kernel."""
        indices = range(len(kernel.stages))
        kind: TermType = kernel.arithmetic.value
        word: TermType = "bits32"
        host = [(name, kind) for name in abi(kernel).fields or ("unused",)]
        return cls(
            kernel,
            tuple(stage_name(kernel, i) for i in indices),
            tuple(stage_parameters(kernel, i) for i in indices),
            tuple(buffer_parameters(kernel, i) for i in indices),
            tuple(draws(kernel, i) for i in indices),
            (*host, *((name, word) for name in words(kernel))),
        )


class Called(NamedTuple):
    """One call of a stage."""

    stage: int
    operands: tuple[Value, ...]
    environment: str


@dataclass(slots=True)
class Run:
    """One call of an entry, what it is given, and the calls that it leads to."""

    known: Subject
    program: Program
    sizes: tuple[int, ...]
    fewer: bool = False
    team: int = 0
    store: Terms = field(default_factory=Terms)
    called: list[Called] = field(default_factory=list)
    environment: str = "the caller's"
    saved: dict[int, tuple[Memory, str]] = field(default_factory=dict)
    arrays: dict[int, tuple[str, int]] = field(default_factory=dict)
    work: Memory = field(default_factory=lambda: Memory("work", 0))

    @property
    def kernel(self) -> Kernel:
        """The kernel."""
        return self.known.kernel

    @property
    def chunks(self) -> int:
        """Chunks of all tensors."""
        return sum(map(chunks, self.sizes))

    def entry(self, threads: int) -> None:
        """Call the entry."""
        kernel, count = self.kernel, len(self.sizes)
        width = kernel.arithmetic.size
        numbers = Memory("n", 8 * count, {8 * i: (n, 8) for i, n in enumerate(self.sizes)})
        table = Memory("pointers", 8 * count * len(kernel.buffers), writable=False)
        for b, buffer in enumerate(kernel.buffers):
            for tensor, n in enumerate(self.sizes):
                memory = Memory(f"{buffer.name} of tensor {tensor}", n * buffer.dtype.size)
                self.arrays[id(memory)] = (buffer.name, tensor)
                table.cells[8 * (b * count + tensor)] = (Pointer(memory, 0), 8)
        fields = len(self.known.host)
        args = Memory("args", width * fields * count, writable=False)
        for tensor in range(count):
            for i, value in enumerate(self.host_values(tensor)):
                args.cells[width * (tensor * fields + i)] = (value, width)
        slots, exports = len(kernel.reductions), len(kernel.tensor_scalars)
        self.work = Memory("work", width * (slots * self.chunks + exports * count), writable=False)
        numbers.writable = False
        machine = Machine(self.program, self.store, self.hook)
        given = [Pointer(memory, 0) for memory in (numbers, table, args, self.work)]
        machine.call(base_name(kernel), (count, *given, threads % (1 << 32)))

    def host_values(self, tensor: int) -> tuple[Value, ...]:
        """Return the host values of a tensor and its words, each a symbol."""
        return tuple(
            self.store.scalar(f"{name} of tensor {tensor}", kind) for name, kind in self.known.host
        )

    def hook(self, name: str) -> Hook | None:
        """Return what a call does that is not followed."""
        if name in self.known.stages:
            return self._stage
        found = getattr(self, _HOOKS.get(name, ""), None)
        return found or known_call(name)

    def _stage(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        index = self.known.stages.index(step.words[0])
        function = self.program.find(step.words[0])
        names = self.known.parameters[index]
        place = names.index("args")
        extra = len(function.parameters) - len(names)
        kinds = [kind for _, kind in function.parameters[place : place + extra + 1]]
        fields = self._fields(kinds, operands[place : place + extra + 1])
        rest = (*operands[:place], fields, *operands[place + extra + 1 :])
        self.called.append(Called(index, rest, self.environment))
        return 0

    def _fields(self, kinds: Sequence[object], operands: tuple[Value, ...]) -> tuple[Value, ...]:
        """Return the host values that a stage is given, one by one."""
        (first, *_) = operands
        if kinds == [Ptr()] and isinstance(first, Pointer):
            width = self.kernel.arithmetic.size
            count = len(self.known.host)
            return tuple(read(first.moved(i * width), width) for i in range(count))
        values: list[Value] = []
        for operand in operands:
            values += operand if isinstance(operand, tuple) else (operand,)
        return tuple(values)

    def _get_environment(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        (place,) = operands
        if not isinstance(place, Pointer) or place.memory is None:
            raise Unsupported("where the environment is kept is not known")
        self.saved[id(place.memory)] = (place.memory, self.environment)
        return 0

    def _set_environment(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        (place,) = operands
        if is_default_environment(place):
            self.environment = "IEEE's"
        elif isinstance(place, Pointer) and id(place.memory) in self.saved:
            self.environment = self.saved[id(place.memory)][1]
        else:
            raise Unsupported("an environment that is not known")
        return 0

    def _most_threads(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        return _OPENMP_SAYS

    def _nothing(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        return 0

    def _push(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        asked = operands[-1]
        if not isinstance(asked, int):
            raise Unsupported("how many threads are asked for")
        self.team = max(1, asked - 1) if self.fewer else asked
        return 0

    def _fork(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        _, _, function, *shared = operands
        if not isinstance(function, Symbol) or not self.team:
            raise Unsupported("what threads do is not known")
        for thread in range(self.team):
            number = Memory("thread", 4, {0: (thread, 4)}, writable=False)
            here = Pointer(number, 0)
            machine.call(function.name, (here, here, *shared))
        return 0

    def _share(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        """Cut a loop as OpenMP's static schedule does: one contiguous piece per thread."""
        _, thread, schedule, _, lower, upper, *_ = operands
        if not (isinstance(lower, Pointer) and isinstance(upper, Pointer) and self.team):
            raise Unsupported("a loop that threads share")
        first, last = (_signed(read(place, 4)) for place in (lower, upper))
        if schedule != 34 or not isinstance(thread, int):
            raise Unsupported("how threads share a loop")
        each, more = divmod(last - first + 1, self.team)
        begin = first + thread * each + min(thread, more)
        end = begin + each - (0 if thread < more else 1)
        machine.memory.write(lower, begin % (1 << 32), 4)
        machine.memory.write(upper, end % (1 << 32), 4)
        return 0


_HOOKS = {
    "fegetenv": "_get_environment",
    "fesetenv": "_set_environment",
    "omp_get_max_threads": "_most_threads",
    "__kmpc_global_thread_num": "_nothing",
    "__kmpc_push_num_threads": "_push",
    "__kmpc_fork_call": "_fork",
    "__kmpc_for_static_init_4": "_share",
    "__kmpc_for_static_fini": "_nothing",
}


def _signed(value: Value) -> int:
    if not isinstance(value, int):
        raise Unsupported("the bounds of a loop that threads share")
    return value - (1 << 32) if value >> 31 else value
