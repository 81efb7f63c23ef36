"""Compiled kernels give NumPy's bits, move the bytes they must, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from optgen.crosscheck.ptx import Entry, Memory, Stats, launch

SIZES = (0, 1, 3, 31, 1000, 1003, 65537)
ARCHS = ("sm_80", "sm_90", "sm_100", "sm_120")
NAMES = ("param", "grad", "avg", "sq")
HYPER = (0.01, 0.9, 0.95, 1e-3, 0.1, 0.1, 0.05, 0.271, 0.142625)


def special_values(dtype: str) -> np.ndarray:
    limits = np.finfo(dtype)
    tiny = float(limits.smallest_subnormal)
    values = [0.0, np.inf, np.nan, 1.0, tiny, 3 * tiny, float(limits.tiny), float(limits.max)]
    with np.errstate(all="ignore"):
        return np.array([s * v for v in values for s in (1.0, -1.0)]).astype(dtype)


def inputs(n: int, dtype: str, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = [
        (rng.standard_normal(n) * 10.0 ** rng.integers(-6, 6, n)).astype(dtype) for _ in NAMES
    ]
    specials = special_values(dtype)
    for array in arrays:
        where = rng.permutation(n)[: n // 3]
        array[where] = rng.choice(specials, len(where))
    arrays[3] = np.abs(arrays[3])
    return arrays


def reference(arrays: list[np.ndarray], dtype: str) -> list[np.ndarray]:
    lr, beta1, beta2, eps, decay, rest1, rest2, bias1, bias2 = np.array(HYPER, dtype)
    param, grad, avg, sq = arrays
    with np.errstate(all="ignore"):
        avg = beta1 * avg + rest1 * grad
        sq = beta2 * sq + rest2 * (grad * grad)
        denom = np.sqrt(sq / bias2) + eps
        decayed = param - (lr * decay) * param
        return [decayed - lr * ((avg / bias1) / denom), grad, avg, sq]


def same_bits(got: np.ndarray, want: np.ndarray) -> bool:
    both_nan = np.isnan(got) & np.isnan(want)
    word = f"u{got.dtype.itemsize}"
    return bool((both_nan | (got.view(word) == want.view(word))).all())


def run(
    entry: Entry, arrays: list[np.ndarray], dtype: str, grid: int, block: int, misalign: int = 0
) -> tuple[list[np.ndarray], Stats]:
    memory = Memory()
    buffers = [
        memory.alloc(a, name, writable=name != "grad", misalign=misalign)
        for a, name in zip(arrays, NAMES, strict=True)
    ]
    hyper = np.array(HYPER, dtype).tobytes()
    stats = launch(
        entry, grid=grid, block=block, args=(*buffers, hyper, len(arrays[0])), memory=memory
    )
    return [b.read() for b in buffers], stats


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adamw_is_bit_identical(compile_entry: Callable[..., Entry], dtype: str, arch: str) -> None:
    entry = compile_entry(f"adamw_f{dtype[-2:]}", arch=arch)
    assert entry.contractible() == ()
    for n in SIZES:
        arrays = inputs(n, dtype, seed=n)
        for grid, block in ((3, 64), (max(1, -(-n // 1024)), 256)):
            got, _ = run(entry, arrays, dtype, grid, block)
            for name, a, b in zip(NAMES, got, reference(arrays, dtype), strict=True):
                assert same_bits(a, b), (name, n, grid, block)


@pytest.mark.parametrize("arch", ["sm_90", "sm_100"])
def test_misaligned_buffers_take_the_scalar_path(
    compile_entry: Callable[..., Entry], arch: str
) -> None:
    entry = compile_entry("adamw_f32", arch=arch)
    arrays = inputs(1003, "float32")
    for misalign in (4, 8, 12, 16):
        got, stats = run(entry, arrays, "float32", 2, 128, misalign)
        assert all(map(same_bits, got, reference(arrays, "float32")))
        assert (stats.loads["grad"].requests < 20) == (misalign == 16)


@pytest.mark.parametrize(("dtype", "per_element"), [("float32", 28.0), ("float64", 56.0)])
def test_traffic_is_the_least_possible(
    compile_entry: Callable[..., Entry], dtype: str, per_element: float
) -> None:
    n = 65536
    entry = compile_entry(f"adamw_f{dtype[-2:]}")
    _, stats = run(entry, inputs(n, dtype), dtype, 16, 256)
    width = np.dtype(dtype).itemsize
    assert stats.total_bytes / n == per_element
    assert stats.bytes_loaded == dict.fromkeys(sorted(NAMES), n * width)
    assert stats.bytes_stored == dict.fromkeys(("avg", "param", "sq"), n * width)
    assert stats.sectors * 32 == stats.total_bytes
    assert stats.loads["param"].efficiency == 1.0
    assert stats.loads["param"].requests == n * width // 16 // 32


def sum_squares_reference(x: np.ndarray, grid: int, block: int) -> np.ndarray:
    """The kernel's own order of additions."""
    sums = np.zeros(grid * block, np.float32)
    for start in range(0, len(x), grid * block):
        part = x[start : start + grid * block]
        sums[: len(part)] += part * part
    lanes = sums.reshape(-1, 32)
    for offset in (16, 8, 4, 2, 1):
        lanes = lanes + lanes[:, np.arange(32) ^ offset]
    warps = lanes[:, 0].reshape(grid, -1)
    total = warps[:, 0]
    for w in range(1, warps.shape[1]):
        total = total + warps[:, w]
    return total


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize(("grid", "block"), [(1, 32), (3, 96), (70, 256)])
def test_block_reduction(
    compile_entry: Callable[..., Entry], arch: str, grid: int, block: int
) -> None:
    entry = compile_entry("sum_squares", arch=arch)
    rng = np.random.default_rng(1)
    for n in (0, 1, 31, 1003, 65537):
        x = rng.standard_normal(n).astype(np.float32)
        memory = Memory()
        source = memory.alloc(x, "x", writable=False)
        partial = memory.alloc(np.zeros(grid, np.float32), "partial", initialised=False)
        nonzero = memory.alloc(np.zeros(grid * block, np.int32), "nonzero")
        stats = launch(
            entry, grid=grid, block=block, args=(source, partial, nonzero, n), memory=memory
        )
        want = sum_squares_reference(x, grid, block)
        assert same_bits(partial.read(), want)
        assert (nonzero.read().reshape(grid, block) == (want > 0)[:, None]).all()
        assert stats.barriers == 2 * grid
