"""Reads LLVM IR as text: the instructions that clang makes of generated C, and no others.

Typed pointers (until clang 14) and opaque ones are read alike. An instruction whose
flags let a later stage round otherwise is noted, as is a function that may be compiled so.
"""

from __future__ import annotations

import re

from optgen.translation.c.code import (
    BOOL,
    POINTER,
    VOID,
    Float,
    Function,
    Many,
    Operand,
    Program,
    Step,
    Struct,
    Type,
)
from optgen.translation.c.llvm_types import Reader, words
from optgen.verify.verdicts import Unsupported

_LOOSE = frozenset("fast nnan ninf nsz arcp contract afn reassoc".split())
_HARMLESS = frozenset("nuw nsw exact inbounds tail musttail notail fastcc disjoint nneg".split())
_LOOSE_ATTRIBUTES = re.compile(
    r'"(?:unsafe-fp-math|no-nans-fp-math|no-infs-fp-math|no-signed-zeros-fp-math|'
    r'approx-func-fp-math|less-precise-fpmad)"="true"|"denormal-fp-math[^"]*"="(?!ieee,ieee")[^"]*"'
)
_BINARY = frozenset(
    "add sub mul udiv sdiv urem srem and or xor shl lshr ashr fadd fsub fmul fdiv".split()
)
_CASTS = frozenset(
    "zext sext trunc fpext fptrunc uitofp sitofp fptoui fptosi bitcast inttoptr ptrtoint".split()
)
_STRUCT = re.compile(r'^(%[-\w.$]+|%"[^"]*") = type (.*)$')
_DEFINE = re.compile(r'^define .*?@([-\w.$]+|"[^"]*")\(')
_LABEL = re.compile(r'^([-\w.$]+|"[^"]*"):')


def read_llvm(text: str) -> Program:
    """Return the functions of a module.

    A function with an instruction that is not read is left out, with the reason.
    """
    lines = text.splitlines()
    structs: dict[str, Struct] = {}
    for number, line in enumerate(lines, 1):
        if found := _STRUCT.match(line):
            kind = Reader(number, words(found[2]), structs).type()
            if isinstance(kind, Struct):
                structs[found[1]] = kind
    functions: dict[str, Function] = {}
    unread: dict[str, str] = {}
    loose: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("attributes ") and (bad := _LOOSE_ATTRIBUTES.search(line)):
            loose.append(f"line {at + 1}: functions may be compiled with {bad[0]}")
        found = _DEFINE.match(line)
        if found:
            name = found[1].strip('"')
            end = next(i for i in range(at, len(lines)) if lines[i] == "}")
            try:
                functions[name] = _function(name, lines, at, end, structs, loose)
            except Unsupported as error:
                unread[name] = str(error)
            at = end
        at += 1
    return Program(functions, unread, tuple(loose))


def _function(
    name: str,
    lines: list[str],
    begin: int,
    end: int,
    structs: dict[str, Struct],
    loose: list[str],
) -> Function:
    reader = Reader(begin + 1, words(lines[begin][lines[begin].index("(") :]), structs)
    reader.expect("(")
    parameters: list[tuple[str, Type]] = []
    while not reader.accept(")"):
        kind = reader.type()
        reader.attributes()
        register = reader.take() if reader.next.startswith("%") else f"%{len(parameters)}"
        parameters.append((register, kind))
        reader.accept(",")
    label = f"%{len(parameters)}"
    blocks: dict[str, list[Step]] = {label: []}
    for number in range(begin + 1, end):
        line = lines[number].split(" ; ")[0]
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        if found := _LABEL.match(line):
            label = f"%{found[1]}"
            if blocks == {f"%{len(parameters)}": []}:
                blocks = {}
            blocks[label] = []
            continue
        reader = Reader(number + 1, words(_without_notes(line)), structs)
        step, flags = _step(reader)
        if flags & _LOOSE:
            said = " ".join(sorted(flags & _LOOSE))
            loose.append(f"line {number + 1}: {name}: may be rounded otherwise ({said})")
        blocks[label].append(step)
    return Function(name, tuple(parameters), blocks, begin + 1)


def _without_notes(line: str) -> str:
    """Return an instruction without what is attached to it as metadata."""
    return re.split(r", !\w", line)[0]


def _step(reader: Reader) -> tuple[Step, frozenset[str]]:
    target = ""
    if reader.next.startswith("%"):
        target = reader.take()
        reader.expect("=")
    flags = set()
    while reader.next in _HARMLESS:
        reader.take()
    name = reader.take()
    while reader.next in _HARMLESS | _LOOSE:
        flags.add(reader.take())
    step = _parsed(reader, name, target)
    return step, frozenset(flags)


