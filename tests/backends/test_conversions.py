"""Conversions and random numbers of two-byte types: C, CUDA and NumPy against each other.

Every sixteen-bit value is loaded. What is stored are all values beside which rounding
changes its mind, and a million random bit patterns. NaNs are compared as NaNs.
"""

import ctypes
import functools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from optgen.backends.conversions import _C, _CUDA, _HELPERS
from optgen.crosscheck.ptx import Memory, launch, parse
from optgen.errors import BackendUnavailable
from optgen.philox import philox
from optgen.render import render
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library
from optgen.runtime.nvrtc import find_nvrtc

ALL = np.arange(2**16, dtype=np.uint16)
BLOCK = 256
HIGHEST = {"bfloat16": 0x7F80, "float16": 0x7C00}  # infinity

# The same loops in both languages: name, types of what is read, type of what is written, body.
LOOPS = {
    **{f"load_{t}": (("uint16_t",), "float", f"load_{t}(a[i])") for t in HIGHEST},
    **{f"store_{t}": (("float",), "uint16_t", f"store_{t}(a[i])") for t in HIGHEST},
    "store_bfloat16_stochastic": (
        ("float", "uint32_t"), "uint16_t", "store_bfloat16_stochastic(a[i], b[i])",
    ),
}  # fmt: skip
PHILOX = """
  const struct optgen_random random = philox(
    ({u64})a[8 * i + 1] << 32 | a[8 * i], ({u64})a[8 * i + 3] << 32 | a[8 * i + 2],
    a[8 * i + 4], a[8 * i + 5]);
  for (int k = 0; k < 4; ++k) out[4 * i + k] = random.word[k];
"""
# What C draws for many elements, and CUDA for one.
HALVES = {
    _C["inline"]: "  if (i == 0) fill_random(out, n, a[0], 4294967299u, 7, 11);\n",
    _CUDA["inline"]: (
        "  const unsigned int lane = i % 4;\n"
        "  const uint64_t element = i - lane;\n"
        "  out[i] = random_half(philox(element / 8 * 8 + a[0], 4294967299u, 7, 11), "
        "element % 8 + lane);\n"
    ),
}
NUMPY = {
    "float": np.dtype(np.float32), "uint16_t": np.dtype(np.uint16),
    "uint32_t": np.dtype(np.uint32),
}  # fmt: skip


def loops(head, tail, words):
    """Return one function of every helper, and one of philox."""
    others = ("random_half",) if words is _C else ("bits", "fill_random")
    texts = [text.format(**words) for name, text in _HELPERS.items() if name not in others]
    for name, (read, written, body) in LOOPS.items():
        given = [f"const {t} *{n}" for t, n in zip(read, "ab", strict=False)]
        texts.append(head.format(name=name, given=", ".join((*given, f"{written} *out"))))
        texts.append(f"  out[i] = {body};\n{tail}")
    texts.append(head.format(name="numbers", given="const uint32_t *a, uint32_t *out"))
    texts.append(PHILOX.format(**words) + tail)
    texts.append(head.format(name="halves", given="const uint32_t *a, uint16_t *out"))
    texts.append(HALVES[words["inline"]] + tail)
    return "\n".join(texts)


@functools.cache
def c_library():
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    head = "void all_{name}(const uint64_t n, {given}) {{\nfor (uint64_t i = 0; i < n; ++i) {{"
    text = "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n"
    text += loops(head, "}\n}", _C)
    return ctypes.CDLL(str(compiled_library(compiler, text, "conversions.c")))


@functools.cache
def ptx_module(arch):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    head = (
        'extern "C" __global__ void all_{name}(const uint64_t n, {given}) {{\n'
        f"const uint64_t i = (uint64_t)blockIdx.x * {BLOCK} + threadIdx.x;\nif (i < n) {{{{"
    )
    text = "typedef unsigned short uint16_t;\ntypedef unsigned int uint32_t;\n"
    text += "typedef unsigned long long uint64_t;\n"
    return parse(nvrtc.compile(text + loops(head, "}\n}", _CUDA), "conversions.cu", arch).ptx)


@dataclass(frozen=True, slots=True)
class _Nothing:
    pass


def run_numpy(name, *given):
    names = {"np": np}
    for template in ("bfloat16", "random"):
        exec(render(f"numpy/{template}.py.jinja", _Nothing()), names)
    if name == "load_float16":
        return given[0].view(np.float16).astype(np.float32)
    if name == "store_float16":
        with np.errstate(all="ignore"):
            return given[0].astype(np.float16).view(np.uint16)
    out = np.empty(given[0].shape, NUMPY[LOOPS[name][1]])
    call = {"store_bfloat16_stochastic": "_store_bfloat16_random"}.get(name, f"_{name}")
    names[call](*given, out)
    return out


def run_c(name, *given, count=None, out=None):
    out = np.empty(len(given[0]), NUMPY[LOOPS[name][1]]) if out is None else out
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*given, out)]
    getattr(c_library(), f"all_{name}")(ctypes.c_uint64(count or len(given[0])), *pointers)
    return out


