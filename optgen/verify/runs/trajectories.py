"""Runs of two rules from their initial states, on the same gradients: where do they part?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from optgen.domains import REAL, Domain
from optgen.verify import evaluate as independent
from optgen.verify.deadline import Deadline
from optgen.verify.runs.sides import Side
from optgen.verify.runs.traces import QUERY, Trace, Traces
from optgen.verify.serialise import Tree, constants, holds, serialise
from optgen.verify.witness.enclose import Blurred, Interpreter, Number, Numbers, Undefined, Vector
from optgen.verify.witness.sampling import middle

BITS = (96, 384, 1536)
Point = Mapping[str, Fraction]
State = tuple[str, str]
"""`left` or `right`, and the name of a state."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as trees, as both evaluators read it.

    Attributes:
        lines: Target and right-hand side of each assignment.
        query: Where the gradient is taken.
        hyperparameters: An expression over the shared variables for each.
        domains: Domain of each hyperparameter.
        initial: Initial value of each state.
        inputs: What a step is given: the gradient, and further inputs.
    """

    lines: tuple[tuple[str, Tree], ...]
    query: Tree
    hyperparameters: tuple[tuple[str, Tree], ...]
    domains: tuple[Domain, ...]
    initial: tuple[tuple[str, Fraction], ...]
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, side: Side) -> Rule:
        """Serialise a rule as it is declared; nothing is put in."""
        spec = side.spec
        return cls(
            lines=tuple((a.name, serialise(a.value)) for a in spec.rule),
            query=serialise(spec.query),
            hyperparameters=tuple(
                (h.name, serialise(side.values[h.name])) for h in spec.hyperparameters
            ),
            domains=tuple(h.domain for h in spec.hyperparameters if isinstance(h.domain, Domain)),
            initial=tuple((b.name, Fraction(b.initial)) for b in spec.state),
            inputs=("grad", *(str(s.name) for s in spec.inputs)),
        )

    @property
    def trees(self) -> Iterator[Tree]:
        """Every tree of the rule."""
        yield self.query
        yield from (tree for _, tree in self.lines)


@dataclass(frozen=True)
class Race:
    """Two rules on the same gradients.

    Attributes:
        left: A rule.
        right: Another.
        domains: Domain of each shared hyperparameter.
        scheduled: Shared hyperparameters with a value of their own at each step: `lr_1`, `lr_2`.
        deadline: When to give up; None for never.
    """

    left: Rule
    right: Rule
    domains: Mapping[str, Domain]
    scheduled: tuple[str, ...] = ()
    deadline: Deadline | None = None

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of elements to try: more than one only where elements are added up."""
        trees = (*self.left.trees, *self.right.trees)
        return (1, 2) if any(holds(tree, ("norm", "mean")) for tree in trees) else (1,)

    @cached_property
    def constants(self) -> tuple[Fraction, ...]:
        """Numbers that the rules speak of."""
        trees = (*self.left.trees, *self.right.trees)
        return tuple(sorted({c for tree in trees for c in constants(tree)}))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """What a step is given: the gradient, and further inputs of either rule."""
        return tuple(dict.fromkeys((*self.left.inputs, *self.right.inputs)))

    def variables(self, steps: int, size: int) -> dict[str, Domain]:
        """Return what a run of `steps` steps with `size` elements may choose."""
        found = {n: d for n, d in self.domains.items() if n not in self.scheduled}
        for k in range(1, steps + 1):
            found |= {f"{name}_{k}": self.domains[name] for name in self.scheduled}
        given = ["param", *(f"{name}_{k}" for k in range(1, steps + 1) for name in self.inputs)]
        for name in given:
            found |= dict.fromkeys(elements(name, size), REAL)
        return found

    def first_difference(self, point: Point, steps: int, size: int, bits: int) -> int | None:
        """Return the number of the first step behind which the parameters differ, or None.

        A different query point counts as a difference: the gradients are not those of
        one function there.

        Raises:
            Undefined: One of the rules has no value, or a hyperparameter leaves its domain.
            Blurred: The precision does not suffice.
        """
        numbers = Numbers(bits, self.deadline)
        runs = self._runs(point, size, numbers)
        for k in range(1, steps + 1):
            turn = tuple(self._at(runs, point, k))
            if _differ(numbers, *(run.query(known) for run, known in turn)):
                return k
            if _differ(numbers, *(run.step(known) for run, known in turn)):
                return k
        return None

    def states_apart(
        self, point: Point, steps: int, size: int, bits: int
    ) -> frozenset[tuple[State, State]]:
        """Return the pairs of states that differ behind some step of a run.

        A state stands in a pair with itself if it leaves its initial value.

        Raises:
            Undefined: One of the rules has no value, or a hyperparameter leaves its domain.
            Blurred: The precision does not suffice.
        """
        numbers = Numbers(bits, self.deadline)
        runs = self._runs(point, size, numbers)
        first = _labelled(runs)
        apart: set[tuple[State, State]] = set()
        for k in range(1, steps + 1):
            for run, known in self._at(runs, point, k):
                run.step(known)
            now = _labelled(runs)
            for a in now:
                apart |= {(a, b) for b in now if a != b and _differ(numbers, now[a], now[b])}
                if _differ(numbers, now[a], first[a]):
                    apart.add((a, a))
        return frozenset(apart)

    def _runs(self, point: Point, size: int, numbers: Numbers) -> tuple[_Run, _Run]:
        interpreter = Interpreter(numbers, size)
        left, right = (
            _Run(rule, interpreter, self._start(rule, point, size))
            for rule in (self.left, self.right)
        )
        return left, right

    def _at(
        self, runs: tuple[_Run, ...], point: Point, k: int
    ) -> Iterator[tuple[_Run, dict[str, Vector]]]:
        """Yield each run with what it is given at a step; hyperparameters only if they change."""
        for run in runs:
            known = self._known(point, k, run.interpreter.size)
            if k == 1 or self.scheduled:
                known |= self._hyperparameters(run.rule, point, k, run.interpreter)
            yield run, known

    def allows(self, point: Point) -> bool:
        """Whether every hyperparameter of both rules lies in its domain at a point.

        Args:
            point: Values of shared hyperparameters; one that is left out may have any.
        """
        full = {name: point.get(name, middle(domain)) for name, domain in self.domains.items()}
        return self.inside(full, 1)

    def inside(self, point: Point, steps: int) -> bool:
        """Whether every hyperparameter of both rules lies in its domain at every step."""
        interpreter = Interpreter(Numbers(BITS[-1], self.deadline), 1)
        try:
            for rule in (self.left, self.right):
                for k in range(1, steps + 1):
                    self._hyperparameters(rule, point, k, interpreter)
        except (Undefined, Blurred):
            return False
        return True

    def one_sided(self, point: Point, steps: int, size: int) -> bool:
        """Whether only one of the rules has a value at every step of a run."""
        runs = self._runs(point, size, Numbers(BITS[0], self.deadline))
        for run in runs:  # outside a domain there is nothing to tell
            for k in range(1, steps + 1):
                self._hyperparameters(run.rule, point, k, run.interpreter)
        found = []
        for run in runs:
            try:
                for k in range(1, steps + 1):
                    for one, known in self._at((run,), point, k):
                        one.step(known)
                found.append(True)
            except Undefined:
                found.append(False)
        return found[0] != found[1]

    def _known(self, point: Point, k: int, size: int) -> dict[str, Vector]:
        known: dict[str, Vector] = {
            name: tuple(point[e] for e in elements(f"{name}_{k}", size)) for name in self.inputs
        }
        return known | {"step": (Fraction(k),) * size}

    def _start(self, rule: Rule, point: Point, size: int) -> dict[str, Vector]:
        start: dict[str, Vector] = {"param": tuple(point[e] for e in elements("param", size))}
        return start | {name: (value,) * size for name, value in rule.initial}

    def _chosen(self, point: Point, k: int) -> dict[str, Fraction]:
        """Return the value of each shared hyperparameter at a step."""
        return {n: point[f"{n}_{k}" if n in self.scheduled else n] for n in self.domains}

    def _hyperparameters(
        self, rule: Rule, point: Point, k: int, interpreter: Interpreter
    ) -> dict[str, Vector]:
        size = interpreter.size
        env: dict[str, Vector] = {n: (v,) * size for n, v in self._chosen(point, k).items()}
        found: dict[str, Vector] = {}
        for (name, tree), domain in zip(rule.hyperparameters, rule.domains, strict=True):
            found[name] = interpreter.value(tree, env)
            _check_inside(found[name][0], domain, interpreter.numbers)
        return found

    def traces(self, point: Point, steps: int, size: int) -> Traces | None:
        """Run both rules with the independent evaluator; None unless it sees them differ."""
        for bits in BITS:
            try:
                found = Traces(
                    *(self._trace(r, point, steps, size, bits) for r in (self.left, self.right))
                )
            except independent.Unclear:
                continue
            except independent.NoValue:
                return None
            if found.different:
                return found
        return None

    def _trace(self, rule: Rule, point: Point, steps: int, size: int, bits: int) -> Trace:
        param = tuple(independent.exact(point[e]) for e in elements("param", size))
        start = {"param": param}
        start |= {name: (independent.exact(v),) * size for name, v in rule.initial}
        steps_given = []
        for k in range(1, steps + 1):
            shared = {n: (independent.exact(v),) * size for n, v in self._chosen(point, k).items()}
            given = {
                name: independent.evaluate(tree, {**shared, "param": param}, bits)
                for name, tree in rule.hyperparameters
            }
            for name in rule.inputs:
                given[name] = tuple(
                    independent.exact(point[e]) for e in elements(f"{name}_{k}", size)
                )
            given["step"] = (independent.exact(k),) * size
            steps_given.append({**given, **(start if k == 1 else {})})
        return tuple(
            tuple(rows)
            for rows in independent.run(((QUERY, rule.query), *rule.lines), steps_given, bits)
        )


