"""One side of a comparison: its one-step map, its states, and what reaches the parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy

from optgen.domains import REAL, STEP, Domain
from optgen.spec import OptimizerSpec
from optgen.symbols import symbol
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Failure, prove_signs
from optgen.verify.serialise import Tree, in_order, serialise, upwards


@dataclass(frozen=True, slots=True)
class Side:
    """A rule with its hyperparameters put in.

    Attributes:
        label: `left` or `right`.
        spec: The rule.
        values: An expression over the shared variables for each hyperparameter.
        lines: Target and value of each assignment, hyperparameters and constants put in.
        query: Where the gradient is taken, hyperparameters put in.
    """

    label: str
    spec: OptimizerSpec
    values: Mapping[str, sympy.Expr]
    lines: tuple[tuple[str, sympy.Expr], ...]
    query: sympy.Expr

    @classmethod
    def of(cls, label: str, spec: OptimizerSpec, values: Mapping[str, sympy.Expr]) -> Side:
        """Put hyperparameters into a rule, and constants into the lines below them."""
        known = {symbol(name): value for name, value in values.items()}
        lines = []
        for assignment in spec.rule:
            value = assignment.value.xreplace(known)
            lines.append((assignment.name, value))
            known.pop(assignment.target, None)
            if value.is_Rational:
                known[assignment.target] = value
        start = {symbol(name): value for name, value in values.items()}
        return cls(label, spec, values, tuple(lines), spec.query.xreplace(start))

    def step(self, start: Mapping[str, str | Tree]) -> Step:
        """Return the map from the values before a step to those behind it.

        Args:
            start: What each state is called before the step, or its value.
        """
        latest: dict[str, Tree] = {
            name: ("name", value) if isinstance(value, str) else value
            for name, value in start.items()
        }
        query = rename(serialise(self.query), latest)
        definitions: dict[str, Tree] = {}
        for number, (target, value) in enumerate(self.lines):
            name = f"{self.label}.{number}.{target}"
            definitions[name] = rename(serialise(value), latest)
            latest[target] = ("name", name)
        return Step(definitions, latest, query)

    def reaching(self) -> tuple[str, ...]:
        """Return the states that the parameter, at this step or a later one, may depend on."""
        states = {b.name for b in self.spec.state}
        step = self.step({})
        reached: set[str] = set()
        todo = [step.value("param"), step.query]
        while todo:
            new = (step.read_by(todo.pop()) & states) - reached
            reached |= new
            todo += [step.value(name) for name in sorted(new)]
        return tuple(b.name for b in self.spec.state if b.name in reached)

    def kept_domains(
        self, domains: Mapping[str, Domain], deadline: Deadline
    ) -> tuple[dict[str, Domain], tuple[str, ...]]:
        """Return the domain of each state as far as every step keeps it.

        A domain that cannot be proved to be kept is not relied on: the state is then
        any real number, and what is left is proved again without it.

        Returns:
            The domains that are kept, and the names of the states whose domain is not.
        """
        kept = {b.name: b.domain for b in self.spec.state if isinstance(b.domain, Domain)}
        lost: list[str] = []
        step = self.step({})
        while True:
            known = {**domains, "step": STEP, **kept}
            failed = [
                name
                for name, domain in kept.items()
                if domain != REAL and not self._keeps(step, name, domain, known, deadline)
            ]
            if not failed:
                return kept, tuple(lost)
            lost += failed
            kept |= dict.fromkeys(failed, REAL)

    def _keeps(
        self,
        step: Step,
        name: str,
        domain: Domain,
        known: Mapping[str, Domain],
        deadline: Deadline,
    ) -> bool:
        ends = ((domain.low, domain.low_open, 1), (domain.high, domain.high_open, -1))
        for end, is_open, direction in ends:
            if end is None:
                continue
            gap = ("add", step.value(name), ("number", -end))
            allowed = frozenset((direction,) if is_open else (0, direction))
            proof = prove_signs(gap, allowed, known, step.definitions, deadline)
            if isinstance(proof, Failure):
                return False
        return not domain.integer


@dataclass(frozen=True, slots=True)
class Step:
    """A one-step map.

    Attributes:
        definitions: What every name set by the step stands for.
        latest: Where each name has its value behind the step.
        query: Where the gradient is taken.
    """

    definitions: Mapping[str, Tree]
    latest: Mapping[str, Tree]
    query: Tree

    def value(self, name: str) -> Tree:
        """Return the value of the parameter or of a state behind the step."""
        return self.latest.get(name, ("name", name))

    def read_by(self, tree: Tree) -> set[str]:
        """Return the names from before the step that a tree depends on."""
        return {
            name for name in in_order((tree,), self.definitions) if name not in self.definitions
        }


def rename(tree: Tree, mapping: Mapping[str, Tree]) -> Tree:
    """Put trees in the place of names; what is shared stays shared."""

    def put(node: Tree, parts: tuple[Tree, ...]) -> Tree:
        if node[0] == "name":
            return mapping.get(node[1], node)
        rest = iter(parts)
        return tuple(next(rest) if isinstance(part, tuple) else part for part in node)

    renamed: Tree = upwards(tree, put)
    return renamed
