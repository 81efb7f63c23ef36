"""Writes a folder of generated files so that it is always whole: the old one or the new one.

Everything is prepared in a folder beside the target; one atomic exchange puts
it in place. An interruption before that, kill -9 included, leaves the old
folder as it was; a left-over folder is cleared away by the next build.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from optgen.errors import RenderError

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def replace_folder(folder: Path, files: Mapping[str, bytes], remove: frozenset[str]) -> None:
    """Put files into a folder, all at once; files that are not named stay as they are.

    Args:
        folder: The folder; made if it does not exist.
        files: Content by relative path.
        remove: Relative paths that must be gone afterwards.

    Raises:
        RenderError: The folder or its parent cannot be written; nothing has changed.
    """
    folder = folder.resolve()  # what a link points to, not the link
    staging: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "the folder is read-only")
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "a file is in the place of the folder")
        clear_leftovers(folder)
        prefix = f".{folder.name}-staging-{os.getpid()}-"
        staging = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        staging.chmod(0o755)
        if folder.is_dir():
            shutil.copystat(folder, staging)
            _copy(folder, staging, skip=frozenset(files) | remove)
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        _put_in_place(staging, folder)
    except OSError as error:
        raise RenderError(
            f"the output cannot be written: {error.strerror or error}",
            where=folder,
            fix="make room or give write permission, or choose another folder with --out; "
            "nothing has been changed",
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def check_folder(folder: Path, ours: frozenset[str]) -> None:
    """Refuse a folder that holds what optgen has not written, before anything is built.

    The folder is exchanged as a whole: what does not belong to it must not be in it.

    Args:
        folder: The output folder; it need not exist.
        ours: Names that optgen gives to folders in it.

    Raises:
        RenderError: The folder is a place of the user's own.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        return
    if Path.cwd().is_relative_to(folder):
        raise RenderError(
            "the output cannot go where you stand: the folder is replaced as a whole",
            where=folder,
            fix="choose a folder of its own, for example --out generated",
        )
    inside = sorted(folder.iterdir())
    foreign = [p for p in inside if p.is_dir() and p.name not in ours and not _is_cache(p.name)]
    foreign += [
        p
        for name in sorted(ours - {".build"})
        if (folder / name).is_dir()
        for p in sorted((folder / name).iterdir())
        if p.is_dir() and not _is_cache(p.name)
    ]
    files = [p for p in inside if not p.is_dir()]
    if not foreign and files and not (folder / "MANIFEST.json").is_file():
        foreign = files
    if foreign:
        raise RenderError(
            f"the output folder holds '{foreign[0].relative_to(folder)}', which is not optgen's",
            where=folder,
            fix="choose a folder of its own with --out, or move that away",
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other builds of the same folder waiting; on systems without such locks, do nothing."""
    try:
        import fcntl
    except ImportError:  # Windows: two builds at once may forget each other's records
        yield
        return
    parent = folder.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def clear_leftovers(folder: Path) -> None:
    """Remove what an interrupted build has left beside a folder, unless its process is alive."""
    for path in folder.parent.glob(f".{folder.name}-staging-*-*"):
        process = path.name.removeprefix(f".{folder.name}-staging-").split("-")[0]
        if process.isdigit() and not _is_alive(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it exists and belongs to someone else
        return True
    return True


def _is_cache(name: str) -> bool:
    """Whether a folder of this name holds what some tool can make again."""
    return name == "__pycache__" or (name.startswith(".") and name.endswith("_cache"))


def _copy(source: Path, target: Path, skip: frozenset[str]) -> None:
    """Carry over every file but those of `skip`; a link costs no space where links work."""
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        copy = target / relative
        if any(_is_cache(part) for part in relative.parts):
            continue
        if path.is_dir() and not path.is_symlink():
            copy.mkdir(parents=True, exist_ok=True)
            continue
        if relative.as_posix() in skip:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, copy, follow_symlinks=False)
        except OSError:
            shutil.copy2(path, copy, follow_symlinks=False)


def _put_in_place(staging: Path, folder: Path) -> None:
    """Exchange two folders; where the system cannot do that in one step, in two."""
    if not folder.exists():
        staging.rename(folder)
        return
    if _exchange(staging, folder):
        return
    old = staging.with_name(staging.name + "-old")
    folder.rename(old)
    try:
        staging.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(left: Path, right: Path) -> bool:
    """Swap two paths atomically (Linux); return whether that was possible."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # no such call in this C library
        return False
    status = rename(
        _AT_FDCWD, os.fsencode(left), _AT_FDCWD, os.fsencode(right), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    return bool(status == 0)