class _Run:
    """One rule in the middle of a run."""

    def __init__(self, rule: Rule, interpreter: Interpreter, env: dict[str, Vector]) -> None:
        self.rule, self.interpreter, self._env = rule, interpreter, env
        self._lasting = {"param", *(name for name, _ in rule.initial)}
        given = ("step", *rule.inputs, *(name for name, _ in rule.hyperparameters))
        self._given = frozenset(given)

    def query(self, known: Mapping[str, Vector]) -> Vector:
        self._take(known)
        return self.interpreter.value(self.rule.query, self._env)

    def step(self, known: Mapping[str, Vector]) -> Vector:
        self._take(known)
        for target, tree in self.rule.lines:
            try:
                self._env[target] = self.interpreter.value(tree, self._env)
            except (KeyError, Undefined):  # what no taken branch reads need have no value
                if target in self._lasting:
                    raise Undefined(f"{target} has no value") from None
                self._env.pop(target, None)
        return self._env["param"]

    def states(self) -> dict[str, Vector]:
        return {name: self._env[name] for name, _ in self.rule.initial}

    def _take(self, known: Mapping[str, Vector]) -> None:
        """Read what a step is given; an input of the other rule may be a state of this one."""
        self._env |= {name: known[name] for name in known if name in self._given}


def _labelled(runs: tuple[_Run, _Run]) -> dict[State, Vector]:
    pairs = zip(("left", "right"), runs, strict=True)
    return {(side, name): v for side, run in pairs for name, v in run.states().items()}


def elements(name: str, size: int) -> tuple[str, ...]:
    """Return what the elements of a vector are called in a witness."""
    return (name,) if size == 1 else tuple(f"{name}[{i}]" for i in range(size))


def _differ(numbers: Numbers, a: Vector, b: Vector) -> bool:
    """Whether two values differ; what the highest precision cannot separate does not."""
    for x, y in zip(a, b, strict=True):
        try:
            if x != y and numbers.compare(x, y) != 0:
                return True
        except Blurred:
            if numbers.bits < BITS[-1]:
                raise
    return False


def _check_inside(value: Number, domain: Domain, numbers: Numbers) -> None:
    if isinstance(value, Fraction):
        inside = value in domain
    else:
        above = domain.low is None or numbers.compare(value, domain.low) > 0
        inside = above and (domain.high is None or numbers.compare(value, domain.high) < 0)
    if not inside:
        raise Undefined("a hyperparameter leaves its domain")
