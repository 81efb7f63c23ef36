"""Adagrad, as torch has it."""

import numpy as np

from .arrays import Array, State, zeros


def init_adagrad(param: Array) -> State:
    """Return the states of Adagrad: the sum of squared gradients, zero."""
    return zeros(param, "sum")


def adagrad(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    lr_decay: float,
    eps: float,
) -> None:
    """Take one step of Adagrad.

        s_t = s_{t-1} + g_t^2
        lr_t = lr / (1 + (t - 1) lr_decay)
        p_t = p_{t-1} - lr_t g_t / (sqrt(s_t) + eps)

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization, JMLR 12, 2011; torch.optim.Adagrad (lr_decay, eps outside the root).
    """
    total = state["sum"]
    total[...] = total + grad * grad
    decayed_lr = lr / (1 + (step - 1) * lr_decay)
    param[...] = param - decayed_lr * grad / (np.sqrt(total) + eps)
