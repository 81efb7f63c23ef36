"""Compilers and folders that are not as they should be: what is said, or that it simply works."""

import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from optgen.errors import BackendUnavailable, CompileError
from optgen.runtime import compiler as compiler_module
from optgen.runtime import libraries
from optgen.runtime.cache import default_cache_dir
from optgen.runtime.compiler import FLAGS, Compiler, find_compiler
from optgen.runtime.libraries import compiled_library
from optgen.runtime.load import load_c

SOURCE = "int optgen_one(void) { return 1; }\n"
LOAD = f"""
import ctypes
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library
path = compiled_library(find_compiler(), {SOURCE!r}, "one.c")
assert ctypes.CDLL(str(path)).optgen_one() == 1
print("works")
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stand-in compilers are shell scripts")
linux = pytest.mark.skipif(
    not Path("/proc/self/exe").exists(), reason="the running program cannot be looked at here"
)


def stand_in(folder, compiling, version="echo 'cc 1.0'"):
    """Return a compiler that does as it is told; $out is the library it should write."""
    file = folder / "cc"
    file.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then {version}; exit; fi\n'
        f'while [ "$1" != -o ]; do shift; done; out=$2\n{compiling}\n'
    )
    file.chmod(0o755)
    return Compiler((str(file),), "cc 1.0")


def works(code=LOAD, **environment):
    """Return what a program with another environment prints; None takes a variable away."""
    given = {**os.environ, **environment}
    given = {name: str(value) for name, value in given.items() if value is not None}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, env=given)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, ran.stderr


# --- compilers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compiling", "says"),
    [
        (":", "says that all is well and writes nothing"),
        (': > "$out"', "writes nothing"),
        pytest.param('echo text > "$out"', "writes no library", marks=linux),
        pytest.param("printf '\\177ELF' > \"$out\"", "writes no library", marks=linux),
        ("printf 'bad \\377 bytes' >&2; exit 1", "ends with 1"),
        ("kill -9 $$", "ends with -9"),
    ],
)
def test_a_compiler_that_makes_no_library(tmp_path, compiling, says):
    cc = stand_in(tmp_path, compiling)
    with pytest.raises(CompileError, match=says):
        cc.compile(SOURCE, "one.c", FLAGS)
    with pytest.raises(CompileError, match=f"probe.c: .*{says}") as error:
        compiled_library(cc, SOURCE, "one.c", tmp_path / "cache")
    assert "name another compiler in the environment variable CC" in error.value.fix
    assert error.value.command.startswith(str(tmp_path / "cc"))
    assert not (tmp_path / "cache").exists()


@linux
@pytest.mark.parametrize("byte", [4, 5, 18])
def test_a_library_for_another_machine_is_refused(tmp_path, byte):
    """Class, byte order and processor, as an ELF file says them."""
    data = bytearray(Path("/proc/self/exe").read_bytes()[:4096])
    data[byte] ^= 3
    (tmp_path / "made").write_bytes(data)
    cc = stand_in(tmp_path, f'cp {tmp_path}/made "$out"')
    with pytest.raises(CompileError, match="a library for another kind of machine") as error:
        cc.flags()
    assert "for this machine" in error.value.fix


def test_thirty_two_bits_are_refused_or_not_to_be_had(compiler, tmp_path):
    other = Compiler((*compiler.command, "-m32"), compiler.version)
    with pytest.raises(CompileError):
        compiled_library(other, SOURCE, "one.c", tmp_path)


@linux
def test_a_library_that_holds_something_else(compiler, tmp_path, monkeypatch):
    library = compiler.compile(SOURCE, "one.c", compiler.flags())
    (tmp_path / "made").write_bytes(library)
    stand_in(tmp_path, f'cp {tmp_path}/made "$out"')
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    monkeypatch.setenv("OPTGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sgd.c").write_text(SOURCE)
    with pytest.raises(BackendUnavailable, match=r"is not what sgd\.c says.*optgen_sgd_scratch"):
        load_c("sgd", tmp_path / "sgd.c", tmp_path / "sgd.py")


def test_what_a_slow_compiler_has_started_is_ended_too(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler_module, "_SECONDS", 0.3)
    cc = stand_in(tmp_path, f"(sleep 1.5; touch {tmp_path}/late) & wait")
    started = time.monotonic()
    with pytest.raises(CompileError, match=r"does not end within 0\.3 seconds"):
        cc.compile(SOURCE, "one.c", FLAGS)
    assert time.monotonic() - started < 1.4
    time.sleep(1.6)
    assert not (tmp_path / "late").exists()


def test_a_compiler_that_does_not_say_its_version(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler_module, "_VERSION_SECONDS", 0.3)
    stand_in(tmp_path, ":", version="sleep 60")
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    with pytest.raises(BackendUnavailable, match=r"does not end within 0\.3 seconds"):
        find_compiler()
    stand_in(tmp_path, ":", version="echo 'no licence' >&2; exit 9")
    monkeypatch.setenv("CC", f"{tmp_path / 'cc'} -new")
    with pytest.raises(BackendUnavailable, match="cc -new"):
        find_compiler()


@pytest.mark.parametrize("named", ["/etc/passwd", "/tmp", "./no-such-file"])
def test_cc_that_is_no_program(monkeypatch, named):
    monkeypatch.setenv("CC", named)
    with pytest.raises(BackendUnavailable, match="is no program that can be run") as error:
        find_compiler()
    assert error.value.where == "CC"


def test_cc_of_quotes_alone(monkeypatch):
    monkeypatch.setenv("CC", "''")
    with pytest.raises(BackendUnavailable):
        find_compiler()


def test_no_folder_to_compile_in(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(CompileError, match="no folder to compile in") as error:
        stand_in(tmp_path, ":").compile(SOURCE, "one.c", FLAGS)
    assert "TMPDIR" in error.value.fix


# --- folders -------------------------------------------------------------------------


def test_without_a_home(compiler, tmp_path):
    nobody = {"HOME": None, "XDG_CACHE_HOME": None, "OPTGEN_CACHE": None}
    code = f"""
