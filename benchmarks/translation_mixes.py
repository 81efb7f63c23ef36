"""Storage mixes read back: every slip in the functions that convert and draw, and all bits of them.

    python benchmarks/translation_mixes.py [--write] [--jobs N]

The functions of generated C that round to two bytes are run on all 2**32 values, those that read
them on all 2**16, against NumPy and ml_dtypes. Then every slip of a token in these functions and
around their calls is judged by both readers of C, and every slip of a line in the PTX of the same
mixes by the reader of PTX. What is called equal is run: converting functions against the clean
ones on all values, random numbers at a million places, kernels against the NumPy module. Other
bits there would be a wrong proof, and make the command exit with 1. `--write` puts the result into
`benchmarks/results/translation_mixes.json`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import re
import runpy
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import ml_dtypes
import numpy as np

from optgen.backends import BACKENDS
from optgen.backends.abi import abi
from optgen.backends.base import Heading
from optgen.building.c_rows import c_difference
from optgen.crosscheck import inputs
from optgen.crosscheck.cuda_run import run_ptx
from optgen.crosscheck.interpret import host_values, kernel_scalars
from optgen.crosscheck.numpy_run import load_module, run_module
from optgen.crosscheck.ptx import PtxFault, PtxUnsupported, parse
from optgen.errors import CompileError
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import find_compiler
from optgen.runtime.nvrtc import find_nvrtc
from optgen.storage import parse_storage
from optgen.translation.c import reading
from optgen.translation.c.kernels import compare_c
from optgen.translation.c.reading import SourceReader
from optgen.translation.ptx_kernels import compare_ptx
from optgen.verify.verdicts import Unsupported
from optgen.version import __version__

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "translation_mixes.json"
RULE = "sgd"
MIXES = (
    "bfloat16-bfloat16-float32",
    "float16-float16-float32",
    "bfloat16-bfloat16-float32+kahan",
    "bfloat16-bfloat16-float32+stochastic",
)
READERS = ("llvm", "source")
SWAPS = {
    " + ": (" - ", " | ", " ^ "),
    " - ": (" + ", " ^ "),
    " * ": (" + ",),
    " & ": (" | ", " ^ "),
    " | ": (" & ", " ^ "),
    " ^ ": (" & ", " | "),
    " < ": (" <= ", " > "),
    " > ": (" >= ", " < "),
    "<<": (">>",),
    ">>": ("<<",),
    "[index]": ("[0]",),
    "(uint16_t)": ("(uint8_t)",),
    "(uint32_t)": ("(uint16_t)",),
    "fabsf(": ("(",),
}
PLACE = re.compile(r"random|store_|load_|first|seed|step_|kahan")

RUN = """
#include <stdio.h>
int nan_bfloat16(unsigned x) { return (x & 0x7fffu) > 0x7f80u; }
int nan_float16(unsigned x) { return (x & 0x7fffu) > 0x7c00u; }
unsigned long long check(void) {
  unsigned long long wrong = 0;
  for (unsigned long long at = 0; at < 1ull << 32; ++at) {
    float x; uint32_t b = (uint32_t)at; memcpy(&x, &b, 4); (void)x;
#ifdef HAS_store_bfloat16
    { unsigned a = store_bfloat16(x), c = slip_store_bfloat16(x);
      wrong += a != c && !(nan_bfloat16(a) && nan_bfloat16(c)); }
#endif
#ifdef HAS_store_float16
    { unsigned a = store_float16(x), c = slip_store_float16(x);
      wrong += a != c && !(nan_float16(a) && nan_float16(c)); }
#endif
#ifdef HAS_store_bfloat16_stochastic
    for (unsigned i = 0; i < 5; ++i) {
      const uint32_t numbers[5] = {0, 1, 0x7fff, 0x8000, 0xffff};
      unsigned a = store_bfloat16_stochastic(x, numbers[i]);
      unsigned c = slip_store_bfloat16_stochastic(x, numbers[i]);
      wrong += a != c && !(nan_bfloat16(a) && nan_bfloat16(c)); }
#endif
  }
  for (unsigned at = 0; at < 1u << 16; ++at) {
    (void)at;
#ifdef HAS_load_bfloat16
    { float a = load_bfloat16(at), c = slip_load_bfloat16(at);
      wrong += memcmp(&a, &c, 4) && (a == a || c == c); }
#endif
#ifdef HAS_load_float16
    { float a = load_float16(at), c = slip_load_float16(at);
      wrong += memcmp(&a, &c, 4) && (a == a || c == c); }
#endif
  }
#ifdef HAS_fill_random
  uint64_t word = 1;
  for (int i = 0; i < 1000000; ++i) {
    uint16_t a[32] = {0}, c[32] = {0};
    uint64_t r[5];
    for (int k = 0; k < 5; ++k) { word = word * 6364136223846793005u + 1442695040888963407u;
      r[k] = word >> 11; }
    fill_random(a, 1 + r[0] % 24, (r[1] >> (r[0] % 50)) / 8 * 8, r[2] >> (r[1] % 53),
                (uint32_t)r[3], (uint32_t)r[4]);
    slip_fill_random(c, 1 + r[0] % 24, (r[1] >> (r[0] % 50)) / 8 * 8, r[2] >> (r[1] % 53),
                (uint32_t)r[3], (uint32_t)r[4]);
    wrong += memcmp(a, c, sizeof a) != 0;
  }
#endif
  return wrong;
}
"""
"""Compares the functions of two texts, those of the second called `slip_`, on all values."""

FUNCTIONS = (
    *("load_bfloat16", "store_bfloat16", "store_bfloat16_stochastic", "load_float16"),
    *("store_float16", "fill_random"),
)


def printed(mix: str, target: str):
    """Return a rule, its kernel in a mix, and its text."""
    storage, spec = parse_storage(mix), load_catalogue()[RULE]
    kernel = store_as(run_passes(lower(spec, storage.arithmetic)), storage)
    return spec, kernel, BACKENDS[target].render(Heading.of(spec, storage), [kernel])[0].text


def functions(text: str) -> str:
    """Return the part of a C file that converts and draws."""
    begin = text.index("/* a float32 as its bits, and back */")
    return text[begin : text.index("_args {", begin)].rsplit("struct", 1)[0]


def library(folder: str, text: str, flags: tuple[str, ...] = ("-O3",)) -> ctypes.CDLL:
    """Compile a text and load it."""
    compiler = find_compiler()
    path = Path(folder, "check.so")
    plain = [f for f in compiler.flags() if f != "-fopenmp"]
    path.write_bytes(compiler.compile(text, "check.c", (*plain, *flags)))
    return ctypes.CDLL(str(path))


def exhaustive(clean: str, slipped: str) -> str:
    """Run the functions of two files on all values; say what differs."""
    if functions(clean) == functions(slipped):
        return ""
    names = (*FUNCTIONS, "bits_of", "float_of", "philox", "optgen_random")
    renamed = re.sub(rf"\b({'|'.join(names)})\b", r"slip_\1", functions(slipped))
    has = "".join(
        f"#define HAS_{n}\n" for n in FUNCTIONS if re.search(rf"\b{n}\(", functions(clean))
    )
    head = "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n"
    with tempfile.TemporaryDirectory() as folder:
        try:
            loaded = library(folder, f"{head}{has}{functions(clean)}{renamed}{RUN}")
        except CompileError:
            return ""
        loaded.check.restype = ctypes.c_ulonglong
        wrong = int(loaded.check())
    return f"{wrong} values or draws are others" if wrong else ""


def against_libraries() -> dict[str, int]:
    """Run the clean functions on all values against NumPy and ml_dtypes; count what differs."""
    found = {}
    for mix, half, of in (
        (MIXES[0], "bfloat16", ml_dtypes.bfloat16),
        (MIXES[1], "float16", np.float16),
    ):
        text = functions(printed(mix, "c")[2])
        run = (
            f"void store(const float *x, uint16_t *y, long n) {{"
            f" for (long i = 0; i < n; ++i) y[i] = store_{half}(x[i]); }}\n"
            f"void load(const uint16_t *x, float *y, long n) {{"
            f" for (long i = 0; i < n; ++i) y[i] = load_{half}(x[i]); }}\n"
        )
        head = "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n"
        with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
            loaded = library(folder, head + text + run)
            size = 1 << 24
            wrong = 0
            for begin in range(0, 1 << 32, size):
                bits = np.arange(begin, begin + size, dtype=np.uint32)
                values, stored = bits.view(np.float32), np.empty(size, np.uint16)
                loaded.store(*(a.ctypes.data_as(ctypes.c_void_p) for a in (values, stored)), size)
                wanted = values.astype(of)
                same = stored == wanted.view(np.uint16)
                nan = np.isnan(values) & np.isnan(stored.view(of).astype(np.float32))
                wrong += int(np.count_nonzero(~(same | nan)))
            found[f"store_{half}"] = wrong
            halves = np.arange(1 << 16, dtype=np.uint16)
            out = np.empty(halves.size, np.float32)
            loaded.load(*(a.ctypes.data_as(ctypes.c_void_p) for a in (halves, out)), halves.size)
            wanted = halves.view(of).astype(np.float32)
            same = (out.view(np.uint32) == wanted.view(np.uint32)) | (
                np.isnan(out) & np.isnan(wanted)
            )
            found[f"load_{half}"] = int(np.count_nonzero(~same))
    return found


def slips(text: str) -> Iterator[tuple[str, str]]:
    """Yield texts that differ in one token of what converts and draws, each with a word for it."""
    inside = functions(text)
    start = text.index(inside)
    lines: list[tuple[int, str]] = []
    at = 0
    for line in text.splitlines(keepends=True):
        within = start <= at < start + len(inside)
        if within or (at > start and PLACE.search(line)):
            lines.append((at, line))
        at += len(line)
    for begin, line in lines:
        if line.lstrip().startswith(("//", "/*", "*", "#")):
            continue
        number = text.count("\n", 0, begin) + 1

        def changed(first: int, last: int, new: str, begin: int = begin) -> str:
            return text[: begin + first] + new + text[begin + last :]

        for old, news in SWAPS.items():
            for found in re.finditer(re.escape(old), line):
                for new in news:
                    yield f"line {number}: {old} to {new}", changed(*found.span(), new)
        for found in re.finditer(r"\b(0x[0-9a-f]+|\d+)(u?)\b(?!p)", line):
            value = int(found[1], 0)
            for other in {value + 1, value - 1, 2 * value} - {value, -1}:
                new = f"{hex(other) if found[1][1:2] == 'x' else other}{found[2]}"
                yield f"line {number}: {found[0]} to {new}", changed(*found.span(), new)


def reader(name: str):
    """Return a reader by name, or None where there is none."""
    return SourceReader(find_compiler()) if name == "source" else reading._clang()


def judged(kernel, text: str, by: str) -> str:
    """Return what a reader of C says of a text."""
    try:
        for part in compare_c(kernel, reader(by).read(text, "kernel.c")):
            if part.outcome != "equal":
                return part.outcome
    except Unsupported:
        return "unknown"
    return "equal"


def slip(job: tuple[str, str, str]):
    """Judge one broken C file by both readers, and by running it where one calls it equal."""
    mix, what, text = job
    spec, kernel, clean = printed(mix, "c")
    says = {by: judged(kernel, text, by) for by in READERS if reader(by)}
    ran = ""
    if "equal" in says.values():
        ran = exhaustive(clean, text)
        _, _, module_text = printed(mix, "numpy")
        module = load_module(kernel.name, module_text)
        compiler = find_compiler()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "slip.so")
            try:
                flags = (*compiler.flags(), "-O1")
                path.write_bytes(compiler.compile(text, "slip.c", flags))
                ran = ran or c_difference(spec, kernel, module, CLibrary(path, kernel.name))
            except CompileError:
                ran = "it is no C"
    return (mix, what), says, ran


def ptx_slips(mix: str):
    """Return what became of all slips in the PTX of one mix; equal ones are executed."""
    sys.path.insert(0, str(ROOT / "tests" / "translation"))
    tests = runpy.run_path(str(ROOT / "tests" / "translation" / "test_ptx_kernels.py"))
    spec, kernel, text = printed(mix, "cuda")
    module = load_module(kernel.name, printed(mix, "numpy")[2])
    ptx = find_nvrtc().compile(text, "kernel.cu", "sm_90").ptx
    outcomes: Counter[str] = Counter()
    wrong, same = [], []
    for what, changed in tests["slips"](ptx, abi(kernel).launches[0].entry):
        (proof,) = compare_ptx(kernel, changed)
        outcomes[proof.outcome] += 1
        if proof.outcome == "equal":
            said = executed(spec, kernel, module, changed)
            (wrong if said else same).append(f"{mix}: {what}{': ' + said if said else ''}")
    return mix, dict(outcomes), wrong, same


def executed(spec, kernel, module, ptx: str) -> str:
    """Run PTX on the CPU; return the first thing that is not as in the NumPy module."""
    hyperparameters = inputs.hyperparameters(spec, kernel)
    states = inputs.scalar_states(kernel)
    for case in inputs.cases(kernel):
        arrays = inputs.arrays(kernel, spec, case)
        expected, _ = run_module(module, kernel, arrays, hyperparameters, states, case)
        host = host_values(kernel, hyperparameters, case.step, states, case.n)
        try:
            run = run_ptx(
                parse(ptx), kernel, abi(kernel), arrays, kernel_scalars(kernel, host), case
            )
        except (PtxFault, PtxUnsupported) as error:
            return f"{case}: {error}"
        if said := inputs.first_difference(expected, run.arrays):
            return f"{case}: {said}"
    return ""


def main() -> int:
    """Run the campaign; return 1 if something was found that must not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    started = time.perf_counter()
    jobs = [(mix, *each) for mix in MIXES for each in slips(printed(mix, "c")[2])]
    with ProcessPoolExecutor(given.jobs) as pool:
        libraries = pool.submit(against_libraries)
        in_ptx = pool.map(ptx_slips, MIXES)
        slipped = list(pool.map(slip, jobs, chunksize=8))
        of_ptx = list(in_ptx)
        differing = libraries.result()
    wrong = [f"{mix}: {what}: {ran}" for (mix, what), _, ran in slipped if ran]
    wrong += [each for _, _, found, _ in of_ptx for each in found]
    wrong += [f"{name}: {count} values" for name, count in differing.items() if count]
    total: Counter[str] = Counter()
    for _, outcomes, _, _ in of_ptx:
        total.update(outcomes)
    clang = reading._clang()
    result = {
        "command": "python benchmarks/translation_mixes.py --write",
        "date": date.today().isoformat(),
        "seconds": round(time.perf_counter() - started),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "versions": {
            "python": platform.python_version(),
            "optgen": __version__,
            "numpy": np.__version__,
            "ml_dtypes": ml_dtypes.__version__,
            "compiler": find_compiler().version,
            "clang": clang.version if clang else "none",
            "nvrtc": ".".join(map(str, find_nvrtc().version)),
        },
        "rule": RULE,
        "mixes": list(MIXES),
        "values_that_differ_from_libraries": differing,
        "slips_in_c": {
            by: dict(Counter(says[by] for _, says, _ in slipped if by in says)) for by in READERS
        }
        | {
            "equal_on_all_values": sorted(
                f"{mix}: {what} ({', '.join(by for by, word in says.items() if word == 'equal')})"
                for (mix, what), says, ran in slipped
                if "equal" in says.values() and not ran
            )
        },
        "slips_in_ptx": dict(total)
        | {"equal_where_executed": [each for _, _, _, found in of_ptx for each in found]},
        "wrong_proofs": wrong,
    }
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if given.write:
        RESULT.write_text(text, encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
