"""Targets that optgen can print; adding one is a module, a template folder and a line here."""

from __future__ import annotations

from optgen.backends.base import Backend
from optgen.backends.c import CBackend
from optgen.backends.cuda import CudaBackend
from optgen.backends.numpy import NumpyBackend

BACKENDS: dict[str, Backend] = {
    "c": CBackend(),
    "cuda": CudaBackend(),
    "numpy": NumpyBackend(),
}
