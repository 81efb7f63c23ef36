"""What a campaign found, as numbers and as a page."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fuzz.judging import Outcome

_MOST_KEPT = 150
_AIM = 0.02


@dataclass(frozen=True, slots=True)
class Campaign:
    """A finished campaign.

    Attributes:
        command: How to run it again.
        seconds: How long it took.
        machine: Model of the processor.
        versions: Version of each package.
        outcomes: What became of every pair.
    """

    command: str
    seconds: float
    machine: str
    versions: Mapping[str, str]
    outcomes: Sequence[Outcome]


def write(campaign: Campaign, folder: Path) -> None:
    """Write `fuzz_decider.json` and `fuzz_decider.md`."""
    document = json.dumps(_document(campaign), indent=1) + "\n"
    (folder / "fuzz_decider.json").write_text(document, encoding="utf-8")
    (folder / "fuzz_decider.md").write_text(summary(campaign), encoding="utf-8")


def _document(campaign: Campaign) -> dict[str, Any]:
    unknown = [o for o in campaign.outcomes if o.verdict == "unknown"]
    unknown.sort(key=lambda o: sum(map(len, o.pair)))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": campaign.command,
        "seconds": round(campaign.seconds, 1),
        "machine": campaign.machine,
        "versions": dict(campaign.versions),
        "pairs": len(campaign.outcomes),
        "wrong": [[o.number, *o.kind, o.wrong, *o.pair] for o in campaign.outcomes if o.wrong],
        "verdicts": dict(Counter(o.verdict for o in campaign.outcomes)),
        "unknown rate": round(len(unknown) / len(campaign.outcomes), 4),
        "by kind": {
            " / ".join(filter(None, key)): dict(Counter(o.verdict for o in group))
            for key, group in _grouped(campaign.outcomes)
        },
        "reasons": dict(Counter(_reason(o) for o in unknown).most_common()),
        "z3": {
            verdict: dict(Counter(o.z3 for o in campaign.outcomes if o.verdict == verdict))
            for verdict in ("equal", "different", "unknown")
        },
        "points where equal": _least_and_median(
            [o.sampled for o in campaign.outcomes if o.verdict == "equal" and o.kind[2] != "rule"]
        ),
        "seconds of the decider": {
            verdict: _times([o.seconds for o in campaign.outcomes if o.verdict == verdict])
            for verdict in ("equal", "different", "unknown")
        },
        "unknown": [
            [o.number, *o.kind, o.z3, o.reason[:300], *o.pair] for o in unknown[:_MOST_KEPT]
        ],
    }


def _grouped(outcomes: Iterable[Outcome]) -> list[tuple[tuple[str, str, str], list[Outcome]]]:
    found: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.kind, []).append(outcome)
    return sorted(found.items())


def _reason(outcome: Outcome) -> str:
    """Return a reason without its numbers and names."""
    first = outcome.reason.partition(" where ")[0].partition(";")[0]
    return re.sub(r"\d+", "N", first)[:90]


def _times(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ranked = sorted(seconds)
    at = {"median": 0.5, "99 %": 0.99, "max": 1.0}
    last = len(ranked) - 1
    return {name: round(ranked[int(share * last)], 4) for name, share in at.items()}


def _least_and_median(counts: list[int]) -> dict[str, int]:
    ranked = sorted(counts)
    if not ranked:
        return {}
    fewer = sum(count < 60 for count in ranked)
    return {"least": ranked[0], "median": ranked[len(ranked) // 2], "fewer than 60": fewer}


def summary(campaign: Campaign) -> str:
    """Return the campaign as a Markdown page."""
    found = _document(campaign)
    rate, wrong = found["unknown rate"], len(found["wrong"])
    aim = "meets" if rate <= _AIM else "MISSES"
    lines = [
        "# Fuzz campaign of the decider",
        "",
        f"{found['pairs']} pairs, all of the fragment: **{wrong} wrong**, {rate:.2%} unknown, "
        f"which {aim} the aim of at most 2 %.",
        "",
        f"    {campaign.command} --write",
        "",
        f"{found['date']}; {campaign.seconds:.0f} s; {campaign.machine}; "
        + ", ".join(f"{name} {value}" for name, value in campaign.versions.items()),
        "",
        "How a verdict is checked stands at the head of `benchmarks/fuzz_decider.py`. How a pair",
        "was made says nothing certain of it: a change may change nothing, and rewriting may",
        "change where there is a value. Shape `nested`: a norm or mean of what has branches",
        "itself.",
        "",
        "| made by | shape | equal | different | unknown | unknown rate |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for (made, change, shape), group in _grouped(campaign.outcomes):
        count = Counter(o.verdict for o in group)
        label = made if not change else f"changed: {change}"
        lines.append(
            f"| {label} | {shape} | {count['equal']} | {count['different']} | {count['unknown']} "
            f"| {count['unknown'] / len(group):.1%} |"
        )
    count = Counter(o.verdict for o in campaign.outcomes)
    lines += [
        f"| all | | {count['equal']} | {count['different']} | {count['unknown']} | {rate:.2%} |",
        "",
        "| verdict | z3 agrees | z3 abstains | z3 disagrees | median s | 99 % s | max s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for verdict in ("equal", "different"):
        z3, times = found["z3"][verdict], found["seconds of the decider"][verdict]
        words = " | ".join(str(z3.get(w, 0)) for w in ("agrees", "abstains", "disagrees"))
        lines.append(f"| {verdict} | {words} | {' | '.join(str(t) for t in times.values())} |")
    times = found["seconds of the decider"]["unknown"]
    held = ", ".join(f"{n} {word}" for word, n in sorted(found["z3"]["unknown"].items()) if word)
    lines += [
        "",
        f"The unknown ones took {', '.join(f'{k} {v} s' for k, v in times.items())}; "
        f"z3 holds them to be: {held or 'not asked'}.",
        f"Sampled points at equal pairs of expressions: {found['points where equal']}.",
        "",
        "| why unknown | pairs |",
        "| --- | ---: |",
        *(f"| {reason} | {n} |" for reason, n in found["reasons"].items()),
        "",
    ]
    return "\n".join(lines)
