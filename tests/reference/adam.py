"""Adam and its relatives: L2, decoupled decay, AMSGrad, NAdam.

Each function spells its rule out in full: sharing code between them would let one slip hide in
all of them.
"""

import numpy as np

from .arrays import Array, State, zeros


def init_adam(param: Array) -> State:
    """Return the states of Adam: both moments, zero."""
    return zeros(param, "exp_avg", "exp_avg_sq")


def adam(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Take one step of Adam.

        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        p_t = p_{t-1} - lr (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + eps)

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, arXiv:1412.6980,
    Algorithm 1; torch.optim.Adam.
    """
    m, v = state["exp_avg"], state["exp_avg_sq"]
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad * grad
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    param[...] = param - lr * m_hat / (np.sqrt(v_hat) + eps)


def init_adam_l2(param: Array) -> State:
    """Return the states of Adam with L2: both moments, zero."""
    return zeros(param, "exp_avg", "exp_avg_sq")


def adam_l2(
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
    """Take one step of Adam on the loss plus weight_decay/2 ||p||^2.

        g = g_t + weight_decay p_{t-1}
        m_t = beta1 m_{t-1} + (1 - beta1) g
        v_t = beta2 v_{t-1} + (1 - beta2) g^2
        p_t = p_{t-1} - lr (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + eps)

    Source: Loshchilov and Hutter, arXiv:1711.05101, Algorithm 2, the L2 line;
    torch.optim.Adam(weight_decay=...).
    """
    m, v = state["exp_avg"], state["exp_avg_sq"]
    regularized = grad + weight_decay * param
    m[...] = beta1 * m + (1 - beta1) * regularized
    v[...] = beta2 * v + (1 - beta2) * regularized * regularized
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    param[...] = param - lr * m_hat / (np.sqrt(v_hat) + eps)


def init_adamw(param: Array) -> State:
    """Return the states of AdamW: both moments, zero."""
    return zeros(param, "exp_avg", "exp_avg_sq")


def adamw(
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
    """Take one step of Adam with decoupled weight decay, the decay first.

        p = p_{t-1} - lr weight_decay p_{t-1}
        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        p_t = p - lr (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + eps)

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv:1711.05101,
    Algorithm 2, with the decay multiplied by lr as in torch.optim.AdamW.
    """
    m, v = state["exp_avg"], state["exp_avg_sq"]
    param[...] = param - lr * weight_decay * param
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad * grad
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    param[...] = param - lr * m_hat / (np.sqrt(v_hat) + eps)


def init_amsgrad(param: Array) -> State:
    """Return the states of AMSGrad: both moments and the largest second moment, zero."""
    return zeros(param, "exp_avg", "exp_avg_sq", "max_exp_avg_sq")


def amsgrad(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Take one step of AMSGrad; the maximum is over the raw second moment.

        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        x_t = max(x_{t-1}, v_t)
        p_t = p_{t-1} - lr (m_t / (1 - beta1^t)) / (sqrt(x_t / (1 - beta2^t)) + eps)

    Source: Reddi, Kale and Kumar, On the Convergence of Adam and Beyond, ICLR 2018; the bias
    corrections and their place as in torch.optim.Adam(amsgrad=True).
    """
    m, v, largest = state["exp_avg"], state["exp_avg_sq"], state["max_exp_avg_sq"]
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad * grad
    largest[...] = np.maximum(largest, v)
    m_hat = m / (1 - beta1**step)
    largest_hat = largest / (1 - beta2**step)
    param[...] = param - lr * m_hat / (np.sqrt(largest_hat) + eps)


def init_nadam(param: Array) -> State:
    """Return the states of NAdam: both moments, zero, and the product of the mu_t so far, 1."""
    return {**zeros(param, "exp_avg", "exp_avg_sq"), "mu_product": np.ones((), np.float64)}


def nadam(
    param: Array,
    grad: Array,
    state: State,
    step: int,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    momentum_decay: float,
) -> None:
    """Take one step of NAdam.

        mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
        M_t = M_{t-1} mu_t                                  the state mu_product, M_0 = 1
        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        m_hat = mu_{t+1} m_t / (1 - M_t mu_{t+1}) + (1 - mu_t) g_t / (1 - M_t)
        p_t = p_{t-1} - lr m_hat / (sqrt(v_t / (1 - beta2^t)) + eps)

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016; torch.optim.NAdam.
    """
    m, v, mu_product = state["exp_avg"], state["exp_avg_sq"], state["mu_product"]
    mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
    mu_product[...] = mu_product * mu
    product = float(mu_product)
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad * grad
    m_hat = mu_next / (1 - product * mu_next) * m + (1 - mu) / (1 - product) * grad
    v_hat = v / (1 - beta2**step)
    param[...] = param - lr * m_hat / (np.sqrt(v_hat) + eps)
