"""An entry's instructions to Python closures, once; launches then only call them.

Here every opcode is either known or refused, and every register's width is checked.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from optgen.crosscheck.ptx.access import Access, load, store, where
from optgen.crosscheck.ptx.alu import Apply, Operation, operation
from optgen.crosscheck.ptx.errors import DivisionByZero
from optgen.crosscheck.ptx.frame import Frame
from optgen.crosscheck.ptx.module import Entry, Instruction, Integer, Pair, Vector
from optgen.crosscheck.ptx.operands import Fetch, Operands, Put, refuse
from optgen.crosscheck.ptx.shuffle import MODES, shuffle
from optgen.crosscheck.ptx.types import DTYPES

Step = Callable[[Frame], None]


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
    compiler = _Compiler(entry)
    starts = {0, *entry.labels}
    starts |= {i + 1 for i, x in enumerate(entry.instructions) if x.opcode in _ENDS}
    end = len(entry.instructions)
    blocks = {}
    for start in sorted(s for s in starts if s < end):
        stop = min((s for s in starts if s > start), default=end)
        blocks[start] = compiler.block(start, min(stop, end))
    return Program(entry, MappingProxyType(blocks), len(entry.registers))


_ENDS: Mapping[str, str] = MappingProxyType(
    {"bra": "branch", "ret": "exit", "exit": "exit", "bar": "barrier", "barrier": "barrier"}
)
_BARRIERS = ("bar.sync", "barrier.sync", "barrier.sync.aligned")


class _Compiler:
    """Compiles the instructions of one entry."""

    def __init__(self, entry: Entry) -> None:
        self._code = entry.instructions
        self._bind = Operands(entry.registers)

    def block(self, start: int, stop: int) -> Block:
        code = self._code
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
            raise refuse(instruction, "this form of control flow")

    def _guard(self, instruction: Instruction) -> Guard | None:
        if instruction.guard is None:
            return None
        self._bind.check(instruction, instruction.guard, "pred")
        return Guard(self._bind.slot(instruction.guard), instruction.negated)

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
            raise refuse(instruction, f"the instruction {instruction.name}")
        if len(instruction.operands) != 1 + len(found.operands):
            raise refuse(instruction, "the number of operands")
        destination, *sources = instruction.operands
        fetches = [
            self._bind.fetch(instruction, source, kind, wider=found.resizes)
            for source, kind in zip(sources, found.operands, strict=True)
        ]
        if isinstance(destination, Pair):
            return self._both_predicates(instruction, destination, found, fetches)
        put = self._bind.put(instruction, destination, found.result, wider=found.resizes)
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
            raise refuse(instruction, "two destinations")
        puts = [self._bind.put(instruction, p, "pred") for p in (pair.first, pair.second) if p]

        def step(frame: Frame) -> None:
            holds = found.apply(*[fetch(frame) for fetch in fetches])
            puts[0](frame, holds)
            puts[1](frame, ~holds)

        return step

    def _load(self, instruction: Instruction) -> Step:
        kind, access = self._access(instruction)
        if len(instruction.operands) != 2:
            raise refuse(instruction, "the number of operands")
        destination, address = instruction.operands
        items = destination.items if isinstance(destination, Vector) else (destination,)
        puts = [
            None if i is None else self._bind.put(instruction, i, kind, wider=True) for i in items
        ]
        at = self._bind.address(instruction, address)
        dtype = DTYPES[kind]

        def step(frame: Frame) -> None:
            for put, column in zip(puts, load(frame, access, at(frame)), strict=True):
                if put is not None:
                    put(frame, column.view(dtype))

        return step

    def _store(self, instruction: Instruction) -> Step:
        kind, access = self._access(instruction)
        if len(instruction.operands) != 2 or access.space == "param":
            raise refuse(instruction, "a store of this form")
        address, source = instruction.operands
        items = source.items if isinstance(source, Vector) else (source,)
        fetches = [
            self._bind.fetch(instruction, i, kind, wider=True) for i in items if i is not None
        ]
        if len(fetches) != access.vector:
            raise refuse(instruction, "a store of this form")
        at = self._bind.address(instruction, address)
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
            raise refuse(instruction, f"the modifiers of {instruction.name}")
        width = DTYPES[kind].itemsize
        operand = instruction.operands[0 if instruction.opcode == "ld" else -1]
        found = len(operand.items) if isinstance(operand, Vector) else 1
        if found != vector or width * vector > 32:
            raise refuse(instruction, "the width of the vector")
        return kind, Access(space, np.dtype(f"u{width}"), vector, instruction)

    def _shuffle(self, instruction: Instruction) -> Step:
        if instruction.name not in [f"shfl.sync.{mode}.b32" for mode in MODES]:
            raise refuse(instruction, f"the instruction {instruction.name}")
        if len(instruction.operands) != 5:
            raise refuse(instruction, "the number of operands")
        destination, *sources = instruction.operands
        pair = destination if isinstance(destination, Pair) else Pair(None, None)
        target = destination if pair.first is None else pair.first
        put = self._bind.put(instruction, target, "b32")
        second = None if pair.second is None else self._bind.put(instruction, pair.second, "pred")
        fetches = [self._bind.fetch(instruction, source, "u32") for source in sources]
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
            raise refuse(instruction, "the operands")
        kind = instruction.modifiers[0]
        destination, source = instruction.operands
        vector = destination if isinstance(destination, Vector) else source
        if not isinstance(vector, Vector) or len(vector.items) not in (2, 4):
            raise refuse(instruction, "the operands")
        bits = int(kind[1:]) // len(vector.items)
        if bits < 16:
            raise refuse(instruction, "parts of one byte")
        whole, part = DTYPES[kind], np.dtype(f"u{bits // 8}")
        count = len(vector.items)
        if isinstance(destination, Vector):
            puts = [
                None if i is None else self._bind.put(instruction, i, f"b{bits}")
                for i in vector.items
            ]
            fetch = self._bind.fetch(instruction, source, kind)

            def unpack(frame: Frame) -> None:
                value = fetch(frame)
                for i, put in enumerate(puts):
                    if put is not None:
                        put(frame, (value >> whole.type(i * bits)).astype(part))

            return unpack
        items = [i for i in vector.items if i is not None]
        if len(items) != count:
            raise refuse(instruction, "the operands")
        fetches = [self._bind.fetch(instruction, i, f"b{bits}") for i in items]
        put_whole = self._bind.put(instruction, destination, kind)

        def pack(frame: Frame) -> None:
            value = fetches[0](frame).astype(whole)
            for i in range(1, count):
                value = value | (fetches[i](frame).astype(whole) << whole.type(i * bits))
            put_whole(frame, value)

        return pack


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
    put: Put,
    apply: Apply,
    fetches: list[Fetch],
) -> Step:
    def step(frame: Frame) -> None:
        dividend, divisor = (fetch(frame) for fetch in fetches)
        if (divisor == 0).any():
            raise DivisionByZero("an integer division by zero", where=where(instruction))
        put(frame, apply(dividend, divisor))

    return step
