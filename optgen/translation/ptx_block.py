"""Runs the threads of a launch at one concrete size, with terms for the values.

Thread and block numbers, the number of elements and every address are numbers here;
what is loaded are terms, one for each element. Threads meet at barriers and in
shuffles. Two threads that touch the same word between two barriers, one of them
writing, are refused: then the result does not depend on who comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optgen.crosscheck.ptx.module import Address, Entry, Instruction, Pair, Register, Symbol
from optgen.translation.bits.conversions import WIDTHS
from optgen.translation.bits.words import Bits, Word
from optgen.translation.ptx_conditions import Aligned
from optgen.translation.ptx_explore import Explorer
from optgen.translation.ptx_fast import prepare
from optgen.translation.ptx_operands import FLOATS, integer, read, width
from optgen.translation.ptx_state import Context, Half, Pointer, State, Value, refuse
from optgen.translation.ptx_steps import write
from optgen.translation.terms import Term, Terms, TermType

WARP = 32
_STEPS = 20_000_000


@dataclass(slots=True)
class Words:
    """Arrays and shared memory, word by word.

    Attributes:
        arrays: Values of each array, None where nothing has been written yet.
        parameters: What each parameter is: an array, or scalars by byte.
        type: The type of arithmetic, and of all arrays but these:
        kept: The types of arrays that are kept in another one.
        thread: The thread of the block that runs.
        block: The block that runs.
    """

    entry: Entry
    arrays: dict[str, list[Term | None]]
    parameters: Mapping[int, str | int | Mapping[int, Term]]
    type: TermType
    kept: Mapping[str, TermType] = field(default_factory=dict)
    thread: int = 0
    block: int = 0
    bits: Bits = field(init=False)
    _seen: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    _written: dict[tuple[str, int], int] = field(default_factory=dict)
    _shared: dict[int, Term] = field(default_factory=dict)
    _readers: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    _writers: dict[tuple[str, int], int] = field(default_factory=dict)

    def begin(self, bits: Bits) -> None:
        """Let words be turned into values by what all threads share."""
        self.bits = bits

    def barrier(self) -> None:
        """Order what came before against what comes behind."""
        self._readers.clear()
        self._writers.clear()

    def begin_block(self, block: int) -> None:
        """Give a new block its own shared memory; nothing orders it against other blocks."""
        self.block = block
        self._shared.clear()
        self.barrier()

    def _alone(self, instruction: Instruction, place: tuple[str, int], *, writes: bool) -> None:
        """Refuse an access that another block's access may come before or behind."""
        if place[0] == "shared":
            return
        others = {self._written.get(place, self.block)}
        if writes:
            others |= self._seen.get(place, set())
            self._written[place] = self.block
        else:
            self._seen.setdefault(place, set()).add(self.block)
        if others - {self.block}:
            refuse(instruction, "two blocks race")

    def load(
        self, state: State, instruction: Instruction, address: Address, kind: str, lanes: int
    ) -> tuple[Value, ...]:
        """Return values from memory or from parameters."""
        if "param" in instruction.modifiers:
            return tuple(self._parameter(instruction, address, kind, lane) for lane in range(lanes))
        array, first = self._word(state, instruction, address, kind, lanes)
        found = []
        for index in range(first, first + lanes):
            place = (array, index)
            if self._writers.get(place, self.thread) != self.thread:
                refuse(instruction, "another thread may not have written it yet")
            self._alone(instruction, place, writes=False)
            self._readers.setdefault(place, set()).add(self.thread)
            value = self._at(instruction, array, index)
            if value is None:
                refuse(instruction, f"{array} at {index} is read before it is written")
            found.append(value)
        return tuple(found)

    def save(
        self,
        state: State,
        instruction: Instruction,
        address: Address,
        kind: str,
        values: tuple[Value, ...],
    ) -> None:
        """Write values to memory."""
        array, first = self._word(state, instruction, address, kind, len(values))
        for index, value in enumerate(values, first):
            place = (array, index)
            others = self._readers.get(place, set()) | {self._writers.get(place, self.thread)}
            if others - {self.thread}:
                refuse(instruction, "two threads race")
            self._alone(instruction, place, writes=True)
            self._writers[place] = self.thread
            type_ = self.kept.get(array, self.type)
            if isinstance(value, Word):
                value = self.bits.value(self.bits.resized(value, width(kind)), type_)
            if not isinstance(value, Term) or value.type != type_:
                refuse(instruction, f"what is stored is no value of type {type_}")
            if array == "shared":
                self._shared[index] = value
            else:
                self._at(instruction, array, index)
                self.arrays[array][index] = value

    def _at(self, instruction: Instruction, array: str, index: int) -> Term | None:
        if array == "shared":
            return self._shared.get(index)
        values = self.arrays[array]
        if not 0 <= index < len(values):
            refuse(instruction, f"{array} is accessed at {index}, beyond its {len(values)} values")
        return values[index]

    def _parameter(self, instruction: Instruction, address: Address, kind: str, lane: int) -> Value:
        names = [p.name for p in self.entry.parameters]
        if not isinstance(address.base, Symbol):
            refuse(instruction, "a parameter at an address that is not constant")
        found = self.parameters[names.index(address.base.name)]
        byte = address.offset + lane * width(kind) // 8
        if isinstance(found, str) and width(kind) == 64 and byte == 0:
            return Pointer(found, 0)
        if isinstance(found, int) and byte == 0:
            return found
        if isinstance(found, Mapping) and byte in found:
            value = found[byte]
            if FLOATS.get(kind, "bits32") == value.type and width(kind) == WIDTHS[value.type]:
                return value
        refuse(instruction, "the parameter is read as what it is not")

    def _word(
        self, state: State, instruction: Instruction, address: Address, kind: str, lanes: int
    ) -> tuple[str, int]:
        base = address.base
        value = read_address(state, base)
        size = 0 if value is None else WIDTHS[self.kept.get(value.array, self.type)] // 8
        if value is None or 8 * size != width(kind) or kind == "s16":
            refuse(instruction, "an access of this form")
        offset = value.offset
        if not isinstance(offset, int) or (offset + address.offset) % size:
            refuse(instruction, "the address is not that of an element")
        index = (offset + address.offset) // size
        shared = "shared" in instruction.modifiers
        if shared != (value.array == "shared"):
            refuse(instruction, "an address of another kind of memory")
        if lanes > 1:
            whole = state.facts.get(Aligned(frozenset(self.buffers()), 16), False)
            if index % lanes or not (shared or whole):
                refuse(instruction, "an access that is not aligned")
        return value.array, index

    def buffers(self) -> tuple[str, ...]:
        """Return the arrays with one value per element."""
        return tuple(name for name in self.arrays if name not in ("partials", "scalars"))