def _parsed(reader: Reader, name: str, target: str) -> Step:
    line = reader.line
    if name in _BINARY:
        kind, left = reader.typed()
        reader.expect(",")
        return Step(line, name, target, kind, (left, reader.value(kind)))
    if name in _CASTS:
        source, value = reader.typed()
        reader.expect("to")
        return Step(line, name, target, reader.type(), (value,), other=source)
    reading = _READERS.get(name)
    if reading is None:
        raise reader.fail(f"{name} is not read")
    return reading(reader, name, target)


def _compare(reader: Reader, name: str, target: str) -> Step:
    predicate = reader.take()
    kind, left = reader.typed()
    reader.expect(",")
    return Step(reader.line, name, target, kind, (left, reader.value(kind)), (predicate,))


def _unary(reader: Reader, name: str, target: str) -> Step:
    kind, value = reader.typed()
    return Step(reader.line, name, target, kind, (value,))


def _load(reader: Reader, name: str, target: str) -> Step:
    _plain(reader)
    kind = reader.type()
    reader.expect(",")
    return Step(reader.line, name, target, kind, (reader.typed()[1],))


def _store(reader: Reader, name: str, target: str) -> Step:
    _plain(reader)
    kind, value = reader.typed()
    reader.expect(",")
    return Step(reader.line, name, target, kind, (value, reader.typed()[1]))


def _plain(reader: Reader) -> None:
    if reader.next in ("atomic", "volatile"):
        raise reader.fail(f"{reader.next} is not read")


def _address(reader: Reader, name: str, target: str) -> Step:
    kind = reader.type()
    operands = []
    while reader.accept(","):
        operands.append(reader.typed()[1])
    return Step(reader.line, name, target, POINTER, tuple(operands), other=kind)


def _alloca(reader: Reader, name: str, target: str) -> Step:
    kind = reader.type()
    if reader.accept(",") and reader.next != "align":
        raise reader.fail("memory of a size that is computed")
    return Step(reader.line, name, target, POINTER, other=kind)


def _phi(reader: Reader, name: str, target: str) -> Step:
    kind = reader.type()
    values: list[Operand] = []
    labels = []
    while True:
        reader.expect("[")
        values.append(reader.value(kind))
        reader.expect(",")
        labels.append(reader.take())
        reader.expect("]")
        if not reader.accept(","):
            return Step(reader.line, name, target, kind, tuple(values), tuple(labels))


def _select(reader: Reader, name: str, target: str) -> Step:
    _, mask = reader.typed()
    reader.expect(",")
    kind, yes = reader.typed()
    reader.expect(",")
    return Step(reader.line, name, target, kind, (mask, yes, reader.typed()[1]))


def _branch(reader: Reader, name: str, target: str) -> Step:
    if reader.accept("label"):
        return Step(reader.line, "br", words=(reader.take(),))
    kind, condition = reader.typed()
    if kind != BOOL:
        raise reader.fail("a branch that does not ask")
    labels = []
    while reader.accept(","):
        reader.expect("label")
        labels.append(reader.take())
    return Step(reader.line, "condbr", operands=(condition,), words=tuple(labels))


def _return(reader: Reader, name: str, target: str) -> Step:
    if reader.next == "void":
        return Step(reader.line, name)
    kind, value = reader.typed()
    return Step(reader.line, name, "", kind, (value,))


def _unreachable(reader: Reader, name: str, target: str) -> Step:
    return Step(reader.line, name)


def _call(reader: Reader, name: str, target: str) -> Step:
    while reader.next in ("fastcc", "ccc"):
        reader.take()
    reader.attributes()
    kind = reader.type()
    if reader.accept("("):  # the type of a function with variable arguments
        while reader.take() != ")":
            pass
        while reader.accept("*"):
            pass
    if not reader.next.startswith("@"):
        raise reader.fail("what is called is not known")
    function = reader.take()[1:].strip('"')
    reader.expect("(")
    operands = []
    while not reader.accept(")"):
        operands.append(reader.typed()[1])
        reader.accept(",")
    return Step(reader.line, name, target, kind, tuple(operands), (function,))


def _row(reader: Reader, name: str, target: str) -> Step:
    """Read an operation on vectors; the type of the first operand is `other`."""
    kind, first = reader.typed()
    operands = [first]
    while reader.accept(","):
        if name.endswith("value") and re.fullmatch(r"\d+", reader.next):
            raise reader.fail("fields of values are not read")
        operands.append(reader.typed()[1])
    result = kind
    if name == "extractelement" and isinstance(kind, Many):
        result = kind.of
    return Step(reader.line, name, target, result, tuple(operands), other=kind)


_READERS = {
    "fcmp": _compare,
    "icmp": _compare,
    "fneg": _unary,
    "freeze": _unary,
    "load": _load,
    "store": _store,
    "getelementptr": _address,
    "alloca": _alloca,
    "phi": _phi,
    "select": _select,
    "br": _branch,
    "ret": _return,
    "unreachable": _unreachable,
    "call": _call,
    "extractelement": _row,
    "insertelement": _row,
    "shufflevector": _row,
}

__all__ = ["VOID", "Float", "Unsupported", "read_llvm"]
