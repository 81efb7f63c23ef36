"""The intermediate representation: the bits of every backend are decided here.

    Kernel      = buffers, hyperparameters, scalar states, host: Assign*, stages: Stage*
    Stage       = Elementwise(loads, body: Assign*, stores, reductions) | Scalars(body: Assign*)
    Assign      = name = Expr
    Expr        = Ref(name) | Literal(value) | Operation(name, Expr*)
    Reduction   = name = sum over all elements of Expr

The host program computes in float64 what depends on the step number, the
hyperparameters and the scalar states; each value that a stage reads is rounded
once to the arithmetic type. A stage computes in the arithmetic type, each
operation rounded to nearest, ties to even, subnormals kept, no contraction.
Assignments run in order and a read sees the latest write above it. `Scalars`
holds values that exist once per tensor, computed after a reduction.

A reduction adds in one fixed tree: chunks of CHUNK elements, the tail padded
with +0; lane j of LANES adds elements j, j + LANES, ... in order; lanes are
halved (lane j += lane j + h for h = LANES/2 .. 1); chunk sums are halved the
same way over the chunk index, padded with +0 to a power of two.

A buffer may be kept in a narrower type than the arithmetic one. A load converts
exactly. A value is rounded by an operation (`to_bfloat16`, ...) whose result is of
the arithmetic type; a store finds a value that its type holds, and is exact.
`to_bfloat16_random` takes 16 random bits. The random numbers random0 .. random7 of
an element come from eight calls that it shares with seven neighbours: randomK of
element i of its tensor is half word i mod 8, low half first, of Philox4x32-10 (Salmon
et al. 2011) with the counter (i - i mod 8 + K, step), two words each, low first, and
the key (seed, number of the tensor in the call).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Literal as OneOf

from optgen.errors import InternalError
from optgen.operations import OPERATIONS as OPERATIONS
from optgen.operations import RANDOM as RANDOM
from optgen.operations import ROUNDINGS as ROUNDINGS
from optgen.operations import Kind as Kind
from optgen.operations import Meaning as Meaning

CHUNK = 16384
LANES = 1024


class DType(Enum):
    """Types of elements; the value is NumPy's name."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"

    @property
    def size(self) -> int:
        """Bytes per element."""
        return 4 if self is DType.FLOAT32 else 8

    @property
    def unit_roundoff(self) -> Fraction:
        """Largest relative error of one rounding to nearest."""
        return Fraction(1, 2**24 if self is DType.FLOAT32 else 2**53)


class Half(Enum):
    """Types of two bytes, for storage only; the value is the name of NumPy and ml_dtypes."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    @property
    def size(self) -> int:
        """Bytes per element."""
        return 2

    @property
    def unit_roundoff(self) -> Fraction:
        """Largest relative error of one rounding to nearest."""
        return Fraction(1, 2**8 if self is Half.BFLOAT16 else 2**11)


StorageType = DType | Half


@dataclass(frozen=True, slots=True)
class Ref:
    """The current value of a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: the float64 nearest to `value`, rounded to the arithmetic type."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of `OPERATIONS` on its operands."""

    name: str
    operands: tuple[Expr, ...]


Expr = Ref | Literal | Operation


@dataclass(frozen=True, slots=True)
class Assign:
    """`target = value`; `formula` is the line of the rule it comes from, for comments."""

    target: str
    value: Expr
    formula: str = ""


@dataclass(frozen=True, slots=True)
class Reduction:
    """`target` = the sum of `value` over all elements of the tensor, in the fixed tree."""

    target: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Elementwise:
    """One pass over the elements.

    Attributes:
        loads: Buffers read, in order of declaration.
        body: What is computed per element.
        stores: Buffers written, in order of declaration; a buffer's name is its value.
        reductions: Sums taken on the way, after the body.
    """

    loads: tuple[str, ...]
    body: tuple[Assign, ...]
    stores: tuple[str, ...]
    reductions: tuple[Reduction, ...] = ()


@dataclass(frozen=True, slots=True)
class Scalars:
    """Values per tensor, computed in the arithmetic type from sums and kernel scalars.

    Attributes:
        body: What is computed.
        exports: Names that later stages read.
    """

    body: tuple[Assign, ...]
    exports: tuple[str, ...]


