"""Launches that sum over all elements, compared with the IR at a few sizes.

What is shown holds for these sizes and these grids, for all values: every array, every
partial sum and every exported scalar is the very term that the IR stands for, the tree
of additions included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

from optgen.backends.abi import BLOCK, Launch, abi, chunks, stage_buffers
from optgen.backends.storing import storing
from optgen.crosscheck.ptx import Module
from optgen.ir import CHUNK, LANES, RANDOM, Elementwise, Kernel, Scalars
from optgen.translation import expand
from optgen.translation.bits.differences import differs
from optgen.translation.kernel_terms import kept, loaded, run, term
from optgen.translation.ptx_block import Words, run_blocks
from optgen.translation.ptx_reading import find_entry
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported


@dataclass(frozen=True, slots=True)
class Size:
    """A size at which a pass over the elements is read.

    Attributes:
        n: Number of elements.
        aligned: Whether all arrays begin at multiples of 16 bytes.
        grid: Number of blocks.
    """

    n: int
    aligned: bool = True
    grid: int = 1

    def __str__(self) -> str:
        words = [] if self.aligned else ["not aligned"]
        words += [] if self.grid == 1 else [f"{self.grid} blocks"]
        return f"{self.n} ({', '.join(words)})" if words else str(self.n)


QUICK = (Size(1), Size(5, aligned=False), Size(LANES + 3))
"""Sizes that take seconds; each block has one chunk at most."""

THOROUGH = (*QUICK, Size(2 * CHUNK + 3, grid=2))
"""Sizes at which a block has more than one chunk, and there is more than one block."""

CHUNKS = (0, 1, 2, 3, 5)
"""Numbers of chunks at which the end of a sum is read."""


@dataclass(frozen=True, slots=True)
class Values:
    """Values before a launch: each element of an array is a term of its own.

    Attributes:
        store: Where terms are built.
        type: The type of arithmetic.
        kept: The types of arrays that are kept in another one.
    """

    store: Terms
    type: TermType
    kept: Mapping[str, TermType] = field(default_factory=dict)

    @classmethod
    def of(cls, kernel: Kernel, store: Terms) -> Values:
        """Return the values of a kernel."""
        kept: dict[str, TermType] = {b.name: b.dtype.value for b in kernel.buffers}
        word: TermType = "bits16"
        kept |= dict.fromkeys(RANDOM if kernel.random else (), word)
        return cls(store, kernel.arithmetic.value, kept)

    def array(self, name: str, count: int) -> list[Term | None]:
        """Return the elements of an array."""
        return [self.at(name, index) for index in range(count)]

    def kind(self, name: str) -> TermType:
        """Return the type of an array's elements."""
        return self.kept.get(name, self.type)

    def at(self, name: str, index: int) -> Term:
        """Return one element."""
        return self.store.make("element", self.kind(name), payload=(name, index))


def compare_sums(
    kernel: Kernel, index: int, launch: Launch, module: Module | str, sizes: Sequence[Size]
) -> str:
    """Compare one launch of a kernel with the IR at some sizes; return how it differs.

    Args:
        kernel: The kernel.
        index: Which of its stages it is.
        launch: Its launch.
        module: The PTX.
        sizes: Sizes at which passes over the elements are read.

    Returns:
        Where a value is another than the IR's; empty if none is.

    Raises:
        Unsupported: The code is not followed.
    """
    stage = kernel.stages[index]
    if isinstance(stage, Scalars):
        for count in CHUNKS:
            if found := _finish(kernel, index, launch, module, count * CHUNK):
                return f"with {count} chunks: {found}"
        return ""
    for size in sizes:
        if found := _pass(kernel, stage, launch, module, size):
            return f"with n = {size}: {found}"
    return ""


def instances(kernel: Kernel, index: int, sizes: Sequence[Size]) -> str:
    """Say at which sizes a launch is compared."""
    if isinstance(kernel.stages[index], Scalars):
        return f"shown for {', '.join(map(str, CHUNKS))} chunks"
    return f"shown for n = {', '.join(map(str, sizes))}"


def _parameters(
    kernel: Kernel, launch: Launch, values: Values, n: int
) -> dict[int, str | int | Mapping[int, Term]]:
    found: dict[int, str | int | Mapping[int, Term]] = {}
    for place, name in enumerate(launch.parameters):
        if name == "args":
            found[place] = {
                kernel.arithmetic.size * i: values.store.scalar(field, values.type)
                for i, field in enumerate(abi(kernel).fields)
            }
        else:
            found[place] = n if name == "n" else name
    return found


