"""SGD with decay as a library once had it."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, momentum, momentum_buffer, param, symbol, weight_decay

LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept")
DECAY = Hyperparameter(weight_decay, "1e-2", "[0, oo)", "decay")
BUFFER = StateBuffer(momentum_buffer, doc="accumulated gradient")
moved, shrunk = symbol("moved"), symbol("shrunk")

sgdw_constant_shift = OptimizerSpec(
    name="sgdw_constant_shift",
    summary="SGDW that subtracts lr*weight_decay, the same from every weight.",
    hyperparameters=(LR, MOMENTUM, DECAY),
    state=(BUFFER,),
    rule=(
        Set(momentum_buffer, momentum * momentum_buffer + grad),
        Let(moved, param - lr * momentum_buffer),
        Set(param, moved - lr * weight_decay),
    ),
)

sgd_one_statement = OptimizerSpec(
    name="sgd_one_statement",
    summary="SGD with decay as a factor on the parameter, as the paper writes it.",
    hyperparameters=(LR, DECAY),
    state=(),
    rule=(
        Let(shrunk, (1 - lr * weight_decay) * param),
        Set(param, shrunk - lr * grad),
    ),
)

sgd_fixed_decay = OptimizerSpec(
    name="sgd_fixed_decay",
    summary="SGD whose decay is not multiplied by lr.",
    hyperparameters=(LR, DECAY),
    state=(),
    rule=(
        Let(shrunk, (1 - weight_decay) * param),
        Set(param, shrunk - lr * grad),
    ),
)
