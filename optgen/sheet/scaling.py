"""What happens when gradients or parameters are scaled, or their signs flipped.

Scaling invariances are read off the units and proved by the decider on the
one-step map; states start at values that the scaling leaves as they are, so
what holds of a step holds of a run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import lcm

from optgen.domains import POSITIVE, Domain
from optgen.sheet.entry import Entry, not_derived
from optgen.sheet.subject import MINUS_ONE, Subject, power, reason_of, times, unused
from optgen.sheet.units import Units
from optgen.spec import OptimizerSpec, Set
from optgen.symbols import grad, param, symbol
from optgen.verify.runs.hunt import Hunt
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import Race, Rule
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Proved

_HOW = "the decider, on the one-step map with every name scaled by its unit"
_RUN = "a run from the initial states, evaluated again by the independent evaluator"
_ATTEMPTS = 60
_NONE = (Fraction(0), Fraction(0))


def entries(subject: Subject, units: Units | None) -> Iterator[Entry]:
    """Yield how a rule answers to scaling and to a flip of signs."""
    if units is None:
        reason = "the units are not known"
        yield not_derived("symmetries", "scaling of parameter and gradient", reason)
    else:
        if units.forced:
            reason = f"the units are not consistent: {units.forced} is forced"
            yield not_derived("symmetries", "scaling of parameter and gradient", reason)
        else:
            yield _homogeneity(subject, units)
        yield from _gradient_scaling(subject, units)
    yield _oddness(subject)


def _homogeneity(subject: Subject, units: Units) -> Entry:
    """Scale the parameter by a and the gradient by b, and everything by its unit."""
    spec = subject.spec
    exponents = {n: units.of(n) for n in (*units.exponents, "param", "grad")}
    a, b = unused(spec, "a"), unused(spec, "b")
    roots = lcm(*(part.denominator for pair in exponents.values() if pair for part in pair))
    before: dict[str, Tree] = {}
    for name, pair in exponents.items():
        factors = [power(n, e * roots) for n, e in zip((a, b), pair or _NONE, strict=True) if e]
        if factors:
            before[name] = times(("mul", *factors), name)
    after = {n: before[n] for n in subject.outputs if n in before}
    verdict = subject.covariant(before, after, {a: POSITIVE, b: POSITIVE})
    inputs = [str(i.name) for i in spec.inputs]
    moved = [n for n in (*subject.hyperparameters, *inputs) if n in before]
    parts = [f"{n} by {_scale(exponents[n])}" for n in moved]
    states = [f"{n} by {_scale(exponents[n])}" for n in subject.outputs if n in before]
    statement = (
        "scaling param by a > 0 and grad by b > 0, with "
        + (", ".join([*parts, *states[1:]]) or "nothing else scaled")
        + ", scales param behind the step by a"
    )
    values = {n: [str(e) for e in pair] for n, pair in exponents.items() if pair}
    if isinstance(verdict, Proved):
        return Entry("symmetries", statement, "proved", _HOW, values={"exponents": values})
    return not_derived("symmetries", statement, reason_of(verdict), _HOW)


def _gradient_scaling(subject: Subject, units: Units) -> Iterator[Entry]:
    """Scale all gradients by c: with hyperparameters fixed, with them scaled, with eps = 0."""
    by_unit = {n: pair[1] for n in units.exponents if (pair := units.of(n)) and pair[1]}
    inputs = {str(i.name) for i in subject.spec.inputs}
    moving = {n: e for n, e in by_unit.items() if n in {*subject.hyperparameters, *inputs}}
    states = {n: e for n, e in by_unit.items() if n not in moving}
    roots = lcm(*(e.denominator for e in by_unit.values()))
    c = unused(subject.spec, "c")
    scaled: dict[str, Tree] = {
        n: times(power(c, e * roots), n) for n, e in {**by_unit, "grad": Fraction(1)}.items()
    }
    after = {n: scaled[n] for n in states}
    domains = {c: POSITIVE}
    fixed = "scaling every gradient by c > 0, hyperparameters fixed, leaves every param as it is"
    if not moving:
        verdict = subject.covariant(scaled, after, domains)
        if isinstance(verdict, Proved):
            yield Entry("symmetries", fixed, "proved", _HOW)
            return
    witness = _run_apart(subject, _doubled(subject.spec))
    if witness is None:
        yield not_derived("symmetries", fixed, "no run was found that tells them apart")
    else:
        carriers = f"{', '.join(moving)} has the gradient in its unit" if len(moving) == 1 else ""
        if len(moving) > 1:
            carriers = f"{', '.join(moving)} have the gradient in their units"
        yield Entry("symmetries", fixed, "refuted", _RUN, carriers, {c: "2", **witness})
    if not moving:
        return
    parts = ", ".join(f"{n} -> {_change(e)}" for n, e in moving.items())
    verdict = subject.covariant(scaled, after, domains)
    statement = f"scaling every gradient by c > 0 with {parts} leaves every param as it is"
    if isinstance(verdict, Proved):
        yield Entry("symmetries", statement, "proved", _HOW)
    else:
        yield not_derived("symmetries", statement, reason_of(verdict), _HOW)
    yield from _at_zero(subject, moving, scaled, after, domains)


def _at_zero(
    subject: Subject,
    moving: Mapping[str, Fraction],
    scaled: Mapping[str, Tree],
    after: Mapping[str, Tree],
    domains: Mapping[str, Domain],
) -> Iterator[Entry]:
    """Where every hyperparameter with a unit of the gradient may be 0, and 0 is not trivial."""
    chosen = subject.hyperparameters
    if any(n not in chosen or e < 0 or 0 not in chosen[n] for n, e in moving.items()):
        return
    zero: dict[str, Tree] = {n: ("number", Fraction(0)) for n in moving}
    kept = {n: t for n, t in scaled.items() if n not in moving}
    spec = _with_zeros(subject.spec, tuple(moving))
    verdict = replace(subject, spec=spec).covariant({**kept, **zero}, after, domains)
    which = " and ".join(f"{n} = 0" for n in moving)
    statement = f"with {which}, scaling every gradient by c > 0 leaves every param as it is"
    if isinstance(verdict, Proved):
        yield Entry("symmetries", statement, "proved", _HOW)
    else:
        yield not_derived("symmetries", statement, reason_of(verdict), _HOW)


def _with_zeros(spec: OptimizerSpec, names: tuple[str, ...]) -> OptimizerSpec:
    """Return a rule with hyperparameters put to 0."""
    zeros = {symbol(n): 0 for n in names}
    rule = tuple(replace(a, value=a.value.subs(zeros)) for a in spec.rule)
    kept = tuple(h for h in spec.hyperparameters if h.name not in names)
    return replace(spec, rule=rule, hyperparameters=kept)


def _oddness(subject: Subject) -> Entry:
    """Flip the signs of param and grad; search the parity of each state."""
    how = "every parity of the states was tried; the decider proved the one that is named"
    statement = "flipping the signs of param and grad flips that of param behind the step"
    free = [b.name for b in subject.spec.state if b.initial == 0 and not _one_sided(b.domain)]
    even = [b.name for b in subject.spec.state if b.name not in free]
    inputs = [str(i.name) for i in subject.spec.inputs]
    free += inputs
    for odd in product((True, False), repeat=len(free)):
        flipped = [n for n, is_odd in zip(free, odd, strict=True) if is_odd]
        before = {n: times(MINUS_ONE, n) for n in ("param", "grad", *flipped)}
        after = {n: before[n] for n in subject.outputs if n in before}
        if isinstance(subject.covariant(before, after), Proved):
            kept = [*even, *(n for n in free if n not in flipped)]
            parity = {**dict.fromkeys(flipped, "odd"), **dict.fromkeys(kept, "even")}
            names = (*subject.outputs, *inputs)
            parts = [f"{n} is {parity[n]}" for n in names if n in parity]
            text = f"{statement}; {', '.join(parts)}" if parts else statement
            return Entry("symmetries", text, "proved", how, values={"parity": parity})
    witness = _run_apart(subject, _flipped(subject.spec))
    if witness is not None:
        return Entry("symmetries", statement, "refuted", _RUN, witness=witness)
    return not_derived("symmetries", statement, "no parity of the states was proved", how)


def _one_sided(domain: object) -> bool:
    return isinstance(domain, Domain) and (domain.low is not None) != (domain.high is not None)


def _run_apart(subject: Subject, other: OptimizerSpec) -> dict[str, str] | None:
    """Look for a run from the initial states in which a rule and its transform part."""
    values = {h.name: h.symbol for h in subject.spec.hyperparameters}
    left = Rule.of(Side.of("left", subject.spec, values))
    right = Rule.of(Side.of("right", other, values))
    race = Race(left, right, subject.hyperparameters)
    witness = Hunt(race, subject.deadline, random.Random(0)).run(3, _ATTEMPTS)
    if witness is None:
        return None
    return {name: str(value) for name, value in witness.point.items()}


def _doubled(spec: OptimizerSpec) -> OptimizerSpec:
    """Return the rule on gradients that are twice as large."""
    rule = tuple(replace(a, value=a.value.xreplace({grad: 2 * grad})) for a in spec.rule)
    return replace(spec, rule=rule)


def _flipped(spec: OptimizerSpec) -> OptimizerSpec:
    """Return the rule seen with the signs of parameter and gradient flipped."""
    rule = tuple(replace(a, value=a.value.xreplace({grad: -grad})) for a in spec.rule)
    turn = Set(param, -param)
    query = -spec.query.xreplace({param: -param})
    return replace(spec, rule=(turn, *rule, turn), query=query)


def _scale(pair: tuple[Fraction, Fraction] | None) -> str:
    """Return a scale factor in a and b as text."""
    over: list[str] = []
    under: list[str] = []
    for letter, exponent in zip("ab", pair or _NONE, strict=True):
        if exponent:
            size = abs(exponent)
            text = letter if size == 1 else f"{letter}**{_number(size)}"
            (over if exponent > 0 else under).append(text)
    top = "*".join(over) or "1"
    if len(under) > 1:
        return f"{top}/({'*'.join(under)})"
    return "/".join((top, *under))


def _change(exponent: Fraction) -> str:
    size = abs(exponent)
    factor = "c" if size == 1 else f"c**{_number(size)}"
    return f"{factor}*itself" if exponent > 0 else f"itself/{factor}"


def _number(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"({value})"
