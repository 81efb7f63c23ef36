"""Mutation gate, code: does a build notice a slip in the compiler itself?

    python benchmarks/mutation_code.py [--kind KIND ...] [--limit N] [--minutes M] [--write]

Five kinds of single-site mutants: of lowering and its passes (`optgen/lower.py`,
`stages.py`, `passes/`), of the backends that print NumPy and CUDA, of their templates, and of
the generated kernels themselves; the fifth is all of that for C: what prints it, its
templates, its kernels. Each mutant builds some rules, NumPy and CUDA, or NumPy and C, with
the checks that every build makes. What becomes of it:

* refused: an error, an invalid kernel, or no end within the limit;
* caught: a check of the build fails (algebra, run, compile, proof);
* no effect: the kernels come out the same, character by character;
* comments: they differ in comments, docstrings or blank lines only;
* caught by tests: the build passes, the tests of kernels on a copy with the mutant do not
  (no proof speaks of which arguments are refused, for one);
* proved right: the tests pass too, and the build proves that the kernels compute the rule
  with the lowered kernel's bits (mutants of passes; mutants of kernels without the tests,
  which render kernels afresh: what arguments a kernel refuses is a matter of the templates
  and backends, and a generated file that is not what a build prints fails `tests/test_drift.py`);
* not judged: the time given by `--minutes` was over before; counted, and no success;
* not noticed: none of these. Each is listed; the command exits with 1 if there is one
  that `EXPLAINED` does not hold with a reason.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
PASSES = ("lower.py", "stages.py", "passes/powers.py", "passes/hoist.py")
BACKENDS = tuple(
    f"backends/{n}.py"
    for n in ("numpy", "ufuncs", "scalars", "layout", "cuda", "abi", "intrinsics")
)
SOURCES = {
    "passes": PASSES,
    "backends": BACKENDS,
    "c": tuple(f"backends/{n}.py" for n in ("c", "c_host", "expressions")),
}
KINDS = ("passes", "backends", "templates", "kernels", "c")
RULES = ("adamw", "amsgrad", "lion", "nadam", "rmsprop:centered", "lamb")
"""Rules whose kernels are mutated; other mutants build those whose kernels they change."""

DTYPES = ("float32", "float64")
MOST_BUILT = 3
LIMIT = 120.0
TESTS = (
    *("tests/kernels", "tests/passes", "tests/test_lower.py", "tests/test_validate.py"),
    *("tests/crosscheck/test_conformance.py", "tests/crosscheck/test_many_chunks.py"),
)
C_TESTS = ("tests/runtime", "tests/test_c_rows.py")
"""What a developer runs on a change of the compiler, and no golden text among it."""

SHARED = ("checks.py.jinja", "arrays.py.jinja", "module.py.jinja")
"""What every NumPy module has in common: mutated once, as a template."""

EXPLAINED = {
    "optgen/backends/cuda.py: '_H' loses its end": "the name of an include guard",
    "optgen/backends/cuda.py: '[index] = ' loses its end": "a space",
    "optgen/backends/cuda.py: '_e = ' loses its end": "a space",
    "optgen/backends/numpy.py: 0 becomes -1": "helper functions stand in another order",
    "optgen/backends/abi.py: 1 becomes 0": "names of entries count from 0, in every place",
    "optgen/backends/intrinsics.py: a choice is always true": "parentheses more than needed",
    "optgen/backends/ufuncs.py: a call is left out": "a row of the workspace is not used again",
    "templates/numpy/checks.py.jinja: twice return spans": "cannot be reached",
    "templates/numpy/checks.py.jinja: twice _check_array(name + where, array, param)": "the same "
    "check again",
    "templates/numpy/module.py.jinja: twice _HYPERPARAMETERS = {{ hyperparameters_literal }}": (
        "the same value again"
    ),
    "generated/c/lamb.c: < becomes <= in for (uint64_t row = 0; row < 16384 && row < n + 1024; "
    "row += 1024) {": "one more row of +0, and no sum of squares is -0",
    "generated/c/lion.c: twice if (!(0.0 <= hyperparameters[0] && hyperparameters[0] < INFINITY)) "
    "return 1;": "the same check again",
    "generated/c/amsgrad.c: 16383 becomes 16384 in chunks += (n[tensor] + 16383) / 16384;": (
        "more scratch space than needed"
    ),
    "generated/c/adamw.c: twice if (hyperparameters[0] != 0.0 && fabs(hyperparameters[0]) <= "
    "0x1p-150) return 1; /* 0 in float */": "the same check again",
    "generated/c/lamb.c: twice fesetenv(FE_DFL_ENV);": "the same environment again",
    "generated/c/lion.c: + becomes - in total += n[tensor];": (
        "one thread does every element: slower, and the same bits"
    ),
    "optgen/backends/abi.py: '_stage' loses its end": "names of entries, in every place",
    "optgen/backends/abi.py: 1 becomes 2": "names of entries count from 2, in every place",
    "optgen/backends/cuda.py: ', ' loses its end": "a space",
    "templates/numpy/workspace.py.jinja: twice fits = work.kind is kind and work.width >= width": (
        "the same value again"
    ),
    "templates/numpy/threads.py.jinja: since becomes target in _WORKERS = {}  # by process, since "
    "threads end at a fork: a queue, and the threads that serve it": "a comment",
    "templates/c/sums.c.jinja: twice for (int slot = 0; slot < {{ slots }}; ++slot)": (
        "+0 is added twice"
    ),
}
"""Mutants that nothing notices and that change nothing a user could see, with the reason."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed file.

    Attributes:
        kind: One of `KINDS`.
        file: The file, relative to the repository; for kernels the generated file.
        line: Where it was changed.
        change: What was changed.
        text: The changed file.
    """

    kind: str
    file: str
    line: int
    change: str
    text: str

    @property
    def folder(self) -> str:
        """`optgen`, `templates` or `generated`: what has to be exchanged."""
        return self.file.partition("/")[0]

    @property
    def targets(self) -> tuple[str, str]:
        """What is built."""
        return ("numpy", "c") if self.kind == "c" else ("numpy", "cuda")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant, and the words with which it was noticed."""

    kind: str
    file: str
    line: int
    change: str
    fate: str
    detail: str


