"""RMSprop and Adagrad as optax, Keras and TensorFlow have them."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    alpha,
    denom,
    eps,
    grad,
    grad_avg,
    grad_sum,
    lr,
    momentum,
    momentum_buffer,
    param,
    sqrt,
    square_avg,
    symbol,
)

LR = Hyperparameter(lr, "1e-2", "[0, oo)", "step size")
ALPHA = Hyperparameter(alpha, "0.99", "[0, 1)", "share of the mean square that is kept")
EPS = Hyperparameter(eps, "1e-8", "[0, oo)", "added to the mean square")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept")
SQUARE = StateBuffer(square_avg, domain="[0, oo)", doc="moving mean of squared gradients")
KEEP = Set(square_avg, alpha * square_avg + (1 - alpha) * grad**2)
variance = symbol("variance")

rmsprop_eps_inside = OptimizerSpec(
    name="rmsprop_eps_inside",
    summary="RMSprop with eps inside the root.",
    hyperparameters=(LR, ALPHA, EPS),
    state=(SQUARE,),
    rule=(
        KEEP,
        Let(denom, sqrt(square_avg + eps)),
        Set(param, param - lr * grad / denom),
    ),
)

rmsprop_from_one = OptimizerSpec(
    name="rmsprop_from_one",
    summary="RMSprop whose mean square starts at 1.",
    hyperparameters=(LR, ALPHA, EPS),
    state=(
        StateBuffer(
            square_avg, initial=1, domain="[0, oo)", doc="moving mean of squared gradients"
        ),
    ),
    rule=(
        KEEP,
        Let(denom, sqrt(square_avg) + eps),
        Set(param, param - lr * grad / denom),
    ),
)

rmsprop_lr_inside = OptimizerSpec(
    name="rmsprop_lr_inside",
    summary="RMSprop with momentum whose buffer holds steps: lr is inside.",
    hyperparameters=(LR, ALPHA, EPS, MOMENTUM),
    state=(SQUARE, StateBuffer(momentum_buffer, doc="last step")),
    rule=(
        KEEP,
        Let(denom, sqrt(square_avg) + eps),
        Set(momentum_buffer, momentum * momentum_buffer + lr * grad / denom),
        Set(param, param - momentum_buffer),
    ),
)

rmsprop_centered_inside = OptimizerSpec(
    name="rmsprop_centered_inside",
    summary="Centred RMSprop with eps inside the root.",
    hyperparameters=(LR, ALPHA, EPS),
    state=(SQUARE, StateBuffer(grad_avg, doc="moving mean of gradients")),
    rule=(
        KEEP,
        Set(grad_avg, alpha * grad_avg + (1 - alpha) * grad),
        Let(variance, square_avg - grad_avg**2),
        Let(denom, sqrt(variance + eps)),
        Set(param, param - lr * grad / denom),
    ),
)

adagrad_optax = OptimizerSpec(
    name="adagrad_optax",
    summary="Adagrad as optax and Keras have it: eps inside the root, the sum starts at 0.1.",
    hyperparameters=(LR, EPS),
    state=(StateBuffer(grad_sum, initial="0.1", domain="[0, oo)", doc="sum of squared gradients"),),
    rule=(
        Set(grad_sum, grad_sum + grad**2),
        Let(denom, sqrt(grad_sum + eps)),
        Set(param, param - lr * grad / denom),
    ),
)
