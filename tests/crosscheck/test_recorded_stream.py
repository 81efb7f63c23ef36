"""Every rule on gradients of a real training run: NumPy, the IR and compiled CUDA, step by step."""

from pathlib import Path

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.abi import abi
from optgen.backends.base import Heading
from optgen.crosscheck.cuda_run import run_ptx
from optgen.crosscheck.inputs import Case, first_difference, hyperparameters
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages
from optgen.crosscheck.numpy_run import load_module
from optgen.crosscheck.ptx import parse
from optgen.errors import BackendUnavailable
from optgen.ir import DType
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.runtime.cache import compile_cached
from optgen.runtime.nvrtc import find_nvrtc

STREAM = Path(__file__).parents[1] / "data" / "digits_gradients.npz"
RULES = load_catalogue()
STEPS = 12


@pytest.fixture(scope="module")
def nvrtc():
    try:
        return find_nvrtc()
    except BackendUnavailable as error:
        pytest.skip(f"no NVRTC: {error.what}")


@pytest.mark.parametrize("name", RULES)
def test_all_three_give_the_same_bits_on_recorded_gradients(name, nvrtc):
    spec = RULES[name]
    kernel = run_passes(lower(spec, DType.FLOAT32))
    heading = Heading.of(spec)
    module = load_module(name, BACKENDS["numpy"].render(heading, [kernel])[0].text)
    text = BACKENDS["cuda"].render(heading, [kernel])[0].text
    compiled = parse(compile_cached(nvrtc, text, f"{spec.identifier}.cu", "sm_90").ptx)
    recorded = np.load(STREAM)
    param = recorded["param"].reshape(-1).copy()
    state = module.init(param)
    chosen = hyperparameters(spec)
    for step in range(1, STEPS + 1):
        grad = recorded["gradients"][step].reshape(-1)
        arrays = {"param": param, "grad": grad, **state}
        arrays = {b.name: arrays[b.name].copy() for b in kernel.buffers}
        scalars = {s.name: float(state[s.name]) for s in kernel.scalar_states}
        host = host_values(kernel, chosen, step, scalars, param.size)
        given = kernel_scalars(kernel, host)
        by_ir = run_stages(kernel, arrays, given)
        case = Case(param.size, step=step, grid=2)
        by_cuda = run_ptx(compiled, kernel, abi(kernel), arrays, given, case).arrays
        module.step(param, grad, state, **chosen)
        by_numpy = {b.name: {"param": param, "grad": grad, **state}[b.name] for b in kernel.buffers}
        assert first_difference(by_ir, by_numpy) == ""
        assert first_difference(by_ir, by_cuda) == ""
    assert not np.array_equal(param, recorded["param"].reshape(-1))
