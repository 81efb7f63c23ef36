"""RMSprop: divide by the root of a moving average of squared gradients.

alpha is the share of the average that is kept. torch puts eps outside the root,
optax and Keras inside; torch keeps lr outside the momentum buffer.
"""

from dataclasses import replace

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Reference, Set, StateBuffer
from optgen.symbols import (
    alpha,
    denom,
    eps,
    grad,
    grad_avg,
    lr,
    momentum,
    momentum_buffer,
    param,
    sqrt,
    square_avg,
    symbol,
)

variance = symbol("variance")

rmsprop = OptimizerSpec(
    name="rmsprop",
    summary="Divide the gradient by the root of its moving mean square.",
    hyperparameters=(
        Hyperparameter(lr, "1e-2", "[0, oo)", "step size"),
        Hyperparameter(alpha, "0.99", "[0, 1)", "share of the mean square that is kept"),
        Hyperparameter(eps, "1e-8", "[0, oo)", "added outside the square root"),
    ),
    state=(StateBuffer(square_avg, domain="[0, oo)", doc="moving mean of squared gradients"),),
    rule=(
        Set(square_avg, alpha * square_avg + (1 - alpha) * grad**2),
        Let(denom, sqrt(square_avg) + eps),
        Set(param, param - lr * grad / denom),
    ),
    choices=(("eps", "outside the root"), ("bias_correction", "none"), ("initial", "0")),
    references=(
        Reference(
            title="Neural Networks for Machine Learning, lecture 6e",
            url="https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
            year=2012,
        ),
        Reference(
            title="torch.optim.RMSprop",
            url="https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html",
            year=2016,
            where="algorithm box",
        ),
    ),
    notes=("optax and Keras: eps inside the root; TensorFlow also starts the mean square at 1.",),
)

centered = replace(
    rmsprop,
    name="rmsprop:centered",
    full_name="rmsprop:centered",
    summary="RMSprop that divides by the standard deviation instead of the mean square.",
    state=(*rmsprop.state, StateBuffer(grad_avg, doc="moving mean of gradients")),
    rule=(
        rmsprop.rule[0],
        Set(grad_avg, alpha * grad_avg + (1 - alpha) * grad),
        Let(variance, square_avg - grad_avg**2),
        Let(denom, sqrt(variance) + eps),
        Set(param, param - lr * grad / denom),
    ),
    references=(
        *rmsprop.references,
        Reference(
            title="Generating Sequences With Recurrent Neural Networks",
            url="https://arxiv.org/abs/1308.0850",
            year=2013,
            where="equations 38 to 45",
        ),
    ),
    notes=(
        *rmsprop.notes,
        "The variance is a difference: rounding can bring it below 0, and the root to NaN, "
        "when the gradient hardly changes. torch computes the same.",
    ),
)

with_momentum = replace(
    rmsprop,
    name="rmsprop:momentum",
    full_name="rmsprop:momentum",
    summary="RMSprop with heavy-ball momentum on the scaled gradient.",
    hyperparameters=(
        *rmsprop.hyperparameters,
        Hyperparameter(momentum, "0.9", "[0, 1)", "share of the buffer that is kept"),
    ),
    state=(*rmsprop.state, StateBuffer(momentum_buffer, doc="accumulated scaled gradient")),
    rule=(
        *rmsprop.rule[:2],
        Set(momentum_buffer, momentum * momentum_buffer + grad / denom),
        Set(param, param - lr * momentum_buffer),
    ),
    choices=(*rmsprop.choices, ("lr", "outside the buffer")),
)
