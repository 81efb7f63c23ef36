"""What the parameters of a foreign kernel mean: a small language of binds.

    MAP   = bind, ... | path of a TOML file with a table [bind]
    bind  = PLACE=MEANING | NAME=POSITION
    PLACE = 4 (position, from 0) | 4.8 (byte 8 of a struct) | *4 (a value behind a pointer)
            | the parameter's name in the PTX
    MEANING = param | grad | a state's name, each with :float64 or another type behind it
            | n (the number of elements)
            | an expression over hyperparameters and step: lr/(1 - beta1**step)

So `param=0, grad=1, exp_avg=2, exp_avg_sq=3, lr=4, n=6, 5=1 - beta1**step`.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from optgen.crosscheck.ptx.module import Entry, Instruction, Symbol
from optgen.errors import UsageError, nearest
from optgen.spec import OptimizerSpec
from optgen.translation.ptx_operands import FLOATS
from optgen.translation.ptx_signature import COUNT, Array, Scalar, Signature
from optgen.translation.terms import TermType
from optgen.verify.serialise import Tree

EXAMPLE = "write for example param=0,grad=1,exp_avg=2,lr=3,n=5,4=1-beta1**step"
_PLACE = re.compile(r"(\*?)(\d+)(?:\.(\d+))?")
_TYPES: tuple[TermType, ...] = ("float32", "float64", "float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Binding:
    """What every parameter of an entry means.

    Attributes:
        signature: The parameters, for the reading of PTX.
        meanings: For each scalar of the signature, what it stands for.
    """

    signature: Signature
    meanings: Mapping[str, Tree]


def read_binds(text: str, entry: Entry, spec: OptimizerSpec) -> Binding:
    """Read a MAP.

    Raises:
        UsageError: It cannot be read, a place or a meaning does not exist or is bound
            twice, or an array of the rule is bound to nothing.
    """
    return _Reader(entry, spec, _items(text)).read()


def _items(text: str) -> list[tuple[str, str]]:
    if text.endswith(".toml"):
        return _toml(text)
    items = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        left, equals, right = (part.strip() for part in item.partition("="))
        if not (left and equals and right):
            raise UsageError("a bind has no two sides", where=f"--bind {item}", fix=EXAMPLE)
        items.append((left, right))
    return items


def _toml(path: str) -> list[tuple[str, str]]:
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))["bind"]
        if not isinstance(table, dict):
            raise KeyError("bind is no table")
        return [(str(left), str(right)) for left, right in table.items()]
    except OSError as error:
        raise UsageError(
            f"the file of binds cannot be read: {error.strerror}",
            where=f"--bind {path}",
            fix="name a TOML file with a table [bind], or write the binds themselves",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise UsageError(
            f"the file of binds has no table [bind] that can be read: {error}",
            where=f"--bind {path}",
            fix='begin it with [bind], followed by lines such as "0" = "param"',
        ) from error


class _Reader:
    def __init__(self, entry: Entry, spec: OptimizerSpec, items: list[tuple[str, str]]) -> None:
        self._entry = entry
        self._names = {p.name: str(i) for i, p in enumerate(entry.parameters)}
        self._rows = ("param", "grad", *(b.name for b in spec.state if b.shape == "param"))
        self._values = (*(h.name for h in spec.hyperparameters), "step")
        self._items = items
        self._spec = spec
        self._arrays: dict[int, Array] = {}
        self._scalars: dict[tuple[int, int], Scalar] = {}
        self._shared: dict[int, tuple[Scalar, ...]] = {}
        self._count: tuple[int, int] | None = None
        self._meanings: dict[str, Tree] = {}

    def read(self) -> Binding:
        for left, right in self._items:
            self._bind(left, right)
        bound = {array.name for array in self._arrays.values()}
        for name in self._rows:
            if name not in bound:
                raise UsageError(
                    f"{name} of {self._spec.name} is bound to no parameter",
                    where="--bind",
                    fix=f"add {name}=POSITION; the kernel has the parameters "
                    f"0 to {len(self._entry.parameters) - 1}",
                )
        signature = Signature(self._arrays, self._scalars, self._shared, self._count)
        return Binding(signature, self._meanings)

    def _bind(self, left: str, right: str) -> None:
        where = f"--bind {left}={right}"
        meant = left.partition(":")[0]
        if meant in (*self._rows, *self._values, COUNT) and self._is_place(right):
            # NAME=POSITION; a type may stand behind the name.
            left, right = right, left
        if not self._is_place(left):
            names = ", ".join(self._names)
            hint = nearest(left, (*self._names, *self._rows, *self._values))
            raise UsageError(
                f"'{left}' is no parameter of {self._entry.name}",
                where=where,
                fix=f"use a position from 0 to {len(self._names) - 1}, or a name: {names}"
                f"{f'; {hint}' if hint else ''}",
            )
        found = _PLACE.fullmatch(self._names.get(left, left))
        assert found is not None
        place, byte = int(found[2]), int(found[3] or 0)
        if place >= len(self._entry.parameters):
            raise UsageError(
                f"{self._entry.name} has no parameter {place}",
                where=where,
                fix=f"use a position from 0 to {len(self._entry.parameters) - 1}",
            )
        taken = (place, byte) in (*self._scalars, self._count)
        if taken or place in self._arrays or place in self._shared:
            raise UsageError(f"parameter {left} is bound twice", where=where, fix="bind it once")
        name, _, kind = (part.strip() for part in right.partition(":"))
        if kind and kind not in _TYPES:
            raise UsageError(
                f"there is no type {kind}", where=where, fix=f"use one of {', '.join(_TYPES)}"
            )
        if name in self._rows and not found[1]:
            if name in {array.name for array in self._arrays.values()}:
                raise UsageError(f"{name} is bound twice", where=where, fix="bind it once")
            self._arrays[place] = Array(name, _type(kind) or self._element_type())
        elif name == COUNT:
            self._count = (place, byte)
        else:
            self._scalar(place, byte, bool(found[1]), name, kind, where)

    def _is_place(self, text: str) -> bool:
        return text in self._names or _PLACE.fullmatch(text) is not None

    def _scalar(
        self, place: int, byte: int, behind: bool, text: str, kind: str, where: str
    ) -> None:
        name = f"{'*' if behind else ''}{place}{f'.{byte}' if byte else ''}: {text}"
        self._meanings[name] = read_expression(text, self._values, where)
        if behind:
            self._shared[place] = (Scalar(name, _type(kind) or self._element_type()),)
            return
        declared = self._entry.parameters[place].type
        loaded = {
            i.modifiers[-1]
            for i in self._entry.instructions
            if i.opcode == "ld" and "param" in i.modifiers and _reads(i, self._entry, place, byte)
        }
        kinds = {FLOATS[k] for k in (declared, *loaded) if k in FLOATS}
        self._scalars[place, byte] = Scalar(name, _type(kind) or next(iter(kinds), None))

    def _element_type(self) -> TermType:
        """Return the type of elements that the kernel's accesses have."""
        kinds = [i.modifiers[-1] for i in self._entry.instructions if i.opcode in ("ld", "st")]
        plain = [k for i, k in enumerate(kinds) if k in ("f32", "f64")]
        if "f32" not in plain and "f64" in plain:
            return "float64"
        return "float32"


