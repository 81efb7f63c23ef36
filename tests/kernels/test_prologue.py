"""What happens to a gradient before its rule: scale, clip, maximize, and the step left out."""

from copy import deepcopy

import numpy as np
import pytest

from optgen.crosscheck.numpy_run import load_module
from optgen.ir import Assign, DType, Elementwise, Literal, Operation, Ref
from optgen.loader import load_catalogue
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.prologue import FACTOR, without_prologue
from optgen.verify.lowered import prove_lowering

RULES = load_catalogue()


def bits(value):
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.tobytes())
    return {k: bits(v) for k, v in value.items()}


def stepped(kernel, grad, dtype, **given):
    rng = np.random.default_rng(5)
    param = rng.standard_normal(grad.size).astype(dtype)
    state = kernel.init(param)
    for _ in range(3):
        kernel.step(param, grad, state, **given)
    return bits(param), bits(state)


@pytest.fixture(params=["numpy", "c"])
def target(request):
    return request.param


@pytest.fixture
def kernel(target):
    """Gives a generated kernel by name, as text of this tree."""
    import optgen

    def give(name):
        try:
            return optgen.load_kernel(name, target=target)
        except optgen.OptgenError as error:
            pytest.skip(str(error))

    return give


def gradient(dtype, size=40):
    return np.random.default_rng(6).standard_normal(size).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RULES)
def test_a_scale_that_is_a_power_of_two_changes_no_bit(name, dtype, kernel):
    grad, found = gradient(dtype), kernel(name)
    plain = stepped(found, grad, dtype)
    assert stepped(found, grad * dtype(1024), dtype, grad_scale=1024.0) == plain
    assert stepped(found, grad / dtype(4), dtype, clip_coef=4) == plain
    assert stepped(found, grad / dtype(4), dtype, clip_coef=2, grad_scale=0.5) == plain


@pytest.mark.parametrize("name", RULES)
def test_maximize_turns_the_gradient_around(name, kernel):
    grad, found = gradient(np.float32), kernel(name)
    walked = stepped(found, -grad, np.float32)
    assert stepped(found, grad, np.float32, maximize=True) == walked
    assert stepped(found, grad, np.float32, maximize=1) == walked
    assert stepped(found, grad, np.float32) != walked


def test_scale_and_coefficient_are_one_factor_rounded_once(kernel):
    """By hand, in the order that `optgen.passes.prologue` gives."""
    grad = gradient(np.float32)
    param = np.ones(40, np.float32)
    wanted = param - np.float32(0.1) * (np.float32(-1 * 0.3 / 7) * grad)
    found = kernel("sgd")
    found.step(param, grad, found.init(param), lr=0.1, grad_scale=7, clip_coef=0.3, maximize=True)
    assert bits(param) == bits(wanted)


FLAGS = [True, 1, 0.5, np.nan, np.inf, np.array(1), np.array([2.0], np.float32), np.bool_(True)]


@pytest.mark.parametrize("flag", FLAGS, ids=str)
def test_nothing_changes_where_an_infinity_was_found(flag, kernel):
    found = kernel("nadam")
    param, grad = np.ones(5, np.float32), np.full(5, np.nan, np.float32)
    state = found.init(param)
    before = bits(param), bits(state)
    for _ in range(2):
        found.step(param, grad, state, found_inf=flag)
    assert (bits(param), bits(state)) == before


@pytest.mark.parametrize("flag", [False, 0, 0.0, np.array(0), np.zeros(1, np.float32)], ids=str)
def test_a_flag_that_is_not_set_is_no_flag(flag, kernel):
    found = kernel("nadam")
    grad = gradient(np.float32)
    assert stepped(found, grad, np.float32, found_inf=flag) == stepped(found, grad, np.float32)


def test_a_flag_in_an_array_is_read_at_every_call(kernel):
    found = kernel("adamw")
    param, grad, flag = np.ones(3, np.float32), np.ones(3, np.float32), np.zeros(1, np.float32)
    state = found.init(param)
    for value, step in ((0, 1), (0, 2), (1, 2), (1, 2), (0, 3)):
        flag[0] = value
        found.step(param, grad, state, found_inf=flag)
        assert state["step"] == step


def test_a_nan_gradient_goes_through_like_any_value(kernel):
    found = kernel("adamw")
    param, grad = np.ones(3, np.float32), np.array([1, np.nan, 2], np.float32)
    state = found.init(param)
    found.step(param, grad, state)
    assert np.isnan(param).tolist() == [False, True, False]
    assert state["step"] == 1


