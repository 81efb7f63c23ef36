"""Floating-point operations that NumPy lacks, each rounded once to nearest even.

Arguments are arrays that broadcast; every function returns a new array.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from optgen.crosscheck.ptx.types import Array

_SPLIT = float(2**27 + 1)
_CANONICAL = {np.dtype(np.float32): 0x7FFFFFFF, np.dtype(np.float64): 0x7FFFFFFFFFFFFFFF}


def fma(a: Array, b: Array, c: Array) -> Array:
    """Return `a*b + c` rounded once, for float32 or float64."""
    return _fma32(a, b, c) if a.dtype == np.float32 else _fma64(a, b, c)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded sum and its exact error (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _round_to_odd(total: Array, error: Array) -> Array:
    """Turn `total + error`, a rounded sum and its error, into one float64 rounded to odd.

    An odd last bit keeps "there is more" visible to a second rounding, so that rounding
    twice gives what rounding once does (Boldo and Melquiond, 2008).
    """
    bits = total.view(np.int64)
    inexact = (error != 0) & np.isfinite(total) & ((bits & 1) == 0)
    toward = np.where((error > 0) == (total > 0), 1, -1)
    return np.where(inexact, bits + toward, bits).view(np.float64)


def _fma32(a: Array, b: Array, c: Array) -> Array:
    # Two float32 multiply exactly in float64, and no float32 sum leaves its range.
    product = a.astype(np.float64) * b.astype(np.float64)
    total, error = _two_sum(product, c.astype(np.float64))
    return _round_to_odd(total, error).astype(np.float32)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded product and its exact error (Dekker), away from range limits."""
    product = a * b
    scaled_a, scaled_b = a * _SPLIT, b * _SPLIT
    high_a, high_b = scaled_a - (scaled_a - a), scaled_b - (scaled_b - b)
    low_a, low_b = a - high_a, b - high_b
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    return product, error


def _fma64(a: Array, b: Array, c: Array) -> Array:
    a, b, c = np.broadcast_arrays(a, b, c)
    high, low = _two_product(a, b)
    upper, lower = _two_sum(c, low)
    top, rest = _two_sum(high, upper)
    exact = top + _round_to_odd(*_two_sum(lower, rest))
    # a*b may overflow although it is finite, so an infinite c must win without it.
    infinite = np.isinf(c) & np.isfinite(a) & np.isfinite(b)
    plain = np.where(infinite, c, a * b + c)
    special = (a == 0) | (b == 0) | ~(np.isfinite(a) & np.isfinite(b) & np.isfinite(c))
    result: Array = np.where(special, plain, exact)
    exponent_a, exponent_b = np.frexp(a)[1], np.frexp(b)[1]
    both = exponent_a + exponent_b
    safe = (
        (np.maximum(exponent_a, exponent_b) < 990)
        & (both > -960)
        & (both < 1020)
        & (np.frexp(c)[1] < 1020)
    )
    for i in np.nonzero(~(special | safe))[0]:
        result[i] = _exact_fma(float(a[i]), float(b[i]), float(c[i]))
    return result


def _exact_fma(a: float, b: float, c: float) -> float:
    value = Fraction(a) * Fraction(b) + Fraction(c)
    if value == 0:  # both terms are not zero, so they cancel: +0
        return 0.0
    try:
        return value.numerator / value.denominator  # Python rounds this once, to nearest even
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def minimum(a: Array, b: Array) -> Array:
    """Return the smaller; -0 is below +0; of a NaN and a number the number."""
    return _choose(a, b, (a < b) | ((a == b) & np.signbit(a)))


def maximum(a: Array, b: Array) -> Array:
    """Return the larger; +0 is above -0; of a NaN and a number the number."""
    return _choose(a, b, (a > b) | ((a == b) & ~np.signbit(a)))


def minimum_nan(a: Array, b: Array) -> Array:
    """Like `minimum`, but a NaN on either side gives a NaN."""
    return _poison(minimum(a, b), a, b)


def maximum_nan(a: Array, b: Array) -> Array:
    """Like `maximum`, but a NaN on either side gives a NaN."""
    return _poison(maximum(a, b), a, b)


def _canonical_nan(dtype: np.dtype[np.floating]) -> Array:
    return np.array([_CANONICAL[dtype]], f"u{dtype.itemsize}").view(dtype)


def _choose(a: Array, b: Array, first: Array) -> Array:
    lost_a, lost_b = np.isnan(a), np.isnan(b)
    chosen: Array = np.where((first & ~lost_a) | lost_b, a, b)
    return np.where(lost_a & lost_b, _canonical_nan(chosen.dtype), chosen)


def _poison(chosen: Array, a: Array, b: Array) -> Array:
    return np.where(np.isnan(a) | np.isnan(b), _canonical_nan(chosen.dtype), chosen)


def bfloat16_bits(a: Array) -> Array:
    """Round float32 to bfloat16, to nearest even, as uint16; NaN gives 0x7fff."""
    wide = a.view(np.uint32).astype(np.uint64)
    rounded = (wide + 0x7FFF + ((wide >> 16) & 1)) >> 16
    return np.where(np.isnan(a), np.uint64(0x7FFF), rounded).astype(np.uint16)


def from_bfloat16(bits: Array) -> Array:
    """Widen bfloat16 bits to float32, exactly."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
