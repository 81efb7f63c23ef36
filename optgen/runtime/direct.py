"""The short way into compiled C: `direct.c`, and what Python prepares for it.

`direct.c` reads fields of arrays at the places where NumPy has kept them for as long as
anything has been compiled against it, items of lists and tuples where CPython does, and dicts
through CPython's stable ABI. Where a first look at known objects does not find the fields there,
or the file cannot be compiled, there is no short way, and every call is checked in Python.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from optgen.errors import BackendUnavailable, CompileError
from optgen.runtime.c_library import Array, CLibrary
from optgen.runtime.compiler import find_compiler
from optgen.runtime.libraries import compiled_library

SOURCE = Path(__file__).with_name("direct.c")

KEEPS_LOCK_UP_TO = 16384
"""Elements that are updated faster than another thread could be given Python's lock."""

_FIELDS = (
    "python", "host", "entry", "several", "tensors", "states", "cells", "names", "known",
    "shapes", "n", "gradients", "pointers", "spans", "starts", "ends", "args_size", "args",
    "scalars", "steps", "work", "grad_descr", "grad_item", "total", "keeps_lock_up_to", "alive",
    "busy",
)  # fmt: skip
"""The struct `plan` of direct.c: every field is as wide as a pointer."""
_PLACE = {name: index for index, name in enumerate(_FIELDS)}
_DATA, _DIMENSIONS, _SHAPE, _DESCR, _FLAGS = 16, 24, 32, 56, 64  # of arrays, in bytes
_SIZE, _ITEMS = 16, 24  # of lists and tuples
_PYTHON = (
    "PyDict_GetItemWithError", "PyDict_Next", "PyErr_Clear", "PyEval_SaveThread",
    "PyEval_RestoreThread", "Py_IncRef", "Py_DecRef",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Direct:
    """The compiled short way.

    Attributes:
        call: `optgen_direct`: plan, param, grad, state, hyperparameters, threads.
        python: What it needs of Python; kept alive here.
    """

    call: Any
    python: Array


@dataclass(frozen=True, slots=True)
class NoDirect:
    """Why there is no short way."""

    reason: str


@cache
def direct() -> Direct | NoDirect:
    """Return the short way into compiled C, or why there is none here."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return NoDirect(f"{platform.python_implementation()}, {sys.maxsize.bit_length() + 1} bits")
    strange = _strange_layout()
    if strange:
        return NoDirect(strange)
    try:
        text = SOURCE.read_text(encoding="utf-8")
        library = ctypes.PyDLL(str(compiled_library(find_compiler(), text, SOURCE.name)))
    except (OSError, BackendUnavailable, CompileError) as error:
        return NoDirect(str(error))
    call = library.optgen_direct
    anything = ctypes.py_object
    call.argtypes = [
        ctypes.c_void_p, anything, anything, anything, ctypes.c_char_p, ctypes.c_int,
    ]  # fmt: skip
    call.restype = ctypes.c_int
    functions = [
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in _PYTHON
    ]
    return Direct(call, np.array([*map(id, (list, tuple, dict, np.ndarray)), *functions], np.uintp))


def _strange_layout() -> str:
    """Return which field of an array is not where direct.c reads it, or an empty string."""
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    frozen = np.zeros((), np.int64)
    frozen.flags.writeable = False
    for array in (whole, whole[1:, ::2], whole.T, frozen, np.zeros((0, 7))):
        at = id(array)
        shape = _read(at + _SHAPE, ctypes.c_void_p) or 0
        found = {
            "type": (_read(at + 8, ctypes.c_void_p), id(type(array))),
            "data": (_read(at + _DATA, ctypes.c_void_p), array.ctypes.data),
            "dimensions": (_read(at + _DIMENSIONS, ctypes.c_int), array.ndim),
            "type of elements": (_read(at + _DESCR, ctypes.c_void_p), id(array.dtype)),
            "flags": (_read(at + _FLAGS, ctypes.c_int), array.flags.num),
        }
        for name, (read, known) in found.items():
            if read != known:
                return f"this NumPy does not keep the {name} of an array where it was expected"
        if [_read(shape + 8 * i, ctypes.c_ssize_t) for i in range(array.ndim)] != [*array.shape]:
            return "this NumPy does not keep the shape of an array where it was expected"
    for several in ([], [whole], [frozen, whole, frozen], (), (whole, frozen)):
        strange = f"this Python does not keep the items of a {type(several).__name__} there"
        at = id(several)
        head = (_read(at + 8, ctypes.c_void_p), _read(at + _SIZE, ctypes.c_ssize_t))
        if head != (id(type(several)), len(several)):
            return strange  # before anything is looked for where an address was expected
        items = at + _ITEMS
        if isinstance(several, list):
            items = _read(items, ctypes.c_void_p) or 0
        if [_read(items + 8 * i, ctypes.c_void_p) for i in range(len(several))] != [
            *map(id, several)
        ]:
            return strange
    return ""


def _read(address: int, kind: Any) -> Any:
    return kind.from_address(address).value


class Plan:
    """The arrays of a call that was checked, as direct.c knows them again.

    Nothing of them is held: once one is gone its address may be another's, and the plan is
    dead. NumPy never moves the memory of an array that somebody refers to weakly.

    Args:
        way: The short way.
        library: The rule's compiled C.
        dtype: Type of all tensors.
        several: Whether the call was one of lists.
        written: Per tensor: parameter, states, cells. All checked.
        gradients: One per tensor.
        pointers: Rows of addresses: parameters, gradients, each state. Changed by later calls.
        counts: Elements of each tensor, uint64.
        names: Of states, then of cells.
        states: How many of the names are states.
        args_size: Bytes of the struct of host values.
    """

    __slots__ = ("__weakref__", "_held", "_references", "address", "fields")

    def __init__(
        self,
        way: Direct,
        library: CLibrary,
        dtype: str,
        *,
        several: bool,
        written: Sequence[Sequence[Array]],
        gradients: Sequence[Array],
        pointers: Array,
        counts: Array,
        names: tuple[str, ...],
        states: int,
        args_size: int,
    ) -> None:
        tensors, cells = len(written), len(names) - states
        flat = [array for arrays in written for array in arrays]
        known = [
            (id(a), a.__array_interface__["data"][0], _read(id(a) + _DESCR, ctypes.c_void_p),
             a.flags.num)
            for a in flat
        ]  # fmt: skip
        shapes = [size for arrays in written for size in (arrays[0].ndim, *arrays[0].shape)]
        spans = sorted(
            (row[1], row[1] + a.nbytes) for row, a in zip(known, flat, strict=True) if a.nbytes
        )
        keys = np.array([id(name) for name in names], np.uintp)
        tables = {
            "names": keys,
            "known": np.array(known, np.uintp),
            "shapes": np.array(shapes, np.intp),
            "n": counts,
            "gradients": np.zeros(tensors, np.uintp),
            "pointers": pointers,
            "starts": np.array([start for start, _ in spans], np.uintp),
            "ends": np.array([end for _, end in spans], np.uintp),
            "args": np.empty(tensors * args_size, np.uint8),
            "scalars": np.empty(max(1, tensors * (cells - 1)), np.float64),
            "steps": np.empty(tensors, np.int64),
            "work": np.empty(library.scratch(counts), dtype),
            "python": way.python,
        }
        host, entry = library.addresses(dtype)
        numbers: dict[str, int] = {
            "host": host,
            "entry": entry,
            "several": several,
            "tensors": tensors,
            "states": states,
            "cells": cells,
            "spans": len(spans),
            "args_size": args_size,
            "grad_descr": _read(id(gradients[0]) + _DESCR, ctypes.c_void_p),
            "grad_item": gradients[0].itemsize,
            "total": int(counts.sum()),
            "keeps_lock_up_to": KEEPS_LOCK_UP_TO,
            "alive": 1,
            "busy": 0,
        }
        places = {name: table.ctypes.data for name, table in tables.items()}
        self.fields = np.array([(numbers | places)[name] for name in _FIELDS], np.uintp)
        self._held = (tables, names, library, gradients[0].dtype)
        self.address = self.fields.ctypes.data
        whole = weakref.ref(self)

        def forget(_gone: object) -> None:
            plan = whole()
            if plan is not None:
                plan.fields[_PLACE["alive"]] = 0

        self._references = [weakref.ref(array, forget) for array in flat]

    @property
    def alive(self) -> bool:
        """Whether all arrays still exist."""
        return bool(self.fields[_PLACE["alive"]])
