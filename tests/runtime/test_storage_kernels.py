"""Kernels of storage mixes as users call them: NumPy modules and compiled C, step by step."""

import functools
import sys

import numpy as np
import pytest

from optgen.backends import BACKENDS
from optgen.backends.base import Heading
from optgen.crosscheck.numpy_run import load_module
from optgen.errors import UsageError
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.runtime.load import load_c, load_kernel
from optgen.storage import parse_storage

ml_dtypes = pytest.importorskip("ml_dtypes")
RULES = load_catalogue()
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
PLAIN = "bfloat16-bfloat16-bfloat16"
SGD = {"lr": 2.0**-10}


@functools.cache
def texts(rule, mix):
    storage = parse_storage(mix)
    kernel = store_as(run_passes(lower(RULES[rule], storage.arithmetic)), storage)
    heading = Heading.of(RULES[rule], storage)
    files = [BACKENDS[t].render(heading, [kernel])[0].text for t in ("numpy", "c")]
    return heading.identifier, *files


def module(rule, mix):
    identifier, text, _ = texts(rule, mix)
    return load_module(identifier, text)


@pytest.fixture
def compiled(compiler, tmp_path):
    def give(rule, mix):
        identifier, numpy, c = texts(rule, mix)
        (tmp_path / "kernel.py").write_text(numpy, encoding="utf-8")
        (tmp_path / "kernel.c").write_text(c, encoding="utf-8")
        return load_c(identifier, tmp_path / "kernel.c", tmp_path / "kernel.py")

    return give


def tensors(dtype, sizes):
    rng = np.random.default_rng(3)
    return [rng.standard_normal(n).astype(dtype) for n in sizes]


@pytest.mark.parametrize(
    ("rule", "mix"),
    [
        ("adamw", "bfloat16-bfloat16-float32"),
        ("lamb", "bfloat16-bfloat16-bfloat16+stochastic"),
        ("nadam", "bfloat16-bfloat16-bfloat16-float32"),
        ("lion", "float16-float16-float32+kahan"),
        ("adagrad", "float32-float32-float64"),
    ],
)
def test_c_does_what_numpy_does_call_by_call(rule, mix, compiled):
    kernels = module(rule, mix), compiled(rule, mix)
    storage = parse_storage(mix)
    types = [t.value for t in storage.types]
    dtypes = [BFLOAT16 if t == "bfloat16" else np.dtype(t) for t in types]
    runs = []
    for kernel in kernels:
        params = tensors(dtypes[0], (40000, 7, 0, 1000))
        states = [kernel.init(p) for p in params]
        options = {"eps": 0.01} if "float16" in types and rule != "lion" else {}
        options |= {"seed": 2**32 - 5} if "stochastic" in mix else {}
        grads = tensors(dtypes[1], (40000, 7, 0, 1000))
        for _ in range(4):  # the later calls take the short way into C
            kernel.step(params, grads, states, **options)
        grads = [(g * 2).astype(g.dtype) for g in grads]
        kernel.step(params, grads, states, **options)
        runs.append([*params, *(s[n] for s in states for n in sorted(s))])
    for left, right in zip(*runs, strict=True):
        assert left.dtype == right.dtype
        assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize("done", [2**32 - 3, 2**40, 2**53 - 4])
def test_random_numbers_of_late_steps_are_the_same_on_both(done, compiled):
    mix = "bfloat16-bfloat16-bfloat16+stochastic"
    runs = []
    for kernel in (module("sgd", mix), compiled("sgd", mix)):
        (param,), (grad,) = tensors(BFLOAT16, (100,)), tensors(BFLOAT16, (100,))
        state = kernel.init(param)
        state["step"][...] = done
        seen = []
        for _ in range(3):
            kernel.step(param, grad, state, lr=2.0**-10, seed=7)
            seen.append(param.tobytes())
        assert int(state["step"]) == done + 3
        assert len(set(seen)) == 3
        runs.append(seen)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("seed", [-1, 2**32, float("nan"), float("inf"), -0.5])
def test_seeds_out_of_range_are_refused_and_nothing_changes(seed, compiled):
    mix = "bfloat16-bfloat16-bfloat16+stochastic"
    for kernel in (module("sgd", mix), compiled("sgd", mix)):
        (param,), (grad,) = tensors(BFLOAT16, (10,)), tensors(BFLOAT16, (10,))
        state = kernel.init(param)
        before = param.tobytes()
        for _ in range(2):  # the second call of a state takes the short way into C
            with pytest.raises(ValueError, match="seed = "):
                kernel.step(param, grad, state, lr=0.1, seed=seed)
            assert (param.tobytes(), int(state["step"])) == (before, 0)


def test_arrays_swapped_between_steps_are_the_ones_updated(compiled):
    mix = "bfloat16-bfloat16-float32"
    runs = []
    for kernel in (module("adamw", mix), compiled("adamw", mix)):
        params, grads = tensors(BFLOAT16, (50, 60)), tensors(BFLOAT16, (50, 60))
        states = [kernel.init(p) for p in params]
        for _ in range(3):
            kernel.step(params, grads, states)
        params[0], params[1] = params[1], params[0]
        grads.reverse()
        states.reverse()
        kernel.step(params, grads, states)
        states[0]["exp_avg"] = states[0]["exp_avg"].copy()  # another array in its place
        old = params[1]
        params[1] = old.copy()
        kernel.step(params, grads, states)
        assert old.tobytes() != params[1].tobytes()
        runs.append([*params, *(s[n] for s in states for n in sorted(s))])
    for left, right in zip(*runs, strict=True):
        assert left.tobytes() == right.tobytes()


