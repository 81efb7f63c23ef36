"""CUDA text run as C++, and C under sanitizers: clean text passes, a broken one is caught."""

from __future__ import annotations

import functools

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.host.cuda import (
    FAST,
    FAULTS,
    QUICK,
    SANITIZED,
    HostCase,
    cuda_differences,
)
from optgen.crosscheck.host.running import HostCompiler, Program, find_cpp
from optgen.crosscheck.host.sanitizers import (
    ADDRESS,
    EDGES,
    SHARED,
    THREADS,
    Sanitizer,
    c_faults,
    fitted,
    why_not,
)
from optgen.crosscheck.inputs import Case
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import BackendUnavailable, CompileError
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.compiler import find_compiler

RULES = load_catalogue()


@functools.cache
def clean(rule, target, dtype="float32"):
    spec = RULES[rule]
    kernels = (run_passes(lower(spec, DType(dtype))),)
    heading = Heading.of(spec)
    module = load_module(spec.identifier, BACKENDS["numpy"].render(heading, kernels)[0].text)
    return spec, kernels, BACKENDS[target].render(heading, kernels)[0].text, module


def changed(text, changes):
    for old, new in changes:
        assert old in text, f"the kernel has no line with {old!r} any more"
        text = text.replace(old, new, 1)
    return text


def cuda(rule, *changes, runs=QUICK, flags=FAST, dtype="float32"):
    try:
        compiler = find_cpp()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    spec, kernels, text, module = clean(rule, "cuda", dtype)
    return list(
        cuda_differences(spec, kernels, changed(text, changes), module, compiler, runs, flags)
    )


def c(rule, sanitizer, *changes, lists=EDGES, dtype="float32"):
    try:
        found = find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    compiler = HostCompiler(found.command, found.version)
    sanitizer = fitted(compiler, sanitizer)
    if reason := why_not(compiler, sanitizer):
        pytest.skip(reason)
    spec, kernels, text, module = clean(rule, "c", dtype)
    return list(c_faults(spec, kernels, changed(text, changes), module, compiler, sanitizer, lists))


def test_clean_text_has_the_bits_of_numpy():
    assert cuda("lamb") == []
    assert cuda("lion", dtype="float64") == []


def test_clean_text_has_no_fault():
    if reason := why_not(HostCompiler(find_cpp_or_skip(), ""), ADDRESS):
        pytest.skip(reason)
    assert cuda("lamb", runs=FAULTS[3:5], flags=SANITIZED) == []
    assert c("adamw", ADDRESS) == []
    assert c("lamb", THREADS, lists=SHARED[1:]) == []


def find_cpp_or_skip():
    try:
        return find_cpp().command
    except BackendUnavailable as error:
        pytest.skip(error.what)


FIRST = "          lanes[slot][(part * 256 + threadIdx.x) * 4 + lane] = total[slot][part][lane];\n"
BARRIER = "    __syncthreads();\n"
HALVED = "lanes[slot][at] = __fadd_rn(lanes[slot][at], lanes[slot][at + half]);\n"
CUDA_SLIPS = {
    "barrier_missing": ("lamb", (FIRST + BARRIER, FIRST), "race"),
    "barrier_missing_in_the_tree": ("lamb", (HALVED + "      __syncthreads();", HALVED), "race"),
    "barrier_in_a_branch": (
        "lamb",
        ("    if (threadIdx.x < 32) {\n", "    if (threadIdx.x < 32) {\n      __syncthreads();\n"),
        "barrier",
    ),
    "barrier_missing_at_the_end": (
        "lamb",
        ("    }\n    __syncthreads();\n  }\n}", "    }\n  }\n}"),
        "race",
    ),
    "one_element_too_many": (
        "adamw",
        ("index < n; index += stride", "index <= n; index += stride"),
        "AddressSanitizer",
    ),
    "no_alignment_check": (
        "adamw",
        ("const unsigned long long vectors = aligned ?", "const unsigned long long vectors = 1 ?"),
        "misaligned",
    ),
}


def marked(slips, *quick):
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in slips]


@pytest.mark.parametrize("name", marked(CUDA_SLIPS, "barrier_missing", "one_element_too_many"))
def test_broken_cuda_is_caught(name):
    rule, change, said = CUDA_SLIPS[name]
    if reason := why_not(HostCompiler(find_cpp_or_skip(), ""), ADDRESS):
        pytest.skip(reason)
    (found,) = cuda(rule, change, runs=FAULTS[2:5], flags=SANITIZED)
    assert said in found


C_SLIPS = {
    "one_element_too_many": (
        ADDRESS,
        "adamw",
        ("index < n; ++index", "index <= n; ++index"),
        "AddressSanitizer",
    ),
    "a_chunk_done_by_two_threads": (
        THREADS,
        "adamw",
        ("(start - first + 16383) / 16384", "(start - first) / 16384"),
        "data race",
    ),
    "partials_shared": (
        THREADS,
        "lamb",
        ("call->partials + chunk + at / 16384", "call->partials + chunk"),
        "data race",
    ),
    "too_little_scratch": (
        ADDRESS,
        "lamb",
        ("return 2 * chunks", "return 1 * chunks"),
        "AddressSanitizer",
    ),
}


@pytest.mark.parametrize(
    "name", marked(C_SLIPS, "one_element_too_many", "a_chunk_done_by_two_threads")
)
def test_broken_c_is_caught(name):
    sanitizer, rule, change, said = C_SLIPS[name]
    (found,) = c(rule, sanitizer, change, lists=EDGES if sanitizer is ADDRESS else SHARED)
    assert said in found


@pytest.mark.slow
def test_a_barrier_that_is_missing_between_chunk_sums_has_other_bits():
    change = (": 0.0f);\n    }\n    __syncthreads();", ": 0.0f);\n    }")
    (found,) = cuda("lamb", change, runs=(HostCase(Case(9 * 16384 + 1, grid=3)),))
    assert "instead of" in found


def test_a_wrong_operation_has_other_bits():
    (found,) = cuda("sgd", ("__fsub_rn(param", "__fadd_rn(param"))
    assert "instead of" in found


def test_text_that_is_no_cpp_is_an_error():
    with pytest.raises(CompileError, match=r"sgd\.cpp: .* makes no program of it"):
        cuda("sgd", ("__fsub_rn(param", "__unheard_of(param"))


def test_a_sanitizer_that_does_not_work_is_named(tmp_path):
    compiler = HostCompiler(find_cpp_or_skip(), "")
    blind = Sanitizer("none", ("-xc", "-w"), False, "int main(void) { return 0; }\n")
    assert "does not see a fault" in why_not(compiler, blind)
    bad = Sanitizer("none", ("-fsanitize=unheard-of",), False, "int main(void) { return 0; }\n")
    assert "does not link" in why_not(compiler, bad)
    assert fitted(compiler, bad).name == "none, without OpenMP"


def test_a_program_that_hangs_or_crashes_is_named():
    compiler = HostCompiler(find_cpp_or_skip(), "")
    text = "#include <cstdlib>\nint main() { abort(); }\n"
    with Program(compiler, text, "crash.cpp", ()) as program:
        assert program.run([], b"") == ("it ends with -6", b"")
