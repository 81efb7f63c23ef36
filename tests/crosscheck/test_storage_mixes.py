"""Storage mixes on every backend: the bits of the IR, and errors within their bounds.

All rules in all mixes are a campaign (`--full`); without it a seeded sample is run, in which
every mix stands once.
"""

import functools
import random

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building.c_rows import c_difference, host_difference
from optgen.building.rule_build import _compile, _cuda_row
from optgen.crosscheck import inputs
from optgen.crosscheck.accuracy import measure
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages
from optgen.crosscheck.numpy_run import load_module, run_module
from optgen.errors import BackendUnavailable, UsageError
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library
from optgen.storage import parse_storage

pytest.importorskip("ml_dtypes")
RULES = load_catalogue()
MIXES = """
    float32-float32-float64 float32-float64-float32 float64-float32-float64
    float32-float32-float32-float64 float32-float32-float64+kahan
    bfloat16-bfloat16-float32 bfloat16-bfloat16-bfloat16 bfloat16-float32-float32
    float16-float16-float32 float16-float16-float16 float32-bfloat16-bfloat16
    float32-float16-float16 bfloat16-float32-float16 float16-bfloat16-bfloat16
    bfloat16-bfloat16-float32-float32 bfloat16-bfloat16-bfloat16-float32
    float16-float16-float32-float32
    bfloat16-bfloat16-float32+kahan bfloat16-bfloat16-bfloat16+kahan
    float16-float16-float32+kahan
    bfloat16-bfloat16-float32+stochastic bfloat16-bfloat16-bfloat16+stochastic
    float32-float32-bfloat16+stochastic
""".split()
ALL = [(rule, mix) for rule in sorted(RULES) for mix in MIXES]


def sample():
    """One rule for each mix; LAMB, which sums, in three."""
    chosen = random.Random(11)
    found = [(chosen.choice(sorted({*RULES} - {"lamb"})), mix) for mix in MIXES]
    return sorted({*found, *(("lamb", mix) for mix in MIXES[-8:-5] if mix != MIXES[-6])})


@functools.cache
def prepared(rule, mix):
    storage = parse_storage(mix)
    try:
        kernel = store_as(run_passes(lower(RULES[rule], storage.arithmetic)), storage)
    except UsageError as error:
        pytest.skip(f"no such kernel: {error}")
    heading = Heading.of(RULES[rule], storage)
    text = BACKENDS["numpy"].render(heading, [kernel])[0].text
    return kernel, heading, load_module(heading.identifier, text)


def check_numpy(rule, mix):
    kernel, _, module = prepared(rule, mix)
    hyperparameters = inputs.hyperparameters(RULES[rule], kernel)
    states = inputs.scalar_states(kernel)
    for case in inputs.cases(kernel):
        arrays = inputs.arrays(kernel, RULES[rule], case)
        host = host_values(kernel, hyperparameters, case.step, states, case.n)
        scalars, drawn = kernel_scalars(kernel, host), inputs.random_of(kernel, case)
        wanted = run_stages(kernel, arrays, scalars, drawn)
        found, _ = run_module(module, kernel, arrays, hyperparameters, states, case)
        assert not inputs.first_difference(wanted, found), str(case)
    accuracy = measure(module, kernel, RULES[rule])
    assert accuracy.worst <= 1, accuracy
    assert accuracy.lowering <= 1e-40
    assert accuracy.in_doubt < accuracy.total / 2


def check_c(rule, mix):
    kernel, heading, module = prepared(rule, mix)
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    source = BACKENDS["c"].render(heading, [kernel])[0]
    path = compiled_library(compiler, source.text, f"{heading.identifier}.c")
    library = CLibrary(path, heading.identifier)
    assert not host_difference(RULES[rule], kernel, library)
    assert not c_difference(RULES[rule], kernel, module, library)


def check_cuda(rule, mix):
    kernel, heading, module = prepared(rule, mix)
    source = BACKENDS["cuda"].render(heading, [kernel])[0]
    compiled, reason = _compile(RULES[rule], source, ("sm_90",))
    if reason:
        pytest.skip(reason)
    assert not _cuda_row(RULES[rule], kernel, module, compiled, reason).failures


CHECKS = {"numpy": check_numpy, "c": check_c, "cuda": check_cuda}


@pytest.mark.parametrize(("rule", "mix"), sample())
def test_numpy_and_c_sampled(rule, mix):
    check_numpy(rule, mix)
    check_c(rule, mix)


@pytest.mark.parametrize(
    ("rule", "mix"),
    [
        ("adamw", "bfloat16-bfloat16-bfloat16-float32"),
        ("lion", "float16-float16-float32+kahan"),
        ("sgd", "float32-float32-float64"),
        ("rmsprop", "bfloat16-bfloat16-bfloat16+stochastic"),
    ],
)
def test_ptx_sampled(rule, mix):
    check_cuda(rule, mix)


@pytest.mark.slow
@pytest.mark.parametrize("target", sorted(CHECKS))
@pytest.mark.parametrize(("rule", "mix"), ALL)
def test_every_rule_in_every_mix(rule, mix, target):
    CHECKS[target](rule, mix)


MASTER, KAHAN = "bfloat16-bfloat16-bfloat16-float32", "bfloat16-bfloat16-bfloat16+kahan"
CHANCE, PLAIN = "bfloat16-bfloat16-bfloat16+stochastic", "bfloat16-bfloat16-bfloat16"
# (rule, mix, what stands in the C file, what a slip makes of it); ties and odd NaNs, which
# these inputs do not reach, are tried where the conversions are.
SLIPS = [
    ("sgd", "bfloat16-float32-float32", "+ 0x7fffu +", "+ 0x8000u +"),
    ("sgd", "float16-float16-float32", "0x7e00u : 0x7c00u", "0x7c00u : 0x7c00u"),
    ("sgd", "float16-float16-float32", "size < 0x38800000u ? small", "size < 0x38000000u ? small"),
    ("sgd", "float16-float16-float32", "size < 0x400u ? small", "size < 0x200u ? small"),
    ("adamw", MASTER, "const float param = master;", "const float param = grad;"),
    ("adamw", MASTER, "  master_v[index] = master;", "  ;"),
    ("adamw", KAHAN, "full_param - param;", "param - full_param;"),
    ("adamw", KAHAN, "param + kahan_comp;", "param;"),
    ("lamb", PLAIN, "exp_avg = load_bfloat16(store_bfloat16(exp_avg));", ";"),
    ("adamw", CHANCE, "n, first + 0,", "n, 0,"),
    ("adamw", CHANCE, "args.seed, tensor);", "args.seed, 0);"),
    ("adamw", CHANCE, "args.seed, tensor);", "0, tensor);"),
    ("adamw", CHANCE, "store_bfloat16_stochastic(exp_avg, random1)",
     "store_bfloat16_stochastic(exp_avg, random0)"),
    ("adamw", CHANCE, "round < 10", "round < 9"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "mix", "old", "new"),
    [
        pytest.param(*slip, marks=[pytest.mark.slow] if i % 3 else [])
        for i, slip in enumerate(SLIPS)
    ],
)
def test_a_slip_in_c_is_noticed(rule, mix, old, new):
    kernel, heading, module = prepared(rule, mix)
    source = BACKENDS["c"].render(heading, [kernel])[0]
    assert old in source.text
    try:
        path = compiled_library(find_compiler(), source.text.replace(old, new), "slip.c")
    except BackendUnavailable as error:
        pytest.skip(error.what)
    assert c_difference(RULES[rule], kernel, module, CLibrary(path, heading.identifier))
