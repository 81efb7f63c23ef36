"""The walk over tensors, chunks and threads, run for named lists: is every element done once?

The functions over elements are not entered: each call of one is noted, with what it is
given. All parts of all tensors together must be every element of every array once, each
with its own tensor's host values, at its own place for sums, in IEEE's environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from optgen.backends.abi import abi, chunks
from optgen.ir import CHUNK, Elementwise, Kernel, Scalars
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
from optgen.translation.c.memory import Fault, Memory, Pointer, Value, read
from optgen.translation.terms import Terms, TermType
from optgen.verify.verdicts import Unsupported

LISTS: tuple[tuple[int, ...], ...] = (
    (),
    (1,),
    (2 * CHUNK,),
    (0, 1, CHUNK, CHUNK + 1, 5, 4 * CHUNK + 1, 6 * CHUNK + 7),
    (40_000, 40_000, 40_000),
    (5 * CHUNK + 4, 1),
    (6 * CHUNK + 7, 1, 4 * CHUNK + 1, 5),
    (4 * CHUNK + 1, CHUNK + 1, 2 * CHUNK, 5, 3 * CHUNK - 1, 0, 1),
)
"""Numbers of elements of the tensors of one call: rising, alike, and large ones before small ones,
in which a thread that has lost count of the tensors before leaves out what follows."""

THREADS = (1, 2, 3, 7, 0)
"""Numbers of threads that are asked for; 0 leaves it to OpenMP, which then says 3."""

_OPENMP_SAYS = 3


class _Called(NamedTuple):
    """One call of a stage."""

    stage: int
    operands: tuple[Value, ...]
    environment: str


@dataclass(slots=True)
class _Run:
    """One call of an entry, what it is given, and the calls that it leads to."""

    kernel: Kernel
    program: Program
    sizes: tuple[int, ...]
    fewer: bool = False
    team: int = 0
    store: Terms = field(default_factory=Terms)
    called: list[_Called] = field(default_factory=list)
    environment: str = "the caller's"
    saved: dict[int, tuple[Memory, str]] = field(default_factory=dict)
    arrays: dict[int, tuple[str, int]] = field(default_factory=dict)
    work: Memory = field(default_factory=lambda: Memory("work", 0))

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
        fields = len(self.host_values(0))
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
        kind: TermType = self.kernel.arithmetic.value
        kinds = dict.fromkeys(abi(self.kernel).fields or ("unused",), kind)
        word: TermType = "bits32"
        kinds |= dict.fromkeys(words(self.kernel), word)
        return tuple(
            self.store.scalar(f"{name} of tensor {tensor}", kind) for name, kind in kinds.items()
        )

    def hook(self, name: str) -> Hook | None:
        """Return what a call does that is not followed."""
        for index in range(len(self.kernel.stages)):
            if name == stage_name(self.kernel, index):
                return self._stage
        found = getattr(self, _HOOKS.get(name, ""), None)
        return found or known_call(name)

    def _stage(self, machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
        (index,) = [
            i for i in range(len(self.kernel.stages)) if stage_name(self.kernel, i) == step.words[0]
        ]
        function = self.program.find(step.words[0])
        names = stage_parameters(self.kernel, index)
        place = names.index("args")
        extra = len(function.parameters) - len(names)
        kinds = [kind for _, kind in function.parameters[place : place + extra + 1]]
        fields = self._fields(kinds, operands[place : place + extra + 1])
        rest = (*operands[:place], fields, *operands[place + extra + 1 :])
        self.called.append(_Called(index, rest, self.environment))
        return 0

    def _fields(self, kinds: Sequence[object], operands: tuple[Value, ...]) -> tuple[Value, ...]:
        """Return the host values that a stage is given, one by one."""
        (first, *_) = operands
        if kinds == [Ptr()] and isinstance(first, Pointer):
            width = self.kernel.arithmetic.size
            count = len(self.host_values(0))
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


def compare_walk(kernel: Kernel, program: Program, lists: Sequence[tuple[int, ...]] = LISTS) -> str:
    """Run the entry of a kernel for lists of tensors and numbers of threads.

    Returns:
        What is done twice, not at all or with wrong values; empty if nothing is.

    Raises:
        Unsupported: The code is not followed.
    """
    entry = base_name(kernel)
    if len(program.find(entry).parameters) != 6:
        raise Unsupported(f"{entry} has not six parameters")
    for sizes in lists:
        for threads in THREADS:
            for fewer in (False, True):
                # OpenMP may give fewer threads than were asked for.
                run = _Run(kernel, program, sizes, fewer)
                try:
                    run.entry(threads)
                    found = _wrong(run)
                except Fault as fault:
                    found = str(fault)
                if found:
                    return f"{entry}: tensors of {_listed(sizes)}, {threads} threads: {found}"
    return ""


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes)) if sizes else "no"


def _wrong(run: _Run) -> str:
    if run.environment != "the caller's":
        return "the caller's environment is not given back"
    order = [call.stage for call in run.called]
    if order != sorted(order):
        return "a stage begins before the one before it is done"
    for index, stage in enumerate(run.kernel.stages):
        calls = [call for call in run.called if call.stage == index]
        if any(call.environment != "IEEE's" for call in calls):
            return f"{stage_name(run.kernel, index)} runs in the caller's environment"
        check = _finished if isinstance(stage, Scalars) else _covered
        if found := check(run, index, calls):
            return f"{stage_name(run.kernel, index)}: {found}"
    return ""


def _finished(run: _Run, index: int, calls: list[_Called]) -> str:
    """Compare the calls that finish sums: one for each tensor, with its own."""
    if len(calls) != len(run.sizes):
        return f"{len(calls)} calls for {len(run.sizes)} tensors"
    names = stage_parameters(run.kernel, index)
    before = 0
    for tensor, (n, call) in enumerate(zip(run.sizes, calls, strict=True)):
        given = dict(zip(names, call.operands, strict=True))
        wanted = _places(run, tensor, before) | {
            "args": run.host_values(tensor),
            "chunks": chunks(n),
        }
        if found := _other(given, wanted, tensor):
            return found
        before += chunks(n)
    return ""


def _covered(run: _Run, index: int, calls: list[_Called]) -> str:
    """Compare the calls of one pass over all elements."""
    stage = run.kernel.stages[index]
    assert isinstance(stage, Elementwise)
    names = stage_parameters(run.kernel, index)
    buffers = buffer_parameters(run.kernel, index)
    before = [sum(map(chunks, run.sizes[:t])) for t in range(len(run.sizes))]
    parts: list[list[tuple[int, int]]] = [[] for _ in run.sizes]
    for call in calls:
        given = dict(zip(names, call.operands, strict=True))
        places = {_place(run, given[name], name) for name in buffers}
        if len(places) != 1:
            return "arrays of different tensors, or different places, in one call"
        ((tensor, at),) = places
        if tensor < 0:
            return "an array in the place of another"
        n = given["n"]
        if not isinstance(n, int) or n == 0:
            raise Unsupported(f"a call for {n} elements")
        wanted = _places(run, tensor, before[tensor] + at // CHUNK)
        wanted |= {"args": run.host_values(tensor), "first": at, "tensor": tensor}
        if found := _other(given, wanted, tensor):
            return found
        if draws(run.kernel, index) and (n > CHUNK or at % CHUNK):
            return f"tensor {tensor}: {n} elements from {at} on draw random numbers for a chunk"
        if stage.reductions and (at % CHUNK or n != min(CHUNK, run.sizes[tensor] - at)):
            return f"tensor {tensor}: {n} elements from {at} on are no chunk"
        parts[tensor].append((at, n))
    for tensor, (n, pieces) in enumerate(zip(run.sizes, parts, strict=True)):
        end = 0
        for at, width in sorted(pieces):
            if at != end:
                what = "twice" if at < end else "not at all"
                return f"tensor {tensor}: element {min(at, end)} is done {what}"
            end = at + width
        if end != n:
            return f"tensor {tensor}: {end} elements are done instead of {n}"
    return ""


def _place(run: _Run, value: Value, name: str) -> tuple[int, int]:
    """Return the tensor and the element that an array of a call begins with."""
    if not isinstance(value, Pointer) or not isinstance(value.offset, int):
        raise Unsupported(f"{name} is no address")
    buffer, tensor = run.arrays.get(id(value.memory), ("", -1))
    width = run.kernel.buffer(name).dtype.size
    if buffer != name or value.offset % width:
        return -1, 0
    return tensor, value.offset // width


def _places(run: _Run, tensor: int, chunk: int) -> dict[str, Value]:
    """Return where the sums of a chunk and the values of a tensor must lie."""
    width = run.kernel.arithmetic.size
    slots, exports = len(run.kernel.reductions), len(run.kernel.tensor_scalars)
    return {
        "partials": Pointer(run.work, width * chunk),
        "stride": run.chunks,
        "scalars": Pointer(run.work, width * (slots * run.chunks + exports * tensor)),
    }


def _other(given: dict[str, Value], wanted: dict[str, Value], tensor: int) -> str:
    for name, value in wanted.items():
        if name in given and given[name] != value:
            return f"tensor {tensor}: {name} is another"
    return ""
