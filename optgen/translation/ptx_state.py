"""What a thread holds while PTX is read: values in registers, the case it is in, its stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from optgen.crosscheck.ptx.module import Address, Entry, Instruction
from optgen.translation import expand
from optgen.translation.bits.words import Bits, Word
from optgen.translation.ptx_conditions import Aligned, Atom, Both, Condition, Less, Not, Zero
from optgen.translation.ptx_integers import Number, Poly, Quotients
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported


@dataclass(frozen=True, slots=True)
class Pointer:
    """An address: bytes behind the start of an array, or of shared memory (`"shared"`)."""

    array: str
    offset: Number


@dataclass(frozen=True, slots=True)
class Mixed:
    """The low bits of some addresses, or-ed together; only their alignment can be asked for."""

    arrays: frozenset[str]
    mask: int = -1


@dataclass(frozen=True, slots=True)
class Half:
    """The low (0) or the high (1) 32 bits of a float64 value."""

    value: Term
    part: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that is not followed; reading it ends the reading."""

    reason: str


Value = int | Poly | Pointer | Mixed | Term | Word | Half | Condition | Lost
Place = tuple[str, Number]
"""An array and the number of an element."""


@dataclass(slots=True)
class State:
    """One thread in one case.

    Attributes:
        registers: The value of each register that was written.
        facts: Which conditions the case is made of, in the order in which they were met.
        memory: What the thread has stored, by array and element.
        loaded: Elements that were read before this thread stored them.
        stored: Whether anything was stored on the way.
        at: The next instruction.
        inside: Loops, by their first instruction, that are being read as one pass.
    """

    registers: dict[str, Value] = field(default_factory=dict)
    facts: dict[Atom, bool] = field(default_factory=dict)
    memory: dict[Place, Term] = field(default_factory=dict)
    loaded: dict[Place, Instruction] = field(default_factory=dict)
    stored: bool = False
    at: int = 0
    inside: frozenset[int] = frozenset()

    def copy(self) -> State:
        """Return a thread that goes its own way from here."""
        return State(
            dict(self.registers),
            dict(self.facts),
            dict(self.memory),
            dict(self.loaded),
            self.stored,
            self.at,
            self.inside,
        )


class Memory(Protocol):
    """Where loads find their values, and what becomes of stores."""

    def load(
        self, state: State, instruction: Instruction, address: Address, kind: str, lanes: int
    ) -> tuple[Value, ...]:
        """Return as many values of a PTX type as the access has lanes."""

    def save(
        self,
        state: State,
        instruction: Instruction,
        address: Address,
        kind: str,
        values: tuple[Value, ...],
    ) -> None:
        """Store values of a PTX type, one behind the other."""


@dataclass(slots=True)
class Context:
    """What reading one entry shares among all threads.

    Attributes:
        entry: The kernel.
        store: Where terms are built.
        memory: Where loads and stores go.
        specials: Thread and block numbers, by register.
        known: What is known of symbols.
        origins: The instruction that first made each term.
        assumptions: What has been taken for granted, as sentences.
        scalars: Symbols that stand for integer scalars, with the scalar's name.
        places: Numbers of the places that were read.
        draws: The random numbers that an element draws; if there are any, indices are also what
            these are made of: bits.
    """

    entry: Entry
    store: Terms
    memory: Memory
    specials: Mapping[str, Number]
    known: Quotients = field(default_factory=Quotients)
    origins: dict[Term, Instruction] = field(default_factory=dict)
    assumptions: dict[str, None] = field(default_factory=dict)
    scalars: dict[str, str] = field(default_factory=dict)
    places: dict[Place, int] = field(default_factory=dict)
    draws: tuple[str, ...] = ()
    bits: Bits = field(init=False)

    def __post_init__(self) -> None:
        self.bits = Bits(self.store)

    def before(self, place: Place, type_: TermType) -> Term:
        """Return the value of an element before the step, by the number of its place."""
        number = self.places.setdefault(place, len(self.places))
        return self.store.make("load", type_, payload=(place[0], number))

    def note(self, term: Term, instruction: Instruction) -> Term:
        """Remember which instruction made a term."""
        self.origins.setdefault(term, instruction)
        return term


def refuse(instruction: Instruction, why: str) -> NoReturn:
    """Raise the error that names an instruction and what about it is not known."""
    raise Unsupported(f"PTX line {instruction.line}: {instruction.text}: {why}")


def is_condition(value: Value) -> bool:
    """Whether a value can stand in a predicate register."""
    if isinstance(value, Term):
        return value.type == "mask"
    return isinstance(value, bool | Less | Zero | Aligned | Not | Both)


def as_condition(value: Value) -> Condition | None:
    """Return a value as a condition, or None if it is none."""
    if isinstance(value, bool | Less | Zero | Aligned | Not | Both):
        return value
    return value if isinstance(value, Term) and value.type == "mask" else None


def either(left: Condition, right: Condition) -> Condition:
    """Return `left or right`."""
    return Not(Both(Not(left), Not(right)))


def merge(context: Context, mask: Term, yes: State, no: State) -> State:
    """Return the thread that is `yes` where a mask holds, and `no` elsewhere."""
    result = no.copy()
    result.facts |= yes.facts
    for name in yes.registers.keys() | no.registers.keys():
        a, b = yes.registers.get(name), no.registers.get(name)
        result.registers[name] = _choose(context, mask, a, b)
    for place in yes.memory.keys() | no.memory.keys():
        either_one = yes.memory.get(place) or no.memory[place]
        before = context.before(place, either_one.type)
        result.memory[place] = expand.choose(
            context.store, mask, yes.memory.get(place, before), no.memory.get(place, before)
        )
    result.loaded = {**no.loaded, **yes.loaded}
    result.stored = yes.stored or no.stored
    return result


def _choose(context: Context, mask: Term, yes: Value | None, no: Value | None) -> Value:
    if yes is None or no is None:
        return Lost("it has a value on one of two ways only")
    if yes is no or (isinstance(yes, int | Poly | Pointer | Mixed | Half) and yes == no):
        return yes
    a, b = as_condition(yes), as_condition(no)
    if a is not None and b is not None:
        return either(Both(mask, a), Both(Not(mask), b))
    if isinstance(yes, Term) and isinstance(no, Term) and yes.type == no.type:
        return context.bits.select(mask, yes, no)
    if isinstance(yes, Word) and isinstance(no, Word) and yes.width == no.width:
        return context.bits.choose(mask, yes, no)
    return Lost("it depends on a condition on values")
