"""PTX text to data. Knows the syntax and the directives; what opcodes mean is `compile.py`'s."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from optgen.crosscheck.ptx.errors import PtxUnsupported
from optgen.crosscheck.ptx.module import (
    Address,
    Entry,
    Floating,
    Instruction,
    Integer,
    Module,
    Operand,
    Pair,
    Parameter,
    Register,
    Special,
    Symbol,
    Variable,
    Vector,
)
from optgen.crosscheck.ptx.types import DTYPES

SPECIALS = frozenset(
    [f"%{name}.{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"]
    + ["%laneid"]
)
"""Read-only registers that the executor provides."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_HEADER = re.compile(r"\.(version|target|address_size)\s+(\S+)[^\S\n]*(?=\n|$)")
_IGNORED_LINE = re.compile(r"\.(?:loc|file)\s[^\n]*")  # debug information
# Constant tables, which are not kept: code that names one is refused.
_DATA = re.compile(r"\.global\s[^;{=]*=\s*(?:\{[^}]*\}|[^;{]*);")
_ENTRY = re.compile(r"(?:\.visible\s+|\.weak\s+)?\.entry\s+([\w$]+)\s*\(([^)]*)\)([^{;]*)\{", re.S)
_LABEL = re.compile(r"([\w$]+)\s*:(?!:)\s*")
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+"
    r"(?:\.ptr\s+(?:\.\w+\s+)?(?:\.align\s+\d+\s+)?)?([\w$]+)(?:\[(\d+)\])?"
)
_VARIABLE = re.compile(
    r"(\.extern\s+)?\.(shared|local)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+([\w$]+)(\[(\d*)\])?"
)
_REGISTER = re.compile(r"\.reg\s+\.(\w+)\s+(%?[\w$]+)(?:<(\d+)>)?")
_TUNING = re.compile(r"\.(maxntid|reqntid|minnctapersm|maxnreg)\s+(\d+)((?:\s*,\s*\d+)*)\s*")
_STATEMENT = re.compile(r"(?:@(!?)(%[\w$]+)\s+)?([a-z][\w.:]*)\s*(.*)", re.S)
_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|\d+)U?")
_ADDRESS = re.compile(r"\[\s*([%\w$.]+)\s*(?:\+\s*(-?\w+)|(-\w+))?\s*\]")


@dataclass(slots=True)
class _Text:
    """The PTX with comments blanked out, and a reading position."""

    text: str
    at: int = 0

    def line(self, at: int | None = None) -> int:
        return self.text.count("\n", 0, self.at if at is None else at) + 1

    def skip_blanks(self) -> bool:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def statement(self) -> str:
        """Read up to the next semicolon."""
        end = self.text.find(";", self.at)
        end = len(self.text) if end < 0 else end
        words = " ".join(self.text[self.at : end].split())
        self.at = end + 1
        return words

    def refuse(self, why: str) -> PtxUnsupported:
        rest = self.text[self.at : self.at + 200].split("\n")[0].strip()
        return PtxUnsupported(rest, self.line(), why)


@dataclass(slots=True)
class _Body:
    """What is known while one entry is read."""

    names: frozenset[str]
    scopes: list[dict[str, str]] = field(default_factory=lambda: [{}])
    registers: dict[str, str] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    code: list[tuple[int, str]] = field(default_factory=list)

    def find(self, name: str) -> Register | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return Register(scope[name])
        return None


def parse(ptx: str) -> Module:
    """Read one PTX text.

    Raises:
        PtxUnsupported: A directive, a declaration or an operand is not known. Opcodes
            are looked up when an entry is first launched.
    """
    reader = _Text(_COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), ptx))
    header = {"version": "", "target": "", "address_size": "64"}
    entries: dict[str, Entry] = {}
    shared: list[Variable] = []
    while reader.skip_blanks():
        start = reader.line()
        if found := reader.take(_HEADER):
            header[found[1]] = found[2]
        elif reader.take(_IGNORED_LINE) or reader.take(_DATA):
            continue
        elif found := reader.take(_ENTRY):
            entry = _entry(found, reader, start, tuple(shared))
            entries[entry.name] = entry
        elif re.compile(r"(?:\.extern\s+)?\.shared\s").match(reader.text, reader.at):
            shared.append(_variable(reader.statement(), start))
        else:
            raise reader.refuse("a directive outside any entry")
    if header["address_size"] != "64":
        raise PtxUnsupported(f".address_size {header['address_size']}", 1, "32-bit addresses")
    return Module(header["version"], header["target"], MappingProxyType(entries))


