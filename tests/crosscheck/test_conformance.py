"""Every operation of the IR, printed by every backend and run, against its meaning said again.

The meanings here are written on purpose without the ufuncs that the interpreter
and the NumPy backend use: float32 arithmetic in float64 and rounded once (24 bits
twice and two more fit into 53, so that is exact), float64 arithmetic by Python's
own floats and, on a sample, by fractions; the rest on the bits as integers.
"""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.abi import abi
from optgen.backends.base import Heading
from optgen.crosscheck import interpret
from optgen.crosscheck.cuda_run import run_ptx
from optgen.crosscheck.inputs import Case, same_bits
from optgen.crosscheck.numpy_run import load_module
from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable
from optgen.ir import (
    OPERATIONS,
    ROUNDINGS,
    Argument,
    Assign,
    Buffer,
    DType,
    Elementwise,
    Kernel,
    Literal,
    Operation,
    Ref,
)
from optgen.passes import run_passes
from optgen.runtime.cache import compile_cached
from optgen.runtime.nvrtc import find_nvrtc

N = 1_000_003
A, B, C = Ref("grad"), Ref("second"), Ref("third")
ONE, TWO = Literal(Fraction(1)), Literal(Fraction(2))
LR = Argument("lr", Fraction(1, 8), "(-oo, oo)", "-np.inf < lr < np.inf", "step size")


def op(name, *operands):
    return Operation(name, operands)


def if_(mask):
    return op("select", mask, ONE, TWO)


