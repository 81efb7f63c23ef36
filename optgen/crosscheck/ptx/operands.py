"""Operands to closures: how an instruction reads its sources and writes its destination.

Every register's width is checked here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from optgen.crosscheck.ptx.alu import IMMEDIATE
from optgen.crosscheck.ptx.errors import PtxUnsupported
from optgen.crosscheck.ptx.frame import Frame
from optgen.crosscheck.ptx.module import (
    Address,
    Floating,
    Instruction,
    Integer,
    Operand,
    Register,
    Special,
    Symbol,
)
from optgen.crosscheck.ptx.types import DTYPES, Array

Fetch = Callable[[Frame], Array]
Put = Callable[[Frame, Array], None]


class Operands:
    """Binds the operands of one entry's instructions.

    Args:
        registers: The type of every register.
    """

    def __init__(self, registers: Mapping[str, str]) -> None:
        self._registers = registers
        self._slots = {name: i for i, name in enumerate(registers)}

    def slot(self, register: Register) -> int:
        """Return the register's number in a frame."""
        return self._slots[register.name]

    def address(self, instruction: Instruction, operand: Operand) -> Fetch:
        """Return what computes an address, as int64; of one entry if it is a constant."""
        if not isinstance(operand, Address):
            raise refuse(instruction, "the address")
        offset = operand.offset
        if isinstance(operand.base, Register):
            kind = self._registers[operand.base.name]
            if DTYPES[kind].itemsize not in (4, 8) or kind in ("f32", "f64"):
                raise refuse(instruction, "the register of the address")
            slot, dtype = self._slots[operand.base.name], np.dtype(f"u{DTYPES[kind].itemsize}")
            return lambda frame: frame.take(slot).view(dtype).astype(np.int64) + offset
        if isinstance(operand.base, Symbol):
            name = operand.base.name
            return lambda frame: np.array([frame.symbols[name] + offset])
        value = operand.base.value + offset
        return lambda frame: np.array([value])

    def check(
        self, instruction: Instruction, register: Register, kind: str, *, wider: bool = False
    ) -> None:
        """Refuse a register that does not fit an operand of this type."""
        declared = self._registers[register.name]
        have, want = DTYPES[declared].itemsize, DTYPES[kind].itemsize
        fits = (declared == "pred") == (kind == "pred") and (
            have == want or (wider and have > want)
        )
        if not fits:
            raise refuse(instruction, f"a register of type .{declared} as .{kind}")

    def put(
        self, instruction: Instruction, operand: Operand | None, kind: str, *, wider: bool = False
    ) -> Put:
        """Return what writes a value of this type; a wider register is sign- or zero-extended."""
        if not isinstance(operand, Register):
            raise refuse(instruction, "the destination")
        self.check(instruction, operand, kind, wider=wider)
        slot = self._slots[operand.name]
        width = DTYPES[self._registers[operand.name]].itemsize
        dtype = DTYPES[kind]
        if dtype.itemsize == width:
            return lambda frame, value: frame.put(slot, value)
        if dtype.kind == "f":
            raise refuse(instruction, "a floating-point value in a wider register")
        extended = np.dtype(f"{dtype.kind}{width}")
        return lambda frame, value: frame.put(slot, value.astype(extended))

    def fetch(
        self, instruction: Instruction, operand: Operand, kind: str, *, wider: bool = False
    ) -> Fetch:
        """Return what reads an operand as this type; of a wider register, the low bits."""
        dtype = DTYPES["u32" if kind == IMMEDIATE else kind]
        if kind == IMMEDIATE and not isinstance(operand, Integer):
            raise refuse(instruction, "an operand that is not constant")
        if isinstance(operand, Register):
            self.check(instruction, operand, kind, wider=wider)
            slot = self._slots[operand.name]
            width = DTYPES[self._registers[operand.name]].itemsize
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
            raise refuse(instruction, "an operand")
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


def refuse(instruction: Instruction, why: str) -> PtxUnsupported:
    """Return the error that names an instruction and what is unknown about it."""
    return PtxUnsupported(instruction.text, instruction.line, why)
