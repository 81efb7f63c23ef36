"""Does sympy still hold a right-hand side in the order in which its author wrote it?

sympy regroups what it is given: `a*(b/c)` becomes one flat product, `2*(x + y)`
becomes `2*x + 2*y`, `sqrt(4*x)` becomes `2*sqrt(x)`. Over the reals nothing
changes; the roundings of a kernel do. So the source text of every `Let` and
`Set` is read again and compared with what sympy holds. A chain without
parentheses (`a*b/c`, `a + b - c`) has no grouping of its own: lowering orders it.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice
from types import FrameType
from typing import Any

import sympy

from optgen.arithmetic import (
    FUNCTIONS,
    Call,
    Choice,
    Node,
    Number,
    Power,
    Product,
    Root,
    Sum,
    arrange,
    ordered,
    power,
    product,
)
from optgen.errors import SpecError

_CALL = re.compile(r"\b(Let|Set)\s*\(")


def check(value: sympy.Basic, frame: FrameType) -> None:
    """Compare a right-hand side with the source text of the call that was given it.

    Args:
        value: What sympy made of the second argument of `Let` or `Set`.
        frame: The frame that made the call.

    Raises:
        SpecError: sympy has regrouped the expression out of its written order.
    """
    found = _argument(frame)
    if found is None:  # built by code, not written in a file: nothing to compare with
        return
    argument, text = found
    held = arrange(value)
    reader = _Reader({**frame.f_builtins, **frame.f_globals, **frame.f_locals}, text)
    try:
        same = reader.read(argument) == held
    except ZeroDivisionError:
        raise SpecError(
            f"'{reader.source(argument)}' divides by the constant 0", fix="mend the division"
        ) from None
    if not same:
        raise reader.regrouped(argument, value)


def _argument(frame: FrameType) -> tuple[ast.expr, str] | None:
    """Return what is given to the `Let` or `Set` that `frame` is calling, and the call's text."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    lines = linecache.getlines(frame.f_code.co_filename)
    if positions is None or None in positions:
        if _CALL.search("".join(lines[frame.f_lineno - 1 : frame.f_lineno])):
            raise SpecError(
                "Python does not say which text a Let comes from, so its written order "
                "cannot be checked",
                fix="unset PYTHONNODEBUGRANGES and leave -X no_debug_ranges away",
            )
        return None
    line, end_line, column, end_column = positions
    if not line or not end_line or end_line > len(lines):
        return None
    rows = [row.encode() for row in lines[line - 1 : end_line]]
    rows[-1] = rows[-1][:end_column]
    rows[0] = rows[0][column:]
    text = b"".join(rows).decode().strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(tree, ast.Call) or not _makes_assignment(tree.func, frame):
        return None
    keywords = [k.value for k in tree.keywords if k.arg == "value"]
    given = (*tree.args[1:2], *keywords)
    return (given[0], text) if given else None


def _makes_assignment(called: ast.expr, frame: FrameType) -> bool:
    """Whether what is called is `Let` or `Set`, under whatever name."""
    names = {**frame.f_builtins, **frame.f_globals, **frame.f_locals}
    match called:
        case ast.Name(id=name):
            value = names.get(name)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            value = getattr(names.get(name), attribute, None)
        case _:
            return False
    return getattr(value, "__module__", "") == "optgen.assignment" and isinstance(value, type)


