"""A compiled elementwise kernel as terms: what it leaves in each array, on each way through it.

`read_ptx` goes through the PTX and gives up (`Unsupported`, with the line) where
it does something that is not followed. What it returns holds for every size, every
grid and every element: each element is written exactly once, from values of that
element alone, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optgen.crosscheck.ptx import Module, PtxUnsupported, parse
from optgen.crosscheck.ptx.module import Entry, Instruction
from optgen.translation import expand
from optgen.translation.bits.words import Bits
from optgen.translation.ptx_coverage import Coverage
from optgen.translation.ptx_drawing import drawn_numbers
from optgen.translation.ptx_explore import Event, Explorer
from optgen.translation.ptx_families import resolve
from optgen.translation.ptx_integers import Number, Quotients, parts, subtract, symbol, symbols
from optgen.translation.ptx_signature import COUNT, Arrays, Signature
from optgen.translation.ptx_state import Context, Place
from optgen.translation.terms import Term, Terms
from optgen.verify.verdicts import Unsupported

BLOCK_LIMIT = 1024
NO_OVERLAP = "arrays do not overlap"
FEW = "there are fewer than 2**60 elements"
ONE_DIMENSION = "the grid and its blocks have one dimension"


@dataclass(frozen=True, slots=True)
class Path:
    """One way on which elements are written, for example the vector loop.

    Attributes:
        label: The PTX lines of the accesses, for messages.
        outputs: The value left in each array, over `element` and `scalar` terms.
    """

    label: str
    outputs: Mapping[str, Term]


@dataclass(frozen=True, slots=True)
class PtxReading:
    """What an entry does to one element.

    Attributes:
        entry: The kernel's name.
        paths: The ways on which elements are written, those with the same outputs joined.
        notes: What is assumed of the launch and of the arrays, as sentences.
        origins: The instruction that first made each term.
        bits: What turned words into values.
    """

    entry: str
    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    origins: Mapping[Term, Instruction]
    bits: Bits


def read_ptx(module: Module | str, entry: str, signature: Signature, store: Terms) -> PtxReading:
    """Read one entry whose elements do not depend on each other.

    Raises:
        Unsupported: It does what is not followed, or elements are not seen to be written
            once each, from their own values.
    """
    kernel = find_entry(module, entry)
    known = Quotients()
    specials = launch_symbols(kernel, signature, known)
    arrays = Arrays(kernel, signature)
    context = Context(kernel, store, arrays, specials, known, draws=signature.draws)
    arrays.context = context
    explorer = Explorer(context)
    try:
        explorer.explore()
    except RecursionError:
        raise Unsupported(f"{entry} is nested too deep") from None
    events = resolve(explorer.events, known)
    if not events:
        raise Unsupported(f"{entry} stores nothing")
    _check_ways(explorer, {event.place[0] for event in events})
    ranges = {
        name.removeprefix("%"): specials[f"%n{name[1:]}"]
        for name in ("%tid.x", "%tid.y", "%tid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z")
    }
    coverage = Coverage(known, ranges, symbol(COUNT))
    needs: dict[str, None] = {NO_OVERLAP: None, FEW: None}
    needs |= context.assumptions
    for array in sorted({event.place[0] for event in events}):
        own = [event for event in events if event.place[0] == array]
        needs |= dict.fromkeys(coverage.check(array, own))
    used = frozenset(name for event in events for name in symbols(event.place[1]))
    unused = [n for n in ("tid.y", "tid.z", "ctaid.y", "ctaid.z") if n not in used]
    if len(unused) == 4:
        needs |= {ONE_DIMENSION: None}
    else:
        needs |= {f"n{name} is 1": None for name in unused}
    paths = _paths(context, events)
    return PtxReading(entry, paths, tuple(needs), context.origins, context.bits)


def find_entry(module: Module | str, entry: str) -> Entry:
    """Return an entry of a module.

    Raises:
        Unsupported: The text cannot be read, or there is no such entry.
    """
    try:
        found = parse(module) if isinstance(module, str) else module
    except PtxUnsupported as error:
        raise Unsupported(f"PTX line {error.line}: {error.text}: {error.what}") from None
    if entry not in found.entries:
        raise Unsupported(f"there is no entry {entry}, only {', '.join(found.entries)}")
    return found.entries[entry]


def launch_symbols(kernel: Entry, signature: Signature, known: Quotients) -> dict[str, Number]:
    """Return thread and block numbers as symbols, with their largest values."""
    limit = min(kernel.max_threads or BLOCK_LIMIT, signature.threads or BLOCK_LIMIT)
    specials: dict[str, Number] = {}
    for axis in "xyz":
        for name, most in (
            ("tid", limit - 1),
            ("ntid", limit),
            ("ctaid", 2**31 - 2),
            ("nctaid", 2**31 - 1),
        ):
            if axis != "x" and name in ("ctaid", "nctaid"):
                most = 2**16
            known.largest[f"{name}.{axis}"] = most
            specials[f"%{name}.{axis}"] = symbol(f"{name}.{axis}")
    threads = kernel.max_threads if kernel.exact_threads else signature.threads
    if threads is not None:
        specials["%ntid.x"] = threads
        specials |= {"%ntid.y": 1, "%ntid.z": 1, "%tid.y": 0, "%tid.z": 0}
    return specials


def _check_ways(explorer: Explorer, written: set[str]) -> None:
    """Values read from a written array must be those before the step.

    Each element is written once. If the way that reads it also stores it, that is the one
    store, and it comes later; otherwise another thread or loop may have been first.
    """
    for way in explorer.ways:
        for place, instruction in way.read:
            where = f"PTX line {instruction.line}: {instruction.text}"
            if place[0] in written and place not in way.stored:
                raise Unsupported(
                    f"{where}: {place[0]} is read at an element that is written elsewhere"
                )
            if place[1] not in {index for _, index in way.stored}:
                raise Unsupported(
                    f"{where}: element {place[1]} is read but nothing is stored there"
                )


def _paths(context: Context, events: list[Event]) -> tuple[Path, ...]:
    """Return the outputs on each way, equal ones joined."""
    groups: dict[tuple[frozenset[object], Number], list[Event]] = {}
    for event in events:
        groups.setdefault((event.case, event.place[1]), []).append(event)
    found: dict[tuple[tuple[str, int], ...], tuple[list[int], dict[str, Term]]] = {}
    for (_, index), group in groups.items():
        rebase = _Rebase(context, index)
        outputs = {event.place[0]: rebase.term(event.value) for event in group}
        key = tuple(sorted((name, id(term)) for name, term in outputs.items()))
        lines = found.setdefault(key, ([], outputs))[0]
        lines.append(group[0].at.line)
    return tuple(
        Path("up to PTX line " + ", ".join(map(str, sorted(set(lines)))), outputs)
        for lines, outputs in found.values()
    )


class _Rebase:
    """Rewrites terms over places as terms over the elements relative to one index."""

    def __init__(self, context: Context, index: Number) -> None:
        self._context = context
        self._index = index
        self._places: dict[int, Place] = {n: place for place, n in context.places.items()}
        self._done: dict[int, Term] = {}

    def term(self, term: Term) -> Term:
        found = self._done.get(id(term))
        if found is None:
            found = self._rewrite(term)
            self._done[id(term)] = found
            origin = self._context.origins.get(term)
            if origin is not None:
                self._context.origins.setdefault(found, origin)
        return found

    def _rewrite(self, term: Term) -> Term:
        store = self._context.store
        if term.operation == "load":
            assert isinstance(term.payload, tuple)
            array, index = self._places[term.payload[1]]
            distance = subtract(index, self._index)
            if distance == 0:
                return store.element(array, term.type)
            if not isinstance(distance, int):
                raise Unsupported(
                    f"{array} is read at element {index} for the value of element {self._index}"
                )
            return store.make("element", term.type, payload=(array, distance))
        if not term.operands:
            return term
        if term.operation in ("bits", "whole"):
            drawn = {}
            if self._context.draws:
                drawn = drawn_numbers(self._context, term, self._index)
            return self._context.bits.rebuilt(term, self.term, drawn)
        operands = tuple(self.term(operand) for operand in term.operands)
        if term.operation == "select":
            if operands[0].operation == "bit":
                raise Unsupported("a choice by the bits of values")
            mask = expand.compare(
                store, operands[0].operation, *operands[0].operands, flushed=operands[0].flushed
            )
            return expand.choose(store, mask, *operands[1:])
        if term.operation in ("lt", "eq"):
            return store.make(term.operation, "mask", operands, flushed=term.flushed)
        return store.make(
            term.operation, term.type, operands, term.payload, term.rounding, term.flushed
        )


__all__ = ["Path", "PtxReading", "find_entry", "launch_symbols", "parts", "read_ptx"]
