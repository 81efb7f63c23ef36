"""Fuzz campaign: random pairs against the decider, z3 and sampling with 60 and more digits.

    python benchmarks/fuzz_decider.py [--pairs N] [--rules N] [--seed S] [--jobs J] [--write]

A pair is an expression of the fragment and what rewriting (1 to 8 rules) or one change
makes of it; `--rules` pairs are whole rules of the catalogue. Rewriting may change where
there is a value, and a change may change nothing, so how a pair was made is not taken for
the truth. A verdict is wrong if
 * it is "equal" and the sides differ at one of at least 60 sampled points (of them points
   at and beside branches and at the ends of domains), or `optgen/checker.py` does not accept
   the certificate as a proof of this pair, or z3 has a model at which the independent
   evaluator tells them apart;
 * it is "different" and mpmath does not see the sides differ at the witness with 60, 250
   or 1000 digits, or the witness lies outside the domain, or z3 proves the sides equal.

`--only N` prints one pair and its outcome. Exits with 1 if a verdict is wrong.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

import mpmath
import sympy
from fuzz.judging import Limits, Outcome, judge, make
from fuzz.report import Campaign, summary, write
from fuzz.rules import judge_rules
from fuzz.trees import text

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000, help="pairs of expressions")
    parser.add_argument("--rules", type=int, default=400, help="pairs of whole rules")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds for a pair")
    parser.add_argument("--z3", type=float, default=0.5, help="seconds for z3; 0 without it")
    parser.add_argument("--only", type=int, help="show one pair of expressions")
    parser.add_argument("--unknowns", type=Path, help="write the unknown pairs to this file")
    parser.add_argument("--write", action="store_true", help=f"write to {RESULTS.name}/")
    options = parser.parse_args()
    limits = Limits(options.limit, options.z3)
    if options.only is not None:
        return _show(options.seed, options.only, limits)
    start = time.perf_counter()
    outcomes = []
    for outcome in _outcomes(options, limits):
        outcomes.append(outcome)
        if outcome.wrong:
            print(f"WRONG: pair {outcome.number}: {outcome.wrong}\n  {outcome.pair}", flush=True)
        if len(outcomes) % 1000 == 0:
            print(f"{len(outcomes)} pairs, {time.perf_counter() - start:.0f} s", flush=True)
    command = "python benchmarks/fuzz_decider.py " + " ".join(
        f"--{name} {getattr(options, name)}"
        for name in ("pairs", "rules", "seed", "jobs", "limit", "z3")
    )
    campaign = Campaign(
        command=command,
        seconds=time.perf_counter() - start,
        machine=_machine(),
        versions=_versions(),
        outcomes=tuple(sorted(outcomes, key=lambda o: (o.kind[2] == "rule", o.number))),
    )
    if options.write:
        write(campaign, RESULTS)
    if options.unknowns:
        options.unknowns.write_text(_unknowns(campaign), encoding="utf-8")
    print(summary(campaign))
    return int(any(outcome.wrong for outcome in outcomes))


def _outcomes(options: argparse.Namespace, limits: Limits) -> Iterator[Outcome]:
    context = get_context("spawn")
    with context.Pool(options.jobs) as pool:
        for work, count in ((judge, options.pairs), (judge_rules, options.rules)):
            task = partial(work, options.seed, limits=limits)
            yield from pool.imap_unordered(task, range(count), chunksize=8)


def _show(seed: int, number: int, limits: Limits) -> int:
    pair = make(seed, number)
    print(f"{pair.made}, {pair.change or 'no change'}, {', '.join(pair.rules)}")
    print(f"  {text(pair.left)}\n  {text(pair.right)}")
    outcome = judge(seed, number, limits)
    print(outcome)
    return int(bool(outcome.wrong))


def _unknowns(campaign: Campaign) -> str:
    unknown = [o for o in campaign.outcomes if o.verdict == "unknown"]
    unknown.sort(key=lambda o: sum(map(len, o.pair)))
    return "\n".join(
        f"{o.number} {o.kind} z3: {o.z3}; {o.seconds:.1f} s; {o.reason[:300]} | {o.rules}\n"
        f"   {o.pair[0]}\n   {o.pair[1]}"
        for o in unknown
    )


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "sympy": sympy.__version__}
    found["mpmath"] = mpmath.__version__
    for package in ("python-flint", "z3-solver"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


if __name__ == "__main__":
    sys.exit(main())
