"""The rule a sheet is about: its one-step map, and questions put to the decider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import sympy

from optgen.arithmetic import arrange
from optgen.domains import STEP, Domain
from optgen.errors import SpecError
from optgen.loader import Catalogue
from optgen.notation.text import expression
from optgen.order import Order
from optgen.roles import Role
from optgen.spec import Assignment, OptimizerSpec
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.decision import decide_trees, refute_trees
from optgen.verify.proof import Equation, Failure, prove_equal, prove_signs
from optgen.verify.runs.sides import Side, rename
from optgen.verify.serialise import Tree, serialise
from optgen.verify.verdicts import Certificate, Proved, Refuted, Undecided, Verdict

MINUS_ONE: Tree = ("number", Fraction(-1))


@dataclass(frozen=True)
class Subject:
    """A rule, what else is in the catalogue, and the time there is.

    Attributes:
        spec: The rule.
        catalogue: The rules that it is compared with.
        deadline: When to give up.
    """

    spec: OptimizerSpec
    catalogue: Catalogue
    deadline: Deadline

    def within(self, seconds: float) -> Subject:
        """Return the same subject with at most so much time left."""
        return replace(self, deadline=self.deadline.sooner(seconds))

    @cached_property
    def hyperparameters(self) -> dict[str, Domain]:
        """The domain of each hyperparameter."""
        return {h.name: _domain(h.domain) for h in self.spec.hyperparameters}

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """The domain of every name that a step starts from, as far as every step keeps it."""
        side = Side.of("kept", self.spec, {})
        kept, _ = side.kept_domains(self.hyperparameters, self.deadline)
        return {**self.hyperparameters, "step": STEP, **kept}

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The parameter and the states: what a step writes."""
        return ("param", *(b.name for b in self.spec.state))

    @cached_property
    def lines(self) -> tuple[tuple[str, sympy.Expr], ...]:
        """Name and value of each assignment, in terms of what a step starts from."""
        return tuple(step_lines(self.spec.rule))

    def text(self, value: sympy.Expr) -> str:
        """Return an expression as rules are printed, or sympy's own text of it."""
        own = Order.of(self.spec)
        names = [n for n in sorted(str(s) for s in value.free_symbols) if n not in own.ranks]
        ranks = {**own.ranks, **{n: len(own.ranks) + i for i, n in enumerate(names)}}
        roles = {**dict.fromkeys(names, Role.HOST), **own.roles}
        try:
            return expression(arrange(value), Order(ranks, roles))
        except SpecError:
            return str(value)

    def covariant(
        self,
        before: Mapping[str, Tree],
        after: Mapping[str, Tree],
        domains: Mapping[str, Domain] | None = None,
    ) -> Verdict:
        """Decide whether a step from `before` gives `after`, name by name.

        Args:
            before: What is put in the place of each name that a step starts from.
            after: The value expected of each output, a tree over the outputs' own values
                behind the plain step, which stand under their own names.
            domains: Domains of further names in the two.
        """
        moved = Side.of("left", self.spec, {}).step(before)
        plain = Side.of("right", self.spec, {}).step({})
        own = {name: plain.value(name) for name in self.outputs}
        pairs = [
            (moved.value(name), rename(after.get(name, ("name", name)), own))
            for name in self.outputs
        ]
        names = [*self.outputs]
        query = rename(after.get("param", ("name", "param")), {"param": plain.query})
        if moved.query != query:
            pairs.append((moved.query, query))
            names.append("query")
        definitions = {**moved.definitions, **plain.definitions}
        known = {**self.domains, **(domains or {})}
        # A proof is what is expected: it comes first, and a witness is sought where there is none.
        equations = [Equation(name, *pair) for name, pair in zip(names, pairs, strict=True)]
        proof = _attempt(lambda: prove_equal(equations, known, definitions, self.deadline))
        if not isinstance(proof, Failure):
            return Proved(proof)
        for left, right in pairs:
            found = refute_trees(left, right, known, definitions, deadline=self.deadline)
            if found is not None:
                return found
        return Undecided(proof.reason)

    def equal(
        self, left: sympy.Expr, right: sympy.Expr, domains: Mapping[str, Domain] | None = None
    ) -> Verdict:
        """Decide whether two expressions are equal wherever both have a value."""
        known = {**self.domains, **(domains or {})}
        return decide_trees(serialise(left), serialise(right), known, deadline=self.deadline)

    def has_sign(
        self,
        value: sympy.Expr,
        allowed: Iterable[int],
        domains: Mapping[str, Domain] | None = None,
        definitions: Mapping[str, Tree] | None = None,
    ) -> bool:
        """Whether an expression is proved to have one of the signs wherever it has a value."""
        known = {**self.domains, **(domains or {})}
        signs = frozenset(allowed)
        tree = serialise(value)
        proof = _attempt(lambda: prove_signs(tree, signs, known, definitions or {}, self.deadline))
        return not isinstance(proof, Failure)


