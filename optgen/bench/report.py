"""A run as tables: ratios to the floor, medians, and who was left out."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from optgen.bench.results import Measurement, Run

HEADER = ("rule", "workload", "contestant", "median", "times the floor", "95 %", "GB/s", "turns")


def milliseconds(seconds: float) -> str:
    """Return a time that people can read: `12.3 ms`, `2.4 us`."""
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} us"


def rows(measurements: Iterable[Measurement]) -> list[tuple[str, ...]]:
    """Return a row for each contestant, fastest first."""
    found: list[tuple[str, ...]] = []
    for one in measurements:
        medians = [(statistics.median(t.seconds), t) for t in one.timings if t.seconds]
        for median, timing in sorted(medians, key=lambda pair: pair[0]):
            ratio = one.ratio(timing.name)
            found.append(
                (
                    one.label,
                    one.workload,
                    timing.name,
                    milliseconds(median),
                    "" if ratio is None else f"{ratio.value:.2f}",
                    "" if ratio is None else f"{ratio.low:.2f}-{ratio.high:.2f}",
                    f"{one.bytes / median / 1e9:.1f}",
                    str(len(timing.seconds)),
                )
            )
    return found


def left_out(measurements: Iterable[Measurement]) -> list[str]:
    """Return who did not take part and why, each once."""
    lines: dict[str, list[str]] = {}
    for one in measurements:
        for name, reason in one.left_out:
            lines.setdefault(f"{name}: {reason}", []).append(f"{one.label} {one.workload}")
    return [
        f"left out: {what} ({', '.join(dict.fromkeys(where))})" for what, where in lines.items()
    ]


def markdown(run: Run, workload: str, contestants: Iterable[str]) -> str:
    """Return a table of ratios to the floor, a row for each rule of one workload."""
    names = [*contestants]
    lines = [
        "| rule | floor | " + " | ".join(names) + " |",
        "| --- | --- |" + " --- |" * len(names),
    ]
    for one in run.measurements:
        if one.workload != workload:
            continue
        floor = one.named("floor")
        cells = [milliseconds(statistics.median(floor.seconds)) if floor else "-"]
        for name in names:
            ratio = one.ratio(name)
            cells.append("-" if ratio is None else str(ratio))
        lines.append(f"| {one.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
