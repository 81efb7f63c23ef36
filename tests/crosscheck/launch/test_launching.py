"""What the launcher passes is what the NumPy module would have used, in every storage mix."""

import numpy as np
import pytest

from optgen.crosscheck.launch.launching import image_of_names, launch_differences
from optgen.loader import load_catalogue
from optgen.runtime.cuda import kernel as launching
from optgen.runtime.cuda.launchers import DriverLauncher

MIXES = (
    "bfloat16-bfloat16-float32",
    "bfloat16-bfloat16-bfloat16-float32",
    "bfloat16-bfloat16-bfloat16+stochastic",
    "bfloat16-float32-bfloat16+kahan",
    "float16-float16-float32-float32",
    "float32-float32-float64",
)


@pytest.mark.parametrize("name", load_catalogue())
def test_every_rule(name, standin, printed):
    assert [*launch_differences(standin, printed(name))] == []


@pytest.mark.parametrize("storage", MIXES)
@pytest.mark.parametrize("name", ["adamw", "lamb", "sgd"])
def test_storage_mixes(name, storage, standin, printed):
    pytest.importorskip("ml_dtypes")
    assert [*launch_differences(standin, printed(name, storage))] == []


@pytest.mark.parametrize("order", [1, 2, 5])
def test_any_order_of_threads(order, standin, printed):
    standin.set("order", order)
    assert [*launch_differences(standin, printed("lamb"))] == []


def _swapped(monkeypatch):
    original = DriverLauncher.prepare

    def prepare(self, entry, function, parameters):
        return original(self, entry, function, [parameters[1], parameters[0], *parameters[2:]])

    monkeypatch.setattr(DriverLauncher, "prepare", prepare)


def _one_more(monkeypatch):
    original = DriverLauncher.prepare

    def prepare(self, entry, function, parameters):
        n = np.array(int(parameters[-1]) + 1, np.uint64)
        return original(self, entry, function, [*parameters[:-1], n])

    monkeypatch.setattr(DriverLauncher, "prepare", prepare)


def _one_less(monkeypatch):
    original = DriverLauncher.prepare

    def prepare(self, entry, function, parameters):
        n = np.array(int(parameters[-1]) - 1, np.uint64)
        return original(self, entry, function, [*parameters[:-1], n])

    monkeypatch.setattr(DriverLauncher, "prepare", prepare)


def _stale(monkeypatch):
    original, filled = launching.fill, []

    def fill(args, *rest):
        if not any(args is known for known in filled):
            filled.append(args)
            original(args, *rest)

    monkeypatch.setattr(launching, "fill", fill)


def _fields_turned(monkeypatch):
    original = launching.fill

    def fill(args, tensor, row, *rest):
        turned = row.view(tensor.variant.arithmetic)[::-1].copy().view(np.uint8)
        original(args, tensor, turned, *rest)

    monkeypatch.setattr(launching, "fill", fill)


def _gradient_of_the_first_step(monkeypatch):
    original = launching.CudaKernel._prepared

    def prepared(self, tensor):
        found = original(self, tensor)
        if found is not None and not hasattr(self, "_firsts"):
            self._firsts = {}
        if found is not None:
            found.grad[...] = self._firsts.setdefault(id(found), found.grad.copy())
        return found

    monkeypatch.setattr(launching.CudaKernel, "_prepared", prepared)


def _last_launch_left_out(monkeypatch):
    original = launching.CudaKernel._prepare

    def prepare(self, tensor):
        ready = original(self, tensor)
        ready.launches = ready.launches[:-1]
        return ready

    monkeypatch.setattr(launching.CudaKernel, "_prepare", prepare)


def _no_blocks(monkeypatch):
    monkeypatch.setattr(launching.CudaKernel, "_blocks", lambda self, launch, n, chunks, most: 0)


def _counted_twice(monkeypatch):
    original = launching.CudaKernel._rows

    def rows(self, tensors, given):
        [*original(self, tensors, given)]
        return original(self, tensors, given)

    monkeypatch.setattr(launching.CudaKernel, "_rows", rows)


def _another_tensors_args(monkeypatch):
    original, kept = launching.CudaKernel._prepare, []

    def prepare(self, tensor):
        ready = original(self, tensor)
        kept.append(ready)
        first = next(one for one in kept if one.args.size == ready.args.size)
        ready.args = first.args
        return ready

    monkeypatch.setattr(launching.CudaKernel, "_prepare", prepare)


SLIPS = {
    "parameters swapped": _swapped,
    "one element more": _one_more,
    "one element less": _one_less,
    "arguments of the first step": _stale,
    "fields in another order": _fields_turned,
    "gradients of the first step": _gradient_of_the_first_step,
    "the last launch left out": _last_launch_left_out,
    "no blocks": _no_blocks,
    "counted twice": _counted_twice,
    "arguments of another tensor": _another_tensors_args,
}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("name", ["adamw", "nadam", "lamb"])
def test_a_slip_in_the_launcher_is_noticed(name, slip, standin, printed, monkeypatch):
    rule = printed(name)
    SLIPS[slip](monkeypatch)
    assert [*launch_differences(standin, rule)]


def test_a_file_of_names_is_taken_for_a_cubin(standin, printed, monkeypatch):
    """Where there is no NVRTC the stand-in gets a file with nothing but names."""
    from optgen.crosscheck.launch import launching as module
    from optgen.errors import BackendUnavailable
    from optgen.runtime.cuda import images

    def missing():
        raise BackendUnavailable("there is none")

    monkeypatch.setattr(images, "find_nvrtc", missing)
    assert [*launch_differences(standin, printed("adamw"))] == []
    monkeypatch.setattr(module, "image_of_names", lambda names: image_of_names(["another"]))
    said = [*launch_differences(standin, printed("adamw"))]
    assert len(said) == 2
    assert all("cuModuleGetFunction" in one for one in said)
