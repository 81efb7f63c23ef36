"""Code that both readers produce: functions of blocks of steps, on registers and memory.

A register may be assigned more than once. The last step of a block says where to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from optgen.translation.terms import TermType
from optgen.verify.verdicts import Unsupported


@dataclass(frozen=True, slots=True)
class Int:
    """An integer of some bits; one bit is the result of a comparison."""

    bits: int


@dataclass(frozen=True, slots=True)
class Float:
    """A floating-point number."""

    name: TermType


@dataclass(frozen=True, slots=True)
class Ptr:
    """An address; of what matters to the reader of C only."""

    to: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Many:
    """A vector, or an array where `array` is set."""

    count: int
    of: Type
    array: bool = False


@dataclass(frozen=True, slots=True)
class Struct:
    """A structure; `names` are there where the source has been read."""

    fields: tuple[Type, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Void:
    """No value."""


Type = Int | Float | Ptr | Many | Struct | Void

BOOL, I32, I64, VOID, POINTER = Int(1), Int(32), Int(64), Void(), Ptr()
_FLOAT_SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


@cache
def size_of(kind: Type) -> int:
    """Return the bytes that a value takes in an array, on machines with 8-byte pointers."""
    match kind:
        case Int(bits):
            return max(1, bits // 8)
        case Float(name):
            return _FLOAT_SIZES[name]
        case Ptr():
            return 8
        case Many(count, of):
            return count * size_of(of)
        case Struct(fields):
            end = offset_of(kind, len(fields))
            return -(-end // alignment(kind)) * alignment(kind)
        case Void():
            return 1


def alignment(kind: Type) -> int:
    """Return what the address of a value is a multiple of."""
    match kind:
        case Many(_, of, True):
            return alignment(of)
        case Struct(fields):
            return max((alignment(f) for f in fields), default=1)
    return size_of(kind)


@cache
def offset_of(kind: Struct, index: int) -> int:
    """Return where a field begins; one past the last field is where that one ends."""
    at = 0
    for inner in kind.fields[:index]:
        at = -(-at // alignment(inner)) * alignment(inner) + size_of(inner)
    if index < len(kind.fields):
        step = alignment(kind.fields[index])
        at = -(-at // step) * step
    return at


@dataclass(frozen=True, slots=True)
class Register:
    """A value that an earlier step has computed."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A constant: an integer, or a float that its type holds."""

    value: int | float
    kind: Type


@dataclass(frozen=True, slots=True)
class Symbol:
    """The address of a function or of a constant of the file."""

    name: str


@dataclass(frozen=True, slots=True)
class Word:
    """`poison`, or `zero` of a type that is not a number."""

    name: str
    kind: Type


@dataclass(frozen=True, slots=True)
class Row:
    """A constant vector or structure."""

    items: tuple[Operand, ...]


Operand = Register | Number | Symbol | Word | Row


@dataclass(frozen=True, slots=True)
class Step:
    """One operation.

    Attributes:
        line: Its line in the text that was read.
        name: LLVM's name of the operation, or `copy`.
        target: The register that it sets, or an empty string.
        kind: Type of the result; of a store and of a comparison, that of the operands.
        operands: What it reads.
        words: Predicate of a comparison, name of a function, labels of a branch.
        other: Type that a conversion begins with, that an address counts in, or that an
            allocation holds.
    """

    line: int
    name: str
    target: str = ""
    kind: Type = VOID
    operands: tuple[Operand, ...] = ()
    words: tuple[str, ...] = ()
    other: Type = VOID


