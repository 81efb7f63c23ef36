"""Lion as libraries have it, right and wrong."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Piecewise,
    beta1,
    beta2,
    exp_avg,
    grad,
    lerp,
    lr,
    param,
    sign,
    symbol,
    weight_decay,
)

HYPERPARAMETERS = (
    Hyperparameter(lr, "1e-4", "[0, oo)", "step size"),
    Hyperparameter(beta1, "0.9", "[0, 1)", "share of exp_avg in the step"),
    Hyperparameter(beta2, "0.99", "[0, 1)", "share of exp_avg that is kept"),
    Hyperparameter(weight_decay, "0", "[0, oo)", "decay"),
)
STATE = (StateBuffer(exp_avg, doc="moving mean of gradients"),)
interpolation, penalised, decayed, direction = map(
    symbol, ("interpolation", "penalised", "decayed", "direction")
)
BETWEEN = Let(interpolation, beta1 * exp_avg + (1 - beta1) * grad)
DECAYED = Let(decayed, param - lr * weight_decay * param)
KEEP = Set(exp_avg, beta2 * exp_avg + (1 - beta2) * grad)

lion_coupled = OptimizerSpec(
    name="lion_coupled",
    summary="Lion with the decay added to the gradient, inside the sign.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        Let(penalised, grad + weight_decay * param),
        Let(interpolation, beta1 * exp_avg + (1 - beta1) * penalised),
        Set(param, param - lr * sign(interpolation)),
        Set(exp_avg, beta2 * exp_avg + (1 - beta2) * penalised),
    ),
)

lion_lerp = OptimizerSpec(
    name="lion_lerp",
    summary="Lion with both averages written as interpolations, in one statement.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        Let(interpolation, lerp(exp_avg, grad, 1 - beta1)),
        Let(direction, sign(interpolation) + weight_decay * param),
        Set(param, param - lr * direction),
        Set(exp_avg, lerp(exp_avg, grad, 1 - beta2)),
    ),
)

lion_never_still = OptimizerSpec(
    name="lion_never_still",
    summary="Lion whose sign of 0 is -1: parameters without a gradient move up.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        DECAYED,
        BETWEEN,
        Let(direction, Piecewise((1, interpolation > 0), (-1, True))),
        Set(param, decayed - lr * direction),
        KEEP,
    ),
)

lion_fixed_decay = OptimizerSpec(
    name="lion_fixed_decay",
    summary="Lion whose decay is not multiplied by lr.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        Let(decayed, param - weight_decay * param),
        BETWEEN,
        Set(param, decayed - lr * sign(interpolation)),
        KEEP,
    ),
)