EXPRESSIONS = {
    **{name: op(name, A, B) for name in ("add", "sub", "mul", "div", "max", "min")},
    **{name: op(name, A) for name in ("sqrt", "neg", "abs", "sign")},
    **{name: if_(op(name, A, B)) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    "and": if_(op("and", op("lt", A, B), op("lt", B, C))),
    "or": if_(op("or", op("lt", A, B), op("lt", B, C))),
    "not": if_(op("not", op("lt", A, B))),
    "select": op("select", op("lt", A, B), B, C),
    "power": op("power", A, Literal(Fraction(3))),
}


def kernel_of(expression, dtype, host=()):
    names = sorted(set(_reads(expression)) - {"grad", "lr", *(a.target for a in host)})
    buffers = (
        Buffer("param", "param", dtype),
        Buffer("grad", "grad", dtype),
        *(Buffer(name, "state", dtype) for name in names),
    )
    stage = Elementwise(
        loads=tuple(b.name for b in buffers if b.name != "param"),
        # A value that nothing reads: without any scalar the argument struct would be empty.
        body=(Assign("spare", Ref("lr")), Assign("param", expression, "param <- tested")),
        stores=("param",),
    )
    return run_passes(Kernel("tested", dtype, buffers, (LR,), (), tuple(host), (stage,)))


def _reads(expression):
    if isinstance(expression, Ref):
        yield expression.name
    elif isinstance(expression, Operation):
        for operand in expression.operands:
            yield from _reads(operand)


HEADING = Heading("tested", "tested", "One operation.", ("param <- tested",), (), "0" * 16, ())


def bit_patterns(dtype):
    """Return three arrays of random bits: related exponents, specials, NaNs with payloads."""
    bits = np.dtype(f"u{dtype.size}")
    rng = np.random.default_rng(2024)
    first, second, third = rng.integers(0, 2 ** (8 * dtype.size), (3, N), bits, endpoint=False)
    mantissa = 23 if dtype is DType.FLOAT32 else 52
    nearby = rng.random(N) < 0.4  # the same binade or the next ones, either sign
    second[nearby] = first[nearby] ^ rng.integers(0, 1 << (mantissa + 2), N, bits)[nearby]
    sign, exponent = bits.type(1 << (8 * dtype.size - 1)), bits.type
    infinity = exponent(((1 << (8 * dtype.size - 1 - mantissa)) - 1) << mantissa)
    specials = [0, 1, 2, (1 << mantissa) - 1, 1 << mantissa, infinity - 1, infinity, infinity + 1]
    specials += [infinity | (1 << (mantissa - 1)), infinity | 12345, int(infinity) >> 1]
    specials = np.array([s for x in specials for s in (x, int(x) | int(sign))], bits)
    for array in (first, second, third):
        places = rng.random(N) < 0.15
        array[places] = rng.choice(specials, int(places.sum()))
    third[::3] = second[::3]
    subnormal = rng.random(N) < 0.1
    first[subnormal] &= sign | bits.type((1 << mantissa) - 1)
    return tuple(x.view(dtype.value) for x in (first, second, third))


class Meaning:
    """The documented meaning of every operation, over arrays of one type."""

    def __init__(self, dtype, first, second, third):
        self.dtype, self.arrays = np.dtype(dtype.value), (first, second, third)
        self.bits = np.dtype(f"u{dtype.size}")
        self.sign_bit = self.bits.type(1 << (8 * dtype.size - 1))

    def nan(self, array):
        exponent = np.array(np.inf, self.dtype).view(self.bits)
        return (array.view(self.bits) & ~self.sign_bit) > exponent

    def key(self, array):
        """Return integers in the order of the values; both zeros are 0; NaN means nothing."""
        size = (array.view(self.bits) & ~self.sign_bit).astype(np.int64)
        return np.where(array.view(self.bits) & self.sign_bit != 0, -size, size)

    def __call__(self, name):
        a, b, c = self.arrays
        with np.errstate(all="ignore"):
            if name in ("add", "sub", "mul", "div"):
                return self._arithmetic(name, a, b)
            if name == "power":
                return self._arithmetic("mul", a, self._arithmetic("mul", a, a))
        either = self.nan(a) | self.nan(b)
        ka, kb, kc = (self.key(x) for x in (a, b, c))
        below, below_next = (ka < kb) & ~either, (kb < kc) & ~self.nan(b) & ~self.nan(c)
        masks = {
            "lt": below,
            "le": (ka <= kb) & ~either,
            "gt": (ka > kb) & ~either,
            "ge": (ka >= kb) & ~either,
            "eq": (ka == kb) & ~either,
            "ne": (ka != kb) | either,
            "and": below & below_next,
            "or": below | below_next,
            "not": ~below,
        }
        if name in masks:
            return np.where(masks[name], self.dtype.type(1), self.dtype.type(2))
        if name == "select":
            return np.where(below, b.view(self.bits), c.view(self.bits)).view(self.dtype)
        if name == "neg":
            return (a.view(self.bits) ^ self.sign_bit).view(self.dtype)
        if name == "abs":
            return (a.view(self.bits) & ~self.sign_bit).view(self.dtype)
        if name == "sign":
            values = np.sign(ka).astype(self.dtype)
            values[self.nan(a)] = np.nan
            return values
        if name in ("max", "min"):
            first = ka >= kb if name == "max" else ka <= kb
            values = np.where(first, a.view(self.bits), b.view(self.bits))
            values[values == self.sign_bit] = 0  # a zero result is +0
            values = values.view(self.dtype)
            values[either] = np.nan
            return values
        assert name == "sqrt"
        return self._root(a)

    def _arithmetic(self, name, a, b):
        do = {"add": operator.add, "sub": operator.sub, "mul": operator.mul}.get(name)
        if self.dtype == np.float32:
            wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
            wide = do(wide_a, wide_b) if do else wide_a / wide_b
            return wide.astype(np.float32)
        pairs = zip(a.tolist(), b.tolist(), strict=True)
        return np.array([do(x, y) for x, y in pairs] if do else [divide(x, y) for x, y in pairs])

    def _root(self, a):
        roots = [x if x == 0 else math.sqrt(x) if x > 0 else math.nan for x in a.tolist()]
        return np.array(roots).astype(self.dtype)


def divide(x, y):
    """Divide two Python floats the way IEEE 754 has it."""
    if y != 0:
        return x / y
    if math.isnan(x) or x == 0:
        return math.nan
    return math.copysign(math.inf, math.copysign(1, x) * math.copysign(1, y))


@pytest.fixture(scope="module", params=list(DType), ids=lambda d: d.value)
def tried(request):
    arrays = bit_patterns(request.param)
    return request.param, dict(zip(("grad", "second", "third"), arrays, strict=True))


@pytest.fixture(scope="module")
def meanings(tried):
    dtype, arrays = tried
    state, kept = Meaning(dtype, *arrays.values()), {}

    def of(name):
        if name not in kept:
            kept[name] = state(name)
        return kept[name]

    return of


def differing(expected, found):
    wrong = np.flatnonzero(~same_bits(expected, found))
    return [(int(i), expected[i], found[i]) for i in wrong[:3]], wrong.size


def test_every_operation_of_a_stage_is_tried():
    per_element = {name for name, meaning in OPERATIONS.items() if not meaning.host_only}
    # Roundings to a type of storage are tried in every mix, by test_storage_mixes.
    assert set(EXPRESSIONS) == per_element - set(ROUNDINGS)
    assert set(interpret.MEANINGS) == set(OPERATIONS) - {"power"}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_interpreter_has_the_documented_meaning(name, tried, meanings):
    dtype, arrays = tried
    kernel = kernel_of(EXPRESSIONS[name], dtype)
    given = {"param": arrays["grad"], **arrays}
    given = {b.name: given[b.name] for b in kernel.buffers}
    found = interpret.run_stages(kernel, given, dict.fromkeys(kernel.scalars, 1.0))["param"]
    assert found.dtype == dtype.value
    assert differing(meanings(name), found) == ([], 0)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_numpy_kernel_has_the_documented_meaning(name, tried, meanings):
    dtype, arrays = tried
    kernel = kernel_of(EXPRESSIONS[name], dtype)
    module = load_module("tested", BACKENDS["numpy"].render(HEADING, [kernel])[0].text)
    param = np.zeros(N, dtype.value)
    state = module.init(param)
    states = [b.name for b in kernel.buffers if b.role == "state"]
    state |= {s: arrays[s].copy() for s in states}
    grad = arrays["grad"].copy()
    module.step(param, grad, state)
    assert differing(meanings(name), param) == ([], 0)
    for untouched in states:
        assert np.array_equal(
            state[untouched].view(np.uint8), arrays[untouched].view(np.uint8)
        )  # bit for bit, NaN payloads too
    assert np.array_equal(grad.view(np.uint8), arrays["grad"].view(np.uint8))


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_compiled_cuda_has_the_documented_meaning(name, tried, meanings):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    dtype, arrays = tried
    kernel = kernel_of(EXPRESSIONS[name], dtype)
    text = BACKENDS["cuda"].render(HEADING, [kernel])[0].text
    module = parse(compile_cached(nvrtc, text, "tested.cu", "sm_90").ptx)
    given = {"param": np.zeros(N, dtype.value), **arrays}
    given = {b.name: given[b.name] for b in kernel.buffers}
    case = Case(N, grid=64)
    found = run_ptx(module, kernel, abi(kernel), given, dict.fromkeys(kernel.scalars, 1), case)
    assert differing(meanings(name), found.arrays["param"]) == ([], 0)


@pytest.mark.parametrize("tried", [DType.FLOAT64], indirect=True, ids=lambda d: d.value)
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "sqrt"])
def test_float64_meanings_round_the_exact_result(name, tried, meanings):
    dtype, arrays = tried
    assert dtype is DType.FLOAT64  # float32 is computed in float64, which is tried here
    a, b = arrays["grad"][:4000], arrays["second"][:4000]
    do = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}
    tried_values = 0
    for x, y, found in zip(a.tolist(), b.tolist(), meanings(name)[:4000].tolist(), strict=True):
        if not (math.isfinite(x) and math.isfinite(y)) or (name == "div" and y == 0):
            continue
        if name == "sqrt":
            if x < 0:
                continue
            with mpmath.workdps(60):
                exact = mpmath.sqrt(mpmath.mpf(x))
            assert float(exact) == found
        else:
            exact = do[name](Fraction(x), Fraction(y))
            try:
                rounded = float(exact)
            except OverflowError:
                rounded = math.inf if exact > 0 else -math.inf
            assert rounded == found
        tried_values += 1
    assert tried_values > 1500


