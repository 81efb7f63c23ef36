"""The system's C compiler: finding it, and C text in, a shared library out.

The flags are fixed. None of them changes a value: products and sums are not contracted,
and what is given up (`errno`, floating-point traps) only lets loops be vectorised.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from optgen.errors import BackendUnavailable, CompileError

FLAGS: tuple[str, ...] = (
    "-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-fPIC", "-shared",
)  # fmt: skip
"""What every compilation is given."""

_CHOICES: tuple[tuple[str, ...], ...] = (
    ("-march=native", "-fopenmp", "-fprefetch-loop-arrays"),  # 3 % nearer to the memory's speed
    ("-march=native", "-fopenmp"),
    ("-mcpu=native", "-fopenmp"),
    ("-march=native",),
    ("-mcpu=native",),
    (),
)
"""For the machine's own CPU and with threads, as far as the compiler knows them; best first."""

_NAMES = ("cc", "gcc", "clang")
_SECONDS = 120
_INSTALL = (
    "install gcc or clang (Debian: apt install gcc; macOS: xcode-select --install), "
    "or name one in the environment variable CC"
)


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler of this machine.

    Attributes:
        command: How it is called.
        version: The first line that it prints when asked for its version.
    """

    command: tuple[str, ...]
    version: str

    @property
    def short(self) -> str:
        """Its name and the number of its version: `gcc 12.2.0`."""
        numbers = re.findall(r"\d+(?:\.\d+)+", self.version)
        return " ".join((Path(self.command[0]).name, *numbers[-1:]))

    def flags(self) -> tuple[str, ...]:
        """Return every flag of a compilation here, those of this machine's CPU among them.

        Raises:
            CompileError: It does not compile the smallest library, with whatever flags.
        """
        return _flags(self)

    def compile(self, source: str, name: str, flags: tuple[str, ...]) -> bytes:
        """Return the shared library of one C text.

        Args:
            source: The text.
            name: The name of the file that messages speak of.
            flags: What `flags` returned.

        Raises:
            CompileError: The compiler refused the text, or did not end in time.
        """
        with tempfile.TemporaryDirectory(prefix="optgen-") as folder:
            file, library = Path(folder, name), Path(folder, "library")
            file.write_text(source, encoding="utf-8")
            command = (*self.command, *flags, str(file), "-o", str(library), "-lm")
            said = ""
            try:
                ran = subprocess.run(
                    command, capture_output=True, text=True, timeout=_SECONDS, check=False
                )
                said = ran.stderr + ran.stdout
                if ran.returncode == 0:
                    return library.read_bytes()
                what = f"{name}: {self.command[0]} ends with {ran.returncode}"
            except subprocess.TimeoutExpired:
                what = f"{name}: {self.command[0]} does not end within {_SECONDS} seconds"
            except OSError as error:
                what = f"{name}: {self.command[0]} does not work: {error}"
            raise CompileError(what, command=shlex.join(command), output=said)


@cache
def _flags(compiler: Compiler) -> tuple[str, ...]:
    first: CompileError | None = None
    for choice in _CHOICES:
        flags = (*FLAGS, *choice)
        try:
            compiler.compile("int optgen_probe(void) { return 1; }\n", "probe.c", flags)
            return flags
        except CompileError as error:
            first = first or error
    assert first is not None
    raise first


def find_compiler() -> Compiler:
    """Return the C compiler: `$CC` if that is set, else the first of cc, gcc and clang.

    Raises:
        BackendUnavailable: There is none, or the one named by `$CC` does not run.
    """
    named = os.environ.get("CC", "").strip()
    return _find(named, os.environ.get("PATH", ""))


@cache
def _find(named: str, path: str) -> Compiler:
    failures = []
    for words in _candidates(named):
        found = shutil.which(words[0], path=path)
        if found is None:
            failures.append(f"{words[0]} is not on PATH")
            continue
        command = (found, *words[1:])
        try:
            ran = subprocess.run(
                (*command, "--version"), capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            failures.append(f"{found} does not run: {error}")
            continue
        lines = ran.stdout.strip().splitlines()
        return Compiler(command, lines[0] if lines else "unknown version")
    where = "CC" if named else "PATH"
    raise BackendUnavailable(f"no C compiler: {'; '.join(failures)}", where=where, fix=_INSTALL)


def _candidates(named: str) -> Iterator[tuple[str, ...]]:
    if not named:
        yield from ((name,) for name in _NAMES)
        return
    try:
        words = tuple(shlex.split(named))
    except ValueError as error:
        raise BackendUnavailable(
            f"CC={named} cannot be read: {error}", where="CC", fix=_INSTALL
        ) from error
    yield words


@cache
def cpu_features() -> str:
    """Return a hash of what this machine's CPU can do, as far as the system says.

    Code for one CPU may be an illegal instruction on another that shares the cache folder.
    """
    lines: set[str] = {platform.machine(), platform.processor()}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    wanted = ("flags", "Features", "model name", "CPU implementer", "CPU part")
    lines |= {line for line in text.splitlines() if line.startswith(wanted)}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
