"""A seeded sample of slips in the compiler itself: each must make a check fail.

The mutants are those of `benchmarks/mutation_code.py`, which builds whole rules with each;
here the NumPy kernel of one rule is made with each, in this process, and a build's checks
judge it: the proofs that the kernel is the rule and the code the kernel, and a run.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from optgen import passes, paths, render
from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building.code_proof import prove_module
from optgen.building.rule_build import _numpy_row
from optgen.crosscheck.numpy_run import load_module
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.verify.lowered import prove_lowering

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "mutation_code.py"
RULES = load_catalogue()
SAMPLE = 6
LEAST_NOTICED = 0.5
KINDS = {
    "passes": ("optgen/passes/powers.py", "optgen/passes/hoist.py"),
    "backends": ("optgen/backends/scalars.py", "optgen/backends/ufuncs.py"),
    "templates": tuple(f"templates/numpy/{n}.py.jinja" for n in ("powers", "update", "blocks")),
}
POWERS, HOIST = KINDS["passes"]
SCALARS, UFUNCS = KINDS["backends"]
IPOW, UPDATE, BLOCKS = KINDS["templates"]
SLIPS = {
    "bits of an exponent": (POWERS, "remaining & 1", "remaining & 2", "adam"),
    "doubled, not squared": (POWERS, '("mul", (base, base))', '("add", (base, base))', "adam"),
    "half the exponent": (POWERS, "int(exponent)", "int(exponent) // 2", "adam"),
    "operands in another order": (
        HOIST,
        "for o in expr.operands))",
        "for o in expr.operands[::-1]))",
        "adam",
    ),
    "a value of elements on the host": (HOIST, "default=_HOST)", "default=_HOST) * 0", "adam"),
    "a sum for a difference": (SCALARS, '"sub": "-"', '"sub": "+"', "adam"),
    "an operand is overwritten": (UFUNCS, "self.size += 1", "self.size = 1", "adam"),
    "an exponent too low": (SCALARS, "{_integer(exponent)})", "{_integer(exponent)} - 1)", "adam"),
    "the minimum": (UFUNCS, '"max": "maximum"', '"max": "minimum"', "amsgrad"),
    "no factor": (IPOW, "result = result * base", "result = base", "adam"),
    "a power with the wrong sign": (IPOW, "exponent >>= 1", "exponent >>= 2", "adam"),
    "the step before": (UPDATE, 'state["step"] + 1', 'state["step"]', "adam"),
    "a step that is not counted": (UPDATE, 'state["step"][...] = step', "pass", "adam"),
    "no last block": (
        BLOCKS,
        "range(0, size, width)",
        "range(0, size - width, width)",
        "adam",
    ),
    "a scalar that is not kept": (UPDATE, '"][...] = {{ name }}', '"]', "nadam"),
}
"""A file, what stands in it, what stands there instead, and the rule that shows it."""


@pytest.fixture(scope="module")
def gate():
    """The campaign's module, which makes the mutants."""
    if not SCRIPT.is_file():
        pytest.skip("the campaigns are not part of this distribution")
    spec = importlib.util.spec_from_file_location("mutation_code", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutation_code"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mutation_code"]


def made(rule):
    """Return the lowered kernel of a rule and its NumPy text, as the modules now stand."""
    kernel = run_passes(lower(RULES[rule], DType.FLOAT32))
    return kernel, BACKENDS["numpy"].render(Heading.of(RULES[rule]), (kernel,))[0].text


def said(rule, kernel, text):
    """Return what the checks of a build say against a kernel and its text; doubts count."""
    lowered = prove_lowering(RULES[rule], kernel)
    proof = prove_module(kernel, text)
    found = [*proof.failures, *proof.doubts]
    found += [lowered.outcome] if lowered.outcome != "equal" else []
    return found or _numpy_row(RULES[rule], kernel, load_module("mutant", text)).failures


def operations(text):
    """Return what a module calls, in order: with the same bits, results only lie elsewhere."""
    return re.findall(r"np\.\w+\(", text)