@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize(
    "value",
    [Fraction(1, 3), Fraction(1, 10), Fraction(16777217), Fraction(10) ** 300, Fraction(0),
     Fraction(1, 10**46), -Fraction(2, 3), -(Fraction(10) ** 300)],
    ids=lambda value: f"{float(value):.3g}",
)  # fmt: skip
def test_literals_are_rounded_to_double_and_then_to_the_type(value, dtype):
    kernel = kernel_of(op("max", op("mul", A, ONE), Literal(value)), dtype)
    low = np.full(5, -np.inf, dtype.value)
    with np.errstate(over="ignore"):
        wanted = np.array(value.numerator / value.denominator).astype(dtype.value) + 0
    module = load_module("tested", BACKENDS["numpy"].render(HEADING, [kernel])[0].text)
    param = np.ones(5, dtype.value)
    module.step(param, low, module.init(param))
    assert differing(np.full(5, wanted), param) == ([], 0)
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    text = BACKENDS["cuda"].render(HEADING, [kernel])[0].text
    ptx = parse(compile_cached(nvrtc, text, "tested.cu", "sm_90").ptx)
    given = {"param": np.ones(5, dtype.value), "grad": low}
    scalars = dict.fromkeys(kernel.scalars, 1)
    found = run_ptx(ptx, kernel, abi(kernel), given, scalars, Case(5)).arrays["param"]
    assert differing(np.full(5, wanted), found) == ([], 0)


