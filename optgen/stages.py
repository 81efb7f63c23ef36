"""Splits a rule into stages: a pass over the elements, scalars per tensor, the next pass.

Lowering hands over one assignment after another; a new pass begins at the first
read of a value that a reduction must finish first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from optgen import ir
from optgen.arithmetic import Node, arrange, names
from optgen.errors import SpecError
from optgen.ir import Assign, DType, Elementwise, Expr, Reduction, Scalars
from optgen.order import Order
from optgen.spec import Assignment, Let, OptimizerSpec


def buffers(spec: OptimizerSpec, dtype: DType) -> tuple[ir.Buffer, ...]:
    """Return the arrays of a rule, in the order of the signature."""
    states = [b for b in spec.state if b.shape == "param"]
    return (
        ir.Buffer("param", "param", dtype),
        ir.Buffer("grad", "grad", dtype),
        *(ir.Buffer(symbol.name, "input", dtype) for symbol in spec.inputs),
        *(ir.Buffer(b.name, "state", dtype, Fraction(b.initial)) for b in states),
    )


@dataclass(slots=True)
class _Open:
    """The element-wise stage being filled."""

    body: list[Assign] = field(default_factory=list)
    reductions: list[Reduction] = field(default_factory=list)
    scalars: list[Assign] = field(default_factory=list)


class Stages:
    """Takes the assignments of a rule in order; `finish` gives the stages."""

    def __init__(self, spec: OptimizerSpec, order: Order) -> None:
        self._order = order
        self._states = {b.name for b in spec.state} | {"param"}
        self._buffers = [b.name for b in buffers(spec, DType.FLOAT64)]
        self._done: list[_Open] = []
        self._open = _Open()
        self._lets: dict[str, tuple[Node, Assign]] = {}
        self._changed_since: dict[str, set[str]] = {}

    def add(self, assignment: Assignment, node: Node, value: Expr, formula: str) -> None:
        """Add a value per element; opens a new stage if it reads an unfinished scalar."""
        pending = {a.target for a in self._open.scalars}
        if names(node) & pending:
            self._done.append(self._open)
            self._open = _Open()
        self._recompute(node, assignment)
        assign = Assign(assignment.name, value, formula)
        self._open.body.append(assign)
        if isinstance(assignment, Let):
            self._lets[assignment.name] = (node, assign)
            self._changed_since[assignment.name] = set()
        else:
            for changed in self._changed_since.values():
                changed.add(assignment.name)

    def add_scalar(self, assignment: Assignment, value: Expr, formula: str) -> None:
        """Add a value per tensor, computed when the open stage is done."""
        self._open.scalars.append(Assign(assignment.name, value, formula))

    def reduce(self, assignment: Assignment, value: Expr) -> str:
        """Let the open stage sum a value per element; return the name of the sum."""
        target = f"{assignment.name}_sum"
        self._recompute(arrange(assignment.value), assignment)
        self._open.reductions.append(Reduction(target, value))
        return target

    def _recompute(self, node: Node, assignment: Assignment) -> None:
        """Repeat, in the open stage, the Lets of earlier stages that a value needs.

        Repeating costs no memory traffic beyond the buffers that the stage reads
        anyway; storing the value would cost a buffer as large as the parameter.
        """
        here = {a.target for a in self._open.body}
        for name in sorted(names(node), key=lambda n: self._order.ranks.get(n, -1)):
            if name in here or name not in self._lets:
                continue
            inner, assign = self._lets[name]
            if lost := self._changed_since[name] & names(inner):
                raise SpecError(
                    f"'{name}' is needed after a reduction, but '{min(lost)}', which it was "
                    "computed from, has changed since",
                    where=f"{assignment.location} ({assignment.name})",
                    fix=f"write '{min(lost)}' after the last use of '{name}'",
                )
            self._recompute(inner, assignment)
            self._open.body.append(assign)
            here = {a.target for a in self._open.body}

    def finish(self) -> tuple[ir.Stage, ...]:
        """Return the stages: element-wise, then per tensor where something was reduced."""
        stages: list[ir.Stage] = []
        opened = [*self._done, self._open]
        for index, stage in enumerate(opened):
            if stage.body or stage.reductions:
                stages.append(self._elementwise(stage))
            if stage.scalars:
                later = {
                    name
                    for following in opened[index + 1 :]
                    for expr in (
                        *(a.value for a in following.body),
                        *(a.value for a in following.scalars),
                        *(r.value for r in following.reductions),
                    )
                    for name in ir.reads(expr)
                }
                exports = tuple(a.target for a in stage.scalars if a.target in later)
                stages.append(Scalars(tuple(stage.scalars), exports))
        return tuple(stages)

    def _elementwise(self, stage: _Open) -> Elementwise:
        written: set[str] = set()
        loads: set[str] = set()
        for assign in stage.body:
            loads |= {n for n in ir.reads(assign.value) if n in self._buffers} - written
            written.add(assign.target)
        for reduction in stage.reductions:
            loads |= {n for n in ir.reads(reduction.value) if n in self._buffers} - written
        return Elementwise(
            loads=tuple(b for b in self._buffers if b in loads),
            body=tuple(stage.body),
            stores=tuple(b for b in self._buffers if b in written & self._states),
            reductions=tuple(stage.reductions),
        )
