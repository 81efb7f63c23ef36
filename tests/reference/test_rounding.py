"""The rounding bound must let right code through at float32 and float64, and wrong code not."""

from collections.abc import Callable

import numpy as np
import pytest

from .arrays import Array, State
from .rounding import ROUNDINGS, trajectory
from .scenario import SHAPES, scenario
from .table import REFERENCES, Reference

DTYPES = (np.float32, np.float64)


def excess(
    reference: Reference, step: Callable[..., None], dtype: type, shape: tuple[int, ...]
) -> float:
    """Return the largest error of `step` in `dtype`, in units of its bound."""
    param64, grads = scenario(shape)
    allowed = trajectory(reference, param64, grads)
    param = param64.astype(dtype)
    state = reference.init(param)
    worst = 0.0
    for t, grad in enumerate(grads, start=1):
        step(param, grad.astype(dtype), state, t, **reference.hyperparameters)
        for name, value in {"param": param, **state}.items():
            error = np.abs(value.astype(np.float64) - allowed.values[t - 1][name])
            ratio = error / allowed.bound(t, name, dtype)
            worst = max(worst, float(np.max(ratio, initial=0)))
    return worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", sorted(REFERENCES))
def test_the_reference_itself_keeps_the_bound(rule: str, dtype: type) -> None:
    reference = REFERENCES[rule]
    for shape in SHAPES:
        assert excess(reference, reference.step, dtype, shape) <= 1


def test_the_float64_bound_is_at_most_1e_12_of_the_sensitivity() -> None:
    assert ROUNDINGS * np.finfo(np.float64).eps / 2 <= 1e-12


def wrong(**changes: float) -> Callable[..., None]:
    """AdamW with one thing wrong at a time, by the name of the change."""

    def step(
        param: Array, grad: Array, state: State, t: int, *, lr, beta1, beta2, eps, weight_decay
    ) -> None:
        lr, weight_decay = lr * changes.get("lr", 1), weight_decay * changes.get("decay", 1)
        m, v = state["exp_avg"], state["exp_avg_sq"]
        old = param.copy()
        if "decay_after" not in changes:
            param -= lr * weight_decay * param
        m[...] = beta1 * m + (1 - beta1) * grad
        v[...] = beta2 * v + (1 - beta2) * grad * grad
        c1, c2 = 1 - beta1 ** (t + changes.get("t1", 0)), 1 - beta2 ** (t + changes.get("t2", 0))
        if "eps_hat" in changes:
            update = m / c1 * np.sqrt(c2) / (np.sqrt(v) + eps)
        elif "eps_inside" in changes:
            update = m / c1 / np.sqrt(v / c2 + eps * eps)
        elif "eps_max" in changes:
            update = m / c1 / np.maximum(np.sqrt(v / c2), eps)
        else:
            update = m / c1 / (np.sqrt(v / c2) + eps * changes.get("eps", 1))
        if "nesterov" in changes:
            update = update + (1 - beta1) * grad * 1e-3
        param -= lr * update
        if "decay_after" in changes:
            param -= lr * weight_decay * param
        if "decay_late" in changes:
            param += lr * weight_decay * (old - param) * 1e-2

    return step


@pytest.mark.parametrize("dtype", DTYPES)
def test_adamw_written_another_way_keeps_the_bound(dtype: type) -> None:
    for shape in SHAPES:
        assert excess(REFERENCES["adamw"], wrong(), dtype, shape) <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "changes",
    [
        {"lr": 1.001},
        {"decay": 1.01},
        {"decay": 0.0},
        {"decay": -1.0},
        {"decay_after": 1},
        {"decay_late": 1},
        {"t1": 1},
        {"t2": 1},
        {"eps": 1.01},
        {"eps_hat": 1},
        {"eps_inside": 1},
        {"eps_max": 1},
        {"nesterov": 1},
    ],
    ids=lambda changes: "_".join(f"{name}={value}" for name, value in changes.items()),
)
def test_wrong_formulas_break_the_bound(changes: dict[str, float], dtype: type) -> None:
    assert excess(REFERENCES["adamw"], wrong(**changes), dtype, (300,)) > 10
