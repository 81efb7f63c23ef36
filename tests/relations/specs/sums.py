"""Adam with moments that are averages, and with moments that are sums; no bias correction."""

from dataclasses import replace

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import beta1, beta2, denom, eps, exp_avg, exp_avg_sq, grad, lr, param, sqrt

average_moments = OptimizerSpec(
    name="average_moments",
    family="moments",
    full_name="moments:average",
    summary="Adam without bias correction.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3", "[0, oo)", "step size"),
        Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg that is kept"),
        Hyperparameter(beta2, "0.999", "[0, 1)", "share of exp_avg_sq that is kept"),
        Hyperparameter(eps, "1e-8", "[0, oo)", "added outside the square root"),
    ),
    state=(
        StateBuffer(exp_avg, doc="moving mean of gradients"),
        StateBuffer(exp_avg_sq, domain="[0, oo)", doc="moving mean of squared gradients"),
    ),
    rule=(
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
        Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
        Let(denom, sqrt(exp_avg_sq) + eps),
        Set(param, param - lr * exp_avg / denom),
    ),
)

sum_moments = replace(
    average_moments,
    name="sum_moments",
    full_name="moments:sum",
    summary="Adam whose moments are discounted sums.",
    rule=(
        Set(exp_avg, beta1 * exp_avg + grad),
        Set(exp_avg_sq, beta2 * exp_avg_sq + grad**2),
        *average_moments.rule[2:],
    ),
)
