"""Stochastic gradient descent, with and without momentum.

lr is the step size, momentum the share of the buffer that is kept, dampening
the share of the gradient that the buffer does not take. The buffer starts at
zero; torch keeps the first gradient undamped, hence `grad_weight`.
"""

from optgen.modifiers import decoupled_decay, l2
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
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
    update,
)

TORCH_SGD = Reference(
    title="torch.optim.SGD",
    url="https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html",
    year=2016,
    where="algorithm box",
)
SUTSKEVER = Reference(
    title="On the importance of initialization and momentum in deep learning",
    url="https://proceedings.mlr.press/v28/sutskever13.html",
    year=2013,
    where="equations 1 to 4",
)
DECOUPLED = Reference(
    title="Decoupled Weight Decay Regularization",
    url="https://arxiv.org/abs/1711.05101",
    year=2017,
    where="Algorithm 1",
)
LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept")
BUFFER = StateBuffer(momentum_buffer, doc="accumulated gradient")
grad_weight = symbol("grad_weight")

sgd = OptimizerSpec(
    name="sgd",
    summary="Stochastic gradient descent.",
    hyperparameters=(LR,),
    rule=(Set(param, param - lr * grad),),
    choices=(("momentum", "none"), ("decay", "none")),
    references=(
        Reference(
            title="A Stochastic Approximation Method",
            url="https://doi.org/10.1214/aoms/1177729586",
            year=1951,
        ),
    ),
)

sgd_l2 = l2(sgd, name="sgd_l2", references=(TORCH_SGD,))

momentum_rule = OptimizerSpec(
    name="momentum",
    family="sgd",
    full_name="sgd:momentum",
    summary="Heavy-ball momentum with dampening, as torch computes it.",
    hyperparameters=(
        LR,
        MOMENTUM,
        Hyperparameter(dampening, "0", "[0, 1]", "share of the gradient the buffer does not take"),
    ),
    state=(BUFFER,),
    rule=(
        Let(grad_weight, Piecewise((1, Eq(step, 1)), (1 - dampening, True))),
        Set(momentum_buffer, momentum * momentum_buffer + grad_weight * grad),
        Set(param, param - lr * momentum_buffer),
    ),
    choices=(("momentum", "heavy ball, first step undamped"), ("lr", "outside the buffer")),
    references=(SUTSKEVER, TORCH_SGD),
    notes=(
        "MLX damps the first step too; Keras and TensorFlow keep lr inside the buffer, "
        "which differs as soon as lr changes.",
    ),
)

momentum_ema = OptimizerSpec(
    name="momentum_ema",
    family="sgd",
    full_name="sgd:momentum_ema",
    summary="Momentum as an exponential moving average of the gradient.",
    hyperparameters=(LR, MOMENTUM),
    state=(BUFFER,),
    rule=(
        Set(momentum_buffer, momentum * momentum_buffer + (1 - momentum) * grad),
        Set(param, param - lr * momentum_buffer),
    ),
    choices=(("momentum", "moving average"), ("lr", "outside the buffer")),
    references=(
        Reference(
            title="Momentum Improves Normalized SGD",
            url="https://arxiv.org/abs/2002.03305",
            year=2020,
            where="Section 2",
        ),
    ),
    notes=("Equals heavy ball under lr/(1 - momentum) while lr is constant.",),
)

nesterov = OptimizerSpec(
    name="nesterov",
    family="sgd",
    full_name="sgd:nesterov",
    summary="Nesterov momentum, as torch computes it: the gradient plus a look ahead.",
    hyperparameters=(LR, MOMENTUM),
    state=(BUFFER,),
    rule=(
        Set(momentum_buffer, momentum * momentum_buffer + grad),
        Let(update, grad + momentum * momentum_buffer),
        Set(param, param - lr * update),
    ),
    choices=(("momentum", "Nesterov"), ("lr", "outside the buffer")),
    references=(SUTSKEVER, TORCH_SGD),
)

sgdw = decoupled_decay(
    OptimizerSpec(
        name="heavy_ball",
        full_name="sgd:heavy_ball",
        summary="Heavy-ball momentum.",
        hyperparameters=(LR, MOMENTUM),
        state=(BUFFER,),
        rule=(
            Set(momentum_buffer, momentum * momentum_buffer + grad),
            Set(param, param - lr * momentum_buffer),
        ),
        choices=(("momentum", "heavy ball"), ("lr", "outside the buffer")),
    ),
    name="sgdw",
    summary="Momentum SGD with weight decay applied to the parameter, not to the gradient.",
    references=(DECOUPLED,),
    notes=("The paper multiplies the decay by a schedule multiplier, not by lr.",),
)
