"""Calls compiled C the way generated NumPy modules are called.

A kernel has a copy of its rule's NumPy module of its own. Checks, messages and host scalars
are that module's; only its `_run`, which goes through the tensors, is replaced.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from optgen.errors import InternalError
from optgen.runtime.c_library import Array, CLibrary

Tensor = tuple[Array, Array, dict[str, Array]]


@dataclass(frozen=True, slots=True)
class _Table:
    """The tensors of one type, as C takes them; `places` are their numbers in the call."""

    dtype: str
    places: tuple[int, ...]
    counts: Array
    pointers: Array


class _Kept:
    """Arrays of the last call, known again without being held.

    They are referred to weakly: once one is gone, its `id` may be another's, and all are
    forgotten. NumPy never moves the memory of an array that somebody refers to weakly.
    """

    __slots__ = ("__weakref__", "_identities", "_looks", "_references")

    def __init__(self, arrays: Sequence[Array]) -> None:
        whole = weakref.ref(self)

        def forget(_gone: object) -> None:
            kept = whole()
            if kept is not None:
                kept._identities = []

        self._identities = [*map(id, arrays)]
        self._looks = _looks(arrays)
        self._references = [weakref.ref(array, forget) for array in arrays]

    def are(self, arrays: Sequence[Array]) -> bool:
        """Return whether arrays, at least one, are these, and look as they did."""
        same = bool(arrays) and [*map(id, arrays)] == self._identities
        return same and _looks(arrays) == self._looks


@dataclass(frozen=True, slots=True)
class _Call:
    """What is kept of the last call.

    Attributes:
        written: Parameters, then all states: what a step writes.
        gradients: What it reads only.
        starts: Where the memory of what is written begins, ascending.
        ends: Where each of these ends.
        tables: One per type.
    """

    written: _Kept
    gradients: _Kept
    starts: Array
    ends: Array
    tables: tuple[_Table, ...]


class CKernel:
    """A rule in compiled C: `init(param)` and `step(param, grad, state, **hyperparameters)`.

    The convention, the checks and the bits are those of the rule's NumPy module; `step` updates
    a list of tensors in one call. Arrays that were all in the call before are not searched for
    overlaps again; whether each still has its shape, type and flags is looked at every time.

    Args:
        name: The rule's name in identifiers.
        library: Its compiled C.
        module: The file of its generated NumPy module.
    """

    def __init__(self, name: str, library: CLibrary, module: Path) -> None:
        self._library = library
        self._rule = _own_copy(name, module)
        inside = self._rule.__dict__
        self._check: Callable[..., list[Tensor]] = inside["_tensors"]
        self._host: Callable[..., tuple[Any, ...]] = inside["_host"]
        self._states: tuple[str, ...] = tuple(inside["_STATES"])
        self._cells: tuple[str, ...] = (*inside["_SCALAR_STATES"], "step")
        self._counts_elements = "numel" in inspect.signature(self._host).parameters
        inside["_run"] = self._run
        self._last: _Call | None = None
        self.__name__ = name
        self.__doc__ = self._rule.__doc__
        self.init: Callable[..., dict[str, Array]] = inside["init"]
        self.step: Callable[..., None] = inside["step"]

    def __repr__(self) -> str:
        return f"<C kernel '{self.__name__}'>"

    def _run(self, param: Any, grad: Any, state: Any, hyperparameters: Sequence[Any]) -> None:
        """Do what the module's `_run` does; raises what it raises, before anything changes."""
        tables = self._tables(param, grad, state)
        several = isinstance(param, (list, tuple))
        params, states = (param, state) if several else ([param], [state])
        with np.errstate(all="ignore"):
            rows, which = self._rows(params, states, hyperparameters)
            for table in tables:
                args = np.array(rows, table.dtype)[[which[place] for place in table.places]]
                self._library.call(table.dtype, table.counts, table.pointers, args)

    def _rows(
        self, params: Sequence[Array], states: Sequence[dict[str, Array]], given: Sequence[Any]
    ) -> tuple[list[tuple[Any, ...]], list[int]]:
        """Count a step of every tensor; return rows of host values, and the row of each tensor.

        Tensors whose counters and scalar states are equal have the same values.
        """
        rows: list[tuple[Any, ...]] = []
        which: list[int] = []
        known: dict[tuple[float, ...], tuple[int, dict[str, Array]]] = {}
        for array, state in zip(params, states, strict=True):
            size = (array.size,) if self._counts_elements else ()
            key = (*size, *[state[name].item() for name in self._cells])
            found = known.get(key)
            if found is None:
                found = known[key] = len(rows), state
                rows.append(self._host(*size, state, *given))
            else:
                for name in self._cells:
                    state[name][()] = found[1][name]
            which.append(found[0])
        return rows, which

    def _tables(self, param: Any, grad: Any, state: Any) -> tuple[_Table, ...]:
        """Return the tables of a call: those of the last one, if its arrays are the same."""
        last = self._last
        gradients, written = self._arrays(param, grad, state)
        if last is not None and last.written.are(written):
            if not last.gradients.are(gradients):
                last = self._last = _with_gradients(last, written, gradients)
            if last is not None:
                return last.tables
        self._last = None
        tables = tuple(self._build(self._check(param, grad, state)))
        gradients, written = self._arrays(param, grad, state)
        starts, sizes = _spans(written)
        order = np.argsort(starts, kind="stable")
        order = order[sizes[order] > 0]
        ends = (starts + sizes)[order]
        self._last = _Call(_Kept(written), _Kept(gradients), starts[order], ends, tables)
        return tables

    def _arrays(self, param: Any, grad: Any, state: Any) -> tuple[list[Array], list[Array]]:
        """Return gradients, and parameters with all states; none where a call is malformed."""
        if not isinstance(param, (list, tuple)):
            param, grad, state = (param,), (grad,), (state,)
        names = (*self._states, *self._cells)
        try:
            if not len(param) == len(grad) == len(state):
                return [], []
            return [*grad], [*param, *(held[name] for held in state for name in names)]
        except (TypeError, KeyError, IndexError):
            return [], []

    def _build(self, tensors: Sequence[Tensor]) -> Iterator[_Table]:
        for dtype in sorted({tensor[0].dtype.name for tensor in tensors}):
            places = tuple(i for i, t in enumerate(tensors) if t[0].dtype.name == dtype)
            chosen = [tensors[place] for place in places]
            rows = [[param for param, _, _ in chosen], [grad for _, grad, _ in chosen]]
            rows += [[state[name] for _, _, state in chosen] for name in self._states]
            yield _Table(
                dtype=dtype,
                places=places,
                counts=np.array([param.size for param in rows[0]], np.uint64),
                pointers=np.array([[a.ctypes.data for a in row] for row in rows], np.uintp),
            )


