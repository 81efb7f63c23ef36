"""The level `gpu`, on the stand-in: what it does is right; that it was a GPU is for hardware."""

import pytest

from optgen.cli import gpu
from optgen.cli.launch import check_launch
from optgen.crosscheck.host.running import find_cpp
from optgen.crosscheck.launch.standin import compile_kernels, entries_of
from optgen.errors import BackendUnavailable
from optgen.runtime.cuda import driver, images
from optgen.runtime.cuda.driver import Driver


@pytest.fixture
def hardware(standin, printed, monkeypatch):
    try:
        images.find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(error.what)
    printed("adamw")
    monkeypatch.setattr(driver, "find_driver", lambda: Driver(str(standin.path)))
    monkeypatch.setattr(gpu, "SIZES", (5, 0, 1023))


def test_equal_bits_pass_and_the_device_is_named(hardware):
    found = gpu.check_gpu(("adamw",), None, ())
    assert [(c.subject, c.outcome) for c in found.checks] == [("adamw", "passed")]
    assert found.checks[0].detail == "= NumPy on stand-in 0 (no GPU)"
    assert "sm_90" in found.notes[0]


def test_another_bit_fails(hardware, standin, printed, tmp_path):
    rule = printed("adamw")
    text = rule.source.replace("exp_avg_v.x, exp_avg_sq_v.x", "exp_avg_v.y, exp_avg_sq_v.x")
    assert text != rule.source
    standin.register(
        compile_kernels(find_cpp(), text, entries_of(rule.kernels), tmp_path, "broken")
    )
    try:
        found = gpu.check_gpu(("adamw",), None, ())
    finally:
        standin.register(
            compile_kernels(find_cpp(), rule.source, entries_of(rule.kernels), tmp_path, "whole")
        )
    assert found.checks[0].outcome == "failed"
    assert "differs from the NumPy module" in found.checks[0].detail


def test_without_a_driver_the_level_is_off(monkeypatch):
    def missing():
        return Driver("libcuda-that-is-not-there.so.1")

    monkeypatch.setattr(driver, "find_driver", missing)
    with pytest.raises(BackendUnavailable, match="no CUDA driver"):
        gpu.check_gpu(("adamw",), None, ())


def test_the_level_launch_says_that_no_gpu_took_part(standin):
    found = check_launch(("sgd",), None, ())
    assert [(c.subject, c.outcome) for c in found.checks] == [("sgd (driver)", "passed")]
    assert "no GPU took part" in found.notes[0]
