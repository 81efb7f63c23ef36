"""A right-hand side as arithmetic in a definite grouping: what is added, multiplied, divided.

sympy keeps `a*b/c` as one flat product in an order of its own. `arrange` reads
such an expression as nodes whose grouping is fixed: a `Product` divides the
product of its numerators by the product of its denominators, a `Sum` adds its
terms, and nothing else is regrouped. Lowering evaluates these nodes; the check
of a rule's written order (`optgen.written`) compares them with the source text.

    Node = Number | Name | Sum | Product | Power | Root | Call | Choice | Relation | Logic
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import sympy
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

from optgen.errors import SpecError
from optgen.symbols import REDUCTIONS

FUNCTIONS = ("Abs", "Max", "Min", "sign", *(r.__name__ for r in REDUCTIONS))
"""Names of the functions a rule may call, besides `sqrt`, powers and `Piecewise`."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational constant."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Name:
    """A symbol, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    """Two or more terms, added; at most one is a `Number`."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """`coefficient * numerators / denominators`; an empty tuple is 1."""

    coefficient: Fraction
    numerators: tuple[Node, ...]
    denominators: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """`base ** exponent`; the exponent is an integer above 1, or depends on `step`."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Root:
    """Square root."""

    value: Node


@dataclass(frozen=True, slots=True)
class Call:
    """One of `FUNCTIONS`; `Max` and `Min` take two or more arguments."""

    function: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """`left operator right`, the operator as Python spells it."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """`And`, `Or` or `Not` of conditions; `And()` is true, `Or()` is false."""

    operator: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The value of the first branch whose condition holds; the last condition is true."""

    branches: tuple[tuple[Node, Node], ...]


Node = Number | Name | Sum | Product | Power | Root | Call | Choice | Relation | Logic
TRUE = Logic("And", ())


