"""The order of operands: by declaration, host scalars first in products and last in sums."""

from itertools import permutations

import pytest
import sympy

from optgen.arithmetic import Product, Sum, arrange
from optgen.loader import load_catalogue
from optgen.notation.text import expression, rule_lines
from optgen.order import Order
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    beta1,
    eps,
    exp_avg,
    grad,
    lr,
    norm,
    param,
    sqrt,
    step,
    trust_ratio,
    update,
)

SPEC = OptimizerSpec(
    name="rule",
    summary="A rule.",
    hyperparameters=(Hyperparameter(lr, "1"), Hyperparameter(beta1, "1"), Hyperparameter(eps, "1")),
    state=(StateBuffer(exp_avg),),
    rule=(
        Set(exp_avg, beta1 * exp_avg + grad),
        Let(update, exp_avg + eps),
        Let(trust_ratio, norm(update)),
        Set(param, param - lr * trust_ratio * update),
    ),
)


@pytest.fixture(scope="module")
def order() -> Order:
    return Order.of(SPEC)


def test_names_rank_in_order_of_declaration(order: Order) -> None:
    assert sorted(order.ranks, key=order.ranks.__getitem__) == [
        *("param", "exp_avg", "grad", "step", "lr", "beta1", "eps", "update", "trust_ratio")
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (update * trust_ratio * lr, "lr*trust_ratio*update"),  # host, tensor, element
        (grad * param * eps * beta1, "beta1*eps*param*grad"),
        (grad * (1 - beta1), "(1 - beta1)*grad"),
        (grad * step * 2, "2*step*grad"),
        (param / (grad * lr), "param/(lr*grad)"),
        (lr + grad + param, "param + grad + lr"),
        (eps + sqrt(exp_avg), "sqrt(exp_avg) + eps"),
        (1 + lr + grad, "grad + 1 + lr"),
        (1 - beta1**step, "1 - beta1**step"),
        (grad - param, "grad - param"),
        (grad - 1, "grad - 1"),
        (exp_avg * beta1 + (1 - beta1) * grad, "beta1*exp_avg + (1 - beta1)*grad"),
        (param - lr * grad, "param - lr*grad"),
        (-param - grad, "-param - grad"),
    ],
    ids=str,
)
def test_operands_in_order(value: sympy.Expr, text: str, order: Order) -> None:
    assert expression(arrange(value), order) == text


def test_order_does_not_depend_on_how_an_expression_is_put_together(order: Order) -> None:
    parts = [arrange(p) for p in (lr * grad, param, eps, -exp_avg, norm(update))]
    assert len({order.terms(p) for p in permutations(parts)}) == 1
    assert len({order.factors(p) for p in permutations(parts)}) == 1


def test_nothing_is_lost_or_added() -> None:
    def check(node: object, order: Order) -> None:
        if isinstance(node, Sum):
            assert sorted(map(repr, order.terms(node.terms))) == sorted(map(repr, node.terms))
        if isinstance(node, Product):
            found = order.factors(node.numerators)
            assert sorted(map(repr, found)) == sorted(map(repr, node.numerators))

    for spec in load_catalogue().values():
        order = Order.of(spec)
        for assignment in spec.rule:
            check(arrange(assignment.value), order)


def test_a_rule_that_is_printed_has_the_same_value_when_it_is_read() -> None:
    for spec in load_catalogue().values():
        symbols = {s.name: s for a in spec.rule for s in (*a.value.free_symbols, a.target)}
        lines = zip(spec.rule, rule_lines(spec), strict=True)
        for assignment, line in lines:
            text = line.partition(" <- " if isinstance(assignment, Set) else " = ")[2]
            if " if " in text:
                continue  # Python would have to decide about a symbol
            namespace = {"sqrt": sqrt, "sign": sympy.sign, "max": sympy.Max, "norm": norm}
            value = sympy.nsimplify(eval(text, {**namespace, **symbols}), rational=True)
            assert sympy.expand(value - assignment.value) == 0, line
