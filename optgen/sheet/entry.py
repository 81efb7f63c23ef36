"""One line of a property sheet: a statement, how it was derived, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["proved", "refuted", "not derived"]

SECTIONS: Mapping[str, str] = {
    "units": "Units",
    "symmetries": "Invariances",
    "special_cases": "Special cases",
    "limit": "After many steps",
    "fixed_points": "Fixed points",
    "step_bound": "Bound on one step",
    "stability": "Stability on a quadratic",
    "memory": "Memory and traffic",
}
"""The properties of a sheet, in order, and their headings."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One property.

    Attributes:
        section: A key of `SECTIONS`.
        statement: What is claimed; of a refuted entry, what does not hold.
        outcome: `"proved"` or `"refuted"` only where that is certain.
        how: How it was derived.
        detail: Why it is not derived, or what the witness shows.
        witness: An exact value for each name at which a refuted statement fails.
        values: The parts of the statement by name, for programs: units, constants, conditions.
    """

    section: str
    statement: str
    outcome: Outcome
    how: str = ""
    detail: str = ""
    witness: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as part of a JSON document."""
        found: dict[str, Any] = {"statement": self.statement, "verdict": self.outcome}
        for name in ("how", "detail"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        for name in ("witness", "values"):
            if getattr(self, name):
                found[name] = dict(getattr(self, name))
        return found


def not_derived(section: str, statement: str, reason: str, how: str = "") -> Entry:
    """Return the entry of something that could not be derived."""
    return Entry(section, statement, "not derived", how=how, detail=reason)
