"""Proves that a map between the states of two rules holds along all runs.

The map is diagonal: each state on the left is a times x, its match on the right b
times x, for the same x; a and b are numbers, or polynomials of hyperparameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from optgen.domains import NONNEGATIVE, REAL, STEP, Domain
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Equation, Failure, prove_equal, prove_signs
from optgen.verify.runs.scales import Scale
from optgen.verify.runs.sides import Side, Step
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Certificate

Domains = Mapping[str, Mapping[str, Domain]]
_NO_ZERO = (frozenset((1,)), frozenset((-1,)))


@dataclass(frozen=True, slots=True)
class StateMap:
    """Which states belong together, and how.

    Attributes:
        matching: State on the right for each state on the left.
        scales: For each state on the left.
    """

    matching: Mapping[str, str]
    scales: Mapping[str, Scale]

    @property
    def constant(self) -> tuple[str, ...]:
        """The hyperparameters that the map holds: it is one only while they do not change."""
        return tuple(sorted({name for s in self.scales.values() for name in s.constant}))

    @property
    def texts(self) -> tuple[str, ...]:
        """How states that are not equal belong together, for people."""
        return tuple(s.relation(a, self.matching[a]) for a, s in self.scales.items() if not s.same)


@dataclass(frozen=True, slots=True)
class MapProof:
    """A map of states, proved.

    Attributes:
        certificate: The normal forms behind a step.
        states: The map.
        how: From where to where it is proved.
    """

    certificate: Certificate
    states: StateMap
    how: str


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves maps between the states of two rules.

    Attributes:
        left: A rule.
        right: Another.
        hyperparameters: Domain of each shared hyperparameter.
        kept: For each side, the domain of each state as far as every step keeps it.
        deadline: When to give up.
    """

    left: Side
    right: Side
    hyperparameters: Mapping[str, Domain]
    kept: Domains
    deadline: Deadline

    def prove(self, states: StateMap) -> MapProof | Failure:
        """Prove a map for every step at once, or for the first step and all others."""
        for a, b in states.matching.items():
            reason = self._start_or_zero(a, b, states.scales[a])
            if reason:
                return Failure(reason)
        names = self.variables(states)
        known: dict[str, Domain] = {**self.hyperparameters, "step": STEP}
        for a, b in states.matching.items():
            known[names[a]] = self._inside(self.kept["left"][a], self.kept["right"][b], states, a)
        equations, definitions = self.equations(states)
        proof = prove_equal(equations, known, definitions, self.deadline)
        if not isinstance(proof, Failure):
            return MapProof(proof, states, "every step from every state")
        first, first_definitions = self._first(states)
        start = prove_equal(first, self.hyperparameters, first_definitions, self.deadline)
        if isinstance(start, Failure):
            return proof
        later = {**known, "step": replace(STEP, low=Fraction(2))}
        rest = prove_equal(equations, later, definitions, self.deadline)
        if isinstance(rest, Failure):
            return rest
        return MapProof(
            start.followed_by(rest),
            states,
            "the first step from the initial states, and every later step from every state",
        )

    def variables(self, states: StateMap) -> dict[str, str]:
        """Return the name of each matched state; one rule may use its own for an input."""
        inputs = {i.name for side in (self.left, self.right) for i in side.spec.inputs}
        return {a: f"{a}_before" if a in inputs else a for a in states.matching}

    def equations(self, states: StateMap) -> tuple[list[Equation], dict[str, Tree]]:
        """Return what holds behind a step from any state, if the map is right."""
        names = self.variables(states)
        starts: dict[str, dict[str, str | Tree]] = {"left": {}, "right": {}}
        for a, b in states.matching.items():
            scale = states.scales[a]
            starts["left"][a] = _times(scale.left, ("name", names[a]))
            starts["right"][b] = _times(scale.right, ("name", names[a]))
        left, right = self.left.step(starts["left"]), self.right.step(starts["right"])
        with_query = left.query != right.query
        return self._pairs(left, right, states, with_query)

    def _first(self, states: StateMap) -> tuple[list[Equation], dict[str, Tree]]:
        """Return the equations of the first step, from the initial states."""
        steps = []
        for side in (self.left, self.right):
            start: dict[str, str | Tree] = {"step": ("number", Fraction(1))}
            start |= {b.name: ("number", Fraction(b.initial)) for b in side.spec.state}
            steps.append(side.step(start))
        return self._pairs(steps[0], steps[1], states, True)

    def _pairs(
        self, left: Step, right: Step, states: StateMap, with_query: bool
    ) -> tuple[list[Equation], dict[str, Tree]]:
        equations = [Equation("param", left.value("param"), right.value("param"))]
        for a, b in states.matching.items():
            scale = states.scales[a]
            one, other = _times(scale.right, left.value(a)), _times(scale.left, right.value(b))
            equations.append(Equation(a, one, other))
        if with_query:
            equations.append(Equation("query", left.query, right.query))
        return equations, {**left.definitions, **right.definitions}

    def _start_or_zero(self, a: str, b: str, scale: Scale) -> str:
        """Say why the map does not hold at the start, or may map everything to 0."""
        starts = [
            Fraction(next(s.initial for s in side.spec.state if s.name == name))
            for side, name in ((self.left, a), (self.right, b))
        ]
        if any(starts) if scale.constant else self._apart(starts, scale):
            return f"{a} starts at {starts[0]} and {b} at {starts[1]}"
        if not any(self._never_zero(factor) for factor in (scale.left, scale.right)):
            return (
                f"whether {scale.texts[0]} and {scale.texts[1]} are ever 0 together is not settled"
            )
        return ""

    def _apart(self, starts: list[Fraction], scale: Scale) -> bool:
        left, right = (_number(factor) for factor in (scale.left, scale.right))
        return left is None or right is None or starts[0] * right != starts[1] * left

    def _never_zero(self, factor: Tree) -> bool:
        number = _number(factor)
        if number is not None:
            return number != 0
        return any(self._has_sign(factor, allowed) for allowed in _NO_ZERO)

    def _has_sign(self, factor: Tree, allowed: frozenset[int]) -> bool:
        proof = prove_signs(factor, allowed, self.hyperparameters, {}, self.deadline)
        return not isinstance(proof, Failure)

    def _inside(self, left: Domain, right: Domain, states: StateMap, name: str) -> Domain:
        """Return the domain of x where `left` and `right` are the domains of its multiples."""
        scale = states.scales[name]
        return both(self._divided(left, scale.left), self._divided(right, scale.right))

    def _divided(self, domain: Domain, factor: Tree) -> Domain:
        number = _number(factor)
        if number == 1:
            return domain
        if domain == NONNEGATIVE and self._has_sign(factor, _NO_ZERO[0]):
            return NONNEGATIVE
        return REAL


def _number(tree: Tree) -> Fraction | None:
    return tree[1] if tree[0] == "number" else None


def _times(factor: Tree, tree: Tree) -> Tree:
    return tree if _number(factor) == 1 else ("mul", factor, tree)


def both(a: Domain, b: Domain) -> Domain:
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
