"""Every arithmetic opcode against an independent definition in Python's exact numbers.

Float operations are defined by `Fraction` and one rounding, integer ones by Python's
unbounded integers. The C library's fma and NumPy's long double check more patterns.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from optgen.crosscheck.ptx import DivisionByZero, Memory, launch, parse
from optgen.crosscheck.ptx.alu import IMMEDIATE, TABLE, operation
from optgen.crosscheck.ptx.types import DTYPES

MANY = 1_000_000
SOME = 8_000  # for references in pure Python
NAN = float("nan")


def execute(name: str, arrays: list[np.ndarray], immediate: int | None = None) -> np.ndarray:
    """Run one instruction in a kernel of its own, one thread per element."""
    op = operation(name, tuple(name.split(".")[1:]))
    assert op is not None, name
    kinds = [k for k in op.operands if k != IMMEDIATE]
    lines, sources = [], []
    for i, kind in enumerate(kinds):
        size = 1 if kind == "pred" else DTYPES[kind].itemsize
        lines.append(f"ld.param.u64 %rd{i}, [p{i}]; mad.wide.u32 %rd{i}, %r1, {size}, %rd{i};")
        if kind == "pred":
            lines.append(f".reg .pred %x{i}; ld.global.u8 %h, [%rd{i}];")
            lines.append(f"setp.ne.u16 %x{i}, %h, 0;")
        else:
            register, memory = storage(kind)
            lines.append(f".reg .{register} %x{i}; ld.global.{memory} %x{i}, [%rd{i}];")
        sources.append(f"%x{i}")
    if immediate is not None:
        sources.append(str(immediate))
    lines.append("ld.param.u64 %rd8, [out];")
    if op.result == "pred":
        result = np.dtype(np.uint32)
        lines.append(f".reg .pred %y; {name} %y, {', '.join(sources)};")
        lines.append("selp.u32 %r2, 1, 0, %y; mad.wide.u32 %rd8, %r1, 4, %rd8;")
        lines.append("st.global.u32 [%rd8], %r2;")
    else:
        result = DTYPES[op.result]
        register, memory = storage(op.result)
        lines.append(f".reg .{register} %y; {name} %y, {', '.join(sources)};")
        lines.append(f"mad.wide.u32 %rd8, %r1, {result.itemsize}, %rd8;")
        lines.append(f"st.global.{memory} [%rd8], %y;")
    parameters = ", ".join(f".param .u64 p{i}" for i in range(len(kinds)))
    ptx = f""".version 8.0
