"""How near to the speed of memory are compiled C and NumPy modules?

The floor is a loop that reads and writes the same arrays and computes next to nothing,
compiled with the same flags and cut over the same threads. Everything is timed in turn, and
each time is divided by the floor's of the same turn; the table gives medians of those.

    python benchmarks/cpu_first.py [--turns 21] [--elements 16777216] [--json FILE]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import optgen
from optgen.backends.c import SMALLEST_PART
from optgen.runtime.compiler import find_compiler

RULES = ("adamw", "lion", "sgd", "lamb")
SMALL = 500
FLOOR = """#include <stdint.h>
#ifdef _OPENMP
#include <omp.h>
#endif
static void floor_{reads}_{writes}(const uint64_t n, {parameters}) {{
  for (uint64_t i = 0; i < n; ++i) {{
    const float value = {sum};
{stores}
  }}
}}
void floor_all(const uint64_t tensors, const uint64_t *n, float *const *pointers) {{
  uint64_t total = 0;
  for (uint64_t t = 0; t < tensors; ++t) total += n[t];
  int parts = 1;
#ifdef _OPENMP
  parts = omp_get_max_threads();
#endif
  if (total / {smallest} + 1 < (uint64_t)parts) parts = (int)(total / {smallest}) + 1;
#pragma omp parallel for num_threads(parts) schedule(static)
  for (int part = 0; part < parts; ++part) {{
    const uint64_t start = total / parts * part;
    const uint64_t stop = part + 1 < parts ? total / parts * (part + 1) : total;
    uint64_t first = 0;
    for (uint64_t t = 0; t < tensors && first < stop; first += n[t++]) {{
      const uint64_t from = start > first ? start - first : 0;
      const uint64_t to = n[t] < stop - first ? n[t] : stop - first;
      if (from < to) floor_{reads}_{writes}(to - from, {arguments});
    }}
  }}
}}
"""
"""One pass that reads some arrays, the first `writes` of which it writes."""


def passes(rule: str, states: int) -> tuple[tuple[int, int], ...]:
    """Return how many arrays each pass over a tensor reads, and how many of those it writes."""
    if rule == "lamb":  # param, grad and both states; then param and both states again
        return ((4, 2), (3, 1))
    return ((2 + states, 1 + states),)


class Floor:
    """A loop with the traffic of one pass."""

    def __init__(self, reads: int, writes: int, folder: Path) -> None:
        compiler = find_compiler()
        names = [f"a{i}" for i in range(reads)]
        kinds = ["float *restrict" if i < writes else "const float *restrict" for i in range(reads)]
        text = FLOOR.format(
            reads=reads,
            writes=writes,
            smallest=SMALLEST_PART,
            parameters=", ".join(f"{k} {n}" for k, n in zip(kinds, names, strict=True)),
            sum=" + ".join(f"{n}[i]" for n in names),
            stores="\n".join(f"    {n}[i] = value;" for n in names[:writes]),
            arguments=", ".join(f"pointers[{i} * tensors + t] + from" for i in range(reads)),
        )
        path = folder / f"floor_{reads}_{writes}.so"
        if not path.exists():  # code that runs must not be written over
            path.write_bytes(compiler.compile(text, "floor.c", compiler.flags()))
        self._call = ctypes.CDLL(str(path)).floor_all
        self._call.argtypes = [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p]
        self._reads = reads

    def on(self, arrays: Sequence[Sequence[Any]]) -> Callable[[], None]:
        """Return a call on some arrays, a row for each array of a tensor."""
        rows = arrays[: self._reads]
        counts = np.array([a.size for a in rows[0]], np.uint64)
        pointers = np.array([[a.ctypes.data for a in row] for row in rows], np.uintp)
        return lambda: self._call(counts.size, counts.ctypes.data, pointers.ctypes.data)


def seconds(function: Callable[[], None]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure(rule: str, sizes: Sequence[int], turns: int, folder: Path) -> dict[str, Any]:
    """Return medians for one rule on tensors of some sizes."""
    rng = np.random.default_rng(0)
    given = [rng.standard_normal(n).astype(np.float32) for n in sizes]
    module, kernel = optgen.load_kernel(rule), optgen.load_kernel(rule, target="c")
    params = [rng.standard_normal(n).astype(np.float32) for n in sizes]
    states = [kernel.init(p) for p in params]
    names = [name for name, value in states[0].items() if value.shape == params[0].shape]
    rows = [[np.ones(n, np.float32) for n in sizes] for _ in range(2 + len(names))]
    floors = [Floor(*shape, folder).on(rows) for shape in passes(rule, len(names))]

    def floor() -> None:
        for one in floors:
            one()

    def new_gradients() -> None:
        kernel.step(params, [g.view() for g in given], states, lr=1e-4)

    contestants: dict[str, Callable[[], None]] = {
        "floor": floor,
        "c": lambda: kernel.step(params, given, states, lr=1e-4),
        "c, new gradients": new_gradients,
        "numpy": lambda: module.step(params, given, states, lr=1e-4),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(turns + 2):
        for name, run in contestants.items():
            found = seconds(run)
            if turn >= 2:  # the first turns touch memory for the first time
                times[name].append(found)
    ratios = {
        name: statistics.median(t / f for t, f in zip(found, times["floor"], strict=True))
        for name, found in times.items()
    }
    return {
        "rule": rule,
        "tensors": len(sizes),
        "elements": sum(sizes),
        "milliseconds": {name: 1e3 * statistics.median(found) for name, found in times.items()},
        "ratio": ratios,
    }


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=21)
    parser.add_argument("--elements", type=int, default=1 << 24)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    rng = np.random.default_rng(1)
    small = [int(n) for n in rng.integers(64, 4300, SMALL)]
    results = []
    print(f"{'rule':8}{'tensors':>8}{'floor ms':>10}{'C':>8}{'C, new':>8}{'NumPy':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for sizes in ([chosen.elements], small):
            for rule in RULES:
                found = measure(rule, sizes, chosen.turns, Path(folder))
                ratio = found["ratio"]
                print(
                    f"{rule:8}{len(sizes):>8}{found['milliseconds']['floor']:>10.3f}"
                    f"{ratio['c']:>8.2f}{ratio['c, new gradients']:>8.2f}{ratio['numpy']:>8.2f}",
                    flush=True,
                )
                results.append(found)
    if chosen.json:
        machine = {
            "processor": platform.processor() or platform.machine(),
            "compiler": find_compiler().version,
            "flags": find_compiler().flags(),
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        document = {"machine": machine, "turns": chosen.turns, "results": results}
        chosen.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
