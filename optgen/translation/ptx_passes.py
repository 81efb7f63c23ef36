"""What a loop changes from pass to pass, and the conditions under which it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from optgen.translation.ptx_conditions import (
    Aligned,
    Atom,
    Condition,
    Less,
    Not,
    Zero,
    equal,
    implied,
    less,
)
from optgen.translation.ptx_integers import (
    Number,
    Poly,
    add,
    multiply,
    replace,
    subtract,
    symbol,
)
from optgen.translation.ptx_state import Context, Lost, Pointer, State, Value


def common(states: list[State]) -> list[tuple[Atom, bool]]:
    """Return the facts of all states, in the order of the first."""
    first, *rest = states
    return [
        (atom, holds)
        for atom, holds in first.facts.items()
        if all(other.facts.get(atom) == holds for other in rest)
    ]


def shifted(atom: Atom, counter: str, value: Number) -> Condition:
    """Return an atom with a value put in for the number of the pass."""
    match atom:
        case Less(poly):
            return less(replace(poly, counter, value), 0)
        case Zero(poly):
            return equal(replace(poly, counter, value), 0)
        case Aligned():
            return atom


def literal(condition: Condition, holds: bool) -> tuple[Atom, bool] | None:
    """Return a condition that holds, or does not, as an atom that does."""
    match condition:
        case Less() | Zero() | Aligned():
            return condition, holds
        case Not(Less() | Zero() | Aligned() as inner):
            return inner, not holds
    return None


def settled(condition: Condition, holds: bool, state: State, context: Context) -> bool:
    """Whether a state settles a condition as wanted."""
    if isinstance(condition, bool):
        return condition == holds
    found = literal(condition, holds)
    return found is not None and implied(found[0], state.facts, context.known) == found[1]


def same(left: Value | None, right: Value | None) -> bool:
    """Whether two values are known to be the same."""
    if isinstance(left, int | Poly | Pointer):
        return type(left) is type(right) and left == right
    return left is right


def moved(begin: int | Poly | Pointer, change: Number) -> Value:
    """Return the first value of a register, moved by a number."""
    if isinstance(begin, Pointer):
        return Pointer(begin.array, add(begin.offset, change))
    return add(begin, change)


@dataclass(slots=True)
class Rising:
    """Registers at the beginning of pass j.

    Attributes:
        registers: Their values.
        changes: For those that change evenly, the first value and the change by each pass.
    """

    registers: dict[str, Value]
    changes: dict[str, tuple[int | Poly | Pointer, Number]]

    @classmethod
    def of(cls, state: State, again: list[State], counter: str) -> Rising:
        """Compare registers before a pass with those behind it."""
        registers = dict(state.registers)
        changes: dict[str, tuple[int | Poly | Pointer, Number]] = {}
        for name, before in state.registers.items():
            values = [end.registers.get(name) for end in again]
            if all(same(value, before) for value in values):
                continue
            found = {_change(before, value) for value in values}
            change = found.pop() if len(found) == 1 else None
            if change is None or not isinstance(before, int | Poly | Pointer):
                registers[name] = Lost("it is carried from one pass of a loop to the next")
                continue
            changes[name] = (before, change)
            registers[name] = moved(before, multiply(change, symbol(counter)))
        return cls(registers, changes)


def _change(before: Value, after: Value | None) -> Number | None:
    match before, after:
        case bool(), _:
            return None
        case ((int() | Poly()), (int() | Poly())):
            return subtract(after, before)
        case Pointer(array, begin), Pointer(other, end) if array == other:
            return subtract(end, begin)
    return None
