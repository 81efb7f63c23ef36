"""What can be wrong with PTX: the executor does not know it, or the kernel misbehaves."""

from __future__ import annotations

from optgen.errors import CheckFailed, OptgenError


class PtxUnsupported(OptgenError):
    """PTX that this executor does not know; it refuses rather than guesses.

    Args:
        text: The statement, as it stands in the PTX.
        line: Its line in the PTX, counted from 1.
        why: What about it is unknown.
    """

    exit_code = 1

    def __init__(self, text: str, line: int, why: str) -> None:
        super().__init__(
            f"unsupported PTX: {why}",
            where=f"PTX line {line}: {text}",
            fix="teach optgen/crosscheck/ptx this form, or generate code that does not need it",
        )
        self.text = text
        self.line = line


class PtxFault(CheckFailed):
    """The executed kernel did something that a GPU punishes or leaves undefined."""


class OutOfBounds(PtxFault):
    """An access outside every allocation, or across the end of one."""


class Misaligned(PtxFault):
    """An access at an address that is not a multiple of its size."""


class ReadOnlyStore(PtxFault):
    """A store to a buffer that the kernel may only read."""


class DataRace(PtxFault):
    """Two threads touch one word, at least one writes, and nothing orders them."""


class BarrierDivergence(PtxFault):
    """Not every thread of a block arrives at the same barrier."""


class ShuffleDivergence(PtxFault):
    """A lane named in a shuffle's mask does not take part in it."""


class UninitialisedRead(PtxFault):
    """A read of memory or of a register that nothing has written."""


class DivisionByZero(PtxFault):
    """An integer division by zero, whose result PTX leaves open."""


class Endless(PtxFault):
    """The kernel runs far longer than any kernel over so few elements should."""


class LaunchError(PtxFault):
    """The launch does not fit the entry: number, kind or size of the arguments, block size."""
