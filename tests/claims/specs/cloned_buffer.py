"""Momentum as torch's code computes it: the first step copies the gradient into the buffer."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import (
    Eq,
    Piecewise,
    dampening,
    grad,
    lr,
    momentum,
    momentum_buffer,
    param,
    step,
    symbol,
)

mixed = symbol("mixed")

cloned_buffer = OptimizerSpec(
    name="cloned_buffer",
    summary="Heavy-ball momentum whose buffer is the gradient itself after the first step.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3", "[0, oo)", "step size"),
        Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept"),
        Hyperparameter(dampening, "0", "[0, 1]", "share of the gradient the buffer does not take"),
    ),
    state=(StateBuffer(momentum_buffer, doc="accumulated gradient"),),
    rule=(
        Let(mixed, momentum * momentum_buffer + (1 - dampening) * grad),
        Set(momentum_buffer, Piecewise((grad, Eq(step, 1)), (mixed, True))),
        Set(param, param - lr * momentum_buffer),
    ),
)
