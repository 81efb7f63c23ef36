"""All properties of one rule, in order, as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optgen.loader import Catalogue, load_catalogue
from optgen.sheet import fixed_points, limit, memory, scaling, special_cases, stability, step_bound
from optgen.sheet import units as unit_inference
from optgen.sheet.entry import SECTIONS, Entry, not_derived
from optgen.sheet.subject import Subject
from optgen.spec import OptimizerSpec
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.verdicts import Unsupported

TIMEOUT = 20.0
_EACH = 6.0
"""Seconds for one property, so that a hard one leaves time for the others."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The properties of one rule.

    Attributes:
        name: The rule.
        summary: What it is, in one sentence.
        entries: The properties, in the order of `SECTIONS`.
    """

    name: str
    summary: str
    entries: tuple[Entry, ...]

    def section(self, key: str) -> tuple[Entry, ...]:
        """Return the entries of one section."""
        return tuple(e for e in self.entries if e.section == key)

    def to_json(self) -> dict[str, Any]:
        """Return the sheet as a JSON document."""
        return {
            "format": 1,
            "name": self.name,
            "summary": self.summary,
            **{key: [e.to_json() for e in self.section(key)] for key in SECTIONS},
        }

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.summary}"]
        for key, heading in SECTIONS.items():
            parts += ["", heading]
            above = ""
            for entry in self.section(key):
                parts += _text(entry, above)
                above = entry.how
        return "\n".join(parts)


def property_sheet(
    rule: OptimizerSpec | str,
    *,
    catalogue: Catalogue | None = None,
    specs: Path | str | Iterable[Path | str] = (),
    timeout: float = TIMEOUT,
) -> Sheet:
    """Derive and prove the properties of a rule.

    Args:
        rule: The rule, or its name.
        catalogue: The rules that it is compared with; optgen's own ones and those of `specs`.
        specs: Further folders or files of rules.
        timeout: Seconds after which what is left is not derived.

    Raises:
        UsageError: There is no such rule.
        SpecError: A spec file is broken.
    """
    if catalogue is None:
        given = (specs,) if isinstance(specs, Path | str) else specs
        catalogue = load_catalogue(Path(path) for path in given)
    spec = catalogue[rule] if isinstance(rule, str) else rule
    subject = Subject(spec, catalogue, Deadline.after(timeout))
    found: list[Entry] = []
    units: unit_inference.Units | unit_inference.NoUnits
    try:
        units = unit_inference.infer(spec)
    except unit_inference.NoUnits as error:
        units = error
    known = units if isinstance(units, unit_inference.Units) else None
    sections: tuple[tuple[str, Callable[[Subject], Iterable[Entry]]], ...] = (
        ("units", lambda _: unit_inference.entries(units)),
        ("symmetries", lambda s: scaling.entries(s, known)),
        ("special_cases", special_cases.entries),
        ("limit", limit.entries),
        ("fixed_points", lambda s: fixed_points.entries(s, known)),
        ("step_bound", step_bound.entries),
        ("stability", stability.entries),
        ("memory", memory.entries),
    )
    for key, derive in sections:
        found += _derive(key, derive, subject.within(_EACH))
    return Sheet(spec.name, spec.summary, tuple(found))


def _derive(
    key: str, derive: Callable[[Subject], Iterable[Entry]], subject: Subject
) -> list[Entry]:
    found: list[Entry] = []
    try:
        for entry in derive(subject):  # one at a time: what came before a failure is kept
            found.append(entry)
    except (OutOfTime, Unsupported) as error:
        found.append(not_derived(key, f"the rest of '{SECTIONS[key]}'", str(error)))
    except Exception as error:
        # The one boundary at which a crash, be it ours or sympy's, becomes "not derived".
        reason = f"the derivation failed: {type(error).__name__}: {error}"
        found.append(not_derived(key, f"the rest of '{SECTIONS[key]}'", reason))
    return found


_INDENT = " " * 15
_WIDTH = 110


def _text(entry: Entry, above: str) -> list[str]:
    """Return an entry as lines; how it was derived is left out where the one above says it."""
    parts = [(f"  {entry.outcome.ljust(11)}  ", entry.statement)]
    if entry.detail:
        parts.append((_INDENT, entry.detail))
    if entry.witness:
        point = ", ".join(f"{n} = {v}" for n, v in entry.witness.items())
        parts.append((_INDENT, f"at {point}"))
    if entry.how and entry.how != above:
        parts.append((_INDENT, f"by {entry.how}"))
    return [line for start, text in parts for line in _folded(start, text)]


def _folded(start: str, text: str) -> list[str]:
    """Fold a text at blanks; formulas without blanks stay whole."""
    further = " " * (len(_INDENT) + 2)
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
