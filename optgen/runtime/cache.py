"""Compiled kernels on disk, under the hash of everything that decides them.

An entry is four files in one folder, `<key>.ptx`, `.cubin`, `.log` and `.sha256`;
the last one is written last and holds the hashes of the others, so a torn or
damaged entry is never used. A folder that cannot be written costs time, never a build.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from optgen.runtime.nvrtc import Compiled, Nvrtc, read_resources

_PARTS = ("ptx", "cubin", "log")


def default_cache_dir() -> Path:
    """Return `$OPTGEN_CACHE`, else the folder `optgen` in the user's cache of this platform.

    A user without a home has one in the temporary folder.
    """
    if chosen := os.environ.get("OPTGEN_CACHE"):
        return Path(chosen)
    try:
        return _user_cache() / "optgen"
    except RuntimeError:  # there is no home
        return (
            Path(tempfile.gettempdir())
            / f"optgen-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
        )


def _user_cache() -> Path:
    base: str | Path
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base)


def cache_key(nvrtc: Nvrtc, source: str, name: str, arch: str) -> str:
    """Return the hash of source, name, options (with the architecture) and NVRTC's version."""
    digest = hashlib.sha256()
    for part in (source, name, *nvrtc.options(arch), "nvrtc", *map(str, nvrtc.version)):
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def compile_cached(
    nvrtc: Nvrtc, source: str, name: str, arch: str, cache_dir: Path | None = None
) -> Compiled:
    """Compile, or take the stored result of the same compilation.

    Args:
        nvrtc: The compiler.
        source: The text of one translation unit.
        name: The file name that the compiler's messages use.
        arch: A real architecture, for example `sm_90`.
        cache_dir: Where entries live; by default `default_cache_dir()`.

    Raises:
        CompileError: The compiler refused the text; refusals are not stored.
    """
    key = cache_key(nvrtc, source, name, arch)
    folder = (cache_dir or default_cache_dir()) / "nvrtc" / key[:2]
    stored = _read(folder, key)
    if stored is None:
        stored = nvrtc.compile(source, name, arch)
        with contextlib.suppress(OSError):  # a full or read-only disk: the next run compiles again
            _write(folder, key, stored)
    return stored


def _read(folder: Path, key: str) -> Compiled | None:
    try:
        parts = [(folder / f"{key}.{part}").read_bytes() for part in _PARTS]
        if (folder / f"{key}.sha256").read_text() != _seal(parts):
            return None
        ptx, cubin, log = parts[0].decode(), parts[1], parts[2].decode()
    except (OSError, UnicodeDecodeError):
        return None
    return Compiled(ptx=ptx, cubin=cubin, log=log, resources=read_resources(log))


def _write(folder: Path, key: str, compiled: Compiled) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = [compiled.ptx.encode(), compiled.cubin, compiled.log.encode()]
    for part, data in zip((*_PARTS, "sha256"), (*parts, _seal(parts).encode()), strict=True):
        write_atomically(folder / f"{key}.{part}", data)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under another name and rename it, so that nobody ever reads half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _seal(parts: list[bytes]) -> str:
    return "\n".join(hashlib.sha256(part).hexdigest() for part in parts)
