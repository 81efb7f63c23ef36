"""What does not change from element to element is computed once.

In: stages that may hold arithmetic on host values. Out: every largest
subexpression of host values only is a host value of its own, and every largest
subexpression of values per tensor stands in the `Scalars` stage before.
Operations keep their order, so no bit changes but by the host's float64.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from optgen.ir import (
    Assign,
    Elementwise,
    Expr,
    Kernel,
    Literal,
    Operation,
    Ref,
    Scalars,
    Stage,
    kind,
    reads,
    stage_expressions,
)

_HOST, _TENSOR, _ELEMENT = range(3)


def hoist(kernel: Kernel) -> Kernel:
    """Move loop-invariant arithmetic out of the stages."""
    return _Hoist(kernel).run()


class _Hoist:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._host = list(kernel.host)
        self._taken = {a.name for a in kernel.arguments} | {a.target for a in kernel.host}
        self._taken |= {b.name for b in kernel.buffers} | {"step", "numel"}
        self._taken |= {a.target for s in kernel.stages for a in s.body}
        self._level = {b.name: _ELEMENT for b in kernel.buffers}
        for stage in kernel.stages:
            level = _ELEMENT if isinstance(stage, Elementwise) else _TENSOR
            self._level |= {a.target: level for a in stage.body}
        self._level |= {r.target: _TENSOR for r in kernel.reductions}
        self._names: dict[Expr, str] = {}
        self._scalars: dict[int, list[Assign]] = {}
        self._exports: dict[int, list[str]] = {}

    def run(self) -> Kernel:
        stages: list[Stage] = []
        for index, stage in enumerate(self._kernel.stages):
            here = _ELEMENT if isinstance(stage, Elementwise) else _TENSOR
            body = tuple(replace(a, value=self._move(a.value, here, index)) for a in stage.body)
            if isinstance(stage, Elementwise):
                sums = tuple(
                    replace(r, value=self._move(r.value, here, index)) for r in stage.reductions
                )
                stages.append(replace(stage, body=body, reductions=sums))
            else:
                stages.append(replace(stage, body=body))
        for index, added in sorted(self._scalars.items(), reverse=True):
            stage = stages[index]
            assert isinstance(stage, Scalars)
            later = [e for s in stages[index + 1 :] for e in stage_expressions(s)]
            read = {n for e in later for n in reads(e)}
            names = (*stage.exports, *self._exports[index])
            body = (*stage.body, *added)
            stages[index] = Scalars(body, tuple(n for n in names if n in read))
        return replace(self._kernel, host=tuple(self._host), stages=tuple(stages))

    def _at(self, expr: Expr) -> int:
        return max((self._level.get(n, _HOST) for n in reads(expr)), default=_HOST)

    def _move(self, expr: Expr, here: int, index: int) -> Expr:
        if not isinstance(expr, Operation):
            return expr
        level = self._at(expr)
        if level < here and kind(expr) == "float":
            if level == _HOST:
                return self._on_host(expr)
            if index and isinstance(self._kernel.stages[index - 1], Scalars):
                return self._per_tensor(expr, index - 1)
        if level == _HOST and kind(expr) == "mask":
            # A kernel's scalars are numbers: the condition travels as 1 or 0.
            one, zero = Literal(Fraction(1)), Literal(Fraction(0))
            return Operation("ne", (self._on_host(Operation("select", (expr, one, zero))), zero))
        return Operation(expr.name, tuple(self._move(o, here, index) for o in expr.operands))

    def _on_host(self, expr: Expr) -> Ref:
        if expr not in self._names:
            self._names[expr] = name = self._fresh(expr)
            self._host.append(Assign(name, expr))
        return Ref(self._names[expr])

    def _per_tensor(self, expr: Operation, index: int) -> Ref:
        if expr not in self._names:
            self._names[expr] = name = self._fresh(expr)
            self._level[name] = _TENSOR
            inner = Operation(
                expr.name, tuple(self._move(o, _TENSOR, index) for o in expr.operands)
            )
            self._scalars.setdefault(index, []).append(Assign(name, inner))
            self._exports.setdefault(index, []).append(name)
        return Ref(self._names[expr])

    def _fresh(self, expr: Expr) -> str:
        base = _describe(expr) or "scalar"
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


_WORDS = {"mul": "", "div": "over", "add": "plus", "sub": "minus"}


def _describe(expr: Expr) -> str:
    """Return a name that says what a small expression is: `one_minus_beta1`, `lr_weight_decay`."""
    match expr:
        case Ref(name):
            return name
        case Literal(value):
            small = {0: "zero", 1: "one", 2: "two", 3: "three"}
            return small.get(int(value), "") if value.denominator == 1 else ""
        case Operation(name, (left, right)) if name in _WORDS:
            parts = [p for p in (_describe(left), _WORDS[name], _describe(right)) if p]
            text = "_".join(parts)
            return text if len(text) <= 40 else "scalar"
        case _:
            return "scalar"
