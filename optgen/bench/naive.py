"""A rule as a textbook would write it in NumPy: one expression per line, on whole arrays.

Every operation makes a temporary as large as the parameter. That is what generated kernels
are measured against; its roundings are NumPy's own, so bits are not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from optgen.arithmetic import (
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
    product,
)
from optgen.errors import UsageError
from optgen.order import Order
from optgen.roles import Role
from optgen.spec import OptimizerSpec, Set
from optgen.symbols import param

_FUNCTIONS = {
    "Abs": "np.abs({})", "sign": "np.sign({})", "Max": "np.maximum({}, {})",
    "Min": "np.minimum({}, {})", "norm": "np.sqrt(np.sum(np.square({})))", "mean": "np.mean({})",
}  # fmt: skip


def naive_step(spec: OptimizerSpec) -> Callable[..., None]:
    """Return `step(param, grad, state, **hyperparameters)`, which updates one tensor in place.

    `state` is what `init(param)` of the rule's generated module returns; hyperparameters that
    are not given have the rule's defaults. The function's text is its `__doc__`.

    Raises:
        UsageError: The rule takes its gradient elsewhere or needs more than the gradient.
    """
    text = naive_text(spec)
    names: dict[str, Any] = {"np": np}
    exec(compile(text, f"<naive {spec.name}>", "exec"), names)
    step: Callable[..., None] = names["step"]
    step.__doc__ = text
    return step


def naive_text(spec: OptimizerSpec) -> str:
    """Return the text of `naive_step`'s function.

    Raises:
        UsageError: The rule takes its gradient elsewhere or needs more than the gradient.
    """
    if spec.inputs or spec.query != param:
        raise UsageError(f"{spec.name} needs more than the gradient at the parameter")
    order = Order.of(spec)
    chosen = "".join(f", {h.name}={float(Fraction(h.default))!r}" for h in spec.hyperparameters)
    lines = [
        f"def step(param, grad, state{', *' if chosen else ''}{chosen}):",
        '    state["step"] += 1',
        '    step = int(state["step"])',
    ]
    for held in spec.state:
        read = 'float(state["{}"])' if held.shape == "scalar" else 'state["{}"]'
        lines.append(f"    {held.name} = {read.format(held.name)}")
    states = {held.name for held in spec.state}
    for assignment in spec.rule:
        value = _text(arrange(assignment.value), order)
        lines.append(f"    {assignment.name} = {value}")
        if isinstance(assignment, Set) and assignment.name in states:
            lines.append(f'    state["{assignment.name}"][...] = {assignment.name}')
    # `param` names the new array by now: the one that was given is written once, at the end
    lines[0] = lines[0].replace("(param,", "(given,")
    lines.insert(1, "    param = given")
    lines.append("    given[...] = param")
    return "\n".join(lines) + "\n"


def _text(node: Node, order: Order) -> str:
    """Return an expression, every operand of an operation in parentheses unless it is a name."""

    def at(inner: Node) -> str:
        return _operand(inner, order)

    match node:
        case Number(value):
            return repr(value.numerator if value.denominator == 1 else float(value))
        case Name(name):
            return name
        case Sum(terms):
            return _sum(order.terms(terms), order)
        case Product(coefficient, numerators, denominators):
            above = [at(n) for n in order.factors(numerators)]
            size = abs(coefficient)
            if size != 1 or not above:
                above.insert(0, at(Number(size)))
            sign = "-" if coefficient < 0 else ""
            below = "*".join(at(n) for n in order.factors(denominators))
            divisor = f"/({below})" if len(denominators) > 1 else f"/{below}" if below else ""
            return sign + "*".join(above) + divisor
        case Power(base, exponent):
            return f"{at(base)}**{at(exponent)}"
        case Root(value):
            return f"np.sqrt({_text(value, order)})"
        case Call(function, (first, second, *rest)) if function in ("Max", "Min"):
            text = _FUNCTIONS[function].format(_text(first, order), _text(second, order))
            for more in rest:
                text = _FUNCTIONS[function].format(text, _text(more, order))
            return text
        case Call(function, args):
            return _FUNCTIONS[function].format(*(_text(a, order) for a in args))
        case Relation(operator, left, right):
            return f"{at(left)} {operator} {at(right)}"
        case Logic(operator, args):
            return _logic(operator, args, order)
        case Choice(branches):
            return _choice(branches, order)


def _operand(node: Node, order: Order) -> str:
    text = _text(node, order)
    plain = isinstance(node, Name | Call | Root) or text.replace(".", "").isalnum()
    return text if plain else f"({text})"


def _sum(terms: tuple[Node, ...], order: Order) -> str:
    text = ""
    for term in terms:
        negative = isinstance(term, Product) and term.coefficient < 0
        if negative and text:
            assert isinstance(term, Product)
            term = product(-term.coefficient, term.numerators, term.denominators)
        plain = isinstance(term, Product | Power)
        piece = _text(term, order) if plain else _operand(term, order)
        text += f" {'-' if negative else '+'} {piece}" if text else piece
    return text


def _logic(operator: str, args: tuple[Node, ...], order: Order) -> str:
    conditions = [f"({_text(a, order)})" for a in args]
    if operator == "Not":
        return f"np.logical_not({conditions[0]})"
    return (" & " if operator == "And" else " | ").join(conditions) or str(operator == "And")


def _choice(branches: tuple[tuple[Node, Node], ...], order: Order) -> str:
    text = f"({_text(branches[-1][0], order)})"
    for value, condition in reversed(branches[:-1]):
        yes, where = _text(value, order), _text(condition, order)
        if order.role(condition) is Role.ELEMENT:
            text = f"np.where({where}, {yes}, {text})"
        else:  # of one number for the tensor Python may ask
            text = f"(({yes}) if {where} else {text})"
    return text
