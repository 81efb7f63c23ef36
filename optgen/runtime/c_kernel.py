"""Calls compiled C the way generated NumPy modules are called.

A kernel has a copy of its rule's NumPy module of its own. Checks, messages and host scalars
are that module's; only its `_run`, which goes through the tensors, is replaced.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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


@dataclass(slots=True, weakref_slot=True)
class _Call:
    """What is kept of the last call.

    Attributes:
        identities: `id` of every array, in order.
        looks: Shape, type and flags of every array (contiguous, writable).
        references: Weak references: once an array is gone, its identity may be another's. And
            NumPy never moves the memory of an array that somebody refers to weakly.
        tables: One per type.
    """

    identities: list[int] = field(default_factory=list)
    looks: list[object] = field(default_factory=list)
    references: list[weakref.ref[Array]] = field(default_factory=list)
    tables: tuple[_Table, ...] = ()


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
        self._last = _Call()
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
        """Return the tables of a call: those of the last one, if all its arrays are the same."""
        last, arrays = self._last, self._arrays(param, grad, state)
        if arrays and [*map(id, arrays)] == last.identities:
            tables = last.tables
            if _looks(arrays) == last.looks:
                return tables
        self._last = _Call()
        tensors = self._check(param, grad, state)
        tables = tuple(self._build(tensors))
        arrays = self._arrays(param, grad, state)
        fresh = _Call(
            identities=[*map(id, arrays)],
            looks=_looks(arrays),
            tables=tables,
        )
        fresh.references = [weakref.ref(a, _forgetting(weakref.ref(fresh))) for a in arrays]
        self._last = fresh
        return tables

    def _arrays(self, param: Any, grad: Any, state: Any) -> list[Array]:
        """Return every array of a call in order; none if the call is not what it should be."""
        if not isinstance(param, (list, tuple)):
            param, grad, state = (param,), (grad,), (state,)
        names = (*self._states, *self._cells)
        try:
            if not len(param) == len(grad) == len(state):
                return []
            return [*param, *grad, *(held[name] for held in state for name in names)]
        except (TypeError, KeyError, IndexError):
            return []

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


def _forgetting(call: weakref.ref[_Call]) -> Callable[[object], None]:
    """Return what makes a kept call unusable: `id` of an array that is gone may come again."""

    def forget(_dead: object) -> None:
        kept = call()
        if kept is not None:
            kept.identities = []

    return forget


def _own_copy(name: str, file: Path) -> ModuleType:
    """Return a module that nobody else has, so that its functions can be replaced."""
    spec = spec_from_file_location(f"optgen.kernels.c.{name}", file)
    if spec is None or spec.loader is None:
        raise InternalError(f"{file} is no Python module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
