"""One PTX instruction after the other: what it does to a thread's registers and memory.

Branches, barriers and the exchange of values between threads are not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from optgen.crosscheck.ptx.module import Address, Instruction, Operand, Register, Vector
from optgen.translation import ptx_bits, ptx_floats, ptx_indices
from optgen.translation.bits.words import Word
from optgen.translation.ptx_conditions import Both, Condition, Fork, Not, evaluate
from optgen.translation.ptx_integers import Poly
from optgen.translation.ptx_operands import FLOATS, address, condition, read, width
from optgen.translation.ptx_state import (
    Context,
    Half,
    Lost,
    State,
    Value,
    as_condition,
    either,
    merge,
    refuse,
)
from optgen.translation.terms import Term

Semantics = Callable[[Context, State, Instruction], Value]

_REAL: Mapping[str, Semantics] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "fma", "sqrt"), ptx_floats.arithmetic),
    **dict.fromkeys(("rcp", "rsqrt"), ptx_floats.reciprocal),
    **dict.fromkeys(("neg", "abs"), ptx_floats.exact),
    **dict.fromkeys(("min", "max"), ptx_floats.extreme),
    "ex2": ptx_floats.exponential,
    "lg2": ptx_floats.logarithm,
}
_WHOLE: Mapping[str, Semantics] = {
    **dict.fromkeys(("add", "sub"), ptx_indices.sums),
    **dict.fromkeys(("mul", "mad"), ptx_indices.products),
    **dict.fromkeys(("shl", "shr"), ptx_indices.shifts),
    **dict.fromkeys(("div", "rem"), ptx_indices.divisions),
    **dict.fromkeys(("and", "or", "xor", "not"), ptx_indices.logic),
    **dict.fromkeys(("neg", "abs"), ptx_indices.negation),
    **dict.fromkeys(("bfe", "bfi"), ptx_indices.fields),
}


def step(context: Context, state: State, instruction: Instruction) -> None:
    """Execute one instruction that is no branch, under its guard.

    Raises:
        Fork: Threads of this case do different things.
        Unsupported: What the instruction does is not known.
    """
    if instruction.guard is None:
        _execute(context, state, instruction)
        return
    guard = guard_of(context, state, instruction)
    if guard is False:
        return
    if guard is True:
        _execute(context, state, instruction)
        return
    assert isinstance(guard, Term)
    done = state.copy()
    _execute(context, done, instruction)
    joined = merge(context, guard, done, state)
    state.registers, state.memory, state.loaded = joined.registers, joined.memory, joined.loaded


def guard_of(context: Context, state: State, instruction: Instruction) -> bool | Term:
    """Return whether an instruction's guard holds: always, never, or a mask."""
    assert instruction.guard is not None
    found = condition(context, state, instruction, instruction.guard)
    found = Not(found) if instruction.negated else found
    return evaluate(found, state.facts, context.known, context.store)


def _execute(context: Context, state: State, instruction: Instruction) -> None:
    match instruction.opcode:
        case "ld":
            _load(context, state, instruction)
        case "st":
            _save(context, state, instruction)
        case "mov":
            _move(context, state, instruction)
        case "setp":
            _compare(context, state, instruction)
        case "membar" | "fence":
            pass
        case _:
            write(
                context,
                state,
                instruction,
                instruction.operands[0],
                _value(context, state, instruction),
            )


def write(
    context: Context, state: State, instruction: Instruction, target: Operand | None, value: Value
) -> None:
    """Write a register."""
    if not isinstance(target, Register):
        refuse(instruction, "a destination of this form")
    state.registers[target.name] = value
    if isinstance(value, Term):
        context.note(value, instruction)


