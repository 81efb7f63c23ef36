"""The two kinds of line in a rule: `Let` names a value, `Set` writes the parameter or a state."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import sympy

from optgen import written
from optgen.errors import Location, SpecError


@dataclass(frozen=True, slots=True)
class Let:
    """`target = value`, a name for an intermediate value; nothing is rewritten across it.

    Raises:
        SpecError: sympy has regrouped `value` out of its written order.
    """

    target: sympy.Symbol
    value: sympy.Expr
    doc: str = ""
    location: Location | None = None

    def __post_init__(self) -> None:
        _settle(self)

    @property
    def name(self) -> str:
        """Name of the target."""
        return str(self.target.name)


@dataclass(frozen=True, slots=True)
class Set:
    """`target <- value`, a write to the parameter or to a state.

    Raises:
        SpecError: sympy has regrouped `value` out of its written order.
    """

    target: sympy.Symbol
    value: sympy.Expr
    doc: str = ""
    location: Location | None = None

    def __post_init__(self) -> None:
        _settle(self)

    @property
    def name(self) -> str:
        """Name of the target."""
        return str(self.target.name)


Assignment = Let | Set


def _settle(assignment: Assignment) -> None:
    """Fill in the location of an assignment and check its right-hand side."""
    frame = sys._getframe(3)  # _settle, __post_init__, __init__, caller
    where = assignment.location or Location(frame.f_code.co_filename, frame.f_lineno)
    object.__setattr__(assignment, "location", where)
    if not isinstance(assignment.target, sympy.Symbol):
        raise SpecError(
            f"'{assignment.target}' is not a symbol, so nothing can be assigned to it",
            where=where,
            fix="make the name with optgen.symbols.symbol('...')",
        )
    value = sympy.sympify(assignment.value)
    object.__setattr__(assignment, "value", value)
    try:
        written.check(value, frame, where)
    except SpecError as error:
        if error.where is None:
            error.where = where
        raise
