"""The one-step map after many steps: what is left when the step number has gone to infinity.

beta**step tends to 0 where 0 <= beta < 1. Everything else in a rule is
continuous in these powers wherever the limiting map has a value, except at the
edges of conditions and at the zero of `sign`; those are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy
from sympy.core.relational import Relational

from optgen.notation.text import rule_lines
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.special_cases import Case, against, search
from optgen.sheet.subject import Subject, values_behind
from optgen.spec import Assignment, OptimizerSpec, Set
from optgen.symbols import step, symbol

_HOW = "beta**step -> 0 for 0 <= beta < 1, and continuity where the limit has a value"


class NoLimit(Exception):
    """The limit was not found; says why."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit of a rule.

    Attributes:
        spec: The limiting rule; the rule itself if no line reads the step.
        changes: What each power, condition or state tends to, as text.
        assumptions: What the hyperparameters must be for that, as text.
        edges: Values that must not be 0 in the limit: a condition or a sign turns there.
    """

    spec: OptimizerSpec
    changes: tuple[str, ...]
    assumptions: tuple[str, ...]
    edges: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The assumptions as a clause that begins with a blank, or an empty string."""
        return f" where {' and '.join(self.assumptions)}" if self.assumptions else ""

    @property
    def everywhere(self) -> str:
        """The assumptions and the edges as such a clause."""
        both = (*self.assumptions, *self.edges)
        return f" where {' and '.join(both)}" if both else ""


def take_limit(subject: Subject) -> Limit:
    """Return the limit of a rule.

    Raises:
        NoLimit: A line reads the step in a way whose limit is not known.
    """
    spec = subject.spec
    if not any(value.has(step) for value in (spec.query, *(a.value for a in spec.rule))):
        return Limit(spec, (), ())
    return _Taker(subject).run()


def entries(subject: Subject) -> Iterator[Entry]:
    """Yield the limiting map, and the rules it is equal to."""
    spec = subject.spec
    try:
        limit = take_limit(subject)
    except NoLimit as error:
        yield not_derived("limit", "the limit of the step as step -> oo", str(error), _HOW)
        return
    if limit.spec is spec:
        text = "no line reads the step: the map is the same at every step"
        yield Entry("limit", text, "proved", "reading the lines")
        return
    if limit.changes:
        text = (
            f"as step -> oo the step tends to one with {', '.join(limit.changes)}{limit.everywhere}"
        )
    else:
        text = f"the map is the same at every step{limit.where}"
    lines = rule_lines(limit.spec)
    values = {"rule": list(lines), "assumptions": list(limit.assumptions)}
    yield Entry("limit", text, "proved", _HOW, values=values)
    how = "the search for special cases, on the limiting rule; `compare` proves each one"
    for case in _equal(limit, subject):
        text = str(case).replace(limit.spec.name, f"the limit of {spec.name}", 1)
        yield Entry("limit", text, "proved", how, values={"right": case.right})


def _equal(limit: Limit, subject: Subject) -> list[Case]:
    """Return the rules that the limit is equal to: as it stands if there are any such."""
    found, _ = search(limit.spec, against(subject), subject)
    exact = [c for c in found if not c.left_given and not c.right_given]
    return exact or [c for c in found if not c.left_given or not c.right_given]