def read_address(state: State, base: object) -> Pointer | None:
    """Return the address in a register, or None."""
    if not isinstance(base, Register):
        return None
    value = state.registers.get(base.name)
    return value if isinstance(value, Pointer) else None


@dataclass(slots=True)
class _Thread:
    """One thread; `waiting` is the barrier or the shuffle that it has come to."""

    context: Context
    state: State
    waiting: Instruction | None = None
    done: bool = False


def run_blocks(
    entry: Entry, words: Words, store: Terms, *, grid: int, threads: int, aligned: bool
) -> None:
    """Run all blocks of a launch, one after the other.

    Raises:
        Unsupported: A thread does what is not followed, races, or never ends.
    """
    first = Context(entry, store, words, {})
    words.begin(first.bits)
    explorer = Explorer(first)
    explorer.steps = _STEPS
    for block in range(grid):
        words.begin_block(block)
        crew = []
        for number in range(threads):
            specials: dict[str, int] = {"%laneid": number % WARP}
            for axis in "xyz":
                x = axis == "x"
                specials |= {
                    f"%tid.{axis}": number if x else 0,
                    f"%ntid.{axis}": threads if x else 1,
                    f"%ctaid.{axis}": block if x else 0,
                    f"%nctaid.{axis}": grid if x else 1,
                }
            context = Context(entry, store, words, specials, origins=first.origins)
            context.bits = first.bits
            state = State(facts={Aligned(frozenset(words.buffers()), 16): aligned})
            crew.append(_Thread(context, state))
        _run_block(explorer, words, crew)


