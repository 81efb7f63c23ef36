"""Loops over elements: one pass of any number, by induction.

Every whole number that changes evenly from pass to pass is its first value plus a
multiple of the pass's number j. A pass may touch elements `done + step*j ...
done + step*j + step - 1` of each array only, where `done` elements lie behind it: then
what it reads has not been changed before, and no element is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from optgen.translation.bits.words import Word
from optgen.translation.c.code import Function, Step
from optgen.translation.c.integers import (
    Condition,
    Facts,
    Linear,
    Whole,
    divided,
    minus,
    plus,
    put_in,
    scaled,
    symbol,
)
from optgen.translation.c.machine import Frame, Machine, Undecided
from optgen.translation.c.memory import Blank, Memory, Pointer, Value
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported

_PASS = "j"


@dataclass(frozen=True, slots=True)
class Lanes:
    """What one loop leaves: each pass writes the same terms, `step` elements further on.

    Attributes:
        line: Where the loop begins.
        first: The first element.
        step: Elements in a pass.
        outputs: By array, what each element of a pass becomes; an element that was read is
            the term of its array and its place in the pass.
    """

    line: int
    first: Whole
    step: int
    outputs: dict[str, dict[int, Term]]


@dataclass(frozen=True, slots=True)
class _Exit:
    """Where a pass may end the loop: the condition to stay, and what is then known."""

    stay: Condition
    registers: dict[str, Value]
    label: str
    after: str
    written: int
    reads: int


@dataclass(slots=True)
class Elements:
    """All arrays with a symbolic number of elements, and how far the loops have come."""

    store: Terms
    arrays: dict[str, tuple[Memory, int]] = field(default_factory=dict)
    kinds: dict[str, TermType] = field(default_factory=dict)
    done: Whole = 0
    lanes: list[Lanes] = field(default_factory=list)
    step: int = 0
    mode: str = "outside"
    reads: int = 0

    def array(self, name: str, kind: TermType, width: int, *, writable: bool) -> Memory:
        """Return an array of such elements."""
        memory = Memory(name, None, writable=writable)
        self.adopt(memory, name, kind, width)
        return memory

    def adopt(self, memory: Memory, name: str, kind: TermType, width: int) -> None:
        """Let a piece of memory be an array of such elements."""

        def given(offset: Whole, size: int) -> Value:
            if self.mode == "outside":
                raise Unsupported(f"{name} is read outside a loop")
            if size != width:
                raise Unsupported(f"{name}: {size} bytes are read of elements of {width}")
            self.reads += 1
            lane = 0 if self.mode == "first" else self._lane(name, offset)
            return self.store.make("element", kind, payload=(name, lane))

        memory.size, memory.given = None, given
        self.arrays[name], self.kinds[name] = (memory, width), kind

    def _lane(self, name: str, offset: Whole) -> int:
        """Return which element of its pass lies at an offset."""
        width = self.arrays[name][1]
        place = divided(offset, width)
        if place is None:
            raise Unsupported(f"{name}: an element begins at {offset}")
        step = place.coefficient(_PASS) if isinstance(place, Linear) else 0
        if self.step and step != self.step:
            raise Unsupported(f"{name}: a pass moves on by {step} and by {self.step} elements")
        self.step = step
        lane = minus(minus(place, scaled(symbol(_PASS), step)), self.done)
        if not isinstance(lane, int) or not 0 <= lane < step:
            raise Unsupported(f"{name}: a pass touches an element of another one")
        return lane

    def __call__(self, machine: Machine, frame: Frame, header: str) -> str:
        """Read one loop; return the block behind it."""
        if self.mode != "outside":
            raise Unsupported("a loop in a loop over elements")
        facts = machine.facts
        begin = dict(frame.registers)
        changes = self._changes(machine, frame.function, header, begin)
        frame.registers.update(
            {
                name: Blank.LOST if change is None else _moved(begin[name], change, symbol(_PASS))
                for name, change in changes.items()
            }
        )
        machine.facts = Facts([*facts.known, symbol(_PASS)], dict(facts.parts))
        self.mode, self.step, self.reads = "pass", 0, 0
        started = machine.steps
        left = self._pass(machine, frame, header)
        own = {id(memory) for memory, _ in self.arrays.values()}
        for memory, *_ in machine.memory.journal:
            if id(memory) not in own and memory.born < started:
                raise Unsupported(f"{memory.name} is carried from one pass of a loop to the next")
        for name, change in changes.items():
            if change is not None:
                again = _moved(begin[name], change, plus(symbol(_PASS), 1))
                if frame.registers[name] != again:
                    raise Unsupported(f"{name} does not change evenly")
        outputs = self._outputs(machine)
        count = len([1 for cells in outputs.values() for _ in cells])
        machine.facts = facts
        tested = self._tested(machine, left.stay)
        passes = plus(tested, 1) if left.written else tested
        if left.written not in (0, count):
            raise Unsupported("a loop is left between two writes")
        if self.reads and not (outputs and (left.written or not left.reads)):
            raise Unsupported("a loop reads elements that it does not write")
        if outputs:
            line = frame.function.blocks[header][0].line
            self.lanes.append(Lanes(line, self.done, self.step, outputs))
            self.done = plus(self.done, scaled(passes, self.step))
        self.mode = "outside"
        assigned = _assigned(frame.function, header)
        frame.registers = {
            name: _final(value, tested, name in assigned) for name, value in left.registers.items()
        }
        return machine.enter(frame, left.label, left.after)

    def _changes(
        self, machine: Machine, function: Function, header: str, begin: dict[str, Value]
    ) -> dict[str, Whole | None]:
        """Run a first pass on symbols; return by how much registers change, None if unevenly."""
        names = [n for n in sorted(_assigned(function, header)) if n in begin]
        frame = Frame(function, dict(begin))
        started: dict[str, Value] = {}
        facts = machine.facts
        machine.facts = Facts(list(facts.known), dict(facts.parts))
        for name in names:
            value = begin[name]
            mark = symbol(f"first {name}")
            if isinstance(value, bool) or not isinstance(value, int | Linear | Pointer):
                started[name] = Blank.LOST
            else:
                started[name] = value.moved(mark) if isinstance(value, Pointer) else mark
                machine.facts.add(mark)
        frame.registers.update(started)
        self.mode = "first"
        self._pass(machine, frame, header)
        self._outputs(machine, forget=True)
        machine.facts = facts
        return {name: _change(started[name], frame.registers.get(name)) for name in names}

    def _pass(self, machine: Machine, frame: Frame, header: str) -> _Exit:
        """Run one pass, from the header back to it."""
        inside = frame.function.loop(header)
        left: list[_Exit] = []
        label = header
        while True:
            last = machine.block(frame, label)
            out = [way for way in last.words if way not in inside]
            if last.name == "condbr" and out:
                label = self._stay(machine, frame, label, last, out, left)
            else:
                try:
                    label = machine.next_block(frame, label, last)
                except Undecided as error:
                    raise Unsupported(f"line {last.line}: a pass of a loop decides") from error
            if label == header:
                break
            if label not in inside:
                raise Unsupported(f"line {last.line}: a loop is left")
        if len(left) != 1:
            raise Unsupported(f"a loop with {len(left)} ways out")
        return left[0]

    def _stay(
        self,
        machine: Machine,
        frame: Frame,
        label: str,
        last: Step,
        out: list[str],
        left: list[_Exit],
    ) -> str:
        """Note a way out, and go on inside."""
        condition = machine.value(frame, last.operands[0])
        (inner,) = [way for way in last.words if way not in out] or [""]
        if not inner or not isinstance(condition, Condition):
            raise Unsupported(f"line {last.line}: how a loop ends is not followed")
        stay = condition if last.words[0] == inner else condition.opposite()
        written = sum(len(memory.cells) for memory, _ in self.arrays.values())
        exit_ = _Exit(stay, dict(frame.registers), label, out[0], written, self.reads)
        left.append(exit_)
        machine.facts.assume(stay)
        return machine.enter(frame, label, inner)

    def _outputs(self, machine: Machine, *, forget: bool = False) -> dict[str, dict[int, Term]]:
        """Return what a pass has written, and clear it away."""
        found: dict[str, dict[int, Term]] = {}
        for name, (memory, width) in self.arrays.items():
            for offset, (value, size) in memory.cells.items():
                if forget:
                    continue
                if size == width and isinstance(value, Word):
                    value = machine.bits.value(value, self.kinds[name])
                if size != width or not isinstance(value, Term):
                    raise Unsupported(f"{name}: {size} bytes are written")
                found.setdefault(name, {})[self._lane(name, offset)] = value
            memory.cells.clear()
        machine.memory.journal.clear()
        return found

    def _tested(self, machine: Machine, stay: Condition) -> Whole:
        """Return the number of the pass at whose test the loop ends."""
        per_pass = stay.value.coefficient(_PASS)
        rest = put_in(stay.value, _PASS, 0)
        if stay.equal and not stay.holds and per_pass:
            found = divided(minus(0, rest), per_pass)
            if found is None or not machine.facts.never_negative(found):
                raise Unsupported("a loop that may never end")
            return found
        if stay.equal or abs(per_pass) != 1:
            raise Unsupported("how often a loop runs is not followed")
        falls = per_pass < 0
        if falls != stay.holds:
            raise Unsupported("a loop that may never end")
        # It stays while rest - j >= 0, or, turned around, while rest + j < 0.
        found = plus(rest, 1) if falls else minus(0, rest)
        if not machine.facts.never_negative(found):
            assert isinstance(found, Linear)
            condition = Condition(found, False)
            if machine.facts.decide(condition) is False:
                return 0
            if condition not in machine.decided:
                raise Undecided(condition)
            holds = machine.decided[condition]
            machine.facts.assume(condition if holds else condition.opposite())
            return found if holds else 0
        return found


def _assigned(function: Function, header: str) -> frozenset[str]:
    """Return the registers that a loop sets."""
    return frozenset(
        step.target
        for label in function.loop(header)
        for step in function.blocks[label]
        if step.target
    )


def _change(before: Value, after: Value | None) -> Whole | None:
    match before, after:
        case (bool(), _) | (_, bool()):
            return None
        case (int() | Linear(), int() | Linear()):
            return _known(minus(after, before))
        case Pointer(memory, start), Pointer(other, end) if memory is other:
            return _known(minus(end, start))
    return None


def _known(change: Whole) -> Whole | None:
    """Return a change if it is the same in every pass."""
    if isinstance(change, Linear) and any(n.startswith("first ") for n, _ in change.terms):
        return None
    return change


def _moved(value: Value, change: Whole, count: Whole) -> Value:
    """Return a value after some changes."""
    if not isinstance(change, int):
        return Blank.LOST
    if isinstance(value, Pointer):
        return value.moved(scaled(count, change))
    assert isinstance(value, int | Linear)
    return plus(_signed(value), scaled(count, change))


def _signed(value: Whole) -> Whole:
    """Return a number of 64 bits beside linear ones."""
    return value - (1 << 64) if isinstance(value, int) and value >> 63 else value


def _final(value: Value, passes: Whole, assigned: bool) -> Value:
    """Return a register behind a loop."""
    match value:
        case Pointer(memory, offset):
            return Pointer(memory, put_in(offset, _PASS, passes))
        case Linear():
            return put_in(value, _PASS, passes)
        case Term() | tuple() | Condition() if assigned:
            return Blank.LOST
    return value
