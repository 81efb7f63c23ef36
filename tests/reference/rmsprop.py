"""RMSprop: plain, centered, and with momentum, as torch has them (eps outside the root)."""

import numpy as np

from .arrays import Array, State, zeros


def init_rmsprop(param: Array) -> State:
    """Return the states of RMSprop: the average of squared gradients, zero."""
    return zeros(param, "square_avg")


def rmsprop(
    param: Array, grad: Array, state: State, step: int, *, lr: float, alpha: float, eps: float
) -> None:
    """Take one step of RMSprop.

        v_t = alpha v_{t-1} + (1 - alpha) g_t^2
        p_t = p_{t-1} - lr g_t / (sqrt(v_t) + eps)

    Source: Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6e, 2012;
    torch.optim.RMSprop.
    """
    square_avg = state["square_avg"]
    square_avg[...] = alpha * square_avg + (1 - alpha) * grad * grad
    param[...] = param - lr * grad / (np.sqrt(square_avg) + eps)


def init_rmsprop_centered(param: Array) -> State:
    """Return the states of centered RMSprop: averages of squares and of gradients, zero."""
    return zeros(param, "square_avg", "grad_avg")


def rmsprop_centered(
    param: Array, grad: Array, state: State, step: int, *, lr: float, alpha: float, eps: float
) -> None:
    """Take one step of centered RMSprop, which divides by an estimate of the deviation.

        v_t = alpha v_{t-1} + (1 - alpha) g_t^2
        a_t = alpha a_{t-1} + (1 - alpha) g_t
        p_t = p_{t-1} - lr g_t / (sqrt(v_t - a_t^2) + eps)

    Source: Graves, Generating Sequences With Recurrent Neural Networks, arXiv:1308.0850,
    equations 38 to 41; torch.optim.RMSprop(centered=True).
    """
    square_avg, grad_avg = state["square_avg"], state["grad_avg"]
    square_avg[...] = alpha * square_avg + (1 - alpha) * grad * grad
    grad_avg[...] = alpha * grad_avg + (1 - alpha) * grad
    variance = square_avg - grad_avg * grad_avg
    param[...] = param - lr * grad / (np.sqrt(variance) + eps)


def init_rmsprop_momentum(param: Array) -> State:
    """Return the states of RMSprop with momentum: average of squares and buffer, zero."""
    return zeros(param, "square_avg", "momentum_buffer")


def rmsprop_momentum(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    alpha: float,
    eps: float,
    momentum: float,
) -> None:
    """Take one step of RMSprop whose scaled gradients feed a heavy ball.

        v_t = alpha v_{t-1} + (1 - alpha) g_t^2
        b_t = momentum b_{t-1} + g_t / (sqrt(v_t) + eps)
        p_t = p_{t-1} - lr b_t

    Source: torch.optim.RMSprop(momentum=...); the learning rate stays outside the buffer.
    """
    square_avg, buffer = state["square_avg"], state["momentum_buffer"]
    square_avg[...] = alpha * square_avg + (1 - alpha) * grad * grad
    buffer[...] = momentum * buffer + grad / (np.sqrt(square_avg) + eps)
    param[...] = param - lr * buffer
