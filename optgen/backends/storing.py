"""How a stage loads and stores arrays of other types than the arithmetic one.

A store rounds, so a rounding whose result nothing else reads is left to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from optgen.ir import (
    RANDOM,
    ROUNDINGS,
    Assign,
    Elementwise,
    Kernel,
    Operation,
    Ref,
    StorageType,
    reads,
    stage_expressions,
)


@dataclass(frozen=True, slots=True)
class Store:
    """One array that a stage writes.

    Attributes:
        name: Its name.
        dtype: The type that it is kept in.
        random: Name of the random number that the store rounds with, or an empty string.
    """

    name: str
    dtype: StorageType
    random: str = ""


@dataclass(frozen=True, slots=True)
class Storing:
    """A stage, parted into what is computed and what is stored.

    Attributes:
        body: What is computed; roundings that stores do are left out.
        stores: What is stored, in order.
        random: Random numbers that body and stores read, in order.
    """

    body: tuple[Assign, ...]
    stores: tuple[Store, ...]
    random: tuple[str, ...]


def storing(kernel: Kernel, stage: Elementwise) -> Storing:
    """Return a stage with its last roundings left to the stores."""
    left = _left_to_stores(stage)
    stores = []
    for name in stage.stores:
        value = stage.body[left[name]].value if name in left else None
        given = value.operands[1:] if isinstance(value, Operation) else ()
        random = next((o.name for o in given if isinstance(o, Ref)), "")
        stores.append(Store(name, kernel.buffer(name).dtype, random))
    used = {name for expr in stage_expressions(stage) for name in reads(expr)}
    return Storing(
        tuple(a for i, a in enumerate(stage.body) if i not in left.values()),
        tuple(stores),
        tuple(name for name in RANDOM if name in used),
    )


def _left_to_stores(stage: Elementwise) -> dict[str, int]:
    """Return the line that rounds each stored name for its store alone."""
    found = {}
    for index, assign in enumerate(stage.body):
        value = assign.value
        if assign.target not in stage.stores or not isinstance(value, Operation):
            continue
        if value.name not in ROUNDINGS or value.operands[0] != Ref(assign.target):
            continue
        below = [a.value for a in stage.body[index + 1 :]] + [r.value for r in stage.reductions]
        touched = {a.target for a in stage.body[index + 1 :]}
        touched |= {name for expr in below for name in reads(expr)}
        if assign.target not in touched:
            found[assign.target] = index
    return found


def is_converted(kernel: Kernel, name: str) -> bool:
    """Whether an array is kept in another type than the arithmetic one."""
    return kernel.buffer(name).dtype is not kernel.arithmetic
