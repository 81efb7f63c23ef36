"""A point in time after which a decision is given up."""

from __future__ import annotations

import time
from dataclasses import dataclass


class OutOfTime(Exception):
    """The deadline has passed; becomes the verdict `Undecided`."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock, looked at between operations.

    Attributes:
        at: Seconds on `time.monotonic`.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def passed(self) -> bool:
        """Whether the moment is over."""
        return time.monotonic() > self.at

    def check(self) -> None:
        """Raise `OutOfTime` once the moment is over."""
        if self.passed:
            raise OutOfTime("out of time")

    def sooner(self, seconds: float) -> Deadline:
        """Return this moment, or the one `seconds` from now if that comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))
