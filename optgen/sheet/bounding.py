"""Bounds what a step adds to the parameter, term by term.

What is added is taken apart into signals, each bounded by a second moment or
by a constant, times their factors. `m**2 <= K*v` is put in as v = (m**2 + W)/K
with W >= 0, and the decider proves that the term is within its bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from optgen.domains import NONNEGATIVE, POSITIVE
from optgen.sheet.moments import (
    Invariant,
    averages,
    invariant,
    set_once,
    source_itself,
    starts_inside,
)
from optgen.sheet.subject import Subject, step_lines, unused, values_behind
from optgen.spec import Assignment
from optgen.symbols import REDUCTIONS, Max, grad, param, sign, sqrt, step, symbol
from optgen.verify.verdicts import Proved

K = symbol("K")


class NoBound(Exception):
    """No bound was found; says why."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on the absolute value of something.

    Attributes:
        value: The bound, over hyperparameters, the step, and K, the ratio of the moments.
        used: The invariants it rests on.
    """

    value: sympy.Expr
    used: tuple[Invariant, ...] = ()

    def plus(self, other: Bound) -> Bound:
        """Return the bound of a sum."""
        return Bound(self.value + other.value, tuple(dict.fromkeys((*self.used, *other.used))))

    def times(self, factor: sympy.Expr) -> Bound:
        """Return the bound of a product with something that is not negative."""
        return Bound(self.value * factor, self.used)


class Bounder:
    """Bounds the step of one rule.

    Args:
        subject: The rule.

    Attributes:
        invariants: What bounds means, and sources, by means of squares.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._spec = subject.spec
        found = list(averages(self._spec))
        means = [a for a in found if a.power == 1]
        squares = [a for a in found if a.power == 2 and self._positive(a.keep, a.take)]
        candidates = [
            invariant(first, second)
            for second in squares
            for first in (*means, source_itself(second))
            if first.source == second.source
        ]
        self.invariants = [
            one
            for one in candidates
            if one.holds and starts_inside(subject, one) and self._possible(one)
        ]
        self._opaque: dict[str, sympy.Expr] = {}
        self._tops: dict[str, list[sympy.Symbol]] = {}
        self._lines = {average.name: average.line for average in squares}
        self._bounds: dict[sympy.Symbol, Bound] = {}
        for average in (*means, *squares):
            behind = self._behind(average.name)
            if average.power == 2:
                self._tops.setdefault(average.name, []).append(behind)
            if average.source != grad:
                self._opaque[str(average.source.name)] = average.source
        self._largest()

    def _positive(self, keep: sympy.Expr, take: sympy.Expr) -> bool:
        return self._subject.has_sign(keep, (0, 1)) and self._subject.has_sign(take, (1,))

    def _possible(self, one: Invariant) -> bool:
        """Whether the slack is positive somewhere: at the defaults, for one."""
        defaults = {h.symbol: sympy.Rational(h.default) for h in self._spec.hyperparameters}
        return bool(one.slack.subs(defaults) > 0)

    def _behind(self, state: str) -> sympy.Symbol:
        """Give the value of a state behind the step a name of its own."""
        name = symbol(unused(self._spec, f"{state}_next"))
        self._opaque[state] = name
        return name

    def _largest(self) -> None:
        """A maximum of a second moment and of itself is no less than the second moment.

        It must stand below the line that sets the second moment: above it, it has seen the
        one of the step before.
        """
        for assignment in set_once(self._spec):
            if isinstance(assignment.value, Max):
                others = {str(a) for a in assignment.value.args} - {assignment.name}
                (other, *more) = sorted(others)
                kept = assignment.target in assignment.value.args and not more
                if kept and other in self._tops and self._is_below(assignment, other):
                    self._tops[other].append(self._behind(assignment.name))

    def _is_below(self, assignment: Assignment, state: str) -> bool:
        return self._spec.rule.index(assignment) > self._lines[state]

    def step(self) -> tuple[str, Bound]:
        """Return what is bounded, as text, and its bound.

        Raises:
            NoBound: None was found.
        """
        if any(isinstance(a.value, REDUCTIONS) for a in self._spec.rule):
            return self._reduced()
        self._accumulated()
        behind = values_behind(self._spec.rule, self._opaque)["param"]
        share, rest = _apart(behind, param)
        text = self._subject.text(sympy.factor(share) * param) if share != 1 else "param"
        return f"abs(param_next - {text})", self._bound(rest)

    def _reduced(self) -> tuple[str, Bound]:
        """Bound what is reduced to a norm, the part with the parameter left out."""
        lines = dict(step_lines(self._spec.rule, self._opaque))
        made = {a.name for a in self._spec.rule} - {"param"}
        for assignment in self._spec.rule:
            if isinstance(assignment.value, REDUCTIONS) and str(assignment.value.args[0]) in made:
                name = str(assignment.value.args[0])
                share, rest = _apart(lines[name], param)
                text = f" - {self._subject.text(share * param)}" if share != 0 else ""
                return f"abs({name}{text})", self._bound(rest)
        raise NoBound("nothing is reduced but what a step is given")

    def _accumulated(self) -> None:
        """Bound states that start at 0, keep a share of themselves and add something bounded."""
        chosen = {symbol(n) for n in self._subject.hyperparameters}
        free = {b.name for b in self._spec.state if b.initial == 0} - {*self._opaque}
        for assignment in set_once(self._spec):
            state = assignment.target
            if assignment.name not in free:
                continue
            try:
                lines = dict(step_lines(self._spec.rule, self._opaque))
                keep, rest = _apart(lines[assignment.name], state)
                if keep.free_symbols <= chosen and self._positive(keep, 1 - keep):
                    added = self._bound(rest)
                    if not added.value.has(step):
                        self._bounds[self._behind(assignment.name)] = added.times(1 / (1 - keep))
            except NoBound:
                continue  # it stays a free value, and no signal

    def _bound(self, value: sympy.Expr) -> Bound:
        """Bound a sum of terms, each by itself."""
        found = sorted(value.atoms(sign), key=str)
        signs = {s: symbol(unused(self._spec, f"sign{n}")) for n, s in enumerate(found)}
        rest = value.xreplace(signs)
        bounds = {**self._bounds, **dict.fromkeys(signs.values(), Bound(sympy.Integer(1)))}
        signals: dict[sympy.Symbol, list[Invariant]] = {}
        for one in self.invariants:
            own = self._opaque[one.first.name] if one.first.keep != 0 else one.second.source
            signals.setdefault(own, []).append(one)
        total = Bound(sympy.Integer(0))
        for signal in sorted({*signals, *bounds} & rest.free_symbols, key=str):
            factor, rest = _apart(rest, signal)
            if signal in bounds:
                total = total.plus(self._constant(factor, bounds[signal]))
            else:
                total = total.plus(self._term(factor, signal, signals[signal]))
        if sympy.simplify(rest) != 0:
            left = ", ".join(sorted(str(s) for s in rest.free_symbols))
            raise NoBound(f"what the step adds is not made of bounded signals ({left})")
        return total

    def _constant(self, factor: sympy.Expr, bound: Bound) -> Bound:
        chosen = {symbol(n) for n in self._subject.hyperparameters} | {step}
        if not factor.free_symbols <= chosen:
            raise NoBound(f"the factor {self._subject.text(factor)} is no hyperparameter")
        return bound.times(self._size(factor))

    def _term(self, factor: sympy.Expr, signal: sympy.Symbol, found: list[Invariant]) -> Bound:
        """Bound factor*signal by signal**2 <= K*v, where v stands in the factor."""
        for one in found:
            for second in self._tops[one.second.name]:
                if factor.has(second):
                    return self._divided(one, factor, signal, second)
        raise NoBound(f"nothing that bounds {signal} divides it")

    def _divided(
        self, one: Invariant, factor: sympy.Expr, signal: sympy.Symbol, second: sympy.Symbol
    ) -> Bound:
        outer, inner = factor.as_independent(second, as_Add=False)
        at_one = self._tidy(inner.subs(dict.fromkeys(self._shifts(inner), 0)).subs(second, 1))
        ratio, spare = symbol(unused(self._spec, "K")), symbol(unused(self._spec, "W"))
        inside = inner.subs(second, (signal**2 + spare) / ratio)
        gap = at_one**2 * ratio - inside**2 * signal**2
        domains = {str(ratio): POSITIVE, str(spare): NONNEGATIVE}
        chosen = {symbol(n) for n in self._subject.hyperparameters} | {step, *self._per_tensor()}
        if not (outer * at_one).free_symbols <= chosen:
            names = ", ".join(sorted(str(s) for s in (outer * at_one).free_symbols - chosen))
            raise NoBound(f"the bound would depend on {names}")
        if not self._subject.has_sign(gap, (0, 1), domains):
            raise NoBound(f"it is not proved that {signal}**2 <= K*{second} bounds the step")
        root = sqrt(K) if one.first.keep != 0 else 1 / sqrt(1 / one.ratio)
        return Bound(self._size(outer) * self._size(at_one) * root, (one,))

    def _shifts(self, value: sympy.Expr) -> list[sympy.Symbol]:
        """Return what may be left out to make a value larger, such as eps; not relied on."""
        domains = self._subject.hyperparameters
        free = [n for n, d in domains.items() if d.nonnegative and d.high is None]
        return [symbol(n) for n in free if value.subs(symbol(n), 0) != 0]

    def _per_tensor(self) -> set[sympy.Symbol]:
        """States with one value per tensor: a bound may speak of them."""
        return {b.symbol for b in self._spec.state if b.shape == "scalar"}

    def _size(self, value: sympy.Expr) -> sympy.Expr:
        """Return the absolute value, without bars where the sign is known."""
        if self._subject.has_sign(value, (0, 1)):
            return value
        return -value if self._subject.has_sign(-value, (0, 1)) else sympy.Abs(value)

    def _tidy(self, value: sympy.Expr) -> sympy.Expr:
        """Write sqrt(1/x) as 1/sqrt(x), where the decider agrees."""
        tidied = value.replace(
            lambda e: e.is_Pow and abs(e.exp) == sympy.Rational(1, 2) and e.base.is_Pow,
            lambda e: (1 / e.base) ** (-e.exp),
        )
        return tidied if isinstance(self._subject.equal(value, tidied), Proved) else value


def _apart(value: sympy.Expr, linear: sympy.Symbol) -> tuple[sympy.Expr, sympy.Expr]:
    """Return the factor of a name and the rest, of a value that is linear in it."""
    factor = sympy.diff(value, linear)
    if factor.has(linear):
        raise NoBound(f"{linear} enters the step in a way that is not linear")
    return factor, value.xreplace({linear: sympy.Integer(0)})
