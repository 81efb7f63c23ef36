"""The generated CUDA: what its text, its PTX and its machine code look like."""

from __future__ import annotations

import functools
import re

import pytest

from optgen.backends import BACKENDS
from optgen.backends.abi import BLOCK, abi
from optgen.backends.base import Heading
from optgen.backends.intrinsics import C_TYPES
from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable
from optgen.ir import DType, Operation, stage_expressions
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.cache import compile_cached
from optgen.runtime.nvrtc import find_nvrtc

RULES = load_catalogue()
ARCHS = ("sm_80", "sm_90", "newest")


@functools.cache
def kernels(name):
    return tuple(run_passes(lower(RULES[name], dtype)) for dtype in DType)


@functools.cache
def texts(name):
    files = BACKENDS["cuda"].render(Heading.of(RULES[name]), kernels(name))
    return tuple(file.text for file in files if not file.path.endswith(".json"))


@functools.cache
def compiled(name, arch):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    arch = f"sm_{nvrtc.archs()[-1]}" if arch == "newest" else arch
    return compile_cached(nvrtc, texts(name)[0], f"{RULES[name].identifier}.cu", arch)


def operations(expression):
    if isinstance(expression, Operation):
        yield expression.name
        for operand in expression.operands:
            yield from operations(operand)


def used(kernel):
    return {n for s in kernel.stages for e in stage_expressions(s) for n in operations(e)}


rules = pytest.mark.parametrize("name", RULES)


@rules
def test_text_needs_no_header(name):
    source, header = texts(name)
    assert "#include" not in source
    assert "#include" not in header
    assert 'extern "C" __global__' in source


@rules
def test_indices_have_64_bits(name):
    """What counts elements or chunks is unsigned long long; int counts lanes and rows only."""
    source = texts(name)[0]
    wide = "index|first|stride|vectors|chunk|chunks|element"
    assert not re.search(rf"\b(unsigned|int|size_t) ({wide})\b", source)
    counters = set(re.findall(r"\bint (\w+) =", source))
    assert counters <= {"row", "part", "lane", "slot", "at", "half"}
    assert source.count("blockIdx.x * blockDim.x") == source.count(
        "(unsigned long long)blockIdx.x * blockDim.x"
    )


@rules
def test_every_rounding_is_an_intrinsic(name):
    """No bare arithmetic operator touches a value: nothing is left for the compiler to fuse."""
    bodies = re.findall(r"_update\([^)]*\) \{\n(.*?)\n\}", texts(name)[0], re.S)
    assert bodies
    for body in bodies:
        code = re.sub(r"//.*", "", body)
        assert not re.search(r"[\w)] [-+*/] [\w(]", code), code


@rules
def test_struct_is_what_the_abi_says(name):
    for text in texts(name):
        for kernel in kernels(name):
            called = abi(kernel)
            body = re.search(rf"struct {called.struct} \{{\n(.*?)\n\}};", text, re.S)
            assert body is not None
            fields = re.findall(r"^  (\w+) (\w+);", body[1], re.M)
            assert fields == [(C_TYPES[kernel.arithmetic], field) for field in called.fields]


@rules
def test_header_declares_what_the_source_defines(name):
    source, header = texts(name)
    for kernel in kernels(name):
        for launch in abi(kernel).launches:
            signature = re.search(rf"{launch.entry}\(([^)]*)\) \{{", source)
            declared = re.search(rf"__global__ void {launch.entry}\(([^)]*)\);", header)
            assert signature is not None
            assert declared is not None
            assert signature[1] == declared[1]
            names = [part.split()[-1] for part in signature[1].split(", ")]
            assert tuple(names) == launch.parameters
            assert f"{launch.entry}: {BLOCK} threads" in header


@pytest.mark.parametrize("arch", ARCHS)
@rules
def test_compiles_without_spills(name, arch):
    result = compiled(name, arch)
    entries = {launch.entry for kernel in kernels(name) for launch in abi(kernel).launches}
    assert set(result.resources) == entries
    for entry, resources in result.resources.items():
        assert (resources.spill_stores, resources.spill_loads) == (0, 0), entry
        assert resources.stack == 0, entry
        assert resources.registers <= 128, entry


@rules
def test_accesses_have_128_bits(name):
    """Each buffer that a pass touches is read, or written, by one 128-bit access per thread."""
    module = parse(compiled(name, "sm_90").ptx)
    for kernel in kernels(name):
        for launch, stage in zip(abi(kernel).launches, kernel.stages, strict=True):
            if launch.grid == "one":
                continue
            wide = [
                instruction
                for instruction in module.entries[launch.entry].instructions
                if {"v4", "v2"} & set(instruction.modifiers) and "global" in instruction.modifiers
            ]
            width = "v4" if kernel.arithmetic is DType.FLOAT32 else "v2"
            assert all(width in i.modifiers for i in wide)
            # Two halves of 1024 lanes make two accesses of a buffer in float64.
            loads = sum(i.opcode == "ld" for i in wide)
            stores = sum(i.opcode == "st" for i in wide)
            buffers = [p for p in launch.parameters if p in {b.name for b in kernel.buffers}]
            assert loads in (len(buffers), 2 * len(buffers))
            assert stores * len(buffers) == loads * len(stage.stores)


@rules
def test_nothing_is_fused(name):
    """The PTX has fma only inside division and square root, and none is left to ptxas."""
    module = parse(compiled(name, "sm_90").ptx)
    for kernel in kernels(name):
        for launch in abi(kernel).launches:
            entry = module.entries[launch.entry]
            assert entry.contractible() == ()
            names = {i.name for i in entry.instructions}
            assert not {n for n in names if n.startswith(("fma", "mad.rn"))}
            assert not {n for n in names if "approx" in n or "ftz" in n}
            if not used(kernel) & {"div", "sqrt"}:
                assert not {n for n in names if n.startswith(("div.", "sqrt.", "rcp."))}


def test_the_intrinsics_keep_their_modes():
    text = compiled("adamw", "sm_90").ptx
    for instruction in ("div.rn.f32", "sqrt.rn.f32", "div.rn.f64", "sqrt.rn.f64", "mul.rn.f32"):
        assert instruction in text


def test_plain_operators_would_be_fused():
    """Why every operation is an intrinsic: the same text with operators compiles to fma."""
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    text = texts("momentum")[0]
    for kind in "fd":
        text = re.sub(rf"__{kind}mul_rn\((\S+?), (\S+?)\)", r"(\1 * \2)", text)
        text = re.sub(rf"__{kind}add_rn\((\(.*?\)), (\(.*?\))\)", r"(\1 + \2)", text)
    plain = nvrtc.compile(text, "plain.cu", "sm_90").ptx
    assert "fma.rn" in plain
    assert "fma.rn" not in compiled("momentum", "sm_90").ptx
