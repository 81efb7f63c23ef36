"""For which curvatures a rule converges on a quadratic: grad = h*param, h > 0.

A linear rule is a matrix A; it converges from every start if and only if all
roots of det(z*I - A) lie inside the unit circle. z = (1 + s)/(1 - s) carries
that circle to the left half plane, where the Routh-Hurwitz conditions decide.
Rules that divide by the root of a second moment are taken with that divisor
held fixed. The conditions are checked against the Schur-Cohn recursion at
exact points.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy

from optgen.domains import POSITIVE, Domain
from optgen.roles import Role, roles
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.limit import Limit, NoLimit, take_limit
from optgen.sheet.subject import Subject, neat, unused, values_behind
from optgen.spec import OptimizerSpec, Set
from optgen.symbols import grad, param, symbol
from optgen.verify.witness.sampling import sample

_SAMPLES = 200
_MOST_STATES = 5
_HOW = "Routh-Hurwitz conditions of det(z*I - A) with z = (1 + s)/(1 - s)"


class NotLinear(Exception):
    """The rule is no matrix on a quadratic; says why."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where a rule converges on a quadratic.

    Attributes:
        matrix: A, one step on (param, states), over the curvature and hyperparameters.
        curvature: The symbol of the curvature.
        conditions: What must be positive.
        domains: Domain of each name in the matrix.
        frozen: Names of values that are held fixed.
        limit: The rule after many steps.
    """

    matrix: sympy.Matrix
    curvature: sympy.Symbol
    conditions: tuple[sympy.Expr, ...]
    domains: dict[str, Domain]
    frozen: tuple[str, ...]
    limit: Limit

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the matrix, in alphabetical order."""
        return tuple(sorted(str(s) for s in self.matrix.free_symbols))


def entries(subject: Subject) -> Iterator[Entry]:
    """Yield the condition for convergence on a quadratic."""
    statement = "convergence on a quadratic, grad = h*param with h > 0"
    try:
        region = stability(subject)
    except (NotLinear, NoLimit) as error:
        yield not_derived("stability", statement, str(error), _HOW)
        return
    h = region.curvature
    texts = [inequality(subject, region, c) for c in region.conditions]
    positive = ", ".join(n for n, d in region.domains.items() if d == POSITIVE)
    held = f", {' and '.join(region.frozen)} held fixed," if region.frozen else ""
    where = region.limit.where
    agreed = agreement(region)
    text = f"with {positive} > 0 it converges on grad = {h}*param{held}{where} "
    text += f"if and only if {' and '.join(texts)}" if texts else "always"
    if agreed is None:
        yield not_derived("stability", text, "the Schur-Cohn recursion disagrees", _HOW)
        return
    stable, points = agreed
    detail = (
        f"agrees with the Schur-Cohn recursion at {points} exact points, {stable} of them stable"
    )
    values = {
        "conditions": texts,
        "frozen": list(region.frozen),
        "matrix": [[str(x) for x in region.matrix.row(i)] for i in range(region.matrix.rows)],
    }
    yield Entry("stability", text, "proved", _HOW, detail, values=values)


def stability(subject: Subject) -> Region:
    """Derive the region of convergence.

    Raises:
        NotLinear: The rule is not linear on a quadratic, divisors held fixed.
        NoLimit: The rule after many steps is not known.
    """
    limit = take_limit(subject)
    spec = limit.spec
    h = symbol(unused(spec, "h"))
    frozen = _frozen(spec)
    behind = values_behind(spec.rule, {name: symbol(name) for name in frozen})
    matrix = _matrix(spec, behind, h)
    domains = dict(subject.hyperparameters)
    domains |= dict.fromkeys((str(h), *frozen), POSITIVE)
    for hyperparameter in spec.hyperparameters:
        if sympy.expand(behind["param"].subs(hyperparameter.symbol, 0) - param) == 0:
            domains[hyperparameter.name] = POSITIVE  # the rule stands still where it is 0
    names = {str(s) for s in matrix.free_symbols}
    kept = tuple(name for name in frozen if name in names)
    conditions = _conditions(subject, _routh_hurwitz(matrix), domains)
    domains = {name: domains[name] for name in sorted(names)}
    return Region(matrix, h, conditions, domains, kept, limit)


def _frozen(spec: OptimizerSpec) -> tuple[str, ...]:
    """Return the intermediate values that a quadratic would make other than linear."""
    kinds = roles(spec)
    found = []
    for assignment in spec.rule:
        if isinstance(assignment, Set):
            continue
        rooted = any(
            abs(p.exp) == sympy.Rational(1, 2) and kinds[str(s)] is not Role.HOST
            for p in assignment.value.atoms(sympy.Pow)
            for s in p.free_symbols
        )
        if rooted or kinds[assignment.name] is Role.TENSOR:
            found.append(assignment.name)
    return tuple(found)


