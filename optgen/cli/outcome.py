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