def _value(context: Context, state: State, instruction: Instruction) -> Value:
    kind = instruction.modifiers[-1] if instruction.modifiers else ""
    opcode = instruction.opcode
    if kind == "pred":
        return _predicate(context, state, instruction)
    if opcode == "selp":
        return _select(context, state, instruction)
    if opcode == "cvta":
        return address(context, state, instruction, instruction.operands[1])
    if opcode in ("cvt", "shr", "bfi"):
        half = _halves(state, instruction)
        if half is not None:
            return half
    if ptx_bits.apply(context, state, instruction):
        return ptx_bits.operation(context, state, instruction)
    if opcode == "cvt":
        if any(m in FLOATS for m in instruction.modifiers):
            return ptx_floats.convert(context, state, instruction)
        return ptx_indices.conversion(context, state, instruction)
    if kind in FLOATS and opcode in _REAL:
        return _REAL[opcode](context, state, instruction)
    if kind not in FLOATS and opcode in ("min", "max"):
        chosen, a, b = ptx_indices.smaller(context, state, instruction)
        return _chosen(context, state, instruction, chosen, a, b)
    if kind not in FLOATS and opcode in _WHOLE:
        return _WHOLE[opcode](context, state, instruction)
    refuse(instruction, f"the instruction {opcode} is not followed")


def _predicate(context: Context, state: State, instruction: Instruction) -> Value:
    given = [condition(context, state, instruction, o) for o in instruction.operands[1:]]
    match instruction.opcode, given:
        case "not", [a]:
            return Not(a)
        case "and", [a, b]:
            return Both(a, b)
        case "or", [a, b]:
            return either(a, b)
        case "xor", [a, b]:
            return either(Both(a, Not(b)), Both(Not(a), b))
    refuse(instruction, "the instruction is not followed")


def _select(context: Context, state: State, instruction: Instruction) -> Value:
    if instruction.modifiers[-1] in FLOATS:
        chosen, a, b = ptx_floats.select(context, state, instruction)
        return _chosen(context, state, instruction, chosen, a, b)
    _, yes, no, mask = instruction.operands
    chosen = condition(context, state, instruction, mask)
    holds = evaluate(chosen, state.facts, context.known, context.store)
    if isinstance(holds, bool):
        return read(context, state, instruction, yes if holds else no)
    return _chosen(
        context,
        state,
        instruction,
        holds,
        read(context, state, instruction, yes),
        read(context, state, instruction, no),
    )


def _chosen(
    context: Context, state: State, instruction: Instruction, chosen: Condition, a: Value, b: Value
) -> Value:
    holds = evaluate(chosen, state.facts, context.known, context.store)
    kind = instruction.modifiers[-1]
    if isinstance(holds, bool):
        return a if holds else b
    if isinstance(a, int) and isinstance(b, int) and kind not in FLOATS:
        words = (ptx_bits.word(context, instruction, v, kind) for v in (a, b))
        return context.bits.choose(holds, *words)
    a, b = _as_real(context, a, b), _as_real(context, b, a)
    if isinstance(a, Term) and isinstance(b, Term) and a.type == b.type:
        return context.bits.select(holds, a, b)
    if isinstance(a, Word) or isinstance(b, Word):
        words = (ptx_bits.word(context, instruction, v, kind) for v in (a, b))
        return context.bits.choose(holds, *words)
    return Lost("it depends on a condition on values")


def _as_real(context: Context, value: Value, other: Value) -> Value:
    """Return the value whose bits a constant has, where it stands beside a value."""
    if isinstance(other, Term) and isinstance(value, int) and not isinstance(value, bool):
        size = 64 if other.type == "float64" else 32 if other.type == "float32" else 16
        return ptx_floats.constant(context, value & ((1 << size) - 1), other.type)
    return value


def _halves(state: State, instruction: Instruction) -> Value | None:
    """Read what takes a float64 value apart into two words and puts it together again."""
    held = [state.registers.get(getattr(o, "name", "")) for o in instruction.operands[1:]]
    numbers = [getattr(o, "value", None) for o in instruction.operands[1:]]
    match instruction.opcode, held:
        case "cvt", [Half() as half]:
            return half
        case "cvt", [Term(type="float64") as whole] if instruction.modifiers == ("u32", "u64"):
            return Half(whole, 0)
        case "shr", [Term(type="float64") as whole, _] if numbers[1] == 32:
            if width(instruction.modifiers[-1]) == 64:
                return Half(whole, 1)
        case "bfi", [Half(a, 1), Half(b, 0), _, _] if a is b and numbers[2:] == [32, 32]:
            return a
    return None


