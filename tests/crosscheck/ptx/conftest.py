from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from optgen.crosscheck.ptx import Entry, parse
from optgen.errors import BackendUnavailable
from optgen.runtime.nvrtc import find_nvrtc

KERNELS = Path(__file__).parent / "kernels"


@functools.cache
def _compile(source: str, arch: str) -> Entry:
    (entry,) = parse(find_nvrtc().compile(source, "kernel.cu", arch).ptx).entries.values()
    return entry


@pytest.fixture(scope="session")
def compile_entry() -> Callable[..., Entry]:
    """Compiles a kernel of `kernels/` (with a piece of its text replaced) to its one entry."""
    try:
        find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")

    def compile(name: str, old: str = "", new: str = "", arch: str = "sm_90") -> Entry:
        source = (KERNELS / f"{name}.cu").read_text()
        assert old in source
        return _compile(source.replace(old, new, 1) if old else source, arch)

    return compile
