"""The level `proof`: on for every built kernel; broken code fails, unread code is unknown."""

from __future__ import annotations

import functools

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading, SourceFile
from optgen.building import rule_build
from optgen.building.code_proof import CodeProof, prove_compiled, prove_module
from optgen.building.report import Row
from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime import nvrtc as nvrtc_module
from optgen.runtime.cache import compile_cached
from optgen.runtime.nvrtc import find_nvrtc

RULES = load_catalogue()


@functools.cache
def clean(rule, dtype="float32"):
    spec = RULES[rule]
    kernel = run_passes(lower(spec, DType(dtype)))
    return kernel, BACKENDS["numpy"].render(Heading.of(spec), (kernel,))[0].text


def compiled(rule, *changes):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    kernel, _ = clean(rule)
    text = BACKENDS["cuda"].render(Heading.of(RULES[rule]), (kernel,))[0].text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return {"sm_90": parse(compile_cached(nvrtc, text, "proof.cu", "sm_90").ptx)}


def test_words():
    assert CodeProof().word == "equal"
    assert CodeProof(doubts=("why",)).word == "unknown"
    assert CodeProof(failures=("what",), doubts=("why",)).word == "failed"
    assert CodeProof(off=True).word == "off"


@pytest.mark.parametrize(
    ("algebra", "proof", "shown"),
    [
        ("equal", "equal", "equal"),
        ("equal", "off", "lowered"),
        ("equal", "unknown", "unknown"),
        ("unknown", "equal", "unknown"),
        ("unknown", "failed", "failed"),
        ("failed", "off", "failed"),
    ],
)
def test_one_word_for_both_proofs(algebra, proof, shown):
    row = Row("sgd", "cuda", "float32", algebra, proof, "", "", None, None, None, 0.0)
    assert row.proved == shown
    assert shown in row.cells()


def test_clean_code_is_proved():
    kernel, text = clean("lion")
    assert prove_module(kernel, text).word == "equal"
    assert prove_compiled(kernel, compiled("lion")).word == "equal"
    assert prove_compiled(kernel, {}).word == "off"


def test_broken_code_fails():
    kernel, text = clean("adamw")
    broken = text.replace(
        "np.sqrt(exp_avg_sq_hat, out=row1)", "np.square(exp_avg_sq_hat, out=row1)"
    )
    assert broken != text
    assert prove_module(kernel, broken).word == "unknown"  # an operation that is not modelled
    broken = text.replace("np.add(row1, eps,", "np.subtract(row1, eps,")
    assert broken != text
    found = prove_module(kernel, broken)
    assert found.word == "failed"
    assert "param" in found.failures[0]
    change = ("__fsqrt_rn", "")
    found = prove_compiled(kernel, compiled("adamw", change))
    assert found.word == "failed"
    assert "sm_90" in found.failures[0]


def test_fast_math_is_detected(monkeypatch):
    options = (*nvrtc_module.OPTIONS, "--use_fast_math")
    monkeypatch.setattr(nvrtc_module, "OPTIONS", options)
    kernel, _ = clean("momentum")
    found = prove_compiled(kernel, compiled("momentum"))
    assert found.word == "failed"


def test_a_build_fails_on_it(monkeypatch):
    """A wrong module that runs right on every sampled value would still be refused."""
    printer = BACKENDS["numpy"]

    class Changed:
        name, dtypes = printer.name, printer.dtypes

        def render(self, heading, kernels):
            (file,) = printer.render(heading, kernels)
            rare = "param[param == param.dtype.type(1.2345)] = 0"  # on one value only
            text = file.text.replace(
                "    count = param.size\n", f"    count = param.size\n    {rare}\n"
            )
            return (SourceFile(file.path, text),)

    monkeypatch.setitem(rule_build.BACKENDS, "numpy", Changed())
    built = rule_build.build_rule(RULES["sgd"], ("numpy",), ("float32",), ())
    (row,) = built.rows
    assert row.proved == "unknown"
    assert row.run != "failed"
    assert any("sgd: not proved" in line for line in built.levels)


def test_every_built_kernel_is_proved():
    built = rule_build.build_rule(RULES["amsgrad"], ("numpy", "cuda"), ("float32",), ("sm_90",))
    assert {row.proof for row in built.rows} <= {"equal", "off"}
    assert built.rows[0].proof == "equal"
