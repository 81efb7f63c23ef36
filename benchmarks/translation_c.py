"""Generated C against the IR, by both readers: all kernels, broken ones, every slip of a token.

    python benchmarks/translation_c.py [--write] [--jobs N]

Every kernel of every rule must equal its IR, read from clang's LLVM IR and from its source, sums at
the thorough sizes. Every kernel of `tests/mutants/c_text.py` and every slip of one token in the C
of some rules is judged by both readers. What a reader calls equal is compiled and run natively
against the NumPy module: other bits there would be a wrong proof, and make the command exit with 1.
`--write` puts the result into `benchmarks/results/translation_c.json`.
"""

from __future__ import annotations

import argparse
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

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building.c_rows import c_difference
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import CompileError
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import find_compiler
from optgen.translation.c import reading
from optgen.translation.c.kernels import compare_c
from optgen.translation.c.reading import SourceReader
from optgen.translation.c.sums import SIZES, THOROUGH
from optgen.verify.verdicts import Unsupported
from optgen.version import __version__

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "translation_c.json"
SLIPPED = ("adamw", "amsgrad", "lion", "nadam", "nesterov", "rmsprop:centered", "sgdw")
READERS = ("llvm", "source")
SWAPS = {
    " + ": (" - ", " * "),
    " - ": (" + ",),
    " * ": (" / ", " + "),
    " / ": (" * ",),
    " < ": (" <= ", " > "),
    " > ": (" >= ", " < "),
    "16384": ("16383", "16385"),
    "16383": ("16384",),
    "++": ("--",),
    " += ": (" -= ", " = "),
    "[tensor]": ("[0]",),
    " + at": ("",),
    "sqrtf(": ("fabsf(", "(float)sqrt("),
    "FE_DFL_ENV": ("&state",),
}


def printed(rule: str, dtype: str):
    """Return a kernel, its C text and its NumPy module."""
    spec = load_catalogue()[rule]
    kernel = run_passes(lower(spec, DType(dtype)))
    heading = Heading.of(spec)
    module = load_module(spec.identifier, BACKENDS["numpy"].render(heading, [kernel])[0].text)
    return spec, kernel, BACKENDS["c"].render(heading, [kernel])[0].text, module


def reader(name: str):
    """Return a reader by name, or None where there is none."""
    return SourceReader(find_compiler()) if name == "source" else reading._clang()


def clean(job: tuple[str, str, str]):
    """Return outcomes and seconds of one kernel."""
    rule, dtype, by = job
    _, kernel, text, _ = printed(rule, dtype)
    start = time.perf_counter()
    read = reader(by).read(text, "kernel.c")
    proofs = [(p.part, p.outcome, p.detail) for p in compare_c(kernel, read, sizes=SIZES)]
    seconds = time.perf_counter() - start
    if kernel.reductions:
        proofs += [(p.part, p.outcome, p.detail) for p in compare_c(kernel, read, sizes=THOROUGH)]
    return job, proofs, seconds


def slips(text: str) -> Iterator[tuple[str, str]]:
    """Yield texts that differ in one token of the code, each with a word for it."""
    start = text.index("#pragma STDC")
    fields = sorted(set(re.findall(r"args\.(\w+)", text)))
    for old, news in SWAPS.items():
        for found in re.finditer(re.escape(old), text[start:]):
            at = start + found.start()
            line = text.count("\n", 0, at) + 1
            if text[text.rfind("\n", 0, at) + 1 : at].lstrip().startswith(("//", "/*", "*", "#")):
                continue
            for new in news:
                yield f"line {line}: {old} to {new}", text[:at] + new + text[at + len(old) :]
    for found in re.finditer(r"args\.(\w+)", text):
        for other in fields:
            if other != found[1]:
                line = text.count("\n", 0, found.start()) + 1
                changed = text[: found.start(1)] + other + text[found.end(1) :]
                yield f"line {line}: {found[1]} to {other}", changed


