"""Puts the numbers of benchmarks/results/cpu_*.json into docs/benchmarks_cpu.md.

    python benchmarks/cpu_page.py [--check]

The page is written by hand; what stands between two marks is made here from the committed
results. With --check nothing is written, and the exit code is 1 if the page is not up to date.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from optgen.bench.report import markdown, milliseconds
from optgen.bench.results import Run

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks_cpu.md"
MARK = re.compile(r"(<!-- (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
RIVALS = ("torch fused", "torch foreach", "torch for-loop", "optax jitted")


def load(part: str) -> Run:
    """Return one committed result."""
    text = (RESULTS / f"cpu_{part}.json").read_text(encoding="utf-8")
    return Run.from_json(json.loads(text))


def table(part: str, contestants: Iterable[str]) -> str:
    """Return the ratios of one part, a table for each workload."""
    run = load(part)
    workloads = dict.fromkeys((one.workload, one.title) for one in run.measurements)
    return "\n".join(
        f"{title[0].upper()}{title[1:]}:\n\n{markdown(run, name, contestants)}"
        for name, title in workloads
    )


def call() -> str:
    """Return what a call costs."""
    run = load("call")
    names = ("c", "c, new gradients", "numpy", "torch fused", "torch foreach")
    lines = [
        "| rule | tensors | " + " | ".join(names) + " |",
        "| --- | --- |" + " --- |" * len(names),
    ]
    for one in run.measurements:
        cells = []
        for name in names:
            found = one.named(name)
            cells.append(milliseconds(statistics.median(found.seconds)) if found else "-")
        lines.append(f"| {one.rule} | {one.tensors} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def sizes() -> str:
    """Return the time of a step of adamw by size."""
    run = load("sizes")
    names = ("floor", "c", "numpy", *RIVALS)
    lines = ["| elements | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for one in run.measurements:
        cells = []
        for name in names:
            found = one.named(name)
            cells.append(milliseconds(statistics.median(found.seconds)) if found else "-")
        lines.append(f"| {one.elements:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Return what the results were measured on."""
    run = load("large")
    m = run.machine
    words = [
        f"{m['processor']}, {m['cores']} cores, {m['vectors']}, {', '.join(m['caches'])}; "
        f"{m['system']}; Python {m['python']}, NumPy {m['numpy']}"
    ]
    words += [f"{name} {m[name]}" for name in ("torch", "jax", "optax") if name in m]
    return f"{', '.join(words)}; {m['compiler']} with {m['flags']}; {run.date}.\n"


def summary() -> str:
    """Return what the large tensor says of all rules together."""
    run = load("large")
    lines = []
    for name in ("c", "numpy"):
        found = [(one.rule, one.ratio(name)) for one in run.measurements]
        known = sorted((r.value, rule) for rule, r in found if r is not None)
        low, high = known[0], known[-1]
        lines.append(
            f"* `{name}`: from {low[0]:.2f} ({low[1]}) to {high[0]:.2f} ({high[1]}) times the "
            f"floor, median {statistics.median(v for v, _ in known):.2f}."
        )
    for rival in ("torch fused", "torch foreach", "torch for-loop", "optax jitted", "naive"):
        against = [(one.ratio(rival, "c"), one.rule) for one in run.measurements]
        known = sorted((r.value, rule) for r, rule in against if r is not None)
        if known:
            lines.append(
                f"* {rival} takes {known[0][0]:.2f} ({known[0][1]}) to {known[-1][0]:.2f} "
                f"({known[-1][1]}) times as long as our C; {len(known)} rules."
            )
    return "\n".join(lines) + "\n"


def left_out() -> str:
    """Return who did not take part because it computes something else."""
    run = load("large")
    found = [
        f"* {one.rule}, {name}: {why}"
        for one in run.measurements
        for name, why in one.left_out
        if "something else" in why
    ]
    return "\n".join(found or ["* nobody"]) + "\n"


def rendered(text: str) -> str:
    """Return the page with the numbers of today."""
    parts = {
        "machine": machine,
        "summary": summary,
        "large": lambda: table("large", ("c", "numpy", "naive", *RIVALS)),
        "one_thread": lambda: table("one_thread", ("c", "numpy", "naive")),
        "free_threaded": lambda: table("free_threaded", ("numpy", "naive")),
        "compiled": lambda: table("compiled", ("c", *RIVALS[:3], "torch compiled")),
        "storage": lambda: table("storage", ("c", "numpy")),
        "gpt2": lambda: table("gpt2", ("c", "numpy", *RIVALS)),
        "small": lambda: table("small", ("c", "c, new gradients", "numpy", *RIVALS)),
        "call": call,
        "sizes": sizes,
        "left_out": left_out,
    }
    return MARK.sub(lambda m: f"{m[1]}\n{parts[m[2]]()}\n{m[4]}", text)


def main() -> int:
    """Write the page, or compare it."""
    old = PAGE.read_text(encoding="utf-8")
    new = rendered(old)
    if "--check" in sys.argv[1:]:
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
