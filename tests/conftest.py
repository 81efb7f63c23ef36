"""Options and marks of the whole test suite."""

import ctypes
import importlib.util
from functools import cache

import pytest
from hypothesis import settings

settings.register_profile("default-tier", deadline=None)
settings.register_profile("full", deadline=None, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="run the campaigns too (hours): everything marked slow"
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("full" if config.getoption("--full") else "default-tier")


@cache
def gpu_missing() -> str:
    """Return why tests cannot run on a GPU, or an empty string."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver on this machine"
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the NVIDIA driver finds no GPU"
    return ""


@cache
def library_missing(name: str) -> str:
    """Return why tests of a library cannot run, or an empty string."""
    found = importlib.util.find_spec(name) is not None
    return "" if found else f"{name} is not installed: pip install -e '.[{name}]'"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        reasons = []
        if item.get_closest_marker("slow") and not config.getoption("--full"):
            reasons.append("a campaign: run with --full")
        if item.get_closest_marker("gpu"):
            reasons.append(gpu_missing())
        reasons += [library_missing(n) for n in ("torch", "jax") if item.get_closest_marker(n)]
        for reason in filter(None, reasons):
            item.add_marker(pytest.mark.skip(reason=reason))
