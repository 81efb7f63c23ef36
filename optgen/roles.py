"""How often each name of a rule has a value: once a step, once a tensor, or once an element.

A name that depends on the step number, hyperparameters and scalar states only
has the same value for all tensors of a call and is computed on the host. A name
that depends on a reduction has one value per tensor. Everything else has one
value per element of the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from optgen.arithmetic import Call, Node, arrange, children, names
from optgen.errors import SpecError
from optgen.symbols import REDUCTIONS

if TYPE_CHECKING:
    from optgen.spec import OptimizerSpec

_REDUCTION_NAMES = frozenset(r.__name__ for r in REDUCTIONS)


class Role(IntEnum):
    """How often a value exists; an expression has the largest role of its operands."""

    HOST = 0
    TENSOR = 1
    ELEMENT = 2


def role_of(node: Node, roles: Mapping[str, Role]) -> Role:
    """Return the role of an expression whose names have the given roles."""
    if isinstance(node, Call) and node.function in _REDUCTION_NAMES:
        return Role.TENSOR
    own = [roles[name] for name in sorted(names(node))] if not children(node) else []
    return max((*own, *(role_of(c, roles) for c in children(node))), default=Role.HOST)


def roles(spec: OptimizerSpec) -> dict[str, Role]:
    """Return the role of every name of a rule.

    Raises:
        SpecError: A scalar state is given a value per element, or one that a reduction gives.
    """
    known = {"step": Role.HOST, "param": Role.ELEMENT, "grad": Role.ELEMENT}
    known |= {symbol.name: Role.ELEMENT for symbol in spec.inputs}
    known |= {h.name: Role.HOST for h in spec.hyperparameters}
    known |= {b.name: Role.HOST if b.shape == "scalar" else Role.ELEMENT for b in spec.state}
    scalars = {b.name for b in spec.state if b.shape == "scalar"}
    for index, assignment in enumerate(spec.rule):
        role = role_of(arrange(assignment.value), known)
        if assignment.name in scalars and role is Role.ELEMENT:
            raise SpecError(
                f"the scalar state '{assignment.name}' is given one value per element",
                where=f"{assignment.location}, rule {index + 1} ({assignment.name})",
                fix="declare it with shape='param'",
            )
        if assignment.name in scalars and role is Role.TENSOR:
            raise SpecError(
                f"the scalar state '{assignment.name}' is given the value of a reduction, "
                "and states are stored before anything is reduced",
                where=f"{assignment.location}, rule {index + 1} ({assignment.name})",
                fix="declare it with shape='param'",
            )
        if assignment.name not in known or assignment.name in scalars:
            known[assignment.name] = role
    return known
