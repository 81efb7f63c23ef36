"""The system's C compiler: finding it, and C text in, a shared library out.

The flags are fixed. None of them changes a value: products and sums are not contracted,
and what is given up (`errno`, floating-point traps) only lets loops be vectorised.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shlex
import shutil
import signal
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
_SECONDS = 120.0
_VERSION_SECONDS = 20.0
_INSTALL = (
    "install gcc or clang (Debian: apt install gcc; macOS: xcode-select --install), "
    "or name one in the environment variable CC"
)
_ANOTHER = (
    "see that the compiler makes the smallest library for this machine and that the temporary "
    "folder (TMPDIR) has room, or name another compiler in the environment variable CC; it says:"
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
        try:
            with tempfile.TemporaryDirectory(prefix="optgen-") as folder:
                return self._compile(Path(folder), source, name, flags)
        except OSError as error:
            raise CompileError(
                f"{name}: there is no folder to compile in: {error}",
                command=shlex.join(self.command),
                output="",
                fix="set TMPDIR to a folder that can be written",
            ) from error

    def _compile(self, folder: Path, source: str, name: str, flags: tuple[str, ...]) -> bytes:
        file, library = folder / name, folder / "library"
        file.write_text(source, encoding="utf-8")
        command = (*self.command, *flags, str(file), "-o", str(library), "-lm")
        cc, said, made = self.command[0], "", b""
        try:
            code, said, errors = run_limited(command, _SECONDS)
            said = errors + said
            what = f"{name}: {cc} ends with {code}"
            if code == 0:
                made = library.read_bytes() if library.is_file() else b""
                what = f"{name}: {cc} says that all is well and {_defect(made)}"
                if not _defect(made):
                    return made
        except TimeoutError:
            what = f"{name}: {cc} does not end within {_SECONDS} seconds"
        except OSError as error:
            what = f"{name}: {cc} does not work: {error}"
        text = shlex.join(command)
        if made:
            raise CompileError(what, command=text, output=said, fix=_ANOTHER)
        raise CompileError(what, command=text, output=said)


def run_limited(command: tuple[str, ...], seconds: float) -> tuple[int, str, str]:
    """Run a program; return its exit status and what it wrote, both streams as text.

    Raises:
        TimeoutError: It did not end in time; it has been ended, with all that it started.
        OSError: It cannot be run.
    """
    session = os.name == "posix"
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=session,
    ) as running:
        try:
            out, err = running.communicate(timeout=seconds)
        except BaseException as error:
            if session:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
            running.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError(f"{command[0]} does not end within {seconds} seconds") from None
            raise
    return running.returncode, out, err


def _defect(library: bytes) -> str:
    """Say why a file is no library for this machine; empty if it may be one.

    An ELF file says in its first 20 bytes for which class, byte order and processor it is.
    """
    if not library:
        return "writes nothing"
    try:
        with Path("/proc/self/exe").open("rb") as file:
            own = file.read(20)
    except OSError:  # not on this system: loading it will tell
        return ""
    if not own.startswith(b"\x7fELF"):
        return ""
    if library[:4] != own[:4] or len(library) < 64:
        return "writes no library"
    same = library[4:6] == own[4:6] and library[18:20] == own[18:20]
    return "" if same else "writes a library for another kind of machine"


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
    raise CompileError(first.what, command=first.command, output=first.output, fix=_ANOTHER)


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
            inside = "no program that can be run" if os.sep in words[0] else "not on PATH"
            failures.append(f"{words[0]} is {inside}")
            continue
        command = (found, *words[1:])
        try:
            code, said, errors = run_limited((*command, "--version"), _VERSION_SECONDS)
        except OSError as error:
            failures.append(f"{shlex.join(command)} --version does not run: {error}")
            continue
        if code:
            errors = "; ".join(errors.strip().splitlines()[-3:])
            failures.append(f"{shlex.join(command)} --version ends with {code}: {errors}")
            continue
        lines = said.strip().splitlines()
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
    if not words:
        raise BackendUnavailable(f"CC={named} names no program", where="CC", fix=_INSTALL)
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
