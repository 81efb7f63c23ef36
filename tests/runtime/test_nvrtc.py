from __future__ import annotations

import ctypes.util
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from optgen.errors import BackendUnavailable, CompileError, UsageError
from optgen.runtime import nvrtc as module
from optgen.runtime.nvrtc import Nvrtc, Resources, find_nvrtc, read_resources

SOURCE = """
extern "C" __global__ void scale(float *x, float by) { x[threadIdx.x] *= by; }
extern "C" __global__ void swap(float *x) {
  __shared__ float room[64];
  room[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = room[63 - threadIdx.x];
}
"""


@pytest.fixture(scope="module")
def nvrtc() -> Nvrtc:
    try:
        return find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")


def test_compiles_to_ptx_and_cubin(nvrtc: Nvrtc) -> None:
    compiled = nvrtc.compile(SOURCE, "pair.cu", "sm_90")
    assert ".visible .entry scale" in compiled.ptx
    assert ".target sm_90" in compiled.ptx
    assert not compiled.ptx.endswith("\0")
    assert compiled.cubin.startswith(b"\x7fELF")
    assert list(compiled.resources) == ["scale", "swap"]
    assert compiled.resources["swap"].shared == 256
    assert compiled.resources["scale"].shared == 0
    for resources in compiled.resources.values():
        assert 0 < resources.registers < 64
        assert (resources.spill_stores, resources.spill_loads, resources.stack) == (0, 0, 0)


def test_knows_itself(nvrtc: Nvrtc) -> None:
    assert nvrtc.version >= (11, 0)
    assert 90 in nvrtc.archs()
    assert list(nvrtc.archs()) == sorted(nvrtc.archs())
    assert "nvrtc" in nvrtc.path
    assert find_nvrtc() is nvrtc


def test_the_same_text_gives_the_same_ptx(nvrtc: Nvrtc) -> None:
    first, second = (nvrtc.compile(SOURCE, "pair.cu", "sm_80") for _ in range(2))
    assert first.ptx == second.ptx
    assert first.cubin == second.cubin


def test_threads_may_compile_at_once(nvrtc: Nvrtc) -> None:
    archs = [f"sm_{arch}" for arch in nvrtc.archs() if arch in (80, 90, 100)] * 2
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda arch: nvrtc.compile(SOURCE, "pair.cu", arch), archs))
    for arch, compiled in zip(archs, results, strict=True):
        assert f".target {arch}" in compiled.ptx


def test_a_mistake_in_the_text_is_reported_with_its_line(nvrtc: Nvrtc) -> None:
    with pytest.raises(CompileError, match=r"broken\.cu") as caught:
        nvrtc.compile('extern "C" __global__ void k() {\n  nonsense;\n}\n', "broken.cu", "sm_90")
    assert 'broken.cu(2): error: identifier "nonsense" is undefined' in caught.value.output
    assert caught.value.command == ("nvrtc --gpu-architecture=sm_90 --ptxas-options=-v broken.cu")


@pytest.mark.parametrize("arch", ["sm_10", "compute_90", "90", "sm_90 --use_fast_math"])
def test_an_unknown_architecture_is_named_with_the_known_ones(nvrtc: Nvrtc, arch: str) -> None:
    with pytest.raises(UsageError, match=f"'{arch}'(.|\n)*sm_90"):
        nvrtc.compile(SOURCE, "pair.cu", arch)


def test_reads_spills_and_shared_memory() -> None:
    log = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'b' for 'sm_90'
ptxas info    : Function properties for b
ptxas         .     24 bytes stack frame, 16 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 24 bytes cumulative stack size, 132 bytes smem
ptxas info    : Compiling entry function 'a' for 'sm_90'
ptxas info    : Function properties for a
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 21 registers, 400 bytes cmem[0]
"""
    resources = read_resources(log)
    assert list(resources) == ["a", "b"]
    assert resources["a"] == Resources(21, 0, 0, 0, 0)
    assert resources["b"] == Resources(255, 16, 20, 24, 132)
    assert read_resources("") == {}


def wheel(folder: Path, name: str) -> Path:
    path = folder / "nvidia" / "cu13" / "lib" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not a library")
    return path


def test_the_newest_wheel_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libnvrtc.so.11")
    old, new = wheel(tmp_path, "libnvrtc.so.9"), wheel(tmp_path, "libnvrtc.so.13")
    for other in ("libnvrtc-builtins.so.13.0", "libnvrtc.alt.so.13", "libcudart.so.13"):
        wheel(tmp_path, other)
    found = list(module._candidates("linux", [str(tmp_path), str(tmp_path), ""]))
    assert found == [str(new), str(old), "libnvrtc.so.11"]
    assert list(module._candidates("darwin", [str(tmp_path)])) == []


def test_without_nvrtc_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_found", [])
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(BackendUnavailable, match="NVRTC was not found") as caught:
        find_nvrtc()
    assert "pip install nvidia-cuda-nvrtc" in caught.value.fix
    assert "sys.path" in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux libraries")
def test_a_library_that_does_not_load_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_found", [])
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    broken = wheel(tmp_path, "libnvrtc.so.13")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(BackendUnavailable) as caught:
        find_nvrtc()
    assert str(broken) in str(caught.value)
    libc = ctypes.util.find_library("c")
    with pytest.raises(BackendUnavailable, match="cannot be loaded"):
        Nvrtc(libc or "libc.so.6")