def _pass(
    kernel: Kernel,
    stage: Elementwise,
    launch: Launch,
    module: Module | str,
    size: Size,
) -> str:
    if storing(kernel, stage).random:
        raise Unsupported("a pass that sums what it has rounded at random")
    n = size.n
    entry = find_entry(module, launch.entry)
    values = Values.of(kernel, Terms())
    called = abi(kernel)
    arrays = {name: values.array(name, n) for name in stage_buffers(kernel, stage)}
    scratch: dict[str, list[Term | None]] = {
        "partials": [None] * (called.partials * chunks(n)),
        "scalars": values.array("scalars", called.scalars),
    }
    arrays |= {name: scratch[name] for name in scratch if name in launch.parameters}
    words = Words(entry, arrays, _parameters(kernel, launch, values, n), values.type, values.kept)
    run_blocks(entry, words, values.store, grid=size.grid, threads=BLOCK, aligned=size.aligned)
    wanted = wanted_pass(kernel, stage, values, n)
    return _compare(wanted, words)


def wanted_pass(
    kernel: Kernel, stage: Elementwise, values: Values, n: int
) -> dict[tuple[str, int], Term]:
    """Return what the IR leaves behind one pass: elements stored, and a sum for each chunk."""
    wanted: dict[tuple[str, int], Term] = {}
    zero = values.store.constant(Fraction(0), values.type)
    shared = {name: values.at("scalars", i) for i, name in enumerate(kernel.tensor_scalars)}
    terms: list[list[Term]] = [[] for _ in stage.reductions]
    for index in range(n):
        here = partial(_at, values, index)
        local = loaded(kernel, stage, values.store, here) | shared
        run(values.store, stage.body, local, kernel.arithmetic.value)
        stored = kept(kernel, stage, values.store, local)
        wanted |= {(name, index): value for name, value in stored.items()}
        for found, reduction in zip(terms, stage.reductions, strict=True):
            found.append(term(values.store, reduction.value, local, kernel.arithmetic.value))
    for found, reduction in zip(terms, stage.reductions, strict=True):
        place = kernel.reductions.index(reduction)
        for chunk in range(chunks(n)):
            inside = found[chunk * CHUNK : (chunk + 1) * CHUNK]
            inside += [zero] * (CHUNK - len(inside))
            wanted["partials", place * chunks(n) + chunk] = chunk_sum(values.store, inside)
    return wanted


def _at(values: Values, index: int, name: str, _: TermType) -> Term:
    return values.at(name, index)


def chunk_sum(store: Terms, elements: Sequence[Term]) -> Term:
    """Return the sum of one chunk, in the tree of the IR."""
    lanes = list(elements[:LANES])
    for begin in range(LANES, len(elements), LANES):
        lanes = [
            expand.operation(store, "add", total, element)
            for total, element in zip(lanes, elements[begin : begin + LANES], strict=True)
        ]
    return halved(store, lanes)


def halved(store: Terms, lanes: list[Term]) -> Term:
    """Return the sum of a power of two of values, the upper half added to the lower."""
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [
            expand.operation(store, "add", a, b)
            for a, b in zip(lanes[:half], lanes[half:], strict=True)
        ]
    return lanes[0]


def _finish(kernel: Kernel, index: int, launch: Launch, module: Module | str, n: int) -> str:
    stage = kernel.stages[index]
    previous = kernel.stages[index - 1]
    assert isinstance(stage, Scalars)
    assert isinstance(previous, Elementwise)
    entry = find_entry(module, launch.entry)
    values = Values.of(kernel, Terms())
    called = abi(kernel)
    count = chunks(n)
    earlier = {
        name: values.at("scalars", i)
        for i, name in enumerate(kernel.tensor_scalars)
        if name not in stage.exports
    }
    scalars = [earlier.get(name) for name in kernel.tensor_scalars]
    arrays = {"partials": values.array("partials", called.partials * count), "scalars": scalars}
    words = Words(entry, arrays, _parameters(kernel, launch, values, n), values.type)
    run_blocks(entry, words, values.store, grid=1, threads=BLOCK, aligned=False)
    zero = values.store.constant(Fraction(0), values.type)
    local: dict[str, Term] = dict(earlier)
    for reduction in previous.reductions:
        place = kernel.reductions.index(reduction)
        width = 1
        while width < count:
            width *= 2
        sums = [values.at("partials", place * count + i) for i in range(count)]
        local[reduction.target] = halved(values.store, sums + [zero] * (width - count))
    run(values.store, stage.body, local, kernel.arithmetic.value)
    wanted = {("scalars", kernel.tensor_scalars.index(n)): local[n] for n in stage.exports}
    return _compare(wanted, words)


def _compare(wanted: Mapping[tuple[str, int], Term], words: Words) -> str:
    for (array, index), value in wanted.items():
        found = words.arrays[array][index]
        if found is None:
            return f"{array} at {index} is not written"
        if said := differs(words.bits, value, found):
            return f"{array} at {index}: {said}"
    return ""
