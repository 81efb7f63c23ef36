"""Reads expressions of C: values, places, conversions, calls."""

from __future__ import annotations

from typing import Any

from optgen.translation.c.code import (
    BOOL,
    POINTER,
    VOID,
    Float,
    Int,
    Many,
    Number,
    Operand,
    Ptr,
    Register,
    Step,
    Struct,
    Type,
    size_of,
)
from optgen.translation.c.source_functions import FunctionReader, Place, Result, line
from optgen.translation.c.source_types import INT, SINGLE, ULONG, Signed, common, number, promoted

_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
_INTEGERS = {"%": "rem", "&": "and", "|": "or", "^": "xor", "<<": "shl", ">>": "shr"}
_COMPARED = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_CONSTANTS = {"__builtin_inff": float("inf"), "__builtin_inf": float("inf")}


class Expressions:
    """Reads the expressions of one function."""

    def __init__(self, function: FunctionReader) -> None:
        self._f = function

    def read(self, node: Any) -> Result:
        """Return the value of an expression."""
        reading = getattr(self, f"_{type(node).__name__.lower()}", None)
        if reading is None:
            raise self._f.refused(node, type(node).__name__)
        found = reading(node)
        assert isinstance(found, Result)
        return found

    def place(self, node: Any) -> Place:
        """Return what an expression names: a variable, a field, an element."""
        match type(node).__name__:
            case "ID":
                return self._f.find(node)
            case "StructRef":
                return self._field(node)
            case "ArrayRef":
                base = self.read(node.name)
                return self._element(node, base, self.read(node.subscript))
            case "UnaryOp" if node.op == "*":
                base = self.read(node.expr)
                return Place(self._pointee(node, base.type), address=base.operand)
        raise self._f.refused(node, "what is written to")

    def field(self, node: Any, place: Place, index: int) -> Place:
        """Return one field of a structure, or one element of an array."""
        kind = place.type
        assert isinstance(kind, Struct | Many)
        assert place.address is not None
        zero, at = Number(0, Int(64)), Number(index, Int(32))
        where = self._f.compute(node, "getelementptr", POINTER, place.address, zero, at, other=kind)
        return Place(kind.of if isinstance(kind, Many) else kind.fields[index], address=where)

    def _field(self, node: Any) -> Place:
        if node.type == "->":
            base = self.read(node.name)
            place = Place(self._pointee(node, base.type), address=base.operand)
        else:
            place = self.place(node.name)
        kind = place.type
        if not isinstance(kind, Struct) or node.field.name not in kind.names:
            raise self._f.refused(node, f"the field {node.field.name}")
        return self.field(node, place, kind.names.index(node.field.name))

    def _element(self, node: Any, base: Result, index: Result) -> Place:
        kind = self._pointee(node, base.type)
        at = self._index(node, index)
        where = self._f.compute(node, "getelementptr", POINTER, base.operand, at, other=kind)
        return Place(kind, address=where)

    def _index(self, node: Any, index: Result) -> Operand:
        kind = promoted(index.type)
        if not isinstance(kind, Int):
            raise self._f.refused(node, "an index")
        wide: Type = Signed(64) if isinstance(kind, Signed) else ULONG
        return self._f.converted(node, Result(self._f.converted(node, index, kind), kind), wide)

    def _pointee(self, node: Any, kind: Type) -> Type:
        if not isinstance(kind, Ptr) or kind.to in (None, VOID):
            raise self._f.refused(node, "an address of what is not known")
        assert kind.to is not None
        return kind.to

    def _loaded(self, node: Any, place: Place) -> Result:
        if place.register:
            # What a variable is now, even if it is set again before this is used.
            return Result(
                self._f.compute(node, "copy", place.type, Register(place.register)), place.type
            )
        assert place.address is not None
        if isinstance(place.type, Many):  # an array is the address of its first element
            return Result(place.address, Ptr(place.type.of))
        if isinstance(place.type, Struct):
            return Result(place.address, place.type)
        value = self._f.compute(node, "load", place.type, place.address)
        return Result(value, place.type)

    def _id(self, node: Any) -> Result:
        return self._loaded(node, self._f.find(node))

    def _structref(self, node: Any) -> Result:
        return self._loaded(node, self._field(node))

    def _arrayref(self, node: Any) -> Result:
        return self._loaded(node, self.place(node))

    def _constant(self, node: Any) -> Result:
        found = number(node.value)
        if found is None:
            raise self._f.refused(node, f"the constant {node.value}")
        return Result(*found)

    def _cast(self, node: Any) -> Result:
        kind = self._f.file.type(node.to_type)
        value = self.read(node.expr)
        if kind == VOID:
            return Result(value.operand, VOID)
        return Result(self._f.converted(node, value, kind), kind)

    def _exprlist(self, node: Any) -> Result:
        for item in node.exprs:
            found = self.read(item)
        return found

    def _unaryop(self, node: Any) -> Result:
        f = self._f
        if node.op in ("++", "--", "p++", "p--"):
            place = self.place(node.expr)
            before = self._loaded(node, place)
            one = Result(Number(1, INT), INT)
            after = self._binary(node, "+" if "+" in node.op else "-", before, one)
            now = f.converted(node, after, place.type)
            f.write(node, place, now)
            return before if node.op[0] == "p" else Result(now, place.type)
        if node.op == "&":
            place = self.place(node.expr)
            if place.address is None:
                raise f.refused(node, "the address of a register")
            return Result(place.address, Ptr(place.type))
        if node.op == "*":
            return self._loaded(node, self.place(node))
        if node.op == "sizeof":
            named = type(node.expr).__name__ == "Typename"
            kind = f.file.type(node.expr) if named else self.place(node.expr).type
            return Result(Number(size_of(kind), ULONG), ULONG)
        value = self.read(node.expr)
        if node.op == "!":
            truth = f.truth(node, value)
            return Result(f.compute(node, "xor", BOOL, truth, Number(1, BOOL)), BOOL)
        kind = promoted(value.type)
        inner = f.converted(node, value, kind)
        if node.op == "+":
            return Result(inner, kind)
        if node.op == "-" and isinstance(kind, Float):
            return Result(f.compute(node, "fneg", kind, inner), kind)
        if node.op == "-" and isinstance(kind, Int):
            return Result(f.compute(node, "sub", kind, Number(0, kind), inner), kind)
        if node.op == "~" and isinstance(kind, Int):
            return Result(f.compute(node, "xor", kind, inner, Number(-1, kind)), kind)
        raise f.refused(node, f"the operator {node.op}")

    def _binaryop(self, node: Any) -> Result:
        if node.op in ("&&", "||"):
            return self._shortcut(node)
        return self._binary(node, node.op, self.read(node.left), self.read(node.right))

    def _binary(self, node: Any, operator: str, left: Result, right: Result) -> Result:
        f = self._f
        if operator in ("&", "|", "^") and left.type == right.type == BOOL:
            name = _INTEGERS[operator]
            return Result(f.compute(node, name, BOOL, left.operand, right.operand), BOOL)
        if operator in ("+", "-") and isinstance(left.type, Ptr):
            return self._stepped(node, operator, left, right)
        if operator == "+" and isinstance(right.type, Ptr):
            return self._stepped(node, operator, right, left)
        if operator in _COMPARED and isinstance(left.type, Ptr) and isinstance(right.type, Ptr):
            words = (_predicate(operator, ULONG),)
            sides = (left.operand, right.operand)
            return Result(f.compute(node, "icmp", POINTER, *sides, words=words), BOOL)
        kind = common(left.type, right.type)
        if operator in ("<<", ">>"):
            kind = promoted(left.type)
        if kind is None:
            raise f.refused(node, f"the operator {operator} on these types")
        sides = (f.converted(node, left, kind), f.converted(node, right, kind))
        if operator in _COMPARED:
            name = "fcmp" if isinstance(kind, Float) else "icmp"
            words = (_predicate(operator, kind),)
            return Result(f.compute(node, name, kind, *sides, words=words), BOOL)
        name = _operation(operator, kind)
        if not name:
            raise f.refused(node, f"the operator {operator}")
        return Result(f.compute(node, name, kind, *sides), kind)

    def _stepped(self, node: Any, operator: str, base: Result, index: Result) -> Result:
        if isinstance(index.type, Ptr):
            raise self._f.refused(node, "a distance between addresses")
        if operator == "-":
            kind = promoted(index.type)
            index = self._binary(node, "-", Result(Number(0, kind), kind), index)
        return Result(self._element_address(node, base, index), base.type)

    def _element_address(self, node: Any, base: Result, index: Result) -> Operand:
        found = self._element(node, base, index).address
        assert found is not None
        return found

    def _shortcut(self, node: Any) -> Result:
        f = self._f
        target = f.fresh("%both")
        more, rest, after = (f.fresh(w) for w in ("more", "known", "after"))
        first = f.truth(node.left, self.read(node.left))
        ways = (more, rest) if node.op == "&&" else (rest, more)
        f.emit(Step(line(node), "condbr", operands=(first,), words=ways))
        f.begin(more)
        second = f.truth(node.right, self.read(node.right))
        f.emit(Step(line(node), "copy", target, BOOL, (second,)))
        f.go(after)
        f.begin(rest)
        known = Number(int(node.op == "||"), BOOL)
        f.emit(Step(line(node), "copy", target, BOOL, (known,)))
        f.go(after)
        f.begin(after)
        return Result(Register(target), BOOL)

    def _ternaryop(self, node: Any) -> Result:
        f = self._f
        target = f.fresh("%choice")
        labels = [f.fresh(w) for w in ("yes", "no", "after")]
        condition = f.truth(node.cond, self.read(node.cond))
        f.emit(Step(line(node), "condbr", operands=(condition,), words=tuple(labels[:2])))
        ends = []
        for label, inner in zip(labels, (node.iftrue, node.iffalse), strict=False):
            f.begin(label)
            ends.append((self.read(inner), f.here))
        left, right = (value.type for value, _ in ends)
        kind = left if left == right else common(left, right)
        if kind is None and isinstance(left, Ptr) and isinstance(right, Ptr):
            kind = left
        if kind is None:
            raise f.refused(node, "a choice between these types")
        for value, label in ends:
            f.resume(label)
            operand = f.converted(node, value, kind)
            f.emit(Step(line(node), "copy", target, kind, (operand,)))
            f.go(labels[2])
        f.begin(labels[2])
        return Result(Register(target), kind)

    def _assignment(self, node: Any) -> Result:
        f = self._f
        place = self.place(node.lvalue)
        if node.op == "=":
            value = self.read(node.rvalue)
        else:
            value = self._binary(
                node, node.op[:-1], self._loaded(node, place), self.read(node.rvalue)
            )
        operand = f.converted(node, value, place.type)
        f.write(node, place, operand)
        return Result(operand, place.type)

    def _funccall(self, node: Any) -> Result:
        f = self._f
        name = getattr(node.name, "name", "")
        given = [self.read(a) for a in (node.args.exprs if node.args else ())]
        if name in _CONSTANTS:
            return Result(Number(_CONSTANTS[name], SINGLE), SINGLE)
        if name == "__builtin_prefetch":
            return Result(Number(0, INT), INT)
        if name not in f.file.signatures:
            raise f.refused(node, f"the function {name}")
        returned, kinds = f.file.signatures[name]
        if len(kinds) != len(given):
            raise f.refused(node, f"a call of {name}")
        operands = [
            value.operand if isinstance(kind, Struct) and value.type == kind
            else f.converted(node, value, kind)
            for value, kind in zip(given, kinds, strict=True)
        ]  # fmt: skip
        found = f.compute(node, "call", returned, *operands, words=(name,))
        if isinstance(returned, Struct):  # is known by its address, as all structures are
            place = Place(returned, address=f.compute(node, "alloca", POINTER, other=returned))
            f.write(node, place, found)
            assert place.address is not None
            found = place.address
        return Result(found, returned)


def _predicate(operator: str, kind: Type) -> str:
    word = _COMPARED[operator]
    if isinstance(kind, Float):
        return "une" if word == "ne" else f"o{word}"
    if word in ("eq", "ne"):
        return word
    return f"{'s' if isinstance(kind, Signed) else 'u'}{word}"


def _operation(operator: str, kind: Type) -> str:
    if isinstance(kind, Float):
        return f"f{_ARITHMETIC[operator]}" if operator in _ARITHMETIC else ""
    word = _ARITHMETIC.get(operator) or _INTEGERS.get(operator, "")
    sign = "s" if isinstance(kind, Signed) else "u"
    if word in ("div", "rem"):
        return f"{sign}{word}"
    return {"shr": "ashr" if sign == "s" else "lshr"}.get(word, word)
