"""Forms of momentum and of weight decay that papers print and the catalogue does not hold."""

from optgen.modifiers import decoupled_decay, l2
from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import (
    Eq,
    Piecewise,
    beta1,
    grad,
    lr,
    momentum,
    momentum_buffer,
    param,
    step,
    symbol,
    weight_decay,
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
    where="Proposition 1",
)
POLYAK = Reference(
    title="Some methods of speeding up the convergence of iteration methods",
    url="https://doi.org/10.1016/0041-5553(64)90137-5",
    year=1964,
)
velocity = symbol("velocity")
previous, param_before = symbol("previous"), symbol("param_before")
LR = Hyperparameter(lr, "1e-3", "[0, oo)", "step size")
MOMENTUM = Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept")
DECAY = Hyperparameter(weight_decay, "1e-2", "[0, oo)", "share of the parameter taken off")

heavy_ball = OptimizerSpec(
    name="heavy_ball",
    family="momenta",
    full_name="momenta:heavy_ball",
    summary="Heavy ball.",
    hyperparameters=(LR, MOMENTUM),
    state=(StateBuffer(momentum_buffer, doc="accumulated gradient"),),
    rule=(
        Set(momentum_buffer, momentum * momentum_buffer + grad),
        Set(param, param - lr * momentum_buffer),
    ),
    references=(POLYAK,),
)

sutskever = OptimizerSpec(
    name="sutskever",
    family="momenta",
    full_name="momenta:sutskever",
    summary="Classical momentum, the step size inside the velocity.",
    hyperparameters=(LR, MOMENTUM),
    state=(StateBuffer(velocity, doc="what is added to the parameter"),),
    rule=(
        Set(velocity, momentum * velocity - lr * grad),
        Set(param, param + velocity),
    ),
    references=(SUTSKEVER,),
)

sutskever_nesterov = OptimizerSpec(
    name="sutskever_nesterov",
    family="momenta",
    full_name="momenta:sutskever_nesterov",
    summary="Nesterov momentum, the gradient taken at the point looked ahead to.",
    hyperparameters=(LR, MOMENTUM),
    state=sutskever.state,
    rule=sutskever.rule,
    query=param + momentum * velocity,
    references=(SUTSKEVER,),
)

polyak = OptimizerSpec(
    name="polyak",
    family="momenta",
    full_name="momenta:polyak",
    summary="Heavy ball from the last two points; at the first step both are the start.",
    hyperparameters=(LR, MOMENTUM),
    state=(StateBuffer(previous, doc="the parameter one step ago"),),
    rule=(
        Let(param_before, Piecewise((param, Eq(step, 1)), (previous, True))),
        Set(previous, param),
        Set(param, param - lr * grad + momentum * (param - param_before)),
    ),
    references=(POLYAK,),
)

raw_sgdw = OptimizerSpec(
    name="raw_sgdw",
    family="momenta",
    full_name="momenta:raw_sgdw",
    summary="SGD with decay that is not multiplied by the step size, as in Proposition 1.",
    hyperparameters=(LR, DECAY),
    rule=(Set(param, (1 - weight_decay) * param - lr * grad),),
    references=(DECOUPLED,),
)

heavy_ball_l2 = l2(heavy_ball, name="heavy_ball_l2", references=(DECOUPLED,))

heavy_ball_decoupled = decoupled_decay(
    heavy_ball, default="1e-2", name="heavy_ball_decoupled", references=(DECOUPLED,)
)

corrected_average = OptimizerSpec(
    name="corrected_average",
    family="momenta",
    full_name="momenta:corrected_average",
    summary="Step along the moving average of gradients, divided by 1 - beta1**step.",
    hyperparameters=(
        LR,
        Hyperparameter(beta1, "0.9", "[0, 1)", "share of the average that is kept"),
    ),
    state=(StateBuffer(momentum_buffer, doc="moving average of gradients"),),
    rule=(
        Set(momentum_buffer, beta1 * momentum_buffer + (1 - beta1) * grad),
        Set(param, param - lr * momentum_buffer / (1 - beta1**step)),
    ),
)
