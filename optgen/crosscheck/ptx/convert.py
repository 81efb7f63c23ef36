"""The `cvt` instruction: from one type to another, each case as PTX defines it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optgen.crosscheck.ptx.floats import bfloat16_bits, from_bfloat16
from optgen.crosscheck.ptx.types import DTYPES, Array

Conversion = Callable[[Array], Array]

_TO_WHOLE: dict[str, Callable[[Array], Array]] = {
    "rni": np.rint,
    "rzi": np.trunc,
    "rmi": np.floor,
    "rpi": np.ceil,
}
_FLOAT_BITS = {"bf16": 16, "f16": 16, "f32": 32, "f64": 64}


def conversion(modifiers: tuple[str, ...]) -> Conversion | None:
    """Return what `cvt.<modifiers>` does, or None if it is not known.

    The result has the dtype of the destination's type; the argument that of the source's.
    """
    *how, target, source = modifiers if len(modifiers) >= 2 else ("", "", "")
    if target not in DTYPES or source not in DTYPES or "pred" in (target, source):
        return None
    mode = how[0] if len(how) == 1 else "" if not how else "?"
    if target in _FLOAT_BITS and source in _FLOAT_BITS:
        return _between_floats(mode, target, source)
    if target in _FLOAT_BITS:
        # C converts integers to nearest even as well.
        exact = target in ("f32", "f64")
        return (lambda a: a.astype(DTYPES[target])) if mode == "rn" and exact else None
    if source in _FLOAT_BITS:
        known = mode in _TO_WHOLE and source in ("f32", "f64")
        return _to_integer(_TO_WHOLE[mode], DTYPES[target], source) if known else None
    return (lambda a: a.astype(DTYPES[target])) if mode == "" else None


def _between_floats(mode: str, target: str, source: str) -> Conversion | None:
    if target == source:
        if mode in _TO_WHOLE and target in ("f32", "f64"):
            return _TO_WHOLE[mode]
        return None
    if _FLOAT_BITS[target] > _FLOAT_BITS[source]:
        if mode:
            return None
        if source == "bf16":
            return lambda a: from_bfloat16(a).astype(DTYPES[target])
        return lambda a: a.astype(DTYPES[target])
    if mode != "rn":
        return None
    if (target, source) == ("bf16", "f32"):
        return bfloat16_bits
    if (target, source) == ("f16", "f32"):
        return _to_half
    if (target, source) == ("f32", "f64"):
        return lambda a: a.astype(np.float32)
    return None


def _to_half(a: Array) -> Array:
    canonical = np.array([0x7FFF], np.uint16).view(np.float16)
    return np.where(np.isnan(a), canonical, a.astype(np.float16))


def _to_integer(whole: Conversion, dtype: np.dtype[Any], source: str) -> Conversion:
    """Round, then clamp to the type's range.

    NaN gives 0 between types of at most 32 bits, otherwise only the highest bit (PTX ISA, cvt).
    """
    limits = np.iinfo(dtype)
    low, beyond = float(limits.min), float(limits.max + 1)  # both exact: powers of two
    narrow = source != "f64" and dtype.itemsize < 8
    lost = dtype.type(0 if narrow else limits.min if dtype.kind == "i" else limits.max // 2 + 1)

    def convert(a: Array) -> Array:
        value = whole(a.astype(np.float64))
        inside = (value >= low) & (value < beyond)
        result = np.where(inside, value, 0.0).astype(dtype)
        result = np.where(value >= beyond, dtype.type(limits.max), result)
        result = np.where(value < low, dtype.type(limits.min), result)
        return np.where(np.isnan(value), lost, result)

    return convert
