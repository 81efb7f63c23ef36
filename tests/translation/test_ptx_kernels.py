"""Compiled kernels equal their IR, bit for bit; broken ones never do."""

from __future__ import annotations

import functools
import random
import re
import runpy
from pathlib import Path

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.errors import BackendUnavailable
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime import nvrtc as nvrtc_module
from optgen.runtime.nvrtc import find_nvrtc
from optgen.translation.ptx_kernels import compare_ptx
from optgen.translation.ptx_sums import Size

TESTS = Path(__file__).parents[1]
MUTANTS = runpy.run_path(str(TESTS / "mutants" / "cuda.py"))["MUTANTS"]
RULES = load_catalogue()


@functools.cache
def kernel_of(rule, dtype):
    return run_passes(lower(RULES[rule], DType(dtype)))


@functools.cache
def text_of(rule, dtype):
    return BACKENDS["cuda"].render(Heading.of(RULES[rule]), [kernel_of(rule, dtype)])[0].text


def compiled(text, arch="sm_90"):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    return nvrtc.compile(text, "kernel.cu", arch).ptx


@functools.cache
def ptx_of(rule, dtype, arch="sm_90"):
    return compiled(text_of(rule, dtype), arch)


def outcomes(rule, dtype, ptx):
    return {proof.entry: proof for proof in compare_ptx(kernel_of(rule, dtype), ptx)}


@pytest.mark.parametrize(("dtype", "arch"), [("float32", "sm_90"), ("float64", "sm_80")])
@pytest.mark.parametrize("rule", [r for r in RULES if r != "lamb"])
def test_every_kernel_is_its_ir(rule, dtype, arch):
    found = outcomes(rule, dtype, ptx_of(rule, dtype, arch))
    assert found
    assert {proof.outcome for proof in found.values()} == {"equal"}, found


ELEMENTWISE = [name for name, mutant in MUTANTS.items() if mutant.rule != "lamb"]


# The others are tried by benchmarks/translation_ptx.py, and all slips in PTX text.
@pytest.mark.parametrize("name", ELEMENTWISE[::3])
def test_no_broken_kernel_is(name):
    mutant = MUTANTS[name]
    text = text_of(mutant.rule, mutant.dtype)
    for old, new in mutant.changes:
        assert old in text
        text = text.replace(old, new, 1)
    found = outcomes(mutant.rule, mutant.dtype, compiled(text))
    assert all(proof.outcome != "equal" and proof.detail for proof in found.values()), found


