"""Whatever is wrong on the way to a device is refused before anything changes, and says how."""

import numpy as np
import pytest

from optgen.errors import BackendUnavailable, LaunchError
from optgen.runtime.cuda.arrays import DeviceArray, View, view_of
from optgen.runtime.cuda.driver import Driver


@pytest.fixture
def stepped(kernel):
    """One tensor of adamw on the device: kernel, param, grad, state."""
    found = kernel("adamw")
    param = found.to_device(np.linspace(-1, 1, 100, dtype=np.float32))
    grad = found.to_device(np.full(100, 0.5, np.float32))
    return found, param, grad, found.init(param)


def unchanged(param, state):
    assert np.array_equal(param.numpy(), np.linspace(-1, 1, 100, dtype=np.float32))
    assert not state["exp_avg"].numpy().any()
    assert state["step"] == 0


class Foreign:
    """An array of a library that offers __cuda_array_interface__."""

    def __init__(self, array, **changed):
        self.array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__ | changed


def test_no_driver(tmp_path):
    with pytest.raises(BackendUnavailable, match="no CUDA driver") as caught:
        Driver(str(tmp_path / "libcuda.so.1"))
    assert "nothing" not in caught.value.fix
    assert "driver" in caught.value.fix


def test_no_device(standin):
    standin.set("devices", 0)
    with pytest.raises(BackendUnavailable, match="no NVIDIA GPU"):
        Driver(str(standin.path))


def test_a_driver_that_is_too_old(standin):
    standin.set("version", 10020)
    with pytest.raises(BackendUnavailable, match=r"for CUDA 10\.2"):
        Driver(str(standin.path))


def test_a_device_that_is_not_there(standin):
    with pytest.raises(LaunchError, match="no CUDA device 3"):
        Driver(str(standin.path)).device(3)


@pytest.mark.parametrize("status", [200, 209, 218, 222])
def test_code_that_the_driver_does_not_take(status, standin, stepped):
    kernel, param, grad, state = stepped
    standin.fail("cuModuleLoadData", status)
    with pytest.raises(LaunchError, match=r"the driver, for CUDA 13\.0, does not take"):
        kernel.step(param, grad, state)
    unchanged(param, state)


def test_memory_that_is_not_there(standin, kernel):
    found = kernel("adamw")
    param = found.to_device(np.zeros(1000, np.float32))
    standin.set("memory", standin.used + 4100)
    with pytest.raises(LaunchError, match=r"4,000 bytes.*OUT_OF_MEMORY"):
        found.init(param)
    standin.set("memory", 1 << 32)
    assert found.init(param)["exp_avg"].numpy().shape == (1000,)


def test_scratch_memory_that_is_not_there_leaves_everything_as_it_was(standin, kernel):
    found = kernel("lamb")
    param = found.to_device(np.ones(100, np.float32))
    grad, state = found.to_device(np.ones(100, np.float32)), found.init(param)
    standin.fail("cuMemAlloc_v2", 2)
    with pytest.raises(LaunchError, match="OUT_OF_MEMORY"):
        found.step(param, grad, state)
    assert state["step"] == 0
    assert (param.numpy() == 1).all()
    found.step(param, grad, state)
    assert state["step"] == 1


def test_a_launch_that_fails_is_not_counted(standin, stepped):
    kernel, param, grad, state = stepped
    standin.fail("cuLaunchKernel", 719)
    with pytest.raises(LaunchError, match=r"cuLaunchKernel \(optgen_adamw_float32\) failed"):
        kernel.step(param, grad, state)
    unchanged(param, state)
    kernel.step(param, grad, state)
    assert state["step"] == 1


def test_of_several_tensors_the_error_says_which_had_been_updated(standin, kernel, monkeypatch):
    found = kernel("adamw")
    params = [found.to_device(np.ones(n, np.float32)) for n in (3, 4, 5)]
    grads = [found.to_device(np.ones(n, np.float32)) for n in (3, 4, 5)]
    states = [found.init(param) for param in params]
    found.step(params, grads, states)
    launcher = found._devices[0].launcher
    original, made = launcher.launch, []

    def launch(*given):
        made.append(given)
        if len(made) == 2:
            standin.fail("cuLaunchKernel", 719)
        original(*given)

    monkeypatch.setattr(launcher, "launch", launch)
    with pytest.raises(LaunchError, match="tensors 0 to 0 of this call had been updated"):
        found.step(params, grads, states)
    assert [int(state["step"]) for state in states] == [2, 1, 1]


