"""Every rule in every storage mix: proved, and the same bits on NumPy, C and executed CUDA.

Builds each rule in all mixes of tests/crosscheck/test_storage_mixes.py, as `optgen build
--storage` does, and writes down what the rows say: what is proved, error in units of its bound,
and bytes that the compiled CUDA moves per parameter.

    python benchmarks/storage_mixes.py [--jobs 2] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import ml_dtypes
import numpy as np

from optgen import __version__
from optgen.building.report import Row
from optgen.building.request import DEFAULT_ARCHS, TARGETS
from optgen.building.rule_build import build_rule
from optgen.errors import BackendUnavailable, UsageError
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.runtime.compiler import find_compiler
from optgen.runtime.nvrtc import find_nvrtc
from optgen.storage import parse_storage

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "crosscheck" / "test_storage_mixes.py"
RESULT = ROOT / "benchmarks" / "results" / "storage_mixes.md"


def possible(rule: str, mixes: Sequence[str]) -> tuple[str, ...]:
    """Return the mixes that make sense for a rule."""
    found = []
    for mix in mixes:
        storage = parse_storage(mix)
        try:
            store_as(run_passes(lower(load_catalogue()[rule], storage.arithmetic)), storage)
        except UsageError:
            continue
        found.append(mix)
    return tuple(found)


def rows_of(rule: str, mixes: Sequence[str]) -> list[Row]:
    """Return the rows of one rule's mixes."""
    chosen = possible(rule, mixes)
    built = build_rule(
        load_catalogue()[rule], TARGETS, (DType.FLOAT32.value,), DEFAULT_ARCHS, chosen
    )
    return [row for row in built.rows if row.dtype in chosen]


def table(mixes: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return one line per mix."""
    lines = [
        "| mix | rules | C = NumPy | CUDA = NumPy | proved: NumPy, C, CUDA | largest error / bound "
        "| AdamW, bytes moved |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for mix in mixes:
        mine = [row for row in rows if row.dtype == mix]
        same = {t: sum(r.run == "= NumPy" for r in mine if r.target == t) for t in ("c", "cuda")}
        proved = [str(sum(r.proof == "equal" for r in mine if r.target == t)) for t in TARGETS]
        bounds = [float(r.run.split()[0]) for r in mine if "bound" in r.run]
        moved = [r.bytes_per_parameter for r in mine if (r.rule, r.target) == ("adamw", "cuda")]
        of_adamw = f"{moved[0]:.2f}" if moved and moved[0] is not None else ""
        lines.append(
            f"| `{mix}` | {len({r.rule for r in mine})} | {same['c']} | {same['cuda']} "
            f"| {', '.join(proved)} | {max(bounds):.2f} | {of_adamw} |"
        )
    return lines


def versions() -> str:
    """Return the tools that took part."""
    try:
        nvrtc = ".".join(map(str, find_nvrtc().version))
        compiler = find_compiler().version
    except BackendUnavailable as error:
        raise SystemExit(str(error)) from error
    return (
        f"optgen {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"ml_dtypes {ml_dtypes.__version__}, {compiler}, NVRTC {nvrtc} for "
        f"{', '.join(DEFAULT_ARCHS)}; {platform.machine()}, {os.cpu_count()} processors"
    )


def main() -> int:
    """Run everything; return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name} and .json")
    options = parser.parse_args()
    started = time.perf_counter()
    mixes = runpy.run_path(str(TESTS))["MIXES"]
    with ProcessPoolExecutor(options.jobs) as pool:
        found = list(pool.map(partial(rows_of, mixes=mixes), sorted(load_catalogue())))
    rows = [row for rule in found for row in rule]
    failures = [f"{r.rule} {r.target} {r.dtype}: {f}" for r in rows for f in r.failures]
    unproved = [f"{r.rule} {r.target} {r.dtype} {r.proof}" for r in rows if r.proof != "equal"]
    command = f"python benchmarks/storage_mixes.py --jobs {options.jobs} --write"
    seconds = time.perf_counter() - started
    text = "\n".join(
        (
            "# Every rule in every storage mix",
            "",
            f"    {command}",
            "",
            f"{date.today().isoformat()}, {seconds:.0f} s. {versions()}.",
            "",
            f"{len(rows)} kernels, {len(failures)} failures. NumPy modules have the bits of the IR "
            "in each; all stand in storage_mixes.json. Not proved equal: "
            f"{len(unproved)}" + (f" ({'; '.join(unproved)})." if unproved else "."),
            "",
            *table(mixes, rows),
            *(["", *(f"* {failure}" for failure in failures)] if failures else []),
            "",
        )
    )
    print(text, end="")
    if options.write:
        RESULT.write_text(text, encoding="utf-8")
        named = ("rule", "target", "dtype", "proof", "run", "compile", "registers")
        named += ("bytes_per_parameter",)
        data = [[getattr(row, name) for name in named] for row in rows]
        head = [{"dtype": "mix", "proof": "proved"}.get(name, name) for name in named]
        lines = ",\n".join(json.dumps(row) for row in [head, *data])
        RESULT.with_suffix(".json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
