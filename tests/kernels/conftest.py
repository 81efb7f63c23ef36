"""The generated NumPy module of every rule, rendered in this process."""

from __future__ import annotations

import functools
from types import ModuleType

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.numpy_run import load_module
from optgen.ir import DType, Kernel
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.spec import OptimizerSpec

RULES = load_catalogue()


@functools.cache
def built(name: str) -> tuple[OptimizerSpec, Kernel, ModuleType]:
    spec = RULES[name]
    kernel = run_passes(lower(spec, DType.FLOAT32))
    text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
    return spec, kernel, load_module(spec.identifier, text)


@pytest.fixture(scope="module", params=list(RULES))
def rule(request: pytest.FixtureRequest) -> tuple[OptimizerSpec, Kernel, ModuleType]:
    """The spec, the kernel and the module of each rule in turn."""
    return built(request.param)


@pytest.fixture(scope="session")
def module_of():
    """Gives the module of one rule by name."""
    return lambda name: built(name)[2]
