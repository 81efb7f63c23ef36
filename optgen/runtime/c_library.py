"""One rule's compiled C, called through ctypes with tables of pointers."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_TYPES = ("float32", "float64")


class CLibrary:
    """The entries of one rule. Safe to call from several threads at once.

    Args:
        path: The shared library.
        identifier: The rule's name in identifiers.

    In a process that was forked after the library was loaded, every call runs in one thread:
    GNU's OpenMP waits for ever for the threads that its parent had. The bits are the same.

    Raises:
        OSError: The library cannot be loaded.
    """

    def __init__(self, path: Path, identifier: str) -> None:
        library = ctypes.CDLL(str(path))
        self._process = os.getpid()
        self._scratch = getattr(library, f"optgen_{identifier}_scratch")
        self._scratch.argtypes = [ctypes.c_uint64, ctypes.c_void_p]
        self._scratch.restype = ctypes.c_uint64
        self._entries = {
            name: _declared(getattr(library, f"optgen_{identifier}_{name}")) for name in _TYPES
        }

    def call(
        self, dtype: str, counts: Array, pointers: Array, args: Array, threads: int = 0
    ) -> None:
        """Update tensors of one type.

        Args:
            dtype: Their type.
            counts: Elements of each, uint64.
            pointers: Addresses, uintp, a row for each array of the rule.
            args: A row of host values for each tensor, of the type.
            threads: How many, 0 for what OpenMP says (OMP_NUM_THREADS).
        """
        if os.getpid() != self._process:
            threads = 1
        tensors = counts.size
        work = np.empty(self._scratch(tensors, counts.ctypes.data), dtype)
        self._entries[dtype](
            tensors,
            counts.ctypes.data,
            pointers.ctypes.data,
            args.ctypes.data,
            work.ctypes.data,
            threads,
        )


def _declared(function: Any) -> Any:
    pointer = ctypes.c_void_p
    function.argtypes = [ctypes.c_uint64, pointer, pointer, pointer, pointer, ctypes.c_int]
    function.restype = None
    return function
