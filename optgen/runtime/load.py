"""Gives a generated kernel by the name of its rule."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from optgen.errors import BackendUnavailable, UsageError, nearest
from optgen.paths import GENERATED
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library

TARGETS = ("numpy", "c")
"""Targets that can be called; CUDA kernels are compiled and checked, not yet launched."""
_UNIFORM = ("float32-float32-float32", "float64-float64-float64")
_EXAMPLE = 'load_kernel("adamw", storage="bfloat16-bfloat16-float32")'
_SUFFIXES = {"numpy": "py", "c": "c"}


class LoadedKernel(Protocol):
    """A kernel that can be called."""

    def init(self, param: Any) -> dict[str, Any]:
        """Return the state before the first step."""
        ...

    def step(self, param: Any, grad: Any, state: Any, **hyperparameters: Any) -> None:
        """Do one update in place: `param` and `state` change, `grad` does not."""
        ...


def load_kernel(name: str, target: str = "numpy", storage: str | None = None) -> LoadedKernel:
    """Return a generated kernel, with `init(param)` and `step(param, grad, state, ...)`.

    Both targets give the same bits. They take float32 and float64 arrays, or those of a storage
    mix that has been built.

    Args:
        name: Name of the rule; `rmsprop:centered` and `rmsprop_centered` are the same.
        target: `"numpy"`, a module; or `"c"`, compiled by this machine's C compiler on first
            use, several times faster, and in threads (OMP_NUM_THREADS).
        storage: The mix, `param-grad-state[-master][+kahan|+stochastic]`; without it, or where
            all types are one, the kernel for arrays of one type.

    Raises:
        UsageError: No kernel of this name has been generated, the target is unknown, or a name is
            no text.
        BackendUnavailable: The target cannot be called from Python, or there is no C compiler.
        CompileError: The C compiler refused the kernel.
    """
    if target == "cuda":
        raise BackendUnavailable(
            "CUDA kernels cannot be launched from Python yet",
            fix="compile generated/cuda/*.cu with your own launcher; the .h says how to call it",
        )
    if target not in TARGETS:
        raise UsageError(f"there is no target '{target}'", fix=nearest(target, TARGETS))
    for what, given in (("name", name), ("storage", storage or "")):
        if not isinstance(given, str):
            raise UsageError(
                f"the {what} is of type {type(given).__name__}",
                fix=f"write it as text, as in {_EXAMPLE}",
            )
    identifier, fix = name.replace(":", "_").replace("+", "_"), ""
    if storage and storage not in _UNIFORM:
        identifier += "_" + storage.replace("-", "_").replace("+", "_")
        fix = f"run `optgen build {name} --storage {storage}`"
        name = f"{name}' in storage '{storage}"
    file = _generated(name, identifier, target, fix)
    if target == "c":
        return load_c(identifier, file, _generated(name, identifier, "numpy", fix))
    return cast(LoadedKernel, importlib.import_module(f"optgen.kernels.{target}.{identifier}"))


def load_c(identifier: str, source: Path, module: Path) -> LoadedKernel:
    """Compile a generated C file, or take the library of an earlier time, and load it.

    Args:
        identifier: The rule's name in identifiers.
        source: The C file.
        module: The NumPy module of the same rule.

    Raises:
        BackendUnavailable: There is no C compiler, or what it makes cannot be loaded.
        CompileError: The C compiler refused the text.
    """
    from optgen.runtime.c_kernel import CKernel
    from optgen.runtime.c_library import CLibrary

    text = source.read_text(encoding="utf-8")
    path = compiled_library(find_compiler(), text, source.name)
    try:
        return CKernel(identifier, CLibrary(path, identifier), module)
    except OSError as error:
        raise BackendUnavailable(
            f"compiled C cannot be loaded: {error}",
            where=path,
            fix="set OPTGEN_CACHE to a folder from which programs may run",
        ) from error
    except AttributeError as error:  # ctypes has found no function of that name
        raise BackendUnavailable(
            f"compiled C is not what {source.name} says: {error}",
            where=path,
            fix="name another C compiler in the environment variable CC",
        ) from error


def _generated(name: str, identifier: str, target: str, fix: str) -> Path:
    """Return the generated file of a rule, or say how to get it."""
    folder, suffix = GENERATED / target, _SUFFIXES[target]
    known = {path.stem for path in folder.glob(f"*.{suffix}")} if folder.is_dir() else set()
    if identifier not in known:
        raise UsageError(
            f"there is no generated kernel '{name}'",
            where=folder,
            fix=fix or nearest(identifier, known) or "run `optgen build`",
        )
    return folder / f"{identifier}.{suffix}"
