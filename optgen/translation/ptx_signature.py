"""What the parameters of a compiled kernel stand for, and where its loads and stores go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from optgen.backends.abi import Abi, Launch
from optgen.backends.storing import storing
from optgen.crosscheck.ptx.module import Address, Entry, Instruction, Register, Symbol
from optgen.ir import Elementwise, Kernel
from optgen.translation.bits.conversions import WIDTHS
from optgen.translation.bits.words import Word
from optgen.translation.ptx_conditions import Aligned, implied
from optgen.translation.ptx_indices import WRAPS
from optgen.translation.ptx_integers import Number, Poly, add, divide_exactly, symbol
from optgen.translation.ptx_operands import FLOATS, width
from optgen.translation.ptx_state import Context, Pointer, State, Value, refuse
from optgen.translation.terms import Term, TermType

COUNT = "n"
"""The symbol of the number of elements."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array with one value per element."""

    name: str
    type: TermType


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value that all elements share; `type` is `""` for an integer.

    Attributes:
        name: Its name, or a name for an integer that has a fixed value.
        type: Its floating-point type.
        value: The value of an integer that is fixed, otherwise None.
    """

    name: str
    type: TermType | None = None
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What each parameter of an entry stands for; positions count from 0.

    Attributes:
        arrays: Pointers to one value per element.
        scalars: Values, by position and byte in the parameter.
        shared: Pointers to values that all elements share.
        count: Position and byte of the number of elements, or None.
        threads: Threads per block where the launch rule fixes them.
        draws: The random numbers that an element draws.
    """

    arrays: Mapping[int, Array]
    scalars: Mapping[tuple[int, int], Scalar]
    shared: Mapping[int, tuple[Scalar, ...]] = field(default_factory=lambda: MappingProxyType({}))
    count: tuple[int, int] | None = None
    threads: int | None = None
    draws: tuple[str, ...] = ()


def signature(kernel: Kernel, called: Abi, launch: Launch) -> Signature:
    """Return what the parameters of one of optgen's own launches stand for."""
    stage = kernel.stages[called.launches.index(launch)]
    dtype: TermType = kernel.arithmetic.value
    buffers = {buffer.name for buffer in kernel.buffers}
    places = {name: place for place, name in enumerate(launch.parameters)}
    size = kernel.arithmetic.size
    values = {"scalars": kernel.tensor_scalars}
    return Signature(
        arrays={
            place: Array(name, kernel.buffer(name).dtype.value)
            for name, place in places.items()
            if name in buffers
        },
        scalars={
            (places["args"], size * index): Scalar(name, dtype)
            for index, name in enumerate(called.fields)
        }
        | {
            (places["args"], byte): Scalar(name, "bits32")
            for byte, name in _words(called, size).items()
        },
        shared={
            places[name]: tuple(Scalar(each, dtype) for each in names)
            for name, names in values.items()
            if name in places
        },
        count=(places["n"], 0),
        draws=storing(kernel, stage).random if isinstance(stage, Elementwise) else (),
    )


def _words(called: Abi, size: int) -> dict[int, str]:
    """Return where words stand behind the fields of the argument struct, in bytes."""
    begin = size * len(called.fields)
    return {begin + 4 * index: name for index, name in enumerate(called.words)}


_PLAIN = frozenset(
    (
        *("global", "nc", "ca", "cg", "cs", "lu", "wb", "L1", "L2", "no_allocate", "evict_first"),
        *("evict_last", "evict_normal", "64B", "128B", "256B"),
    )
)
"""Modifiers of accesses that say where and how long values are kept, not which."""


