"""Reading sympy expressions as arithmetic in a definite grouping."""

import operator
from collections.abc import Mapping
from fractions import Fraction
from math import isqrt

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from optgen.arithmetic import (
    FUNCTIONS,
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
    children,
    names,
    ordered,
    product,
)
from optgen.errors import SpecError
from optgen.symbols import (
    Abs,
    Eq,
    Max,
    Min,
    Piecewise,
    Rational,
    beta1,
    exp_avg,
    grad,
    lr,
    mean,
    norm,
    param,
    sign,
    sqrt,
    step,
)

ONE, TWO = Fraction(1), Fraction(2)
LR, GRAD, PARAM, STEP = Name("lr"), Name("grad"), Name("param"), Name("step")
BETA1 = Name("beta1")


@pytest.mark.parametrize(
    ("expression", "node"),
    [
        (sympy.Integer(3), Number(Fraction(3))),
        (Rational("0.1"), Number(Fraction(1, 10))),
        (grad, GRAD),
        (grad + 1, Sum(ordered((GRAD, Number(ONE))))),
        (param - grad, Sum(ordered((PARAM, Product(-ONE, (GRAD,), ()))))),
        (lr * grad, Product(ONE, (GRAD, LR), ())),
        (2 * grad, Product(TWO, (GRAD,), ())),
        (grad / 3, Product(Fraction(1, 3), (GRAD,), ())),
        (-grad / lr, Product(-ONE, (GRAD,), (LR,))),
        (1 / lr, Product(ONE, (), (LR,))),
        (lr / grad**2, Product(ONE, (LR,), (Power(GRAD, Number(TWO)),))),
        (1 / sqrt(lr), Product(ONE, (), (Root(LR),))),
        (grad**3, Power(GRAD, Number(Fraction(3)))),
        (beta1**step, Power(BETA1, STEP)),
        (beta1 ** (step + 1), Power(BETA1, Sum(ordered((STEP, Number(ONE)))))),
        (sqrt(grad), Root(GRAD)),
        (sqrt(grad + lr), Root(Sum(ordered((GRAD, LR))))),
        (Abs(grad), Call("Abs", (GRAD,))),
        (sign(grad), Call("sign", (GRAD,))),
        (Max(grad, lr), Call("Max", (GRAD, LR))),
        (Min(lr, grad), Call("Min", (GRAD, LR))),
        (norm(param), Call("norm", (PARAM,))),
        (mean(param), Call("mean", (PARAM,))),
        (
            Piecewise((grad, grad > 0), (lr, True)),
            Choice(((GRAD, Relation(">", GRAD, Number(Fraction(0)))), (LR, TRUE))),
        ),
        (
            Piecewise((1, (grad >= 0) & Eq(step, 1)), (2, ~Eq(lr, 0) | (grad < lr)), (3, True)),
            Choice(
                (
                    (
                        Number(ONE),
                        Logic(
                            "And",
                            ordered(
                                (
                                    Relation(">=", GRAD, Number(Fraction(0))),
                                    Relation("==", STEP, Number(ONE)),
                                )
                            ),
                        ),
                    ),
                    (
                        Number(TWO),
                        Logic(
                            "Or",
                            ordered(
                                (
                                    Relation("!=", LR, Number(Fraction(0))),
                                    Relation("<", GRAD, LR),
                                )
                            ),
                        ),
                    ),
                    (Number(Fraction(3)), TRUE),
                )
            ),
        ),
        (sympy.true, TRUE),
        (sympy.false, Logic("Or", ())),
    ],
    ids=str,
)
def test_every_kind_of_node(expression: sympy.Basic, node: Node) -> None:
    assert arrange(expression) == node


