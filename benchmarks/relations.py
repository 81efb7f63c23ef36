"""Campaign: relations between all pairs of rules, and between rules that are related by making.

    python benchmarks/relations.py [--rounds N] [--seed S] [--processes P] [--write]

Every ordered pair of the catalogue is related, and every certificate of a "none" is
expanded again from its JSON. Then every rule of the catalogue and of
`tests/relations/specs` is written in other variables, N times, and related to the result
both ways: there "none" would be a wrong answer. Exits with 1 if one is given, or if a
certificate does not hold.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import runpy
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import sympy

from optgen.loader import load_catalogue
from optgen.relations import check_document, relate
from optgen.spec import OptimizerSpec

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "relations.json"
TESTS = ROOT / "tests" / "relations"


def judge(task: tuple[str, OptimizerSpec, OptimizerSpec]) -> dict[str, Any]:
    """Relate one pair; re-read and expand its certificate."""
    label, left, right = task
    begun = time.process_time()
    found = relate(left, right)
    seconds = time.process_time() - begun
    document = json.loads(json.dumps(found.to_json()))
    certificate = document["certificate"]
    return {
        "pair": label,
        "verdict": found.verdict,
        "seconds": round(seconds, 2),
        "holds": certificate is None or check_document(certificate),
        "for_all": certificate is not None and not certificate["at"],
        "hyperparameters": document["hyperparameters"],
        "reason": found.reason[:160],
    }


def made_pairs(rounds: int, seed: int) -> list[tuple[str, OptimizerSpec, OptimizerSpec]]:
    """Return rules with themselves in other variables, both ways."""
    rewritten = runpy.run_path(str(TESTS / "rewriting.py"))["rewritten"]
    rng = random.Random(seed)
    catalogue = load_catalogue((TESTS / "specs",))
    tasks = []
    for number in range(rounds):
        for name in catalogue:
            other = rewritten(catalogue[name], rng)
            if other is not None:
                tasks.append((f"{name} to itself rewritten, {number}", catalogue[name], other))
                tasks.append((f"{name} rewritten to itself, {number}", other, catalogue[name]))
    return tasks


def main() -> int:
    """Run the campaign and print its summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    catalogue = load_catalogue()
    pairs = [(f"{a} to {b}", catalogue[a], catalogue[b]) for a in catalogue for b in catalogue]
    with ProcessPoolExecutor(options.processes) as pool:
        found = list(pool.map(judge, pairs))
        made = list(pool.map(judge, made_pairs(options.rounds, options.seed)))
    summary = {
        "command": f"python benchmarks/relations.py --rounds {options.rounds} "
        f"--seed {options.seed} --processes {options.processes} --write",
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {options.processes} processes",
        "python": platform.python_version(),
        "sympy": sympy.__version__,
        "catalogue": {
            "pairs": len(found),
            "verdicts": dict(Counter(f["verdict"] for f in found)),
            "none for all hyperparameters": sum(f["for_all"] for f in found),
            "processor seconds": round(sum(f["seconds"] for f in found), 1),
            "related": {
                f["pair"]: f["hyperparameters"]
                for f in found
                if f["verdict"] == "related" and len(set(f["pair"].split(" to "))) > 1
            },
            "unknown": {f["pair"]: f["reason"] for f in found if f["verdict"] == "unknown"},
        },
        "made": {
            "pairs": len(made),
            "verdicts": dict(Counter(f["verdict"] for f in made)),
            "processor seconds": round(sum(f["seconds"] for f in made), 1),
            "unknown": [f["pair"] for f in made if f["verdict"] == "unknown"],
        },
    }
    print(json.dumps(summary, indent=2))
    if options.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    wrong = [f["pair"] for f in made if f["verdict"] == "none"]
    wrong += [f["pair"] for f in (*found, *made) if not f["holds"]]
    print("wrong:", ", ".join(wrong) or "none")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
