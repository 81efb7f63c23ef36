"""Numbers for people: exact fractions, and decimals with as many digits as are certain."""

from __future__ import annotations

from fractions import Fraction

from optgen.verify.evaluate import Interval

_DIGITS = 20
_LONGEST_EXACT = 10_000  # bits of a fraction that is shown in full


def show_interval(value: Interval) -> str:
    """Return `p/q` for one number, else a decimal that the enclosed number begins with.

    The dots in `0.4142...` mean that the digits shown are certain.
    """
    low, high = value
    if low == high:
        length = max(low.numerator.bit_length(), low.denominator.bit_length())
        return str(low) if length <= _LONGEST_EXACT else _as_power(low)
    if low < 0 < high:
        return f"[{float(low):.3g}, {float(high):.3g}]"
    if high <= 0:
        return "-" + show_interval(Interval(-high, -low))
    return _common_decimal(low, high)


def _as_power(value: Fraction) -> str:
    """Return a number with too many digits to be read, as a decimal with a power of ten.

    The exponent is taken off by powers of two: printing long integers is slow, and refused.
    """
    sign = "-" if value < 0 else ""
    shift = value.numerator.bit_length() - value.denominator.bit_length()
    exponent = int(shift * 0.30102999566398)
    scaled = abs(value) / Fraction(10) ** exponent
    while scaled >= 10:
        scaled, exponent = scaled / 10, exponent + 1
    while scaled < 1:
        scaled, exponent = scaled * 10, exponent - 1
    digits = str(int(scaled * 10**_DIGITS))
    return f"{sign}{digits[0]}.{digits[1:]}...e{exponent}"


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
