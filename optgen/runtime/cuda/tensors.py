"""Checks the tensors of a call, as far as that needs no driver."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.runtime.cuda.arrays import View, view_of
from optgen.runtime.cuda.description import Description, Variant

REMEMBERED = 16
"""Calls whose arrays were found to be apart, and are known again."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a call, checked.

    Attributes:
        views: Where `param`, `grad` and the states lie, by name.
        cells: Scalar states and `step`: 0-d arrays on the host.
        variant: The kernels for its types.
        where: What a message says behind a name: which tensor it is, if there are several.
    """

    views: Mapping[str, View]
    cells: Mapping[str, NDArray[Any]]
    variant: Variant
    where: str


@dataclass(frozen=True, slots=True)
class Checks:
    """What the tensors of one rule must be.

    Attributes:
        name: The rule's name in identifiers.
        description: How its kernels are called.
        states: Names of states on the device.
        cells: Names of scalar states, and `step`.
        known: What recent calls wrote, by addresses.
    """

    name: str
    description: Description
    states: tuple[str, ...]
    cells: tuple[str, ...]
    known: dict[tuple[int, ...], Spans] = field(default_factory=dict)

    def variant(self, view: View, name: str) -> Variant:
        """Return the kernels for a parameter.

        Raises:
            TypeError: There are none for its type.
        """
        for variant in self.description.variants:
            if variant.buffers[0].type == view.type:
                return variant
        known = ", ".join(v.buffers[0].type for v in self.description.variants)
        raise TypeError(f"{name} has type {view.type}; {self.name} is kept in {known}")

    def tensors(self, params: Sequence[View], grad: Any, state: Any) -> list[Tensor]:
        """Return the tensors of a call; gradients and states are lists.

        Raises:
            TypeError: Something is of a wrong type, or missing.
            ValueError: Shapes differ, something overlaps, is read-only, or counts below 0.
        """
        lists = all(isinstance(x, (list, tuple)) for x in (grad, state))
        if not lists or not len(grad) == len(state) == len(params):
            raise TypeError("param, grad and state must be lists of one length, or none a list")
        found = [
            self._tensor(*arrays, where_of(i, len(params)))
            for i, arrays in enumerate(zip(params, grad, state, strict=True))
        ]
        self._apart(found).check(found)
        return found

    def _apart(self, tensors: Sequence[Tensor]) -> Spans:
        """Return the memory that a call writes; looked at once for the same addresses."""
        key = tuple(
            part
            for tensor in tensors
            for part in (
                tensor.views["param"].size,
                *(view.address for name, view in tensor.views.items() if name != "grad"),
                *(cell.__array_interface__["data"][0] for cell in tensor.cells.values()),
            )
        )
        found = self.known.get(key)
        if found is None:
            found = Spans(tensors)
            while len(self.known) >= REMEMBERED:
                self.known.pop(next(iter(self.known)), None)
            self.known[key] = found
        return found

    def _tensor(self, param: View, grad: Any, state: Any, where: str) -> Tensor:
        if not isinstance(state, dict):
            raise TypeError(
                f"state{where} must be the dict from init(param), not a {type(state).__name__}"
            )
        variant = self.variant(param, f"param{where}")
        views = {"param": param, "grad": view_of(grad, f"grad{where}")}
        for name in (*self.states, *self.cells):
            if name not in state:
                raise TypeError(f"state{where} has no '{name}'; make it with init(param)")
        views |= {name: view_of(state[name], f"{name}{where}") for name in self.states}
        for buffer in variant.buffers:
            view = views[buffer.name]
            if view.type != buffer.type:
                raise TypeError(
                    f"{buffer.name}{where} has type {view.type}; with param in {param.type} this "
                    f"kernel keeps it in {buffer.type}"
                )
            if view.shape != param.shape:
                raise ValueError(
                    f"{buffer.name}{where} has shape {view.shape}, but param has {param.shape}"
                )
            if buffer.written and not view.writable:
                raise ValueError(f"{buffer.name}{where} is read-only")
        cells = {name: state[name] for name in self.cells}
        for name, value in cells.items():
            _check_cell(
                f"state{where}['{name}']", value, np.int64 if name == "step" else np.float64
            )
        if cells["step"] < 0:
            raise ValueError(f"state{where}['step'] is {cells['step']}; it counts the steps done")
        return Tensor(views, cells, variant, where)


def where_of(index: int, count: int) -> str:
    """Return what a message says behind a name: which tensor it is, if there are several."""
    return f" of tensor {index}" if count > 1 else ""


def _check_cell(name: str, value: Any, kind: type[np.generic]) -> None:
    if not isinstance(value, np.ndarray) or value.shape != () or value.dtype != kind:
        raise TypeError(f"{name} must be a 0-d {kind.__name__} array on the host")
    if not value.flags.writeable:
        raise ValueError(f"{name} is read-only")


class Spans:
    """The memory that a call writes, found to be apart; whether gradients are apart from it.

    Args:
        tensors: The tensors of the call.

    Raises:
        ValueError: Something that is written overlaps something else that is.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        cells = [
            (cell.ctypes.data, cell.ctypes.data + cell.nbytes, f"{name}{tensor.where}")
            for tensor in tensors
            for name, cell in tensor.cells.items()
        ]
        arrays = [
            (view.address, view.address + view.nbytes, f"{buffer.name}{tensor.where}")
            for tensor in tensors
            for buffer in tensor.variant.buffers
            if buffer.written and (view := tensor.views[buffer.name]).size
        ]
        for spans in (sorted(cells), sorted(arrays)):
            for before, after in pairwise(spans):
                _must_be_apart(before, after)
        self._spans = sorted(arrays)
        self._ends = [end for _, end, _ in self._spans]

    def check(self, tensors: Sequence[Tensor]) -> None:
        """Raise ValueError if a gradient overlaps what is written."""
        for tensor in tensors:
            view = tensor.views["grad"]
            if view.size:
                at = bisect_right(self._ends, view.address)
                if at < len(self._spans):
                    end = view.address + view.nbytes
                    _must_be_apart((view.address, end, f"grad{tensor.where}"), self._spans[at])


def _must_be_apart(one: tuple[int, int, str], other: tuple[int, int, str]) -> None:
    if one[0] < other[1] and other[0] < one[1]:
        raise ValueError(f"{one[2]} and {other[2]} overlap in memory; they must be apart")