class _Reader:
    """Reads a syntax tree as arithmetic, names resolved in the author's namespace."""

    def __init__(self, namespace: Mapping[str, Any], text: str) -> None:
        self._namespace = namespace
        self._text = text

    def source(self, tree: ast.expr) -> str:
        """Return an expression as its author wrote it, on one line."""
        return " ".join((ast.get_source_segment(self._text, tree) or ast.unparse(tree)).split())

    def regrouped(self, tree: ast.expr, value: object) -> SpecError:
        """Return the error for an expression that sympy holds in another grouping."""
        source = self.source(tree)
        into = "" if source == str(value) else f" into '{value}'"  # it prints another order
        return SpecError(
            f"sympy has regrouped '{source}'{into}",
            fix="give each group, and what stands under a root, a name with a Let; "
            "a Let is never regrouped",
        )

    def read(self, tree: ast.expr) -> Node:
        """Return an expression in the grouping in which it is written."""
        match tree:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(tree)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self._product(tree)
            case ast.BinOp(left, ast.Pow(), right):
                return _power(self.read(left), self.read(right))
            case ast.UnaryOp(ast.USub(), operand):
                return product(Fraction(-1), (self.read(operand),))
            case ast.Call(func=ast.Name(id=name)) if not tree.keywords:
                return self._call(name, tree)
            case _:
                return self._leaf(tree)

    def _leaf(self, tree: ast.expr) -> Node:
        """Take a call, a comparison or a name by its value, once the arithmetic in it is read."""
        for part in _arithmetic_in(tree):
            value = self._value(part)
            if isinstance(value, sympy.Expr) and self.read(part) != arrange(value):
                raise self.regrouped(part, value)
        return arrange(sympy.sympify(self._value(tree)))

    def _sum(self, tree: ast.expr) -> Node:
        terms: list[Node] = []
        sign = Fraction(1)
        while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub):
            sign = Fraction(1 if isinstance(tree.op, ast.Add) else -1)
            terms.append(product(sign, (self.read(tree.right),)))
            tree = tree.left
        terms.append(self.read(tree))
        constant = sum((t.value for t in terms if isinstance(t, Number)), Fraction(0))
        others: list[Node] = [t for t in terms if not isinstance(t, Number)]
        if constant:
            others.append(Number(constant))
        return (
            Sum(ordered(others)) if len(others) > 1 else others[0] if others else Number(constant)
        )

    def _product(self, tree: ast.expr) -> Node:
        coefficient = Fraction(1)
        above: list[Node] = []
        below: list[Node] = []
        while True:
            match tree:
                case ast.BinOp(left, ast.Mult(), right):
                    above.append(self.read(right))
                    tree = left
                case ast.BinOp(left, ast.Div(), right):
                    divisor = self.read(right)
                    if isinstance(divisor, Product) and not divisor.denominators:
                        coefficient /= divisor.coefficient
                        below += divisor.numerators
                    else:
                        below.append(divisor)
                    tree = left
                case ast.UnaryOp(ast.USub(), operand):
                    coefficient = -coefficient
                    tree = operand
                case _:
                    above.append(self.read(tree))
                    break
        if len(above) > 1 and not below and coefficient == 1 and all(a == above[0] for a in above):
            return _power(above[0], Number(Fraction(len(above))))
        return product(coefficient, above, below)

    def _call(self, name: str, tree: ast.Call) -> Node:
        function = self._namespace.get(name)
        if function is sympy.sqrt:
            value = self.read(tree.args[0])
            return value if value in _UNITS else Root(value)
        if function is sympy.Piecewise and all(isinstance(a, ast.Tuple) for a in tree.args):
            pairs = [a.elts for a in tree.args if isinstance(a, ast.Tuple)]
            if all(len(p) == 2 for p in pairs) and isinstance(self._value(tree), sympy.Piecewise):
                return Choice(tuple((self.read(v), self._leaf(c)) for v, c in pairs))
        if getattr(function, "__name__", "") in FUNCTIONS and isinstance(function, type):
            args = [self.read(a) for a in tree.args]
            if issubclass(function, sympy.Max | sympy.Min):
                return Call(name, ordered(b for a in args for b in _flat(a, name)))
            return Call(name, tuple(args))
        return self._leaf(tree)

    def _value(self, tree: ast.expr) -> object:
        code = compile(ast.fix_missing_locations(ast.Expression(tree)), "<rule>", "eval")
        return eval(code, dict(self._namespace))


def _arithmetic_in(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the outermost operations and calls inside an expression that is neither itself."""
    if isinstance(tree, _SCOPES):
        return  # its names have no value here
    for child in ast.iter_child_nodes(tree):
        operation = isinstance(child, ast.BinOp | ast.UnaryOp) and isinstance(child.op, _OPERATORS)
        if operation or isinstance(child, ast.Call):
            assert isinstance(child, ast.expr)
            yield child
        else:
            yield from _arithmetic_in(child)


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub)
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_UNITS = (Number(Fraction(0)), Number(Fraction(1)))


def _flat(node: Node, function: str) -> tuple[Node, ...]:
    return node.args if isinstance(node, Call) and node.function == function else (node,)


def _power(base: Node, exponent: Node) -> Node:
    if isinstance(exponent, Number):
        if isinstance(base, Number) and exponent.value.denominator == 1:
            return Number(base.value**exponent.value.numerator)
        if exponent.value == Fraction(1, 2):
            return Root(base)
        if exponent.value < 0:
            return product(Fraction(1), (), (_power(base, Number(-exponent.value)),))
        if exponent.value == 1:
            return base
        return Power(base, exponent)
    return power(base, exponent)
