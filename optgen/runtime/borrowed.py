"""Borrowed NumPy modules: targets that compute elsewhere have checks and host scalars from them."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from optgen.errors import InternalError


def own_copy(name: str, file: Path, target: str) -> ModuleType:
    """Return a module that nobody else has, so that its functions can be replaced."""
    spec = spec_from_file_location(f"optgen.kernels.{target}.{name}", file)
    if spec is None or spec.loader is None:
        raise InternalError(f"{file} is no Python module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
