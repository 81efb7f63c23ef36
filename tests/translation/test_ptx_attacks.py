"""CUDA written to deceive the reader: nothing that is not SGD on every element is proved."""

from __future__ import annotations

import pytest

from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable
from optgen.loader import load_catalogue
from optgen.runtime.nvrtc import find_nvrtc
from optgen.translation.ptx_bind import read_binds
from optgen.translation.ptx_foreign import check_foreign

SGD = load_catalogue()["sgd"]
FIRST = "int i = blockIdx.x * blockDim.x + threadIdx.x; int stride = gridDim.x * blockDim.x;"
HEAD = """
#define UPDATE p[i] -= lr * g[i]
#define VECTOR { float4 x = *(float4*)(p + i), y = *(const float4*)(g + i); \\
  x.x -= lr * y.x; x.y -= lr * y.y; x.z -= lr * y.z; x.w -= lr * y.w; *(float4*)(p + i) = x; }
extern "C" __global__ void attack(float* p, const float* g, float lr, int n)"""
LOOP = "\n#pragma unroll 1\nfor (; i < n; i += stride)"

RIGHT = {
    "one element": "if (i < n) UPDATE;",
    "grid-stride": f"{LOOP} UPDATE;",
    "written twice by one thread": "if (i < n) { p[i] -= 2 * lr * g[i]; p[i] += lr * g[i]; }",
    "a choice without effect": "if (i < n) { if (g[i] > 0) UPDATE; else UPDATE; }",
    "backwards": "if (i < n) { i = n - 1 - i; UPDATE; }",
    "pairs": "i *= 2; if (i < n) UPDATE; if (i + 1 < n) p[i + 1] -= lr * g[i + 1];",
    "a sign by selection": "if (i < n) p[i] -= lr * (g[i] < 0 ? -fabsf(g[i]) : fabsf(g[i]));",
}  # fmt: skip
"""Right, and known to be, or at worst unknown."""

UNKNOWN = {"backwards"}

WRONG = {
    "a limited number of passes": "for (int k = 0; k < 10 && i < n; ++k, i += stride) UPDATE;",
    "half the stride": f"stride /= 2; {LOOP} UPDATE;",
    "twice the stride": f"stride *= 2; {LOOP} UPDATE;",
    "the neighbour's gradient": "if (i + 1 < n) p[i] -= lr * g[i + 1];",
    "the neighbour's parameter": "if (i < n) p[i] = p[i + 1] - lr * g[i];",
    "the gradient backwards": "if (i < n) p[i] -= lr * g[n - 1 - i];",
    "two updates": "if (i < n) UPDATE; __syncthreads(); if (i < n) UPDATE;",
    "two loops": f"int j = i; {LOOP} UPDATE; i = j; {LOOP} UPDATE;",
    "half in each of two loops": f"int j = i; {LOOP} p[i] -= lr / 2 * g[i];"
    f" i = j; {LOOP} p[i] -= lr / 2 * g[i];",
    "atomic": "if (i < n) atomicAdd(p + i, -lr * g[i]);",
    "atomic on one": "if (i < n) atomicAdd(p, -lr * g[i]);",
    "an index from data": "if (i < n) p[(int)g[i]] -= lr * g[i];",
    "a loop over data": "if (i < n) { float x = g[i]; while (x > 1) x /= 2; p[i] -= lr * x; }",
    "not where the gradient is small": "if (i < n && g[i] > 1e-3f) UPDATE;",
    "early end by data": "if (i >= n || g[i] == 1) return; UPDATE;",
    "the last element left out": "if (i < n - 1) UPDATE;",
    "one element too many": "if (i <= n) UPDATE;",
    "one element left out": "if (i < n && i != 5) UPDATE;",
    "the first left out": "if (i - 1u < (unsigned)n - 1u) UPDATE;",
    "one block only": "i = threadIdx.x; if (i < n) UPDATE;",
    "every block the same": "i = threadIdx.x; for (; i < n; i += blockDim.x) UPDATE;",
    "block and thread swapped": "i = threadIdx.x * blockDim.x + blockIdx.x; if (i < n) UPDATE;",
    "blocks that overlap": "i = blockIdx.x * (blockDim.x - 1) + threadIdx.x; if (i < n) UPDATE;",
    "the index as a value": "if (i < n) UPDATE + i * 0.0f + (i > 7 ? 1 : 0);",
    "another thread's value": "float x = i < n ? g[i] : 0;"
    " x = __shfl_xor_sync(~0u, x, 1); if (i < n) p[i] -= lr * x;",
    "a value from the pass before": f"float x = 0; {LOOP} {{ UPDATE + x * 1e-9f; x = g[i]; }}",
    "the gradient changed": "if (i < n) { UPDATE; ((float*)g)[i] = 0; }",
    "every second thread": "if (i < n && (threadIdx.x & 1)) UPDATE;",
    "by the number of elements": "if (i < n && n > 100) UPDATE;",
    "stored before": "if (i < n) { p[i] = 0; UPDATE; }",
    "a vector past the end": "i *= 4; if (i < n) VECTOR",
    "a vector without the rest": "i *= 4; if (i + 3 < n) VECTOR",
    "lanes exchanged": "i *= 2; if (i + 1 < n) { float a = g[i]; p[i] -= lr * g[i + 1]; "
    "p[i + 1] -= lr * a; }"
    " else if (i < n) UPDATE;",
    "the square root squared": "if (i < n) { float s = sqrtf(g[i]); p[i] -= lr * s * s; }",
    "the larger of two": "if (i < n) p[i] -= lr * fmaxf(g[i], -1000.0f);",
    "a small difference": "if (i < n) UPDATE * 1.0001f;",
}  # fmt: skip


def outcome(body):
    try:
        nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")
    text = nvrtc.compile(f"{HEAD} {{ {FIRST} {body} }}", "attack.cu", "sm_90").ptx
    binding = read_binds("param=0,grad=1,lr=2,n=3", parse(text).entries["attack"], SGD)
    proof = check_foreign(text, "attack", SGD, binding, given={}, literals={}, timeout=5)
    return proof.outcome, proof


@pytest.mark.parametrize("name", WRONG)
def test_wrong_kernels_are_not_proved(name):
    found, proof = outcome(WRONG[name])
    assert found != "proved", proof
    assert all(f.detail for f in proof.findings if f.outcome != "proved")


@pytest.mark.parametrize("name", RIGHT)
def test_right_kernels_are_not_refuted(name):
    found, proof = outcome(RIGHT[name])
    assert found == ("unknown" if name in UNKNOWN else "proved"), proof