def ordered(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Return the operands of a commutative operation in one definite order."""
    return tuple(sorted(nodes, key=repr))


def product(
    coefficient: Fraction, numerators: Iterable[Node], denominators: Iterable[Node] = ()
) -> Node:
    """Build a product in its one normal form: no trivial wrapper, numbers in the coefficient.

    A product inside a product stays one, unless all that is left to do is change its sign.
    """
    above: list[Node] = []
    below: list[Node] = []
    for side, nodes, invert in ((above, numerators, False), (below, denominators, True)):
        for node in nodes:
            if isinstance(node, Number):
                coefficient = coefficient / node.value if invert else coefficient * node.value
            else:
                side.append(node)
    if not above and not below:
        return Number(coefficient)
    if coefficient == 1 and len(above) == 1 and not below:
        return above[0]
    if coefficient == -1 and len(above) == 1 and not below and isinstance(above[0], Product):
        inner = above[0]
        return product(-inner.coefficient, inner.numerators, inner.denominators)
    return Product(coefficient, ordered(above), ordered(below))


def power(base: Node, exponent: Node) -> Node:
    """Build a power whose exponent is no constant, in its one normal form.

    Releases of sympy disagree about a rational base in a product: 1.13 turns
    `(24/25)**x` into `(25/24)**(-x)`. Here the exponent is the one without a minus.
    """
    if isinstance(base, Number) and base.value > 0:
        sign = _sign(exponent)
        if sign < 0 or (sign == 0 and base.value > 1):
            return Power(Number(1 / base.value), _negated(exponent))
    return Power(base, exponent)


def _sign(node: Node) -> int:
    """Return how many terms are added, less those that are subtracted."""
    match node:
        case Number(value) | Product(value, _, _):
            return -1 if value < 0 else 1
        case Sum(terms):
            return sum(_sign(term) for term in terms)
        case _:
            return 1


def _negated(node: Node) -> Node:
    if isinstance(node, Sum):
        return Sum(ordered(_negated(term) for term in node.terms))
    return product(Fraction(-1), (node,))


def arrange(expr: sympy.Basic) -> Node:
    """Read a sympy expression as arithmetic in a definite grouping.

    Raises:
        SpecError: The expression holds a function or a constant that rules may not use.
    """
    for kinds, reader in _READERS:
        if isinstance(expr, kinds):
            return reader(expr)
    raise _unsupported(expr)


def _unsupported(expr: sympy.Basic) -> SpecError:
    if expr in (sympy.nan, sympy.zoo):
        return SpecError("a division by the constant 0", fix="mend the divisor")
    if expr in (sympy.oo, -sympy.oo):
        return SpecError("the constant infinity", fix="write the number that is meant")
    if expr == sympy.I:
        return SpecError(
            "the square root of a negative constant", fix="mend what is under the root"
        )
    if isinstance(expr, sympy.NumberSymbol):
        return SpecError(
            f"the constant '{expr}' is not rational",
            fix='write as many digits as are meant, for example Rational("3.14159265358979")',
        )
    return SpecError(
        f"unsupported function '{expr.func.__name__}' in '{expr}'",
        fix="rules may use + - * / **, sqrt, Piecewise, " + ", ".join(FUNCTIONS),
    )


def _number(expr: sympy.Rational) -> Node:
    check_size(Fraction(int(expr.p), int(expr.q)), str(expr))
    return Number(Fraction(int(expr.p), int(expr.q)))


def check_size(value: Fraction, text: str) -> None:
    """Refuse a number that float64 cannot hold: it would be 0 or infinite in every kernel.

    Raises:
        SpecError: The number is too large or too small.
    """
    try:
        lost = value != 0 and float(value) == 0
    except OverflowError:
        lost = True
    if lost:
        raise SpecError(
            f"the constant {text if len(text) < 40 else text[:37] + '...'} is outside what "
            "a double-precision number can hold",
            fix="use a number between about 1e-323 and 1.8e308",
        )


def _float(expr: sympy.Float) -> Node:
    raise SpecError(
        f"the constant {abs(float(expr))!r} is a rounded binary number",
        fix=f'write it exactly, for example Rational("{abs(float(expr))!r}")',
    )


def _sum(expr: sympy.Add) -> Node:
    return Sum(ordered(arrange(a) for a in expr.args))


def _product(expr: sympy.Mul) -> Node:
    coefficient = Fraction(1)
    above: list[Node] = []
    below: list[Node] = []
    for factor in expr.args:
        node = arrange(factor)
        if isinstance(node, Number):
            coefficient *= node.value
        elif isinstance(node, Product):  # a negative power, read as 1/x
            coefficient *= node.coefficient
            above += node.numerators
            below += node.denominators
        else:
            above.append(node)
    return product(coefficient, above, below)


def _power(expr: sympy.Pow) -> Node:
    base, exponent = expr.as_base_exp() if expr.exp.is_number else (expr.base, expr.exp)
    if exponent.is_Rational:
        if exponent < 0:
            return product(Fraction(1), (), (arrange(sympy.Pow(base, -exponent)),))
        if exponent == sympy.Rational(1, 2):
            return Root(arrange(base))
        if exponent.is_Integer:
            return Power(arrange(base), Number(Fraction(int(exponent))))
        raise SpecError(
            f"unsupported function: the power {exponent} of '{base}'",
            fix="use integer powers and sqrt, and name each with a Let",
        )
    return power(arrange(base), arrange(exponent))


def _call(expr: sympy.Function) -> Node:
    if expr.func.__name__ not in FUNCTIONS:
        raise _unsupported(expr)
    args = [arrange(a) for a in expr.args]
    commutes = isinstance(expr, sympy.Max | sympy.Min)
    return Call(expr.func.__name__, ordered(args) if commutes else tuple(args))


def _piecewise(expr: sympy.Piecewise) -> Node:
    if expr.args[-1].cond != sympy.true:
        raise SpecError(
            f"'{expr}' has no value when none of its conditions holds",
            fix="end it with a branch (value, True)",
        )
    return Choice(tuple((arrange(b.expr), _condition(b.cond)) for b in expr.args))


def _condition(expr: sympy.Basic) -> Node:
    if isinstance(expr, sympy.Symbol):
        raise SpecError(
            f"'{expr}' is a number, not a condition", fix=f"compare it, for example {expr} > 0"
        )
    return arrange(expr)


_OPERATORS = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def _relation(expr: Relational) -> Node:
    return Relation(_OPERATORS[expr.rel_op], arrange(expr.lhs), arrange(expr.rhs))


def _logic(expr: sympy.Basic) -> Node:
    return Logic(expr.func.__name__, ordered(_condition(a) for a in expr.args))


_READERS: tuple[tuple[tuple[type, ...], Callable[..., Node]], ...] = (
    ((sympy.Symbol,), lambda e: Name(e.name)),
    ((sympy.Rational,), _number),
    ((sympy.Float,), _float),
    ((sympy.Add,), _sum),
    ((sympy.Mul,), _product),
    ((sympy.Pow,), _power),
    ((sympy.Piecewise,), _piecewise),
    ((sympy.Function, sympy.Max, sympy.Min), _call),
    ((Relational,), _relation),
    ((BooleanTrue,), lambda e: TRUE),
    ((BooleanFalse,), lambda e: Logic("Or", ())),
    ((sympy.And, sympy.Or, sympy.Not), _logic),
)


def names(node: Node) -> frozenset[str]:
    """Return the names that a node reads."""
    if isinstance(node, Name):
        return frozenset((node.name,))
    return frozenset().union(*(names(child) for child in children(node)))


def children(node: Node) -> tuple[Node, ...]:
    """Return the operands of a node, in order."""
    match node:
        case Number() | Name():
            return ()
        case Sum(terms):
            return terms
        case Product(_, numerators, denominators):
            return (*numerators, *denominators)
        case Power(base, exponent):
            return (base, exponent)
        case Root(value):
            return (value,)
        case Call(_, args) | Logic(_, args):
            return args
        case Relation(_, left, right):
            return (left, right)
        case Choice(branches):
            return tuple(n for branch in branches for n in branch)
