"""Buffers in a virtual address space so wide that no wrong index reaches a neighbour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck.ptx.errors import LaunchError
from optgen.crosscheck.ptx.types import Array

GLOBAL_SHIFT = 36
"""Global buffers and parameters start 64 GiB apart."""
WINDOW_SHIFT = 20
"""Shared and local variables start 1 MiB apart: their addresses have 32 bits."""
_ROUND = 32


def origin(key: int, shift: int) -> int:
    """Return the middle of a window, where its buffer starts: gaps on both sides."""
    return (key << shift) + (1 << (shift - 1))


class Buffer:
    """A piece of memory with bounds; `banks` copies of it for shared and local variables.

    Made by `Memory.alloc`, or by a launch for its parameters and variables.

    Args:
        name: What messages call it.
        start: Address of its first byte.
        shift: `start >> shift` is unique to this buffer in its space.
        data: Its contents, one row of bytes per bank.
        dtype: What messages count its elements in.
        writable: Whether a kernel may store to it.
        initialised: Whether it may be read before it is written.
    """

    __slots__ = (
        "banks",
        "dtype",
        "name",
        "pitch",
        "raw",
        "shape",
        "skip",
        "start",
        "stop",
        "valid",
        "writable",
    )

    def __init__(
        self,
        name: str,
        start: int,
        shift: int,
        data: Array,
        *,
        dtype: np.dtype[Any] | None = None,
        shape: tuple[int, ...] = (),
        writable: bool = True,
        initialised: bool = True,
    ) -> None:
        self.name = name
        self.start = start
        self.skip = start - origin(start >> shift, shift)
        self.banks, size = data.shape
        self.stop = start + size
        self.pitch = -(-(self.skip + size) // _ROUND) * _ROUND
        self.raw = np.zeros(self.banks * self.pitch, np.uint8)
        self.raw.reshape(self.banks, self.pitch)[:, self.skip : self.skip + size] = data
        self.valid = None if initialised else np.zeros_like(self.raw)
        self.dtype = np.dtype(np.uint8) if dtype is None else dtype
        self.shape = shape
        self.writable = writable

    @property
    def address(self) -> int:
        """The pointer a kernel is given."""
        return self.start

    def read(self) -> NDArray[Any]:
        """Return a copy of the contents, shaped like the array it was made from."""
        content = self.raw[self.skip : self.skip + self.stop - self.start]
        return content.copy().view(self.dtype).reshape(self.shape)

    def write(self, array: NDArray[Any]) -> None:
        """Replace the contents.

        Raises:
            LaunchError: The array is of another type or shape.
        """
        if array.dtype != self.dtype or array.shape != self.shape:
            raise LaunchError(
                f"{array.dtype}{list(array.shape)} written to {self.dtype}{list(self.shape)}",
                where=f"buffer '{self.name}'",
            )
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.raw[self.skip : self.skip + content.size] = content
        if self.valid is not None:
            self.valid[:] = 1


class Memory:
    """The global memory that launches share."""

    def __init__(self) -> None:
        self._buffers: dict[int, Buffer] = {}

    def alloc(
        self,
        array: NDArray[Any],
        name: str | None = None,
        *,
        writable: bool = True,
        misalign: int = 0,
        initialised: bool = True,
    ) -> Buffer:
        """Copy an array into a new buffer.

        Args:
            array: The contents; later changes to it are not seen.
            name: What messages and statistics call it; by default `buffer0`, `buffer1`, ...
            writable: False makes every store to it an error.
            misalign: Bytes between a 256-byte boundary and its start.
            initialised: False makes reading what no kernel has written an error.

        Raises:
            LaunchError: The name is taken, or `misalign` is negative.
        """
        key = len(self._buffers) + 1
        name = f"buffer{key - 1}" if name is None else name
        if misalign < 0 or any(b.name == name for b in self._buffers.values()):
            raise LaunchError(
                "a buffer's name must be new and its misalignment at least 0",
                where=f"Memory.alloc(name={name!r}, misalign={misalign})",
            )
        content = np.ascontiguousarray(array)
        buffer = Buffer(
            name,
            origin(key, GLOBAL_SHIFT) + misalign,
            GLOBAL_SHIFT,
            content.reshape(-1).view(np.uint8)[None, :],
            dtype=content.dtype,
            shape=array.shape,
            writable=writable,
            initialised=initialised,
        )
        self._buffers[key] = buffer
        return buffer

    def find(self, address: int) -> Buffer | None:
        """Return the buffer whose 64 GiB window holds the address."""
        return self._buffers.get(address >> GLOBAL_SHIFT)

    def buffers(self) -> tuple[Buffer, ...]:
        """Return every buffer, oldest first."""
        return tuple(self._buffers.values())
