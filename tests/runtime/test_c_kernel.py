"""Compiled C behind the calling convention of the NumPy modules: same bits, checks and words."""

import gc
import os
import platform
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest

import optgen

SHAPES = [(0,), (), (1,), (3, 5), (0, 4), (1023,), (16384,), (40001,), (7, 4099)]


def tensors(kernel, dtype, seed=0, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    params = [np.asarray(rng.standard_normal(shape).astype(dtype)) for shape in shapes]
    return params, [kernel.init(p) for p in params], rng


def gradients(params, rng):
    return [np.asarray(rng.standard_normal(p.shape).astype(p.dtype)) for p in params]


def bits(value):
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return [bits(item) for item in value]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["adamw", "nadam", "lamb", "sgd"])
def test_lists_follow_the_numpy_module_bit_for_bit(name, dtype, both):
    module, kernel = both(name)
    left, left_states, rng = tensors(module, dtype)
    right, right_states = deepcopy(left), deepcopy(left_states)
    for step in range(4):
        given = gradients(left, rng)
        lr = 0.1 / (step + 1)
        module.step(left, given, left_states, lr=lr)
        kernel.step(right, given, right_states, lr=lr)
        assert bits(left) == bits(right)
        assert bits(left_states) == bits(right_states)


def test_one_array_alone(both):
    module, kernel = both("adamw")
    left = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    right = left.copy()
    states = module.init(left), kernel.init(right)
    assert bits(states[0]) == bits(states[1])
    for _ in range(3):
        module.step(left, np.ones_like(left), states[0])
        kernel.step(right, np.ones_like(right), states[1])
    assert bits(left) == bits(right)
    assert bits(states[0]) == bits(states[1])


def test_both_types_in_one_list_and_counters_that_differ(both):
    module, kernel = both("nadam")
    left = [np.ones(5, np.float32), np.ones(7), np.ones(2, np.float32), np.ones(40000)]
    left_states = [module.init(p) for p in left]
    module.step(left[1], np.ones(7), left_states[1])
    right, right_states = deepcopy(left), deepcopy(left_states)
    for _ in range(3):
        given = [np.full_like(p, 0.5) for p in left]
        module.step(left, given, left_states)
        kernel.step(right, given, right_states)
    assert bits(left) == bits(right)
    assert bits(left_states) == bits(right_states)
    assert [int(s["step"]) for s in right_states] == [3, 4, 3, 3]


def test_nothing_at_all(both):
    both("adamw")[1].step([], [], [])


def test_the_words_of_refusals_are_those_of_the_module(both):
    module, kernel = both("adamw")
    param = np.ones(4, np.float32)
    state = kernel.init(param)
    frozen = np.ones(4, np.float32)
    frozen.flags.writeable = False
    other = np.ones(8, np.float32)
    calls = [
        ((param, np.ones(4), state), {}),
        ((param, np.ones(5, np.float32), state), {}),
        ((param, param, state), {}),
        ((frozen, np.ones(4, np.float32), state), {}),
        ((other[::2], np.ones(4, np.float32), state), {}),
        ((param, [1.0] * 4, state), {}),
        (([param], [param, param], [state]), {}),
        (([param], [param], state), {}),
        ((param, np.ones(4, np.float32), {}), {}),
        ((param, np.ones(4, np.float32), None), {}),
        ((param, np.ones(4, np.float32), state), {"lr": -1.0}),
        ((param, np.ones(4, np.float32), state), {"learning_rate": 1.0}),
        ((param, np.ones(4, np.float32), state), {"eps": "small"}),
        (([param, param], [param, param], [state, state]), {}),
    ]
    before = bits([param, *state.values()])
    for given, chosen in calls:
        said = []
        for target in (module, kernel):
            with pytest.raises((TypeError, ValueError)) as error:
                target.step(*given, **chosen)
            said.append((error.type, str(error.value)))
        assert said[0] == said[1]
        assert bits([param, *state.values()]) == before


# --- what is kept from one call to the next ------------------------------------------


def prepared(both, name="adamw"):
    module, kernel = both(name)
    params, states, rng = tensors(module, np.float32, shapes=[(50,), (60,)])
    given = gradients(params, rng)
    kernel.step(params, given, states)
    return module, kernel, params, given, states


def test_the_same_arrays_are_not_checked_twice(both, monkeypatch):
    _, kernel, params, given, states = prepared(both)
    monkeypatch.setattr(kernel, "_check", None)
    kernel.step(params, given, states)
    kernel.step(list(params), tuple(given), list(states))
    assert [int(s["step"]) for s in states] == [3, 3]


