"""Generated C read back, by both readers: the clean text is equal, a broken one never is."""

from __future__ import annotations

import functools
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
from optgen.runtime.compiler import find_compiler
from optgen.translation.c import reading
from optgen.translation.c.hosts import compare_host
from optgen.translation.c.kernels import compare_c
from optgen.translation.c.reading import SourceReader, find_reader
from optgen.verify.verdicts import Unsupported

RULES = load_catalogue()
MUTANTS = runpy.run_path(str(Path(__file__).parents[1] / "mutants" / "c_text.py"))
SLIPS = {**MUTANTS["MUTANTS"], **MUTANTS["UNSEEN"]}
CHEAP = [name for name, mutant in SLIPS.items() if mutant.rule != "lamb"]
DEAR = [name for name in SLIPS if name not in CHEAP and name not in MUTANTS["FULL_CHUNKS"]]
READERS = ("llvm", "source")


@functools.cache
def reader(name):
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    if name == "source":
        pytest.importorskip("pycparser")
        return SourceReader(compiler)
    found = reading._clang()
    return found or pytest.skip("no clang")


@functools.cache
def clean(rule, dtype):
    spec = RULES[rule]
    kernel = run_passes(lower(spec, DType(dtype)))
    return kernel, BACKENDS["c"].render(Heading.of(spec), [kernel])[0].text


def judged(rule, dtype, by, *changes, sizes=(1, 5)):
    kernel, text = clean(rule, dtype)
    for old, new in changes:
        assert old in text, f"the kernel has no line with {old!r} any more"
        text = text.replace(old, new, 1)
    try:
        parts = compare_c(kernel, reader(by).read(text, "file.c"), sizes=sizes)
        return next((part for part in parts if part.outcome != "equal"), None)
    except Unsupported as error:
        return str(error)


@pytest.mark.parametrize("by", READERS)
@pytest.mark.parametrize(
    ("rule", "dtype"),
    [("adamw", "float32"), ("lion", "float64"), ("amsgrad", "float32")],
)
def test_clean_kernels_are_equal(rule, dtype, by):
    assert judged(rule, dtype, by) is None


@pytest.mark.slow
@pytest.mark.parametrize("by", READERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_every_clean_kernel_is_equal(rule, dtype, by):
    assert judged(rule, dtype, by, sizes=(1, 5, 1027, 16384)) is None


def either(names):
    """Return each name with one reader, turn by turn, and marked slow with the other."""
    pairs = [(n, by, i % 2 == j) for i, n in enumerate(names) for j, by in enumerate(READERS)]
    slow = pytest.mark.slow
    return [pytest.param(n, by, marks=() if first else slow) for n, by, first in pairs]


@pytest.mark.parametrize(("name", "by"), either(CHEAP))
def test_a_slip_is_seen(name, by):
    mutant = SLIPS[name]
    assert judged(mutant.rule, mutant.dtype, by, *mutant.changes) is not None


@pytest.mark.slow
@pytest.mark.parametrize("by", READERS)
@pytest.mark.parametrize("name", [*DEAR, *MUTANTS["FULL_CHUNKS"]])
def test_a_slip_in_a_sum_is_seen(name, by):
    mutant = SLIPS[name]
    sizes = (16384,) if name in MUTANTS["FULL_CHUNKS"] else (1, 1027)
    assert judged(mutant.rule, mutant.dtype, by, *mutant.changes, sizes=sizes) is not None


@pytest.mark.parametrize(("name", "by"), either(MUTANTS["SAME"]))
def test_what_changes_no_bit_is_equal(name, by):
    mutant = MUTANTS["SAME"][name]
    assert judged(mutant.rule, mutant.dtype, by, *mutant.changes) is None


def test_flags_that_loosen_arithmetic_are_refused():
    clang = reader("llvm")
    kernel, text = clean("adamw", "float32")
    text = text.replace("#if defined(__FAST_MATH__)", "#if 0")
    for flags in (
        ("-ffast-math",),
        ("-fassociative-math", "-fno-signed-zeros"),
        ("-ffp-contract=fast",),
    ):
        loose = reading.LlvmReader(clang.clang, clang.version, (*clang.flags, *flags), builds=False)
        (part,) = compare_c(kernel, loose.read(text, "file.c"))
        assert part.outcome == "different"
        assert "may be" in part.detail


def test_without_clang_the_source_is_read(monkeypatch):
    compiler = find_compiler_or_skip()
    pytest.importorskip("pycparser")
    monkeypatch.setattr(reading, "_clang", lambda: None)
    if "clang" in compiler.version:
        pytest.skip("the compiler is clang")
    found = find_reader(compiler)
    assert isinstance(found, SourceReader)
    assert found.read(clean("sgd", "float32")[1], "sgd.c").by == "its source, through pycparser"


def find_compiler_or_skip():
    try:
        return find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("float param = param_v[index];", "float param = param_v[index]; goto end; end: ;", "line"),
        (
            "float param = param_v[index];",
            "float param = *(volatile float *)(param_v + index);",
            "",
        ),
        ("float param = param_v[index];", "float param = param_v[index ^ 1];", ""),
        ("++index", "index += 2", ""),
        ("(float *)call->pointers", "(float *)(uintptr_t)call->pointers", ""),
    ],
)
def test_what_is_not_followed_is_unknown(old, new, said):
    found = judged("adamw", "float32", "source", (old, new))
    if found is None:
        # Reading through a volatile pointer gives the same value; a cast of a pointer, too.
        assert "volatile" in new or "uintptr_t" in new
    else:
        assert said in str(found)


HOST_SLIPS = {
    "rounded_before_the_difference": (
        "args->one_minus_beta1 = (float)one_minus_beta1",
        "args->one_minus_beta1 = 1.0f - (float)beta1",
    ),
    "another_hyperparameter": ("args->eps = (float)eps", "args->eps = (float)beta2"),
    "power_of_another_step": ("ipow_float64(beta2, step)", "ipow_float64(beta2, step - 1.0)"),
    "power_in_another_order": ("result * base", "result * base * 1.0000000000000002"),
    "domain_open": ("hyperparameters[2] < 1.0", "hyperparameters[2] <= 1.0"),
    "flag_of_any_value": (" || hyperparameters[6] == 1.0", " || hyperparameters[6] >= 1.0"),
    "flag_turned_around": ("1.0 - 2.0 * maximize", "2.0 * maximize - 1.0"),
    "field_not_written": ("  args->lr = (float)lr;\n", ""),
    "no_clipping": ("* clip_coef / grad_scale", "/ grad_scale"),
    "environment_set_late": (
        "  fesetenv(FE_DFL_ENV);\n  const double lr",
        "  args->lr = (float)(hyperparameters[0] * 3.0);\n"
        "  fesetenv(FE_DFL_ENV);\n  const double lr",
    ),
    "environment_not_set": ("  fesetenv(FE_DFL_ENV);\n  const double lr", "  const double lr"),
    "environment_not_given_back": ("  fesetenv(&state);\n  return 0;", "  return 0;"),
}


def host_judged(by, old="", new=""):
    kernel, text = clean("adam", "float32")
    assert old in text, f"the host program has no line with {old!r} any more"
    return compare_host(kernel, reader(by).read(text.replace(old, new, 1), "file.c").program)


@pytest.mark.parametrize("by", READERS)
def test_the_host_program_is_equal(by):
    assert host_judged(by) == ""


@pytest.mark.parametrize(("name", "by"), either(HOST_SLIPS))
def test_a_slip_in_the_host_program_is_seen(name, by):
    assert host_judged(by, *HOST_SLIPS[name])
