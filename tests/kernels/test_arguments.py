"""What generated NumPy kernels refuse: nothing may have changed after a refusal."""

from __future__ import annotations

import re
from copy import deepcopy

import numpy as np
import pytest

SHAPE = (4, 6)


class Call:
    """One call of `step` with arrays that a test spoils."""

    def __init__(self, rule, dtype=np.float32):
        self.spec, self.kernel, self.module = rule
        rng = np.random.default_rng(3)
        self.param = rng.standard_normal(SHAPE).astype(dtype)
        self.grad = rng.standard_normal(SHAPE).astype(dtype)
        self.state = self.module.init(self.param)
        self.arguments = {}

    @property
    def states(self):
        return [b.name for b in self.kernel.buffers if b.role == "state"]

    def refused(self, kind, message):
        """Check that the call is refused in these words, and that no bit has changed."""
        given = (self.param, self.grad, self.state)
        before = deepcopy(given)
        with pytest.raises(kind, match=message):
            self.module.step(*given, **self.arguments)
        assert bits(given) == bits(before)


def bits(value):
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bits(item) for item in value]
    return value


@pytest.fixture
def call(rule):
    return Call(rule)


def test_the_unspoilt_call_is_accepted(call):
    before = bits(call.param)
    call.module.step(call.param, call.grad, call.state)
    assert bits(call.param) != before
    assert call.state["step"] == 1


# --- arrays ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "int32", "int64", "complex64", "bool", "O", "g"])
def test_other_types_are_refused(call, dtype):
    if np.dtype(dtype) == np.float64:  # long double is double on this machine
        pytest.skip("long double is float64 here")
    call.param = call.param.astype(dtype)
    call.refused(TypeError, r"param has type .*; it must be float32 or float64")
    with pytest.raises(TypeError, match="must be float32 or float64"):
        call.module.init(call.param)


@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_foreign_byte_order_is_refused(call, dtype):
    foreign = np.dtype(dtype)
    if foreign.isnative:
        pytest.skip("this machine is big-endian")
    call.param = call.param.astype(foreign)
    call.refused(TypeError, "param has type")


def test_mixed_types_are_refused(call):
    call.grad = call.grad.astype(np.float64)
    call.refused(TypeError, "grad has type float64, but param has float32")


def test_state_of_another_type_is_refused(call):
    for name in call.states:
        whole = call.state[name]
        call.state[name] = whole.astype(np.float64)
        call.refused(TypeError, f"{name} has type float64, but param has float32")
        call.state[name] = whole


@pytest.mark.parametrize("shape", [(6, 4), (24,), (4, 6, 1), (4, 5), (1,), ()])
def test_gradient_of_another_shape_is_refused(call, shape):
    call.grad = np.ones(shape, np.float32)
    call.refused(ValueError, re.escape(f"grad has shape {shape}, but param has {SHAPE}"))


def test_state_of_another_shape_is_refused(call):
    for name in call.states:
        whole = call.state[name]
        call.state[name] = np.zeros((6, 4), np.float32)
        call.refused(ValueError, f"{name} has shape")
        call.state[name] = whole


def test_read_only_arrays_are_refused(call):
    call.param.flags.writeable = False
    call.refused(ValueError, "param is read-only")
    call.param = call.param.copy()
    for name in call.states:
        call.state[name].flags.writeable = False
        call.refused(ValueError, f"{name} is read-only")
        call.state[name] = call.state[name].copy()
    call.state["step"].flags.writeable = False
    call.refused(ValueError, r"state\['step'\] is read-only")


def test_read_only_gradient_is_accepted(call):
    call.grad.flags.writeable = False
    call.module.step(call.param, call.grad, call.state)


@pytest.mark.parametrize("which", ["param", "grad"])
def test_strided_arrays_are_refused(call, which):
    wide = np.ones((4, 12), np.float32)
    setattr(call, which, wide[:, ::2])
    call.refused(ValueError, f"{which} is not contiguous; pass np.ascontiguousarray")
    setattr(call, which, np.asfortranarray(np.ones(SHAPE, np.float32)))
    call.refused(ValueError, f"{which} is not contiguous")


def test_strided_state_is_refused(call):
    for name in call.states:
        whole = call.state[name]
        call.state[name] = np.asfortranarray(whole)
        call.refused(ValueError, f"{name} is not contiguous")
        call.state[name] = whole


