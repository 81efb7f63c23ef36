"""A rule that nobody should train with: it holds every operation that a rule may hold."""

from sympy import And, Ne, Not, Or

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import (
    Abs,
    Max,
    Min,
    Piecewise,
    Rational,
    beta1,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    max_exp_avg_sq,
    mean,
    mu_product,
    norm,
    param,
    sign,
    sqrt,
    square_avg,
    step,
    symbol,
)

hessian = symbol("hessian")
ratio, chosen, limited = symbol("ratio"), symbol("chosen"), symbol("limited")
x, root_sum, scaled = symbol("x"), symbol("root_sum"), symbol("scaled")
param_norm, grad_mean = symbol("param_norm"), symbol("grad_mean")

everything = OptimizerSpec(
    name="everything:sample",
    summary="Every operation once: 100% of them & more.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3", "[0, oo)", "step size"),
        Hyperparameter(beta1, "0.9", "[0, 1)", "share that is kept"),
        Hyperparameter(eps, "1e-8", "[0, oo)"),
    ),
    state=(
        StateBuffer(mu_product, initial="1/3", shape="scalar", doc="a product"),
        StateBuffer(exp_avg, doc="a mean_of things"),
        StateBuffer(exp_avg_sq, domain="[0, oo)"),
        StateBuffer(square_avg, domain="[0, oo)"),
        StateBuffer(max_exp_avg_sq, domain="[0, oo)"),
    ),
    inputs=(hessian,),
    query=param - lr * exp_avg,
    rule=(
        Set(mu_product, mu_product * (1 - Rational("0.96") ** (step + 1) / 2)),
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
        Set(exp_avg_sq, beta1 * exp_avg_sq + hessian**2),
        Set(square_avg, square_avg - 2 * grad / 3 - hessian),
        Set(max_exp_avg_sq, Max(max_exp_avg_sq, exp_avg_sq)),
        Let(x, Abs(grad) - sign(exp_avg)),
        Let(root_sum, sqrt(square_avg) + eps),
        Let(scaled, root_sum**2 / (max_exp_avg_sq**2 * (1 + x)), doc="a square"),
        Let(param_norm, norm(param)),
        Let(grad_mean, mean(grad)),
        Let(ratio, param_norm / grad_mean),
        Let(limited, Min(Max(scaled, -x), x, 1)),
        Let(
            chosen,
            Piecewise(
                (ratio, And(ratio > 0, Or(x <= 1, Ne(x, 2)))),
                (limited / ratio, Not(And(x > 1, ratio > 2))),
                (-x - 1, x >= 3),
                (0, True),
            ),
        ),
        Set(param, param - lr * mu_product * chosen * sqrt(exp_avg_sq) / 3),
    ),
    choices=(("decay", "none"), ("decay", "of a kind")),
    references=(Reference("A <paper>", "https://example.org/a?b=1&c=2", 2020, "eq. 1"),),
    notes=("A note.",),
)
