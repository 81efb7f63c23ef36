"""Gives a generated kernel by the name of its rule."""

from __future__ import annotations

import importlib
from types import ModuleType

from optgen.errors import BackendUnavailable, UsageError, nearest
from optgen.paths import GENERATED

TARGETS = ("numpy",)
"""Targets that can be called; CUDA kernels are compiled and checked, not yet launched."""


def load_kernel(name: str, target: str = "numpy") -> ModuleType:
    """Return a generated kernel: a module with `init(param)` and `step(param, grad, state, ...)`.

    Args:
        name: Name of the rule; `rmsprop:centered` and `rmsprop_centered` are the same.
        target: `"numpy"`; one module serves float32 and float64.

    Raises:
        UsageError: No kernel of this name has been generated, or the target is unknown.
        BackendUnavailable: The target cannot be called from Python.
    """
    if target == "cuda":
        raise BackendUnavailable(
            "CUDA kernels cannot be launched from Python yet",
            fix="compile generated/cuda/*.cu with your own launcher; the .h says how to call it",
        )
    if target not in TARGETS:
        raise UsageError(f"there is no target '{target}'", fix=nearest(target, TARGETS))
    identifier = name.replace(":", "_").replace("+", "_")
    folder = GENERATED / target
    known = {path.stem for path in folder.glob("*.py")} if folder.is_dir() else set()
    if identifier not in known:
        raise UsageError(
            f"there is no generated kernel '{name}'",
            where=folder,
            fix=nearest(identifier, known) or "run `optgen build`",
        )
    return importlib.import_module(f"optgen.kernels.{target}.{identifier}")