def _looks(arrays: Sequence[Array]) -> list[object]:
    return [
        *(array.shape for array in arrays),
        *(array.dtype for array in arrays),
        *(array.flags.num for array in arrays),
    ]


def _spans(arrays: Sequence[Array]) -> tuple[Array, Array]:
    """Return where arrays begin in memory, and how many bytes each takes."""
    starts = [array.__array_interface__["data"][0] for array in arrays]
    return np.array(starts, np.uintp), np.array([array.nbytes for array in arrays], np.uintp)


def _with_gradients(
    last: _Call, written: Sequence[Array], gradients: Sequence[Array]
) -> _Call | None:
    """Return a call with new gradients, or None where the full check has to look at them."""
    params = written[: len(gradients)]
    for param, grad in zip(params, gradients, strict=True):
        if type(grad) is not np.ndarray or grad.dtype != param.dtype:
            return None
        if grad.shape != param.shape or not grad.flags.c_contiguous:
            return None
    starts, sizes = _spans(gradients)
    after = np.searchsorted(last.ends, starts, side="right")  # the first that ends behind it
    begins = np.append(last.starts, np.iinfo(np.uintp).max)[after]
    if ((sizes > 0) & (begins < starts + sizes)).any():
        return None
    tables = []
    for table in last.tables:
        pointers = table.pointers.copy()
        pointers[1] = starts[list(table.places)]
        tables.append(replace(table, pointers=pointers))
    return replace(last, gradients=_Kept(gradients), tables=tuple(tables))


def _own_copy(name: str, file: Path) -> ModuleType:
    """Return a module that nobody else has, so that its functions can be replaced."""
    spec = spec_from_file_location(f"optgen.kernels.c.{name}", file)
    if spec is None or spec.loader is None:
        raise InternalError(f"{file} is no Python module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
