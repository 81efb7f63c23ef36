"""Arrays on a device: those of other libraries as they are, and a plain one of our own.

An array is taken from whoever made it through what it offers: torch's `data_ptr`, the
`__cuda_array_interface__` of CuPy, Numba and PyCUDA, or DLPack, which JAX has.
"""

from __future__ import annotations

import ctypes
import sys
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optgen.errors import LaunchError
from optgen.runtime.cuda.driver import Device, Driver

SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Bytes per element of the types that kernels know."""
_TYPESTRINGS = {"<f2": "float16", "<f4": "float32", "<f8": "float64"}
_ON_CUDA = (2, 13)  # DLPack's kDLCUDA and kDLCUDAManaged
_DLPACK_TYPES = {(2, 16): "float16", (2, 32): "float32", (2, 64): "float64", (4, 16): "bfloat16"}


class View(NamedTuple):
    """Where an array lies, and what is in it.

    Attributes:
        address: Its first byte; 0 if there is none.
        shape: Its shape.
        type: Type of its elements, as NumPy and ml_dtypes call it.
        writable: Whether it may be changed.
    """

    address: int
    shape: tuple[int, ...]
    type: str
    writable: bool

    @property
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes it has."""
        return self.size * SIZES.get(self.type, 0)

    @property
    def dtype(self) -> Any:
        """Its type as NumPy's; the name of one that NumPy does not have."""
        return self.type if self.type == "bfloat16" else np.dtype(self.type)


class DeviceArray:
    """Memory on a device, for programs that have no library for it.

    Args:
        driver: The driver.
        device: Where it shall lie.
        shape: Its shape.
        type: Type of its elements: float16, bfloat16, float32 or float64.

    Raises:
        LaunchError: There is not enough memory.
    """

    def __init__(self, driver: Driver, device: Device, shape: tuple[int, ...], type: str) -> None:
        self.shape, self.type, self.device = shape, type, device.ordinal
        self._driver, self._device, self._address = driver, device, 0
        with driver.current(device):
            self._address = driver.allocate(prod(shape) * SIZES[type])

    def __del__(self) -> None:
        if getattr(self, "_address", 0) and not sys.is_finalizing():
            self._driver.free(self._address)

    def __repr__(self) -> str:
        return f"<DeviceArray {self.type}{list(self.shape)} on device {self.device}>"

    @property
    def view(self) -> View:
        """Where it lies."""
        return View(self._address, self.shape, self.type, True)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.type == "bfloat16":
            raise AttributeError("__cuda_array_interface__ has no word for bfloat16")
        return {
            "shape": self.shape,
            "typestr": {name: text for text, name in _TYPESTRINGS.items()}[self.type],
            "data": (self._address, False),
            "strides": None,
            "version": 3,
        }

    @property
    def numpy_type(self) -> Any:
        """The type of its elements; bfloat16 is that of ml_dtypes."""
        return numpy_type(self.type)

    def write(self, array: NDArray[Any]) -> None:
        """Copy a NumPy array of the same type and shape here; waits until that is done."""
        if array.shape != self.shape or array.dtype.name != self.type:
            raise ValueError(
                f"a {array.dtype} array of shape {array.shape} cannot be written to {self!r}"
            )
        held = np.ascontiguousarray(array)
        if held.nbytes:
            with self._driver.current(self._device):
                self._driver.must("cuMemcpyHtoD_v2", self._address, held.ctypes.data, held.nbytes)

    def numpy(self) -> NDArray[Any]:
        """Return a copy as a NumPy array; waits for the work of the default stream."""
        found = np.empty(self.shape, self.numpy_type)
        if found.nbytes:
            with self._driver.current(self._device):
                self._driver.must("cuMemcpyDtoH_v2", found.ctypes.data, self._address, found.nbytes)
        return found


