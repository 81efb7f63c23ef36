"""Functions that sum, compared with their stages at named sizes: the tree of additions included.

What is shown holds for these sizes, for all values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from optgen.backends.abi import chunks, reads_tensor_scalars
from optgen.ir import CHUNK, LANES, Elementwise, Kernel, Scalars
from optgen.translation.bits.conversions import WIDTHS
from optgen.translation.bits.differences import differs
from optgen.translation.bits.words import Bits, Word
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
from optgen.translation.c.integers import Linear
from optgen.translation.c.machine import Hook, Machine
from optgen.translation.c.memory import Fault, Memory, Pointer, Value
from optgen.translation.kernel_terms import run
from optgen.translation.ptx_sums import Values, halved, wanted_pass
from optgen.translation.terms import Term, Terms
from optgen.verify.verdicts import Unsupported

SIZES = (1, 5, 1027)
"""Numbers of elements, of one chunk at most, at which a sum is read."""

THOROUGH = (*SIZES, 3 * LANES, CHUNK - 1, CHUNK)
"""Sizes that take half a minute."""

CHUNKS = (0, 1, 2, 3, 5)
"""Numbers of chunks at which the end of a sum is read."""

_FIRST, _TENSOR = 3 * CHUNK, 5
"""What a chunk that is looked at is of, where it draws random numbers."""

_BESIDE = 3
"""Chunks of other tensors, whose sums lie beside those of the one looked at."""


def compare_sums(kernel: Kernel, index: int, program: Program, sizes: Sequence[int] = SIZES) -> str:
    """Compare a stage that sums, or that finishes a sum, with its function.

    Args:
        kernel: The kernel.
        index: Which of its stages it is.
        program: The code.
        sizes: Numbers of elements at which a stage that sums is read.

    Returns:
        Where a value is another; empty if none is.

    Raises:
        Unsupported: The code is not followed.
    """
    stage = kernel.stages[index]
    sizes = CHUNKS if isinstance(stage, Scalars) else sizes
    compare = _finish if isinstance(stage, Scalars) else _pass
    for size in sizes:
        try:
            found = compare(kernel, index, program, size)
        except Fault as fault:
            found = str(fault)
        if found:
            what = "chunks" if isinstance(stage, Scalars) else "elements"
            return f"{stage_name(kernel, index)}: with {size} {what}: {found}"
    return ""


def _array(values: Values, name: str, count: int, *, writable: bool) -> Memory:
    width = WIDTHS[values.kind(name)] // 8

    def given(offset: int | Linear, size: int) -> Value:
        if not isinstance(offset, int) or offset % width or size != width:
            raise Unsupported(f"{name} is read at byte {offset}")
        return values.at(name, offset // width)

    return Memory(name, count * width, given=given, writable=writable)


def _call(
    kernel: Kernel,
    index: int,
    program: Program,
    given: dict[str, Value],
    values: Values,
    bits: Bits,
) -> None:
    name = stage_name(kernel, index)
    function = program.find(name)
    args = arguments(kernel, values.store)
    hooks: Callable[[str], Hook | None] = known_call
    if draws(kernel, index):
        n = given["n"]
        assert isinstance(n, int)
        width = WIDTHS["bits16"] // 8

        def fill(memory: Memory, random: str) -> None:
            memory.cells.update({width * i: (values.at(random, i), width) for i in range(n)})

        given = {**given, "first": _FIRST, "tensor": _TENSOR}
        hooks = Drawing(n, _FIRST, _TENSOR, fill).hook
    machine = Machine(program, values.store, hooks)
    machine.bits = bits
    machine.call(name, bound(function, stage_parameters(kernel, index), given, args))


def _pass(kernel: Kernel, index: int, program: Program, n: int) -> str:
    stage = kernel.stages[index]
    assert isinstance(stage, Elementwise)
    values = Values.of(kernel, Terms())
    width, stride = kernel.arithmetic.size, _BESIDE
    arrays = {
        name: _array(values, name, n, writable=name in stage.stores)
        for name in buffer_parameters(kernel, index)
    }
    partials = Memory("partials", len(kernel.reductions) * stride * width)
    given: dict[str, Value] = {name: Pointer(memory, 0) for name, memory in arrays.items()}
    given |= {"n": n, "partials": Pointer(partials, 0), "stride": stride}
    if reads_tensor_scalars(kernel, stage):
        count = len(kernel.tensor_scalars)
        given["scalars"] = Pointer(_array(values, "scalars", count, writable=False), 0)
    bits = Bits(values.store)
    _call(kernel, index, program, given, values, bits)
    wanted = wanted_pass(kernel, stage, values, n)
    places = {id(r): i for i, r in enumerate(kernel.reductions)}
    sums = {("partials", places[id(r)] * stride) for r in stage.reductions}
    moved = {
        (name, at // chunks(n) * stride if name == "partials" else at): term
        for (name, at), term in wanted.items()
    }
    extra = [at for at in partials.cells if ("partials", _exact(at) // width) not in sums]
    if extra:
        return f"partials are written at byte {extra[0]}"
    return _compare(values, bits, moved, {**arrays, "partials": partials})


def _finish(kernel: Kernel, index: int, program: Program, count: int) -> str:
    stage, previous = kernel.stages[index], kernel.stages[index - 1]
    assert isinstance(stage, Scalars)
    assert isinstance(previous, Elementwise)
    values = Values.of(kernel, Terms())
    width, stride = kernel.arithmetic.size, count + _BESIDE
    names = kernel.tensor_scalars
    partials = _array(values, "partials", len(kernel.reductions) * stride, writable=True)
    scalars = _array(values, "scalars", len(names), writable=True)
    given: dict[str, Value] = {
        "chunks": count,
        "partials": Pointer(partials, 0),
        "stride": stride,
        "scalars": Pointer(scalars, 0),
    }
    bits = Bits(values.store)
    _call(kernel, index, program, given, values, bits)
    zero = values.store.constant(Fraction(0), values.type)
    local: dict[str, Term] = {
        name: values.at("scalars", i) for i, name in enumerate(names) if name not in stage.exports
    }
    power = 1
    while power < count:
        power *= 2
    for reduction in previous.reductions:
        place = kernel.reductions.index(reduction)
        sums = [values.at("partials", place * stride + i) for i in range(count)]
        local[reduction.target] = halved(values.store, sums + [zero] * (power - count))
    run(values.store, stage.body, local, kernel.arithmetic.value)
    wanted = {("scalars", names.index(name)): local[name] for name in stage.exports}
    for at in partials.cells:
        if _exact(at) // width % stride >= count:
            return f"the sum of another tensor is written, at byte {at}"
    if len(scalars.cells) != len(wanted):
        return "another value is exported"
    return _compare(values, bits, wanted, {"scalars": scalars})


def _exact(offset: int | Linear) -> int:
    assert isinstance(offset, int)
    return offset


def _compare(
    values: Values, bits: Bits, wanted: dict[tuple[str, int], Term], arrays: dict[str, Memory]
) -> str:
    settling = Settling(values.store)
    for (name, at), value in wanted.items():
        kind = values.kind(name)
        cell = arrays[name].cells.get(at * WIDTHS[kind] // 8)
        if cell is None:
            return f"{name} at {at} is not written"
        found = bits.value(cell[0], kind) if isinstance(cell[0], Word) else cell[0]
        if not isinstance(found, Term):
            raise Unsupported(f"{name} at {at} is no float")
        if value is not found and (said := differs(bits, value, found, settling.settle)):
            return f"{name} at {at}: {said}"
    return ""
