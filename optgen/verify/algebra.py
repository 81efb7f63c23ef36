"""What algebra says of a catalogue, in the order in which it must hold to mean something.

First the decider itself: every rule equals itself, and differs from itself with one more
line. A decider that says one thing to everything fails here, and no claim is looked at.
Then the domains of states, then claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from optgen.domains import REAL
from optgen.spec import OptimizerSpec, Set
from optgen.symbols import grad, param
from optgen.verify.claims import TIMEOUT, Claim, check_claim
from optgen.verify.comparing import compare
from optgen.verify.deadline import Deadline
from optgen.verify.given import read_given
from optgen.verify.runs.sides import Side
from optgen.verify.smt.ask import CONTRADICTION, Opinion, find
from optgen.verify.smt.opinion import second_opinion

Outcome = Literal["ok", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class AlgebraCheck:
    """One thing that was looked at; `unknown` is never a pass.

    Attributes:
        subject: Name of a rule or of a claim.
        claim: What should hold.
        outcome: Whether it does.
        detail: Why not, or how it is known.
    """

    subject: str
    claim: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AlgebraReport:
    """What was looked at.

    Attributes:
        checks: The checks, rules first.
    """

    checks: tuple[AlgebraCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether everything holds for certain."""
        return all(check.outcome == "ok" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


def verify_algebra(
    catalogue: Mapping[str, OptimizerSpec],
    claims: Iterable[Claim] = (),
    timeout: float = TIMEOUT,
) -> AlgebraReport:
    """Check every rule of a catalogue, and some claims.

    Identity and difference are checked first, of every rule and of every rule of a claim;
    if the decider fails at one of them, nothing else is asked of it. Where z3 is installed
    it is asked for a second opinion on every claim: a verdict that it contradicts is unknown.

    Args:
        catalogue: The rules, by name.
        claims: What `load_claims` gives.
        timeout: Seconds for each comparison.

    Raises:
        ClaimError: A claim's `given` or `witness` cannot be used.
    """
    claims = tuple(claims)
    named = {spec.name: spec for spec in catalogue.values()}
    named |= {s.name: s for claim in claims for s in (claim.left, claim.right)}
    checks = [check for spec in named.values() for check in check_decider(spec, timeout)]
    if any(check.outcome != "ok" for check in checks):
        left = AlgebraCheck("claims", "not looked at", "unknown", "the decider fails above")
        return AlgebraReport((*checks, *((left,) if claims else ())))
    checks += [check for spec in catalogue.values() for check in check_domains(spec, timeout)]
    said: list[Opinion] = []
    for claim in claims:
        result = check_claim(claim, timeout)
        given = f" given {', '.join(claim.given)}" if claim.given else ""
        text = f"{claim.left.name} and {claim.right.name}{given}: {claim.verdict}"
        check = AlgebraCheck(claim.name, text, result.outcome, result.detail)
        if result.outcome == "ok" and find() is not None:
            opinion, why = second_opinion(claim.left, claim.right, result.comparison)
            said.append(opinion)
            if opinion == "disagrees":
                check = replace(check, outcome="unknown", detail=f"{CONTRADICTION}: {why}")
        checks.append(check)
    return AlgebraReport((*checks, *_summary(said)))


def _summary(said: Sequence[Opinion]) -> tuple[AlgebraCheck, ...]:
    """Return what z3 said to all claims together; nothing where it was not asked."""
    if not said:
        return ()
    count = {word: said.count(word) for word in get_args(Opinion)}
    detail = f"agrees on {count['agrees']}, abstains on {count['abstains']}"
    if count["disagrees"]:
        detail += f", CONTRADICTS {count['disagrees']}"
    outcome: Outcome = "unknown" if count["disagrees"] else "ok"
    return (AlgebraCheck("z3", f"second opinion on {len(said)} claims", outcome, detail),)


def check_rule(spec: OptimizerSpec, timeout: float = TIMEOUT) -> tuple[AlgebraCheck, ...]:
    """Check that a rule equals itself and no other, and that its states keep their domains."""
    return (*check_decider(spec, timeout), *check_domains(spec, timeout))


def check_decider(spec: OptimizerSpec, timeout: float = TIMEOUT) -> tuple[AlgebraCheck, ...]:
    """Check that the decider calls a rule equal to itself, and different with `+ grad` added."""
    wanted = {
        "equals itself": (spec, "equal"),
        "differs from itself with grad added to param": (_added(spec), "different"),
    }
    checks = []
    for claim, (other, verdict) in wanted.items():
        found = compare(spec, other, timeout=timeout)
        outcome: Outcome = (
            "ok"
            if found.verdict == verdict
            else "unknown"
            if found.verdict == "unknown"
            else "failed"
        )
        detail = "" if outcome == "ok" else found.reason or f"found {found.verdict}"
        checks.append(AlgebraCheck(spec.name, claim, outcome, detail))
    return tuple(checks)


def _added(spec: OptimizerSpec) -> OptimizerSpec:
    """Return a rule that ends elsewhere wherever the gradient is not 0."""
    return replace(spec, rule=(*spec.rule, Set(param, param + grad)))


def check_domains(spec: OptimizerSpec, timeout: float = TIMEOUT) -> tuple[AlgebraCheck, ...]:
    """Check that states with a declared domain stay in it."""
    bounded = [buffer.name for buffer in spec.state if buffer.domain != REAL]
    if not bounded:
        return ()
    given = read_given(spec, spec, ())
    side = Side.of("left", spec, given.values["left"])
    _, lost = side.kept_domains(given.domains, Deadline.after(timeout))
    checks = []
    for name in bounded:
        kept: Outcome = "unknown" if name in lost else "ok"
        detail = "not proved to be kept by every step" if name in lost else ""
        checks.append(AlgebraCheck(spec.name, f"{name} stays in its domain", kept, detail))
    return tuple(checks)
