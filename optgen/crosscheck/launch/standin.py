"""Compiles the stand-in driver, and CUDA text as the library of kernels that it launches."""

from __future__ import annotations

import ctypes
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optgen.backends.abi import Launch, abi
from optgen.crosscheck.host.running import HostCompiler
from optgen.crosscheck.host.shim import FIBERS, SHARED, WORDS
from optgen.errors import CompileError
from optgen.ir import Kernel

SOURCE = Path(__file__).with_name("standin.c")
_DRIVER = ("-std=gnu11", "-O1", "-w", "-fPIC", "-shared")
_KERNELS = (
    "-std=c++17", "-w", "-O2", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing",
    "-fPIC", "-shared",
)  # fmt: skip
_SHARED_MEMORY = re.compile(r"__shared__\s+(float|double)\b")
_KINDS = {"args": "a", "n": "n", "partials": "s", "scalars": "s"}
_SECONDS = 240


class StandIn:
    """The stand-in driver, loaded.

    Args:
        path: The library.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.library = ctypes.CDLL(str(path))
        for name in ("standin_said", "standin_last"):
            getattr(self.library, name).restype = ctypes.c_char_p
        for name in ("standin_launches", "standin_used", "standin_last_stream"):
            getattr(self.library, name).restype = ctypes.c_size_t

    def register(self, kernels: Path) -> None:
        """Let kernels of a library be found."""
        if self.library.standin_register(str(kernels).encode()):
            raise OSError(self.said())

    def set(self, what: str, value: int) -> None:
        """Set `devices`, `version`, `major` (of the architecture), `memory` or `order`."""
        self.library.standin_set(what.encode(), ctypes.c_long(value))

    def fail(self, name: str, status: int) -> None:
        """Let a function fail at its next call."""
        self.library.standin_fail(name.encode(), status)

    def said(self) -> str:
        """Return why launches were refused so far, and forget it."""
        found: bytes = self.library.standin_said()
        text = found.decode(errors="replace")
        self.library.standin_forget()
        return text

    @property
    def launches(self) -> int:
        """Launches so far."""
        found: int = self.library.standin_launches()
        return found

    @property
    def last(self) -> tuple[str, int, int]:
        """The last launch: kernel, blocks, handle of the stream."""
        name: bytes = self.library.standin_last()
        stream: int = self.library.standin_last_stream()
        return name.decode(), self.library.standin_last_grid(), stream

    @property
    def used(self) -> int:
        """Bytes of device memory that are held."""
        found: int = self.library.standin_used()
        return found


def compile_standin(compiler: HostCompiler, folder: Path, client: bytes = b"") -> Path:
    """Compile the stand-in in a folder; the library is called as the real one is.

    Args:
        compiler: The C compiler.
        folder: Where.
        client: A library that is to be linked with it, such as PyCUDA's: what of the driver it
            names and the stand-in does not have is there, and refuses.

    Raises:
        CompileError: The compiler refuses it.
    """
    text = SOURCE.read_text(encoding="utf-8")
    source = folder / "libcuda.c"
    known = {*re.findall(r"EXPORTED status (cu\w+)", text)}
    named = {name.decode() for name in re.findall(rb"\0(cu[A-Z]\w+)(?=\0)", client)}
    refused = "".join(
        f"EXPORTED status {name}(void) {{ return unsupported; }}\n"
        for name in sorted(named - known)
    )
    source.write_text(text + refused, encoding="utf-8")
    return _shared(compiler, source, folder / "libcuda.so.1", (*_DRIVER, "-lpthread", "-ldl"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One kernel, as the stand-in checks its launches.

    Attributes:
        name: Its name.
        kinds: A letter per parameter: p an array, s scratch memory, a the struct, n the elements.
        sizes: Bytes per element of arrays, else 0.
        barriers: Whether its threads wait for each other.
        alone: Whether it is launched as one block.
    """

    name: str
    kinds: str
    sizes: tuple[int, ...]
    barriers: bool = False
    alone: bool = False


def entries_of(kernels: Sequence[Kernel]) -> tuple[Entry, ...]:
    """Return the entries of generated kernels."""
    return tuple(_entry(kernel, launch) for kernel in kernels for launch in abi(kernel).launches)


def _entry(kernel: Kernel, launch: Launch) -> Entry:
    sizes = {buffer.name: buffer.dtype.size for buffer in kernel.buffers}
    return Entry(
        name=launch.entry,
        kinds="".join(_KINDS.get(name, "p") for name in launch.parameters),
        sizes=tuple(sizes.get(name, 0) for name in launch.parameters),
        barriers=launch.grid != "elements",
        alone=launch.grid == "one",
    )


def compile_kernels(
    compiler: HostCompiler, text: str, entries: Sequence[Entry], folder: Path, name: str
) -> Path:
    """Compile CUDA text as C++, as a library of kernels for the stand-in.

    Raises:
        CompileError: The compiler refuses it.
    """
    source = folder / f"{name}.cpp"
    source.write_text(kernel_library(text, entries), encoding="utf-8")
    return _shared(compiler, source, folder / f"{name}.so", _KERNELS)


def kernel_library(text: str, entries: Sequence[Entry]) -> str:
    """Return C++ in which each kernel of a CUDA file runs on the places of its arguments."""
    parts = [WORDS, FIBERS, SHARED, _SHARED_MEMORY.sub(r"static Shared<\1>", text), _CALLED]
    return "\n".join((*parts, *map(_called, entries)))


def _called(entry: Entry) -> str:
    name = entry.name
    alone = 'if (grid != 1) { fputs("fault: more than one block\\n", stderr); abort(); }'
    return f"""
extern "C" const char standin_kinds_{name}[] = "{entry.kinds}";
extern "C" const unsigned standin_sizes_{name}[] = {{{", ".join(map(str, entry.sizes))}}};
extern "C" const unsigned *const standin_bytes_{name} = optgen_layout<decltype(&{name})>::bytes;
extern "C" const unsigned *const standin_aligned_{name} = optgen_layout<decltype(&{name})>::aligned;
extern "C" void standin_run_{name}(unsigned grid, unsigned order, void **given) {{
  {alone if entry.alone else ""}
  optgen_launch(
    grid, order, {str(entry.barriers).lower()}, [&] {{ optgen_called({name}, given); }});
}}
"""


_CALLED = """
#include <type_traits>
#include <utility>
template <class F> struct optgen_layout;
template <class... A> struct optgen_layout<void (*)(A...)> {
  static constexpr unsigned bytes[] = {sizeof(A)...};
  static constexpr unsigned aligned[] = {alignof(A)...};
};
template <class... A, size_t... I>
static void optgen_called_with(void (*f)(A...), void **given, std::index_sequence<I...>) {
  f(*(std::remove_cv_t<A> *)given[I]...);
}
template <class... A>
static void optgen_called(void (*f)(A...), void **given) {
  optgen_called_with(f, given, std::index_sequence_for<A...>());
}
"""


def _shared(compiler: HostCompiler, source: Path, library: Path, flags: Sequence[str]) -> Path:
    command = (*compiler.command, str(source), *flags, "-o", str(library), "-lm")
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        said, failed = ran.stderr + ran.stdout, ran.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, failed = str(error), True
    if failed:
        raise CompileError(
            f"{source.name}: {compiler.command[0]} makes no library of it",
            command=shlex.join(command),
            output=said,
        )
    return library
