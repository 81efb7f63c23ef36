"""NVIDIA's driver library through ctypes: contexts, memory, modules, launches.

Nothing but the library that comes with the driver is needed. Contexts are the primary ones,
which torch, CuPy, JAX and the CUDA runtime use too.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from optgen.errors import BackendUnavailable, LaunchError

OLDEST = 11000
"""The oldest driver whose functions are all there that are called here: CUDA 11.0."""
_LIBRARIES = {"win32": "nvcuda.dll"}
_INSTALL = "install NVIDIA's driver; the toolkit is not needed"

# Values of the driver's enumerations, as cuda.h has them.
_MULTIPROCESSORS, _MAJOR, _MINOR = 16, 75, 76
_POINTER_CONTEXT, _MEMORY_TYPE, _ORDINAL, _RANGE_START, _RANGE_SIZE = 1, 2, 9, 11, 12
_ON_HOST = 1
_INVALID_VALUE, _OUT_OF_MEMORY, _NOT_INITIALIZED, _NO_DEVICE = 1, 2, 3, 100
_WRONG_IMAGE = (200, 209, 218, 222)  # not for this device, not for this driver, damaged

_pointer = ctypes.c_void_p
_size, _address, _int, _unsigned = ctypes.c_size_t, ctypes.c_uint64, ctypes.c_int, ctypes.c_uint
_SIGNATURES: Mapping[str, tuple[object, ...]] = {
    "cuInit": (_unsigned,),
    "cuDriverGetVersion": (_pointer,),
    "cuDeviceGetCount": (_pointer,),
    "cuDeviceGet": (_pointer, _int),
    "cuDeviceGetName": (ctypes.c_char_p, _int, _int),
    "cuDeviceGetAttribute": (_pointer, _int, _int),
    "cuDevicePrimaryCtxRetain": (_pointer, _int),
    "cuCtxGetCurrent": (_pointer,),
    "cuCtxPushCurrent_v2": (_pointer,),
    "cuCtxPopCurrent_v2": (_pointer,),
    "cuModuleLoadData": (_pointer, ctypes.c_char_p),
    "cuModuleGetFunction": (_pointer, _pointer, ctypes.c_char_p),
    "cuOccupancyMaxActiveBlocksPerMultiprocessor": (_pointer, _pointer, _int, _size),
    "cuLaunchKernel": (_pointer, *[_unsigned] * 7, _pointer, _pointer, _pointer),
    "cuMemAlloc_v2": (_pointer, _size),
    "cuMemFree_v2": (_address,),
    "cuMemcpyHtoD_v2": (_address, _pointer, _size),
    "cuMemcpyDtoH_v2": (_pointer, _address, _size),
    "cuMemcpyDtoD_v2": (_address, _address, _size),
    "cuPointerGetAttribute": (_pointer, _int, _address),
    "cuStreamGetCtx": (_pointer, _pointer),
    "cuStreamSynchronize": (_pointer,),
    "cuEventCreate": (_pointer, _unsigned),
    "cuEventRecord": (_pointer, _pointer),
    "cuEventSynchronize": (_pointer,),
    "cuEventElapsedTime": (_pointer, _pointer, _pointer),
    "cuEventDestroy_v2": (_pointer,),
    "cuGetErrorName": (_int, _pointer),
    "cuGetErrorString": (_int, _pointer),
}


@dataclass(frozen=True, slots=True)
class Device:
    """One device and its primary context.

    Attributes:
        ordinal: Its number.
        name: What the driver calls it.
        arch: Its architecture, for example `sm_90`.
        multiprocessors: How many it has.
        context: Handle of the primary context.
    """

    ordinal: int
    name: str
    arch: str
    multiprocessors: int
    context: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """The memory in which an address lies.

    Attributes:
        device: Number of the device.
        start: Its first address.
        size: Bytes.
    """

    device: int
    start: int
    size: int


class Driver:
    """The driver library, initialised. Safe to use from several threads.

    Args:
        path: A file, or a name that the system's loader knows.

    Raises:
        BackendUnavailable: The library cannot be loaded, is too old, or has no device.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._library = ctypes.CDLL(path)
            for name, types in _SIGNATURES.items():
                function = getattr(self._library, name)
                function.argtypes = types
                function.restype = ctypes.c_int
        except (OSError, AttributeError) as error:
            raise BackendUnavailable(
                f"there is no CUDA driver: {error}", where=path, fix=_INSTALL
            ) from error
        status = self._library.cuInit(0)
        if status:
            missing = status in (_NO_DEVICE, _NOT_INITIALIZED)
            raise BackendUnavailable(
                f"{'no NVIDIA GPU' if missing else 'the CUDA driver does not start'}: "
                f"{self._named(status)}",
                where=path,
                fix="see what `nvidia-smi` says; CUDA_VISIBLE_DEVICES hides devices",
            )
        self.version = self._number("cuDriverGetVersion")
        if self.version < OLDEST:
            raise BackendUnavailable(
                f"the CUDA driver is for CUDA {self.version // 1000}.{self.version % 1000 // 10}",
                where=path,
                fix=f"install a driver for CUDA {OLDEST // 1000} or later",
            )
        self._devices: dict[int, Device] = {}

    @property
    def launches(self) -> ctypes._FuncPointer:
        """`cuLaunchKernel` itself, for callers that keep what they pass."""
        found: ctypes._FuncPointer = self._library.cuLaunchKernel
        return found

    def device(self, ordinal: int) -> Device:
        """Return a device; its primary context is kept for the life of the process.

        Raises:
            LaunchError: There is no such device.
        """
        found = self._devices.get(ordinal)
        if found is not None:
            return found
        count = self._number("cuDeviceGetCount")
        if not 0 <= ordinal < count:
            raise LaunchError(
                f"there is no CUDA device {ordinal}",
                where=self.path,
                fix=f"there are {count}, counted from 0; CUDA_VISIBLE_DEVICES hides devices",
            )
        handle = self._number("cuDeviceGet", ordinal)
        name = ctypes.create_string_buffer(256)
        self.must("cuDeviceGetName", name, 256, handle)
        major, minor, multiprocessors = (
            self._number("cuDeviceGetAttribute", which, handle)
            for which in (_MAJOR, _MINOR, _MULTIPROCESSORS)
        )
        found = Device(
            ordinal=ordinal,
            name=name.value.decode(errors="replace"),
            arch=f"sm_{major}{minor}",
            multiprocessors=multiprocessors,
            context=self._handle("cuDevicePrimaryCtxRetain", handle),
        )
        return self._devices.setdefault(ordinal, found)

    @contextlib.contextmanager
    def current(self, device: Device) -> Iterator[None]:
        """Make a device's primary context the current one, for a while, in this thread."""
        if self._handle("cuCtxGetCurrent") == device.context:
            yield
            return
        self.must("cuCtxPushCurrent_v2", device.context)
        try:
            yield
        finally:
            self._handle("cuCtxPopCurrent_v2")

    def allocate(self, size: int) -> int:
        """Return the address of memory in the current context; of 0 bytes, 0."""
        if not size:
            return 0
        found = ctypes.c_uint64()
        self.must("cuMemAlloc_v2", ctypes.byref(found), size, what=f"{size:,} bytes")
        return found.value

    def free(self, address: int) -> None:
        """Give memory back; at the end of a process, when the driver is gone, nothing happens."""
        if address:
            self._library.cuMemFree_v2(address)

    def allocation(self, address: int) -> Allocation | None:
        """Return the device memory that an address lies in; None if it is no such memory."""
        kind, ordinal = ctypes.c_uint(), ctypes.c_int()
        start, size = ctypes.c_uint64(), ctypes.c_size_t()
        for which, place in (
            (_MEMORY_TYPE, kind),
            (_ORDINAL, ordinal),
            (_RANGE_START, start),
            (_RANGE_SIZE, size),
        ):
            if self._library.cuPointerGetAttribute(ctypes.byref(place), which, address):
                return None
            if kind.value == _ON_HOST:
                return None
        return Allocation(ordinal.value, start.value, size.value)

    def stream_context(self, stream: int) -> int:
        """Return the context that a stream belongs to."""
        return self._handle("cuStreamGetCtx", stream, before=True)

    def event(self) -> int:
        """Return a new event of the current context."""
        return self._handle("cuEventCreate", 0)

    def elapsed(self, start: int, end: int) -> float:
        """Return the seconds between two events; waits for the second."""
        found = ctypes.c_float()
        self.must("cuEventSynchronize", end)
        self.must("cuEventElapsedTime", ctypes.byref(found), start, end)
        return found.value / 1000

    def load(self, image: bytes, where: object) -> int:
        """Return a module made of a cubin, or of PTX that ends in a zero byte.

        Raises:
            LaunchError: The driver does not take it.
        """
        found = ctypes.c_void_p()
        status = self._library.cuModuleLoadData(ctypes.byref(found), image)
        if status in _WRONG_IMAGE:
            version = f"{self.version // 1000}.{self.version % 1000 // 10}"
            raise LaunchError(
                f"the driver, for CUDA {version}, does not take this code: {self._named(status)}",
                where=where,
                fix="install a newer driver, or an NVRTC no newer than it: pip install "
                f'"nvidia-cuda-nvrtc<={version}.999"',
            )
        self._checked(status, "cuModuleLoadData", str(where))
        return found.value or 0

    def function(self, module: int, name: str) -> int:
        """Return a kernel of a module."""
        found = ctypes.c_void_p()
        self.must("cuModuleGetFunction", ctypes.byref(found), module, name.encode(), what=name)
        return found.value or 0

    def blocks(self, function: int, threads: int) -> int:
        """Return how many blocks of a kernel fit on one multiprocessor at a time."""
        return self._number("cuOccupancyMaxActiveBlocksPerMultiprocessor", function, threads, 0)

    def must(self, name: str, *given: object, what: str = "") -> None:
        """Call a function.

        Raises:
            LaunchError: It fails; with its name, and the driver's words.
        """
        self._checked(getattr(self._library, name)(*given), name, what)

    def check_launch(self, status: int, entry: str) -> None:
        """Raise a LaunchError if a launch was refused; then the kernel has not begun."""
        self._checked(status, "cuLaunchKernel", entry)

    def _checked(self, status: int, name: str, what: str) -> None:
        if not status:
            return
        fix = {
            _OUT_OF_MEMORY: "free memory on the device, or use a smaller model",
            _INVALID_VALUE: "pass arrays that are alive and lie on this device",
        }.get(status, "an earlier error may be the cause: run again with CUDA_LAUNCH_BLOCKING=1")
        raise LaunchError(
            f"{name}{f' ({what})' if what else ''} failed: {self._named(status)}",
            where=self.path,
            fix=fix,
        )

    def _named(self, status: int) -> str:
        words = []
        for name in ("cuGetErrorName", "cuGetErrorString"):
            text = ctypes.c_char_p()
            if not getattr(self._library, name)(status, ctypes.byref(text)) and text.value:
                words.append(text.value.decode(errors="replace"))
        return ": ".join(words) or f"error {status}"

    def _number(self, name: str, *given: object) -> int:
        found = ctypes.c_int()
        self.must(name, ctypes.byref(found), *given)
        return found.value

    def _handle(self, name: str, *given: object, before: bool = False) -> int:
        found = ctypes.c_void_p()
        place = ctypes.byref(found)
        self.must(name, *((*given, place) if before else (place, *given)))
        return found.value or 0


@cache
def find_driver() -> Driver:
    """Return the driver of this machine; looked for once in a process.

    Raises:
        BackendUnavailable: There is none, or no device.
    """
    return Driver(_LIBRARIES.get(sys.platform, "libcuda.so.1"))
