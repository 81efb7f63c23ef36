"""Does a generated NumPy module compute what the kernel's IR says, bit for bit?

The module's own functions run on traced arrays of a few sizes: one element, less than a
block, a block, several blocks, and a tensor that is cut for threads. In each, every element
of every output must be the very term that the IR stands for, made from its own elements
alone; the host program is traced along. Helpers are taken by their meaning there and looked
at by themselves: the two that sum and `_ipow` are followed at many sizes, `_sign`, conversions
of types of two bytes and random numbers are run.

One thread does all blocks of a trace, first to last. That others may do them at the same
time changes nothing: no element is made from what another block has written, and each
thread has a workspace of its own, of which nothing is read before it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from types import ModuleType
from typing import Any, Literal

import numpy as np

from optgen.backends.numpy import BLOCK, SHARE
from optgen.ir import CHUNK, Kernel
from optgen.translation import expand
from optgen.translation.kernel_terms import convert, kernel_terms, power, total
from optgen.translation.numpy_conversions import Stream, conversions, conversions_differ
from optgen.translation.numpy_memory import Memory, shifted
from optgen.translation.numpy_powers import powers_differ
from optgen.translation.numpy_signs import signs_differ
from optgen.translation.numpy_stand_ins import Cell, Counter, TracedNumpy
from optgen.translation.numpy_sums import sums_differ
from optgen.translation.numpy_trace import Kind, Scalar, Tracer, View
from optgen.translation.ptx_difference import describe
from optgen.translation.terms import Term, Terms
from optgen.verify.verdicts import Unsupported

SIZES = (1, 1000, BLOCK, 2 * BLOCK + 3, 4 * SHARE + 3)
"""Numbers of elements: one, part of a block, a block, several blocks and a tail, threads."""
_THREADS = 3
_MOST_PATHS = 64


@dataclass(frozen=True, slots=True)
class ModuleProof:
    """What was found for a module.

    Attributes:
        outcome: `"equal"`: the bits are those of the IR for all values at the sizes looked
            at; `"different"`: some operation or rounding is another; `"unknown"`: the code
            is not followed.
        detail: What differs, or what is not followed.
    """

    outcome: Literal["equal", "different", "unknown"]
    detail: str = ""


def compare_module(kernel: Kernel, text: str) -> ModuleProof:
    """Compare a generated module with its IR.

    Args:
        kernel: The kernel, after all passes.
        text: The module's source.
    """
    store = Terms()
    wanted = kernel_terms(kernel, store)
    for size in SIZES:
        try:
            for path in trace(kernel, text, size, store):
                if said := _difference(store, wanted, path):
                    return ModuleProof("different", said)
        except Unsupported as error:
            return ModuleProof("unknown", f"{error}, with {size} elements")
        except RecursionError:
            return ModuleProof("unknown", "the module recurses without end")
        except (TypeError, ValueError, AttributeError, KeyError, NameError, IndexError) as error:
            said = f"{type(error).__name__}: {error}"
            return ModuleProof("unknown", f"the module does not run on traced values: {said}")
    module = _module(kernel, text)
    if kernel.reductions and (said := sums_differ(module)):
        return ModuleProof("different", said)
    if hasattr(module, "_ipow") and (said := powers_differ(module)):
        return ModuleProof("different", said)
    if hasattr(module, "_sign") and (said := signs_differ(module)):
        return ModuleProof("different", said)
    if kernel.mixed and (said := conversions_differ(module)):
        return ModuleProof("different", said)
    return ModuleProof("equal")


@dataclass(frozen=True, slots=True)
class Path:
    """One way through a module.

    Attributes:
        ways: Which comparisons of scalars hold on it.
        outputs: What every array that is written, and every scalar state, holds behind it.
    """

    ways: Mapping[Term, bool]
    outputs: Mapping[str, Term]


def _difference(store: Terms, wanted: Mapping[str, Term], path: Path) -> str:
    for name in sorted(wanted.keys() | path.outputs.keys()):
        if name not in wanted:
            return f"{name} is written, but not by the IR"
        if name not in path.outputs:
            return f"{name} is not written"
        left, right = (assuming(store, t, path.ways) for t in (wanted[name], path.outputs[name]))
        if left is not right:
            return f"{name}: {describe(left, right, {})}"
    return ""


def trace(kernel: Kernel, text: str, size: int, store: Terms) -> Iterator[Path]:
    """Yield every way through a module, for arrays of a size.

    Raises:
        Unsupported: It does what is not modelled, or elements of one array differ in how
            they are made.
    """
    todo: list[tuple[bool, ...]] = [()]
    for _ in range(_MOST_PATHS):
        if not todo:
            return
        chosen = todo.pop()
        ways: dict[Term, bool] = {}

        def decide(
            mask: Term, chosen: tuple[bool, ...] = chosen, ways: dict[Term, bool] = ways
        ) -> bool:
            while mask.operation == "select":
                atom, yes, no = mask.operands
                if atom not in ways:
                    ways[atom] = chosen[len(ways)] if len(ways) < len(chosen) else True
                mask = yes if ways[atom] else no
            return mask.payload == 1

        yield Path(ways, _run(kernel, text, size, Tracer(store, decide)))
        taken = list(ways.values())
        todo += [(*taken[:at], False) for at in range(len(chosen), len(taken))]
    raise Unsupported(f"more than {_MOST_PATHS} ways through the module")


def assuming(store: Terms, term: Term, ways: Mapping[Term, bool]) -> Term:
    """Return what a term is where some comparisons hold and others do not."""
    if not ways:
        return term
    known: dict[Term, Term] = {}

    def read(at: Term) -> Term:
        found = known.get(at)
        if found is None:
            found = known[at] = _assumed(at)
        return found

    def _assumed(at: Term) -> Term:
        if not at.operands:
            return at
        if at.operation == "select":
            atom, yes, no = at.operands
            if atom in ways:
                return read(yes if ways[atom] else no)
            truths = (expand.truth(store, True), expand.truth(store, False))
            mask = store.make("select", "mask", (read(atom), *truths))
            return expand.choose(store, mask, read(yes), read(no))
        operands = tuple(map(read, at.operands))
        if at.operation == "convert":
            return convert(store, operands[0], at.type)
        return store.make(at.operation, at.type, operands, at.payload, at.rounding, at.flushed)

    return read(term)


def _run(kernel: Kernel, text: str, size: int, tracer: Tracer) -> dict[str, Term]:
    """Run one step on traced arrays, one way."""
    store = tracer.store
    before = {b.name: store.element(b.name, b.dtype.value) for b in kernel.buffers}
    arrays = {name: Memory.holding(name, term.type, size, term) for name, term in before.items()}
    views = {name: View(tracer, memory, 0, size) for name, memory in arrays.items()}
    cells = {s.name: Cell(tracer, store.scalar(s.name, "float64")) for s in kernel.scalar_states}
    counter = Counter(tracer)
    state = {b.name: views[b.name] for b in kernel.buffers if b.role == "state"}
    given = [Scalar(tracer, store.scalar(a.name, "float64")) for a in kernel.arguments]
    module = _module(kernel, text)
    module.__dict__.update(np=TracedNumpy(tracer), **_helpers(tracer, size), **_ALONE)
    inputs = [views[b.name] for b in kernel.buffers if b.role in ("param", "grad", "input")]
    more: tuple[object, ...] = ()
    if kernel.random:
        stream = Stream(tracer, size, counter, given[-1])
        module.__dict__.update(_random=stream.rows, int=stream.whole)
        more = (stream.number,)
    module._step(*inputs, {**state, **cells, "step": counter}, *given, *more)
    if counter.written is not store.scalar("step", "float64"):
        raise Unsupported("the number of steps done does not go up by one")
    outputs = {name: _whole(store, memory) for name, memory in arrays.items()}
    changed = {n: t for n, t in outputs.items() if t is not before[n]}
    return changed | {name: cell.term for name, cell in cells.items()}


def _module(kernel: Kernel, text: str) -> ModuleType:
    module = ModuleType(f"traced.{kernel.name}")
    exec(compile(text, f"generated/numpy/{kernel.name}.py", "exec"), module.__dict__)
    return module


def _whole(store: Terms, memory: Memory) -> Term:
    """Return the one term of all elements of an array."""
    terms = {piece.term for piece in memory.pieces}
    if len(terms) != 1 or None in terms:
        raise Unsupported(f"elements of {memory.name} differ in how they are made")
    (term,) = terms
    assert term is not None
    return term


_ALONE: Mapping[str, Callable[..., Any]] = {
    "_threads": lambda: _THREADS,
    "_workers": lambda _count: SimpleQueue(),  # that nobody serves
}
"""What makes a module cut its tensors for threads, and do all parts in this one."""


@dataclass(frozen=True, slots=True)
class _ChunkSums:
    """The sums of a block's chunks: the term of its elements, counted from the first of them."""

    term: Term
    size: int


