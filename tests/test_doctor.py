"""`optgen doctor` looks at everything, is never put out by what is missing, and says the fix."""

import ctypes
import shutil
import subprocess
from importlib import metadata
from typing import Any

import pytest

from optgen import doctor
from optgen.cli.levels import RUNNERS
from optgen.errors import BackendUnavailable


def tool(name: str) -> doctor.Tool:
    return next(t for t in doctor.diagnose().tools if t.name == name)


def level(name: str) -> doctor.Readiness:
    return next(r for r in doctor.diagnose().levels if r.name == name)


def test_versions_are_those_that_are_installed() -> None:
    assert tool("sympy").version == metadata.version("sympy")
    assert level("algebra").reason == ""


def test_what_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", nothing)
    assert tool("torch") == doctor.Tool(
        "torch", None, "optimizer classes for PyTorch", 'pip install "optgen[torch]"'
    )
    assert level("algebra").reason == "needs sympy: pip install sympy"


def test_no_compiler_at_all_turns_levels_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> Any:
        raise BackendUnavailable("no CUDA compiler: NVRTC was not found")

    monkeypatch.setattr("optgen.runtime.nvrtc.find_nvrtc", nothing)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CC", raising=False)
    assert tool("NVRTC").version is None
    assert tool("NVRTC").fix.startswith('pip install "optgen[cuda]"')
    assert "NVRTC was not found" in tool("NVRTC").fix
    assert "none of cc, gcc, clang on PATH" in tool("C compiler").fix
    assert level("compile").reason.startswith("needs NVRTC or C compiler: pip install")


def test_cc_names_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler-7")
    assert tool("C compiler").version is None
    assert "no-such-compiler-7 is not on PATH" in tool("C compiler").fix


def test_a_compiler_that_does_not_run_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise subprocess.TimeoutExpired("cc", 20)

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", broken)
    monkeypatch.delenv("CC", raising=False)
    assert tool("C compiler").version is None
    assert "/usr/bin/cc does not run" in tool("C compiler").fix


class Driver:
    """A stand-in for libcuda; its calls return `code`."""

    def __init__(self, code: int) -> None:
        self.code = code

    def cuInit(self, flags: int) -> int:
        return self.code

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = 2
        return self.code

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:
        return self.code

    def cuDeviceGetName(self, label: Any, size: int, device: Any) -> int:
        label.value = b"A GPU"
        return self.code

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 13010
        return self.code


def test_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(0))
    assert doctor._gpu() == "A GPU (and 1 more), driver for CUDA 13.1"


def test_a_driver_without_a_gpu_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(100))
    with pytest.raises(BackendUnavailable, match="sees no GPU: cuInit gives error 100"):
        doctor._gpu()


def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(BackendUnavailable, match=r"libcuda\.so\.1 is not here"):
        doctor._gpu()


def test_doctor_and_verify_agree_on_which_levels_there_are() -> None:
    assert tuple(v.name for v in doctor.LEVELS) == tuple(RUNNERS)