.target sm_80
.address_size 64
.visible .entry k({parameters}, .param .u64 out, .param .u32 n)
{{
    .reg .pred %out; .reg .b16 %h; .reg .b32 %r<4>; .reg .b64 %rd<9>;
    mov.u32 %r0, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x;
    mad.lo.u32 %r1, %r0, %r2, %r3;
    ld.param.u32 %r2, [n];
    setp.ge.u32 %out, %r1, %r2;
    @%out bra $end;
    {chr(10).join(lines)}
$end:
    ret;
}}
"""
    n = len(arrays[0])
    memory_ = Memory()
    buffers = [memory_.alloc(a, writable=False) for a in arrays]
    out = memory_.alloc(np.zeros(n, result), "out")
    launch(
        parse(ptx).entries["k"],
        grid=-(-n // 256),
        block=256,
        args=(*buffers, out, n),
        memory=memory_,
    )
    return out.read()


def storage(kind: str) -> tuple[str, str]:
    """Return the register's type and the memory's type for values of a type."""
    bits = 8 * DTYPES[kind].itemsize
    return f"b{max(bits, 16)}", f"b{bits}"


def patterns(kind: str, n: int, seed: int) -> np.ndarray:
    """Random bit patterns, with edge values at a third of the places."""
    rng = np.random.default_rng(seed)
    dtype = DTYPES[kind]
    if kind == "pred":
        return rng.integers(0, 2, n).astype(np.uint8)
    values = np.frombuffer(rng.bytes(n * dtype.itemsize), dtype).copy()
    if kind in ("f32", "f64", "f16"):
        limits = np.finfo(dtype)
        some = [0.0, 1.0, 1.5, float(limits.smallest_subnormal), float(limits.tiny), np.inf]
        some += [float(limits.max), np.nan, 2.5, 3e9 if kind != "f16" else 3e4]
        edges = np.array([s * v for v in some for s in (1, -1)]).astype(dtype)
        near = rng.random(n) < 0.3  # sums that cancel, quotients near 1
        values[near] = (1 + rng.integers(-9, 9, n)[near] * limits.eps).astype(dtype)
    elif kind == "bf16":
        edges = np.array([0, 0x8000, 0x7F80, 0xFF80, 0x7FC0, 1, 0x7F7F], dtype)
    else:
        bits = 8 * dtype.itemsize
        some_ints = [0, 1, 2, 31, 32, 33, 63, 64, 255, (1 << bits) - 1, 1 << (bits - 1)]
        some_ints += [(1 << (bits - 1)) - 1, (1 << (bits // 2)), 15]
        edges = np.array([v & ((1 << bits) - 1) for v in some_ints], f"u{dtype.itemsize}")
        edges = edges.view(dtype)
        small = rng.random(n) < 0.2
        values[small] = rng.integers(0, 80, n)[small].astype(dtype)
    where = rng.random(n) < 0.33
    values[where] = rng.choice(edges, n)[where]
    return values


def nearest(value: Fraction, kind: str) -> float:
    """Round an exact number once, to nearest even; 0 becomes +0."""
    digits, lowest, top = {"f16": (11, -24, 16), "f32": (24, -149, 128), "f64": (53, -1074, 1024)}[
        kind
    ]
    if value == 0:
        return 0.0
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    quantum = Fraction(2) ** max(exponent - digits + 1, lowest)
    rounded = round(size / quantum) * quantum  # Python rounds halves to even
    result = math.inf if rounded >= Fraction(2) ** top else float(rounded)
    return -result if value < 0 else result


def exact(function: Callable[..., Fraction], kind: str, *args: float) -> float:
    """Apply an exact function; special values and signs of zero go through float64."""
    return nearest(function(*map(Fraction, args)), kind)


def add(kind: str, a: float, b: float) -> float:
    total = a + b
    if not math.isfinite(a) or not math.isfinite(b) or (a == 0 and b == 0):
        return total
    return exact(operator.add, kind, a, b)


def multiply(kind: str, a: float, b: float) -> float:
    if not math.isfinite(a) or not math.isfinite(b) or a == 0 or b == 0:
        return a * b
    return math.copysign(exact(operator.mul, kind, a, b), sign(a) * sign(b))


def sign(a: float) -> float:
    return math.copysign(1.0, a)


def divide(kind: str, a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b) or (a == 0 == b) or (math.isinf(a) and math.isinf(b)):
        return NAN
    if math.isinf(a) or b == 0:
        return sign(a) * sign(b) * math.inf
    if math.isinf(b) or a == 0:
        return sign(a) * sign(b) * 0.0
    return math.copysign(exact(operator.truediv, kind, a, b), sign(a) * sign(b))


def root(kind: str, a: float) -> float:
    if math.isnan(a) or a < 0:
        return NAN
    if a == 0 or math.isinf(a):
        return a
    value = Fraction(a)
    scale = 4**600
    low = math.isqrt(value.numerator * scale * scale // value.denominator)
    # The root lies in [low, low + 1] / scale; both ends round alike unless it is exact.
    inexact = low * low * value.denominator != value.numerator * scale * scale
    return nearest(Fraction(2 * low + inexact, 2 * scale), kind)


def fused(kind: str, a: float, b: float, c: float) -> float:
    if not all(map(math.isfinite, (a, b, c))):
        if any(map(math.isnan, (a, b, c))):
            return NAN
        if math.isinf(a) or math.isinf(b):
            return a * b + c
        return c
    value = Fraction(a) * Fraction(b) + Fraction(c)
    if value == 0:
        both = sign(a) * sign(b)
        negative = (a == 0 or b == 0) and c == 0 and both < 0 and sign(c) < 0
        return -0.0 if negative else 0.0
    return nearest(value, kind)


def smaller(a: float, b: float) -> float:
    if math.isnan(a):
        return b
    if math.isnan(b) or a < b or (a == b and sign(a) < 0):
        return a
    return b


def larger(a: float, b: float) -> float:
    return -smaller(-a, -b)


def propagate(function: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda a, b: NAN if math.isnan(a) or math.isnan(b) else function(a, b)


def quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def field(bits: int, signed: bool, a: int, start: int, length: int) -> int:
    """The pseudo-code of bfe in the PTX ISA, on an unsigned `a`."""
    a, start, length = a & ((1 << bits) - 1), start & 255, length & 255
    fill = 0 if not signed or length == 0 else a >> min(start + length - 1, bits - 1) & 1
    result = 0
    for i in range(bits):
        inside = i < length and start + i < bits
        result |= (a >> (start + i) & 1 if inside else fill) << i
    return result


def inserted(bits: int, a: int, b: int, start: int, length: int) -> int:
    """The pseudo-code of bfi in the PTX ISA."""
    start, length = start & 255, length & 255
    for i in range(length):
        if start + i < bits:
            b = b & ~(1 << start + i) | (a >> i & 1) << start + i
    return b


def permuted(a: int, b: int, selector: int) -> int:
    pool = (b << 32 | a).to_bytes(8, "little")
    chosen = []
    for i in range(4):
        nibble = selector >> 4 * i & 15
        byte = pool[nibble & 7]
        chosen.append(byte if nibble < 8 else 255 * (byte >> 7))
    return int.from_bytes(chosen, "little")


COMPARE = {
    **{n: getattr(operator, n) for n in ("eq", "ne", "lt", "le", "gt", "ge")},
    "lo": operator.lt,
    "ls": operator.le,
    "hi": operator.gt,
    "hs": operator.ge,
}


def compared(name: str, kind: str, a: float, b: float) -> bool:
    lost = a != a or b != b
    if name in ("num", "nan"):
        return lost == (name == "nan")
    if kind[0] == "f" and name.endswith("u"):
        return lost or COMPARE[name[:-1]](a, b)
    return not lost and COMPARE[name](a, b)


def definition(name: str) -> Callable[..., Any]:
    """Return what an opcode means, on Python numbers; integer results are taken modulo 2**bits."""
    opcode, *words = name.split(".")
    kind = words[-1]
    bits = int(re.sub(r"\D", "", kind) or 0)
    f = kind in ("f32", "f64")
    if opcode == "setp":
        if len(words) == 3:
            mix = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}[words[1]]
            return lambda a, b, p: mix(compared(words[0], kind, a, b), bool(p))
        return functools.partial(compared, words[0], kind)
    if opcode == "mul" and "hi" in words:
        return lambda a, b: a * b >> bits
    if opcode == "mad" and "hi" in words:
        return lambda a, b, c: (a * b >> bits) + c
    if opcode == "sub" and f:
        return lambda a, b: add(kind, a, -b)
    if opcode == "shf":
        count = (lambda n: n & 31) if "wrap" in words else (lambda n: min(n, 32))
        if "l" in words:
            return lambda a, b, n: (b << 32 | a) << count(n) >> 32
        return lambda a, b, n: (b << 32 | a) >> count(n)
    if opcode == "bfind":
        place = lambda a: (~a if a < 0 else a).bit_length() - 1  # noqa: E731
        if "shiftamt" in words:
            return lambda a: -1 if place(a) < 0 else bits - 1 - place(a)
        return place
    floats: dict[str, Callable[..., Any]] = {
        "add": functools.partial(add, kind),
        "mul": functools.partial(multiply, kind),
        "div": functools.partial(divide, kind),
        "rcp": functools.partial(divide, kind, 1.0),
        "sqrt": functools.partial(root, kind),
        "fma": functools.partial(fused, kind),
        "min": propagate(smaller) if "NaN" in words else smaller,
        "max": propagate(larger) if "NaN" in words else larger,
        "neg": operator.neg,
        "abs": abs,
        "copysign": lambda a, b: math.copysign(b, a),
    }
    either: dict[str, Callable[..., Any]] = {
        "add": operator.add,
        "sub": operator.sub,
        "mul": operator.mul,
        "mad": lambda a, b, c: a * b + c,
        "div": quotient,
        "rem": lambda a, b: a - b * quotient(a, b),
        "min": min,
        "max": max,
        "neg": operator.neg,
        "abs": abs,
        "and": operator.and_,
        "or": operator.or_,
        "xor": operator.xor,
        "not": (lambda p: not p) if kind == "pred" else operator.invert,
        "shl": lambda a, n: a << n if n < bits else 0,
        "shr": lambda a, n: a >> min(n, bits),
        "popc": lambda a: a.bit_count(),
        "clz": lambda a: bits - a.bit_length(),
        "brev": lambda a: int(f"{a:0{bits}b}"[::-1], 2),
        "bfe": functools.partial(field, bits, kind[0] == "s"),
        "bfi": functools.partial(inserted, bits),
        "prmt": permuted,
        "mov": lambda a: a,
        "cvta": lambda a: a,
        "selp": lambda a, b, p: a if p else b,
    }
    return floats[opcode] if f and opcode in floats else either[opcode]


def check(name: str, arrays: list[np.ndarray], wanted: list[Any]) -> None:
    got = execute(name, arrays)
    if got.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # signalling NaNs
            want = np.array(wanted, np.float64).astype(got.dtype)  # exact: already rounded
        word = f"u{got.dtype.itemsize}"
        same = (np.isnan(got) & np.isnan(want)) | (got.view(word) == want.view(word))
    else:
        bits = 8 * got.dtype.itemsize
        mask = (1 << bits) - 1
        same = np.array([int(g) & mask == int(w) & mask for g, w in zip(got, wanted, strict=True)])
    bad = np.nonzero(~same)[0]
    assert not len(bad), (name, [a[bad[0]] for a in arrays], got[bad[0]], wanted[bad[0]])


@pytest.mark.parametrize("name", sorted(n for n in TABLE if IMMEDIATE not in TABLE[n].operands))
def test_opcode(name: str) -> None:
    op = TABLE[name]
    n = SOME // 8 if name.startswith(("setp", "sqrt.rn.f64", "fma.rn.f64")) else SOME
    arrays = [patterns(kind, n, seed) for seed, kind in enumerate(op.operands)]
    if op.divides:
        arrays[1][arrays[1] == 0] = 1
    meaning = definition(name)
    rows = zip(*[a.tolist() for a in arrays], strict=True)
    check(name, arrays, [meaning(*row) for row in rows])


def test_lop3() -> None:
    a, b, c = (patterns("b32", SOME, seed) for seed in range(3))
    for table in (0x00, 0xFF, 0x96, 0xE8, 0xCA, 0x1B):
        got = execute("lop3.b32", [a, b, c], immediate=table)
        want = np.zeros(SOME, np.uint32)
        for bit in range(32):
            index = (a >> bit & 1) << 2 | (b >> bit & 1) << 1 | c >> bit & 1
            want |= ((table >> index) & 1).astype(np.uint32) << bit
        assert (got == want).all()


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "sqrt"])
def test_float32_against_long_double(name: str) -> None:
    """64 bits are enough to round a float32 operation twice without harm (Figueroa, 1995)."""
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("no extended precision on this machine")
    a, b = patterns("f32", MANY, 1), patterns("f32", MANY, 2)
    with np.errstate(all="ignore"):
        wide = [a.astype(np.longdouble), b.astype(np.longdouble)]
        if name == "sqrt":
            want = np.sqrt(wide[0]).astype(np.float32)
            got = execute("sqrt.rn.f32", [a])
        else:
            function = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
            want = function[name](*wide).astype(np.float32)
            got = execute(f"{name}.rn.f32", [a, b])
    same = (np.isnan(got) & np.isnan(want)) | (got.view(np.uint32) == want.view(np.uint32))
    assert same.all()


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_fma_against_the_c_library(kind: str) -> None:
    library = ctypes.util.find_library("m")
    if library is None:
        pytest.skip("no C mathematics library")
    c_type = {"f32": ctypes.c_float, "f64": ctypes.c_double}[kind]
    function = getattr(ctypes.CDLL(library), {"f32": "fmaf", "f64": "fma"}[kind])
    function.argtypes, function.restype = [c_type] * 3, c_type
    n = MANY if kind == "f32" else 200_000
    a, b, c = (patterns(kind, n, seed) for seed in (3, 4, 5))
    rng = np.random.default_rng(6)
    with np.errstate(all="ignore"):  # sums that cancel all but the last bits
        close = rng.random(n) < 0.4
        c[close] = (-a * b * (1 + rng.integers(-2, 3, n) * np.finfo(a.dtype).eps))[close]
    got = execute(f"fma.rn.{kind}", [a, b, c])
    want = np.array(list(map(function, a.tolist(), b.tolist(), c.tolist())), a.dtype)
    word = f"u{got.dtype.itemsize}"
    assert ((np.isnan(got) & np.isnan(want)) | (got.view(word) == want.view(word))).all()


def converted(name: str, value: float) -> float:
    """`cvt` between numbers, as the PTX ISA tells it."""
    *how, target, source = name.split(".")[1:]
    if target[0] == "f":
        if isinstance(value, int):
            return nearest(Fraction(value), target)
        if how and how[0] != "rn":
            return math.copysign(whole(how[0], value), value)
        if not math.isfinite(value) or value == 0:
            return value
        return nearest(Fraction(value), target)
    if source[0] != "f":
        return value
    bits = int(target[1:])
    low, high = (0, 2**bits - 1) if target[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if math.isnan(value):
        return 0 if source == "f32" and bits < 64 else 1 << (bits - 1)
    return min(max(whole(how[0], value), low), high)


def whole(mode: str, value: float) -> Any:
    if not math.isfinite(value):
        return value
    functions: dict[str, Callable[[float], int]] = {
        "rni": round,
        "rzi": math.trunc,
        "rmi": math.floor,
        "rpi": math.ceil,
    }
    return functions[mode](value)


INTEGERS = [f"{letter}{bits}" for letter in "us" for bits in (8, 16, 32, 64)]
CONVERSIONS = (
    [f"cvt.{t}.{s}" for t in INTEGERS for s in INTEGERS]
    + [f"cvt.rn.{f}.{i}" for f in ("f32", "f64") for i in INTEGERS]
    + [f"cvt.{m}.{i}.{f}" for m in ("rni", "rzi", "rmi", "rpi") for f in ("f32", "f64")
       for i in INTEGERS]
    + [f"cvt.{m}.{f}.{f}" for m in ("rni", "rzi", "rmi", "rpi") for f in ("f32", "f64")]
    + ["cvt.rn.f32.f64", "cvt.f64.f32", "cvt.rn.f16.f32", "cvt.f32.f16"]
)  # fmt: skip


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversion(name: str) -> None:
    source = name.rsplit(".", 1)[1]
    values = patterns(source, SOME // 4, 7)
    if source in ("f32", "f64"):  # most random floats are outside any integer's range
        rng = np.random.default_rng(8)
        values[::2] = (rng.integers(-600, 600, len(values[::2])) / 2).astype(values.dtype)
        values[1::4] = (rng.standard_normal(len(values[1::4])) * 2.0**33).astype(values.dtype)
    check(name, [values], [converted(name, value) for value in values.tolist()])


def test_bfloat16_both_ways() -> None:
    everything = np.arange(65536, dtype=np.uint16)
    widened = execute("cvt.f32.bf16", [everything])
    assert (widened.view(np.uint32) == everything.astype(np.uint32) << 16).all()
    floats = patterns("f32", 200_000, 9)
    halves = np.arange(0x8000, dtype=np.uint32) << 16  # and every tie between two bfloat16
    floats = np.concatenate((floats, (halves | 0x8000).view(np.float32)))
    got = execute("cvt.rn.bf16.f32", [floats])
    low, rest = np.divmod(floats.view(np.uint32).astype(np.int64), 65536)
    up = (rest > 0x8000) | ((rest == 0x8000) & (low % 2 == 1))
    assert (got == np.where(np.isnan(floats), 0x7FFF, low + up)).all()


def test_integer_division_by_zero_is_a_fault() -> None:
    with pytest.raises(DivisionByZero, match="division by zero"):
        execute("div.u32", [np.ones(4, np.uint32), np.array([1, 2, 0, 3], np.uint32)])


@pytest.mark.parametrize(
    "name",
    "add.rz.f32 add.ftz.f32 add.sat.f32 div.approx.f32 div.full.f32 sqrt.approx.f32 rcp.approx.f32 "
    "ex2.approx.f32 cvt.rn.f32.f32 cvt.rz.f32.f64 cvt.f32.s32 cvt.s32.f32 cvt.rn.s32.u32 "
    "cvt.sat.s8.s32 cvt.rn.bf16.f64 min.ftz.f32 mul.wide.u64 setp.lt.b32 setp.ltu.s32 "
    "add.cc.u32 cvt.rzi.f32.s32 cvt.rna.tf32.f32 neg.u32".split(),
)
def test_what_is_not_known_has_no_meaning(name: str) -> None:
    assert operation(name, tuple(name.split(".")[1:])) is None
