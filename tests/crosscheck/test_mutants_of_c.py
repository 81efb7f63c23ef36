"""Deliberately broken C: each file must make the build's own check fail."""

from __future__ import annotations

import functools
import platform
import runpy
from pathlib import Path

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building.c_rows import c_difference, host_difference
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import BackendUnavailable
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import find_compiler

MUTANTS = runpy.run_path(str(Path(__file__).parents[1] / "mutants" / "c_text.py"))["MUTANTS"]
RULES = load_catalogue()


@functools.cache
def clean(rule, dtype):
    """Return the kernel, the NumPy module and the C text of a rule, for one type."""
    spec = RULES[rule]
    kernel = run_passes(lower(spec, DType(dtype)))
    heading = Heading.of(spec)
    module = load_module(spec.identifier, BACKENDS["numpy"].render(heading, [kernel])[0].text)
    return kernel, module, BACKENDS["c"].render(heading, [kernel])[0].text


def difference(rule, dtype, text, folder):
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    # Compilers that vectorise less are done sooner; what is wrong is wrong at every level.
    flags = (*compiler.flags(), "-O1")
    kernel, module, _ = clean(rule, dtype)
    path = folder / "mutant.so"
    path.write_bytes(compiler.compile(text, "mutant.c", flags))
    library = CLibrary(path, RULES[rule].identifier)
    found = host_difference(RULES[rule], kernel, library)
    return found or c_difference(RULES[rule], kernel, module, library)


@pytest.mark.parametrize(("rule", "dtype"), sorted({(m.rule, m.dtype) for m in MUTANTS.values()}))
def test_clean_kernels_pass(rule, dtype, tmp_path):
    assert difference(rule, dtype, clean(rule, dtype)[2], tmp_path) == ""


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(name, tmp_path):
    if name == "subnormals_flushed" and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the mutant is written for x86")
    mutant = MUTANTS[name]
    if mutant.says == "threads" and "-fopenmp" not in find_compiler().flags():
        pytest.skip("the compiler has no OpenMP: one thread has no borders with others")
    text = clean(mutant.rule, mutant.dtype)[2]
    for old, new in mutant.changes:
        assert old in text, f"the kernel has no line with {old!r} any more"
        text = text.replace(old, new, 1)
    found = difference(mutant.rule, mutant.dtype, text, tmp_path)
    assert found
    assert mutant.says in found
