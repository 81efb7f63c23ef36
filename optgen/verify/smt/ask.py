"""A second opinion from z3, where it is installed: is there a point at which two sides differ?

It shares no code with the prover but the trees. "Equal" is a refutation by z3 of every
difference over the reals; "different" a model of z3 whose numbers, made rational,
the independent evaluator tells apart; all else is unknown.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from types import MappingProxyType, ModuleType
from typing import Any, Literal

from optgen.domains import REAL, Domain
from optgen.verify import evaluate as independent
from optgen.verify.proof import Equation
from optgen.verify.serialise import Tree, in_order
from optgen.verify.smt.encode import Encoder
from optgen.verify.smt.terms import Beyond
from optgen.verify.verdicts import Proved, Undecided, Verdict
from optgen.verify.witness.sampling import middle

LIMIT = 2.0
"""Seconds that z3 has for a question."""
_MEGABYTES = 1024
_BITS = (200, 800)
_LONGEST = 200_000  # nodes of a term: z3 takes long even to read more

Opinion = Literal["agrees", "abstains", "disagrees"]
CONTRADICTION = "TWO ENGINES CONTRADICT EACH OTHER"
NO_DEFINITIONS: Mapping[str, Tree] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """What z3 holds two sides to be.

    Attributes:
        word: The answer.
        reason: Why it is unknown; empty otherwise.
        point: Where they differ; empty unless different.
    """

    word: Literal["equal", "different", "unknown"]
    reason: str = ""
    point: tuple[tuple[str, Fraction], ...] = ()


def find() -> ModuleType | None:
    """Return z3, or None where it is not installed."""
    try:
        return importlib.import_module("z3")
    except ImportError:
        return None


def ask(
    equations: Sequence[Equation],
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree] = NO_DEFINITIONS,
    limit: float = LIMIT,
) -> Answer:
    """Ask whether equations hold wherever both of their sides have a value.

    Args:
        equations: What should hold.
        domains: Domain of each variable; the others are real.
        definitions: What the names that are no variables stand for.
        limit: Seconds for all equations together.
    """
    z3 = find()
    if z3 is None:
        return Answer("unknown", "z3 is not installed")
    unknown = ""
    for equation in equations:
        answer = _ask_one(z3, equation, domains, definitions, limit / len(equations))
        if answer.word == "different":
            return answer
        unknown = unknown or answer.reason
    return Answer("unknown", unknown) if unknown else Answer("equal")


def ask_at(
    equations: Sequence[Equation],
    point: Mapping[str, Fraction],
    definitions: Mapping[str, Tree] = NO_DEFINITIONS,
    limit: float = LIMIT,
) -> Answer:
    """Ask whether equations hold at one point; different if one of them certainly does not.

    Args:
        equations: What might hold.
        point: A value for each variable; one that is left out may have any.
        definitions: What the names that are no variables stand for.
        limit: Seconds for all equations together.
    """
    z3 = find()
    if z3 is None:
        return Answer("unknown", "z3 is not installed")
    known = {**definitions, **{name: ("number", value) for name, value in point.items()}}
    share = limit / (2 * len(equations))
    unknown = ""
    for equation in equations:
        try:
            same = _check(z3, equation, {}, known, share, "agree")
            apart = _check(z3, equation, {}, known, share, "differ")
        except Beyond as error:
            unknown = str(error)
            continue
        if same[0] == "unsat" and apart[0] == "sat":
            return Answer("different", point=tuple(point.items()))
        if apart[0] != "unsat":
            unknown = f"whether the sides are equal there: {same[0]}, different: {apart[0]}"
    return Answer("unknown", unknown) if unknown else Answer("equal")


def opinion(
    verdict: Verdict,
    equation: Equation,
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree] = NO_DEFINITIONS,
    limit: float = LIMIT,
) -> tuple[Opinion, str]:
    """Return what z3 says to a verdict, and in words why, or what it holds true instead."""
    if isinstance(verdict, Undecided):
        return "abstains", "there is no verdict"
    answer = ask([equation], domains, definitions, limit)
    if isinstance(verdict, Proved):
        if answer.word == "different":
            where = ", ".join(f"{name}={value}" for name, value in answer.point)
            return "disagrees", f"z3 holds them different at {where}"
        return ("agrees", "") if answer.word == "equal" else ("abstains", answer.reason)
    if answer.word == "equal":
        return "disagrees", "z3 holds them equal"
    at = ask_at([equation], dict(verdict.point), definitions, limit)
    if at.word == "equal":
        return "disagrees", "z3 holds them equal at the witness"
    return ("agrees", "") if at.word == "different" else ("abstains", at.reason)


def reviewed(
    verdict: Verdict,
    equation: Equation,
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree] = NO_DEFINITIONS,
    limit: float = LIMIT,
) -> Verdict:
    """Return a verdict that z3 does not contradict, and else `Undecided`.

    Nothing undecided is decided here: at most its reason says what z3 holds true.
    """
    if find() is None:
        return verdict
    if isinstance(verdict, Undecided):
        if ask([equation], domains, definitions, limit).word == "equal":
            return Undecided(f"{verdict.reason} (z3 holds them equal)")
        return verdict
    said, why = opinion(verdict, equation, domains, definitions, limit)
    if said != "disagrees":
        return verdict
    found = "equal" if isinstance(verdict, Proved) else "different"
    return Undecided(f"{CONTRADICTION}: the decider found {found}, but {why}")


def _ask_one(
    z3: ModuleType,
    equation: Equation,
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
    limit: float,
) -> Answer:
    try:
        outcome, values = _check(z3, equation, domains, definitions, limit, "differ")
    except Beyond as error:
        return Answer("unknown", str(error))
    if outcome == "unsat":
        return Answer("equal")
    if outcome != "sat":
        return Answer("unknown", f"z3: {outcome}")
    point = {name: _inside(value, domains.get(name, REAL)) for name, value in values.items()}
    if _apart(equation, point, definitions):
        return Answer("different", point=tuple(sorted(point.items())))
    return Answer("unknown", "what z3 found is no difference in exact numbers")


def _check(
    z3: ModuleType,
    equation: Equation,
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
    limit: float,
    what: Literal["agree", "differ"],
) -> tuple[str, dict[str, Fraction]]:
    """Return z3's outcome, and the values of its model; raises `Beyond`."""
    sides = (equation.left, equation.right)
    encoder = Encoder(z3, sides, domains, definitions)
    try:
        left, right = (encoder.value(side) for side in sides)
        goal = (encoder.agree if what == "agree" else encoder.differ)(left, right)
        facts = [*encoder.facts, goal]
        reason = "unknown"
        for make, share in ((lambda: z3.SolverFor("QF_NRA"), 0.6), (z3.Solver, 0.4)):
            solver = make()
            solver.set("timeout", max(1, int(1000 * limit * share)))
            solver.set("max_memory", _MEGABYTES)
            solver.set("random_seed", 0)
            solver.add(facts)
            outcome = solver.check()
            if outcome == z3.unsat:
                return "unsat", {}
            if outcome == z3.sat:
                model = solver.model()
                return "sat", {
                    name: _rational(z3, model.eval(term, model_completion=True))
                    for name, term in encoder.variables.items()
                }
            reason = str(solver.reason_unknown())
    except z3.Z3Exception as error:
        raise Beyond(f"z3 failed: {error}") from None
    return reason, {}


