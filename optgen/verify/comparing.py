"""Are two rules equal? First a hunt for a run in which they part, then a proof."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from optgen.domains import STEP, Domain
from optgen.errors import UsageError
from optgen.spec import OptimizerSpec
from optgen.verify.comparison import Comparison
from optgen.verify.deadline import Deadline, OutOfTime, within
from optgen.verify.decision import refute_trees
from optgen.verify.given import Given, read_given
from optgen.verify.proof import Failure
from optgen.verify.runs.findings import (
    different,
    domains_differ,
    equal,
    one_step,
    schedule_words,
    while_constant,
)
from optgen.verify.runs.hunt import Hunt
from optgen.verify.runs.invariants import RunProver, groups_of
from optgen.verify.runs.mapping import MapProof, Prover, StateMap, both
from optgen.verify.runs.matchings import matchings
from optgen.verify.runs.scales import SAME, Scale, Scales
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import Race, Rule, State
from optgen.verify.verdicts import Refuted, Unsupported

TIMEOUT = 20.0
"""Seconds that a decision may take."""
_READING = 5.0
_ATTEMPTS = 48
_MORE_ATTEMPTS = 200
_SCHEDULE_ATTEMPTS = 60
_MOST_MATCHINGS = 24
_REFUTATIONS = 8
"""Points tried for one where no given value leaves its domain."""
_SHARE_FOR_DOMAINS = 0.3
"""Share of the time that the proofs of the states' domains may take."""


def compare(
    left: OptimizerSpec,
    right: OptimizerSpec,
    given: Sequence[str] = (),
    steps: int = 3,
    timeout: float = TIMEOUT,
    seed: int = 0,
) -> Comparison:
    """Decide whether two rules compute the same, over the reals.

    Hyperparameters are the same if their names are. Equal: the parameter and every
    matched state are the same functions of what a step starts from, in the declared
    domain, and the states start equal, so the runs are the same even if every
    hyperparameter changes from step to step. Equal while constant: the same runs as long
    as the hyperparameters that are named do not change. Different: a run from the initial
    states, in exact numbers, behind which the parameters differ.

    Args:
        left: A rule.
        right: Another.
        given: Substitutions, `[left.|right.]NAME=EXPR`.
        steps: How many steps a run may take to tell the two apart.
        timeout: Seconds after which the verdict is unknown.
        seed: Where the sampled runs start from.

    Raises:
        UsageError: A substitution cannot be used, or `steps` or `timeout` is not positive.
    """
    given = (given,) if isinstance(given, str) else tuple(given)
    if steps < 1 or not timeout > 0:
        raise UsageError(
            f"a comparison with steps={steps} and timeout={timeout} cannot look at anything",
            fix="allow at least one step and some time",
        )
    blank = Comparison(left.name, right.name, given, steps, "unknown")
    deadline = Deadline.after(timeout)
    reading = Deadline.after(max(timeout, _READING))  # a wrong substitution is always said
    try:
        read = within(reading, lambda: read_given(left, right, given, reading))
        return within(
            deadline, lambda: _Comparer(left, right, read, blank, deadline, timeout, seed).run()
        )
    except UsageError:
        raise
    except (OutOfTime, Unsupported) as error:
        return replace(blank, reason=str(error))
    except RecursionError:
        return replace(blank, reason="the decider failed: an expression is nested too deep")
    except Exception as error:
        # The one boundary at which a crash becomes a verdict: an answer must never rest on a
        # computation that broke off.
        return replace(blank, reason=f"the decider failed: {type(error).__name__}: {error}")


