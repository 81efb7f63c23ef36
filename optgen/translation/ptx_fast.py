"""Integer instructions on plain numbers, prepared once for many threads.

Nothing here has a meaning of its own: what these functions do not take, and whatever is
no plain number, goes to `ptx_steps`, which would give the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from optgen.crosscheck.ptx.module import Instruction, Integer, Operand, Register
from optgen.translation.ptx_operands import FLOATS, as_kind, width
from optgen.translation.ptx_state import State, Value
from optgen.translation.terms import Term

Quick = Callable[[State], bool]
"""Executes its instruction if it can; returns whether it did."""

_BINARY: Mapping[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "and": operator.and_,
    "or": operator.or_,
}
_COMPARED: Mapping[str, Callable[[int, int], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def prepare(instruction: Instruction) -> Quick | None:
    """Return what executes an instruction on plain numbers, or None."""
    if instruction.opcode == "bra":
        return _branch(instruction)
    if instruction.guard is not None or not instruction.operands:
        return None
    target, *sources = instruction.operands
    if not isinstance(target, Register) or not instruction.modifiers:
        return None
    *words, kind = instruction.modifiers
    if instruction.opcode == "mov" and len(sources) == 1:
        return _move(target.name, sources[0], kind)
    if kind in FLOATS or kind == "pred":
        return None
    found = _operation(instruction.opcode, words, kind)
    if found is None or len(sources) != 2:
        return None
    function, read_as = found
    return _two(target.name, sources, function, read_as)


def _operation(
    opcode: str, words: list[str], kind: str
) -> tuple[Callable[[int, int], int], str] | None:
    if opcode in _BINARY and not words:
        binary = _BINARY[opcode]
        return (lambda a, b: as_kind(binary(a, b), kind)), kind
    if opcode == "mul" and words == ["lo"]:
        return (lambda a, b: as_kind(a * b, kind)), kind
    if opcode == "mul" and words == ["wide"]:
        return operator.mul, kind
    if opcode == "setp" and len(words) == 1 and words[0] in _COMPARED:
        return _COMPARED[words[0]], kind
    if opcode == "shl" and not words:
        return (lambda a, b: as_kind(a << min(b, width(kind)), kind)), kind
    return None


def _two(
    target: str, sources: list[Operand], function: Callable[[int, int], int], kind: str
) -> Quick | None:
    left, right = (_constant_or_name(source) for source in sources)
    if left is None or right is None:
        return None

    def run(state: State) -> bool:
        registers = state.registers
        a = registers.get(left) if isinstance(left, str) else left
        b = registers.get(right) if isinstance(right, str) else right
        if type(a) is not int or type(b) is not int:
            return False
        registers[target] = function(as_kind(a, kind), as_kind(b, kind))
        state.at += 1
        return True

    return run


def _constant_or_name(operand: Operand) -> int | str | None:
    if isinstance(operand, Register):
        return operand.name
    return operand.value if isinstance(operand, Integer) else None


def _move(target: str, source: Operand, kind: str) -> Quick | None:
    if not isinstance(source, Register):
        return None
    name = source.name

    def run(state: State) -> bool:
        value: Value | None = state.registers.get(name)
        if not isinstance(value, Term) and (type(value) is not int or kind in FLOATS):
            return False
        state.registers[target] = value
        state.at += 1
        return True

    return run


def _branch(instruction: Instruction) -> Quick | None:
    target = instruction.target
    assert target is not None
    if instruction.guard is None:

        def jump(state: State) -> bool:
            state.at = target
            return True

        return jump
    name, negated = instruction.guard.name, instruction.negated

    def run(state: State) -> bool:
        holds = state.registers.get(name)
        if not isinstance(holds, bool):
            return False
        state.at = target if holds != negated else state.at + 1
        return True

    return run
