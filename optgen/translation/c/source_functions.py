"""Reads one function of C into blocks: statements, and what they do to variables.

A variable whose address nobody takes is a register; arrays, structures and the others
lie in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from optgen.translation.c.code import (
    BOOL,
    POINTER,
    VOID,
    Float,
    Function,
    Int,
    Many,
    Number,
    Operand,
    Ptr,
    Register,
    Step,
    Struct,
    Type,
    Word,
)
from optgen.translation.c.source_types import INT, conversion
from optgen.verify.verdicts import Unsupported


class File(Protocol):
    """What a function needs of its file."""

    signatures: dict[str, tuple[Type, tuple[Type, ...]]]

    def type(self, node: Any) -> Type:
        """Return the type that a piece of syntax names."""

    def pragma(self, node: Any) -> None:
        """Read what is said to the compiler."""


@dataclass(frozen=True, slots=True)
class Place:
    """A variable, or what an address points to: a register's name, or an address."""

    type: Type
    register: str = ""
    address: Operand | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A value and its type."""

    operand: Operand
    type: Type


def line(node: Any) -> int:
    """Return the line of a piece of syntax."""
    return int(node.coord.line) if node is not None and node.coord else 0


class FunctionReader:
    """Reads one function; `function` is what came out."""

    def __init__(self, file: File, node: Any) -> None:
        from optgen.translation.c.source_expressions import Expressions

        self.file = file
        self._addressed = {*_addressed(node.body)}
        self._counts = 0
        self._scopes: list[dict[str, Place]] = [{}]
        self._ways: list[tuple[str, str]] = []
        self.blocks: dict[str, list[Step]] = {}
        self._label = ""
        self.begin("entry")
        self.returns, _ = file.signatures[node.decl.name]
        self.expressions = Expressions(self)
        parameters: list[tuple[str, Type]] = []
        declared = node.decl.type.args
        for p in declared.params if declared else ():
            kind = file.type(p.type)
            if kind == VOID:
                continue
            name = f"%{p.name}"
            if isinstance(kind, Struct):
                if "const" not in (p.quals or ()):
                    raise self.refused(p, "a structure that is passed by value and may change")
                self._scopes[0][p.name] = Place(kind, address=Register(name))
                parameters.append((name, POINTER))
                continue
            parameters.append((name, kind))
            self._scopes[0][p.name] = Place(kind, name)
            if p.name in self._addressed:
                place = Place(kind, address=self.compute(p, "alloca", POINTER, other=kind))
                self.write(p, place, Register(name))
                self._scopes[0][p.name] = place
        self.statement(node.body)
        self.go("return")
        self.begin("return")
        value = () if self.returns == VOID else (Register("%return"),)
        self.emit(Step(line(node), "ret", kind=self.returns, operands=value))
        self.function = Function(node.decl.name, tuple(parameters), self.blocks, line(node))

    def refused(self, node: Any, what: str) -> Unsupported:
        """Return the refusal of a piece of syntax."""
        return Unsupported(f"line {line(node)}: {what} is not read")

    def fresh(self, word: str) -> str:
        """Return a name that no other register or block has."""
        self._counts += 1
        return f"{word}.{self._counts}"

    def begin(self, label: str) -> None:
        """Begin a block."""
        self.blocks[label] = []
        self._label = label

    def resume(self, label: str) -> None:
        """Go on with a block that was begun before."""
        self._label = label

    @property
    def here(self) -> str:
        """The block that is being written."""
        return self._label

    def emit(self, step: Step) -> None:
        """Add a step, unless the block has come to its end."""
        steps = self.blocks[self._label]
        if not (steps and steps[-1].name in ("br", "condbr", "ret")):
            steps.append(step)

    def go(self, label: str) -> None:
        """End a block by going on to another."""
        self.emit(Step(0, "br", words=(label,)))

    def compute(
        self,
        node: Any,
        name: str,
        kind: Type,
        *operands: Operand,
        words: tuple[str, ...] = (),
        other: Type = VOID,
    ) -> Operand:
        """Add a step with a result and return that."""
        target = self.fresh("%")
        self.emit(Step(line(node), name, target, kind, operands, words, other))
        return Register(target)

    def converted(self, node: Any, value: Result, to: Type) -> Operand:
        """Return a value as another type has it."""
        if value.type == to or (isinstance(value.type, Ptr) and isinstance(to, Ptr)):
            return value.operand
        if to == BOOL:
            return self.truth(node, value)
        if isinstance(to, Ptr) and isinstance(value.type, Int):
            wide = self.converted(node, value, Int(64) if not _signed(value.type) else INT64)
            return self.compute(node, "inttoptr", to, wide, other=Int(64))
        name = conversion(value.type, to)
        if name is None:
            raise self.refused(node, "a conversion")
        if not name:
            return value.operand
        return self.compute(node, name, to, value.operand, other=value.type)

    def truth(self, node: Any, value: Result) -> Operand:
        """Return whether a value is not 0."""
        kind = value.type
        if kind == BOOL:
            return value.operand
        if isinstance(kind, Float):
            zero = Number(0.0, kind)
            return self.compute(node, "fcmp", kind, value.operand, zero, words=("une",))
        if isinstance(kind, Int | Ptr):
            return self.compute(node, "icmp", kind, value.operand, Number(0, kind), words=("ne",))
        raise self.refused(node, "a condition")

    def find(self, node: Any) -> Place:
        """Return the variable of a name."""
        for scope in reversed(self._scopes):
            if node.name in scope:
                return scope[node.name]
        raise self.refused(node, f"the name {node.name}")

    def write(self, node: Any, place: Place, value: Operand) -> None:
        """Set a variable, or what an address points to."""
        if place.register:
            self.emit(Step(line(node), "copy", place.register, place.type, (value,)))
        else:
            assert place.address is not None
            operands = (value, place.address)
            self.emit(Step(line(node), "store", "", place.type, operands))

    def statement(self, node: Any) -> None:
        """Read one statement."""
        if node is None:
            return
        name = type(node).__name__
        reading = getattr(self, f"_{name.lower()}", None)
        if reading is not None:
            reading(node)
        elif name in ("Assignment", "UnaryOp", "FuncCall", "Cast", "ExprList", "TernaryOp"):
            self.expressions.read(node)
        else:
            raise self.refused(node, name)

    def _compound(self, node: Any) -> None:
        self._scopes.append({})
        for item in node.block_items or ():
            self.statement(item)
        self._scopes.pop()

    def _emptystatement(self, node: Any) -> None:
        """Do nothing."""

    def _pragma(self, node: Any) -> None:
        if "STDC" in (node.string or ""):
            raise self.refused(node, "a pragma on arithmetic inside a function")
        self.file.pragma(node)

    def _decllist(self, node: Any) -> None:
        for item in node.decls:
            self._decl(item)

    def _decl(self, node: Any) -> None:
        if node.storage:
            raise self.refused(node, f"{' '.join(node.storage)} in a function")
        kind = self.file.type(node.type)
        in_memory = isinstance(kind, Many | Struct) or node.name in self._addressed
        if in_memory:
            place = Place(kind, address=self.compute(node, "alloca", POINTER, other=kind))
        else:
            place = Place(kind, self.fresh(f"%{node.name}"))
        value = None
        if node.init is not None and not isinstance(kind, Many | Struct):
            value = self.converted(node, self.expressions.read(node.init), kind)
        self._scopes[-1][node.name] = place
        if isinstance(kind, Many | Struct):
            self._initialised(node, place, node.init)
        elif value is not None:
            self.write(node, place, value)
        elif place.register:
            self.write(node, place, Word("poison", kind))

    def _initialised(self, node: Any, place: Place, init: Any) -> None:
        """Set a structure or an array from a list or from another one, if there is one."""
        if init is None:
            return
        kind = place.type
        if type(init).__name__ != "InitList":
            value = self.expressions.read(init)
            if not isinstance(kind, Struct) or value.type != kind:
                raise self.refused(node, "how a variable begins")
            self.write(node, place, self.compute(node, "load", kind, value.operand))
            return
        if not isinstance(kind, Struct | Many):
            raise self.refused(node, "how a variable begins")
        if len(init.exprs) != (len(kind.fields) if isinstance(kind, Struct) else kind.count):
            raise self.refused(node, "a list that leaves fields out")
        for index, item in enumerate(init.exprs):
            field = self.expressions.field(node, place, index)
            if type(item).__name__ == "InitList":
                self._initialised(node, field, item)
            else:
                found = self.converted(node, self.expressions.read(item), field.type)
                self.write(node, field, found)

    def _if(self, node: Any) -> None:
        yes, no, after = (self.fresh(w) for w in ("then", "else", "after"))
        self._branch(node.cond, yes, no)
        for label, inner in ((yes, node.iftrue), (no, node.iffalse)):
            self.begin(label)
            self.statement(inner)
            self.go(after)
        self.begin(after)

    def _branch(self, node: Any, yes: str, no: str) -> None:
        value = self.truth(node, self.expressions.read(node))
        self.emit(Step(line(node), "condbr", operands=(value,), words=(yes, no)))

    def _while(self, node: Any) -> None:
        self._loop(None, node.cond, None, node.stmt)

    def _for(self, node: Any) -> None:
        self._scopes.append({})
        self.statement(node.init)
        self._loop(node, node.cond, node.next, node.stmt)
        self._scopes.pop()

    def _loop(self, node: Any, condition: Any, following: Any, body: Any) -> None:
        test, inside, step, after = (self.fresh(w) for w in ("test", "body", "step", "after"))
        self.go(test)
        self.begin(test)
        if condition is None:
            self.go(inside)
        else:
            self._branch(condition, inside, after)
        self.begin(inside)
        self._ways.append((after, step))
        self.statement(body)
        self._ways.pop()
        self.go(step)
        self.begin(step)
        self.statement(following)
        self.go(test)
        self.begin(after)

    def _break(self, node: Any) -> None:
        self.go(self._ways[-1][0])
        self.begin(self.fresh("dead"))

    def _continue(self, node: Any) -> None:
        self.go(self._ways[-1][1])
        self.begin(self.fresh("dead"))

    def _return(self, node: Any) -> None:
        if node.expr is not None:
            found = self.expressions.read(node.expr)
            if isinstance(self.returns, Struct) and found.type == self.returns:
                value = self.compute(node, "load", self.returns, found.operand)
            else:
                value = self.converted(node, found, self.returns)
            self.emit(Step(line(node), "copy", "%return", self.returns, (value,)))
        self.go("return")
        self.begin(self.fresh("dead"))


INT64 = type(INT)(64)


def _signed(kind: Type) -> bool:
    return isinstance(kind, type(INT))


def _addressed(node: Any) -> list[str]:
    """Return the variables whose address is taken."""
    found = []
    if type(node).__name__ == "UnaryOp" and node.op == "&":
        inner = node.expr
        if type(inner).__name__ == "ID":
            found.append(inner.name)
    for _, child in node.children():
        found += _addressed(child)
    return found
