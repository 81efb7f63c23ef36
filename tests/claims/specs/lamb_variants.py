"""LAMB in other forms."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
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

step_size, root, root2, quotient, direction = map(
    symbol, ("step_size", "root", "root2", "quotient", "direction")
)
param_norm, update_norm, decayed = map(symbol, ("param_norm", "update_norm", "decayed"))
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
ADAPTIVE = (
    Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
    Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2),
    Let(bias_correction1, 1 - beta1**step),
    Let(bias_correction2, 1 - beta2**step),
    Let(root, sqrt(exp_avg_sq)),
    Let(root2, sqrt(bias_correction2)),
    Let(quotient, root / root2),
    Let(denom, quotient + eps),
    Let(direction, exp_avg / bias_correction1),
)
RATIO = Let(
    trust_ratio,
    Piecewise((param_norm / update_norm, (param_norm > 0) & (update_norm > 0)), (1, True)),
)

lamb_factored = OptimizerSpec(
    name="lamb_factored",
    summary="LAMB with the root of the second moment factored as torch factors Adam's.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        *ADAPTIVE,
        Let(update, direction / denom + weight_decay * param),
        Let(param_norm, norm(param)),
        Let(update_norm, norm(update)),
        RATIO,
        Let(step_size, lr * trust_ratio),
        Set(param, param - step_size * update),
    ),
)

lamb_decay_outside = OptimizerSpec(
    name="lamb_decay_outside",
    summary="LAMB with the decay outside the trust ratio, as Keras applies it.",
    hyperparameters=HYPERPARAMETERS,
    state=STATE,
    rule=(
        *ADAPTIVE,
        Let(update, direction / denom),
        Let(param_norm, norm(param)),
        Let(update_norm, norm(update)),
        RATIO,
        Let(decayed, param - lr * weight_decay * param),
        Set(param, decayed - lr * trust_ratio * update),
    ),
)
