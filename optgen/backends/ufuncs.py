"""Prints a stage as NumPy calls on blocks: one operation a line, results into reused rows."""

from __future__ import annotations

from dataclasses import dataclass

from optgen.backends.layout import comment
from optgen.ir import ROUNDINGS, Assign, Elementwise, Expr, Literal, Operation, Ref, kind, reads

_UFUNCS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "sqrt": "sqrt",
    "neg": "negative", "abs": "absolute", "max": "maximum", "min": "minimum",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "eq": "equal", "ne": "not_equal", "and": "logical_and", "or": "logical_or",
    "not": "logical_not",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Printed:
    """A stage as text.

    Attributes:
        lines: Statements, comments between them.
        rows: Rows of the workspace that it uses.
        masks: Rows of the mask workspace that it uses.
    """

    lines: tuple[str, ...]
    rows: int
    masks: int


class _Pool:
    """Hands out row names, lowest first, so that few rows stay warm in the cache."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._free: list[int] = []
        self.size = 0

    def take(self) -> str:
        if self._free:
            self._free.sort()
            return f"{self._prefix}{self._free.pop(0)}"
        self.size += 1
        return f"{self._prefix}{self.size - 1}"

    def give(self, name: str) -> None:
        if name.startswith(self._prefix) and name[len(self._prefix) :].isdigit():
            self._free.append(int(name[len(self._prefix) :]))


class StagePrinter:
    """Prints one element-wise stage.

    Args:
        stage: The stage.
        arrays: Names that are arrays throughout: the buffers.
    """

    def __init__(self, stage: Elementwise, arrays: frozenset[str]) -> None:
        self._stage = stage
        self._arrays = arrays
        self._rows, self._masks = _Pool("row"), _Pool("mask")
        self._bound: dict[str, str] = {}  # Let -> its row
        self._place: dict[str, str] = {}  # the same, of those that have just been read last too
        self._last: set[str] = set()  # what the line that is printed alone reads, and once
        self._lines: list[str] = []

    def print(self) -> Printed:
        """Return the stage as text; sums are lines `NAME = _chunk_sums(row)`."""
        for index, assign in enumerate(self._stage.body):
            if assign.formula:
                self._lines += comment(assign.formula, "#", indent=4)
            self._assign(index, assign)
            self._release(index)
        for reduction in self._stage.reductions:
            row = self._rows.take()
            self._last = set()
            self._into(reduction.value, row)
            self._lines.append(f"{reduction.target} = _chunk_sums({row}, work.padded)")
            self._rows.give(row)
        return Printed(tuple(self._lines), self._rows.size, self._masks.size)

    def _release(self, index: int) -> None:
        """Free the rows of Lets that nothing below line `index` reads."""
        live = self._live(index)
        for name in [n for n in self._bound if n not in live]:
            self._rows.give(self._bound.pop(name))

    def _live(self, index: int) -> frozenset[str]:
        """Return the names that are read below line `index`."""
        below = [a.value for a in self._stage.body[index + 1 :]]
        below += [r.value for r in self._stage.reductions]
        return frozenset(name for expr in below for name in reads(expr))

    def _assign(self, index: int, assign: Assign) -> None:
        read, live = [*reads(assign.value)], self._live(index)
        self._last = {name for name in read if read.count(name) == 1} - live
        if assign.target in self._arrays:
            self._into(assign.value, assign.target)
            return
        row = self._reused(index) or self._rows.take()
        self._into(assign.value, row, bind=f"{assign.target} = ")
        self._bound[assign.target] = self._place[assign.target] = row

    def _reused(self, index: int) -> str:
        """Return the row of a Let that line `index` is the last to read, if it may be written."""
        value = self._stage.body[index].value
        if not isinstance(value, Operation) or value.name == "select":
            return ""
        dying = {*reads(value)} - self._live(index)
        for name in sorted(dying & self._bound.keys()):
            return self._bound.pop(name)
        return ""

    def _into(self, expr: Expr, out: str, bind: str = "") -> None:
        """Compute an expression into the array `out`."""
        if not isinstance(expr, Operation):
            self._lines.append(f"np.copyto({out}, {self._operand(expr)})")
            if bind:
                self._lines.append(f"{bind}{out}")
            return
        within = self._within(expr, out)
        operands = []
        for index, operand in enumerate(expr.operands):
            if index == within:
                self._into(operand, out)
            operands.append(out if index == within else self._operand(operand))
        self._emit(expr.name, operands, out, bind)
        for text in operands:
            self._free(text, keep=out)

    def _within(self, expr: Operation, out: str) -> int:
        """Return which operand may be computed into the result's own array; -1 if none.

        Every row less leaves more of the cache to the others. No other operand may read the
        array, and a choice copies into its result before it has read all that it chooses from.
        """
        if expr.name == "select":
            return -1
        for index, operand in enumerate(expr.operands):
            if not isinstance(operand, Operation) or operand.name == "select":
                continue
            others = [o for at, o in enumerate(expr.operands) if at != index]
            read = {self._place.get(name, name) for o in others for name in reads(o)}
            if kind(operand) == "float" and out not in read:
                return index
        return -1

    def _operand(self, expr: Expr) -> str:
        """Return text for an operand, computing it into a row of its own if it is an operation."""
        match expr:
            case Ref(name):
                return name
            case Literal(value):
                return repr(float(value))
            case Operation():
                pool = self._rows if kind(expr) == "float" else self._masks
                operands = [self._operand(o) for o in expr.operands]
                if expr.name == "select":  # the result must not overwrite what it chooses from
                    out = pool.take()
                else:
                    for operand in operands:
                        self._free(operand)
                    out = pool.take()
                self._emit(expr.name, operands, out)
                if expr.name == "select":
                    for operand in operands:
                        self._free(operand)
                return out

    def _free(self, operand: str, keep: str = "") -> None:
        if operand in self._last and operand in self._bound and not keep:
            operand = self._bound.pop(operand)
        if operand != keep and operand not in self._bound.values():
            self._rows.give(operand)
            self._masks.give(operand)

    def _emit(self, name: str, operands: list[str], out: str, bind: str = "") -> None:
        if name == "select":
            mask, yes, no = operands
            if out == yes:  # keep what is there, fill in the rest
                self._lines.append(f"np.logical_not({mask}, out={mask})")
                yes, no = no, yes
            if out != no:
                self._lines.append(f"np.copyto({out}, {no})")
            self._lines.append(f"np.copyto({out}, {yes}, where={mask})")
            if bind:
                self._lines.append(f"{bind}{out}")
            return
        helped = name == "sign" or name in ROUNDINGS
        function = f"_{name}" if helped else f"np.{_UFUNCS[name]}"
        call = f"{function}({', '.join((*operands, f'out={out}'))})"
        if name in ("to_float32", "to_float16"):
            call = f"np.copyto({out}, {operands[0]}.astype(np.{name[3:]}))"
        if helped:
            self._lines += [call, *([f"{bind}{out}"] if bind else [])]
            return
        if name in ("max", "min"):
            self._lines.append(f"{call}")
            call = f"np.add({out}, 0.0, out={out})"  # a zero result is +0
        self._lines.append(f"{bind}{call}")
