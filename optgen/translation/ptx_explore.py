"""Goes through a kernel: every case of every thread, each loop as one pass of any number.

A branch on indices divides the threads into two cases, which go on by themselves. A
branch on values is followed both ways to where these meet again, and each value there
is a choice between the two. A loop whose number of passes depends on sizes is read
three times: once to see what each pass adds to which register; with pass number j in
these registers, to see under which condition it goes on; and once more with the
condition that pass j was reached. What holds of a pass then holds of all by induction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from optgen.crosscheck.ptx.module import Instruction
from optgen.translation.ptx_conditions import (
    Atom,
    Fork,
    Less,
    atom_symbols,
)
from optgen.translation.ptx_flow import ENDS, Flow, flow
from optgen.translation.ptx_integers import (
    Poly,
    add,
    linear_in,
    multiply,
    subtract,
    symbol,
    symbols,
)
from optgen.translation.ptx_passes import Rising, common, literal, moved, same, settled, shifted
from optgen.translation.ptx_state import Context, Lost, Place, Pointer, State, Value, merge, refuse
from optgen.translation.ptx_steps import decide, guard_of, step
from optgen.translation.terms import Term

_STEPS = 200_000
"""How many instructions are read at most, unless a caller allows more."""
_CASES = 512
_NESTED = 16


@dataclass(frozen=True, slots=True)
class Event:
    """A thread leaves a value in an element of an array.

    Attributes:
        place: Array and element.
        value: The value, made of values before the step.
        case: The conditions under which it happens, each with whether it holds.
        at: The last instruction of the way.
    """

    place: Place
    value: Term
    case: frozenset[tuple[Atom, bool]]
    at: Instruction


@dataclass(frozen=True, slots=True)
class Way:
    """One way through a loop's pass or the whole kernel: what it read and what it stored."""

    read: tuple[tuple[Place, Instruction], ...]
    stored: frozenset[Place]


