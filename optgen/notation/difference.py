"""How one rule differs from another, line by line: hyperparameters, states, rule, choices."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from optgen.notation.page import choices, hyperparameter_cells, query_text, state_cells
from optgen.notation.text import rule_lines
from optgen.spec import OptimizerSpec
from optgen.symbols import param

Side = Literal["both", "left", "right"]
_MARKS: dict[Side, str] = {"both": " ", "left": "-", "right": "+"}


@dataclass(frozen=True, slots=True)
class Section:
    """One part of two rules, as lines that both have or only one has.

    Attributes:
        title: `hyperparameters`, `state`, `inputs`, `gradient taken at`, `rule` or `choices`.
        lines: (side, line) in reading order.
    """

    title: str
    lines: tuple[tuple[Side, str], ...]

    @property
    def agrees(self) -> bool:
        """Whether both rules have the same lines."""
        return all(side == "both" for side, _ in self.lines)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two rules side by side.

    Attributes:
        left: Name of the first rule.
        right: Name of the second rule.
        sections: Every part that at least one of the two has.
    """

    left: str
    right: str
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        lines = [f"--- {self.left}", f"+++ {self.right}"]
        for section in self.sections:
            lines += ["", section.title + ("  (the same)" if section.agrees else "")]
            lines += [f"{_MARKS[side]} {line}" for side, line in section.lines]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the difference as a JSON document."""
        return {
            "left": self.left,
            "right": self.right,
            "sections": [
                {
                    "title": s.title,
                    "agrees": s.agrees,
                    "lines": [{"side": side, "line": line} for side, line in s.lines],
                }
                for s in self.sections
            ],
        }


def difference(left: OptimizerSpec, right: OptimizerSpec) -> Difference:
    """Compare two rules as they are written; equal lines need not mean equal rules, nor unequal."""
    sections = (
        Section(title, tuple(_merge(ours, theirs)))
        for (title, ours), (_, theirs) in zip(_parts(left), _parts(right), strict=True)
        if ours or theirs
    )
    return Difference(left.name, right.name, tuple(sections))


def _parts(spec: OptimizerSpec) -> tuple[tuple[str, tuple[str, ...]], ...]:
    def words(*cells: str) -> str:
        return ", ".join(cell for cell in cells if cell)

    return (
        (
            "hyperparameters",
            # The meaning is left out: the same number is often described in other words.
            tuple(words(*hyperparameter_cells(h)[:2]) for h in spec.hyperparameters),
        ),
        ("state", tuple(words(*state_cells(b)[:3]) for b in spec.state)),
        ("inputs", tuple(symbol.name for symbol in spec.inputs)),
        ("gradient taken at", () if spec.query == param else (query_text(spec),)),
        ("rule", rule_lines(spec)),
        ("choices", tuple(f"{axis}: {choice}" for axis, choice in choices(spec).items())),
    )


def _merge(left: tuple[str, ...], right: tuple[str, ...]) -> Iterator[tuple[Side, str]]:
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for tag, low, high, start, stop in matcher.get_opcodes():
        if tag == "equal":
            yield from (("both", line) for line in left[low:high])
        else:
            yield from _pair(left[low:high], right[start:stop])


def _pair(left: tuple[str, ...], right: tuple[str, ...]) -> Iterator[tuple[Side, str]]:
    """Put unequal lines about the same name (the first word) next to each other."""
    ours, theirs = [line.split()[0] for line in left], [line.split()[0] for line in right]
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, low, high, start, stop in matcher.get_opcodes():
        width = high - low if tag == "equal" else 1
        for at in range(width):
            upper, lower = (at, at + 1) if tag == "equal" else (0, None)
            here = left[low:high][upper:lower]
            there = right[start:stop][upper:lower]
            yield from (("left", line) for line in here)
            yield from (("right", line) for line in there)
