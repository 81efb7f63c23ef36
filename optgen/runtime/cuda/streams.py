"""Which stream a step is launched on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from optgen.errors import LaunchError
from optgen.runtime.cuda.arrays import is_torch
from optgen.runtime.cuda.driver import Device, Driver

_DEFAULTS = 2
"""Up to here a handle stands for a default stream of whatever context is current."""


def stream_handle(driver: Driver, device: Device, stream: Any, params: Sequence[Any]) -> int:
    """Return the handle of a stream of a device.

    Args:
        driver: The driver.
        device: Where the arrays lie.
        stream: A stream of torch, CuPy or PyCUDA, or its handle; None for torch's current one if
            any parameter is torch's, else the default stream.
        params: The parameters of the call.

    Raises:
        TypeError: It is no stream.
        LaunchError: It belongs to another context.
    """
    if stream is None:
        if not any(is_torch(param) for param in params):
            return 0
        stream = sys.modules["torch"].cuda.current_stream(device.ordinal)
    handle = stream
    for name in ("cuda_stream", "ptr", "handle"):  # as torch, CuPy and PyCUDA call it
        handle = getattr(handle, name, handle)
    if isinstance(handle, bool) or not isinstance(handle, int):
        raise TypeError(
            f"stream must be a stream of torch, CuPy or PyCUDA, or its handle, not {stream!r}"
        )
    if handle > _DEFAULTS and driver.stream_context(handle) != device.context:
        raise LaunchError(
            f"stream {handle:#x} belongs to another context than device {device.ordinal}",
            fix="make the stream on the device of the arrays, in its primary context",
        )
    return int(handle)
