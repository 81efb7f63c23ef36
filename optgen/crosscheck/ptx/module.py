"""PTX as data: what the parser makes and everything behind it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Register:
    """A register, by its unique name (`%f12`; `%f12$40` when declared in an inner scope)."""

    name: str


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer constant; negative ones keep their sign."""

    value: int


@dataclass(frozen=True, slots=True)
class Floating:
    """A floating-point constant, as the bits it is written with (`0f`: 32, `0d`: 64)."""

    bits: int
    width: int


@dataclass(frozen=True, slots=True)
class Special:
    """A read-only register of the machine, for example `%tid.x`."""

    name: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """The address of a variable or of a parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Several registers in braces; None stands for `_`, a component that is not wanted."""

    items: tuple[Register | Integer | Floating | None, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two destinations, `first|second`; None stands for `_`."""

    first: Register | None
    second: Register | None


@dataclass(frozen=True, slots=True)
class Address:
    """`[base + offset]`."""

    base: Register | Symbol | Integer
    offset: int


Operand = Register | Integer | Floating | Special | Symbol | Vector | Pair | Address


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        opcode: The first word, for example `ld`.
        modifiers: The words after it, for example `("global", "v4", "f32")`.
        operands: Destination first, as PTX writes them; a branch has none.
        target: Index of the instruction a branch goes to, otherwise None.
        guard: The predicate in front, `@%p1`, or None.
        negated: Whether the guard is `@!%p1`.
        line: Line in the PTX text, counted from 1.
        text: The statement without its semicolon, blanks made single.
    """

    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[Operand, ...]
    target: int | None
    guard: Register | None
    negated: bool
    line: int
    text: str

    @property
    def name(self) -> str:
        """The opcode with its modifiers, for example `ld.global.v4.f32`."""
        return ".".join((self.opcode, *self.modifiers))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an entry: `count` values of `type` (`count` bytes for a struct)."""

    name: str
    type: str
    count: int
    size: int
    align: int
    is_array: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable in memory: `space` is `shared` or `local`; size None means set at launch."""

    name: str
    space: str
    align: int
    size: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A kernel.

    Attributes:
        name: Its name, as the host looks it up.
        parameters: In the order of the arguments.
        registers: The type of every register, by unique name.
        variables: Shared and local variables it may touch.
        instructions: The code; `Instruction.target` indexes into it.
        labels: Indices that some branch goes to.
        max_threads: Largest block it was compiled for, or None.
        exact_threads: Whether blocks must be exactly that large.
    """

    name: str
    parameters: tuple[Parameter, ...]
    registers: Mapping[str, str]
    variables: tuple[Variable, ...]
    instructions: tuple[Instruction, ...]
    labels: frozenset[int]
    max_threads: int | None
    exact_threads: bool = False

    def contractible(self) -> tuple[Instruction, ...]:
        """Return additions and multiplications that carry no rounding mode.

        ptxas may fuse these (a `mul.f32` and an `add.f32` become one FFMA), so the
        hardware's bits may differ from the executor's. Code with every rounding
        written out has none.
        """
        return tuple(
            i
            for i in self.instructions
            if i.opcode in ("add", "sub", "mul") and i.modifiers in (("f32",), ("f64",))
        )


@dataclass(frozen=True, slots=True)
class Module:
    """One PTX text: its version, target (`sm_90`) and entries by name."""

    version: str
    target: str
    entries: Mapping[str, Entry]
