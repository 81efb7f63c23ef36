"""Prints a stage as NumPy calls on blocks: one operation a line, results into reused rows."""

from __future__ import annotations

from dataclasses import dataclass

from optgen.backends.layout import comment
from optgen.ir import ROUNDINGS, Assign, Elementwise, Expr, Literal, Operation, Ref, kind, reads

_UFUNCS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "sqrt": "sqrt",
    "neg": "negative", "abs": "absolute", "sign": "sign", "max": "maximum", "min": "minimum",
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
        self._lines: list[str] = []

    def print(self) -> Printed:
        """Return the stage as text; sums are lines `NAME = _chunk_sum(row)`."""
        for index, assign in enumerate(self._stage.body):
            if assign.formula:
                self._lines += comment(assign.formula, "#", indent=4)
            self._assign(assign)
            self._release(index)
        for reduction in self._stage.reductions:
            row = self._rows.take()
            self._into(reduction.value, row)
            self._lines.append(f"{reduction.target} = _chunk_sum({row}, work.chunk)")
            self._rows.give(row)
        return Printed(tuple(self._lines), self._rows.size, self._masks.size)

    def _release(self, index: int) -> None:
        """Free the rows of Lets that nothing below line `index` reads."""
        below = [a.value for a in self._stage.body[index + 1 :]]
        below += [r.value for r in self._stage.reductions]
        live = {name for expr in below for name in reads(expr)}
        for name in [n for n in self._bound if n not in live]:
            self._rows.give(self._bound.pop(name))

    def _assign(self, assign: Assign) -> None:
        if assign.target in self._arrays:
            self._into(assign.value, assign.target)
            return
        row = self._rows.take()
        self._into(assign.value, row, bind=f"{assign.target} = ")
        self._bound[assign.target] = row

    def _into(self, expr: Expr, out: str, bind: str = "") -> None:
        """Compute an expression into the array `out`."""
        if not isinstance(expr, Operation):
            self._lines.append(f"np.copyto({out}, {self._operand(expr)})")
            if bind:
                self._lines.append(f"{bind}{out}")
            return
        operands = [self._operand(o) for o in expr.operands]
        self._emit(expr.name, operands, out, bind)
        for operand in operands:
            self._free(operand, keep=out)

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
        function = f"_{name}" if name in ROUNDINGS else f"np.{_UFUNCS[name]}"
        call = f"{function}({', '.join((*operands, f'out={out}'))})"
        if name in ("to_float32", "to_float16"):
            call = f"np.copyto({out}, {operands[0]}.astype(np.{name[3:]}))"
        if name in ROUNDINGS:
            self._lines += [call, *([f"{bind}{out}"] if bind else [])]
            return
        if name in ("max", "min"):
            self._lines.append(f"{call}")
            call = f"np.add({out}, 0.0, out={out})"  # a zero result is +0
        self._lines.append(f"{bind}{call}")
