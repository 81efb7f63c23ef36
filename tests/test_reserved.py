"""No name of a rule can be one that generated code uses for itself: those are refused at load.

Read from generated/ as it is, so that a template with a new local name fails here.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from optgen.checks import reserved
from optgen.ir import DType, Elementwise
from optgen.loader import Catalogue, load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.spec import OptimizerSpec

GENERATED = Path(__file__).resolve().parents[1] / "generated"
MADE = re.compile(r"(.+)(_v|_e|_sum|_chunk)")
HELPERS = re.compile(r"(max|min|sign|ipow)_float\d+")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def own_names(spec: OptimizerSpec) -> set[str]:
    """Return the names of a rule, those of its kernel's scalars and sums included."""
    kernel = run_passes(lower(spec, DType.FLOAT32))
    names = {"param", "grad", "step", *(h.name for h in spec.hyperparameters)}
    names |= {b.name for b in spec.state} | {a.name for a in spec.rule}
    names |= {a.target for a in kernel.host} | {r.target for r in kernel.reductions}
    for stage in kernel.stages:
        names |= {a.target for a in stage.body}
        names |= {r.target for r in stage.reductions} if isinstance(stage, Elementwise) else set()
    return names


def accounted_for(name: str, own: set[str]) -> bool:
    while name not in own and not reserved(name):
        made = MADE.fullmatch(name)
        if made is None:
            return False
        name = made[1]
    return True


def local_names(module: ast.Module) -> Iterator[str]:
    """Yield what the functions that hold the names of a rule call their own variables."""
    for function in module.body:
        if isinstance(function, ast.FunctionDef) and re.match(r"step|_step|_stage", function.name):
            for node in ast.walk(function):
                if isinstance(node, ast.arg):
                    yield node.arg
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


def test_numpy_modules(catalogue: Catalogue) -> None:
    files = [(s, GENERATED / "numpy" / f"{s.identifier}.py") for s in catalogue.values()]
    files = [(spec, file) for spec, file in files if file.exists()]
    if not files:
        pytest.skip("nothing is generated yet: run `optgen build`")
    for spec, file in files:
        own = own_names(spec)
        for name in local_names(ast.parse(file.read_text(encoding="utf-8"))):
            assert accounted_for(name, own), f"{file.name}: '{name}' must be reserved"


@pytest.mark.parametrize("language", ["c", "cuda"])
def test_c_files(language: str, catalogue: Catalogue) -> None:
    suffix = {"c": "c", "cuda": "cu"}[language]
    files = [(s, GENERATED / language / f"{s.identifier}.{suffix}") for s in catalogue.values()]
    files = [(spec, file) for spec, file in files if file.exists()]
    if not files:
        pytest.skip(f"nothing is generated for {language} yet: run `optgen build`")
    for spec, file in files:
        own = own_names(spec)
        text = file.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/|//[^\n]*|\"[^\"\n]*\"|^#.*", "", text, flags=re.S | re.M)
        text = re.sub(r"static [^{;]*\([^)]*\) {\n  return [^}]*}", "", text)  # one-line helpers
        for name in sorted(set(re.findall(r"(?<![.\w])[A-Za-z]\w*", text))):
            ours = name.startswith("optgen_") or HELPERS.fullmatch(name)
            assert ours or accounted_for(name, own), f"{file.name}: '{name}' must be reserved"
