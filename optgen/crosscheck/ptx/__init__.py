"""Executes the PTX a compiler produced on the CPU, bit for bit, and checks every memory access.

`parse` reads the text, `Memory` holds the buffers, `launch` runs an entry over a
grid. What the executor does not know it refuses (`PtxUnsupported`); what the
kernel does wrong it reports (`PtxFault`). NumPy only.
"""

from optgen.crosscheck.ptx.errors import (
    BarrierDivergence,
    DataRace,
    DivisionByZero,
    Endless,
    LaunchError,
    Misaligned,
    OutOfBounds,
    PtxFault,
    PtxUnsupported,
    ReadOnlyStore,
    ShuffleDivergence,
    UninitialisedRead,
)
from optgen.crosscheck.ptx.machine import launch
from optgen.crosscheck.ptx.memory import Buffer, Memory
from optgen.crosscheck.ptx.module import Entry, Instruction, Module, Parameter, Variable
from optgen.crosscheck.ptx.parse import parse
from optgen.crosscheck.ptx.traffic import Stats, Traffic

__all__ = [
    "BarrierDivergence",
    "Buffer",
    "DataRace",
    "DivisionByZero",
    "Endless",
    "Entry",
    "Instruction",
    "LaunchError",
    "Memory",
    "Misaligned",
    "Module",
    "OutOfBounds",
    "Parameter",
    "PtxFault",
    "PtxUnsupported",
    "ReadOnlyStore",
    "ShuffleDivergence",
    "Stats",
    "Traffic",
    "UninitialisedRead",
    "Variable",
    "launch",
    "parse",
]