WRONG = [
    ({"grad_scale": 0.0}, ValueError, r"grad_scale = 0.0 lies outside \(0, oo\)"),
    ({"grad_scale": np.inf}, ValueError, "grad_scale = inf lies outside"),
    ({"grad_scale": np.nan}, ValueError, "grad_scale = nan lies outside"),
    ({"grad_scale": "big"}, TypeError, "grad_scale must be a number"),
    ({"clip_coef": -0.5}, ValueError, r"clip_coef = -0.5 lies outside \[0, oo\)"),
    ({"maximize": 0.5}, ValueError, "maximize = 0.5 is neither True nor False"),
    ({"maximize": np.nan}, ValueError, "maximize = nan is neither True nor False"),
    ({"maximize": None}, TypeError, "maximize must be a number"),
    ({"found_inf": "yes"}, TypeError, "found_inf must be a bool, a number or an array of one"),
    ({"found_inf": np.zeros(2)}, TypeError, "found_inf must be a bool"),
    ({"found_inf": None}, TypeError, "found_inf must be a bool"),
    ({"maximise": True}, TypeError, "did you mean 'maximize'"),
    ({"found_inf": True, "grad_scale": -1.0}, ValueError, "grad_scale = -1.0 lies outside"),
]


@pytest.mark.parametrize(("given", "error", "words"), WRONG, ids=lambda x: str(x)[:30])
def test_what_is_refused_changes_nothing(given, error, words, kernel):
    found = kernel("adamw")
    param = np.ones(3, np.float32)
    state = found.init(param)
    found.step(param, param + 1, state)
    before = bits(param), bits(state)
    with pytest.raises(error, match=words):
        found.step(param, param + 1, state, **given)
    assert (bits(param), bits(state)) == before


# --- the pass and its proof ----------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_the_pass_can_be_taken_back(name):
    kernel = run_passes(lower(RULES[name], DType.FLOAT32))
    bare = without_prologue(kernel)
    assert len(kernel.arguments) == len(bare.arguments) + 3
    assert FACTOR in kernel.scalars
    assert FACTOR not in bare.scalars
    assert without_prologue(bare) == bare


def changed(kernel, **parts):
    from dataclasses import replace

    return replace(kernel, **parts)


def test_a_wrong_factor_is_refuted():
    kernel = run_passes(lower(RULES["adamw"], DType.FLOAT32))
    assert prove_lowering(RULES["adamw"], kernel).outcome == "equal"
    upside_down = Operation("div", (Ref("grad_scale"), Ref("clip_coef")))
    host = tuple(Assign(a.target, upside_down) if a.target == FACTOR else a for a in kernel.host)
    proof = prove_lowering(RULES["adamw"], changed(kernel, host=host))
    assert proof.outcome == "different"
    assert FACTOR in proof.detail


def test_a_gradient_that_is_read_beside_the_prologue_is_refuted():
    kernel = run_passes(lower(RULES["adamw"], DType.FLOAT32))
    (stage,) = kernel.stages
    assert isinstance(stage, Elementwise)
    twice = Operation("mul", (Ref(FACTOR), Ref("scaled_grad")))
    for body in (
        (stage.body[0], Assign("scaled_grad", twice), *stage.body[1:]),
        (*stage.body[:-1], Assign("param", Operation("sub", (stage.body[-1].value, Ref("grad"))))),
        (Assign("scaled_grad", Operation("mul", (Literal(1), Ref("grad")))), *stage.body[1:]),
        stage.body[1:],
    ):
        wrong = changed(kernel, stages=(changed(stage, body=body),))
        assert prove_lowering(RULES["adamw"], wrong).outcome != "equal"


def test_a_module_says_what_its_gradient_is():
    from optgen.backends import BACKENDS
    from optgen.backends.base import Heading

    spec = RULES["sgd"]
    kernels = [run_passes(lower(spec, DType.FLOAT32))]
    module = load_module("sgd", BACKENDS["numpy"].render(Heading.of(spec), kernels)[0].text)
    assert "clip_coef*grad/grad_scale" in module.step.__doc__
    held = deepcopy(np.ones(2))
    state = module.init(held)
    module.step(held, np.ones(2), state, lr=0.5, clip_coef=0.5)
    assert held.tolist() == [0.75, 0.75]
