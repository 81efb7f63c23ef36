"""Proves equality along runs: states that runs keep equal, or keep where they start.

Two buffers that are fed alike stay equal, on one side or on both; a state that is
multiplied only stays 0. From other states the rules may differ, but no run gets there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from optgen.domains import REAL, STEP, Domain
from optgen.verify.proof import Equation, Failure, prove_equal
from optgen.verify.runs.mapping import MapProof, Prover, StateMap, both
from optgen.verify.runs.scales import SAME
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import State
from optgen.verify.serialise import Tree


@dataclass(frozen=True, slots=True)
class Group:
    """States that are equal to each other behind every step.

    Attributes:
        members: The states.
        value: What they are, if that never changes; else None.
    """

    members: tuple[State, ...]
    value: Fraction | None

    @property
    def text(self) -> str:
        """Return what is kept, for people."""
        words = [" ".join(member) for member in self.members]
        return " = ".join(words if self.value is None else [*words, str(self.value)])


def groups_of(states: Iterable[State], apart: frozenset[tuple[State, State]]) -> tuple[Group, ...]:
    """Put states that were equal in every run that was tried into groups.

    Args:
        states: The states.
        apart: The pairs that were seen to differ; with itself, what left its initial value.
    """
    groups: list[list[State]] = []
    for state in states:
        home = next((g for g in groups if all((m, state) not in apart for m in g)), None)
        if home is None:
            groups.append([state])
        else:
            home.append(state)
    still = [any((m, m) not in apart for m in g) for g in groups]
    return tuple(
        Group(tuple(g), Fraction(0) if quiet else None)
        for g, quiet in zip(groups, still, strict=True)
    )


@dataclass(frozen=True, slots=True)
class RunProver:
    """Proves that two rules agree along runs.

    Attributes:
        prover: What proves maps between their states.
        groups: The states of both, in groups.
    """

    prover: Prover
    groups: Sequence[Group]

    def prove(self) -> MapProof | Failure:
        """Prove that the groups hold at the start, and behind a step if before it."""
        p = self.prover
        initial = {s: self._initial(s) for g in self.groups for s in g.members}
        starts: dict[str, dict[str, str | Tree]] = {"left": {}, "right": {}}
        known: dict[str, Domain] = {**p.hyperparameters, "step": STEP}
        kept: list[Group] = []
        for group in self.groups:
            first = initial[group.members[0]]
            if any(initial[m] != first for m in group.members):
                return Failure(f"{group.text} does not hold at the start")
            fixed = group.value is not None
            kept.append(Group(group.members, first if fixed else None))
            value: Tree = ("number", first) if fixed else ("name", self._variable(group, known))
            for side, name in group.members:
                starts[side][name] = value
            if not fixed:
                known[value[1]] = self._domain(group)
        left, right = p.left.step(starts["left"]), p.right.step(starts["right"])
        steps = {"left": left, "right": right}
        equations = [Equation("param", left.value("param"), right.value("param"))]
        for group in kept:
            trees = [steps[side].value(name) for side, name in group.members]
            if group.value is not None:
                trees.insert(0, ("number", group.value))
            labels = f"{group.members[0][0]} {group.members[0][1]}"
            equations += [Equation(labels, trees[0], tree) for tree in trees[1:]]
        equations.append(Equation("query", left.query, right.query))
        proof = prove_equal(equations, known, {**left.definitions, **right.definitions}, p.deadline)
        if isinstance(proof, Failure):
            return proof
        facts = "; ".join(g.text for g in kept if len(g.members) > 1 or g.value is not None)
        states = StateMap(self._matching(kept), dict.fromkeys(self._matching(kept), SAME))
        return MapProof(proof, states, f"every step from every state with {facts}, as in all runs")

    def _side(self, label: str) -> Side:
        return self.prover.left if label == "left" else self.prover.right

    def _initial(self, state: State) -> Fraction:
        spec = self._side(state[0]).spec
        return Fraction(next(b.initial for b in spec.state if b.name == state[1]))

    def _variable(self, group: Group, known: Mapping[str, Domain]) -> str:
        """Return a name for the common value that stands for nothing else."""
        specs = (self.prover.left.spec, self.prover.right.spec)
        taken = {"param", "grad", *known, *(i.name for spec in specs for i in spec.inputs)}
        name = group.members[0][1]
        while name in taken:
            name += "_before"
        return name

    def _domain(self, group: Group) -> Domain:
        found = REAL
        for side, name in group.members:
            found = both(found, self.prover.kept[side][name])
        return found

    @staticmethod
    def _matching(groups: Iterable[Group]) -> dict[str, str]:
        found = {}
        for group in groups:
            rights = [name for side, name in group.members if side == "right"]
            for name in (n for side, n in group.members if side == "left"):
                if rights:
                    found[name] = name if name in rights else rights[0]
        return found
