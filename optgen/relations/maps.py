"""What a relation is made of: values for hyperparameters, states and the parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sympy

from optgen.domains import STEP, Domain
from optgen.spec import OptimizerSpec
from optgen.symbols import param, symbol
from optgen.verify.deadline import Deadline
from optgen.verify.runs.sides import Side


@dataclass(frozen=True, slots=True)
class RunMap:
    """How a run of one rule is read as a run of another.

    Attributes:
        hyperparameters: A value for each hyperparameter of the second rule, over those of
            the first and `step`.
        states: A value for each state of the second rule that reaches its parameter, over
            the parameter, the states and the hyperparameters of the first.
        param: The parameter of the second rule, over the same.
    """

    hyperparameters: Mapping[str, sympy.Expr]
    states: Mapping[str, sympy.Expr]
    param: sympy.Expr = param

    @property
    def is_identity(self) -> bool:
        """Whether everything is mapped to what has its name."""
        pairs = {**self.hyperparameters, **self.states, "param": self.param}
        return all(value == symbol(name) for name, value in pairs.items())

    @property
    def read(self) -> frozenset[str]:
        """The names in the values of the states and of the parameter."""
        found = {
            str(s) for value in (*self.states.values(), self.param) for s in value.free_symbols
        }
        return frozenset(found)


@dataclass(frozen=True)
class Pair:
    """Two rules; those of the first with what was given put in.

    Attributes:
        a: The rule whose runs are mapped.
        b: The rule of which they should be runs.
        values: A value for each hyperparameter of `a`, over the base.
        base: The hyperparameters of `a` that are not given, with their domains.
        fixed: Hyperparameters of `b` that are given, over the base.
    """

    a: OptimizerSpec
    b: OptimizerSpec
    values: Mapping[str, sympy.Expr]
    base: Mapping[str, Domain]
    fixed: Mapping[str, sympy.Expr]

    @cached_property
    def left(self) -> Side:
        """The first rule."""
        return Side.of("left", self.a, self.values)

    def reaching(self, hyperparameters: Mapping[str, sympy.Expr]) -> tuple[str, ...]:
        """Return the states of the second rule that reach its parameter, at these values."""
        return Side.of("right", self.b, hyperparameters).reaching()

    @property
    def inputs(self) -> tuple[str, ...]:
        """What a step of both rules is given: the gradient, and further inputs."""
        return ("grad", *(str(s.name) for s in self.a.inputs))

    def at(self, point: Mapping[str, sympy.Rational]) -> Pair:
        """Return the pair with numbers for the base."""
        known = {symbol(name): value for name, value in point.items()}
        return replace(
            self,
            values={n: v.subs(known) for n, v in self.values.items()},
            base={},
            fixed={n: v.subs(known) for n, v in self.fixed.items()},
        )

    def domains(self, deadline: Deadline) -> dict[str, Domain]:
        """Return the domains of the base, of `step`, and of the states as far as they are kept."""
        kept, _ = self.left.kept_domains(self.base, deadline)
        return {**self.base, "step": STEP, **kept}

    def initial(self, value: sympy.Expr) -> sympy.Expr:
        """Put the initial states of the first rule into a value."""
        known = {b.symbol: sympy.Rational(str(b.initial)) for b in self.a.state}
        return sympy.cancel(value.subs(known))
