"""Slips in what is printed of storage mixes: each target, the mix of adamw, old text, new text."""

from typing import NamedTuple

BF16 = "bfloat16-bfloat16-float32"
F16 = "float16-float16-float32"
WIDE = "float32-float32-float64"
KAHAN = "bfloat16-bfloat16-bfloat16+kahan"
KAHAN16 = "float16-float16-float32+kahan"
MASTER = "bfloat16-bfloat16-bfloat16-float32"
RANDOM = "bfloat16-float32-bfloat16+stochastic"


class Slip(NamedTuple):
    """One slip."""

    target: str
    mix: str
    old: str
    new: str


_ROUNDINGS = {
    "rounds halfway down": (BF16, "0x7fffu +", "0x7ffeu +"),
    "rounds ties up": (BF16, "(bits >> 16 & 1u)", "1u"),
    "rounds ties down": (BF16, "(bits >> 16 & 1u)", "0u"),
    "cuts bfloat16 off": (BF16, "bits >> 16 | 0x40u : nearest", "bits >> 16 | 0x40u : bits >> 16"),
    "NaN may become infinite": (BF16, "bits >> 16 | 0x40u : nearest", "bits >> 16 : nearest"),
    "infinity becomes NaN": (BF16, "> 0x7f800000u", "> 0x7f7fffffu"),
    "bfloat16 is read one bit off": (BF16, "stored << 16", "stored << 15"),
    "float16 infinity is finite": (F16, "0x38000000u : 0x70000000u", "0x38000000u : 0x38000000u"),
    "float16 subnormals are normal": (F16, "(size < 0x400u ? small", "(size < 0x001u ? small"),
    "float16 rounds ties up": (F16, "0xfffu + (size", "0x1000u + (size"),
    "float16 subnormals lose a digit": (F16, "- 0x3f000000u", "- 0x3f000001u"),
    "float16 overflows late": (F16, "size < 0x47800000u", "size < 0x48000000u"),
    "float16 NaN is infinite": (F16, "0x7e00u : 0x7c00u", "0x7c00u : 0x7c00u"),
    "float16 loses its sign": (F16, "| (bits >> 16 & 0x8000u)", "| (bits >> 16 & 0u)"),
}
_RANDOM = {
    "random bits are one too many": (RANDOM, "bits + random", "bits + random + 1"),
    "large numbers stay": (RANDOM, "size < 0x7f800000u", "size < 0x7f000000u"),
}
_AT = "        at,\n        (uint32_t)tensor"

_C = {
    "a sum is not compensated": (KAHAN, "param + kahan_comp", "param + 0.0f"),
    "float16 subnormals keep their sign": (F16, "fabsf(value) + 0.5f", "value + 0.5f"),
    "half of a value is copied": (BF16, "&value, sizeof bits", "&value, 2"),
    "numbers of another array": (RANDOM, "random1_v[index]", "random0_v[index]"),
    "numbers of another place": (RANDOM, "first + 1,", "first + 2,"),
    "numbers of another step": (RANDOM, "args.step_high << 32", "args.step_high << 31"),
    "numbers of another seed": (RANDOM, "args.seed, tensor);", "0, tensor);"),
    "nine rounds": (RANDOM, "round < 10", "round < 9"),
    "halves overlap": (RANDOM, "half % 2 * 16", "half % 2 * 8"),
    "the key stands still": (RANDOM, "key += 0x9e3779b9u", "key += 0u"),
    "half of the step": (RANDOM, "(uint32_t)((uint64_t)step >> 32)", "0"),
    "a chunk begins elsewhere": (RANDOM, _AT, "        0,\n        (uint32_t)tensor"),
    "every tensor is the first": (RANDOM, _AT, "        at,\n        0"),
    "another seed": (RANDOM, "(uint32_t)seed", "(uint32_t)lr"),
    "narrowed before it is used": (WIDE, "double exp_avg = ", "double exp_avg = (float)"),
}
_CUDA = {
    "numbers of another array": (RANDOM, "element / 8 * 8 + 1,", "element / 8 * 8 + 2,"),
    "numbers of another place": (RANDOM, "element / 8 * 8 + 1,", "element / 4 * 4 + 1,"),
    "a neighbour's numbers": (RANDOM, "element % 8 + lane", "element % 8"),
    "numbers of another step": (RANDOM, "args.step_high << 32", "args.step_high << 31"),
    "numbers of another seed": (RANDOM, "args.seed, args.tensor", "args.tensor, args.seed"),
    "nine rounds": (RANDOM, "round < 10", "round < 9"),
    "another multiplier": (RANDOM, "0xd2511f53u", "0xd2511f54u"),
    "halves change places": (
        RANDOM,
        "neighbour & 1 ? word >> 16 : word & 0xffffu",
        "neighbour & 1 ? word & 0xffffu : word >> 16",
    ),
    "the key stands still": (RANDOM, "key += 0x9e3779b9u", "key += 0u"),
}
_NUMPY = {
    "ties go up": (BF16, "rounded &= 1", "rounded |= 1"),
    "rounds halfway down": (BF16, "rounded += 0x7FFF", "rounded += 0x7FFE"),
    "NaN is not kept": (BF16, "where=np.isnan(values)", "where=np.isinf(values)"),
    "bfloat16 is read one bit off": (BF16, "view(np.uint16), 16", "view(np.uint16), 15"),
    "an array is not loaded": (BF16, "_load_bfloat16(grad_stored, grad)", "np.copyto(grad, param)"),
    "a result is not stored": (BF16, "    _store_bfloat16(param, param_stored)\n", ""),
    "digits are left": (KAHAN, "0xFFFF0000", "0xFFFF8000"),
    "random bits are taken off": (RANDOM, "moved = bits + random", "moved = bits - random"),
    "numbers of another array": (RANDOM, "random1 = random[1]", "random1 = random[0]"),
    "numbers of another place": (RANDOM, "first = block.start", "first = 0"),
    "numbers of the step before": (RANDOM, 'int(state["step"])', 'int(state["step"]) - 1'),
    "nine rounds": (RANDOM, "range(10)", "range(9)"),
    "a result is not narrowed": (
        WIDE,
        'np.copyto(param_stored, param, casting="unsafe")',
        "np.copyto(param, param_stored)",
    ),
}

SLIPS: dict[str, Slip] = {
    **{f"c: {name}": Slip("c", *slip) for name, slip in {**_ROUNDINGS, **_RANDOM, **_C}.items()},
    **{
        f"cuda: {name}": Slip("cuda", *slip)
        for name, slip in {**_ROUNDINGS, **_RANDOM, **_CUDA}.items()
    },
    **{f"numpy: {name}": Slip("numpy", *slip) for name, slip in _NUMPY.items()},
}
