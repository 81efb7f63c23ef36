"""First steps worked out on paper: what torch does not have, and what is easy to mix up.

Every number here was computed by hand in fractions, not with the references.
"""

import numpy as np
import pytest

from .table import REFERENCES


def run(rule: str, param: list[float], grads: list[list[float]], **hyperparameters: float):
    """Return the parameter and states after stepping through `grads`."""
    reference = REFERENCES[rule]
    assert hyperparameters.keys() == reference.hyperparameters.keys()
    current = np.array(param)
    state = reference.init(current)
    for t, grad in enumerate(grads, start=1):
        reference.step(current, np.array(grad), state, t, **hyperparameters)
    return current, state


def close(actual, expected) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-14, atol=1e-15)


def test_sgdw_decays_the_parameter_before_the_buffer() -> None:
    param, state = run("sgdw", [2.0], [[1.0], [3.0]], lr=0.5, momentum=0.5, weight_decay=0.5)
    # buffer 1, 3.5; 2 -> 1.5 - 0.5 = 1 -> 0.75 - 1.75 = -1
    close(param, [-1.0])
    close(state["momentum_buffer"], [3.5])


def test_momentum_damps_from_the_second_gradient_on() -> None:
    param, state = run("momentum", [0.0], [[1.0], [2.0]], lr=1.0, momentum=0.5, dampening=0.25)
    # buffer 1, 0.5 + 0.75 * 2 = 2
    close(state["momentum_buffer"], [2.0])
    close(param, [-3.0])


def test_momentum_ema_damps_from_the_first_gradient_on() -> None:
    param, state = run("momentum_ema", [0.0], [[1.0], [2.0]], lr=1.0, momentum=0.75)
    # average 0.25, 0.1875 + 0.5 = 0.6875
    close(state["momentum_buffer"], [0.6875])
    close(param, [-0.9375])


def test_lion_takes_the_sign_of_one_average_and_keeps_another() -> None:
    param, state = run(
        "lion",
        [1.0, 1.0, 1.0],
        [[4.0, 0.0, -4.0], [-1.0, 0.0, -4.0]],
        lr=0.25,
        beta1=0.5,
        beta2=0.75,
        weight_decay=1.0,
    )
    # averages kept: (1, 0, -1), then (0.5, 0, -1.75)
    # signs of 0.5 m + 0.5 g: (+, 0, -); then of (0.5 - 0.5, 0, -0.5 - 2): (0, 0, -)
    # 0.75 - 0.25 = 0.5 -> 0.375;  0.75 -> 0.5625;  0.75 + 0.25 = 1 -> 0.75 + 0.25 = 1
    close(param, [0.375, 0.5625, 1.0])
    close(state["exp_avg"], [0.5, 0.0, -1.75])


def test_lamb_scales_by_the_ratio_of_norms() -> None:
    param, _ = run(
        "lamb",
        [3.0, 4.0],
        [[1.0, -1.0]],
        lr=0.1,
        beta1=0.5,
        beta2=0.5,
        eps=1.0,
        weight_decay=0.5,
    )
    # m_hat = (1, -1), sqrt(v_hat) + eps = (2, 2); u = (0.5 + 1.5, -0.5 + 2) = (2, 1.5)
    # ||p|| = 5, ||u|| = 2.5, ratio 2
    close(param, [2.6, 3.7])


@pytest.mark.parametrize(
    ("param", "grad", "expected"),
    [([0.0, 0.0], [1.0, 1.0], [-0.05, -0.05]), ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0])],
)
def test_lamb_ratio_is_one_at_a_zero_norm(
    param: list[float], grad: list[float], expected: list[float]
) -> None:
    after, _ = run("lamb", param, [grad], lr=0.1, beta1=0.5, beta2=0.5, eps=1.0, weight_decay=0.5)
    close(after, expected)


def test_adam_l2_and_adamw_decay_differently() -> None:
    usual = {"lr": 0.1, "beta1": 0.5, "beta2": 0.5, "eps": 1.0, "weight_decay": 0.5}
    # L2: g = 1 + 1 = 2, m_hat = 2, sqrt(v_hat) = 2: 2 - 0.1 * 2 / 3
    close(run("adam_l2", [2.0], [[1.0]], **usual)[0], [2 - 0.2 / 3])
    # decoupled: 2 - 0.1 * 0.5 * 2 = 1.9, then 0.1 * 1 / 2
    close(run("adamw", [2.0], [[1.0]], **usual)[0], [1.85])


def test_amsgrad_remembers_the_largest_raw_second_moment() -> None:
    _, state = run("amsgrad", [0.0], [[4.0], [0.0]], lr=0.1, beta1=0.5, beta2=0.5, eps=1.0)
    close(state["exp_avg_sq"], [4.0])
    close(state["max_exp_avg_sq"], [8.0])


def test_nadam_product_of_momenta() -> None:
    _, state = run(
        "nadam", [0.0], [[1.0], [1.0]], lr=0.1, beta1=0.5, beta2=0.5, eps=1.0, momentum_decay=1.0
    )
    # mu_1 = 0.5 (1 - 0.48) = 0.26, mu_2 = 0.5 (1 - 0.4608) = 0.2696
    close(state["mu_product"], 0.26 * 0.2696)
    assert state["mu_product"].shape == ()


def test_rmsprop_momentum_keeps_the_learning_rate_outside_the_buffer() -> None:
    param, state = run(
        "rmsprop:momentum", [0.0], [[2.0]], lr=0.5, alpha=0.75, eps=1.0, momentum=0.5
    )
    # v = 1, 2 / (1 + 1) = 1
    close(state["momentum_buffer"], [1.0])
    close(param, [-0.5])


def test_rmsprop_centered_subtracts_the_squared_mean() -> None:
    param, _ = run("rmsprop:centered", [0.0], [[2.0]], lr=0.5, alpha=0.5, eps=1.0)
    # v = 2, mean 1, sqrt(1) + 1 = 2
    close(param, [-0.5])


def test_adagrad_learning_rate_decays_from_the_second_step_on() -> None:
    param, _ = run("adagrad", [0.0], [[3.0], [4.0]], lr=1.0, lr_decay=1.0, eps=1.0)
    # 3 / 4, then half of 4 / 6
    close(param, [-0.75 - 1 / 3])