@pytest.mark.parametrize("change", ["grad", "param", "state", "counter"])
def test_a_new_array_is_seen(change, both):
    module, kernel, params, given, states = prepared(both)
    if change == "grad":
        given[1] = given[1] * 2
    elif change == "param":
        params[0] = params[0] + 1
    elif change == "state":
        states[0]["exp_avg"] = states[0]["exp_avg"] + 1
    else:
        states[1]["step"] = np.array(40)
    wanted = deepcopy((params, given, states))
    module.step(*wanted)
    kernel.step(params, given, states)
    assert bits(params) == bits(wanted[0])
    assert bits(states) == bits(wanted[2])


def test_new_gradients_are_not_looked_at_in_full(both, monkeypatch):
    module, kernel, params, given, states = prepared(both)
    wanted = deepcopy((params, given, states))
    monkeypatch.setattr(kernel, "_check", None)
    for factor in (2, 3):
        new = [g * np.float32(factor) for g in given]
        module.step(wanted[0], new, wanted[2])
        kernel.step(params, new, states)
    assert bits(params) == bits(wanted[0])
    assert bits(states) == bits(wanted[2])


@pytest.mark.parametrize("overlaps", ["exactly", "before", "behind", "step"])
def test_a_new_gradient_in_the_memory_of_a_state_is_refused(overlaps, both):
    _, kernel = both("momentum")
    memory = np.zeros(40, np.float32)
    param, grad = np.ones(10, np.float32), np.ones(10, np.float32)
    state = kernel.init(param)
    state["momentum_buffer"] = memory[15:25]
    state["step"] = memory[30:32].view(np.int64).reshape(())
    kernel.step(param, grad, state)
    kernel.step(param, memory[25:30].repeat(2), state)
    kernel.step(param, memory[5:15], state)
    at = {"exactly": 15, "before": 6, "behind": 24, "step": 22 + 8}[overlaps]
    before = bits(param)
    with pytest.raises(ValueError, match="overlap in memory"):
        kernel.step(param, memory[at : at + 10], state)
    assert bits(param) == before


@pytest.mark.parametrize(
    "wrong",
    [np.ones(60), np.ones(61, np.float32), np.ones((60, 2), np.float32)[:, 0], [1.0] * 60, None],
)
def test_a_wrong_new_gradient_is_refused_in_the_words_of_the_module(wrong, both):
    module, kernel, params, given, states = prepared(both)
    said = []
    for target in (module, kernel):
        with pytest.raises((TypeError, ValueError)) as error:
            target.step(params, [given[0], wrong], states)
        said.append(str(error.value))
    assert said[0] == said[1]
    kernel.step(params, given, states)


def test_an_array_that_became_read_only_is_refused(both):
    _, kernel, params, given, states = prepared(both)
    params[1].flags.writeable = False
    with pytest.raises(ValueError, match="param of tensor 1 is read-only"):
        kernel.step(params, given, states)


def test_an_array_that_changed_its_shape_is_refused(both):
    _, kernel, params, given, states = prepared(both)
    given[0].resize((2, 25), refcheck=False)
    with pytest.raises(ValueError, match=r"grad of tensor 0 has shape \(2, 25\)"):
        kernel.step(params, given, states)


def test_an_array_that_is_kept_does_not_move(both):
    """The tables hold addresses, and rest on NumPy refusing this."""
    _, _kernel, params, _, states = prepared(both)
    for array in (params[0], states[1]["exp_avg"]):
        with pytest.raises(ValueError, match="cannot resize"):
            array.resize((10**6,), refcheck=False)


def test_an_array_whose_type_was_changed_is_refused(both):
    _, kernel, params, given, states = prepared(both)
    given[1].dtype = np.int32
    with pytest.raises(TypeError, match="grad of tensor 1 has type int32"):
        kernel.step(params, given, states)


def test_a_state_that_lost_an_array_is_refused(both):
    _, kernel, params, given, states = prepared(both)
    del states[0]["exp_avg"]
    with pytest.raises(TypeError, match="has no 'exp_avg'"):
        kernel.step(params, given, states)


def test_lists_of_other_lengths_with_the_same_arrays_in_a_row(both):
    _, kernel = both("sgd")
    param, grad = np.ones(3), np.ones(3)
    state = kernel.init(param)
    kernel.step([param], [grad], [state])
    with pytest.raises(TypeError, match="lists of one length"):
        kernel.step([param, grad], [], [state])


