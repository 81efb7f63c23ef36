"""Looks for a run in which two rules part, and makes it small."""

from __future__ import annotations

import random
from dataclasses import dataclass

from optgen.verify.deadline import Deadline
from optgen.verify.runs.traces import Traces
from optgen.verify.runs.trajectories import BITS, Point, Race, State
from optgen.verify.witness.enclose import Blurred, Undefined
from optgen.verify.witness.minimise import minimise
from optgen.verify.witness.sampling import sample


@dataclass(frozen=True, slots=True)
class Witness:
    """A run at the end of which two rules differ.

    Attributes:
        point: What was chosen.
        steps: Number of steps.
        size: Number of elements.
        traces: Every intermediate value, from the independent evaluator.
        scheduled: Hyperparameters with a value of their own at each step: `lr_1`, `lr_2`, ...
    """

    point: Point
    steps: int
    size: int
    traces: Traces
    scheduled: tuple[str, ...] = ()


@dataclass(slots=True)
class Hunt:
    """Looks for a witness.

    Attributes:
        race: The two rules.
        deadline: When to give up.
        rng: Where chance comes from.
        first: Number of steps of the shortest run.
        one_sided: A run in which only one rule has a value, as text; empty if none was met.
    """

    race: Race
    deadline: Deadline
    rng: random.Random
    first: int = 1
    one_sided: str = ""

    def run(self, steps: int, attempts: int) -> Witness | None:
        """Try runs of up to `steps` steps, short ones first; return a small witness."""
        for length in range(self.first, steps + 1):
            for attempt in range(attempts):
                size = self.race.sizes[attempt % len(self.race.sizes)]
                found = self._try(length, size, attempt)
                if found is not None:
                    return found
        return None

    def like(self, parted: Witness) -> Witness | None:
        """Try the runs that keep the hyperparameters of one step of a run with a schedule."""
        for k in range(parted.steps, 0, -1):
            constant = {name: parted.point[f"{name}_{k}"] for name in parted.scheduled}
            found = self.at({**parted.point, **constant}, parted.steps, parted.size)
            if found is not None:
                return found
        return None

    def states_apart(self, steps: int, attempts: int) -> frozenset[tuple[State, State]]:
        """Return the pairs of states that differ in some run; with itself, what moves."""
        apart: frozenset[tuple[State, State]] = frozenset()
        for attempt in range(attempts):
            self.deadline.check()
            size = self.race.sizes[attempt % len(self.race.sizes)]
            variables = self.race.variables(steps, size)
            point = sample(variables, self.rng, attempt, self.race.constants)
            try:
                apart |= self.race.states_apart(point, steps, size, BITS[1])
            except (Blurred, Undefined):
                continue
        return apart

    def _try(self, steps: int, size: int, attempt: int) -> Witness | None:
        self.deadline.check()
        variables = self.race.variables(steps, size)
        return self.at(sample(variables, self.rng, attempt, self.race.constants), steps, size)

    def at(self, point: Point, steps: int, size: int) -> Witness | None:
        """Return a small witness made of a run, if the rules part in it."""
        at = self.differs(point, steps, size)
        if at is None:
            return None
        variables = self.race.variables(at, size)
        point = {name: point[name] for name in variables}
        small = minimise(point, variables, lambda p: self._still(p, at, size))
        for candidate in (small, point):
            traces = self.race.traces(candidate, at, size)
            if traces is not None:
                return Witness(candidate, at, size, traces, self.race.scheduled)
        return None

    def _still(self, point: Point, steps: int, size: int) -> bool:
        """Whether a point is as good a witness: a difference at the last step, exact."""
        self.deadline.check()
        try:
            return self.race.first_difference(point, steps, size, BITS[0]) == steps
        except (Blurred, Undefined):
            return False

    def differs(self, point: Point, steps: int, size: int) -> int | None:
        """Return the first step at which the rules differ at a point, None if none or unclear."""
        for bits in BITS:
            try:
                return self.race.first_difference(point, steps, size, bits)
            except Blurred:
                continue
            except Undefined:
                self._remember(point, steps, size)
                return None
        return None

    def _remember(self, point: Point, steps: int, size: int) -> None:
        """Keep the first point at which only one of the rules has a value."""
        if self.one_sided:
            return
        try:
            if self.race.one_sided(point, steps, size):
                self.one_sided = ", ".join(f"{name} = {value}" for name, value in point.items())
        except (Blurred, Undefined):  # a hyperparameter leaves its domain: not a run at all
            return