@pytest.mark.parametrize("array", [np.ones(100, np.float32), [1.0] * 100, None])
def test_arrays_of_the_host(array, stepped):
    kernel, param, _, state = stepped
    with pytest.raises(TypeError, match="grad must be an array on a CUDA device"):
        kernel.step(param, array, state)
    unchanged(param, state)


def test_an_address_of_the_host(stepped):
    kernel, param, grad, state = stepped
    own = np.ones(100, np.float32)
    with pytest.raises(LaunchError, match="grad does not lie on a CUDA device"):
        kernel.step(param, Foreign(grad, data=(own.ctypes.data, False)), state)
    unchanged(param, state)


def test_an_array_that_has_been_freed(standin, stepped):
    kernel, param, grad, state = stepped
    address = grad.view.address
    dangling = Foreign(grad)
    dangling.array = None
    del grad
    kernel._driver.free(address)
    with pytest.raises(LaunchError, match="grad does not lie on a CUDA device"):
        kernel.step(param, dangling, state)
    unchanged(param, state)


def test_an_array_longer_than_its_memory(stepped):
    kernel, param, _, state = stepped
    half = kernel.to_device(np.ones(50, np.float32))
    with pytest.raises(LaunchError, match=r"grad has 400 bytes, but the memory .* ends after 200"):
        kernel.step(param, Foreign(half, shape=(100,)), state)
    unchanged(param, state)


def test_arrays_on_two_devices(standin, kernel):
    standin.set("devices", 2)
    found = kernel("adamw")
    param = found.to_device(np.ones(10, np.float32))
    grad = found.to_device(np.ones(10, np.float32), device=1)
    state = found.init(param)
    with pytest.raises(LaunchError, match="grad lies on device 1, and param on device 0"):
        found.step(param, grad, state)
    other = found.to_device(np.ones(10, np.float32), device=1)
    states = [state, found.init(other)]
    grads = [found.to_device(np.ones(10, np.float32)), grad]
    with pytest.raises(LaunchError, match="lie on devices 0, 1"):
        found.step([param, other], grads, states)
    assert [int(s["step"]) for s in states] == [0, 0]
    found.step(other, grad, states[1])
    assert states[1]["step"] == 1
    assert standin.said() == ""


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"typestr": "<i4"}, TypeError, "has type <i4"),
        ({"typestr": "<f8", "shape": (50,)}, TypeError, "has type float64"),
        ({"shape": (10, 10)}, ValueError, r"shape \(10, 10\), but param has \(100,\)"),
        ({"strides": (8,)}, ValueError, "not contiguous"),
        ({"mask": 1}, TypeError, "has a mask"),
    ],
)
def test_gradients_of_another_kind(changed, error, says, stepped):
    kernel, param, grad, state = stepped
    with pytest.raises(error, match=says):
        kernel.step(param, Foreign(grad, **changed), state)
    unchanged(param, state)


def test_a_parameter_that_is_read_only(stepped):
    kernel, param, grad, state = stepped
    frozen = Foreign(param, data=(param.view.address, True))
    with pytest.raises(ValueError, match="param is read-only"):
        kernel.step(frozen, grad, state)
    kernel.step(param, Foreign(grad, data=(grad.view.address, True)), state)