def _entry(found: re.Match[str], reader: _Text, line: int, shared: tuple[Variable, ...]) -> Entry:
    parameters = tuple(
        _parameter(text, line) for text in map(str.strip, found[2].split(",")) if text
    )
    names = frozenset(p.name for p in parameters) | frozenset(v.name for v in shared)
    body = _Body(names)
    max_threads, required = _tuning(found[3], line)
    while True:
        if not reader.skip_blanks():
            raise reader.refuse("an entry without its closing brace")
        start = reader.line()
        if reader.text[reader.at] == "{":
            body.scopes.append({})
            reader.at += 1
        elif reader.text[reader.at] == "}":
            reader.at += 1
            body.scopes.pop()
            if not body.scopes:
                break
        elif label := reader.take(_LABEL):
            body.labels[label[1]] = len(body.code)
        elif reader.take(_IGNORED_LINE):
            continue
        else:
            _statement(reader.statement(), start, body)
    return _finish(found[1], parameters, shared, body, max_threads, required)


def _statement(text: str, line: int, body: _Body) -> None:
    """Take one statement: declarations at once, code with its registers made unique."""
    if not text:
        return
    if found := _REGISTER.fullmatch(text):
        _declare(found, text, line, body)
    elif _VARIABLE.fullmatch(text):
        variable = _variable(text, line)
        body.variables.append(variable)
        body.names |= {variable.name}
    elif text.startswith(".pragma"):
        return
    elif text.startswith("."):
        raise PtxUnsupported(text, line, "a directive inside an entry")
    else:
        body.code.append((line, text))
        _rename(body)


def _declare(found: re.Match[str], text: str, line: int, body: _Body) -> None:
    kind, name, count = found[1], found[2], found[3]
    if kind not in DTYPES:
        raise PtxUnsupported(text, line, f"registers of type .{kind}")
    depth = len(body.scopes) - 1
    for each in [f"{name}{i}" for i in range(int(count))] if count else [name]:
        unique = f"{each}${len(body.registers)}" if depth else each
        body.scopes[-1][each] = unique
        body.registers[unique] = kind


def _rename(body: _Body) -> None:
    """Inside an inner scope, give the last statement's registers their unique names."""
    if len(body.scopes) > 1:
        line, text = body.code[-1]

        def unique(match: re.Match[str]) -> str:
            register = body.find(match[0])
            return register.name if register else match[0]

        body.code[-1] = (line, re.sub(r"%?[A-Za-z_$][\w$]*", unique, text))


def _parameter(text: str, line: int) -> Parameter:
    found = _PARAMETER.fullmatch(" ".join(text.split()))
    if not found or found[2] not in DTYPES or found[2] == "pred":
        raise PtxUnsupported(text, line, "a parameter declaration")
    width = DTYPES[found[2]].itemsize
    count = int(found[4] or 1)
    return Parameter(
        name=found[3],
        type=found[2],
        count=count,
        size=width * count,
        align=int(found[1] or width),
        is_array=found[4] is not None,
    )


def _variable(text: str, line: int) -> Variable:
    found = _VARIABLE.fullmatch(text)
    if not found or found[4] not in DTYPES or found[4] == "pred":
        raise PtxUnsupported(text, line, "a variable declaration")
    width = DTYPES[found[4]].itemsize
    dynamic = found[6] is not None and not found[7]
    if dynamic != (found[1] is not None):
        raise PtxUnsupported(text, line, "a variable without a size")
    size = None if dynamic else width * int(found[7] or 1)
    return Variable(found[5], found[2], int(found[3] or width), size)


