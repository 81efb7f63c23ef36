"""The gradient streams every reference and kernel is run on."""

import numpy as np
from numpy.typing import NDArray

STEPS = 12

SHAPES = ((7, 13), (1,), (0,), (300,))
"""Rectangular, one element, none, and more than one vector register but no multiple of one."""


def scenario(
    shape: tuple[int, ...], *, steps: int = STEPS, seed: int = 0
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return a parameter and `steps` gradients, float64 arrays that hold float32 values.

    Gradients reach from 1e-6 to 1e3 in size, differing from element to element and from step to
    step. About one in six entries is exactly zero, one element in eight has a zero gradient at
    every step (its states never leave zero), and one parameter in eight starts at zero.
    """
    rng = np.random.default_rng([seed, *shape])
    param = rng.standard_normal(shape) * (rng.random(shape) > 1 / 8)
    scale = rng.uniform(-4.5, 1.5, shape)
    alive = rng.random(shape) > 1 / 8
    grads = []
    for _ in range(steps):
        size = 10.0 ** (scale + rng.uniform(-1.5, 1.5, shape))
        sign = rng.choice([-1.0, 1.0], shape)
        grads.append(size * sign * alive * (rng.random(shape) > 1 / 6))
    return _as_float32(param), [_as_float32(grad) for grad in grads]


def _as_float32(array: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(array, np.float32).astype(np.float64)
