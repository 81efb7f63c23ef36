"""Does the value of an expression lie in an interval? Enclosed by numbers, then by proof."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import Literal

import sympy

from optgen.domains import Domain
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.proof import Failure, prove_signs
from optgen.verify.runs.trajectories import BITS
from optgen.verify.serialise import Tree, serialise, walk
from optgen.verify.verdicts import Unsupported
from optgen.verify.witness.enclose import Blurred, Interpreter, Number, Numbers, Undefined, Vector
from optgen.verify.witness.sampling import middle

Place = Literal["may be", "outside", "undefined", "too near"]
_BELOW, _ABOVE = (frozenset((-1,)), frozenset((-1, 0))), (frozenset((1,)), frozenset((0, 1)))


def place(
    value: sympy.Expr, domain: Domain, variables: Mapping[str, Domain], deadline: Deadline
) -> Place:
    """Say where an expression lies.

    Args:
        value: An expression.
        domain: Where it should lie.
        variables: Domain of each name in it.
        deadline: When to stop looking for a proof.

    Returns:
        `outside` or `undefined` only if that is certain, `too near` for a number that no
        precision separates from an end; `may be` for all else.
    """
    try:
        tree = serialise(value)
        if not value.free_symbols:
            return _number(tree, domain, deadline)
        return _expression(tree, domain, variables, deadline)
    except (OutOfTime, Unsupported):
        return "may be"


def _number(tree: Tree, domain: Domain, deadline: Deadline) -> Place:
    for bits in BITS:
        numbers = Numbers(bits, deadline)
        try:
            value = Interpreter(numbers).value(tree, {})[0]
            return "may be" if _inside(value, domain, numbers) else "outside"
        except Undefined:
            return "undefined"
        except Blurred:
            continue
    return "too near"


def _inside(value: Number, domain: Domain, numbers: Numbers) -> bool:
    if isinstance(value, Fraction):
        return value in domain
    if domain.low is not None and numbers.compare(value, domain.low) < 0:
        return False
    if domain.high is not None and numbers.compare(value, domain.high) > 0:
        return False
    if domain.integer:
        nearest = Fraction(floor(Fraction(value[1], 1 << numbers.bits)))
        numbers.compare(value, nearest)
        return False
    return True


def _expression(
    tree: Tree, domain: Domain, variables: Mapping[str, Domain], deadline: Deadline
) -> Place:
    point: dict[str, Vector] = {name: (middle(d),) for name, d in variables.items()}
    numbers = Numbers(BITS[0], deadline)
    try:
        if _inside(Interpreter(numbers).value(tree, point)[0], domain, numbers):
            return "may be"
    except Blurred:
        pass  # somewhere else it may be inside
    except Undefined:
        if any(_negative(base, variables, deadline) for base in _below_roots(tree)):
            return "undefined"
    ends = ((domain.low, domain.low_open, _BELOW), (domain.high, domain.high_open, _ABOVE))
    for end, is_open, beyond in ends:
        if end is None:
            continue
        gap = ("add", tree, ("number", -end))
        allowed = beyond[is_open]  # an open end is outside itself
        if not isinstance(prove_signs(gap, allowed, variables, {}, deadline), Failure):
            return "outside"
    return "may be"


def _below_roots(tree: Tree) -> list[Tree]:
    """Return what stands below square roots."""
    powers = (node for node in walk(tree) if node[0] == "power" and node[2][0] == "number")
    return [node[1] for node in powers if node[2][1].denominator % 2 == 0]


def _negative(tree: Tree, variables: Mapping[str, Domain], deadline: Deadline) -> bool:
    return not isinstance(prove_signs(tree, _BELOW[0], variables, {}, deadline), Failure)
