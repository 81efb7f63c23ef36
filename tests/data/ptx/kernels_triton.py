"""Kernels of test data in Triton. Run: TRITON_DISABLE_LINE_INFO=1 python kernels_triton.py"""

import pathlib

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource


@triton.jit
def adamw_triton(p, g, m, v, lr, beta1, beta2, eps, weight_decay, bc1, bc2, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    param = tl.load(p + i, mask=mask)
    grad = tl.load(g + i, mask=mask)
    exp_avg = tl.load(m + i, mask=mask)
    exp_avg_sq = tl.load(v + i, mask=mask)
    param = param * (1.0 - lr * weight_decay)
    exp_avg = exp_avg * beta1 + (1.0 - beta1) * grad
    exp_avg_sq = exp_avg_sq * beta2 + (1.0 - beta2) * grad * grad
    param = param - lr * (exp_avg / bc1) / (tl.sqrt(exp_avg_sq / bc2) + eps)
    tl.store(p + i, param, mask=mask)
    tl.store(m + i, exp_avg, mask=mask)
    tl.store(v + i, exp_avg_sq, mask=mask)


@triton.jit
def lion_triton(p, g, m, lr, beta1, beta2, weight_decay, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    param = tl.load(p + i, mask=mask)
    grad = tl.load(g + i, mask=mask)
    exp_avg = tl.load(m + i, mask=mask)
    c = beta1 * exp_avg + (1.0 - beta1) * grad
    sign = tl.where(c > 0, 1.0, tl.where(c < 0, -1.0, 0.0))
    param = param - lr * weight_decay * param
    tl.store(p + i, param - lr * sign, mask=mask)
    tl.store(m + i, beta2 * exp_avg + (1.0 - beta2) * grad, mask=mask)


@triton.jit
def adamw_triton_eps(
    p, g, m, v, lr, beta1, beta2, eps, weight_decay, bc1, bc2, n, BLOCK: tl.constexpr
):
    """Wrong: eps is added inside the root."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    param = tl.load(p + i, mask=mask)
    grad = tl.load(g + i, mask=mask)
    exp_avg = tl.load(m + i, mask=mask)
    exp_avg_sq = tl.load(v + i, mask=mask)
    param = param * (1.0 - lr * weight_decay)
    exp_avg = exp_avg * beta1 + (1.0 - beta1) * grad
    exp_avg_sq = exp_avg_sq * beta2 + (1.0 - beta2) * grad * grad
    param = param - lr * (exp_avg / bc1) / tl.sqrt(exp_avg_sq / bc2 + eps)
    tl.store(p + i, param, mask=mask)
    tl.store(m + i, exp_avg, mask=mask)
    tl.store(v + i, exp_avg_sq, mask=mask)


for function, pointers in ((adamw_triton, 4), (lion_triton, 3), (adamw_triton_eps, 4)):
    kinds = {"BLOCK": "constexpr", "n": "i32"}
    signature = {
        name: "*fp32" if place < pointers else kinds.get(name, "fp32")
        for place, name in enumerate(function.arg_names)
    }
    source = ASTSource(fn=function, signature=signature, constexprs={"BLOCK": 1024})
    compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": 4})
    pathlib.Path(f"{function.__name__}.ptx").write_text(compiled.asm["ptx"])