Stage = Elementwise | Scalars


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array with one value per element of the parameter.

    Attributes:
        name: Its name.
        role: What it is to a step.
        dtype: The type that it is kept in.
        initial: Where a state starts.
        copies: The buffer whose values a state starts from, instead; or an empty string.
    """

    name: str
    role: OneOf["param", "grad", "input", "state"]
    dtype: StorageType
    initial: Fraction = Fraction(0)
    copies: str = ""

    @property
    def writable(self) -> bool:
        """Whether a step may write it."""
        return self.role in ("param", "state")


@dataclass(frozen=True, slots=True)
class ScalarState:
    """A state with one value per tensor, kept in float64 on the host."""

    name: str
    initial: Fraction


@dataclass(frozen=True, slots=True)
class Argument:
    """A hyperparameter of the step function.

    Attributes:
        name: Its name.
        default: Its default.
        domain: Its domain as text.
        condition: A Python condition on its name that holds inside the domain.
        doc: What it means.
        flag: Whether it is 0 or 1, False or True.
    """

    name: str
    default: Fraction
    domain: str
    condition: str
    doc: str
    flag: bool = False

    def holds(self, value: float) -> bool:
        """Return whether a value lies inside the domain."""
        if self.flag:
            return value in (0.0, 1.0)
        low, above, _, below, high = self.condition.replace("np.inf", "inf").split(" ")
        return (value > float(low) or (above == "<=" and value == float(low))) and (
            value < float(high) or (below == "<=" and value == float(high))
        )

    @property
    def rejection(self) -> str:
        """The inside of a Python f-string that says that a value lies outside the domain."""
        if self.flag:
            return f"{self.name} = {{{self.name}}} is neither True nor False"
        return f"{self.name} = {{{self.name}}} lies outside {self.domain}"


@dataclass(frozen=True, slots=True)
class Kernel:
    """One rule, lowered for one arithmetic type.

    Attributes:
        name: Identifier of the rule.
        arithmetic: Type in which stages compute.
        buffers: Arrays, in the order of the signature.
        arguments: Hyperparameters, in the order of the signature.
        scalar_states: States with one value per tensor.
        host: The host program, in float64; reads `step` and the arguments.
        stages: What runs per tensor, in order.
        mix: The storage mix as it is spelled, where buffers have types of their own.
    """

    name: str
    arithmetic: DType
    buffers: tuple[Buffer, ...]
    arguments: tuple[Argument, ...]
    scalar_states: tuple[ScalarState, ...]
    host: tuple[Assign, ...]
    stages: tuple[Stage, ...]
    mix: str = ""

    @property
    def mixed(self) -> bool:
        """Whether buffers have types of their own."""
        return bool(self.mix)

    @property
    def label(self) -> str:
        """What tables call it, beside the rule: its mix or its type."""
        return self.mix or self.arithmetic.value

    @property
    def scalars(self) -> tuple[str, ...]:
        """Host values that stages read, in order of first use."""
        per_tensor = set(self.tensor_scalars) | {r.target for r in self.reductions}
        per_element = {buffer.name for buffer in self.buffers} | set(RANDOM)
        seen: dict[str, None] = {}
        for stage in self.stages:
            local = {a.target for a in stage.body}
            for expr in stage_expressions(stage):
                for name in reads(expr):
                    if name not in local | per_tensor | per_element:
                        seen.setdefault(name)
        return tuple(seen)

    @property
    def tensor_scalars(self) -> tuple[str, ...]:
        """Values per tensor that element-wise stages read, in order."""
        return tuple(n for s in self.stages if isinstance(s, Scalars) for n in s.exports)

    @property
    def reductions(self) -> tuple[Reduction, ...]:
        """All reductions, in order."""
        return tuple(r for s in self.stages if isinstance(s, Elementwise) for r in s.reductions)

    @property
    def random(self) -> bool:
        """Whether stages read random numbers."""
        return any(
            name in RANDOM for s in self.stages for e in stage_expressions(s) for name in reads(e)
        )

    def buffer(self, name: str) -> Buffer:
        """Return the buffer of this name."""
        for buffer in self.buffers:
            if buffer.name == name:
                return buffer
        raise InternalError(f"kernel {self.name} has no buffer {name}")


def stage_expressions(stage: Stage) -> Iterator[Expr]:
    """Yield every expression of a stage, in order."""
    for assign in stage.body:
        yield assign.value
    if isinstance(stage, Elementwise):
        for reduction in stage.reductions:
            yield reduction.value


def reads(expr: Expr) -> Iterator[str]:
    """Yield the names that an expression reads, in order of evaluation."""
    if isinstance(expr, Ref):
        yield expr.name
    elif isinstance(expr, Operation):
        for operand in expr.operands:
            yield from reads(operand)


def kind(expr: Expr) -> Kind:
    """Return whether an expression is a `"float"` or a `"mask"`; names are floats."""
    return OPERATIONS[expr.name].result if isinstance(expr, Operation) else "float"
