"""Prints host and per-tensor arithmetic as Python expressions on NumPy scalars."""

from __future__ import annotations

from collections.abc import Callable

from optgen.backends.layout import WIDTH
from optgen.ir import Assign, Expr, Literal, Operation, Ref

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
    "and": "and", "or": "or",
}  # fmt: skip
_CALLS = {"sqrt": "np.sqrt", "abs": "np.abs", "sign": "np.sign"}


class ScalarPrinter:
    """Prints expressions with every grouping in parentheses.

    Args:
        literal: How a constant is written, given its float64 value.
    """

    def __init__(self, literal: Callable[[float], str]) -> None:
        self._literal = literal

    def assign(self, assign: Assign, indent: int = 4) -> tuple[str, ...]:
        """Return one assignment as lines of Python, which the caller sets in by `indent`."""
        text = f"{assign.target} = {self.expression(assign.value)}"
        match assign.value:
            case Operation("select", (mask, yes, no)):
                pieces = (
                    self._print(yes),
                    f"if {self.expression(mask)}",
                    f"else {self._print(no)}",
                )
                text = f"{assign.target} = {' '.join(pieces)}"
                if indent + len(text) > WIDTH:
                    return (f"{assign.target} = (", *(f"    {p}" for p in pieces), ")")
        return (text,)

    def expression(self, expr: Expr) -> str:
        """Return an expression; no parentheses around the whole."""
        text = self._print(expr)
        if text.startswith("(") and isinstance(expr, Operation) and expr.name in _INFIX:
            return text[1:-1]
        return text

    def _print(self, expr: Expr) -> str:
        match expr:
            case Ref(name):
                return name
            case Literal(value):
                return self._literal(float(value))
            case Operation("ipow", (base, exponent)):
                return f"_ipow({self.expression(base)}, {_integer(exponent)})"
            case Operation("neg", (value,)):
                return f"-{self._print(value)}"
            case Operation("not", (value,)):
                return f"(not {self._print(value)})"
            case Operation("select", (mask, yes, no)):
                return f"({self._print(yes)} if {self.expression(mask)} else {self._print(no)})"
            case Operation("pow", (base, exponent)):
                # A scalar's `**` is the C library's pow; np.power may be another, by machine.
                return f"(np.float64({self.expression(base)}) ** {self._print(exponent)})"
            case Operation("max" | "min" as name, (left, right)):
                # The zero that is added makes a zero result +0, as the IR has it.
                call = f"np.{name}imum({self.expression(left)}, {self.expression(right)})"
                return f"({call} + {self._literal(0.0)})"
            case Operation(name, (left, right)) if name in _INFIX:
                return f"({self._print(left)} {_INFIX[name]} {self._print(right)})"
            case Operation(name, operands):
                return f"{_CALLS[name]}({', '.join(self.expression(o) for o in operands)})"


def _integer(expr: Expr) -> str:
    """Return an exponent built from `step` and integers, as integer arithmetic."""
    match expr:
        case Ref(name):
            return name
        case Literal(value):
            return str(value.numerator)
        case Operation("neg", (value,)):
            return f"-{_integer(value)}"
        case Operation(name, (left, right)):
            return f"({_integer(left)} {_INFIX[name]} {_integer(right)})"
    raise AssertionError(f"no exponent: {expr}")
