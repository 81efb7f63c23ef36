"""Memory as cells, and what a register can hold.

A cell holds one number or one address. Memory of `n` elements, `n` a symbol, is looked
at in one pass of a loop at a time; then `elements` says what lies at an offset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from optgen.translation.bits.words import Word
from optgen.translation.c.code import Symbol
from optgen.translation.c.integers import Condition, Linear, Whole, plus
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported


class Blank(Enum):
    """A register that holds nothing that may be looked at."""

    POISON = "a value that was never set"
    LOST = "a value that is carried from one pass of a loop to the next"


@dataclass(eq=False, slots=True)
class Memory:
    """One piece of memory; pieces do not overlap.

    Attributes:
        name: What it is called in messages.
        size: Its bytes, or None where the number of elements is a symbol.
        cells: What has been written or given, by offset: a value and its bytes.
        given: What an untouched cell of the given bytes holds, at an offset.
        writable: Whether it may be written.
        element: A zero of its elements and its bytes, where all have one type.
        born: How many steps had been done when a function made it.
    """

    name: str
    size: int | None
    cells: dict[Whole, tuple[Value, int]] = field(default_factory=dict)
    given: Callable[[Whole, int], Value] | None = None
    writable: bool = True
    element: tuple[Value, int] | None = None
    born: int = 0


@dataclass(frozen=True, slots=True)
class Pointer:
    """An address: so many bytes into a piece of memory; into none it is a number."""

    memory: Memory | None
    offset: Whole

    def moved(self, by: Whole) -> Pointer:
        """Return the address some bytes further on."""
        return Pointer(self.memory, plus(self.offset, by))


@dataclass(frozen=True, slots=True)
class Raw:
    """Cells that were read as an integer; most are written elsewhere, and nothing more."""

    cells: tuple[tuple[Value, int], ...]


Value = (
    bool
    | int
    | Linear
    | Condition
    | Term
    | Word
    | Pointer
    | Symbol
    | Blank
    | Raw
    | tuple["Value", ...]
)


class Fault(Exception):
    """The code does something that it must not: it reads or writes beyond an array."""


@dataclass(slots=True)
class Store:
    """All memory of one run, with a journal, so that what a branch wrote can be taken back."""

    journal: list[tuple[Memory, Whole, tuple[Value, int] | None]] = field(default_factory=list)

    def write(self, pointer: Pointer, value: Value, size: int) -> None:
        """Write one cell.

        Raises:
            Fault: It lies beyond its memory, or must not be written.
            Unsupported: It overlaps another cell in part.
        """
        if isinstance(value, Raw):
            at = pointer
            for inner, width in value.cells:
                self.write(at, inner, width)
                at = at.moved(width)
            return
        memory = _inside(pointer, size, "written")
        if not memory.writable:
            raise Fault(f"{memory.name} is written")
        _alone(memory, pointer.offset, size)
        self.journal.append((memory, pointer.offset, memory.cells.get(pointer.offset)))
        memory.cells[pointer.offset] = (value, size)

    def take_back(self, mark: int) -> dict[tuple[int, Whole], tuple[Memory, tuple[Value, int]]]:
        """Undo all that was written since a mark, and return what it was."""
        written: dict[tuple[int, Whole], tuple[Memory, tuple[Value, int]]] = {}
        while len(self.journal) > mark:
            memory, offset, old = self.journal.pop()
            written.setdefault((id(memory), offset), (memory, memory.cells[offset]))
            if old is None:
                del memory.cells[offset]
            else:
                memory.cells[offset] = old
        return written


def read(pointer: Pointer, size: int, *, raw: bool = False) -> Value:
    """Return what lies at an address.

    Args:
        pointer: The address.
        size: Bytes of the value.
        raw: Whether several cells may be read as one integer.

    Raises:
        Fault: It lies beyond its memory.
        Unsupported: No cell begins there, or one of another size does.
    """
    memory = _inside(pointer, size, "read")
    found = memory.cells.get(pointer.offset)
    if found is None and memory.given is not None:
        return memory.given(pointer.offset, size)
    if found is not None and found[1] == size:
        return found[0]
    if raw and found is not None and found[1] < size:
        first = found[1]
        rest = read(pointer.moved(first), size - first, raw=True)
        return Raw((found, *(rest.cells if isinstance(rest, Raw) else ((rest, size - first),))))
    part = _part(memory, pointer.offset, size)
    if part is None:
        raise Unsupported(f"{memory.name}: at {pointer.offset} no value of {size} bytes begins")
    return part


def _part(memory: Memory, offset: Whole, size: int) -> int | None:
    """Return bytes of a whole number that is written there, low bytes first; None if none is."""
    for before in range(8):
        value, width = memory.cells.get(plus(offset, -before), (None, 0))
        if isinstance(value, int) and not isinstance(value, bool) and before + size <= width:
            return value >> 8 * before & ((1 << 8 * size) - 1)
    return None


def _inside(pointer: Pointer, size: int, what: str) -> Memory:
    memory, offset = pointer.memory, pointer.offset
    if memory is None:
        raise Fault(f"the address {offset} is {what}")
    if memory.size is not None:
        if not isinstance(offset, int):
            raise Unsupported(f"{memory.name} is {what} at {offset}")
        if offset < 0 or offset + size > memory.size:
            raise Fault(f"{memory.name} is {what} at byte {offset}, and has {memory.size}")
    return memory


def _alone(memory: Memory, offset: Whole, size: int) -> None:
    found = memory.cells.get(offset)
    if found is not None:
        if found[1] != size:
            raise Unsupported(f"{memory.name}: {size} bytes are written over {found[1]}")
        return
    for before in range(1, 8):
        other = memory.cells.get(plus(offset, -before))
        if other is not None and other[1] > before:
            raise Unsupported(f"{memory.name}: a value is written into another")
        if before < size and plus(offset, before) in memory.cells:
            raise Unsupported(f"{memory.name}: a value is written over two others")
