"""Compiles programs and runs them in child processes, with files for what goes in and out."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

from optgen.errors import BackendUnavailable, CompileError

_SECONDS = 240
_OPTIONS = {
    # Leaks of a program that ends are none; fibers are not what ASan takes stacks for.
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=0",
    "TSAN_OPTIONS": "halt_on_error=1",
}


@dataclass(frozen=True, slots=True)
class HostCompiler:
    """A compiler that makes programs.

    Attributes:
        command: How it is called.
        version: The first line of what it says of itself.
    """

    command: tuple[str, ...]
    version: str


@cache
def find_cpp() -> HostCompiler:
    """Return the C++ compiler: `$CXX` if that is set, else the first of c++, g++, clang++.

    Raises:
        BackendUnavailable: There is none that runs.
    """
    named = os.environ.get("CXX", "").strip()
    names = [shlex.split(named)] if named else [["c++"], ["g++"], ["clang++"]]
    for words in names:
        path = shutil.which(words[0])
        if path is None:
            continue
        command = (path, *words[1:])
        try:
            ran = subprocess.run(
                (*command, "--version"), capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return HostCompiler(command, ran.stdout.splitlines()[0])
    said = named or "c++, g++ or clang++"
    raise BackendUnavailable(
        f"no C++ compiler: {said} is not on PATH, or does not run",
        fix="install g++ or clang++ (Debian: apt install g++; macOS: xcode-select --install)",
    )


class Program:
    """A compiled program, in a folder that goes when it is left.

    Args:
        compiler: The compiler.
        text: The source.
        name: Its file's name; the ending tells the language.
        flags: What the compiler is given.

    Raises:
        CompileError: The compiler refuses the text, or does not end in time.
    """

    def __init__(self, compiler: HostCompiler, text: str, name: str, flags: Sequence[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="optgen-")
        self.path = Path(self._folder.name)
        source = self.path / name
        source.write_text(text, encoding="utf-8")
        command = (*compiler.command, *flags, str(source), "-o", str(self.path / "program"), "-lm")
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
            said, failed = ran.stderr + ran.stdout, ran.returncode != 0
        except (OSError, subprocess.TimeoutExpired) as error:
            said, failed = str(error), True
        if failed:
            self._folder.cleanup()
            raise CompileError(
                f"{name}: {compiler.command[0]} makes no program of it",
                command=shlex.join(command),
                output=said,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def run(self, given: Sequence[str], data: bytes) -> tuple[str, bytes]:
        """Run it on a file; return what is wrong, or an empty string, and the file it wrote."""
        source, result = self.path / "in", self.path / "out"
        source.write_bytes(data)
        result.unlink(missing_ok=True)
        command = (str(self.path / "program"), *given, str(source), str(result))
        try:
            ran = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
                env={**os.environ, **_OPTIONS},
            )
        except subprocess.TimeoutExpired:
            return f"it does not end within {_SECONDS} seconds", b""
        if ran.returncode:
            return _said(ran.stderr, ran.returncode), b""
        return "", result.read_bytes() if result.exists() else b""


def _said(errors: str, status: int) -> str:
    """Return the line in which a program, or its sanitizer, says what is wrong."""
    marks = ("fault:", "runtime error:", "ERROR:", "WARNING: ThreadSanitizer", "FATAL:")
    lines = [line.strip() for line in errors.splitlines()]
    told = [line for line in lines if any(mark in line for mark in marks)]
    if told:
        return told[0]
    return f"it ends with {status}{': ' + lines[-1] if lines else ''}"
