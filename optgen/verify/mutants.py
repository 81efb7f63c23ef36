"""Single-site mutants of a rule: what a slip of the pen would make of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy

from optgen.errors import OptgenError
from optgen.spec import Assignment, OptimizerSpec, Set
from optgen.symbols import step


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one change.

    Attributes:
        spec: The changed rule.
        change: What was changed, for people.
    """

    spec: OptimizerSpec
    change: str


def mutants(spec: OptimizerSpec) -> Iterator[Mutant]:
    """Yield the rules that differ from a rule in one place, each once.

    A change swaps a symbol for another of the rule, drops a term or a factor, turns a
    sign, changes a constant or an exponent, swaps a maximum for a minimum, exchanges
    the branches of a choice, or leaves out or moves a line. What no longer is a rule is
    left out; hyperparameters and states that are no longer used are taken away.
    """
    seen: set[tuple[tuple[sympy.Symbol, sympy.Expr], ...]] = {_key(spec.rule)}
    for rule, change in _changed_rules(spec):
        key = _key(rule)
        if key in seen:
            continue
        seen.add(key)
        mutant = _settled(spec, rule)
        if mutant is not None:
            yield Mutant(mutant, change)


def _key(rule: tuple[Assignment, ...]) -> tuple[tuple[sympy.Symbol, sympy.Expr], ...]:
    return tuple((a.target, a.value) for a in rule)


def _changed_rules(spec: OptimizerSpec) -> Iterator[tuple[tuple[Assignment, ...], str]]:
    rule = spec.rule
    for i, assignment in enumerate(rule):
        for value in _changed(assignment.value, _symbols(spec, i)):
            if value.has(sympy.nan, sympy.zoo, sympy.oo, sympy.I):
                continue
            changed = replace(assignment, value=value)
            text = f"{assignment.name} = {value} in place of {assignment.value}"
            yield (*rule[:i], changed, *rule[i + 1 :]), text
        if isinstance(assignment, Set):
            yield (*rule[:i], *rule[i + 1 :]), f"without {assignment.name} = {assignment.value}"
        if i + 1 < len(rule):
            moved = (*rule[:i], rule[i + 1], assignment, *rule[i + 2 :])
            yield moved, f"{assignment.name} behind {rule[i + 1].name}"


def _symbols(spec: OptimizerSpec, before: int) -> tuple[sympy.Symbol, ...]:
    """Return the symbols that a line may read, apart from `step`."""
    known = {*spec.domains, *(a.target for a in spec.rule[:before])} - {step}
    return tuple(sorted(known, key=str))


def _changed(expr: sympy.Basic, symbols: tuple[sympy.Symbol, ...]) -> Iterator[sympy.Basic]:
    """Yield an expression with one of its parts changed."""
    yield from _replacements(expr, symbols)
    for i, part in enumerate(expr.args):
        for changed in _changed(part, symbols):
            try:
                yield expr.func(*expr.args[:i], changed, *expr.args[i + 1 :])
            except (TypeError, ValueError, AttributeError):  # sympy refuses the combination
                continue


def _replacements(expr: sympy.Basic, symbols: tuple[sympy.Symbol, ...]) -> Iterator[sympy.Basic]:
    if expr == step:
        yield from (step + 1, 2 * step)
    elif isinstance(expr, sympy.Symbol):
        yield from (other for other in symbols if other != expr)
        yield from (-expr, sympy.Integer(0), sympy.Integer(1))
    elif isinstance(expr, sympy.Rational):
        yield expr + 1
    elif isinstance(expr, sympy.Add | sympy.Mul):
        for i in range(len(expr.args)):
            yield expr.func(*expr.args[:i], *expr.args[i + 1 :])
        yield -expr
    elif isinstance(expr, sympy.Pow):
        yield expr.base
    elif isinstance(expr, sympy.Max):
        yield sympy.Min(*expr.args)
    elif isinstance(expr, sympy.Min):
        yield sympy.Max(*expr.args)
    elif isinstance(expr, sympy.sign | sympy.Abs):
        yield expr.args[0]
    elif isinstance(expr, sympy.Piecewise):
        yield from (branch.expr for branch in expr.args)


def _settled(spec: OptimizerSpec, rule: tuple[Assignment, ...]) -> OptimizerSpec | None:
    """Return the spec of a changed rule, without what it no longer uses; None if it is none."""
    assignments = list(rule)
    while True:
        read = {s for a in assignments for s in a.value.free_symbols}
        kept = [a for a in assignments if isinstance(a, Set) or a.target in read]
        if len(kept) == len(assignments):
            break
        assignments = kept
    written = {a.target for a in assignments}
    try:
        return replace(
            spec,
            rule=tuple(assignments),
            hyperparameters=tuple(h for h in spec.hyperparameters if h.symbol in read),
            state=tuple(b for b in spec.state if b.symbol in written),
        )
    except OptgenError:
        return None
