"""Mutation gate, rules: is every slip of the pen in every rule noticed?

    python benchmarks/mutation_rules.py [--rules NAME ...] [--write]

Every single-site mutant of every rule in `specs/` (`optgen.verify.mutants`: signs,
exponents, swapped symbols, dropped terms and factors, constants, off-by-one steps, moved
lines, maximum for minimum, ...) is compared with its rule. A mutant that is proved equal
must agree with the rule in exact runs of the independent evaluator; one that stays
unknown must be noticed by the checks of a build: the proof that a kernel is its rule, or
the distance from the rule in units of the rounding bound.

Beside it stands what a usual test would have said: one float32 step at the default
hyperparameters, compared with `allclose` at torch.testing's tolerance (rtol 1.3e-6,
atol 1e-5), at steps 1, 10, 1000 and 100000.

Exits with 1 if a mutant is neither refuted, nor proved equal, nor noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sympy

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.accuracy import measure
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import OptgenError
from optgen.ir import DType, Kernel
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.spec import OptimizerSpec
from optgen.verify import compare
from optgen.verify.given import read_given
from optgen.verify.lowered import prove_lowering
from optgen.verify.mutants import mutants
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import Race, Rule

RESULTS = Path(__file__).parent / "results"
RTOL, ATOL = 1.3e-6, 1e-5
STEPS = (1, 10, 1000, 100_000)
ELEMENTS = 1000

Fate = Literal[
    "refuted by a run", "refuted in one step", "proved equal", "noticed by a check", "not noticed"
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mutant.

    Attributes:
        change: What was changed.
        fate: How it was told apart, if it was.
        passes_allclose: Whether a usual test would have let it through; None if the mutant
            cannot be lowered.
        detail: Why it was not refuted.
    """

    change: str
    fate: Fate
    passes_allclose: bool | None
    detail: str = ""


def lowered(spec: OptimizerSpec) -> Kernel | None:
    """Return a rule's float32 kernel, None where the rule cannot be lowered."""
    try:
        return run_passes(lower(spec, DType.FLOAT32))
    except OptgenError:
        return None


def fate(spec: OptimizerSpec, mutant: OptimizerSpec, timeout: float) -> tuple[Fate, str]:
    """Compare a mutant with its rule; where the decider is silent, ask the build's checks."""
    found = compare(spec, mutant, timeout=timeout)
    if found.verdict == "different":
        return ("refuted by a run" if found.reachable else "refuted in one step"), ""
    if found.verdict != "unknown":
        return ("proved equal" if runs_agree(spec, mutant) else "not noticed"), found.verdict
    return ("noticed by a check" if noticed(spec, mutant) else "not noticed"), found.reason or ""


def noticed(spec: OptimizerSpec, mutant: OptimizerSpec) -> bool:
    """Whether a build of the rule with the mutant's kernel fails."""
    kernel, own = lowered(mutant), lowered(spec)
    if kernel is None or own is None:
        return kernel is None
    if prove_lowering(spec, kernel).outcome == "different":
        return True
    text = BACKENDS["numpy"].render(Heading.of(mutant), (kernel,))[0].text
    try:
        return not measure(load_module("mutant", text), own, spec).worst <= 1
    except (TypeError, KeyError, ValueError):  # it has not the rule's signature
        return True


def runs_agree(left: OptimizerSpec, right: OptimizerSpec) -> bool:
    """Whether two rules agree in exact runs of four steps of the independent evaluator."""
    given = read_given(left, right, ())
    sides = [Side.of(s, spec, given.values[s]) for s, spec in (("left", left), ("right", right))]
    race = Race(Rule.of(sides[0]), Rule.of(sides[1]), given.domains)
    rng = random.Random(5)
    for _ in range(10):
        point = {}
        for name, domain in race.variables(4, 2).items():
            value = Fraction(rng.randint(1, 9), 10)
            point[name] = value if domain.nonnegative else value - Fraction(1, 2)
        if race.traces(point, 4, 2) is not None:
            return False
    return True


