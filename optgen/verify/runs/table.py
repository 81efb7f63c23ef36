"""Two traces next to each other: every assignment of both rules, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from optgen.verify.comparison import Row
from optgen.verify.runs.traces import QUERY, Traces, apart
from optgen.verify.show import show_interval


def side_by_side(traces: Traces) -> tuple[Row, ...]:
    """Put the assignments of both sides next to each other, by step and name."""
    rows: list[Row] = []
    for number, (left, right) in enumerate(zip(traces.left, traces.right, strict=True), start=1):
        for name, i, j in _aligned([n for n, _ in left], [n for n, _ in right]):
            a = left[i][1] if i is not None else None
            b = right[j][1] if j is not None else None
            rows.append(
                Row(
                    step=number,
                    name=name,
                    left=", ".join(map(show_interval, a)) if a else "",
                    right=", ".join(map(show_interval, b)) if b else "",
                    differs=bool(a and b and apart(a, b) is not None),
                )
            )
    return tuple(row for row in rows if row.name != QUERY or row.differs)


def _aligned(left: Sequence[str], right: Sequence[str]) -> list[tuple[str, int | None, int | None]]:
    """Merge two lists of names, as many equal names as possible in one row, both orders kept."""
    result: list[tuple[str, int | None, int | None]] = []
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            result += [(left[a + k], a + k, c + k) for k in range(b - a)]
        else:
            result += [(left[i], i, None) for i in range(a, b)]
            result += [(right[j], None, j) for j in range(c, d)]
    return result
