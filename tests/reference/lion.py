"""Lion."""

import numpy as np

from .arrays import Array, State, zeros


def init_lion(param: Array) -> State:
    """Return the states of Lion: the momentum, zero."""
    return zeros(param, "exp_avg")


def lion(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
) -> None:
    """Take one step of Lion; sign(0) is 0, the decay uses the parameter before the step.

        c_t = beta1 m_{t-1} + (1 - beta1) g_t
        p = p_{t-1} - lr weight_decay p_{t-1}
        p_t = p - lr sign(c_t)
        m_t = beta2 m_{t-1} + (1 - beta2) g_t

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms, arXiv:2302.06675,
    Algorithm 2 (defaults beta1 0.9, beta2 0.99).
    """
    m = state["exp_avg"]
    update = np.sign(beta1 * m + (1 - beta1) * grad)
    param[...] = param - lr * weight_decay * param
    param[...] = param - lr * update
    m[...] = beta2 * m + (1 - beta2) * grad
