"""What a traced module sees in place of NumPy and of the state that users hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optgen.translation.numpy_memory import Memory
from optgen.translation.numpy_trace import Kind, Scalar, Tracer, View
from optgen.translation.terms import Term, TermType
from optgen.verify.verdicts import Unsupported


class Counter:
    """`state["step"]`: the number of steps done."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self.written: Term | None = None

    def __add__(self, other: object) -> Scalar:
        if other != 1:
            raise Unsupported(f"the number of steps done, plus {other}")
        return Scalar(self._tracer, self._tracer.store.scalar("step", "float64"))

    def __setitem__(self, key: object, value: object) -> None:
        if key is not Ellipsis or not isinstance(value, Scalar):
            raise Unsupported("the number of steps done is set to what is no traced value")
        self.written = value.term


class Cell:
    """A scalar state: a 0-d float64 array."""

    def __init__(self, tracer: Tracer, term: Term) -> None:
        self._tracer, self.term = tracer, term

    def value(self) -> Scalar:
        """Return what it holds."""
        return Scalar(self._tracer, self.term)

    def __setitem__(self, key: object, value: object) -> None:
        if key is not Ellipsis or not isinstance(value, Scalar):
            raise Unsupported("a scalar state is set to what is no traced value")
        self.term = value.term


class _Float64(Kind):
    """`np.float64`, which makes scalars of numbers, of scalar states and of itself."""

    __slots__ = ()

    def __call__(self, value: object) -> Any:
        match value:
            case Cell():
                return value.value()
            case Scalar() if value.term.type == "float64":
                return value
        return np.float64(value)  # type: ignore[arg-type]


class TracedNumpy:
    """NumPy, but for the few functions that no traced value could take part in."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self.float32, self.float64 = Kind(tracer, "float32"), _Float64(tracer, "float64")

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def asarray(self, value: object) -> Any:
        """Return traced arrays as they are."""
        return value if isinstance(value, View) else np.asarray(value)

    def empty(self, shape: int | tuple[int, int], dtype: object) -> Any:
        """Return rows that nothing has been written to."""
        kind: TermType = dtype.kind if isinstance(dtype, Kind) else "mask"
        if not isinstance(dtype, Kind) and dtype is not np.bool_:
            raise Unsupported(f"an array of {dtype}")
        if isinstance(shape, int):
            return View(self._tracer, Memory.holding("chunk", kind, shape, None), 0, shape)
        count, width = shape
        return _Rows(
            self._tracer, [Memory.holding(f"row{i}", kind, width, None) for i in range(count)]
        )


class _Rows:
    """The workspace: rows of one block each."""

    def __init__(self, tracer: Tracer, rows: Sequence[Memory]) -> None:
        self._tracer, self._rows = tracer, rows

    def __getitem__(self, key: tuple[int, slice]) -> View:
        row, part = key
        memory = self._rows[row]
        return View(self._tracer, memory, 0, memory.size)[part]