def test_states_start_in_their_types():
    param = tensors(BFLOAT16, (5,))[0]
    state = module("adamw", "bfloat16-float32-float16-float32").init(param)
    assert {n: a.dtype.name for n, a in state.items()} == {
        "exp_avg": "float16", "exp_avg_sq": "float16", "master": "float32", "step": "int64",
    }  # fmt: skip
    assert np.array_equal(state["master"], param.astype(np.float32))
    assert not np.shares_memory(state["master"], param)
    wide = np.ones(3, np.float32)
    assert module("adamw", "float32-float32-bfloat16").init(wide)["exp_avg"].dtype == BFLOAT16


def test_each_array_of_a_wrong_type_is_named():
    kernel = module("adamw", "bfloat16-float32-float16")
    param, grad = np.ones(3, BFLOAT16), np.ones(3, np.float32)
    state = kernel.init(param)
    with pytest.raises(TypeError, match="grad has type bfloat16; this kernel keeps it in float32"):
        kernel.step(param, param.copy(), state, eps=0.1)
    with pytest.raises(TypeError, match="param has type float32; this kernel keeps it in bfloat"):
        kernel.init(grad)
    state["exp_avg"] = state["exp_avg"].astype(np.float32)
    with pytest.raises(TypeError, match="exp_avg of tensor 1 has type float32; this kernel keeps"):
        kernel.step(
            [param, param.copy()], [grad, grad.copy()], [kernel.init(param), state], eps=0.1
        )


def test_without_ml_dtypes_bfloat16_states_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match="pip install ml_dtypes"):
        module("adamw", "float32-float32-bfloat16").init(np.ones(3, np.float32))
    kernel = module("adamw", "float32-float32-float16")  # which has none
    kernel.step(np.ones(3, np.float32), np.ones(3, np.float32), kernel.init(np.ones(3, np.float32)),
                eps=0.1)  # fmt: skip


def test_squares_in_float16_refuse_an_eps_that_float16_does_not_hold():
    kernel = module("adamw", "float32-float32-float16")
    param = np.ones(3, np.float32)
    state = kernel.init(param)
    with pytest.raises(ValueError, match=r"eps = 1e-08 lies outside \[5\.96.*kept in float16"):
        kernel.step(param, param.copy(), state)
    assert state["step"] == 0


def steps(mix, count):
    """A thousandth of 1 is taken from 1, again and again: too little for bfloat16 to see."""
    kernel = module("sgd", mix)
    param = np.ones(4096, BFLOAT16)
    state, grad = kernel.init(param), np.ones(4096, BFLOAT16)
    for _ in range(count):
        kernel.step(param, grad, state, **SGD)
    return param.astype(np.float32)


def test_what_rounding_loses_master_kahan_and_chance_keep():
    assert (steps(PLAIN, 256) == 1).all()
    assert (steps(f"{PLAIN}-float32", 256) == 0.75).all()
    assert (steps(f"{PLAIN}+kahan", 256) == 0.75).all()
    by_chance = steps(f"{PLAIN}+stochastic", 256)
    assert abs(by_chance.mean() - 0.75) < 0.003
    assert by_chance.std() > 0.01


def test_infinities_and_nan_survive_every_rounding():
    values = np.array([np.inf, -np.inf, np.nan, 3e38, 1e-45], np.float32)
    for mix in (PLAIN, f"{PLAIN}-float32", f"{PLAIN}+stochastic"):
        kernel = module("sgd", mix)
        param = values.astype(BFLOAT16)
        kernel.step(param, np.zeros(5, BFLOAT16), kernel.init(param), **SGD)
        found = param.astype(np.float32)
        assert np.array_equal(np.isnan(found), np.isnan(values)), mix
        assert np.array_equal(np.isinf(found), np.isinf(values)), mix


def test_a_mix_that_was_not_built_says_how_to_build_it():
    with pytest.raises(UsageError, match="no generated kernel 'sgd' in storage 'float16-float16-f"):
        load_kernel("sgd", storage="float16-float16-float16")
    assert load_kernel("sgd", storage="float32-float32-float32").init(np.ones(2))
    assert load_kernel("sgd", storage=None) is load_kernel("sgd", storage="")
    with pytest.raises(UsageError, match="the storage is of type tuple"):
        load_kernel("sgd", storage=("bfloat16", "bfloat16", "float32"))
    with pytest.raises(UsageError, match="the name is of type int"):
        load_kernel(3)


def test_a_build_without_ml_dtypes_prints_and_says_what_it_did_not_run(monkeypatch):
    from optgen.building.rule_build import build_rule

    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    built = build_rule(RULES["sgd"], ("c", "cuda"), ("float32",), (), ("bfloat16-float32-float32",))
    mixed = [row for row in built.rows if row.dtype == "bfloat16-float32-float32"]
    assert [(row.target, row.run, row.algebra) for row in mixed] == [
        ("c", "off", "equal"),
        ("cuda", "off", "equal"),
    ]
    assert mixed[0].proof in ("equal", "off", "not looked at")  # which needs no arrays
    assert any("pip install 'optgen[bfloat16]'" in line for line in built.levels)
    assert "c/sgd_bfloat16_float32_float32.c" in {file.path for file in built.files}
