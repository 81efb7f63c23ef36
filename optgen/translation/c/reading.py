"""Gets a generated file read: by clang, whose LLVM IR is text, or through its own source.

The functions over elements are kept out of line, so that each can be looked at by itself;
clang otherwise does to them what it does to the file that is run, vectors included.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from optgen.errors import BackendUnavailable
from optgen.runtime.compiler import FLAGS, Compiler
from optgen.translation.c.code import Program
from optgen.translation.c.headers import HEADERS, OMP
from optgen.translation.c.llvm import read_llvm
from optgen.translation.c.source import read_source
from optgen.verify.verdicts import Unsupported

_SECONDS = 60
_OUT_OF_LINE = re.compile(
    r"^static (?:inline )?"
    r"((?:void|double) (?:optgen_\w+?_(?:update|stage\d+)(?:_part)?|ipow_\w+|fill_random)\()",
    re.MULTILINE,
)
_ONE_MEANING = re.compile(
    r"^\s*#\s*pragma (?!STDC FP_CONTRACT|omp parallel for num_threads\(parts\) schedule\(static\)$)"
    r".*|\b(?:__GNUC__|__clang__|__attribute__|__asm__|asm|__builtin_ia32_\w+)\b.*",
    re.MULTILINE,
)
_UNROLLED = ("-fno-unroll-loops",)


@dataclass(frozen=True, slots=True)
class Reading:
    """One file, read.

    Attributes:
        program: Its functions.
        by: Which reader read it, in words: `LLVM IR of clang 14.0.6`.
        trusted: What has to be believed besides the reader.
    """

    program: Program
    by: str
    trusted: str


@dataclass(frozen=True, slots=True)
class LlvmReader:
    """Reads what clang makes of a file, optimised.

    Attributes:
        clang: How clang is called.
        version: Its version.
        flags: What it is given.
        builds: Whether the file that runs is compiled by it too.
    """

    clang: tuple[str, ...]
    version: str
    flags: tuple[str, ...]
    builds: bool

    def read(self, text: str, name: str) -> Reading:
        """Return a file's functions.

        Raises:
            Unsupported: clang refuses it, or makes something of it that is not read.
        """
        if not self.builds and (found := _ONE_MEANING.search(text)):
            line = text.count("\n", 0, found.start()) + 1
            raise Unsupported(f"line {line}: another compiler may read it otherwise: {found[0]}")
        text = _OUT_OF_LINE.sub(r"__attribute__((noinline)) \1", text)
        with tempfile.TemporaryDirectory(prefix="optgen-") as folder:
            Path(folder, "omp.h").write_text(OMP, encoding="utf-8")
            Path(folder, name).write_text(text, encoding="utf-8")
            command = (*self.clang, *self.flags, "-idirafter", folder, str(Path(folder, name)))
            made = _ran(command, name)
        program = read_llvm(made)
        trusted = "clang's back end"
        if not self.builds:
            trusted = "the whole C compiler, which is not that clang"
        return Reading(program, f"LLVM IR of clang {self.version}", trusted)


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Reads a file's own text, after the compiler's preprocessor.

    Attributes:
        compiler: The compiler.
    """

    compiler: Compiler

    def read(self, text: str, name: str) -> Reading:
        """Return a file's functions.

        Raises:
            BackendUnavailable: pycparser is not installed.
            Unsupported: It holds something that is not read.
        """
        flags = [f for f in self.compiler.flags() if f.startswith(("-std", "-f", "-m"))]
        with tempfile.TemporaryDirectory(prefix="optgen-") as folder:
            for header, content in HEADERS.items():
                Path(folder, header).write_text(content, encoding="utf-8")
            Path(folder, name).write_text(text, encoding="utf-8")
            plain = [f for f in flags if f not in ("-fPIC", "-shared")]
            found = ("-nostdinc", "-I", folder, "-E", str(Path(folder, name)))
            made = _ran((*self.compiler.command, *plain, *found), name)
        program = read_source(made)
        if "-ffp-contract=off" not in flags:
            loose = (*program.loose, "contraction is not switched off")
            program = replace(program, loose=loose)
        return Reading(program, "its source, through pycparser", "the whole C compiler")


Reader = LlvmReader | SourceReader


def find_reader(compiler: Compiler) -> Reader:
    """Return the best reader that this machine has: clang's IR, or the source.

    Raises:
        BackendUnavailable: There is neither clang nor pycparser.
    """
    if "clang" in compiler.version:
        flags = tuple(f for f in compiler.flags() if f != "-shared")
        return _llvm(compiler.command, compiler.version, flags, builds=True)
    found = _clang()
    if found is not None:
        return found
    try:
        import pycparser  # noqa: F401
    except ImportError as error:
        raise BackendUnavailable(
            "neither clang nor pycparser is there to read C",
            fix='install clang, or pip install "optgen[proof]"',
        ) from error
    return SourceReader(compiler)


def _llvm(
    command: tuple[str, ...], version: str, flags: tuple[str, ...], *, builds: bool
) -> LlvmReader:
    number = re.search(r"\d+(\.\d+)+", version)
    given = (*flags, *_UNROLLED, "-w", "-S", "-emit-llvm", "-o", "-")
    return LlvmReader(command, number[0] if number else "", given, builds)


@cache
def _clang() -> LlvmReader | None:
    path = shutil.which("clang")
    if path is None:
        return None
    plain = tuple(f for f in FLAGS if f != "-shared")
    for more in (("-march=native", "-fopenmp"), ("-mcpu=native", "-fopenmp"), ("-fopenmp",), ()):
        try:
            version = _ran((path, "--version"), "clang").splitlines()[0]
            reader = _llvm((path,), version, (*plain, *more), builds=False)
            reader.read("int optgen_probe(void) { return 1; }\n", "probe.c")
        except Unsupported:
            continue
        return reader
    return None


def _ran(command: tuple[str, ...], name: str) -> str:
    """Return what a command prints.

    Raises:
        Unsupported: It fails, or does not end in time.
    """
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unsupported(f"{name}: {command[0]} does not work: {error}") from error
    if ran.returncode:
        said = ran.stderr.strip().splitlines()
        raise Unsupported(f"{name}: {command[0]} refuses it: {said[0] if said else ''}")
    return ran.stdout
