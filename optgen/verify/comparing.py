"""Are two rules equal? First a hunt for a run in which they part, then a proof."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from optgen.domains import REAL, STEP, Domain
from optgen.errors import UsageError
from optgen.spec import OptimizerSpec
from optgen.verify.comparison import Comparison
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.decision import refute_trees
from optgen.verify.given import Given, read_given
from optgen.verify.hunt import Hunt, Witness
from optgen.verify.proof import Equation, Failure, prove_equal
from optgen.verify.runs import Race, Rule, apart
from optgen.verify.serialise import Tree
from optgen.verify.show import show_interval
from optgen.verify.sides import Side, matchings
from optgen.verify.table import side_by_side
from optgen.verify.verdicts import Certificate, Refuted, Unsupported

_ATTEMPTS = 48
_MORE_ATTEMPTS = 200
_MOST_MATCHINGS = 24


def compare(
    left: OptimizerSpec,
    right: OptimizerSpec,
    given: Sequence[str] = (),
    steps: int = 3,
    timeout: float = 60.0,
    seed: int = 0,
) -> Comparison:
    """Decide whether two rules compute the same, over the reals.

    Hyperparameters are the same if their names are. Equal: the parameter and every
    matched state are the same functions of what a step starts from, in the declared
    domain, and the states start equal. Different: a run from the initial states, in
    exact numbers, behind which the parameters differ.

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
    substituted = read_given(left, right, given)
    blank = Comparison(left.name, right.name, given, steps, "unknown")
    deadline = Deadline.after(timeout)
    try:
        return _Comparer(left, right, substituted, blank, deadline, seed).run()
    except (OutOfTime, Unsupported) as error:
        return replace(blank, reason=str(error))
    except Exception as error:
        # The one boundary at which a crash becomes a verdict: an answer must never rest on a
        # computation that broke off.
        return replace(blank, reason=f"the decider failed: {type(error).__name__}: {error}")


_REFUTATIONS = 8
"""Points tried for one where no given value leaves its domain."""


@dataclass(frozen=True, slots=True)
class _Proof:
    certificate: Certificate
    matching: Mapping[str, str]
    how: str


