"""What a measurement ran on: without that a time says nothing. No host's name."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from optgen.errors import OptgenError
from optgen.runtime.compiler import find_compiler

_PACKAGES = ("optgen", "numpy", "torch", "jax", "optax")


def machine() -> dict[str, Any]:
    """Return processor, cores, caches, memory, system, compiler and versions."""
    found: dict[str, Any] = {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "caches": _caches(),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version() + ("" if is_locked() else " free-threaded"),
        "vectors": _vectors(),
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    try:
        compiler = find_compiler()
        found["compiler"] = compiler.version
        found["flags"] = " ".join(compiler.flags())
    except OptgenError as error:
        found["compiler"] = str(error).splitlines()[0]
    return found


def is_locked() -> bool:
    """Return whether one thread at a time runs Python; not so in its free-threaded builds."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith(name)), "")


def _caches() -> list[str]:
    """Return the caches of the first core: `L2 2048K`."""
    folder, found = Path("/sys/devices/system/cpu/cpu0/cache"), []
    for index in sorted(folder.glob("index*")) if folder.is_dir() else []:
        try:
            level, kind, size = (
                (index / name).read_text(encoding="ascii").strip()
                for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return found


def _vectors() -> str:
    flags = set(_field("/proc/cpuinfo", "flags").split())
    known = ("avx512f", "avx2", "avx", "sse2")
    return next((name for name in known if name in flags), "")
