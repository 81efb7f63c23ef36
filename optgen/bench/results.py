"""What was measured: frozen data that goes to JSON and comes back from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optgen.bench.intervals import Ratio, ratio_of_medians


@dataclass(frozen=True, slots=True)
class Timing:
    """One contestant on one rule and workload.

    Attributes:
        name: Who.
        group: `"floor"`, `"optgen"`, `"naive"`, `"torch"` or `"optax"`.
        seconds: Per call, a turn each.
    """

    name: str
    group: str
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One rule on one workload.

    Attributes:
        rule: Name of the rule.
        workload: Name of the workload.
        title: The workload in words.
        dtype: Type of everything, or the storage mix.
        tensors: How many.
        elements: In all.
        bytes: What a step must move, in bytes.
        timings: Who took part, the floor first where there is one.
        left_out: Who did not, and why.
    """

    rule: str
    workload: str
    title: str
    dtype: str
    tensors: int
    elements: int
    bytes: int
    timings: tuple[Timing, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        """The rule, with its storage mix where there is one."""
        return self.rule if self.dtype in ("float32", "float64") else f"{self.rule} {self.dtype}"

    def named(self, name: str) -> Timing | None:
        """Return who has this name."""
        return next((t for t in self.timings if t.name == name), None)

    def ratio(self, name: str, base: str = "floor") -> Ratio | None:
        """Return how long somebody takes in units of somebody else's time."""
        above, below = self.named(name), self.named(base)
        if above is None or below is None:
            return None
        return ratio_of_medians(above.seconds, below.seconds)


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one command measured.

    Attributes:
        command: How it was called.
        date: Day.
        machine: What it ran on, and with which versions.
        turns: Turns asked for.
        measurements: In order.
    """

    command: str
    date: str
    machine: Mapping[str, Any]
    turns: int
    measurements: tuple[Measurement, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the run as JSON values; seconds are rounded to a nanosecond."""
        document = asdict(self)
        for one in document["measurements"]:
            for timing in one["timings"]:
                timing["seconds"] = [round(s, 9) for s in timing["seconds"]]
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Run:
        """Return what `to_json` was called on."""
        measurements = tuple(
            Measurement(
                **{k: v for k, v in one.items() if k not in ("timings", "left_out")},
                timings=tuple(
                    Timing(t["name"], t["group"], tuple(t["seconds"])) for t in one["timings"]
                ),
                left_out=tuple((name, why) for name, why in one["left_out"]),
            )
            for one in document["measurements"]
        )
        return cls(
            document["command"],
            document["date"],
            document["machine"],
            document["turns"],
            measurements,
        )