def passes_allclose(spec: OptimizerSpec, mutant: OptimizerSpec) -> bool | None:
    """Whether one float32 step of both agrees to torch's tolerance at every one of `STEPS`."""
    kernels = lowered(spec), lowered(mutant)
    if kernels[0] is None or kernels[1] is None:
        return None
    rng = np.random.default_rng(0)
    arrays = {b.name: np.zeros(0, np.float32) for k in kernels if k for b in k.buffers}
    domains = {b.name: b.domain for b in spec.state}
    for name in sorted(arrays):
        values = (rng.standard_normal(ELEMENTS) * (1.0 if name == "param" else 0.1)).astype("f4")
        nonnegative = getattr(domains.get(name), "nonnegative", False)
        arrays[name] = values * values if nonnegative else values
    for step in STEPS:
        results = []
        for side, kernel in zip((spec, mutant), kernels, strict=True):
            assert kernel is not None
            hyperparameters = {h.name: float(h.default) for h in side.hyperparameters}
            states = {s.name: float(s.initial) / 2 for s in kernel.scalar_states}
            held = {b.name: arrays[b.name] for b in kernel.buffers}
            host = host_values(kernel, hyperparameters, step, states, ELEMENTS)
            with np.errstate(all="ignore"):
                results.append(run_stages(kernel, held, kernel_scalars(kernel, host)))
        for name in results[0].keys() & results[1].keys():
            if not np.allclose(results[1][name], results[0][name], RTOL, ATOL, equal_nan=True):
                return False
    return True


def campaign(name: str, timeout: float) -> list[Outcome]:
    """Judge every mutant of a rule."""
    spec = load_catalogue()[name]
    found = []
    for mutant in mutants(spec):
        what, detail = fate(spec, mutant.spec, timeout)
        close = None if what == "proved equal" else passes_allclose(spec, mutant.spec)
        found.append(Outcome(mutant.change, what, close, detail))
    return found


def as_markdown(document: dict[str, Any]) -> str:
    """Return the page of a result."""
    columns = ["rule", "mutants", *Fate.__args__, "missed by allclose"]
    rows = [*document["rules"], {"rule": "all", "mutants": document["mutants"]}]
    rows[-1] |= {c: document["total"].get(c, 0) for c in columns[2:]}
    table = [columns, ["---"] * len(columns), *([str(r[c]) for c in columns] for r in rows)]
    return "\n".join(
        [
            "# Mutation gate of the rules",
            "",
            f"    {document['command']}",
            "",
            f"{document['date']}, Python {document['python']}, SymPy {document['sympy']}, "
            f"{document['machine']}, {document['seconds']} s.",
            "",
            *(f"| {' | '.join(row)} |" for row in table),
            "",
            "Missed by allclose: one float32 step at the default hyperparameters, at steps 1,",
            "10, 1000 and 100000, is within torch.testing's tolerance of the rule's, though",
            "the two differ.",
            "",
        ]
    )


def machine() -> str:
    """Return the processor's model, without the host's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")


def main() -> int:
    """Run the gate; print a table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", nargs="*", help="all of them if not given")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds per comparison")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--write", action="store_true", help="write the results")
    asked = parser.parse_args()
    started = time.perf_counter()
    names = asked.rules or sorted(load_catalogue())
    with ProcessPoolExecutor(asked.jobs) as pool:
        results = dict(
            zip(names, pool.map(campaign, names, [asked.timeout] * len(names)), strict=True)
        )
    fates = list(Fate.__args__)
    print(f"{'rule':17} {'mutants':>7} " + " ".join(f"{f:>20}" for f in fates) + "   allclose")
    total: Counter[str] = Counter()
    rows = []
    for name, outcomes in results.items():
        counts = Counter(o.fate for o in outcomes)
        missed = sum(o.passes_allclose is True for o in outcomes)
        total += counts
        total["missed by allclose"] += missed
        rows.append(
            {
                "rule": name,
                "mutants": len(outcomes),
                **{f: counts[f] for f in fates},
                "missed by allclose": missed,
            }
        )
        print(
            f"{name:17} {len(outcomes):7} "
            + " ".join(f"{counts[f]:20}" for f in fates)
            + f"   misses {missed}"
        )
    count = sum(len(o) for o in results.values())
    print(f"{count} mutants: {dict(total)}, {time.perf_counter() - started:.0f} s")
    open_ = [
        {"rule": n, **asdict(o)}
        for n, found in results.items()
        for o in found
        if o.fate == fates[-1]
    ]
    for row in open_:
        print("NOT NOTICED", row["rule"], row["change"], row["detail"], sep=" | ")
    if asked.write:
        missed = [
            {"rule": n, "change": o.change}
            for n, found in results.items()
            for o in found
            if o.passes_allclose
        ]
        document = {
            "command": "python benchmarks/mutation_rules.py --write",
            "date": date.today().isoformat(),
            "machine": machine(),
            "python": platform.python_version(),
            "sympy": sympy.__version__,
            "seconds": round(time.perf_counter() - started),
            "mutants": count,
            "total": dict(sorted(total.items())),
            "rules": rows,
            "not noticed": open_,
            "missed by allclose": missed,
        }
        page = RESULTS / "mutation_rules.md"
        page.write_text(as_markdown(document), encoding="utf-8")
        path = RESULTS / "mutation_rules.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if open_ else 0


if __name__ == "__main__":
    sys.exit(main())
