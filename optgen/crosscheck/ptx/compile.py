"""An entry's instructions to Python closures, once; launches then only call them.

Here every opcode is either known or refused, and every register's width is checked.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from optgen.crosscheck.ptx.access import Access, load, store, where
from optgen.crosscheck.ptx.alu import IMMEDIATE, Operation, operation
from optgen.crosscheck.ptx.errors import DivisionByZero, PtxUnsupported
from optgen.crosscheck.ptx.frame import Frame
from optgen.crosscheck.ptx.module import (
    Address,
    Entry,
    Floating,
    Instruction,
    Integer,
    Operand,
    Pair,
    Register,
    Special,
    Symbol,
    Vector,
)
from optgen.crosscheck.ptx.shuffle import MODES, shuffle
from optgen.crosscheck.ptx.types import DTYPES, Array

Step = Callable[[Frame], None]
Fetch = Callable[[Frame], Array]


@dataclass(frozen=True, slots=True)
class Guard:
    """A predicate register and whether it must be false."""

    slot: int
    negated: bool


@dataclass(frozen=True, slots=True)
class Block:
    """Instructions that run together: no branch into their middle, one way out.

    Attributes:
        steps: What to do, in order.
        start: Index of the first instruction.
        kind: How it ends: `next`, `branch`, `exit` or `barrier`.
        after: Index of the instruction that follows.
        target: Where a branch goes, otherwise `after`.
        guard: Which threads take the branch or exit; None means all.
    """

    steps: tuple[Step, ...]
    start: int
    kind: str
    after: int
    target: int
    guard: Guard | None


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled entry: its blocks by the index they start at, and its registers' number."""

    entry: Entry
    blocks: Mapping[int, Block]
    registers: int


@functools.lru_cache(maxsize=256)
def compile_entry(entry: Entry) -> Program:
    """Turn an entry into closures.

    Raises:
        PtxUnsupported: An opcode, a modifier or an operand is not known.
    """
    slots = {name: i for i, name in enumerate(entry.registers)}
    compiler = _Compiler(entry, slots)
    starts = {0, *entry.labels}
    starts |= {i + 1 for i, x in enumerate(entry.instructions) if x.opcode in _ENDS}
    end = len(entry.instructions)
    blocks = {}
    for start in sorted(s for s in starts if s < end):
        stop = min((s for s in starts if s > start), default=end)
        blocks[start] = compiler.block(start, min(stop, end))
    return Program(entry, MappingProxyType(blocks), len(slots))


_ENDS: Mapping[str, str] = MappingProxyType(
    {"bra": "branch", "ret": "exit", "exit": "exit", "bar": "barrier", "barrier": "barrier"}
)
_BARRIERS = ("bar.sync", "barrier.sync", "barrier.sync.aligned")