@dataclass(slots=True)
class Function:
    """One function.

    Attributes:
        name: Its name.
        parameters: Register and type of each parameter; a structure that is passed by value
            and lies in memory has the type of a pointer to it.
        blocks: Its blocks by label, the first one first.
        line: Where it begins.
    """

    name: str
    parameters: tuple[tuple[str, Type], ...]
    blocks: dict[str, list[Step]]
    line: int
    _joins: dict[str, str | None] | None = None
    _loops: dict[str, frozenset[str]] | None = None

    def following(self, label: str) -> tuple[str, ...]:
        """Return where a block can go on."""
        last = self.blocks[label][-1]
        return last.words if last.name in ("br", "condbr") else ()

    def join(self, label: str) -> str | None:
        """Return the first block that all ways on from a block share; None if they part."""
        if self._joins is None:
            self._joins = _joins(self)
        return self._joins[label]

    def ends_apart(self, label: str) -> bool:
        """Return whether the ways on from a block meet where the function returns, or never."""
        join = self.join(label)
        return join is None or self.blocks[join][-1].name == "ret"

    def loop(self, header: str) -> frozenset[str]:
        """Return the blocks of the loop that begins with a block; empty if none does."""
        if self._loops is None:
            self._loops = {}
        if header not in self._loops:
            self._loops[header] = self._loop(header)
        return self._loops[header]

    def loops(self) -> tuple[str, ...]:
        """Return the first blocks of all loops, inner loops first."""
        headers = [label for label in self.blocks if self.loop(label)]
        return tuple(sorted(headers, key=lambda label: len(self.loop(label))))

    def outer_loops(self) -> tuple[str, ...]:
        """Return the first blocks of loops that lie in no other."""
        headers = self.loops()
        return tuple(h for h in headers if not any(h != o and h in self.loop(o) for o in headers))

    def _loop(self, header: str) -> frozenset[str]:
        """Return what is on a way from a block back to it, without the blocks it is entered from.

        A block is in the loop if the header is on every way to it, and it is on a way back.
        """
        reached = self._reached(header)
        inside: set[str] = set()
        waiting = [b for b in reached if header in self.following(b) and self._ruled(header, b)]
        if not waiting:
            return frozenset()
        inside.add(header)
        while waiting:
            label = waiting.pop()
            if label not in inside:
                inside.add(label)
                waiting += [b for b in reached if label in self.following(b)]
        return frozenset(inside)

    def _ruled(self, header: str, label: str) -> bool:
        """Whether every way from the beginning to a block leads through another one."""
        first = next(iter(self.blocks))
        if header in (first, label):
            return True
        seen, waiting = {header}, [first]
        while waiting:
            at = waiting.pop()
            if at == label:
                return False
            if at not in seen:
                seen.add(at)
                waiting += self.following(at)
        return True

    def _reached(self, label: str) -> set[str]:
        """Return a block and what can follow it."""
        found: set[str] = set()
        waiting = [label]
        while waiting:
            at = waiting.pop()
            if at not in found:
                found.add(at)
                waiting += self.following(at)
        return found


def _joins(function: Function) -> dict[str, str | None]:
    """Return the immediate postdominator of every block."""
    end = ""
    labels = [*function.blocks]
    after: dict[str, set[str]] = {label: {*labels, end} for label in labels}
    after[end] = {end}
    changed = True
    while changed:
        changed = False
        for label in reversed(labels):
            ways = function.following(label) or (end,)
            new = {label} | set.intersection(*(after[way] for way in ways))
            if new != after[label]:
                after[label], changed = new, True
    found: dict[str, str | None] = {}
    for label in labels:
        strict = after[label] - {label}
        nearest = [s for s in strict if len(after[s]) == len(strict)]
        found[label] = nearest[0] if nearest and nearest[0] != end else None
    return found


@dataclass(frozen=True, slots=True)
class Program:
    """What was read.

    Attributes:
        functions: Functions with a body, by name.
        unread: Why a function was not read, by its name.
        loose: Places that leave a rounding open, each in words; no bits are promised then.
    """

    functions: Mapping[str, Function]
    unread: Mapping[str, str]
    loose: tuple[str, ...] = ()

    def find(self, name: str) -> Function:
        """Return a function.

        Raises:
            Unsupported: It was not read, or is not there.
        """
        if name in self.functions:
            return self.functions[name]
        raise Unsupported(self.unread.get(name, f"there is no function {name}"))
