"""What generated NumPy kernels promise besides the numbers of one step."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from copy import deepcopy

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck import inputs
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages
from optgen.crosscheck.numpy_run import load_module
from optgen.ir import CHUNK, DType
from optgen.lower import lower
from optgen.passes import run_passes


def start(rule, shape, dtype=np.float32, seed=1):
    rng = np.random.default_rng(seed)
    param = rng.standard_normal(shape).astype(dtype)
    return param, rule[2].init(param), rng


@pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)
@pytest.mark.parametrize("n", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_bits_do_not_depend_on_where_blocks_end(rule, n, dtype):
    spec, _, module = rule
    kernel = run_passes(lower(spec, dtype))
    case = inputs.Case(n, step=3)
    arrays = inputs.arrays(kernel, spec, case, seed=n)
    chosen, states = inputs.hyperparameters(spec), inputs.scalar_states(kernel)
    host = host_values(kernel, chosen, case.step, states, n)
    expected = run_stages(kernel, arrays, kernel_scalars(kernel, host))
    held = {name: array.copy() for name, array in arrays.items()}
    state = {b.name: held[b.name] for b in kernel.buffers if b.role == "state"}
    state |= {name: np.array(value) for name, value in states.items()}
    state["step"] = np.array(case.step - 1)
    module.step(held["param"], held["grad"], state, **chosen)
    assert inputs.first_difference(expected, held) == ""


def test_shape_does_not_matter_and_the_gradient_is_never_written(rule):
    module = rule[2]
    flat, state, rng = start(rule, 24)
    cube, cube_state = flat.copy().reshape(2, 3, 4), module.init(flat.reshape(2, 3, 4))
    for _ in range(4):
        grad = rng.standard_normal(24).astype(np.float32)
        kept = grad.copy()
        module.step(flat, grad, state)
        module.step(cube, grad.reshape(2, 3, 4), cube_state)
        assert np.array_equal(grad, kept)
    assert np.array_equal(flat, cube.reshape(-1))
    for name, value in state.items():
        assert np.array_equal(value, cube_state[name].reshape(value.shape))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1)])
def test_scalars_and_empty_arrays(rule, shape):
    module = rule[2]
    param, state, _ = start(rule, shape)
    param = np.asarray(param)
    state = module.init(param)
    module.step(param, np.ones(shape, np.float32), state)
    assert param.shape == shape
    assert state["step"] == 1
    for buffer in rule[1].buffers:
        if buffer.role == "state":
            assert state[buffer.name].shape == shape


def test_lists_are_the_tensors_one_by_one(rule):
    module = rule[2]
    shapes = [(5,), (), (2, 3), (0,)]
    rng = np.random.default_rng(8)
    params = [np.asarray(rng.standard_normal(s), np.float64) for s in shapes]
    states = [module.init(p) for p in params]
    alone, alone_states = deepcopy(params), deepcopy(states)
    for _ in range(3):
        grads = [np.asarray(rng.standard_normal(s), np.float64) for s in shapes]
        module.step(tuple(params), grads, states)
        for p, g, s in zip(alone, grads, alone_states, strict=True):
            module.step(p, g, s)
    for p, q, s, t in zip(params, alone, states, alone_states, strict=True):
        assert np.array_equal(p, q)
        assert all(np.array_equal(s[name], t[name]) for name in s)
        assert s["step"] == 3
    module.step([], [], [])


def test_state_survives_savez(rule, tmp_path):
    module = rule[2]
    param, state, rng = start(rule, (3, 4))
    grads = rng.standard_normal((6, 3, 4)).astype(np.float32)
    for grad in grads[:3]:
        module.step(param, grad, state)
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz") as stored:
        loaded = dict(stored)
    assert loaded.keys() == state.keys()
    again = param.copy()
    for grad in grads[3:]:
        module.step(param, grad, state)
        module.step(again, grad, loaded)
    assert np.array_equal(param, again)
    assert loaded["step"] == state["step"] == 6


def test_first_states_are_those_of_the_rule(rule):
    spec, kernel, module = rule
    param = np.ones((2, 2), np.float32)
    state = module.init(param)
    assert [*state] == [
        *(b.name for b in kernel.buffers if b.role == "state"),
        *(s.name for s in kernel.scalar_states),
        "step",
    ]
    for buffer in spec.state:
        assert np.all(state[buffer.name] == float(buffer.initial))
        wanted = np.float64 if buffer.shape == "scalar" else np.float32
        assert state[buffer.name].dtype == wanted
    assert state["step"].dtype == np.int64
    assert state["step"].shape == ()


def test_defaults_are_those_of_the_rule(rule):
    spec, _, module = rule
    param, state, rng = start(rule, 10)
    again, again_state = param.copy(), deepcopy(state)
    grad = rng.standard_normal(10).astype(np.float32)
    module.step(param, grad, state)
    given = {h.name: float(h.default) for h in spec.hyperparameters}
    module.step(again, grad, again_state, **given)
    assert np.array_equal(param, again)


def test_a_step_allocates_a_small_workspace_only(rule):
    """In one thread; each further one has as much for itself, and keeps it for later steps."""
    spec, kernel, _ = rule
    text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
    module = load_module(spec.identifier, text)
    module._threads = lambda: 1
    n = 1_000_000
    param, grad = np.ones(n, np.float32), np.full(n, 0.5, np.float32)
    state = module.init(param)
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(2):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            module.step(param, grad, state)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert peaks[0] < 5 << 18, f"{peaks[0]} bytes: half the parameter has been copied"
    assert peaks[1] < 1 << 16, f"{peaks[1]} bytes: the workspace is not used again"


@pytest.mark.parametrize(("name", "rows"), [("sgd", 1), ("lion", 3), ("adamw", 2), ("lamb", 3)])
def test_results_are_made_where_they_go(module_of, name, rows):
    """Each row more would take as much of the cache as an array of the rule."""
    assert module_of(name)._Workspace(np.float32, 1).rows.shape == (rows, 1)


def test_infinities_and_nan_pass_without_warnings(rule):
    module = rule[2]
    param = np.array([np.inf, np.nan, 0, 1, -1, 3e38], np.float32)
    grad = np.array([0, 1, np.nan, np.inf, -np.inf, 3e38], np.float32)
    state = module.init(param)
    for _ in range(3):
        module.step(param, grad, state)  # warnings are errors here
    assert state["step"] == 3


def test_sums_are_the_fixed_tree(module_of):
    from optgen.crosscheck.interpret import tree_sum

    module = module_of("lamb")
    rng = np.random.default_rng(12)
    for dtype in (np.float32, np.float64):
        scratch = np.empty(3 * CHUNK, dtype)
        for n in (0, 1, 2, 1023, 1025, 5000, CHUNK - 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 7):
            values = rng.standard_normal(n).astype(dtype)
            found = module._chunk_sums(values.copy(), scratch)
            wanted = [tree_sum(values[at : at + CHUNK]) for at in range(0, n, CHUNK)]
            assert found.tobytes() == np.array(wanted, dtype).tobytes()
        for count in (0, 1, 2, 3, 5, 8, 13):
            values = rng.standard_normal(count * CHUNK).astype(dtype)
            parts = [tree_sum(part) for part in values.reshape(count, CHUNK)]
            found = module._tree_sum([parts[:2], parts[2:]], np.dtype(dtype).type)
            assert found.tobytes() == tree_sum(values).tobytes()
            assert type(found) is dtype


def test_generated_files_import_nothing_but_numpy_and_the_standard_library(rule, tmp_path):
    """In one fresh process, all rules: see the test below; here each text is looked at."""
    spec, kernel, _ = rule
    text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
    lines = [x.strip() for x in text.splitlines() if x.strip().startswith(("import ", "from "))]
    assert sorted(set(lines)) == [
        "from collections import deque",
        "from queue import SimpleQueue",
        "import difflib",
        "import numpy as np",
        "import os",
        "import sys",
        "import threading",
    ]


def test_an_import_brings_in_numpy_only(tmp_path):
    from optgen.loader import load_catalogue

    for name, spec in load_catalogue().items():
        kernel = run_passes(lower(spec, DType.FLOAT32))
        text = BACKENDS["numpy"].render(Heading.of(spec), [kernel])[0].text
        (tmp_path / f"{spec.identifier}.py").write_text(text)
        assert load_module(name, text).init is not None
    code = (
        "import importlib, pathlib, sys\n"
        "names = [p.stem for p in pathlib.Path('.').glob('*.py')]\n"
        "sys.path.insert(0, '.')\n"
        "for n in names: importlib.import_module(n)\n"
        "found = {m.partition('.')[0] for m in sys.modules}\n"
        "print(sorted(found & {'sympy', 'jinja2', 'optgen', 'click', 'rich'}), len(names))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.split("]")[0] == "["
    assert int(run.stdout.split()[-1]) >= 17
