"""Is every run of one rule a run of another? A map, or a proof that there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from optgen.domains import Domain
from optgen.errors import UsageError
from optgen.relations.certificate import Refutation
from optgen.relations.given import read_pair
from optgen.relations.joint import joint_maps
from optgen.relations.maps import Pair, RunMap
from optgen.relations.proving import Proof, outside, prove
from optgen.relations.refuting import (
    POINTS,
    Family,
    numbers_for,
    refutation,
    refute_families,
)
from optgen.relations.relation import Relation
from optgen.relations.schedule import Changes, changes
from optgen.relations.search import by_name, hyperparameters, maps
from optgen.relations.start import steps_alone
from optgen.relations.systems import System
from optgen.relations.trial import Parting, run_both, without_value
from optgen.relations.words import at_the_end, no_map
from optgen.spec import OptimizerSpec
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.proof import Failure
from optgen.verify.verdicts import Unsupported

TIMEOUT = 20.0
_STEPS = (1, 2, 3)
_RUNS = 3
_QUICK = 6
"""So many rows of numbers are tried before the longer searches."""


def relate(
    left: OptimizerSpec,
    right: OptimizerSpec,
    given: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> Relation:
    """Search a map under which every run of `left` is a run of `right`, over the reals.

    Related: values for the hyperparameters of `right` and a linear map of the states; the
    runs begin, take their gradients at the same points, and go on together. None: for some
    hyperparameters of `left`, no constant hyperparameters of `right` make its first
    gradients be taken at the same points, whatever the map of the states.

    Args:
        left: The rule whose runs are mapped.
        right: The rule of which they should be runs.
        given: Substitutions, `[left.|right.]NAME=EXPR`.
        timeout: Seconds after which the verdict is unknown.

    Raises:
        UsageError: A substitution cannot be used, the rules are given different inputs, or
            `timeout` is not positive.
    """
    given = (given,) if isinstance(given, str) else tuple(given)
    if not timeout > 0:
        raise UsageError(
            f"a search with timeout={timeout} cannot look at anything", fix="allow some time"
        )
    pair = read_pair(left, right, given)
    blank = Relation(left.name, right.name, given, "unknown")
    try:
        return _Search(pair, blank, Deadline.after(timeout)).run()
    except (OutOfTime, Unsupported) as error:
        return replace(blank, reason=str(error))
    except Exception as error:
        # The one boundary at which a crash becomes a verdict: an answer must never rest on a
        # computation that broke off.
        return replace(blank, reason=f"the search failed: {type(error).__name__}: {error}")


@dataclass(slots=True)
class _Search:
    pair: Pair
    blank: Relation
    deadline: Deadline
    followed: bool = False

    def run(self) -> Relation:
        """Try the map by name; then go along the first steps of runs, for all and for numbers."""
        domains = self.pair.domains(self.deadline.sooner(5))
        reasons: list[str] = []
        tried: list[RunMap] = []
        for found in self._candidates(domains, reasons, tried):
            if isinstance(found, Refutation):
                return (
                    self._none(found) if found.at else self._varying(domains) or self._none(found)
                )
            if isinstance(found, Relation):
                return found
            tried.append(found)
            proof = self._proved(found, domains, reasons)
            if proof is not None:
                return self._related(found, proof, domains)
        reason = "; ".join(dict.fromkeys(reasons)) or "no map was found, and none is excluded"
        return replace(self.blank, reason=reason)

    def _varying(self, domains: Mapping[str, Domain]) -> Relation | None:
        """Look for hyperparameters that follow the step, once."""
        if self.followed:
            return None
        self.followed = True
        limit = self.deadline.sooner(5)
        try:
            for found in joint_maps(self.pair, limit, follow=True):
                proof = self._proved(found, domains, [])
                if proof is not None:
                    related = self._related(found, proof, domains)
                    fact = f"hyperparameters of {self.pair.b.name} follow the step, as given"
                    return replace(related, evidence=(*related.evidence, fact))
        except (Unsupported, OutOfTime):
            self.deadline.check()
        return None

    def _candidates(
        self, domains: Mapping[str, Domain], reasons: list[str], tried: list[RunMap]
    ) -> Iterator[RunMap | Refutation | Relation]:
        """Yield maps to try, or a proof that there is none; a relation ends the search."""
        same = by_name(self.pair)
        if same is not None:
            yield same
        for steps in _STEPS:
            try:
                yield from self._along(steps, tried)
            except (Unsupported, OutOfTime) as error:
                self.deadline.check()
                reasons.append(str(error))
        varying = self._varying(domains)
        if varying is not None:
            yield varying
        numbers = self._with_numbers(reasons)
        for _ in range(_QUICK):
            found = next(numbers, None)
            if found is not None:
                yield found
        try:
            limit = self.deadline.sooner(5)
            yield from (m for m in joint_maps(self.pair, limit, follow=False) if m not in tried)
        except (Unsupported, OutOfTime) as error:
            self.deadline.check()
            reasons.append(str(error))
        yield from (found for found in numbers if found is not None)

    def _along(self, steps: int, tried: list[RunMap]) -> Iterator[RunMap | Refutation]:
        """Follow runs of some steps for all hyperparameters, gradients and parameters."""
        limit = self.deadline.sooner(4)
        signs = [[1] * (steps + 1), [-1, *[1] * steps]]
        families = [Family.of(self.pair, s) for s in signs]
        systems: list[System] = []
        for joined in refute_families(self.pair, families, limit):
            systems = joined
            found = refutation(self.pair, joined, steps, limit, {})
            if found is not None:
                yield found
                return
        for values in hyperparameters(self.pair, systems, limit):
            for candidate in maps(self.pair, values, limit):
                if candidate not in tried:
                    yield candidate

    def _with_numbers(self, reasons: list[str]) -> Iterator[Refutation | None]:
        """Look for a contradiction at one choice of the left side's hyperparameters.

        Yields after each row of runs, so that other things can be tried in between.
        """
        try:
            point = numbers_for(self.pair)
        except Unsupported as error:
            reasons.append(str(error))
            return
        at = {name: str(value) for name, value in point.items()}
        fixed = self.pair.at(point)
        first: list[System] | None = None
        try:
            signs = [Family.of(fixed, (1, 1)), Family.of(fixed, (-1, 1))]
            limit = self.deadline.sooner(2)
            for joined in refute_families(fixed, signs, limit, strict=True):
                first = joined
                yield refutation(fixed, joined, 1, limit, at)
        except (Unsupported, OutOfTime) as error:
            self.deadline.check()
            reasons.append(str(error))
        for points in POINTS:
            yield self._at_points(fixed, points, first, at)

    def _at_points(
        self,
        fixed: Pair,
        points: Sequence[tuple[int, ...]],
        first: list[System] | None,
        at: Mapping[str, str],
    ) -> Refutation | None:
        """Add a few runs with numbers to what the first step says."""
        families = [f for p in points if (f := Family.point(fixed, p)) is not None]
        limit = self.deadline.sooner(1 + len(points))
        systems: list[System] = []
        try:
            for joined in refute_families(fixed, families, limit, strict=True, begin=first):
                systems = joined
            steps = max(len(p) - 1 for p in points)
            return refutation(fixed, systems, steps, limit, at) if systems else None
        except (Unsupported, OutOfTime):
            self.deadline.check()
            return None

    def _proved(
        self, found: RunMap, domains: Mapping[str, Domain], reasons: list[str]
    ) -> Proof | None:
        """Prove a map and run it; a map that fails either is not reported."""
        limit = self.deadline.sooner(6)
        if outside(self.pair, found):
            return None
        try:
            if run_both(self.pair, found, limit, wanted=1, steps=2, queries_only=True).parting:
                return None
            proof = prove(self.pair, found, domains, limit)
            if isinstance(proof, Failure):
                reasons.append(proof.reason)
                return None
            runs = run_both(self.pair, found, limit, wanted=_RUNS)
        except (Unsupported, OutOfTime) as error:
            self.deadline.check()
            reasons.append(str(error))
            return None
        if runs.parting is not None or not runs.agreed:
            reasons.append("a map was proved, and no exact run confirms it")
            return None
        return proof

    def _related(self, found: RunMap, proof: Proof, domains: Mapping[str, Domain]) -> Relation:
        try:
            moves = changes(self.pair, found, domains, proof.later_only, self.deadline.sooner(6))
        except (Unsupported, OutOfTime):
            names = tuple(self.pair.base)
            read = tuple(n for n in names if n in found.read)
            moves = Changes(tuple(n for n in names if n not in read), read, {})
        missing = self._without_value(found)
        regions = "1 region" if proof.regions == 1 else f"{proof.regions} regions"
        evidence = [
            f"proved for {proof.how}, in {regions}, by rational normal forms",
            "exact runs of 4 steps agree, with the independent evaluator",
            *self._changing(moves),
        ]
        where = proof.conditions
        if missing is not None:
            where = (*where, f"{self.pair.b.name} has a value")
            at = ", ".join(f"{n} = {v}" for n, v in missing.items())
            names = self.pair.a.name, self.pair.b.name
            evidence.append(f"at {at} {names[0]} has a value and {names[1]} has none")
        initial = (
            "correspond from the end of the first step on" if proof.later_only else "correspond"
        )
        return replace(
            self.blank,
            verdict="related",
            hyperparameters={n: str(v) for n, v in found.hyperparameters.items()},
            states={"param": str(found.param), **{n: str(v) for n, v in found.states.items()}},
            where=where,
            initial=initial,
            changing=moves.free,
            constant=moves.constant,
            evidence=tuple(evidence),
        )

    def _without_value(self, found: RunMap) -> dict[str, str] | None:
        try:
            return without_value(self.pair, found, self.deadline.sooner(2))
        except (OutOfTime, Unsupported):
            return None

    def _changing(self, moves: Changes) -> Iterator[str]:
        if moves.free:
            yield f"may change from step to step: {', '.join(moves.free)}"
        for name in moves.constant:
            parting = moves.partings.get(name)
            if parting is None:
                yield f"not proved while {name} changes; no run was seen to fail"
            else:
                yield _parted(name, parting)

    def _none(self, found: Refutation) -> Relation:
        evidence = [*no_map(self.pair, found), *at_the_end(self.pair, found)]
        evidence.append(
            f"Nullstellensatz certificate of {sum(len(p.lines) for p in found.parts)} lines, "
            "expanded again before it is given out"
        )
        try:
            alone = steps_alone(self.pair, self.deadline.sooner(3))
        except (Unsupported, OutOfTime):
            alone = False
        if alone:
            evidence.append(
                "without the initial states, a linear map that takes steps to steps exists over "
                "the complex numbers; it takes no run from the initial states to one"
            )
        return replace(self.blank, verdict="none", certificate=found, evidence=tuple(evidence))


def _parted(name: str, parting: Parting) -> str:
    at = ", ".join(f"{n} = {v}" for n, v in parting.point.items())
    return (
        f"fails while {name} changes: at {at} {parting.what} of step {parting.step} "
        f"is {parting.left} on the left and {parting.right} on the right"
    )
