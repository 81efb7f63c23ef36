"""Stochastic gradient descent and its momentum variants.

All functions work in place on `param` and `state` and leave `grad` alone; `step` is t = 1, 2, ...
"""

from .arrays import Array, State, zeros


def init_sgd(param: Array) -> State:
    """Return the states of plain SGD: none."""
    return {}


def sgd(param: Array, grad: Array, state: State, step: int, *, lr: float) -> None:
    """Take one step of plain gradient descent.

        p_t = p_{t-1} - lr g_t

    Source: Robbins and Monro, A Stochastic Approximation Method, 1951; torch.optim.SGD without
    options.
    """
    param[...] = param - lr * grad


def init_sgd_l2(param: Array) -> State:
    """Return the states of SGD with L2: none."""
    return {}


def sgd_l2(
    param: Array, grad: Array, state: State, step: int, *, lr: float, weight_decay: float
) -> None:
    """Take one step of gradient descent on the loss plus weight_decay/2 ||p||^2.

        g = g_t + weight_decay p_{t-1}
        p_t = p_{t-1} - lr g

    Source: torch.optim.SGD, weight_decay (the line "if lambda != 0" of its algorithm).
    """
    regularized = grad + weight_decay * param
    param[...] = param - lr * regularized


def init_sgdw(param: Array) -> State:
    """Return the states of SGDW: the momentum buffer, zero."""
    return zeros(param, "momentum_buffer")


def sgdw(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Take one step of momentum SGD with decoupled weight decay, the decay first.

        b_t = momentum b_{t-1} + g_t
        p = p_{t-1} - lr weight_decay p_{t-1}
        p_t = p - lr b_t

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv:1711.05101,
    Algorithm 1, with the buffer of torch.optim.SGD (the learning rate stays outside it) and, like
    torch.optim.AdamW, the decay multiplied by the learning rate.
    """
    buffer = state["momentum_buffer"]
    buffer[...] = momentum * buffer + grad
    param[...] = param - lr * weight_decay * param
    param[...] = param - lr * buffer


def init_momentum(param: Array) -> State:
    """Return the states of momentum: its buffer, zero until the first step fills it."""
    return zeros(param, "momentum_buffer")


def momentum(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    momentum: float,
    dampening: float,
) -> None:
    """Take one step of heavy-ball momentum; the first gradient enters undamped.

        b_1 = g_1
        b_t = momentum b_{t-1} + (1 - dampening) g_t        for t > 1
        p_t = p_{t-1} - lr b_t

    Source: torch.optim.SGD (its algorithm and its note on Sutskever et al., 2013).
    """
    buffer = state["momentum_buffer"]
    if step == 1:
        buffer[...] = grad
    else:
        buffer[...] = momentum * buffer + (1 - dampening) * grad
    param[...] = param - lr * buffer


def init_momentum_ema(param: Array) -> State:
    """Return the states of EMA momentum: the average, zero."""
    return zeros(param, "momentum_buffer")


def momentum_ema(
    param: Array, grad: Array, state: State, step: int, *, lr: float, momentum: float
) -> None:
    """Take one step along the exponential moving average of the gradients, bias left in.

        b_t = momentum b_{t-1} + (1 - momentum) g_t
        p_t = p_{t-1} - lr b_t

    Source: Polyak momentum as an average, as in optax.ema(debias=False); the first moment of
    Kingma and Ba, arXiv:1412.6980, without its correction.
    """
    buffer = state["momentum_buffer"]
    buffer[...] = momentum * buffer + (1 - momentum) * grad
    param[...] = param - lr * buffer


def init_nesterov(param: Array) -> State:
    """Return the states of Nesterov momentum: its buffer, zero."""
    return zeros(param, "momentum_buffer")


def nesterov(
    param: Array, grad: Array, state: State, step: int, *, lr: float, momentum: float
) -> None:
    """Take one step of Nesterov momentum, in the form evaluated at the parameter itself.

        b_t = momentum b_{t-1} + g_t
        p_t = p_{t-1} - lr (g_t + momentum b_t)

    Source: Sutskever et al., On the importance of initialization and momentum in deep learning,
    2013; torch.optim.SGD(nesterov=True).
    """
    buffer = state["momentum_buffer"]
    buffer[...] = momentum * buffer + grad
    lookahead = grad + momentum * buffer
    param[...] = param - lr * lookahead