def test_what_is_no_array_is_refused(call):
    call.grad = call.grad.tolist()
    call.refused(TypeError, "grad must be a NumPy array, not list")
    call.grad = 1.0
    call.refused(TypeError, "grad must be a NumPy array, not float")
    call.grad = None
    call.refused(TypeError, "grad must be a NumPy array, not NoneType")
    call = Call((call.spec, call.kernel, call.module))
    call.param = call.param.ravel().tolist()  # a list of floats is a list of 24 tensors
    call.refused(TypeError, "lists of one length")
    call.param, call.grad, call.state = [1.0, 2.0], [1.0, 2.0], [call.state, call.state]
    call.refused(TypeError, "param of tensor 0 must be a NumPy array, not float")
    with pytest.raises(TypeError, match="param must be a NumPy array, not list"):
        call.module.init([1.0, 2.0])


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices_are_as_good_as_arrays(call):
    """Their slices are not what an array's are: a step must not go wrong half way."""
    plain = deepcopy((call.param, call.grad, call.state))
    call.module.step(*plain)
    given = deepcopy((call.param, call.grad, call.state))
    call.module.step(np.matrix(given[0], copy=False), *given[1:])
    assert bits(given) == bits(plain)


# --- overlaps -------------------------------------------------------------------------


def test_overlapping_arrays_are_refused(call):
    call.grad = call.param
    call.refused(ValueError, "overlap in memory; they must be apart")
    buffer = np.ones(40, np.float32)
    call.param, call.grad = buffer[:24].reshape(SHAPE), buffer[16:].reshape(SHAPE)
    call.refused(ValueError, "overlap")
    call.param, call.grad = call.grad, call.param
    call.refused(ValueError, "overlap")


def test_states_that_overlap_are_refused(call):
    for name in call.states:
        whole = call.state[name]
        call.state[name] = call.param
        call.refused(ValueError, "overlap")
        call.state[name] = call.grad
        call.refused(ValueError, "overlap")
        call.state[name] = whole
    if len(call.states) > 1:
        first, second = call.states[:2]
        call.state[first] = call.state[second]
        call.refused(ValueError, "overlap")


def test_neighbours_do_not_overlap(call):
    buffer = np.ones(48, np.float32)
    param, grad = buffer[:24].reshape(SHAPE), buffer[24:].reshape(SHAPE)
    call.module.step(param, grad, call.module.init(param))


def test_overlaps_across_tensors_are_refused(call):
    other = call.module.init(call.param)
    call.param, call.grad, call.state = (
        [call.param, call.param], [call.grad, call.grad.copy()], [call.state, other],
    )  # fmt: skip
    call.refused(ValueError, "param of tensor [01] and param of tensor [01] overlap")
    call.param[1] = call.param[0].copy()
    call.grad[1] = call.param[0]
    call.refused(ValueError, "overlap")


def test_a_state_shared_by_two_tensors_is_refused(call):
    """A rule without arrays in its state would count every step twice."""
    call.param = [call.param, call.param.copy()]
    call.grad = [call.grad, call.grad.copy()]
    call.state = [call.state, call.state]
    call.refused(ValueError, "overlap")
    call.state = [call.state[0], call.module.init(call.param[1]) | {"step": call.state[0]["step"]}]
    call.refused(ValueError, r"\['step'\] and .*\['step'\] overlap")


def test_a_zero_gradient_may_be_shared(call):
    zero = np.zeros(SHAPE, np.float32)
    params = [call.param, call.param.copy()]
    states = [call.state, call.module.init(params[1])]
    call.module.step(params, [zero, zero], states)
    assert bits(params[0]) == bits(params[1])
    assert not zero.any()


def test_a_refused_tensor_leaves_the_others_alone(call):
    bad = np.ones((2, 2), np.float16)
    call.param, call.grad, call.state = (
        [call.param, bad], [call.grad, bad], [call.state, call.module.init(np.ones((2, 2)))],
    )  # fmt: skip
    call.refused(TypeError, "param of tensor 1 has type float16")


# --- states ---------------------------------------------------------------------------


def test_missing_entries_are_refused(call):
    for name in [*call.state]:
        whole = dict(call.state)
        del call.state[name]
        call.refused(TypeError, rf"state has no '{name}'; make it with init\(param\)")
        call.state = whole


@pytest.mark.parametrize("state", [None, 1, "state", (), np.zeros(3)], ids=repr)
def test_a_state_that_is_no_dict_is_refused(call, state):
    call.state = state
    call.refused(TypeError, "must be lists of one length|must be the dict from init")


