"""LAMB, with the trust ratio of each tensor."""

import numpy as np

from .arrays import Array, State, zeros


def init_lamb(param: Array) -> State:
    """Return the states of LAMB: both moments, zero."""
    return zeros(param, "exp_avg", "exp_avg_sq")


def lamb(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Take one step of LAMB on one tensor, without clipping of any kind.

        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        u = (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + eps) + weight_decay p_{t-1}
        r = ||p_{t-1}|| / ||u||, or 1 where either norm is 0
        p_t = p_{t-1} - lr r u

    Source: You et al., Large Batch Optimization for Deep Learning, arXiv:1904.00962,
    Algorithm 2 with phi the identity; the convention for zero norms is that of optax.lamb.
    """
    m, v = state["exp_avg"], state["exp_avg_sq"]
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad * grad
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    update = m_hat / (np.sqrt(v_hat) + eps) + weight_decay * param
    param_norm = np.sqrt(np.sum(param * param))
    update_norm = np.sqrt(np.sum(update * update))
    trust_ratio = 1.0
    if param_norm > 0 and update_norm > 0:
        trust_ratio = param_norm / update_norm
    param[...] = param - lr * trust_ratio * update
