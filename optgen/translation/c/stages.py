"""A function that goes over elements, compared with its stage for every number of elements."""

from __future__ import annotations

from optgen.backends.abi import reads_tensor_scalars
from optgen.ir import Elementwise, Kernel
from optgen.translation.bits.differences import differs
from optgen.translation.bits.words import Bits
from optgen.translation.c.binding import (
    arguments,
    bound,
    buffer_parameters,
    stage_name,
    stage_parameters,
)
from optgen.translation.c.calls import known_call
from optgen.translation.c.code import Program
from optgen.translation.c.drawing import Drawing, draws
from optgen.translation.c.floats import Settling
from optgen.translation.c.integers import Condition, Facts, Linear, compare, minus, symbol
from optgen.translation.c.machine import EndlessLoop, Machine, Undecided
from optgen.translation.c.memory import Fault, Memory, Pointer, Value
from optgen.translation.c.passes import Elements, Lanes
from optgen.translation.kernel_terms import stage_terms
from optgen.translation.terms import Term, Terms
from optgen.verify.verdicts import Unsupported

_MOST_WAYS = 64


def compare_elements(kernel: Kernel, index: int, program: Program, store: Terms) -> str:
    """Compare a stage without sums with its function, for every number of elements.

    Returns:
        Where a value is another, or an element is left out; empty if none is.

    Raises:
        Unsupported: The code is not followed.
    """
    name = stage_name(kernel, index)
    function = program.find(name)
    open_loops = {*function.outer_loops()}
    ways: list[dict[Condition, bool]] = [{}]
    tried = 0
    while ways:
        decided = ways.pop()
        tried += 1
        if tried > _MOST_WAYS:
            raise Unsupported(f"more than {_MOST_WAYS} ways through {name}")
        try:
            found = _one_way(kernel, index, program, store, decided, open_loops)
        except EndlessLoop as loop:
            raise Unsupported(f"{name}: {loop} is not followed") from loop
        except Undecided as open_:
            ways += [{**decided, open_.condition: side} for side in (True, False)]
        except Fault as fault:
            return str(fault)
        else:
            if found:
                return found
    return ""


def _one_way(
    kernel: Kernel,
    index: int,
    program: Program,
    store: Terms,
    decided: dict[Condition, bool],
    open_loops: set[str],
) -> str:
    stage = kernel.stages[index]
    assert isinstance(stage, Elementwise)
    name = stage_name(kernel, index)
    function = program.functions[name]
    n = symbol("n")
    elements = Elements(store)
    first, tensor = symbol("first"), symbol("tensor")

    def fill(memory: Memory, random: str) -> None:
        elements.adopt(memory, random, "bits16", 2)
        memory.writable = False

    hooks = Drawing(n, first, tensor, fill).hook if draws(kernel, index) else known_call
    facts = Facts([n, first])
    machine = Machine(program, store, hooks, facts, dict(decided), elements, open_loops)
    given: dict[str, Value] = {"n": n, "first": first, "tensor": tensor}
    for buffer in buffer_parameters(kernel, index):
        described = kernel.buffer(buffer)
        memory = elements.array(
            buffer, described.dtype.value, described.dtype.size, writable=buffer in stage.stores
        )
        given[buffer] = Pointer(memory, 0)
    if shared := reads_tensor_scalars(kernel, stage):
        width = kernel.arithmetic.size
        cells: dict[int | Linear, tuple[Value, int]] = {
            kernel.tensor_scalars.index(s) * width: (
                store.scalar(s, kernel.arithmetic.value),
                width,
            )
            for s in shared
        }
        size = width * len(kernel.tensor_scalars)
        given["scalars"] = Pointer(Memory("scalars", size, cells, writable=False), 0)
    args = arguments(kernel, store)
    machine.call(name, bound(function, stage_parameters(kernel, index), given, args))
    for lanes in elements.lanes:
        if found := _differs(kernel, stage, store, machine.bits, lanes):
            return f"{name}: {found}"
    left = minus(elements.done, n)
    if left == 0:
        return ""
    end = compare("eq", elements.done, n, machine.facts)
    whole = end if isinstance(end, bool) else machine.facts.decide(end)
    if whole:
        return ""
    if whole is None:
        raise Unsupported(f"{name}: {elements.done} elements are done, which may be all {n}")
    return f"{name}: {elements.done} elements are done instead of {n}"


def _differs(kernel: Kernel, stage: Elementwise, store: Terms, bits: Bits, lanes: Lanes) -> str:
    settling = Settling(store)
    for lane in range(lanes.step):
        wanted = stage_terms(kernel, stage, store, lane)
        for name, value in wanted.items():
            found: Term | None = lanes.outputs.get(name, {}).get(lane)
            if found is None:
                return f"line {lanes.line}: {name} is not written"
            if value is not found and (said := differs(bits, value, found, settling.settle)):
                return f"line {lanes.line}: {name}: {said}"
    return ""
