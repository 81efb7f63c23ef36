"""Compiled PTX against the IR: all kernels, all broken kernels, all slips in PTX text.

    python benchmarks/translation_ptx.py [--write]

Every kernel of every rule, for both types and both architectures, must equal its IR in
all launches, sums at the thorough sizes. Every kernel of `tests/mutants/cuda.py` and
every single-line slip in the PTX of some rules must not; equal ones are listed, and
make the command exit with 1. `--use_fast_math` must be noticed in every float32
kernel. `--write` puts the result into `benchmarks/results/translation_ptx.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building.request import DEFAULT_ARCHS
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime import nvrtc as nvrtc_module
from optgen.runtime.nvrtc import find_nvrtc
from optgen.translation.ptx_kernels import compare_ptx
from optgen.translation.ptx_sums import QUICK, THOROUGH
from optgen.version import __version__

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "translation_ptx.json"
SLIPPED = ("adamw", "amsgrad", "lion", "nadam", "nesterov", "rmsprop_centered", "sgdw")


def kernel_and_text(rule: str, dtype: str):
    """Return a kernel and its CUDA text."""
    spec = load_catalogue()[rule]
    kernel = run_passes(lower(spec, DType(dtype)))
    return kernel, BACKENDS["cuda"].render(Heading.of(spec), [kernel])[0].text


def clean(job: tuple[str, str, str]):
    """Return outcomes and seconds of one kernel."""
    rule, dtype, arch = job
    kernel, text = kernel_and_text(rule, dtype)
    ptx = find_nvrtc().compile(text, "kernel.cu", arch).ptx
    start = time.perf_counter()
    proofs = compare_ptx(kernel, ptx, sizes=THOROUGH)
    seconds = time.perf_counter() - start
    return job, [(p.entry, p.outcome, p.detail) for p in proofs], seconds


def fast(rule: str) -> tuple[str, bool]:
    """Return whether fast mathematics was noticed in each launch."""
    before = nvrtc_module.OPTIONS
    nvrtc_module.OPTIONS = (*before, "--use_fast_math")
    try:
        kernel, text = kernel_and_text(rule, "float32")
        ptx = find_nvrtc().compile(text, "kernel.cu", "sm_90").ptx
    finally:
        nvrtc_module.OPTIONS = before
    return rule, all(p.outcome == "different" for p in compare_ptx(kernel, ptx, sizes=QUICK[:1]))


def broken(name: str) -> tuple[str, str]:
    """Return what became of one broken kernel."""
    mutant = runpy.run_path(str(ROOT / "tests" / "mutants" / "cuda.py"))["MUTANTS"][name]
    kernel, text = kernel_and_text(mutant.rule, mutant.dtype)
    for old, new in mutant.changes:
        text = text.replace(old, new, 1)
    ptx = find_nvrtc().compile(text, "mutant.cu", "sm_90").ptx
    found = {p.outcome for p in compare_ptx(kernel, ptx, sizes=THOROUGH)}
    return name, next(o for o in ("different", "unknown", "equal") if o in found)


def slips(job: tuple[str, str]):
    """Return what became of all slips in one kernel's PTX."""
    rule, dtype = job
    sys.path.insert(0, str(ROOT / "tests" / "translation"))
    tests = runpy.run_path(str(ROOT / "tests" / "translation" / "test_ptx_kernels.py"))
    kernel, text = kernel_and_text(rule, dtype)
    ptx = find_nvrtc().compile(text, "kernel.cu", "sm_90").ptx
    outcomes: Counter[str] = Counter()
    equal = []
    for what, changed in tests["slips"](ptx, f"optgen_{rule}_{dtype}"):
        (proof,) = compare_ptx(kernel, changed)
        outcomes[proof.outcome] += 1
        if proof.outcome == "equal":
            equal.append(f"{rule} {dtype}: {what}")
    return job, dict(outcomes), equal


def main() -> int:
    """Run everything; return 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    write = parser.parse_args().write
    rules = list(load_catalogue())
    mutants = list(runpy.run_path(str(ROOT / "tests" / "mutants" / "cuda.py"))["MUTANTS"])
    jobs = [(r, d.value, a) for r in rules for d in DType for a in DEFAULT_ARCHS]
    with ProcessPoolExecutor() as pool:
        kernels = list(pool.map(clean, jobs))
        noticed = dict(pool.map(fast, rules))
        fates = dict(pool.map(broken, mutants))
        changed = list(pool.map(slips, [(r, d.value) for r in SLIPPED for d in DType]))
    wrong = [(*job, p) for job, proofs, _ in kernels for p in proofs if p[1] != "equal"]
    wrong += [name for name, fate in fates.items() if fate == "equal"]
    wrong += [what for _, _, equal in changed for what in equal]
    wrong += [rule for rule, seen in noticed.items() if not seen]
    elementwise = [s for (rule, *_), _, s in kernels if rule != "lamb"]
    total: Counter[str] = Counter()
    for _, outcomes, _ in changed:
        total.update(outcomes)
    result = {
        "command": "python benchmarks/translation_ptx.py --write",
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "versions": {
            "python": platform.python_version(),
            "optgen": __version__,
            "nvrtc": ".".join(map(str, find_nvrtc().version)),
        },
        "kernels": {
            "compared": len(kernels),
            "launches": sum(len(proofs) for _, proofs, _ in kernels),
            "equal": sum(p[1] == "equal" for _, proofs, _ in kernels for p in proofs),
            "slowest_elementwise_seconds": round(max(elementwise), 3),
            "slowest_with_sums_seconds": round(max(s for *_, s in kernels), 1),
            "sums": sorted({p[2] for _, proofs, _ in kernels for p in proofs if "shown" in p[2]}),
        },
        "fast_math_noticed": f"{sum(noticed.values())} of {len(noticed)}",
        "broken_kernels": dict(Counter(fates.values())),
        "slips_in_ptx": dict(total),
        "not_as_it_must_be": [str(each) for each in wrong],
    }
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if write:
        RESULT.write_text(text, encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