@dataclass(slots=True)
class Arrays:
    """Memory in which each array has one value per element, by symbolic index.

    That arrays do not overlap is assumed.
    """

    entry: Entry
    signature: Signature
    context: Context = field(init=False)

    def load(
        self, state: State, instruction: Instruction, address: Address, kind: str, lanes: int
    ) -> tuple[Value, ...]:
        """Return what the thread stored there, or else the values before the step."""
        if "param" in instruction.modifiers:
            return tuple(self._parameter(instruction, address, kind, lane) for lane in range(lanes))
        pointer = self._pointer(state, instruction, address)
        names = self._shared(pointer.array)
        if names is not None:
            return tuple(
                self._scalar(instruction, pointer, names, kind, lane) for lane in range(lanes)
            )
        array, first = self._place(state, instruction, pointer, kind, lanes)
        if kind == "s16":
            refuse(instruction, "a value of two bytes is loaded as a number with a sign")
        values: list[Value] = []
        for lane in range(lanes):
            place = (array.name, add(first, lane))
            found = state.memory.get(place)
            if found is None:
                found = self.context.before(place, array.type)
                self.context.note(found, instruction)
                state.loaded.setdefault(place, instruction)
            values.append(found)
        return tuple(values)

    def save(
        self,
        state: State,
        instruction: Instruction,
        address: Address,
        kind: str,
        values: tuple[Value, ...],
    ) -> None:
        """Store values in the thread's own view of memory."""
        pointer = self._pointer(state, instruction, address)
        if self._shared(pointer.array) is not None:
            refuse(instruction, f"a store to {pointer.array}, which is bound to scalars")
        array, first = self._place(state, instruction, pointer, kind, len(values))
        for lane, value in enumerate(values):
            if isinstance(value, Word):
                value = self.context.bits.value(
                    self.context.bits.resized(value, width(kind)), array.type
                )
                self.context.note(value, instruction)
            if not isinstance(value, Term) or value.type != array.type:
                refuse(instruction, f"what is stored is no value of type {array.type}")
            state.memory[array.name, add(first, lane)] = value
        state.stored = True

    def _parameter(self, instruction: Instruction, address: Address, kind: str, lane: int) -> Value:
        base = address.base
        found = [
            place
            for place, parameter in enumerate(self.entry.parameters)
            if isinstance(base, Symbol) and parameter.name == base.name
        ]
        if not found:
            refuse(instruction, "a parameter at an address that is not constant")
        place, byte = found[0], address.offset + lane * width(kind) // 8
        pointed = self.signature.arrays.get(place)
        if width(kind) == 64 and byte == 0 and kind not in FLOATS:
            if pointed is not None:
                return Pointer(pointed.name, 0)
            if place in self.signature.shared:
                return Pointer(f"parameter {place}", 0)
        if self.signature.count == (place, byte):
            if kind in FLOATS:
                refuse(instruction, "the number of elements is read as a value")
            if width(kind) < 32:
                refuse(instruction, "of the number of elements a part is read")
            declared = self.entry.parameters[place]
            if declared.type[0] in "us" and 8 * declared.size > width(kind):
                self.context.assumptions.setdefault(WRAPS)  # its low half only
            return symbol(COUNT)
        scalar = self.signature.scalars.get((place, byte))
        if scalar is None:
            at = f" at byte {byte}" if byte else ""
            refuse(instruction, f"parameter {place}{at} is bound to nothing")
        return self._value(instruction, scalar, kind)

    def _value(self, instruction: Instruction, scalar: Scalar, kind: str) -> Value:
        if scalar.type is not None:
            bits = WIDTHS[scalar.type]
            if bits != width(kind) or FLOATS.get(kind, scalar.type) != scalar.type:
                refuse(instruction, f"{scalar.name} is of type {scalar.type}")
            return self.context.store.scalar(scalar.name, scalar.type)
        if kind in FLOATS:
            refuse(instruction, f"{scalar.name} is bound to an integer")
        if width(kind) < 32:
            refuse(instruction, f"of {scalar.name} a part is read")
        if scalar.value is not None:
            return scalar.value
        name = f"scalar {scalar.name}"
        self.context.scalars[name] = scalar.name
        return symbol(name)

    def _shared(self, array: str) -> tuple[Scalar, ...] | None:
        if not array.startswith("parameter "):
            return None
        return self.signature.shared[int(array.removeprefix("parameter "))]

    def _scalar(
        self,
        instruction: Instruction,
        pointer: Pointer,
        names: tuple[Scalar, ...],
        kind: str,
        lane: int,
    ) -> Value:
        if not isinstance(pointer.offset, int) or pointer.offset % (width(kind) // 8):
            refuse(instruction, "a shared value at a place that is not constant")
        index = pointer.offset // (width(kind) // 8) + lane
        if not 0 <= index < len(names):
            refuse(instruction, f"{pointer.array} is read behind the values that it holds")
        return self._value(instruction, names[index], kind)

    def _pointer(self, state: State, instruction: Instruction, address: Address) -> Pointer:
        unknown = [m for m in instruction.modifiers[:-1] if m not in _PLAIN and m[0] != "v"]
        if unknown:
            refuse(instruction, f"an access with .{unknown[0]}")
        if not isinstance(address.base, Register):
            refuse(instruction, "an address of this form")
        value = state.registers.get(address.base.name)
        if not isinstance(value, Pointer):
            refuse(instruction, "the address does not come from a parameter and an index")
        if value.array == "shared":
            refuse(instruction, "shared memory")
        return Pointer(value.array, add(value.offset, address.offset))

    def _place(
        self, state: State, instruction: Instruction, pointer: Pointer, kind: str, lanes: int
    ) -> tuple[Array, Number]:
        array = next(a for a in self.signature.arrays.values() if a.name == pointer.array)
        size = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}[array.type]
        if 8 * size != width(kind) or FLOATS.get(kind, array.type) != array.type:
            refuse(instruction, f"{array.name} holds values of type {array.type}")
        index = divide_exactly(pointer.offset, size)
        if index is None:
            refuse(instruction, "the address is not that of an element")
        if lanes > 1:
            self._must_be_aligned(state, instruction, array.name, index, lanes, size)
        return array, index

    def _must_be_aligned(
        self,
        state: State,
        instruction: Instruction,
        array: str,
        index: int | Poly,
        lanes: int,
        size: int,
    ) -> None:
        if divide_exactly(index, lanes) is None:
            refuse(instruction, f"element {index} is not aligned for {lanes} values at once")
        aligned = Aligned(frozenset((array,)), lanes * size)
        if implied(aligned, state.facts, self.context.known) is not True:
            self.context.assumptions.setdefault(str(aligned))
