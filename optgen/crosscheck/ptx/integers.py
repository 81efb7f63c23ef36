"""Integer operations with PTX's exact results: wraparound, clamped shifts, wide products.

Arguments are arrays of one dtype that broadcast; every function returns a new array.
"""

from __future__ import annotations

import numpy as np

from optgen.crosscheck.ptx.types import Array


def unsigned(a: Array) -> Array:
    """Return the same bits as unsigned integers."""
    return a.view(f"u{a.dtype.itemsize}")


def wide(a: Array) -> Array:
    """Return the values in integers of twice the width."""
    return a.astype(f"{a.dtype.kind}{2 * a.dtype.itemsize}")


def multiply_wide(a: Array, b: Array) -> Array:
    """Return the whole product, twice as wide."""
    return wide(a) * wide(b)


def multiply_high(a: Array, b: Array) -> Array:
    """Return the upper half of the product."""
    bits = 8 * a.dtype.itemsize
    if bits < 64:
        return (multiply_wide(a, b) >> bits).astype(a.dtype)
    high = _multiply_high_64(unsigned(a), unsigned(b))
    if a.dtype.kind == "i":
        # As unsigned, a negative number is 2**64 too large.
        high = high - np.where(a < 0, unsigned(b), np.uint64(0))
        high = high - np.where(b < 0, unsigned(a), np.uint64(0))
    return high.view(a.dtype)


def _multiply_high_64(a: Array, b: Array) -> Array:
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    low_a, high_a, low_b, high_b = a & mask, a >> half, b & mask, b >> half
    cross = high_a * low_b + ((low_a * low_b) >> half)
    other = low_a * high_b + (cross & mask)
    high: Array = high_a * high_b + (cross >> half) + (other >> half)
    return high


def divide(a: Array, b: Array) -> Array:
    """Return the quotient, rounded toward zero; `b` is nowhere zero."""
    if a.dtype.kind == "u":
        return a // b
    quotient = unsigned(np.abs(a)) // unsigned(np.abs(b))
    signed: Array = np.where((a < 0) != (b < 0), np.negative(quotient), quotient)
    return signed.view(a.dtype)


def remainder(a: Array, b: Array) -> Array:
    """Return `a - b*divide(a, b)`, with the sign of `a`; `b` is nowhere zero."""
    rest: Array = a - b * divide(a, b)
    return rest


def shift_left(a: Array, count: Array) -> Array:
    """Shift `a` left; from its width on nothing is left."""
    bits = 8 * a.dtype.itemsize
    word = unsigned(a)
    shifted = word << np.minimum(count, bits - 1).astype(word.dtype)
    kept: Array = np.where(count >= bits, word.dtype.type(0), shifted)
    return kept.view(a.dtype)


def shift_right(a: Array, count: Array) -> Array:
    """Shift `a` right, copying the sign of signed types; counts beyond the width clamp."""
    bits = 8 * a.dtype.itemsize
    shifted: Array = a >> np.minimum(count, bits - 1).astype(a.dtype)
    return shifted if a.dtype.kind == "i" else np.where(count >= bits, a.dtype.type(0), shifted)


def _funnel(low: Array, high: Array) -> Array:
    return (high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)


def funnel_left(low: Array, high: Array, count: Array) -> Array:
    """Return the upper 32 bits of `high:low` shifted left by 0 to 32."""
    return ((_funnel(low, high) << count.astype(np.uint64)) >> np.uint64(32)).astype(np.uint32)


def funnel_right(low: Array, high: Array, count: Array) -> Array:
    """Return the lower 32 bits of `high:low` shifted right by 0 to 32."""
    return (_funnel(low, high) >> count.astype(np.uint64)).astype(np.uint32)


def wrap_count(count: Array) -> Array:
    """Return a funnel shift's count modulo 32."""
    return count & np.uint32(31)


def clamp_count(count: Array) -> Array:
    """Return a funnel shift's count, at most 32."""
    return np.minimum(count, np.uint32(32))


def population(a: Array) -> Array:
    """Count the bits that are set, as uint32."""
    count: Array = np.unpackbits(_bytes(a), axis=1).sum(axis=1, dtype=np.uint32)
    return count


