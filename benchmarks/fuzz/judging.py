"""One pair: what it is, what the decider says, and what the judges say to that."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from fuzz import digits
from fuzz.expressions import expression, shaped
from fuzz.mutating import mutated
from fuzz.rewriting import rewritten
from fuzz.trees import DOMAINS, Tree, branches_in_sums, text, variables
from optgen.checker import Malformed, Rejected, check
from optgen.domains import Domain
from optgen.verify.certificate.statement import state
from optgen.verify.deadline import Deadline
from optgen.verify.decision import decide_trees
from optgen.verify.proof import Equation
from optgen.verify.smt import ask as smt
from optgen.verify.verdicts import Proved, Refuted, Verdict

POINTS = 60
NESTED = "nested"
WORDS = {"Proved": "equal", "Refuted": "different", "Undecided": "unknown"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each may take.

    Attributes:
        decider: Seconds for the decider.
        z3: Seconds for z3; 0 to leave it out.
        points: Points sampled where a pair is held equal.
    """

    decider: float = 5.0
    z3: float = 0.5
    points: int = POINTS


@dataclass(frozen=True, slots=True)
class Pair:
    """Two expressions, and how they were made.

    Attributes:
        left: An expression.
        right: Another.
        made: `rewritten` or `mutated`.
        shape: `random` or `optimizer`; `nested` if a norm or mean is of an argument with
            branches.
        change: Kind of the change; empty for a rewritten pair.
        rules: Names of the rewrite rules applied.
    """

    left: Tree
    right: Tree
    made: str
    shape: str
    change: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one pair.

    Attributes:
        number: Number of the pair in the campaign.
        kind: `rewritten` or the kind of the change, and the shape.
        verdict: `equal`, `different` or `unknown`.
        reason: Why it is unknown.
        seconds: How long the decider took.
        z3: `agrees`, `abstains`, `disagrees`; for an unknown pair what z3 holds it to be.
        sampled: Points at which both sides have a value; of an equal pair.
        wrong: What contradicts the verdict; empty if nothing does.
        pair: The two sides as text.
    """

    number: int
    kind: tuple[str, str, str]
    verdict: str
    reason: str = ""
    seconds: float = 0.0
    z3: str = ""
    sampled: int = 0
    wrong: str = ""
    pair: tuple[str, str] = ("", "")
    rules: tuple[str, ...] = field(default=())


def make(seed: int, number: int) -> Pair:
    """Return a pair of the campaign."""
    rng = random.Random(f"{seed}:{number}")
    while True:
        is_shaped = rng.random() < 0.4
        base = shaped(rng) if is_shaped else expression(rng, rng.choice((2, 3, 3, 4)))
        shape = "optimizer" if is_shaped else "random"
        if not variables(base):
            continue
        left, first = rewritten(base, rng, rng.choice((0, 0, 1)))
        right, second = rewritten(base, rng, rng.randint(1, 8 - len(first)))
        made, kind = "rewritten", ""
        if rng.random() < 0.5:
            change = mutated(right if rng.random() < 0.5 else base, rng)
            if change is None:
                continue
            made, (right, kind) = "mutated", change
        if left != right and _has_values(left, right, rng):
            if branches_in_sums(left) or branches_in_sums(right):
                shape = NESTED
            return Pair(left, right, made, shape, kind, (*first, *second))


def _has_values(left: Tree, right: Tree, rng: random.Random) -> bool:
    """Whether both sides have a value at one of a few points: nothing is claimed elsewhere."""
    domains = {name: DOMAINS[name] for name in {*variables(left), *variables(right)}}
    points = digits.points((), dict(sorted(domains.items())), rng, 12)
    return any(digits.differ(left, right, point, most=1) is not None for point in points)


def judge(seed: int, number: int, limits: Limits) -> Outcome:
    """Make a pair, have it decided, and check the verdict."""
    pair = make(seed, number)
    names = sorted({*variables(pair.left), *variables(pair.right)})
    domains = {name: DOMAINS[name] for name in names}
    start = time.perf_counter()
    verdict = decide_trees(
        pair.left, pair.right, domains, deadline=Deadline.after(limits.decider), seed=number
    )
    seconds = time.perf_counter() - start
    word = WORDS[type(verdict).__name__]
    wrong: list[str] = []
    sampled = 0
    if isinstance(verdict, Proved):
        sampled, against = _sample(pair, domains, limits.points, random.Random(number))
        if against is not None:
            wrong.append(f"equal, but not at {against}")
        rejected = _rejected(pair, verdict, domains)
        if rejected:
            wrong.append(f"equal, but its certificate is rejected: {rejected}")
    elif isinstance(verdict, Refuted):
        point = dict(verdict.point)
        outside = [n for n, value in point.items() if value not in domains[n]]
        if outside:
            wrong.append(f"different at a point outside the domain of {', '.join(outside)}")
        if digits.differ(pair.left, pair.right, _whole(point, names), most=3) is not True:
            wrong.append(f"different, but not seen to be so at {point}")
    said = ""
    if limits.z3:
        said, against = _second(pair, verdict, domains, limits.z3)
        wrong += against
    keep = bool(wrong) or word == "unknown"
    return Outcome(
        number,
        (pair.made, pair.change, pair.shape),
        word,
        getattr(verdict, "reason", ""),
        seconds,
        said,
        sampled,
        wrong="; ".join(wrong),
        pair=(text(pair.left), text(pair.right)) if keep else ("", ""),
        rules=pair.rules if keep else (),
    )


def _rejected(pair: Pair, verdict: Proved, domains: Mapping[str, Domain]) -> str:
    """Return why a certificate, read from text, does not prove the pair equal; empty if it does."""
    statement, _ = state([Equation("value", pair.left, pair.right)], domains, {})
    document = json.loads(json.dumps(verdict.certificate.document()))
    try:
        found = check(document, json.loads(json.dumps([statement])))
    except Malformed as error:
        return str(error)
    return found.reason if isinstance(found, Rejected) else ""


def _whole(point: dict[str, Fraction], names: list[str]) -> dict[str, Fraction]:
    return {**dict.fromkeys(names, Fraction(1, 2)), **point}


def _sample(
    pair: Pair, domains: Mapping[str, Domain], count: int, rng: random.Random
) -> tuple[int, dict[str, Fraction] | None]:
    """Return at how many points both sides have a value, and one at which they differ."""
    found = 0
    for point in digits.points((pair.left, pair.right), domains, rng, 3 * count):
        differs = digits.differ(pair.left, pair.right, point, most=1)
        if differs:
            return found, point
        found += differs is not None
        if found >= count + count // 2:
            break
    return found, None


def _second(
    pair: Pair, verdict: Verdict, domains: Mapping[str, Domain], limit: float
) -> tuple[str, list[str]]:
    equation = Equation("value", pair.left, pair.right)
    if not isinstance(verdict, Proved | Refuted):
        return smt.ask([equation], domains, limit=limit).word, []
    said, why = smt.opinion(verdict, equation, domains, limit=limit)
    return said, [why] if said == "disagrees" else []
