"""`load_kernel(target="cuda")` in a process that finds the stand-in where the driver would be."""

import os
import subprocess
import sys
import textwrap
from types import ModuleType

import numpy as np
import pytest

from optgen.errors import LaunchError
from optgen.runtime.cuda.arrays import view_of

PROGRAM = """
    import ctypes, sys
    import numpy as np
    import optgen

    standin = ctypes.CDLL("libcuda.so.1")
    standin.standin_register(sys.argv[1].encode())
    kernel = optgen.load_kernel("adamw", target="cuda")
    module = optgen.load_kernel("adamw")
    host = np.linspace(-1, 1, 1003, dtype=np.float32)
    grad = np.linspace(2, -3, 1003, dtype=np.float32)
    param = kernel.to_device(host)
    state, wanted = kernel.init(param), module.init(host)
    for _ in range(3):
        kernel.step(param, kernel.to_device(grad), state, lr=0.1)
        module.step(host, grad, wanted, lr=0.1)
    assert param.numpy().tobytes() == host.tobytes()
    assert state["exp_avg"].numpy().tobytes() == wanted["exp_avg"].tobytes()
    assert state["step"] == 3
    assert "sympy" not in sys.modules
    print(kernel)
"""


def run(program, standin, *given):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(standin.path.parent)}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *given],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_process_of_its_own(standin, printed, tmp_path_factory):
    from optgen.crosscheck.host.running import find_cpp
    from optgen.crosscheck.launch.standin import compile_kernels, entries_of

    rule = printed("adamw")
    folder = tmp_path_factory.mktemp("outside")
    library = compile_kernels(find_cpp(), rule.source, entries_of(rule.kernels), folder, "adamw")
    ran = run(PROGRAM, standin, str(library))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "<CUDA kernel 'adamw'>\n"


def test_without_pycuda_the_other_launcher_is_named(standin, printed):
    pytest.importorskip("optgen")
    if __import__("importlib").util.find_spec("pycuda"):
        pytest.skip("PyCUDA is installed")
    ran = run(
        """
        import numpy as np, optgen
        kernel = optgen.load_kernel("adamw", target="cuda", launcher="pycuda")
        param = kernel.to_device(np.ones(3, np.float32))
        state = kernel.init(param)
        try:
            kernel.step(param, kernel.to_device(np.ones(3, np.float32)), state)
        except optgen.OptgenError as error:
            print(type(error).__name__, error.what, error.fix, state["step"])
        """,
        standin,
    )
    assert "BackendUnavailable PyCUDA cannot be imported" in ran.stdout, ran.stderr
    assert 'launcher="driver"' in ran.stdout
    assert ran.stdout.endswith(" 0\n")


class Tensor:
    """What the launcher asks of a torch tensor."""

    is_cuda = True

    def __init__(self, array, requires_grad=False):
        self.array, self.shape, self.dtype = array, array.shape, f"torch.{array.type}"
        self.requires_grad = requires_grad

    @property
    def __cuda_array_interface__(self):
        raise AssertionError("torch raises here for bfloat16, and where a gradient is wanted")

    def data_ptr(self):
        return self.array.view.address

    def is_contiguous(self):
        return True

    def detach(self):
        return self


@pytest.fixture
def torch(monkeypatch, kernel):
    """A module in torch's place; its current stream is 2."""
    fake = ModuleType("torch")
    found = kernel("adamw")

    class Stream:
        cuda_stream = 2

    fake.Tensor, fake.float32 = Tensor, "float32"
    fake.cuda = ModuleType("torch.cuda")
    fake.cuda.current_stream = lambda device: Stream()
    fake.full_like = lambda tensor, value, dtype: Tensor(
        found.to_device(np.full(tensor.shape, value, dtype))
    )
    monkeypatch.setitem(sys.modules, "torch", fake)
    return found, fake


def test_tensors_of_torch_and_its_current_stream(torch, standin):
    kernel, _ = torch
    param = Tensor(kernel.to_device(np.ones(5, np.float32)), requires_grad=True)
    grad = Tensor(kernel.to_device(np.ones(5, np.float32)))
    state = kernel.init(param)
    assert isinstance(state["exp_avg"], Tensor)
    kernel.step(param, grad, state)
    assert standin.last == ("optgen_adamw_float32", 1, 2)
    assert (param.array.numpy() < 1).all()
    kernel.step(param, grad, state, stream=1)
    assert standin.last[2] == 1


def test_tensors_of_torch_that_are_elsewhere(torch):
    kernel, _ = torch
    tensor = Tensor(kernel.to_device(np.ones(5, np.float32)))
    tensor.is_cuda, tensor.device = False, "cpu"
    with pytest.raises(TypeError, match=r"param is on cpu; move it: param\.cuda\(\)"):
        view_of(tensor, "param")
    tensor.is_cuda, tensor.is_contiguous = True, lambda: False
    with pytest.raises(ValueError, match=r"pass grad\.contiguous\(\)"):
        view_of(tensor, "grad of tensor 3")
    tensor.is_contiguous, tensor.dtype = (lambda: True), "torch.int64"
    with pytest.raises(TypeError, match="has type int64"):
        view_of(tensor, "param")


def test_a_message_of_the_driver_names_function_status_and_words(standin, kernel):
    found = kernel("adamw")
    standin.fail("cuMemcpyHtoD_v2", 700)
    with pytest.raises(LaunchError) as caught:
        found.to_device(np.ones(3, np.float32))
    assert "cuMemcpyHtoD_v2 failed: STANDIN_ERROR" in str(caught.value)
    assert "CUDA_LAUNCH_BLOCKING" in caught.value.fix
