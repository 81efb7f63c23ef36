"""What each operation of the code does to values; vectors element by element."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from optgen.translation import expand
from optgen.translation.c import floats
from optgen.translation.c.code import (
    Float,
    Int,
    Many,
    Ptr,
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
    compare,
    minus,
    plus,
    scaled,
)
from optgen.translation.c.memory import Blank, Pointer, Raw, Value, read
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported

if TYPE_CHECKING:
    from optgen.translation.c.machine import Machine

Operation = Callable[["Machine", Step, tuple[Value, ...]], Value]

_FLOATS = {"fadd": "add", "fsub": "sub", "fmul": "mul", "fdiv": "div", "fneg": "neg"}


def each(kind: Type, function: Callable[..., Value], *operands: Value) -> Value:
    """Apply a function to values, or to the elements of vectors of them."""
    if isinstance(kind, Many):
        rows = [o if isinstance(o, tuple) else (o,) * kind.count for o in operands]
        return tuple(each(kind.of, function, *items) for items in zip(*rows, strict=True))
    for operand in operands:
        if operand is Blank.POISON:
            return Blank.POISON
        if operand is Blank.LOST:
            raise Unsupported(f"{Blank.LOST.value} is used")
    return function(*operands)


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


def _whole(value: Value) -> Whole:
    if isinstance(value, bool) or not isinstance(value, int | Linear):
        raise Unsupported(f"a whole number that is a {type(value).__name__.lower()}")
    return value


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


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


def _icmp(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    predicate = step.words[0]

    def apply(left: Value, right: Value) -> Value:
        if isinstance(left, Pointer) and isinstance(right, Pointer):
            if left.memory is not right.memory:
                if predicate in ("eq", "ne"):
                    return predicate == "ne"  # pieces of memory do not overlap
                raise Unsupported("addresses of two pieces of memory are compared")
            left, right = left.offset, right.offset
        if isinstance(left, bool | Term | Condition) or isinstance(right, bool | Term | Condition):
            return _truths(machine, predicate, left, right)
        left, right = _whole(left), _whole(right)
        if isinstance(left, int) and isinstance(right, int):
            return _exactly(predicate, left, right, step.kind)
        sides = [_around(side, step.kind) for side in (left, right)]
        return compare(predicate, sides[0], sides[1], machine.facts)

    return each(step.kind, apply, *operands)


def _around(value: Whole, kind: Type) -> Whole:
    """Return a number beside a linear one: one that wraps around as a negative one."""
    return _signed(value, _bits(kind)) if isinstance(value, int) else value


def _bits(kind: Type) -> int:
    while isinstance(kind, Many):
        kind = kind.of
    return kind.bits if isinstance(kind, Int) else 64


def _exactly(predicate: str, left: int, right: int, kind: Type) -> bool:
    if predicate[0] == "s":
        left, right = _signed(left, _bits(kind)), _signed(right, _bits(kind))
    return {
        "eq": left == right, "ne": left != right,
        "lt": left < right, "le": left <= right, "gt": left > right, "ge": left >= right,
    }[predicate if predicate in ("eq", "ne") else predicate[1:]]  # fmt: skip


def _truths(machine: Machine, predicate: str, left: Value, right: Value) -> Value:
    """Compare truth values, of which one is a constant."""
    if not isinstance(right, bool | int):
        left, right = right, left
    if not isinstance(right, bool | int) or predicate not in ("eq", "ne"):
        raise Unsupported(f"truth values are compared by {predicate}")
    return left if (predicate == "eq") == bool(right) else _not(machine, left)


def _not(machine: Machine, value: Value) -> Value:
    if isinstance(value, Condition):
        return value.opposite()
    if isinstance(value, Term):
        return expand.logic(machine.store, "not", value)
    if isinstance(value, bool):
        return not value
    raise Unsupported("a truth value that is none")


def _logic(machine: Machine, name: str, left: Value, right: Value) -> Value:
    if isinstance(left, bool) and not isinstance(right, bool):
        left, right = right, left
    if isinstance(right, bool):
        if name == "xor":
            return _not(machine, left) if right else left
        return left if right == (name == "and") else right
    if isinstance(left, Condition) and isinstance(right, Condition):
        known = [machine.facts.decide(c) for c in (left, right)]
        for value, other in ((known[0], right), (known[1], left)):
            if value is not None:
                return _logic(machine, name, other, value)
    if isinstance(left, Term) and isinstance(right, Term) and name != "xor":
        return expand.logic(machine.store, name, left, right)
    raise Unsupported(f"{name} of truth values")


def _integer(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    bits = _bits(step.kind)

    def apply(left: Value, right: Value) -> Value:
        if bits == 1:
            return _logic(machine, step.name, left, right)
        if isinstance(left, Term | bool) and isinstance(right, Term | bool):
            return _logic(machine, step.name, left, right)
        left, right = _whole(left), _whole(right)
        if isinstance(left, int) and isinstance(right, int):
            return _wrapped(step.name, left, right, bits)
        if bits != 64:
            raise Unsupported(f"{step.name} of {bits} bits on {left} and {right}")
        return _linear(machine, step.name, left, right)

    return each(step.kind, apply, *operands)


def _wrapped(name: str, left: int, right: int, bits: int) -> int:
    if name in ("udiv", "urem", "sdiv", "srem") and right == 0:
        raise Unsupported("a division by zero")
    if name in ("shl", "lshr", "ashr") and right >= bits:
        raise Unsupported("a shift beyond the number")
    near, far = _signed(left, bits), _signed(right, bits)
    match name:
        case "add":
            found = left + right
        case "sub":
            found = left - right
        case "mul":
            found = left * right
        case "udiv":
            found = left // right
        case "urem":
            found = left % right
        case "sdiv":
            found = abs(near) // abs(far) * (1 if (near < 0) == (far < 0) else -1)
        case "srem":
            found = abs(near) % abs(far) * (-1 if near < 0 else 1)
        case "and":
            found = left & right
        case "or":
            found = left | right
        case "xor":
            found = left ^ right
        case "shl":
            found = left << right
        case "lshr":
            found = left >> right
        case "ashr":
            found = near >> right
        case _:
            raise Unsupported(name)
    return found & ((1 << bits) - 1)


def _linear(machine: Machine, name: str, left: Whole, right: Whole) -> Whole:
    """Do to linear numbers what stays linear, or has a linear whole part."""
    near, far = (_around(side, Int(64)) for side in (left, right))
    if name == "add":
        return plus(near, far)
    if name == "sub":
        return minus(near, far)
    if name == "mul" and (isinstance(near, int) or isinstance(far, int)):
        return scaled(far, near) if isinstance(near, int) else scaled(near, _exact(far))
    if name == "and" and isinstance(near, int):
        near, far = far, near
    by = _exact(far)
    if name == "shl" and 0 <= by < 64:
        return scaled(near, 1 << by)
    if name == "lshr" and 0 <= by < 64:
        return machine.facts.quotient(near, 1 << by)
    if name in ("udiv", "urem") and by > 0:
        quotient = machine.facts.quotient(near, by)
        return quotient if name == "udiv" else minus(near, scaled(quotient, by))
    if name == "and":
        return _masked(machine, near, by)
    raise Unsupported(f"{name} of {left} and {right}")


def _masked(machine: Machine, value: Whole, mask: int) -> Whole:
    width = mask + 1 if mask >= 0 else -mask
    if width & (width - 1):
        raise Unsupported(f"{value} & {mask}")
    kept = scaled(machine.facts.quotient(value, width), width)
    return minus(value, kept) if mask >= 0 else kept


def _exact(value: Whole) -> int:
    if not isinstance(value, int):
        raise Unsupported(f"an operation by {value}")
    return value


def _select(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    mask, yes, no = operands

    def apply(mask: Value, yes: Value, no: Value) -> Value:
        if isinstance(mask, Term):
            return machine.either(mask, yes, no)
        if isinstance(mask, Condition) and isinstance(no, bool) and not no:
            return _logic(machine, "and", mask, yes)
        if isinstance(mask, Condition) and isinstance(yes, bool) and yes:
            return _logic(machine, "or", mask, no)
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
            return _to_whole(_term(value), _bits(target))
        if isinstance(target, Float):
            return _from_whole(machine, name, value, _bits(source), target)
        if isinstance(value, Term | Condition) and name == "zext":
            return value  # a truth value stays one
        bits = _bits(target)
        if isinstance(value, bool):
            return (-int(value) if name == "sext" else int(value)) & ((1 << bits) - 1)
        if isinstance(value, Linear):
            if _bits(source) < 64 or bits < 64:
                raise Unsupported(f"{name} of {value}")
            return value
        if not isinstance(value, int):
            raise Unsupported(f"{name} of a {type(value).__name__.lower()}")
        if name == "sext":
            value = _signed(value, _bits(source))
        return bool(value & 1) if bits == 1 else value & ((1 << bits) - 1)

    return each(step.kind, apply, *operands)


def _to_whole(value: Term, bits: int) -> int:
    payload = value.payload
    if value.operation != "constant" or not isinstance(payload, Fraction):
        raise Unsupported("a float that is not known becomes a whole number")
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
    signed = name == "sitofp" and not isinstance(value, bool)
    return floats.whole_number(machine.store, _signed(value, bits) if signed else value, to.name)


def _bitcast(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    (value,) = operands
    if step.kind == step.other or (isinstance(step.kind, Ptr) and isinstance(step.other, Ptr)):
        return value
    if isinstance(value, Raw):
        cells = tuple(cell for cell, _ in value.cells)
        wanted = flat_types(step.kind)
        if [size for _, size in value.cells] == [size_of(kind) for kind in wanted]:
            return cells if isinstance(step.kind, Many) else cells[0]
    raise Unsupported(f"bits of a {type(value).__name__.lower()} are taken for another type")


def flat_types(kind: Type) -> list[Type]:
    """Return the types of the numbers in a value."""
    match kind:
        case Many(count, of):
            return flat_types(of) * count
        case Struct(fields):
            return [inner for f in fields for inner in flat_types(f)]
    return [kind]


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
                at = _exact(_whole(index))
                offset, kind = plus(offset, offset_of(kind, at)), kind.fields[at]
            case Many(_, of):
                step_by = _around(_whole(index), Int(64))
                offset, kind = plus(offset, scaled(step_by, size_of(of))), of
            case _:
                raise Unsupported("an index into a number")
    return base.moved(offset)


def _load(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    return loaded(_pointer(operands[0]), step.kind)


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
    if isinstance(kind, Float) and not isinstance(value, Term | Blank):
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
        row = row[_exact(_whole(index))]
    return row


def _insert(machine: Machine, step: Step, operands: tuple[Value, ...]) -> Value:
    row, value, index = operands
    if row is Blank.POISON:
        count = step.kind.count if isinstance(step.kind, Many) else len(step.kind.fields)  # type: ignore[union-attr]
        row = (Blank.POISON,) * count
    assert isinstance(row, tuple)
    at = _exact(_whole(index))
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
        return Pointer(None, _exact(_whole(value)))
    if isinstance(value, Pointer) and value.memory is None:
        return value.offset
    raise Unsupported("an address becomes a number")


OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(_FLOATS, _float),
    **dict.fromkeys(
        ("add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "and", "or", "xor", "shl", "lshr",
         "ashr"), _integer),
    **dict.fromkeys(
        ("zext", "sext", "trunc", "fpext", "fptrunc", "uitofp", "sitofp", "fptoui"), _convert),
    **dict.fromkeys(("extractelement", "extractvalue"), _extract),
    **dict.fromkeys(("insertelement", "insertvalue"), _insert),
    **dict.fromkeys(("inttoptr", "ptrtoint"), _number),
    "fcmp": _fcmp, "icmp": _icmp, "select": _select, "bitcast": _bitcast,
    "getelementptr": _address, "load": _load, "store": _store, "shufflevector": _shuffle,
    "copy": _copy, "freeze": _copy,
}  # fmt: skip
"""What every operation does; one that is not here is not followed."""