# --- mutants -----------------------------------------------------------------


_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.RShift: ast.LShift,
}  # fmt: skip


def python_mutants(file: Path, kind: str) -> Iterator[Mutant]:
    """Yield a module with one operator, constant, condition, argument or statement changed."""
    source = file.read_text(encoding="utf-8")
    tree = ast.parse(source)
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    name = file.relative_to(ROOT).as_posix()
    unchanged = [ast.unparse(statement) for statement in tree.body]
    for place, statement in enumerate(tree.body):
        for node in list(ast.walk(statement)):
            if id(node) in documented:
                continue
            for number in range(3):
                held = dict(vars(node))
                words = _change(node, number)
                text = ast.unparse(ast.fix_missing_locations(statement)) if words else ""
                vars(node).clear()
                vars(node).update(held)
                if words is None:
                    break
                if words:
                    texts = [*unchanged[:place], text, *unchanged[place + 1 :]]
                    line = getattr(node, "lineno", 0)
                    yield Mutant(kind, name, line, words, "\n".join(texts) + "\n")


def _change(node: ast.AST, number: int) -> str | None:
    """Make the `number`th change of a node; say which, "" if there is none, None at the end."""
    match node:
        case ast.Compare(ops=[op, *rest]) if number == 0 and type(op) in _SWAPS:
            node.ops = [_SWAPS[type(op)](), *rest]  # type: ignore[list-item]
            return f"{type(op).__name__} becomes {type(node.ops[0]).__name__}"
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if number == 0 and type(op) in _SWAPS:
            node.op = _SWAPS[type(op)]()  # type: ignore[assignment]
            return f"{type(op).__name__} becomes {type(node.op).__name__}"
        case ast.UnaryOp(op=ast.Not()) if number == 0:
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
            return "a not is dropped"
        case ast.Constant(value=bool(value)) if number == 0:
            node.value = not value
            return f"{value} becomes {not value}"
        case ast.Constant(value=int(value)) if number < 2 and not isinstance(value, bool):
            node.value = value + (1 if number == 0 else -1)
            return f"{value} becomes {node.value}"
        case ast.Constant(value=str(value)) if number == 0 and value.strip():
            node.value = value[:-1] if len(value) > 1 else ""
            return f"{value!r} loses its end"
        case ast.Call(args=[first, second, *rest]) if number == 0:
            node.args = [second, first, *rest]
            return "the first two arguments are swapped"
        case ast.If() if number < 2:
            node.test = ast.Constant(value=number == 0)
            return f"a condition is {'always' if number == 0 else 'never'} true"
        case ast.IfExp() if number < 2:
            node.test = ast.Constant(value=number == 0)
            return f"a choice is {'always' if number == 0 else 'never'} true"
        case ast.AugAssign() | ast.Assign() | ast.Expr() if number == 0:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                return None
            if isinstance(node, ast.AugAssign):
                node.value = ast.parse(f"type({ast.unparse(node.target)})()", mode="eval").body
                return "an augmented assignment adds nothing"
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                node.value = ast.Constant(value=None)
                return "a call is left out"
            return ""
    return None


