"""Rules whose states are multiples of those of a rule in the catalogue."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
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
    momentum,
    param,
    sqrt,
    step,
    symbol,
)

LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
velocity = symbol("velocity")
first, second, first_mean, second_mean = map(
    symbol, ("first_sum", "second_sum", "first_mean", "second_mean")
)

sutskever = OptimizerSpec(
    name="sutskever",
    summary="Momentum as a velocity that holds the step size.",
    hyperparameters=(
        LR,
        Hyperparameter(momentum, "0.9", "[0, 1)", "share of the velocity that is kept"),
    ),
    state=(StateBuffer(velocity, doc="the last step"),),
    rule=(
        Set(velocity, momentum * velocity - lr * grad),
        Set(param, param + velocity),
    ),
)

adam_of_sums = OptimizerSpec(
    name="adam_of_sums",
    summary="Adam with decaying sums of gradients and of squares in place of moving means.",
    hyperparameters=(
        LR,
        Hyperparameter(beta1, "0.9", "[0, 1)", "share of the first sum that is kept"),
        Hyperparameter(beta2, "0.999", "[0, 1)", "share of the second sum that is kept"),
        Hyperparameter(eps, "1e-8", "[0, oo)", "added to the root"),
    ),
    state=(
        StateBuffer(first, doc="decaying sum of gradients"),
        StateBuffer(second, domain="[0, oo)", doc="decaying sum of squared gradients"),
    ),
    rule=(
        Set(first, beta1 * first + grad),
        Set(second, beta2 * second + grad**2),
        Let(bias_correction1, 1 - beta1**step),
        Let(bias_correction2, 1 - beta2**step),
        Let(first_mean, (1 - beta1) * first / bias_correction1),
        Let(second_mean, (1 - beta2) * second / bias_correction2),
        Let(denom, sqrt(second_mean) + eps),
        Set(param, param - lr * first_mean / denom),
    ),
)

adam_swapped = OptimizerSpec(
    name="adam_swapped",
    summary="Adam whose two states have each other's names.",
    hyperparameters=adam_of_sums.hyperparameters,
    state=(
        StateBuffer(exp_avg_sq, doc="moving mean of gradients"),
        StateBuffer(exp_avg, domain="[0, oo)", doc="moving mean of squared gradients"),
    ),
    rule=(
        Set(exp_avg_sq, beta1 * exp_avg_sq + (1 - beta1) * grad),
        Set(exp_avg, beta2 * exp_avg + (1 - beta2) * grad**2),
        Let(bias_correction1, 1 - beta1**step),
        Let(bias_correction2, 1 - beta2**step),
        Let(first_mean, exp_avg_sq / bias_correction1),
        Let(second_mean, exp_avg / bias_correction2),
        Let(denom, sqrt(second_mean) + eps),
        Set(param, param - lr * first_mean / denom),
    ),
)