def _run_block(explorer: Explorer, words: Words, crew: list[_Thread]) -> None:
    code = explorer.context.entry.instructions
    quick = [prepare(instruction) for instruction in code]
    meetings = [i.opcode in ("bar", "barrier", "shfl") for i in code]
    steps = _STEPS
    while not all(thread.done for thread in crew):
        for number, thread in enumerate(crew):
            words.thread = number
            explorer.context = thread.context
            while not thread.done and thread.waiting is None:
                at = thread.state.at
                if at == len(code):
                    thread.done = True
                    break
                prepared = quick[at]
                if prepared is not None and prepared(thread.state):
                    steps -= 1
                    if steps < 0:
                        refuse(code[at], "the kernel takes too many steps")
                elif meetings[at]:
                    thread.waiting = code[at]
                else:
                    thread.state = explorer.advance(thread.state)
        if not (_shuffle(crew) or _barrier(words, crew)):
            if all(thread.done for thread in crew):
                return
            stuck = next(t.waiting for t in crew if t.waiting is not None)
            refuse(stuck, "not all threads come to it")


def _barrier(words: Words, crew: list[_Thread]) -> bool:
    """Let all threads pass a barrier, if all have come to the same."""
    places = {id(thread.waiting) for thread in crew}
    waiting = crew[0].waiting
    if len(places) != 1 or waiting is None or waiting.opcode == "shfl":
        return False
    if waiting.name not in ("bar.sync", "barrier.sync") or waiting.guard is not None:
        refuse(waiting, "a barrier of this form")
    words.barrier()
    for thread in crew:
        thread.waiting = None
        thread.state.at += 1
    return True


def _shuffle(crew: list[_Thread]) -> bool:
    """Exchange values in warps whose threads have all come to the same shuffle."""
    moved = False
    for begin in range(0, len(crew), WARP):
        warp = crew[begin : begin + WARP]
        waiting = warp[0].waiting
        if waiting is None or waiting.opcode != "shfl":
            continue
        if any(thread.waiting is not waiting for thread in warp):
            continue
        values = [_exchanged(warp, lane, waiting) for lane in range(len(warp))]
        target = waiting.operands[0]
        wanted = target.first if isinstance(target, Pair) else target
        for thread, value in zip(warp, values, strict=True):
            write(thread.context, thread.state, waiting, wanted, value)
            thread.waiting = None
            thread.state.at += 1
        moved = True
    return moved


def _exchanged(warp: list[_Thread], lane: int, instruction: Instruction) -> Value:
    """Return what a lane gets from `shfl.sync.down` over a whole warp."""
    thread = warp[lane]
    _, source, distance, clamp, mask = instruction.operands
    numbers = [
        integer(thread.context, thread.state, instruction, o, "b32")
        for o in (distance, clamp, mask)
    ]
    if instruction.modifiers != ("sync", "down", "b32") or numbers[1:] != [31, 0xFFFFFFFF]:
        refuse(instruction, "a shuffle of this form")
    by = numbers[0]
    if not isinstance(by, int) or len(warp) != WARP or instruction.guard is not None:
        refuse(instruction, "a shuffle of this form")
    other = warp[lane + by] if lane + by < WARP else thread
    value = read(other.context, other.state, instruction, source)
    if not isinstance(value, Term | Half):
        refuse(instruction, "a shuffle of what is no value")
    return value