def test_what_overlaps(stepped):
    kernel, param, grad, state = stepped
    with pytest.raises(ValueError, match=r"(grad|param) and (grad|param) overlap"):
        kernel.step(param, param, state)
    with pytest.raises(ValueError, match="overlap"):
        kernel.step([param, param], [grad, grad], [state, kernel.init(param)])
    shared = dict(kernel.init(param), step=state["step"])
    other = kernel.to_device(np.ones(100, np.float32))
    with pytest.raises(ValueError, match=r"step of tensor . and step of tensor . overlap"):
        kernel.step([param, other], [grad, grad], [state, shared])
    unchanged(param, state)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda s: s.pop("exp_avg"), TypeError, "no 'exp_avg'"),
        (
            lambda s: s.update(exp_avg=np.zeros(100, np.float32)),
            TypeError,
            "exp_avg must be",
        ),
        (lambda s: s.update(step=3), TypeError, "0-d int64 array on the host"),
        (lambda s: s["step"].__setitem__((), -1), ValueError, "counts the steps done"),
        (lambda s: s["step"].setflags(write=False), ValueError, "read-only"),
    ],
)
def test_states_that_are_none(change, error, says, stepped):
    kernel, param, grad, state = stepped
    change(state)
    with pytest.raises(error, match=says):
        kernel.step(param, grad, state)
    assert np.array_equal(param.numpy(), np.linspace(-1, 1, 100, dtype=np.float32))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"beta1": 1.5}, ValueError, "outside"),
        ({"bet1": 0.5}, TypeError, "did you mean 'beta1'"),
        ({"eps": 1e-50}, ValueError, "is 0 in float32"),
        ({"lr": "fast"}, TypeError, "must be a number"),
        ({"stream": "s"}, TypeError, "stream must be a stream"),
        ({"stream": True}, TypeError, "stream must be a stream"),
    ],
)
def test_hyperparameters_and_streams(given, error, says, stepped):
    kernel, param, grad, state = stepped
    with pytest.raises(error, match=says):
        kernel.step(param, grad, state, **given)
    unchanged(param, state)


def test_lists_of_different_lengths(stepped):
    kernel, param, grad, state = stepped
    with pytest.raises(TypeError, match="lists of one length"):
        kernel.step([param], [grad, grad], [state])
    with pytest.raises(TypeError, match="lists of one length"):
        kernel.step([param], grad, [state])
    with pytest.raises(TypeError, match="must be the dict"):
        kernel.step(param, grad, [state])
    unchanged(param, state)
    kernel.step([], [], [])


def test_found_inf(stepped):
    kernel, param, grad, state = stepped
    kernel.step(param, grad, state, found_inf=True)
    unchanged(param, state)
    with pytest.raises(TypeError, match="found_inf lies on a device"):
        kernel.step(param, grad, state, found_inf=grad)
    unchanged(param, state)


class Stream:
    def __init__(self, handle, name):
        setattr(self, name, handle)


@pytest.mark.parametrize("name", ["cuda_stream", "ptr", "handle"])
def test_streams_of_others(name, standin, stepped):
    import ctypes

    kernel, param, grad, state = stepped
    made = ctypes.c_void_p()
    with kernel._driver.current(kernel._driver.device(0)):
        standin.library.cuStreamCreate(ctypes.byref(made), 0)
    kernel.step(param, grad, state, stream=Stream(made.value, name))
    assert standin.last == ("optgen_adamw_float32", 1, made.value)
    kernel.step(param, grad, state, stream=2)
    assert standin.last[2] == 2
    kernel.step(param, grad, state)
    assert not standin.last[2]


def test_a_stream_of_another_context(standin, stepped):
    import ctypes

    kernel, param, grad, state = stepped
    standin.set("devices", 2)
    made = ctypes.c_void_p()
    with kernel._driver.current(kernel._driver.device(1)):
        standin.library.cuStreamCreate(ctypes.byref(made), 0)
    with pytest.raises(LaunchError, match="belongs to another context than device 0"):
        kernel.step(param, grad, state, stream=made.value)
    unchanged(param, state)


def test_nothing_is_allocated_after_the_first_step(standin, kernel):
    found = kernel("lamb")
    param = found.to_device(np.ones(40000, np.float32))
    grad, state = found.to_device(np.ones(40000, np.float32)), found.init(param)
    found.step(param, grad, state)
    held = standin.used
    standin.fail("cuMemAlloc_v2", 2)
    for _ in range(3):
        found.step(param, grad, state)
    assert standin.used == held
    assert state["step"] == 4


def test_gradients_that_move_cost_no_memory(standin, kernel):
    found = kernel("lamb")
    param = found.to_device(np.ones(40000, np.float32))
    state = found.init(param)
    kept = []
    for step in range(5):
        kept.append(found.to_device(np.full(40000, 1.0 + step, np.float32)))
        before = standin.used
        found.step(param, kept[-1], state)
        assert standin.used - before == (0 if step else 4 * (2 * 3 + 1))
    with pytest.raises(LaunchError, match="grad does not lie on a CUDA device"):
        found.step(param, Foreign(kept[0], data=(12345678, False)), state)
    assert state["step"] == 5


