"""Every way a kernel can misbehave is caught, by the right name, at the right place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from optgen.crosscheck.ptx import (
    BarrierDivergence,
    DataRace,
    Entry,
    Memory,
    Misaligned,
    OutOfBounds,
    PtxFault,
    ReadOnlyStore,
    UninitialisedRead,
    launch,
)
from optgen.errors import CheckFailed

NAMES = ("param", "grad", "avg", "sq")


def run_adamw(entry: Entry, n: int = 1003, misalign: int = 0) -> None:
    memory = Memory()
    buffers = [
        memory.alloc(np.ones(n, np.float32), x, writable=x != "grad", misalign=misalign)
        for x in NAMES
    ]
    hyper = np.full(9, 0.5, np.float32).tobytes()
    launch(entry, grid=3, block=64, args=(*buffers, hyper, n), memory=memory)


@pytest.mark.parametrize("arch", ["sm_90", "sm_100"])
@pytest.mark.parametrize(
    ("old", "new", "fault", "words"),
    [
        ("i < n; i", "i <= n; i", OutOfBounds, r"\[1003\]"),
        ("i < vectors; i", "i < vectors + 1; i", OutOfBounds, r"\[1000\]"),
        ("4 * vectors + first", "4 * vectors - 1 + first", DataRace, r"\w+\[999\]"),
        (
            "+ threadIdx.x;",
            "+ threadIdx.x / 2;",
            DataRace,
            r"on 'param'.*several threads of|on 'param'.*thread \d+ of block \d+ read",
        ),
        ("blockIdx.x * blockDim.x +", "0 +", DataRace, "threads of other blocks read"),
        ("(all & 15) == 0", "true", None, ""),
        (
            "update(p.x, g.x, a.x, s.x, h);",
            "update(p.x, g.x, a.x, s.x, h); const_cast<float *>(grad)[i] = 0;",
            ReadOnlyStore,
            r"'grad'",
        ),
        (
            "s = reinterpret_cast<float4 *>(sq)[i];",
            "s = reinterpret_cast<float4 *>(sq + 1)[i];",
            Misaligned,
            r"aligned to 16 in 'sq'.* accesses sq\[\d+\](.|\n)*ld\.global\.v4",
        ),
        (
            "reinterpret_cast<const float4 *>(grad)[i]",
            "reinterpret_cast<const float4 *>(grad - 4)[i]",
            OutOfBounds,
            r"'grad'.* accesses grad\[-4\]",
        ),
    ],
)
def test_broken_adamw(
    compile_entry: Callable[..., Entry],
    arch: str,
    old: str,
    new: str,
    fault: type[PtxFault] | None,
    words: str,
) -> None:
    entry = compile_entry("adamw_f32", old, new, arch=arch)
    if fault is None:
        run_adamw(entry)
        fault, words = Misaligned, "not aligned to 16 in"
        with pytest.raises(fault, match=words):
            run_adamw(entry, misalign=4)
        return
    with pytest.raises(fault, match=words) as caught:
        run_adamw(entry)
    assert isinstance(caught.value, CheckFailed)
    assert "PTX line" in str(caught.value)
    assert "of block" in caught.value.what


@pytest.mark.parametrize("arch", ["sm_90", "sm_100"])
@pytest.mark.parametrize(
    ("old", "new", "fault", "words"),
    [
        ("__syncthreads();  // first", "", DataRace, r"sums.*with no barrier between"),
        ("__syncthreads();  // second", "", UninitialisedRead, r"total"),
        (
            "__syncthreads();  // first",
            "if (threadIdx.x < 64) __syncthreads();",
            BarrierDivergence,
            r"\d+ of 96 threads of block 0",
        ),
        ("threadIdx.x / 32] = sum", "threadIdx.x / 64] = sum", DataRace, "sums"),
        ("threadIdx.x / 32] = sum", "threadIdx.x / 32 + 6] = sum", OutOfBounds, "'.*sums'"),
        ("w < blockDim.x / 32", "w <= blockDim.x / 32", UninitialisedRead, r"sums\[12\]"),
        (
            "partial[blockIdx.x] = total",
            "partial[0] = total",
            DataRace,
            "which thread 0 of block 2 wrote",
        ),
        (
            "total > 0.0f",
            "partial[(blockIdx.x + 1) % gridDim.x] > 0",
            DataRace,
            r"reads partial\[1\], which thread 0 of block 1 wrote",
        ),
    ],
)
def test_broken_reduction(
    compile_entry: Callable[..., Entry],
    arch: str,
    old: str,
    new: str,
    fault: type[PtxFault],
    words: str,
) -> None:
    entry = compile_entry("sum_squares", old, new, arch=arch)
    memory = Memory()
    x = memory.alloc(np.ones(1003, np.float32), "x", writable=False)
    partial = memory.alloc(np.zeros(3, np.float32), "partial", initialised=False)
    nonzero = memory.alloc(np.zeros(288, np.int32), "nonzero")
    with pytest.raises(fault, match=words):
        launch(entry, grid=3, block=96, args=(x, partial, nonzero, 1003), memory=memory)
