"""What each operation of the code does to values; vectors element by element."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from optgen.translation import expand
from optgen.translation.bits.words import Word
from optgen.translation.c import bitwise, floats
from optgen.translation.c.code import (
    Float,
    Int,
    Many,
    Step,
    Struct,
    Type,
    offset_of,
    size_of,
)
from optgen.translation.c.integers import (
    Condition,
    Linear,
    Whole,
    plus,
    scaled,
)
from optgen.translation.c.memory import Blank, Pointer, Raw, Value, read
from optgen.translation.c.retyping import bitcast
from optgen.translation.c.wholes import (
    around,
    bits_of,
    each,
    exact,
    icmp,
    integer,
    logic,
    signed,
    whole,
)
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported

if TYPE_CHECKING:
    from optgen.translation.c.machine import Machine

Operation = Callable[["Machine", Step, tuple[Value, ...]], Value]

_FLOATS = {"fadd": "add", "fsub": "sub", "fmul": "mul", "fdiv": "div", "fneg": "neg"}


def flat(kind: Type, value: Value, at: int = 0) -> list[tuple[int, Value, int]]:
    """Return the cells of a value: offset, number and bytes of each."""
    match kind:
        case Many(count, of):
            assert isinstance(value, tuple)
            width = size_of(of)
            return [c for i in range(count) for c in flat(of, value[i], at + i * width)]
        case Struct(fields):
            assert isinstance(value, tuple)
            return [
                c for i, f in enumerate(fields) for c in flat(f, value[i], at + offset_of(kind, i))
            ]
    return [(at, value, size_of(kind))]


def _term(value: Value) -> Term:
    if not isinstance(value, Term):
        raise Unsupported(f"a float that is a {type(value).__name__.lower()}")
    return value


def _float(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    name = _FLOATS[step.name]

    def apply(*values: Value) -> Value:
        return expand.operation(machine.store, name, *map(_term, values))

    return each(step.kind, apply, *operands)


def _fcmp(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    def apply(left: Value, right: Value) -> Value:
        found = floats.compared(machine.store, step.words[0], _term(left), _term(right))
        return found.payload == 1 if found.operation == "constant" else found

    return each(step.kind, apply, *operands)


def _select(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    mask, yes, no = operands

    def apply(mask: Value, yes: Value, no: Value) -> Value:
        if isinstance(mask, Term) and bitwise.is_bits(yes, no):
            return bitwise.chosen(machine, mask, yes, no, bits_of(step.kind))
        if isinstance(mask, Term):
            return machine.either(mask, yes, no)
        if isinstance(mask, Condition) and isinstance(no, bool) and not no:
            return logic(machine, "and", mask, yes)
        if isinstance(mask, Condition) and isinstance(yes, bool) and yes:
            return logic(machine, "or", mask, no)
        return yes if machine.holds(mask, step) else no

    if isinstance(step.kind, Many) and isinstance(mask, tuple):
        return tuple(map(apply, mask, *_rows(yes, no)))
    return mask if mask is Blank.POISON else apply(mask, yes, no)


def _rows(*values: Value) -> list[tuple[Value, ...]]:
    rows = []
    for value in values:
        assert isinstance(value, tuple)
        rows.append(value)
    return rows


def _convert(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    source, target = step.other, step.kind
    while isinstance(source, Many) and isinstance(target, Many):
        source, target = source.of, target.of
    name = step.name

    def apply(value: Value) -> Value:
        if name in ("fpext", "fptrunc"):
            assert isinstance(target, Float)
            return floats.cast(machine.store, _term(value), target.name)
        if name == "fptoui":
            return _to_whole(machine, _term(value), bits_of(target))
        if isinstance(target, Float) and isinstance(value, Word | Raw):
            return bitwise.from_whole(machine, name, value, bits_of(source), target.name)
        if isinstance(target, Float):
            return _from_whole(machine, name, value, bits_of(source), target)
        if isinstance(value, Word | Raw):
            return bitwise.resized(machine, name, value, bits_of(source), bits_of(target))
        if isinstance(value, Term | Condition) and name == "zext":
            return value  # a truth value stays one
        bits = bits_of(target)
        if isinstance(value, bool):
            return (-int(value) if name == "sext" else int(value)) & ((1 << bits) - 1)
        if isinstance(value, Linear):
            if bits_of(source) < 64 or bits < 64:
                raise Unsupported(f"{name} of {value}")
            return value
        if not isinstance(value, int):
            raise Unsupported(f"{name} of a {type(value).__name__.lower()}")
        if name == "sext":
            value = signed(value, bits_of(source))
        return bool(value & 1) if bits == 1 else value & ((1 << bits) - 1)

    return each(step.kind, apply, *operands)


def _to_whole(machine: Machine, value: Term, bits: int) -> Value:
    payload = value.payload
    if value.operation != "constant":
        return bitwise.to_whole(machine, value, bits)
    if not isinstance(payload, Fraction):
        raise Unsupported(f"{payload} becomes a whole number")
    if not 0 <= payload < 1 << bits:
        raise Unsupported(f"{payload} becomes a whole number without sign")
    return int(payload)


def _from_whole(machine: Machine, name: str, value: Value, bits: int, to: Float) -> Value:
    if isinstance(value, Term):
        one = 1 if name == "uitofp" else -1
        sides = [floats.whole_number(machine.store, n, to.name) for n in (one, 0)]
        return expand.choose(machine.store, value, *sides)
    if not isinstance(value, int):
        raise Unsupported(f"{value} becomes a float")
    if name == "sitofp" and not isinstance(value, bool):
        value = signed(value, bits)
    return floats.whole_number(machine.store, value, to.name)


def _address(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    if lengths := {len(o) for o in operands if isinstance(o, tuple)}:  # a vector of addresses
        (count,) = lengths
        rows = [o if isinstance(o, tuple) else (o,) * count for o in operands]
        return tuple(_address(machine, step, items) for items in zip(*rows, strict=True))
    base, *indices = operands
    if not isinstance(base, Pointer):
        raise Unsupported(f"an address that is a {type(base).__name__.lower()}")
    kind: Type = Many(0, step.other, True)
    offset: Whole = 0
    for index in indices:
        match kind:
            case Struct():
                at = exact(whole(index))
                offset, kind = plus(offset, offset_of(kind, at)), kind.fields[at]
            case Many(_, of):
                step_by = around(whole(index), Int(64))
                offset, kind = plus(offset, scaled(step_by, size_of(of))), of
            case _:
                raise Unsupported("an index into a number")
    return base.moved(offset)


def _load(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    found = loaded(_pointer(operands[0]), step.kind)
    if isinstance(step.kind, Float) and isinstance(found, Word):
        return bitwise.value(machine, found, step.kind.name, 8 * size_of(step.kind))
    return found


def loaded(pointer: Pointer, kind: Type) -> Value:
    """Return a value of a type that lies in memory."""
    match kind:
        case Many(count, of):
            width = size_of(of)
            return tuple(loaded(pointer.moved(i * width), of) for i in range(count))
        case Struct(fields):
            return tuple(loaded(pointer.moved(offset_of(kind, i)), f) for i, f in enumerate(fields))
    value = read(pointer, size_of(kind), raw=isinstance(kind, Int))
    if isinstance(kind, Int) and isinstance(value, Term):
        return Raw(((value, size_of(kind)),))
    if isinstance(kind, Float) and isinstance(value, Term) and value.type != kind.name:
        raise Unsupported(f"a {value.type} is read as a {kind.name}")
    if isinstance(kind, Float) and not isinstance(value, Term | Word | Blank):
        raise Unsupported("what is read is no float")
    return value


def _store(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    value, place = operands
    save(machine, _pointer(place), step.kind, value)
    return 0


def save(machine: Machine, pointer: Pointer, kind: Type, value: Value) -> None:
    """Write a value of a type into memory."""
    if isinstance(value, Blank):
        raise Unsupported(f"{value.value} is stored")
    if isinstance(value, Raw):
        machine.memory.write(pointer, value, size_of(kind))
        return
    for offset, cell, size in flat(kind, value):
        if isinstance(cell, Blank):
            raise Unsupported(f"{cell.value} is stored")
        machine.memory.write(pointer.moved(offset), cell, size)


def _pointer(value: Value) -> Pointer:
    if not isinstance(value, Pointer):
        raise Unsupported(f"an address that is a {type(value).__name__.lower()}")
    return value


def _extract(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    row, *indices = operands
    for index in indices:
        if not isinstance(row, tuple):
            raise Unsupported("an element of a number")
        row = row[exact(whole(index))]
    return row


def _insert(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    row, value, index = operands
    if row is Blank.POISON:
        count = step.kind.count if isinstance(step.kind, Many) else len(step.kind.fields)  # type: ignore[union-attr]
        row = (Blank.POISON,) * count
    assert isinstance(row, tuple)
    at = exact(whole(index))
    return (*row[:at], value, *row[at + 1 :])


def _shuffle(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    left, right, order = operands
    kind = step.other
    assert isinstance(kind, Many)
    rows = [r if isinstance(r, tuple) else (Blank.POISON,) * kind.count for r in (left, right)]
    places = order if isinstance(order, tuple) else ()
    joined = (*rows[0], *rows[1])
    return tuple(joined[p] if isinstance(p, int) else Blank.POISON for p in places)


def _copy(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    return operands[0]


def _number(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    (value,) = operands
    if step.name == "inttoptr":
        return Pointer(None, exact(whole(value)))
    if isinstance(value, Pointer) and value.memory is None:
        return value.offset
    raise Unsupported("an address becomes a number")


OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(_FLOATS, _float),
    **dict.fromkeys(
        ("add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "and", "or", "xor", "shl", "lshr",
         "ashr"), integer),
    **dict.fromkeys(
        ("zext", "sext", "trunc", "fpext", "fptrunc", "uitofp", "sitofp", "fptoui"), _convert),
    **dict.fromkeys(("extractelement", "extractvalue"), _extract),
    **dict.fromkeys(("insertelement", "insertvalue"), _insert),
    **dict.fromkeys(("inttoptr", "ptrtoint"), _number),
    "fcmp": _fcmp, "icmp": icmp, "select": _select, "bitcast": bitcast,
    "getelementptr": _address, "load": _load, "store": _store, "shufflevector": _shuffle,
    "copy": _copy, "freeze": _copy,
}  # fmt: skip
"""What every operation does; one that is not here is not followed."""
