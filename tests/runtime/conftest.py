"""Compiled C kernels of rules, rendered in this process; skipped where there is no compiler."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import BackendUnavailable
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.compiler import Compiler, find_compiler
from optgen.runtime.load import load_c


@functools.cache
def _texts(name: str) -> tuple[str, str]:
    """Return the NumPy module and the C file of a rule."""
    spec = load_catalogue()[name]
    kernels = [run_passes(lower(spec, dtype)) for dtype in DType]
    numpy, c = (BACKENDS[t].render(Heading.of(spec), kernels)[0].text for t in ("numpy", "c"))
    return numpy, c


@pytest.fixture(scope="session")
def compiler() -> Compiler:
    try:
        return find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)


@pytest.fixture(scope="session")
def both(compiler, tmp_path_factory):
    """Gives the NumPy module and the C kernel of a rule by name."""

    @functools.cache
    def give(name: str):
        folder: Path = tmp_path_factory.mktemp(name)
        module, source = _texts(name)
        (folder / f"{name}.py").write_text(module, encoding="utf-8")
        (folder / f"{name}.c").write_text(source, encoding="utf-8")
        kernel = load_c(name, folder / f"{name}.c", folder / f"{name}.py")
        return load_module(name, module), kernel

    return give


@pytest.fixture(scope="session")
def texts():
    """Gives the NumPy module and the C file of a rule by name."""
    return _texts
