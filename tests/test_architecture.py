"""The structure of optgen/, kept: who may import whom, how long a file is, what is never done."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "optgen"
TEMPLATES = sorted((REPOSITORY / "templates").rglob("*.jinja"))

LAYERS: dict[str, tuple[str, ...]] = {
    "base": ("errors", "paths", "version", "spec_files"),
    "spec": (
        *("symbols", "domains", "arithmetic", "written", "assignment", "roles", "checks", "spec"),
        *("modifiers", "loader", "configuration", "authoring"),
    ),
    "notation": ("order", "notation"),
    "ir": ("operations", "ir", "philox", "storage", "stages", "lower", "validate", "passes"),
    "backends": ("backends", "render"),
    "runtime": ("runtime", "kernels", "torch", "jax"),
    "checker": ("checker",),
    "verify": ("verify",),
    "relations": ("relations",),
    "sheet": ("sheet",),
    "executor": ("crosscheck.ptx",),
    "translation": ("translation",),
    "crosscheck": ("crosscheck",),
    "pipeline": ("doctor", "building", "pipeline"),
    "bench": ("bench",),
    "cli": ("cli", "__main__", "__init__"),
}
"""Layers, each a list of modules and packages; a new module is placed here first."""

BELOW: dict[str, tuple[str, ...]] = {
    "base": (),
    "spec": ("base",),
    "notation": ("base", "spec"),
    "ir": ("base", "spec", "notation"),
    "backends": ("base", "spec", "notation", "ir"),
    "runtime": ("base",),
    "verify": ("base", "spec", "notation", "ir", "checker"),
    "checker": (),
    "relations": ("base", "spec", "notation", "verify"),
    "sheet": ("base", "spec", "notation", "ir", "verify", "relations"),
    "executor": ("base",),
    "translation": (
        *("base", "spec", "notation", "ir", "backends", "runtime", "verify", "executor"),
    ),
    "crosscheck": (
        *("base", "spec", "notation", "ir", "backends", "runtime", "verify", "executor"),
        "translation",
    ),
    "pipeline": tuple(layer for layer in LAYERS if layer not in ("pipeline", "bench", "cli")),
    "bench": tuple(layer for layer in LAYERS if layer not in ("bench", "cli")),
    "cli": tuple(layer for layer in LAYERS if layer != "cli"),
}
"""The layers that a layer may import from, besides itself."""

UPWARD = {("spec", "notation.notebook"): "a spec shows itself in notebooks, when it is asked to"}
"""Imports against the arrow, each inside a function and with its reason."""


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


@cache
def syntax_tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def layer_of(module: str) -> str:
    """Return the layer of a module: that of the longest name in LAYERS that begins its own."""
    names = {name: layer for layer, members in LAYERS.items() for name in members}
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        found = names.get(".".join(parts[:length]))
        if found:
            return found
    raise AssertionError(f"optgen/{module} is in no layer: place it in LAYERS")


def imports(file: Path, *, lazy: bool) -> Iterator[str]:
    """Yield the modules of optgen that a file imports, those for type checkers left out.

    Args:
        file: A module of optgen.
        lazy: Whether imports inside functions count.
    """
    for node in _executed(syntax_tree(file), lazy):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "optgen":
                yield _existing(name.removeprefix("optgen").removeprefix("."))


def _existing(name: str) -> str:
    """Return the module that a dotted name is or lies in."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or "__init__"


def _executed(node: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
            continue
        yield child
        yield from _executed(child, lazy)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    layer = layer_of(module)
    for imported in imports(MODULES[module], lazy=True):
        target = layer_of(imported)
        if imported == "__init__" or (module, imported) in UPWARD:
            continue
        assert target == layer or target in BELOW[layer], (
            f"optgen/{module} ({layer}) imports {imported} ({target})"
        )


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        module: {i for i in imports(file, lazy=False) if i not in (module, "__init__")}
        for module, file in MODULES.items()
    }
    # a package runs before its modules; what it re-exports is no circle
    for module in graph:
        graph[module] -= {p for p in MODULES if module.startswith(f"{p}.")}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import circle: {' -> '.join(error.args[1])}")


def test_layers_are_up_to_date() -> None:
    for (importer, imported), reason in UPWARD.items():
        assert reason
        assert imported in set(imports(MODULES[importer], lazy=True))
        assert imported not in set(imports(MODULES[importer], lazy=False))


# --- what runs beside a user's program needs NumPy and nothing else -----------

ALONE = """
import importlib, json, sys
sys.path.insert(0, {path!r})
ours = {{"numpy", "optgen", "generated", *{allowed!r}}}
found = {{}}
for name in {names!r}:
    before = set(sys.modules)
    importlib.import_module(name)
    new = {{m.partition(".")[0] for m in set(sys.modules) - before}}
    found[name] = sorted(new - ours - set(sys.stdlib_module_names))
print(json.dumps({{name: others for name, others in found.items() if others}}))
"""


