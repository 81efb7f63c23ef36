"""Two ways to launch a kernel: the driver library through ctypes, and PyCUDA.

Both load the same code into the device's primary context and pass the same bytes.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from optgen.errors import BackendUnavailable, LaunchError, UsageError
from optgen.runtime.cuda.driver import Device, Driver
from optgen.runtime.cuda.images import Image

Parameters = Sequence[NDArray[Any]]
"""What a launch passes: one array per parameter, whose memory is the parameter's."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A launch whose parameters have their places; their values may change between launches.

    Attributes:
        entry: Name of the kernel.
        function: What the launcher launches.
        parameters: Their memory.
        passed: What is passed, as the launcher wants it.
    """

    entry: str
    function: Any
    parameters: tuple[NDArray[Any], ...]
    passed: Any


class Launcher(Protocol):
    """Loads code for one device, and launches its kernels."""

    @property
    def name(self) -> str:
        """What `load_kernel(launcher=...)` calls it."""
        ...

    def load(self, image: Image) -> Any:
        """Return a module."""
        ...

    def function(self, module: Any, entry: str) -> Any:
        """Return a kernel of a module."""
        ...

    def blocks(self, function: Any, threads: int) -> int:
        """Return how many blocks of a kernel a multiprocessor runs at a time."""
        ...

    def prepare(self, entry: str, function: Any, parameters: Parameters) -> Prepared:
        """Return a launch that reads its parameters from given memory."""
        ...

    def launch(self, prepared: Prepared, blocks: int, threads: int, stream: Any) -> None:
        """Launch a kernel on a stream; returns before it has run.

        Raises:
            LaunchError: The driver refuses the launch.
        """
        ...


class DriverLauncher:
    """Launches through `cuLaunchKernel`; takes any stream, also one that is captured into a graph.

    Args:
        driver: The driver.
        device: The device whose primary context is used.
    """

    name = "driver"

    def __init__(self, driver: Driver, device: Device) -> None:
        self._driver, self._device = driver, device
        self._launch = driver.launches

    def load(self, image: Image) -> int:
        """Return the handle of a module."""
        with self._driver.current(self._device):
            return self._driver.load(image.code, image.origin)

    def function(self, module: int, entry: str) -> int:
        """Return the handle of a kernel."""
        with self._driver.current(self._device):
            return self._driver.function(module, entry)

    def blocks(self, function: int, threads: int) -> int:
        """Return how many blocks of a kernel a multiprocessor runs at a time."""
        with self._driver.current(self._device):
            return self._driver.blocks(function, threads)

    def prepare(self, entry: str, function: int, parameters: Parameters) -> Prepared:
        """Return a launch that reads its parameters from given memory."""
        kept = tuple(parameters)
        places = (ctypes.c_void_p * len(kept))(*(p.ctypes.data for p in kept))
        return Prepared(entry, function, kept, places)

    def launch(self, prepared: Prepared, blocks: int, threads: int, stream: int) -> None:
        """Launch a kernel on a stream, given by its handle; 0 is the default stream."""
        status = self._launch(
            prepared.function, blocks, 1, 1, threads, 1, 1, 0, stream, prepared.passed, None
        )
        if status:
            self._driver.check_launch(status, prepared.entry)


class PyCudaLauncher:
    """Launches through PyCUDA, which takes streams of its own only.

    Args:
        driver: The driver.
        device: The device whose primary context is used.

    Raises:
        BackendUnavailable: PyCUDA is not installed, or does not find the driver.
    """

    name = "pycuda"

    def __init__(self, driver: Driver, device: Device) -> None:
        try:
            cuda: Any = importlib.import_module("pycuda.driver")
        except ImportError as error:
            raise BackendUnavailable(
                f"PyCUDA cannot be imported: {error}",
                fix='pip install "optgen[pycuda]" (built from source: it needs g++ and the CUDA '
                'toolkit), or use launcher="driver", which needs neither',
            ) from error
        self._cuda = cuda
        self._device = device
        cuda.init()
        self._context = cuda.Device(device.ordinal).retain_primary_context()

    def load(self, image: Image) -> Any:
        """Return a PyCUDA module."""
        return self._inside(lambda: self._cuda.module_from_buffer(image.code), image.origin)

    def function(self, module: Any, entry: str) -> Any:
        """Return a PyCUDA function."""
        return self._inside(lambda: module.get_function(entry), entry)

    def blocks(self, function: Any, threads: int) -> int:
        """Return how many blocks of a kernel a multiprocessor runs at a time."""

        def asked() -> int:
            tools: Any = importlib.import_module("pycuda.tools")
            data = tools.DeviceData(self._context.get_device())
            record = tools.OccupancyRecord(
                data, threads, function.shared_size_bytes, function.num_regs
            )
            return int(record.tb_per_mp)

        return max(1, int(self._inside(asked, "occupancy")))

    def prepare(self, entry: str, function: Any, parameters: Parameters) -> Prepared:
        """Return a launch that reads its parameters from given memory."""
        kept = tuple(parameters)
        return Prepared(entry, function, kept, None)

    def launch(self, prepared: Prepared, blocks: int, threads: int, stream: Any) -> None:
        """Launch a kernel on a `pycuda.driver.Stream`; None is the default stream."""
        if not (stream is None or isinstance(stream, self._cuda.Stream)):
            raise UsageError(
                f"PyCUDA cannot launch on {stream!r}",
                fix='pass a pycuda.driver.Stream, or use launcher="driver" for any stream',
            )
        values = [_value(parameter) for parameter in prepared.parameters]
        self._inside(
            lambda: prepared.function(
                *values, grid=(blocks, 1), block=(threads, 1, 1), stream=stream
            ),
            prepared.entry,
        )

    def _inside(self, action: Any, what: str) -> Any:
        """Do something in the primary context; PyCUDA's errors become ours."""
        self._context.push()
        try:
            return action()
        except self._cuda.Error as error:
            raise LaunchError(
                f"PyCUDA could not launch or load {what}: {error}",
                fix='launcher="driver" says more',
            ) from error
        finally:
            self._cuda.Context.pop()


def _value(parameter: NDArray[Any]) -> Any:
    """Return a parameter as PyCUDA packs it: a number as it is, a struct as a void scalar."""
    if parameter.dtype == np.uint64 and parameter.ndim == 0:
        return parameter[()]
    return np.void(parameter.tobytes())


LAUNCHERS: Mapping[str, Callable[[Driver, Device], Launcher]] = {
    "driver": DriverLauncher,
    "pycuda": PyCudaLauncher,
}
"""What `load_kernel(launcher=...)` may be."""
