"""Storage mixes: spelling, what is refused and why, and what the pass makes of a kernel."""

import numpy as np
import pytest

from optgen.errors import UsageError
from optgen.ir import DType, Half, Operation, Ref
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import kept_squares, store_as
from optgen.storage import Storage, parse_storage

RULES = load_catalogue()


def stored(rule, mix):
    storage = parse_storage(mix)
    return store_as(run_passes(lower(RULES[rule], storage.arithmetic)), storage)


@pytest.mark.parametrize(
    "text",
    [
        "float32-float32-float32",
        "bfloat16-bfloat16-float32",
        "float32-float64-float32",
        "bfloat16-float32-bfloat16-float32",
        "bfloat16-bfloat16-bfloat16+stochastic",
        "float16-float16-float32+kahan",
    ],
)
def test_a_mix_is_spelled_as_it_was_read(text):
    assert str(parse_storage(text)) == text


def test_types_of_a_mix():
    mix = parse_storage("bfloat16-float32-float16-float32")
    assert mix == Storage(Half.BFLOAT16, DType.FLOAT32, Half.FLOAT16, DType.FLOAT32)
    assert mix.arithmetic is DType.FLOAT32
    assert mix.identifier == "bfloat16_float32_float16_float32"
    assert not mix.uniform
    assert parse_storage("float64-float64-float64").uniform
    assert parse_storage("float32-float32-float64").arithmetic is DType.FLOAT64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bfloat16", "names 1 types"),
        ("float32-float32-float32-float64-float64", "names 5 types"),
        ("bfloat16-bf16-float32", "no type 'bf16'\n  Fix: did you mean 'bfloat16'"),
        ("bfloat16-bfloat16-float32+kahn", "no option '+kahn'\n  Fix: did you mean 'kahan'"),
        ("bfloat16-bfloat16-float64", "bfloat16 beside float64 buys nothing"),
        ("float32-float32-float32-float32", "a master copy in float32 holds no more"),
        ("float32-float32-float32-bfloat16", "a master copy in bfloat16 holds no more"),
        ("bfloat16-bfloat16-float32-float32+kahan", "already keeps what rounding takes off"),
        ("float32-float32-bfloat16+kahan", "nothing is taken off"),
        ("float32-float32-float32+stochastic", "neither parameter nor states are"),
        ("float16-float16-float32+stochastic", "rounds to bfloat16 only"),
        ("bfloat16-bfloat16-float32-float32+stochastic", "choose one of them"),
        ("bfloat16-bfloat16-float32+kahan+stochastic", "choose one of them"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(text, said):
    with pytest.raises(UsageError) as caught:
        parse_storage(text)
    assert said in str(caught.value)


def test_which_states_hold_squares():
    found = {
        name: kept_squares(run_passes(lower(RULES[name], DType.FLOAT32)))
        for name in ("sgd", "lion", "adamw", "rmsprop:centered", "amsgrad", "lamb")
    }
    assert found == {
        "sgd": (),
        "lion": (),
        "adamw": ("exp_avg_sq",),
        "rmsprop:centered": ("square_avg",),
        "amsgrad": ("exp_avg_sq", "max_exp_avg_sq"),
        "lamb": ("exp_avg_sq",),
    }


def test_squares_in_float16_need_an_eps_that_float16_holds():
    kernel = stored("adamw", "float16-float16-float16")
    (eps,) = (a for a in kernel.arguments if a.name == "eps")
    assert not eps.holds(1e-8)
    assert not eps.holds(0.0)
    assert eps.holds(2.0**-24)
    assert "exp_avg_sq is kept in float16" in eps.domain
    (free,) = (a for a in stored("lion", "float16-float16-float16").arguments if a.name == "beta1")
    assert free.holds(0.5)


def test_names_that_storage_needs_are_refused(monkeypatch):
    from dataclasses import replace

    kernel = run_passes(lower(RULES["sgd"], DType.FLOAT32))
    taken = replace(kernel, arguments=(replace(kernel.arguments[0], name="seed"),))
    with pytest.raises(UsageError, match="a use of its own for the name 'seed'"):
        store_as(taken, parse_storage("bfloat16-bfloat16-float32+stochastic"))


def test_a_rule_without_states_has_nothing_to_round_in_them():
    with pytest.raises(UsageError, match="sgd has no state, so nothing is in bfloat16"):
        stored("sgd", "float32-float32-bfloat16+stochastic")


def test_a_uniform_mix_changes_nothing():
    kernel = run_passes(lower(RULES["adamw"], DType.FLOAT32))
    assert store_as(kernel, parse_storage("float32-float32-float32")) is kernel


def test_states_read_after_a_sum_are_rounded_before_it():
    first = stored("lamb", "bfloat16-bfloat16-bfloat16").stages[0]
    targets = [a.target for a in first.body]
    rounded = [
        i
        for i, a in enumerate(first.body)
        if isinstance(a.value, Operation) and a.value.name == "to_bfloat16"
    ]
    assert [targets[i] for i in rounded] == ["exp_avg", "exp_avg_sq"]
    assert max(rounded) < targets.index("update")


def test_the_rule_runs_on_the_master_copy():
    kernel = stored("lamb", "bfloat16-bfloat16-bfloat16-float32")
    assert [b.name for b in kernel.buffers if b.dtype is DType.FLOAT32] == ["master"]
    assert kernel.buffer("master").copies == "param"
    for stage in (kernel.stages[0], kernel.stages[2]):
        assert "param" not in stage.loads
        assert "master" in stage.loads
    last = kernel.stages[2].body[-1]
    assert (last.target, last.value) == ("param", Operation("to_bfloat16", (Ref("param"),)))


def test_each_array_has_a_random_number_of_its_own():
    kernel = stored("adamw", "bfloat16-bfloat16-bfloat16+stochastic")
    drawn = [
        a.value.operands[1].name
        for a in kernel.stages[0].body
        if isinstance(a.value, Operation) and a.value.name == "to_bfloat16_random"
    ]
    assert sorted(drawn) == ["random0", "random1", "random2"]
    assert kernel.random
    assert kernel.arguments[-1].name == "seed"
    assert np.isclose(float(kernel.arguments[-1].default), 0)
