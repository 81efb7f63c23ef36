"""The walk over tensors, chunks and threads, run for named lists: is every element done once?

All calls of the functions over elements together must be every element of every array once,
each with its own tensor's host values, at its own place for sums, in IEEE's environment.
"""

from __future__ import annotations

from collections.abc import Sequence

from optgen.backends.abi import chunks
from optgen.ir import CHUNK, Elementwise, Kernel, Scalars
from optgen.translation.c.binding import base_name
from optgen.translation.c.calling import Called, Run, Subject
from optgen.translation.c.code import Program
from optgen.translation.c.memory import Fault, Pointer, Value
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
    known = Subject.of(kernel)
    for sizes in lists:
        for threads in THREADS:
            for fewer in (False, True):
                # OpenMP may give fewer threads than were asked for.
                run = Run(known, program, sizes, fewer)
                try:
                    run.entry(threads)
                    found = _wrong(run)
                except Fault as fault:
                    found = str(fault)
                if found:
                    return f"{entry}: tensors of {_listed(sizes)}, {threads} threads: {found}"
                if not run.team:  # nothing was left to OpenMP
                    break
    return ""


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes)) if sizes else "no"


def _wrong(run: Run) -> str:
    if run.environment != "the caller's":
        return "the caller's environment is not given back"
    order = [call.stage for call in run.called]
    if order != sorted(order):
        return "a stage begins before the one before it is done"
    for index, stage in enumerate(run.kernel.stages):
        calls = [call for call in run.called if call.stage == index]
        if any(call.environment != "IEEE's" for call in calls):
            return f"{run.known.stages[index]} runs in the caller's environment"
        check = _finished if isinstance(stage, Scalars) else _covered
        if found := check(run, index, calls):
            return f"{run.known.stages[index]}: {found}"
    return ""


def _finished(run: Run, index: int, calls: list[Called]) -> str:
    """Compare the calls that finish sums: one for each tensor, with its own."""
    if len(calls) != len(run.sizes):
        return f"{len(calls)} calls for {len(run.sizes)} tensors"
    names = run.known.parameters[index]
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


def _covered(run: Run, index: int, calls: list[Called]) -> str:
    """Compare the calls of one pass over all elements."""
    stage = run.kernel.stages[index]
    assert isinstance(stage, Elementwise)
    names = run.known.parameters[index]
    buffers = run.known.arrays[index]
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
        if run.known.draws[index] and (n > CHUNK or at % CHUNK):
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


def _place(run: Run, value: Value, name: str) -> tuple[int, int]:
    """Return the tensor and the element that an array of a call begins with."""
    if not isinstance(value, Pointer) or not isinstance(value.offset, int):
        raise Unsupported(f"{name} is no address")
    buffer, tensor = run.arrays.get(id(value.memory), ("", -1))
    width = run.kernel.buffer(name).dtype.size
    if buffer != name or value.offset % width:
        return -1, 0
    return tensor, value.offset // width


def _places(run: Run, tensor: int, chunk: int) -> dict[str, Value]:
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
