"""NVRTC, NVIDIA's run-time compiler, through ctypes: CUDA text in, PTX and cubin out.

No toolkit, no driver and no GPU are needed: the library comes from the wheel
`nvidia-cuda-nvrtc` (or from the one torch installs), otherwise from the system.
Nothing here turns on fast mathematics, so every rounding is IEEE's.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from optgen.errors import BackendUnavailable, CompileError, UsageError

OPTIONS: tuple[str, ...] = ("--ptxas-options=-v",)
"""Options of every compilation besides the architecture; `-v` prints registers and spills."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What one kernel takes on the device, as ptxas reports it.

    Attributes:
        registers: Registers per thread.
        spill_stores: Bytes spilled to local memory.
        spill_loads: Bytes read back from local memory.
        stack: Bytes of stack per thread.
        shared: Bytes of static shared memory per block.
    """

    registers: int
    spill_stores: int
    spill_loads: int
    stack: int
    shared: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """One compiled source text.

    Attributes:
        ptx: The PTX text.
        cubin: The machine code for the architecture asked for.
        log: What the compiler and ptxas printed.
        resources: Per entry name, what the kernel takes.
    """

    ptx: str
    cubin: bytes
    log: str
    resources: Mapping[str, Resources]


class Nvrtc:
    """One loaded NVRTC library. Safe to use from several threads at once.

    Args:
        path: The library to load: a file, or a name the system's loader knows.

    Raises:
        BackendUnavailable: The library cannot be loaded.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            # The wheel of NVRTC 13.0 does not find its own builtins library; once it is loaded, it
            # does. Later and earlier wheels do not mind.
            for builtins in sorted(Path(path).parent.glob("libnvrtc-builtins.so.*")):
                ctypes.CDLL(str(builtins))
            self._library = ctypes.CDLL(path)
            _declare(self._library)
        except (OSError, AttributeError) as error:
            raise BackendUnavailable(
                f"NVRTC cannot be loaded: {error}", where=path, fix=_INSTALL
            ) from error
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._must(self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        self._version = (major.value, minor.value)

    @property
    def path(self) -> str:
        """The library that was loaded."""
        return self._path

    @property
    def version(self) -> tuple[int, int]:
        """NVRTC's version, for example `(13, 5)`."""
        return self._version

    def archs(self) -> tuple[int, ...]:
        """Return the architectures it compiles for, ascending, for example `(75, 80, 90)`."""
        count = ctypes.c_int()
        self._must(self._library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
        archs = (ctypes.c_int * count.value)()
        self._must(self._library.nvrtcGetSupportedArchs(archs))
        return tuple(sorted(archs))

    def options(self, arch: str) -> tuple[str, ...]:
        """Return every option a compilation for `arch` is given."""
        return (f"--gpu-architecture={arch}", *OPTIONS)

    def compile(self, source: str, name: str, arch: str) -> Compiled:
        """Compile header-free CUDA text.

        Args:
            source: The text of one translation unit.
            name: The file name that the compiler's messages use.
            arch: A real architecture, for example `sm_90`.

        Raises:
            CompileError: The compiler refused the text.
            UsageError: This NVRTC does not know the architecture.
        """
        known = [f"sm_{number}" for number in self.archs()]
        if re.sub(r"[af]$", "", arch) not in known:
            raise UsageError(
                f"NVRTC {self._version[0]}.{self._version[1]} does not compile for '{arch}'",
                where=self._path,
                fix="use one of " + ", ".join(known),
            )
        program = ctypes.c_void_p()
        self._must(
            self._library.nvrtcCreateProgram(
                ctypes.byref(program), source.encode(), name.encode(), 0, None, None
            )
        )
        try:
            options = self.options(arch)
            encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            status = self._library.nvrtcCompileProgram(program, len(options), encoded)
            log = self._output(program, "ProgramLog").decode(errors="replace").rstrip("\0")
            if status:
                raise CompileError(
                    f"{name}: {self._describe(status)}",
                    command=" ".join(("nvrtc", *options, name)),
                    output=log,
                )
            ptx = self._output(program, "PTX").decode().rstrip("\0")
            cubin = self._output(program, "CUBIN")
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))
        return Compiled(ptx=ptx, cubin=cubin, log=log, resources=read_resources(log))

    def _output(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._must(getattr(self._library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self._must(getattr(self._library, f"nvrtcGet{what}")(program, buffer))
        return buffer.raw

    def _describe(self, status: int) -> str:
        text: bytes = self._library.nvrtcGetErrorString(status)
        return text.decode()

    def _must(self, status: int) -> None:
        if status:
            raise BackendUnavailable(
                f"NVRTC does not work: {self._describe(status)}", where=self._path, fix=_INSTALL
            )


_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def read_resources(log: str) -> Mapping[str, Resources]:
    """Read ptxas' `-v` report; entries come in the order of their names."""
    found: dict[str, Resources] = {}
    for part in log.split("ptxas info    : Compiling entry function")[1:]:
        entry = _ENTRY.search("Compiling entry function" + part)
        stack, used = _STACK.search(part), _USED.search(part)
        if entry and stack and used:
            found[entry[1]] = Resources(
                registers=int(used[1]),
                spill_stores=int(stack[2]),
                spill_loads=int(stack[3]),
                stack=int(stack[1]),
                shared=int(used[2] or 0),
            )
    return MappingProxyType(dict(sorted(found.items())))


_INSTALL = "pip install nvidia-cuda-nvrtc (Linux and Windows; NVIDIA has none for macOS)"
_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "linux": ("lib/libnvrtc.so.*",),
    "win32": ("bin/nvrtc64_*.dll", "bin/*/nvrtc64_*.dll"),
}
_lock = threading.Lock()
_found: list[Nvrtc] = []


def find_nvrtc() -> Nvrtc:
    """Return the NVRTC of this machine: the newest wheel on `sys.path`, else the system's.

    The answer is kept for the life of the process.

    Raises:
        BackendUnavailable: There is none, or none that loads.
    """
    with _lock:
        if not _found:
            _found.append(_load_first(_candidates(sys.platform, sys.path)))
        return _found[0]


def _load_first(candidates: Iterable[str]) -> Nvrtc:
    failures = []
    for path in candidates:
        try:
            return Nvrtc(path)
        except BackendUnavailable as error:
            failures.append(f"{error.where}: {error.what}")
    raise BackendUnavailable(
        "no CUDA compiler: NVRTC was not found",
        where="; ".join(failures) or "nvidia/*/lib on sys.path, and the system's libraries",
        fix=_INSTALL,
    )


def _candidates(platform: str, folders: Iterable[str]) -> Iterator[str]:
    wheels = sorted(
        {
            library
            for folder in folders
            for pattern in _LIBRARIES.get(platform, ())
            for library in Path(folder or ".").glob("nvidia/*/" + pattern)
            if "builtins" not in library.name and "alt" not in library.name
        },
        key=lambda library: ([int(n) for n in re.findall(r"\d+", library.name)], str(library)),
        reverse=True,
    )
    yield from map(str, wheels)
    if platform in _LIBRARIES and (system := ctypes.util.find_library("nvrtc")):
        yield system


def _declare(library: ctypes.CDLL) -> None:
    """Give every function that is called its types: ctypes' default, int, cuts pointers off."""
    pointer, handle = ctypes.c_void_p, ctypes.c_char_p
    signatures: Mapping[str, list[object]] = {
        "nvrtcVersion": [pointer, pointer],
        "nvrtcGetNumSupportedArchs": [pointer],
        "nvrtcGetSupportedArchs": [pointer],
        "nvrtcCreateProgram": [pointer, handle, handle, ctypes.c_int, pointer, pointer],
        "nvrtcCompileProgram": [pointer, ctypes.c_int, pointer],
        "nvrtcDestroyProgram": [pointer],
        **{
            f"nvrtcGet{what}{size}": [pointer, pointer]
            for what in ("ProgramLog", "PTX", "CUBIN")
            for size in ("", "Size")
        },
    }
    for name, types in signatures.items():
        function = getattr(library, name)
        function.argtypes = types
        function.restype = ctypes.c_int
    library.nvrtcGetErrorString.argtypes = [ctypes.c_int]
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
