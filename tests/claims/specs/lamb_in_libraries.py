"""LAMB as libraries have it besides the paper's form."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Min,
    Piecewise,
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
    norm,
    param,
    sqrt,
    step,
    symbol,
    trust_ratio,
    update,
    weight_decay,
)

param_norm, update_norm, clamped = map(symbol, ("param_norm", "update_norm", "clamped"))
mean_hat, square_hat = map(symbol, ("mean_hat", "square_hat"))
HYPERPARAMETERS = (
    Hyperparameter(lr, "1e-3", "[0, oo)", "step size"),
    Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept"),
    Hyperparameter(beta2, "0.999", "[0, 1)", "share of exp_avg_sq that is kept"),
    Hyperparameter(eps, "1e-6", "[0, oo)", "added outside the square root"),
    Hyperparameter(weight_decay, "1e-2", "[0, oo)", "decay"),
)
STATE = (
    StateBuffer(exp_avg, doc="moving mean of gradients"),
    StateBuffer(exp_avg_sq, domain="[0, oo)", doc="moving mean of squared gradients"),
)
MOMENTS = (
    Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
    Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
)

lamb_uncorrected = OptimizerSpec(
    name="lamb_uncorrected",
    summary="LAMB without bias correction, as the paper's first code and its ports have it.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        *MOMENTS,
        Let(denom, sqrt(exp_avg_sq) + eps),
        Let(update, exp_avg / denom + weight_decay * param),
        Let(param_norm, norm(param)),
        Let(update_norm, norm(update)),
        Let(
            trust_ratio,
            Piecewise((param_norm / update_norm, (param_norm > 0) & (update_norm > 0)), (1, True)),
        ),
        Set(param, param - lr * trust_ratio * update),
    ),
)

lamb_clamped = OptimizerSpec(
    name="lamb_clamped",
    summary="LAMB whose norm of the parameter counts up to 10.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        *MOMENTS,
        Let(bias_correction1, 1 - beta1**step),
        Let(bias_correction2, 1 - beta2**step),
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Let(update, mean_hat / denom + weight_decay * param),
        Let(param_norm, norm(param)),
        Let(clamped, Min(param_norm, 10)),
        Let(update_norm, norm(update)),
        Let(
            trust_ratio,
            Piecewise((clamped / update_norm, (clamped > 0) & (update_norm > 0)), (1, True)),
        ),
        Set(param, param - lr * trust_ratio * update),
    ),
)
