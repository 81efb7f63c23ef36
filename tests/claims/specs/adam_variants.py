"""Adam and its relatives in the forms in which libraries, blogs and bug reports write them."""

from dataclasses import replace

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Abs,
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
    max_exp_avg_sq,
    param,
    sqrt,
    square_avg,
    step,
    symbol,
    weight_decay,
)

LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
BETA1 = Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept")
BETA2 = Hyperparameter(beta2, "0.999", "[0, 1)", "share of exp_avg_sq that is kept")
EPS = Hyperparameter(eps, "1e-8", "[0, oo)", "added outside the square root")
DECAY = Hyperparameter(weight_decay, "1e-2", "[0, oo)", "decay per step is lr*weight_decay")
M = StateBuffer(exp_avg, doc="moving mean of gradients")
V = StateBuffer(exp_avg_sq, domain="[0, oo)", doc="moving mean of squared gradients")
MOMENTS = (
    Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
    Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
)
CORRECTIONS = (Let(bias_correction1, 1 - beta1**step), Let(bias_correction2, 1 - beta2**step))
step_size, root, root2, quotient = map(symbol, ("step_size", "root", "root2", "quotient"))
mean_hat, square_hat, shrunk = map(symbol, ("mean_hat", "square_hat", "shrunk"))
both, gap, largest = map(symbol, ("both", "gap", "largest"))

adamw_torch = OptimizerSpec(
    name="adamw_torch",
    summary="AdamW factored as torch computes it.",
    hyperparameters=(LR, BETA1, BETA2, EPS, DECAY),
    state=(M, V),
    rule=(
        Let(shrunk, 1 - lr * weight_decay),
        Set(param, param * shrunk),
        *MOMENTS,
        *CORRECTIONS,
        Let(step_size, lr / bias_correction1),
        Let(root, sqrt(exp_avg_sq)),
        Let(root2, sqrt(bias_correction2)),
        Let(quotient, root / root2),
        Let(denom, quotient + eps),
        Set(param, param - step_size * exp_avg / denom),
    ),
)

adam_eps_not_rescaled = OptimizerSpec(
    name="adam_eps_not_rescaled",
    summary="Adam with both corrections moved into the step size, and eps left as it is.",
    hyperparameters=(LR, BETA1, BETA2, EPS),
    state=(M, V),
    rule=(
        *MOMENTS,
        *CORRECTIONS,
        Let(root2, sqrt(bias_correction2)),
        Let(step_size, lr * root2 / bias_correction1),
        Let(root, sqrt(exp_avg_sq)),
        Let(denom, root + eps),
        Set(param, param - step_size * exp_avg / denom),
    ),
)

adam_eps_rescaled = replace(
    adam_eps_not_rescaled,
    name="adam_eps_rescaled",
    full_name="adam_eps_rescaled",
    family="adam_eps_rescaled",
    summary="Adam with both corrections moved into the step size, and eps rescaled to match.",
    rule=(
        *adam_eps_not_rescaled.rule[:-2],
        Let(denom, root + eps * root2),
        Set(param, param - step_size * exp_avg / denom),
    ),
)

adam_eps_inside = OptimizerSpec(
    name="adam_eps_inside",
    summary="Adam with eps inside the square root.",
    hyperparameters=(LR, BETA1, BETA2, EPS),
    state=(M, V),
    rule=(
        *MOMENTS,
        *CORRECTIONS,
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat + eps)),
        Set(param, param - lr * mean_hat / denom),
    ),
)

adam_off_by_one = OptimizerSpec(
    name="adam_off_by_one",
    summary="Adam whose bias correction is one step ahead.",
    hyperparameters=(LR, BETA1, BETA2, EPS),
    state=(M, V),
    rule=(
        *MOMENTS,
        Let(bias_correction1, 1 - beta1 ** (step + 1)),
        Let(bias_correction2, 1 - beta2 ** (step + 1)),
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Set(param, param - lr * mean_hat / denom),
    ),
)

adam_lerp = OptimizerSpec(
    name="adam_lerp",
    summary="Adam with its moments written as interpolations.",
    hyperparameters=(LR, BETA1, BETA2, EPS),
    state=(M, V),
    rule=(
        Set(exp_avg, exp_avg + (1 - beta1) * (grad - exp_avg)),
        Set(exp_avg_sq, exp_avg_sq + (1 - beta2) * (grad**2 - exp_avg_sq)),
        *CORRECTIONS,
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Set(param, param - lr * mean_hat / denom),
    ),
)

rmsprop_bc = OptimizerSpec(
    name="rmsprop_bc",
    summary="RMSprop with bias correction.",
    hyperparameters=(LR, BETA2, EPS),
    state=(StateBuffer(square_avg, domain="[0, oo)", doc="moving mean of squared gradients"),),
    rule=(
        Set(square_avg, beta2 * square_avg + (1 - beta2) * grad**2),
        Let(bias_correction2, 1 - beta2**step),
        Let(square_hat, square_avg / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Set(param, param - lr * grad / denom),
    ),
)

amsgrad_abs = OptimizerSpec(
    name="amsgrad_abs",
    summary="AMSGrad with its maximum written by absolute values.",
    hyperparameters=(LR, BETA1, BETA2, EPS),
    state=(
        M,
        V,
        StateBuffer(max_exp_avg_sq, domain="[0, oo)", doc="largest exp_avg_sq so far"),
    ),
    rule=(
        *MOMENTS,
        Let(both, max_exp_avg_sq + exp_avg_sq),
        Let(gap, Abs(exp_avg_sq - max_exp_avg_sq)),
        Let(largest, both + gap),
        Set(max_exp_avg_sq, largest / 2),
        *CORRECTIONS,
        Let(mean_hat, exp_avg / bias_correction1),
        Let(square_hat, max_exp_avg_sq / bias_correction2),
        Let(denom, sqrt(square_hat) + eps),
        Set(param, param - lr * mean_hat / denom),
    ),
)
