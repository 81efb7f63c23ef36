"""Units of every hyperparameter and state, by linear algebra over the rationals.

The unit of a name is a vector of exponents. Each line of a rule asks for linear
equations between them: terms of a sum have one unit, a product adds exponents,
what stands in an exponent has none. The unknowns are eliminated, the parameter
and the gradient last, so that every other unit comes out in terms of these two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy
from sympy.core.relational import Relational

from optgen.notation.text import rule_lines
from optgen.sheet.entry import Entry, not_derived
from optgen.spec import OptimizerSpec
from optgen.symbols import REDUCTIONS, step

Vector = dict[str, Fraction]
"""Exponents by name; a name that is missing has exponent 0."""
_LAST = ("grad", "param")


class NoUnits(Exception):
    """A line holds something of which no unit is known; says what."""


@dataclass(frozen=True, slots=True)
class Units:
    """What the lines of a rule ask for.

    Attributes:
        exponents: For each hyperparameter, state and input its exponents of `param`, `grad`
            and of names whose unit is free.
        forced: A relation between the units of parameter and gradient that no rule should
            ask for (`grad = 1`), or an empty string.
        because: The lines that force it together, as text.
    """

    exponents: Mapping[str, Vector]
    forced: str = ""
    because: tuple[str, ...] = ()

    def of(self, name: str) -> tuple[Fraction, Fraction] | None:
        """Return the exponents of (param, grad); None if the unit is not one of these two."""
        if name in _LAST:
            return Fraction(name == "param"), Fraction(name == "grad")
        vector = self.exponents[name]
        if set(vector) - set(_LAST):
            return None
        return vector.get("param", Fraction(0)), vector.get("grad", Fraction(0))


@dataclass(frozen=True, slots=True)
class _Row:
    """One equation: exponents that cancel, and the lines that it was made of."""

    vector: Vector
    lines: frozenset[int]


def infer(spec: OptimizerSpec) -> Units:
    """Derive the units of a rule.

    Raises:
        NoUnits: A line holds something of which no unit is known.
    """
    rows: list[_Row] = []
    texts: list[str] = []
    latest: dict[str, str] = {}
    for number, ((assignment, version, value), text) in enumerate(
        zip(spec.ssa(), rule_lines(spec), strict=True)
    ):
        equations: list[Vector] = []
        unit = _unit(value, equations)
        if unit is not None:
            equations.append(_minus(unit, {str(version): Fraction(1)}))
        rows += [_Row(e, frozenset((number,))) for e in equations]
        texts.append(f"line {number + 1}: {text}")
        latest[assignment.name] = str(version)
    for number, (vector, text) in enumerate(_frame(spec, latest), start=len(texts)):
        rows.append(_Row(vector, frozenset((number,))))
        texts.append(text)
    wanted = [h.name for h in spec.hyperparameters] + [b.name for b in spec.state]
    wanted += [str(i.name) for i in spec.inputs]
    return _solve(rows, wanted, texts)


def _frame(spec: OptimizerSpec, latest: Mapping[str, str]) -> Iterator[tuple[Vector, str]]:
    """Yield what holds besides the lines: a state has one unit for ever, the step has none."""
    yield {"step": Fraction(1)}, "the step is a number"
    for name in ("param", *(b.name for b in spec.state)):
        if name in latest:
            same = {latest[name]: Fraction(1), name: Fraction(-1)}
            yield same, f"{name} has one unit at every step"
    for buffer in spec.state:
        if buffer.initial != 0:
            yield {buffer.name: Fraction(1)}, f"{buffer.name} starts at {buffer.initial}"
    equations: list[Vector] = []
    unit = _unit(spec.query, equations)
    if unit is not None:
        equations.append(_minus(unit, {"param": Fraction(1)}))
    for equation in equations:
        yield equation, f"the gradient is taken at {spec.query}"


def _solve(rows: list[_Row], wanted: list[str], texts: list[str]) -> Units:
    """Eliminate, the wanted names after the others, and parameter and gradient last."""
    names = sorted({n for row in rows for n in row.vector} - {*wanted, *_LAST})
    order = [*names, *wanted, *_LAST]
    solved: dict[str, _Row] = {}
    forced: _Row | None = None
    for row in rows:
        left = row
        for name in order:
            if left.vector.get(name) and name in solved:
                left = _eliminate(left, solved[name], name)
        pivot = next((n for n in order if left.vector.get(n)), None)
        if pivot is None:
            continue
        if pivot in _LAST and forced is None:
            forced = left
        scale = left.vector[pivot]
        solved[pivot] = _Row({n: v / scale for n, v in left.vector.items()}, left.lines)
    exponents: dict[str, Vector] = {}
    for name in wanted:
        row = _Row({name: Fraction(1)}, frozenset())
        for pivot in order:
            if row.vector.get(pivot) and pivot in solved:
                row = _eliminate(row, solved[pivot], pivot)
        exponents[name] = row.vector
    if forced is None:
        return Units(exponents)
    because = tuple(texts[i] for i in sorted(forced.lines) if "one unit" not in texts[i])
    return Units(exponents, _relation(forced.vector), because)


def _eliminate(row: _Row, pivot: _Row, name: str) -> _Row:
    factor = row.vector[name] / pivot.vector[name]
    vector = _minus(row.vector, {n: factor * v for n, v in pivot.vector.items()})
    return _Row(vector, row.lines | pivot.lines)


def _minus(a: Vector, b: Vector) -> Vector:
    found = {n: a.get(n, Fraction(0)) - b.get(n, Fraction(0)) for n in {**a, **b}}
    return {n: v for n, v in found.items() if v}


def _plus(a: Vector, b: Vector) -> Vector:
    return _minus(a, {n: -v for n, v in b.items()})


def _relation(vector: Vector) -> str:
    """Return a relation between parameter and gradient as text."""
    if set(vector) == {"grad"}:
        return "[grad] = 1"
    if set(vector) == {"param"}:
        return "[param] = 1"
    exponent = -vector["param"] / vector["grad"]
    return f"[grad] = {_factor('param', exponent)}"


def _unit(expr: sympy.Basic, equations: list[Vector]) -> Vector | None:
    """Return the unit of an expression; None for 0, which has every unit.

    Args:
        expr: The expression.
        equations: What must vanish for the unit to exist; extended.
    """
    if isinstance(expr, sympy.Symbol):
        return {} if expr == step else {str(expr.name): Fraction(1)}
    if isinstance(expr, sympy.Rational):
        return None if expr == 0 else {}
    if isinstance(expr, sympy.Add | sympy.Max | sympy.Min):
        return _same([_unit(a, equations) for a in expr.args], equations)
    if isinstance(expr, sympy.Mul):
        total: Vector = {}
        for factor in expr.args:
            total = _plus(total, _unit(factor, equations) or {})
        return total
    if isinstance(expr, sympy.Pow):
        base = _unit(expr.base, equations) or {}
        if isinstance(expr.exp, sympy.Rational):
            exponent = Fraction(int(expr.exp.p), int(expr.exp.q))
            return {n: v * exponent for n, v in base.items()}
        equations += [base, _unit(expr.exp, equations) or {}]
        return {}
    if isinstance(expr, (sympy.sign, sympy.Abs, *REDUCTIONS)):
        inside = _unit(expr.args[0], equations)
        return {} if isinstance(expr, sympy.sign) else inside
    if isinstance(expr, sympy.Piecewise):
        for branch in expr.args:
            _condition(branch.cond, equations)
        return _same([_unit(branch.expr, equations) for branch in expr.args], equations)
    raise NoUnits(f"'{expr}' has no unit that is known")


def _condition(condition: sympy.Basic, equations: list[Vector]) -> None:
    if isinstance(condition, Relational):
        _same([_unit(condition.lhs, equations), _unit(condition.rhs, equations)], equations)
    else:
        for part in condition.args:
            _condition(part, equations)


def _same(units: list[Vector | None], equations: list[Vector]) -> Vector | None:
    known = [u for u in units if u is not None]
    equations += [_minus(u, known[0]) for u in known[1:]]
    return known[0] if known else None


def show(vector: Vector) -> str:
    """Return a unit as text: `[grad]**2`, `[param]/[grad]`, `1`."""
    over = [_factor(n, v) for n, v in sorted(vector.items(), reverse=True) if v > 0]
    under = [_factor(n, -v) for n, v in sorted(vector.items(), reverse=True) if v < 0]
    text = "*".join(over) or "1"
    if not under:
        return text
    return f"{text}/{under[0]}" if len(under) == 1 else f"{text}/({'*'.join(under)})"


def _factor(name: str, exponent: Fraction) -> str:
    if exponent == 1:
        return f"[{name}]"
    whole = exponent.denominator == 1 and exponent > 0
    return f"[{name}]**{exponent}" if whole else f"[{name}]**({exponent})"


def in_loss(vector: Vector) -> Vector:
    """Return a unit in terms of the loss: `[grad] = [loss]/[param]`."""
    found = {n: v for n, v in vector.items() if n != "grad"}
    exponent = vector.get("grad", Fraction(0))
    return _plus(found, {"loss": exponent, "param": -exponent})


def entries(units: Units | NoUnits) -> list[Entry]:
    """Return the units of a rule as entries of its sheet."""
    how = "exponent vectors of every line, eliminated over the rationals"
    if isinstance(units, NoUnits):
        return [not_derived("units", "units of hyperparameters and states", str(units), how)]
    found = []
    if units.forced:
        *others, last = units.because
        lines = last + (f" (together with {len(others)} lines above it)" if others else "")
        found.append(
            Entry(
                "units",
                "the units are consistent whatever the units of param and grad",
                "refuted",
                how,
                f"{units.forced} is forced by {lines}",
                values={"forced": units.forced, "lines": list(units.because)},
            )
        )
        how += f", with {units.forced}"
    for name, vector in units.exponents.items():
        text = f"[{name}] = {show(vector)}"
        loss = show(in_loss(vector))
        if "grad" in vector:
            text += f" = {loss}"
        free = sorted(set(vector) - set(_LAST))
        note = f"the unit of {', '.join(free)} is free" if free else ""
        values = {"name": name, "unit": show(vector), "in_loss": loss}
        found.append(Entry("units", text, "proved", how, note, values=values))
    return found
