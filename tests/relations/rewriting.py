"""The same rule in other variables: pairs that are related because they were made so."""

import random
from dataclasses import replace
from fractions import Fraction

import sympy

from optgen.domains import Domain
from optgen.errors import OptgenError
from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer


def rewritten(spec: OptimizerSpec, rng: random.Random) -> OptimizerSpec | None:
    """Return a rule of which every run of `spec` is a run, or None if it breaks a rule of specs.

    Every state is scaled by a positive number or by one less a share; every hyperparameter
    without an upper end is scaled by a positive number.
    """
    changed: dict[sympy.Symbol, sympy.Expr] = {}
    factors: dict[sympy.Symbol, sympy.Expr] = {}
    numbers = [sympy.Rational(n, d) for n, d in ((1, 1), (2, 1), (1, 3), (3, 2))]
    shares = [1 - h.symbol for h in spec.hyperparameters if _is_share(h)]
    state: list[StateBuffer] = []
    for buffer in spec.state:
        factor = rng.choice([*numbers, *shares])
        if buffer.initial or buffer.shape != "param":
            factor = sympy.Integer(1)
        factors[buffer.symbol] = factor
        changed[buffer.symbol] = buffer.symbol / factor
        state.append(buffer)
    for hyper in spec.hyperparameters:
        assert isinstance(hyper.domain, Domain)
        if hyper.domain.high is None and hyper.domain.low == 0 and hyper.name != "momentum_decay":
            changed[hyper.symbol] = hyper.symbol * rng.choice(numbers)
    rule = []
    for assignment in spec.rule:
        value = assignment.value.subs(changed, simultaneous=True)
        if isinstance(assignment, Set):
            value = value * factors.get(assignment.target, sympy.Integer(1))
        rule.append(replace(assignment, value=value))
    try:
        return replace(
            spec,
            name="rewritten",
            full_name="rewritten",
            rule=tuple(rule),
            state=tuple(state),
            query=spec.query.subs(changed, simultaneous=True),
        )
    except OptgenError:
        return None


def _is_share(hyper: Hyperparameter) -> bool:
    domain = hyper.domain
    assert isinstance(domain, Domain)
    return domain.low == 0 and domain.high == Fraction(1) and domain.high_open
