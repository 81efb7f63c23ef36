"""Integer powers become multiplications, by binary exponentiation.

In: `power(x, n)` with a literal n above 1. Out: none. A base that is not a name
is bound to one first, so that it is computed once.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from optgen.ir import Assign, Elementwise, Expr, Kernel, Literal, Operation, Ref, Scalars, Stage


def powers(kernel: Kernel) -> Kernel:
    """Replace integer powers by multiplications."""
    expand = _Expand()
    host = tuple(b for a in kernel.host for b in expand.assign(a))
    return replace(kernel, host=host, stages=tuple(_stage(s, expand) for s in kernel.stages))


def _stage(stage: Stage, expand: _Expand) -> Stage:
    body = tuple(b for a in stage.body for b in expand.assign(a))
    if isinstance(stage, Scalars):
        return replace(stage, body=body)
    sums = []
    for reduction in stage.reductions:
        value, before = expand.expression(reduction.value)
        body += tuple(before)
        sums.append(replace(reduction, value=value))
    return Elementwise(stage.loads, body, stage.stores, tuple(sums))


class _Expand:
    """Rewrites expressions; counts the names it has to invent."""

    def __init__(self) -> None:
        self._count = 0

    def assign(self, assign: Assign) -> list[Assign]:
        value, before = self.expression(assign.value)
        return [*before, replace(assign, value=value)]

    def expression(self, expr: Expr) -> tuple[Expr, list[Assign]]:
        if not isinstance(expr, Operation):
            return expr, []
        before: list[Assign] = []
        operands: list[Expr] = []
        for operand in expr.operands:
            value, needed = self.expression(operand)
            operands.append(value)
            before += needed
        if expr.name != "power":
            return Operation(expr.name, tuple(operands)), before
        base, exponent = operands
        assert isinstance(exponent, Literal)
        return self._multiply(base, exponent.value, before), before

    def _multiply(self, base: Expr, exponent: Fraction, before: list[Assign]) -> Expr:
        result: Expr | None = None
        remaining = int(exponent)
        while remaining:
            if remaining > 1:  # it is read again
                base = self._named(base, before)
            if remaining & 1:
                result = base if result is None else Operation("mul", (result, base))
            remaining >>= 1
            if remaining:
                base = Operation("mul", (base, base))
        assert result is not None
        return result

    def _named(self, expr: Expr, before: list[Assign]) -> Expr:
        if isinstance(expr, Ref | Literal):
            return expr
        self._count += 1
        name = f"square_base{self._count}"
        before.append(Assign(name, expr))
        return Ref(name)