def _compare(context: Context, state: State, instruction: Instruction) -> None:
    kind = instruction.modifiers[-1]
    floats = kind in FLOATS
    if not floats and ptx_bits.apply(context, state, instruction):
        value = ptx_bits.compare(context, state, instruction)
        write(context, state, instruction, instruction.operands[0], value)
        return
    words = tuple(m for m in instruction.modifiers if m not in ("and", "or", "xor"))
    semantics = ptx_floats.compare if floats else ptx_indices.compare
    if len(words) != len(instruction.modifiers):
        refuse(instruction, "a comparison joined with a predicate")
    write(
        context, state, instruction, instruction.operands[0], semantics(context, state, instruction)
    )


def _move(context: Context, state: State, instruction: Instruction) -> None:
    target, *sources = instruction.operands
    if isinstance(target, Vector) or any(isinstance(s, Vector) for s in sources):
        _pack(context, state, instruction)
        return
    kind = instruction.modifiers[-1]
    value = read(context, state, instruction, sources[0])
    if isinstance(value, int) and not isinstance(value, bool) and kind in FLOATS:
        value = ptx_floats.constant(context, value & ((1 << width(kind)) - 1), FLOATS[kind])
    if kind == "pred" and isinstance(value, int):
        value = bool(value)
    write(context, state, instruction, target, value)


def _pack(context: Context, state: State, instruction: Instruction) -> None:
    """Read the moves between two words and one double word."""
    target, source = instruction.operands
    if isinstance(target, Vector) and not isinstance(source, Vector):
        whole = read(context, state, instruction, source)
        if isinstance(whole, Term) and whole.type == "float64" and len(target.items) == 2:
            for part, item in enumerate(target.items):
                if item is not None:
                    write(
                        context, state, instruction, _register(instruction, item), Half(whole, part)
                    )
            return
    elif isinstance(source, Vector) and len(source.items) == 2:
        low, high = (
            None if item is None else read(context, state, instruction, item)
            for item in source.items
        )
        match low, high:
            case Half(a, 0), Half(b, 1) if a is b:
                write(context, state, instruction, target, a)
                return
    refuse(instruction, "values are packed")


def _register(instruction: Instruction, operand: Operand) -> Register:
    if not isinstance(operand, Register):
        refuse(instruction, "a destination of this form")
    return operand


def _lanes(operand: Operand) -> tuple[Operand | None, ...]:
    return operand.items if isinstance(operand, Vector) else (operand,)


def _load(context: Context, state: State, instruction: Instruction) -> None:
    target, source = instruction.operands[:2]
    if len(instruction.operands) != 2 or not isinstance(source, Address):
        refuse(instruction, "a load of this form")
    lanes = _lanes(target)
    kind = instruction.modifiers[-1]
    values = context.memory.load(state, instruction, source, kind, len(lanes))
    for lane, value in zip(lanes, values, strict=True):
        if lane is not None:
            write(context, state, instruction, lane, value)


def _save(context: Context, state: State, instruction: Instruction) -> None:
    target, source = instruction.operands[:2]
    if len(instruction.operands) != 2 or not isinstance(target, Address):
        refuse(instruction, "a store of this form")
    values = []
    for lane in _lanes(source):
        if lane is None:
            refuse(instruction, "a store of nothing")
        values.append(read(context, state, instruction, lane))
    kind = instruction.modifiers[-1]
    context.memory.save(state, instruction, target, kind, tuple(values))


def decide(context: Context, state: State, instruction: Instruction) -> bool | Term:
    """Return whether a branch is taken: always, never, or a mask.

    Raises:
        Fork: Some threads of this case take it and some do not.
    """
    if instruction.guard is None:
        return True
    return guard_of(context, state, instruction)


__all__ = ["Fork", "Poly", "as_condition", "decide", "guard_of", "step", "write"]