def _tuning(text: str, line: int) -> tuple[int | None, bool]:
    """Return the largest block of an entry, and whether every block must be that large."""
    limit, at, text = None, 0, text.strip()
    while at < len(text):
        found = _TUNING.match(text, at)
        if not found:
            raise PtxUnsupported(text[at:], line, "a directive of an entry")
        if found[1] in ("maxntid", "reqntid"):
            limit = int(found[2])
            for extent in re.findall(r"\d+", found[3]):
                limit *= int(extent)
        at = found.end()
    return limit, ".reqntid" in text


def _finish(
    name: str,
    parameters: tuple[Parameter, ...],
    shared: tuple[Variable, ...],
    body: _Body,
    max_threads: int | None,
    required: bool,
) -> Entry:
    instructions = tuple(_instruction(text, line, body) for line, text in body.code)
    return Entry(
        name=name,
        parameters=parameters,
        registers=MappingProxyType(body.registers),
        variables=(*shared, *body.variables),
        instructions=instructions,
        labels=frozenset(i.target for i in instructions if i.target is not None),
        max_threads=max_threads,
        exact_threads=required,
    )


def _instruction(text: str, line: int, body: _Body) -> Instruction:
    found = _STATEMENT.fullmatch(text)
    if not found:
        raise PtxUnsupported(text, line, "a statement")
    opcode, *modifiers = re.split(r"\.|::", found[3])
    guard = None
    if found[2]:
        guard = _register(found[2], text, line, body.registers)
    target = None
    operands: tuple[Operand, ...] = ()
    if opcode == "bra":
        if found[4] not in body.labels:
            raise PtxUnsupported(text, line, "a branch to an unknown label")
        target = body.labels[found[4]]
    else:
        operands = tuple(_operand(word, text, line, body) for word in _split(found[4]))
    return Instruction(
        opcode, tuple(modifiers), operands, target, guard, bool(found[1]), line, text
    )


def _split(text: str) -> Iterator[str]:
    """Yield the operands: commas inside brackets and braces do not separate."""
    yield from (m[0].strip() for m in re.finditer(r"(?:\{[^}]*\}|\[[^\]]*\]|[^,])+", text))


def _register(name: str, text: str, line: int, registers: Mapping[str, str]) -> Register:
    if name not in registers:
        raise PtxUnsupported(text, line, f"the register {name}, which is not declared")
    return Register(name)


def _operand(word: str, text: str, line: int, body: _Body) -> Operand:
    if word.startswith("{") and word.endswith("}"):
        items = tuple(_item(w.strip(), text, line, body) for w in word[1:-1].split(","))
        return Vector(items)
    if found := _ADDRESS.fullmatch(word):
        base = _simple(found[1], text, line, body)
        if not isinstance(base, Register | Symbol | Integer):
            raise PtxUnsupported(text, line, f"the address {word}")
        return Address(base, int(found[2] or found[3] or "0", 0))
    if "|" in word:
        first, _, second = word.partition("|")
        return Pair(
            *(
                None if w == "_" else _register(w, text, line, body.registers)
                for w in (first, second)
            )
        )
    return _simple(word, text, line, body)


def _item(word: str, text: str, line: int, body: _Body) -> Register | Integer | Floating | None:
    if word == "_":
        return None
    item = _simple(word, text, line, body)
    if not isinstance(item, Register | Integer | Floating):
        raise PtxUnsupported(text, line, f"the vector component {word}")
    return item


def _simple(
    word: str, text: str, line: int, body: _Body
) -> Register | Integer | Floating | Special | Symbol:
    if word in body.registers:
        return Register(word)
    if word in SPECIALS:
        return Special(word)
    if word in body.names:
        return Symbol(word)
    if re.fullmatch(r"0[fF][0-9a-fA-F]{8}|0[dD][0-9a-fA-F]{16}", word):
        return Floating(int(word[2:], 16), 32 if word[1] in "fF" else 64)
    if found := _INTEGER.fullmatch(word):
        value = int(found[2], 16 if found[2][:2] in ("0x", "0X") else 10)
        return Integer(-value if found[1] == "-" else value)
    if word == "WARP_SZ":
        return Integer(32)
    raise PtxUnsupported(text, line, f"the operand {word}")
