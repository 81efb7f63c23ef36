"""Finding a C compiler, and what is said where there is none or one that fails."""

import sys

import pytest

from optgen.errors import BackendUnavailable, CompileError
from optgen.runtime import compiler as compiler_module
from optgen.runtime.compiler import FLAGS, Compiler, cpu_features, find_compiler

SOURCE = "int optgen_one(void) { return 1; }\n"


def script(folder, name, text):
    if sys.platform == "win32":
        pytest.skip("the stand-in compilers are shell scripts")
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_no_compiler_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendUnavailable, match="no C compiler: cc is not on PATH") as error:
        find_compiler()
    assert "apt install gcc" in error.value.fix
    assert "environment variable CC" in error.value.fix


def test_a_compiler_that_cc_names_and_that_is_not_there(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler-7")
    with pytest.raises(BackendUnavailable, match="no-such-compiler-7 is not on PATH") as error:
        find_compiler()
    assert error.value.where == "CC"


def test_cc_that_is_no_command_line(monkeypatch):
    monkeypatch.setenv("CC", "gcc 'x")
    with pytest.raises(BackendUnavailable, match="cannot be read"):
        find_compiler()


def test_a_compiler_that_does_not_run_is_passed_over(monkeypatch, tmp_path):
    script(tmp_path, "cc", "exit 3")
    script(tmp_path, "clang", "echo clang version 15.0.7")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_compiler()
    assert found.command == (str(tmp_path / "clang"),)
    assert found.short == "clang 15.0.7"


def test_cc_may_hold_options(monkeypatch, tmp_path):
    file = script(tmp_path, "my-cc", "echo my compiler 3.2")
    monkeypatch.setenv("CC", f"{file} -m64")
    assert find_compiler().command == (str(file), "-m64")


def test_a_compiler_that_fails_shows_its_command_and_what_it_said(tmp_path):
    file = script(tmp_path, "cc", "echo 'no space left' >&2; exit 4")
    failing = Compiler((str(file),), "cc 1.0")
    with pytest.raises(CompileError, match="ends with 4") as error:
        failing.compile(SOURCE, "one.c", FLAGS)
    assert error.value.command.startswith(f"{file} -std=c11 -O3")
    assert "no space left" in error.value.output
    with pytest.raises(CompileError, match="ends with 4"):
        failing.flags()


def test_a_compiler_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler_module, "_SECONDS", 0.2)
    file = script(tmp_path, "cc", "while :; do :; done")
    with pytest.raises(CompileError, match="does not end"):
        Compiler((str(file),), "cc 1.0").compile(SOURCE, "one.c", FLAGS)


def test_flags_that_a_compiler_does_not_know_are_left_away(compiler, tmp_path):
    text = f"""case "$*" in *-fopenmp*|*-march*) exit 1;; esac
exec {compiler.command[0]} $(echo "$@" | sed s/-mcpu=native//)"""
    file = script(tmp_path, "cc", text)
    assert Compiler((str(file),), "cc 1.0").flags() == (*FLAGS, "-mcpu=native")


def test_flags_change_no_value(compiler):
    flags = compiler.flags()
    assert "-ffp-contract=off" in flags
    forbidden = {"-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-fassociative-math"}
    forbidden |= {"-freciprocal-math", "-fno-signed-zeros", "-ffinite-math-only"}
    assert not forbidden & {*flags}


def test_fast_mathematics_is_refused_by_the_file_itself(compiler, texts):
    with pytest.raises(CompileError) as error:
        compiler.compile(texts("sgd")[1], "sgd.c", (*compiler.flags(), "-ffast-math"))
    assert "fast mathematics changes results" in error.value.output


def test_the_file_compiles_without_openmp_and_without_warnings(compiler, texts):
    flags = (*FLAGS, "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
    for name in ("lamb", "amsgrad"):
        assert compiler.compile(texts(name)[1], f"{name}.c", flags)


def test_the_cpu_is_part_of_what_is_hashed():
    assert len(cpu_features()) == 64
