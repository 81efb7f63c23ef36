"""The launcher that goes through PyCUDA, unchanged PyCUDA, on the stand-in driver.

PyCUDA links the driver's library, so all of it happens in a process that finds the stand-in in its
place. `OPTGEN_PYCUDA_PYTHON` names a Python that has PyCUDA; CI makes one (.ci/pycuda).
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from optgen.crosscheck.host.running import HostCompiler, find_cpp
from optgen.crosscheck.launch.launching import image_of_names, printed_rule
from optgen.crosscheck.launch.standin import compile_kernels, compile_standin, entries_of
from optgen.loader import load_catalogue
from optgen.runtime.compiler import find_compiler
from optgen.runtime.cuda.description import parse_description

ROOT = Path(__file__).resolve().parents[3]
START = """
    import ctypes, sys
    from pathlib import Path
    import numpy as np
    from optgen.runtime.borrowed import own_copy
    from optgen.runtime.cuda.description import read_description
    from optgen.runtime.cuda.driver import find_driver
    from optgen.runtime.cuda.images import Image
    from optgen.runtime.cuda.kernel import CudaKernel

    folder, name = Path(sys.argv[1]), sys.argv[2]
    standin = ctypes.CDLL("libcuda.so.1")
    standin.standin_said.restype = ctypes.c_char_p
    standin.standin_last_stream.restype = ctypes.c_size_t
    assert standin.standin_register(str(folder / f"{name}.so").encode()) == 0
    image = Image((folder / "image").read_bytes(), "image")

    def kernel(launcher="pycuda"):
        description = read_description(folder / f"{name}.json")
        copy = own_copy(name, folder / f"{name}.py", "cuda")
        return CudaKernel(name, description, lambda arch: image, copy, find_driver(), launcher)

    module = own_copy(name, folder / f"{name}.py", "numpy")
"""


@pytest.fixture(scope="module")
def python():
    found = os.environ.get("OPTGEN_PYCUDA_PYTHON") or sys.executable
    asked = "import importlib.util as u; p = u.find_spec('pycuda'); print(p.origin if p else '')"
    ran = subprocess.run([found, "-c", asked], capture_output=True, text=True, check=False)
    if ran.returncode or not ran.stdout.strip():
        pytest.skip("PyCUDA is not installed; .ci/pycuda builds it for OPTGEN_PYCUDA_PYTHON")
    (library,) = Path(ran.stdout.strip()).parent.glob("_driver*.so")
    return found, library.read_bytes()


@pytest.fixture(scope="module")
def run(python, tmp_path_factory):
    """Gives what a program printed, which is run with a rule's kernels in the stand-in."""
    interpreter, client = python
    cc = find_compiler()
    folder = tmp_path_factory.mktemp("pycuda")
    compile_standin(HostCompiler(cc.command, cc.version), folder, client)

    def give(name, program):
        rule = printed_rule(load_catalogue()[name])
        if not (folder / f"{name}.so").exists():
            compile_kernels(find_cpp(), rule.source, entries_of(rule.kernels), folder, name)
        (folder / f"{name}.json").write_text(rule.description, encoding="utf-8")
        (folder / f"{name}.py").write_text(rule.module, encoding="utf-8")
        variants = parse_description(rule.description).variants
        names = [launch.entry for variant in variants for launch in variant.launches]
        (folder / "image").write_bytes(image_of_names(names))
        text = textwrap.dedent(START) + textwrap.dedent(program)
        environment = {
            **os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        return subprocess.run(
            [interpreter, "-c", text, str(folder), name],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return give


@pytest.mark.parametrize("name", ["adamw", "nadam", "lamb"])
def test_the_bits_of_the_module(name, run):
    ran = run(
        name,
        """
        found = kernel()
        for kind in (np.float32, np.float64):
            hosts = [np.linspace(-1, 1, n).astype(kind) for n in (1, 1003, 20000)]
            grads = [np.linspace(2, -1, n).astype(kind) for n in (1, 1003, 20000)]
            params = [found.to_device(host) for host in hosts]
            states, wanted = [found.init(p) for p in params], [module.init(h) for h in hosts]
            for _ in range(3):
                found.step(params, [found.to_device(g) for g in grads], states, lr=0.1)
                module.step(hosts, grads, wanted, lr=0.1)
            for param, host, state, want in zip(params, hosts, states, wanted):
                assert param.numpy().tobytes() == host.tobytes()
                assert state["exp_avg"].numpy().tobytes() == want["exp_avg"].tobytes()
                assert state["step"] == 3
        assert standin.standin_said() == b""
        print("same", standin.standin_launches())
        """,
    )
    assert ran.returncode == 0, ran.stderr
    stages = 3 if name == "lamb" else 1
    assert ran.stdout == f"same {2 * 3 * 3 * stages}\n"


def test_its_own_arrays_and_streams_with_both_launchers(run):
    ran = run(
        "adamw",
        """
        import pycuda.autoprimaryctx
        import pycuda.driver as cuda
        import pycuda.gpuarray as gpuarray

        for launcher in ("driver", "pycuda"):
            host, grad = np.ones(1003, np.float32), np.linspace(2, -1, 1003, dtype=np.float32)
            param, there = gpuarray.to_gpu(host), gpuarray.to_gpu(grad)
            found, stream = kernel(launcher), cuda.Stream()
            state, wanted = found.init(param), module.init(host)
            found.step(param, there, state, stream=stream)
            assert standin.standin_last_stream() == stream.handle
            module.step(host, grad, wanted)
            assert param.get().tobytes() == host.tobytes()
            assert cuda.Context.get_current() is not None
        print("same")
        """,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "same\n"


def test_what_it_refuses(run):
    ran = run(
        "adamw",
        """
        from optgen.errors import LaunchError, UsageError

        found = kernel()
        param = found.to_device(np.ones(3, np.float32))
        grad, state = found.to_device(np.ones(3, np.float32)), found.init(param)
        for name, status in (("cuModuleLoadData", 200), ("cuModuleGetFunction", 500)):
            standin.standin_fail(name.encode(), status)
            try:
                found.step(param, grad, state)
            except LaunchError as error:
                print(error.what.split(":")[0])
        found.step(param, grad, state)
        standin.standin_fail(b"cuLaunchKernel", 719)
        for stream in (None, 5):
            try:
                found.step(param, grad, state, stream=stream)
            except (LaunchError, UsageError) as error:
                print(error.what.split(":")[0], state["step"])
        """,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "PyCUDA could not launch or load image",
        "PyCUDA could not launch or load optgen_adamw_float32",
        "PyCUDA could not launch or load optgen_adamw_float32 1",
        "PyCUDA cannot launch on 5 1",
    ]