class _Taker:
    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._changes: dict[str, None] = {}
        self._assumptions: dict[str, None] = {}
        self._edges: dict[str, None] = {}
        self._moving: set[str] = set()

    def run(self) -> Limit:
        spec = self._subject.spec
        rule: list[Assignment] = []
        for number, assignment in enumerate(spec.rule, start=1):
            value = self._limit(assignment.value)
            if value.has(sympy.zoo, sympy.nan, sympy.oo, step):
                value = self._without_step(value, number)
            reads = {str(s.name) for s in assignment.value.free_symbols}
            if assignment.value.has(step) or reads & self._moving:
                self._moving.add(assignment.name)
            else:
                self._moving.discard(assignment.name)
            rule.append(replace(assignment, value=value))
        vanishing = self._vanishing(spec, tuple(rule))
        gone = {symbol(name): sympy.Integer(0) for name in vanishing}
        lines = [(a, a.value.xreplace(gone)) for a in rule if a.name not in vanishing]
        query = self._query(spec, gone)
        latest: dict[sympy.Symbol, sympy.Expr] = {}
        for assignment, value in lines:
            latest[assignment.target] = value.xreplace(latest)
            if latest[assignment.target].has(sympy.zoo, sympy.nan, sympy.oo):
                raise NoLimit(f"{assignment.name} has no value in the limit")
        kept = _without_unread(tuple(replace(a, value=value) for a, value in lines))
        used = {s for a in kept for s in a.value.free_symbols} | query.free_symbols
        limit = replace(
            spec,
            name=f"{spec.identifier}_limit",
            full_name=f"{spec.identifier}_limit",
            rule=kept,
            query=query,
            hyperparameters=tuple(h for h in spec.hyperparameters if h.symbol in used),
            state=tuple(b for b in spec.state if b.name not in vanishing),
        )
        return Limit(
            limit, *(tuple(found) for found in (self._changes, self._assumptions, self._edges))
        )

    def _query(self, spec: OptimizerSpec, gone: Mapping[sympy.Symbol, sympy.Expr]) -> sympy.Expr:
        """Return the limit of where the gradient is taken."""
        query = self._limit(spec.query).xreplace(gone)
        if query.has(sympy.zoo, sympy.nan, sympy.oo, step):
            raise NoLimit(f"the gradient is taken at {spec.query}, whose limit is not known")
        return query

    def _limit(self, value: sympy.Basic) -> sympy.Basic:
        """Put limits in the place of powers of the step and of conditions on it."""
        if isinstance(value, sympy.Pow) and value.exp.has(step):
            return self._power(value)
        if isinstance(value, Relational):
            if value.has(step):
                return self._condition(value)
            if self._reads_moving(value):
                self._edges[f"{value.lhs} != {value.rhs}"] = None
            return value
        if isinstance(value, sympy.sign) and self._reads_moving(value):
            self._edges[f"{value.args[0]} != 0"] = None
        if not value.args or not value.has(step):
            return self._look(value)
        return value.func(*(self._limit(a) for a in value.args))

    def _look(self, value: sympy.Basic) -> sympy.Basic:
        """Name the edges of conditions inside a value that does not read the step itself."""
        for part in value.args:
            self._limit(part)
        return value

    def _reads_moving(self, value: sympy.Basic) -> bool:
        return bool({str(s.name) for s in value.free_symbols} & self._moving)

    def _power(self, value: sympy.Pow) -> sympy.Expr:
        base, exponent = value.base, sympy.expand(value.exp)
        if base.is_Rational and base > 1:  # sympy writes (24/25)**t as (25/24)**-t at times
            base, exponent = 1 / base, -exponent
        rate = exponent.coeff(step, 1)
        if rate.has(step) or (exponent - rate * step).has(step):
            raise NoLimit(f"the exponent of {value} is not linear in the step")
        if not self._inside_unit(base):
            raise NoLimit(f"{base} is not known to lie in [0, 1)")
        if not (rate.is_Rational and rate > 0):
            domain = self._subject.hyperparameters.get(str(rate))
            if domain is None or not domain.nonnegative:
                raise NoLimit(f"{rate}, the rate in the exponent of {value}, may be negative")
            if not domain.positive:
                self._assumptions[f"{rate} > 0"] = None
        self._changes[f"{value} -> 0"] = None
        return sympy.Integer(0)

    def _inside_unit(self, base: sympy.Expr) -> bool:
        if base.is_Rational:
            return bool(0 <= base < 1)
        domain = self._subject.hyperparameters.get(str(base))
        if domain is None or not domain.nonnegative or domain.high is None:
            return False
        return domain.high < 1 or (domain.high == 1 and domain.high_open)

    def _condition(self, value: Relational) -> sympy.Basic:
        """Return whether a condition on the step alone holds from some step on."""
        gap = sympy.expand(value.lhs - value.rhs)
        slope = gap.coeff(step, 1)
        rest = gap - slope * step
        if not slope.is_Rational or slope == 0 or not rest.is_Rational:
            raise NoLimit(f"it is not known whether {value} holds in the end")
        if value.rel_op in ("==", "!="):
            holds = value.rel_op == "!="
        else:
            holds = (value.rel_op in (">", ">=")) == bool(slope > 0)
        name = sympy.sstr(value) if value.rel_op != "==" else f"{value.lhs} == {value.rhs}"
        self._changes[f"{name} {'true' if holds else 'false'} in the end"] = None
        return sympy.true if holds else sympy.false

    def _without_step(self, value: sympy.Expr, number: int) -> sympy.Expr:
        """Put a hyperparameter to its default 0 where that takes the step out of a line."""
        for h in self._subject.spec.hyperparameters:
            if Fraction(h.default) == 0 and not value.subs(h.symbol, 0).has(step):
                self._assumptions[f"{h.name} = 0"] = None
                return value.subs(h.symbol, 0)
        line = rule_lines(self._subject.spec)[number - 1]
        raise NoLimit(f"line {number} keeps the step: {line}")

    def _vanishing(self, spec: OptimizerSpec, rule: tuple[Assignment, ...]) -> set[str]:
        """Return the states that every step multiplies by a factor that tends below 1."""
        behind = values_behind(rule)
        found = set()
        for buffer in spec.state:
            factor = sympy.cancel(behind[buffer.name] / buffer.symbol)
            if buffer.symbol in factor.free_symbols or factor == 1:
                continue
            hyperparameters = {symbol(n) for n in self._subject.hyperparameters}
            if not factor.free_symbols <= hyperparameters:
                continue
            if self._subject.has_sign(factor, (0, 1)) and self._subject.has_sign(1 - factor, (1,)):
                found.add(buffer.name)
                self._changes[f"{buffer.name} -> 0"] = None
        return found


def _without_unread(rule: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
    """Leave out intermediate values that no line below reads any more."""
    kept: list[Assignment] = []
    read: set[sympy.Symbol] = set()
    for assignment in reversed(rule):
        if isinstance(assignment, Set) or assignment.target in read:
            kept.append(assignment)
            read |= assignment.value.free_symbols
    return tuple(reversed(kept))
