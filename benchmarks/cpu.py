"""The whole campaign on the CPU: how near to the memory, and beside torch and optax.

    python benchmarks/cpu.py [--turns 41] [--only PART]... [--write]

Each part is one call of `optgen bench` in a process of its own: every rule on one large tensor,
and again in one thread; three rules beside torch.compile; adamw in storage mixes;
adamw, nadam, sgd and lion on GPT-2 small's tensors; adamw, sgd and lion on 500 small ones; the
cost of a call; adamw at sizes from 10^2 to 10^8. The part `free_threaded`, NumPy alone, is for a
free-threaded build of Python, and the others are not. With --write, each part's JSON goes to
benchmarks/results/cpu_PART.json and the pictures beside it; `cpu_page.py` puts the numbers into
docs/benchmarks_cpu.md. Torch and optax take part where they are installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
MIXES = (
    "bfloat16-bfloat16-float32",
    "bfloat16-bfloat16-bfloat16",
    "bfloat16-bfloat16-float32-float32",
    "bfloat16-bfloat16-bfloat16+kahan",
    "bfloat16-bfloat16-bfloat16+stochastic",
    "float16-float16-float32-float32",
    "float16-float16-float16",
)
PARTS: dict[str, tuple[str, ...]] = {
    "large": ("--workload", "large", "--seconds", "40"),
    "one_thread": (
        *("--workload", "large", "--threads", "1", "--seconds", "15"),
        *("--against", "naive"),
    ),
    "free_threaded": (
        *("--workload", "large", "--seconds", "20"),
        *("--target", "numpy", "--against", "naive"),
    ),
    "compiled": (
        *("adamw", "nadam", "rmsprop", "--workload", "large", "--seconds", "40"),
        *("--target", "c", "--against", "torch", "--against", "torch-compiled"),
    ),
    "storage": (
        *("adamw", "--workload", "large"),
        *(word for mix in MIXES for word in ("--storage", mix)),
    ),
    "gpt2": (
        *("adamw", "nadam", "sgd", "lion"),
        *("--workload", "gpt2", "--seconds", "45"),
        *("--against", "torch", "--against", "optax"),
    ),
    "small": ("adamw", "sgd", "lion", "--workload", "small", "--seconds", "30"),
    "call": ("adamw", "nadam", "sgd", "lamb", "--workload", "call", "--against", "torch"),
    "sizes": (
        *("adamw", "--workload", "sizes", "--seconds", "30"),
        *("--against", "torch", "--against", "optax"),
    ),
}
"""Arguments of `optgen bench`; a part that names no rule times all of them."""


def is_locked() -> bool:
    """Return whether this is a Python in which one thread at a time runs."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def rules() -> list[str]:
    """Return every rule of the catalogue."""
    from optgen.loader import load_catalogue

    return [*load_catalogue()]


def main() -> int:
    """Run the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=41)
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = RESULTS if asked.write else Path(scratch)
        for part in asked.only or PARTS:
            if is_locked() == (part == "free_threaded"):
                print(f"{part}: left out, for another build of Python", file=sys.stderr)
                continue
            started = time.perf_counter()
            arguments = list(PARTS[part])
            if arguments[0].startswith("--"):
                arguments = [*rules(), *arguments]
            arguments += ["--turns", str(asked.turns), "--out", str(folder / f"cpu_{part}.json")]
            if part in ("large", "gpt2", "small"):
                arguments += ["--plot", str(folder / f"cpu_{part}.png")]
            code = subprocess.run([sys.executable, "-m", "optgen", "bench", *arguments]).returncode
            print(f"{part}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
