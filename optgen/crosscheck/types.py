"""NumPy's types for the arrays of a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.errors import BackendUnavailable
from optgen.ir import Half, StorageType


def array_type(dtype: StorageType) -> np.dtype[Any]:
    """Return the type of an array.

    Raises:
        BackendUnavailable: It is bfloat16, and ml_dtypes is not installed.
    """
    found: np.dtype[Any]
    if dtype is not Half.BFLOAT16:
        found = np.dtype(dtype.value)
        return found
    try:
        import ml_dtypes
    except ImportError as error:
        raise BackendUnavailable(
            "kernels on bfloat16 arrays cannot be checked without ml_dtypes",
            fix="pip install 'optgen[bfloat16]'",
        ) from error
    found = np.dtype(ml_dtypes.bfloat16)
    return found


def limits(dtype: StorageType) -> tuple[float, float, float]:
    """Return the smallest normal number, the smallest number and the largest one."""
    if dtype is Half.BFLOAT16:
        return 2.0**-126, 2.0**-133, (2 - 2.0**-7) * 2.0**127
    info = np.finfo(dtype.value)
    return float(info.tiny), float(info.smallest_subnormal), float(info.max)


def wide(array: NDArray[Any]) -> NDArray[np.float64]:
    """Return an array of any type in float64, exactly."""
    return np.asarray(array).astype(np.float64)
