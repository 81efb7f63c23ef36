"""Campaign: is any kernel ever further from its rule than its rounding bound allows?

    python benchmarks/rounding_bounds.py [--samples N] [--seed S] [--write]

Every rule of `specs/` runs several steps of its generated NumPy kernel on random
parameters and gradients of mixed scales, zeros among them; after each step every output
is compared with the same operations over the reals, started from the same state, and the
error is divided by the first-order bound of `optgen.crosscheck.first_order`. A sample is
one output of one element after one step. Exits with 1 if a ratio is above 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck import inputs
from optgen.crosscheck.accuracy import ratios
from optgen.crosscheck.first_order import first_order, reference_error
from optgen.crosscheck.numpy_run import load_module
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.spec import OptimizerSpec

RESULTS = Path(__file__).parent / "results"
CHUNK, STEPS = 32768, 8
REALISTIC = {"beta1": 0.9, "beta2": 0.999, "alpha": 0.99, "momentum": 0.9, "weight_decay": 0.01}


@dataclass(frozen=True, slots=True)
class Ratios:
    """What one rule's campaign found.

    Attributes:
        rule: The rule.
        dtype: Type of the kernel.
        samples: Outputs compared.
        in_doubt: Outputs without a bound: rounding could turn a comparison around.
        worst: Largest error in units of its bound.
        where: The output and step with it.
        mean: Mean of the ratios.
        above: Samples with a ratio above 1.
    """

    rule: str
    dtype: str
    samples: int
    in_doubt: int
    worst: float
    where: str
    mean: float
    above: int


def hyperparameter_sets(spec: OptimizerSpec) -> Iterator[dict[str, float]]:
    """Yield values at which every term shows, usual values, and the defaults."""
    visible = inputs.hyperparameters(spec)
    yield visible
    yield {n: REALISTIC.get(n, v) for n, v in visible.items()}
    yield {h.name: float(h.default) for h in spec.hyperparameters}


def campaign(name: str, dtype: DType, samples: int, seed: int) -> Ratios:
    """Run one rule until that many outputs have been compared."""
    spec = load_catalogue()[name]
    kernel = run_passes(lower(spec, dtype))
    text = BACKENDS["numpy"].render(Heading.of(spec), (kernel,))[0].text
    module = load_module(spec.identifier, text)
    rng = np.random.default_rng((seed, *name.encode()))
    own = reference_error(dtype)
    sets = list(hyperparameter_sets(spec))
    count = doubts = above = 0
    worst, where, total = 0.0, "", 0.0
    turn, chunk = 0, max(257, min(CHUNK, samples // (6 * STEPS)))
    while count < samples:
        hyperparameters = sets[turn % len(sets)]
        turn += 1
        size = chunk if turn % 4 else 257
        param = (rng.standard_normal(size) * 10.0 ** rng.integers(-3, 2, size)).astype(dtype.value)
        state = module.init(param)
        start = int(rng.choice([0, 0, 9, 999, 99999]))
        state["step"][...] = start
        for step in range(start + 1, start + 1 + STEPS):
            grad = (rng.standard_normal(size) * 10.0 ** rng.integers(-6, 3, size)).astype(
                dtype.value
            )
            grad[rng.random(size) < 0.05] = 0
            before = {"param": param.copy(), "grad": grad}
            before |= {n: np.array(a) for n, a in state.items() if n != "step"}
            exact = first_order(kernel, before, hyperparameters, step)
            module.step(param, grad, state, **hyperparameters)
            for output, found in exact.items():
                got = param if output == "param" else state[output]
                ratio = ratios(got, found, own)[~found.in_doubt]
                count += size
                doubts += int(found.in_doubt.sum())
                above += int((ratio > 1).sum())
                total += float(ratio.sum())
                top = float(ratio.max(initial=0))
                if top > worst:
                    worst, where = top, f"{output} at step {step}"
    return Ratios(
        name, dtype.value, count, doubts, worst, where, total / max(1, count - doubts), above
    )


def machine() -> str:
    """Return the processor's model, without the host's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")


def main() -> int:
    """Run the campaign; print a table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2_000_000, help="outputs per rule")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--write", action="store_true", help="write results/rounding_bounds.json")
    asked = parser.parse_args()
    started = time.perf_counter()
    asked_for = [(name, dtype) for name in sorted(load_catalogue()) for dtype in DType]
    with ProcessPoolExecutor(asked.jobs) as pool:
        jobs = [pool.submit(campaign, *which, asked.samples, asked.seed) for which in asked_for]
        rows = [job.result() for job in jobs]
    print(f"{'rule':17} {'type':8} {'samples':>10} {'in doubt':>9} {'mean':>7} {'worst':>7}  where")
    for row in rows:
        print(
            f"{row.rule:17} {row.dtype:8} {row.samples:10} {row.in_doubt:9} {row.mean:7.3f} "
            f"{row.worst:7.4f}  {row.where}"
        )
    samples, above = sum(r.samples for r in rows), sum(r.above for r in rows)
    seconds = time.perf_counter() - started
    print(f"{samples} samples, {above} above their bound, {seconds:.0f} s")
    if asked.write:
        document = {
            "command": f"python benchmarks/rounding_bounds.py --samples {asked.samples} "
            f"--seed {asked.seed} --write",
            "date": date.today().isoformat(),
            "machine": machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "reference": f"numpy.longdouble, {np.finfo(np.longdouble).nmant + 1} bits; its own "
            "first-order error is taken off",
            "steps": STEPS,
            "samples": samples,
            "above": above,
            "worst": max(r.worst for r in rows),
            "seconds": round(seconds),
            "rules": [asdict(row) for row in rows],
        }
        path = RESULTS / "rounding_bounds.json"
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
