"""NAdam in the forms of torch, optax, timm and of a bug."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Rational,
    beta1,
    beta2,
    bias_correction1,
    bias_correction2,
    denom,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    momentum_decay,
    mu_product,
    param,
    sqrt,
    step,
    symbol,
    update,
)

ADAM = (
    Hyperparameter(lr, "2e-3", "[0, oo)", "step size"),
    Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept"),
    Hyperparameter(beta2, "0.999", "[0, 1)", "share of exp_avg_sq that is kept"),
    Hyperparameter(eps, "1e-8", "[0, oo)", "added outside the square root"),
)
STATE = (
    StateBuffer(exp_avg, doc="moving mean of gradients"),
    StateBuffer(exp_avg_sq, domain="[0, oo)", doc="moving mean of squared gradients"),
)
MOMENTS = (
    Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
    Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
)
square_hat, next_correction, ahead, now = map(
    symbol, ("square_hat", "next_correction", "ahead", "now")
)
mu, mu_next, grad_part, exp_avg_part = map(symbol, ("mu", "mu_next", "grad_part", "exp_avg_part"))
ROOT = (
    Let(bias_correction2, 1 - beta2**step),
    Let(square_hat, exp_avg_sq / bias_correction2),
    Let(denom, sqrt(square_hat) + eps),
)

nadam_optax = OptimizerSpec(
    name="nadam_optax",
    summary="NAdam without a momentum schedule, as optax has it.",
    hyperparameters=ADAM,
    state=STATE,
    rule=(
        *MOMENTS,
        *ROOT,
        Let(bias_correction1, 1 - beta1**step),
        Let(next_correction, 1 - beta1 ** (step + 1)),
        Let(ahead, beta1 * exp_avg / next_correction),
        Let(now, (1 - beta1) * grad / bias_correction1),
        Let(update, ahead + now),
        Set(param, param - lr * update / denom),
    ),
)

nadam_timm = OptimizerSpec(
    name="nadam_timm",
    summary="NAdam with every correction taken at the same step, as timm's NAdamW has it.",
    hyperparameters=ADAM,
    state=STATE,
    rule=(
        *MOMENTS,
        *ROOT,
        Let(bias_correction1, 1 - beta1**step),
        Let(update, beta1 * exp_avg + (1 - beta1) * grad),
        Let(ahead, update / bias_correction1),
        Set(param, param - lr * ahead / denom),
    ),
)

nadam_mu_twice = OptimizerSpec(
    name="nadam_mu_twice",
    summary="torch's NAdam with mu multiplied into mu_product twice at each step.",
    hyperparameters=(
        *ADAM,
        Hyperparameter(momentum_decay, "4e-3", "[0, oo)", "how fast mu rises towards beta1"),
    ),
    state=(
        StateBuffer(
            mu_product, initial=1, shape="scalar", domain="[0, 1]", doc="product of all mu so far"
        ),
        *STATE,
    ),
    rule=(
        Let(mu, beta1 * (1 - Rational("0.96") ** (step * momentum_decay) / 2)),
        Let(mu_next, beta1 * (1 - Rational("0.96") ** ((step + 1) * momentum_decay) / 2)),
        Set(mu_product, mu_product * mu**2),
        *MOMENTS,
        *ROOT,
        Let(grad_part, (1 - mu) / (1 - mu_product)),
        Let(exp_avg_part, mu_next / (1 - mu_product * mu_next)),
        Let(update, grad_part * grad + exp_avg_part * exp_avg),
        Set(param, param - lr * update / denom),
    ),
)
