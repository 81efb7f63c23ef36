"""The level `host` of `optgen verify`: what ran is named, and what could not, with its reason."""

import pytest

from optgen.cli import host
from optgen.cli.host import check_host
from optgen.cli.levels import VerifyRequest, run_levels
from optgen.cli.outcome import Check, Findings
from optgen.crosscheck.host import cuda, running, sanitizers
from optgen.errors import BackendUnavailable, CompileError
from optgen.runtime import compiler


def unavailable(what):
    def find():
        raise BackendUnavailable(what, fix="get one")

    return find


@pytest.fixture
def quick(monkeypatch):
    try:
        running.find_cpp()
        compiler.find_compiler()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    monkeypatch.setattr(cuda, "LARGE", cuda.QUICK[1:])
    monkeypatch.setattr(cuda, "LARGEST", cuda.QUICK[1])
    monkeypatch.setattr(cuda, "FAULTS", cuda.FAULTS[1:2])
    monkeypatch.setattr(sanitizers, "EDGES", sanitizers.EDGES[2:3])
    monkeypatch.setattr(sanitizers, "SHARED", sanitizers.SHARED[1:])


def test_all_that_can_run_runs(quick):
    report = run_levels(VerifyRequest(("sgd",), ("host",), None, ()))
    (level,) = report.levels
    assert not level.off
    assert level.checks[0] == Check("sgd (cuda text)", "passed", "= NumPy up to 1003 elements")
    assert {check.outcome for check in level.checks} == {"passed"}
    assert len(level.notes) == 4
    assert report.exit_code == 0


@pytest.fixture
def nothing_runs(quick, monkeypatch):
    monkeypatch.setattr(host, "_large", lambda rule, compiler: Check("cuda", "passed"))
    monkeypatch.setattr(host, "_faults", lambda rule, compiler: Check("cuda", "passed"))
    monkeypatch.setattr(
        host, "_c", lambda rule, compiler, sanitizer, lists: Check(sanitizer.name, "passed")
    )


def test_without_a_cpp_compiler_the_rest_runs(nothing_runs, monkeypatch):
    monkeypatch.setattr(running, "find_cpp", unavailable("no C++ compiler"))
    found = check_host(("sgd",), None, ())
    assert found.checks
    assert all("San" in check.subject for check in found.checks)
    assert "CUDA text: not run: no C++ compiler: get one" in found.notes


def test_without_sanitizers_the_rest_runs(nothing_runs, monkeypatch):
    monkeypatch.setattr(sanitizers, "why_not", lambda compiler, sanitizer: "its library is missing")
    found = check_host(("sgd",), None, ())
    assert found.checks == (Check("cuda", "passed"),)
    assert "C under TSan: not run: its library is missing" in found.notes


def test_without_compilers_the_level_is_off(monkeypatch):
    monkeypatch.setattr(running, "find_cpp", unavailable("no C++ compiler"))
    monkeypatch.setattr(compiler, "find_compiler", unavailable("no C compiler"))
    (level,) = run_levels(VerifyRequest(("sgd",), ("host",), None, ())).levels
    assert level.off == "no C++ compiler: get one"


def test_outcomes():
    def refused():
        raise CompileError("no program", command="cc", output="x\nerror: unheard of\n")
        yield ""

    assert host._judged("x", iter(("a", "b")), "fine") == Check("x", "failed", "a; b")
    assert host._judged("x", iter(()), "fine") == Check("x", "passed", "fine")
    unknown = Check("x", "unknown", "no program: error: unheard of")
    assert host._judged("x", refused(), "fine") == unknown
    assert Findings((unknown,)).notes == ()