@pytest.mark.parametrize(
    "step",
    [0, 0.0, np.int64(0), np.zeros((), np.int32), np.zeros((), np.float64), np.zeros(1, np.int64),
     np.zeros((), ">i8"), None],
    ids=repr,
)  # fmt: skip
def test_a_wrong_step_counter_is_refused(call, step):
    call.state["step"] = step
    call.refused(TypeError, r"state\['step'\] must be a 0-d int64 array")


@pytest.mark.parametrize(
    "value", [1.0, np.float64(1), np.ones((), np.float32), np.ones(1)], ids=repr
)
def test_a_wrong_scalar_state_is_refused(module_of, value):
    module = module_of("nadam")
    param = np.ones(3)
    state = module.init(param) | {"mu_product": value}
    with pytest.raises(TypeError, match=r"state\['mu_product'\] must be a 0-d float64 array"):
        module.step(param, np.ones(3), state)
    assert state["step"] == 0
    assert bits(param) == bits(np.ones(3))


# --- lists ----------------------------------------------------------------------------


def test_lists_of_different_lengths_are_refused(call):
    param, grad, state = call.param, call.grad, call.state
    one = [param], [grad], [state]
    for spoilt in ((one[0], [grad, grad], one[2]), (*one[:2], []), (one[0], grad, one[2]),
                   (*one[:2], state), ([], one[1], [])):  # fmt: skip
        call.param, call.grad, call.state = spoilt
        call.refused(TypeError, "lists of one length, or none a list")


# --- hyperparameters ------------------------------------------------------------------


def test_unknown_hyperparameters_are_refused_with_the_nearest_name(call):
    for argument in call.kernel.arguments:
        misspelt = argument.name + "x"
        call.arguments = {misspelt: 0.5}
        call.refused(TypeError, f"no hyperparameter '{misspelt}'; did you mean '{argument.name}'")
    call.arguments = {"zzz": 1}
    every = ", ".join(argument.name for argument in call.kernel.arguments)
    call.refused(TypeError, f"no hyperparameter 'zzz'; there are {every}")


@pytest.mark.parametrize("value", ["1e-3", None, [0.1], 1j, b"1"])
def test_a_hyperparameter_that_is_no_number_is_refused_by_name(call, value):
    name = call.kernel.arguments[-1].name
    call.arguments = {name: value}
    call.refused(TypeError, f"{name} must be a number, not ")


def test_a_hyperparameter_larger_than_any_float_is_refused_by_name(call):
    name = call.kernel.arguments[0].name
    call.arguments = {name: 10**400}
    call.refused(ValueError, f"{name} is larger than a float can be")


def test_a_negative_step_counter_is_refused(call):
    call.state["step"][...] = -1
    call.refused(ValueError, "it counts the steps done")


def test_hyperparameters_are_keyword_only(call):
    with pytest.raises(TypeError, match="positional"):
        call.module.step(call.param, call.grad, call.state, 0.1)


def test_hyperparameters_outside_their_domain_are_refused(call):
    domains = call.spec.domains
    for hyperparameter in call.spec.hyperparameters:
        name, domain = hyperparameter.name, domains[hyperparameter.symbol]
        candidates = [-1.0, -1e-300, 0.0, 1.0, 1.5, np.inf, -np.inf, np.nan, -1, 2]
        outside = [v for v in candidates if np.isnan(v) or np.isinf(v) or v not in domain]
        assert len(outside) >= 3
        for value in outside:
            call.arguments = {name: value}
            call.refused(ValueError, re.escape(f"{name} = {value} lies outside {domain}"))


@pytest.mark.parametrize("value", ["0.1", None, 1j, [0.1]], ids=repr)
def test_hyperparameters_that_are_no_numbers_are_refused(call, value):
    call.arguments = {call.kernel.arguments[0].name: value}
    call.refused(TypeError, "not supported|must be|only")


def test_every_kind_of_number_will_do(call):
    wanted = Call((call.spec, call.kernel, call.module))
    wanted.module.step(wanted.param, wanted.grad, wanted.state, lr=0.25)
    for value in (np.float32(0.25), np.float64(0.25), np.array(0.25)):
        again = Call((call.spec, call.kernel, call.module))
        again.module.step(again.param, again.grad, again.state, lr=value)
        assert bits((again.param, again.state)) == bits((wanted.param, wanted.state))
    call.module.step(call.param, call.grad, call.state, lr=1)


@pytest.mark.parametrize("role", ["param", "grad"])
def test_masked_arrays_are_refused(call, role):
    setattr(call, role, np.ma.masked_array(getattr(call, role)))
    call.refused(TypeError, f"{role} must be a NumPy array, not MaskedArray")
