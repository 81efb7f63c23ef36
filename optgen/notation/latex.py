r"""A rule as LaTeX: one aligned assignment a line, `\leftarrow` for a write that lasts.

The order of operands is `optgen.order`'s, as everywhere; sympy's LaTeX printer
is not used, since it prints in an order of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
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
from optgen.notation import text
from optgen.notation.glossary import Glossary
from optgen.order import Order
from optgen.spec import Assignment, Let, OptimizerSpec
from optgen.symbols import param

_ATOM, _POWER, _PRODUCT, _SUM, _RELATION, _LOGIC, _CHOICE = range(7)
_RELATIONS = {"==": "=", "!=": r"\neq", "<": "<", "<=": r"\leq", ">": ">", ">=": r"\geq"}
_FENCES = {"Abs": (r"\left|", r"\right|"), "norm": (r"\left\lVert", r"\right\rVert")}
_FUNCTIONS = {"Max": r"\max", "Min": r"\min"}
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "_%&#${}"},
}


def document(spec: OptimizerSpec) -> str:
    """Return a rule as a displayed formula, below a glossary in comments; needs amsmath."""
    lines = [f"% {spec.name}: {spec.summary}"]
    lines += [f"% {line}" for line in glossary_lines(spec)]
    return "\n".join((*lines, r"\[", aligned(spec), r"\]"))


def aligned(spec: OptimizerSpec) -> str:
    """Return a rule as an `aligned` block, to stand in mathematics."""
    lines = [f"  {left} &{sign} {right}" for left, sign, right in assignments(spec)]
    return "\n".join((r"\begin{aligned}", " \\\\\n".join(lines), r"\end{aligned}"))


def assignments(spec: OptimizerSpec) -> tuple[tuple[str, str, str], ...]:
    r"""Return each line of a rule as (target, `=` or `\leftarrow`, value)."""
    order, glossary = Order.of(spec), Glossary.of(spec)

    def line(a: Assignment) -> tuple[str, str, str]:
        sign = "=" if isinstance(a, Let) else r"\leftarrow"
        return glossary[a.name], sign, expression(arrange(a.value), order, glossary)

    return tuple(line(a) for a in spec.rule)


def query(spec: OptimizerSpec) -> str:
    """Return where the gradient is taken, or an empty string where it is the parameter."""
    if spec.query == param:
        return ""
    return expression(arrange(spec.query), Order.of(spec), Glossary.of(spec))


def glossary_lines(spec: OptimizerSpec) -> tuple[str, ...]:
    """Return one line of plain text for each letter: the LaTeX, the name, what it is."""
    meanings = {h.name: h.doc for h in spec.hyperparameters}
    meanings |= {b.name: b.doc for b in spec.state}
    meanings |= {a.name: a.doc for a in spec.rule if isinstance(a, Let)}
    letters = Glossary.of(spec).letters
    used = _names(spec)
    return tuple(
        f"{letter}  {name}{f': {meanings[name]}' if meanings.get(name) else ''}"
        for name, letter in letters.items()
        if name in used
    )


def expression(node: Node, order: Order, glossary: Glossary) -> str:
    """Return one expression as LaTeX, to stand in mathematics."""
    return _Printer(order, glossary).at(node, _CHOICE)


def number(value: Fraction) -> str:
    r"""Return an exact number as LaTeX.

    >>> number(Fraction(1, 10**8)), number(Fraction(1, 3))
    ('10^{-8}', '\\frac{1}{3}')
    """
    plain = text.number(value)
    if "/" in plain:
        sign = "-" if value < 0 else ""
        return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    if "e" not in plain and (value == 0 or abs(value) >= Fraction(1, 1000)):
        return plain
    shown = f"{Decimal(plain).normalize():e}"
    mantissa, exponent = shown.split("e")
    power = f"10^{{{int(exponent)}}}"
    return {"1": power, "-1": f"-{power}"}.get(mantissa, rf"{mantissa} \cdot {power}")


def escape(plain: str) -> str:
    r"""Return plain text as LaTeX text: `adam_l2` as `adam\_l2`."""
    return re.sub(r"[\\~^_%&#${}]", lambda match: _ESCAPES[match[0]], plain)


def _names(spec: OptimizerSpec) -> frozenset[str]:
    read = {s.name for a in spec.rule for s in (a.target, *a.value.free_symbols)}
    return frozenset(read | {s.name for s in spec.query.free_symbols})


class _Printer:
    def __init__(self, order: Order, glossary: Glossary) -> None:
        self._order = order
        self._glossary = glossary
        self._printers: dict[type, Callable[..., tuple[str, int]]] = {
            Number: self._number,
            Name: lambda n: (self._glossary[n.name], _ATOM),
            Sum: self._sum,
            Product: self._product,
            Power: self._power,
            Root: lambda n: (rf"\sqrt{{{self.at(n.value, _CHOICE)}}}", _ATOM),
            Call: self._call,
            Relation: self._relation,
            Logic: self._logic,
            Choice: self._choice,
        }

    def at(self, node: Node, level: int) -> str:
        """Return a node as LaTeX, in parentheses if it binds less tightly than `level`."""
        latex, own = self._printers[type(node)](node)
        return latex if own <= level else _parentheses(latex)

    def _number(self, node: Number) -> tuple[str, int]:
        latex = number(node.value)
        return latex, _ATOM if latex.replace(".", "").isdigit() else _PRODUCT

    def _sum(self, node: Sum) -> tuple[str, int]:
        latex = ""
        for term in self._order.terms(node.terms):
            piece = self.at(term, _PRODUCT)
            if not latex:
                latex = piece
            elif piece.startswith("-"):
                latex += f" - {piece[1:]}"
            else:
                latex += f" + {piece}"
        return latex, _SUM

    def _product(self, node: Product) -> tuple[str, int]:
        above = self._order.factors(node.numerators)
        below = self._order.factors(node.denominators)
        sign, size = ("-" if node.coefficient < 0 else ""), abs(node.coefficient)
        if not below:
            return sign + self._factors(size, above, _POWER), _PRODUCT
        # Above or below a bar, what stands alone needs no parentheses.
        top = self._factors(size, above, _CHOICE)
        bottom = self._factors(Fraction(1), below, _CHOICE)
        return rf"{sign}\frac{{{top}}}{{{bottom}}}", _PRODUCT

    def _factors(self, size: Fraction, nodes: tuple[Node, ...], alone: int) -> str:
        """Return `size` times the nodes; a single node may bind as loosely as `alone`."""
        if size == 1 and len(nodes) == 1:
            return self.at(nodes[0], alone)
        pieces = [self.at(node, _POWER) for node in nodes]
        if size != 1 or not pieces:
            pieces.insert(0, number(size))
        latex = pieces[0]
        for piece in pieces[1:]:
            # "0.5 0.96^t" would read as one number.
            latex += (r" \cdot " if piece[0].isdigit() else r" \, ") + piece
        return latex

    def _power(self, node: Power) -> tuple[str, int]:
        base = self.at(node.base, _ATOM)
        if "^" in base or isinstance(node.base, Root | Call):
            base = _parentheses(base)
        return f"{base}^{{{self.at(node.exponent, _CHOICE)}}}", _POWER

    def _call(self, node: Call) -> tuple[str, int]:
        args = ", ".join(self.at(a, _CHOICE) for a in node.args)
        if node.function in _FENCES:
            left, right = _FENCES[node.function]
            return f"{left} {args} {right}", _ATOM
        name = _FUNCTIONS.get(node.function, rf"\operatorname{{{node.function}}}")
        return f"{name}{_parentheses(args)}", _ATOM

    def _relation(self, node: Relation) -> tuple[str, int]:
        left, right = self.at(node.left, _SUM), self.at(node.right, _SUM)
        return f"{left} {_RELATIONS[node.operator]} {right}", _RELATION

    def _logic(self, node: Logic) -> tuple[str, int]:
        if not node.args:
            return rf"\text{{{'true' if node == TRUE else 'false'}}}", _ATOM
        if node.operator == "Not":
            return rf"\lnot {self.at(node.args[0], _ATOM)}", _ATOM
        word = rf" \text{{ {node.operator.lower()} }} "
        return word.join(self.at(a, _RELATION) for a in node.args), _LOGIC

    def _choice(self, node: Choice) -> tuple[str, int]:
        rows = [
            rf"{self.at(value, _SUM)} & \text{{if }} {self.at(condition, _LOGIC)}"
            for value, condition in node.branches[:-1]
        ]
        rows.append(rf"{self.at(node.branches[-1][0], _SUM)} & \text{{otherwise}}")
        body = r" \\ ".join(rows)
        return rf"\begin{{cases}} {body} \end{{cases}}", _CHOICE


def _parentheses(latex: str) -> str:
    tall = any(word in latex for word in (r"\frac", r"\sqrt", r"\begin"))
    return rf"\left({latex}\right)" if tall else f"({latex})"
