"""The two kinds of line in a rule: `Let` names a value, `Set` writes the parameter or a state."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import sympy
from sympy.logic.boolalg import Boolean

from optgen import written
from optgen.errors import Location, SpecError
from optgen.paths import PACKAGE


def caller() -> Location | None:
    """Return the innermost place outside optgen, and outside dataclasses, that makes an object."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        generated = file == "<string>" and frame.f_code.co_name == "__init__"
        ours = generated or file.endswith("dataclasses.py")
        if not ours and not Path(file).is_relative_to(PACKAGE):
            return Location(file, frame.f_lineno)
        frame = frame.f_back
    return None


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
    frame = sys._getframe(3)  # _settle, __post_init__, __init__, the call
    where = assignment.location or caller()
    object.__setattr__(assignment, "location", where)
    if not isinstance(assignment.target, sympy.Symbol):
        raise SpecError(
            f"'{assignment.target}' is not a symbol, so nothing can be assigned to it",
            where=where,
            fix="make the name with optgen.symbols.symbol('...')",
        )
    try:
        value = _expression(assignment.value)
        object.__setattr__(assignment, "value", value)
        written.check(value, frame)
    except SpecError as error:
        error.where = where
        raise


def _expression(value: object) -> sympy.Expr:
    """Return a right-hand side as sympy holds it; text is refused, since it would be guessed at."""
    try:
        expression = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        raise SpecError(
            f"{value!r} is not an expression", fix="write it with the names of optgen.symbols"
        ) from None
    if isinstance(expression, Boolean) and not isinstance(expression, sympy.Symbol):
        raise SpecError(
            f"'{expression}' is a condition, not a number",
            fix="write Piecewise((1, condition), (0, True))",
        )
    return expression
