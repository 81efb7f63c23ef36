"""Gives a generated kernel by the name of its rule."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from optgen.errors import BackendUnavailable, UsageError, nearest
from optgen.paths import GENERATED
from optgen.runtime.borrowed import own_copy
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library

TARGETS = ("numpy", "c", "cuda")
"""Targets that can be called."""
LAUNCHER_NAMES = ("driver", "pycuda")
_UNIFORM = ("float32-float32-float32", "float64-float64-float64")
_EXAMPLE = 'load_kernel("adamw", storage="bfloat16-bfloat16-float32")'
_SUFFIXES = {"numpy": "py", "c": "c", "cuda": "cu"}


class LoadedKernel(Protocol):
    """A kernel that can be called."""

    def init(self, param: Any) -> dict[str, Any]:
        """Return the state before the first step."""
        ...

    def step(self, param: Any, grad: Any, state: Any, **hyperparameters: Any) -> None:
        """Do one update in place: `param` and `state` change, `grad` does not."""
        ...


def load_kernel(
    name: str, target: str = "numpy", storage: str | None = None, launcher: str = "driver"
) -> LoadedKernel:
    """Return a generated kernel, with `init(param)` and `step(param, grad, state, ...)`.

    All targets give the same bits. They take float32 and float64 arrays, or those of a storage
    mix that has been built.

    Args:
        name: Name of the rule; `rmsprop:centered` and `rmsprop_centered` are the same.
        target: `"numpy"`, a module; `"c"`, compiled by this machine's C compiler on first use,
            several times faster, and in threads (OMP_NUM_THREADS); or `"cuda"`, for arrays on a
            GPU, whose `step` also takes a `stream`.
        storage: The mix, `param-grad-state[-master][+kahan|+stochastic]`; without it, or where
            all types are one, the kernel for arrays of one type.
        launcher: What launches CUDA: `"driver"`, the driver library alone, on any stream; or
            `"pycuda"`.

    Raises:
        UsageError: No kernel of this name has been generated, the target or the launcher is
            unknown, or a name is no text.
        BackendUnavailable: There is no C compiler, or no CUDA driver, device, compiler or PyCUDA.
        CompileError: The compiler refused the kernel.
    """
    if target not in TARGETS:
        raise UsageError(f"there is no target '{target}'", fix=nearest(target, TARGETS))
    if launcher not in LAUNCHER_NAMES:
        raise UsageError(
            f"there is no launcher '{launcher}'",
            fix=nearest(str(launcher), LAUNCHER_NAMES) or f"one of {', '.join(LAUNCHER_NAMES)}",
        )
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
    if target == "cuda":
        return load_cuda(identifier, file, _generated(name, identifier, "numpy", fix), launcher)
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


def load_cuda(identifier: str, source: Path, module: Path, launcher: str) -> LoadedKernel:
    """Load a generated CUDA file; code for a device is made when a first array lies on it.

    Args:
        identifier: The rule's name in identifiers.
        source: The CUDA file; its description, `.json`, stands beside it.
        module: The NumPy module of the same rule.
        launcher: `"driver"` or `"pycuda"`.

    Raises:
        UsageError: The description cannot be read.
        BackendUnavailable: There is no CUDA driver, or no device.
    """
    from optgen.runtime.cuda.description import read_description
    from optgen.runtime.cuda.driver import find_driver
    from optgen.runtime.cuda.images import image_for
    from optgen.runtime.cuda.kernel import CudaKernel

    text = source.read_text(encoding="utf-8")
    return CudaKernel(
        identifier,
        read_description(source.with_suffix(".json")),
        lambda arch: image_for(text, source.name, arch),
        own_copy(identifier, module, "cuda"),
        find_driver(),
        launcher,
    )


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