_TOKENS = re.compile(
    r"\d+\.\d+|\d+|<=|>=|==|!=|\+\+|--|&&|\|\||<<|>>|[-+*/<>&|?]|__\w+|\b[a-z_][a-z_0-9]*\b"
)
_OPERATORS = {
    "+": "-", "-": "+", "*": "+", "/": "*", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "==": "!=", "!=": "==", "&&": "||", "||": "&&", "<<": ">>", ">>": "<<", "&": "|", "|": "&",
}  # fmt: skip


def text_mutants(path: str, source: str, kind: str) -> Iterator[Mutant]:
    """Yield a text with a line left out or doubled, or one operator, number or name changed."""
    lines = source.splitlines(keepends=True)
    names = sorted({w for w in re.findall(r"\b[a-z_][a-z_0-9]{2,}\b", source)})
    rng = random.Random(path)
    inside = kind == "kernels" and path.endswith(".py")
    folder = ROOT / "templates" / "numpy"
    skipped = {
        shared.strip()
        for name in SHARED
        if inside
        for shared in (folder / name).read_text(encoding="utf-8").splitlines()
    }
    for i, line in enumerate(lines):
        if not line.strip() or line.strip().startswith(("//", "#", "*", "/*", '"""', "raise ")):
            continue
        if line.strip() in skipped:
            continue
        before, after = lines[:i], lines[i + 1 :]
        yield Mutant(kind, path, i + 1, f"without {line.strip()}", "".join([*before, *after]))
        doubled = "".join([*before, line, line, *after])
        yield Mutant(kind, path, i + 1, f"twice {line.strip()}", doubled)
        code = line.split("//")[0]
        for match in _TOKENS.finditer(code):
            token = match.group()
            if token in _OPERATORS:
                new = _OPERATORS[token]
            elif token.isdigit():
                new = str(int(token) + 1)
            elif token.startswith("__f") and "add" in token:
                new = token.replace("add", "sub")
            elif token.startswith("__f") and "mul" in token:
                new = token.replace("mul", "add")
            elif token in names and len(names) > 1:
                new = rng.choice([n for n in names if n != token])
            else:
                continue
            changed = line[: match.start()] + new + line[match.end() :]
            text = "".join([*before, changed, *after])
            yield Mutant(kind, path, i + 1, f"{token} becomes {new} in {line.strip()}", text)


def all_mutants(kinds: tuple[str, ...], limit: int, seed: int) -> list[Mutant]:
    """Return the mutants of every kind, at most `limit` of each, drawn by a seed, kinds in turn."""
    drawn: list[list[Mutant]] = []
    for kind in kinds:
        several = {m.text: m for m in _mutants(kind)}  # the same text is the same mutant
        every = list(several.values())
        drawn.append(random.Random(f"{seed} {kind}").sample(every, min(limit, len(every))))
    return [m for turn in zip_longest(*drawn) for m in turn if m is not None]


