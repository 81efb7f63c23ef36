"""Rules run in floats: a quick look that tells which questions are worth a proof."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

from optgen.spec import OptimizerSpec
from optgen.verify.serialise import Tree, serialise

Values = tuple[float, ...]


class NoValue(Exception):
    """A rule has no value at the point."""


class Program:
    """A rule, ready to run on a tensor of a few elements.

    Args:
        spec: The rule.

    Raises:
        Unsupported: The rule holds something that has no value in floats.
    """

    def __init__(self, spec: OptimizerSpec) -> None:
        self._lines = [(a.name, serialise(a.value)) for a in spec.rule]
        self._query = serialise(spec.query)
        self._start = {b.name: float(b.initial) for b in spec.state}

    def run(
        self,
        chosen: Mapping[str, float],
        start: Values,
        gradients: Sequence[Values],
        first: int = 1,
    ) -> tuple[float, ...]:
        """Return the query points and parameters of a run, one after the other.

        Args:
            chosen: A value for each hyperparameter.
            start: The parameter before the run.
            gradients: The gradient of each step.
            first: The number of the first step.

        Raises:
            NoValue: A division by 0, a root of a negative number, or an overflow.
        """
        size = len(start)
        env: dict[str, Values] = {n: (v,) * size for n, v in {**chosen, **self._start}.items()}
        env["param"] = start
        found: list[float] = []
        try:
            for number, gradient in enumerate(gradients, start=first):
                env |= {"grad": gradient, "step": (float(number),) * size}
                found += evaluate(self._query, env)
                for target, tree in self._lines:
                    env[target] = evaluate(tree, env)
                found += env["param"]
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            raise NoValue(str(error)) from None
        return tuple(found)


def evaluate(tree: Tree, env: Mapping[str, Values]) -> Values:
    """Return a tree's value for every element."""
    size = len(env["param"])
    kind = tree[0]
    if kind == "number":
        return (float(tree[1]),) * size
    if kind == "name":
        return env[tree[1]]
    if kind == "choice":
        return tuple(_branch(tree, env, i) for i in range(size))
    args = [evaluate(part, env) for part in tree[1:]]
    if kind == "norm":
        return (math.sqrt(sum(x * x for x in args[0])),) * size
    if kind == "mean":
        return (sum(args[0]) / size,) * size
    return tuple(_apply(kind, row) for row in zip(*args, strict=True))


def _branch(tree: Tree, env: Mapping[str, Values], element: int) -> float:
    for value, condition in tree[1:]:
        if _holds(condition, env, element):
            return evaluate(value, env)[element]
    raise ValueError("no condition holds")


def _holds(tree: Tree, env: Mapping[str, Values], element: int) -> bool:
    if tree[0] == "compare":
        a, b = (evaluate(side, env)[element] for side in tree[2:])
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[
            tree[1]
        ]
    found = [_holds(part, env, element) for part in tree[1:]]
    return {"and": all(found), "or": any(found), "not": not all(found)}[tree[0]]


def _apply(kind: str, row: tuple[float, ...]) -> float:
    if kind == "add":
        return sum(row)
    if kind == "mul":
        return reduce(lambda a, b: a * b, row)
    if kind == "power":
        return math.pow(*row)
    if kind in ("max", "min"):
        return max(row) if kind == "max" else min(row)
    return abs(row[0]) if kind == "abs" else float((row[0] > 0) - (row[0] < 0))
