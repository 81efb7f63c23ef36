"""The first steps of a run, as trees: where each gradient is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from optgen.spec import OptimizerSpec
from optgen.verify.runs.sides import Side
from optgen.verify.serialise import Tree


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is given.

    Attributes:
        param: The parameter before the first step, over free variables.
        grads: The gradient of each step.
        inputs: Further inputs of each step, by name.
    """

    param: Tree
    grads: tuple[Tree, ...]
    inputs: tuple[Mapping[str, Tree], ...] = ()

    @property
    def steps(self) -> int:
        """How many steps the run has."""
        return len(self.grads)

    def replaced(self, name: str, value: Tree) -> Start:
        """Put a tree in the place of a free variable."""
        from optgen.verify.runs.sides import rename

        known = {name: value}
        return Start(
            rename(self.param, known),
            tuple(rename(g, known) for g in self.grads),
            tuple({k: rename(t, known) for k, t in given.items()} for given in self.inputs),
        )


@dataclass(frozen=True, slots=True)
class Course:
    """The query points of a run from the initial states.

    Attributes:
        queries: Where the gradient is taken before step 1, 2, ..., and behind the last step.
        definitions: What the names in them stand for.
    """

    queries: tuple[Tree, ...]
    definitions: Mapping[str, Tree]


def course(
    label: str,
    spec: OptimizerSpec,
    values: Sequence[Mapping[str, sympy.Expr]],
    start: Start,
) -> Course:
    """Run a rule from its initial states.

    A norm or a mean is that of a tensor with one element.

    Args:
        label: What the names of the run begin with.
        spec: The rule.
        values: The hyperparameters of each step, and of the query behind the last.
        start: What the run is given.
    """
    latest: dict[str, Tree] = {b.name: ("number", Fraction(b.initial)) for b in spec.state}
    latest["param"] = start.param
    definitions: dict[str, Tree] = {}
    queries: list[Tree] = []
    for k in range(1, start.steps + 2):
        side = Side.of(f"{label}{k}", spec, values[k - 1])
        given: dict[str, Tree] = {"step": ("number", Fraction(k))}
        if k <= start.steps:
            given["grad"] = start.grads[k - 1]
            if start.inputs:
                given |= start.inputs[k - 1]
        step = side.step({**latest, **given})
        queries.append(one_element(step.query))
        if k > start.steps:
            break
        definitions |= {name: one_element(tree) for name, tree in step.definitions.items()}
        latest = {n: step.value(n) for n in ("param", *(b.name for b in spec.state))}
    return Course(tuple(queries), definitions)


def one_element(tree: Tree) -> Tree:
    """Return a tree for a tensor with one element: its norm is its size, its mean itself."""
    if isinstance(tree[0], tuple):  # a branch of a choice
        return tuple(one_element(part) for part in tree)
    if tree[0] in ("name", "number"):
        return tree
    parts = [one_element(p) if isinstance(p, tuple) else p for p in tree[1:]]
    if tree[0] == "norm":
        return ("abs", *parts)
    if tree[0] == "mean":
        inner: Tree = parts[0]
        return inner
    return (tree[0], *parts)