class _Compiler:
    """Compiles the instructions of one entry."""

    def __init__(self, entry: Entry, slots: Mapping[str, int]) -> None:
        self.entry = entry
        self.slots = slots

    def block(self, start: int, stop: int) -> Block:
        code = self.entry.instructions
        last = code[stop - 1]
        kind = _ENDS.get(last.opcode, "next")
        body = code[start:stop] if kind == "next" else code[start : stop - 1]
        guard = None
        if kind != "next":
            self._check_end(last, kind)
            guard = self._guard(last)
        return Block(
            steps=tuple(self._step(i) for i in body),
            start=start,
            kind=kind,
            after=stop,
            target=stop if last.target is None else last.target,
            guard=guard,
        )

    def _check_end(self, instruction: Instruction, kind: str) -> None:
        zero = instruction.operands == (Integer(0),)
        known = {
            "branch": instruction.name in ("bra", "bra.uni"),
            "exit": instruction.name in ("ret", "exit") and not instruction.operands,
            "barrier": instruction.name in _BARRIERS and zero and instruction.guard is None,
        }
        if not known[kind]:
            raise _refuse(instruction, "this form of control flow")

    def _guard(self, instruction: Instruction) -> Guard | None:
        if instruction.guard is None:
            return None
        self._check(instruction, instruction.guard, "pred")
        return Guard(self.slots[instruction.guard.name], instruction.negated)

    def _step(self, instruction: Instruction) -> Step:
        if instruction.opcode == "ld":
            step = self._load(instruction)
        elif instruction.opcode == "st":
            step = self._store(instruction)
        elif instruction.opcode == "shfl":
            step = self._shuffle(instruction)
        elif instruction.opcode == "mov" and any(
            isinstance(o, Vector) for o in instruction.operands
        ):
            step = self._repack(instruction)
        else:
            step = self._arithmetic(instruction)
        guard = self._guard(instruction)
        return step if guard is None else _guarded(step, guard)

    def _arithmetic(self, instruction: Instruction) -> Step:
        found = operation(instruction.name, instruction.modifiers)
        if found is None:
            raise _refuse(instruction, f"the instruction {instruction.name}")
        if len(instruction.operands) != 1 + len(found.operands):
            raise _refuse(instruction, "the number of operands")
        destination, *sources = instruction.operands
        fetches = [
            self._fetch(instruction, source, kind, wider=found.resizes)
            for source, kind in zip(sources, found.operands, strict=True)
        ]
        if isinstance(destination, Pair):
            return self._both_predicates(instruction, destination, found, fetches)
        put = self._put(instruction, destination, found.result, wider=found.resizes)
        apply = found.apply
        if found.divides:
            return _dividing(instruction, put, apply, fetches)
        if len(fetches) == 1:
            (first,) = fetches
            return lambda frame: put(frame, apply(first(frame)))
        if len(fetches) == 2:
            first, second = fetches
            return lambda frame: put(frame, apply(first(frame), second(frame)))
        return lambda frame: put(frame, apply(*[fetch(frame) for fetch in fetches]))

    def _both_predicates(
        self, instruction: Instruction, pair: Pair, found: Operation, fetches: list[Fetch]
    ) -> Step:
        if instruction.opcode != "setp" or len(fetches) != 2 or None in (pair.first, pair.second):
            raise _refuse(instruction, "two destinations")
        puts = [self._put(instruction, p, "pred") for p in (pair.first, pair.second) if p]

        def step(frame: Frame) -> None:
            holds = found.apply(*[fetch(frame) for fetch in fetches])
            puts[0](frame, holds)
            puts[1](frame, ~holds)

        return step

    def _load(self, instruction: Instruction) -> Step:
        kind, access = self._access(instruction)
        if len(instruction.operands) != 2:
            raise _refuse(instruction, "the number of operands")
        destination, address = instruction.operands
        items = destination.items if isinstance(destination, Vector) else (destination,)
        puts = [None if i is None else self._put(instruction, i, kind, wider=True) for i in items]
        at = self._address(instruction, address, access.space)
        dtype = DTYPES[kind]

        def step(frame: Frame) -> None:
            for put, column in zip(puts, load(frame, access, at(frame)), strict=True):
                if put is not None:
                    put(frame, column.view(dtype))

        return step

    def _store(self, instruction: Instruction) -> Step:
        kind, access = self._access(instruction)
        if len(instruction.operands) != 2 or access.space == "param":
            raise _refuse(instruction, "a store of this form")
        address, source = instruction.operands
        items = source.items if isinstance(source, Vector) else (source,)
        fetches = [self._fetch(instruction, i, kind, wider=True) for i in items if i is not None]
        if len(fetches) != access.vector:
            raise _refuse(instruction, "a store of this form")
        at = self._address(instruction, address, access.space)
        raw = access.dtype

        def step(frame: Frame) -> None:
            store(frame, access, at(frame), [fetch(frame).view(raw) for fetch in fetches])

        return step

    def _access(self, instruction: Instruction) -> tuple[str, Access]:
        """Read the modifiers of a load or store: `[space][.nc][.vN].type`."""
        *words, kind = instruction.modifiers or ("",)
        space = "global"  # also the generic space, in which only global buffers live
        if words and words[0] in ("global", "shared", "local", "param"):
            space = words.pop(0)
        if words and words[0] == "nc" and space == "global" and instruction.opcode == "ld":
            words.pop(0)
        vector = 1
        if words and words[0] in ("v2", "v4", "v8"):
            vector = int(words.pop(0)[1:])
        if words or kind not in DTYPES or kind in ("pred", "f16", "bf16"):
            raise _refuse(instruction, f"the modifiers of {instruction.name}")
        width = DTYPES[kind].itemsize
        operand = instruction.operands[0 if instruction.opcode == "ld" else -1]
        found = len(operand.items) if isinstance(operand, Vector) else 1
        if found != vector or width * vector > 32:
            raise _refuse(instruction, "the width of the vector")
        return kind, Access(space, np.dtype(f"u{width}"), vector, instruction)

    def _address(self, instruction: Instruction, operand: Operand, space: str) -> Fetch:
        if not isinstance(operand, Address):
            raise _refuse(instruction, "the address")
        offset = operand.offset
        if isinstance(operand.base, Register):
            kind = self.entry.registers[operand.base.name]
            if DTYPES[kind].itemsize not in (4, 8) or kind in ("f32", "f64"):
                raise _refuse(instruction, "the register of the address")
            slot, dtype = self.slots[operand.base.name], np.dtype(f"u{DTYPES[kind].itemsize}")
            return lambda frame: frame.take(slot).view(dtype).astype(np.int64) + offset
        if isinstance(operand.base, Symbol):
            name = operand.base.name
            return lambda frame: np.array([frame.symbols[name] + offset])
        value = operand.base.value + offset
        return lambda frame: np.array([value])

    def _shuffle(self, instruction: Instruction) -> Step:
        if instruction.name not in [f"shfl.sync.{mode}.b32" for mode in MODES]:
            raise _refuse(instruction, f"the instruction {instruction.name}")
        if len(instruction.operands) != 5:
            raise _refuse(instruction, "the number of operands")
        destination, *sources = instruction.operands
        pair = destination if isinstance(destination, Pair) else Pair(None, None)
        target = destination if pair.first is None else pair.first
        put = self._put(instruction, target, "b32")
        second = None if pair.second is None else self._put(instruction, pair.second, "pred")
        fetches = [self._fetch(instruction, source, "u32") for source in sources]
        mode = instruction.modifiers[1]

        def step(frame: Frame) -> None:
            value, inside = shuffle(frame, mode, instruction, *[f(frame) for f in fetches])
            put(frame, value)
            if second is not None:
                second(frame, inside)

        return step

    def _repack(self, instruction: Instruction) -> Step:
        """`mov.b64 {%r1, %r2}, %rd1` and the reverse."""
        if len(instruction.operands) != 2 or instruction.modifiers[:1] not in (
            ("b32",),
            ("b64",),
        ):
            raise _refuse(instruction, "the operands")
        kind = instruction.modifiers[0]
        destination, source = instruction.operands
        vector = destination if isinstance(destination, Vector) else source
        if not isinstance(vector, Vector) or len(vector.items) not in (2, 4):
            raise _refuse(instruction, "the operands")
        bits = int(kind[1:]) // len(vector.items)
        if bits < 16:
            raise _refuse(instruction, "parts of one byte")
        whole, part = DTYPES[kind], np.dtype(f"u{bits // 8}")
        count = len(vector.items)
        if isinstance(destination, Vector):
            puts = [
                None if i is None else self._put(instruction, i, f"b{bits}") for i in vector.items
            ]
            fetch = self._fetch(instruction, source, kind)

            def unpack(frame: Frame) -> None:
                value = fetch(frame)
                for i, put in enumerate(puts):
                    if put is not None:
                        put(frame, (value >> whole.type(i * bits)).astype(part))

            return unpack
        items = [i for i in vector.items if i is not None]
        if len(items) != count:
            raise _refuse(instruction, "the operands")
        fetches = [self._fetch(instruction, i, f"b{bits}") for i in items]
        put_whole = self._put(instruction, destination, kind)

        def pack(frame: Frame) -> None:
            value = fetches[0](frame).astype(whole)
            for i in range(1, count):
                value = value | (fetches[i](frame).astype(whole) << whole.type(i * bits))
            put_whole(frame, value)

        return pack

    def _check(
        self, instruction: Instruction, register: Register, kind: str, *, wider: bool = False
    ) -> None:
        """Refuse a register that does not fit an operand of this type."""
        declared = self.entry.registers[register.name]
        have, want = DTYPES[declared].itemsize, DTYPES[kind].itemsize
        fits = (declared == "pred") == (kind == "pred") and (
            have == want or (wider and have > want)
        )
        if not fits:
            raise _refuse(instruction, f"a register of type .{declared} as .{kind}")

    def _put(
        self, instruction: Instruction, operand: Operand | None, kind: str, *, wider: bool = False
    ) -> Callable[[Frame, Array], None]:
        """Return what writes a value of this type; a wider register is sign- or zero-extended."""
        if not isinstance(operand, Register):
            raise _refuse(instruction, "the destination")
        self._check(instruction, operand, kind, wider=wider)
        slot = self.slots[operand.name]
        width = DTYPES[self.entry.registers[operand.name]].itemsize
        dtype = DTYPES[kind]
        if dtype.itemsize == width:
            return lambda frame, value: frame.put(slot, value)
        if dtype.kind == "f":
            raise _refuse(instruction, "a floating-point value in a wider register")
        extended = np.dtype(f"{dtype.kind}{width}")
        return lambda frame, value: frame.put(slot, value.astype(extended))

    def _fetch(
        self, instruction: Instruction, operand: Operand, kind: str, *, wider: bool = False
    ) -> Fetch:
        """Return what reads an operand as this type; of a wider register, the low bits."""
        dtype = DTYPES["u32" if kind == IMMEDIATE else kind]
        if kind == IMMEDIATE and not isinstance(operand, Integer):
            raise _refuse(instruction, "an operand that is not constant")
        if isinstance(operand, Register):
            self._check(instruction, operand, kind, wider=wider)
            slot = self.slots[operand.name]
            width = DTYPES[self.entry.registers[operand.name]].itemsize
            if kind == "pred":
                return lambda frame: frame.take(slot)
            if width == dtype.itemsize:
                return lambda frame: frame.take(slot).view(dtype)
            word, low = np.dtype(f"u{width}"), np.dtype(f"u{dtype.itemsize}")
            return lambda frame: frame.take(slot).view(word).astype(low).view(dtype)
        if isinstance(operand, Special) and dtype.itemsize == 4 and dtype.kind in "ui":
            name = operand.name
            return lambda frame: frame.select(frame.specials[name]).view(dtype)
        if isinstance(operand, Symbol) and dtype.kind == "u" and dtype.itemsize in (4, 8):
            symbol = operand.name
            return lambda frame: np.array([frame.symbols[symbol]], np.int64).astype(dtype)
        constant = _constant(operand, kind, dtype)
        if constant is None:
            raise _refuse(instruction, "an operand")
        return lambda frame: constant