class _Comparer:
    def __init__(
        self,
        left: OptimizerSpec,
        right: OptimizerSpec,
        given: Given,
        blank: Comparison,
        deadline: Deadline,
        seed: int,
    ) -> None:
        self._left = Side.of("left", left, given.values["left"])
        self._right = Side.of("right", right, given.values["right"])
        self._given = given
        self._blank = blank
        self._deadline = deadline
        self._seed = seed
        race = Race(Rule.of(self._left), Rule.of(self._right), given.domains)
        self._race = race
        self._hunt = Hunt(race, deadline, random.Random(seed))
        self._reasons: list[str] = []
        self._lost: dict[str, tuple[str, ...]] = {}

    def run(self) -> Comparison:
        witness = self._hunt.run(self._blank.steps, _ATTEMPTS)
        if witness is not None:
            return self._different(witness)
        reaching = {s.label: s.reaching() for s in (self._left, self._right)}
        dropped = {
            s.label: tuple(b.name for b in s.spec.state if b.name not in reaching[s.label])
            for s in (self._left, self._right)
        }
        found = matchings(self._left, self._right, reaching["left"], reaching["right"])
        if len(found) > _MOST_MATCHINGS:
            self._reasons.append(f"only {_MOST_MATCHINGS} of {len(found)} matchings were tried")
        domains = self._domains()
        result = replace(self._blank, dropped=dropped)
        refuted: list[tuple[str, Refuted]] = []
        for matching in found[:_MOST_MATCHINGS]:
            proof = self._prove(matching, domains, refuted)
            if proof is not None:
                return self._equal(result, proof)
        witness = self._hunt.run(self._blank.steps, _MORE_ATTEMPTS)
        if witness is not None:
            return self._different(witness)
        if found and len(refuted) == len(found) and found[0]:
            return self._unreached(result, found[0], refuted[0])
        if not found:
            counts = [len(reaching[side]) for side in ("left", "right")]
            self._reasons.append(
                f"{counts[0]} states reach the parameter on the left and {counts[1]} on the "
                "right, so no matching is possible"
            )
        reason = "; ".join(dict.fromkeys(self._reasons))
        return replace(result, reason=reason, evidence=self._one_sided())

    def _domains(self) -> dict[str, Mapping[str, Domain]]:
        """Return, for each side, the domain of each state as far as every step keeps it."""
        found: dict[str, Mapping[str, Domain]] = {}
        for side in (self._left, self._right):
            found[side.label], self._lost[side.label] = side.kept_domains(
                self._given.domains, self._deadline.sooner(10)
            )
        return found

    def _prove(
        self,
        matching: Mapping[str, str],
        domains: Mapping[str, Mapping[str, Domain]],
        refuted: list[tuple[str, Refuted]],
    ) -> _Proof | None:
        """Prove a matching, for every step at once, or for the first step and all others."""
        initial = {
            s.label: {b.name: Fraction(b.initial) for b in s.spec.state}
            for s in (self._left, self._right)
        }
        for a, b in matching.items():
            if initial["left"][a] != initial["right"][b]:
                self._reasons.append(
                    f"{a} starts at {initial['left'][a]} and {b} at {initial['right'][b]}"
                )
                return None
        names = {a: self._variable(a) for a in matching}
        back = {b: names[a] for a, b in matching.items()}
        known: dict[str, Domain] = {**self._given.domains, "step": STEP}
        for a, b in matching.items():
            known[names[a]] = _both(domains["left"][a], domains["right"][b])
        equations, definitions = self._equations(matching, names, back)
        proof = prove_equal(equations, known, definitions, self._deadline)
        if not isinstance(proof, Failure):
            return _Proof(proof, matching, "every step from every state")
        reason = proof.reason
        later = {**known, "step": replace(STEP, low=Fraction(2))}
        first = self._first(matching, initial)
        start = prove_equal(first[0], self._given.domains, first[1], self._deadline)
        if not isinstance(start, Failure):
            rest = prove_equal(equations, later, definitions, self._deadline)
            if not isinstance(rest, Failure):
                both = replace(rest, regions=(*start.regions, *rest.regions))
                return _Proof(
                    both,
                    matching,
                    "the first step from the initial states, and every later step from every state",
                )
            reason = rest.reason
        self._reasons.append(reason)
        where = dict(later)  # before the first step no state is free
        for a, b in matching.items():  # a state outside what is declared is no state to differ at
            declared = (self._left.spec, a), (self._right.spec, b)
            where[names[a]] = _both(*(_declared(spec, state) for spec, state in declared))
        found = self._refute(equations, where, definitions)
        if found is not None:
            refuted.append(found)
        return None

    def _refute(
        self, equations: list[Equation], where: Mapping[str, Domain], definitions: dict[str, Tree]
    ) -> tuple[str, Refuted] | None:
        """Find a point at which one step differs; a given value may not leave its domain there."""
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

    def _variable(self, state: str) -> str:
        """Return the name of a matched state in both rules; one may use its own for an input."""
        inputs = (*self._left.spec.inputs, *self._right.spec.inputs)
        return f"{state}_before" if any(state == i.name for i in inputs) else state

    def _equations(
        self,
        matching: Mapping[str, str],
        left_names: Mapping[str, str],
        right_names: Mapping[str, str],
    ) -> tuple[list[Equation], dict[str, Tree]]:
        left, right = self._left.step(left_names), self._right.step(right_names)
        equations = [Equation("param", left.value("param"), right.value("param"))]
        equations += [Equation(a, left.value(a), right.value(b)) for a, b in matching.items()]
        if left.query != right.query:
            equations.append(Equation("query", left.query, right.query))
        return equations, {**left.definitions, **right.definitions}

    def _first(
        self, matching: Mapping[str, str], initial: Mapping[str, Mapping[str, Fraction]]
    ) -> tuple[list[Equation], dict[str, Tree]]:
        """Return the equations of the first step, from the initial states."""
        one: Tree = ("number", Fraction(1))
        starts = {
            side: {"step": one, **{n: ("number", v) for n, v in initial[side].items()}}
            for side in ("left", "right")
        }
        left, right = self._left.step(starts["left"]), self._right.step(starts["right"])
        equations = [Equation("param", left.value("param"), right.value("param"))]
        equations += [Equation(a, left.value(a), right.value(b)) for a, b in matching.items()]
        equations.append(Equation("query", left.query, right.query))
        return equations, {**left.definitions, **right.definitions}

    def _equal(self, result: Comparison, proof: _Proof) -> Comparison:
        count = len(proof.certificate.regions)
        regions = "1 region" if count == 1 else f"{count} regions"
        evidence = [
            f"proved for {proof.how}, in {regions}, by rational normal forms",
            "the states start equal" if proof.matching else "no state is left to match",
        ]
        for side, names in (result.dropped or {}).items():
            if names:
                evidence.append(f"{side} drops {', '.join(names)}: never reaches the parameter")
        for side, names in self._lost.items():
            if names:
                evidence.append(
                    f"the domain of {', '.join(names)} ({side}) is not proved to be kept, "
                    "and not relied on"
                )
        return replace(
            result,
            verdict="equal",
            matching=proof.matching,
            certificate=proof.certificate,
            evidence=(*evidence, *self._one_sided()),
        )

    def _one_sided(self) -> tuple[str, ...]:
        """Say where only one side has a value: that is no difference, and not kept silent."""
        at = self._hunt.one_sided
        return (f"domains differ: only one side has a value at {at}",) if at else ()

    def _different(self, witness: Witness) -> Comparison:
        left, right = witness.traces.finals
        element = apart(left, right) or 0
        steps = "1 step" if witness.steps == 1 else f"{witness.steps} steps"
        evidence = [
            f"a run of {steps} from the initial states",
            "evaluated again by the independent evaluator",
        ]
        if witness.size > 1:
            evidence.append(
                f"the parameter has {witness.size} elements; the values are of element {element}"
            )
        return replace(
            self._blank,
            verdict="different",
            witness={name: str(value) for name, value in witness.point.items()},
            left_value=show_interval(left[element]),
            right_value=show_interval(right[element]),
            reachable=True,
            evidence=tuple(evidence),
            rows=side_by_side(witness.traces),
        )

    def _unreached(
        self, result: Comparison, matching: Mapping[str, str], refuted: tuple[str, Refuted]
    ) -> Comparison:
        label, found = refuted
        return replace(
            result,
            verdict="different",
            witness={name: str(value) for name, value in found.point},
            left_value=found.left,
            right_value=found.right,
            matching=matching,
            evidence=(
                f"one step from the state of the witness gives another {label}",
                f"in no run of up to {result.steps} steps from the initial states were the "
                "parameters seen to differ: the state may not be reachable",
                *self._one_sided(),
            ),
        )


def _declared(spec: OptimizerSpec, state: str) -> Domain:
    """Return the declared domain of a state."""
    (buffer,) = (b for b in spec.state if b.name == state)
    assert isinstance(buffer.domain, Domain)
    return buffer.domain


def _both(a: Domain, b: Domain) -> Domain:
    """Return the domain of a state that lies in two domains: the one with more ends."""
    low = max((d.low for d in (a, b) if d.low is not None), default=None)
    high = min((d.high for d in (a, b) if d.high is not None), default=None)
    if low is not None and high is not None and low >= high:
        return a
    return replace(
        REAL,
        low=low,
        high=high,
        low_open=all(d.low_open for d in (a, b) if d.low == low),
        high_open=all(d.high_open for d in (a, b) if d.high == high),
    )
