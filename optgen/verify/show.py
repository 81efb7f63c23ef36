"""Numbers for people: exact fractions, and decimals with as many digits as are certain."""

from __future__ import annotations

from fractions import Fraction

from optgen.verify.evaluate import Interval

_DIGITS = 20


def show_interval(value: Interval) -> str:
    """Return `p/q` for one number, else a decimal that the enclosed number begins with.

    The dots in `0.4142...` mean that the digits shown are certain.
    """
    low, high = value
    if low == high:
        return str(low)
    if low < 0 < high:
        return f"[{float(low):.3g}, {float(high):.3g}]"
    if high <= 0:
        return "-" + show_interval(Interval(-high, -low))
    return _common_decimal(low, high)


def _common_decimal(low: Fraction, high: Fraction) -> str:
    exponent = 0
    while low >= Fraction(10) ** (exponent + 1):
        exponent += 1
    while low and low < Fraction(10) ** exponent:
        exponent -= 1
    scale = exponent if not -5 < exponent < 16 else 0
    low, high = low / Fraction(10) ** scale, high / Fraction(10) ** scale
    for digits in range(_DIGITS - min(exponent - scale, 0), -1, -1):
        a, b = (int(x * 10**digits) for x in (low, high))
        if a == b:
            text = str(a).rjust(digits + 1, "0")
            whole, part = (text[:-digits], text[-digits:]) if digits else (text, "")
            shown = f"{whole}.{part}..." if part else f"{whole}..."
            return shown + (f"e{scale}" if scale else "")
    return f"[{float(low):.6g}, {float(high):.6g}]"