import pathlib, tempfile
def home():
    raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = home
{LOAD}
print(path)
"""
    out = works(code, **nobody, TMPDIR=tmp_path)[0].splitlines()
    assert out[0] == "works"
    assert out[1].startswith(str(tmp_path / "optgen-"))


def test_default_folder_has_a_home(monkeypatch, tmp_path):
    monkeypatch.delenv("OPTGEN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform.startswith("linux"):
        assert default_cache_dir() == tmp_path / "optgen"


@pytest.mark.parametrize("variable", ["HOME", "TMPDIR"])
def test_a_folder_that_is_not_there(compiler, variable, tmp_path):
    elsewhere = {"OPTGEN_CACHE": tmp_path / "cache"} if variable == "TMPDIR" else {}
    where = tmp_path / "not" / "there"
    assert works(**{variable: where}, **elsewhere)[0] == "works\n"


def test_a_cache_in_a_linked_and_open_folder(compiler, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for _ in range(2):
        assert works(OPTGEN_CACHE=tmp_path / "link") == ("works\n", "")
    assert len([*(tmp_path / "real").rglob("*.so")]) == 1


def test_a_file_where_the_cache_should_be(compiler, tmp_path):
    (tmp_path / "file").write_text("")
    out, err = works(OPTGEN_CACHE=tmp_path / "file")
    assert out == "works\n"
    assert "cannot be written (Not a directory)" in err
    assert "set OPTGEN_CACHE" in err


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_a_cache_that_may_not_be_written(compiler, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        out, err = works(OPTGEN_CACHE=tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert out == "works\n"
    assert "cannot be written (Permission denied)" in err


def test_an_entry_of_another_user_is_made_again(monkeypatch, tmp_path):
    monkeypatch.setattr(Compiler, "flags", lambda self: ("-O3",))
    calls = []
    monkeypatch.setattr(
        Compiler, "compile", lambda self, source, name, flags: calls.append(name) or b"made"
    )
    cc = Compiler(("cc",), "cc 1.0")
    compiled_library(cc, SOURCE, "one.c", tmp_path)
    compiled_library(cc, SOURCE, "one.c", tmp_path)
    assert len(calls) == 1
    own = os.getuid()
    monkeypatch.setattr(libraries.os, "getuid", lambda: own + 1)
    compiled_library(cc, SOURCE, "one.c", tmp_path)
    assert len(calls) == (1 if own == 0 else 2), "what root has put there is taken"


@pytest.mark.parametrize("left", [0, 1, 100, 4096, -33, -1])
def test_a_library_cut_short_is_made_again(compiler, tmp_path, left):
    """Loading it could end the process with SIGBUS."""
    path = compiled_library(compiler, SOURCE, "one.c", tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    assert works(OPTGEN_CACHE=tmp_path)[0] == "works\n"
    assert libraries._is_whole(path, path.stem)
    assert path.stat().st_size == len(whole)


def test_a_file_of_limited_size(compiler, tmp_path):
    """As on a full disk: the entry cannot be written, and the compiler may not be able to write."""
    resource = pytest.importorskip("resource")
    code = f"""
import resource
from optgen.runtime import libraries
write = libraries.write_atomically
def limited(path, data):
    if {str(tmp_path)!r} in str(path):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        write(path, data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
libraries.write_atomically = limited
{LOAD}
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    out, err = works(code, OPTGEN_CACHE=tmp_path)
    assert out == "works\n"
    assert "cannot be written (File too large)" in err
    assert not [file for file in tmp_path.rglob("*") if file.is_file()], "nothing half-written"


def test_eight_processes_at_once(compiler, tmp_path):
    environment = {**os.environ, "OPTGEN_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", LOAD]
    running = [subprocess.Popen(command, env=environment, stdout=-3) for _ in range(8)]
    assert [process.wait(120) for process in running] == [0] * 8
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 1