def _matrix(spec: OptimizerSpec, behind: dict[str, sympy.Expr], h: sympy.Symbol) -> sympy.Matrix:
    """Return the step as a matrix on the parameter and the states that reach it."""
    states = {b.symbol for b in spec.state}
    names = [param]
    for name in names:  # grows while it is read
        value = behind.get(str(name), name)
        read = value.free_symbols | (spec.query.free_symbols if value.has(grad) else set())
        names += sorted((read & states) - set(names), key=str)
    if len(names) > _MOST_STATES:
        raise NotLinear(f"more than {_MOST_STATES} states reach the parameter")
    rows = []
    for name in names:
        value = behind.get(str(name), name).xreplace({grad: h * spec.query})
        row = [sympy.diff(value, other) for other in names]
        rest = value.xreplace(dict.fromkeys(names, sympy.Integer(0)))
        if any(entry.has(*names) for entry in row) or rest != 0:
            what = "the parameter" if name == param else f"'{name}'"
            raise NotLinear(f"{what} behind a step is not linear in param and states")
        rows.append(row)
    return sympy.Matrix(rows)


def characteristic(matrix: sympy.Matrix) -> sympy.Poly:
    """Return det(z*I - A)."""
    z = symbol("z")
    return sympy.Poly((z * sympy.eye(matrix.rows) - matrix).det(method="berkowitz"), z)


def _routh_hurwitz(matrix: sympy.Matrix) -> list[sympy.Expr]:
    """Return what must be positive for all roots to lie inside the unit circle."""
    polynomial = characteristic(matrix)
    degree = polynomial.degree()
    s = symbol("s")
    mapped = sympy.Poly(
        sympy.expand(
            sum(c * (1 + s) ** k * (1 - s) ** (degree - k) for (k,), c in polynomial.terms())
        ),
        s,
    )
    # all_coeffs would drop a leading coefficient that vanishes
    found = [mapped.coeff_monomial(s**k) for k in range(degree, -1, -1)]
    conditions = list(found)
    for order in range(2, degree):
        hurwitz = sympy.Matrix(
            order,
            order,
            lambda i, j: found[2 * j - i + 1] if 0 <= 2 * j - i + 1 <= degree else 0,
        )
        conditions.append(hurwitz.det(method="berkowitz"))
    return conditions


def _conditions(
    subject: Subject, wanted: list[sympy.Expr], domains: dict[str, Domain]
) -> tuple[sympy.Expr, ...]:
    """Leave out what is positive in the whole domain, factor by factor.

    Raises:
        NotLinear: A condition holds nowhere.
    """
    found: dict[sympy.Expr, None] = {}
    for condition in wanted:
        kept = sympy.Integer(1)
        for factor in sympy.Mul.make_args(neat(condition)):
            if subject.has_sign(factor, (1,), domains):
                continue
            if subject.has_sign(-factor, (1,), domains):
                kept = -kept
            else:
                kept *= factor
        if kept == -1 or kept == 0:
            raise NotLinear("it converges for no curvature")
        if kept != 1:
            found[sympy.expand(kept)] = None
    return tuple(found)


def inequality(subject: Subject, region: Region, condition: sympy.Expr) -> str:
    """Return `condition > 0` as text, the curvature on the left where it enters linearly."""
    h = region.curvature
    slope = sympy.diff(condition, h)
    rest = condition.xreplace({h: sympy.Integer(0)})
    if not slope.has(h) and slope != 0:
        for sign, relation in ((-1, "<"), (1, ">")):
            if subject.has_sign(neat(sign * slope), (0, 1), region.domains):
                left, right = neat(sign * slope * h), _grouped(-sign * rest, region)
                return f"{subject.text(left)} {relation} {subject.text(right)}"
    return f"{subject.text(_grouped(condition, region))} > 0"


def _grouped(value: sympy.Expr, region: Region) -> sympy.Expr:
    """Return a value in factors, or as a sum of terms in factors."""
    short = neat(value)
    scales = [symbol(n) for n, domain in region.domains.items() if domain.high is None]
    if not short.is_Add or not scales:
        return short
    terms = sympy.Poly(sympy.expand(value), *scales).terms()
    monomials = (
        (sympy.Mul(*(s**p for s, p in zip(scales, powers, strict=True))), share)
        for powers, share in terms
    )
    return sympy.Add(*(neat(share) * monomial for monomial, share in monomials))


def agreement(region: Region) -> tuple[int, int] | None:
    """Compare the conditions with the Schur-Cohn recursion at exact points.

    Returns:
        How many points are stable, and how many were tried; None if the two disagree.
    """
    rng = random.Random(0)
    polynomial = characteristic(region.matrix)
    stable = 0
    for attempt in range(_SAMPLES):
        point = sample(region.domains, rng, attempt, ())
        chosen = {symbol(n): sympy.Rational(v.numerator, v.denominator) for n, v in point.items()}
        holds = all(c.xreplace(chosen) > 0 for c in region.conditions)
        numbers = [c.xreplace(chosen) for c in polynomial.all_coeffs()]
        inside = schur_stable([Fraction(int(c.p), int(c.q)) for c in map(sympy.Rational, numbers)])
        if holds != inside:
            return None
        stable += inside
    return stable, _SAMPLES


def schur_stable(coefficients: list[Fraction]) -> bool:
    """Whether all roots of a polynomial lie inside the unit circle, by Schur-Cohn.

    Args:
        coefficients: From the highest power down; the first is not 0.
    """
    row = coefficients
    while len(row) > 1:
        first, last = row[0], row[-1]
        if abs(last) >= abs(first):
            return False
        row = [first * a - last * b for a, b in zip(row[:-1], reversed(row[1:]), strict=True)]
    return True