def _constant(operand: Operand, kind: str, dtype: np.dtype[Any]) -> Array | None:
    """Return a constant of one entry, or None if the operand is none of this type."""
    if isinstance(operand, Floating) and operand.width == 8 * dtype.itemsize:
        return np.array([operand.bits], f"u{dtype.itemsize}").view(dtype)
    if not isinstance(operand, Integer) or dtype.kind == "f":
        return None
    if kind == "pred":
        return np.array([operand.value != 0])
    mask = (1 << 8 * dtype.itemsize) - 1
    return np.array([operand.value & mask], f"u{dtype.itemsize}").view(dtype)


def _guarded(step: Step, guard: Guard) -> Step:
    """Run a step in the threads whose predicate holds."""

    def guarded(frame: Frame) -> None:
        holds = frame.take(guard.slot)
        if guard.negated:
            holds = ~holds
        if holds.all():
            step(frame)
        elif holds.any():
            before = frame.lanes
            frame.lanes = np.nonzero(holds)[0] if before is None else before[holds]
            try:
                step(frame)
            finally:
                frame.lanes = before

    return guarded


def _dividing(
    instruction: Instruction,
    put: Callable[[Frame, Array], None],
    apply: Callable[..., Array],
    fetches: list[Fetch],
) -> Step:
    def step(frame: Frame) -> None:
        dividend, divisor = (fetch(frame) for fetch in fetches)
        if (divisor == 0).any():
            raise DivisionByZero("an integer division by zero", where=where(instruction))
        put(frame, apply(dividend, divisor))

    return step


def _refuse(instruction: Instruction, why: str) -> PtxUnsupported:
    return PtxUnsupported(instruction.text, instruction.line, why)