def judged(kernel, text: str, by: str, sizes=SIZES) -> tuple[str, str]:
    """Return what a reader says of a text, and why."""
    try:
        for part in compare_c(kernel, reader(by).read(text, "kernel.c"), sizes=sizes):
            if part.outcome != "equal":
                return part.outcome, part.detail
    except Unsupported as error:
        return "unknown", str(error)
    return "equal", ""


def slip(job: tuple[str, str, str, str]):
    """Judge one broken text by both readers, and by running it where one calls it equal."""
    rule, dtype, what, text = job
    spec, kernel, _, module = printed(rule, dtype)
    sizes = (*SIZES, THOROUGH[-1]) if "rows_left_out" in what else SIZES
    says = {by: judged(kernel, text, by, sizes)[0] for by in READERS if reader(by)}
    ran = ""
    if "equal" in says.values():
        compiler = find_compiler()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "slip.so")
            try:
                flags = (*compiler.flags(), "-O1")
                path.write_bytes(compiler.compile(text, "slip.c", flags))
                ran = c_difference(spec, kernel, module, CLibrary(path, spec.identifier))
            except CompileError:
                ran = "it is no C"
    return (rule, dtype, what), says, ran


def main() -> int:
    """Run the campaign; return 1 if something was found that must not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    rules = [*load_catalogue()]
    readers = [by for by in READERS if reader(by)]
    mutants = runpy.run_path(str(ROOT / "tests" / "mutants" / "c_text.py"))
    broken = []
    for name, mutant in {**mutants["MUTANTS"], **mutants["UNSEEN"]}.items():
        text = printed(mutant.rule, mutant.dtype)[2]
        for old, new in mutant.changes:
            text = text.replace(old, new, 1)
        broken.append((mutant.rule, mutant.dtype, name, text))
    tokens = [
        (rule, "float32", what, text)
        for rule in SLIPPED
        for what, text in slips(printed(rule, "float32")[2])
    ]
    with ProcessPoolExecutor(given.jobs) as pool:
        jobs = [(r, d.value, by) for r in rules for d in DType for by in readers]
        proved = [*pool.map(clean, jobs)]
        hand = [*pool.map(slip, broken)]
        slipped = [*pool.map(slip, tokens, chunksize=8)]
    unequal = [f"{job}: {p}" for job, parts, _ in proved for p in parts if p[1] != "equal"]
    equal_by_hand = [str(job) for job, says, _ in hand if "equal" in says.values()]
    wrong = [f"{job}: {ran}" for job, _, ran in (*hand, *slipped) if ran]
    same = sorted(
        f"{rule}: {what} ({', '.join(by for by, word in says.items() if word == 'equal')})"
        for (rule, _, what), says, ran in slipped
        if "equal" in says.values() and not ran
    )
    slow = {
        by: round(max(s for (r, _, b), _, s in proved if b == by and r != "lamb"), 3)
        for by in readers
    }
    compiler = find_compiler()
    clang = reading._clang()
    result = {
        "command": "python benchmarks/translation_c.py --write",
        "date": str(date.today()),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "versions": {
            "python": platform.python_version(),
            "optgen": __version__,
            "compiler": compiler.version,
            "clang": clang.version if clang else "none",
            "clang_flags": " ".join(clang.flags) if clang else "",
        },
        "kernels": {
            "compared": len(proved),
            "parts": sum(len(parts) for _, parts, _ in proved),
            "not_equal": unequal,
            "slowest_elementwise_seconds": slow,
            "sizes_of_sums": list(THOROUGH),
        },
        "broken_kernels": {
            by: Counter(says[by] for _, says, _ in hand) for by in readers
        } | {"equal": equal_by_hand},
        "slips_of_a_token": {
            by: Counter(says[by] for _, says, _ in slipped) for by in readers
        } | {"rules": list(SLIPPED), "equal_and_same_bits": same},
        "wrong_proofs": wrong,
    }  # fmt: skip
    text = json.dumps(result, indent=2) + "\n"
    print(text)
    if given.write:
        RESULT.write_text(text, encoding="utf-8")
    return 1 if unequal or equal_by_hand or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