def _mutants(kind: str) -> Iterator[Mutant]:
    if kind in SOURCES:
        for name in SOURCES[kind]:
            yield from python_mutants(ROOT / "optgen" / name, kind)
    if kind in ("templates", "c"):
        for file in sorted((ROOT / "templates").rglob("*.jinja")):
            if (file.parent.name == "c") == (kind == "c"):
                name = file.relative_to(ROOT).as_posix()
                yield from text_mutants(name, file.read_text(encoding="utf-8"), kind)
    if kind in ("kernels", "c"):
        places = ("c/{}.c",) if kind == "c" else ("numpy/{}.py", "cuda/{}.cu")
        for rule in RULES:
            for place in places:
                path = "generated/" + place.format(rule.replace(":", "_"))
                yield from text_mutants(path, (ROOT / path).read_text(encoding="utf-8"), kind)


# --- judging one, in a process of its own --------------------------------------


def build(mutant: Mutant | None) -> dict[str, Any]:
    """Build the rules with a mutant in place; runs in a child that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        if mutant is not None:
            _put_in_place(mutant, Path(folder))
        from optgen.building.rule_build import build_rule
        from optgen.loader import load_catalogue

        catalogue = load_catalogue()
        targets = mutant.targets if mutant else ("numpy", "c", "cuda")
        if mutant is not None and mutant.folder == "generated":
            _print_instead(mutant)
            stem = Path(mutant.file).stem
            changed = [rule for rule in RULES if rule.replace(":", "_") == stem]
            texts = {}
        else:
            found = {name: _files(catalogue[name], targets) for name in catalogue}
            texts = {path: text for files in found.values() for path, text in files.items()}
            changed = [
                name
                for name in sorted(found, key=lambda name: (name not in RULES, name))
                if any(CLEAN.get(path) != text for path, text in found[name].items())
            ]
        failures: list[str] = []
        for rule in changed[:MOST_BUILT] if CLEAN else RULES:
            built = build_rule(catalogue[rule], targets, DTYPES, ("sm_90",))
            failures += [f"{r.target}: {f}" for r in built.rows for f in r.failures]
            failures += [
                f"{r.target}: proved: {r.proved}"
                for r in built.rows
                if r.proved not in ("equal", "not looked at")
            ]
            if failures:
                break
        return {"texts": texts, "failures": failures}


def _files(spec: Any, targets: tuple[str, ...]) -> dict[str, str]:
    from optgen.backends import BACKENDS as PRINTERS
    from optgen.backends.base import Heading
    from optgen.ir import DType
    from optgen.lower import lower
    from optgen.passes import run_passes

    kernels = tuple(run_passes(lower(spec, DType(dtype))) for dtype in DTYPES)
    heading = Heading.of(spec)
    return {f.path: f.text for t in targets for f in PRINTERS[t].render(heading, kernels)}


def _put_in_place(mutant: Mutant, folder: Path) -> None:
    """Make this process import, or render, the changed file."""
    if mutant.folder == "optgen":
        module = mutant.file.removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, _Importer(module, mutant.text, str(ROOT / mutant.file)))
    elif mutant.folder == "templates":
        from optgen import paths

        changed = folder / "templates"
        shutil.copytree(paths.TEMPLATES, changed)
        (changed / Path(mutant.file).relative_to("templates")).write_text(
            mutant.text, encoding="utf-8"
        )
        paths.TEMPLATES = changed


class _Importer:
    """Finds one module and gives it another text."""

    def __init__(self, name: str, text: str, origin: str) -> None:
        self._name, self._text, self._origin = name, text, origin

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        from importlib.machinery import ModuleSpec

        if name != self._name:
            return None
        return ModuleSpec(name, self, origin=self._origin)

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        exec(compile(self._text, self._origin, "exec"), module.__dict__)


def _print_instead(mutant: Mutant) -> None:
    """Make the backend of a generated file print the changed text."""
    from optgen.backends import BACKENDS as PRINTERS
    from optgen.backends.base import SourceFile

    target = Path(mutant.file).parent.name
    path = f"{target}/{Path(mutant.file).name}"
    printer = PRINTERS[target]

    class Changed:
        def __getattr__(self, name: str) -> Any:
            return getattr(printer, name)

        def render(self, heading: Any, kernels: Any) -> Any:
            files = printer.render(heading, kernels)
            return tuple(SourceFile(path, mutant.text) if f.path == path else f for f in files)

    PRINTERS[target] = Changed()  # type: ignore[index]


CLEAN: dict[str, str] = {}


def in_a_child(task: Callable[[], Any]) -> tuple[str, Any]:
    """Run a task in a forked process; return how it ended and what it gave."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        try:
            sender.send(("done", task()))
        except BaseException as error:
            sender.send(("error", f"{type(error).__name__}: {str(error)[:200]}"))

    child = context.Process(target=run)
    child.start()
    sender.close()
    try:
        if not receiver.poll(LIMIT):
            return "hangs", f"no end within {LIMIT:.0f} s"
        return receiver.recv()  # type: ignore[no-any-return]
    except EOFError:
        return "error", f"the process ended with {child.exitcode}"
    finally:
        child.kill()
        child.join()


