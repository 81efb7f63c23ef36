"""Compiled C on disk, under the hash of everything that decides it.

An entry is one file, the library followed by the SHA-256 of the library and its key: a torn,
damaged or foreign file does not end in that, and is made again; so is one that belongs to
another user, but for root. Entries appear by renaming,
so two processes may build the same one. A folder that cannot be written costs a warning and
a compilation per process, never the kernel.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path

from optgen.runtime.cache import default_cache_dir, write_atomically
from optgen.runtime.compiler import Compiler, cpu_features

_SEAL = 32


def library_key(compiler: Compiler, flags: tuple[str, ...], source: str) -> str:
    """Return the hash of source, compiler, version, flags and CPU."""
    digest = hashlib.sha256()
    for part in (source, *compiler.command, compiler.version, *flags, cpu_features()):
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def compiled_library(
    compiler: Compiler, source: str, name: str, cache_dir: Path | None = None
) -> Path:
    """Return the shared library of a C text, compiled now or before.

    Args:
        compiler: The compiler.
        source: The text.
        name: The name of the file that messages speak of.
        cache_dir: Where entries live; by default `cache.default_cache_dir()`.

    Raises:
        CompileError: The compiler refused the text; refusals are not stored.
    """
    flags = compiler.flags()
    key = library_key(compiler, flags, source)
    folder = (cache_dir or default_cache_dir()) / "c" / key[:2]
    path = folder / f"{key}.so"
    if _is_whole(path, key):
        return path
    library = compiler.compile(source, name, flags)
    data = library + _seal(library, key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        path = _temporary_folder() / f"{key}.so"
        warnings.warn(
            f"{folder} cannot be written ({error.strerror or error}); {name} is compiled again in "
            "every process. Fix: set OPTGEN_CACHE to a folder that can be written",
            RuntimeWarning,
            stacklevel=2,
        )
        write_atomically(path, data)
    return path


def _seal(library: bytes, key: str) -> bytes:
    return hashlib.sha256(library + key.encode()).digest()


def _is_whole(path: Path, key: str) -> bool:
    try:
        data = path.read_bytes()
        owner = path.stat().st_uid
    except OSError:
        return False
    if hasattr(os, "getuid") and owner not in (os.getuid(), 0):
        return False  # whoever may write here could have put code there, seal and all
    return len(data) > _SEAL and data[-_SEAL:] == _seal(data[:-_SEAL], key)


@cache
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="optgen-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