def leading_zeros(a: Array) -> Array:
    """Count the zero bits above the highest set bit, as uint32."""
    bits = np.unpackbits(_bytes(a)[:, ::-1], axis=1)
    first: Array = np.where(bits.any(axis=1), bits.argmax(axis=1), bits.shape[1])
    return first.astype(np.uint32)


def highest_bit(a: Array) -> Array:
    """Return the place of the highest bit that differs from the sign, as uint32; none: all ones."""
    significant = np.where(a < 0, ~a, a) if a.dtype.kind == "i" else a
    bits = np.uint32(8 * a.dtype.itemsize)
    return bits - np.uint32(1) - leading_zeros(unsigned(significant))


def normalising_shift(a: Array) -> Array:
    """Return the left shift that brings `highest_bit` to the top; none: all ones."""
    place = highest_bit(a)
    shift: Array = np.uint32(8 * a.dtype.itemsize - 1) - place
    return np.where(place == np.uint32(0xFFFFFFFF), place, shift)


def reverse_bits(a: Array) -> Array:
    """Reverse the order of the bits."""
    bits = np.unpackbits(_bytes(a), axis=1)[:, ::-1]
    packed = np.ascontiguousarray(np.packbits(bits, axis=1))
    return packed.view(a.dtype)[:, 0]


def _bytes(a: Array) -> Array:
    """Return one row of bytes per value, least significant first."""
    little = np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(len(a), -1)


def extract_field(a: Array, start: Array, length: Array) -> Array:
    """Return the field of `length` bits from bit `start` on, sign-extended if signed."""
    bits = 8 * a.dtype.itemsize
    start, length = start & np.uint32(255), length & np.uint32(255)
    word = unsigned(a)
    if a.dtype.kind == "u":
        return shift_right(word, start) & ~shift_left(~np.zeros_like(word), length)
    last = np.minimum(start + length - np.uint32(1), np.uint32(bits - 1))
    sign = np.where(length == 0, 0, shift_right(word, last) & word.dtype.type(1))
    keep = ~shift_left(~np.zeros_like(word), length)
    field = shift_right(word, start) & keep
    # Bits of the field that lie above the word are copies of the sign.
    inside = ~shift_left(~np.zeros_like(word), np.uint32(bits) - np.minimum(start, bits))
    fill = np.where(sign == 1, ~(keep & inside), word.dtype.type(0))
    return (np.where(sign == 1, field | fill, field)).astype(word.dtype).view(a.dtype)


def permute_bytes(a: Array, b: Array, selector: Array) -> Array:
    """Pick four bytes of `b:a`, one per nibble of `selector`; bit 3 repeats the byte's sign."""
    pool = (b.astype(np.uint64) << np.uint64(32)) | a.astype(np.uint64)
    result = np.zeros(np.broadcast(pool, selector).shape, np.uint32)
    for i in range(4):
        nibble = (selector >> np.uint32(4 * i)).astype(np.uint64)
        byte = (pool >> ((nibble & np.uint64(7)) * np.uint64(8))) & np.uint64(255)
        sign = np.where((byte >> np.uint64(7)) == 1, np.uint64(255), np.uint64(0))
        chosen = np.where((nibble & np.uint64(8)) != 0, sign, byte)
        result |= (chosen << np.uint64(8 * i)).astype(np.uint32)
    return result


def logic3(a: Array, b: Array, c: Array, table: int) -> Array:
    """Apply a three-input truth table bit by bit; its bit `4a+2b+c` is the result."""
    result = a & ~a & b & c
    for i in range(8):
        if table >> i & 1:
            result = result | ((a if i & 4 else ~a) & (b if i & 2 else ~b) & (c if i & 1 else ~c))
    return result


def insert_field(a: Array, b: Array, start: Array, length: Array) -> Array:
    """Return `b` with `length` bits from bit `start` on replaced by the low bits of `a`."""
    start, length = start & np.uint32(255), length & np.uint32(255)
    mask = shift_left(~shift_left(~np.zeros_like(a), length), start)
    return (b & ~mask) | (shift_left(a, start) & mask)