def numpy_type(kind: str) -> Any:
    """Return a NumPy type by name; bfloat16 is that of ml_dtypes."""
    if kind != "bfloat16":
        return np.dtype(kind)
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def is_torch(array: Any) -> bool:
    """Return whether an array is a torch tensor; torch is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def view_of(array: Any, name: str) -> View:
    """Return where an array lies.

    Args:
        array: The array.
        name: What a message calls it.

    Raises:
        TypeError: It is not on a CUDA device, or of a type that kernels do not know.
        ValueError: It is not contiguous.
    """
    if isinstance(array, DeviceArray):
        return array.view
    if is_torch(array):
        return _of_torch(array, name)
    interface = getattr(array, "__cuda_array_interface__", None)
    if interface is not None:
        return _of_interface(interface, name)
    if hasattr(array, "__dlpack__") and array.__dlpack_device__()[0] in _ON_CUDA:
        return _of_dlpack(array, name)
    raise TypeError(
        f"{name} must be an array on a CUDA device (torch, CuPy, JAX, Numba, PyCUDA or anything "
        f"with __cuda_array_interface__ or __dlpack__), not {type(array).__name__}"
    )


def _of_torch(tensor: Any, name: str) -> View:
    if not tensor.is_cuda:
        raise TypeError(f"{name} is on {tensor.device}; move it: {name.split(' ')[0]}.cuda()")
    if not tensor.is_contiguous():
        raise ValueError(f"{name} is not contiguous; pass {name.split(' ')[0]}.contiguous()")
    kind = str(tensor.dtype).removeprefix("torch.")
    return View(tensor.data_ptr(), tuple(tensor.shape), _known(kind, name), True)


def _of_interface(interface: dict[str, Any], name: str) -> View:
    kind = _known(_TYPESTRINGS.get(interface["typestr"], interface["typestr"]), name)
    shape = tuple(interface["shape"])
    _check_strides(interface.get("strides"), shape, SIZES[kind], name)
    if interface.get("mask") is not None:
        raise TypeError(f"{name} has a mask; pass an array without one")
    address, frozen = interface["data"]
    return View(address or 0, shape, kind, not frozen)


class _Tensor(ctypes.Structure):
    """DLPack's DLTensor; a DLManagedTensor begins with one."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


def _of_dlpack(array: Any, name: str) -> View:
    # The capsule is not consumed: it gives its memory back when it is dropped, and the array
    # itself, which the caller holds, keeps the data alive. -1: no stream is to wait for another.
    capsule = array.__dlpack__(stream=-1)
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    found = _Tensor.from_address(get(capsule, b"dltensor"))
    kind = _DLPACK_TYPES.get((found.code, found.bits)) if found.lanes == 1 else None
    kind = _known(kind or f"DLPack's type {found.code} of {found.bits} bits", name)
    shape = tuple(found.shape[i] for i in range(found.ndim))
    if found.strides:
        strides = tuple(found.strides[i] * SIZES[kind] for i in range(found.ndim))
        _check_strides(strides, shape, SIZES[kind], name)
    return View((found.data or 0) + found.byte_offset, shape, kind, True)


def _known(kind: str, name: str) -> str:
    if kind not in SIZES:
        raise TypeError(f"{name} has type {kind}; kernels know {', '.join(SIZES)}")
    return kind


def _check_strides(strides: Any, shape: tuple[int, ...], size: int, name: str) -> None:
    if strides is None or 0 in shape:
        return
    for length, stride in zip(reversed(shape), reversed(tuple(strides)), strict=True):
        if length != 1 and stride != size:
            raise ValueError(f"{name} is not contiguous; pass a contiguous copy")
        size *= length


def check_on_device(driver: Driver, view: View, name: str, device: int | None) -> int:
    """Return the device that an array lies on.

    Args:
        driver: The driver.
        view: The array; it has elements.
        name: What a message calls it.
        device: The device on which it must be; None if that is not known yet.

    Raises:
        LaunchError: It is not memory of a device, or of another one, or ends before the array does.
    """
    found = driver.allocation(view.address)
    if found is None:
        raise LaunchError(
            f"{name} does not lie on a CUDA device: address {view.address:#x} is not known to the "
            "driver, or is the host's",
            fix="pass an array that is alive and on the device",
        )
    if device is not None and found.device != device:
        raise LaunchError(
            f"{name} lies on device {found.device}, and param on device {device}",
            fix="move all arrays of a tensor to one device",
        )
    if view.address + view.nbytes > found.start + found.size:
        raise LaunchError(
            f"{name} has {view.nbytes:,} bytes, but the memory at its address ends after "
            f"{found.start + found.size - view.address:,}",
            fix="pass an array that is alive: this one has been freed, or says the wrong shape",
        )
    return found.device