def _type(kind: str) -> TermType | None:
    return next((t for t in _TYPES if t == kind), None)


def _reads(instruction: Instruction, entry: Entry, place: int, byte: int) -> bool:
    source = instruction.operands[1]
    base = getattr(source, "base", None)
    if not isinstance(base, Symbol) or base.name != entry.parameters[place].name:
        return False
    return bool(getattr(source, "offset", None) == byte)


def read_expression(text: str, names: tuple[str, ...], where: str) -> Tree:
    """Read an expression over some names: + - * / **, sqrt, and decimals, which are exact.

    Raises:
        UsageError: It cannot be read, or reads another name.
    """
    return _Expression(text, names, where).tree()


class _Expression:
    """Reads an expression over hyperparameters and `step` as real algebra."""

    def __init__(self, text: str, names: tuple[str, ...], where: str) -> None:
        self._text = text
        self._names = names
        self._where = where

    def tree(self) -> Tree:
        if len(self._text) > 1000:
            raise self._wrong("is too long")
        try:
            return self._node(ast.parse(self._text, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._wrong("cannot be read") from error

    def _wrong(self, what: str, fix: str = EXAMPLE) -> UsageError:
        return UsageError(f"'{self._text[:60]}' {what}", where=self._where[:100], fix=fix)

    def _node(self, node: ast.expr) -> Tree:
        match node:
            case ast.Name(name):
                if name not in self._names:
                    fix = f"use {', '.join(self._names)}{nearest(name, self._names)}"
                    raise self._wrong(f"reads {name}, which the rule does not have", fix)
                return ("name", name)
            case ast.Constant(int() | float()) if not isinstance(node.value, bool):
                number = Fraction(ast.get_source_segment(self._text, node) or "0")
                if number and not 2**-1100 < abs(number) < 2**1100:
                    raise self._wrong("holds a number that no hyperparameter can be")
                return ("number", number)
            case ast.UnaryOp(ast.USub(), value):
                return ("mul", ("number", Fraction(-1)), self._node(value))
            case ast.Call(ast.Name("sqrt"), [value], []):
                return ("power", self._node(value), ("number", Fraction(1, 2)))
            case ast.BinOp(left, operator, right):
                return self._binary(operator, self._node(left), self._node(right))
        raise self._wrong("holds what is not + - * / **, sqrt, a number or a name")

    def _binary(self, operator: ast.operator, a: Tree, b: Tree) -> Tree:
        match operator:
            case ast.Add():
                return ("add", a, b)
            case ast.Sub():
                return ("add", a, ("mul", ("number", Fraction(-1)), b))
            case ast.Mult():
                return ("mul", a, b)
            case ast.Div():
                return ("mul", a, ("power", b, ("number", Fraction(-1))))
            case ast.Pow():
                return ("power", a, b)
        raise self._wrong("holds what is not + - * / **, sqrt, a number or a name")
