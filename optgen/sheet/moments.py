"""Moving averages of a gradient and of its square, and the largest ratio between them.

A state m with m+ = p*m + q*x and a state v with v+ = r*v + u*x**2, for one and
the same x, obey m**2 <= K*v at every step, with the K that makes

    K*v+ - m+**2 = r*(K*v - m**2) + (s*m - p*q*x)**2/s,     s = r - p**2

an identity; it needs r > p**2. No smaller K does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy

from optgen.sheet.subject import Subject
from optgen.spec import Assignment, OptimizerSpec, Set
from optgen.symbols import grad, param, step, symbol


@dataclass(frozen=True, slots=True)
class Average:
    """A state with `name+ = keep*name + take*source**power`.

    Attributes:
        name: The state.
        keep: Share that is kept; free of states and gradients.
        take: Factor of what is added.
        source: The gradient, or an intermediate value set above.
        power: 1 or 2.
        line: Number of its line, counted from 0.
    """

    name: str
    keep: sympy.Expr
    take: sympy.Expr
    source: sympy.Symbol
    power: int
    line: int


@dataclass(frozen=True, slots=True)
class Invariant:
    """`first**2 <= ratio*second` at every step, with its certificate.

    Attributes:
        first: The mean; or the source itself, with `keep` 0 and `take` 1, and then
            `second` is taken behind the step only.
        second: The mean of squares.
        ratio: K.
        slack: s = r - p**2, positive where the invariant holds.
        square: What is squared in the certificate.
    """

    first: Average
    second: Average
    ratio: sympy.Expr
    slack: sympy.Expr
    square: sympy.Expr

    @property
    def identity(self) -> tuple[sympy.Expr, sympy.Expr]:
        """The two sides of the certificate, over `m`, `v` and the source."""
        m, v, x = symbol(self.first.name), symbol(self.second.name), self.second.source
        if self.first.keep == 0:  # the source itself: what it was before is forgotten
            left = self.ratio * (self.second.keep * v + self.second.take * x**2) - x**2
            return left, self.ratio * self.second.keep * v
        m_next = self.first.keep * m + self.first.take * x
        v_next = self.second.keep * v + self.second.take * x**2
        left = self.ratio * v_next - m_next**2
        right = self.second.keep * (self.ratio * v - m**2) + self.square**2 / self.slack
        return left, right

    @property
    def holds(self) -> bool:
        """Whether the certificate is an identity: both sides expanded over one denominator."""
        left, right = self.identity
        return bool(sympy.expand(sympy.fraction(sympy.together(left - right))[0]) == 0)

    @property
    def growth(self) -> sympy.Expr | None:
        """Factor per step by which gradients must grow for first**2/second to tend to the ratio."""
        return None if self.first.keep == 0 else sympy.cancel(self.second.keep / self.first.keep)


def averages(spec: OptimizerSpec) -> Iterator[Average]:
    """Yield the states of a rule that are moving averages of a source or of its square."""
    hyperparameters = {h.symbol for h in spec.hyperparameters}
    sources = [grad, *(a.target for a in spec.rule if not isinstance(a, Set))]
    for assignment in set_once(spec):
        number = spec.rule.index(assignment)
        found = _average(assignment, number, sources, hyperparameters)
        if found is not None and _source_is_above(found, spec):
            yield found


def set_once(spec: OptimizerSpec) -> list[Assignment]:
    """Return the assignments to states that are written in one place only."""
    writes = [a for a in spec.rule if isinstance(a, Set) and a.target != param]
    names = [a.name for a in writes]
    return [a for a in writes if names.count(a.name) == 1]


def _average(
    assignment: Assignment,
    number: int,
    sources: list[sympy.Symbol],
    hyperparameters: set[sympy.Symbol],
) -> Average | None:
    state = assignment.target
    read = assignment.value.free_symbols - hyperparameters - {state}
    if len(read) != 1 or step in read:
        return None
    (source,) = read
    if source not in sources or not assignment.value.is_polynomial(state, source):
        return None
    terms = dict(sympy.Poly(assignment.value, state, source).terms())
    keep = terms.pop((1, 0), sympy.Integer(0))
    if len(terms) != 1:
        return None
    ((degree, power), take) = terms.popitem()
    if degree or power not in (1, 2):
        return None
    return Average(assignment.name, sympy.factor(keep), sympy.factor(take), source, power, number)


def _source_is_above(average: Average, spec: OptimizerSpec) -> bool:
    if average.source == grad:
        return True
    return any(a.target == average.source for a in spec.rule[: average.line])


def invariant(first: Average, second: Average) -> Invariant:
    """Derive the ratio: K makes the rest of K*v+ - m+**2 - r*(K*v - m**2) a perfect square.

    As a quadratic form in (m, x) the rest has the discriminant
    (p*q)**2 - (r - p**2)*(K*u - q**2), which is linear in K.
    """
    p, q, r, u = first.keep, first.take, second.keep, second.take
    slack = r - p**2
    k = symbol("K")
    if p == 0:
        return Invariant(first, second, q**2 / u, r, sympy.Integer(0))
    discriminant = (p * q) ** 2 - slack * (k * u - q**2)
    (solved,) = sympy.solve(discriminant, k)
    ratio = q**2 * r / (u * slack)  # the same, as people write it
    if sympy.cancel(solved - ratio) != 0:
        raise ArithmeticError(f"{solved} is not {ratio}")
    short = sympy.cancel(ratio)
    ratio = short if short.is_Rational else ratio
    m, x = symbol(first.name), second.source
    return Invariant(first, second, ratio, slack, slack * m - p * q * x)


def source_itself(second: Average) -> Average:
    """Return the source of squares as an average that keeps nothing: x = 0*x + 1*x."""
    name = str(second.source.name)
    one, zero = sympy.Integer(1), sympy.Integer(0)
    return Average(name, zero, one, second.source, 1, -1)


def starts_inside(subject: Subject, found: Invariant) -> bool:
    """Whether the invariant holds before the first step: both states start at 0."""
    initial = {b.name: b.initial for b in subject.spec.state}
    return all(initial.get(a.name, 0) == 0 for a in (found.first, found.second))
