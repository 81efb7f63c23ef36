"""What is on this machine, how to get the rest, and which levels of verification it is enough for.

Looking never imports a package that may be large or broken (torch, jax,
pycuda): versions are read from what the installer wrote down.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from optgen.errors import BackendUnavailable


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that optgen can use.

    Attributes:
        name: What it is called.
        version: Its version or description, or None where it is missing.
        use: What optgen uses it for.
        fix: How to get it.
    """

    name: str
    version: str | None
    use: str
    fix: str


@dataclass(frozen=True, slots=True)
class Level:
    """One level of `optgen verify`.

    Attributes:
        name: What `--level` calls it.
        says: What is known once it has passed.
        needs: Groups of tool names; one of each group must be here.
    """

    name: str
    says: str
    needs: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a level can run here; `reason` says why not, and is empty if it can."""

    name: str
    says: str
    reason: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `diagnose` found, in the order in which it is shown."""

    tools: tuple[Tool, ...]
    levels: tuple[Readiness, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the diagnosis as a JSON document."""
        return {
            "tools": [asdict(tool) for tool in self.tools],
            "levels": [asdict(r) | {"can_run": not r.reason} for r in self.levels],
        }


LEVELS = (
    Level("algebra", "claims about rules hold, in exact arithmetic", (("sympy",),)),
    Level("compile", "generated code compiles", (("NVRTC", "C compiler"),)),
    Level(
        "run",
        "compiled code equals the NumPy kernel bit for bit",
        (("NVRTC", "C compiler"),),
    ),
    Level("proof", "code has its kernel's bits for all values, proved", (("sympy",),)),
    Level(
        "host",
        "CUDA text run on the CPU at large sizes; C under sanitizers",
        (("C++ compiler", "C compiler"),),
    ),
    Level(
        "launch",
        "the launcher passes the right arguments, to a driver that is not one",
        (("C compiler",), ("C++ compiler",)),
    ),
    Level("gpu", "the same bits on hardware", (("NVIDIA GPU",),)),
)


def diagnose() -> Diagnosis:
    """Look at every tool; never raises because of one that is missing or broken."""
    tools = tuple(_tools())
    here = {tool.name: tool for tool in tools}
    return Diagnosis(tools, tuple(Readiness(v.name, v.says, _why_not(v, here)) for v in LEVELS))


def _tools() -> list[Tool]:
    compiler = "install gcc or clang (Debian: apt install gcc; macOS: xcode-select --install)"
    cpp = "install g++ or clang++ (Debian: apt install g++; macOS: xcode-select --install)"
    return [
        Tool("Python", platform.python_version(), "everything", ""),
        _package("sympy", "rules and proofs", "pip install sympy"),
        _package("numpy", "NumPy kernels", "pip install numpy"),
        _package("jinja2", "templates", "pip install jinja2"),
        _safely("NVRTC", _nvrtc, "compiling CUDA", 'pip install "optgen[cuda]" (not on macOS)'),
        _safely("C compiler", _c_compiler, "compiling C", compiler),
        _safely("clang", _compiler("clang"), "proofs of C from LLVM IR", "apt install clang"),
        _package("pycparser", "proofs of C from its source", 'pip install "optgen[proof]"'),
        _safely("C++ compiler", _compiler("c++", "g++", "clang++"), "CUDA text on the CPU", cpp),
        _safely("NVIDIA GPU", _gpu, "running CUDA", "a machine with an NVIDIA GPU and its driver"),
        _package("python-flint", "faster proofs", 'pip install "optgen[proof]"'),
        _package("ml_dtypes", "bfloat16 arrays", 'pip install "optgen[bfloat16]"'),
        _package("z3-solver", "proofs with inequalities", 'pip install "optgen[proof]"'),
        _package("torch", "optimizer classes for PyTorch", 'pip install "optgen[torch]"'),
        _package("jax", "optimizers for JAX", 'pip install "optgen[jax]"'),
        _package("pycuda", "launching through PyCUDA", 'pip install "optgen[pycuda]"'),
        _package("scikit-learn", "examples", 'pip install "optgen[examples]"'),
        _package("matplotlib", "pictures of the examples", 'pip install "optgen[examples]"'),
    ]


def _package(name: str, use: str, fix: str) -> Tool:
    try:
        version: str | None = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = None
    return Tool(name, version, use, fix)


def _safely(name: str, look: Callable[[], str], use: str, fix: str) -> Tool:
    """Look for a tool; one that is there and does not work is missing, with its reason."""
    try:
        return Tool(name, look(), use, fix)
    except BackendUnavailable as error:
        return Tool(name, None, use, f"{fix} ({error.what})")


def _nvrtc() -> str:
    from optgen.runtime.nvrtc import find_nvrtc

    nvrtc = find_nvrtc()
    major, minor = nvrtc.version
    archs = nvrtc.archs()
    return f"{major}.{minor}, sm_{archs[0]} to sm_{archs[-1]}"


def _c_compiler() -> str:
    """Return what `$CC` names, else the first of cc, gcc and clang."""
    from optgen.runtime.compiler import find_compiler

    if os.environ.get("CC"):
        found = find_compiler()
        return f"{found.version} at {' '.join(found.command)}"
    return _compiler("cc", "gcc", "clang")()


def _compiler(*names: str) -> Callable[[], str]:
    def look() -> str:
        found = next((path for name in names if (path := shutil.which(name))), None)
        if found is None:
            raise BackendUnavailable(f"none of {', '.join(names)} on PATH")
        try:
            ran = subprocess.run(
                [found, "--version"], capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BackendUnavailable(f"{found} does not run: {error}") from error
        return f"{ran.stdout.strip().splitlines()[0]} at {found}" if ran.stdout.strip() else found

    return look


_DRIVERS: Mapping[str, str] = {"win32": "nvcuda.dll", "linux": "libcuda.so.1"}


def _gpu() -> str:
    """Return the name of the first GPU and the CUDA version of its driver.

    Raises:
        BackendUnavailable: There is no driver, or it sees no GPU.
    """
    name = _DRIVERS.get(sys.platform) or ctypes.util.find_library("cuda")
    if not name:
        raise BackendUnavailable("no NVIDIA driver for this system")
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        raise BackendUnavailable(f"no NVIDIA driver: {name} is not here") from None
    count, device, version = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    label = ctypes.create_string_buffer(256)
    calls: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("cuInit", (0,)),
        ("cuDeviceGetCount", (ctypes.byref(count),)),
        ("cuDeviceGet", (ctypes.byref(device), 0)),
        ("cuDeviceGetName", (label, len(label), device)),
        ("cuDriverGetVersion", (ctypes.byref(version),)),
    )
    for what, arguments in calls:
        try:
            code = int(getattr(driver, what)(*arguments))
        except AttributeError:
            raise BackendUnavailable(f"the NVIDIA driver has no {what}") from None
        if code:
            raise BackendUnavailable(f"the NVIDIA driver sees no GPU: {what} gives error {code}")
    more = f" (and {count.value - 1} more)" if count.value > 1 else ""
    cuda = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    return f"{label.value.decode(errors='replace')}{more}, driver for {cuda}"


def _why_not(level: Level, here: Mapping[str, Tool]) -> str:
    missing = [group for group in level.needs if all(here[n].version is None for n in group)]
    return "; ".join(
        f"needs {' or '.join(group)}: {', or '.join(here[name].fix for name in group)}"
        for group in missing
    )
