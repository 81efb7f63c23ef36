"""One rule's compiled C, called through ctypes with tables of pointers."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_TYPES = ("float32", "float64")


class CLibrary:
    """The entries of one rule. Safe to call from several threads at once.

    Args:
        path: The shared library.
        identifier: The rule's name in identifiers.

    In a process forked from one that has called such a library in threads, or that has loaded
    this one, every call runs in one thread: GNU's OpenMP waits for ever for the threads that
    the parent had. The bits are the same.

    Raises:
        OSError: The library cannot be loaded.
    """

    _threads_in: ClassVar[int] = 0
    """The process in which any of these libraries was first called in threads; 0 if none."""

    def __init__(self, path: Path, identifier: str) -> None:
        library = ctypes.CDLL(str(path))
        self._process = os.getpid()
        self._scratch = getattr(library, f"optgen_{identifier}_scratch")
        self._scratch.argtypes = [ctypes.c_uint64, ctypes.c_void_p]
        self._scratch.restype = ctypes.c_uint64
        self._entries = {
            name: _declared(entry)
            for name in _TYPES
            if (entry := getattr(library, f"optgen_{identifier}_{name}", None)) is not None
        }
        self._hosts = {
            name: _declared_host(getattr(library, f"optgen_{identifier}_{name}_host"))
            for name in self._entries
        }

    def scratch(self, counts: Array) -> int:
        """Return how many values of scratch space a call needs; `counts` as for `call`."""
        return int(self._scratch(counts.size, counts.ctypes.data))

    def addresses(self, dtype: str) -> tuple[int, int]:
        """Return where the host function of a type lies, and the entry."""
        found = (self._hosts[dtype], self._entries[dtype])
        host, entry = (ctypes.cast(function, ctypes.c_void_p).value or 0 for function in found)
        return host, entry

    def host(
        self,
        dtype: str,
        hyperparameters: Array,
        step: float,
        numel: float,
        scalar_states: Array,
        args: Array,
    ) -> int:
        """Compute host values.

        Args:
            dtype: The arithmetic type.
            hyperparameters: One float64 for each, in order of the signature.
            step: Number of the update, 1 for the first.
            numel: Elements of the tensor.
            scalar_states: One float64 for each, in order; changed.
            args: A row of host values, of the type; filled.

        Returns:
            0, or the number, from 1, of the first hyperparameter outside its domain; then
            nothing has changed.
        """
        places = [a.ctypes.data for a in (hyperparameters, scalar_states, args)]
        return int(self._hosts[dtype](places[0], step, numel, *places[1:]))

    def call(
        self,
        dtype: str,
        counts: Array,
        pointers: Array,
        args: Array,
        *,
        work: Array | None = None,
        threads: int = 0,
    ) -> None:
        """Update tensors of one type.

        Args:
            dtype: Their type.
            counts: Elements of each, uint64.
            pointers: Addresses, uintp, a row for each array of the rule.
            args: A row of host values for each tensor, of the type.
            work: Scratch space, of the type; made here if not given.
            threads: How many, 0 for what OpenMP says (OMP_NUM_THREADS).
        """
        if work is None:
            work = np.empty(self.scratch(counts), dtype)
        self._entries[dtype](
            counts.size,
            counts.ctypes.data,
            pointers.ctypes.data,
            args.ctypes.data,
            work.ctypes.data,
            threads if self.may_use_threads() else 1,
        )

    def may_use_threads(self) -> bool:
        """Return whether this process may start threads; it is taken to do so from now on."""
        process = os.getpid()
        if process != self._process:
            return False
        if not CLibrary._threads_in:
            CLibrary._threads_in = process
        return CLibrary._threads_in == process


def _declared(function: Any) -> Any:
    pointer = ctypes.c_void_p
    function.argtypes = [ctypes.c_uint64, pointer, pointer, pointer, pointer, ctypes.c_int]
    function.restype = None
    return function


def _declared_host(function: Any) -> Any:
    pointer = ctypes.c_void_p
    function.argtypes = [pointer, ctypes.c_double, ctypes.c_double, pointer, pointer]
    function.restype = ctypes.c_int
    return function
