"""Words and types of LLVM's text."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

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
    Row,
    Struct,
    Symbol,
    Type,
    Void,
    Word,
)
from optgen.verify.verdicts import Unsupported

_WORD = re.compile(
    r'[%@]"[^"]*"|[%@][-\w.$]+|!"[^"]*"|c?"[^"]*"|-?\d+\.\d+(?:e[-+]?\d+)?|0x[KMHLR]?[0-9A-Fa-f]+'
    r"|-?\d+|[A-Za-z_][\w.]*|\.\.\.|[][(){}<>,=*!#:|]"
)
_FLOATS = {"float": "float32", "double": "float64", "half": "float16", "bfloat": "bfloat16"}
_ATTRIBUTES = frozenset(
    ("noundef nonnull noalias nocapture readonly readnone writeonly signext zeroext inreg returned "
     "immarg nofree nest swiftself swifterror allocptr noreturn nounwind").split()
)  # fmt: skip
_WITH_NUMBER = frozenset(("align", "dereferenceable", "dereferenceable_or_null"))
_WITH_TYPE = frozenset(("byval", "sret", "byref", "elementtype"))


def words(text: str) -> list[str]:
    """Return the words of a line."""
    return _WORD.findall(text)


class Reader:
    """Reads the words of one line from left to right.

    Args:
        line: Number of the line.
        found: Its words.
        structs: Structures by name.
    """

    def __init__(self, line: int, found: list[str], structs: Mapping[str, Type]) -> None:
        self.line = line
        self.at = 0
        self.passed_by_value = False
        self._words = found
        self._structs = structs

    def fail(self, what: str) -> Unsupported:
        """Return the refusal of this line."""
        text = " ".join(self._words)
        return Unsupported(f"line {self.line}: {what}: {text[:120]}")

    @property
    def next(self) -> str:
        """The next word, or an empty string."""
        return self._words[self.at] if self.at < len(self._words) else ""

    def take(self) -> str:
        """Return the next word and go on."""
        word = self.next
        self.at += 1
        return word

    def expect(self, *wanted: str) -> None:
        """Go on behind some words."""
        for word in wanted:
            if self.take() != word:
                raise self.fail(f"{word} is missing")

    def accept(self, word: str) -> bool:
        """Go on behind a word if it is the next one; return whether it was."""
        if self.next == word:
            self.at += 1
            return True
        return False

    def type(self) -> Type:
        """Return the type that comes next."""
        word = self.take()
        kind: Type
        if re.fullmatch(r"i\d+", word):
            kind = Int(int(word[1:]))
        elif word in _FLOATS:
            kind = Float(_FLOATS[word])  # type: ignore[arg-type]
        elif word == "void":
            kind = VOID
        elif word == "ptr":
            kind = POINTER
        elif word == "<" and self.next != "{":
            kind = self._many(">", array=False)
        elif word == "[":
            kind = self._many("]", array=True)
        elif word == "{":
            kind = self._fields("}")
        elif word.startswith("%"):
            kind = self._structs.get(word, VOID)
        elif word in ("metadata", "label", "opaque"):
            kind = VOID
        else:
            raise self.fail(f"{word} is no type")
        while self.next in ("*", "("):
            if self.take() == "(":
                self._skip_to(")")
                kind = VOID
            else:
                kind = POINTER
        return kind

    def _many(self, end: str, *, array: bool) -> Type:
        count = int(self.take())
        self.expect("x")
        kind = Many(count, self.type(), array)
        self.expect(end)
        return kind

    def _fields(self, end: str) -> Struct:
        fields = []
        while not self.accept(end):
            fields.append(self.type())
            self.accept(",")
        return Struct(tuple(fields))

    def _skip_to(self, end: str) -> None:
        depth = 1
        opening = {")": "(", "]": "["}[end]
        while depth:
            word = self.take()
            if not word:
                raise self.fail(f"{end} is missing")
            depth += (word == opening) - (word == end)

    def attributes(self) -> None:
        """Go past what is said of a parameter."""
        self.passed_by_value = False
        while True:
            if self.next in _ATTRIBUTES:
                self.take()
            elif self.next in _WITH_NUMBER:
                self.take()
                bracket = self.accept("(")
                self.take()
                if bracket:
                    self.expect(")")
            elif self.next in _WITH_TYPE:
                self.passed_by_value = self.take() == "byval"
                self.expect("(")
                self.type()
                self.expect(")")
            else:
                return

    def typed(self) -> tuple[Type, Operand]:
        """Return a type and a value of it."""
        kind = self.type()
        self.attributes()
        return kind, self.value(kind)

    def value(self, kind: Type) -> Operand:
        """Return the operand that comes next."""
        word = self.take()
        if word.startswith("%"):
            return Register(word)
        if word.startswith("@"):
            return Symbol(_unquoted(word))
        if word in ("true", "false"):
            return Number(int(word == "true"), BOOL)
        if word == "null":
            return Number(0, POINTER)
        if word in ("poison", "undef"):
            return Word("poison", kind)
        if word == "zeroinitializer":
            return Word("zero", kind)
        if word in ("<", "[", "{"):
            items = []
            while not self.accept({"<": ">", "[": "]", "{": "}"}[word]):
                items.append(self.typed()[1])
                self.accept(",")
            return Row(tuple(items))
        if word in ("inttoptr", "bitcast") and self.next == "(":
            self.expect("(")
            source, inner = self.typed()
            self.expect("to")
            self.type()
            self.expect(")")
            if isinstance(source, Int) and isinstance(inner, Number):
                return Number(int(inner.value) & ((1 << 64) - 1), POINTER)
            return inner
        if isinstance(kind, Float):
            return Number(_float(word, self), kind)
        if re.fullmatch(r"-?\d+", word) and isinstance(kind, Int | Ptr):
            return Number(int(word), kind)
        if isinstance(kind, Void):  # metadata
            return Word("poison", kind)
        raise self.fail(f"{word} is not understood")


def _float(word: str, reader: Reader) -> float:
    if word.startswith("0x"):
        if not re.fullmatch(r"0x[0-9A-Fa-f]{1,16}", word):
            raise reader.fail(f"the constant {word}")
        (value,) = struct.unpack("<d", int(word, 16).to_bytes(8, "little"))
        return float(value)
    try:
        return float(word)
    except ValueError as error:
        raise reader.fail(f"{word} is no number") from error


def _unquoted(word: str) -> str:
    return word[1:].strip('"')