# --- the host program -----------------------------------------------------------


def on_host(expression, lr, step):
    """Return a host value as the NumPy module computes it, and as the interpreter does."""
    kernel = kernel_of(op("mul", A, Ref("value")), DType.FLOAT64, [Assign("value", expression)])
    module = load_module("tested", BACKENDS["numpy"].render(HEADING, [kernel])[0].text)
    param, grad = np.zeros(1), np.ones(1)
    state = module.init(param)
    state["step"][...] = step - 1
    module.step(param, grad, state, lr=lr)
    return float(param[0]), float(interpret.host_values(kernel, {"lr": lr}, step, {}, 1)["value"])


def rounded_power(base, exponent):
    """Multiply out a power, low bit of the exponent first, each product an exact fraction."""
    result, square, digits = 1.0, base, bin(abs(exponent))[:1:-1]
    for digit in digits[:-1]:
        if digit == "1":
            result = float(Fraction(result) * Fraction(square))
        square = float(Fraction(square) ** 2)
    return float(Fraction(result) * Fraction(square))


@pytest.mark.parametrize("exponent", [1, 2, 3, 5, 10, 31, 32, 100, 1000, 12345, 1 << 20])
@pytest.mark.parametrize("base", [0.9, 0.999, 0.95, 1.0, 0.3, 0.9999999])
def test_ipow_is_binary_exponentiation(base, exponent):
    wanted = rounded_power(base, exponent)
    assert on_host(op("ipow", Ref("lr"), Ref("step")), base, exponent) == (wanted, wanted)
    with mpmath.workdps(60):
        exact = mpmath.mpf(base) ** exponent
        allowed = exponent * mpmath.mpf(2) ** -53 * 1.0001 * exact + mpmath.mpf(2) ** -1074
        assert abs(wanted - exact) <= allowed


def test_ipow_of_a_negative_exponent_is_the_reciprocal():
    exponent = op("sub", ONE, Ref("step"))
    found, by_ir = on_host(op("ipow", Ref("lr"), exponent), 0.9, 8)
    assert found == by_ir == float(1 / Fraction(rounded_power(0.9, 7)))
    assert on_host(op("ipow", Ref("lr"), exponent), 0.0, 8) == (math.inf, math.inf)
    assert on_host(op("ipow", Ref("lr"), exponent), 0.0, 1) == (1.0, 1.0)


def test_pow_is_within_its_stated_error():
    stated = OPERATIONS["pow"].ulps
    rng = np.random.default_rng(5)
    worst = mpmath.mpf(0)
    for base, exponent in zip(rng.uniform(0.01, 50, 300), rng.uniform(-8, 8, 300), strict=True):
        literal = Literal(Fraction(float(exponent)))
        found, by_ir = on_host(op("pow", Ref("lr"), literal), float(base), 1)
        assert found == by_ir
        with mpmath.workdps(60):
            exact = mpmath.mpf(float(base)) ** mpmath.mpf(float(exponent))
            worst = max(worst, abs(found - exact) / math.ulp(float(exact)))
    assert worst <= float(stated)