def test_every_kind_is_met_above() -> None:
    kinds = {Number, Name, Sum, Product, Power, Root, Call, Choice, Relation, Logic}
    assert kinds == set(Node.__args__)
    assert FUNCTIONS == ("Abs", "Max", "Min", "sign", "norm", "mean")


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        (sympy.exp(grad), "unsupported function 'exp' in 'exp(grad)'"),
        (lr * sympy.log(grad), "unsupported function 'log' in 'log(grad)'"),
        (sympy.floor(grad), "unsupported function 'floor' in 'floor(grad)'"),
        (sympy.Function("f")(grad), "unsupported function 'f' in 'f(grad)'"),
        (sympy.Float(0.5) * grad, "the constant 0.5 is a rounded binary number"),
        (sympy.pi * grad, "the constant 'pi' is not rational"),
        (sympy.E + grad, "the constant 'E' is not rational"),
        (sympy.I * grad, "the square root of a negative constant"),
        (grad / sympy.Integer(0), "a division by the constant 0"),
        (sympy.nan, "a division by the constant 0"),
        (grad * sympy.oo, "the constant infinity"),
        (grad - sympy.oo, "the constant infinity"),
        (grad ** Rational(1, 3), "unsupported function: the power 1/3 of 'grad'"),
        (Piecewise((1, grad > 0)), "'Piecewise((1, grad > 0))' has no value"),
        (Piecewise((1, grad), (2, True)), "'grad' is a number, not a condition"),
        (Piecewise((1, (lr > 0) & grad), (2, True)), "'grad' is a number, not a condition"),
        (sympy.Matrix([[grad]]), "unsupported function"),
        (sympy.Tuple(grad), "unsupported function 'Tuple'"),
    ],
    ids=str,
)
def test_what_rules_may_not_use_is_refused(expression: sympy.Basic, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        arrange(sympy.sympify(expression))
    assert caught.value.what.startswith(what)
    assert caught.value.fix


def test_product_has_one_normal_form() -> None:
    assert product(ONE, (GRAD,)) == GRAD
    assert product(TWO, ()) == Number(TWO)
    assert product(ONE, (Number(TWO), GRAD), (Number(Fraction(4)),)) == Product(
        Fraction(1, 2), (GRAD,), ()
    )
    assert product(ONE, (GRAD, LR)) == product(ONE, (LR, GRAD))
    assert product(-ONE, (product(TWO, (GRAD,), (LR,)),)) == Product(-TWO, (GRAD,), (LR,))


def test_grouped_product_stays_grouped() -> None:
    quotient = product(ONE, (GRAD,), (LR,))
    assert product(ONE, (PARAM, quotient)) != arrange(param * grad / lr)


@pytest.mark.parametrize(
    ("expression", "base", "exponent"),
    [
        (Rational(24, 25) ** lr, Fraction(24, 25), lr),
        (Rational(25, 24) ** (-lr), Fraction(24, 25), lr),
        (Rational(25, 24) ** lr, Fraction(25, 24), lr),
        (sympy.Integer(3) ** lr, Fraction(3), lr),
        (sympy.Integer(2) ** (-step), Fraction(1, 2), step),
        (Rational(24, 25) ** (lr + 1), Fraction(24, 25), lr + 1),
        (Rational(25, 24) ** (-lr - 1), Fraction(24, 25), lr + 1),
        (Rational(25, 24) ** (1 - lr), Fraction(24, 25), lr - 1),
        (Rational(24, 25) ** (lr - 1), Fraction(24, 25), lr - 1),
        (Rational(25, 24) ** (-lr * (step + 1)), Fraction(24, 25), lr * (step + 1)),
    ],
    ids=str,
)
def test_a_rational_base_has_one_form_in_every_sympy(
    expression: sympy.Expr, base: Fraction, exponent: sympy.Expr
) -> None:
    assert arrange(expression) == Power(Number(base), arrange(exponent))
    # in a product, sympy 1.13 turns a base below 1 over
    assert arrange(expression * grad) == product(ONE, (GRAD, arrange(expression)))


def test_names_and_children() -> None:
    node = arrange(Piecewise((lr * grad / norm(param), beta1**step > 0), (sqrt(exp_avg), True)))
    assert names(node) == {"lr", "grad", "param", "beta1", "step", "exp_avg"}
    assert children(Number(ONE)) == ()
    assert children(Product(ONE, (LR,), (GRAD,))) == (LR, GRAD)
    assert children(Choice(((LR, TRUE),))) == (LR, TRUE)


def test_nodes_hash_and_do_not_depend_on_sympys_order() -> None:
    forwards, backwards = arrange(lr + grad + param), arrange(param + grad + lr)
    assert hash(forwards) == hash(backwards)
    assert repr(forwards) == repr(backwards)


# --- what is arranged has the value that sympy gives -------------------------

_RELATIONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def exact_root(value: Fraction) -> Fraction:
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    assert root**2 == value
    return root


def evaluate(node: Node, at: Mapping[str, Fraction]) -> Fraction | bool:
    """Compute a node over exact fractions, from the meaning that its docstring gives."""
    match node:
        case Number(value):
            return value
        case Name(name):
            return at[name]
        case Sum(terms):
            return sum((evaluate(t, at) for t in terms), Fraction(0))
        case Product(coefficient, numerators, denominators):
            for numerator in numerators:
                coefficient *= evaluate(numerator, at)
            for denominator in denominators:
                coefficient /= evaluate(denominator, at)
            return coefficient
        case Power(base, exponent):
            return evaluate(base, at) ** int(evaluate(exponent, at))
        case Root(value):
            return exact_root(Fraction(evaluate(value, at)))
        case Call("Abs", (value,)):
            return abs(evaluate(value, at))
        case Call("sign", (value,)):
            inner = evaluate(value, at)
            return Fraction((inner > 0) - (inner < 0))
        case Call("Max", args):
            return max(evaluate(a, at) for a in args)
        case Call("Min", args):
            return min(evaluate(a, at) for a in args)
        case Relation(symbol, left, right):
            return _RELATIONS[symbol](evaluate(left, at), evaluate(right, at))
        case Logic("And", args):
            return all(evaluate(a, at) for a in args)
        case Logic("Or", args):
            return any(evaluate(a, at) for a in args)
        case Logic("Not", (value,)):
            return not evaluate(value, at)
        case Choice(branches):
            return next(evaluate(v, at) for v, condition in branches if evaluate(condition, at))
    raise AssertionError(node)


leaves = st.sampled_from([param, grad, lr, beta1]) | st.builds(
    sympy.Rational, st.integers(-4, 4), st.integers(1, 4)
)


def grow(inner: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
    pairs = st.tuples(inner, inner)
    conditions = pairs.map(lambda p: p[0] < p[1]) | st.tuples(pairs, pairs).map(
        lambda q: (q[0][0] >= q[0][1]) & sympy.Ne(q[1][0], q[1][1])
    )
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / (p[1] ** 2 + 1)),
        inner.map(lambda e: e**3),
        inner.map(lambda e: sqrt(e**4)),
        inner.map(sign),
        inner.map(Abs),
        pairs.map(lambda p: Max(*p)),
        pairs.map(lambda p: Min(*p)),
        st.tuples(inner, conditions, inner).map(
            lambda t: Piecewise((t[0], t[1]), (t[2], True)) if t[1] != sympy.false else t[2]
        ),
    )


expressions = st.recursive(leaves, grow, max_leaves=6)
values = st.fractions(min_value=-3, max_value=3, max_denominator=5)


@settings(max_examples=150, deadline=None)
@given(expressions, st.tuples(values, values, values, values))
def test_arranged_expression_has_the_value_that_sympy_gives(
    expression: sympy.Expr, at: tuple[Fraction, ...]
) -> None:
    symbols = (param, grad, lr, beta1)
    exact = {
        s: sympy.Rational(v.numerator, v.denominator) for s, v in zip(symbols, at, strict=True)
    }
    named = {s.name: v for s, v in zip(symbols, at, strict=True)}
    wanted = expression.subs(exact, simultaneous=True)
    assert wanted.is_Rational
    assert evaluate(arrange(expression), named) == Fraction(int(wanted.p), int(wanted.q))