def run_cuda(name, *given, count=None, out=None, arch="sm_75"):
    module = ptx_module(arch)
    memory = Memory()
    out = np.zeros(len(given[0]), NUMPY[LOOPS[name][1]]) if out is None else out
    held = [memory.alloc(a, f"a{i}", writable=False) for i, a in enumerate(given)]
    result = memory.alloc(out, "out")
    count = count or len(given[0])
    entry = module.entries[f"all_{name}"]
    launch(entry, grid=-(-count // BLOCK), block=BLOCK, args=[count, *held, result], memory=memory)
    return result.read()


BACKENDS = {
    "numpy": run_numpy,
    "c": run_c,
    "sm_75": run_cuda,
    "sm_90": functools.partial(run_cuda, arch="sm_90"),
}
each_backend = pytest.mark.parametrize("run", BACKENDS.values(), ids=BACKENDS)
each_compiled = pytest.mark.parametrize(
    "run", [BACKENDS[n] for n in ("c", "sm_75", "sm_90")], ids=("c", "sm_75", "sm_90")
)
each_type = pytest.mark.parametrize("kept", HIGHEST)


def same(found, wanted):
    """Whether all bits agree, where all NaNs of one type are one value."""
    lost = np.isnan(wanted)
    bits = f"u{wanted.dtype.itemsize}"
    return np.array_equal(np.isnan(found), lost) and np.array_equal(
        found.view(bits)[~lost], wanted.view(bits)[~lost]
    )


def values(bits, kept):
    """Return two-byte values in float64, from a definition of their formats by hand."""
    places, bias = (7, 127) if kept == "bfloat16" else (10, 15)
    size = bits.astype(np.int64) & 0x7FFF
    exponent, fraction = size >> places, size & ((1 << places) - 1)
    significand = np.where(exponent > 0, fraction + (1 << places), fraction)
    number = np.ldexp(significand.astype(np.float64), np.maximum(exponent, 1) - bias - places)
    number[size == HIGHEST[kept]] = np.inf
    number[size > HIGHEST[kept]] = np.nan
    return np.where(bits >> 15, -number, number)


def nearest(floats, kept):
    """Round float32 to a two-byte type with the numbers of `values` alone."""
    places, least, least_below = (7, -126, -133) if kept == "bfloat16" else (10, -14, -24)
    with np.errstate(invalid="ignore"):
        wide = floats.astype(np.float64)
        exponent = np.maximum(np.frexp(wide)[1] - 1, least)
        unit = np.ldexp(1.0, np.maximum(exponent - places, least_below))
        rounded = np.rint(wide / unit) * unit  # float64 holds all of them
    most = values(np.array([HIGHEST[kept] - 1], np.uint16), kept)[0]
    return np.where(np.abs(rounded) > most, np.copysign(np.inf, wide), rounded)


@functools.cache
def boundaries():
    """Return float32 around every two-byte value and every tie, and random patterns."""
    rng = np.random.default_rng(5)
    with np.errstate(invalid="ignore"):
        exact = [values(ALL, kept).astype(np.float32).view(np.uint32) for kept in HIGHEST]
    half = [exact[0] + np.uint32(0x8000), exact[1] + np.uint32(0x1000)]
    # Ties of float16's subnormals: odd multiples of 2^-25.
    odd = np.ldexp(np.arange(1, 2**11, 2, dtype=np.float32), -25)
    half += [odd.view(np.uint32), (-odd).view(np.uint32)]
    near = [b + np.uint32(d % 2**32) for b in (*exact, *half) for d in (-1, 0, 1)]
    near.append(rng.integers(0, 2**32, 10**6, dtype=np.uint32))
    return np.concatenate(near).view(np.float32)


@each_backend
@each_type
def test_every_value_is_loaded_exactly(run, kept):
    with np.errstate(invalid="ignore"):  # NaNs that signal
        found = run(f"load_{kept}", ALL).astype(np.float64)
    assert same(found, values(ALL, kept))


@each_backend
@each_type
def test_stores_round_to_nearest_even(run, kept):
    floats = boundaries()
    stored = values(run(f"store_{kept}", floats), kept)
    assert same(stored, nearest(floats, kept))


@each_backend
@each_type
def test_what_fits_stays(run, kept):
    with np.errstate(invalid="ignore"):
        floats = values(ALL, kept).astype(np.float32)
    numbers = ~np.isnan(floats)
    stored = run(f"store_{kept}", floats)
    assert np.array_equal(stored[numbers], ALL[numbers])
    assert np.isnan(values(stored[~numbers], kept)).all()


def test_the_definition_is_that_of_ml_dtypes_and_numpy():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    floats = boundaries()
    with np.errstate(all="ignore"):
        for kept, dtype in (("bfloat16", ml_dtypes.bfloat16), ("float16", np.float16)):
            assert same(ALL.view(dtype).astype(np.float64), values(ALL, kept))
            assert same(floats.astype(dtype).astype(np.float64), nearest(floats, kept))


# Above 1, just below the next bfloat16, below zero, subnormal, no number, at the end.
PATTERNS = [0x3F800001, 0x3F80FFFF, 0xBF804000, 0x00012345, 0x7F7F8000, 0xFF7FFFFF, 0x00000001]
RANDOM = np.arange(2**16, dtype=np.uint32)


@each_backend
@pytest.mark.parametrize("bits", PATTERNS, ids=hex)
def test_stochastic_rounding_has_the_exact_probability(run, bits):
    floats = np.full(2**16, bits, np.uint32).view(np.float32)
    found, counts = np.unique(run("store_bfloat16_stochastic", floats, RANDOM), return_counts=True)
    below, above = bits >> 16, (bits >> 16) + 1
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == {
        below: 2**16 - bits % 2**16,
        above: bits % 2**16,
    }
    if above & 0x7FFF < HIGHEST["bfloat16"]:
        numbers = values(np.array([below, above], np.uint16), "bfloat16")
        mean = sum(Fraction(v) * int(c) for v, c in zip(numbers, counts, strict=True)) / 2**16
        assert mean == Fraction(float(floats[0]))


@each_backend
def test_stochastic_rounding_keeps_what_fits_and_what_is_no_number(run):
    floats = (ALL.astype(np.uint32) << np.uint32(16)).view(np.float32)
    for random in (0, 1, 0xFFFF):
        stored = run("store_bfloat16_stochastic", floats, np.full(2**16, random, np.uint32))
        numbers = ~np.isnan(floats)
        assert np.array_equal(stored[numbers], ALL[numbers])
        assert np.isnan(values(stored[~numbers], "bfloat16")).all()
    # A NaN whose upper half alone would be infinity, and one that a sum would carry out of NaN.
    lost = np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    stored = run("store_bfloat16_stochastic", lost, np.array([0, 0xFFFF], np.uint32))
    assert np.isnan(values(stored, "bfloat16")).all()


@each_compiled
def test_stochastic_stores_agree_everywhere(run):
    floats = boundaries()
    random = np.random.default_rng(6).integers(0, 2**16, len(floats), dtype=np.uint32)
    wanted = values(run_numpy("store_bfloat16_stochastic", floats, random), "bfloat16")
    assert same(values(run("store_bfloat16_stochastic", floats, random), "bfloat16"), wanted)


# The authors' known answers (kat_vectors of Random123): counter, key, words.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def numbers(run, given):
    """Return the four words of rows of counter, key, and two words that nothing reads."""
    out = np.zeros(4 * len(given), np.uint32)
    flat = np.ascontiguousarray(given).reshape(-1)
    return run("numbers", flat, count=len(given), out=out).reshape(-1, 4)


@each_compiled
def test_philox_has_the_known_answers(run):
    given = [[int(w, 16) for w in f"{counter} {key} 0 0".split()] for counter, key, _ in KNOWN]
    wanted = [[int(w, 16) for w in words.split()] for _, _, words in KNOWN]
    assert numbers(run, np.array(given, np.uint32)).tolist() == wanted


@each_compiled
def test_philox_agrees_on_random_counters(run):
    given = np.random.default_rng(7).integers(0, 2**32, (2000, 8), dtype=np.uint32)
    given[1000:, 4:6] = given[0, 4:6]  # one key at a time for NumPy
    counters = tuple(given[1000:, i].astype(np.uint64) for i in range(4))
    wanted = philox(counters, (int(given[0, 4]), int(given[0, 5])))
    assert np.array_equal(numbers(run, given[1000:]), np.stack(wanted, axis=1))


@pytest.mark.parametrize("step", [1, 2**32 + 3])
@pytest.mark.parametrize("number", [0, 5])
@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 21), (3, 13), (2**32 - 9, 20)])
def test_numbers_of_a_generated_module_are_those_of_philox(first, count, number, step):
    names = {"np": np}
    exec(render("numpy/random.py.jinja", _Nothing()), names)
    _, found = names["_random"](first, count, step, 7, 11, [7, number])
    for index, value in zip(range(first, first + count), found, strict=True):
        place = index - index % 8 + number
        counter = (place % 2**32, place >> 32, step % 2**32, step >> 32)
        words = philox(tuple(np.array([w], np.uint64) for w in counter), (7, 11))
        assert value == int(words[index % 8 // 2][0]) >> 16 * (index % 2) & 0xFFFF


@each_compiled
@pytest.mark.parametrize("number", [0, 5])
def test_numbers_of_elements_are_those_of_a_generated_module(run, number):
    names = {"np": np}
    exec(render("numpy/random.py.jinja", _Nothing()), names)
    out = np.zeros(64, np.uint16)
    given = np.array([number], np.uint32)
    found = run("halves", given, count=len(out), out=out)
    assert np.array_equal(found, names["_random"](0, 64, 2**32 + 3, 7, 11, [number])[0])
