"""Launchers on the stand-in driver; skipped where there is no C or C++ compiler."""

from __future__ import annotations

import functools

import pytest

from optgen.crosscheck.host.running import HostCompiler, find_cpp
from optgen.crosscheck.launch.launching import kernel_on, printed_rule
from optgen.crosscheck.launch.standin import StandIn, compile_kernels, compile_standin, entries_of
from optgen.errors import BackendUnavailable
from optgen.loader import load_catalogue
from optgen.runtime.compiler import find_compiler
from optgen.storage import parse_storage


@pytest.fixture(scope="session")
def _standin(tmp_path_factory) -> StandIn:
    try:
        found = find_compiler()
        find_cpp()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    folder = tmp_path_factory.mktemp("standin")
    return StandIn(compile_standin(HostCompiler(found.command, found.version), folder))


@pytest.fixture
def standin(_standin):
    """The stand-in as it is at first; whoever changes it need not change it back."""
    settings = {"devices": 1, "version": 13000, "major": 9, "memory": 1 << 32, "order": 0}
    for what, value in settings.items():
        _standin.set(what, value)
    _standin.fail("", 0)
    _standin.said()
    yield _standin
    for what, value in settings.items():
        _standin.set(what, value)


@pytest.fixture(scope="session")
def printed(_standin, tmp_path_factory):
    """Gives a rule as text, by name and storage mix, with its kernels known to the stand-in."""

    @functools.cache
    def give(name, storage=None):
        mix = None if storage is None else parse_storage(storage)
        rule = printed_rule(load_catalogue()[name], mix)
        folder = tmp_path_factory.mktemp(rule.identifier)
        _standin.register(
            compile_kernels(
                find_cpp(), rule.source, entries_of(rule.kernels), folder, rule.identifier
            )
        )
        return rule

    return give


@pytest.fixture
def kernel(standin, printed):
    """Gives a rule behind the launcher, by name and storage mix."""
    return lambda name, storage=None: kernel_on(standin, printed(name, storage))
