"""What came of one check of `optgen verify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `unknown` never counts as a pass."""

    subject: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a level found, and what it says of its tools.

    Attributes:
        checks: What was looked at.
        notes: What ran with which tools, and what did not and why.
    """

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
