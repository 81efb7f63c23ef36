"""What the independent evaluator saw of a run, and where two runs are certainly apart."""

from __future__ import annotations

from dataclasses import dataclass

from optgen.verify import evaluate as independent

QUERY = "query point"
"""What a trace calls the place where the gradient is taken; no name in a rule has a blank."""
Trace = tuple[tuple[tuple[str, independent.Values], ...], ...]


@dataclass(frozen=True, slots=True)
class Traces:
    """What every assignment of two rules gave, step by step: (name, values)."""

    left: Trace
    right: Trace

    @property
    def finals(self) -> tuple[independent.Values, independent.Values]:
        """The values in which the two differ: the parameter, or else the query point."""
        pair = [dict(side[-1]) for side in (self.left, self.right)]
        name = "param"
        if apart(pair[0]["param"], pair[1]["param"]) is None and all(QUERY in p for p in pair):
            name = QUERY
        return pair[0][name], pair[1][name]

    @property
    def different(self) -> bool:
        """Whether the last step has certainly different values."""
        return apart(*self.finals) is not None


def apart(a: independent.Values, b: independent.Values) -> int | None:
    """Return the first element in which two enclosures do not touch, or None."""
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if x.high < y.low or y.high < x.low:
            return i
    return None
