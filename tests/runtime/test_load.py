"""Kernels by name: the generated modules, unchanged, with NumPy alone."""

import subprocess
import sys

import numpy as np
import pytest

import optgen
from optgen.errors import BackendUnavailable, UsageError
from optgen.runtime import load


@pytest.mark.parametrize("name", ["adamw", "rmsprop:centered", "rmsprop_centered", "adam+l2"])
def test_a_kernel_is_found_by_the_name_of_its_rule(name):
    kernel = optgen.load_kernel(name)
    param = np.ones(3)
    state = kernel.init(param)
    kernel.step(param, np.ones(3), state)
    assert state["step"] == 1
    assert (param < 1).all()


def test_an_unknown_kernel_names_the_nearest():
    with pytest.raises(UsageError, match="there is no generated kernel 'adamm'") as error:
        optgen.load_kernel("adamm")
    assert "'adam'" in error.value.fix


def test_where_nothing_was_generated_the_fix_is_to_build(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "GENERATED", tmp_path)
    with pytest.raises(UsageError) as error:
        load.load_kernel("adam")
    assert error.value.fix == "run `optgen build`"


def test_cuda_kernels_say_what_is_missing_to_launch_them(monkeypatch):
    from optgen.runtime.cuda import driver

    def missing():
        return driver.Driver("libcuda-that-is-not-there.so.1")

    monkeypatch.setattr(driver, "find_driver", missing)
    with pytest.raises(BackendUnavailable, match="there is no CUDA driver") as error:
        optgen.load_kernel("adam", target="cuda")
    assert "install NVIDIA's driver" in error.value.fix


def test_an_unknown_launcher_names_the_nearest():
    with pytest.raises(UsageError, match="there is no launcher 'pycudda'") as error:
        optgen.load_kernel("adam", target="cuda", launcher="pycudda")
    assert "'pycuda'" in error.value.fix


def test_an_unknown_target_names_the_nearest():
    with pytest.raises(UsageError, match="there is no target 'nunpy'") as error:
        optgen.load_kernel("adam", target="nunpy")
    assert "'numpy'" in error.value.fix


def test_importing_an_installed_kernel_needs_numpy_alone():
    code = """
import sys
from optgen.kernels.numpy import adamw
assert not {"sympy", "jinja2", "click", "rich"} & set(sys.modules)
assert adamw.__name__ == "optgen.kernels.numpy.adamw"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_python_dash_m_runs_the_command_line():
    ran = subprocess.run(
        [sys.executable, "-m", "optgen", "--version"], check=True, capture_output=True, text=True
    )
    assert optgen.__version__ in ran.stdout
