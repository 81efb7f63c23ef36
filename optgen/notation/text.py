"""A rule as plain text that reads like code: `param = param - lr*exp_avg_hat/denom`."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from optgen.arithmetic import (
    TRUE,
    Call,
    Choice,
    Logic,
    Name,
    Node,
    Number,
    Power,
    Product,
    Relation,
    Root,
    Sum,
    arrange,
)
from optgen.order import Order
from optgen.spec import Let, OptimizerSpec

_ATOM, _POWER, _PRODUCT, _SUM, _RELATION, _LOGIC, _CHOICE = range(7)


def rule_lines(spec: OptimizerSpec) -> tuple[str, ...]:
    """Return a rule, one assignment a line; `<-` writes the parameter or a state."""
    order = Order.of(spec)
    return tuple(
        f"{a.name} {'=' if isinstance(a, Let) else '<-'} {expression(arrange(a.value), order)}"
        for a in spec.rule
    )


def expression(node: Node, order: Order) -> str:
    """Return one expression as text."""
    return _Printer(order).at(node, _CHOICE)


def number(value: Fraction) -> str:
    """Return an exact number: as a short decimal where it is one, else as a fraction.

    >>> number(Fraction(1, 1000)), number(Fraction(24, 25)), number(Fraction(1, 3))
    ('0.001', '0.96', '1/3')
    """
    if value.denominator == 1:
        return str(value.numerator)
    for digits in range(1, 7):
        if (value * 10**digits).denominator == 1:
            return f"{float(value):.{digits}f}"
    if Fraction(repr(float(value))) == value:
        return repr(float(value))
    return f"{value.numerator}/{value.denominator}"


class _Printer:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._printers: dict[type, Callable[..., tuple[str, int]]] = {
            Number: self._number,
            Name: lambda n: (n.name, _ATOM),
            Sum: self._sum,
            Product: self._product,
            Power: self._power,
            Root: lambda n: (f"sqrt({self.at(n.value, _CHOICE)})", _ATOM),
            Call: self._call,
            Relation: self._relation,
            Logic: self._logic,
            Choice: self._choice,
        }

    def at(self, node: Node, level: int) -> str:
        """Return a node as text, in parentheses if it binds less tightly than `level`."""
        text, own = self._printers[type(node)](node)
        return text if own <= level else f"({text})"

    def _number(self, node: Number) -> tuple[str, int]:
        text = number(node.value)
        return text, _PRODUCT if "/" in text or text.startswith("-") else _ATOM

    def _sum(self, node: Sum) -> tuple[str, int]:
        text = ""
        for term in self._order.terms(node.terms):
            piece = self.at(term, _PRODUCT)
            if not text:
                text = piece
            elif piece.startswith("-"):
                text += f" - {piece[1:]}"
            else:
                text += f" + {piece}"
        return text, _SUM

    def _product(self, node: Product) -> tuple[str, int]:
        above = [self.at(f, _POWER) for f in self._order.factors(node.numerators)]
        below = [self.at(f, _POWER) for f in self._order.factors(node.denominators)]
        sign = "-" if node.coefficient < 0 else ""
        size = abs(node.coefficient)
        if size.denominator != 1 and "/" in number(size):
            below.insert(0, str(size.denominator))
            size = Fraction(size.numerator)
        if size != 1 or not above:
            above.insert(0, number(size))
        text = sign + "*".join(above)
        if below:
            divisor = "*".join(below)
            text += f"/({divisor})" if len(below) > 1 else f"/{divisor}"
        return text, _PRODUCT

    def _power(self, node: Power) -> tuple[str, int]:
        return f"{self.at(node.base, _ATOM)}**{self.at(node.exponent, _ATOM)}", _POWER

    def _call(self, node: Call) -> tuple[str, int]:
        name = node.function.lower() if node.function in ("Abs", "Max", "Min") else node.function
        return f"{name}({', '.join(self.at(a, _CHOICE) for a in node.args)})", _ATOM

    def _relation(self, node: Relation) -> tuple[str, int]:
        left, right = self.at(node.left, _SUM), self.at(node.right, _SUM)
        return f"{left} {node.operator} {right}", _RELATION

    def _logic(self, node: Logic) -> tuple[str, int]:
        if not node.args:
            return ("true" if node == TRUE else "false"), _ATOM
        if node.operator == "Not":
            return f"not {self.at(node.args[0], _ATOM)}", _RELATION
        word = f" {node.operator.lower()} "
        return word.join(self.at(a, _RELATION) for a in node.args), _LOGIC

    def _choice(self, node: Choice) -> tuple[str, int]:
        text = self.at(node.branches[-1][0], _SUM)
        for value, condition in reversed(node.branches[:-1]):
            text = f"{self.at(value, _SUM)} if {self.at(condition, _LOGIC)} else {text}"
        return text, _CHOICE
