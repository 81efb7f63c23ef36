"""Are two expressions equal wherever both have a value? Refute first, then prove."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import islice
from types import MappingProxyType

import sympy

from optgen.domains import REAL, STEP, Domain
from optgen.verify import evaluate as independent
from optgen.verify.deadline import Deadline, OutOfTime, within
from optgen.verify.normal.convert import Converter
from optgen.verify.proof import Equation, Failure, prove_equal
from optgen.verify.serialise import Tree, constants, cut, in_order, serialise, symbols_of
from optgen.verify.show import show_interval
from optgen.verify.smt.ask import reviewed
from optgen.verify.verdicts import Proved, Refuted, Undecided, Unsupported, Verdict
from optgen.verify.witness.borders import approach, borders_of
from optgen.verify.witness.enclose import Blurred, Interpreter, Numbers, TooLarge, Undefined, Vector
from optgen.verify.witness.inside import points_inside
from optgen.verify.witness.minimise import minimise
from optgen.verify.witness.sampling import sample

_BITS = (96, 384, 1536)
_SAMPLES = 60
_AIMED_SAMPLES = 300
_MORE_SAMPLES = 300
_INSIDE_SAMPLES = 300


def decide(
    left: sympy.Expr,
    right: sympy.Expr,
    domains: Mapping[sympy.Symbol, Domain],
    *,
    deadline: Deadline | None = None,
    seed: int = 0,
    second_opinion: bool = False,
) -> Verdict:
    """Decide whether two expressions are equal wherever both have a value.

    A norm or a mean is taken over the elements of one tensor; a witness uses a
    tensor with one element.

    Args:
        left: An expression.
        right: Another.
        domains: Domain of each symbol; the others are real, or integers from 1 on.
        deadline: When to give up; ten seconds from now by itself.
        seed: Where the sampled points start from.
        second_opinion: Whether z3, where it is installed, may turn the verdict into `Undecided`.

    Returns:
        `Proved` or `Refuted` only where that is certain; `Undecided` for all else.
    """
    deadline = deadline or Deadline.after(10)

    def verdict() -> Verdict:
        trees = serialise(left), serialise(right)
        intervals: dict[str, Domain] = {}
        for symbol in sorted(symbols_of(left) | symbols_of(right), key=str):
            if symbol.name in intervals:
                return Undecided(f"two different symbols are called '{symbol.name}'")
            whole = STEP if symbol.is_integer else REAL
            intervals[str(symbol.name)] = domains.get(symbol, whole)
        found = _decide(*trees, intervals, {}, deadline, seed)
        return reviewed(found, Equation("value", *trees), intervals) if second_opinion else found

    return _bounded(verdict, deadline)


def decide_trees(
    left: Tree,
    right: Tree,
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree] = MappingProxyType({}),
    *,
    deadline: Deadline,
    seed: int = 0,
) -> Verdict:
    """Decide like `decide`, on trees whose names may stand for further trees."""
    return _bounded(lambda: _decide(left, right, domains, definitions, deadline, seed), deadline)


def _bounded(verdict: Callable[[], Verdict], deadline: Deadline) -> Verdict:
    """Return a verdict, or `Undecided` if it could not be reached, in time."""
    try:
        return within(deadline, verdict)
    except (OutOfTime, Unsupported) as error:
        return Undecided(str(error))
    except RecursionError:
        return Undecided("the decider failed: an expression is nested too deep")
    except Exception as error:
        # The one place where a crash, be it ours or sympy's, is turned into a verdict: whoever
        # asks must get "not decided", and never an answer that a half-done computation suggests.
        return Undecided(f"the decider failed: {type(error).__name__}: {error}")


def refute_trees(
    left: Tree,
    right: Tree,
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree] = MappingProxyType({}),
    *,
    deadline: Deadline,
    seed: int = 0,
) -> Refuted | None:
    """Look for a point at which two trees differ; None if none was found."""
    rng = random.Random(seed)
    return _Search(left, right, domains, definitions, deadline, rng).run(_SAMPLES)


def _decide(
    left: Tree,
    right: Tree,
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
    deadline: Deadline,
    seed: int,
) -> Verdict:
    search = _Search(left, right, domains, definitions, deadline, random.Random(seed))
    found = search.run(_SAMPLES)
    if found is not None:
        return found
    remaining = deadline.remaining
    proof = prove_equal(
        [Equation("value", left, right)], domains, definitions, deadline.sooner(0.75 * remaining)
    )
    if not isinstance(proof, Failure):
        return Proved(proof, search.undefined)
    try:
        found = search.inside(proof.place) if proof.place else None
        found = found or search.run(_AIMED_SAMPLES, aimed=True) or search.run(_MORE_SAMPLES)
    except OutOfTime:
        found = None
    return found or Undecided(proof.reason)


class _Search:
    """Looks for a point at which two expressions differ."""

    def __init__(
        self,
        left: Tree,
        right: Tree,
        domains: Mapping[str, Domain],
        definitions: Mapping[str, Tree],
        deadline: Deadline,
        rng: random.Random,
    ) -> None:
        order = in_order((left, right), definitions)
        self._sides = (left, right)
        self._independent: tuple[tuple[Tree, ...], dict[str, Tree]] | None = None
        self._definitions = [(name, definitions[name]) for name in order if name in definitions]
        variables = sorted(name for name in order if name not in definitions)
        self._domains = {name: domains.get(name, REAL) for name in variables}
        self._trees = (left, right, *(tree for _, tree in self._definitions))
        self._extra = sorted({c for tree in self._trees for c in constants(tree)})
        self._deadline = deadline
        self._rng = rng
        self.undefined = ""

    def run(self, attempts: int, *, aimed: bool = False) -> Refuted | None:
        """Try some points; remember one at which only one side has a value.

        Args:
            attempts: How many.
            aimed: Whether to go where arguments of max, abs, sign and conditions are 0.
        """
        borders = borders_of(self._trees) if aimed else ()
        if aimed and not borders:
            return None
        for attempt in range(attempts):
            self._deadline.check()
            point = sample(self._domains, self._rng, attempt, self._extra)
            if aimed:
                point = approach(point, borders, self._domains, self._rng, self._roughly)
            found = self._tried(point)
            if found is not None:
                return found
        return None

    def inside(self, place: Converter) -> Refuted | None:
        """Try points of a region in which no proof was found."""
        points = islice(points_inside(place, self._rng), _INSIDE_SAMPLES)
        deadline = self._deadline.sooner(0.5 * self._deadline.remaining)
        for attempt, aimed in enumerate(points):
            if deadline.passed:
                return None
            self._deadline.check()
            point = sample(self._domains, self._rng, attempt, self._extra)
            inside = {name: aimed[name] for name in point if name in aimed}
            found = self._tried({**point, **inside})
            if found is not None:
                return found
        return None

    def _tried(self, point: Mapping[str, Fraction]) -> Refuted | None:
        for bits in _BITS:
            try:
                found = self._differ(point, bits)
            except TooLarge:
                return None
            except Blurred:
                continue
            confirmed = self._smallest(point, bits) if found else None
            if confirmed is not None or not found:
                return confirmed
            return None
        return None

    def _smallest(self, point: Mapping[str, Fraction], bits: int) -> Refuted | None:
        """Confirm a simpler point at which the sides differ, or else the point itself."""

        def still(candidate: Mapping[str, Fraction]) -> bool:
            self._deadline.check()
            try:
                return self._differ(candidate, bits)
            except Blurred:
                return False

        small = minimise(point, self._domains, still)
        return self._confirmed(small) or self._confirmed(point)

    def _roughly(self, tree: Tree, point: Mapping[str, Fraction]) -> Fraction | None:
        numbers = Numbers(_BITS[0], self._deadline)
        env: dict[str, Vector] = {name: (value,) for name, value in point.items()}
        try:
            (value,) = _Lazy(Interpreter(numbers), env, dict(self._definitions)).value(tree)
        except (Undefined, Blurred):
            return None
        if isinstance(value, Fraction):
            return value
        return Fraction(value[0] + value[1], 2 << numbers.bits)

    def _differ(self, point: Mapping[str, Fraction], bits: int) -> bool:
        numbers = Numbers(bits, self._deadline)
        interpreter = Interpreter(numbers)
        env: dict[str, Vector] = {name: (value,) for name, value in point.items()}
        values = []
        missing = 0
        lazy = _Lazy(interpreter, env, dict(self._definitions))
        for side in self._sides:
            try:
                values.append(lazy.value(side))
            except Undefined:
                missing += 1
        if missing == 1 and not self.undefined:
            self.undefined = ", ".join(f"{name}={value}" for name, value in point.items())
        if missing:
            return False
        a, b = (value[0] for value in values)
        return numbers.compare(a, b) != 0

    def _confirmed(self, point: Mapping[str, Fraction]) -> Refuted | None:
        """Evaluate both sides again, with the evaluator that shares nothing with this one."""
        env: dict[str, independent.Values] = {
            name: (independent.exact(value),) for name, value in point.items()
        }
        env.setdefault("param", (independent.exact(0),))
        sides, definitions = self._cut()
        for bits in _BITS:
            self._deadline.check()
            known = dict(env)
            unclear: set[str] = set()
            for name, tree in definitions.items():
                try:  # a definition that no taken branch reads need have no value
                    known[name] = independent.evaluate(tree, known, bits)
                except independent.Unclear:
                    unclear.add(name)
                except (independent.NoValue, KeyError):
                    continue
            try:
                x, y = (independent.evaluate(side, known, bits)[0] for side in sides)
            except independent.Unclear:
                continue
            except KeyError:
                if unclear:
                    continue
                return None
            except independent.NoValue:
                return None
            if x.high < y.low or y.high < x.low:
                return Refuted(tuple(point.items()), show_interval(x), show_interval(y))
        return None

    def _cut(self) -> tuple[tuple[Tree, ...], dict[str, Tree]]:
        """Return sides and definitions for an evaluator that knows nothing of shared parts."""
        if self._independent is None:
            whole = tuple(tree for _, tree in self._definitions)
            trees, parts = cut((*whole, *self._sides))
            named = dict(zip((name for name, _ in self._definitions), trees, strict=False))
            self._independent = trees[len(whole) :], _in_order({**named, **parts})
        return self._independent


class _Lazy:
    """Evaluates definitions when they are read: one that is not read need have no value."""

    def __init__(
        self, interpreter: Interpreter, env: dict[str, Vector], definitions: Mapping[str, Tree]
    ) -> None:
        self._interpreter = interpreter
        self._env = env
        self._definitions = definitions

    def value(self, tree: Tree) -> Vector:
        """Return the value of a tree."""
        for name in in_order((tree,), self._definitions):
            if name not in self._env:
                self._env[name] = self._interpreter.value(self._definitions[name], self._env)
        return self._interpreter.value(tree, self._env)


def _in_order(definitions: Mapping[str, Tree]) -> dict[str, Tree]:
    """Return definitions, each behind what it reads."""
    order = in_order(tuple(("name", name) for name in definitions), definitions)
    return {name: definitions[name] for name in order if name in definitions}