class _Comparer:
    def __init__(
        self,
        left: OptimizerSpec,
        right: OptimizerSpec,
        given: Given,
        blank: Comparison,
        deadline: Deadline,
        timeout: float,
        seed: int,
    ) -> None:
        self._left = Side.of("left", left, given.values["left"])
        self._right = Side.of("right", right, given.values["right"])
        self._sides = (self._left, self._right)
        self._given = given
        self._blank = blank
        self._deadline = deadline
        self._timeout = timeout
        self._seed = seed
        rules = (Rule.of(self._left), Rule.of(self._right))
        self._race = Race(*rules, given.domains, deadline=deadline)
        self._hunt = Hunt(self._race, deadline, random.Random(seed))
        self._reasons: list[str] = []
        self._lost: dict[str, tuple[str, ...]] = {}

    def run(self) -> Comparison:
        witness = self._hunt.run(self._blank.steps, _ATTEMPTS)
        if witness is not None:
            return different(self._blank, witness)
        states = {s.label: s.reaching() for s in self._sides}
        dropped = {
            s.label: tuple(b.name for b in s.spec.state if b.name not in states[s.label])
            for s in self._sides
        }
        result = replace(self._blank, dropped=dropped)
        prover = Prover(self._left, self._right, self._given.domains, self._kept(), self._deadline)
        proof = self._proof(prover, states)
        if proof is not None and not proof.states.constant:
            return equal(result, proof, self._lost, self._hunt.one_sided)
        if proof is not None:
            constant = proof.states.constant
            parted = self._scheduled(constant).run(self._blank.steps, _MORE_ATTEMPTS)
            return while_constant(result, proof, self._lost, self._hunt.one_sided, parted)
        witness = self._hunt.run(self._blank.steps, _MORE_ATTEMPTS)
        if witness is not None:
            return different(self._blank, witness)
        apart = self._hunt.states_apart(self._blank.steps, _ATTEMPTS)
        together = groups_of(((s, n) for s, names in states.items() for n in names), apart)
        along = RunProver(prover, together).prove()
        if not isinstance(along, Failure):
            return equal(result, along, self._lost, self._hunt.one_sided)
        if self._given.domains:
            everything = tuple(self._given.domains)
            parted = self._scheduled(everything).run(self._blank.steps, _SCHEDULE_ATTEMPTS)
            if parted is not None:
                witness = self._hunt.like(parted)
                if witness is not None:
                    return different(self._blank, witness)
                return self._unknown(result, *schedule_words(parted))
        return self._as_one_step(result, prover, states, apart)

    def _kept(self) -> dict[str, Mapping[str, Domain]]:
        """Return, for each side, the domain of each state as far as every step keeps it."""
        found: dict[str, Mapping[str, Domain]] = {}
        for side in self._sides:
            soon = self._deadline.sooner(self._timeout * _SHARE_FOR_DOMAINS)
            found[side.label], self._lost[side.label] = side.kept_domains(self._given.domains, soon)
        return found

    def _scheduled(self, names: tuple[str, ...]) -> Hunt:
        """Return a hunt for runs in which hyperparameters change from step to step."""
        race = replace(self._race, scheduled=names)
        return Hunt(race, self._deadline, random.Random(self._seed), first=2)

    def _proof(self, prover: Prover, states: Mapping[str, Sequence[str]]) -> MapProof | None:
        """Prove a map of states: equal ones by name, then any equal ones, then multiples."""
        first = next(matchings(self._left, self._right, states), None)
        if first is None:
            counts = [len(states[side]) for side in ("left", "right")]
            self._reasons.append(
                f"{counts[0]} states reach the parameter on the left and {counts[1]} on the "
                "right, so no matching is possible"
            )
            return None
        by_name = StateMap(first, dict.fromkeys(first, SAME))
        proof = self._proved(prover, by_name)
        if proof is not None:
            return proof
        scales = Scales(self._race.left, self._race.right, self._given.domains, self._deadline)
        table = {(a, b): scales.between(a, b) for a in states["left"] for b in states["right"]}
        tried = [by_name]
        for allowed in (_is_same, _is_fixed, _is_any):
            maps = (m for m in self._maps(states, table, allowed) if m not in tried)
            for states_map in self._first_of(maps):
                proof = self._proved(prover, states_map)
                if proof is not None:
                    return proof
                tried.append(states_map)
        return None

    def _maps(
        self,
        states: Mapping[str, Sequence[str]],
        table: Mapping[tuple[str, str], Scale | None],
        allowed: Callable[[Scale], bool],
    ) -> Iterator[StateMap]:
        def matched(a: str, b: str) -> bool:
            scale = table[a, b]
            return scale is not None and allowed(scale)

        for found in matchings(self._left, self._right, states, matched):
            yield StateMap(found, {a: table[a, b] or SAME for a, b in found.items()})

    def _first_of(self, maps: Iterator[StateMap]) -> Iterator[StateMap]:
        yield from islice(maps, _MOST_MATCHINGS)
        if next(maps, None) is not None:
            self._reasons.append(f"more than {_MOST_MATCHINGS} matchings, not all were tried")

    def _proved(self, prover: Prover, states: StateMap) -> MapProof | None:
        proof = prover.prove(states)
        if isinstance(proof, Failure):
            self._reasons.append(proof.reason)
            return None
        return proof

    def _as_one_step(
        self,
        result: Comparison,
        prover: Prover,
        states: Mapping[str, Sequence[str]],
        apart: frozenset[tuple[State, State]],
    ) -> Comparison:
        """Say that single steps differ, if they do for every matching that all runs keep."""

        def together(a: str, b: str) -> bool:
            return (("left", a), ("right", b)) not in apart

        kept = matchings(self._left, self._right, states, together)
        first: tuple[StateMap, str, Refuted] | None = None
        for number, found in enumerate(kept):
            if not found or number == _MOST_MATCHINGS:
                return self._unknown(result)
            states_map = StateMap(found, dict.fromkeys(found, SAME))
            refuted = self._refute(prover, states_map)
            if refuted is None:
                return self._unknown(result)
            first = first or (states_map, *refuted)
        if first is None:
            if any(True for _ in islice(matchings(self._left, self._right, states), 1)):
                self._reasons.append(
                    f"in every run of up to {self._blank.steps} steps that was tried the "
                    "parameters agree although the states do not: maps other than multiples "
                    "are not looked for here"
                )
            return self._unknown(result)
        states_map, label, found_point = first
        return one_step(result, states_map.matching, label, found_point, self._hunt.one_sided)

    def _unknown(self, result: Comparison, *reasons: str) -> Comparison:
        reason = "; ".join(dict.fromkeys((*reasons, *self._reasons)))
        return replace(result, reason=reason, evidence=domains_differ(self._hunt.one_sided))

    def _refute(self, prover: Prover, states: StateMap) -> tuple[str, Refuted] | None:
        """Find a point at which one step differs; a given value may not leave its domain there."""
        equations, definitions = prover.equations(states)
        where: dict[str, Domain] = {**self._given.domains}
        where["step"] = replace(STEP, low=Fraction(2))  # before the first step no state is free
        for a, name in prover.variables(states).items():
            # a state outside what is declared is no state to differ at
            pair = ((self._left.spec, a), (self._right.spec, states.matching[a]))
            where[name] = both(*(_declared(spec, state) for spec, state in pair))
        for equation in equations:
            for seed in range(self._seed, self._seed + _REFUTATIONS):
                found = refute_trees(
                    equation.left,
                    equation.right,
                    where,
                    definitions,
                    deadline=self._deadline,
                    seed=seed,
                )
                if found is None:
                    break
                if self._race.allows(dict(found.point)):
                    return equation.label, found
        return None


def _is_same(scale: Scale) -> bool:
    return scale.same


def _is_fixed(scale: Scale) -> bool:
    """Whether two states are multiples of each other by a number, under every schedule."""
    return not scale.constant


def _is_any(_: Scale) -> bool:
    return True


def _declared(spec: OptimizerSpec, state: str) -> Domain:
    """Return the declared domain of a state."""
    (buffer,) = (b for b in spec.state if b.name == state)
    assert isinstance(buffer.domain, Domain)
    return buffer.domain