def _attempt(prove: Callable[[], Certificate | Failure]) -> Certificate | Failure:
    """Run a proof; one that crashes, be it ours or sympy's, has proved nothing."""
    try:
        return prove()
    except OutOfTime:
        raise
    except Exception as error:
        return Failure(f"the decider failed: {type(error).__name__}: {error}")


def step_lines(
    rule: Iterable[Assignment], opaque: Mapping[str, sympy.Expr] | None = None
) -> list[tuple[str, sympy.Expr]]:
    """Return each assignment's value in terms of what a step starts from.

    Args:
        rule: The assignments, in order.
        opaque: Names whose value is replaced wherever it is set, and what stands for it.
    """
    latest: dict[sympy.Symbol, sympy.Expr] = {}
    found = []
    for assignment in rule:
        value = assignment.value.xreplace(latest)
        value = (opaque or {}).get(assignment.name, value)
        latest[assignment.target] = value
        found.append((assignment.name, value))
    return found


def values_behind(
    rule: Iterable[Assignment], opaque: Mapping[str, sympy.Expr] | None = None
) -> dict[str, sympy.Expr]:
    """Return the last value of each name that a step sets, in terms of what it starts from."""
    return dict(step_lines(rule, opaque))


def neat(value: sympy.Expr) -> sympy.Expr:
    """Return an expression in factors, those such as x - 1 written -(1 - x)."""
    factors = []
    for factor in sympy.Mul.make_args(sympy.factor(sympy.together(value))):
        base, exponent = factor.as_base_exp()
        if base.is_Add and exponent.is_Integer and base.as_coeff_Add()[0] < 0:
            factors += [sympy.Integer(-1) ** exponent, (-base) ** exponent]
        else:
            factors.append(factor)
    return sympy.Mul(*factors)


def unused(spec: OptimizerSpec, name: str) -> str:
    """Return a name that a rule does not use."""
    taken = {str(s.name) for s in spec.domains} | {a.name for a in spec.rule}
    while name in taken:
        name += "_"
    return name


def times(factor: Tree, name: str) -> Tree:
    """Return the tree of a name times a factor."""
    return ("mul", factor, ("name", name))


def power(base: str, exponent: Fraction) -> Tree:
    """Return the tree of a power of a name."""
    return ("power", ("name", base), ("number", exponent))


def witness_of(verdict: Refuted) -> dict[str, str]:
    """Return the point of a refutation as text."""
    return {name: str(value) for name, value in verdict.point}


def reason_of(verdict: Verdict) -> str:
    """Say why something is not proved."""
    match verdict:
        case Refuted(point, left, right):
            where = ", ".join(f"{name}={value}" for name, value in point)
            return f"one step gives {left} and {right} at {where}"
        case Undecided(reason):
            return reason
    return ""


def _domain(domain: object) -> Domain:
    assert isinstance(domain, Domain)
    return domain
