"""Compiled C on disk: kept, checked, made again; a folder that cannot be used costs no kernel."""

import os
import subprocess
import sys

import pytest

from optgen.errors import CompileError
from optgen.runtime import libraries
from optgen.runtime.compiler import Compiler
from optgen.runtime.libraries import compiled_library, library_key

SOURCE = "int optgen_one(void) { return 1; }\n"


@pytest.fixture
def counted(monkeypatch):
    """Count compilations; no compiler is needed."""
    calls = []

    def compile_(self, source, name, flags):
        calls.append(name)
        return b"library of " + source.encode()

    monkeypatch.setattr(Compiler, "compile", compile_)
    monkeypatch.setattr(Compiler, "flags", lambda self: ("-O3",))
    return calls


CC = Compiler(("cc",), "cc 1.0")


def test_the_second_time_nothing_is_compiled(counted, tmp_path):
    first = compiled_library(CC, SOURCE, "one.c", tmp_path)
    assert compiled_library(CC, SOURCE, "one.c", tmp_path) == first
    assert counted == ["one.c"]
    assert first.read_bytes().startswith(b"library of int")


@pytest.mark.parametrize("damage", [b"", b"x", b"another file altogether" * 9, None])
def test_a_damaged_entry_is_made_again(damage, counted, tmp_path):
    path = compiled_library(CC, SOURCE, "one.c", tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage if damage is not None else whole[:-1] + bytes([whole[-1] ^ 1]))
    assert compiled_library(CC, SOURCE, "one.c", tmp_path).read_bytes() == whole
    assert len(counted) == 2


def test_an_entry_of_another_key_is_foreign(counted, tmp_path):
    one = compiled_library(CC, SOURCE, "one.c", tmp_path)
    two = compiled_library(CC, SOURCE + "\n", "two.c", tmp_path)
    two.write_bytes(one.read_bytes())
    compiled_library(CC, SOURCE + "\n", "two.c", tmp_path)
    assert counted == ["one.c", "two.c", "two.c"]


def test_the_key_holds_what_decides_the_code(monkeypatch):
    keys = {
        library_key(CC, ("-O3",), SOURCE),
        library_key(CC, ("-O2",), SOURCE),
        library_key(CC, ("-O3",), SOURCE + "\n"),
        library_key(Compiler(("cc",), "cc 1.1"), ("-O3",), SOURCE),
        library_key(Compiler(("/opt/cc",), "cc 1.0"), ("-O3",), SOURCE),
    }
    monkeypatch.setattr(libraries, "cpu_features", lambda: "another machine")
    keys.add(library_key(CC, ("-O3",), SOURCE))
    assert len(keys) == 6


def test_a_folder_that_cannot_be_written_costs_a_warning(counted, tmp_path):
    folder = tmp_path / "cache"
    folder.write_text("a file where the folder should be")
    with pytest.warns(RuntimeWarning, match="cannot be written.*set OPTGEN_CACHE"):
        path = compiled_library(CC, SOURCE, "one.c", folder)
    assert path.read_bytes().startswith(b"library of int")


def test_a_full_disk_costs_a_warning(counted, tmp_path, monkeypatch):
    write = libraries.write_atomically

    def full(path, data):
        if tmp_path in path.parents:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(libraries, "write_atomically", full)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        assert compiled_library(CC, SOURCE, "one.c", tmp_path).is_file()


def test_refusals_are_not_stored(compiler, tmp_path):
    with pytest.raises(CompileError):
        compiled_library(compiler, "int x = ;\n", "bad.c", tmp_path)
    assert not [*tmp_path.rglob("*.so")]


def test_processes_at_once_make_one_entry(compiler, tmp_path):
    code = f"""
import ctypes
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library
path = compiled_library(find_compiler(), {SOURCE!r}, "one.c")
assert ctypes.CDLL(str(path)).optgen_one() == 1
"""
    environment = {**os.environ, "OPTGEN_CACHE": str(tmp_path)}
    running = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len([*tmp_path.rglob("*")]) == 3  # two folders and the entry: nothing half-written
