"""Where a hyperparameter or a state may lie: an interval of reals or integers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_TEXT = re.compile(r"\s*([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])\s*(integer)?\s*")


@dataclass(frozen=True, slots=True)
class Domain:
    """An interval; an end that is None is infinite.

    Attributes:
        low: Lower end, or None for minus infinity.
        high: Upper end, or None for plus infinity.
        low_open: Whether `low` itself is outside.
        high_open: Whether `high` itself is outside.
        integer: Whether only integers are inside.
    """

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = True
    high_open: bool = True
    integer: bool = False

    def __post_init__(self) -> None:
        if self.low is None or self.high is None:
            return
        if self.low > self.high:
            raise ValueError(f"the interval {self} is empty: its ends are the wrong way round")
        if self.low == self.high and (self.low_open or self.high_open):
            raise ValueError(f"the interval {self} is empty: nothing lies between its ends")

    @classmethod
    def parse(cls, text: str) -> Domain:
        """Read `[0, 1)`, `(0, oo)`, `(-oo, oo)` or `[1, oo) integer`.

        Raises:
            ValueError: The text is not an interval in this notation.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is not an interval")
        left, low, high, right, integer = match.groups()
        return cls(
            low=None if low == "-oo" else _end(low, text),
            high=None if high == "oo" else _end(high, text),
            low_open=left == "(",
            high_open=right == ")",
            integer=integer is not None,
        )

    def __contains__(self, value: Fraction | int | float) -> bool:
        if value != value:  # NaN lies nowhere
            return False
        above = self.low is None or value > self.low or (value == self.low and not self.low_open)
        below = (
            self.high is None or value < self.high or (value == self.high and not self.high_open)
        )
        return above and below and (not self.integer or value == int(value))

    def __str__(self) -> str:
        low = "-oo" if self.low is None else str(self.low)
        high = "oo" if self.high is None else str(self.high)
        left = "(" if self.low is None or self.low_open else "["
        right = ")" if self.high is None or self.high_open else "]"
        return f"{left}{low}, {high}{right}" + (" integer" if self.integer else "")

    @property
    def nonnegative(self) -> bool:
        """Whether no value inside is below 0."""
        return self.low is not None and self.low >= 0

    @property
    def positive(self) -> bool:
        """Whether every value inside is above 0."""
        return self.low is not None and (self.low > 0 or (self.low == 0 and self.low_open))


def _end(text: str, interval: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"'{interval}' is not an interval: '{text}' is no number") from None


REAL = Domain()
NONNEGATIVE = Domain(low=Fraction(0), low_open=False)
POSITIVE = Domain(low=Fraction(0))
UNIT = Domain(low=Fraction(0), high=Fraction(1), low_open=False)
STEP = Domain(low=Fraction(1), low_open=False, integer=True)
