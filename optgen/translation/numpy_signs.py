"""Is a NumPy module's `_sign` the sign of numbers? Run on every kind of float."""

from __future__ import annotations

from types import ModuleType

import numpy as np

LOW = (0, 1, 0x8000, 0xFFFF)
"""What stands below the upper 16 bits of a float that is tried; all of the upper are."""


def signs_differ(module: ModuleType) -> str:
    """Say of which number a module gives a wrong sign, or changes it; empty if of none.

    Tried are all signs and exponents with many fractions, subnormal numbers, both zeros,
    infinities and NaN; into an array of its own, and in place.
    """
    for dtype, bits in ((np.float32, np.uint32), (np.float64, np.uint64)):
        upper = np.left_shift(np.arange(2**16, dtype=bits), 8 * np.dtype(bits).itemsize - 16)
        given = np.bitwise_or.outer(upper, np.array(LOW, bits)).reshape(-1).view(dtype)
        with np.errstate(all="ignore"):
            wanted = np.sign(given)
            found, held, in_place = np.empty_like(given), given.copy(), given.copy()
            module._sign(held, out=found)
            module._sign(in_place, out=in_place)
        for result, expected in ((found, wanted), (in_place, wanted)):
            same = (result.view(bits) == expected.view(bits)) | (
                np.isnan(result) & np.isnan(expected)
            )
            if not same.all():
                at = int(np.argmin(same))
                return (
                    f"the sign of {float(given[at])!r} is {float(result[at])!r} in {dtype.__name__}"
                )
        if held.tobytes() != given.tobytes():
            return "the sign changes its operand"
    return ""