SAID = {
    "approximate_division": "div.approx.f32 %f56, %f55, %f54: rounds approximately instead of",
    "contraction": "fma.rn.f32",
    "contraction_in_double": "rounds to nearest unless fused instead of to nearest",
    "rounded_towards_zero": "mul.rz.f32 %f55, %f9, %f50: rounds towards zero instead of",
    "swapped_lane": "computes grad[+1] instead of grad",
    "tail_bound_inclusive": "elements up to n + 1 are written, not up to n",
    "alignment_of_grad_forgotten": "only if grad aligned to 16 bytes",
    "struct_reordered": "computes eps instead of lr",
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said(name):
    mutant = MUTANTS[name]
    text = text_of(mutant.rule, mutant.dtype)
    for old, new in mutant.changes:
        text = text.replace(old, new, 1)
    said = re.sub(r"%f\d+", "%f", next(iter(outcomes(*mutant[:2], compiled(text)).values())).detail)
    assert re.sub(r"%f\d+", "%f", SAID[name]) in said


@pytest.mark.parametrize("rule", ["adamw", "lion", "momentum"])
def test_fast_mathematics_is_detected(rule, monkeypatch):
    options = (*nvrtc_module.OPTIONS, "--use_fast_math")
    monkeypatch.setattr(nvrtc_module, "OPTIONS", options)
    (proof,) = outcomes(rule, "float32", compiled(text_of(rule, "float32"))).values()
    assert proof.outcome == "different"
    assert re.search(r"PTX line \d+: .*ftz.*: takes subnormal numbers as zero", proof.detail)


def test_fast_mathematics_on_plain_operators_is_detected(monkeypatch):
    """What users write: `/` and `sqrtf`, which the option turns into approximations."""
    text = text_of("rmsprop", "float32")
    for name, sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/")):
        while f"__f{name}_rn(" in text:
            text = _infix(text, f"__f{name}_rn(", sign)
    text = text.replace("__fsqrt_rn(", "sqrtf(")
    monkeypatch.setattr(nvrtc_module, "OPTIONS", (*nvrtc_module.OPTIONS, "--use_fast_math"))
    (proof,) = outcomes("rmsprop", "float32", compiled(text)).values()
    assert proof.outcome == "different"
    monkeypatch.setattr(nvrtc_module, "OPTIONS", (*nvrtc_module.OPTIONS[:-1], "--fmad=true"))
    (proof,) = outcomes("rmsprop", "float32", compiled(text)).values()
    assert proof.outcome == "different"
    assert "fma.rn" in proof.detail or "unless fused" in proof.detail


def _infix(text, call, sign):
    """Turn the first call of a function of two arguments into an operator."""
    start = text.index(call)
    at, depth, comma = start + len(call), 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if text[at] == "," and depth == 1:
            comma = at
        at += 1
    left, right = text[start + len(call) : comma], text[comma + 1 : at - 1]
    return f"{text[:start]}(({left}) {sign} ({right})){text[at:]}"


# --- slips in the PTX itself ---------------------------------------------------------

SWAPS = (
    (r"\badd\.rn", "sub.rn"),
    (r"\bsub\.rn", "add.rn"),
    (r"\bmul\.rn", "add.rn"),
    (r"\bdiv\.rn", "mul.rn"),
    (r"\b(add|sub|mul|div|sqrt)\.rn\.", r"\1.rz."),
    (r"\b(add|sub|mul|div|sqrt)\.rn\.f32", r"\1.rn.ftz.f32"),
    (r"\b(add|sub|mul)\.rn\.", r"\1."),
    (r"\b(div|sqrt)\.rn\.f32", r"\1.approx.f32"),
    (r"setp\.lt\.u64", "setp.le.u64"),
    (r"setp\.ge\.u64", "setp.gt.u64"),
    (r"setp\.gt\.f", "setp.ge.f"),
    (r"setp\.lt\.f", "setp.le.f"),
    (r"setp\.eq\.f", "setp.ne.f"),
    (r"setp\.nan\.f", "setp.num.f"),
    (r"(param_\d+)\];", r"\1+4];"),
    (r"(param_\d+)\+4\]", r"\1+8]"),
    (r"\[(%rd\d+)\]", r"[\1+4]"),
    (r"\[(%rd\d+)\]", r"[\1+8]"),
    (r"(shl\.b64 .*), 4;", r"\1, 3;"),
    (r"(shl\.b64 .*), 2;", r"\1, 3;"),
    (r"(shr\.u64 .*), 2;", r"\1, 1;"),
    (r"and\.b64 (.*), 15;", r"and.b64 \1, 7;"),
    (r"%ntid", "%nctaid"),
    (r"%tid", "%ctaid"),
    (r"@%p", "@!%p"),
    (r"0f3F800000", "0f3F800001"),
    (r"\bor\.pred", "and.pred"),
    (r"(\b(?:add|sub|mul|div|selp)\.\S+ \s*%f\d+, )(%f\d+), (%f\d+)", r"\1\3, \3"),
    (r"(\b(?:sub|div|selp)\.\S+ \s*%f\d+, )(%f\d+), (%f\d+)", r"\1\3, \2"),
    (r"(st\.global\.v4\.f32 .*)\{(%f\d+), (%f\d+)", r"\1{\3, \2"),
    (r"(\{%f\d+), (%f\d+), (%f\d+)", r"\1, \3, \2"),
)


def slips(ptx, entry):
    """Yield PTX texts in which one line of an entry is changed."""
    lines = ptx.split("\n")
    begin = next(i for i, line in enumerate(lines) if f".entry {entry}(" in line)
    end = next(i for i, line in enumerate(lines) if i > begin and line == "}")
    for number in range(begin, end):
        for pattern, replacement in SWAPS:
            changed = re.sub(pattern, replacement, lines[number], count=1)
            if changed != lines[number]:
                text = "\n".join([*lines[:number], changed, *lines[number + 1 :]])
                yield f"{lines[number].strip()} -> {changed.strip()}", text


@pytest.mark.parametrize("rule", ["lion", "amsgrad", "nesterov"])
def test_no_slip_in_the_ptx_is_equal(rule):
    entry = f"optgen_{rule}_float32"
    found = list(slips(ptx_of(rule, "float32"), entry))
    assert len(found) > 100
    for what, text in random.Random(3).sample(found, 20):
        (proof,) = outcomes(rule, "float32", text).values()
        assert proof.outcome != "equal", what


def test_half_of_the_number_of_elements_is_not_enough():
    ptx = ptx_of("sgd", "float64")
    found = re.search(r"ld\.param\.u64 \t(%rd\d+), \[optgen_sgd_float64_param_3\];", ptx)
    assert found
    half = f"ld.param.u32 %low, [optgen_sgd_float64_param_3]; cvt.u64.u32 {found[1]}, %low;"
    text = ptx.replace(found[0], half).replace(".reg .pred", ".reg .b32 %low;\n\t.reg .pred")
    (proof,) = outcomes("sgd", "float64", text).values()
    assert proof.outcome == "unknown"
    assert "does not wrap around" in proof.detail


# --- sums over all elements -----------------------------------------------------------


def test_the_launches_of_lamb_are_their_ir():
    found = outcomes("lamb", "float32", ptx_of("lamb", "float32"))
    assert [proof.outcome for proof in found.values()] == ["equal"] * 3
    details = [proof.detail for proof in found.values()]
    assert details[0] == "shown for n = 1, 5 (not aligned), 1027"
    assert details[1] == "shown for 0, 1, 2, 3, 5 chunks"


# The others are tried by benchmarks/translation_ptx.py.
SUMS = ("first_barrier_missing", "halving_barrier_missing", "rows_left_out", "tail_bound_of_chunks")


@pytest.mark.parametrize("name", SUMS)
def test_no_broken_sum_is(name):
    mutant = MUTANTS[name]
    text = text_of(mutant.rule, mutant.dtype)
    for old, new in mutant.changes:
        assert old in text
        text = text.replace(old, new, 1)
    kernel, ptx = kernel_of("lamb", mutant.dtype), compiled(text)
    found = compare_ptx(kernel, ptx, sizes=(Size(1), Size(5, aligned=False)))
    assert any(proof.outcome != "equal" for proof in found), found