def fate(gate, monkeypatch, mutant, rule, folder):
    """Put a mutant in place and say what becomes of it."""
    clean = made(rule)[1]
    try:
        if mutant.kind == "templates":
            put_template(monkeypatch, mutant, folder)
        else:
            put_module(monkeypatch, mutant)
        kernel, text = made(rule)
        if gate._code("rule.py", text) == gate._code("rule.py", clean):
            return "changes nothing"
        if said(rule, kernel, text):
            return "noticed"
        moved = mutant.file == UFUNCS and operations(text) == operations(clean)
        return "changes nothing" if moved else "not noticed"
    except Exception:  # a mutant may raise anything, and is refused then
        return "noticed"
    finally:
        monkeypatch.undo()
        render._environment.cache_clear()


def put_module(monkeypatch, mutant):
    """Put a changed module in the place of the real one, wherever its names are used."""
    name = mutant.file.removesuffix(".py").replace("/", ".")
    original = importlib.import_module(name)
    changed = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, changed)
    exec(compile(mutant.text, name, "exec"), vars(changed))
    own = {id(v): k for k, v in vars(original).items() if getattr(v, "__module__", "") == name}
    for module in [m for n, m in sys.modules.items() if n.startswith("optgen")]:
        for key, value in list(vars(module).items()):
            if module is not original and module is not changed and id(value) in own:
                monkeypatch.setattr(module, key, getattr(changed, own[id(value)]))
    kept = tuple(getattr(changed, own[id(p)]) if id(p) in own else p for p in passes.PASSES)
    monkeypatch.setattr(passes, "PASSES", kept)


def put_template(monkeypatch, mutant, folder):
    """Render from a copy of the templates with a changed one."""
    shutil.copytree(paths.TEMPLATES, folder / "templates")
    (folder / mutant.file).write_text(mutant.text, encoding="utf-8")
    monkeypatch.setattr(paths, "TEMPLATES", folder / "templates")
    render._environment.cache_clear()


def mutants(gate, kind):
    """Return all mutants of the files of one kind."""
    for path in KINDS[kind]:
        if kind == "templates":
            yield from gate.text_mutants(path, (ROOT / path).read_text(encoding="utf-8"), kind)
        else:
            yield from gate.python_mutants(ROOT / path, kind)


@pytest.mark.parametrize("rule", sorted({rule for *_, rule in SLIPS.values()}))
def test_the_clean_compiler_passes(rule):
    assert not said(rule, *made(rule))


@pytest.mark.parametrize("slip", SLIPS)
def test_slip_is_noticed(gate, slip, monkeypatch, tmp_path):
    path, old, new, rule = SLIPS[slip]
    source = (ROOT / path).read_text(encoding="utf-8")
    assert source.count(old) >= 1, f"{path} has no {old!r} any more"
    kind = next(kind for kind, files in KINDS.items() if path in files)
    mutant = gate.Mutant(kind, path, 0, slip, source.replace(old, new))
    clean = made(rule)
    assert fate(gate, monkeypatch, mutant, rule, tmp_path) == "noticed"
    assert made(rule) == clean


@pytest.mark.parametrize("kind", KINDS)
def test_most_of_a_sample_is_noticed(gate, kind, tmp_path):
    """Of drawn slips, some change what no value depends on; the campaign explains each of them."""
    drawn = list(mutants(gate, kind))
    random.Random(kind).shuffle(drawn)
    changing = {}
    for number, mutant in enumerate(drawn):
        if len(changing) == SAMPLE:
            break
        with pytest.MonkeyPatch.context() as monkeypatch:
            found = fate(gate, monkeypatch, mutant, "adam", tmp_path / str(number))
        if found != "changes nothing":
            changing[f"{mutant.file}:{mutant.line}: {mutant.change}"] = found
    noticed = sum(found == "noticed" for found in changing.values())
    assert noticed >= LEAST_NOTICED * SAMPLE, changing
