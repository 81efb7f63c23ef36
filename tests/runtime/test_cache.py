from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import pytest

from optgen.errors import CompileError
from optgen.runtime.cache import cache_key, compile_cached, default_cache_dir
from optgen.runtime.nvrtc import Compiled, read_resources

LOG = """ptxas info    : Compiling entry function 'k' for 'sm_90'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers
"""


class Compiler:
    """Stands in for NVRTC and counts how often it is asked."""

    def __init__(self, version: tuple[int, int] = (13, 5)) -> None:
        self.version = version
        self.calls = 0

    def options(self, arch: str) -> tuple[str, ...]:
        return (f"--gpu-architecture={arch}",)

    def compile(self, source: str, name: str, arch: str) -> Compiled:
        self.calls += 1
        if source == "wrong":
            raise CompileError("no", command="nvrtc", output="")
        return Compiled(f"{source} {arch} é", b"\0\xff" + source.encode(), LOG, read_resources(LOG))


def ask(compiler: Compiler, folder: Path, source: str = "s", arch: str = "sm_90") -> Compiled:
    return compile_cached(compiler, source, "k.cu", arch, folder)  # type: ignore[arg-type]


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_the_second_time_nothing_is_compiled(tmp_path: Path) -> None:
    compiler = Compiler()
    first = ask(compiler, tmp_path)
    second = ask(compiler, tmp_path)
    assert compiler.calls == 1
    assert first == second
    assert isinstance(second.resources, MappingProxyType)
    assert second.resources["k"].registers == 8
    assert [p.suffix for p in files(tmp_path)] == [".cubin", ".log", ".ptx", ".sha256"]


def test_everything_that_decides_the_result_is_in_the_key() -> None:
    def key(
        source: str = "s", name: str = "n", arch: str = "sm_90", version: tuple[int, int] = (13, 5)
    ) -> str:
        return cache_key(Compiler(version), source, name, arch)  # type: ignore[arg-type]

    keys = [key(), key(source="t"), key(name="m"), key(arch="sm_80"), key(version=(13, 0))]
    keys += [key("sn", ""), key("", "sn")]
    assert len(set(keys)) == len(keys)
    assert key() == key()


@pytest.mark.parametrize("part", ["ptx", "cubin", "log", "sha256"])
@pytest.mark.parametrize("damage", ["cut", "change", "remove"])
def test_damaged_entries_are_made_anew(tmp_path: Path, part: str, damage: str) -> None:
    compiler = Compiler()
    good = ask(compiler, tmp_path)
    (path,) = tmp_path.rglob(f"*.{part}")
    data = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else data[:-1] + b"\xfe")
    assert ask(compiler, tmp_path) == good
    assert compiler.calls == 2
    assert ask(compiler, tmp_path) == good
    assert compiler.calls == 2


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    compiler = Compiler()
    assert ask(compiler, blocked / "cache") == ask(compiler, blocked / "cache")
    assert compiler.calls == 2


def test_a_failed_write_leaves_no_scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", refuse)
    ask(Compiler(), tmp_path)
    assert files(tmp_path) == []


def test_refusals_are_not_stored(tmp_path: Path) -> None:
    compiler = Compiler()
    for _ in range(2):
        with pytest.raises(CompileError):
            ask(compiler, tmp_path, "wrong")
    assert compiler.calls == 2
    assert files(tmp_path) == []


def test_several_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    compiler = Compiler()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: ask(compiler, tmp_path), range(64)))
    assert all(result == results[0] for result in results)
    assert len(files(tmp_path)) == 4


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPTGEN_CACHE", str(tmp_path / "chosen"))
    assert default_cache_dir() == tmp_path / "chosen"
    compile_cached(Compiler(), "s", "k.cu", "sm_90")  # type: ignore[arg-type]
    assert len(files(tmp_path / "chosen")) == 4
    monkeypatch.delenv("OPTGEN_CACHE")
    for platform, variable in (
        ("linux", "XDG_CACHE_HOME"),
        ("win32", "LOCALAPPDATA"),
        ("darwin", "HOME"),
    ):
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setenv(variable, str(tmp_path))
        assert default_cache_dir().name == "optgen"
        assert tmp_path in default_cache_dir().parents
