"""Numbers for people: exact fractions, and decimals with as many digits as are certain."""

from __future__ import annotations

from fractions import Fraction

from optgen.verify.evaluate import Interval

_DIGITS = 20
_LONGEST = 1000  # bits of a fraction that is written out
_NEAR = 100  # the denominator of a number that a long one may be near
_LOG = Fraction(30103, 100000)  # log10(2)


def show_interval(value: Interval) -> str:
    """Return `p/q` for one number, else a decimal that the enclosed number begins with.

    The dots in `0.4142...` mean that the digits shown are certain. A number that is too
    long to be written out is a power, `2**-20001`, or a sum with one, or a decimal.
    """
    low, high = value
    if low == high:
        return _exact(low)
    if low < 0 < high:
        return _ends(low, high, 3)
    if high <= 0:
        return "-" + show_interval(Interval(-high, -low))
    return _common_decimal(low, high)


def _exact(value: Fraction) -> str:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _LONGEST:
        return str(value)
    if value < 0:
        return "-" + (_power(-value) or _bracketed(_exact(-value)))
    if power := _power(value):
        return power
    near = value.limit_denominator(_NEAR)
    rest = _power(abs(value - near))
    if near and rest and near.numerator.bit_length() <= _LONGEST // 10:
        return f"{near} {'+' if value > near else '-'} {rest}"
    return _common_decimal(value, value)


def _bracketed(text: str) -> str:
    return f"({text})" if " " in text else text


def _power(value: Fraction) -> str:
    """Return a number as `2**n` or `p/q*2**n`, or nothing if it is no such number."""
    if not value:
        return ""
    top, bottom = value.numerator, value.denominator
    exponent = _twos(top) - _twos(bottom)
    rest = Fraction(top >> _twos(top), bottom >> _twos(bottom))
    if max(rest.numerator.bit_length(), rest.denominator.bit_length()) > _LONGEST // 10:
        return ""
    return f"2**{exponent}" if rest == 1 else f"{rest}*2**{exponent}"


def _twos(number: int) -> int:
    """Return how often 2 divides a number."""
    return (number & -number).bit_length() - 1


def _exponent(value: Fraction) -> int:
    """Return n where 10**n <= value < 10**(n + 1)."""
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    exponent = int(bits * _LOG) - 1
    while value >= Fraction(10) ** (exponent + 1):
        exponent += 1
    while value < Fraction(10) ** exponent:
        exponent -= 1
    return exponent


def _common_decimal(low: Fraction, high: Fraction) -> str:
    if not low:
        return _ends(low, high, 6)
    exponent = _exponent(low)
    scale = exponent if not -5 < exponent < 16 else 0
    low, high = low / Fraction(10) ** scale, high / Fraction(10) ** scale
    for digits in range(_DIGITS - min(exponent - scale, 0), -1, -1):
        a, b = (int(x * 10**digits) for x in (low, high))
        if a == b:
            text = str(a).rjust(digits + 1, "0")
            whole, part = (text[:-digits], text[-digits:]) if digits else (text, "")
            shown = f"{whole}.{part}..." if part else f"{whole}..."
            return shown + (f"e{scale}" if scale else "")
    unit = Fraction(10) ** scale
    return _ends(low * unit, high * unit, 6)


def _ends(low: Fraction, high: Fraction, digits: int) -> str:
    return f"[{_rounded(low, digits)}, {_rounded(high, digits)}]"


def _rounded(value: Fraction, digits: int) -> str:
    """Return a decimal with some digits, of a number of any size."""
    if value and not -300 < _exponent(abs(value)) < 300:
        exponent = _exponent(abs(value))
        return f"{float(value / Fraction(10) ** exponent):.{digits}g}e{exponent}"
    return f"{float(value):.{digits}g}"