def foreign_imports(names: list[str], allowed: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Import modules in a fresh process; return what came in besides NumPy and Python's own."""
    code = ALONE.format(path=str(REPOSITORY), names=names, allowed=allowed)
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("package", ["runtime", "kernels", "crosscheck.ptx"])
def test_package_imports_numpy_only(package: str) -> None:
    inside = [m for m in MODULES if m == package or m.startswith(f"{package}.")]
    assert inside
    assert foreign_imports([f"optgen.{m}" for m in inside]) == {}


def test_generated_modules_import_numpy_only() -> None:
    files = sorted((REPOSITORY / "generated" / "numpy").glob("[!_]*.py"))
    if not files:
        pytest.skip("nothing is generated yet: run `optgen build`")
    assert foreign_imports([f"generated.numpy.{file.stem}" for file in files]) == {}


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_generated_adapters_import_their_library_only(library: str) -> None:
    files = sorted((REPOSITORY / "generated" / library).glob("[!_]*.py"))
    if not files:
        pytest.skip(f"nothing is generated for {library}")
    for file in files:
        tops = {
            name.split(".")[0]
            for node in ast.walk(syntax_tree(file))
            for name in (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert tops <= {"numpy", "optgen", library, *sys.stdlib_module_names}, file.name


ROOMS = {
    "normal": set[str](),
    "certificate": {"normal"},
    "witness": {"normal"},
    "proof": {"normal", "certificate"},
    "runs": {"normal", "witness", "proof"},
    "smt": {"certificate", "witness", "proof", "runs"},
}
"""The rooms of `optgen.verify`, and those that each may import from."""


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_verify_import_downwards(room: str) -> None:
    inside = [m for m in MODULES if f"{m}.".startswith(f"verify.{room}.")]
    assert inside
    for module in inside:
        for name in imports(MODULES[module], lazy=True):
            parts = name.split(".")
            if parts[0] == "verify" and len(parts) > 1 and parts[1] in ROOMS:
                assert parts[1] in {room, *ROOMS[room]}, f"{module} imports {name}"


# --- sizes and habits ---------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    if module == "checker":  # one file on purpose: it is copied and read alone
        assert lines <= 1000
        return
    assert lines <= 350, f"optgen/{module} has {lines} lines: split it by concept"


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda f: f.name)
def test_templates_are_skeletons(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60, "decide in Python, place in Jinja"
    assert len(re.findall(r"{%-?\s*(?:el)?if\b", text)) <= 1
    assert not re.search(r"{[{%][^}]*\braise\b", text)
    assert not re.search(r"{%-?\s*macro\b", text)


@pytest.mark.parametrize("module", MODULES)
def test_no_error_is_swallowed(module: str) -> None:
    for node in ast.walk(syntax_tree(MODULES[module])):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"optgen/{module}:{node.lineno}: bare except"
            kinds = ast.unparse(node.type)
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            missing = "ImportError" in kinds or "ModuleNotFoundError" in kinds
            assert not (silent and (missing or "Exception" in kinds)), (
                f"optgen/{module}:{node.lineno}: a missing tool is reported, not swallowed"
            )


@pytest.mark.parametrize("module", MODULES)
def test_sympy_is_not_patched(module: str) -> None:
    for node in ast.walk(syntax_tree(MODULES[module])):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
            targets = node.args[:1]
        for target in targets:
            text = ast.unparse(target)
            assert not re.match(r"(sympy|mpmath|numpy|np)(\.|$)", text), (
                f"optgen/{module}:{node.lineno}: {text} is not ours to change"
            )


MAKERS = {"symbols": None, "spec": "ssa"}
"""The modules that make symbols, and the one function that may, if it is not the whole module."""


@pytest.mark.parametrize("module", MODULES)
def test_one_module_makes_symbols(module: str) -> None:
    tree = syntax_tree(MODULES[module])
    allowed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == MAKERS.get(module, ""):
            allowed |= {id(inner) for inner in ast.walk(node)}
    if module in MAKERS and MAKERS[module] is None:
        return
    makers = {"sympy.Symbol", "sympy.symbols", "sympy.var"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("sympy", "optgen.symbols"):
            makers |= {a.asname or a.name for a in node.names if f"sympy.{a.name}" in makers}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in allowed:
            assert ast.unparse(node.func) not in makers, (
                f"optgen/{module}:{node.lineno}: make it with optgen.symbols.symbol"
            )


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert {m for m in MODULES if drawers & set(m.split("."))} == set()


def tracked_files() -> list[Path]:
    """Return the files of the project: those of git, or in a bare copy all that are not hidden."""
    if (REPOSITORY / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(REPOSITORY), "ls-files", "-z"]
        git = subprocess.run(command, capture_output=True, check=False)
        if git.returncode == 0 and git.stdout:
            return [REPOSITORY / name for name in git.stdout.decode().split("\0") if name]
    skipped = {"__pycache__", "build", "dist", "out", "htmlcov"}
    return [
        file
        for file in sorted(REPOSITORY.rglob("*"))
        if file.is_file()
        and not file.name.startswith(".coverage")
        and not any(
            p in skipped or (p.startswith(".") and p != ".ci")
            for p in file.relative_to(REPOSITORY).parts[:-1]
        )
    ]


def test_the_files_are_found_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    walked = {file.relative_to(REPOSITORY) for file in tracked_files()}
    assert {Path("README.md"), Path("optgen/errors.py"), Path(".gitignore")} <= walked
    unwanted = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", "build"}
    assert not [file for file in walked if unwanted & {*file.parts[:-1]}]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.}>*])/(?:work|root|home|Users)/[\w.]")
    found = []
    for file in tracked_files():
        if not file.is_file() or file.suffix in (".npz", ".png", ".gz"):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{file.relative_to(REPOSITORY)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), 1)
            if machine.search(line)
        ]
    assert found == []