def judge(mutant: Mutant, deadline: float) -> Outcome:
    """Say what becomes of a mutant; "not judged" if there is no answer before the deadline."""

    def outcome(fate: str, detail: str = "") -> Outcome:
        where = (mutant.kind, mutant.file, mutant.line, mutant.change)
        return Outcome(*where, fate, detail[:300])

    if time.monotonic() > deadline:
        return outcome("not judged")
    ended, result = in_a_child(lambda: build(mutant))
    if ended != "done":
        return outcome("refused", result)
    if result["failures"]:
        return outcome("caught", result["failures"][0])
    texts = result["texts"]
    clean = {p: t for p, t in CLEAN.items() if p.partition("/")[0] in mutant.targets}
    if mutant.folder == "generated":
        path = mutant.file.removeprefix("generated/")
        if _code(path, mutant.text) == _code(path, (ROOT / mutant.file).read_text("utf-8")):
            return outcome("comments")
    elif texts == clean:
        return outcome("no effect")
    elif all(_code(p, texts.get(p, "")) == _code(p, t) for p, t in clean.items()):
        return outcome("comments")
    if mutant.kind == "kernels":
        return outcome("proved right")
    if mutant.folder == "generated":  # of C, tests look at what backend and templates print
        return outcome("not noticed")
    try:
        said = tested(mutant, deadline)
    except subprocess.TimeoutExpired:
        return outcome("not judged", "the tests did not end in time")
    if said:
        return outcome("caught by tests", said)
    return outcome("proved right" if mutant.kind == "passes" else "not noticed")


def _code(path: str, text: str) -> str:
    """Return a file without comments, docstrings and layout."""
    if path.endswith(".py"):
        try:
            return ast.dump(_without_docstrings(ast.parse(text)))
        except SyntaxError:
            return text
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    return " ".join(text.split())


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        match getattr(node, "body", None):
            case [ast.Expr(value=ast.Constant() as docstring), *_]:
                docstring.value = ""
    return tree


