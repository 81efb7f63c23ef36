"""The only place that makes sympy symbols and the functions that rules may use.

Spelling follows torch. Every symbol is `real=True` and nothing more: the domain
of a hyperparameter or state is data of the spec (`optgen.domains`), not a sympy
assumption, since sympy rewrites roots and powers of symbols that it believes to
be positive. `step` is a positive integer: the number of the update, 1 for the
first.
"""

from __future__ import annotations

import sympy
from sympy import Abs, Eq, Max, Min, Piecewise, Rational, Symbol, sign, sqrt

__all__ = [
    "Abs",
    "Eq",
    "Max",
    "Min",
    "Piecewise",
    "Rational",
    "Symbol",
    "alpha",
    "beta1",
    "beta2",
    "bias_correction1",
    "bias_correction2",
    "clip",
    "dampening",
    "denom",
    "eps",
    "exp_avg",
    "exp_avg_sq",
    "grad",
    "grad_avg",
    "grad_sum",
    "lerp",
    "lr",
    "lr_decay",
    "max_exp_avg_sq",
    "mean",
    "momentum",
    "momentum_buffer",
    "momentum_decay",
    "mu_product",
    "norm",
    "param",
    "sign",
    "sqrt",
    "square_avg",
    "step",
    "symbol",
    "trust_ratio",
    "update",
    "weight_decay",
]


def symbol(name: str) -> Symbol:
    """Return the symbol of this name; the same name always gives the same symbol.

    Args:
        name: Torch's spelling where torch has the quantity.
    """
    if name == "step":
        return Symbol("step", integer=True, positive=True)
    return Symbol(name, real=True)


param, grad, step = symbol("param"), symbol("grad"), symbol("step")
lr, lr_decay, momentum, dampening = map(symbol, ("lr", "lr_decay", "momentum", "dampening"))
alpha, beta1, beta2, eps = map(symbol, ("alpha", "beta1", "beta2", "eps"))
weight_decay, momentum_decay = symbol("weight_decay"), symbol("momentum_decay")
exp_avg, exp_avg_sq, max_exp_avg_sq = map(symbol, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"))
momentum_buffer, square_avg, grad_avg = map(symbol, ("momentum_buffer", "square_avg", "grad_avg"))
grad_sum, mu_product = symbol("sum"), symbol("mu_product")
bias_correction1, bias_correction2 = symbol("bias_correction1"), symbol("bias_correction2")
denom, update, trust_ratio = symbol("denom"), symbol("update"), symbol("trust_ratio")


class _Reduction(sympy.Function):
    """A sum over the elements of one tensor, seen by sympy as an opaque real function."""

    nargs = 1
    is_real = True
    is_extended_real = True


class norm(_Reduction):
    """Euclidean norm over all elements of one tensor: `sqrt(sum(x**2))`.

    Its derivative is the element-wise gradient `x / norm(x)`, which is how the
    `l2` modifier gets `weight_decay * param` from `weight_decay/2 * norm(param)**2`.
    """

    is_nonnegative = True

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return d norm(x) / d x for one element of x."""
        return self.args[0] / self


class mean(_Reduction):
    """Arithmetic mean over all elements of one tensor."""


REDUCTIONS: tuple[type[sympy.Function], ...] = (norm, mean)


def lerp(start: sympy.Expr, end: sympy.Expr, weight: sympy.Expr) -> sympy.Expr:
    """Return `start + weight*(end - start)`, torch's lerp."""
    return start + weight * (end - start)


def clip(value: sympy.Expr, low: sympy.Expr, high: sympy.Expr) -> sympy.Expr:
    """Return `value` limited to [low, high]: `Min(Max(value, low), high)`."""
    return Min(Max(value, low), high)
