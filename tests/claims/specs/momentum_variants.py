"""Rules that equal, or nearly equal, one of the catalogue's momentum rules."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    dampening,
    grad,
    lr,
    momentum,
    momentum_buffer,
    param,
    sign,
    symbol,
    weight_decay,
)

LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept")
DECAY = Hyperparameter(weight_decay, "1e-2", "[0, oo)", "decay")
BUFFER = StateBuffer(momentum_buffer, doc="moving mean of gradients")
beta1 = symbol("beta1")
decayed = symbol("decayed")

signum = OptimizerSpec(
    name="signum",
    summary="Step by the sign of a moving mean of gradients, with decoupled decay.",
    hyperparameters=(
        LR,
        Hyperparameter(beta1, "0.9", "[0, 1)", "share of the buffer that is kept"),
        DECAY,
    ),
    state=(BUFFER,),
    rule=(
        Let(decayed, param - lr * weight_decay * param),
        Set(momentum_buffer, beta1 * momentum_buffer + (1 - beta1) * grad),
        Set(param, decayed - lr * sign(momentum_buffer)),
    ),
)

sgdw_raw = OptimizerSpec(
    name="sgdw_raw",
    summary="Momentum SGD whose decay is not multiplied by lr.",
    hyperparameters=(LR, MOMENTUM, DECAY),
    state=(BUFFER,),
    rule=(
        Let(decayed, param - weight_decay * param),
        Set(momentum_buffer, momentum * momentum_buffer + grad),
        Set(param, decayed - lr * momentum_buffer),
    ),
)

damped = OptimizerSpec(
    name="damped",
    summary="Heavy-ball momentum that damps the first gradient too.",
    hyperparameters=(
        LR,
        MOMENTUM,
        Hyperparameter(dampening, "0", "[0, 1]", "share of the gradient the buffer does not take"),
    ),
    state=(BUFFER,),
    rule=(
        Set(momentum_buffer, momentum * momentum_buffer + (1 - dampening) * grad),
        Set(param, param - lr * momentum_buffer),
    ),
)

lr_inside = OptimizerSpec(
    name="lr_inside",
    summary="Heavy-ball momentum with lr inside the buffer, as Keras writes it.",
    hyperparameters=(LR, MOMENTUM),
    state=(BUFFER,),
    rule=(
        Set(momentum_buffer, momentum * momentum_buffer - lr * grad),
        Set(param, param + momentum_buffer),
    ),
)
