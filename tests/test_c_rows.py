"""Compiled C in a build: its rows, its levels, and what is said where there is no compiler."""

import re
from dataclasses import replace

import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.building import code_proof
from optgen.building.c_rows import CompiledC, c_difference, compile_c
from optgen.building.fingerprint import of_compiler
from optgen.building.rule_build import build_rule
from optgen.cli.kernels import check_compiled, check_proof
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import BackendUnavailable, CompileError
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import find_compiler
from optgen.verify.verdicts import Unsupported

RULES = load_catalogue()


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)


@pytest.fixture
def compiler():
    try:
        return find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)


def test_a_rule_is_compiled_and_run(compiler):
    built = build_rule(RULES["lion"], ("c",), ("float32", "float64"), ())
    assert [file.path for file in built.files] == ["c/lion.c", "c/lion.h"]
    for row in built.rows:
        assert (row.target, row.compile, row.run) == ("c", compiler.short, "= NumPy")
        assert (row.algebra, row.proof, row.proved) == ("equal", "equal", "equal")
        assert row.failures == ()
    levels = "\n".join(built.levels)
    assert f"compile (C): {compiler.version}" in levels
    assert re.search(r"proof \(C\): (LLVM IR of clang|its source).* Trusted: ", levels)


def test_without_a_reader_of_c_the_rows_say_so(compiler, monkeypatch):
    def missing(compiler):
        raise BackendUnavailable("neither clang nor pycparser", fix="get one")

    monkeypatch.setattr(code_proof, "find_reader", missing)
    (row,) = (built := build_rule(RULES["sgd"], ("c",), ("float32",), ())).rows
    assert (row.proof, row.proved, row.failures) == ("not looked at", "not looked at", ())
    assert "proof (C): off, neither clang nor pycparser (get one)" in "\n".join(built.levels)


def test_a_file_that_is_not_read_is_unknown(compiler, monkeypatch):
    class Refusing:
        def read(self, text, name):
            raise Unsupported("line 3: goto is not read")

    monkeypatch.setattr(code_proof, "find_reader", lambda compiler: Refusing())
    (row,) = (built := build_rule(RULES["sgd"], ("c",), ("float32",), ())).rows
    assert (row.proof, row.proved, row.failures) == ("unknown", "unknown", ())
    assert "proof: sgd: not proved: line 3: goto is not read" in built.levels


def test_without_a_compiler_the_file_is_there_and_the_rows_say_why(no_compiler):
    built = build_rule(RULES["sgd"], ("c",), ("float32",), ())
    assert built.files[0].text.startswith("/* sgd:")
    (row,) = built.rows
    assert row.compile.startswith("off: no C compiler")
    assert "apt install gcc" in row.compile
    assert (row.run, row.proof, row.proved, row.failures) == ("off", "off", "lowered", ())
    assert any(line.startswith("compile and run (C): off, no C") for line in built.levels)


def test_the_text_does_not_depend_on_there_being_a_compiler(no_compiler, request):
    without = build_rule(RULES["sgd"], ("c",), ("float32",), ()).files
    kernel = run_passes(lower(RULES["sgd"], DType.FLOAT32))
    assert without == BACKENDS["c"].render(Heading.of(RULES["sgd"]), [kernel])


def test_a_compiler_that_comes_or_goes_makes_a_build_look_again(compiler, monkeypatch):
    before = of_compiler()
    assert of_compiler() == before
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert of_compiler() != before


def test_a_compiler_that_refuses_ends_the_build(compiler, monkeypatch, tmp_path):
    monkeypatch.setenv("OPTGEN_CACHE", str(tmp_path))
    file, _ = BACKENDS["c"].render(
        Heading.of(RULES["sgd"]), [run_passes(lower(RULES["sgd"], DType.FLOAT32))]
    )
    with pytest.raises(CompileError, match=re.escape("sgd.c")):
        compile_c(RULES["sgd"], replace(file, text=file.text + "int x = ;\n"))


def test_what_cannot_be_loaded_is_off(compiler, monkeypatch):
    def refused(*given):
        raise OSError("the folder is mounted noexec")

    monkeypatch.setattr("optgen.building.c_rows.CLibrary", refused)
    (row,) = build_rule(RULES["sgd"], ("c",), ("float32",), ()).rows
    assert row.compile == "off: compiled C cannot be loaded: the folder is mounted noexec"
    assert row.run == "off"


def test_wrong_bits_fail_the_row(compiler, tmp_path):
    kernel = run_passes(lower(RULES["sgd"], DType.FLOAT32))
    numpy, c = (BACKENDS[t].render(Heading.of(RULES["sgd"]), [kernel])[0] for t in ("numpy", "c"))
    module = load_module("sgd", numpy.text)
    wrong = c.text.replace("param - ", "param + ")
    path = tmp_path / "wrong.so"
    path.write_bytes(compiler.compile(wrong, "sgd.c", compiler.flags()))
    said = c_difference(RULES["sgd"], kernel, module, CLibrary(path, "sgd"))
    assert re.match(r"n = \d+, step \d+, alone, 1 threads: param\[0\] is", said)
    assert CompiledC(None, None, "x").reason == "x"


def test_verify_knows_the_target(compiler):
    check_compiled.__globals__["_rows"].cache_clear()
    said = {check.subject: check.detail for check in check_compiled(("sgd",), None, ())}
    assert said["sgd (c, float32)"] == compiler.short
    found = [c.outcome for c in check_proof(("sgd",), None, ()) if "(c," in c.subject]
    assert found == ["passed", "passed"]


def test_gcc_vectorises_every_loop_over_elements(compiler, tmp_path):
    words = {*re.split(r"\W+", compiler.version)}
    if "clang" in words or not words & {"gcc", "GCC", "Debian"}:
        pytest.skip("the report is gcc's")
    import subprocess

    for rule in ("adamw", "amsgrad", "lamb", "lion"):
        kernels = [run_passes(lower(RULES[rule], dtype)) for dtype in DType]
        text = BACKENDS["c"].render(Heading.of(RULES[rule]), kernels)[0].text
        file = tmp_path / f"{rule}.c"
        file.write_text(text)
        command = [*compiler.command, *compiler.flags(), "-fopt-info-vec-optimized", str(file)]
        ran = subprocess.run(
            [*command, "-o", str(tmp_path / "x.so"), "-lm"],
            capture_output=True,
            text=True,
            check=True,
        )
        done = {int(n) for n in re.findall(r"\.c:(\d+):\d+: optimized: loop vec", ran.stderr)}
        loops = [
            number
            for number, line in enumerate(text.splitlines(), 1)
            if "index < n; ++index" in line or "lane < stop; ++lane" in line
        ]
        assert loops
        assert {*loops} <= done, f"{rule}: {sorted({*loops} - done)}"