def tested(mutant: Mutant, deadline: float) -> str:
    """Run the tests of kernels on a copy with the mutant; return the first failure, or nothing.

    Raises `subprocess.TimeoutExpired` if they have not ended by the deadline.
    """
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder)
        for name in ("optgen", "specs", "templates", "tests", "generated", "examples"):
            ignored = shutil.ignore_patterns("__pycache__", ".build")
            shutil.copytree(ROOT / name, copied / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, copied)
        (copied / mutant.file).write_text(mutant.text, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        run = lambda *words: subprocess.run(  # noqa: E731
            [sys.executable, *words],
            cwd=folder, env=environment, capture_output=True, text=True,
            timeout=max(1.0, deadline - time.monotonic()),
        )  # fmt: skip
        if mutant.folder != "generated":
            code = "from optgen.cli import main; main()"
            built = run("-c", code, "build", "--jobs", "1", "--arch", "sm_90")
            if built.returncode:
                return f"build: {(built.stderr or built.stdout).strip()[-200:]}"
        found = run(
            "-m",
            "pytest",
            "-x",
            "-q",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            *TESTS,
            *(C_TESTS if mutant.kind == "c" else ()),
        )
        if found.returncode == 0:
            return ""
        lines = [x for x in found.stdout.splitlines() if x.startswith(("FAILED", "ERROR", "E  "))]
        return lines[-1] if lines else found.stdout.strip()[-200:]


def reason(mutant: Outcome) -> str:
    """Return why a change that nothing notices changes nothing, or nothing."""
    return EXPLAINED.get(f"{mutant.file}: {mutant.change}", "")


# --- the command ----------------------------------------------------------------


def as_markdown(document: dict[str, Any]) -> str:
    """Return the page of a result."""
    columns = list(document["kinds"][0])
    rows = [[str(row[c]) for c in columns] for row in document["kinds"]]
    survivors = [
        f"* `{o['file']}`, line {o['line']}: {o['change']}: {o['explained'] or 'NOT EXPLAINED'}"
        for o in document["outcomes"]
        if o["fate"] == "not noticed"
    ]
    return "\n".join(
        [
            "# Mutation gate of the compiler",
            "",
            f"    {document['command']}",
            "",
            f"{document['date']}, Python {document['python']}, {document['machine']}, "
            f"{document['seconds']} s. What the words mean stands at the head of the script.",
            *(["", document["note"]] if "note" in document else []),
            "",
            *(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows]),
            "",
            "Not noticed, and why:" if survivors else "None was not noticed.",
            "",
            *survivors,
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
    """Judge the mutants; print a table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--limit", type=int, default=150, help="mutants per kind")
    parser.add_argument("--minutes", type=float, default=60.0, help="what then is open stays open")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--write", action="store_true", help="write the results")
    asked = parser.parse_args()
    started = time.perf_counter()
    os.environ["OPTGEN_CACHE"] = tempfile.mkdtemp(prefix="optgen-")  # broken C is of no use later
    ended, result = in_a_child(lambda: build(None))
    if ended != "done" or result["failures"]:
        print("the clean tree does not build:", result)
        return 2
    CLEAN.update(result["texts"])
    chosen = all_mutants(tuple(asked.kind), asked.limit, asked.seed)
    deadline = time.monotonic() + 60 * asked.minutes
    with ThreadPoolExecutor(asked.jobs) as pool:
        outcomes = []
        for found in pool.map(judge, chosen, [deadline] * len(chosen)):
            outcomes.append(found)
            if found.fate != "not judged":
                where = f"{found.file}:{found.line}: {found.change}"
                print(f"{found.fate}: {where}: {found.detail}", file=sys.stderr, flush=True)
    fates = (
        *("refused", "caught", "no effect", "comments", "proved right", "caught by tests"),
        *("not noticed", "not judged"),
    )
    print(f"{'kind':10} {'mutants':>8} " + " ".join(f"{f:>16}" for f in fates))
    rows = []
    for kind in asked.kind:
        counts = Counter(o.fate for o in outcomes if o.kind == kind)
        rows.append({"kind": kind, "mutants": counts.total(), **{f: counts[f] for f in fates}})
        print(f"{kind:10} {counts.total():8} " + " ".join(f"{counts[f]:16}" for f in fates))
    unnoticed = [o for o in outcomes if o.fate == "not noticed"]
    unexplained = [o for o in unnoticed if not reason(o)]
    for o in unnoticed:
        words = reason(o) or "NOT EXPLAINED"
        print(f"not noticed: {o.file}:{o.line}: {o.change}: {words}")
    seconds = time.perf_counter() - started
    print(f"{len(outcomes)} mutants, {seconds:.0f} s")
    if asked.write:
        document = {
            "command": f"python benchmarks/mutation_code.py --limit {asked.limit} "
            f"--minutes {asked.minutes:g} --jobs {asked.jobs} --seed {asked.seed} --write",
            "date": date.today().isoformat(),
            "machine": machine(),
            "python": platform.python_version(),
            "seconds": round(seconds),
            "kinds": rows,
            "outcomes": [asdict(o) | {"explained": reason(o)} for o in outcomes],
        }
        page = RESULTS / "mutation_code.md"
        page.write_text(as_markdown(document), encoding="utf-8")
        path = RESULTS / "mutation_code.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
