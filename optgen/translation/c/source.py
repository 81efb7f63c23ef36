"""Reads the source of generated C through pycparser, after the compiler's own preprocessor.

What is read is the C that occurs: whole numbers, floats, pointers, arrays, structures,
loops, `?:` and calls. Anything else is refused with its line. Plain C rounds each operation
to its own type where `FLT_EVAL_METHOD` is 0, which the file asks for itself, and contraction
is off.
"""

from __future__ import annotations

import re
from typing import Any

from optgen.errors import BackendUnavailable
from optgen.translation.c.code import (
    VOID,
    Function,
    Many,
    Program,
    Ptr,
    Struct,
    Type,
)
from optgen.translation.c.source_functions import FunctionReader, line
from optgen.translation.c.source_types import NAMED
from optgen.verify.verdicts import Unsupported

_CONTRACTION = re.compile(r"STDC\s+FP_CONTRACT\s+(ON|OFF|DEFAULT)$")


def parse_c(text: str) -> Any:
    """Return the syntax tree of preprocessed C.

    Raises:
        BackendUnavailable: pycparser is not installed.
        Unsupported: It is no C that pycparser reads.
    """
    try:
        from pycparser import CParser
        from pycparser.c_parser import ParseError
    except ImportError as error:
        raise BackendUnavailable(
            "pycparser is not installed", fix='pip install "optgen[proof]"'
        ) from error
    try:
        return CParser().parse(text)
    except ParseError as error:
        raise Unsupported(f"C that is not read: {error}") from error


def read_source(text: str) -> Program:
    """Return the functions of preprocessed C.

    Raises:
        BackendUnavailable: pycparser is not installed.
        Unsupported: It holds something that is not read, with its line.
    """
    file = FileReader()
    for node in parse_c(text).ext:
        file.read(node)
    return Program(file.functions, file.unread, tuple(file.loose))


class FileReader:
    """What a file declares, in the order of its lines."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.signatures: dict[str, tuple[Type, tuple[Type, ...]]] = {}
        self.unread: dict[str, str] = {}
        self.loose: list[str] = []
        self._named: dict[str, Type] = {}
        self._structs: dict[str, Struct] = {}

    def read(self, node: Any) -> None:
        """Take up one declaration."""
        match type(node).__name__:
            case "Pragma":
                self.pragma(node)
            case "Typedef":
                self._named[node.name] = self.type(node.type)
            case "Decl":
                if type(node.type).__name__ == "FuncDecl":
                    self._signature(node)
                elif type(node.type).__name__ == "Struct":
                    self.type(node.type)
                else:
                    raise _refused(node, "a variable of the file")
            case "FuncDef":
                self._signature(node.decl)
                try:
                    self.functions[node.decl.name] = FunctionReader(self, node).function
                except Unsupported as error:
                    self.unread[node.decl.name] = str(error)
            case other:
                raise _refused(node, other)

    def pragma(self, node: Any) -> None:
        """Read what is said to the compiler."""
        words = " ".join((node.string or "").split())
        if found := _CONTRACTION.match(words):
            if found[1] != "OFF":
                self.loose.append(f"line {line(node)}: operations may be fused (#pragma {words})")
        elif not re.fullmatch(
            r"omp parallel for num_threads\(parts\) schedule\(static\)|GCC diagnostic .*", words
        ):
            raise _refused(node, f"#pragma {words}")

    def _signature(self, node: Any) -> None:
        declared = node.type
        parameters = tuple(
            kind
            for p in (declared.args.params if declared.args else ())
            if (kind := self.type(p.type)) != VOID
        )
        self.signatures[node.name] = (self.type(declared.type), parameters)

    def type(self, node: Any) -> Type:
        """Return the type that a piece of syntax names."""
        match type(node).__name__:
            case "TypeDecl" | "Typename":
                return self.type(node.type)
            case "PtrDecl":
                return Ptr(VOID if type(node.type).__name__ == "FuncDecl" else self.type(node.type))
            case "ArrayDecl":
                return Many(self._count(node), self.type(node.type), True)
            case "Struct":
                return self._struct(node)
            case "IdentifierType":
                words = tuple(w for w in node.names if w not in ("const", "restrict", "volatile"))
                if len(words) == 1 and words[0] in self._named:
                    return self._named[words[0]]
                if words in NAMED:
                    return NAMED[words]
        raise _refused(node, "a type")

    def _count(self, node: Any) -> int:
        size = node.dim
        if type(size).__name__ != "Constant" or not str(size.value).isdigit():
            raise _refused(node, "an array of a size that is computed")
        return int(size.value)

    def _struct(self, node: Any) -> Type:
        if node.decls is None:
            if node.name not in self._structs:
                return VOID
            return self._structs[node.name]
        names = tuple(d.name for d in node.decls)
        found = Struct(tuple(self.type(d.type) for d in node.decls), names)
        if node.name:
            self._structs[node.name] = found
        return found


def _refused(node: Any, what: str) -> Unsupported:
    return Unsupported(f"line {line(node)}: {what} is not read")
