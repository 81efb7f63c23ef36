"""Calls compiled C the way generated NumPy modules are called.

A kernel has a copy of its rule's NumPy module of its own. Checks, messages and host scalars
are that module's; only its `_run`, which goes through the tensors, is replaced. What was
checked once takes the short way (`direct`) from then on, as long as it is what it was.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from optgen.runtime.borrowed import own_copy
from optgen.runtime.c_library import Array, CLibrary
from optgen.runtime.direct import NoDirect, Plan, direct

Tensor = tuple[Array, Array, dict[str, Array]]

PLANS = 16
"""Calls that a kernel knows again: parameter groups of a few models."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The tensors of one type, as C takes them; `places` are their numbers in the call."""

    dtype: str
    places: tuple[int, ...]
    counts: Array
    pointers: Array


class CKernel:
    """A rule in compiled C: `init(param)` and `step(param, grad, state, **hyperparameters)`.

    The convention, the checks and the bits are those of the rule's NumPy module; `step` updates
    a list of tensors in one call. Of a call whose parameters and states are the arrays of an
    earlier one, no check is made twice but this: whether each still has its memory, shape, type
    and flags. Gradients are checked every time.

    Args:
        name: The rule's name in identifiers.
        library: Its compiled C.
        module: The file of its generated NumPy module.
    """

    def __init__(self, name: str, library: CLibrary, module: Path) -> None:
        self._library = library
        self._rule = own_copy(name, module, "c")
        inside = self._rule.__dict__
        self._check: Callable[..., list[Tensor]] = inside["_tensors"]
        self._host: Callable[..., tuple[Any, ...]] = inside["_host"]
        self._states: tuple[str, ...] = tuple(inside["_STATES"])
        self._cells: tuple[str, ...] = (*inside["_SCALAR_STATES"], "step")
        self._arithmetic: str = inside.get("_ARITHMETIC", "")  # of arrays in several types
        self._draws = "_random" in inside
        self._counts_elements = "numel" in inspect.signature(self._host).parameters
        inside["_run"] = self._run
        self._plans: dict[int, Plan] = {}
        self.__name__ = name
        self.__doc__ = self._rule.__doc__
        self.init: Callable[..., dict[str, Array]] = inside["init"]
        self.step: Callable[..., None] = self._stepper(inside["step"])

    def __repr__(self) -> str:
        return f"<C kernel '{self.__name__}'>"

    def _stepper(self, checked: Callable[..., None]) -> Callable[..., None]:
        """Return `step`: the short way where it leads somewhere, else the module's own."""
        way = direct()
        if isinstance(way, NoDirect):
            return checked
        call, plans, threads = way.call, self._plans, self._library.may_use_threads
        defaults: dict[str, float] = inspect.getfullargspec(checked).kwonlydefaults or {}
        defaults = {name: value for name, value in defaults.items() if name != "found_inf"}
        count = len(defaults)
        pack = struct.Struct(f"{count}d").pack

        @wraps(checked)
        def step(*arrays: Any, **given: Any) -> None:
            if len(arrays) == 3 and not ("found_inf" in given and _is_set(given["found_inf"])):
                first = arrays[0]
                if type(first) in (list, tuple) and first:
                    first = first[0]
                plan = plans.get(id(first))
                if plan is not None:
                    values = defaults | given
                    values.pop("found_inf", None)
                    if len(values) == count:
                        try:
                            packed = pack(*values.values())
                        except (struct.error, TypeError, ValueError, OverflowError):
                            packed = b""  # the checks in Python say what is wrong
                        if packed and not call(
                            plan.address, *arrays, packed, 0 if threads() else 1
                        ):
                            return
            checked(*arrays, **given)

        return step

    def _run(self, param: Any, grad: Any, state: Any, hyperparameters: Sequence[Any]) -> None:
        """Do what the module's `_run` does; raises what it raises, before anything changes."""
        tensors = self._check(param, grad, state)
        tables = tuple(self._tables(tensors))
        with np.errstate(all="ignore"):
            rows, which = self._rows(tensors, hyperparameters)
            for table in tables:
                args = np.array(rows, table.dtype)[[which[place] for place in table.places]]
                if self._draws:
                    args = np.hstack((args, _words(tensors, hyperparameters, table.dtype)))
                self._library.call(table.dtype, table.counts, table.pointers, args)
        if len(tables) == 1:
            self._remember(tables[0], tensors, isinstance(param, (list, tuple)), args.shape[1])

    def _rows(
        self, tensors: Sequence[Tensor], given: Sequence[Any]
    ) -> tuple[list[tuple[Any, ...]], list[int]]:
        """Count a step of every tensor; return rows of host values, and the row of each tensor.

        Tensors whose counters and scalar states are equal have the same values.
        """
        rows: list[tuple[Any, ...]] = []
        which: list[int] = []
        known: dict[tuple[float, ...], tuple[int, dict[str, Array]]] = {}
        for array, _, state in tensors:
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

    def _tables(self, tensors: Sequence[Tensor]) -> Iterator[_Table]:
        named = [self._arithmetic or tensor[0].dtype.name for tensor in tensors]
        for dtype in sorted({*named}):
            places = tuple(i for i, name in enumerate(named) if name == dtype)
            chosen = [tensors[place] for place in places]
            rows = [[param for param, _, _ in chosen], [grad for _, grad, _ in chosen]]
            rows += [[state[name] for _, _, state in chosen] for name in self._states]
            yield _Table(
                dtype=dtype,
                places=places,
                counts=np.array([param.size for param in rows[0]], np.uint64),
                pointers=np.array([[a.ctypes.data for a in row] for row in rows], np.uintp),
            )

    def _remember(
        self, table: _Table, tensors: Sequence[Tensor], several: bool, fields: int
    ) -> None:
        """Keep what is needed to know these arrays again."""
        way = direct()
        if isinstance(way, NoDirect):
            return
        names = (*self._states, *self._cells)
        plan = Plan(
            way,
            self._library,
            table.dtype,
            several=several,
            written=[(param, *(state[name] for name in names)) for param, _, state in tensors],
            gradients=[grad for _, grad, _ in tensors],
            pointers=table.pointers,
            counts=table.counts,
            names=names,
            states=len(self._states),
            args_size=max(1, fields) * np.dtype(table.dtype).itemsize,
        )
        for key in [key for key, known in self._plans.items() if not known.alive]:
            self._plans.pop(key, None)
        while len(self._plans) >= PLANS:
            self._plans.pop(next(iter(self._plans)), None)
        self._plans[id(tensors[0][0])] = plan


def _words(tensors: Sequence[Tensor], given: Sequence[Any], dtype: str) -> Array:
    """Return what random numbers need: the seed, given last, and the step in two words."""
    steps = [int(state["step"]) for _, _, state in tensors]
    words = [[int(given[-1]), step % 2**32, step >> 32] for step in steps]
    return np.array(words, np.uint32).view(dtype)


def _is_set(flag: Any) -> bool:
    """Return whether a flag may be set; what is no flag at all is left to the checks in Python."""
    try:
        return flag is not False and float(flag) != 0
    except (TypeError, ValueError, OverflowError):
        return True