def _rational(z3: ModuleType, value: Any) -> Fraction:
    if z3.is_algebraic_value(value):
        value = value.approx(40)
    if not z3.is_rational_value(value):
        raise Beyond("a model without numbers")
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def _inside(value: Fraction, domain: Domain) -> Fraction:
    """Return a value of a domain, near to the one of a model where there is one."""
    if domain.integer:
        value = Fraction(floor(value + Fraction(1, 2)))
    return value if value in domain else middle(domain)


def _apart(
    equation: Equation, point: Mapping[str, Fraction], definitions: Mapping[str, Tree]
) -> bool:
    """Whether the independent evaluator tells the sides apart at a point."""
    sides = (equation.left, equation.right)
    for bits in _BITS:
        known: dict[str, independent.Values] = {
            name: (independent.exact(value),) for name, value in point.items()
        }
        known.setdefault("param", (independent.exact(0),))
        for name in in_order(sides, definitions):
            if name in definitions:
                try:
                    known[name] = independent.evaluate(definitions[name], known, bits)
                except (independent.NoValue, independent.Unclear, KeyError):
                    continue  # one that no taken branch reads need have no value
        try:
            x, y = (independent.evaluate(side, known, bits)[0] for side in sides)
        except (independent.NoValue, independent.Unclear, KeyError):
            continue
        if x.high < y.low or y.high < x.low:
            return True
    return False