def _helpers(tracer: Tracer, size: int) -> dict[str, Callable[..., Any]]:
    """Return the functions of a module that are taken by their meaning."""
    store = tracer.store

    def ipow(base: Scalar, exponent: object) -> Scalar:
        terms = base.term, tracer.term(exponent, "float64")
        return Scalar(tracer, power(store, "ipow", *terms))

    def chunk_sums(values: View, padded: View) -> _ChunkSums:
        if padded.size < values.size or padded.size % CHUNK:
            raise Unsupported(f"chunks of {values.size} elements, and room for {padded.size}")
        return _ChunkSums(values.read(), values.size)

    def tree_sum(blocks: Sequence[_ChunkSums], kind: Kind) -> Scalar:
        at, terms = 0, set()
        for index, block in enumerate(blocks):
            left = size - at
            if not 0 < block.size <= left or (block.size % CHUNK and block.size != left):
                raise Unsupported(f"block {index} of a sum has {block.size} elements")
            terms.add(shifted(store, block.term, -at))
            at += block.size
        if at != size or len(terms) != 1:
            raise Unsupported("a sum is not taken over all elements alike")
        return Scalar(tracer, total(store, terms.pop()))

    def sign(values: View, out: View) -> None:
        np.sign(values, out=out)  # type: ignore[call-overload]

    return {
        **{"_ipow": ipow, "_chunk_sums": chunk_sums, "_tree_sum": tree_sum, "_sign": sign},
        **conversions(tracer),
    }
