"""PTX's types as NumPy dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "pred": np.dtype(np.bool_),
        **{
            f"{letter}{bits}": np.dtype(f"{kind}{bits // 8}")
            for letter, kind in (("b", "u"), ("u", "u"), ("s", "i"))
            for bits in (8, 16, 32, 64)
        },
        "f16": np.dtype(np.float16),
        "bf16": np.dtype(np.uint16),  # the bits: NumPy has no bfloat16
        "f32": np.dtype(np.float32),
        "f64": np.dtype(np.float64),
    }
)
"""The dtype that holds a value of each PTX type; `b` types are unsigned integers."""
