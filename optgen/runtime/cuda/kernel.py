"""Calls CUDA kernels the way generated NumPy modules are called.

A kernel has a copy of its rule's NumPy module of its own: numbers are checked, and host scalars
computed, by that. Arrays stay where they are; steps are counted, and scalar states kept, on the
host, in 0-d NumPy arrays. Nothing here waits for the device.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.errors import LaunchError
from optgen.runtime.cuda.arrays import (
    DeviceArray,
    View,
    check_on_device,
    is_torch,
    numpy_type,
    view_of,
)
from optgen.runtime.cuda.description import Description, Launch
from optgen.runtime.cuda.driver import Device, Driver
from optgen.runtime.cuda.images import Image
from optgen.runtime.cuda.launchers import LAUNCHERS, Launcher, Prepared
from optgen.runtime.cuda.streams import stream_handle
from optgen.runtime.cuda.tensors import Checks, Tensor, where_of

REMEMBERED = 4096
"""Tensors whose launches are kept prepared, by the addresses of their arrays."""


@dataclass(slots=True)
class _Ready:
    """The launches of one tensor; `args` and `grad`, an address, are what they read."""

    device: int
    launches: tuple[tuple[Prepared, int], ...]
    args: NDArray[np.uint8]
    grad: NDArray[np.uint64]
    scratch: DeviceArray | None


@dataclass(slots=True)
class _OnDevice:
    """What was loaded for one device."""

    device: Device
    launcher: Launcher
    functions: dict[str, tuple[Any, int]] = field(default_factory=dict)


class CudaKernel:
    """A rule on CUDA devices: `init(param)` and `step(param, grad, state, **hyperparameters)`.

    The convention and the bits are those of the rule's NumPy module. Arrays are anything that
    lies on a device and says where (`arrays.view_of`); a step is launched on `stream`, by default
    torch's current one if `param` is a tensor of torch's, else the default stream, and returns
    before it has run. After a first step of the same arrays nothing is allocated.

    Args:
        name: The rule's name in identifiers.
        description: How its kernels are called.
        image: Gives the code for an architecture.
        module: A copy of its NumPy module that nobody else has.
        driver: The driver.
        launcher: A name in `launchers.LAUNCHERS`.
    """

    def __init__(
        self,
        name: str,
        description: Description,
        image: Callable[[str], Image],
        module: ModuleType,
        driver: Driver,
        launcher: str = "driver",
    ) -> None:
        self._description, self._image, self._driver = description, image, driver
        self._make = LAUNCHERS[launcher]
        inside = module.__dict__
        self._host: Callable[..., tuple[Any, ...]] = inside["_host"]
        self._starts: dict[str, Any] = inside["_STATES"]
        self._scalar_starts: dict[str, float] = inside["_SCALAR_STATES"]
        cells = (*self._scalar_starts, "step")
        self._checks = Checks(name, description, tuple(self._starts), cells)
        code = self._host.__code__
        self._counts_elements = "numel" in code.co_varnames[: code.co_argcount]
        checked: Callable[..., None] = inside["step"]
        inside["_run"] = _run
        self._devices: dict[int, _OnDevice] = {}
        self._ready: dict[tuple[Any, ...], _Ready] = {}
        self.__name__ = name
        self.__doc__ = module.__doc__
        self.step: Callable[..., None] = self._stepper(checked)

    def __repr__(self) -> str:
        return f"<CUDA kernel '{self.__name__}'>"

    def init(self, param: Any) -> dict[str, Any]:
        """Return the state before the first step: arrays on the device of `param`, and counters.

        Arrays are torch tensors if `param` is one, else `arrays.DeviceArray`s. `step`, the steps
        done, and states of one value per tensor are 0-d NumPy arrays.

        Raises:
            TypeError: `param` is no array on a device, or of a type that the rule is not kept in.
            LaunchError: There is not enough memory on the device.
        """
        view = view_of(param, "param")
        variant = self._checks.variant(view, "param")
        types = {b.name: b.type for b in variant.buffers}
        state: dict[str, Any] = {
            name: self._new(param, view, types[name], start) for name, start in self._starts.items()
        }
        state |= {name: np.array(start, np.float64) for name, start in self._scalar_starts.items()}
        return state | {"step": np.zeros((), np.int64)}

    def to_device(self, array: NDArray[Any], device: int = 0) -> DeviceArray:
        """Return a copy of a NumPy array on a device, for programs without a library for that."""
        made = DeviceArray(self._driver, self._driver.device(device), array.shape, array.dtype.name)
        made.write(array)
        return made

    def _new(self, param: Any, view: View, kind: str, start: Any) -> Any:
        if is_torch(param):
            torch = sys.modules["torch"]
            source = param.detach()
            if start == "param":
                return source.to(getattr(torch, kind), copy=True)
            return torch.full_like(source, start, dtype=getattr(torch, kind))
        ordinal = check_on_device(self._driver, view, "param", None) if view.size else 0
        made = DeviceArray(self._driver, self._driver.device(ordinal), view.shape, kind)
        if not view.size:
            return made
        if start == "param":
            made.write(self._read(view, ordinal).astype(numpy_type(kind)))
        else:
            made.write(np.full(view.shape, start, numpy_type(kind)))
        return made

    def _read(self, view: View, ordinal: int) -> NDArray[Any]:
        found = np.empty(view.shape, numpy_type(view.type))
        with self._driver.current(self._driver.device(ordinal)):
            self._driver.must("cuMemcpyDtoH_v2", found.ctypes.data, view.address, found.nbytes)
        return found

    def _stepper(self, checked: Callable[..., None]) -> Callable[..., None]:
        @wraps(checked)
        def step(param: Any, grad: Any, state: Any, *, stream: Any = None, **given: Any) -> None:
            several = isinstance(param, (list, tuple))
            params = list(param) if several else [param]
            flag = given.get("found_inf")
            if hasattr(flag, "__cuda_array_interface__") or is_torch(flag):
                raise TypeError(
                    "found_inf lies on a device, and looking at it would wait for the device; "
                    "pass bool(found_inf.item()) if that is meant"
                )
            views = [view_of(p, f"param{where_of(i, len(params))}") for i, p in enumerate(params)]

            def run(hyperparameters: Sequence[Any]) -> None:
                grads, states = (grad, state) if several else ([grad], [state])
                tensors = self._checks.tensors(views, grads, states)
                self._launch(tensors, hyperparameters, params, stream)

            checked(views, run, None, **given)

        return step

    def _launch(
        self, tensors: list[Tensor], given: Sequence[Any], params: list[Any], stream: Any
    ) -> None:
        """Count a step of every tensor and launch it; whatever can be wrong is known before."""
        ready = [self._prepared(tensor) for tensor in tensors]
        ordinals = {one.device for one in ready if one is not None}
        if len(ordinals) > 1:
            raise LaunchError(
                f"the tensors of one call lie on devices {', '.join(map(str, sorted(ordinals)))}",
                fix="call step once for the tensors of each device",
            )
        here = self._devices[ordinals.pop()] if ordinals else None
        chosen = stream
        if here is not None and here.launcher.name == "driver":
            chosen = stream_handle(self._driver, here.device, stream, params)
        before = [{name: cell.copy() for name, cell in t.cells.items()} for t in tensors]
        done = 0
        try:
            rows = list(self._rows(tensors, given))
            if here is not None:
                with self._driver.current(here.device):
                    for number, (tensor, one) in enumerate(zip(tensors, ready, strict=True)):
                        if one is not None:
                            fill(one.args, tensor, rows[number], number, given)
                            for prepared, blocks in one.launches:
                                here.launcher.launch(
                                    prepared, blocks, self._description.block, chosen
                                )
                        done = number + 1
        except BaseException as error:
            for tensor, cells in list(zip(tensors, before, strict=True))[done:]:
                for name, cell in cells.items():
                    tensor.cells[name][...] = cell
            if isinstance(error, LaunchError) and done:
                error.fix += f"; tensors 0 to {done - 1} of this call had been updated before"
            raise

    def _rows(self, tensors: Sequence[Tensor], given: Sequence[Any]) -> Iterator[NDArray[np.uint8]]:
        """Count a step of every tensor; yield the bytes of its host values.

        Equal counters have equal values.
        """
        known: dict[tuple[Any, ...], tuple[NDArray[np.uint8], Mapping[str, NDArray[Any]]]] = {}
        for tensor in tensors:
            size = (tensor.views["param"].size,) if self._counts_elements else ()
            arithmetic = tensor.variant.arithmetic
            key = (arithmetic, *size, *(cell.item() for cell in tensor.cells.values()))
            if key in known:
                row, cells = known[key]
                for name, cell in cells.items():
                    tensor.cells[name][...] = cell
            else:
                with np.errstate(all="ignore"):
                    values = self._host(*size, tensor.cells, *given)
                    row = np.array(values, arithmetic).view(np.uint8)
                known[key] = row, tensor.cells
            yield row

    def _prepared(self, tensor: Tensor) -> _Ready | None:
        """Return the launches of a tensor: those of earlier, if its arrays lie where they did."""
        views = tensor.views
        if not views["param"].size:
            return None
        addresses = (view.address for name, view in views.items() if name != "grad")
        key = (views["param"].shape, tensor.variant.arithmetic, *addresses)
        found = self._ready.get(key)
        if found is None:
            found = self._prepare(tensor)
            while len(self._ready) >= REMEMBERED:
                self._ready.pop(next(iter(self._ready)), None)
            self._ready[key] = found
        elif found.grad != views["grad"].address:
            check_on_device(self._driver, views["grad"], f"grad{tensor.where}", found.device)
            found.grad[...] = views["grad"].address
        return found

    def _prepare(self, tensor: Tensor) -> _Ready:
        variant, views = tensor.variant, tensor.views
        ordinal = check_on_device(self._driver, views["param"], f"param{tensor.where}", None)
        for name, view in views.items():
            check_on_device(self._driver, view, f"{name}{tensor.where}", ordinal)
        here = self._on_device(ordinal)
        n = views["param"].size
        chunks = -(-n // self._description.chunk)
        sums, item = variant.partials * chunks, np.dtype(variant.arithmetic).itemsize
        places = {name: np.array(view.address, np.uint64) for name, view in views.items()}
        places["n"], scratch = np.array(n, np.uint64), None
        if sums + variant.scalars:
            scratch = DeviceArray(
                self._driver, here.device, (sums + variant.scalars,), variant.arithmetic
            )
            places["partials"] = np.array(scratch.view.address, np.uint64)
            places["scalars"] = np.array(scratch.view.address + sums * item, np.uint64)
        size = len(variant.fields) * item + 4 * len(variant.words)
        args = np.zeros(max(1, size), np.uint8)  # in C++ a struct without fields has one byte
        launches = []
        for launch in variant.launches:
            function, resident = here.functions[launch.entry]
            parameters = [args if name == "args" else places[name] for name in launch.parameters]
            blocks = self._blocks(launch, n, chunks, resident * here.device.multiprocessors)
            launches.append((here.launcher.prepare(launch.entry, function, parameters), blocks))
        return _Ready(ordinal, tuple(launches), args, places["grad"], scratch)

    def _blocks(self, launch: Launch, n: int, chunks: int, resident: int) -> int:
        """Return how many blocks to launch: as many as there is work for, or as run at a time."""
        if launch.grid == "one":
            return 1
        if launch.grid == "chunks":
            return max(1, min(chunks, resident))
        return max(1, min(-(-n // (launch.vector * self._description.block)), resident))

    def _on_device(self, ordinal: int) -> _OnDevice:
        found = self._devices.get(ordinal)
        if found is not None:
            return found
        device = self._driver.device(ordinal)
        found = _OnDevice(device, self._make(self._driver, device))
        module = found.launcher.load(self._image(device.arch))
        for variant in self._description.variants:
            for launch in variant.launches:
                function = found.launcher.function(module, launch.entry)
                blocks = found.launcher.blocks(function, self._description.block)
                found.functions[launch.entry] = function, blocks
        return self._devices.setdefault(ordinal, found)


def _run(views: Any, run: Callable[[Sequence[Any]], None], _: Any, given: Sequence[Any]) -> None:
    """Stand in for the module's `_run`: `step` passes what is to be done in place of gradients."""
    run(given)


def fill(
    args: NDArray[np.uint8],
    tensor: Tensor,
    row: NDArray[np.uint8],
    number: int,
    given: Sequence[Any],
) -> None:
    """Write the argument struct of a tensor: host values, and what random numbers need."""
    args[: row.size] = row
    if tensor.variant.words:
        step = int(tensor.cells["step"])
        known = {
            "seed": int(given[-1]),
            "tensor": number,
            "step_low": step % 2**32,
            "step_high": step >> 32,
        }
        words = np.array([known[word] for word in tensor.variant.words], np.uint32)
        args[row.size : row.size + words.nbytes] = words.view(np.uint8)
