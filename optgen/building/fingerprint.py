"""What a build depends on, as hashes; decided without importing sympy or any rule."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from optgen import paths
from optgen.errors import BackendUnavailable

_TOOLS = (
    "numpy",
    "sympy",
    "jinja2",
    "mpmath",
    "ml_dtypes",
    "nvidia-cuda-nvrtc",
    "nvidia-cuda-nvrtc-cu12",
)


def of_bytes(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def of_files(files: Iterable[Path]) -> str:
    """Return one hash of the names and contents of some files."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{file.name}\0".encode())
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def of_tools() -> str:
    """Return one hash of optgen's own code, its templates, and the versions of its tools."""
    sources = sorted(p for p in paths.PACKAGE.rglob("*.py") if "_data" not in p.parts)
    templates = sorted(p for p in paths.TEMPLATES.rglob("*") if p.is_file())
    versions = [f"{name} {version(name)}" for name in _TOOLS]
    text = "\n".join((sys.version, of_files(sources), of_files(templates), *versions))
    return of_bytes(text.encode())


def of_compiler() -> str:
    """Return one hash of the C compiler, the CPU it compiles for, and what reads C for proofs."""
    from optgen.runtime.compiler import cpu_features, find_compiler

    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        return of_bytes(error.what.encode())
    readers = (_file("clang"), f"pycparser {version('pycparser')}")
    text = "\n".join((*compiler.command, compiler.version, cpu_features(), *readers))
    return of_bytes(text.encode())


def _file(program: str) -> str:
    """Return words that change with the file of a program on PATH."""
    path = shutil.which(program)
    if path is None:
        return f"no {program}"
    found = Path(path).stat()
    return f"{path} {found.st_size} {found.st_mtime_ns}"


def version(distribution: str) -> str:
    """Return the installed version of a distribution, or `none`."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"