def test_a_gradient_that_moves_into_a_state(stepped):
    kernel, param, grad, state = stepped
    kernel.step(param, grad, state)
    with pytest.raises(ValueError, match="grad and exp_avg overlap"):
        kernel.step(param, state["exp_avg"], state)
    middle = Foreign(grad, data=(state["exp_avg"].view.address + 200, False))
    with pytest.raises(ValueError, match="grad and exp_avg overlap"):
        kernel.step(param, middle, state)
    assert state["step"] == 1


def test_memory_is_given_back(standin, kernel):
    found = kernel("adamw")
    before = standin.used
    array = found.to_device(np.ones(1000, np.float32))
    assert standin.used == before + 4000
    del array
    assert standin.used == before
    assert standin.said() == ""


def test_another_current_context_comes_back(standin, stepped):
    import ctypes

    kernel, param, grad, state = stepped
    standin.set("devices", 2)
    other = kernel._driver.device(1)
    with kernel._driver.current(other):
        kernel.step(param, grad, state)
        current = ctypes.c_void_p()
        standin.library.cuCtxGetCurrent(ctypes.byref(current))
        assert current.value == other.context
    assert standin.said() == ""


def test_a_device_array_is_written_with_its_own_kind(kernel):
    array = kernel("adamw").to_device(np.ones((2, 3), np.float32))
    assert array.__cuda_array_interface__["shape"] == (2, 3)
    assert "float32[2, 3]" in repr(array)
    with pytest.raises(ValueError, match="cannot be written"):
        array.write(np.ones((3, 2), np.float32))
    with pytest.raises(ValueError, match="cannot be written"):
        array.write(np.ones((2, 3)))


def test_numbers_of_0_dimensions_and_of_no_elements(kernel):
    found = kernel("adamw")
    for shape in ((), (0,), (3, 0), (1, 1, 1)):
        param = found.to_device(np.ones(shape, np.float32))
        state = found.init(param)
        found.step(param, found.to_device(np.ones(shape, np.float32)), state)
        assert state["step"] == 1
        assert param.numpy().shape == shape


class Dlpack:
    """A device array that offers DLPack alone, made by ctypes."""

    def __init__(self, array, code=2, bits=32, device=2, strides=None, offset=0):
        import ctypes

        from optgen.runtime.cuda.arrays import _Tensor

        self.array, self.device = array, device
        shape = (ctypes.c_int64 * len(array.shape))(*array.shape)
        steps = None if strides is None else (ctypes.c_int64 * len(strides))(*strides)
        self.held = _Tensor(
            array.view.address, device, 0, len(shape), code, bits, 1,
            ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64)),
            ctypes.cast(steps, ctypes.POINTER(ctypes.c_int64)), offset,
        )  # fmt: skip
        self.kept = shape, steps
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
        )
        self.make = lambda: new(ctypes.addressof(self.held), b"dltensor", None)

    def __dlpack_device__(self):
        return (self.device, 0)

    def __dlpack__(self, stream=None):
        assert stream == -1
        return self.make()


def test_arrays_by_dlpack(kernel):
    array = kernel("adamw").to_device(np.ones((2, 3), np.float32))
    view = View(array.view.address, (2, 3), "float32", True)
    assert view_of(Dlpack(array), "x") == view
    assert view_of(Dlpack(array, strides=(3, 1)), "x") == view
    assert view_of(Dlpack(array, code=4, bits=16), "x").type == "bfloat16"
    with pytest.raises(ValueError, match="not contiguous"):
        view_of(Dlpack(array, strides=(1, 2)), "x")
    with pytest.raises(TypeError, match="DLPack's type 0 of 32 bits"):
        view_of(Dlpack(array, code=0), "x")
    with pytest.raises(TypeError, match="on a CUDA device"):
        view_of(Dlpack(array, device=1), "x")


def test_device_arrays_have_no_word_for_bfloat16(kernel):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    found = kernel("adamw", "bfloat16-bfloat16-float32")
    array = found.to_device(np.ones(3, ml_dtypes.bfloat16))
    assert not hasattr(array, "__cuda_array_interface__")
    assert isinstance(array, DeviceArray)
    assert array.numpy().dtype == ml_dtypes.bfloat16