@dataclass(slots=True)
class Explorer:
    """Reads one entry.

    Args:
        context: What all threads share.

    Attributes:
        events: What is stored, in the order in which it was found.
        ways: What was read together with what was stored.
        steps: How many more instructions are read.
    """

    context: Context
    events: list[Event] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    _flow: Flow = field(init=False)
    steps: int = _STEPS
    _cases: int = 0
    _masked: int = 0

    def __post_init__(self) -> None:
        self._flow = flow(self.context.entry)

    def explore(self) -> None:
        """Go through the kernel once for every case.

        Raises:
            Unsupported: It does what is not followed; the message names the instruction.
        """
        for state in self._run(State(), frozenset()):
            self._flush(state)

    def advance(self, state: State) -> State:
        """Return a single thread behind its next instruction, or behind a branch on values.

        Raises:
            Unsupported: What comes next is not followed, or depends on an unknown number.
        """
        try:
            following = self._step(state, frozenset())
        except Fork as fork:
            refuse(self._instruction(state), f"it is not known whether {fork.atom}")
        if following is None:
            return state
        if len(following) != 1:
            refuse(self._instruction(state), "one thread goes several ways")
        return following[0]

    def _run(self, start: State, stops: frozenset[int]) -> list[State]:
        """Return the states in which threads come to a stop, or to the end."""
        todo, done = [start], []
        moved = {id(start): False}
        while todo:
            state = todo.pop()
            fresh = not moved.pop(id(state), True)
            while True:
                if state.at == self._flow.end or (state.at in stops and not fresh):
                    done.append(state)
                    break
                if state.at in self._flow.loops and state.at not in state.inside:
                    todo += self._loop(state)
                    break
                fresh = False
                try:
                    following = self._step(state, stops)
                except Fork as fork:
                    todo += self._both(state, fork.atom)
                    break
                if following is not None:
                    todo += following
                    break
        return done

    def _both(self, state: State, atom: Atom) -> list[State]:
        self._cases += 1
        if self._cases > _CASES:
            refuse(self._instruction(state), "there are too many cases")
        other = state.copy()
        state.facts[atom], other.facts[atom] = True, False
        return [other, state]

    def _instruction(self, state: State) -> Instruction:
        return self.context.entry.instructions[min(state.at, self._flow.end - 1)]

    def _step(self, state: State, stops: frozenset[int]) -> list[State] | None:
        """Go one instruction on; return several states where a branch is masked."""
        self.steps -= 1
        instruction = self.context.entry.instructions[state.at]
        if self.steps < 0:
            refuse(instruction, "the kernel takes too many steps")
        if instruction.opcode in ENDS:
            leaves = instruction.guard is None or guard_of(self.context, state, instruction)
            if isinstance(leaves, Term) or instruction.opcode == "trap":
                refuse(instruction, "the thread ends by a condition on values")
            state.at = self._flow.end if leaves else state.at + 1
        elif instruction.target is None:
            step(self.context, state, instruction)
            state.at += 1
        else:
            taken = decide(self.context, state, instruction)
            if isinstance(taken, Term):
                return self._meet(state, instruction, taken, stops)
            state.at = instruction.target if taken else state.at + 1
        return None

    def _meet(
        self, state: State, instruction: Instruction, mask: Term, stops: frozenset[int]
    ) -> list[State]:
        """Follow both ways of a branch on values to where they meet, and join them."""
        meet = self._flow.meets.get(state.at)
        assert instruction.target is not None
        if meet is None or meet == self._flow.end:
            refuse(instruction, "a branch on values whose ways do not meet")
        if self._masked == _NESTED:
            refuse(instruction, "branches on values without an end, or a loop that depends on them")
        self._masked += 1
        sides = []
        for at in (instruction.target, state.at + 1):
            side = state.copy()
            side.at = at
            sides.append([side] if at == meet else self._run(side, stops | {meet}))
        self._masked -= 1
        joined = []
        for yes in sides[0]:
            for no in sides[1]:
                if any(no.facts.get(atom, holds) != holds for atom, holds in yes.facts.items()):
                    continue
                if yes.at != meet or no.at != meet:
                    refuse(instruction, "a branch on values leaves a loop")
                joined.append(merge(self.context, mask, yes, no))
        return joined

    def _flush(self, state: State) -> None:
        """Record what a way has stored."""
        last = self._instruction(state)
        case = frozenset(state.facts.items())
        for place, value in state.memory.items():
            self.events.append(Event(place, value, case, last))
        self.ways.append(Way(tuple(state.loaded.items()), frozenset(state.memory)))

    def _loop(self, state: State) -> list[State]:
        head, body = state.at, self._flow.loops[state.at]
        kept = len(self.events), len(self.ways)
        stops = frozenset(range(self._flow.end + 1)) - body | {head}

        def passes(
            registers: dict[str, Value], facts: dict[Atom, bool], fresh: bool
        ) -> list[State]:
            start = state.copy()
            start.registers, start.facts = dict(registers), dict(facts)
            start.inside = state.inside | {head}
            if fresh:
                start.memory, start.loaded, start.stored = {}, {}, False
            return self._run(start, stops)

        ends = passes(state.registers, state.facts, fresh=False)
        if len({end.at for end in ends}) == 1:
            for end in ends:
                end.inside = state.inside
            return ends
        if self._masked:
            refuse(self._instruction(state), "a loop under a condition on values")
        counter = f"pass{head}"
        rising = Rising.of(state, [end for end in ends if end.at == head], counter)
        ends = passes(rising.registers, state.facts, fresh=True)
        reached = self._reached(state, head, ends, counter)
        del self.events[kept[0] :], self.ways[kept[1] :]
        ends = passes(rising.registers, {**state.facts, **reached}, fresh=True)
        again, leaving = ([e for e in ends if (e.at == head) is back] for back in (True, False))
        self._check(state, rising, again, leaving, counter, reached)
        for end in ends:
            self._flush(end)
        after = self._behind(state, leaving, counter)
        return [after]

    def _reached(
        self, state: State, head: int, ends: list[State], counter: str
    ) -> dict[Atom, bool]:
        """Return the conditions of going on that held before pass j, and before the first."""
        again = [end for end in ends if end.at == head]
        reached: dict[Atom, bool] = {}
        for atom, holds in common(again):
            if counter not in atom_symbols(atom):
                continue
            first = shifted(atom, counter, -1)
            known = settled(first, holds, state, self.context)
            earlier = literal(shifted(atom, counter, subtract(symbol(counter), 1)), holds)
            if known and earlier is not None:
                reached[earlier[0]] = earlier[1]
        return reached

    def _check(
        self,
        state: State,
        rising: Rising,
        again: list[State],
        leaving: list[State],
        counter: str,
        reached: dict[Atom, bool],
    ) -> None:
        """Check that pass j + 1 begins as pass j did, and is reached exactly if it should be."""
        where = self._instruction(state)
        for name, (begin, change) in rising.changes.items():
            count = add(symbol(counter), 1)
            for end in again:
                if end.registers.get(name) != moved(begin, multiply(change, count)):
                    refuse(where, f"{name} does not change evenly from pass to pass")
        shared = dict(common(again))
        carried, proved = set(), set()
        for atom, holds in shared.items():
            earlier = literal(shifted(atom, counter, subtract(symbol(counter), 1)), holds)
            if earlier is not None and reached.get(earlier[0]) == earlier[1]:
                carried.add(atom)
                proved.add(earlier[0])
        if proved != reached.keys():
            refuse(where, "the loop does not go on as it began")
        for end in leaving:
            ended = [
                atom
                for atom, holds in shared.items()
                if end.facts.get(atom) == (not holds)
                and (atom in carried or not end.stored)
                and self._lasts(atom, holds, counter)
            ]
            if not ended:
                refuse(where, "the loop ends by a condition that is not followed")

    def _lasts(self, atom: Atom, holds: bool, counter: str) -> bool:
        """Whether a condition that holds in one pass held in all before it."""
        if not isinstance(atom, Less):
            return False
        parts = linear_in(atom.poly, counter)
        if parts is None:
            return False
        slope = parts[0] if holds else multiply(-1, parts[0])
        low = self.context.known.least_value(slope)
        return low is not None and low >= 0

    def _behind(self, state: State, leaving: list[State], counter: str) -> State:
        """Return the thread behind a loop: what depends on the number of passes is lost."""
        if len({end.at for end in leaving}) != 1:
            refuse(self._instruction(state), "the loop is left to several places")
        after = state.copy()
        after.at = leaving[0].at
        after.stored = True
        for name in {name for end in leaving for name in end.registers}:
            values = [end.registers.get(name) for end in leaving]
            before = state.registers.get(name)
            if all(same(value, before) for value in values):
                continue
            first = values[0]
            numbers = first if isinstance(first, int | Poly | Pointer) else None
            offset = numbers.offset if isinstance(numbers, Pointer) else numbers
            even = all(same(value, first) for value in values)
            if not even or offset is None or counter in symbols(offset):
                after.registers[name] = Lost("it depends on the passes of a loop")
            else:
                assert first is not None
                after.registers[name] = first
        return after
