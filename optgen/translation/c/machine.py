"""Executes code on symbols: control flow, registers, calls.

What to do next must follow from whole numbers: exact ones, or linear ones together with
what is known. A branch that depends on floats is executed both ways up to where the ways
join, and every value becomes a choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from optgen.translation import expand
from optgen.translation.bits.words import Bits
from optgen.translation.c import bitwise
from optgen.translation.c.code import (
    Float,
    Function,
    Many,
    Number,
    Operand,
    Program,
    Ptr,
    Register,
    Row,
    Step,
    Struct,
    Symbol,
    Type,
    Void,
    Word,
    size_of,
)
from optgen.translation.c.integers import Condition, Facts
from optgen.translation.c.memory import Blank, Memory, Pointer, Store, Value, read
from optgen.translation.c.operations import OPERATIONS
from optgen.translation.c.retyping import flat_types
from optgen.translation.terms import Term, Terms
from optgen.verify.verdicts import Unsupported

_WIDEST = 64
"""Bits of an integer whose type is not at hand: those above its own are 0."""

_LONGEST = 3_000_000
"""Steps after which a run is given up."""


class Undecided(Exception):
    """A condition on whole numbers that what is known does not settle."""

    def __init__(self, condition: Condition) -> None:
        super().__init__("a condition is open")
        self.condition = condition


class EndlessLoop(Exception):
    """A loop whose number of passes is a symbol."""

    def __init__(self, header: str) -> None:
        super().__init__(f"the loop at {header}")
        self.header = header


@dataclass(slots=True)
class Frame:
    """One call of a function."""

    function: Function
    registers: dict[str, Value]


Hook = Callable[["Machine", Step, tuple[Value, ...]], Value]
LoopReader = Callable[["Machine", Frame, str], str]


@dataclass(slots=True)
class Machine:
    """One run.

    Attributes:
        program: The code.
        store: Where terms are built.
        hooks: What a call does that is not followed, for the name of a function; None if it is.
        facts: What is known of the symbols.
        decided: Conditions that were left open, with the side that this run takes.
        loops: What reads a loop whose passes are not counted; None if there is no such.
        open_loops: Headers of loops to read so.
        memory: All memory.
        watch: What sees each step before it is done.
        side: Which side a branch on floats takes, for its mask, if its ways meet at the end of the
            function only; None if these, too, are executed both ways and joined.
    """

    program: Program
    store: Terms
    hooks: Callable[[str], Hook | None]
    facts: Facts = field(default_factory=Facts)
    decided: dict[Condition, bool] = field(default_factory=dict)
    loops: LoopReader | None = None
    open_loops: set[str] = field(default_factory=set)
    memory: Store = field(default_factory=Store)
    watch: Callable[[Step], None] = lambda step: None
    side: Callable[[Term], bool] | None = None
    steps: int = 0
    bits: Bits = field(init=False)

    def __post_init__(self) -> None:
        self.bits = Bits(self.store)

    def call(self, name: str, arguments: tuple[Value, ...]) -> Value:
        """Run a function and return its value; 0 where it has none.

        Raises:
            Unsupported: Something is not followed.
            Fault: Something is read or written that must not be.
        """
        function = self.program.find(name)
        if len(arguments) != len(function.parameters):
            raise Unsupported(f"{name} has {len(function.parameters)} parameters")
        names = (register for register, _ in function.parameters)
        frame = Frame(function, dict(zip(names, arguments, strict=True)))
        stopped, value = self.run(frame, next(iter(function.blocks)), None)
        assert stopped
        return value

    def run(
        self, frame: Frame, label: str, stop: str | None, before: str = ""
    ) -> tuple[bool, Value]:
        """Run from a block until the function ends, or just before a block.

        Args:
            frame: The call.
            label: The block to begin with.
            stop: The block to stop before.
            before: The block that it was entered from.

        Returns:
            Whether the function has ended, and its value.
        """
        while label != stop:
            if before and label in self.open_loops and self.loops is not None:
                before, label = label, self.loops(self, frame, label)
                continue
            step = self.block(frame, label)
            if step.name == "ret":
                return True, self.value(frame, step.operands[0]) if step.operands else 0
            before, label = label, self.next_block(frame, label, step)
        return False, 0

    def block(self, frame: Frame, label: str) -> Step:
        """Run a block and return its last step."""
        *steps, last = frame.function.blocks[label]
        for step in steps:
            if step.name != "phi":
                self._do(frame, step)
        self.steps += len(steps)
        if self.steps > _LONGEST:
            raise Unsupported(f"{frame.function.name}: more than {_LONGEST} steps")
        return last

    def next_block(self, frame: Frame, label: str, step: Step) -> str:
        """Go on behind a block, and return where."""
        if step.name == "br":
            return self.enter(frame, label, step.words[0])
        if step.name != "condbr":
            raise Unsupported(f"line {step.line}: {step.name}")
        condition = self.value(frame, step.operands[0])
        if isinstance(condition, Term):
            if self.side is not None and frame.function.ends_apart(label):
                return self.enter(frame, label, step.words[0 if self.side(condition) else 1])
            return self._both_ways(frame, label, step, condition)
        try:
            holds = self.holds(condition, step)
        except Undecided:
            for header in frame.function.loops():
                loop = frame.function.loop(header)
                if label in loop and not {*step.words} <= loop:
                    raise EndlessLoop(header) from None
            raise
        return self.enter(frame, label, step.words[0 if holds else 1])

    def holds(self, condition: Value, step: Step) -> bool:
        """Return whether a condition on whole numbers holds.

        Raises:
            Undecided: Nobody knows.
            Unsupported: It is no such condition.
        """
        if isinstance(condition, bool):
            return condition
        if not isinstance(condition, Condition):
            raise Unsupported(f"line {step.line}: {step.name} depends on {_said(condition)}")
        found = self.facts.decide(condition)
        if found is None:
            for known, side in self.decided.items():
                if known.value == condition.value and known.equal == condition.equal:
                    found = side == (known.holds == condition.holds)
                    self.facts.assume(condition if found else condition.opposite())
                    return found
            raise Undecided(condition)
        return found

    def enter(self, frame: Frame, before: str, label: str) -> str:
        """Set what a block takes over from the one before it."""
        taken = []
        for step in frame.function.blocks[label]:
            if step.name != "phi":
                break
            place = step.words.index(before)
            taken.append((step.target, self.value(frame, step.operands[place])))
        frame.registers.update(taken)
        return label

    def _both_ways(self, frame: Frame, label: str, step: Step, mask: Term) -> str:
        join = frame.function.join(label)
        if join is None:
            raise Unsupported(f"line {step.line}: the ways from a branch do not meet")
        found = []
        for way in step.words:
            arm = Frame(frame.function, dict(frame.registers))
            mark = len(self.memory.journal)
            self.enter(arm, label, way)
            if self.run(arm, way, join, label)[0]:
                raise Unsupported(f"line {step.line}: a branch ends the function")
            found.append((arm.registers, self.memory.take_back(mark)))
        (yes, written), (no, other) = found
        for name in yes.keys() & no.keys():
            frame.registers[name] = self.either(mask, yes[name], no[name])
        for key in written.keys() | other.keys():
            memory, (_, size) = written.get(key) or other[key]
            place = Pointer(memory, key[1])
            sides = [
                arm[key][1][0] if key in arm else read(place, size) for arm in (written, other)
            ]
            self.memory.write(place, self.either(mask, *sides), size)
        return join

    def either(self, mask: Term, yes: Value, no: Value) -> Value:
        """Return one value where a mask holds and another where it does not."""
        if yes is no or (type(yes) is type(no) and not isinstance(yes, Term) and yes == no):
            return yes
        if (isinstance(yes, bool) and isinstance(no, bool | Term)) or isinstance(no, bool):
            yes, no = (
                expand.truth(self.store, side) if isinstance(side, bool) else side
                for side in (yes, no)
            )
        if isinstance(yes, Term) and isinstance(no, Term) and yes.type == no.type:
            return self.bits.select(mask, yes, no)
        if isinstance(yes, bitwise.NUMBERS) and isinstance(no, bitwise.NUMBERS):
            return bitwise.chosen(self, mask, yes, no, _WIDEST)
        if isinstance(yes, tuple) and isinstance(no, tuple):
            return tuple(self.either(mask, a, b) for a, b in zip(yes, no, strict=True))
        return Blank.LOST

    def value(self, frame: Frame, operand: Operand) -> Value:
        """Return what an operand stands for."""
        match operand:
            case Register(name):
                found = frame.registers.get(name)
                return Blank.POISON if found is None else found
            case Number(value, kind):
                return constant(self.store, value, kind)
            case Symbol():
                return operand
            case Row(items):
                return tuple(self.value(frame, item) for item in items)
            case Word(name, kind):
                return Blank.POISON if name == "poison" else zero(self.store, kind)

    def _do(self, frame: Frame, step: Step) -> None:
        operands = tuple(self.value(frame, operand) for operand in step.operands)
        self.watch(step)
        try:
            if step.name == "call":
                value = self._call(step, operands)
            elif step.name == "alloca":
                value = Pointer(self._allocated(step), 0)
            else:
                operation = OPERATIONS.get(step.name)
                if operation is None:
                    raise Unsupported(f"{step.name}")
                value = operation(self, step, operands)
        except Unsupported as error:
            if str(error).startswith("line "):
                raise
            raise Unsupported(f"line {step.line}: {error}") from error
        if step.target:
            frame.registers[step.target] = value

    def _allocated(self, step: Step) -> Memory:
        """Return new memory of a function."""
        kinds = {*flat_types(step.other.of)} if isinstance(step.other, Many) else set()
        element = None
        if len(kinds) == 1:
            (kind,) = kinds
            element = (zero(self.store, kind), size_of(kind))
        return Memory(step.target, size_of(step.other), element=element, born=self.steps)

    def _call(self, step: Step, operands: tuple[Value, ...]) -> Value:
        name = step.words[0]
        hook = self.hooks(name)
        return hook(self, step, operands) if hook else self.call(name, operands)


def constant(store: Terms, value: int | float, kind: Type) -> Value:
    """Return a number of a type."""
    if isinstance(kind, Float):
        return store.number(float(value), kind.name)
    assert isinstance(value, int)
    if isinstance(kind, Ptr):
        return Pointer(None, value)
    bits = getattr(kind, "bits", 64)
    return bool(value & 1) if bits == 1 else value & ((1 << bits) - 1)


def zero(store: Terms, kind: Type) -> Value:
    """Return the zero of any type."""
    match kind:
        case Many(count, of):
            return (zero(store, of),) * count
        case Struct(fields):
            return tuple(zero(store, f) for f in fields)
        case Void():
            return 0
    return constant(store, 0, kind)


def _said(value: Value) -> str:
    return value.value if isinstance(value, Blank) else f"a {type(value).__name__.lower()}"
