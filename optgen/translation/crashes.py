"""A reader that fails has proved nothing: its crash is an unknown, with what it says."""

from __future__ import annotations

CRASHES: tuple[type[Exception], ...] = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RecursionError),
    *(TypeError, ValueError),
)
"""What code that was never meant to be read may raise in a reader."""


def crashed(error: Exception) -> str:
    """Say that a reader failed, and how."""
    return f"the code is not read to its end: {type(error).__name__}: {error}"
