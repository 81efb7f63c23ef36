"""Runs a generated NumPy module from its text, as a user's import would."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck.inputs import Case
from optgen.ir import Kernel


def load_module(name: str, text: str) -> ModuleType:
    """Return a module made from generated text; nothing is written or registered."""
    module = ModuleType(f"generated.numpy.{name}")
    exec(compile(text, f"generated/numpy/{name}.py", "exec"), module.__dict__)
    return module


def run_module(
    module: ModuleType,
    kernel: Kernel,
    arrays: Mapping[str, NDArray[Any]],
    hyperparameters: Mapping[str, float],
    scalar_states: Mapping[str, float],
    case: Case,
) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    """Return all buffers and scalar states after one step of the module."""
    held = {name: array.copy() for name, array in arrays.items()}
    state = {b.name: held[b.name] for b in kernel.buffers if b.role == "state"}
    state |= {name: np.array(value, np.float64) for name, value in scalar_states.items()}
    state["step"] = np.array(case.step - 1, np.int64)
    module.step(held["param"], held["grad"], state, **hyperparameters)
    return held, {name: float(state[name]) for name in scalar_states}