def test_arrays_are_not_kept_alive_and_new_ones_are_never_taken_for_old(both):
    module, kernel = both("momentum")
    for size in (1000, 3, 1000, 70, 1000):  # memory and identities are used again
        param = np.full(size, 2.0, np.float32)
        grad = np.full(size, 0.5, np.float32)
        state = kernel.init(param)
        wanted, wanted_state = param.copy(), module.init(param)
        for _ in range(2):
            kernel.step(param, grad, state)
            module.step(wanted, grad, wanted_state)
        assert bits(param) == bits(wanted)
        del param, grad, state
        gc.collect()
        assert not any(plan.alive for plan in kernel._plans.values())


# --- threads, processes, the environment ------------------------------------------------

WORK = """
import hashlib, os, sys
import numpy as np
import optgen
kernel = optgen.load_kernel({name!r}, target="c")
rng = np.random.default_rng(5)
params = [rng.standard_normal(n).astype(np.float32) for n in (300001, 7, 65536, 40000)]
states = [kernel.init(p) for p in params]
def work():
    for _ in range(3):
        kernel.step(params, [p * np.float32(0.5) for p in params], states, lr=0.1)
    return hashlib.sha256(b"".join(p.tobytes() for p in params)).hexdigest()
"""


def ran(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_the_number_of_threads_is_heard_and_changes_no_bit(name, compiler):
    if "-fopenmp" not in compiler.flags():
        pytest.skip("this compiler has no OpenMP")
    code = WORK.format(name=name) + "print(work(), len(os.listdir('/proc/self/task')))"
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("threads cannot be counted here")
    base = {"OPENBLAS_NUM_THREADS": "1"}
    found = [ran(code, OMP_NUM_THREADS=str(n), **base) for n in (1, 2, 5)]
    assert len({digest for digest, _ in found}) == 1
    counts = [int(count) for _, count in found]
    assert [count - counts[0] for count in counts] == [0, 1, 4]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("loads_again", [False, True])
def test_a_forked_process_goes_on(loads_again, compiler):
    again = "kernel = optgen.load_kernel('adamw', target='c')" if loads_again else "pass"
    code = (
        WORK.format(name="lamb")
        + f"""
before = [p.copy() for p in params], [dict((k, v.copy()) for k, v in s.items()) for s in states]
wanted = work()
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    params, states = before
    digest = work()
    {again}
    kernel.step(params, [p + 1 for p in params], [kernel.init(p) for p in params])
    os.write(writer, digest.encode())
    os._exit(0)
os.close(writer)
assert os.waitpid(child, 0)[1] == 0
print(os.read(reader, 100).decode() == wanted, work() != wanted)
"""
    )
    assert ran(code, OMP_NUM_THREADS="3") == ["True", "True"]


def test_flush_to_zero_set_by_another_library_changes_nothing(both, compiler, tmp_path):
    source = """#include <xmmintrin.h>
int optgen_flush(int on) { int was = _mm_getcsr(); _mm_setcsr(on ? was | 0x8040 : was & ~0x8040);
  return was; }
"""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("written for x86")
    import ctypes

    path = tmp_path / "flush.so"
    path.write_bytes(compiler.compile(source, "flush.c", compiler.flags()))
    flush = ctypes.CDLL(str(path)).optgen_flush
    module, kernel = both("momentum")
    tiny = np.full(100, np.finfo(np.float32).tiny, np.float32)
    quarter = tiny / 4
    left, right = tiny * 3, tiny * 3
    states = module.init(left), kernel.init(right)
    module.step(left, tiny, states[0], lr=0.5, momentum=0.5)
    flush(1)
    try:
        kernel.step(right, tiny, states[1], lr=0.5, momentum=0.5)
        kernel.step(right, quarter, states[1], lr=0.5, momentum=0.5)
        still = flush(1) & 0x8040
    finally:
        flush(0)
    module.step(left, quarter, states[0], lr=0.5, momentum=0.5)
    assert still == 0x8040  # the caller's setting is given back
    assert bits(left) == bits(right)


# --- by name --------------------------------------------------------------------------


def test_a_kernel_in_c_by_the_name_of_its_rule(compiler):
    kernel = optgen.load_kernel("rmsprop:centered", target="c")
    assert repr(kernel) == "<C kernel 'rmsprop_centered'>"
    assert "rmsprop" in kernel.__doc__
    param = np.ones(3)
    state = kernel.init(param)
    kernel.step(param, np.ones(3), state)
    assert state["step"] == 1
    assert (param < 1).all()


def test_without_a_compiler_the_c_kernel_says_so_and_numpy_works(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(optgen.OptgenError, match="no C compiler") as error:
        optgen.load_kernel("adamw", target="c")
    assert "install gcc or clang" in error.value.fix
    optgen.load_kernel("adamw").init(np.ones(3))
