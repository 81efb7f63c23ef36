"""Rules that papers compare with and that no catalogue lists."""

from __future__ import annotations

from functools import cache

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    beta1,
    beta2,
    bias_correction2,
    denom,
    eps,
    exp_avg,
    exp_avg_sq,
    grad,
    lr,
    param,
    sign,
    sqrt,
    step,
    weight_decay,
)

_LR = Hyperparameter(lr, "1e-3", "[0, oo)")
_BETA1 = Hyperparameter(beta1, "0.9", "[0, 1)")
_BETA2 = Hyperparameter(beta2, "0.999", "[0, 1)")
_EPS = Hyperparameter(eps, "1e-8", "[0, oo)")
_DECAY = Hyperparameter(weight_decay, "0", "[0, oo)")
_MEAN = Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad)
_SQUARE = Set(exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * grad**2)
_SQUARES = StateBuffer(exp_avg_sq, domain="[0, oo)")


@cache
def landmarks() -> tuple[OptimizerSpec, ...]:
    """Return the rules."""
    return (
        OptimizerSpec(
            name="sign_descent",
            summary="Step by the sign of the gradient.",
            hyperparameters=(_LR,),
            rule=(Set(param, param - lr * sign(grad)),),
        ),
        OptimizerSpec(
            name="signum",
            summary="Step by the sign of the moving mean of gradients.",
            hyperparameters=(_LR, _BETA1),
            state=(StateBuffer(exp_avg),),
            rule=(_MEAN, Set(param, param - lr * sign(exp_avg))),
        ),
        OptimizerSpec(
            name="signum+decoupled_decay",
            summary="Signum that shrinks the parameter first.",
            hyperparameters=(_LR, _BETA1, _DECAY),
            state=(StateBuffer(exp_avg),),
            rule=(
                Set(param, param - lr * weight_decay * param),
                _MEAN,
                Set(param, param - lr * sign(exp_avg)),
            ),
        ),
        OptimizerSpec(
            name="rmsprop:bias_corrected",
            summary="RMSprop that divides the bias of starting at zero out.",
            hyperparameters=(_LR, _BETA2, _EPS),
            state=(_SQUARES,),
            rule=(
                _SQUARE,
                Let(bias_correction2, 1 - beta2**step),
                Let(denom, sqrt(exp_avg_sq / bias_correction2) + eps),
                Set(param, param - lr * grad / denom),
            ),
        ),
        OptimizerSpec(
            name="adam:uncorrected",
            summary="Adam that leaves the bias of starting at zero in.",
            hyperparameters=(_LR, _BETA1, _BETA2, _EPS),
            state=(StateBuffer(exp_avg), _SQUARES),
            rule=(
                _MEAN,
                _SQUARE,
                Let(denom, sqrt(exp_avg_sq) + eps),
                Set(param, param - lr * exp_avg / denom),
            ),
        ),
        OptimizerSpec(
            name="adamw:uncorrected",
            summary="AdamW that leaves the bias of starting at zero in.",
            hyperparameters=(_LR, _BETA1, _BETA2, _EPS, _DECAY),
            state=(StateBuffer(exp_avg), _SQUARES),
            rule=(
                Set(param, param - lr * weight_decay * param),
                _MEAN,
                _SQUARE,
                Let(denom, sqrt(exp_avg_sq) + eps),
                Set(param, param - lr * exp_avg / denom),
            ),
        ),
    )
