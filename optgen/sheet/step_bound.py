"""The bound on one step, whatever the gradients are, with its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import sympy

from optgen.sheet.bounding import Bound, Bounder, K, NoBound
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.moments import Invariant
from optgen.sheet.relative_step import relative_step
from optgen.sheet.sharpness import sharpness
from optgen.sheet.subject import Subject, neat, values_behind
from optgen.symbols import grad, param, step, symbol

_HOW = "the invariants above, and the decider on each term of the step"
_TRIED = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
_STATEMENT = "there is a bound on one step that holds whatever the gradients"


def entries(subject: Subject) -> Iterator[Entry]:
    """Yield the invariants of the moments, the bound on the step, and whether it is sharp."""
    bounder = Bounder(subject)
    try:
        what, bound = bounder.step()
    except NoBound as error:
        for one in bounder.invariants:
            yield from _invariant(subject, one)
        unbounded = _unbounded(subject)
        yield unbounded or not_derived("step_bound", _STATEMENT, str(error))
        return
    for one in bounder.invariants:
        if one in bound.used or one.first.keep != 0:
            yield from _invariant(subject, one)
    yield _bound(subject, what, bound)
    yield from relative_step(subject)


def _bound(subject: Subject, what: str, bound: Bound) -> Entry:
    conditions = tuple(dict.fromkeys(c for one in bound.used for c in _open(subject, one)))
    full, at_defaults = bound.value, ""
    means = [one for one in bound.used if one.first.keep != 0]
    for one in means:
        full = full.subs(K, one.ratio)
        chosen = {h.symbol: sympy.Rational(h.default) for h in subject.spec.hyperparameters}
        ratio = one.ratio.subs(chosen)
        at_defaults = f"at the defaults K = {ratio} and sqrt(K) = {float(sympy.sqrt(ratio)):.7g}"
    return Entry(
        "step_bound",
        f"{what} <= {subject.text(bound.value)}{_where(conditions)}, whatever the gradients",
        "proved",
        _HOW,
        at_defaults,
        values={"bound": str(full), "where": list(conditions)},
    )


def _invariant(subject: Subject, one: Invariant) -> Iterator[Entry]:
    conditions = _open(subject, one)
    m, v = one.first.name, one.second.name
    left, right = one.identity
    yield Entry(
        "step_bound",
        f"{m}**2 <= K*{v} behind every step, with K = {subject.text(one.ratio)}"
        + _where(conditions),
        "proved",
        "a certificate: both sides expanded are the same polynomial",
        f"{_left(one)} = {_right(subject, one)}",
        values={"K": str(one.ratio), "left": str(left), "right": str(right)},
    )
    yield from sharpness(subject, one)
    if conditions and _can_be_negative(subject, one):
        yield _none_below(subject, one)


def _can_be_negative(subject: Subject, one: Invariant) -> bool:
    """Whether hyperparameters in their domains make the slack negative; tried at a few points."""
    names = sorted(str(s) for s in one.slack.free_symbols)
    for point in product(_TRIED, repeat=len(names)):
        chosen = dict(zip(names, point, strict=True))
        if all(value in subject.hyperparameters[name] for name, value in chosen.items()):
            exact = {symbol(n): sympy.Rational(v) for n, v in chosen.items()}
            if one.slack.subs(exact) < 0:
                return True
    return False


def _none_below(subject: Subject, one: Invariant) -> Entry:
    """Zero gradients make the ratio grow where the slack is negative."""
    m, v = one.first.name, one.second.name
    growth = subject.text(one.first.keep**2 / one.second.keep)
    where = subject.text(one.second.keep) + " < " + subject.text(one.first.keep**2)
    return Entry(
        "step_bound",
        f"{m}**2 <= K*{v} for some K where {where}",
        "refuted",
        "one step with gradient 0",
        f"each step with {one.second.source} = 0 multiplies {m}**2/{v} by {growth} > 1",
    )


def _left(one: Invariant) -> str:
    first = one.first.name if one.first.keep == 0 else f"{one.first.name}_next"
    return f"K*{one.second.name}_next - {first}**2"


def _right(subject: Subject, one: Invariant) -> str:
    m, v, keep = one.first.name, one.second.name, subject.text(one.second.keep)
    share = "" if keep == "1" else f"{keep}*"
    if one.first.keep == 0:
        return f"{share}K*{v}"
    square, slack = subject.text(one.square), subject.text(one.slack)
    return f"{share}(K*{v} - {m}**2) + ({square})**2/({slack})"


def _open(subject: Subject, one: Invariant) -> tuple[str, ...]:
    """Return what must hold for an invariant and does not follow from the domains."""
    if one.first.keep == 0 or subject.has_sign(one.slack, (1,)):
        return ()
    kept = sympy.Integer(1)
    for factor, _ in sympy.factor_list(one.slack)[1]:
        if not (subject.has_sign(factor, (1,)) or subject.has_sign(-factor, (1,))):
            kept *= factor
    if kept.is_Symbol:
        return (f"{kept} > 0",)
    return (f"{subject.text(one.first.keep**2)} < {subject.text(one.second.keep)}",)


def _where(conditions: tuple[str, ...]) -> str:
    return f" for {' and '.join(conditions)}" if conditions else ""


def _unbounded(subject: Subject) -> Entry | None:
    """Refute any bound where the first step is linear in the gradient."""
    spec = subject.spec
    start = {b.symbol: sympy.Rational(b.initial) for b in spec.state}
    behind = values_behind(spec.rule)["param"].subs({**start, step: 1})
    slope = neat(sympy.diff(behind, grad))
    if slope.has(grad):
        return None
    for at in (0, 1):
        factor = neat(slope.subs(param, at))
        if factor != 0:
            break
    if factor == 0 or factor.has(sympy.zoo, sympy.nan, sympy.oo):
        return None
    text = subject.text(factor * grad)
    return Entry(
        "step_bound",
        _STATEMENT,
        "refuted",
        "the first step from the initial states, as a polynomial in the gradient",
        f"at param = {at} it is {text}, which grows without limit with the gradient",
    )
