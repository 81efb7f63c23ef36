"""Storage mixes read back: printed and compiled code has the bits of its kernel, slips do not."""

from __future__ import annotations

import functools
import runpy
from pathlib import Path

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.errors import BackendUnavailable
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.runtime.compiler import find_compiler
from optgen.runtime.nvrtc import find_nvrtc
from optgen.storage import parse_storage
from optgen.translation.c import reading
from optgen.translation.c.kernels import compare_c
from optgen.translation.c.reading import SourceReader
from optgen.translation.numpy_kernels import compare_module
from optgen.translation.ptx_kernels import compare_ptx
from optgen.verify.verdicts import Unsupported

RULES = load_catalogue()
MUTANTS = runpy.run_path(str(Path(__file__).parents[1] / "mutants" / "mixes.py"))
SLIPS = MUTANTS["SLIPS"]
MIXES = [MUTANTS[name] for name in ("BF16", "F16", "WIDE", "KAHAN", "KAHAN16", "MASTER", "RANDOM")]
WAYS = ("numpy", "llvm", "source", "cuda")


@functools.cache
def printed(rule, mix, target):
    storage, spec = parse_storage(mix), RULES[rule]
    kernel = store_as(run_passes(lower(spec, storage.arithmetic)), storage)
    return kernel, BACKENDS[target].render(Heading.of(spec, storage), [kernel])[0].text


@functools.cache
def reader(name):
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    if name == "source":
        pytest.importorskip("pycparser")
        return SourceReader(compiler)
    return reading._clang() or pytest.skip("no clang")


def judged(kernel, text, way):
    """Return what is wrong or not followed; empty if all is proved equal."""
    if way == "numpy":
        found = compare_module(kernel, text)
        return "" if found.outcome == "equal" else f"{found.outcome}: {found.detail}"
    if way == "cuda":
        try:
            ptx = find_nvrtc().compile(text, "kernel.cu", "sm_90").ptx
        except BackendUnavailable as error:
            pytest.skip(f"no NVRTC: {error.what}")
        parts = compare_ptx(kernel, ptx)
    else:
        try:
            parts = list(compare_c(kernel, reader(way).read(text, "file.c"), sizes=(1, 5)))
        except Unsupported as error:
            return f"unknown: {error}"
    return "; ".join(f"{part.outcome}: {part.detail}" for part in parts if part.outcome != "equal")


TARGETS = {"numpy": "numpy", "llvm": "c", "source": "c", "cuda": "cuda"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mix", MIXES)
def test_mixes_are_their_kernels(mix, way):
    assert judged(*printed("adamw", mix, TARGETS[way]), way) == ""


@pytest.mark.parametrize("way", ["numpy", "source", "cuda"])
def test_a_rule_with_sums_is_its_kernel(way):
    assert judged(*printed("lamb", MUTANTS["KAHAN"], TARGETS[way]), way) == ""


def test_a_sum_of_what_is_rounded_at_random_is_unknown_in_cuda():
    said = judged(*printed("lamb", MUTANTS["RANDOM"], "cuda"), "cuda")
    assert said == "unknown: a pass that sums what it has rounded at random"


def tried(name):
    return {"c": ("llvm", "source"), "cuda": ("cuda",), "numpy": ("numpy",)}[SLIPS[name].target]


def pairs():
    """Return slips with a reader; of those of C every second pair is marked slow."""
    found = []
    for number, name in enumerate(SLIPS):
        for place, way in enumerate(tried(name)):
            later = len(tried(name)) > 1 and place != number % 2
            found.append(pytest.param(name, way, marks=pytest.mark.slow if later else ()))
    return found


@pytest.mark.parametrize(("name", "way"), pairs())
def test_a_slip_is_seen(name, way):
    target, mix, old, new = SLIPS[name]
    kernel, text = printed("adamw", mix, target)
    assert old in text, f"the text has no {old!r} any more"
    assert judged(kernel, text.replace(old, new, 1), way) != ""


def test_bits_that_show_a_slip_are_named():
    _, mix, old, new = SLIPS["c: rounds halfway down"]
    kernel, text = printed("adamw", mix, "c")
    said = judged(kernel, text.replace(old, new, 1), "source")
    assert "0x18000 in sub gives 0x1 instead of 0x2" in said


def test_a_reader_that_crashes_has_proved_nothing(monkeypatch):
    """In place of a result comes what went wrong, in every reader."""
    from optgen.translation.bits import words

    def crash(*_):
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(words, "conversion", crash)
    mix = MUTANTS["BF16"]
    for way in ("source", "cuda"):
        said = judged(*printed("adamw", mix, TARGETS[way]), way)
        assert said.startswith("unknown: the code is not read to its end: KeyError: 'nobody")
