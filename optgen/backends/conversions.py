"""Types of two bytes and random numbers in C and CUDA: helper functions, in integers.

Conversions to float32 are exact; those from it round to nearest, ties to even, or up or
down by 16 random bits. No instruction of a special machine is asked for, and compilers
vectorise all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from optgen.backends.storing import HALF_TYPES, storing
from optgen.ir import Elementwise, Expr, Half, Kernel, Operation

_HELPERS: dict[str, str] = {
    "bits": """/* a float32 as its bits, and back */
{inline} uint32_t bits_of(const float value) {{
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}}
{inline} float float_of(const uint32_t bits) {{
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}}
""",
    "load_bfloat16": """/* a bfloat16 is the upper half of a float32 */
{inline} float load_bfloat16(const {u16} stored) {{
  return {float_of}(({u32})stored << 16);
}}
""",
    "store_bfloat16": """/* to bfloat16, to nearest, ties to even; carries may run into infinity */
{inline} {u16} store_bfloat16(const float value) {{
  const {u32} bits = {bits_of}(value);
  const {u32} nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return ({u16})((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : nearest);
}}
""",
    "store_bfloat16_stochastic": """/* up or down to bfloat16: 16 random bits added below it */
{inline} {u16} store_bfloat16_stochastic(const float value, const {u32} random) {{
  const {u32} bits = {bits_of}(value), size = bits & 0x7fffffffu;
  const {u32} moved = size < 0x7f800000u ? bits + random : bits;
  return ({u16})(moved >> 16 | (size > 0x7f800000u ? 0x40u : 0u));
}}
""",
    "load_float16": """/* float16: subnormals are multiples of 2^-24 */
{inline} float load_float16(const {u16} stored) {{
  const {u32} size = stored & 0x7fffu, sign = ({u32})(stored & 0x8000u) << 16;
  const {u32} normal = (size << 13) + (size < 0x7c00u ? 0x38000000u : 0x70000000u);
  const {u32} small = {bits_of}({mul});
  return {float_of}((size < 0x400u ? small : normal) | sign);
}}
""",
    "store_float16": """/* to float16, likewise: below 2^-14 a sum with 0.5 rounds to 2^-24 */
{inline} {u16} store_float16(const float value) {{
  const {u32} bits = {bits_of}(value), size = bits & 0x7fffffffu;
  const {u32} normal = (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13;
  const {u32} small = {bits_of}({add}) - 0x3f000000u;
  const {u32} finite = size < 0x38800000u ? small : normal;
  const {u32} large = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
  return ({u16})((size < 0x47800000u ? finite : large) | (bits >> 16 & 0x8000u));
}}
""",
    "philox": """/* Philox4x32-10 (Salmon et al. 2011): random numbers of a counter */
struct optgen_random {{
  {u32} word[4];
}};
{inline} struct optgen_random philox(
    const {u64} index, const {u64} step, const {u32} seed, const {u32} tensor) {{
  {u32} a = ({u32})index, b = ({u32})(index >> 32), c = ({u32})step, d = ({u32})(step >> 32);
  {u32} key = seed, other = tensor;
  for (int round = 0; round < 10; ++round) {{
    const {u64} one = ({u64})a * 0xd2511f53u, two = ({u64})c * 0xcd9e8d57u;
    a = ({u32})(two >> 32) ^ b ^ key;
    c = ({u32})(one >> 32) ^ d ^ other;
    b = ({u32})two;
    d = ({u32})one;
    key += 0x9e3779b9u;
    other += 0xbb67ae85u;
  }}
  const struct optgen_random random = {{{{a, b, c, d}}}};
  return random;
}}
""",
    "fill_random": """/* 16 random bits for each of n elements; eight neighbours share a call */
{inline} void fill_random(
    {u16} *restrict out, const {u64} n, const {u64} place, const {u64} step, const {u32} seed,
    const {u32} tensor) {{
  for ({u64} first = 0; first < n; first += 8) {{
    const struct optgen_random random = philox(first + place, step, seed, tensor);
    for (int half = 0; half < 8; ++half)
      out[first + half] = ({u16})(random.word[half / 2] >> half % 2 * 16);
  }}
}}
""",
    "random_half": """/* the half word of one of eight neighbours */
{inline} {u32} random_half(const struct optgen_random random, const {u32} neighbour) {{
  const {u32} low = neighbour & 2 ? random.word[1] : random.word[0];
  const {u32} high = neighbour & 2 ? random.word[3] : random.word[2];
  const {u32} word = neighbour & 4 ? high : low;
  return neighbour & 1 ? word >> 16 : word & 0xffffu;
}}
""",
}

_C = {
    "inline": "static inline",
    "u16": HALF_TYPES["c"],
    "u32": "uint32_t",
    "u64": "uint64_t",
    "bits_of": "bits_of",
    "float_of": "float_of",
    "mul": "(float)size * 0x1p-24f",
    "add": "fabsf(value) + 0.5f",
}
_CUDA = {
    "inline": "static __device__ __forceinline__",
    "u16": HALF_TYPES["cuda"],
    "u32": "unsigned int",
    "u64": "unsigned long long",
    "bits_of": "__float_as_uint",
    "float_of": "__uint_as_float",
    "mul": "__fmul_rn((float)size, 5.9604644775390625e-08f)",
    "add": "__fadd_rn(fabsf(value), 0.5f)",
}


def conversions(kernel: Kernel, language: str) -> tuple[str, ...]:
    """Return the functions that a kernel's loads, stores and roundings call.

    Args:
        kernel: The kernel.
        language: `"c"` or `"cuda"`.
    """
    used = set(_called(kernel))
    if kernel.random:
        used |= {"philox", "fill_random" if language == "c" else "random_half"}
    if used and language == "c":
        used.add("bits")
    words = _C if language == "c" else _CUDA
    texts = [text.format(**words) for name, text in _HELPERS.items() if name in used]
    return tuple(texts if language == "c" else (text.rstrip() for text in texts))


def _called(kernel: Kernel) -> Iterable[str]:
    for stage in kernel.stages:
        if not isinstance(stage, Elementwise):
            continue
        parted = storing(kernel, stage)
        for name in stage.loads:
            dtype = kernel.buffer(name).dtype
            if isinstance(dtype, Half):
                yield f"load_{dtype.value}"
        for store in parted.stores:
            if store.random:
                yield "store_bfloat16_stochastic"
            elif isinstance(store.dtype, Half) and not store.rounded:
                yield f"store_{store.dtype.value}"
        for assign in parted.body:
            yield from _roundings(assign.value)


def _roundings(expr: Expr) -> Iterable[str]:
    if isinstance(expr, Operation):
        if expr.name in ("to_bfloat16", "to_float16"):
            kept = expr.name.removeprefix("to_")
            yield from (f"load_{kept}", f"store_{kept}")
        if expr.name == "to_bfloat16_random":
            yield from ("load_bfloat16", "store_bfloat16_stochastic")
        for operand in expr.operands:
            yield from _roundings(operand)
